"""A bridge whose enclaves take their time from the nodes of its ledger, and anchor their sealed state there: messages go each way; a state
that was rolled back signs nothing; without a quorum of the nodes nothing is signed, nothing is lost, and it goes on afterwards."""
from __future__ import annotations

import contextlib
import json
import sqlite3

import pytest

from lib import abi
from lib.bridge_ledger import RECORDS, BridgeLedger
from lib.door import Door
from lib.rpc import wait_for
from lib.world import World

TIMEOUT_S = 120
LAG_MAX = 4


@pytest.fixture(scope="module")
def bridge(tmp_path_factory):
    with BridgeLedger(tmp_path_factory.mktemp("bridge")) as ledger:
        yield ledger


@pytest.fixture(scope="module")
def world(tmp_path_factory, bridge):
    with World(tmp_path_factory.mktemp("time"), "ledger", bridge_ledger=bridge, ledger_time={"lag_max": LAG_MAX, "registration": {"bond_min": "0", "evidence": False}}) as w:
        yield w


def anchor(gateway) -> dict:
    return gateway.get("/v1/enclave")["anchor"]


def on_ledger(bridge: BridgeLedger, world: World, side: int) -> tuple[int, int]:
    """Epoch and counter of the enclave of that side."""
    lineage = abi.to_bytes(world.gateways[side].get("/v1/enclave")["lineage"])
    words = bridge.view(RECORDS, "anchorOf(bytes32,bytes32)", lineage, world.sides[side].identity)
    return int.from_bytes(words[:32], "big"), int.from_bytes(words[32:64], "big")


def relay_each_way(world: World, what: str) -> None:
    ids = [world.send(f"{what} {source}".encode(), source=source) for source in (0, 1)]
    for message_id in ids:
        for gateway in world.gateways:
            gateway.ends(message_id)


def sealed_of(gateway) -> bytes:
    """Of a gateway that is stopped."""
    with sqlite3.connect(gateway.folder / "journal.db") as journal:
        return journal.execute("SELECT value FROM meta WHERE name='sealed'").fetchone()[0]


def put_sealed(gateway, sealed: bytes) -> None:
    with sqlite3.connect(gateway.folder / "journal.db") as journal:
        journal.execute("UPDATE meta SET value=? WHERE name='sealed'", (sealed,))


def counter_of(sealed: bytes) -> int:
    return int.from_bytes(sealed[80:88], "big")


def health(gateway) -> tuple[int, dict]:
    return gateway.request("GET", "/healthz")


# ---- an honest bridge ----

def test_messages_go_each_way_in_the_ledgers_time(world, bridge):
    relay_each_way(world, "in the ledger's time")
    for side, gateway in enumerate(world.gateways):
        told = gateway.get("/v1/enclave")
        assert told["time_source"] == "ledger" and "host_time" not in told["insecure"]
        assert told["rollback_detected_only_within_process"] is False
        assert told["anchor"]["state"] == "proven" and told["anchor"]["epoch"] == 1
        epoch, counter = on_ledger(bridge, world, side)
        assert epoch == 1 and counter >= told["anchor"]["proven_counter"] > 0


def test_a_restart_goes_on(world):
    gateway = world.gateways[0]
    gateway.stop()
    sealed = sealed_of(gateway)
    gateway.restart()
    assert anchor(gateway)["state"] == "proven" and anchor(gateway)["counter"] >= counter_of(sealed)
    relay_each_way(world, "after a restart")


def test_a_rotation_is_anchored_and_announced(world, bridge):
    gateway = world.gateways[1]
    before = anchor(gateway)["proven_counter"]
    gateway.post("/v1/keys/rotate", {})
    wait_for(lambda: "clock.rotation_announced" in gateway.log.read_text(), TIMEOUT_S, f"the announcement ({gateway.log})", 0.1)
    # Nothing is signed until the state with the new key is anchored.
    wait_for(lambda: (a := anchor(gateway))["state"] == "proven" and a["proven_counter"] > before, TIMEOUT_S, f"the anchor ({gateway.log})", 0.1)
    relay_each_way(world, "after a rotation")


def announced(gateway) -> int:
    return gateway.log.read_text().count("clock.rotation_announced")


def test_a_rotation_is_announced_after_a_crash(world, bridge):
    """The process ends before any node has heard of the new key: the next one tells the register."""
    gateway = world.gateways[1]
    with contextlib.ExitStack() as stack:
        doors = [stack.enter_context(Door(url)) for url in bridge.urls]
        gateway.stop()
        gateway.configure_ledger("nodes", json.dumps([door.url for door in doors]))
        gateway.restart()
        relay_each_way(world, "before the crash")
        for door in doors:
            door.shut.set()
        before = announced(gateway)
        gateway.post("/v1/keys/rotate", {})
        wait_for(lambda: any(door.held.is_set() for door in doors), TIMEOUT_S, f"a transaction that is held ({gateway.log})")
        gateway.kill()
        assert announced(gateway) == before
        for door in doors:
            door.shut.clear()
        gateway.restart()
        wait_for(lambda: announced(gateway) > before, TIMEOUT_S, f"the announcement ({gateway.log})", 0.1)
        assert "rotation_not_announced" not in gateway.log.read_text()
        relay_each_way(world, "after the crash")
        gateway.stop()
    gateway.configure_ledger("nodes", json.dumps(bridge.urls))
    gateway.restart()


# ---- a state that was rolled back ----

def test_an_old_state_signs_nothing(world, bridge):
    gateway = world.gateways[0]
    gateway.stop()
    old = sealed_of(gateway)
    gateway.restart()
    # Messages change the state, states are sealed, and every few of them are anchored.
    for n in range(20):
        relay_each_way(world, f"beyond the old state {n}")
        if on_ledger(bridge, world, 0)[1] > counter_of(old):
            break
    assert on_ledger(bridge, world, 0)[1] > counter_of(old)
    gateway.stop()
    newest = sealed_of(gateway)
    put_sealed(gateway, old)
    gateway.start()
    wait_for(lambda: "clock.rolled_back" in gateway.log.read_text(), TIMEOUT_S, f"the refusal ({gateway.log})", 0.1)
    wait_for(lambda: (h := health(gateway)) and h[0] == 503 and "rolled-back" in str(h[1]), TIMEOUT_S, f"health ({gateway.log})", 0.1)
    assert anchor(gateway)["state"] == "rolled_back"
    message_id = world.send(b"while the state is an old one", source=0)
    world.gateways[0].reaches(message_id, "observed", "final")
    # With the newest state everything goes on, this message too.
    gateway.stop()
    put_sealed(gateway, newest)
    gateway.restart()
    for other in world.gateways:
        other.ends(message_id)
    assert anchor(gateway)["state"] == "proven"


# ---- without a quorum of the nodes ----

def test_without_a_quorum_nothing_is_signed_and_nothing_is_lost(world, bridge):
    for index in (2, 3):
        bridge.kill(index)
    for gateway in world.gateways:
        wait_for(lambda g=gateway: (h := health(g)) and h[0] == 503 and "no-time" in str(h[1]), TIMEOUT_S, f"health ({gateway.log})", 0.1)
        assert (gateway.figure("caisson_enclave_ready"), gateway.figure("caisson_enclave_signs")) == (1, 0)  # it is there, and has no time
    message_id = world.send(b"while there is no time", source=0)
    world.gateways[0].reaches(message_id, "observed", "final")
    for index in (2, 3):
        bridge.nodes[index].start()
    for gateway in world.gateways:
        wait_for(gateway.healthy, TIMEOUT_S, f"health ({gateway.log})", 0.1)
        gateway.ends(message_id)
        assert gateway.figure("caisson_enclave_signs") == 1
    relay_each_way(world, "after the quorum came back")
