"""discover at scale: workers, time limits, checkpoints, progress; the same law whoever does the work."""

from __future__ import annotations

import json
import multiprocessing
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy
import torch

from kanlib.errors import InputError, InputTypeError, StorageError
from kanlib.symbolic import discover, tasks
from kanlib.symbolic.discovery import Discovery, Progress
from kanlib.symbolic.reduction.coordinates import start
from kanlib.symbolic.tasks import CLOSED, Task, run_task, stages
from kanlib.symbolic.view import View

PRIMITIVES = ["identity", "square", "sin"]


def _law(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """A law with noise: no formula is exact, so that several tasks are done."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (n, 2))
    return X, np.sin(3 * X[:, 0]) + X[:, 1] ** 2 + 0.02 * rng.normal(size=n)


def _hard(n: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    X = rng.uniform(1, 3, (n, 9))
    y = np.sin(X[:, 0] * X[:, 1] * X[:, 2]) + X[:, 3] * X[:, 4] ** X[:, 5] + np.cos(X[:, 6] * X[:, 7]) * X[:, 8]
    return X, y + 0.1 * rng.normal(size=n)


def _same(one: Discovery, two: Discovery) -> None:
    assert one.status == two.status and str(one.formula) == str(two.formula)
    assert one.rmse == two.rmse
    assert [str(p.formula) for p in one.front] == [str(p.formula) for p in two.front]


class Inline:
    """An executor that does the tasks at once, last first when it is asked: arrival order must not matter."""

    def __init__(self, fail: Exception | None = None) -> None:
        self.submitted: list[str] = []
        self.fail = fail

    def submit(self, function: Any, task: Task) -> Future[Any]:
        self.submitted.append(task.key)
        future: Future[Any] = Future()
        if self.fail is not None:
            future.set_exception(self.fail)
        else:
            future.set_result(function(task))
        return future


def _view(n: int = 80) -> View:
    a, b = sympy.symbols("a b", real=True)
    X = np.random.default_rng(0).uniform(1, 2, (n, 2))
    view = View.of(start((a, b), X), (a, b), X, X[:, 0] * np.exp(X[:, 1]), np.arange(n) % 5 == 0)
    assert view is not None
    return view


def test_a_task_is_the_same_lazily_at_once_and_after_a_break() -> None:
    task = Task(_view(), "product", tuple(PRIMITIVES), seed=4)
    lazily = list(stages(task, lambda: False))
    at_once = run_task(task)
    assert all(part.complete for part in at_once) and len(lazily) == len(at_once) == 2
    assert at_once[0].error == lazily[0].error
    (after,) = run_task(Task(task.view, task.name, task.primitives, 4, done=(lazily[0],)))
    for part in (at_once[1], after):
        assert [str(c.structure) for c in part.candidates] == [str(c.structure) for c in lazily[1].candidates]


def test_a_task_whose_deadline_has_passed_says_that_it_is_not_whole() -> None:
    for name in (CLOSED, "additive"):
        task = Task(_view(), name, tuple(PRIMITIVES), deadline=time.time() - 1)
        parts = run_task(task)
        assert parts and not parts[-1].complete


def test_tasks_of_one_search_draw_different_numbers() -> None:
    view = _view()
    seeds = {tasks._seed(Task(view, name, (), seed)) for name in ("product", "general") for seed in range(3)}
    assert len(seeds) == 6


def test_processes_give_the_law_of_the_serial_search() -> None:
    X, y = _law()
    serial = discover(X, y, primitives=PRIMITIVES, seed=2)
    assert serial.status == "found"
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        _same(serial, discover(X, y, primitives=PRIMITIVES, seed=2, executor=pool))


def test_any_executor_gives_the_law_and_a_broken_one_costs_nothing_but_time() -> None:
    X, y = _law()
    serial = discover(X, y, primitives=PRIMITIVES)
    inline = Inline()
    _same(serial, discover(X, y, primitives=PRIMITIVES, executor=inline))  # type: ignore[arg-type]
    assert inline.submitted and len(set(inline.submitted)) == len(inline.submitted)
    broken = discover(X, y, primitives=PRIMITIVES, executor=Inline(BrokenProcessPool("gone")))  # type: ignore[arg-type]
    _same(serial, broken)
    assert any("executor gave up" in note for note in broken.notes)


def test_an_error_of_a_task_is_raised_where_the_search_was_asked_for() -> None:
    X, y = _law()
    with pytest.raises(ZeroDivisionError):
        discover(X, y, primitives=PRIMITIVES, executor=Inline(ZeroDivisionError()))  # type: ignore[arg-type]


def test_workers_that_are_too_slow_are_not_waited_for() -> None:
    class Never(ThreadPoolExecutor):
        def submit(self, function: Any, /, *args: Any, **options: Any) -> Future[Any]:
            return Future()

    X, y = _law()
    begin = time.monotonic()
    with Never() as pool:
        found = discover(X, y, time_limit=2.0, executor=pool)
    assert time.monotonic() - begin < 6 and found.status == "none"
    assert any("time was up before a worker" in note for note in found.notes)


@pytest.mark.parametrize("limit", [0.0, 3.0])
def test_the_time_limit_holds_for_a_hard_table(limit: float) -> None:
    X, y = _hard()
    begin = time.monotonic()
    found = discover(X, y, time_limit=limit)
    assert time.monotonic() - begin < 3 * limit + 3
    assert any("time was up" in note for note in found.notes)


def test_a_callback_sees_the_best_formula_and_may_end_the_search() -> None:
    X, y = _law()
    seen: list[Progress] = []
    found = discover(X, y, primitives=PRIMITIVES, callback=seen.append)
    assert found.status == "found" and seen[-1].best is not None
    assert [p.seconds for p in seen] == sorted(p.seconds for p in seen)
    assert all(p.done <= p.known for p in seen) and {"coordinates"} <= {p.stage for p in seen}
    cut = discover(X, y, primitives=PRIMITIVES, callback=lambda p: p.known > 0)
    assert cut.seconds < found.seconds + 1 and any("ended by its callback" in note for note in cut.notes)


def _stages_run(found: Discovery) -> int:
    note = next(note for note in found.notes if "from the checkpoint" in note)
    return int(note.split(",")[1].split()[0])


def test_a_search_that_was_cut_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = _law()
    whole = discover(X, y, primitives=PRIMITIVES)
    path = tmp_path / "search.json"
    cut = discover(X, y, primitives=PRIMITIVES, checkpoint=path, callback=lambda p: p.done >= 1)
    assert any("ended by its callback" in note for note in cut.notes) and path.exists()
    worked: list[str] = []
    original = tasks.stages

    def counted(task: Task, expired: Any) -> Any:
        worked.append(task.key)
        return original(task, expired)

    monkeypatch.setattr("kanlib.symbolic.runner.stages", counted)
    resumed = discover(X, y, primitives=PRIMITIVES, checkpoint=path)
    assert resumed.formula is not None and whole.formula is not None
    assert str(resumed.formula) == str(whole.formula) and resumed.rmse == whole.rmse
    first = len(worked)
    again = discover(X, y, primitives=PRIMITIVES, checkpoint=path)
    assert len(worked) == first, "all was known"
    assert str(again.formula) == str(whole.formula)
    assert [str(p.formula) for p in again.front] == [str(p.formula) for p in whole.front]
    assert _stages_run(again) == 0


def test_an_interrupt_leaves_a_checkpoint_that_can_be_read(tmp_path: Path) -> None:
    X, y = _law()
    path = tmp_path / "search.json"

    def interrupt(progress: Progress) -> None:
        if progress.done >= 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        discover(X, y, primitives=PRIMITIVES, checkpoint=path, callback=interrupt)
    assert json.loads(path.read_text())["content"]["tasks"]
    assert discover(X, y, primitives=PRIMITIVES, checkpoint=path).status == "found"


def test_a_checkpoint_keeps_networks_to_the_last_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.uniform(-1, 1, (120, 2)), rng.normal(size=120)
    path = tmp_path / "search.json"
    one = discover(X, y, primitives=["identity", "square"], checkpoint=path)
    two = discover(X, y, primitives=["identity", "square"], checkpoint=path)
    assert one.status == two.status == "none" and one.rmse == two.rmse
    assert one.network is not None and two.network is not None
    with torch.no_grad():
        assert torch.equal(one.network(torch.from_numpy(X)), two.network(torch.from_numpy(X)))


def test_a_checkpoint_of_another_search_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    X, y = _law()
    path = tmp_path / "search.json"
    discover(X, y, primitives=["identity"], checkpoint=path, time_limit=1)
    text = path.read_text()
    with pytest.raises(InputError, match="another search"):
        discover(X, y + 1, primitives=["identity"], checkpoint=path)
    with pytest.raises(InputError, match="another search"):
        discover(X, y, primitives=["identity"], checkpoint=path, seed=1)
    damaged = {
        text[: len(text) // 2]: "holds no search",
        text.replace('"whole": true', '"whole": false', 1).replace('"ways": {', '"ways": {"a": 1, ', 1): "checksum",
        "[]": "holds no search",
        '{"format": "other"}': "format",
        "\x00\xff": "holds no search",
    }
    for content, words in damaged.items():
        path.write_text(content)
        with pytest.raises(InputError, match=words):
            discover(X, y, primitives=["identity"], checkpoint=path)
    with pytest.raises(StorageError, match="no folder"):
        discover(X, y, checkpoint=tmp_path / "nowhere" / "search.json")


def test_what_is_no_executor_or_callback_is_refused() -> None:
    X, y = _law()
    with pytest.raises(InputTypeError, match="Executor"):
        discover(X, y, executor=4)  # type: ignore[arg-type]
    with pytest.raises(InputTypeError, match="callback"):
        discover(X, y, callback=4)  # type: ignore[arg-type]


def test_the_front_is_a_table_too(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = _law()
    found = discover(X, y, primitives=PRIMITIVES)
    frame = found.front_table()
    assert list(frame.columns) == ["complexity", "rmse", "length", "formula", "template", "accepted"]
    assert list(frame["complexity"]) == [point.complexity for point in found.front]
    assert list(frame["accepted"]).count(True) >= 1
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(InputError, match="pip install pandas"):
        found.front_table()


def test_a_found_law_says_where_it_ends() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(0.1, 2.5, (200, 1))
    found = discover(X, 1 / np.sqrt(1 - X[:, 0] ** 2 / 9), names=["v"])
    assert found.status == "found" and found.validity is not None
    assert any("where it ends" in note and "v < 3" in note for note in found.notes)


def test_a_dask_cluster_gives_the_law_of_the_serial_search() -> None:
    from distributed import Client

    X, y = _law()
    serial = discover(X, y, primitives=PRIMITIVES)
    options: dict[str, Any] = {"processes": False, "n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with Client(**options) as client:
        _same(serial, discover(X, y, primitives=PRIMITIVES, executor=client.get_executor()))
