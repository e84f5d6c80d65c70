"""Gateways write to their bridge's ledger: what happened to each message is there once, as their journals have it, whatever dies in
between; a route has one that submits; and without the ledger everything is relayed all the same."""
from __future__ import annotations

import json

import pytest

from lib import abi
from lib.bridge_ledger import BridgeLedger
from lib.door import Door
from lib.observe import DESTINATION
from lib.records import NAMES, TIMEOUT_S, check_records, conflicts, history, in_flight, status, wait_leases, wait_written
from lib.rpc import wait_for
from lib.tools import free_ports
from lib.world import GAS_MONEY_WEI, TRANSFER_GAS, Gateway, World

LEASE_S = 12


@pytest.fixture(scope="module")
def bridge(tmp_path_factory):
    with BridgeLedger(tmp_path_factory.mktemp("bridge"), gateways=("gateway1", "gateway2", "gateway3")) as ledger:
        yield ledger


@pytest.fixture(scope="module")
def world(tmp_path_factory, bridge):
    with World(tmp_path_factory.mktemp("records"), "ledger", bridge_ledger=bridge, lease_s=LEASE_S) as w:
        yield w


def relay(world: World, *payloads: bytes) -> list[str]:
    ids = [world.send(payload) for payload in payloads]
    for message_id in ids:
        for gateway in world.gateways:
            gateway.ends(message_id)
    return ids


# ---- one gateway a side ----

def test_every_move_is_recorded(world, bridge):
    ids = relay(world, *(b"record %d" % i for i in range(5)))
    check_records(bridge, ids, *world.gateways)
    wait_leases(*world.gateways)
    for gateway in world.gateways:
        told = status(gateway)
        assert told["id"] == bridge.caip2 and told["nodes"] == told["reachable"] == 4 and told["why"] is None
        assert gateway.figure("caisson_ledger_writing") == 1 and gateway.figure("caisson_ledger_conflicts") == 0
        assert gateway.figure("caisson_ledger_records_total") == told["records"] > 0
        gateway.shows_all("caisson_ledger_")


def test_nobody_is_warned_of_registrations_that_nothing_needs(world):
    """These enclaves are in no register, their time is the host's: that is said, and rings nothing."""
    for gateway in world.gateways:
        rows = wait_for(lambda g=gateway: (r := status(g)["registrations"]) and all(row["state"] == "not_registered" for row in r) and r, TIMEOUT_S, "a look")
        assert sorted(row["of"] for row in rows) == ["own", "remote"]
        assert all(row["needed"] is False and row["expires_s"] is row["enclave"] is row["evidence"] is None for row in rows)
        assert "caisson_registration" not in gateway.request("GET", "/metrics")[1] and "registration." not in gateway.log.read_text()
        told = gateway.caisson("doctor", str(gateway.config)).stdout
        assert told.count("is not in the ledger's register, and need not be") == 2 and "REGISTRATION" not in gateway.caisson("status").stdout


def test_a_restart_writes_nothing_twice(world, bridge):
    first = relay(world, b"before the restart")
    check_records(bridge, first, *world.gateways)
    before = [bridge.rpc.account(bridge.accounts[g.name].address)[0] for g in world.gateways]
    for gateway in world.gateways:
        gateway.stop()
        gateway.restart()
    check_records(bridge, first, *world.gateways)
    check_records(bridge, relay(world, b"after the restart"), *world.gateways)
    assert all(bridge.rpc.account(bridge.accounts[g.name].address)[0] > n for g, n in zip(world.gateways, before))


# ---- between the journal and the ledger ----

def test_a_crash_between_journal_and_broadcast(world, bridge):
    """The transaction is written down and no node has it: after SIGKILL the same bytes go out, and its records are there once."""
    gateway = world.gateways[1]
    account = bridge.accounts[gateway.name].address
    with Door(bridge.urls[0]) as door:
        gateway.stop()
        gateway.configure_ledger("nodes", json.dumps([door.url]))
        gateway.restart()
        wait_written(gateway)
        wait_leases(gateway)
        door.shut.set()
        message_id = world.send(b"crash")
        for g in world.gateways:
            g.ends(message_id)
        wait_for(lambda: door.held.is_set() and in_flight(gateway), TIMEOUT_S, "a transaction that is written down and held", 0.05)
        gateway.kill()
        kind, sequence, tx = in_flight(gateway)
        assert bridge.rpc.account(account)[0] == sequence and bridge.rpc.receipt(abi.to_hex(tx)) is None
        door.shut.clear()
        gateway.restart()
        receipt = bridge.rpc.wait_receipt(abi.to_hex(tx), TIMEOUT_S)
        assert receipt["status"] == "0x1", (kind, receipt)
        check_records(bridge, [message_id], *world.gateways)
        gateway.stop()
    gateway.configure_ledger("nodes", json.dumps(bridge.urls))
    gateway.restart()
    wait_written(gateway)


def test_a_crash_after_the_broadcast(world, bridge):
    """The block has it and the journal does not know: nothing is sent again."""
    gateway = world.gateways[1]
    for turn in range(3):
        wait_leases(gateway)
        message_id = world.send(b"crash after %d" % turn)
        tx = wait_for(lambda: (row := in_flight(gateway)) and bridge.rpc.receipt(abi.to_hex(row[2])) and row[2], TIMEOUT_S,
                      "a transaction in a block and in the journal", 0.01)
        gateway.kill()
        gateway.restart()
        for g in world.gateways:
            g.ends(message_id)
        check_records(bridge, [message_id], *world.gateways)
        assert bridge.rpc.receipt(abi.to_hex(tx))["status"] == "0x1"


# ---- without the ledger ----

def test_it_goes_on_without_the_ledger(world, bridge):
    """All nodes are away for the whole of some messages: they arrive; what happened to them is written when the nodes are back."""
    wait_written(*world.gateways)
    for i in range(len(bridge.nodes)):
        bridge.kill(i)
    for gateway in world.gateways:
        told = wait_for(lambda g=gateway: (s := status(g))["state"] == "no_node" and s["reachable"] == 0 and s, TIMEOUT_S,
                        f"{gateway.name} says so", 0.1)
        assert told["why"] and gateway.figure("caisson_ledger_writing") == 0
        assert gateway.get("/v1/status")["ready"] is True
    ids = relay(world, b"nobody writes 1", b"nobody writes 2")
    backlog = [status(g)["backlog"] for g in world.gateways]
    assert all(n >= 2 * 4 for n in backlog), backlog
    for gateway in world.gateways:
        gateway.stop()
        gateway.restart()
    assert [status(g)["backlog"] for g in world.gateways] == backlog
    assert [g.figure("caisson_ledger_backlog") for g in world.gateways] == backlog
    for node in bridge.nodes:
        node.start()
    bridge.wait_blocks(2)
    check_records(bridge, ids, *world.gateways)
    for gateway in world.gateways:
        logged = gateway.log.read_text()
        assert logged.count("ledger.trouble") <= 6 and "then=" in logged  # once a change, not once a try


def test_an_account_without_rights(world, bridge):
    """The owner takes the account's right away: it says so, goes on relaying, and writes when it has it again."""
    gateway = world.gateways[1]
    wait_written(gateway)
    bridge.allow_gateway(gateway.name, gateway.side.identity, False)
    wait_for(lambda: status(gateway)["state"] == "not_registered", TIMEOUT_S, f"{gateway.name} says so", 0.1)
    message_id, = relay(world, b"no right to write")
    assert status(gateway)["backlog"] > 0 and history(bridge, message_id, DESTINATION) == []
    bridge.allow_gateway(gateway.name, gateway.side.identity)
    check_records(bridge, [message_id], *world.gateways)


def test_an_account_that_cannot_pay(world, bridge):
    """It says so and goes on relaying; what happened meanwhile is written when the account has something."""
    gateway = world.gateways[1]
    poor = bridge.add_account("poor")
    bridge.allow_gateway(poor.name, gateway.side.identity)
    wait_written(gateway)
    gateway.stop()
    gateway.configure_ledger("key_file", json.dumps(str(poor.key_file)))
    gateway.restart()
    message_id, = relay(world, b"no money to write")
    wait_for(lambda: status(gateway)["state"] == "no_funds", TIMEOUT_S, f"{gateway.name} says so", 0.1)
    assert status(gateway)["backlog"] > 0 and history(bridge, message_id, DESTINATION) == []
    bridge.rpc.wait_receipt(bridge.rpc.send(bridge.accounts["owner"].address, poor.address, value=10**12))
    check_records(bridge, [message_id], *world.gateways)
    gateway.stop()
    gateway.configure_ledger("key_file", json.dumps(str(bridge.accounts[gateway.name].key_file)))
    gateway.restart()
    wait_written(gateway)


def test_a_chain_that_is_too_dear(world, bridge):
    """Its least gas price is above the configured one: nothing is written until somebody allows it."""
    gateway = world.gateways[1]
    wait_written(gateway)
    gateway.stop()
    gateway.configure_ledger("gas_price_max", "0")
    gateway.restart()
    message_id, = relay(world, b"too dear to write")
    wait_for(lambda: status(gateway)["state"] == "too_dear", TIMEOUT_S, f"{gateway.name} says so", 0.1)
    assert status(gateway)["backlog"] > 0 and history(bridge, message_id, DESTINATION) == []
    gateway.stop()
    gateway.configure_ledger("gas_price_max", "1000")
    gateway.restart()
    check_records(bridge, [message_id], *world.gateways)


# ---- two gateways of one chain ----

@pytest.fixture(scope="module")
def penniless(world, bridge):
    """Another gateway of chain 2, with an enclave of its own: it may deliver, its key is registered nowhere, and its gas account is empty."""
    source = world.gateways[0]
    gateway = Gateway(world, 1, tuple(free_ports(2)), "gateway3")
    gateway.write_files(source, {})
    bridge.allow_gateway(gateway.name, gateway.side.identity)
    source.stop()
    source.add_peer(gateway)
    source.restart()
    gateway.restart()
    yield gateway
    gateway.stop()


def fund(world: World, gateway) -> None:
    rpc, owner = gateway.side.chain.rpc, gateway.side.owner
    rpc.wait_receipt(rpc.send(owner, world.enclave_key(gateway)["gas_address"], value=GAS_MONEY_WEI, gas=TRANSFER_GAS))


@pytest.fixture(scope="module")
def second(world, penniless):
    """The same with something in its gas account."""
    fund(world, penniless)
    return penniless


def gas_sequence(world: World, gateway) -> int:
    return gateway.side.chain.rpc.account(world.enclave_key(gateway)["gas_address"])[0]


def leases(gateway) -> dict[str, dict]:
    return {lease["side"]: lease for lease in status(gateway)["leases"]}


def test_who_cannot_pay_leaves_the_lease(world, bridge, penniless):
    """Everything answers, and its gas account is empty: it says so, and the other one delivers. With something in it it may have leases again."""
    source, first = world.gateways
    wait_written(*world.gateways)
    first.stop()
    wait_leases(penniless)
    first.restart()
    holder = bridge.accounts[penniless.name].address.lower()
    wait_for(lambda: all(lease["holder"] == holder for lease in leases(first).values()), TIMEOUT_S, "who holds the leases", 0.1)
    assert penniless.get("/v1/status")["ready"] is True
    message_id = world.send(b"the penniless one cannot pay")
    wait_for(lambda: penniless.get("/v1/status")["why"] == "the gas account cannot pay", TIMEOUT_S, f"{penniless.name} says so", 0.1)
    assert penniless.request("GET", "/healthz")[0] == 503
    for gateway in world.gateways:
        gateway.ends(message_id)
    assert "lease.not_renewed" in penniless.log.read_text()
    wait_for(lambda: not any(lease["ours"] for lease in leases(penniless).values()), LEASE_S * 2, f"{penniless.name} is without a lease", 0.1)
    assert status(penniless)["state"] == "fine"
    wait_leases(first)
    check_records(bridge, [message_id], *world.gateways)
    fund(world, penniless)
    wait_for(lambda: penniless.get("/v1/status")["ready"], TIMEOUT_S, f"{penniless.name} can pay", 0.1)
    assert penniless.request("GET", "/healthz")[0] == 200
    first.stop()
    wait_leases(penniless)
    penniless.stop()
    first.restart()
    wait_leases(first)
    penniless.restart()


def test_who_cannot_submit_leaves_the_lease(world, bridge, second):
    """Its chain does not answer it any more, the bridge's ledger does: it holds up nobody who can."""
    source, first = world.gateways
    config = first.config.read_text()
    with Door(first.side.chain.url) as door:
        first.config.write_text(config.replace(f'rpc = ["{first.side.chain.url}"]', f'rpc = ["{door.url}"]'))
        first.stop()
        first.restart()
        second.stop()
        wait_leases(first)
        second.restart()
        holder = bridge.accounts[first.name].address.lower()
        wait_for(lambda: all(lease["holder"] == holder for lease in leases(second).values()), TIMEOUT_S, "who holds the leases", 0.1)
        door.cut.set()
        message_id = world.send(b"second submits, first cannot")
        second.reaches(message_id, "included", "outcome_final", "outcome_verified")
        assert "lease.not_renewed" in first.log.read_text()
        assert status(first)["state"] == "fine" and all(not lease["ours"] for lease in leases(first).values())
    first.config.write_text(config)
    first.stop()
    first.restart()
    source.ends(message_id)
    first.ends(message_id)
    second.stop()
    wait_leases(first)
    wait_written(first)
    second.restart()


def test_one_submits_and_the_other_takes_over(world, bridge, second):
    source, first = world.gateways
    wait_leases(first)
    holder = bridge.accounts[first.name].address.lower()
    wait_for(lambda: all(lease["holder"] == holder and not lease["ours"] for lease in leases(second).values()), TIMEOUT_S,
             f"leases of {first.name} as {second.name} sees them ({second.log})", 0.1)
    idle, ids = gas_sequence(world, second), relay(world, b"first submits 1", b"first submits 2")
    for message_id in ids:
        second.reaches(message_id, "outcome_verified", "finalized")  # it looks on
    assert gas_sequence(world, second) == idle
    check_records(bridge, ids, *world.gateways)
    # What the other one recorded to its end waits no longer where it was seen only.
    wait_for(lambda: status(second)["backlog"] == 0, TIMEOUT_S, f"{second.name} forgets what is written ({second.log})", 0.2)

    first.kill()
    fencing = leases(second)["destination"]["fencing"]
    message_id = world.send(b"second submits")
    second.reaches(message_id, "included", "outcome_final", "outcome_verified")
    assert gas_sequence(world, second) > idle and world.gateways[0].message(message_id)["state"] != "observed"
    took = wait_for(lambda: (lease := leases(second)["destination"])["ours"] and lease, TIMEOUT_S, f"the lease of {second.name}", 0.1)
    assert took["fencing"] > fencing
    # The first one is back, leaves the submitting, and its statement ends the message.
    first.restart()
    source.ends(message_id)
    first.ends(message_id)
    assert not leases(first)["destination"]["ours"]
    wait_written(second)
    there = [NAMES[s] for s in history(bridge, message_id, DESTINATION)]
    assert there[0] == "signed" and there[-1] == "finalized" and "submitted" in there, there
    assert conflicts(bridge, message_id, DESTINATION) == 0
    second.stop()
    wait_leases(first)  # released, not waited for
    wait_for(lambda: status(first)["backlog"] == 0, TIMEOUT_S, f"{first.name} has nothing left to write", 0.2)
    assert [NAMES[s] for s in history(bridge, message_id, DESTINATION)] == there
