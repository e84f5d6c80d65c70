"""The key of an enclave changes while messages go both ways: announced by the old key, brought on the other chain by that chain's
gas account, signed with where it is in force, and not before."""
from __future__ import annotations

import json
import os
import signal

import pytest

from lib import abi, deploy
from lib.rpc import wait_for
from lib.world import END_TIMEOUT_S, World

ACTIVE = 1
EXIT_CLAIMED = 7  # of caisson verify without --key


def on(*kinds: str):
    """What restarts do is the same on every chain; that a key comes into force under seals is shown where there are seals."""
    return pytest.mark.parametrize("world", kinds, indirect=True, scope="module")


@pytest.fixture(scope="module")
def world(request, tmp_path_factory):
    with World(tmp_path_factory.mktemp("rotation"), request.param, block_time=0.5) as w:
        yield w


def envelope(gateway, message_id: str) -> dict:
    """Of a message at its end."""
    gateway.ends(message_id)
    return gateway.get(f"/v1/messages/{message_id}/envelope")


def route(gateway) -> dict:
    return gateway.get("/v1/chains")["chains"][0]["routes"][0]


def rotate(gateway) -> dict:
    run = gateway.caisson("keys", "rotate", "--json")
    assert run.returncode == 0, run.stdout + run.stderr
    return json.loads(run.stdout)


def named(world: World, source: int, epoch: int) -> list:
    """What the other chain's contract holds for this one: x, state, notBefore, notAfter."""
    key, _ = world.sides[1 - source].gateway.read("keyOf", world.sides[source].identity, epoch)
    return list(key.values()) if isinstance(key, dict) else list(key)


def announcements(world: World, source: int) -> int:
    contract = world.sides[1 - source].gateway
    topic = abi.topic(contract.entry("KeyAnnounced", kind="event"))
    return len(contract.rpc.call("eth_getLogs", {"address": contract.address, "fromBlock": "0x0", "topics": [topic]}))


@on("anvil", "geth-clique")
def test_messages_before_during_and_after(world, tmp_path):
    source, destination = world.gateways
    before = envelope(source, world.send(b"before"))
    assert before["statement"]["epoch"] == 1 and route(source)["next_epoch"] == 0

    made = rotate(source)
    assert made["epoch"] == 2 and [r["in_force"] for r in made["remotes"]] == [False]
    assert made["public_key"] != before["keys"][0]["public_key"]
    during = world.send(b"during")
    back = world.send(b"back, during", source=1)
    wait_for(lambda: route(source)["epoch"] == 2, END_TIMEOUT_S, f"the new epoch ({source.log}, {destination.log})", 0.1)
    x, state, not_before, _ = named(world, 0, 2)
    assert abi.to_hex(x) == made["public_key"] and state == ACTIVE
    assert world.sides[1].chain.rpc.time() >= not_before and announcements(world, 0) == 1
    assert named(world, 0, 1)[3] == not_before + deploy.OVERLAP_S
    envelope(source, during)
    envelope(destination, back)

    after = envelope(source, world.send(b"after"))
    assert after["statement"]["epoch"] == 2 and after["outcome_statement"]["epoch"] == 1
    answered = envelope(destination, world.send(b"answered", source=1))
    assert answered["statement"]["epoch"] == 1 and answered["outcome_statement"]["epoch"] == 2
    for document in (before, after, answered):
        file = tmp_path / "envelope.json"
        file.write_text(json.dumps(document))
        run = source.caisson("verify", str(file))
        assert run.returncode == EXIT_CLAIMED, run.stdout + run.stderr


@on("anvil")
def test_restarts_in_the_middle_lose_nothing(world):
    """The other side is down when the key is announced; ours is killed before anybody heard of it; the other one afterwards."""
    destination, source = world.gateways
    destination.stop()
    made = rotate(source)
    assert made["epoch"] == 2
    first = world.send(b"while the other was down", source=1)
    again = rotate(source)
    assert (again["epoch"], again["public_key"]) == (2, made["public_key"])
    source.process.kill()
    source.restart()
    assert route(source)["epoch"] == 1 and route(source)["next_epoch"] == 2
    destination.restart()
    wait_for(lambda: named(world, 1, 2)[1] == ACTIVE, END_TIMEOUT_S, f"the announcement ({destination.log})", 0.05)
    os.kill(destination.pids()["caisson-gateway"], signal.SIGKILL)
    wait_for(lambda: route(source)["epoch"] == 2, END_TIMEOUT_S, f"the new epoch ({source.log}, {destination.log})", 0.1)
    assert abi.to_hex(named(world, 1, 2)[0]) == made["public_key"] and announcements(world, 1) == 1
    envelope(source, first)
    last = envelope(source, world.send(b"with the new key", source=1))
    assert last["statement"]["epoch"] == 2
    assert made["public_key"] in [k["public_key"] for k in last["keys"]]


@on("anvil")
def test_who_may_not_and_what_is_no_chain(world):
    gateway = world.gateways[0]
    assert gateway.request("POST", "/v1/keys/rotate", {}, key=gateway.peer_key)[0] == 403
    assert gateway.request("POST", "/v1/keys/rotate", {"chain": "eip155:1"})[0] == 404
    assert gateway.request("POST", "/v1/keys/rotate", {"epoch": 7})[0] == 400
    assert route(gateway)["next_epoch"] == 2
