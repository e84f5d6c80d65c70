"""What all suites share: chains, skips by name, an exit code that ctest understands."""
from __future__ import annotations

import os

import pytest

from lib import chains, tools

EXIT_ALL_SKIPPED = 77  # SKIP_RETURN_CODE of tests/CMakeLists.txt


def _required() -> set[str]:
    """Parts that must be there, by `script/test --require`."""
    return set(filter(None, os.environ.get("CAISSON_REQUIRE", "").split(",")))


def _skip_or_fail(missing: tools.Missing) -> None:
    if missing.part in _required():
        pytest.fail(f"{missing} and it is required", pytrace=False)
    pytest.skip(str(missing))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    try:
        return (yield)
    except tools.Missing as missing:
        _skip_or_fail(missing)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    try:
        return (yield)
    except tools.Missing as missing:
        _skip_or_fail(missing)


def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    stats = reporter.stats if reporter else {}
    if exitstatus == 0 and stats.get("skipped") and not stats.get("passed"):
        session.exitstatus = EXIT_ALL_SKIPPED


@pytest.fixture(scope="module")
def anvil(tmp_path_factory):
    """One anvil with 1 s blocks for a module."""
    with chains.Anvil(tmp_path_factory.mktemp("anvil")) as chain:
        yield chain


@pytest.fixture(scope="module")
def anvil_auto(tmp_path_factory):
    """One anvil that makes a block for each transaction, for tests of contracts."""
    with chains.Anvil(tmp_path_factory.mktemp("anvil-auto"), mining="auto") as chain:
        yield chain


@pytest.fixture(scope="module")
def clique(tmp_path_factory):
    """One network of three Clique signers for a module."""
    with chains.Clique(tmp_path_factory.mktemp("clique")) as chain:
        yield chain
