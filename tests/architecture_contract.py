"""What every architecture promises; a test class inherits it and says how its module is made."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kanlib import KANLayer, attribute
from kanlib.architectures.inner_layers import inside, layer_inputs
from kanlib.errors import InputError, KanlibError

BASES = (
    *("bspline", "gaussian", "chebyshev", "legendre", "fourier"),
    *("mexican_hat", "morlet", "dog", "rational", "piecewise_linear"),
)


class ArchitectureContract:
    """Inherit, name the class Test..., and write `make`, `inputs` and `output_shape`.

    The first dimension of every input and output is the batch. `tolerance` is for float32 results that take another
    way (compiled, another batch size).
    """

    tolerance = 1e-4

    def make(self, **options: Any) -> nn.Module:
        """A small module; the options are those of KANLayer and go to the layers inside."""
        raise NotImplementedError

    def inputs(self, batch: int, dtype: torch.dtype, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Inputs of the forward pass for so many rows."""
        raise NotImplementedError

    def output_shape(self, batch: int) -> tuple[int, ...]:
        raise NotImplementedError

    def output(self, module: nn.Module, *inputs: Tensor) -> Tensor:
        """The output that is compared; override where forward returns more than a tensor."""
        result: Tensor = module(*inputs)
        return result

    def _inputs(self, batch: int, dtype: torch.dtype = torch.float32, seed: int = 1) -> tuple[Tensor, ...]:
        return self.inputs(batch, dtype, torch.Generator().manual_seed(seed))

    @pytest.mark.parametrize("batch", [1, 2, 7])
    def test_shapes_for_any_batch_size(self, batch: int) -> None:
        y = self.output(self.make(), *self._inputs(batch))
        assert tuple(y.shape) == self.output_shape(batch) and bool(y.isfinite().all())

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_dtype(self, dtype: torch.dtype) -> None:
        module = self.make(dtype=dtype)
        assert {p.dtype for p in module.parameters()} == {dtype}
        assert self.output(module, *self._inputs(3, dtype)).dtype == dtype

    def test_device(self) -> None:
        """Everything is made on the device asked for: "meta" shows it on any machine; a GPU gives the CPU's values."""
        module = self.make(device="meta")
        assert {t.device.type for t in (*module.parameters(), *module.buffers())} == {"meta"}
        y = self.output(module, *(x.to("meta") for x in self._inputs(3)))
        assert tuple(y.shape) == self.output_shape(3)
        if torch.cuda.is_available():
            there = self.make(device="cuda")
            x = self._inputs(3)
            on_gpu = self.output(there, *(t.cuda() for t in x)).cpu()
            torch.testing.assert_close(on_gpu, self.output(self.make(), *x), atol=1e-3, rtol=1e-3)

    def test_first_weights_come_from_the_generator(self) -> None:
        state = torch.random.get_rng_state()
        same = [self.make(generator=torch.Generator().manual_seed(s)) for s in (3, 3, 4)]
        assert torch.equal(torch.random.get_rng_state(), state), "the global random state moved"
        a, b, c = (nn.utils.parameters_to_vector(m.parameters()) for m in same)
        assert torch.equal(a, b) and not torch.equal(a, c)

    def test_state_goes_through_a_file(self) -> None:
        module, other = self.make(), self.make(generator=torch.Generator().manual_seed(9))
        x = self._inputs(4)
        file = io.BytesIO()
        torch.save(module.state_dict(), file)
        file.seek(0)
        other.load_state_dict(torch.load(file, weights_only=True))  # weights_only: numbers and names, no code
        assert torch.equal(self.output(other, *x), self.output(module, *x))

    def test_compiles_in_one_piece(self) -> None:
        torch._dynamo.reset()
        module = self.make()
        x = self._inputs(4)
        # aot_eager traces forwards and backwards as the default backend does, without a C++ compiler.
        compiled = torch.compile(lambda *x: self.output(module, *x), backend="aot_eager", fullgraph=True)
        eager, fast = self.output(module, *x), compiled(*x)
        torch.testing.assert_close(fast, eager, atol=self.tolerance, rtol=self.tolerance)
        parameters = [p for p in module.parameters() if p.requires_grad]
        for a, b in zip(
            torch.autograd.grad(fast.square().sum(), parameters, allow_unused=True),
            torch.autograd.grad(eager.square().sum(), parameters, allow_unused=True),
        ):
            assert (a is None) == (b is None)
            if a is not None:
                scale = float(b.abs().max()) + 1e-6
                torch.testing.assert_close(a, b, atol=self.tolerance * scale, rtol=1e-3)

    def test_every_parameter_gets_a_gradient(self) -> None:
        module = self.make()
        self.output(module, *self._inputs(5)).square().sum().backward()
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:
                assert name.endswith("edge_constants")  # of edges fixed to a primitive, where there are none
                continue
            assert parameter.grad is not None, f"{name} is not in the graph"
            assert bool(parameter.grad.isfinite().all()), f"{name} has a gradient that is not finite"
            assert float(parameter.grad.abs().sum()) > 0, f"{name} has a gradient of zero"

    def test_gradients_are_right(self) -> None:
        module = self.make(dtype=torch.float64)
        x = tuple(t.requires_grad_(t.is_floating_point()) for t in self._inputs(2, torch.float64))
        assert torch.autograd.gradcheck(lambda *x: self.output(module, *x), x, fast_mode=True)

    def test_permuting_the_batch_permutes_the_output(self) -> None:
        module = self.make(dtype=torch.float64)
        x = self._inputs(6, torch.float64)
        order = torch.tensor([3, 0, 5, 1, 4, 2])
        permuted = self.output(module, *(t[order] for t in x))
        torch.testing.assert_close(permuted, self.output(module, *x)[order], atol=1e-10, rtol=1e-10)

    def test_rows_do_not_see_each_other(self) -> None:
        module = self.make(dtype=torch.float64)
        x = self._inputs(4, torch.float64)
        alone = torch.cat([self.output(module, *(t[k : k + 1] for t in x)) for k in range(4)])
        torch.testing.assert_close(self.output(module, *x), alone, atol=1e-10, rtol=1e-10)

    def test_no_rows_and_rows_of_nan(self) -> None:
        module = self.make()
        assert tuple(self.output(module, *self._inputs(0)).shape) == self.output_shape(0)
        first, *rest = self._inputs(3)
        bad = first.clone()
        bad[1] = float("nan")
        y, good = self.output(module, bad, *rest), self.output(module, first, *rest)
        assert bool(y[1].isnan().any())
        torch.testing.assert_close(y[[0, 2]], good[[0, 2]], atol=self.tolerance, rtol=self.tolerance)

    def test_what_is_no_tensor_of_the_modules_dtype_is_refused(self) -> None:
        module = self.make()
        first, *rest = self._inputs(2)
        for wrong in (first.tolist(), first.double()):
            with pytest.raises(KanlibError):
                self.output(module, wrong, *rest)

    @pytest.mark.parametrize("basis", BASES)
    def test_every_basis_works(self, basis: str) -> None:
        module = self.make(basis=basis)
        y = self.output(module, *self._inputs(3))
        y.square().sum().backward()
        assert tuple(y.shape) == self.output_shape(3) and bool(y.isfinite().all())
        assert all(bool(p.grad.isfinite().all()) for p in module.parameters() if p.grad is not None)

    def test_layers_inside_are_networks_of_their_own(self) -> None:
        """What the core's tools (plots, prune, symbolify) are given: the layer as a KAN, and the rows it gets."""
        module = self.make(dtype=torch.float64)
        x = self._inputs(5, torch.float64)
        reached = [layer for layer in layer_inputs(module, *x) if type(layer) is KANLayer]
        names = {layer: name for name, layer in module.named_modules()}
        for layer in reached:
            network, rows = inside(module, names[layer], *x)
            assert torch.equal(network(rows), layer(rows)) and bool(
                torch.isfinite(attribute(network, rows).inputs).all()
            )

    def test_inputs_of_another_width_are_refused(self) -> None:
        first, *rest = self._inputs(2)
        with pytest.raises(KanlibError):
            self.output(self.make(), first[..., :-1], *rest)

    def test_a_layer_option_that_makes_no_sense_is_refused(self) -> None:
        with pytest.raises((InputError, TypeError)):
            self.make(grid_size=0)
