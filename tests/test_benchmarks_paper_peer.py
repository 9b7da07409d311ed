"""pykan's rows: what a peer that is missing, slow, broken or well gives."""

from __future__ import annotations

import math
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.paper.pykan_classes import pykan_classes  # noqa: E402
from benchmarks.paper.pykan_peer import GridRow, pykan_rows  # noqa: E402

X = np.random.default_rng(0).uniform(-1, 1, (20, 2))
DATA = (X, np.exp(np.sin(np.pi * X[:, 0]) + X[:, 1] ** 2))
LINE = '{"grid": 3, "test_rmse": 0.5, "train_rmse": 0.25, "parameters": 24, "seconds": 1.5}'


def rows(interpreter: str, seconds: float = 60.0) -> list[GridRow]:
    return pykan_rows(interpreter, [2, [0, 1], 1], DATA, DATA, grids=(3, 5), steps=2, seed=0, seconds=seconds)


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    path = tmp_path / "python"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(find_spec("kan") is not None, reason="the interpreter of the tests has pykan")
def test_an_interpreter_without_pykan_says_so() -> None:
    found = rows(sys.executable)
    assert [row.note for row in found] == ["not installed"] and math.isnan(found[0].test_rmse)


def test_the_lines_of_a_peer_that_is_stopped_are_kept(fake: Path) -> None:
    fake.write_text(f"#!/bin/sh\necho '{LINE}'\nprintf '{{\"grid\": 5, '\nexec sleep 60\n")
    first, last = rows(str(fake), seconds=0.5)
    assert first == GridRow(3, 0.5, 0.25, 24, 1.5)
    assert (last.grid, last.note) == (5, "stopped after 0 s") and math.isnan(last.test_rmse)


def test_a_peer_that_breaks_or_is_not_there_says_why(fake: Path) -> None:
    fake.write_text("#!/bin/sh\necho 'Traceback' >&2\necho 'ValueError: too small' >&2\nexit 1\n")
    assert [row.note for row in rows(str(fake))] == ["failed: ValueError: too small"]
    assert "No such file" in rows(str(fake) + "3")[0].note


def test_a_peer_that_ends_well_has_no_note(fake: Path) -> None:
    fake.write_text(f"#!/bin/sh\necho 'saving model'\necho '{LINE}'\n")
    assert rows(str(fake)) == [GridRow(3, 0.5, 0.25, 24, 1.5)]


def test_the_start_with_the_smallest_sound_loss_counts(fake: Path) -> None:
    y = np.arange(20) % 2
    line = '{{"step": {}, "accuracy": {}, "train_loss": {}, "parameters": 8, "seconds": 1.5}}'
    lines = {0: [(5, 0.5, 0.7)], 1: [(5, 0.9, 0.2), (10, 0.3, "NaN")], 2: [(5, 0.6, 0.4)]}
    cases = "".join(
        f"*' --seed {seed} '*) " + " ".join(f"echo '{line.format(*numbers)}';" for numbers in told) + ";\n"
        for seed, told in lines.items()
    )
    fake.write_text(f'#!/bin/sh\ncase " $* " in\n{cases}esac\n')
    found = pykan_classes(str(fake), [2], (X, y), (X, y), grid=3, seed=0, starts=3, steps=10)
    assert (found.accuracy, found.parameters, found.seconds) == (0.9, 8, 4.5)
    assert found.note == "step 5 of 10; best of 3 starts; its loss is no number after step 5"


def test_classes_of_a_peer_that_is_not_there(fake: Path) -> None:
    found = pykan_classes(str(fake) + "3", [2], (X, X[:, 0] > 0), (X, X[:, 0] > 0), grid=3, seed=0)
    assert math.isnan(found.accuracy) and found.note.startswith("failed: No such file")
    fake.write_text("#!/bin/sh\n")
    assert "printed nothing" in pykan_classes(str(fake), [2], (X, X[:, 0] > 0), (X, X[:, 0] > 0), grid=3, seed=0).note
