"""Autoencoders: 8 x 8 digits through codes of 2 to 16 numbers; KANs, a perceptron of equal size, and PCA.

The test rows are the same for all seeds, so that settings chosen on the first seed's validation rows were chosen
without them; a seed draws which of the other rows are for training, and the first weights. Codes are also judged by a
k-nearest-neighbour classifier that is fitted on the codes of the training rows and scored on the test rows. Claims of
who is ahead are of paired tests over the seeds: over trainings, that is, with those test rows given.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn

from benchmarks.foundation.tables import BriefTable, Table
from benchmarks.parts import Options
from kanlib.architectures.autoencoder import KANAutoencoder
from kanlib.architectures.parts import fit_grids

from .autoencoder_picture import draw
from .contest import at_the_end, verdict
from .digits import digits
from .training import evaluate, n_parameters, train
from .trials import Setting, choose, matched_width, perceptron, with_spread

__all__ = ["Digits", "MLPAutoencoder", "draw", "flat_digits", "make", "neighbour_accuracy"]

COLUMNS = (
    *("model", "code", "seed", "MSE", "k-NN accuracy", "parameters", "learning rate", "weight decay", "seconds"),
    "picture",
)
CODES = (2, 4, 8, 16)
GRID = {"grid_size": 2, "degree": 2, "grid_range": (0.0, 1.0)}
EPOCHS, NEIGHBOURS = 120, 5
SETTINGS = (Setting(1e-2), Setting(1e-2, 1e-5), Setting(3e-3))
PIXELS = "pixels themselves"


@dataclass(frozen=True)
class Digits:
    """Pixels in [0, 1] and labels of three disjoint sets of rows."""

    train: Tensor
    validation: Tensor
    test: Tensor
    train_labels: Tensor
    test_labels: Tensor


def hidden(code: int) -> tuple[int, int]:
    """Widths between pixels and code in the KAN; no layer is narrower than the code."""
    return 20, max(12, code)


class MLPAutoencoder(nn.Module):
    """A perceptron 64, w, 32, code, and back."""

    def __init__(self, code: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.encoder = perceptron([64, width, 32, code], generator)
        self.decoder = perceptron([code, 32, width, 64], generator)

    def encode(self, x: Tensor) -> Tensor:
        """Codes."""
        code: Tensor = self.encoder(x)
        return code

    def forward(self, x: Tensor) -> Tensor:
        """Reconstructions."""
        x = self.decoder(self.encode(x))
        return x


def flat_digits(seed: int) -> Digits:
    """The digits of all parts, pixels in a row."""
    rows = digits(seed)
    X, X_validation, X_test = (part[0].flatten(1) for part in (rows.train, rows.validation, rows.test))
    return Digits(X, X_validation, X_test, rows.train[1], rows.test[1])


def neighbour_accuracy(codes: Tensor, labels: Tensor, new_codes: Tensor, new_labels: Tensor) -> float:
    """Share of new rows whose digit their nearest neighbours among the known rows name."""
    known = KNeighborsClassifier(NEIGHBOURS).fit(codes.numpy(), labels.numpy())
    return float(known.score(new_codes.numpy(), new_labels.numpy()))


def make(options: Options) -> Table:
    """Every model, code size and seed; settings by the validation rows of seed 0."""
    codes = (2, 8) if options.quick else CODES
    epochs = 40 if options.quick else EPOCHS
    settings = SETTINGS[:1] if options.quick else SETTINGS
    rows: list[list[object]] = []
    for code in codes:
        for seed in range(options.seeds):
            rows.append(_pca(code, seed))
        for name, new in _models(code).items():
            chosen = settings[0]
            if len(settings) > 1:
                chosen = choose(lambda s, new=new: _train(new, s, 0, epochs)[1], settings)  # type: ignore[misc]
            for seed in range(options.seeds):
                rows.append(_row(name, code, seed, new, chosen, epochs))
            note = at_the_end(chosen.learning_rate, [setting.learning_rate for setting in settings])
            options.say(f"code {code}, {name}: MSE {rows[-1][3]:.4f}, k-NN {rows[-1][4]:.3f}; {note or 'rate inside'}")
    for seed in range(options.seeds):
        data = flat_digits(seed)
        accuracy = neighbour_accuracy(data.train, data.train_labels, data.test, data.test_labels)
        picture = json.dumps({"images": _whole(_examples(data))}) if seed == 0 else ""
        rows.append([PIXELS, 64, seed, 0.0, accuracy, 0, "", "", 0.0, picture])
    rows = with_spread(COLUMNS, rows, ("model", "code"), ("MSE", "k-NN accuracy", "seconds"))
    title = "Autoencoders: 8 x 8 digits, mean squared error on 400 new rows, pixels in [0, 1]"
    return BriefTable("family_autoencoder", title, COLUMNS, rows, _checks(rows), hidden=("picture",))


Maker = Callable[[torch.Generator, Tensor], nn.Module]


def _models(code: int) -> dict[str, Maker]:
    def kan(widths: tuple[int, ...], **grid: int) -> Maker:
        def new(generator: torch.Generator, X: Tensor) -> nn.Module:
            model = KANAutoencoder(64, code, widths, generator=generator, **GRID | grid)  # type: ignore[arg-type]
            fit_grids(model, X)
            return model

        return new

    meta = KANAutoencoder(64, code, hidden(code), device="meta", **GRID)  # type: ignore[arg-type]
    g = torch.Generator()
    width = matched_width(lambda w: n_parameters(MLPAutoencoder(code, w, g)), n_parameters(meta), 160)
    return {
        "KAN": kan(hidden(code)),
        "KAN without hidden layers": kan((), grid_size=5),
        "MLP": lambda generator, X: MLPAutoencoder(code, width, generator),
    }


def _train(new: Maker, setting: Setting, seed: int, epochs: int) -> tuple[nn.Module, float, float]:
    data = flat_digits(seed)
    model = new(torch.Generator().manual_seed(seed), data.train)
    run = train(
        model,
        (data.train, data.train),
        (data.validation, data.validation),
        nn.functional.mse_loss,
        epochs=epochs,
        seed=seed,
        **asdict(setting),
    )
    return model, run.validation_loss, run.seconds


@torch.no_grad()
def _row(name: str, code: int, seed: int, new: Maker, setting: Setting, epochs: int) -> list[object]:
    data = flat_digits(seed)
    with torch.enable_grad():
        model, _, seconds = _train(new, setting, seed, epochs)
    known, fresh = model.encode(data.train), model.encode(data.test)  # type: ignore[operator]
    error = evaluate(model, (data.test, data.test), nn.functional.mse_loss)
    accuracy = neighbour_accuracy(known, data.train_labels, fresh, data.test_labels)
    picture = _picture(code, data, fresh, model(_examples(data)), model) if seed == 0 else ""
    sizes = (n_parameters(model), setting.learning_rate, setting.weight_decay, seconds)
    return [name, code, seed, error, accuracy, *sizes, picture]


def _pca(code: int, seed: int) -> list[object]:
    data = flat_digits(seed)
    found = PCA(code, svd_solver="full").fit(data.train.numpy())

    def encode(x: Tensor) -> Tensor:
        return torch.as_tensor(found.transform(x.numpy()))

    def both(x: Tensor) -> Tensor:
        return torch.as_tensor(found.inverse_transform(found.transform(x.numpy())))

    error = float(nn.functional.mse_loss(both(data.test), data.test))
    accuracy = neighbour_accuracy(encode(data.train), data.train_labels, encode(data.test), data.test_labels)
    picture = _picture(code, data, encode(data.test), both(_examples(data)), None) if seed == 0 else ""
    return ["PCA", code, seed, error, accuracy, 64 * (code + 1), "", "", 0.0, picture]


def _examples(data: Digits) -> Tensor:
    """The first test row of every digit."""
    return torch.stack([data.test[data.test_labels == digit][0] for digit in range(10)])


def _whole(images: Tensor) -> list[list[int]]:
    return (100 * images.clamp(0, 1)).round().int().tolist()


def _picture(code: int, data: Digits, codes: Tensor, images: Tensor, model: nn.Module | None) -> str:
    """What the picture shows of the first seed: 2-D codes, reconstructions, curves of the decoder."""
    kept: dict[str, object] = {"images": _whole(images)}
    if code == 2:
        kept |= {"codes": [[round(v, 3) for v in row] for row in codes.tolist()], "digits": data.test_labels.tolist()}
        if isinstance(model, KANAutoencoder) and len(model.decoder) == 1:
            low, high = codes.quantile(0.01, dim=0), codes.quantile(0.99, dim=0)
            ends = torch.lerp(low, high, torch.linspace(0, 1, 15)[:, None])
            curves = model.decoder[0].edges(ends).permute(2, 1, 0)  # type: ignore[operator]
            kept["curves"] = [[[round(v, 2) for v in curve] for curve in pixels] for pixels in curves.tolist()]
    return json.dumps(kept, separators=(",", ":"))


def _checks(rows: list[list[object]]) -> dict[str, bool]:
    def of(model: str, code: int, column: int) -> list[float]:
        own = (row for row in rows if row[:2] == [model, code] and isinstance(row[2], int))
        return [float(str(row[column])) for row in own]

    codes = sorted({int(str(row[1])) for row in rows if row[0] == "PCA"})
    seeds = len(of("PCA", codes[0], 3))
    claims = {
        "KAN: a lower error than PCA with codes of up to 8 numbers, every seed": all(
            a < b for code in codes if code <= 8 for a, b in zip(of("KAN", code, 3), of("PCA", code, 3))
        ),
        "two numbers of the KAN name the digit more often than two of PCA, by a tenth at least": all(
            a > b + 0.1 for a, b in zip(of("KAN", 2, 4), of("PCA", 2, 4))
        ),
    }
    if seeds < 2:  # nothing to tell two apart by
        return claims

    def error(a: str, b: str, *sizes: int) -> set[str]:
        return {verdict(of(a, code, 3), of(b, code, 3), "lower") for code in sizes}

    flat = "KAN without hidden layers"
    return claims | {
        "an MLP of the KAN's size has the lower error with codes of 4, 8 and 16 numbers": error("KAN", "MLP", 4, 8, 16)
        == {"loses"},
        "with codes of 2 numbers it is a tie of the two, apart by no more than the spread": error("KAN", "MLP", 2)
        == {"undecided"},
        "with codes of 16 numbers KANs, with hidden layers or without, are no better than PCA": "wins"
        not in error("KAN", "PCA", 16) | error(flat, "PCA", 16),
        "KAN without hidden layers: a lower error than PCA with codes of up to 8 numbers": error(flat, "PCA", 2, 4, 8)
        == {"wins"},
    }
