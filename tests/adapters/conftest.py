"""Chains of the adapter's tests. anvil mines when a transaction comes, so that a test is as fast as the adapter."""
from __future__ import annotations

import pytest

from adapters.driver import Gateway
from lib import chains


def _anvil(folder, mining: str, **options) -> chains.Anvil:
    chain = chains.Anvil(folder, mining=mining, **options)
    chain.mining = mining
    return chain


@pytest.fixture(scope="module")
def auto(tmp_path_factory):
    with _anvil(tmp_path_factory.mktemp("auto"), "auto") as chain:
        yield Gateway(chain)


@pytest.fixture(scope="module")
def manual(tmp_path_factory):
    with _anvil(tmp_path_factory.mktemp("manual"), "none") as chain:
        yield Gateway(chain)


@pytest.fixture(scope="module")
def sealed(clique):
    return Gateway(clique)
