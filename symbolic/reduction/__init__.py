"""The coordinates of a law: symmetries that replace several columns by one."""

from __future__ import annotations

from .coordinates import Change, Coordinates, combined, powered, start
from .reducing import Step, reduce_coordinates

__all__ = ["Change", "Coordinates", "Step", "combined", "powered", "reduce_coordinates", "start"]
