"""The table of knots agrees with what is known of knots, and the benchmark's measures tell right from wrong."""

from __future__ import annotations

import csv
import doctest
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import sympy

from kanlib.errors import InputError
from kanlib.symbolic import Formula

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.paper import knot_data, knots  # noqa: E402
from benchmarks.paper.knot_classifiers import MODELS, RIVALS, fit_model, shares  # noqa: E402
from benchmarks.paper.knot_data import GEOMETRY, SYMMETRIES, TRANSLATIONS, Knots, load, split  # noqa: E402
from benchmarks.paper.knot_formulas import accuracy, exact_relations, is_in_the_slope  # noqa: E402
from benchmarks.paper.knot_picture import draw_knots  # noqa: E402
from benchmarks.paper.knot_table import COLUMNS, PATH, _shown  # noqa: E402

real, imag, longitude = sympy.symbols(TRANSLATIONS, real=True)
SLOPE = longitude * real / (imag**2 + real**2)


@pytest.fixture(scope="module")
def table() -> Knots:
    return load()


def formula(expr: sympy.Expr) -> Formula:
    return Formula(expr, {}, (real, imag, longitude), target="signature")


# --- the table


def test_every_hyperbolic_knot_of_up_to_twelve_crossings_is_there_once(table: Knots) -> None:
    assert len(table.names) == len(set(table.names)) == 2970
    counts = Counter(int(re.split("[an_]", name)[0]) for name in table.names)
    assert counts == {4: 1, 5: 1, 6: 3, 7: 6, 8: 20, 9: 48, 10: 164, 11: 551, 12: 2176}  # KnotInfo's hyperbolic ones
    # Torus knots are not hyperbolic.
    assert not {"3_1", "5_1", "7_1", "8_19", "9_1", "10_124", "11a_367"} & set(table.names)


def test_the_figure_eight_knot_and_its_successor(table: Knots) -> None:
    eight, five_two = table.names.index("4_1"), table.names.index("5_2")
    # 6 L(pi/3) with Lobachevsky's function, the longitude 2 sqrt(3), the least cusp volume sqrt(3), and the geodesic
    # of trace 1 + (1 + i sqrt(3))/2 in PSL(2, C).
    known = {"volume": 2.0298832128193, "longitude": 12**0.5, "cusp_volume": 3**0.5, "meridian_imag": 1.0}
    for name, value in known.items():
        assert table.column(name)[eight] == pytest.approx(value, rel=1e-9)
    assert table.column("geodesic_real")[eight] == pytest.approx(1.0870701449957, rel=1e-9)
    for name in ("signature", "slope", "chern_simons"):  # it is its own mirror image
        assert table.column(name)[eight] == 0
    assert table.symmetry[eight] == "D4" and table.signature[five_two] == -2
    assert table.column("volume")[five_two] == pytest.approx(2.8281220883308, rel=1e-9)


def test_signature_and_geometry_are_of_the_same_mirror_image(table: Knots) -> None:
    assert set(table.signature) <= set(range(-12, 13, 2))
    assert np.corrcoef(table.signature, table.column("slope"))[0, 1] > 0.96
    large = np.abs(table.column("slope")) > 6
    assert (np.sign(table.signature[large]) == np.sign(table.column("slope")[large])).mean() > 0.99


def test_relations_that_are_theorems_hold(table: Knots) -> None:
    area = table.column("longitude") * table.column("meridian_imag")
    np.testing.assert_allclose(table.column("cusp_volume"), area / 2, rtol=1e-8)
    np.testing.assert_allclose(table.column("injectivity_radius"), table.column("geodesic_real") / 2, rtol=1e-8)
    # Gabai, Haraway, Meyerhoff, Thurston and Yarmola: no cusped manifold has less volume than the figure eight's; and
    # Boroczky: no cusp fills more than sqrt(3)/(2 v) of it, v = 1.0149... the volume of the regular ideal simplex.
    assert table.column("volume").min() == pytest.approx(2.0298832128)
    assert (table.column("cusp_volume") / table.column("volume")).max() <= 3**0.5 / (2 * 1.0149416064) + 1e-9
    # A meridian of the maximal cusp has length 1 at least (Adams 2002, "Waist size"), and 6 at most by the 6-theorem.
    length = np.hypot(table.column("meridian_real"), table.column("meridian_imag"))
    assert length.min() >= 1 - 1e-9 and length.max() <= 6
    assert (np.abs(table.column("chern_simons")) <= 0.25 + 1e-9).all()


def test_a_mirror_image_changes_the_signs_and_is_its_own_inverse(table: Knots) -> None:
    both = table.take(np.arange(5)).with_mirrors()
    assert (both.signature[5:] == -both.signature[:5]).all()
    np.testing.assert_array_equal(both.column("slope")[5:], -both.column("slope")[:5])
    for name in set(GEOMETRY) - set(knot_data.ODD):
        np.testing.assert_array_equal(both.column(name)[5:], both.column(name)[:5])


def test_the_file_is_as_the_script_writes_it() -> None:
    with PATH.open(newline="", encoding="utf-8") as file:
        header, first = list(csv.reader(file))[:2]
    assert tuple(header) == COLUMNS and len(first) == len(COLUMNS)
    assert [_shown(value) for value in (None, -1e-17, 2.02988321281931, 4)] == ["", "0", "2.029883213", "4"]
    assert PATH.stat().st_size < 600_000


def test_what_is_missing_is_said(tmp_path: Path, table: Knots) -> None:
    with pytest.raises(InputError, match="knot_table"):
        load(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("name,signature\n4_1,0\n")
    with pytest.raises(InputError, match="no columns symmetry, volume"):
        load(tmp_path / "other.csv")
    with pytest.raises(InputError, match="no column 'colour'"):
        table.column("colour")


def test_no_knot_is_trained_and_tested_on() -> None:
    train, test = split(2970, 1)
    assert sorted([*train, *test]) == list(range(2970)) and len(test) == 742
    assert doctest.testmod(knot_data).failed == 0


# --- measures


def test_a_formula_in_the_slope_is_told_from_others() -> None:
    for expr in (0.4 * SLOPE, sympy.tanh(SLOPE) + 0.1 * SLOPE):
        assert is_in_the_slope(formula(expr), TRANSLATIONS)
    for expr in (longitude * real, SLOPE + 0.01 * imag, longitude * real / (imag**2 + 1.1 * real**2), longitude / real):
        assert not is_in_the_slope(formula(expr), TRANSLATIONS)


def test_a_formula_is_right_where_the_nearest_even_number_is(table: Knots) -> None:
    score = accuracy(formula(0.42 * SLOPE), table, TRANSLATIONS)
    assert 0.8 < score < 0.9
    assert score == np.mean(2 * np.round(0.21 * table.column("slope")) == table.signature)


def test_the_cusp_volume_is_found_and_then_left_out(table: Knots) -> None:
    train, test = split(len(table.names), 0)
    columns = ("volume", "cusp_volume", "meridian_imag", "longitude")
    found = exact_relations(table.take(train[:300]), table.take(test), columns, ("cusp_volume", "longitude"), limit=6.0)
    assert found[0].exact and str(found[0].formula) == "longitude*meridian_imag/2"
    assert not found[1].exact and found[1].offered == ("volume", "meridian_imag")


@pytest.mark.parametrize("name", [*MODELS, *RIVALS])
def test_models_learn_the_signature_from_the_translations(name: str, table: Knots) -> None:
    some = table.take(split(len(table.names), 0)[0][:400])
    X = some.columns(TRANSLATIONS)
    fitted = fit_model(name, X, some.signature, seed=0, starts=1)
    score = fitted.accuracy(X, some.signature)
    assert score < 0.4 if name == "most frequent class" else score > 0.6
    if name.startswith("KAN"):
        assert shares(fitted, X).sum() == pytest.approx(1) and fitted.parameters is not None


def test_the_picture_is_drawn_of_any_part_of_the_rows(table: Knots) -> None:
    row = dict.fromkeys(knots.COLUMNS, "")
    score = {**row, "kind": "accuracy", "inputs": "all", "what": "MLP", "value": "0.9"}
    share = {**row, "kind": "ranking", "inputs": "volume", "what": "KAN, 1 hidden node, independent", "value": "1"}
    law = {**row, "kind": "formula", "inputs": "translations", "in the slope": "yes", "value": "0.8"}
    law["formula"] = "0.4*longitude*meridian_real/(meridian_imag**2 + meridian_real**2)"
    titles = [axes.get_title(loc="left") for axes in draw_knots([score, share, law], table).axes]
    assert titles[0] == "signature = 0.4 slope, of discover's front"
    assert len(draw_knots([], table).axes) == 3 and len(SYMMETRIES) == 6
