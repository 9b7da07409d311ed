"""The text of a unit as `pint` shall read it; what pint reads otherwise than people mean it is refused.

pint takes "1e3 m" for an elementary charge cubed, "W/m²K" for W/m² times K, "ms-1" for 1/millisecond, and works 9**9**9
out. A wrong dimension would only show as a law that is refused, so every such text is an error with advice. Here is
what can only be seen in the text; `kanlib.symbolic.units.readings` looks at what pint made of it.
"""

from __future__ import annotations

import re
from itertools import pairwise

__all__ = ["misread", "spelled"]

_LONGEST = 100  # characters
# pint passes over other signs: the root in V/√Hz. "%RH" is a product to it, and "a.u." is atto-years times u.
_SIGNS = re.compile(r"(?:[\w\s*/^().·⋅⁺⁻+°Δ'\"-]|%(?!\w))*(?<!\w\.)")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_POWER = re.compile(
    r"\s*(?:\*\*|\^)\s*(?:\(\s*[+-]?\d{1,2}(?:\.\d+)?(?:\s*/\s*\d{1,2})?\s*\)|[+-]?\d{1,2}(?:\.\d+)?)"
    r"(?!\d|\.\d|\s*\*\*|\s*\^)"  # all of the number, and no tower of powers
)
_NAME = r"(?:(?:[^\W\d]*°[CFKR]?|[^\W\d]\w*|1)(?!\w)|%)"
_DIVIDED = re.compile(r"(/|\bper\b)")
_MODIFIER = re.compile(r"\b(?:square|sq|cubic)\s+|\s+(?:squared|cubed)\b")
# texts of which pint's own names tell nothing: what may have been meant
_TRAPS = (
    (r"sqrt(?=\s*\()", "a power, Hz^0.5 for sqrt(Hz)"),  # before the rest, which takes it for a factor
    (r"ms\s*(?:\*\*|\^)?\s*\(?-\d", "m/s (m/s^2) or 1/millisecond"),
    (r"(?:deg(?:ree)?s?|°)\s+[CFKR]", "degC (degF, kelvin) or degree*coulomb (degree*farad)"),
    (r"(?:wt|vol|mol)\s*%", "percent"),
    (r"kt", "knot or kilometric_ton"),
    (r"[mkMGµμnpu]?(?:g|mol)\s+[CNPS]", "kg (mol) alone for that much of an element, or kg*C with a * for a product"),
)
_MEANT = [(re.compile(rf"(?<![\w°])(?:{pattern})(?!\w)"), advice) for pattern, advice in _TRAPS]


def spelled(text: str) -> str | None:
    """A unit's text in pint's own spelling; None where it is none that could be read rightly.

    Examples
    --------
    >>> spelled("kg·m⁻³"), spelled("kg m-3"), spelled("cmH2O"), spelled("m**9**9**9")
    ('kg*m**-3', 'kg m**-3', 'cmH2O', None)
    """
    if len(text) > _LONGEST or not _SIGNS.fullmatch(text.replace("−", "-")):
        return None
    text = re.sub("[·⋅]", "*", text.replace("−", "-"))
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+", lambda power: f"**{power[0].translate(_SUPERSCRIPTS)} ", text).strip()
    # "kg m-3", as tables have it, is not pint's way
    text = re.sub(r"(?<=[^\W\d_])(-?\d+)(?=$|[\s*/.)])", r"**\1", text)
    bare = _POWER.sub(" ", text)
    numbers = re.findall(r"(?<![\w.])[\d.]+\w*", bare)
    if re.search(r"\*\s*\*|\^|//", bare) or any(number.strip(".") not in ("", "1") for number in numbers):
        return None
    return text


def misread(text: str) -> str | None:
    """What to write instead of a text that pint reads in one way and people may mean in another; None where it is fine.

    Examples
    --------
    >>> misread("J/mol K")
    'brackets around all that is divided by, as in a/(b*c) or a/(b/c)'
    >>> misread("J/(mol K)") is None
    True
    """
    for pattern, advice in _MEANT:
        if pattern.search(text):
            return advice
    flat = _POWER.sub(" ", text)
    open_ended = False
    while (inner := re.search(r"\(([^()]*)\)", flat)) is not None:
        open_ended = open_ended or _open_ended(inner[1])
        flat = f"{flat[: inner.start()]} u {flat[inner.end() :]}"
    if open_ended or _open_ended(flat):
        return "brackets around all that is divided by, as in a/(b*c) or a/(b/c)"
    return None


def _open_ended(text: str) -> bool:
    """Whether it is left open what all is divided by, as in J/mol K and N per m/s; J/mol/K and m/s per K are clear.

    pint works from left to right, with "per" as another sign for a slash; in English "per" takes all that follows.
    """
    _, *rest = _DIVIDED.split(_MODIFIER.sub(" ", text))
    signs, parts = rest[::2], rest[1::2]
    products = any(len(re.findall(_NAME, part)) > 1 for part in parts)
    return products or any(sign == "per" and after == "/" for sign, after in pairwise(signs))
