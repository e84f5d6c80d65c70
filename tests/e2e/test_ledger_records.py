"""Gateways write to their bridge's ledger: what happened to each message is there once, as their journals have it, whatever dies in
between; a route has one that submits; and without the ledger everything is relayed all the same."""
from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from lib import abi
from lib.bridge_ledger import RECORDS, BridgeLedger
from lib.observe import DESTINATION, SOURCE, Journal, relay_states
from lib.rpc import wait_for
from lib.world import World

TIMEOUT_S = 120
STATES = relay_states()
NAMES = {n: name for name, n in STATES.items()}
LEASE_S = 12


@pytest.fixture(scope="module")
def bridge(tmp_path_factory):
    with BridgeLedger(tmp_path_factory.mktemp("bridge"), gateways=("gateway1", "gateway2", "gateway3")) as ledger:
        yield ledger


@pytest.fixture(scope="module")
def world(tmp_path_factory, bridge):
    with World(tmp_path_factory.mktemp("records"), "ledger", bridge_ledger=bridge, lease_s=LEASE_S) as w:
        yield w


# ---- what the ledger has, and what the journal has ----

def words(answer: bytes) -> list[int]:
    return [int.from_bytes(answer[i:i + 32], "big") for i in range(0, len(answer), 32)]


def history(bridge: BridgeLedger, message_id: str, side: int) -> list[int]:
    """States in the order of the records."""
    found = words(bridge.view(RECORDS, "messageOf(bytes32,uint8)", abi.to_bytes(message_id), side))
    return [words(bridge.view(RECORDS, "recordOf(bytes32,uint8,uint8)", abi.to_bytes(message_id), side, i))[2] for i in range(found[1])]


def conflicts(bridge: BridgeLedger, message_id: str, side: int) -> int:
    return words(bridge.view(RECORDS, "messageOf(bytes32,uint8)", abi.to_bytes(message_id), side))[2]


def journal_history(gateway, message_id: str, side: int) -> list[int]:
    with Journal(gateway.folder) as journal:
        return [row[0] for row in journal.connection.execute(
            "SELECT state FROM events WHERE kind='message' AND id=? AND side=? ORDER BY n", (abi.to_bytes(message_id), side))]


def in_flight(gateway) -> tuple | None:
    with Journal(gateway.folder) as journal:
        return journal.connection.execute("SELECT kind, sequence, hash FROM ledger_sent").fetchone()


def status(gateway) -> dict:
    return gateway.get("/v1/status")["ledger"]


def figure(gateway, name: str) -> float:
    text = gateway.request("GET", "/metrics")[1]
    return next(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name + " "))


def wait_written(*gateways) -> None:
    """Until the ledger has everything that their journals have."""
    for gateway in gateways:
        wait_for(lambda g=gateway: (s := status(g))["state"] == "fine" and s["backlog"] == 0, TIMEOUT_S,
                 f"{gateway.name} writes ({gateway.log})", 0.1)


def check_records(bridge: BridgeLedger, world: World, ids: list[str]) -> None:
    """Both sides of each message: every move of the journal, once, in its order."""
    wait_written(*world.gateways)
    for message_id in ids:
        for gateway, side in zip(world.gateways, (SOURCE, DESTINATION)):
            there, own = history(bridge, message_id, side), journal_history(gateway, message_id, side)
            assert there == own, (gateway.name, [NAMES[s] for s in there], [NAMES[s] for s in own])
            assert NAMES[there[-1]] == "finalized" and conflicts(bridge, message_id, side) == 0


def wait_leases(*gateways) -> None:
    for gateway in gateways:
        wait_for(lambda g=gateway: (s := status(g))["leases"] and all(lease["ours"] for lease in s["leases"]), TIMEOUT_S,
                 f"leases of {gateway.name} ({gateway.log})", 0.1)


def relay(world: World, *payloads: bytes) -> list[str]:
    ids = [world.send(payload) for payload in payloads]
    for message_id in ids:
        for gateway in world.gateways:
            gateway.ends(message_id)
    return ids


# ---- one gateway a side ----

def test_every_move_is_recorded(world, bridge):
    ids = relay(world, *(b"record %d" % i for i in range(5)))
    check_records(bridge, world, ids)
    wait_leases(*world.gateways)
    for gateway in world.gateways:
        told = status(gateway)
        assert told["id"] == bridge.caip2 and told["nodes"] == told["reachable"] == 4 and told["why"] is None
        assert figure(gateway, "caisson_ledger_writing") == 1 and figure(gateway, "caisson_ledger_conflicts") == 0
        assert figure(gateway, "caisson_ledger_records_total") == told["records"] > 0


def test_a_restart_writes_nothing_twice(world, bridge):
    first = relay(world, b"before the restart")
    check_records(bridge, world, first)
    before = [bridge.rpc.account(bridge.accounts[g.name].address)[0] for g in world.gateways]
    for gateway in world.gateways:
        gateway.stop()
        gateway.restart()
    check_records(bridge, world, first)
    check_records(bridge, world, relay(world, b"after the restart"))
    assert all(bridge.rpc.account(bridge.accounts[g.name].address)[0] > n for g, n in zip(world.gateways, before))
