"""Messages to which no route goes when they are sent: remembered, and taken up by the reload that brings the route. In the order of the file."""
from __future__ import annotations

import os
import re
import signal
import sqlite3

import pytest

from lib import abi, deploy
from lib.rpc import wait_for
from lib.third import Third
from lib.world import END_TIMEOUT_S, SEND_GAS

NOWHERE = "eip155:99999"


def register(side: deploy.Side, caip2: str, genesis: str, gateway: str) -> None:
    chain = deploy.erc7930(int(caip2.split(":")[1]))
    side.gateway.write(side.owner, "registerRemote", caip2, genesis, gateway, chain, 0)
    side.gateway.write(side.owner, "setRoute", deploy.identity(caip2, genesis, gateway), deploy.ROUTE)


class Early(Third):
    """The first chain's owner has registered the third one, and one that no manifest will ever name; the third one's contract knows nobody."""

    def connect(self) -> None:
        home, more = self.sides[0], self.more
        register(home, more.caip2, more.genesis_hash, self.third.gateway.address)
        register(home, NOWHERE, "0x" + "77" * 32, home.gateway.address)
        self.nowhere = abi.to_hex(deploy.identity(NOWHERE, "0x" + "77" * 32, home.gateway.address))

    def send_nowhere(self) -> str:
        home = self.sides[0]
        receipt = home.gateway.write(home.user, "sendMessage", deploy.erc7930(99999, home.app.address), b"nowhere", [], gas=SEND_GAS)
        return abi.to_hex(home.gateway.events("MessageCommitted", receipt)[0]["messageId"])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with Early(tmp_path_factory.mktemp("unrouted"), "anvil", block_time=0.5) as w:
        w.early = []
        yield w


def unrouted(gateway) -> dict[str, int]:
    """Messages by destination."""
    return {row["destination"]: row["messages"] for row in gateway.get("/v1/chains")["chains"][0]["unrouted"]}


def metric(gateway, chain: str) -> int:
    return int(re.search(rf'caisson_chain_unrouted_messages\{{chain="{chain}"\}} (\d+)', gateway.request("GET", "/metrics")[1])[1])


def expect(world, third: int, nowhere: int) -> None:
    gateway = world.gateways[0]
    rows = {name: count for name, count in ((abi.to_hex(world.third.identity), third), (world.nowhere, nowhere)) if count}
    wait_for(lambda: unrouted(gateway) == rows, END_TIMEOUT_S, f"{rows} in place of {unrouted(gateway)}")
    assert metric(gateway, world.chains[0].caip2) == third + nowhere


def test_what_has_no_route_is_remembered(world):
    gateway, home = world.gateways[0], world.sides[0]
    expect(world, 0, 0)
    world.early = [world.commit_between(home, world.third, b"early %d" % i) for i in range(2)]
    lost = world.send_nowhere()
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

    register(third, home.chain.caip2, home.chain.genesis_hash, home.gateway.address)
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
