"""What is built and installed is what the tree holds; imports go one way and stay light."""

from __future__ import annotations

import ast
import importlib
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import kanlib

ROOT = Path(__file__).parents[1]
# Where each folder of the tree lies in the package, and what its files may import from the rest of the house.
ROOMS = {"kanlib": "kanlib", "symbolic": "kanlib/symbolic", "plots": "kanlib/plots"}
FORBIDDEN = {"kanlib": ("kanlib.symbolic", "kanlib.plots"), "symbolic": ("kanlib.plots",), "plots": ()}
ROOF = ROOT / "kanlib" / "__main__.py"

pytestmark = pytest.mark.xdist_group("packaging")  # one worker, so that the wheel is built once


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def python(code: str, cwd: Path) -> str:
    return run(sys.executable, "-c", code, cwd=cwd)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist of a clean copy of the tree, and the wheel made from that sdist."""
    folder = tmp_path_factory.mktemp("built")
    tree = folder / "tree"
    for room in ROOMS:
        shutil.copytree(ROOT / room, tree / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    # Without --wheel, build makes the wheel from the sdist: so the sdist holds all that the wheel needs.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", tree, cwd=folder)
    return folder / "dist"


def test_the_wheel_holds_every_file_of_the_tree_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
        top_level = wheel.read(next(n for n in wheel.namelist() if n.endswith("top_level.txt"))).decode()
        meta = Parser().parsestr(wheel.read(next(n for n in wheel.namelist() if n.endswith("METADATA"))).decode())
    expected = [
        f"{place}/{path.relative_to(ROOT / room).as_posix()}"
        for room, place in ROOMS.items()
        for path in (ROOT / room).rglob("*.py")
    ]
    assert sorted(names) == sorted([*expected, "kanlib/py.typed"])
    assert top_level.split() == ["kanlib"]
    assert meta["Version"] == kanlib.__version__
    assert meta["License-Expression"] == "MIT"


def test_the_sdist_carries_readme_and_licence(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "symbolic/__init__.py", "plots/__init__.py"} <= names


def test_a_regular_install_offers_kanlib_and_no_other_name(built: Path, tmp_path: Path) -> None:
    target, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    pip = (
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    )
    run(*pip, "--target", target, next(built.glob("*.whl")), cwd=elsewhere)
    code = f"""
import importlib.util, sys
sys.path.insert(0, {str(target)!r})
import kanlib, kanlib.symbolic, kanlib.plots
assert kanlib.__file__.startswith({str(target)!r}), kanlib.__file__
assert kanlib.plots.__file__.startswith({str(target)!r}), kanlib.plots.__file__
assert importlib.util.find_spec("symbolic") is None
assert importlib.util.find_spec("plots") is None
"""
    python(code, cwd=elsewhere)
    assert (target / "bin" / "kanlib").exists() or (target / "Scripts").exists()


def test_importing_kanlib_adds_little_to_importing_torch(tmp_path: Path) -> None:
    code = """
import json, sys
import torch
before = {name.partition(".")[0] for name in sys.modules}
import kanlib
after = {name.partition(".")[0] for name in sys.modules}
print(json.dumps(sorted(after - before - set(sys.stdlib_module_names))))
"""
    added = {name for name in json.loads(python(code, cwd=tmp_path)) if not name.startswith("__editable__")}
    assert added <= {"kanlib"}


@pytest.mark.parametrize(
    "package", ["kanlib", "kanlib.symbolic", "kanlib.plots", "kanlib.bases", "kanlib.architectures"]
)
def test_public_names_are_there(package: str) -> None:
    module = importlib.import_module(package)
    assert list(module.__all__) == sorted(set(module.__all__), key=module.__all__.index)
    for name in module.__all__:
        assert getattr(module, name) is not None
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="no_such_name"):
        module.no_such_name  # noqa: B018


@pytest.mark.parametrize(
    "code",
    [
        "import kanlib.estimators, kanlib.fit, kanlib.prune; from kanlib import fit, prune",
        "import kanlib.symbolic.estimators; from kanlib.symbolic import discover as fit, symbolify as prune",
    ],
)
def test_a_function_wins_over_the_file_of_the_same_name(code: str, tmp_path: Path) -> None:
    python(f"{code}; assert callable(fit) and callable(prune)", cwd=tmp_path)


def imported(path: Path) -> list[tuple[int, str]]:
    """(level, module) of every import in a file, those inside functions too."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found += [(node.level, module), *((node.level, f"{module}.{alias.name}") for alias in node.names)]
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_one_way(room: str) -> None:
    for path in sorted((ROOT / room).rglob("*.py")):
        depth = len(path.relative_to(ROOT / room).parts)
        for level, module in imported(path):
            assert level <= depth, f"{path}: relative imports stay inside their room"
            assert level or module.partition(".")[0] not in ("symbolic", "plots"), f"{path} imports {module}"
            if path != ROOF and level == 0:
                assert not module.startswith(FORBIDDEN[room]), f"{path} imports {module}"


def test_the_core_knows_no_architecture() -> None:
    core = [path for path in (ROOT / "kanlib").rglob("*.py") if "architectures" not in path.parts]
    for path in core:
        if not path.is_relative_to(ROOT / "kanlib" / "symbolic") and not path.is_relative_to(ROOT / "kanlib" / "plots"):
            assert not any("architectures" in module for _, module in imported(path)), path
