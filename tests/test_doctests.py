"""Every example in a docstring runs.

Modules are imported as kanlib.x, kanlib.symbolic.x and kanlib.plots.x. pytest's --doctest-modules does not
do that: it would import the folders symbolic/ and plots/ under their bare names.
"""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

PACKAGES = ("kanlib", "kanlib.symbolic", "kanlib.plots")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def module_names() -> list[str]:
    names, packages = set(PACKAGES), list(PACKAGES)
    while packages:
        package = packages.pop()
        path = importlib.import_module(package).__path__
        # Not walk_packages: symbolic and plots lie inside kanlib once installed, beside it in a checkout.
        for info in pkgutil.iter_modules(path, f"{package}."):
            names.add(info.name)
            if info.ispkg and info.name not in PACKAGES:
                packages.append(info.name)
    return sorted(names - {"kanlib.__main__"})


def test_no_module_is_passed_over() -> None:
    assert {"kanlib.splines", "kanlib.symbolic.units.table", "kanlib.symbolic.rational.exact"} <= set(module_names())


@pytest.mark.parametrize("name", module_names())
def test_examples_of(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert result.failed == 0, capsys.readouterr().out
