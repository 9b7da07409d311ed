"""The picture of part 5: the curve of every learner after every phase, over the peaks it should know by then."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.parts import Record
from kanlib.plots.style import FAINT, INK, MUTED, SECOND, SPLINE, SYMBOLIC, WASH, style

__all__ = ["draw"]

PHASES = 5


def draw(records: Sequence[Record]) -> Figure:
    """A row of panels a learner, a column a phase; behind each, the regions that were seen, the present one darker."""
    shown = [record for record in records if record["curve"]]
    learners = list(dict.fromkeys(record["learner"] for record in shown))
    with style():
        figure = Figure(figsize=(9.4, 0.72 * len(learners) + 0.75), layout="constrained")
        FigureCanvasAgg(figure)
        figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, hspace=0.02, wspace=0.02)  # type: ignore[union-attr]
        axes = figure.subplots(
            len(learners), PHASES + 1, squeeze=False, gridspec_kw={"width_ratios": [1.35] + [1] * PHASES}
        )
        for name, line in zip(learners, axes):
            own = [record for record in shown if record["learner"] == name]
            _label(line[0], name, own[-1])
            for record in own:
                _panel(line[int(record["phase"])], record, _color(name))
            for empty in line[len(own) + 1 :]:
                empty.set_axis_off()
        for phase in range(PHASES):
            axes[0, phase + 1].set_title(f"after phase {phase + 1}", loc="center", color=MUTED, fontsize=8.5)
        figure.supxlabel("dashed: the peaks; grey: regions seen so far, the latest one darker", color=MUTED, fontsize=8)
    return figure


def _color(name: str) -> str:
    return SYMBOLIC if name.startswith("MLP") else SECOND if name.startswith("pykan") else SPLINE


def _label(panel: Axes, name: str, last: Record) -> None:
    panel.set_axis_off()
    error = f"{float(last['RMSE of all five']):.1e}".replace("e-0", "e-").replace("e+0", "e+")
    panel.text(0.0, 0.62, name.replace(": ", "\n"), va="center", color=INK, fontsize=8, transform=panel.transAxes)
    panel.text(
        0.0, 0.05, f"error in the end {error}", va="bottom", color=MUTED, fontsize=7.5, transform=panel.transAxes
    )


def _panel(panel: Axes, record: Record, color: str) -> None:
    phase = int(record["phase"])
    values = np.array([float(value) for value in record["curve"].split()])
    x = 2 * (np.arange(len(values)) + 0.5) / len(values) - 1
    truth = sum(np.exp(-300 * (x - centre) ** 2) for centre in 0.4 * (np.arange(PHASES) - (PHASES - 1) / 2))
    panel.axvspan(-1, -1 + 0.4 * phase, color=WASH, linewidth=0)
    panel.axvspan(-1 + 0.4 * (phase - 1), -1 + 0.4 * phase, color=FAINT, linewidth=0)
    panel.plot(x, truth, color=MUTED, linewidth=0.7, linestyle=(0, (2, 1.5)))
    panel.plot(x, values, color=color, linewidth=1.2)
    panel.set(xlim=(-1, 1), ylim=(-0.35, 1.2), xticks=[], yticks=[])
    for spine in panel.spines.values():
        spine.set_visible(False)
