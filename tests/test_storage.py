"""Saving and loading: the same network comes back, or an error says what is wrong with the file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor

from kanlib import storage
from kanlib.errors import InputTypeError, StorageError
from kanlib.files import write_atomically
from kanlib.network import KAN


def rich(dtype: torch.dtype = torch.float32) -> KAN:
    """Products, a pruned input, masked and fixed edges, names, weights that differ from the first ones."""
    model = KAN(
        [2, (2, [2, 3]), 2],
        grid_size=[4, 6],
        degree=[3, 2],
        base="tanh",
        knots="free",
        extrapolate="constant",
        input_names=["a b", "λ", "E"],
        in_features=3,
        input_index=[0, 2],
        generator=torch.Generator().manual_seed(3),
        dtype=dtype,
    )
    model.layers[0].fix_edge(0, 1, "sin", (2.0, 0.1, 3.0, 0.2, 1.0))
    model.layers[1].fix_edge(3, 1, "power", (1.0, 2.0, 3.0, 4.0, 0.5))
    model.layers[0].mask_edge(1, 4)
    with torch.no_grad():
        model.layers[0].grid.mul_(1.5)
        model.layers[0].bias.add_(0.25)
    return model


def same(one: KAN, two: KAN) -> bool:
    a, b = one.state_dict(), two.state_dict()
    return (
        one.config() == two.config()
        and a.keys() == b.keys()
        and all(torch.equal(v, b[k]) if isinstance(v, Tensor) else v == b[k] for k, v in a.items())
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_same_network_comes_back(tmp_path: Path, dtype: torch.dtype) -> None:
    model = rich(dtype)
    copy = storage.load(storage.save(model, tmp_path / "law.kan"))
    assert same(model, copy)
    assert copy.layers[0].fixed_edges() == {(0, 1): "sin"}
    assert copy.input_names == ("a b", "λ", "E") and copy.used_inputs == (0, 2)
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)).to(dtype)
    if dtype != torch.bfloat16:  # the linear algebra of splines needs full floats
        assert torch.equal(model(x), copy(x))


def test_numbers_survive_to_the_bit_even_when_they_are_not_finite(tmp_path: Path) -> None:
    model = KAN([1, 1], base=None)
    with torch.no_grad():
        model.layers[0].coefficients[0, 0, :4] = torch.tensor([np.nan, np.inf, -0.0, 1e-45])
    copy = storage.load(storage.save(model, tmp_path / "odd.kan"))
    was, now = (m.layers[0].coefficients.detach().numpy().view(np.uint32) for m in (model, copy))
    np.testing.assert_array_equal(was, now)


def test_saving_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = storage.save(rich(), tmp_path / "one"), storage.save(rich(), tmp_path / "two")
    assert one.read_bytes() == two.read_bytes()


def test_training_goes_on_after_loading(tmp_path: Path) -> None:
    model = storage.load(storage.save(rich(), tmp_path / "law.kan"), device="cpu")
    model(torch.ones(4, 3)).sum().backward()
    assert all(p.requires_grad for p in model.parameters())
    assert model.layers[0].coefficients.grad is not None


def test_loading_fixed_edges_needs_no_sympy_and_no_random_numbers(tmp_path: Path) -> None:
    path = storage.save(rich(), tmp_path / "law.kan")
    code = f"""
import sys, torch, kanlib
before = torch.random.get_rng_state()
kanlib.load({str(path)!r})
assert torch.equal(before, torch.random.get_rng_state())
assert not {{"sympy", "matplotlib", "sklearn", "kanlib.symbolic", "kanlib.plots"}} & sys.modules.keys()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------------- what cannot be saved


def test_only_networks_are_saved(tmp_path: Path) -> None:
    with pytest.raises(InputTypeError, match="save got Linear; expected a KAN"):
        storage.save(torch.nn.Linear(1, 1), tmp_path / "x.kan")  # type: ignore[arg-type]
    mixed = KAN([1, 2, 1])
    mixed.layers[1].double()
    with pytest.raises(StorageError, match=r"expected one dtype"):
        storage.save(mixed, tmp_path / "x.kan")
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = KAN([1, 1])
    with pytest.raises(StorageError, match="is a folder; expected the path of a file"):
        storage.save(model, tmp_path)
    with pytest.raises(StorageError, match=r"no folder .*nowhere\. Create it first"):
        storage.save(model, tmp_path / "nowhere" / "x.kan")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="no folder"):
        storage.save(model, tmp_path / "file" / "x.kan")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StorageError, match="no permission"):
        storage.save(model, tmp_path / "x.kan")


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("crash", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_crash_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, crash: BaseException
) -> None:
    path = storage.save(rich(), tmp_path / "law.kan")
    old = path.read_bytes()

    def fail(*_: Any) -> None:
        raise crash

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(StorageError if isinstance(crash, OSError) else KeyboardInterrupt):
        storage.save(KAN([1, 1]), path)
    monkeypatch.undo()
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["law.kan"], "a temporary file was left"


def test_writing_follows_links_and_keeps_permissions(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    write_atomically(real, b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    write_atomically(link, "new")
    assert link.is_symlink() and real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o640


# ---------------------------------------------------------------------- files that are wrong


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bad.kan"


FOREIGN = {
    "empty": b"",
    "short": b"\x01\x02",
    "text": b"a,b\n1,2\n" * 20,
    "zeros": bytes(1000),
    "huge length": (2**63).to_bytes(8, "little") + b"{}",
    "no JSON": (4).to_bytes(8, "little") + b"{!!}",
    "nested JSON": (100_006).to_bytes(8, "little") + b'{"a":' + b"[" * 100_001,
    "a list": (9).to_bytes(8, "little") + b'{"a":[1]}',
    "no metadata": to_bytes({"a": torch.zeros(3)}),
    "other metadata": to_bytes({"a": torch.zeros(3)}, {"format": "pt"}),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_files(path: Path, kind: str) -> None:
    path.write_bytes(FOREIGN[kind])
    with pytest.raises(StorageError, match=r"bad\.kan"):
        storage.load(path)


def test_a_pickle_is_not_opened(path: Path) -> None:
    torch.save(rich().state_dict(), path)
    with pytest.raises(StorageError, match="of another kind"):
        storage.load(path)


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no file .*nothing\.kan"):
        storage.load(tmp_path / "nothing.kan")
    with pytest.raises(StorageError, match="is a folder"):
        storage.load(tmp_path)


def test_every_truncation_is_noticed(path: Path) -> None:
    content = storage.save(KAN([1, 1], grid_size=2, degree=1), path).read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(StorageError, match=r"truncated|of another kind"):
            storage.load(path)


def test_every_flipped_byte_is_noticed_or_harmless(path: Path) -> None:
    model = KAN([1, 1], grid_size=2, degree=1)
    content = storage.save(model, path).read_bytes()
    flips = np.random.default_rng(0).integers(1, 256, size=len(content))
    harmless = 0
    for position, flip in enumerate(flips):
        altered = bytearray(content)
        altered[position] ^= int(flip)
        path.write_bytes(altered)
        try:
            assert same(storage.load(path), model)
            harmless += 1
        except StorageError:
            pass
    assert harmless < 20  # spaces that pad the header, at most


def rewrite(path: Path, **changes: Any) -> None:
    """Write a file with a valid checksum whose metadata, structure or tensors were changed by hand."""
    content = storage.save(KAN([2, 2, 1]), path).read_bytes()
    metadata = storage._parts(content)[0]["__metadata__"]
    network = json.loads(metadata["network"])
    tensors = from_bytes(content)
    for name, value in changes.items():
        if name in metadata:
            metadata[name] = value
        elif name in network["config"]:
            network["config"][name] = value
        else:
            network.update({name: value} if name in network else {})
            tensors.update({} if name in network else {name.replace("__", "."): value})
    metadata["network"] = changes.get("network", json.dumps(network))
    path.write_bytes(storage._seal(to_bytes(tensors, metadata)))


def test_rewriting_by_hand_is_possible(path: Path) -> None:
    rewrite(path, init="lecun")
    assert storage.load(path).config()["init"] == "lecun"


def test_a_later_schema_names_the_version_that_wrote_it(path: Path) -> None:
    rewrite(path, schema="7", kanlib="9.1")
    with pytest.raises(StorageError, match=r"schema version '7'; expected '1'.*kanlib '9\.1'"):
        storage.load(path)


HOSTILE: dict[str, dict[str, Any]] = {
    "wide": {"widths": [[2, []], [10**12, []], [1, []]]},
    "arity": {"widths": [[2, []], [1, [10**12]], [1, []]]},
    "products": {"widths": [[2, []], [1, 10**12], [1, []]]},
    "negative": {"widths": [[2, []], [-2, []], [1, []]]},
    "few layers": {"widths": [[2, []]]},
    "more layers": {"widths": [[2, []], [2, []], [1, []], [1, []]]},
    "no widths": {"widths": None},
    "infinite": {"widths": [[2, []], [float("inf"), []], [1, []]]},
    "fine grid": {"grid_size": [10**12, 5]},
    "degree": {"grid_size": [-92, 5], "degree": [100, 3]},
    "columns": {"in_features": 10**15},
    "index": {"input_index": [0, 7]},
    "names": {"input_names": ["a"]},
    "dtype": {"dtype": "float128"},
    "another dtype": {"dtype": "float64"},
    "code": {"base": "__import__('os').getcwd()"},
    "unknown primitive": {"state": {"layers.0._extra_state": {"fixed_edges": [[0, 0, "no_such"]]}}},
    "unknown edge": {"state": {"layers.0._extra_state": {"fixed_edges": [[99, 0, "sin"]]}}},
    "no state": {"state": None},
    "empty": {"network": "{}"},
    "list": {"network": "[1, 2]"},
    "no JSON": {"network": "os.system('true')"},
    "nested": {"network": "[" * 100_000},
    "extra tensor": {"spare": torch.zeros(3)},
    "other shape": {"layers__0__bias": torch.zeros(7)},
    "other kind": {"layers__0__mask": torch.zeros(2, 2)},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_senseless_content_is_refused_without_asking_for_memory(path: Path, kind: str) -> None:
    rewrite(path, **HOSTILE[kind])
    if kind == "columns":  # a network may use two of very many columns; it costs nothing
        assert storage.load(path).in_features == 10**15
        return
    with pytest.raises(StorageError, match=r"bad\.kan describes no network"):
        storage.load(path)
