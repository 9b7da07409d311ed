"""The problem suites are what they say, the rules tell laws from look-alikes, and no run is lost or counted twice."""

from __future__ import annotations

import csv
import doctest
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import sympy
from scipy.special import j0
from scipy.stats import binomtest

from kanlib.symbolic.names import is_safe_name

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.discovery import engines, jobs, problems, rules  # noqa: E402
from benchmarks.discovery.__main__ import main  # noqa: E402
from benchmarks.discovery.engines import Limits  # noqa: E402
from benchmarks.discovery.jobs import Job, all_jobs, perform_all  # noqa: E402
from benchmarks.discovery.pictures import draw_suites  # noqa: E402
from benchmarks.discovery.problems import Problem, draw, problem  # noqa: E402
from benchmarks.discovery.rows import Row, append, read_rows  # noqa: E402
from benchmarks.discovery.rules import computes_the_law, is_the_law, judge, wilson  # noqa: E402
from benchmarks.discovery.suites import SUITES, find, strogatz  # noqa: E402
from benchmarks.discovery.suites.strogatz import SYSTEMS, System, trajectories  # noqa: E402
from benchmarks.discovery.summary import summarize  # noqa: E402

PROBLEMS = [given for suite in SUITES.values() for given in suite]
x, y = sympy.symbols("x y", real=True)


@pytest.mark.parametrize("module", [problems, rules, strogatz], ids=lambda module: module.__name__)
def test_examples_of(module: ModuleType) -> None:
    done = doctest.testmod(module)
    assert done.attempted and not done.failed


# --- the suites


def test_suites_have_the_published_sizes() -> None:
    sizes = {name: len(problems) for name, problems in SUITES.items()}
    assert (sizes["nguyen"], sizes["keijzer"], sizes["livermore"], sizes["jin"], sizes["korns"]) == (12, 15, 22, 6, 10)
    assert (sizes["strogatz"], sizes["feynman"], sizes["controls"]) == (14, 100, 40)
    assert len({(given.suite, given.name) for given in PROBLEMS}) == len(PROBLEMS)
    assert all(given.suite == suite for suite, problems in SUITES.items() for given in problems)


@pytest.mark.parametrize("suite", SUITES)
def test_every_problem_is_finite_where_it_is_sampled(suite: str) -> None:
    for given in SUITES[suite]:
        data = draw(given, 0.0, 0)
        assert np.all(np.isfinite(data.y)) and np.ptp(data.y) > 0, given.name
        assert data.X.shape == (404 if suite == "strogatz" else 2000, len(given.variables)), given.name
        assert all(is_safe_name(name) and name != engines.TARGET for name in given.variables), given.name
        if given.truth is not None:
            assert given.truth.free_symbols <= set(given.symbols), given.name
            assert np.all(np.isfinite(data.test_truth)) and len(data.wide) > 1500, given.name
            # An engine that returns the truth solves the problem by every rule but the strict one, tested below.
            assert computes_the_law(given.truth, given, data, 0.0), given.name


def test_laws_against_numpy() -> None:
    def values(suite: str, name: str) -> tuple[np.ndarray, np.ndarray]:
        data = draw(find(suite, name), 0.0, 3)
        return data.X.T, data.y

    (a, b), found = values("keijzer", "Keijzer-11")
    np.testing.assert_allclose(found, a * b + np.sin((a - 1) * (b - 1)), rtol=1e-12)
    (a,), found = values("livermore", "Livermore-16")
    np.testing.assert_allclose(found, np.cbrt(a) ** 2, rtol=1e-12)
    X, found = values("korns", "Korns-8")
    np.testing.assert_allclose(found, 6.87 + 11 * np.sqrt(7.23 * np.abs(X[0] * X[3] * X[4])), rtol=1e-12)
    (m1, m2, r1, r2), found = values("feynman", "I.18.4")
    np.testing.assert_allclose(found, (m1 * r1 + m2 * r2) / (m1 + m2), rtol=1e-12)
    (gamma, pr, V), found = values("feynman", "I.39.11")
    np.testing.assert_allclose(found, pr * V / (gamma - 1), rtol=1e-12)


def test_light_is_the_faster_one() -> None:
    for name in ("I.10.7", "I.15.1", "I.15.3x", "I.15.3t", "I.34.1", "I.34.14", "I.48.2", "II.13.23", "II.13.34"):
        given = find("feynman", name)
        ranges = dict(zip(given.variables, given.ranges))
        assert (ranges["v"] if "v" in ranges else ranges["u"])[1] < ranges["c"][0]


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_trajectories_follow_their_right_hand_sides(system: System) -> None:
    slopes = [draw(find("strogatz", f"{system.name}-{side}"), 0.0, 0).y for side in "uv"]
    slope = np.stack(slopes, axis=1).reshape(4, 101, 2)
    states = trajectories(system).reshape(4, 101, 2)
    # Simpson's rule over two steps: the integral of the slopes is the way the state has gone.
    way = 0.1 / 3 * (slope[:, :-2] + 4 * slope[:, 1:-1] + slope[:, 2:])
    error = np.abs(way - (states[:, 2:] - states[:, :-2]))
    assert np.median(error) < 1e-4 * np.ptp(states)


def test_irrelevant_inputs_and_the_wide_law() -> None:
    for given in SUITES["irrelevant"][:-1]:
        assert given.truth is not None
        assert {s.name for s in given.symbols} - {s.name for s in given.truth.free_symbols} == {
            f"other{k}" for k in range(1, 11)
        }
    wide = SUITES["irrelevant"][-1]
    assert wide.truth is not None and len(wide.truth.free_symbols) == 20
    assert all(sympy.diff(wide.truth, a, b) == 0 for a, b in zip(wide.symbols, wide.symbols[1:]))


def test_tables_are_the_same_for_a_seed_and_noisy_as_asked() -> None:
    given = find("nguyen", "Nguyen-9")
    clean, noisy, other = draw(given, 0.0, 1), draw(given, 0.1, 1), draw(given, 0.1, 2)
    np.testing.assert_array_equal(noisy.X, clean.X)
    np.testing.assert_array_equal(draw(given, 0.1, 1).y, noisy.y)
    assert not np.array_equal(other.X, noisy.X)
    ratio = np.std(noisy.y - clean.y) / np.std(clean.y)
    assert abs(ratio - 0.1) < 0.01 and noisy.noise_std == pytest.approx(0.1 * np.std(clean.y))


def test_controls_have_no_law_in_them() -> None:
    data = draw(find("controls", "bessel-j0-20"), 0.0, 0)
    np.testing.assert_allclose(data.y, j0(data.X[:, 0]))
    for name in ("noise-normal-3", "spread-exponential-1"):
        data = draw(find("controls", name), 0.0, 0)
        design = np.column_stack([np.ones(len(data.X)), data.X, data.X**2])
        weight = 1 / (np.exp(data.X[:, 0]) if "spread" in name else np.ones(len(data.X)))
        fit, *_ = np.linalg.lstsq(design * weight[:, None], data.y * weight, rcond=None)
        assert np.var((data.y - design @ fit) * weight) > 0.98 * np.var(data.y * weight)


# --- the rules


def judged_strictly(formula: object, given: Problem) -> bool:
    assert given.truth is not None
    return is_the_law(sympy.sympify(formula), given.truth, given.symbols, draw(given, 0.0, 0))


WAVE = problem("demo", "wave", "2.5*sin(3*x)*y + exp(-y)", "x 0 2, y 1 2")


def test_strict_takes_the_law_in_any_form() -> None:
    a, b = WAVE.symbols
    exact = sympy.Rational(5, 2) * sympy.sin(3 * a) * b
    for formula in (
        exact + sympy.exp(-b),
        2.5 * b * (3 * sympy.sin(a) - 4 * sympy.sin(a) ** 3) + 1 / sympy.exp(b),
        2.5008 * sympy.sin(2.9993 * a) * b + 1.0004 * sympy.exp(-1.0002 * b),
        sympy.Float(-3e-7) + exact + sympy.exp(-b) + 2e-7 * a * b,  # zeros of single precision
        5.001 * 0.5 * b * sympy.cos(3.0 * a - sympy.pi / 2) + sympy.exp(-b),
    ):
        assert judged_strictly(formula, WAVE)
    shared = problem("demo", "shared", "0.23 + 14.2*(x + y)/(3*x)", "x 1 2, y 1 2")
    assert judged_strictly(4.9634 + 4.7334 * y / x, shared)


def test_strict_refuses_look_alikes() -> None:
    a, b = WAVE.symbols
    exact = sympy.Rational(5, 2) * sympy.sin(3 * a) * b
    for formula in (
        2.51 * sympy.sin(3 * a) * b + sympy.exp(-b),  # a constant 4e-3 off
        exact + 0.001 * a + sympy.exp(-b),
        exact + 3e-6 * a + sympy.exp(-b),
        exact + 1 - b + b**2 / 2 - b**3 / 6 + b**4 / 24,  # a series
        exact + 0.6 - 0.25 * b,  # a line for the exponential
        exact,
        sympy.sin(a),
    ):
        assert not judged_strictly(formula, WAVE)
    line = problem("demo", "line", "2*x + 1", "x 0 1, y 0 1")
    assert judged_strictly(2 * x + sympy.cos(y) ** 2 + sympy.sin(y) ** 2, line)
    assert not judged_strictly(2 * x + 1 + 1e-12 * y, line)


def test_strict_proves_laws_without_fitted_constants_and_their_own_truths() -> None:
    for name in ("I.8.14", "I.41.16", "II.6.15a", "III.9.52"):
        given = find("feynman", name)
        assert judged_strictly(given.truth, given)
    assert judged_strictly(sympy.log((x + 1) * (x**2 + 1)), find("nguyen", "Nguyen-7"))


def test_numeric_measures_on_widened_ranges_and_counts_nodes() -> None:
    given = problem("demo", "parabola", "x**2", "x 0 1")
    data = draw(given, 0.0, 0)
    assert data.wide[:, 0].min() < -0.09 and data.wide[:, 0].max() > 1.09
    assert judge(x**2 + 1e-6, given, data, 0.0).numeric
    assert not judge(x**2 + 1e-3, given, data, 0.0).numeric
    assert not judge(sympy.Abs(x) * x, given, data, 0.0).numeric  # equal in the range only
    assert judge(sympy.Abs(x) * x, given, data, 0.0).r2_solved
    assert not judge(x**2 + 1e-9 * sympy.sqrt(x), given, data, 0.0).numeric  # undefined where the law is not
    long = x**2 + sympy.Add(*(1e-9 * sympy.sin(k * x) for k in range(2, 8)))
    found = judge(long, given, data, 0.0)
    assert not found.numeric and found.r2_solved and found.size > 19


def test_numeric_with_noise_allows_a_share_of_it() -> None:
    given = problem("demo", "line", "x", "x 0 1")
    data = draw(given, 0.1, 0)
    spread = float(np.std(data.wide_truth))
    assert judge(x + 0.02 * spread, given, data, 0.1).numeric  # 4e-4 of var y, the limit is 5e-4
    assert not judge(x + 0.03 * spread, given, data, 0.1).numeric
    assert not judge(x + 0.02 * spread, given, data, 0.01).numeric


def test_points_next_to_a_pole_are_not_asked_for() -> None:
    given = problem("demo", "pole", "1/x", "x 0.05 1")
    data = draw(given, 0.0, 0)
    assert data.wide[:, 0].min() < -0.004 and np.max(np.abs(data.wide_truth)) < 10.1 / 0.05
    assert judge(1 / x, given, data, 0.0).numeric


def test_nothing_found_and_controls_are_never_solved() -> None:
    given, control = find("nguyen", "Nguyen-1"), find("controls", "noise-normal-1")
    for found in (judge(None, given, draw(given, 0.0, 0), 0.0), judge(x, control, draw(control, 0.0, 0), 0.0)):
        assert not (found.strict or found.numeric or found.r2_solved) and np.isnan(found.r2)


@pytest.mark.parametrize(("solved", "total"), [(0, 10), (3, 10), (10, 10), (97, 100), (0, 40)])
def test_wilson_intervals_are_scipys(solved: int, total: int) -> None:
    interval = binomtest(solved, total).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson(solved, total), (interval.low, interval.high), atol=1e-5)


# --- rows, tables, the picture


def a_row(**changes: object) -> Row:
    row = Row("nguyen", "Nguyen-1", 0.0, 0, "kanlib", "found", "x", "x", True, True, True, True, 1.0, 3, 3, 2.0, "fine")
    return replace(row, **changes)  # type: ignore[arg-type]


def test_rows_come_back_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    rows = [a_row(), a_row(status="none", r2=float("nan"), noise=0.001, message='a, "quoted"  text', strict=False)]
    for row in rows:
        append(path, row, {"cpu": "some", "commit": "abc"})
    found = read_rows([path])
    assert found[0] == rows[0] and found[1].key == rows[1].key and not found[1].strict and np.isnan(found[1].r2)
    assert found[1].message == 'a, "quoted" text'
    with path.open(newline="") as file:
        assert [record["commit"] for record in csv.DictReader(file)] == ["abc", "abc"]


def test_the_summary_counts_by_rule_and_lists_what_is_left() -> None:
    rows = [a_row(seed=seed, seconds=1.0 + seed) for seed in range(4)]
    rows += [a_row(problem="Nguyen-4", seed=seed, strict=False, numeric=False) for seed in range(2)]
    rows += [a_row(suite="controls", problem="noise-normal-1", status="none")]
    rows += [a_row(suite="controls", problem="bessel-j0-10", status="found")]
    rows += [a_row(engine="gplearn", status="missing", message="gplearn is not installed")]
    report = summarize(rows)
    law = dict(zip(report.laws.columns, report.laws.rows[0]))
    assert (law["runs"], law["numeric"], law["strict"], law["R2 > 0.999"]) == (6, "4/6", "4/6", "6/6")
    assert law["not solved"] == "Nguyen-4(x2)" and law["median s"] == pytest.approx(2.0)
    control = dict(zip(report.controls.columns, report.controls.rows[0]))
    assert control["false formulas"] == "1/2" and control["which"] == "bessel-j0-10"
    assert "gplearn is not installed" in report.text() and "Nguyen-4(x2)" in report.text()


def test_the_picture_has_a_panel_a_noise_level_and_the_times() -> None:
    rows = [
        a_row(suite=suite, noise=noise, engine=engine, numeric=numeric)
        for suite in ("nguyen", "feynman", "controls")
        for noise in (0.0, 0.1)
        for engine in ("kanlib", "pyoperon")
        for numeric in (True, False)
    ]
    figure = draw_suites([*rows, a_row(engine="pykan", status="missing")])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["no noise", "noise of 10 % of y's spread", "time"]
    assert sorted(bar.get_height() for bar in figure.axes[0].patches) == [0.5] * 4
    figure.canvas.draw()


# --- engines and workers


@pytest.fixture
def interpreter(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "python"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    yield path


def ask(interpreter: Path, script: str, **limits: float) -> engines.Answer:
    interpreter.write_text(f"#!/bin/sh\n{script}\n")
    chosen = Limits(peer_seconds=0.1, peer_python=str(interpreter), **limits)
    a, b = sympy.symbols("mass x1", real=True)
    return engines.run("pyoperon", np.ones((3, 2)), np.arange(3.0), (a, b), 0, chosen)


def test_a_peers_formula_gets_the_columns_names(interpreter: Path) -> None:
    reply = '{"formula": "x1**2/x2 + 0.5", "seconds": 1.5, "message": "v1"}'
    found = ask(interpreter, f"echo 'chatter'; echo '{reply}'")
    assert (found.status, found.seconds, found.message) == ("found", 1.5, "v1")
    mass, x1 = sympy.symbols("mass x1", real=True)
    assert found.formula == mass**2 / x1 + 0.5
    assert ask(interpreter, """echo '{"formula": "0.5", "seconds": 1.5}'""").status == "none"


def test_a_peer_that_is_missing_slow_or_broken_is_an_answer_that_says_so(interpreter: Path) -> None:
    missing = ask(interpreter, "echo \"ModuleNotFoundError: No module named 'pyoperon'\" >&2; exit 1")
    assert missing.status == "missing" and "not installed" in missing.message
    assert ask(interpreter, "exec sleep 60", grace=0.0).status == "stopped"
    broken = ask(interpreter, "echo 'ValueError: no' >&2; exit 1")
    assert (broken.status, broken.message) == ("failed", "ValueError: no")
    foreign = ask(interpreter, """echo '{"formula": "open(x1)", "seconds": 1}'""")
    assert foreign.status == "failed" and foreign.formula is None


def test_gplearns_programs_become_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks" / "discovery" / "peers"))
    from gplearn_peer import infix

    def node(name: str, arity: int) -> SimpleNamespace:
        return SimpleNamespace(name=name, arity=arity)

    program = [node("sub", 2), node("div", 2), 0, node("log", 1), 1, node("neg", 1), -0.5]
    assert infix(program) == "((x1/log(Abs(x2))) - (-(-0.5)))"


def work(job: Job) -> Row:
    """A worker's task for the next test: what the problem's name says."""
    if job.problem == "Nguyen-2":
        os._exit(1)
    if job.problem == "Nguyen-3":
        time.sleep(600)
    if job.problem == "Nguyen-4":
        raise ValueError("broken")
    return a_row(problem=job.problem, seed=os.getpid())


def test_a_run_that_hangs_or_dies_costs_that_run_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_prepare", _nothing)
    limits = Limits(seconds=1.0, peer_seconds=1.0, grace=2.0)
    # The one that hangs comes last, so that two workers do: each takes seconds to start.
    chosen = [Job("nguyen", f"Nguyen-{k}", 0.0, 0, "kanlib", limits) for k in (1, 4, 2, 5, 3)]
    rows: list[Row] = []
    perform_all(chosen, 1, rows.append, work)
    assert [row.problem for row in rows] == [job.problem for job in chosen]
    assert [row.status for row in rows] == ["found", "failed", "crashed", "found", "stopped"]
    assert rows[1].message == "ValueError: broken" and rows[0].seed != rows[3].seed != os.getpid()


def _nothing() -> None:
    """In place of the worker's imports."""


def test_jobs_cover_every_combination_once() -> None:
    chosen = all_jobs(["nguyen", "controls"], [0.0, 0.1], 2, ["kanlib", "pykan"], Limits())
    assert len({job.key for job in chosen}) == len(chosen) == 2 * 2 * (2 * 12 + 40)
    assert [job.seed for job in chosen] == sorted(job.seed for job in chosen)


def test_the_command_line_writes_goes_on_and_never_mixes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["--suite", "nguyen", "--problem", "Nguyen-8", "--noise", "0", "--seeds", "1", "--jobs", "1"]
    call += ["--engine", "kanlib", "pyoperon", "--peer-python", "/nowhere/python", "--output", str(tmp_path)]
    with pytest.raises(SystemExit):
        main(call)
    call[call.index("/nowhere/python")] = sys.executable
    assert main(call) == 0
    rows = read_rows([tmp_path / "discovery_suites.csv"])
    own = next(row for row in rows if row.engine == "kanlib")
    assert (own.status, own.formula, own.strict, own.numeric, own.on_front) == ("found", "sqrt(x)", True, True, True)
    assert {row.engine for row in rows} == {"kanlib", "pyoperon"}
    assert {path.name for path in tmp_path.iterdir()} == {
        "discovery_suites.csv",
        "discovery_suites.png",
        "discovery_summary.csv",
    }
    assert main(call) == 2
    capsys.readouterr()
    assert main([*call, "--resume"]) == 0
    assert "0 runs" in capsys.readouterr().out and len(read_rows([tmp_path / "discovery_suites.csv"])) == 2
