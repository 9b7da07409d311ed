"""Who does the tasks: this process, one stage at a time as it is asked for, or the workers of an executor.

The search asks for the stages of its tasks in its own order. Here they are taken from what a checkpoint knows, worked
out on the spot, or awaited from a worker; either way the search sees the same stages in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace

from .checkpoint import Checkpoint
from .tasks import Part, Task, run_task, stages

__all__ = ["Runner"]

_GRACE = 0.5  # seconds a worker gets to hand in what it has when time is up
_POLL = 0.25  # seconds between looks at the clock while a worker is awaited


class Runner:
    """Hands out the stages of tasks.

    Parameters
    ----------
    executor : that runs the tasks; None to run them here, each stage when it is asked for.
    checkpoint : what is known already, and where to keep what is found.
    left : seconds until the search must end.
    expired : whether no further stage should begin.
    tick : called while a worker is awaited.
    """

    def __init__(
        self,
        executor: Executor | None,
        checkpoint: Checkpoint,
        left: Callable[[], float],
        expired: Callable[[], bool],
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self.executor, self.checkpoint = executor, checkpoint
        self.left, self.expired, self.tick = left, expired, tick
        self.known, self.restored, self.run = 0, 0, 0  # tasks of the search, from the checkpoint, worked out now
        self.notes: list[str] = []
        self._asked: set[str] = set()
        self._streams: dict[str, Iterator[Part]] = {}
        self._futures: dict[str, Future[tuple[Part, ...]]] = {}

    @property
    def done(self) -> int:
        """Tasks that have given something."""
        return len(self._asked)

    def start(self, tasks: Sequence[Task]) -> None:
        """Make the tasks known; with an executor, submit those that are not in the checkpoint."""
        self.known = len(tasks)
        if self.executor is None:
            return
        for task in tasks:
            parts, whole = self.checkpoint.parts.get(task.key, ((), False))
            if not whole:
                self._futures[task.key] = self.executor.submit(run_task, replace(task, done=parts))

    def next(self, task: Task) -> Part | None:
        """The next stage of a task; None when there is no more, or no time."""
        if task.key not in self._streams:
            self._streams[task.key] = self._stream(task)
        part = next(self._streams[task.key], None)
        self._asked.add(task.key)
        return part

    def close(self) -> None:
        """Cancel what has not begun; what is under way ends with its own deadline."""
        for future in self._futures.values():
            future.cancel()
        self._futures.clear()

    def _stream(self, task: Task) -> Iterator[Part]:
        known, whole = self.checkpoint.parts.get(task.key, ((), False))
        self.restored += bool(known) or whole
        yield from known
        if whole:
            return
        self.run += 1
        parts = list(known)
        for part in self._source(replace(task, done=known)):
            if part.complete:  # what time cut short is done again
                parts.append(part)
                self.checkpoint.keep_parts(task.key, parts, whole=False)
            yield part
            if not part.complete:
                return
        if not self.expired() and not task.expired():
            self.checkpoint.keep_parts(task.key, parts, whole=True)

    def _source(self, task: Task) -> Iterator[Part]:
        """The stages after those that are known."""
        future = self._futures.pop(task.key, None)
        if future is not None:
            try:
                result = self._await(task, future)
            except (BrokenExecutor, CancelledError) as error:
                self.notes.append(f"the executor gave up ({type(error).__name__}): the rest was done in one process")
                self._futures.clear()
            else:
                yield from result
                return
        yield from stages(task, lambda: self.expired() or task.expired())

    def _await(self, task: Task, future: Future[tuple[Part, ...]]) -> tuple[Part, ...]:
        while True:
            try:
                return future.result(timeout=max(0.0, min(_POLL, self.left() + _GRACE)))
            except FutureTimeout:
                if future.done():
                    return future.result()  # it ended just now, or the error is the task's own
                self.tick()
                late = self.expired() or task.expired()
                if self.left() + _GRACE <= 0 or (late and not future.running()):
                    future.cancel()
                    self.notes.append(f"time was up before a worker was done with {task.key}")
                    return ()
