"""The command line: what it writes, what it prints, and one line for each mistake."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

import kanlib
import kanlib.plots
import kanlib.symbolic
from kanlib.__main__ import main
from kanlib.errors import DataWarning, InputError
from kanlib.symbolic.formula import Formula

DATA = Path(__file__).parents[1] / "tutorials" / "data"
PLANETS = str(DATA / "planets.csv")
PUROMYCIN = str(DATA / "puromycin.csv")
KEYS = ["status", "formula", "latex", "symbols", "r2", "rmse", "seconds", "constants", "front"]


@dataclass
class Point:
    complexity: int
    rmse: float
    formula: Formula
    length: float = float("nan")
    accepted: bool = False


@dataclass
class Found:
    """A discovery as `discover` returns it, made by hand: these tests are about the command line."""

    formula: Formula | None = None
    message: str = "no formula is supported"
    reasons: tuple[str, ...] = ("twelve rows of noise",)
    front: tuple[Point, ...] = ()
    r2: float = 0.75
    rmse: float = 0.5
    seconds: float = 1.25
    notes: tuple[str, ...] = ("8 rows: at most 3 constants",)
    network: Any = None
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        return "none" if self.formula is None else "found"


def a_formula() -> Formula:
    c, p, beta = sympy.Symbol("c", real=True), sympy.Symbol("p", real=True), sympy.Symbol("beta_", real=True)
    values = {c: 0.9994, p: sympy.Rational(3, 2)}
    return Formula(c * beta**p, values, (beta,), names=("beta",), covariance=np.array([[np.inf]]), target="T")


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch) -> Found:
    """Replaces the search; what it was asked for is in `.arguments`."""
    found = Found()

    def discover(X: Any, y: Any, **options: Any) -> Found:
        found.arguments.update(options, X=X, y=y)
        return found

    monkeypatch.setattr(kanlib.symbolic, "discover", discover, raising=False)
    return found


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> None:
    def write_report(discovery: Found, path: Path, X: Any = None, y: Any = None) -> Path:
        assert X.shape[0] == y.shape[0] and path.is_dir()
        (path / "report.html").write_text("a report")
        return path / "report.html"

    monkeypatch.setattr(kanlib.plots, "write_report", write_report, raising=False)


def test_the_search_gets_the_columns_and_the_options(search: Found) -> None:
    assert main(["discover", PLANETS, "--target", "T_years", "--seed", "5", "--time-limit", "7.5", "--quiet"]) == 0
    asked = search.arguments
    assert asked["X"].shape == (8, 1) and asked["y"].shape == (8,)
    assert asked["names"] == ("a_au",) and asked["target_name"] == "T_years"
    assert (asked["seed"], asked["time_limit"], asked["progress"]) == (5, 7.5, False)


def test_columns_and_rows_can_be_chosen(search: Found) -> None:
    table = ["discover", PUROMYCIN, "--target", "rate"]
    assert main([*table, "--where", "state=untreated"]) == 0
    assert search.arguments["X"].shape == (11, 1) and search.arguments["progress"] is True
    assert main([*table, "--inputs", "conc"]) == 0
    assert search.arguments["X"].shape == (23, 1)


def test_json_holds_the_promised_keys(search: Found, tmp_path: Path) -> None:
    search.formula = a_formula()
    search.front = (Point(3, 0.1, a_formula()), Point(9, float("nan"), a_formula()))
    search.r2 = float("-inf")
    path = tmp_path / "out.json"
    assert main(["discover", PLANETS, "--target", "T_years", "--json", str(path)]) == 0
    text = path.read_text()
    result = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert list(result) == KEYS
    assert result["status"] == "found" and result["symbols"] == {"beta_": "beta"}
    assert sympy.sympify(result["formula"]).free_symbols == {sympy.Symbol("beta_")}
    assert result["r2"] is None and result["rmse"] == 0.5 and result["seconds"] == 1.25
    assert result["constants"] == [
        {"value": 0.9994, "standard_error": None, "exact": None},
        {"value": 1.5, "standard_error": None, "exact": "3/2"},
    ]
    keys = ["complexity", "rmse", "formula", "length", "accepted"]
    assert [list(point) for point in result["front"]] == [keys] * 2
    assert [(point["length"], point["accepted"]) for point in result["front"]] == [(None, False)] * 2
    assert [point["rmse"] for point in result["front"]] == [0.1, None]


def test_no_formula_is_a_result(search: Found, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "out.json"
    assert main(["discover", PLANETS, "--target", "T_years", "--json", str(path)]) == 0
    result = json.loads(path.read_text())
    assert list(result) == KEYS
    assert (result["status"], result["formula"], result["latex"]) == ("none", None, None)
    assert result["constants"] == [] and result["symbols"] == {}
    text = capsys.readouterr().out
    assert text.startswith("none: no formula is supported\n- twelve rows of noise\n")


def test_json_to_stdout_leaves_stdout_to_it(search: Found, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["discover", PLANETS, "--target", "T_years", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert list(json.loads(out)) == KEYS
    assert "no formula is supported" in err


def test_letters_the_terminal_does_not_have_lose_no_result(search: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    x = sympy.Symbol("e_")
    search.formula = Formula(2 * x, {}, (x,), names=("é",), target="β")
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="ascii") for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    assert main(["discover", PLANETS, "--target", "T_years", "--json", "-"]) == 0
    out, err = (stream.seek(0) or stream.read() for stream in streams)
    assert json.loads(out)["symbols"] == {"e_": "é"}
    assert "\\u03b2 = 2*e_" in err


def test_the_text_shows_formula_errors_scores_front_and_notes(
    search: Found, capsys: pytest.CaptureFixture[str]
) -> None:
    search.formula = a_formula()
    search.front = (Point(3, 0.125, a_formula()),)
    assert main(["discover", PLANETS, "--target", "T_years"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for part in (
        "found in 1.2 s",
        "T = ",
        "**(3/2)",
        "R^2 0.75, RMSE 0.5",
        "3  0.125",
        "- 8 rows: at most 3",
    ):
        assert part in out


def test_a_report_goes_into_a_folder_that_may_be_new(
    search: Found, report: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "folder"
    assert main(["discover", PLANETS, "--target", "T_years", "--report", str(folder)]) == 0
    assert f"report: {folder / 'report.html'}" in capsys.readouterr().out


def test_notes_on_the_data_are_single_lines_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def discover(*_: Any, **__: Any) -> Found:
        warnings.warn("column 'a' is constant;\nit is left out", DataWarning, stacklevel=2)
        return Found()

    monkeypatch.setattr(kanlib.symbolic, "discover", discover, raising=False)
    assert main(["discover", PLANETS, "--target", "T_years"]) == 0
    assert capsys.readouterr().err == "kanlib: note: column 'a' is constant; it is left out\n"


BAD = {
    "missing file": (["no_such.csv", "--target", "y"], "There is no file no_such.csv"),
    "folder": ([str(DATA), "--target", "y"], "is a folder; expected a CSV file"),
    "missing target": ([PLANETS, "--target", "T_year"], "Did you mean 'T_years'?"),
    "text column": ([PUROMYCIN, "--target", "rate"], "Line 6, column 'state' is 'treated'"),
    "missing input": ([PUROMYCIN, "--target", "rate", "--inputs", "cond"], "Did you mean 'conc'?"),
    "target as input": ([PUROMYCIN, "--target", "rate", "--inputs", "conc,rate"], "'rate' is among --inputs"),
    "no rows": ([PUROMYCIN, "--target", "rate", "--where", "state=x"], "has 0 rows of data where state=x"),
    "no target": ([PLANETS], "required: --target"),
    "no data": (["--target", "y"], "required: DATA.csv"),
    "time limit": ([PLANETS, "--target", "T_years", "--time-limit", "-1"], "invalid positive number"),
    "endless": ([PLANETS, "--target", "T_years", "--time-limit", "inf"], "invalid positive number"),
    "seed": ([PLANETS, "--target", "T_years", "--seed", "x"], "invalid whole number from 0 to 2^63 - 1 value: 'x'"),
    "seed below zero": ([PLANETS, "--target", "T_years", "--seed", "-3"], "invalid whole number from 0"),
    "huge seed": ([PLANETS, "--target", "T_years", "--seed", str(2**70)], "invalid whole number from 0"),
    "where": ([PLANETS, "--target", "T_years", "--where", "state"], "invalid COLUMN=TEXT"),
    "unit": ([PLANETS, "--target", "T_years", "--unit", "a_au"], "invalid COLUMN=UNIT"),
    "unit twice": (
        [PLANETS, "--target", "T_years", "--unit", "a_au=au", "--unit", "a_au=m"],
        "--unit has the column 'a_au' twice, with 'au' and 'm'",
    ),
    "where twice": (
        [PUROMYCIN, "--target", "rate", "--where", "state=treated", "--where", "state=untreated"],
        "--where has the column 'state' twice",
    ),
    "no inputs": ([PLANETS, "--target", "T_years", "--inputs", " ,"], "invalid list A,B,... value"),
    "noise": ([PLANETS, "--target", "T_years", "--noise", "0"], "invalid positive number"),
    "jobs": ([PLANETS, "--target", "T_years", "--jobs", "0"], "invalid whole number from 1 to 256"),
    "checkpoint": ([PLANETS, "--target", "T_years", "--checkpoint", "/no/such/folder/x.json"], "no folder"),
    "json": ([PLANETS, "--target", "T_years", "--json", "/no/such/folder/x.json"], "no folder"),
    "json folder": ([PLANETS, "--target", "T_years", "--json", str(DATA)], "is a folder"),
    "report": ([PLANETS, "--target", "T_years", "--report", PLANETS], "is no folder"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_exit_code_2(name: str, search: Found, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, message = BAD[name]
    try:
        code = main(["discover", *arguments])
    except SystemExit as stop:  # argparse's own way out
        code = stop.code
    out, err = capsys.readouterr()
    assert code == 2 and out == "" and not search.arguments, "refused before the search"
    assert err.startswith("kanlib: error: ") and err.count("\n") == 1 and message in err


def test_what_the_search_refuses_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def discover(*_: Any, **__: Any) -> Found:
        raise InputError("X is wrong;\n  expected another")

    monkeypatch.setattr(kanlib.symbolic, "discover", discover, raising=False)
    assert main(["discover", PLANETS, "--target", "T_years"]) == 2
    assert capsys.readouterr().err == "kanlib: error: X is wrong; expected another\n"


def test_an_interrupt_ends_quietly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def discover(*_: Any, **__: Any) -> Found:
        raise KeyboardInterrupt

    monkeypatch.setattr(kanlib.symbolic, "discover", discover, raising=False)
    assert main(["discover", PLANETS, "--target", "T_years"]) == 130
    assert capsys.readouterr().err == "kanlib: stopped; nothing was written.\n"


def test_an_interrupt_tells_what_a_checkpoint_keeps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def discover(*_: Any, **__: Any) -> Found:
        raise KeyboardInterrupt

    monkeypatch.setattr(kanlib.symbolic, "discover", discover, raising=False)
    path = tmp_path / "search.json"
    assert main(["discover", PLANETS, "--target", "T_years", "--checkpoint", str(path)]) == 130
    assert capsys.readouterr().err == f"kanlib: stopped; {path} keeps what was found.\n"


def test_jobs_and_checkpoint_reach_the_search(search: Found, tmp_path: Path) -> None:
    table = ["discover", PLANETS, "--target", "T_years"]
    assert main(table) == 0
    assert search.arguments["executor"] is None and search.arguments["checkpoint"] is None
    assert main([*table, "--jobs", "2", "--checkpoint", str(tmp_path / "s.json")]) == 0
    assert search.arguments["executor"]._max_workers == 2
    assert search.arguments["checkpoint"] == str(tmp_path / "s.json")


def test_what_is_known_of_the_law_reaches_the_search(search: Found) -> None:
    table = ["discover", PLANETS, "--target", "T_years"]
    assert main(table) == 0
    asked = search.arguments
    assert not asked["forbidden"] and not asked["required"]
    assert all(asked[name] is None for name in ("start", "noise", "units", "output_unit"))
    known = ["--forbid", "sin, log", "--require", "power", "--start", "k*a_au**p", "--noise", "0.1"]
    assert main([*table, *known, "--unit", "a_au=au", "--unit", "T_years=year"]) == 0
    assert asked["forbidden"] == ["sin", "log"] and asked["required"] == ["power"]
    assert asked["start"] == "k*a_au**p" and asked["noise"] == 0.1
    assert asked["units"] == {"a_au": "au"} and asked["output_unit"] == "year"


def test_a_unit_stands_after_the_last_equals_sign(search: Found) -> None:
    assert main(["discover", PLANETS, "--target", "T_years", "--unit", "b=c = m/s", "--unit", "a="]) == 0
    assert search.arguments["units"] == {"b=c": "m/s", "a": ""} and search.arguments["output_unit"] is None
    assert main(["discover", PLANETS, "--target", "T_years", "--unit", "T_years=year"]) == 0
    assert search.arguments["units"] == {}, "that columns have no units is said of the columns"


@pytest.mark.parametrize("options", [["--version"], ["--help"], ["discover", "--help"]])
def test_help_and_version(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(options)
    assert stop.value.code == 0
    assert (kanlib.__version__ if options == ["--version"] else "usage: kanlib") in capsys.readouterr().out


def test_bad_input_costs_no_heavy_imports(tmp_path: Path) -> None:
    code = """
import sys
from kanlib.__main__ import main
assert main(["discover", "no_such.csv", "--target", "y"]) == 2
assert not {"sympy", "matplotlib", "sklearn"} & sys.modules.keys()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_python_m_kanlib(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kanlib", "discover", "no_such.csv", "--target", "y"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "kanlib: error: There is no file no_such.csv; expected a CSV file. Check the path.\n"


@pytest.mark.parametrize("output", [(), ("--json", "-")], ids=["text", "json"])
def test_a_reader_that_has_seen_enough_is_no_error(output: tuple[str, ...]) -> None:
    """As `| head` is: the pipe is closed before anything was written."""
    command = [sys.executable, "-m", "kanlib", "discover", PLANETS, "--target", "T_years", "--quiet", *output]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    with process.stderr:
        said = process.stderr.read()
    assert process.wait(timeout=120) == 141 and "Traceback" not in said
