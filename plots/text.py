"""Text in pictures: names as written (never parsed as mathematics), formulas as mathtext, and how wide they are.

A column may be called ``$``, ``a_b``, ``<script>`` or anything else. Names are therefore drawn with
``parse_math=False``; only formulas that kanlib builds itself go through mathtext, and only if mathtext can set them.
"""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from collections.abc import Sequence

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.mathtext import MathTextParser
from matplotlib.textpath import text_to_path

_LETTERS = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
GREEK = frozenset(_LETTERS.split())


@functools.cache
def _charmap() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())


def label(name: object, limit: int = 28) -> str:
    """A name as it can be drawn: on one line, at most `limit` characters, only glyphs the font has.

    >>> label("temperature of the cooling water in the second loop", 20)
    'temperature…ond loop'
    """
    text = " ".join(str(name).split())
    text = "".join(c for c in text if unicodedata.category(c)[0] != "C")
    text = "".join(c if ord(c) in _charmap() else "▯" for c in text)
    if len(text) > limit:
        tail = (limit - 1) // 2 - 1
        text = text[: limit - 1 - tail].rstrip() + "…" + text[-tail:].lstrip()
    return text or "·"


def labels(names: Sequence[object], limit: int = 28) -> list[str]:
    """`label` for every name, numbered where truncation made two of them the same."""
    drawn = [label(name, limit) for name in names]
    return [
        text if drawn.count(text) == 1 else f"{label(name, limit - 4)} ({index + 1})"
        for index, (text, name) in enumerate(zip(drawn, names, strict=True))
    ]


_TOKEN = re.compile(
    r"(\\(?:mathrm|operatorname|text|mathit|mathbf)\{)((?:[^{}]|\{[^{}]*\})*)\}|\\[A-Za-z]+|[A-Za-z]{2,}"
)


def tidy(latex: str) -> str:
    r"""SymPy's LaTeX, made for display: names of several letters upright and spaced, outer fractions in full size.

    >>> tidy(r"\frac{212.7 conc}{conc + \frac{1}{2}} rate")
    '\\dfrac{212.7\\,\\mathrm{conc}}{\\mathrm{conc} + \\frac{1}{2}}\\,\\mathrm{rate}'
    """

    def upright(match: re.Match[str]) -> str:
        if match.group(1) is not None:
            # A hyphen inside a name is no minus sign, and its spaces count.
            body = match.group(2).replace("-", "\u2010")
            return match.group(1) + re.sub(r"(?<!\\) ", r"\\ ", body) + "}"
        return match.group() if match.group().startswith("\\") else rf"\mathrm{{{match.group()}}}"

    text = _TOKEN.sub(upright, latex)
    # A name with spaces needs brackets before it can have an exponent; fractions in exponents stand on one line.
    inside = r"(?:[^{}]|\{[^{}]*\})*"
    text = re.sub(rf"(\\mathrm\{{{inside}\\ {inside}\}})(?=\^)", r"\\left(\1\\right)", text)
    text = re.sub(r"\^\{(-?) ?\\frac\{(\d+)\}\{(\d+)\}\}", r"^{\1\2/\3}", text)
    text = re.sub(r"(?<=[\w})]) (?=\\mathrm)", r"\\,", text)
    text = re.sub(r"(\\mathrm\{[^{}]*\}(?:_\{[^{}]*\})?) (?=[\w({])", r"\1\\,", text)
    text = re.sub(r"(?<=[\w})]) (?=\\(?:log|a?(?:sin|cos|tan)h?|operatorname|sqrt)\b)", r"\\,", text)
    pieces, depth, start = [], 0, 0
    for match in re.finditer(r"\\frac|[{}]", text):
        if match.group() == "\\frac" and depth == 0:
            pieces.append(text[start : match.start()] + r"\dfrac")
            start = match.end()
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
    return "".join(pieces) + text[start:]


@functools.lru_cache(maxsize=512)
def mathtext(latex: str) -> str | None:
    """The LaTeX source as a ``$...$`` string matplotlib can set, or None if it cannot.

    >>> mathtext(r"\\frac{a}{b}")
    '$\\\\frac{a}{b}$'
    >>> mathtext(r"\\begin{cases} a \\end{cases}") is None
    True
    """
    if any(ord(c) > 127 and ord(c) not in _charmap() for c in latex):
        return None
    source = "$" + re.sub(r"\s+", " ", latex.strip().strip("$")) + "$"
    try:
        MathTextParser("path").parse(source, 72, FontProperties(size=10))
    except (ValueError, RuntimeError, KeyError, IndexError):
        return None
    return source


def math_name(name: object, fallback: str = "x") -> str:
    """A column name as LaTeX source: a letter in italics, a trailing number as index, a word upright.

    >>> math_name("x1"), math_name("speed"), math_name("alpha_0"), math_name("a very long name with <tags>")
    ('x_{1}', '\\\\mathrm{speed}', '\\\\alpha_{0}', 'x')
    """
    text = str(name)
    match = re.fullmatch(r"([A-Za-z]+?)_?(\d*)", text)
    if match is None or len(text) > 12:
        return fallback
    stem, index = match.groups()
    body = f"\\{stem}" if stem in GREEK else stem if len(stem) == 1 else rf"\mathrm{{{stem}}}"
    return f"{body}_{{{index}}}" if index else body


def number(value: float, digits: int = 3) -> str:
    """A number as LaTeX source with `digits` significant digits; multiples of pi are written as such.

    >>> number(0.0523), number(-1.5e-7), number(2 * math.pi), number(120000.0)
    ('0.0523', '-1.5{\\\\times}10^{-7}', '2\\\\pi', '1.2{\\\\times}10^{5}')
    """
    if not math.isfinite(value):
        return r"\mathrm{nan}" if math.isnan(value) else r"\infty" if value > 0 else r"-\infty"
    multiple = value / math.pi
    if abs(multiple) > 0.5 and abs(multiple - round(multiple)) < 1e-6 and abs(multiple) < 20:
        return {1: r"\pi", -1: r"-\pi"}.get(round(multiple), rf"{round(multiple)}\pi")
    text = f"{value:.{digits}g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        return rf"{mantissa}{{\times}}10^{{{int(exponent)}}}"
    return text


def size(text: str, points: float, *, math_font: str = "stix") -> tuple[float, float]:
    """Width and height in inches of a text set at `points`; it is parsed as mathematics if it is ``$...$``."""
    ismath = len(text) > 2 and text.startswith("$") and text.endswith("$")
    font = FontProperties(family="DejaVu Sans", size=points, math_fontfamily=math_font)
    width, height, _ = text_to_path.get_text_width_height_descent(text, font, ismath)
    return width / 72.0, height / 72.0
