"""What every test shares: a headless backend, one thread, a seeded generator, a guard on stray imports."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["MPLBACKEND"] = "Agg"

import pytest
import torch
from hypothesis import settings

# No deadlines: a busy machine must not fail a test. The same examples on every run, and none kept on disk.
settings.register_profile("kanlib", deadline=None, derandomize=True, database=None, max_examples=50)
settings.load_profile("kanlib")


@pytest.fixture
def generator() -> torch.Generator:
    """A freshly seeded generator: no test depends on another's draws."""
    return torch.Generator().manual_seed(0)


@pytest.fixture(autouse=True)
def no_stray_rooms() -> Iterator[None]:
    """Fail the test that imports `symbolic` or `plots` under their bare names.

    From the repository root such an import works, and makes a second copy of every class in them.
    """
    yield
    strays = {"symbolic", "plots"} & sys.modules.keys()
    assert not strays, f"imported as {sorted(strays)}; write kanlib.symbolic and kanlib.plots"
