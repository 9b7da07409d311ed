"""Sensor windows: KAN extractors, KAN and MLP mixers, a CNN of equal size, and features by hand; people kept apart.

This is no reproduction of the papers' numbers (arXiv 2406.11914, 2605.19031): windows are synthetic (`har_data`), and
what is measured is how the modules compare on them. Training, validation and test windows are of different people. A
seed draws people, windows and first weights; settings are chosen by the validation windows of seed 0 at the middle
noise, from the same three for every network, and the penalty of the logistic regression likewise. The lowest
and the highest noise have three seeds at most.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from benchmarks.foundation.tables import BriefTable, Table
from benchmarks.parts import Options
from kanlib.architectures.har import HARClassifier

from .contest import at_the_end
from .har_data import ACTIVITIES, Split, split
from .har_features import hand_features
from .har_models import MODELS, Standardised, new_model
from .har_picture import draw
from .training import n_parameters, train
from .trials import Setting, with_spread

__all__ = ["HAND", "NOISES", "draw", "make", "scores"]

COLUMNS = (
    *("noise", "model", "seed", "accuracy", "macro F1", "parameters", "learning rate", "weight decay", "seconds"),
    "picture",
)
NOISES = (0.3, 0.8, 1.5)  # standard deviation, where the waveforms' is near 1
EPOCHS = 30
SETTINGS = (Setting(1e-2), Setting(1e-2, 1e-3), Setting(3e-2, 1e-3))
HAND, PENALTIES = "features by hand", (0.01, 0.1, 1.0)


def make(options: Options) -> Table:
    """Every noise, model and seed."""
    noises = NOISES[:1] if options.quick else NOISES
    settings = SETTINGS[:1] if options.quick else SETTINGS
    tuning = split(0, noises[len(noises) // 2])
    rows: list[list[object]] = []
    for name in MODELS:
        losses = {setting: _train(name, tuning, 0, setting)[1] for setting in settings if len(settings) > 1}
        chosen = min(losses, key=lambda setting: losses[setting]) if losses else settings[0]
        for noise in noises:
            for seed in range(_seeds(noise, options)):
                rows.append(_row(name, noise, seed, chosen))
            options.say(f"noise {noise}, {name}: accuracy {rows[-1][3]:.3f}, {rows[-1][5]} parameters")
        if note := at_the_end(chosen.learning_rate, [setting.learning_rate for setting in settings]):
            options.say(f"{name}: {note}")
    penalty = _penalty(tuning)
    rows += [_hand(noise, seed, penalty) for noise in noises for seed in range(_seeds(noise, options))]
    rows = with_spread(COLUMNS, rows, ("noise", "model"), ("accuracy", "macro F1", "seconds"))
    title = f"Sensor windows (synthetic): {len(ACTIVITIES)} activities, people not trained on"
    return BriefTable("family_har", title, COLUMNS, rows, _checks(rows), hidden=("picture",))


def _seeds(noise: float, options: Options) -> int:
    """All seeds at the middle noise, three at most at the others."""
    return options.seeds if noise == NOISES[1] else min(options.seeds, 3)


def scores(truth: torch.Tensor, named: torch.Tensor) -> tuple[float, float]:
    """Accuracy, and the mean over activities of F1."""
    return float(accuracy_score(truth, named)), float(f1_score(truth, named, average="macro"))


def _train(name: str, data: Sequence[Split], seed: int, setting: Setting) -> tuple[Standardised, float, float]:
    known, held, _ = data
    model = new_model(name, known.X, torch.Generator().manual_seed(seed))
    run = train(
        model,
        (known.X, known.y),
        (held.X, held.y),
        nn.functional.cross_entropy,
        epochs=EPOCHS,
        seed=seed,
        **asdict(setting),
    )
    return model, run.validation_loss, run.seconds


def _row(name: str, noise: float, seed: int, setting: Setting) -> list[object]:
    data = split(seed, noise)
    model, _, seconds = _train(name, data, seed, setting)
    model.eval()
    with torch.no_grad():
        named = model(data[2].X).argmax(dim=1)
    picture = ""
    if seed == 0 and noise == NOISES[0] and name == "KAN convolution":
        picture = json.dumps(_curves(model), separators=(",", ":"))
    sizes = (n_parameters(model), setting.learning_rate, setting.weight_decay, seconds)
    return [noise, name, seed, *scores(data[2].y, named), *sizes, picture]


@torch.no_grad()
def _curves(model: Standardised) -> dict[str, object]:
    """The functions of the feature with the widest sums: for every channel one for each sample of the patch."""
    assert isinstance(model.model, HARClassifier)
    conv = model.model.extractor.first
    functions, kernel = conv.functions, conv.geometry.kernel_size[0]
    ends = functions.grid[:, [0, -1]]
    x = torch.lerp(ends[:, 0], ends[:, 1], torch.linspace(0, 1, 25)[:, None])  # (points, channels)
    values = functions.edges(x).unflatten(1, (-1, kernel))  # (points, features, samples, channels)
    feature = int(values.std(dim=0).sum(dim=(1, 2)).argmax())
    return {
        "x": [[round(v, 2) for v in channel] for channel in x.T.tolist()],
        "curves": [
            [[round(v, 3) for v in curve] for curve in channel]
            for channel in values[:, feature].permute(2, 1, 0).tolist()
        ],
    }


def _fit(known: Split, penalty: float) -> object:
    found = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=2000))
    return found.fit(hand_features(known.X).numpy(), known.y.numpy())


def _penalty(data: Sequence[Split]) -> float:
    X, y = hand_features(data[1].X).numpy(), data[1].y.numpy()
    return max(PENALTIES, key=lambda penalty: _fit(data[0], penalty).score(X, y))  # type: ignore[attr-defined]


def _hand(noise: float, seed: int, penalty: float) -> list[object]:
    known, _, new = split(seed, noise)
    found = _fit(known, penalty)
    features = hand_features(new.X)
    named = torch.as_tensor(found.predict(features.numpy()))  # type: ignore[attr-defined]
    count = (features.shape[1] + 1) * len(ACTIVITIES)
    return [noise, HAND, seed, *scores(new.y, named), count, "", "", 0.0, ""]


def _checks(rows: Sequence[Sequence[object]]) -> dict[str, bool]:
    def mean(model: str) -> float:
        """Accuracy at the lowest noise."""
        own = [row for row in rows if row[:2] == [NOISES[0], model] and isinstance(row[2], int)]
        return float(np.mean([float(str(row[3])) for row in own]))

    return {
        "low noise: a KAN convolution names more than 90 % of the windows of new people": mean("KAN convolution") > 0.9,
        "low noise: so do a CNN and features by hand": min(mean("CNN"), mean(HAND)) > 0.9,
    }
