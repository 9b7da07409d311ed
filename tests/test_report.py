"""The report: one honest, self-contained, escaped page for every outcome."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy
import torch

from kanlib import KAN
from kanlib.errors import InputError, StorageError
from kanlib.estimators import KANClassifier, KANRegressor
from kanlib.plots import plot_edges, plot_fit, plot_front, plot_network, write_report
from kanlib.plots.front import front_points
from kanlib.symbolic import Discovery, Formula, FrontPoint

EVIL = ("<script>alert(1)</script>", "a&b \"c\" 'd'", "$x_{", "温度\u202e", "long " * 40)


class Page(HTMLParser):
    """The elements and the text of a page; fails on elements that are not closed."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(source)
        self.close()
        assert not self.open
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    def images(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == "img"]


def data(n_columns: int = 2) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    X = rng.uniform(1.0, 3.0, (60, n_columns))
    return X, 2.5 * X[:, 0] + rng.normal(0.0, 0.01, 60)


def network(n: int) -> KAN:
    return KAN([n, 2, 1], dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def discovery(status: str = "found", names: tuple[str, ...] = ("a", "b"), target: str = "y") -> Discovery:
    symbols = tuple(sympy.Symbol(f"s{k}", real=True) for k in range(len(names)))
    c1, c2 = sympy.symbols("c1 c2", real=True)
    structure, values = c1 * symbols[0] ** c2, {c1: 2.5, c2: sympy.Integer(1)}
    formula = Formula(structure, values, symbols, names, covariance=np.array([[1e-4]]), dof=58, target=target)
    other = Formula(c1, {c1: 5.0}, symbols, names, target=target)
    return Discovery(
        status="found" if status == "found" else "none",
        message="it was searched",
        reasons=("the first reason", "the first reason", "a <second> reason"),
        formula=formula if status == "found" else None,
        front=(FrontPoint(1, 1.5, other, "constant"), FrontPoint(3, 0.01, formula, "sum", True)),
        network=network(len(names)),
        r2=0.99999999,
        rmse=0.0123,
        held_out="12 of 60 rows",
        noise_floor=0.01,
        seconds=1.25,
        seed=0,
        notes=("a note with <b>tags</b> & entities",),
        names=names,
        target_name=target,
        ranges=np.array([[1.0, 3.0]] * len(names)),
    )


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def test_a_found_law_is_reported_in_full(tmp_path: Path) -> None:
    X, y = data()
    found = discovery()
    path = write_report(found, tmp_path, X, y)
    assert path == tmp_path / "report.html"
    page = read(path)
    for expected in ("A formula for y", "Found", "It was searched.", "2.500 ± 0.010", "1 − 1.0 × 10 −8", "0.0123"):
        assert expected in page.text
    for expected in (
        "not needed",
        "A note with <b>tags</b> & entities.",
        "searched for 1.2 s",
        "kanlib 0.1.0",
        "torch",
    ):
        assert expected in page.text
    assert page.text.count("The first reason.") == 1
    alternatives = [str(image["alt"]) for image in page.images()]
    assert any(alternative.startswith("y = 2.5*s0") for alternative in alternatives)
    assert len(alternatives) == 5  # the formula twice, the network, the fit, the front
    assert sum(attributes.get("class") == "chosen" for _, attributes in page.elements) == 1


def test_none_is_an_honest_page(tmp_path: Path) -> None:
    X, y = data()
    page = read(write_report(discovery("none"), tmp_path / "none.html", X, y))
    assert "No formula for y" in page.text and "None supported" in page.text and "A <second> reason." in page.text
    assert "A formula for" not in page.text and "None of them is supported" in page.text
    assert not any(attributes.get("class") == "chosen" for _, attributes in page.elements)
    bare = replace(discovery("none"), network=None, front=(), noise_floor=float("nan"), r2=float("nan"))
    assert "No formula" in read(write_report(bare, tmp_path / "bare.html", X, y)).text


def test_a_network_that_uses_nothing_is_not_drawn(tmp_path: Path) -> None:
    X, y = data()
    found = discovery("none")
    assert found.network is not None
    found.network.layers[1].mask[:] = False
    assert "it is a constant" in read(write_report(found, tmp_path, X, y)).text


@pytest.mark.parametrize("status", ["found", "none"])
def test_names_from_outside_are_text_and_nothing_else(tmp_path: Path, status: str) -> None:
    X, y = data(len(EVIL))
    found = replace(discovery(status, EVIL, "<img src=x onerror=alert(1)>"), message="<script>1</script>", notes=EVIL)
    page = read(write_report(found, tmp_path, X, y))
    assert "script" not in {tag for tag, _ in page.elements}
    assert all(str(image["src"]).startswith("data:image/svg+xml;base64,") for image in page.images())
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "<script>alert(1)</script>" in page.text and "\u202e" not in page.text


def test_the_page_asks_nothing_of_the_network(tmp_path: Path) -> None:
    X, y = data()
    page = read(write_report(discovery(), tmp_path, X, y))
    for tag, attributes in page.elements:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "a"}
        assert {"href", "srcset", "action"}.isdisjoint(attributes)
    policy = next(str(a["content"]) for t, a in page.elements if t == "meta" and a.get("http-equiv"))
    assert "default-src 'none'" in policy
    for image in page.images():
        svg = base64.b64decode(str(image["src"]).split(",", 1)[1]).decode()
        references = re.findall(r'(?:href|src)="([^"]*)"', svg) + re.findall(r"url\(([^)]*)\)", svg)
        assert all(reference.startswith(("#", "data:image/png")) for reference in references)
        assert "<script" not in svg


def test_without_data_the_ranges_come_from_the_search(tmp_path: Path) -> None:
    page = read(write_report(discovery(), tmp_path))
    assert "Where the law holds" in page.text and "not needed" in page.text
    assert len(page.images()) == 4  # no fit


def test_destinations(tmp_path: Path) -> None:
    assert write_report(discovery(), tmp_path / "new" / "folder") == tmp_path / "new" / "folder" / "report.html"
    assert write_report(discovery(), str(tmp_path / "page.HTML")) == tmp_path / "page.HTML"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "page.HTML"]
    (tmp_path / "taken.html").mkdir()
    assert write_report(discovery(), tmp_path / "taken.html").name == "report.html"
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.html").mkdir()
    with pytest.raises(StorageError):
        write_report(discovery(), tmp_path / "report")


def test_data_that_do_not_fit_are_refused_and_the_old_page_stays(tmp_path: Path) -> None:
    X, y = data()
    path = write_report(discovery(), tmp_path, X, y)
    before = path.read_bytes()
    with pytest.raises(InputError, match="the columns the search saw: a, b"):
        write_report(discovery(), tmp_path, X[:, :1], y)
    with pytest.raises(InputError, match="60 rows"):
        write_report(discovery(), tmp_path, X, y[:5])
    assert path.read_bytes() == before


def test_a_formula_that_cannot_be_typeset_is_written_as_text(tmp_path: Path) -> None:
    found = discovery(names=("a", "b"))
    x = found.formula.symbols[0]  # type: ignore[union-attr]
    law = Formula(sympy.Piecewise((x, x > 1), (x**2, True)), {}, found.formula.symbols, ("a", "b"))  # type: ignore[union-attr]
    page = read(write_report(replace(found, formula=law, front=()), tmp_path))
    assert "Piecewise" in page.text


def test_a_long_formula_is_broken_before_its_terms(tmp_path: Path) -> None:
    found = discovery()
    x, z = found.formula.symbols  # type: ignore[union-attr]
    law = Formula(sympy.Add(*(sympy.sin(k * x) * sympy.exp(-z / k) for k in range(2, 14))), {}, (x, z), ("a", "b"))
    page = read(write_report(replace(found, formula=law, front=()), tmp_path))
    typeset = next(image for image in page.images() if image.get("class") == "typeset")
    width = float(re.findall(r"width:([\d.]+)rem", str(typeset["style"]))[0])
    assert width < 42.0


def test_the_chosen_formula_is_on_the_picture_even_behind_the_front() -> None:
    found = discovery()
    assert [point.chosen for point in front_points(found)] == [False, True]
    behind = replace(found, front=found.front[:1])
    assert [(point.complexity, point.chosen) for point in front_points(behind)] == [(1, False), (3, True)]
    ax = plot_front(behind)
    assert len([line for line in ax.lines if line.get_gid() == "kanlib-chosen"]) == 1


def test_a_discovery_is_drawn_with_its_names() -> None:
    X, y = data()
    ax = plot_network(discovery(), X)
    assert {"a", "b", "y"} <= {text.get_text() for text in ax.texts}
    assert len(plot_edges(discovery(), X).axes) == 6
    assert any(text.get_gid() == "kanlib-formula" for text in plot_fit(discovery(), X, y).texts)
    with pytest.raises(InputError, match="no network"):
        plot_network(replace(discovery(), network=None))


def test_an_estimator_is_drawn_in_the_units_of_its_data() -> None:
    X, y = data()
    X = 100.0 + 10.0 * X
    model = KANRegressor(hidden_widths=(), max_steps=2, random_state=0).fit(X, y)
    low, high = plot_edges(model, X).axes[0].lines[0].get_xdata()[[0, -1]]
    assert (low, high) == (pytest.approx(X[:, 0].min()), pytest.approx(X[:, 0].max()))
    labels = np.array(["ant", "bee", "cat"])[np.digitize(X[:, 0], [116.0, 123.0])]
    classes = KANClassifier(hidden_widths=(), max_steps=2, random_state=0).fit(X, labels)
    assert {"ant", "bee", "cat"} <= {text.get_text() for text in plot_network(classes, X).texts}


def test_writing_a_report_shows_nothing(tmp_path: Path) -> None:
    """Where figures appear as they are made (interactive mode, notebooks), those of a report must not."""
    import matplotlib.pyplot as plt

    X, y = data()
    with plt.ion():
        before = plt.get_fignums()
        write_report(discovery(), tmp_path, X, y)
        assert plt.get_fignums() == before
