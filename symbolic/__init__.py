"""From data or a network to formulas, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# Imported at once, not on first use: discover, stability, symbolify and validity share their names with their files,
# and importing a file later would put the module where users expect the function.
from .bootstrap import bootstrap_constants
from .compiler.compiling import compile_formula
from .discover import discover
from .discovery import Discovery, FrontPoint, Progress
from .formula import Constant, Formula
from .parsing import parse_formula
from .physical import match_physical
from .priors.noise import given_noise
from .priors.prior import Prior, prior
from .shape_finding import FoundShape, TriedShape, find_shape
from .stability import Stability, stability
from .symbolify import symbolify
from .units import Units, dimensionless_groups
from .units import check as check_units
from .validity.checking import validity

if TYPE_CHECKING:
    from .estimators import FormulaRegressor

__all__ = [
    "Constant",
    "Discovery",
    "Formula",
    "FormulaRegressor",
    "FoundShape",
    "FrontPoint",
    "Prior",
    "Progress",
    "Stability",
    "TriedShape",
    "Units",
    "bootstrap_constants",
    "check_units",
    "compile_formula",
    "dimensionless_groups",
    "discover",
    "find_shape",
    "given_noise",
    "match_physical",
    "parse_formula",
    "prior",
    "stability",
    "symbolify",
    "validity",
]


def __getattr__(name: str) -> Any:
    # scikit-learn is slow to import: only who asks for the estimator pays for it.
    if name == "FormulaRegressor":
        from . import estimators

        return estimators.FormulaRegressor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
