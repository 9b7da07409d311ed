"""Where a formula's validity ends."""

from __future__ import annotations

from .checking import validity
from .conditions import Condition, conditions
from .records import REACH, Edge, Range, Validity

__all__ = ["REACH", "Condition", "Edge", "Range", "Validity", "conditions", "validity"]
