"""What users ask a picture of - a network, a discovery, an estimator - as a network with its names and units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from kanlib.data import as_inputs
from kanlib.errors import InputError, InputTypeError
from kanlib.network import KAN


@dataclass(frozen=True)
class Source:
    """A network, data in its coordinates, and what its owner knows of names and units.

    `units` are (mean, scale) of the columns where the network was fitted to standardised ones.
    """

    network: KAN
    X: Any = None
    input_names: Sequence[str] | None = None
    output_names: Sequence[str] | None = None
    units: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None = None


def open_source(owner: Any, X: Any = None) -> Source:
    """The network in a KAN, a Discovery, a FormulaRegressor, a KANRegressor or a KANClassifier.

    Raises
    ------
    InputTypeError
        If it is none of these.
    InputError
        If there is no network in it, or X does not fit.
    """
    if isinstance(owner, KAN):
        return Source(owner, X)
    owner = getattr(owner, "discovery_", owner)
    if hasattr(owner, "noise_floor"):
        return _of_discovery(owner, X)
    network = getattr(owner, "network_", None)
    if not isinstance(network, KAN):
        raise InputTypeError(
            f"a picture was asked of a {type(owner).__name__}; expected a KAN, a Discovery, or a fitted estimator of "
            "kanlib. Pass the network itself, such as discovery.network or result.model."
        )
    mean, scale = np.asarray(owner.x_mean_, dtype=float), np.asarray(owner.x_scale_, dtype=float)
    if X is not None:
        x = as_inputs(X, network.in_features, dtype=torch.float64, names=network.input_names)
        X = (x - torch.as_tensor(mean)) / torch.as_tensor(scale)
    classes = [str(c) for c in getattr(owner, "classes_", ())]
    outputs = classes if len(classes) == network.out_features else classes[1:] if len(classes) == 2 else None
    return Source(network, X, output_names=outputs or None, units=(mean, scale))


def _of_discovery(found: Any, X: Any) -> Source:
    network = found.network
    if network is None:
        raise InputError("the discovery has no network to draw; see its reasons and notes.")
    known = len(found.names) == network.in_features
    return Source(
        network,
        X,
        found.names if known else None,
        [found.target_name] if network.out_features == 1 else None,
    )
