"""Pieces of a self-contained HTML page: escaped text, tables, pictures as data, typeset formulas, and the style sheet.

A page made of them asks nothing of the network and runs no script: a content security policy forbids both.
Pictures are SVG files inside ``img`` elements, so nothing in them can act, and their identifiers do not collide.
"""

from __future__ import annotations

import base64
import html
import io
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from . import style as look
from .text import mathtext, size


def escape(value: object) -> str:
    """Text from outside, safe in HTML text and attributes, without control characters or halves of surrogates."""
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    text = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return html.escape(text, quote=True)


def sentence(text: str) -> str:
    """Escaped text with a capital letter and a full stop."""
    text = " ".join(str(text).split())
    starts_with_word = re.match(r"[a-z]+[,:]? (?!=)", text) is not None
    text = text[:1].upper() + text[1:] if starts_with_word else text
    return escape(text + ("" if text[-1:] in ".!?" else "."))


def number(value: Any) -> str:
    """Four significant digits as HTML; empty where there is no number."""
    if value is None or not math.isfinite(float(value)):
        return ""
    return typeset_number(f"{float(value):.4g}")


def typeset_number(text: str) -> str:
    """A printed number with a minus sign and powers of ten, as HTML."""
    escaped = escape(text).replace("-", "−")
    return re.sub(r"e([+−]?)0*(\d+)", lambda m: f" × 10<sup>{'−' if m[1] == '−' else ''}{m[2]}</sup>", escaped)


def r2(value: Any) -> str:
    """R², with what is missing to 1 where four digits would round it away."""
    if value is None or not math.isfinite(float(value)):
        return ""
    missing = 1.0 - float(value)
    if missing < 1e-15:
        return "1"
    return f"1 − {typeset_number(f'{missing:.1e}')}" if missing < 5e-5 else typeset_number(f"{float(value):.4f}")


def picture(figure: Figure, alt: str, *, width: float | None = None, kind: str = "picture") -> str:
    """An ``img`` element with the figure as SVG, as wide as it was drawn (or `width` inches), at most the page."""
    file = io.BytesIO()
    settings: Any = {"svg.fonttype": "path", "svg.hashsalt": "kanlib", "savefig.facecolor": "auto"}
    with mpl.rc_context(settings):
        figure.savefig(
            file, format="svg", bbox_inches="tight", pad_inches=0.04, metadata={"Date": None, "Creator": None}
        )
    source = base64.b64encode(file.getvalue()).decode("ascii")
    inches = figure.get_figwidth() if width is None else width
    return (
        f'<img class="{kind}" style="width:{inches * 6.0:.2f}rem" alt="{escape(alt)}" '
        f'src="data:image/svg+xml;base64,{source}">'
    )


def formula(latex_lines: Sequence[str], text: str, *, points: float = 15.0) -> str:
    """A formula of one or more lines typeset as an image with `text` as its alternative; plain text if need be."""
    lines = [mathtext(line) for line in latex_lines]
    if not lines or any(line is None for line in lines):
        return f'<p class="formula plain"><code>{escape(text)}</code></p>'
    sizes = [size(line, points) for line in lines if line]
    width = max(w for w, _ in sizes)
    height = sum(h for _, h in sizes) + 0.12 * (len(sizes) - 1)
    with look.style():
        figure = Figure(figsize=(width + 0.2, height + 0.2))
        figure.patch.set_alpha(0.0)
        y = height + 0.1
        for index, (line, (_, h)) in enumerate(zip(lines, sizes, strict=True)):
            indent = 0.0 if index == 0 else 0.3
            figure.text(
                (0.05 + indent) / figure.get_figwidth(),
                y / figure.get_figheight(),
                line or "",
                fontsize=points,
                va="top",
                color=look.INK,
                math_fontfamily="stix",
            )
            y -= h + 0.12
        renderer = figure.canvas.get_renderer() if hasattr(figure.canvas, "get_renderer") else None
        tight = figure.get_tightbbox(renderer) or Bbox.unit()
        image = picture(figure, text, width=tight.width + 0.08, kind="typeset")
    return f'<div class="formula">{image}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, kinds: str, marked: int | None = None) -> str:
    """A table; cells are HTML already. `kinds` has a letter a column: number, text, code, value."""
    names = {"n": "number", "t": "text", "c": "code", "v": "value"}
    cells = [
        "".join(f'<td class="{names[kind]}">{cell}</td>' for kind, cell in zip(kinds, row, strict=True)) for row in rows
    ]
    body = "\n".join(f"<tr{' class=chosen' if k == marked else ''}>{row}</tr>" for k, row in enumerate(cells))
    top = "".join(
        f'<th scope="col" class="{names[kind]}">{escape(title)}</th>' for kind, title in zip(kinds, head, strict=True)
    )
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def section(title: str, *parts: str) -> str:
    """A section with a heading, or nothing if it has no content."""
    content = "\n".join(part for part in parts if part)
    return f"<section><h2>{escape(title)}</h2>\n{content}\n</section>" if content else ""


def figure(image: str, caption: str) -> str:
    """A picture with its caption (HTML already)."""
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def page(title: str, body: str) -> str:
    """The whole document."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<meta name="generator" content="kanlib">
<title>{escape(title)}</title>
<style>{STYLE_SHEET}</style>
</head>
<body>
<article>
{body}
</article>
</body>
</html>
"""


STYLE_SHEET = """
:root { color-scheme: light; --ink: #1f2933; --muted: #66727f; --rule: #d5dbe1; --wash: #f3f5f7;
  --found: #00694d; --none: #9a4300; }
* { box-sizing: border-box; }
html { background: #fff; color: var(--ink); font-size: 16px; -webkit-text-size-adjust: 100%; }
body { margin: 0; font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  line-height: 1.5; }
article { max-width: 47rem; margin: 0 auto; padding: 3.5rem 1.5rem 3rem; }
header { margin-bottom: 2rem; }
.kicker { margin: 0 0 .6rem; color: var(--muted); font-size: .8125rem; letter-spacing: .06em; }
h1 { margin: 0 0 .9rem; font-family: Charter, "Bitstream Charter", "Sitka Text", Cambria, Georgia, serif;
  font-size: 2.125rem; font-weight: 600; line-height: 1.18; letter-spacing: -.012em; overflow-wrap: anywhere;
  text-wrap: balance; }
h2 { margin: 0 0 .8rem; font-size: 1.0625rem; font-weight: 650; letter-spacing: -.003em; }
section { margin-top: 2.75rem; }
p { margin: 0 0 .8rem; }
.verdict { font-size: 1.0625rem; max-width: 40rem; overflow-wrap: anywhere; }
.badge { display: inline-block; margin-right: .5em; padding: .02em .6em .08em; border-radius: .9em; color: #fff;
  font-size: .875rem; font-weight: 600; }
.badge.found { background: var(--found); } .badge.none { background: var(--none); }
.muted { color: var(--muted); font-size: .9375rem; }
.formula { margin: 1.75rem 0 1rem; padding: 1.6rem 1.25rem; background: var(--wash); border-radius: .5rem;
  overflow-x: auto; text-align: center; }
.formula.plain { text-align: left; } .formula.plain code { font-size: 1.0625rem; }
.formula.small { margin: 0 0 1rem; padding: .2rem 0; background: none; text-align: left; }
.typeset { vertical-align: middle; max-width: none; }
@media (max-width: 34rem) { .typeset { max-width: 44rem; } }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .875em;
  overflow-wrap: anywhere; }
dl.facts { display: flex; flex-wrap: wrap; gap: 1.1rem 2.5rem; margin: 1.75rem 0 0; padding: 1.1rem 0;
  border-top: 1px solid var(--rule); border-bottom: 1px solid var(--rule); }
dl.facts dt { color: var(--muted); font-size: .8125rem; }
dl.facts dd { margin: .1rem 0 0; font-size: 1.1875rem; font-weight: 550; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
.scroll { overflow-x: auto; } .scroll + p { margin-top: .8rem; } figure + .scroll { margin-top: 1.5rem; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; font-variant-numeric: tabular-nums; }
th, td { padding: .42rem .9rem .42rem 0; text-align: left; vertical-align: baseline;
  border-bottom: 1px solid var(--rule); }
th { color: var(--muted); font-size: .8125rem; font-weight: 500; border-bottom-color: #9aa5b1; white-space: nowrap; }
th.number, td.number { width: 1%; text-align: right; white-space: nowrap; padding-left: 1.2rem;
  padding-right: 1.6rem; }
th.number:first-child, td.number:first-child { padding-left: .6rem; } sup { line-height: 0; font-size: .7em; }
td.value { white-space: nowrap; } td.text { overflow-wrap: anywhere; min-width: 6rem; } td.code { min-width: 12rem; }
th:last-child, td:last-child { padding-right: 0; }

td .muted { font-size: .8125rem; font-weight: 400; }
tr.chosen td { font-weight: 600; background: #fdf3ec; }
tr.chosen td:first-child { box-shadow: inset 3px 0 #d55e00; }
figure { margin: 0; } figure + figure { margin-top: 1.75rem; }
.picture { display: block; max-width: 100%; height: auto; margin: 0 auto; }
figcaption { margin-top: .6rem; color: var(--muted); font-size: .875rem; overflow-wrap: anywhere; }
ul, ol { margin: 0 0 .8rem; padding-left: 1.3rem; } li { margin: .25rem 0; overflow-wrap: anywhere; }
footer { margin-top: 3.25rem; padding-top: 1rem; border-top: 1px solid var(--rule); color: var(--muted);
  font-size: .8125rem; }
@media (max-width: 34rem) { article { padding: 2rem 1.1rem; } h1 { font-size: 1.75rem; }
  section { margin-top: 2.25rem; }
  .formula { padding: 1.25rem 1rem; } dl.facts { gap: 1rem 2rem; } }
@media print { html { font-size: 10.5pt; } article { max-width: none; padding: 0; }
  section, figure, tr, dl.facts { break-inside: avoid; } h2 { break-after: avoid; }
  .scroll, .formula { overflow: visible; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } @page { margin: 18mm 16mm; } }
"""
