"""TKAN: forecasts 1 to 15 steps ahead against GRU and LSTM of its size, ridge regression, and naive rules.

One network forecasts all horizons of a series from the last 45 values. Errors are root mean squares on the test rows,
divided by that of the forecast "it stays as it is": 1 is no better, and smaller is better. Networks are trained by the
loop all parts share; for each network and series the learning rate is chosen by validation with the first seed, and a
note says where it is the lowest or highest tried. (For the LSTM, rates of 0.003 and 0.3 had higher validation losses on
every series.) Verdicts against TKAN are over trainings, given one stretch to test.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchmarks.foundation.tables import BriefTable, Table
from benchmarks.parts import Options
from kanlib.architectures.inner_layers import inside
from kanlib.attribution import edge_scores

from .contest import against, at_the_end, verdict
from .forecasters import NETWORKS, Forecaster, ridge
from .series import HORIZONS, SERIES, Rows, Series, load
from .tkan_picture import EDGES_OF, draw
from .training import n_parameters, train

__all__ = ["draw", "make"]

RATES = (1e-2, 3e-2, 1e-1)
STEPS, QUICK_STEPS, BATCH = 300, 45, 64  # steps of Adam, on every series
N_EDGES = 4
TKAN, TANH = "TKAN", "TKAN, tanh candidate"
QUICK_SERIES = "sunspots, yearly"
COLUMNS = (
    *("series", "model", "seed", "parameters", "learning rate", "note", "against TKAN"),
    *(f"{h} ahead" for h in HORIZONS),
    *("mean", "mean R2", "seconds", "curve"),
)
FIRST = COLUMNS.index("1 ahead")
MEAN, AGAINST = COLUMNS.index("mean"), COLUMNS.index("against TKAN")
SUMMARY = "mean ± sd"


def make(options: Options) -> Table:
    """For every series: rules and ridge, then a row a network and seed, then means and deviations over the seeds."""
    rows: list[list[object]] = []
    for name in (QUICK_SERIES,) if options.quick else SERIES:
        rows += _series(load(name), options)
    return BriefTable(
        "family_tkan",
        "TKAN: forecasts from the last 45 values; RMSE divided by that of the last value",
        COLUMNS,
        rows,
        _checks(rows),
        hidden=("curve",),
        printed=lambda row: not row[-1],
    )


def _series(series: Series, options: Options) -> list[list[object]]:
    training, validation, test = parts = series.rows()
    blank = [""] * (FIRST - 2)
    rows: list[list[object]] = [
        [series.name, "last value", *blank, *_judge(series, torch.zeros_like(test[1]), test[1]), "", ""],
        [series.name, "seasonal naive", *blank, *_judge(series, series.seasonal_naive(), test[1]), "", ""],
    ]
    start = time.perf_counter()
    forecast, size = ridge(training, validation, test)
    seconds = time.perf_counter() - start
    rows.append([series.name, "ridge", "", size, *blank[2:], *_judge(series, forecast, test[1]), seconds, ""])
    for name in NETWORKS:
        own, first = _network(name, series, parts, options)
        rows += [*own, _summary(own)]
        options.say(f"{series.name}, {name}: {rows[-1][MEAN]}")
        if (series.name, name) == EDGES_OF:
            rows += _edges(series.name, name, first, training[0])
    for row in rows:
        if row[1] == "ridge" or (row[2] == SUMMARY and row[1] != TKAN):
            row[AGAINST] = _against_tkan(rows, series.name, str(row[1]))
    return rows


def _against_tkan(rows: Sequence[Sequence[object]], series: str, model: str) -> str:
    """The verdict on mean errors; what has no seeds meets every seed of TKAN."""
    own, other = _errors(rows, series, model), _errors(rows, series, TKAN)
    return against(own if len(own) > 1 else own * len(other), other, "lower")


def _errors(rows: Sequence[Sequence[object]], series: object, model: str) -> list[float]:
    """Mean over the horizons, a number a seed."""
    return [float(str(row[MEAN])) for row in rows if row[:2] == [series, model] and row[2] != SUMMARY]


def _network(
    name: str, series: Series, parts: tuple[Rows, Rows, Rows], options: Options
) -> tuple[list[list[object]], Forecaster]:
    """A row a seed, and the network of the first seed."""
    training, validation, test = parts
    epochs = math.ceil((QUICK_STEPS if options.quick else STEPS) / math.ceil(len(training[0]) / BATCH))

    def trained(seed: int, rate: float) -> tuple[Forecaster, float, float]:
        model = NETWORKS[name](training[0], seed)
        result = train(
            model,
            training,
            validation,
            nn.functional.mse_loss,
            epochs=epochs,
            batch_size=BATCH,
            learning_rate=rate,
            seed=seed,
        )
        return model, result.validation_loss, result.seconds

    tried = {rate: trained(0, rate) for rate in (RATES[:1] if options.quick else RATES)}
    rate = min(tried, key=lambda each: tried[each][1])
    rows: list[list[object]] = []
    for seed in range(options.seeds):
        model, _, seconds = trained(seed, rate) if seed else tried[rate]
        with torch.no_grad():
            forecast = model(test[0])
        judged = _judge(series, forecast, test[1])
        head = [series.name, name, seed, n_parameters(model), rate, at_the_end(rate, list(tried)), ""]
        rows.append([*head, *judged, seconds, ""])
    return rows, tried[rate][0]


def _judge(series: Series, forecast: object, target: Tensor) -> list[object]:
    """Errors at each horizon relative to those of the last value, their mean, and the mean R2 of the values."""
    target = target.double()
    squares = (torch.as_tensor(forecast, dtype=torch.float64) - target).square().mean(0)
    relative = (squares / target.square().mean(0)).sqrt()
    last = torch.as_tensor(series.standardised[series.origins()[2]])
    spread = (target + last[:, None]).var(0, unbiased=False)
    return [*relative.tolist(), float(relative.mean()), float((1 - squares / spread).mean())]


def _summary(rows: Sequence[Sequence[object]]) -> list[object]:
    def over_seeds(column: int) -> str:
        values = [float(str(row[column])) for row in rows]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        return f"{statistics.fmean(values):.3f} ± {spread:.3f}"

    head = [*rows[0][:2], SUMMARY, *rows[0][3:FIRST]]
    return [*head, *(over_seeds(column) for column in range(FIRST, len(COLUMNS) - 2)), over_seeds(-2), ""]


def _edges(series: str, name: str, model: Forecaster, windows: Tensor) -> list[list[object]]:
    """The curves of the KAN sub-layer that matter most, over the values that reach them."""
    network, reached = inside(model, "recurrent.cells.0.sublayers.0", windows)
    scores = edge_scores(network, reached)[0]
    rows: list[list[object]] = []
    for place in scores.flatten().argsort(descending=True)[:N_EDGES].tolist():
        j, i = divmod(place, scores.shape[1])
        low, high = reached[:, i].quantile(torch.tensor([0.01, 0.99]))
        x = torch.linspace(float(low), float(high), 60)
        with torch.no_grad():
            y = network.layers[0].edge(x, i, j)
        curve = " ".join(f"{a:.4g},{b:.4g}" for a, b in zip(x.tolist(), y.tolist()))
        rows.append([series, f"{name}: edge {i + 1} to {j + 1}", *[""] * (len(COLUMNS) - 3), curve])
    return rows


def _checks(rows: Sequence[Sequence[object]]) -> dict[str, bool]:
    names = [str(name) for name in dict.fromkeys(row[0] for row in rows)]
    errors = {(name, model): _errors(rows, name, model) for name in names for model in ("ridge", *NETWORKS)}
    claims = {
        "TKAN is better than the last value on every series, with every seed": all(
            error < 1 for name in names for error in errors[name, TKAN]
        ),
        "ridge regression is better than TKAN on every series, with every seed": all(
            errors[name, "ridge"][0] < error for name in names for error in errors[name, TKAN]
        ),
    }
    if len(names) < len(SERIES) or len(errors[names[0], TKAN]) < 2:  # one seed tells no two networks apart
        return claims
    made, *measured = names
    return claims | {
        "made series: GRU and LSTM are better than TKAN, with every seed": all(
            a < b for model in ("GRU", "LSTM") for a, b in zip(errors[made, model], errors[made, TKAN], strict=True)
        ),
        "measured series: TKAN is in a tie with GRU and with LSTM, apart by no more than the spread over seeds": all(
            verdict(errors[name, TKAN], errors[name, model], "lower") == "undecided"
            for name in measured
            for model in ("GRU", "LSTM")
        ),
        "every series: TKAN is in such a tie with its form with tanh": all(
            verdict(errors[name, TKAN], errors[name, TANH], "lower") == "undecided" for name in names
        ),
    }
