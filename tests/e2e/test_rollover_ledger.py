"""A third chain under a running gateway whose enclave takes its time from the bridge's ledger and anchors there, and which writes leases and
records to it: each of these goes over to the chain that came, none of the process but the enclave starts anew."""
from __future__ import annotations

import pytest

from lib import abi
from lib.bridge_ledger import BRIDGE, DAY_S, RECORDS, BridgeLedger
from lib.observe import DESTINATION, SOURCE
from lib.records import TIMEOUT_S, check_records, history, status, wait_leases, wait_written
from lib.rpc import wait_for
from lib.third import Third, numbers, reload

LAG_MAX = 4


@pytest.fixture(scope="module")
def bridge(tmp_path_factory):
    with BridgeLedger(tmp_path_factory.mktemp("bridge")) as ledger:
        yield ledger


@pytest.fixture(scope="module")
def world(tmp_path_factory, bridge):
    with Third(tmp_path_factory.mktemp("rollover"), "anvil", block_time=0.5, bridge_ledger=bridge, ledger_time={"lag_max": LAG_MAX}) as w:
        yield w


def anchor(gateway) -> dict:
    return gateway.enclave()["anchor"]


def counter_on_ledger(bridge, world) -> int:
    words = bridge.view(RECORDS, "anchorOf(bytes32,bytes32)", abi.to_bytes(world.gateways[0].enclave()["lineage"]), world.sides[0].identity)
    return int.from_bytes(words[32:64], "big")


def renew(bridge, world) -> None:
    """The administrators of the register name the enclave's new key, and the manifest that it runs under now."""
    told, identities = world.gateways[0].enclave(), {world.sides[0].chain.caip2: world.sides[0].identity, world.more.caip2: world.third.identity}
    keys = [(identities[k["chain"]], k["epoch"], abi.to_bytes(k["public_key"]), k["gas_address"]) for k in told["keys"]]
    name = bridge.enclave_of(next(x for identity, _, x, _ in keys if identity == world.sides[0].identity))
    same = bridge.register_enclave(BRIDGE, keys, abi.to_bytes(told["measurement"]), abi.to_bytes(told["lineage"]), told["manifest_number"],
                                   abi.to_bytes(told["manifest_hash"]), abi.to_bytes(told["evidence_digest"]), 31 * DAY_S, enclave=name)
    assert same == name and all(bridge.enclave_of(x) == name for _, _, x, _ in keys)


def test_another_ledger_is_refused(world):
    """The manifest that brings the chain must be of the ledger that the process reads its time from."""
    gateway = world.gateways[0]
    pids = gateway.pids()
    other = world.draft()
    other["ledger"] = {**other["ledger"], "quorum": other["ledger"]["quorum"] + 1}
    host_time = {k: v for k, v in {**world.draft(), "time": ["insecure_host_time"]}.items() if k != "ledger"}
    try:
        for name, draft in (("quorum", other), ("host-time", host_time)):
            gateway.config.write_text(world.config([world.manifest, world.sign(draft, name)]))
            assert "the source of time, or the bridge's ledger, is another one" in reload(gateway, 409)["detail"]
    finally:
        gateway.config.write_text(world.kept)
    assert reload(gateway) == {"changed": []} and gateway.pids() == pids


def test_a_chain_comes_to_a_bridge_with_a_ledger(world, bridge):
    gateway, home = world.gateways[0], world.sides[0]
    wait_leases(gateway)
    pids, before = gateway.pids(), anchor(gateway)["proven_counter"]
    under_way = [world.send(b"under way %d" % i, source=i % 2) for i in range(4)]
    world.lineage.append(world.sign(world.draft(), "two"))
    gateway.config.write_text(world.config(world.lineage))
    assert {"enclave.manifests", "chains[1].id"} <= set(reload(gateway)["changed"])
    wait_for(gateway.healthy, TIMEOUT_S, f"health with three chains ({gateway.log})")
    assert numbers(gateway) == (2, 2) and "host_time" not in gateway.enclave()["insecure"]
    wait_for(lambda: anchor(gateway)["state"] == "proven", TIMEOUT_S, "the new chain's key in a proven state of the ledger")
    # The key of the new chain is in a state that the ledger has, or nothing would be signed.
    assert counter_on_ledger(bridge, world) >= anchor(gateway)["proven_counter"] > before

    # Our account has no right to the new chain's records yet: it says so, and messages go all the same.
    told = wait_for(lambda: (s := status(gateway))["state"] == "not_registered" and s, TIMEOUT_S, "what the ledger refuses", 0.1)
    assert world.more.caip2 in told["why"], told
    world.name_keys()
    early = world.commit_between(home, world.third, b"before it may be recorded")
    gateway.ends(early)
    assert history(bridge, early, DESTINATION) == []

    renew(bridge, world)
    bridge.allow_gateway(gateway.name, world.third.identity)
    wait_leases(gateway)
    assert {(lease["from"], lease["to"]) for lease in status(gateway)["leases"]} >= {(home.chain.caip2, world.more.caip2), (world.more.caip2, home.chain.caip2)}
    ids = [world.commit_between(home, world.third, b"there"), world.commit_between(world.third, home, b"and back")]
    for message in ids:
        gateway.ends(message)
    check_records(bridge, [early, *ids], gateway, gateway)
    for i, message in enumerate(under_way):
        for each in world.gateways:
            each.ends(message)
        check_records(bridge, [message], *(world.gateways if i % 2 == 0 else reversed(world.gateways)))
    now = gateway.pids()
    assert now["caisson-gateway"] == pids["caisson-gateway"] and now["caisson"] == pids["caisson"] and now["caisson-enclave"] != pids["caisson-enclave"]


def test_a_start_goes_on_with_it(world, bridge):
    """Anchors, leases and records of three chains, as the running process left them."""
    gateway = world.gateways[0]
    gateway.stop()
    gateway.restart()
    assert numbers(gateway) == (2, 2)
    wait_for(lambda: anchor(gateway)["state"] == "proven", TIMEOUT_S, "the state of the ledger proven again")
    wait_leases(gateway)
    message = world.commit_between(world.third, world.sides[0], b"after a start")
    gateway.ends(message)
    check_records(bridge, [message], gateway, gateway)
    assert len(history(bridge, message, SOURCE)) > 0
    wait_written(gateway)
