"""Gas against the committed table and against the aims of the project."""
from __future__ import annotations

import json

import pytest

import gas

TOLERANCE = 1.02


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return gas.measure(tmp_path_factory.mktemp("gas"))


@pytest.fixture(scope="module")
def committed():
    return json.loads((gas.FOLDER / "gas.json").read_text())


def test_same_lines(table, committed):
    assert list(table) == list(committed)
    assert (gas.FOLDER / "GAS.md").read_text() == gas.render(committed)


@pytest.mark.parametrize("name", json.loads((gas.FOLDER / "gas.json").read_text()))
def test_no_regression(table, committed, name):
    assert table[name] <= committed[name] * TOLERANCE


@pytest.mark.parametrize("name, aim", gas.AIMS.items())
def test_aims(table, name, aim):
    assert table[name] <= aim
