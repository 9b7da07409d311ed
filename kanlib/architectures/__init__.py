"""Published systems made of KAN layers, one file each: plain torch modules, trained by any torch loop.

Every module takes the options of `kanlib.KANLayer` as keywords (`LayerOptions`) and passes them to the layers inside,
so bases are interchangeable. `fit_grids` sizes all grids in a module by data; `inside` takes a layer out of one as a
network of its own, to be drawn, pruned, and read as a formula.
"""

from __future__ import annotations

from .attention import MultiHeadAttention, StaticAttention
from .autoencoder import KANAutoencoder
from .convolution import KANConv1d, KANConv2d, KANConv3d
from .deep import DeepKAN, KANBlock
from .grkan import GRKAN
from .har import HARClassifier, KANFeatureExtractor
from .har_mixer import KANMixer
from .inner_layers import as_kan, inside, layer_inputs
from .kamoe import KAMoE, load_balance
from .karat import KANAttention, LogitOperator, project_to_simplex
from .ode import KANODE, rk4
from .ode_derivatives import SmoothTrajectory, smooth_derivatives
from .parts import LayerOptions, fit_grids
from .sconvkan import SelectiveKANConv1d, SelectiveKANConv2d, SelectiveKANConv3d
from .selection import prune_bases, select_bases
from .skan import SKAN, SelectiveKANLayer
from .tkan import TKAN, TKANCell, TKANState
from .variance import preserve_variance
from .vit import VisionTransformer

__all__ = [
    "GRKAN",
    "KANODE",
    "SKAN",
    "TKAN",
    "DeepKAN",
    "HARClassifier",
    "KAMoE",
    "KANAttention",
    "KANAutoencoder",
    "KANBlock",
    "KANConv1d",
    "KANConv2d",
    "KANConv3d",
    "KANFeatureExtractor",
    "KANMixer",
    "LayerOptions",
    "LogitOperator",
    "MultiHeadAttention",
    "SelectiveKANConv1d",
    "SelectiveKANConv2d",
    "SelectiveKANConv3d",
    "SelectiveKANLayer",
    "SmoothTrajectory",
    "StaticAttention",
    "TKANCell",
    "TKANState",
    "VisionTransformer",
    "as_kan",
    "fit_grids",
    "inside",
    "layer_inputs",
    "load_balance",
    "preserve_variance",
    "project_to_simplex",
    "prune_bases",
    "rk4",
    "select_bases",
    "smooth_derivatives",
]
