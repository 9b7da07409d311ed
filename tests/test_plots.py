"""Pictures: what is drawn follows from the network, nothing overlaps, and nothing is left behind."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import sympy
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kanlib import KAN
from kanlib.errors import InputError, InputTypeError
from kanlib.plots import plot_edges, plot_fit, plot_front, plot_network, plot_training
from kanlib.plots.curves import live_edges, sketch
from kanlib.plots.primitives import edge_formula, short_formula
from kanlib.plots.text import label, labels, mathtext, tidy
from kanlib.primitives import PRIMITIVES
from kanlib.symbolic.formula import Formula
from kanlib.symbolic.library import LIBRARY

NASTY = (
    "<script>alert(1)</script>",
    "a_b",
    "$x",
    "$y$ & z",
    "温度",
    "\\frac{",
    "line\nbreak",
    "",
    "x" * 200,
    "a\ud800",
)


def network(widths: list[Any], seed: int = 0) -> KAN:
    generator = torch.Generator().manual_seed(seed)
    model = KAN(widths, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        for layer in model.layers:
            layer.coefficients.normal_(generator=generator)
    return model


def inputs(model: KAN, n: int = 60) -> torch.Tensor:
    return torch.rand(n, model.in_features, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1


def artist(ax: Axes, gid: str) -> Any:
    return next(a for a in ax.get_children() if a.get_gid() == gid)


def texts(ax: Axes, gid: str) -> list[str]:
    return [t.get_text() for t in ax.texts if t.get_gid() == gid]


def render(thing: Axes | Figure, *kinds: str) -> None:
    """Draw to a file in memory; warnings (a missing glyph, say) are errors in tests."""
    figure = thing if isinstance(thing, Figure) else thing.figure
    for kind in kinds or ("png",):
        figure.savefig(io.BytesIO(), format=kind)


# ---------------------------------------------------------------------- the whole network


@pytest.mark.parametrize(
    "widths", [[1, 1], [2, 1, 1], [2, 5, 1], [10, 8, 3], [4, (2, 2), 1], [3, (0, [3]), 2], [30, 12], [2, (1, 1), 1]]
)
def test_every_edge_has_one_curve_in_one_box(widths: list[Any]) -> None:
    model = network(widths)
    ax = plot_network(model, inputs(model))
    n_edges = sum(layer.mask.numel() for layer in model.layers)
    curves, boxes = artist(ax, "kanlib-curves").get_segments(), artist(ax, "kanlib-boxes").get_paths()
    assert len(curves) == len(boxes) == n_edges
    for curve, box in zip(curves, boxes, strict=True):
        extent = box.get_extents()
        inside = curve[np.isfinite(curve[:, 1])]
        assert (inside >= extent.min).all() and (inside <= extent.max).all()
    n_products = sum(len(width.products) for width in model.widths)
    assert len(artist(ax, "kanlib-products").get_paths()) == n_products
    render(ax)


def test_nothing_overlaps_at_10_8_3() -> None:
    model = network([10, 8, 3])
    model.layers[0].fix_edge(3, 2, "sin", (3.1, 0.2, 1.0, 0.0, 1.0))
    model.layers[0].fix_edge(3, 6, "tanh", (1.234, 0.57, -2.31, 0.4, 1.0))
    names = [f"quantity number {k} [kg m/s]" for k in range(10)]
    ax = plot_network(model, inputs(model), input_names=names, output_names=["setosa", "versicolor", "virginica"])
    ax.figure.canvas.draw()
    boxes = [path.get_extents() for path in artist(ax, "kanlib-boxes").get_paths()]
    to_data = ax.transData.inverted()
    written = [text.get_window_extent().transformed(to_data) for text in ax.texts]
    shapes = [
        path.get_extents()
        for gid in ("kanlib-dots", "kanlib-sums", "kanlib-products")
        for path in artist(ax, gid).get_paths()
    ]
    assert len(boxes) == 104 and len(written) == 10 + 3 + 2
    for one, other in itertools.combinations(boxes + written + shapes, 2):
        assert not one.overlaps(other)
    low, high = ax.get_xlim()
    bottom, top = ax.get_ylim()
    for extent in boxes + written + shapes:
        assert low <= extent.x0 and extent.x1 <= high and bottom <= extent.y0 and extent.y1 <= top


def test_wires_touch_their_boxes_and_cross_no_other() -> None:
    model = network([10, 8, 3])
    ax = plot_network(model, scores=[np.ones((8, 10)), np.ones((3, 8))])
    boxes = np.array([path.get_extents().get_points() for path in artist(ax, "kanlib-boxes").get_paths()])
    inner = boxes + np.array([[1e-6, 1e-6], [-1e-6, -1e-6]])
    for wire in artist(ax, "kanlib-wires").get_segments():
        inside = ((wire[:, None] > inner[:, 0]) & (wire[:, None] < inner[:, 1])).all(axis=2)
        assert not inside.any()


def test_opacity_follows_the_score() -> None:
    model = network([3, 2])
    scores = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    ax = plot_network(model, scores=[scores])
    order = [scores[j, i] for i in range(3) for j in range(2)]
    alphas = artist(ax, "kanlib-curves").get_colors()[:, 3]
    ranked = [alpha for _, alpha in sorted(zip(order, alphas, strict=True))]
    assert all(a < b for a, b in itertools.pairwise(ranked))
    assert ranked[0] > 0.1 and ranked[-1] == pytest.approx(1.0)


def test_scores_come_from_attribution() -> None:
    model = network([2, 1])
    with torch.no_grad():
        model.layers[0].base_weight.zero_()
        model.layers[0].coefficients[0, 1] *= 1e-4
    ax = plot_network(model, inputs(model))
    first, second = artist(ax, "kanlib-curves").get_colors()[:, 3]
    assert first == pytest.approx(1.0) and second < 0.2


def test_masked_edges_dead_nodes_and_unused_inputs_are_gone() -> None:
    model = network([3, 4, 1])
    model.layers[0].mask[:, 1] = False  # input 1 goes nowhere
    model.layers[0].mask[2] = False  # node 2 has no input
    model.layers[1].mask[0, 3] = False  # node 3 has no output
    live = live_edges(model)
    assert live[0].tolist() == [[True, False, True], [True, False, True], [False] * 3, [False] * 3]
    assert live[1].tolist() == [[True, True, False, False]]
    ax = plot_network(model, inputs(model), input_names=["a", "unwanted", "c"])
    assert len(artist(ax, "kanlib-curves").get_segments()) == 6
    assert sorted(texts(ax, "kanlib-name")) == ["a", "c", "y"]
    assert texts(ax, "kanlib-unused") == ["not used: unwanted"]
    assert len(artist(ax, "kanlib-sums").get_paths()) == 3
    assert len(plot_edges(model).axes) == 6


def test_a_network_without_edges_can_be_drawn() -> None:
    model = network([2, 1])
    model.layers[0].mask[:] = False
    render(plot_network(model))
    render(plot_edges(model))


def test_fixed_edges_carry_their_formula_in_another_colour() -> None:
    model = network([2, 1, 1])
    model.layers[0].fix_edge(0, 0, "sin", (np.pi, 0.0, 1.0, 0.0, 1.0))
    model.layers[0].fix_edge(1, 0, "square", (1.0, 0.0, 1.0, 0.0, 1.0))
    ax = plot_network(model, inputs(model), input_names=["a", "b"])
    assert texts(ax, "kanlib-formula") == [r"$\sin(\pi\,a)$", "$b^{2}$"]
    colours = artist(ax, "kanlib-curves").get_colors()[:, :3]
    assert np.allclose(colours[0], colours[1]) and not np.allclose(colours[0], colours[2])
    assert texts(plot_network(model, formulas=False), "kanlib-formula") == []
    own = plot_network(model, formulas={(1, 0, 0): r"e^{u}"})
    assert "$e^{u}$" in texts(own, "kanlib-formula")
    render(own)


def test_a_wave_of_many_periods_is_drawn_in_part_and_not_as_another_one() -> None:
    model = KAN([2, 1], dtype=torch.float64)
    model.layers[0].fix_edge(0, 0, "sin", (200.0, 0.0, 1.0, 0.0, 1.0))
    X = torch.rand(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wave, other = sketch(model, X).edges
    shown, whole = np.ptp(wave.x), float(np.ptp(X[:, 0].numpy()))
    assert 5 < shown * 200 / (2 * np.pi) < 20 and abs(wave.x.mean() - (X[:, 0].min() + X[:, 0].max()).item() / 2) < 1e-9
    np.testing.assert_allclose(wave.y, np.sin(200 * wave.x), atol=1e-9)
    assert shown < 0.5 * whole and np.isclose(np.ptp(other.x), np.ptp(X[:, 1].numpy()))
    model.layers[0].fix_edge(0, 0, "sin", (20.0, 0.0, 1.0, 0.0, 1.0))  # three periods fit
    assert np.isclose(np.ptp(sketch(model, X).edges[0].x), whole)


def test_curves_cover_the_range_of_the_data() -> None:
    model = network([1, 1])
    x = torch.linspace(-0.25, 0.5, 30, dtype=torch.float64)[:, None]
    with_data = plot_edges(model, x).axes[0].lines[0].get_xdata()
    assert with_data.min() == pytest.approx(-0.25) and with_data.max() == pytest.approx(0.5)
    without = plot_edges(model).axes[0].lines[0].get_xdata()
    assert without.min() == -1.0 and without.max() == 1.0


def test_names_of_a_data_frame_reach_the_picture() -> None:
    model = network([2, 1])
    frame = pd.DataFrame(inputs(model).numpy(), columns=["mass_kg", "speed"])
    assert sorted(texts(plot_network(model, frame), "kanlib-name")) == ["mass_kg", "speed", "y"]


def test_a_small_axes_gets_small_text_and_keeps_its_title() -> None:
    figure = Figure(figsize=(6, 3))
    axes = figure.subplots(1, 2)
    axes[0].set_title("before")
    for ax in axes:
        assert plot_network(network([2, 5, 1]), ax=ax) is ax
    assert axes[0].get_title() == "before"
    assert axes[0].texts[0].get_fontsize() < plot_network(network([2, 5, 1])).texts[0].get_fontsize()


def test_nasty_names_are_drawn_as_written() -> None:
    model = network([len(NASTY), 1])
    ax = plot_network(model, input_names=NASTY, output_names=["$E=mc^2$"])
    assert "$E=mc^2$" in texts(ax, "kanlib-name") and "$y$ & z" in texts(ax, "kanlib-name")
    assert all(not text.get_parse_math() for text in ax.texts if text.get_gid() == "kanlib-name")
    assert max(len(name) for name in texts(ax, "kanlib-name")) <= 28
    render(ax)
    render(plot_edges(model, inputs(model), input_names=NASTY))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_names": ["a"]}, "expected a sequence of 2"),
        ({"input_names": "ab"}, "the string 'ab'"),
        ({"output_names": ["a", "b"]}, "output_names"),
        ({"scores": [np.ones((2, 1))]}, "scores"),
    ],
)
def test_bad_arguments_say_what_was_expected(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plot_network(network([2, 1]), **arguments)


def test_wrong_objects_are_refused() -> None:
    with pytest.raises(InputTypeError, match="expected a KAN"):
        plot_network(torch.nn.Linear(2, 1))
    with pytest.raises(InputError, match="columns"):
        plot_network(network([2, 1]), torch.zeros(5, 3, dtype=torch.float64))
    with pytest.raises(InputError, match="layer is 2"):
        plot_edges(network([2, 1]), layer=2)
    with pytest.raises(InputTypeError, match="history"):
        plot_training(3)
    with pytest.raises(InputTypeError, match="front"):
        plot_front(3)
    with pytest.raises(InputTypeError, match="predict"):
        plot_fit(3, [[1.0]], [1.0])


# ---------------------------------------------------------------------- text


@pytest.mark.parametrize("name", list(PRIMITIVES))
def test_every_primitive_has_a_label_mathtext_can_set(name: str) -> None:
    assert mathtext(edge_formula(name, (1.25, -0.5, -2.0, 1e-7, 0.37), "x")) is not None
    assert mathtext(short_formula(name)) is not None


@pytest.mark.parametrize("name", list(PRIMITIVES))
def test_every_formula_sympy_writes_for_a_primitive_can_be_set(name: str) -> None:
    u, p = sympy.symbols("x p", real=True)
    latex = sympy.latex(LIBRARY[name].function(u, p))
    assert mathtext(tidy(latex)) is not None or "cases" in latex


def test_labels_stay_distinct_and_short() -> None:
    drawn = labels([f"{'long ' * 20}{k}{' end' * 20}" for k in range(3)], 20)
    assert len(set(drawn)) == 3 and all(len(name) <= 24 for name in drawn)
    assert label("a\nb\tc") == "a b c"


# ---------------------------------------------------------------------- single edges


def test_edges_show_data_and_the_ground_outside_the_grid() -> None:
    model = network([1, 2])
    x = torch.linspace(-1.5, 1.0, 40, dtype=torch.float64)[:, None]
    figure = plot_edges(model, x, output_names=["left", "right"])
    for ax, name in zip(figure.axes, ["left", "right"], strict=True):
        assert artist(ax, "kanlib-rug") is not None
        assert len([a for a in ax.patches if a.get_gid() == "kanlib-outside"]) == 1
        assert name in ax.get_ylabel()
        assert len(ax.get_xticks()) >= 3
    assert [ax.get_gid() for ax in figure.axes] == ["kanlib-edge-0-0-0", "kanlib-edge-0-0-1"]
    assert len(plot_edges(network([2, 3, 2]), layer=-1).axes) == 6


# ---------------------------------------------------------------------- training, front, fit


def history() -> dict[str, list[float]]:
    return {
        "step": [0, 1, 2, 2, 3],
        "train_loss": [1.0, 0.1, float("nan"), 0.01, 0.0],
        "validation_loss": [2.0, 0.2, 0.1, 0.05, 0.04],
        "grid_size": [5, 5, 5, 10, 10],
    }


def test_training_draws_losses_refinements_and_the_kept_state() -> None:
    ax = plot_training(SimpleNamespace(history=history(), best_step=2))
    assert ax.get_yscale() == "log"
    assert [line.get_label() for line in ax.lines if line.get_gid() == "kanlib-loss"] == ["training", "validation"]
    assert len([line for line in ax.lines if line.get_gid() == "kanlib-refinement"]) == 1
    assert [text.get_text() for text in ax.texts] == ["G=10"]
    (best,) = (line for line in ax.lines if line.get_gid() == "kanlib-best")
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (2, 0.05)
    render(ax)


@pytest.mark.parametrize("losses", [[1.0], [0.0, 0.0], [float("inf"), 1.0], list(np.geomspace(1.0, 1e-300, 50))])
def test_training_takes_any_history(losses: list[float]) -> None:
    render(plot_training({"train_loss": losses}))


def test_training_without_losses_is_refused() -> None:
    with pytest.raises(InputError, match="train_loss"):
        plot_training({"step": []})


def law() -> tuple[Formula, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    v, k, s = sympy.symbols("V K s", real=True)
    x = np.linspace(0.02, 1.1, 12)[:, None]
    formula = Formula(v * s / (k + s), {v: 212.7, k: 0.064}, (s,), covariance=np.diag([48.0, 7e-5]), dof=10)
    return formula, x, formula.predict(x) + np.tile([4.0, -4.0], 6)


@pytest.mark.parametrize("errors", [[0.9, 0.3, 0.1], [0.9, 0.3, 0.0], [0.0, 0.0, 0.0], [1e-3, 9e-4, 8.9e-4]])
@pytest.mark.parametrize("floor", [None, 0.09, 0.0])
def test_front_marks_the_chosen_formula(errors: list[float], floor: float | None) -> None:
    formula, _, _ = law()
    front = tuple(
        SimpleNamespace(complexity=c, rmse=e, formula=f)
        for c, e, f in zip((1, 5, 9), errors, (None, formula, None), strict=True)
    )
    ax = plot_front(SimpleNamespace(front=front, formula=formula, noise_floor=floor))
    (chosen,) = (line for line in ax.lines if line.get_gid() == "kanlib-chosen")
    assert chosen.get_xdata()[0] == 5
    assert len([line for line in ax.lines if line.get_gid() == "kanlib-noise"]) == (1 if floor else 0)
    assert any("V" in text.get_text() or "frac" in text.get_text() for text in ax.texts)
    render(ax)


def test_an_empty_front_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        plot_front(SimpleNamespace(front=(), formula=None))


def test_a_law_of_one_column_is_a_curve_with_its_band() -> None:
    formula, x, y = law()
    ax = plot_fit(formula, x, y, names=["s_0 $"], target_name="v_<0>")
    upper, lower = ax.figure.axes
    assert ax is upper and lower.get_xlabel() == "s_0 $" and ax.get_ylabel() == "v_<0>"
    assert artist(ax, "kanlib-band") is not None
    curve, points, rest = artist(ax, "kanlib-law"), artist(ax, "kanlib-data"), artist(lower, "kanlib-residuals")
    assert np.allclose(np.interp(x[:, 0], curve.get_xdata(), curve.get_ydata()), formula.predict(x), rtol=1e-2)
    assert np.array_equal(points.get_ydata(), y)
    assert np.allclose(rest.get_ydata(), np.tile([4.0, -4.0], 6))
    render(ax)


def test_a_law_of_several_columns_is_predicted_against_measured() -> None:
    model = network([3, 2, 1])
    x = inputs(model)
    y = model(x).detach().numpy()[:, 0]
    ax = plot_fit(model, x, y)
    points = artist(ax, "kanlib-data")
    assert np.allclose(points.get_xdata(), points.get_ydata())
    assert ax.get_title(loc="left").startswith("R² 1")
    render(ax)


def test_positive_data_over_decades_get_logarithmic_axes() -> None:
    a = sympy.Symbol("a", real=True)
    x = np.geomspace(0.1, 30.0, 8)[:, None]
    ax = plot_fit(Formula(a ** sympy.Rational(3, 2), {}, (a,)), x, x[:, 0] ** 1.5, residuals=False)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log") and len(ax.figure.axes) == 1
    render(ax)


def test_a_law_with_holes_is_drawn_where_it_has_values() -> None:
    x = sympy.Symbol("x", real=True)
    data = np.linspace(-1.0, 1.0, 20)[:, None]
    render(plot_fit(Formula(sympy.log(x), {}, (x,)), data, data[:, 0]))
    with pytest.raises(InputError, match="no finite value"):
        plot_fit(Formula(sympy.log(x), {}, (x,)), -data[data > 0][:, None], np.ones(10))


def test_fit_checks_shapes() -> None:
    formula, x, y = law()
    with pytest.raises(InputError, match="one row of X"):
        plot_fit(formula, x, y[:-1])
    with pytest.raises(InputError, match="3 outputs"):
        plot_fit(network([1, 3]), x, y)


# ---------------------------------------------------------------------- manners


def every_picture(ax: Axes | None = None) -> list[Axes | Figure]:
    formula, x, y = law()
    front = (SimpleNamespace(complexity=5, rmse=0.1, formula=formula),)
    model = network([2, 3, 1])
    return [
        plot_network(model, inputs(model), ax=ax),
        plot_training({"train_loss": [1.0, 0.1]}, ax=ax),
        plot_front(SimpleNamespace(front=front, formula=formula, noise_floor=None), ax=ax),
        plot_fit(formula, x, y, ax=ax),
        *([plot_edges(model, inputs(model))] if ax is None else []),
    ]


def test_no_setting_changes_and_no_figure_stays_open() -> None:
    import matplotlib.pyplot as plt

    before, open_before = dict(mpl.rcParams), plt.get_fignums()
    for picture in every_picture():
        render(picture, "png", "svg", "pdf")
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == open_before


def test_given_axes_are_returned() -> None:
    ax = Figure().add_subplot()
    assert all(picture is ax for picture in every_picture(ax))


def test_data_and_network_are_left_alone() -> None:
    model = network([2, 2, 1])
    x = inputs(model)
    state, kept = {k: v.clone() for k, v in model.state_dict().items() if torch.is_tensor(v)}, x.clone()
    plot_network(model, x)
    plot_edges(model, x)
    assert torch.equal(x, kept)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in state.items())


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_matplotlib_is_imported_only_for_a_picture() -> None:
    run(
        "import sys, kanlib, kanlib.plots\n"
        "assert 'matplotlib' not in sys.modules\n"
        "kanlib.plots.plot_network(kanlib.KAN([1, 1])).figure.savefig('/dev/null', format='png')\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )


def test_interactive_mode_shows_the_figure_once() -> None:
    run(
        "import matplotlib, kanlib, kanlib.plots\n"
        "matplotlib.use('Agg'); matplotlib.interactive(True)\n"
        "ax = kanlib.plots.plot_network(kanlib.KAN([1, 1]))\n"
        "import matplotlib.pyplot as plt\n"
        "assert matplotlib.is_interactive() and plt.get_fignums() == [1] and plt.figure(1) is ax.figure\n"
        "plt.close('all')\n"
        "try: kanlib.plots.plot_network(kanlib.KAN([1, 1]), input_names=['a', 'b'])\n"
        "except kanlib.InputError: pass\n"
        "assert not plt.get_fignums()"
    )
