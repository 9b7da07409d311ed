"""Every exception and warning kanlib raises on purpose; each also inherits the standard class users would catch.

A message says what arrived, what was expected, and what to do.
"""

from __future__ import annotations


class KanlibError(Exception):
    """Base class of all errors raised by kanlib."""


class InputError(KanlibError, ValueError):
    """Data or an argument has a wrong value, shape or content."""


class InputTypeError(KanlibError, TypeError):
    """Data or an argument has a wrong type."""


class StorageError(KanlibError, ValueError):
    """A file is truncated, altered, foreign, or written by an unknown schema version."""


class FormulaError(KanlibError, ValueError):
    """A formula cannot be built, evaluated or expressed."""


class KanlibWarning(UserWarning):
    """Base class of all warnings issued by kanlib."""


class DataWarning(KanlibWarning):
    """The data have a property that limits what can be concluded (a constant column, few rows)."""
