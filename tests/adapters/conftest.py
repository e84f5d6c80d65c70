"""Chains of the adapter's tests. anvil mines when a transaction comes, so that a test is as fast as the adapter."""
from __future__ import annotations

import pytest

from adapters.driver import Gateway
from adapters.ledger_driver import LedgerGateway
from lib import chains
from lib.ledger_kinds import Validators


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


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """Four validators of equal power, three of which are there: a block waits for the fourth, and has three signatures."""
    with Validators(tmp_path_factory.mktemp("ledger"), "adapter-1", 4, away=1) as chain:
        yield LedgerGateway(chain)
