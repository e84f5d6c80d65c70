"""A node that hangs and comes back, as README lets a new user try it: what gateways ask first stands still, the other one carries the
messages, and the page and the command line say so until it is heard again."""
from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time

import pytest

from lib.rpc import wait_for
from lib.world import World, account

EXIT_REFUSED = 3
SOON_S = 5  # half of the time that a request to a node may take


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("endpoint"), "ledger", followed=True) as w:
        yield w


def endpoint(world: World) -> dict:
    """The first one of the first chain, as its gateway sees it."""
    return world.gateways[0].get("/v1/chains")["chains"][0]["endpoints"][0]


def well(world: World) -> bool:
    """All of its endpoints, the websocket that went silent too; those that were never needed are unknown."""
    return all(e["state"] in ("ok", "unknown") for e in world.gateways[0].get("/v1/chains")["chains"][0]["endpoints"])


def websockets(world: World) -> tuple[float, float]:
    """Of the first chain: how often one was connected, and how often one said nothing while blocks came."""
    gateway, chain = world.gateways[0], world.chains[0].caip2
    return tuple(gateway.figure(f"caisson_adapter_websocket_{what}_total", chain=chain) for what in ("connects", "silent"))


def test_a_node_hangs_and_comes_back(world):
    first, follower = world.gateways[0], world.chains[0].follower
    first.ends(world.send(b"by the first node"))
    wait_for(lambda: endpoint(world)["state"] == "ok", 30, "the first node, well", 0.2)
    body = {"to": account(world.sides[1], world.sides[1].app.address), "payload": "0x00", "mode": "prepare"}
    connects, silent = websockets(world)
    os.kill(follower.pid, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        assert first.post("/v1/messages", body)["transactions"]
        assert time.monotonic() - begin < SOON_S, "what asks for the newest state waits for the node that hangs"
        sent = [world.send(b"while it hangs %d" % i) for i in range(3)]
        for message_id in sent:
            first.ends(message_id)
        broken = wait_for(lambda: (e := endpoint(world))["state"] != "ok" and e, 60, "the first node, not well", 0.2)
        assert broken["errors"] > 0 and broken["why"]
        told = subprocess.run([world.build / "bin" / "caisson", "doctor", first.config], capture_output=True, text=True, cwd=first.folder,
                              env={**os.environ, "CAISSON_URL": first.url, "CAISSON_API_KEY_FILE": str(first.key_file)}, timeout=60)
        assert "warn" in told.stdout, told.stdout
    finally:
        os.kill(follower.pid, signal.SIGCONT)
    wait_for(lambda: endpoint(world)["state"] == "ok", 60, "the first node, well again", 0.2)
    first.ends(world.send(b"by the first node again"))
    wait_for(lambda: well(world), 150, "its websocket, listened to again", 1)
    # The other node's, and then the first one's again.
    told = websockets(world)
    assert connects >= 1 and told[0] >= connects + 2 and told[1] > silent, (connects, silent, told)


def missed(world: World, payload: bytes) -> tuple[str, dict]:
    """A message, and its transaction's receipt, that the first gateway will not come to read: its journal has a cursor above it."""
    gateway, rpc = world.gateways[0], world.chains[0].rpc
    gateway.stop()
    message, receipt = world.commit(payload)
    rpc.wait_blocks(2)
    head = rpc.block(rpc.block_number())
    cursor = (1).to_bytes(8, "big") + int(head["number"], 16).to_bytes(8, "big") + bytes.fromhex(head["hash"][2:])
    with sqlite3.connect(gateway.folder / "journal.db", timeout=30) as journal:
        assert journal.execute("UPDATE meta SET value=? WHERE name LIKE 'cursor:%'", (cursor,)).rowcount == 1
    journal.close()
    gateway.restart()
    return message, receipt


def test_a_transaction_of_a_ledger_that_was_missed(world):
    """Its node says in which block it is; that is read again, and the message is proven as every other one."""
    gateway, chain = world.gateways[0], world.chains[0].caip2
    message, receipt = missed(world, b"missed")
    height = int(receipt["blockNumber"], 16)
    wait_for(lambda: gateway.get("/v1/chains")["chains"][0]["cursor"] > height, 60, "the cursor above it", 0.2)
    assert gateway.message(message) is None
    run = gateway.caisson("observe", chain, "--tx", receipt["transactionHash"], "--json")
    assert run.returncode == 0, run
    found = json.loads(run.stdout)
    event, = found["events"]
    assert (event["event"], event["id"], event["height"], event["taken"]) == ("committed", message, height, True)
    assert (found["from_height"], found["to_height"], found["found"], found["taken"]) == (height, height, 1, 1)
    gateway.ends(message)
    status, again = gateway.request("POST", "/v1/operator/observe", {"chain": chain, "tx": receipt["transactionHash"]})
    assert (status, again["found"], again["taken"], again["events"][0]["state"]) == (200, 1, 0, "finalized")


def test_a_transaction_that_no_node_of_a_ledger_has(world):
    """It says so, and is no failure that passes."""
    run = world.gateways[0].caisson("observe", world.chains[0].caip2, "--tx", "0x" + "11" * 32)
    assert run.returncode == EXIT_REFUSED and "404" in run.stderr and "no block with it" in run.stderr, run
