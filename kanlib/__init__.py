"""kanlib: Kolmogorov-Arnold networks that end in a formula.

Networks live here, formulas in `kanlib.symbolic`, pictures in `kanlib.plots`.
Public names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .errors import (
        DataWarning,
        FormulaError,
        InputError,
        InputTypeError,
        KanlibError,
        KanlibWarning,
        StorageError,
    )
    from .estimators import KANClassifier, KANRegressor
    from .fit import FitResult, fit
    from .layer import KANLayer
    from .network import KAN
    from .prune import prune
    from .storage import load, save

_HOME = {
    "KAN": "network",
    "KANLayer": "layer",
    "KANRegressor": "estimators",
    "KANClassifier": "estimators",
    "FitResult": "fit",
    "fit": "fit",
    "prune": "prune",
    "save": "storage",
    "load": "storage",
    "KanlibError": "errors",
    "InputError": "errors",
    "InputTypeError": "errors",
    "StorageError": "errors",
    "FormulaError": "errors",
    "KanlibWarning": "errors",
    "DataWarning": "errors",
}

__all__ = [
    "KAN",
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
    "StorageError",
    "__version__",
    "fit",
    "load",
    "prune",
    "save",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
