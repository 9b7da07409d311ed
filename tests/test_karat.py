"""Learned activations of attention logits: the operator, the simplex, and the controls are what they are called."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import pytest
import torch
from architecture_contract import ArchitectureContract
from torch import Tensor, nn

from kanlib.architectures.attention import MultiHeadAttention, StaticAttention
from kanlib.architectures.karat import KANAttention, LogitOperator, project_to_simplex
from kanlib.architectures.vit import KINDS, VisionTransformer
from kanlib.errors import InputError

F64 = torch.float64


class TestKANAttention(ArchitectureContract):
    def make(self, **options: Any) -> nn.Module:
        return KANAttention(6, num_heads=2, n_tokens=5, rank=3, **options)

    def inputs(self, batch: int, dtype: torch.dtype, generator: torch.Generator) -> tuple[Tensor, ...]:
        return (torch.randn(batch, 5, 6, generator=generator, dtype=dtype),)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 5, 6)


class TestProjectedKANAttention(TestKANAttention):
    def make(self, **options: Any) -> nn.Module:
        return KANAttention(6, num_heads=2, n_tokens=5, rank=3, projection=True, **options)


class TestVisionTransformer(ArchitectureContract):
    def make(self, **options: Any) -> nn.Module:
        return _vit(pool="class", **options)

    def inputs(self, batch: int, dtype: torch.dtype, generator: torch.Generator) -> tuple[Tensor, ...]:
        return (torch.randn(batch, 2, 4, 6, generator=generator, dtype=dtype),)

    def output_shape(self, batch: int) -> tuple[int, ...]:
        return (batch, 3)


class TestSharedVisionTransformer(TestVisionTransformer):
    def make(self, **options: Any) -> nn.Module:
        return _vit(shared=True, projection=True, **options)


def _vit(**options: Any) -> VisionTransformer:
    size = {"embed_dim": 6, "depth": 2, "num_heads": 2, "mlp_dim": 5, "out_features": 3, "rank": 3}
    return VisionTransformer((4, 6), 2, 2, **{**size, **options})


def _images(batch: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(batch, 2, 4, 6, generator=torch.Generator().manual_seed(seed), dtype=F64)


def test_the_operator_is_a_sum_of_edges_and_a_linear_map() -> None:
    operator = LogitOperator(4, 3, rank=2, dtype=F64)
    logits = torch.randn(5, 3, 4, 4, dtype=F64, generator=torch.Generator().manual_seed(0))
    expected = torch.zeros_like(logits)
    for head, (edges, spread) in enumerate(zip(operator.edges, operator.spread)):
        for row in range(4):
            h = torch.stack(
                [
                    edges.bias[p] + torch.stack([edges.edge(logits[:, head, row, q], q, p) for q in range(4)]).sum(0)
                    for p in range(2)
                ],
                dim=-1,
            )
            expected[:, head, row] = torch.einsum("np,bp->bn", spread.weight, h)
    torch.testing.assert_close(operator(logits), expected)


def test_the_default_is_the_fourier_operator_written_out() -> None:
    operator = LogitOperator(4, 2, rank=3, dtype=F64)
    t = 6 * torch.randn(5, 2, 4, 4, dtype=F64, generator=torch.Generator().manual_seed(0))  # over several periods
    for head, (edges, spread) in enumerate(zip(operator.edges, operator.spread)):
        c = edges.coefficients  # (r, N, 7)
        assert c.shape == (3, 4, 7) and edges.base_weight is None
        h = torch.zeros(5, 4, 3, dtype=F64)
        for p in range(3):
            for q in range(4):
                s = t[:, head, :, q]
                h[..., p] += c[p, q, 0]
                for m in (1, 2, 3):
                    h[..., p] += c[p, q, 2 * m - 1] * torch.cos(m * s) + c[p, q, 2 * m] * torch.sin(m * s)
        expected = (h + edges.bias) @ spread.weight.T
        torch.testing.assert_close(operator(t)[:, head], expected)


def test_attention_is_written_out() -> None:
    attention = MultiHeadAttention(6, 2, 5, dtype=F64)
    x = torch.randn(3, 5, 6, dtype=F64, generator=torch.Generator().manual_seed(0))
    assert attention.query_key is not None
    query, key = attention.query_key(x).split(6, dim=-1)
    value = attention.value(x)
    heads = []
    for h in range(2):
        q, k, v = (t[..., 3 * h : 3 * h + 3] for t in (query, key, value))
        weights = torch.einsum("bnd,bmd->bnm", q, k).div(math.sqrt(3)).exp()
        heads.append(torch.einsum("bnm,bmd->bnd", weights / weights.sum(-1, keepdim=True), v))
    torch.testing.assert_close(attention(x), attention.output(torch.cat(heads, dim=-1)))


def test_attention_is_torchs() -> None:
    ours = MultiHeadAttention(6, 2, 5, dtype=F64)
    theirs = nn.MultiheadAttention(6, 2, batch_first=True, dtype=F64)
    assert ours.query_key is not None
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query_key.weight, ours.value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query_key.bias, ours.value.bias]))
        theirs.out_proj.load_state_dict(ours.output.state_dict())
    x = torch.randn(3, 5, 6, dtype=F64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0])


def _simplex_oracle(v: Tensor) -> Tensor:
    """min |w - v|^2 on the simplex by brute force: every face, the plane through it, the nearest feasible point."""
    found = []
    for size in range(1, len(v) + 1):
        for face in combinations(range(len(v)), size):
            w = torch.zeros_like(v)
            on = list(face)
            w[on] = v[on] + (1 - v[on].sum()) / size
            if bool((w >= -1e-12).all()):
                found.append((float((w - v).square().sum()), w))
    return min(found, key=lambda pair: pair[0])[1]


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_the_projection_is_the_nearest_point(n: int) -> None:
    values = torch.randn(12, n, dtype=F64, generator=torch.Generator().manual_seed(n)) * 2
    projected = project_to_simplex(values)
    assert bool((projected >= 0).all())
    torch.testing.assert_close(projected.sum(-1), torch.ones(12, dtype=F64))
    for v, w in zip(values, projected):
        torch.testing.assert_close(w, _simplex_oracle(v), atol=1e-12, rtol=0)


def test_the_projection_leaves_the_simplex_alone() -> None:
    inside = torch.rand(6, 7, dtype=F64, generator=torch.Generator().manual_seed(0)).softmax(-1)
    torch.testing.assert_close(project_to_simplex(inside), inside)
    torch.testing.assert_close(project_to_simplex(inside + 1e6), inside, atol=1e-9, rtol=0)
    ties = project_to_simplex(torch.full((2, 4), 3.0))
    torch.testing.assert_close(ties, torch.full((2, 4), 0.25))
    assert torch.autograd.gradcheck(project_to_simplex, (torch.randn(3, 5, dtype=F64).requires_grad_(),))


def test_projected_matrices_are_stochastic_and_free_ones_need_not_be() -> None:
    x = torch.randn(3, 5, 6, dtype=F64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        free, projected = (KANAttention(6, 2, 5, rank=3, projection=p, dtype=F64).matrix(x) for p in (False, True))
    assert float((free.sum(-1) - 1).abs().max()) > 0.01
    assert bool((projected >= 0).all())
    torch.testing.assert_close(projected.sum(-1), torch.ones_like(projected.sum(-1)))
    torch.testing.assert_close(projected, project_to_simplex(free))


def test_another_number_of_tokens_is_refused() -> None:
    with pytest.raises(InputError, match="number of tokens"):
        KANAttention(6, 2, 5)(torch.zeros(3, 6, 6))
    with pytest.raises(InputError, match="number of tokens"):
        LogitOperator(5, 2)(torch.zeros(3, 2, 6, 6))
    with pytest.raises(InputError, match="another n_tokens"):
        MultiHeadAttention(6, 2, 5)(torch.zeros(3, 4, 6))
    with pytest.raises(InputError, match="images of shape"):
        _vit(attention="softmax")(torch.zeros(3, 2, 4, 8))


@pytest.mark.parametrize(
    "options",
    [
        {"num_heads": 4},
        {"rank": 0},
        {"attention": "linear"},
        {"pool": "max"},
        {"attention": "softmax", "shared": True},
        {"depth": 0},
    ],
)
def test_what_makes_no_transformer_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        _vit(**options)
    with pytest.raises(InputError, match="got an operator"):
        KANAttention(6, 2, 5, operator=LogitOperator(4, 2))


def test_one_operator_for_all_blocks_or_one_for_each() -> None:
    each, shared = _vit(), _vit(shared=True)
    assert each.blocks[0].attention.activation is not each.blocks[1].attention.activation
    assert shared.blocks[0].attention.activation is shared.blocks[1].attention.activation

    def count(model: nn.Module) -> int:
        return sum(p.numel() for p in model.parameters())

    assert count(each) - count(shared) == count(shared.blocks[0].attention.activation)
    shared(_images().float()).square().sum().backward()
    assert all(p.grad is not None for p in shared.parameters() if p.requires_grad)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_attention_differs(kind: Any) -> None:
    """Same parameters outside, and the matrices do or do not depend on the images, as their names say."""
    model = _vit(attention=kind, dtype=F64)
    outside = {
        name: tuple(p.shape)
        for name, p in model.named_parameters()
        if not any(part in name for part in ("activation", "query_key"))
    }
    expected = {name: tuple(p.shape) for name, p in _vit().named_parameters() if name in outside}
    assert outside == expected
    attention = model.blocks[0].attention
    a, b = (attention.matrix(model.tokens(_images(seed=s))) for s in (0, 1))
    assert torch.equal(a, b) == (kind in ("uniform", "static"))
    if kind == "uniform":
        torch.testing.assert_close(a, torch.full_like(a, 1 / 6))
        tokens = torch.randn(2, 6, 6, dtype=F64)
        y = attention(tokens)
        torch.testing.assert_close(y, y.mean(1, keepdim=True).expand_as(y))  # every token got the same mean
    used = [name for name, p in model.named_parameters() if p.requires_grad]
    model(_images()).square().sum().backward()
    assert all(float(model.get_parameter(name).grad.abs().sum()) > 0 for name in used)


def test_static_attention_has_no_logits() -> None:
    static = MultiHeadAttention(6, 2, 5, StaticAttention(2, 5))
    with pytest.raises(InputError, match="no logits"):
        static.logits(torch.zeros(3, 5, 6))


def test_patches_are_cut_as_they_lie() -> None:
    """A linear embedding of patches is a convolution whose stride is its width."""
    model = _vit(attention="softmax", dtype=F64)
    x = _images()
    kernel = model.embedding.weight.reshape(6, 2, 2, 2)
    convolved = nn.functional.conv2d(x, kernel, model.embedding.bias, stride=2).flatten(2).transpose(1, 2)
    torch.testing.assert_close(model.tokens(x), convolved + model.positions)
