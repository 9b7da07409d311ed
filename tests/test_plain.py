"""Texts and numbers as messages and JSON carry them, wherever in the house they come from."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import sympy

from kanlib.errors import FormulaError, InputError
from kanlib.plain import json_number, short
from kanlib.symbolic.formula import Formula
from kanlib.symbolic.parsing import parse_formula
from kanlib.symbolic.units import Units
from kanlib.table import read_table

x, a = sympy.symbols("x a", real=True)


@pytest.mark.parametrize("longest", [10, 80])
def test_a_text_is_cut_only_where_it_is_too_long(longest: int) -> None:
    assert short("m" * longest, longest) == "m" * longest
    cut = short("m" * (longest + 1), longest)
    assert len(cut) == longest and cut.endswith("m...")


def test_long_input_is_cut_in_every_message(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'m{76}\.\.\. of 'column 1' is not known"):
        Units.parse(["m" * 500], "")
    with pytest.raises(FormulaError, match=r"'\({77}\.\.\.'"):
        parse_formula("(" * 500, (x,))
    (tmp_path / "long.csv").write_text("x,y\n" + "1,2\n" * 5 + f"{'z' * 500},3\n")
    with pytest.raises(InputError, match=r"is 'z{37}\.\.\.'; expected a number"):
        read_table(tmp_path / "long.csv")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan"), np.float32("inf"), None])
def test_json_has_no_such_number(value: float | None) -> None:
    assert json_number(value) is None


def test_numbers_of_any_float_are_json() -> None:
    """A float32 is no float to the json module."""
    assert json.dumps(json_number(np.float32(0.5))) == "0.5"
    law = Formula(a * x, {a: 2.0}, (x,), residual_std=np.float32(0.5))
    assert json.loads(json.dumps(law.to_dict()))["residual_std"] == 0.5
