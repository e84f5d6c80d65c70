"""A bridge between two ledgers whose application runs under real CometBFT nodes, of v0.38 and of v0.40."""
from __future__ import annotations

import pytest

from lib import deploy
from lib.world import World, soon


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("cometbft"), "cometbft") as w:
        yield w


def test_messages_each_way(world):
    ids = [(source, world.send(b"from %d, %d" % (source, i), source=source)) for i in range(2) for source in (0, 1)]
    for source, message_id in ids:
        found = world.gateways[source].ends(message_id)
        assert found["outcome"] == "delivered"
        steps = {s["n"]: s for s in found["steps"]}
        for n, sent in ((6, 3), (13, 10)):
            shown = steps[n]["proof"]
            assert shown["kind"] == "ics23" and shown["block_hash"] is None and steps[n]["signature"]["public_key"], steps[n]
            assert steps[sent]["block"] < steps[n - 1]["block"] == shown["final_block"] <= shown["block"] == steps[n]["block"]
        world.gateways[1 - source].ends(message_id)
    assert world.sides[1].app.read("lastPayload") in (b"from 0, 0", b"from 0, 1")


@pytest.mark.parametrize("source", [0, 1])
def test_a_message_that_is_too_late_is_refunded(world, source):
    """On the way there by a tombstone, on the way back by the proof that there is none."""
    world.gateways[1 - source].stop()
    message_id = world.send(b"too late", [deploy.attribute("deadline(uint64)", soon(world.chains[1 - source], 4))], source=source)
    world.gateways[source].reaches(message_id, "signed")
    world.chains[1 - source].rpc.wait_blocks(10)
    world.gateways[1 - source].restart()
    found = world.gateways[source].ends(message_id, "refunded")
    assert found["outcome"] in ("dead", "none")


def test_a_node_that_was_killed(world):
    """CometBFT and its application begin again where they were; what waited for them goes on."""
    chain = world.chains[1]
    message_id = world.send(b"through a crash")
    for process in chain.processes:
        process.kill()
    chain.start()
    world.gateways[0].ends(message_id)
    assert all(c["frozen"] is None for g in world.gateways for c in g.get("/v1/chains")["chains"])
