"""A bridge whose manifest asks for the registration of an enclave before its key is learned: each enclave has the other's proven to it
under the ledger's light client. (Bonds of what register_enclaves of the tests' world registers are zero.)"""
from __future__ import annotations

import pytest

from lib.bridge_ledger import BridgeLedger
from lib.rpc import wait_for
from lib.world import World

TIMEOUT_S = 120


@pytest.fixture(scope="module")
def bridge(tmp_path_factory):
    with BridgeLedger(tmp_path_factory.mktemp("bridge")) as ledger:
        yield ledger


def world_of(folder, bridge, **registration) -> World:
    return World(folder, "ledger", bridge_ledger=bridge, ledger_time={"registration": {"bond_min": "0", "evidence": False, **registration}})


@pytest.mark.parametrize("rule, reason", [({"bond_min": "1"}, "its bond is too small"), ({"evidence": True}, "administrators' word alone")])
def test_a_remote_that_is_not_registered_well_enough(tmp_path, bridge, rule, reason):
    """Nothing of it is taken: its message waits, and the log says what is missing."""
    with world_of(tmp_path / "w", bridge, **rule) as world:
        message = world.send(b"from an enclave that does not count")
        wait_for(lambda: reason in world.gateways[1].log.read_text(), TIMEOUT_S, f"the refusal ({world.gateways[1].log})", 0.1)
        told = world.gateways[1].log.read_text()
        assert "key.not_learned" in told and "forbidden" in told and "key.learned" not in told
        assert world.gateways[0].message(message)["state"] not in ("submitted", "included", "finalized")
