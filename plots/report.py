"""A search for a formula as one self-contained HTML page: verdict, formula, constants, pictures, and what was done."""

from __future__ import annotations

import datetime
import os
import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import kanlib
from kanlib.data import as_tensor
from kanlib.errors import InputError
from kanlib.files import write_atomically
from kanlib.symbolic.printing import format_value, latex_name, print_latex, print_text

from . import page, style
from .curves import Array, live_edges
from .formula import plot_fit
from .front import front_points, plot_front
from .network import plot_network
from .page import escape, number, r2, sentence, typeset_number
from .text import mathtext, size, tidy

if TYPE_CHECKING:
    from kanlib.symbolic import Discovery, Formula

LINE = 6.3  # inches a line of a formula may take at the size below
POINTS = 15.0


def write_report(discovery: Discovery, destination: str | os.PathLike[str], X: Any = None, y: Any = None) -> Path:
    """Write what a search found, or why it found nothing, as one HTML file that needs nothing else.

    The page holds its pictures, loads nothing, runs nothing, prints well and fits a phone. Text from outside (column
    names, notes) is escaped. The file is replaced in one step: a crash leaves the old one.

    Parameters
    ----------
    discovery : Discovery
        What `kanlib.symbolic.discover` returns.
    destination : path
        A file ending in .html, or a folder (made if need be) that gets a ``report.html``.
    X : array, tensor or data frame, shape (n, d), optional
        The data, for the pictures and the range the law was found on.
    y : array, shape (n,), optional

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If X and y do not fit the discovery.
    StorageError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from kanlib.symbolic import discover
    >>> from kanlib.plots import write_report
    >>> x = np.linspace(1.0, 3.0, 30)[:, None]
    >>> found = discover(x, x[:, 0] ** 2, names=["side"], target_name="area")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(found, folder, x, x[:, 0] ** 2).name
    'report.html'
    """
    path = Path(destination)
    if path.is_dir() or path.suffix.lower() not in {".html", ".htm"}:
        path = path / "report.html"
    names = tuple(str(name) for name in discovery.names)
    table = None if X is None else as_tensor(X, "X").cpu().double().numpy()
    measured = None if y is None else as_tensor(y, "y").cpu().double().numpy().reshape(-1)
    if table is not None and (table.ndim != 2 or table.shape[1] != len(names)):
        raise InputError(
            f"X has shape {table.shape}; expected (rows, {len(names)}), the columns the search saw: {', '.join(names)}."
        )
    if table is not None and measured is not None and len(table) != len(measured):
        raise InputError(f"X has {len(table)} rows and y has {len(measured)} values; expected one value a row.")
    formula = discovery.formula if discovery.status == "found" else None
    target = str(discovery.target_name)
    with style.unshown():
        body = "\n".join(
            [
                _header(discovery, formula, target, table),
                _constants(formula, target),
                _pictures(discovery, formula, table, measured, target),
                _trade_off(discovery),
                _ranges(discovery, formula, names, table, measured, target),
                _search(discovery),
                _footer(discovery),
            ]
        )
    title = f"{target}: {'a formula was found' if formula is not None else 'no formula'}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_atomically(path, page.page(title, body))


def _header(discovery: Any, formula: Formula | None, target: str, table: Array | None) -> str:
    if formula is not None:
        heading, badge, kind = f"A formula for {escape(target)}", "Found", "found"
        body = _formula(formula, target)
        if discovery.reasons:
            body += f"<p>{' '.join(sentence(reason) for reason in dict.fromkeys(discovery.reasons))}</p>"
    else:
        heading, badge, kind = f"No formula for {escape(target)}", "None supported", "none"
        reasons = "".join(f"<li>{sentence(reason)}</li>" for reason in dict.fromkeys(discovery.reasons))
        body = f"<ul>{reasons}</ul>" if reasons else ""
        if discovery.network is not None:
            body += '<p class="muted">The numbers and pictures below belong to the best network.</p>'
    facts = [
        ("R² (held out)", r2(discovery.r2)),
        ("RMSE (held out)", number(discovery.rmse)),
        ("Noise floor", number(discovery.noise_floor)),
        ("Complexity", "" if formula is None else str(formula.complexity)),
        ("Rows", "" if table is None else str(len(table))),
    ]
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts if value)
    return (
        f'<header>\n<p class="kicker">kanlib report</p>\n<h1>{heading}</h1>\n'
        f'<p class="verdict"><span class="badge {kind}">{badge}</span>{sentence(discovery.message)}</p>\n'
        f'{body}\n<dl class="facts">{cells}</dl>\n</header>'
    )


def _formula(formula: Formula, target: str) -> str:
    """The formula typeset, as text to copy, and which symbol is which column."""
    image = page.formula(_lines(formula, target), f"{target} = {formula.text()}", points=POINTS)
    copy = f'<p class="muted">As text: <code>{escape(formula.text())}</code></p>'
    pairs = "; ".join(
        f"<code>{escape(symbol)}</code> is the column “{escape(name)}”"
        for symbol, name in formula.symbols_map.items()
        if symbol in {s.name for s in formula.expr.free_symbols}
    )
    return image + copy + (f'<p class="muted">Here {pairs}.</p>' if pairs else "")


def _left(target: str) -> str:
    """LaTeX of the target's name, upright if it is no single word."""
    return latex_name(target if re.fullmatch(r"\w+", target) else f"{target}_", target)


def _lines(formula: Formula, target: str) -> list[str]:
    """LaTeX of the formula; a sum too long for a line is broken before its terms."""
    left = tidy(f"{_left(target)} = ")
    whole = left + tidy(formula.latex())
    source = mathtext(whole)
    if source is None or size(source, POINTS)[0] <= LINE or not formula.expr.is_Add:
        return [whole]
    names = {s: latex_name(s.name, n) for s, n in zip(formula.symbols, formula.names, strict=True) if s.name != n}
    lines = [left]
    for term in formula.expr.as_ordered_terms():
        piece = tidy(print_latex(term, 4, names))
        if lines != [left]:
            piece = f"- {piece[1:].lstrip()}" if piece.startswith("-") else f"+ {piece}"
        grown = mathtext(f"{lines[-1]} {piece}")
        if grown is not None and lines[-1] != left and size(grown, POINTS)[0] > LINE:
            lines.append(rf"{piece[0]}\;{piece[2:]}")
        else:
            lines[-1] = f"{lines[-1]} {piece}"
    return lines


def _constants(formula: Formula | None, target: str) -> str:
    if formula is None or not formula.constants:
        return ""
    rows = []
    for constant in formula.constants:
        value = format_value(constant.value, constant.standard_error)
        exact = "" if constant.exact is None else f"<code>{escape(constant.exact)}</code>"
        rows.append((f"<code>{escape(constant.symbol)}</code>", typeset_number(value), exact))
    numbers = {s: v for s, v in formula.values.items() if not isinstance(v, float)}
    general = formula.structure.xreplace(numbers)
    names = {s: latex_name(s.name, n) for s, n in zip(formula.symbols, formula.names, strict=True) if s.name != n}
    latex = tidy(f"{_left(target)} = {print_latex(general, 4, names)}")
    shape = ""
    if len(numbers) < len(formula.values):
        shape = page.formula([latex], f"{target} = {print_text(general)}", points=11.0).replace(
            'class="formula"', 'class="formula small"'
        )
    if formula.dof is not None and any(c.standard_error is not None for c in formula.constants):
        note = f"Standard errors are those of the least-squares fit with {formula.dof} degrees of freedom."
    else:
        note = ""
    if any(constant.exact is not None for constant in formula.constants):
        note += " An exact form is given where the data support it and it shortens the description."
    head = ("constant", "value ± standard error", "exact form")
    columns = 3 if any(row[2] for row in rows) else 2
    table = page.table(head[:columns], [row[:columns] for row in rows], kinds="tvt"[:columns])
    return page.section("Constants", shape, table, f'<p class="muted">{note}</p>' if note else "")


def _pictures(discovery: Any, formula: Formula | None, table: Array | None, measured: Array | None, target: str) -> str:
    parts = []
    network = discovery.network
    edges = 0 if network is None else int(sum(live.sum() for live in live_edges(network)))
    if network is not None and not edges:
        parts.append("<p>The best network uses none of the columns: it is a constant.</p>")
    elif network is not None:

        def draw() -> str:
            ax = plot_network(discovery, table)
            return page.figure(
                page.picture(style.figure_of(ax), f"The network: {edges} edges, each with its curve."),
                "The network, from the inputs at the left. Every box shows the curve on its edge over the range the "
                "data reach, or a fast wave in the middle of it; darker edges matter more. Blue curves are splines, "
                "orange ones the primitives below them.",
            )

        parts.append(_attempt(draw))
    law = formula if formula is not None else network if edges else None
    if law is not None and table is not None and measured is not None:

        def compare() -> str:
            ax = plot_fit(law, table, measured, names=discovery.names, target_name=target)
            what = "formula" if formula is not None else "network"
            curve = "predicted" not in style.figure_of(ax).axes[-1].get_xlabel()
            band = any(artist.get_gid() == "kanlib-band" for artist in ax.collections)
            caption = f"Data and {what}" if curve else f"Measured values against those of the {what}"
            caption += ", with the 95% confidence band of the fitted constants" if band else ""
            return page.figure(
                page.picture(style.figure_of(ax), f"{caption}; residuals below."), f"{caption}; residuals below."
            )

        parts.append(_attempt(compare))
    return page.section("Pictures", *parts)


def _attempt(draw: Callable[[], str]) -> str:
    """A picture that cannot be drawn says why, and the rest of the page stands."""
    try:
        return draw()
    except InputError as error:
        return f'<p class="muted">No picture here: {escape(error)}</p>'


def _trade_off(discovery: Any) -> str:
    if not discovery.front:
        return ""
    points = front_points(discovery)
    rows = []
    for point in points:
        shape = f'<br><span class="muted">{escape(point.template)}</span>' if point.template else ""
        rows.append((str(point.complexity), number(point.rmse), f"<code>{escape(_text(point.formula))}</code>{shape}"))
    marked = next((k for k, point in enumerate(points) if point.chosen), None)

    def draw() -> str:
        ax = plot_front(discovery)
        caption = "The best formulas found, by length; RMSE on held-out rows. "
        caption += "None of them is supported by the data." if marked is None else "The chosen one is orange."
        return page.figure(page.picture(style.figure_of(ax), "Error against complexity.", width=5.0), caption)

    listing = page.table(("complexity", "RMSE", "formula"), rows, kinds="nnc", marked=marked)
    return page.section("Accuracy against complexity", _attempt(draw) if len(points) > 1 else "", listing)


def _text(formula: Any) -> str:
    return formula.text() if hasattr(formula, "text") else str(formula)


def _ranges(
    discovery: Any,
    formula: Formula | None,
    names: tuple[str, ...],
    table: Array | None,
    measured: Array | None,
    target: str,
) -> str:
    title = "Where the law holds" if formula is not None else "The data"
    limits = np.asarray(discovery.ranges) if table is None else np.stack([table.min(axis=0), table.max(axis=0)], axis=1)
    used = set() if formula is None else set(formula.used)
    rows = []
    for k, name in enumerate(names):
        role = "not needed"
        if formula is not None and k in used:
            role = f"<code>{escape(formula.symbols[k].name)}</code>"
        rows.append((escape(name), number(limits[k, 0]), number(limits[k, 1]), role))
    if measured is not None:
        rows.append((escape(target), number(measured.min()), number(measured.max()), "result"))
    count = "the" if table is None else f"{len(table)}"
    text = (
        f"The law was found on {count} rows inside these ranges. Outside them it is an extrapolation."
        if formula is not None
        else f"The search used {count} rows in these ranges."
    )
    if formula is None:
        listing = page.table(("column", "from", "to"), [row[:3] for row in rows], kinds="tnn")
    else:
        listing = page.table(("column", "from", "to", "in the formula"), rows, kinds="tnnt")
    return page.section(title, f"<p>{text}</p>", listing)


def _search(discovery: Any) -> str:
    notes = "".join(f"<li>{sentence(note)}</li>" for note in discovery.notes)
    return page.section("What the search did", f"<ol>{notes}</ol>") if notes else ""


def _footer(discovery: Any) -> str:
    import sympy
    import torch

    seed = getattr(discovery, "seed", None)
    items = [
        f"searched for {discovery.seconds:.1f} s",
        f"kanlib {kanlib.__version__}",
        f"torch {torch.__version__}",
        f"NumPy {np.__version__}",
        f"SymPy {sympy.__version__}",
        f"Python {platform.python_version()}",
        "" if seed is None else f"seed {seed}",
        datetime.date.today().isoformat(),
    ]
    return f"<footer>{escape(' · '.join(item for item in items if item))}</footer>"
