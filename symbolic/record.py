"""A formula as plain numbers and text, and back: what the command line writes as JSON. Text is read, never run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sympy import Symbol

from kanlib.errors import FormulaError
from kanlib.plain import json_number

from .parsing import parse_formula, parse_structure
from .printing import print_text

if TYPE_CHECKING:
    from .formula import Formula

__all__ = ["from_record", "to_record"]


def to_record(formula: Formula) -> dict[str, Any]:
    """See `Formula.to_dict`."""
    return {
        "target": formula.target,
        "formula": str(formula),
        "latex": formula.latex(),
        "symbols": formula.symbols_map,
        "columns": list(formula.names),
        "structure": print_text(formula.structure),
        "complexity": formula.complexity,
        "constants": [
            {
                "symbol": constant.symbol,
                "value": constant.value,
                "standard_error": json_number(constant.standard_error),
                "exact": constant.exact,
            }
            for constant in formula.constants
        ],
        "residual_std": json_number(formula.residual_std),
        "dof": formula.dof,
        "relative_errors": formula.relative_errors,
    }


def from_record(cls: type[Formula], record: Mapping[str, Any]) -> Formula:
    """See `Formula.from_dict`."""
    try:
        safe = {name: symbol for symbol, name in record["symbols"].items()}
        names = tuple(str(name) for name in record["columns"])
        symbols = tuple(Symbol(safe.get(name, name), real=True) for name in names)
        values = {
            Symbol(constant["symbol"], real=True): float(constant["value"])
            if constant["exact"] is None
            else parse_formula(constant["exact"], ())
            for constant in record["constants"]
        }
        if not all(np.isfinite(value) for value in values.values() if isinstance(value, float)):
            raise ValueError("a constant is not finite.")
        errors = [constant["standard_error"] for constant in record["constants"] if constant["exact"] is None]
        # records of kanlib 0.1 lack the structure and relative_errors
        text = record.get("structure", record["formula"])
        structure = parse_structure(text, symbols, values)
        details = {key: record[key] for key in ("dof", "residual_std", "target")}
        relative = bool(record.get("relative_errors", False))
        variances = [np.nan if error is None else float(error) * float(error) for error in errors]
        covariance = None if all(error is None for error in errors) else np.diag(variances)
        formula = cls(structure, values, symbols, names, covariance, relative_errors=relative, **details)
        # where the two differ, the text that people read holds
        same = str(formula) == record["formula"]
        return formula if same else replace(formula, structure=parse_formula(record["formula"], symbols))
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        reason = f"it lacks {error}." if isinstance(error, KeyError) else str(error)
        raise FormulaError(f"The record makes no formula: {reason} Use what Formula.to_dict gave.") from error
