"""Messages to which no route goes when they are sent: remembered, and taken up by the reload that brings the route, or by a start. The first chain is
an EVM chain, the second one a ledger. In the order of the file."""
from __future__ import annotations

import json
import os
import re
import signal
import sqlite3

import pytest

from lib import abi, deploy
from lib.rpc import wait_for
from lib.third import Third
from lib.world import END_TIMEOUT_S, SEND_GAS

NOWHERE = 99999
DESTINATIONS_MAX = 64


def register(side: deploy.Side, other: deploy.Side) -> None:
    side.gateway.write(side.owner, "registerRemote", other.chain.caip2, other.chain.genesis_hash, other.gateway.address, other.chain.erc7930(), 0)
    side.gateway.write(side.owner, "setRoute", other.identity, deploy.ROUTE)


def invent(side: deploy.Side, numbers) -> list[bytes]:
    """Destinations that no manifest will ever name, by chain id; their identities."""
    queue, genesis, address, found = deploy.Queue(side.chain, side.owner), "0x" + "77" * 32, "0x" + "88" * 20, []
    for number in numbers:
        caip2 = f"eip155:{number}"
        found.append(deploy.identity(caip2, genesis, address))
        queue.call(side.gateway, "registerRemote", caip2, genesis, address, deploy.erc7930(number), 0)
        queue.call(side.gateway, "setRoute", found[-1], deploy.ROUTE)
    queue.end()
    return found


class Early(Third):
    """The owners of both chains have registered the third one, and one that no manifest will ever name; the third one's contract knows nobody."""

    def connect(self) -> None:
        for side in self.sides:
            register(side, self.third)
            self.nowhere = abi.to_hex(*invent(side, [NOWHERE]))

    def draft(self, third: bool = True) -> dict:
        draft = super().draft(third)
        draft["chains"][1]["remotes"].append(abi.to_hex(self.third.identity))
        draft["chains"][2]["remotes"].append(abi.to_hex(self.sides[1].identity))
        return draft

    def send_nowhere(self, side: deploy.Side) -> str:
        receipt = side.gateway.write(side.user, "sendMessage", deploy.erc7930(NOWHERE, self.third.app.address), b"nowhere", [], gas=SEND_GAS)
        return abi.to_hex(side.gateway.events("MessageCommitted", receipt)[0]["messageId"])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with Early(tmp_path_factory.mktemp("unrouted"), "mixed", block_time=0.5) as w:
        w.early = []
        yield w


def unrouted(gateway) -> dict[str, int]:
    """Messages by destination."""
    return {row["destination"]: row["messages"] for row in gateway.get("/v1/chains")["chains"][0]["unrouted"]}


def expect(world, third: int, nowhere: int, source: int = 0) -> None:
    gateway = world.gateways[source]
    rows = {name: count for name, count in ((abi.to_hex(world.third.identity), third), (world.nowhere, nowhere)) if count}
    wait_for(lambda: unrouted(gateway) == rows, END_TIMEOUT_S, f"{rows} in place of {unrouted(gateway)}")
    assert gateway.figure("caisson_chain_unrouted_messages", chain=world.chains[source].caip2) == third + nowhere


def test_what_has_no_route_is_remembered(world):
    gateway, home = world.gateways[0], world.sides[0]
    expect(world, 0, 0)
    world.early = [world.commit_between(home, world.third, b"early %d" % i) for i in range(2)]
    lost = world.send_nowhere(home)
    expect(world, 2, 1)
    assert [gateway.message(m) for m in (*world.early, lost)] == [None, None, None]
    gateway.ends(world.send(b"another route goes on"))
    status, doctor = gateway.caisson("status").stdout, gateway.caisson("doctor", str(gateway.config)).stdout
    assert f"2 messages wait for a route to {abi.to_hex(world.third.identity)}" in status and "next manifest names it a remote" in doctor

    gateway.kill()
    world.early.append(world.commit_between(home, world.third, b"early, while it is down"))
    gateway.restart()
    expect(world, 3, 1)


def test_the_reload_that_brings_the_route_takes_them_up(world):
    """A pause holds them as it holds any message."""
    gateway, home = world.gateways[0], world.chains[0].caip2
    assert gateway.request("POST", "/v1/operator/pause", {"chain": home})[0] == 200
    world.lineage.append(world.sign(world.draft(), "two"))
    gateway.config.write_text(world.config(world.lineage))
    os.kill(gateway.process.pid, signal.SIGHUP)
    wait_for(lambda: all(gateway.message(m) for m in world.early), END_TIMEOUT_S, "the early ones")
    expect(world, 0, 1)
    for message in world.early:
        gateway.reaches(message, "final")
    assert world.third.app.read("received") == 0
    assert gateway.request("POST", "/v1/operator/resume", {"chain": home})[0] == 200


def test_a_contract_that_does_not_know_the_route_gets_nothing(world):
    """It has no key of the first chain, so that nobody can learn one: what is signed waits, and goes once its owner has named it."""
    gateway, home, third = world.gateways[0], world.sides[0], world.third
    for message in world.early:
        gateway.reaches(message, "signed")
    gateway.ends(world.send(b"another route goes on"))
    assert third.app.read("received") == 0
    assert not [m for m in world.early if gateway.message(m)["state"] != "signed"]

    register(third, home)
    world.name_keys()
    for message in world.early:
        gateway.ends(message)
    assert third.app.read("received") == len(world.early)


def test_nothing_is_taken_twice(world):
    """What was read again may be read again: after a crash between the blocks and the row, as if it had never been."""
    gateway, home, third = world.gateways[0], world.sides[0], world.third
    gateway.kill()
    with sqlite3.connect(gateway.folder / "journal.db", timeout=30) as journal:
        chain, = journal.execute("SELECT DISTINCT chain FROM unrouted").fetchone()
        journal.execute("INSERT INTO unrouted VALUES(?,?,1,?,1,3,1)", (chain, third.identity, world.chains[0].rpc.block_number()))
    seen = gateway.log.read_text().count("route.caught_up")
    gateway.restart()
    wait_for(lambda: gateway.log.read_text().count("route.caught_up") > seen, END_TIMEOUT_S, "the row to be read")
    expect(world, 0, 1)
    late = world.commit_between(home, third, b"with its route")
    gateway.ends(late)
    assert third.app.read("received") == len(world.early) + 1
    assert [gateway.message(m)["state"] for m in world.early] == ["finalized"] * len(world.early)


def test_a_ledger_remembers_them_too(world):
    """Taken up by a start of its gateway, to which the other one is the peer that serves the destination."""
    gateway, side, third = world.gateways[1], world.sides[1], world.third
    early = [world.commit_between(side, third, b"early, of a ledger %d" % i) for i in range(2)]
    lost = world.send_nowhere(side)
    expect(world, 2, 1, source=1)
    gateway.ends(world.send(b"another route of the ledger goes on", source=1))
    gateway.kill()
    early.append(world.commit_between(side, third, b"early, of a ledger, while its gateway is down"))
    gateway.restart()
    expect(world, 3, 1, source=1)
    assert [gateway.message(m) for m in (*early, lost)] == [None] * 4

    gateway.stop()
    home, files = json.dumps(world.chains[0].caip2), json.dumps([str(path) for path in world.lineage])
    text = re.sub("^manifests = .*$", f"manifests = {files}", gateway.config.read_text(), flags=re.M)
    gateway.config.write_text(text.replace(f"chains = [{home}]", f"chains = [{home}, {json.dumps(world.more.caip2)}]"))
    gateway.restart()
    for message in early:
        gateway.reaches(message, "signed")
    expect(world, 0, 1, source=1)

    received = third.app.read("received")
    register(third, side)
    world.name_key(third, side, gateway)
    world.name_key(side, third, world.gateways[0])
    for message in early:
        gateway.ends(message)
    assert third.app.read("received") == received + len(early) and gateway.message(lost) is None


def test_so_many_destinations_and_no_more(world):
    """What is beyond is told in the log alone, and holds up no other route."""
    gateway, home = world.gateways[0], world.sides[0]

    def send(numbers: list[int]) -> None:
        for tx in [home.gateway.send(home.user, "sendMessage", deploy.erc7930(n, home.app.address), b"beyond", [], gas=SEND_GAS) for n in numbers]:
            home.chain.rpc.wait_receipt(tx)
        gateway.ends(world.send(b"another route goes on"))

    numbers = list(range(200_000, 200_000 + DESTINATIONS_MAX + 1))
    invent(home, numbers)
    expect(world, 0, 1)
    send(numbers[:DESTINATIONS_MAX - 1])
    assert len(unrouted(gateway)) == DESTINATIONS_MAX and "remembered=false" not in gateway.log.read_text()
    send(numbers[DESTINATIONS_MAX - 1:])
    assert gateway.log.read_text().count("remembered=false") == 2
    assert len(unrouted(gateway)) == gateway.figure("caisson_chain_unrouted_messages", chain=home.chain.caip2) == DESTINATIONS_MAX
