"""The runs of a benchmark: which there are, one of them in a worker process, and lanes of workers that take them."""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as NotInTime  # the builtin one from Python 3.11 on
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from .engines import Answer, Limits, run
from .problems import Data, draw
from .rows import Key, Row
from .rules import computes_the_law, judge
from .suites import SUITES, find

__all__ = ["Job", "all_jobs", "perform", "perform_all"]

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
RUNS_A_WORKER = 20  # SymPy's caches grow, and a call left behind at its time limit may still be busy


_Finished = queue.SimpleQueue[Any]  # rows, an exception that ends everything, None when a lane has ended


@dataclass(frozen=True)
class Job:
    """One engine on one table of one problem."""

    suite: str
    problem: str
    noise: float
    seed: int
    engine: str
    limits: Limits

    @property
    def key(self) -> Key:
        return self.suite, self.problem, self.noise, self.seed, self.engine


def all_jobs(
    suites: Sequence[str],
    noises: Sequence[float],
    seeds: int,
    engines: Sequence[str],
    limits: Limits,
    only: Sequence[str] = (),
) -> list[Job]:
    """Every combination, seeds outermost, so that a stopped run has seen every problem.

    Controls have their own noise in them and run once a seed, not at every level.
    """
    jobs = []
    for seed in range(seeds):
        for suite in suites:
            for noise in noises if suite != "controls" else (0.0,):
                for given in SUITES[suite]:
                    if not only or given.name in only:
                        jobs += [Job(suite, given.name, noise, seed, engine, limits) for engine in engines]
    return jobs


def perform(job: Job) -> Row:
    """Draw the table, run the engine, judge its formula."""
    given = find(job.suite, job.problem)
    data = draw(given, job.noise, job.seed)
    answer = run(job.engine, data.X, data.y, given.symbols, job.seed, job.limits)
    return _row(job, answer, data)


def _row(job: Job, answer: Answer, data: Data) -> Row:
    given = find(job.suite, job.problem)
    formula = answer.formula if answer.status == "found" else None
    judged = judge(formula, given, data, job.noise)
    return Row(
        *job.key,
        answer.status,
        answer.text,
        given.expression,
        judged.strict,
        judged.numeric,
        judged.r2_solved,
        any(computes_the_law(other, given, data, job.noise) for other in answer.front),
        judged.r2,
        judged.size,
        judged.true_size,
        answer.seconds,
        answer.message,
    )


def perform_all(
    jobs: Iterable[Job], lanes: int, done: Callable[[Row], None], work: Callable[[Job], Row] = perform
) -> None:
    """Perform jobs in ``lanes`` worker processes of one thread each; ``done`` gets the rows as they come.

    A lane is a pool of one worker, so that a run that hangs or dies costs that run only: its row says so, and the
    lane goes on with a new worker.
    """
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    finished: _Finished = queue.SimpleQueue()
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # read by a worker when it starts
    threads = [
        threading.Thread(target=_guarded_lane, args=(waiting, finished, work), daemon=True) for _ in range(lanes)
    ]
    try:
        for thread in threads:
            thread.start()
        open_lanes = lanes
        while open_lanes:
            row = finished.get()
            if row is None:
                open_lanes -= 1
            elif isinstance(row, Exception):
                raise row
            else:
                done(row)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _guarded_lane(waiting: queue.SimpleQueue[Job], finished: _Finished, work: Callable[[Job], Row]) -> None:
    try:
        _lane(waiting, finished, work)
    except Exception as error:
        finished.put(error)
    finished.put(None)


def _lane(waiting: queue.SimpleQueue[Job], finished: _Finished, work: Callable[[Job], Row]) -> None:
    pool: ProcessPoolExecutor | None = None
    runs = 0
    while True:
        try:
            job = waiting.get_nowait()
        except queue.Empty:
            break
        if pool is not None and runs % RUNS_A_WORKER == 0:
            pool.shutdown(wait=True)
            pool = None
        pool = _worker() if pool is None else pool
        runs += 1
        start = time.perf_counter()
        try:
            finished.put(pool.submit(work, job).result(timeout=job.limits.patience))
            continue
        except NotInTime:
            status, reason = "stopped", f"hung: ended after {job.limits.patience:.0f} s"
        except BrokenProcessPool:
            status, reason = "crashed", "its process died"
        except Exception as error:
            status, reason = "failed", f"{type(error).__name__}: {error}"
        seconds = time.perf_counter() - start
        if status != "failed":
            _kill(pool)
            pool = None
        data = draw(find(job.suite, job.problem), job.noise, job.seed)
        finished.put(_row(job, Answer(status, None, "", seconds, reason), data))
    if pool is not None:
        pool.shutdown(wait=True)


def _worker() -> ProcessPoolExecutor:
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_prepare)
    pool.submit(os.getpid).result()  # started: its imports are not the first run's time
    return pool


def _prepare() -> None:
    """What a worker does once: import everything and make the first calls, which no run should pay for."""
    import numpy as np
    import torch

    from kanlib.symbolic import discover

    torch.set_num_threads(1)
    x = np.linspace(1.0, 2.0, 60)[:, None]
    discover(x, x[:, 0] ** 2, time_limit=5.0)


def _kill(pool: ProcessPoolExecutor) -> None:
    """End a worker that does not answer; the executor itself would wait for it."""
    for process in list((pool._processes or {}).values()):
        process.kill()
    pool.shutdown(wait=True, cancel_futures=True)
