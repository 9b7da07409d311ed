"""How kanlib's pictures look: colours, rcParams for one picture at a time, and where new figures live.

The palette is Okabe and Ito's (distinguishable with every common form of colour blindness); every picture has a
light background of its own, so it stays readable in a dark notebook, and every font ships with matplotlib.
Nothing here touches the global rcParams, the backend, or pyplot's list of open figures in a script.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#1f2933"  # text and the lines that carry meaning
MUTED = "#66727f"  # ticks, captions, secondary text (contrast 4.9:1 on white)
FAINT = "#d5dbe1"  # frames, rules
WASH = "#f3f5f7"  # regions without data
PAPER = "#ffffff"
SPLINE = "#0072b2"  # a curve that is still a spline (blue)
SYMBOLIC = "#d55e00"  # a curve or formula that is symbolic (vermilion)
DATA = "#56a0c8"  # measured points (sky blue, darkened for a white ground)
SECOND = "#009e73"  # a second series, such as validation (bluish green)

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "mathtext.fontset": "stix",
    "text.usetex": False,
    "text.color": INK,
    "axes.facecolor": PAPER,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.0,
    "axes.titlesize": 9.5,
    "axes.titlecolor": INK,
    "axes.titleweight": "normal",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "lines.solid_capstyle": "round",
    "lines.solid_joinstyle": "round",
}


@contextmanager
def style() -> Iterator[None]:
    """The look of kanlib inside a ``with`` block, and the caller's own rcParams after it."""
    with mpl.rc_context(STYLE):
        yield


_UNSHOWN: ContextVar[bool] = ContextVar("kanlib-unshown", default=False)


@contextmanager
def unshown() -> Iterator[None]:
    """Figures made inside belong to the caller alone, in a notebook too: they go to a file and must not pop up."""
    token = _UNSHOWN.set(True)
    try:
        yield
    finally:
        _UNSHOWN.reset(token)


@contextmanager
def axes(ax: Axes | None, width: float, height: float) -> Iterator[Axes]:
    """The caller's axes, or one on a new figure of that size in inches, in the look of kanlib.

    In a Jupyter kernel and in matplotlib's interactive mode a new figure is made by pyplot, so it appears as any
    other figure does: once. In a script it belongs to nobody but the caller (``ax.figure.savefig(...)``): pyplot
    does not keep it open, and no backend is chosen. For ``plt.show()`` in a script, pass an ``ax`` of your own.
    """
    if ax is not None:
        with style():
            yield ax
        return
    # Before the style: pyplot's first figure turns on the display in a kernel, which leaving the style would undo.
    shown = (_notebook() or mpl.is_interactive()) and not _UNSHOWN.get()
    figure = _pyplot_figure(width, height) if shown else _figure(width, height)
    try:
        with style():
            yield figure.add_subplot()
    except BaseException:
        if shown:
            import matplotlib.pyplot as plt

            plt.close(figure)
        raise


def new_figure(width: float, height: float) -> Figure:
    """A figure for the functions that return one: Jupyter shows it because it is the value of the cell.

    It is not registered with pyplot there, because a cell that ends in the call would then show it twice.
    """
    if _notebook():
        import matplotlib.pyplot  # noqa: F401  (its import teaches the kernel to show a Figure)
    elif mpl.is_interactive():
        return _pyplot_figure(width, height)
    return _figure(width, height)


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained", facecolor=PAPER)


def _pyplot_figure(width: float, height: float) -> Figure:
    import matplotlib.pyplot as plt

    return plt.figure(figsize=(width, height), layout="constrained", facecolor=PAPER)


def _notebook() -> bool:
    """Whether code runs in a Jupyter kernel (which shows pyplot's figures once, at the end of a cell)."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


def figure_of(ax: Axes) -> Figure:
    """The top figure an axes lives on."""
    figure = ax.get_figure(root=True) if mpl.__version_info__ >= (3, 10) else ax.figure
    assert isinstance(figure, Figure)
    return figure


def wide_range(low: float, high: float, decades: float = 1.7) -> bool:
    """Whether positive values span enough decades to be read on a logarithmic axis."""
    return bool(low > 0.0 and math.isfinite(high) and high / low > 10.0**decades)
