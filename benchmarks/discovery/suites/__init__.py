"""The suites by name."""

from __future__ import annotations

from ..problems import Problem
from . import controls, feynman, inputs, jin, keijzer, korns, livermore, nguyen, strogatz

__all__ = ["SUITES", "find"]

SUITES: dict[str, tuple[Problem, ...]] = {
    "nguyen": nguyen.PROBLEMS,
    "keijzer": keijzer.PROBLEMS,
    "livermore": livermore.PROBLEMS,
    "jin": jin.PROBLEMS,
    "korns": korns.PROBLEMS,
    "strogatz": strogatz.PROBLEMS,
    "feynman": feynman.PROBLEMS,
    "irrelevant": inputs.PROBLEMS,
    "controls": controls.PROBLEMS,
}


def find(suite: str, name: str) -> Problem:
    """A problem by its names."""
    return next(given for given in SUITES[suite] if given.name == name)
