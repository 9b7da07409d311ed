"""Learned activations of attention logits (KArAt, arXiv 2503.10632) against softmax, and against no attention at all.

One small vision transformer reads scikit-learn's digits of 8 x 8 pixels as 16 patches of 2 x 2; only its attention
changes. Two controls do not look at the image: the mean of all tokens, and a learned matrix. They have no queries and
keys, and get a wider perceptron for that, so that all have as many parameters. The last columns compare with the
learned matrix and with softmax, seed by seed: where KArAt is not better than the matrix, its look at the image earned
nothing. All seeds share the test rows: a verdict is over trainings, with those rows given.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from benchmarks.foundation.tables import BriefTable, Table
from benchmarks.parts import Options
from kanlib import attribute
from kanlib.architectures.inner_layers import inside
from kanlib.architectures.karat import KANAttention
from kanlib.architectures.vit import VisionTransformer

from .contest import Entry, Split, against, compete, verdict
from .digits import accuracy, digits
from .karat_picture import draw
from .training import n_parameters

__all__ = ["CONTESTANTS", "build", "draw", "make", "scaled_digits"]

EMBED_DIM, DEPTH, HEADS, RANK, MLP_DIM = 24, 2, 2, 6, 24
STATIC, SOFTMAX = "learned matrix, blind to the image", "softmax"
# name -> what it asks of the transformer, with the perceptron's width that makes parameters alike
CONTESTANTS: Mapping[str, dict[str, Any]] = {
    "KArAt, blockwise": {"attention": "karat"},
    "KArAt, shared": {"attention": "karat", "shared": True, "mlp_dim": 38},
    "KArAt, blockwise, on the simplex": {"attention": "karat", "projection": True},
    "KArAt, blockwise, B-splines": {"attention": "karat", "basis": "bspline", "grid_size": 4, "degree": 3},
    SOFTMAX: {"attention": "softmax", "mlp_dim": 54},
    "uniform": {"attention": "uniform", "mlp_dim": 78},
    STATIC: {"attention": "static", "mlp_dim": 68},
}
RATES, QUICK_RATES = (1e-3, 3e-3, 1e-2, 3e-2), (1e-2,)
EPOCHS, QUICK_EPOCHS = 30, 8
COLUMNS = (
    *("model", "seed", "test accuracy", "spread", "validation loss", "learning rate", "parameters", "seconds"),
    *("against the learned matrix", "against softmax", "note", "curves"),
)


def scaled_digits(seed: int) -> Split:
    """The digits of all parts, pixels in [-1, 1]."""
    rows = digits(seed)
    return Split(*((2 * images - 1, labels) for images, labels in (rows.train, rows.validation, rows.test)))


def build(name: str, seed: int) -> VisionTransformer:
    """The transformer of a contestant."""
    given = {"mlp_dim": MLP_DIM, "rank": RANK, **CONTESTANTS[name]}
    generator = torch.Generator().manual_seed(seed)
    return VisionTransformer(
        (8, 8), 1, 2, embed_dim=EMBED_DIM, depth=DEPTH, num_heads=HEADS, out_features=10, generator=generator, **given
    )


def make(options: Options) -> Table:
    """Every contestant and seed, and a row of means for each."""
    rates, epochs = (QUICK_RATES, QUICK_EPOCHS) if options.quick else (RATES, EPOCHS)
    scores: dict[str, list[float]] = {}
    rows: dict[str, list[list[object]]] = {}
    for name in CONTESTANTS:
        entries = compete(
            lambda seed, _, name=name: build(name, seed),  # type: ignore[misc]
            scaled_digits,
            nn.functional.cross_entropy,
            seeds=options.seeds,
            rates=rates,
            epochs=epochs,
        )
        scores[name], rows[name] = [], []
        for entry in entries:
            scores[name].append(accuracy(entry.module, scaled_digits(entry.seed).test))
            rows[name].append(_row(name, entry, scores[name][-1]))
        options.say(f"{name}: accuracy {statistics.fmean(scores[name]):.4f}")
    for name, own in scores.items():
        verdicts = ["" if name == other else against(own, scores[other]) for other in (STATIC, SOFTMAX)]
        rows[name].append(_summary(rows[name], own, verdicts))
    return BriefTable(
        "family_karat",
        "Attention on 8 x 8 digits: learned activations of logits, softmax, and controls that do not look",
        COLUMNS,
        [row for own in rows.values() for row in own],
        _checks(scores, [row for own in rows.values() for row in own], options.quick),
        hidden=("curves",),
    )


def _row(name: str, entry: Entry, score: float) -> list[object]:
    curves = _curves(entry.module) if entry.seed == 0 else ""
    numbers = (entry.trained.validation_loss, entry.learning_rate, n_parameters(entry.module), entry.trained.seconds)
    return [name, entry.seed, f"{score:.4f}", "", *numbers, "", "", entry.note, curves]


def _summary(rows: Sequence[Sequence[object]], scores: Sequence[float], verdicts: Sequence[str]) -> list[object]:
    spread = f"{statistics.stdev(scores):.4f}" if len(scores) > 1 else ""
    mean_loss, seconds = (statistics.fmean(float(str(row[k])) for row in rows) for k in (4, 7))
    mean = f"{statistics.fmean(scores):.4f}"
    return [rows[0][0], "mean", mean, spread, mean_loss, *rows[0][5:7], seconds, *verdicts, rows[0][-2], ""]


def _curves(module: nn.Module, n_edges: int = 6, n_points: int = 41) -> str:
    """Of the first head of the first block: its strongest edges over the logits it meets, and its mean matrix.

    The operator inside is a network to the core, whose attribution says which edges move the result most. Text:
    "lowest highest | values of a curve | values of a curve | ... || rows of the matrix".
    """
    assert isinstance(module, VisionTransformer)
    images = scaled_digits(0).test[0]
    with torch.no_grad():
        block = module.blocks[0]
        matrix = block.attention.matrix(block.norms[0](module.tokens(images)))
        mean = (matrix.mean(0) if matrix.ndim == 4 else matrix)[0]
    picture = " ".join(f"{v:.3f}" for v in mean.flatten().tolist())
    if not isinstance(block.attention, KANAttention):
        return "||" + picture
    network, logits = inside(module, "blocks.0.attention.activation.edges.0", images)
    low, high = (float(logits.double().flatten()[::7].quantile(q)) for q in (0.005, 0.995))
    scores = attribute(network, logits).edges[0]  # (rank, tokens)
    lines = []
    for k in scores.flatten().topk(n_edges).indices.tolist():
        p, q = divmod(k, scores.shape[1])
        with torch.no_grad():
            values = network.layers[0].edge(torch.linspace(low, high, n_points), q, p)
        lines.append(" ".join(f"{v:.3f}" for v in (values - values.mean()).tolist()))
    return f"{low:.3f} {high:.3f}|" + "|".join(lines) + "||" + picture


def _checks(scores: Mapping[str, Sequence[float]], rows: Sequence[Sequence[object]], quick: bool) -> dict[str, bool]:
    counts = [int(str(row[6])) for row in rows]
    least = 0.6 if quick else 0.85
    claims = {
        "all have as many parameters, within a tenth": max(counts) <= 1.1 * min(counts),
        f"every one learns: more than {least:g} of the images in every seed": min(map(min, scores.values())) > least,
    }
    if quick or len(scores[SOFTMAX]) < 2:  # one seed tells no two apart
        return claims
    ours = [name for name in CONTESTANTS if name.startswith("KArAt")]
    to_matrix = {name: verdict(own, scores[STATIC]) for name, own in scores.items() if name != STATIC}
    return claims | {
        "a matrix that is blind to the image gets more images right than softmax, and than the mean of all tokens": (
            to_matrix[SOFTMAX] == to_matrix["uniform"] == "loses"
        ),
        "no KArAt gets more right than that matrix": all(to_matrix[name] != "wins" for name in ours),
        "every KArAt is in a tie with softmax, apart by no more than the spread over trainings": all(
            verdict(scores[name], scores[SOFTMAX]) == "undecided" for name in ours
        ),
    }
