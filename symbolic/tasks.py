"""The work of a search in pieces: a view's closed forms, or one shape of network on it; plain records in and out.

A task knows all it needs (its rows, its seed, its deadline) and touches nothing else, so it gives the same result in
this process, in another one, or on another machine: any `concurrent.futures.Executor` runs `run_task` (process pools,
``dask.distributed.Client.get_executor()``, ``mpi4py.futures.MPIPoolExecutor``). The order in which tasks end does not
matter, since each draws from a generator of its own.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from kanlib.network import KAN
from kanlib.threads import one_thread

from .closed import closed_forms
from .deadline import within
from .joint import Candidate
from .shapes import Shape, Trained, ladder, train
from .trim import in_units_of_y, trim
from .view import View

__all__ = ["CLOSED", "MOST_EDGES", "Part", "Task", "run_task", "shape_of", "stages"]

CLOSED = "closed forms"
"""The name of the task that needs no network."""

MOST_EDGES = 12
"""Beyond this no formula of the whole network is readable."""

_GRACE = 0.25  # seconds that a stage may be late before it is broken off
_ASSIGNMENTS = 40  # of primitives to the edges of one network
_FEWEST_TO_TRIM = 40  # rows


@dataclass(frozen=True)
class Part:
    """What one stage of a task found: formulas, or a trained network (none where every start failed).

    Attributes
    ----------
    candidates : formulas with their constants, shortest description first.
    network, grid_size, error : of the network; the error on held-out rows is relative to the spread of y.
    complete : False where the deadline cut the stage short.
    """

    candidates: tuple[Candidate, ...] = ()
    network: KAN | None = None
    grid_size: int = 0
    error: float = math.inf
    complete: bool = True


@dataclass(frozen=True)
class Task:
    """A view of the law, and what to do with it.

    Attributes
    ----------
    view : the coordinates and their rows.
    name : `CLOSED`, or the name of a shape of `ladder`.
    primitives : names of the primitives to use.
    seed : of the search; the task derives its own from it and its key.
    floor : error relative to y that something else has reached.
    deadline : in seconds since the epoch (`time.time`), as it must hold on any machine.
    done : the stages that are known already; work goes on after them.
    operon : whether Operon is asked for curves of one coordinate too.
    """

    view: View
    name: str
    primitives: tuple[str, ...]
    seed: int = 0
    floor: float = math.inf
    deadline: float = math.inf
    done: tuple[Part, ...] = ()
    operon: bool = False

    @property
    def key(self) -> str:
        """Names the task within its search."""
        return f"{self.name} | {self.view.name}"

    def expired(self) -> bool:
        return time.time() > self.deadline


def run_task(task: Task) -> tuple[Part, ...]:
    """The stages of a task after those that are known: what an executor runs.

    Examples
    --------
    >>> import numpy as np, sympy
    >>> from kanlib.symbolic.reduction.coordinates import start
    >>> x = sympy.Symbol("x", real=True)
    >>> X = np.linspace(1, 2, 60)[:, None]
    >>> view = View.of(start((x,), X), (x,), X, 3 / X[:, 0], np.arange(60) % 5 == 0)
    >>> found = run_task(Task(view, CLOSED, ("reciprocal",)))
    >>> str(found[0].candidates[0].structure)
    'c1/x'
    """
    with one_thread():
        return tuple(stages(task, task.expired))


def stages(task: Task, expired: Callable[[], bool]) -> Iterator[Part]:
    """The stages of a task after those in ``task.done``, each worked out when it is asked for.

    Closed forms come in several stages, the quick ones first; a shape first gives its network, then its formulas.
    """
    if task.name == CLOSED:
        known = [part.candidates for part in task.done]
        found = closed_forms(task.view, task.primitives, task.floor, expired, known, task.operon)
        for forms in _in_time(found, task):
            yield Part(tuple(forms or ()), complete=forms is not None and not expired())
        return
    shape = shape_of(task)
    if task.done:
        part = task.done[0]
    else:
        part = _grown(shape, task, expired)
        yield part
    if part.network is None or len(task.done) > 1:
        return
    forms = _formulas(Trained(shape, part.network, part.grid_size, part.error), task, expired)
    yield Part(tuple(forms), complete=not expired())


def _in_time(found: Iterator[list[Candidate]], task: Task) -> Iterator[list[Candidate] | None]:
    """The stages of closed forms; None, and no more, where one does not end in time (twenty columns: many signs)."""

    def following() -> list[Candidate] | Exception:
        try:
            return next(found)
        except Exception as error:  # `within` would pass over it
            return error

    while True:
        forms = within(min(task.deadline - time.time() + _GRACE, threading.TIMEOUT_MAX), following)
        if isinstance(forms, StopIteration):
            return
        if isinstance(forms, Exception):
            raise forms
        yield forms
        if forms is None:
            return


def shape_of(task: Task) -> Shape:
    """The shape a task is about."""
    return next(shape for shape in ladder(task.view.coordinates.k) if shape.name == task.name)


def _grown(shape: Shape, task: Task, expired: Callable[[], bool]) -> Part:
    sample = task.view.sample
    assert sample is not None, "a view without coordinates has no networks"
    generator = torch.Generator().manual_seed(_seed(task))
    trained = train(shape, sample, generator, expired)
    if trained is None:
        return Part(complete=not expired())
    if len(sample.t) >= _FEWEST_TO_TRIM:
        trained = trim(trained, sample, share=1.0 if shape.name == "general" else 0.5, expired=expired)
    return Part((), trained.model, trained.grid_size, trained.held_error, complete=not expired())


def _formulas(trained: Trained, task: Task, expired: Callable[[], bool]) -> list[Candidate]:
    """Primitives for the edges of a trained network."""
    sample = task.view.sample
    if trained.n_edges > MOST_EDGES or sample is None:
        return []
    network = in_units_of_y(trained.model, sample.scale, sample.shift)
    return task.view.network_forms(network, task.primitives, expired, most=_ASSIGNMENTS)


def _seed(task: Task) -> int:
    """A seed of the task's own: the same whatever ran before it."""
    digest = hashlib.sha256(f"{task.seed} {task.key}".encode()).digest()
    return int.from_bytes(digest[:7], "big")
