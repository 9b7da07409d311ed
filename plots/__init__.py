"""Pictures of networks, edges, formulas and training. Public names are imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .edges import plot_edges
    from .formula import plot_fit
    from .front import plot_front
    from .network import plot_network
    from .report import write_report
    from .training import plot_training

_HOME = {
    "plot_edges": "edges",
    "plot_fit": "formula",
    "plot_front": "front",
    "plot_network": "network",
    "plot_training": "training",
    "write_report": "report",
}

__all__ = ["plot_edges", "plot_fit", "plot_front", "plot_network", "plot_training", "write_report"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
