"""A network in one file: safetensors for the numbers, JSON in its header for the structure. No pickle.

The header's metadata are strings:

- ``format``: "kanlib"; ``schema``: the version of this layout; ``kanlib``: the version that wrote the file;
- ``network``: JSON with ``config`` (`KAN.config()`) and ``state`` (what the state_dict holds besides tensors:
  the names of edges fixed to a primitive, so that the table of primitives may grow);
- ``checksum``: SHA-256 of the header without this entry, and of the tensors. It tells damage, not an author.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .errors import InputError, InputTypeError, StorageError
from .files import write_atomically
from .network import KAN, Width

SCHEMA = 1
_MAX_HEADER = 100_000_000  # as safetensors itself
# What senseless content runs into: InputError is a ValueError, RecursionError (nested JSON) a RuntimeError.
_SENSELESS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError)


def save(model: KAN, path: str | os.PathLike[str]) -> Path:
    """Write a network to a file: weights, grids, masks, fixed edges, names and dtype.

    The file appears at once and complete: a crash leaves an older file as it was.

    Parameters
    ----------
    model : KAN
        Pruned or not, on any device.
    path : path-like
        Any name; ``.kan`` is customary. The folder must exist.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputTypeError
        If `model` is no KAN.
    StorageError
        If the file cannot be written, or the network mixes dtypes.

    Examples
    --------
    >>> import tempfile
    >>> from kanlib import KAN
    >>> model = KAN([2, 3, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     copy = load(save(model, f"{folder}/law.kan"))
    >>> x = torch.ones(1, 2)
    >>> bool(copy(x) == model(x))
    True
    """
    from safetensors.torch import save as to_bytes

    from . import __version__

    if not isinstance(model, KAN):
        raise InputTypeError(
            f"save got {type(model).__name__}; expected a KAN. An estimator keeps its network in network_, "
            "a compiled or parallel module in _orig_mod or module."
        )
    config, entries = model.config(), model.state_dict()
    tensors = {name: v.detach().cpu().contiguous() for name, v in entries.items() if isinstance(v, Tensor)}
    mixed = {v.dtype for v in tensors.values() if v.is_floating_point()} - {getattr(torch, config["dtype"])}
    if mixed:
        raise StorageError(
            f"save got parameters of {mixed} and {config['dtype']}; expected one dtype. Use model.to(dtype)."
        )
    state = {name: v for name, v in entries.items() if not isinstance(v, Tensor)}
    metadata = {
        "format": "kanlib",
        "schema": str(SCHEMA),
        "kanlib": __version__,
        "network": json.dumps({"config": config, "state": state}, allow_nan=False),
    }
    return write_atomically(path, _seal(to_bytes(tensors, metadata)))


def load(path: str | os.PathLike[str], *, device: torch.device | str | None = None) -> KAN:
    """Read a network that `save` wrote.

    Parameters
    ----------
    path : path-like
    device : optional
        Where its tensors go; the CPU by default.

    Returns
    -------
    KAN
        With the dtype it was saved with. It computes what the saved one did.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StorageError
        If the file is truncated, altered, foreign or of an unknown schema version.

    Examples
    --------
    >>> load("no_such_file.kan")
    Traceback (most recent call last):
    FileNotFoundError: There is no file no_such_file.kan; expected one that kanlib.save wrote. Check the path.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes

    path = Path(path)
    content = _read(path)
    try:
        header, data = _parts(content)
        metadata = header.get("__metadata__")
        if not isinstance(metadata, dict) or metadata.get("format") != "kanlib":
            raise StorageError(f"{path} was not written by kanlib; expected a file that kanlib.save wrote.")
        if metadata.get("schema") != str(SCHEMA):
            raise StorageError(
                f"{path} has schema version {metadata.get('schema')!r}; expected {str(SCHEMA)!r}. "
                f"Load it with the version that wrote it, kanlib {metadata.get('kanlib')!r}, or a later one."
            )
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        if len(data) < max(ends, default=0):
            raise StorageError(f"{path} is truncated ({len(content)} bytes). Restore it from a copy.")
        if metadata.get("checksum") != _checksum(header, data):
            raise StorageError(f"{path} was altered or damaged (its checksum differs). Restore it from a copy.")
        network = json.loads(metadata["network"])
        model = _build(network["config"], network["state"], from_bytes(content))
    except StorageError:
        raise
    except _SENSELESS + (SafetensorError,) as error:
        raise StorageError(f"{path} describes no network ({error}). Restore it from a copy.") from error
    return model if device is None else model.to(device)


def _read(path: Path) -> bytes:
    """The whole file, once its first bytes look like a safetensors header."""
    if path.is_dir():
        raise StorageError(f"{path} is a folder; expected a file that kanlib.save wrote. Name a file in it.")
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(9)
            length = int.from_bytes(start[:8], "little")
            if len(start) < 9 or start[8:] != b"{" or length > _MAX_HEADER:
                raise StorageError(f"{path} is empty or of another kind; expected a file that kanlib.save wrote.")
            if length > size - 8:
                raise StorageError(f"{path} is truncated ({size} bytes). Restore it from a copy.")
            return start + file.read()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"There is no file {path}; expected one that kanlib.save wrote. Check the path."
        ) from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read ({error.strerror or error}). Check its permissions.") from error


def _parts(content: bytes) -> tuple[dict[str, Any], memoryview]:
    """The header, parsed, and the bytes of the tensors: safetensors' layout is length, JSON, data."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    return header, memoryview(content)[end:]


def _seal(content: bytes) -> bytes:
    """The same file with its checksum, and with the header in a fixed order: one network, one file."""
    header, data = _parts(content)
    header["__metadata__"]["checksum"] = _checksum(header, data)
    text = json.dumps(header, sort_keys=True).encode()
    text += b" " * (-len(text) % 8)  # safetensors aligns the data so
    return len(text).to_bytes(8, "little") + text + bytes(data)


def _checksum(header: dict[str, Any], data: memoryview) -> str:
    metadata = {key: value for key, value in header["__metadata__"].items() if key != "checksum"}
    digest = hashlib.sha256(json.dumps({**header, "__metadata__": metadata}, sort_keys=True).encode())
    digest.update(data)
    return digest.hexdigest()


def _build(config: dict[str, Any], state: dict[str, Any], tensors: dict[str, Tensor]) -> KAN:
    """The network. Its sizes are held against the tensors first: no header can ask for absurd memory."""
    if not all(isinstance(products, list) for _, products in config["widths"]):
        raise InputError("its widths are not pairs of sums and arities")
    widths = [Width.of(width) for width in config["widths"]]
    for n, (width, following) in enumerate(itertools.pairwise(widths)):
        grid, coefficients = tensors[f"layers.{n}.grid"], tensors[f"layers.{n}.coefficients"]
        inputs, size = width.size, config["grid_size"][n]
        expected = (following.subnodes, inputs, size + config["degree"][n])
        if tuple(grid.shape) != (inputs, size + 1) or tuple(coefficients.shape) != expected:
            raise InputError(f"layer {n} has coefficients {tuple(coefficients.shape)}, its structure {expected}")
    model = KAN.from_config(config)
    for name, value in model.state_dict().items():
        if isinstance(value, Tensor) and (name not in tensors or tensors[name].dtype != value.dtype):
            raise InputError(f"{name} is missing or not {value.dtype}")
    model.load_state_dict({**tensors, **state})
    return model
