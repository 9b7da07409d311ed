"""kanlib: Kolmogorov-Arnold networks that end in a formula.

Networks and their training are here; formulas are in `kanlib.symbolic`, pictures in `kanlib.plots`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

from .attribution import Attribution, attribute, edge_scores, input_scores, node_scores
from .errors import (
    DataWarning,
    FormulaError,
    InputError,
    InputTypeError,
    KanlibError,
    KanlibWarning,
    StorageError,
)

# Imported at once, not on first use: where a file and its function share a name (fit, prune), importing the
# file later would put the module where users expect the function.
from .fit import FitResult, fit
from .grids import refine, update_grid
from .layer import KANLayer
from .network import KAN
from .prune import PruneResult, prune
from .storage import load, save

if TYPE_CHECKING:
    from .estimators import KANClassifier, KANRegressor

__all__ = [
    "KAN",
    "Attribution",
    "DataWarning",
    "FitResult",
    "FormulaError",
    "InputError",
    "InputTypeError",
    "KANClassifier",
    "KANLayer",
    "KANRegressor",
    "KanlibError",
    "KanlibWarning",
    "PruneResult",
    "StorageError",
    "__version__",
    "attribute",
    "edge_scores",
    "fit",
    "input_scores",
    "load",
    "node_scores",
    "prune",
    "refine",
    "save",
    "update_grid",
]


def __getattr__(name: str) -> Any:
    # scikit-learn takes as long to import as all the rest: only who asks for an estimator pays for it.
    if name in ("KANClassifier", "KANRegressor"):
        from . import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
