"""A node that hangs and comes back, as README lets a new user try it: what gateways ask first stands still, the other one carries the
messages, and the page and the command line say so until it is heard again."""
from __future__ import annotations

import os
import signal
import subprocess

import pytest

from lib.rpc import wait_for
from lib.world import World

EXIT_REFUSED = 3


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
    connects, silent = websockets(world)
    os.kill(follower.pid, signal.SIGSTOP)
    try:
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


def test_blocks_of_a_ledger_are_named_by_their_height(world):
    """By a transaction they are not found: it says so, and is no failure that passes."""
    run = world.gateways[0].caisson("observe", world.chains[0].caip2, "--tx", "0x" + "11" * 32)
    assert run.returncode == EXIT_REFUSED and "501" in run.stderr and "name the heights" in run.stderr, run
