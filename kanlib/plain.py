"""What messages and JSON can carry: texts of bounded length, and numbers that are finite."""

from __future__ import annotations

import math


def short(text: str, longest: int = 80) -> str:
    """A text for a message, cut where it is longer than so many characters; the dots count.

    Examples
    --------
    >>> short("no_such_unit"), short("m" * 200, 10)
    ('no_such_unit', 'mmmmmmm...')
    """
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def json_number(value: float | None) -> float | None:
    """A number for JSON, which has no NaN and no infinity: both become None, its null.

    Examples
    --------
    >>> json_number(2.5), json_number(float("nan")), json_number(None)
    (2.5, None, None)
    """
    return float(value) if value is not None and math.isfinite(value) else None
