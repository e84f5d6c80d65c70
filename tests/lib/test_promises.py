"""The tables of docs/testing.md name tests and errors: each is there, and the test asks for the error."""
from __future__ import annotations

import re

import pytest

from lib.tools import ROOT

PAGE = (ROOT / "docs" / "testing.md").read_text()
NAMED = re.compile(r"`([\w/]+/test_\w+\.(?:c|py))::(test_\w+)`")
ROWS = [line for line in PAGE.splitlines() if NAMED.search(line)]
ERRORS = set(re.findall(r'^CS_ERR\(\w+, "([\w-]+)"', (ROOT / "core" / "err.def").read_text(), re.M))
# Tests that walk a file of rows, each with its error beside it, or that look at finality by numbers: nothing is in their text.
BY_TABLE = {"test_bad_clique_headers_are_refused", "test_bad_qbft_headers_are_refused", "test_seals_needed", "test_generated_chains"}


def text_of(path: str, name: str) -> str:
    """Of a function, to the line before the next one."""
    text = (ROOT / "tests" / path).read_text()
    start = re.search(rf"^(?:static void|def) {name}\(", text, re.M)
    assert start, f"{path} has no {name}"
    end = re.search(r"^(?:}|@|def |# ---)", text[start.end():], re.M)
    return text[start.start():start.end() + end.start()] if end else text[start.start():]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_named_tests_are_there(row):
    for path, name in NAMED.findall(row):
        body = text_of(path, name)
        assert path.endswith(".py") or f"cmocka_unit_test({name})" in (ROOT / "tests" / path).read_text()
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if len(cells) < 3 or name in BY_TABLE or not path.startswith("unit/enclave/"):
            continue
        error = cells[1].strip("`")
        assert error in ERRORS
        assert f'"{error}"' in body or f"{error}_because(s, " in body or f"CS_ERR_{error.replace('-', '_').upper()}" in body, f"{name} does not ask for {error}"


def test_every_list_has_its_rows():
    """As many as the lists of the sections have items, at the least."""
    tables = {part.split("\n", 1)[0]: len(NAMED.findall(part)) for part in PAGE.split("\n### ")[1:]}
    assert tables.keys() == {"By the enclave", "By the sandbox", "By the contracts"}
    assert tables["By the enclave"] >= 38 and tables["By the sandbox"] >= 8 and tables["By the contracts"] >= 24
