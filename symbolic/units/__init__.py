"""Units as prior knowledge: which formulas they allow, and the dimensionless groups they leave.

Units become vectors of rational exponents over base dimensions, and everything else is exact linear algebra on these.
A formula that adds lengths to times is wrong whatever its fit, and a law has fewer groups than columns to be found in.
`table` and `spelling` read the units, `consistency` holds formulas against them, `groups` finds the groups.
"""

from __future__ import annotations

from .consistency import Consistency, check, dimension_of
from .groups import Groups, dimensionless_groups, power_product
from .table import Dimension, Units, to_base

__all__ = [
    "Consistency",
    "Dimension",
    "Groups",
    "Units",
    "check",
    "dimension_of",
    "dimensionless_groups",
    "power_product",
    "to_base",
]
