"""From data or a network to formulas, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# Imported at once, not on first use: discover and symbolify share their names with their files, and importing a file
# later would put the module where users expect the function.
from .discover import discover
from .discovery import Discovery, FrontPoint
from .formula import Constant, Formula
from .symbolify import symbolify

if TYPE_CHECKING:
    from .estimators import FormulaRegressor

__all__ = ["Constant", "Discovery", "Formula", "FormulaRegressor", "FrontPoint", "discover", "symbolify"]


def __getattr__(name: str) -> Any:
    # scikit-learn is slow to import: only who asks for the estimator pays for it.
    if name == "FormulaRegressor":
        from . import estimators

        return estimators.FormulaRegressor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
