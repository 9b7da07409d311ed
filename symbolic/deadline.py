"""A time limit for calls that cannot be trusted to end, above all SymPy's simplification.

A signal works only in the main thread of a Unix process, and a worker process would have to import SymPy
anew. So the call runs in a daemon thread; when the time is over, CPython raises an exception inside that
thread (it is pure Python, so this takes effect at the next bytecode), and the caller goes on whatever
happens: should the thread not react, inside one long operation in C, it is left behind and its result
ignored.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

__all__ = ["within"]

T = TypeVar("T")


class _TimeIsOver(BaseException):
    """Not an Exception: library code that catches those must not swallow it."""


class _Worker(threading.Thread):
    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        super().__init__(daemon=True)
        self.function, self.arguments = function, arguments
        self.result: Any = None
        self.error: Exception | None = None
        self.done = False
        self.over = False  # interrupted: not to be interrupted again
        self.guard = threading.Lock()  # held while the end, or an interruption, is being recorded

    def run(self) -> None:
        # A second interruption may arrive while the first is being dealt with.
        with contextlib.suppress(_TimeIsOver):
            try:
                try:
                    result = self.function(*self.arguments)
                    with self.guard:
                        self.result, self.done = result, True
                except Exception as error:
                    with self.guard:
                        self.error, self.done = error, True
            except _TimeIsOver:
                with self.guard:
                    self.over = True

    def interrupt(self) -> None:
        """Raise in the thread; again after a while, as an interruption inside a destructor is lost."""
        with _quiet_destructors():
            self._interrupt()

    def _interrupt(self) -> None:
        for _ in range(5):
            if not self.is_alive() or not self.guard.acquire(timeout=0.02):
                return
            try:
                if self.done or self.over:
                    return
                thread = ctypes.c_ulong(self.ident or 0)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(_TimeIsOver))
            finally:
                self.guard.release()
            self.join(0.1)


@contextlib.contextmanager
def _quiet_destructors() -> Iterator[None]:
    """An interruption that hits a destructor is reported by Python, and means nothing: others still are."""
    report = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if unraisable.exc_type is not _TimeIsOver:
            report(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = report


def within(seconds: float, function: Callable[..., T], *arguments: Any) -> T | None:
    """The result of ``function(*arguments)``, or None when it raised or took longer than ``seconds``.

    Returns within about half a second after the limit. From any thread.

    Examples
    --------
    >>> within(5.0, sum, [1, 2])
    3
    >>> def forever():
    ...     while True:
    ...         pass
    >>> within(0.05, forever) is None
    True
    """
    if seconds <= 0:
        return None
    worker = _Worker(function, arguments)
    worker.start()
    try:
        worker.join(seconds)
    finally:
        # also when the caller itself is interrupted
        if worker.is_alive():
            worker.interrupt()
    return worker.result if worker.done and worker.error is None else None
