"""Fits to one region after another: a network of one layer keeps what it knows where the new rows say nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kanlib import KAN, fit
from kanlib.gauss_newton import gauss_newton

F64 = torch.float64
REGIONS = ((-1.0, -0.4), (-0.3, 0.3), (0.4, 1.0))  # a tenth apart, more than the three cells a cubic spline reaches


def _rows(region: tuple[float, float], columns: int = 1) -> Tensor:
    low, high = region
    return low + (high - low) * torch.rand(200, columns, generator=torch.Generator().manual_seed(0), dtype=F64)


def _law(x: Tensor) -> Tensor:
    return torch.sin(5 * x).sum(1) + x[:, 0] ** 2


def _network(columns: int = 1, **options: object) -> KAN:
    settings = {"grid_size": 80, "base": None, "generator": torch.Generator().manual_seed(1), "dtype": F64, **options}
    return KAN([columns, 1], **settings)  # type: ignore[arg-type]


def _errors(model: KAN, columns: int = 1) -> list[float]:
    tables = [_rows(region, columns) for region in REGIONS]
    return [float((model(x)[:, 0] - _law(x)).detach().square().mean().sqrt()) for x in tables]


@pytest.mark.parametrize("columns", [1, 2])
def test_earlier_regions_are_kept(columns: int) -> None:
    model = _network(columns)
    own: list[float] = []
    for number, region in enumerate(REGIONS):
        before = [model(_rows(r, columns)).detach() for r in REGIONS[:number]]
        x = _rows(region, columns)
        result = fit(model, x, _law(x), update_grid=False, progress=False)
        assert result.method == "gauss-newton"
        own.append(_errors(model, columns)[number])
        for r, was in zip(REGIONS, before, strict=False):
            torch.testing.assert_close(model(_rows(r, columns)).detach(), was, atol=1e-8, rtol=0)
    assert max(own) < 1e-4 and _errors(model, columns) == pytest.approx(own, abs=1e-8)


def test_a_base_function_reaches_everywhere_and_forgets() -> None:
    model = _network(base="silu", grid_size=10)
    for region in REGIONS:
        x = _rows(region)
        fit(model, x, _law(x), update_grid=False, progress=False)
    assert _errors(model)[0] > 1e-2


@pytest.mark.parametrize("base", [None, "silu"])
def test_what_the_rows_determine_does_not_depend_on_where_the_fit_starts(base: str | None) -> None:
    x = 2 * torch.rand(400, 1, generator=torch.Generator().manual_seed(2), dtype=F64) - 1
    found = []
    for start in (0.0, 1.0, 100.0):
        model = _network(base=base, grid_size=8)
        with torch.no_grad():
            model.layers[0].coefficients.normal_(0.0, start, generator=torch.Generator().manual_seed(3))
        gauss_newton(model, x, _law(x), roughness=1e-6)
        found.append(model(x).detach())
    torch.testing.assert_close(found[0], found[1], atol=1e-9, rtol=0)
    torch.testing.assert_close(found[0], found[2], atol=1e-9, rtol=0)


def test_the_roughness_is_that_of_the_curve_not_of_its_change() -> None:
    x = 2 * torch.rand(100, 1, generator=torch.Generator().manual_seed(2), dtype=F64) - 1
    model = _network()
    fit(model, x, torch.sin(20 * x[:, 0]), update_grid=False, progress=False)
    fit(model, x, x[:, 0] + 0.3, roughness=1.0, update_grid=False, progress=False)
    points = torch.linspace(-1, 1, 50, dtype=F64)[:, None]
    torch.testing.assert_close(model(points).detach(), points + 0.3, atol=1e-3, rtol=0)


@pytest.mark.parametrize("init", ["power_law", "zero_spline"])
@pytest.mark.parametrize("base", [None, "silu"])
def test_a_fresh_network_stays_near_its_start_in_cells_without_rows(init: str, base: str | None) -> None:
    x = torch.cat([_rows(REGIONS[0]), _rows(REGIONS[2])])
    model = _network(init=init, base=base)
    assert fit(model, x, _law(x), update_grid=False, progress=False).train_loss < 1e-6
    gap = torch.linspace(-0.25, 0.25, 50, dtype=F64)[:, None]
    assert float(model(gap).detach().abs().max()) < 3


def test_several_outputs_are_kept_too() -> None:
    model = KAN([1, 2], grid_size=80, base=None, generator=torch.Generator().manual_seed(1), dtype=F64)
    for region in REGIONS:
        x = _rows(region)
        gauss_newton(model, x, torch.stack([_law(x), 2 - _law(x)], dim=1))
    for region in REGIONS:
        x = _rows(region)
        torch.testing.assert_close(model(x).detach(), torch.stack([_law(x), 2 - _law(x)], dim=1), atol=1e-3, rtol=0)
