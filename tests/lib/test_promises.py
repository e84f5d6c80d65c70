"""The tables of docs/testing.md name tests and errors: each is there, and the test asks for the error. The tests that docs/trust.md and
docs/complaints.md name are there. And whatever is there is run."""
from __future__ import annotations

import ast
import functools
import json
import re
import subprocess

import pytest

from lib.tools import ROOT, find_build

PAGE = (ROOT / "docs" / "testing.md").read_text()
NAMED = re.compile(r"`([\w/]+/test_\w+\.(?:c|py))::(\w+)`")
ROWS = [line for line in PAGE.splitlines() if NAMED.search(line)]
ERRORS = set(re.findall(r'^CS_ERR\(\w+, "([\w-]+)"', (ROOT / "core" / "err.def").read_text(), re.M))
# Codes of signed answers: name and number.
CODES = {name: number for number, name in re.findall(r'^WIRE_ORACLE\(\w+, (\d+), "(\w+)"', (ROOT / "wire" / "oracle_codes.def").read_text(), re.M)}
REVERTS = set(re.findall(r"^    error (\w+)\(", "".join(p.read_text() for p in (ROOT / "contracts" / "evm" / "src").glob("*.sol")), re.M))
# What the egress proxy answers.
REPLIES = {name.lower() for name in re.findall(r"^\tX\((\w+), \d+,", (ROOT / "wire" / "egress.h").read_text(), re.M)}
ORACLE = PAGE.split("\n### By the oracle\n")[1].split("\n### ")[0]
# Tests that walk a file of rows, each with its error beside it, or that look at finality by numbers: nothing is in their text.
BY_TABLE = {"test_bad_clique_headers_are_refused", "test_bad_qbft_headers_are_refused", "test_seals_needed", "test_generated_chains",
            "test_hostile", "test_generated_attacks"}


def text_of(path: str, name: str) -> str:
    """Of a function, to the line before the next one."""
    text = (ROOT / "tests" / path).read_text()
    start = re.search(rf"^(?:static void|def) {name}\(", text, re.M)
    assert start, f"{path} has no {name}"
    end = re.search(r"^(?:}|@|def |# ---)", text[start.end():], re.M)
    return text[start.start():start.end() + end.start()] if end else text[start.start():]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.strip("| ").split("|")[0].strip())
def test_named_tests_are_there(row):
    for path, name in NAMED.findall(row):
        body = text_of(path, name)
        assert path.endswith(".py") or re.search(rf"cmocka_unit_test(_setup)?(_teardown)?\({name}\b|\b(T|TEST|CASE)\(({name}|{name.removeprefix('test_')})\b",
                                                (ROOT / "tests" / path).read_text())
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if len(cells) < 3 or name in BY_TABLE or row in ORACLE or not path.startswith(("unit/enclave/", "unit/cometbft/")):
            continue
        error = cells[1].strip("`")
        assert error in ERRORS
        assert f'"{error}"' in body or f"{error}_because(s, " in body or f"CS_ERR_{error.replace('-', '_').upper()}" in body, f"{name} does not ask for {error}"


@functools.cache
def module_of(path: str) -> tuple[str, dict]:
    text = (ROOT / "tests" / path).read_text()
    named = {}
    for node in ast.parse(text).body:
        for target in node.targets if isinstance(node, ast.Assign) else [node]:
            if isinstance(target, (ast.Name, ast.FunctionDef, ast.ClassDef)):
                named[getattr(target, "id", None) or target.name] = node
    return text, named


def with_what_it_uses(path: str, name: str) -> str:
    """Of a test in Python: decorators, itself, and the functions and tables of its file that it names, to the second step."""
    text, named = module_of(path)
    found, wanted = {}, {name}
    for _ in range(3):
        for one in wanted & named.keys() - found.keys():
            found[one] = named[one]
        wanted = {n.id for node in found.values() for n in ast.walk(node) if isinstance(n, ast.Name)}
    sources = [ast.get_source_segment(text, d) for n in found.values() for d in getattr(n, "decorator_list", [])]
    return "\n".join(filter(None, [*sources, *(ast.get_source_segment(text, n) for n in found.values())]))


def asks_for(error: str, body: str) -> bool:
    upper = error.replace("-", "_").upper()
    if re.search(rf'"{error}|\b(?:CS_ERR_|WIRE_ORACLE_)?{upper}\b', body):
        return True
    if error in CODES:
        return re.search(rf"(?:==|[(,=]) ?{CODES[error]}\b", body) is not None
    return error in REVERTS and f'"{error}"' in body


@pytest.mark.parametrize("row", [r for r in ROWS if r in ORACLE and r.startswith("|")], ids=lambda row: row.split("|")[1].strip())
def test_the_oracles_rows_name_what_their_tests_ask_for(row):
    _, errors, _ = [cell.strip() for cell in row.strip("|").split("|")]
    errors = re.findall(r"`([\w-]+)`", errors)
    assert errors and set(errors) <= ERRORS | REVERTS | CODES.keys() | REPLIES
    for path, name in NAMED.findall(row):
        body = with_what_it_uses(path, name) if path.endswith(".py") else text_of(path, name)
        assert name in BY_TABLE or any(asks_for(error, body) for error in errors), f"{name} asks for none of {errors}"


def test_every_list_has_its_rows():
    """As many as the lists of the sections have items, at the least."""
    tables = {part.split("\n", 1)[0]: len(NAMED.findall(part)) for part in PAGE.split("\n### ")[1:]}
    assert tables.keys() == {"By the enclave", "By a light client of a CometBFT chain", "By the ledger's engine", "By the ledger's application",
                             "By the ledger's gateway and bridge", "By the ledger's node",
                             "By a client whose final blocks are named by providers", "By the key cluster", "By the ABCI server and client",
                             "By the sandbox", "By the backends of hardware", "By the oracle", "By the gateway's API", "By the contracts"}
    assert tables["By the enclave"] >= 38 and tables["By the sandbox"] >= 8 and tables["By the contracts"] >= 24
    assert tables["By a client whose final blocks are named by providers"] >= 16
    assert tables["By a light client of a CometBFT chain"] >= 18
    assert tables["By the ledger's application"] >= 18 and tables["By the ledger's gateway and bridge"] >= 60
    assert tables["By the ledger's engine"] >= 14 and tables["By the ledger's node"] >= 30
    assert tables["By the ABCI server and client"] >= 20
    assert tables["By the backends of hardware"] >= 14
    assert tables["By the key cluster"] >= 5
    assert tables["By the oracle"] >= 70


def test_every_complaint_has_a_behaviour_and_a_test():
    """Or says that it is missing."""
    rows = [line for line in (ROOT / "docs" / "complaints.md").read_text().split("\n## The table\n")[1].splitlines() if line.startswith("| ")][1:]
    themes = [row for row in rows if row.startswith("| **")]
    assert len(themes) == 17 and len(rows) > 100
    for row in rows:
        _, today, test = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert today and (NAMED.search(test) or today.startswith("**Missing**")) and "no test" not in test, row


@pytest.mark.parametrize("page", ["trust.md", "complaints.md"])
def test_other_pages_name_tests_that_are_there(page):
    named = set(re.findall(r"`((?:unit/)?[\w/]+/test_\w+\.(?:c|py))::(\w+)`", (ROOT / "docs" / page).read_text()))
    assert len(named) > 30
    for path, name in sorted(named):
        text_of(path, name)


def test_every_suite_is_run():
    """By ctest, or by `script/test --slow`, which knows its tests by their mark: a test that nobody runs shows nothing."""
    told = subprocess.run(["ctest", "--test-dir", find_build(), "--show-only=json-v1"], capture_output=True, text=True, check=True).stdout
    run = {argument for test in json.loads(told)["tests"] for argument in test.get("command", [])}
    suites = {f"{path.parent.name}/{path.name}": path.read_text() for path in (ROOT / "tests").glob("*/test_*.py")}
    assert len(suites) > 100
    left = {name for name in suites if not {name, name.split("/")[0]} & run}
    assert {name for name in left if not re.search(r"^pytestmark = \[pytest\.mark\.slow", suites[name], re.M)
            and suites[name].count("\ndef test_") != suites[name].count("\n@pytest.mark.slow\n")} == set()
