"""Settings of architectures that contradict each other, or make no sense, are refused with words that help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from kanlib import KANLayer
from kanlib.architectures import (
    GRKAN,
    KANODE,
    SKAN,
    DeepKAN,
    KAMoE,
    KANAttention,
    KANAutoencoder,
    KANMixer,
    LogitOperator,
    StaticAttention,
    VisionTransformer,
    fit_grids,
    load_balance,
    preserve_variance,
    project_to_simplex,
    prune_bases,
    select_bases,
)
from kanlib.errors import KanlibError

POOL = ({"degree": 1}, {"degree": 3})


def _vit(**settings: Any) -> VisionTransformer:
    sizes: dict[str, Any] = {"image_size": (4, 4), "patch_size": 2, "channels": 1, "embed_dim": 8, "depth": 1}
    sizes |= {"num_heads": 2, "mlp_dim": 8, "out_features": 3}
    return VisionTransformer(**{**sizes, **settings})


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "an operator and a projection": (
        lambda: KANAttention(8, 2, 5, projection=True, operator=LogitOperator(5, 2)),
        "where the operator is made",
    ),
    "a projection of softmax": (lambda: _vit(attention="softmax", projection=True), "karat"),
    "a shared softmax": (lambda: _vit(attention="softmax", shared=True), "karat"),
    "no hidden width": (lambda: _vit(mlp_dim=0), "mlp_dim=0"),
    "no heads": (lambda: StaticAttention(0, 5), "0 heads"),
    "one normalised output": (lambda: GRKAN(3, 1), "normalize=False"),
    "one normalised number": (lambda: DeepKAN(3, 1, 2, 1), "at least 2"),
    "one normalised channel": (lambda: KANMixer(6, 64, 5, width=1, patch=16), "width 1"),
    "a gate and a width": (lambda: KAMoE([KANLayer(2, 1)], 2, gate=KANLayer(2, 1)), "both"),
    "a gate as a width": (lambda: KAMoE([KANLayer(2, 1)], KANLayer(2, 1)), "gate=..."),  # type: ignore[arg-type]
    "widths as a number": (lambda: SKAN(2), "sequence"),  # type: ignore[arg-type]
    "times as a list": (lambda: KANODE([2, 2])(torch.ones(1, 2), [0.0, 1.0]), "list"),  # type: ignore[arg-type]
    "a sample that does not vary": (lambda: preserve_variance(KANLayer(3, 2), torch.ones(4, 3)), "variance 0"),
    "slopes of steps": (
        lambda: preserve_variance(KANLayer(2, 2, 3, 0, base=None), balance="backward"),
        "degree 1 or more",
    ),
    "no rounds": (lambda: fit_grids(KANLayer(2, 2), torch.zeros(3, 2), rounds=0), "rounds=0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    call, words = REFUSED[name]
    with pytest.raises(KanlibError, match=words):
        call()


def test_a_layer_that_is_not_reached_is_not_chosen_for() -> None:
    model = SKAN([2, 2, 1], pool=POOL)
    model.forward = lambda x: model.layers[0](x)  # type: ignore[method-assign]
    with pytest.raises(KanlibError, match="1 layers"):
        select_bases(model, torch.rand(20, 2))


def test_masked_edges_and_bases_are_pruned_exactly() -> None:
    x = torch.rand(50, 2)
    part, whole = SKAN([2, 1], pool=POOL), SKAN([2, 1], pool=POOL)
    part.layers[0].layers[1].mask_edge(0, 0)
    for i in range(2):
        whole.layers[0].mask_edge(i, 0)
    for model in (part, whole):
        select_bases(model, x)
        before = model(x)
        prune_bases(model)
        assert model(x).shape == (50, 1) and torch.equal(model(x), before)


def test_a_hidden_layer_may_be_a_number() -> None:
    assert KANAutoencoder(8, 2, 5).encoder[0].out_features == 5


def test_no_rows_are_solved_and_balanced() -> None:
    ode = KANODE([2, 2], method="dopri5")
    assert ode(torch.zeros(0, 2), torch.linspace(0, 1, 3)).shape == (0, 3, 2)
    gates = torch.full((200_000, 2), 0.5, dtype=torch.float16)
    assert float(load_balance(gates)) == 0.0


def test_a_row_of_nan_stays_alone_on_the_simplex() -> None:
    rows = project_to_simplex(torch.tensor([[float("nan"), 1.0], [0.2, 0.8], [float("inf"), 0.0]]))
    assert bool(rows[0].isnan().any()) and rows[1].tolist() == pytest.approx([0.2, 0.8])
