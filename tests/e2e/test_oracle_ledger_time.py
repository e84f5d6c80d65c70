"""An oracle beside a bridge, in the time of the bridge's ledger: an answer waits for a nonce that was made after its sources had spoken, and
none is signed while no quorum of the ledger's nodes tells the time."""
from __future__ import annotations

import json

import pytest

from lib import oracle
from lib.bridge_ledger import DAY_S, BridgeLedger
from lib.rpc import wait_for
from lib.sources import Sources
from lib.world import World

TIMEOUT_S = 120
HOST = "prices.example.test"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oracle")
    with Sources(folder / "sources", [HOST]) as sources, BridgeLedger(folder / "ledger") as bridge:
        sources.set(HOST, "ether", {"usd": "3000.10"})
        with World(folder / "world", "anvil", sources=sources, bridge_ledger=bridge, ledger_time={}) as w:
            yield w


def quick(world) -> bytes:
    return oracle.spec(oracle.source(world.sources.url(HOST, "ether"), "/usd"))


def test_an_answer_in_the_ledgers_time(world):
    told = world.oracle.enclave()
    assert told["time_source"] == "ledger" and "host_time" not in told["insecure"] and told["anchor"]["state"] == "proven"
    asked_by = world.bridge_ledger.rpc.time()
    document = world.oracle.ask(quick(world))
    assert document["code"] == 0
    # The low end when the answer came: a clock may be wrong by two seconds, and a round is at most a few seconds old.
    assert document["observed_at"] <= world.bridge_ledger.rpc.time() + 2
    assert document["observed_at"] >= asked_by - 30


def test_its_registration_is_told(world):
    """As a gateway's: in its state, and in the figures of which the alarms are made."""
    told = wait_for(lambda: (r := world.oracle.get("/v1/chains")["ledger"]["registrations"]) and r[0]["state"] == "active" and r, TIMEOUT_S, "the registration")
    assert [(r["of"], r["chain"], r["needed"], r["evidence"]) for r in told] == [("own", "oracle", True, "administrators")]
    assert abs(told[0]["expires_s"] - world.bridge_ledger.rpc.time() - 30 * DAY_S) < 3600
    world.oracle.shows_all("caisson_registration_")
    figures = world.oracle.request("GET", "/metrics")[1]
    assert 'caisson_registration_active{of="own",chain="oracle"} 1' in figures
    assert f'caisson_registration_expires_timestamp_seconds{{of="own",chain="oracle"}} {told[0]["expires_s"]}' in figures


def test_no_answer_without_a_quorum(world):
    for index in (2, 3):
        world.bridge_ledger.kill(index)

    def says_so():
        status, body = world.oracle.request("GET", "/healthz")
        return status == 503 and "no-time" in str(body)

    wait_for(says_so, TIMEOUT_S, f"health ({world.oracle.log})", 0.1)
    reply = world.oracle.post("/v1/oracle/requests", {"spec": json.loads(quick(world)), "timeout_s": 600})
    assert not oracle.is_answer(reply)
    for index in (2, 3):
        world.bridge_ledger.nodes[index].start()
    wait_for(world.oracle.healthy, TIMEOUT_S, f"health ({world.oracle.log})", 0.1)
    assert world.oracle.answer(reply["id"], TIMEOUT_S)["code"] == 0
