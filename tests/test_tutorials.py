"""The tutorials run, their notebooks agree with their sources, and the harness would notice if not."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from nbclient.exceptions import CellExecutionError, CellTimeoutError

TUTORIALS = Path(__file__).parents[1] / "tutorials"


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


notebooks = load(TUTORIALS / "notebooks.py")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "tutorial" in metafunc.fixturenames:
        metafunc.parametrize("tutorial", notebooks.sources(), ids=lambda path: path.stem)


def test_it_runs(tutorial: Path) -> None:
    notebooks.execute(tutorial)


def test_every_notebook_is_its_source_without_outputs() -> None:
    books = {path.stem: path.read_text(encoding="utf-8") for path in TUTORIALS.glob("*.ipynb")}
    made = {source.stem: notebooks.text(source) for source in notebooks.sources()}
    assert sorted(books) == sorted(made), "run `make tutorials`"
    stale = [name for name in made if books[name] != made[name]]
    assert not stale, f"{stale} differ from their sources; run `make tutorials`"


SOURCE = "# %% [markdown]\n# A title\n\n# %%\nx = 6 * 7\n\n# %%\nprint(x)\n"


def test_a_notebook_is_made_the_same_each_time_and_runs(tmp_path: Path) -> None:
    source = tmp_path / "00_small.py"
    source.write_text(SOURCE)
    book = json.loads(notebooks.text(source))
    assert notebooks.text(source) == notebooks.text(source)
    assert [cell["cell_type"] for cell in book["cells"]] == ["markdown", "code", "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in book["cells"][1:])
    assert notebooks.execute(source).cells[2].outputs[0].text == "42\n"


@pytest.mark.parametrize(
    ("code", "error"),
    [("assert 1 == 2", CellExecutionError), ("import time; time.sleep(60)", CellTimeoutError)],
)
def test_a_cell_that_fails_or_hangs_is_noticed(tmp_path: Path, code: str, error: type[Exception]) -> None:
    source = tmp_path / "00_small.py"
    source.write_text(f"# %%\n{code}\n")
    with pytest.raises(error):
        notebooks.execute(source, time_limit=2.0)
