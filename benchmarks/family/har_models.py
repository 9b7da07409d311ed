"""The contestants on sensor windows, of about as many parameters each."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from kanlib.architectures.har import HARClassifier
from kanlib.architectures.har_mixer import KANMixer, MixerBlock
from kanlib.architectures.parts import fit_grids, layer_norm, linear
from kanlib.layer import KANLayer

from .har_data import ACTIVITIES, CHANNELS, LENGTH
from .training import n_parameters
from .trials import matched_width

__all__ = ["CNN", "MODELS", "Standardised", "new_model"]

C, N = len(CHANNELS), len(ACTIVITIES)
# A base function that is linear: what a filter is; better than SiLU on the validation windows of seed 0.
GRID = {"grid_size": 3, "degree": 2, "base": "identity"}
KERNEL, STRIDE, PATCH = 9, 4, 8
FEATURES = {"per_channel": 4, "shared": 12, "convolution": 8, "residual": 8}
MODELS = (
    *("KAN per channel", "KAN shared", "KAN convolution", "KAN residual", "KAN-MLP mixer"),
    *("MLP mixer", "CNN"),
)


class Standardised(nn.Module):
    """Any model on windows whose channels have mean 0 and deviation 1 in the training windows."""

    def __init__(self, model: nn.Module, X: Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("mean", X.mean(dim=(0, 2), keepdim=True))
        self.register_buffer("deviation", X.std(dim=(0, 2), keepdim=True))

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        y: Tensor = self.model((x - self.mean) / self.deviation)
        return y


def _convolution(inputs: int, outputs: int, size: int, generator: torch.Generator, **options: int) -> nn.Conv1d:
    """torch's convolution, with first weights as `parts.linear` has them."""
    layer = nn.Conv1d(inputs, outputs, size, **options)  # type: ignore[arg-type]
    as_linear = linear(inputs * size, outputs, generator=generator)
    with torch.no_grad():
        layer.weight.copy_(as_linear.weight.reshape(layer.weight.shape))
        assert layer.bias is not None and as_linear.bias is not None
        layer.bias.copy_(as_linear.bias)
    return layer


class CNN(nn.Module):
    """Two convolutions with SiLU, laid out as the KAN extractors are, and the same head: mean and maximum over time."""

    def __init__(self, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = _convolution(C, width, KERNEL, generator, stride=STRIDE)
        self.second = _convolution(width, width, 3, generator, padding=1)
        self.head = linear(2 * width, N, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        maps = nn.functional.silu(self.second(nn.functional.silu(self.first(x))))
        logits: Tensor = self.head(torch.cat([maps.mean(-1), maps.amax(-1)], dim=-1))
        return logits


class MLPMixer(nn.Module):
    """`KANMixer` with a linear map of the patches in the place of the KAN."""

    def __init__(self, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.embedding = _convolution(C, width, PATCH, generator, stride=PATCH)
        self.block = MixerBlock(LENGTH // PATCH, width, generator=generator)
        self.norm = layer_norm(width)
        self.head = linear(width, N, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.head(self.norm(self.block(self.embedding(x).transpose(1, 2))).mean(dim=1))
        return logits


def new_model(name: str, X: Tensor, generator: torch.Generator) -> Standardised:
    """The model of that name, with grids sized by the training windows."""

    def extractor(variant: str) -> HARClassifier:
        options = {"features": FEATURES[variant], "kernel_size": KERNEL, "stride": STRIDE, **GRID}
        return HARClassifier(C, N, variant=variant, generator=generator, **options)  # type: ignore[arg-type]

    def mixer() -> KANMixer:
        return KANMixer(C, LENGTH, N, width=10, patch=PATCH, blocks=1, generator=generator, **GRID)  # type: ignore[arg-type]

    makers: dict[str, Callable[[], nn.Module]] = {
        "KAN per channel": lambda: extractor("per_channel"),
        "KAN shared": lambda: extractor("shared"),
        "KAN convolution": lambda: extractor("convolution"),
        "KAN residual": lambda: extractor("residual"),
        "KAN-MLP mixer": mixer,
        "MLP mixer": lambda: MLPMixer(_width(lambda w: MLPMixer(w, torch.Generator()), mixer), generator),
        "CNN": lambda: CNN(_width(lambda w: CNN(w, torch.Generator()), lambda: extractor("convolution")), generator),
    }
    seed = generator.initial_seed()
    makers[name]()  # what a count of parameters draws does not count
    generator.manual_seed(seed)
    model = Standardised(makers[name](), X)
    if any(isinstance(part, KANLayer) for part in model.modules()):
        fit_grids(model, X[::2])
    return model


def _width(new: Callable[[int], nn.Module], like: Callable[[], nn.Module]) -> int:
    return matched_width(lambda width: n_parameters(new(width)), n_parameters(like()), 80)
