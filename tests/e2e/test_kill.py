"""SIGKILL from outside, at a journal row of every state, on both gateways and both enclaves: nothing is lost, nothing is done
twice.

The test reads the victim's journal, stops the victim the moment the row is in the wanted state (SIGSTOP, so that it cannot
move on), reads again to be sure, then kills. "Twice" is counted on the chains: events, and the nonces of the gas accounts.
"""
from __future__ import annotations

import os
import re
import signal
import sqlite3
import time

import pytest

from lib import abi, deploy, tools
from lib.rpc import wait_for
from lib.world import World, wait_time

SOURCE, DESTINATION = 1, 2
TRIES = 6
END_TIMEOUT_S = 90
SEND_GAS = 400_000


def states() -> dict[str, int]:
    text = (tools.ROOT / "relay_state" / "relay" / "states.def").read_text()
    return {name: int(n) for n, name in re.findall(r'^RELAY_STATE\(\w+, (\d+), "(\w+)"', text, re.M)}


STATES = states()
ENDS = {STATES["finalized"], STATES["refunded"]}

# What a row of each side can be in between two commits. The states that are passed inside one transaction of the journal are
# never on disk: `verified` (with signed), and on the destination what only the source sees.
DELIVERED_WAY = [
    (SOURCE, "observed"), (SOURCE, "final"), (SOURCE, "signed"), (SOURCE, "submitted"), (SOURCE, "included"),
    (SOURCE, "outcome_verified"), (SOURCE, "finalized"),
    (DESTINATION, "signed"), (DESTINATION, "submitted"), (DESTINATION, "included"), (DESTINATION, "outcome_final"),
    (DESTINATION, "outcome_verified"),
]
DEAD_WAY = [(SOURCE, "failed"), (DESTINATION, "failed"), (SOURCE, "refunding"), (SOURCE, "refunded")]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("kill"), "anvil", expire=("tombstone", "tombstone"), block_time=0.5) as w:
        yield w


class Journal:
    """Another reader of a gateway's SQLite file."""

    def __init__(self, gateway):
        self.path = gateway.folder / "journal.db"

    def state(self, message_id: str, side: int) -> int:
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=2)
        try:
            row = connection.execute("SELECT state FROM messages WHERE id=? AND side=?", (bytes.fromhex(message_id[2:]), side)).fetchone()
        except sqlite3.OperationalError:
            return 0
        finally:
            connection.close()
        return row[0] if row else 0


class Scene:
    """One message on its way, and what the chains have counted before it."""

    def __init__(self, world: World, dead: bool):
        self.world, self.dead = world, dead
        self.source, self.destination = world.sides
        self.gas = [world.enclave_key(g)["gas_address"] for g in world.gateways]
        self.nonces = self.read_nonces()
        self.first = [s.chain.rpc.block_number() + 1 for s in world.sides]
        self.id, self.deadline = self.send()

    def read_nonces(self) -> list[int]:
        return [int(s.chain.rpc.call("eth_getTransactionCount", a, "latest"), 16) for s, a in zip(self.world.sides, self.gas)]

    def send(self) -> tuple[str, int]:
        attributes, deadline = [], 0
        recipient = self.destination.app.address
        if self.dead:
            recipient = self.destination.token.address  # has no receiveMessage: the call fails
            deadline = max(int(time.time()), self.destination.chain.rpc.time()) + 12
            attributes = [deploy.attribute("deadline(uint64)", deadline)]
        to = deploy.erc7930(self.destination.chain.chain_id, recipient)
        receipt = self.source.gateway.write(self.source.user, "sendMessage", to, b"kill -9", attributes, gas=SEND_GAS)
        return abi.to_hex(self.source.gateway.events("MessageCommitted", receipt)[0]["messageId"]), deadline

    def logs(self, side, name: str, first: int) -> list[dict]:
        entry = side.gateway.entry(name, kind="event")
        found = side.chain.rpc.call("eth_getLogs", {"address": side.gateway.address, "fromBlock": hex(first),
                                                    "topics": [abi.topic(entry), self.id]})
        return [abi.decode_log(entry, log) for log in found]

    def finish(self) -> None:
        gateway = self.world.gateways[0]
        journal = Journal(gateway)
        wait_for(lambda: journal.state(self.id, SOURCE) in ENDS, END_TIMEOUT_S, f"the end of {self.id} ({gateway.log})", 0.1)
        status = 3 if self.dead else 2
        written = [e["status"] for e in self.logs(self.destination, "MessageStatus", self.first[1])]
        assert written == ([1, 3] if self.dead else [2])
        assert [e["status"] for e in self.logs(self.source, "MessageFinalized", self.first[0])] == [status]
        spent = [after - before for before, after in zip(self.nonces, self.read_nonces())]
        assert spent == [1, 2 if self.dead else 1], "a transaction was paid for twice"


def alive_again(gateway) -> None:
    """caisson up starts its children again; where it ended with them, it is started like an operator would."""
    def up():
        if not gateway.process.alive():
            gateway.start()
        try:
            return gateway.healthy()
        except RuntimeError:
            return False

    wait_for(up, 60, f"health of {gateway.name} after the kill ({gateway.log})", 0.2)


def kill_at(scene: Scene, victim_index: int, program: str, side: int, state: str) -> bool:
    """False when the row was never seen in that state."""
    gateway = scene.world.gateways[victim_index]
    journal, wanted = Journal(scene.world.gateways[side - 1]), STATES[state]
    pid = gateway.pids()[program]
    end = time.monotonic() + END_TIMEOUT_S
    while time.monotonic() < end:
        now = journal.state(scene.id, side)
        if now == wanted:
            os.kill(pid, signal.SIGSTOP)
            if program == "caisson-gateway" and journal.state(scene.id, side) != wanted:
                os.kill(pid, signal.SIGCONT)
                return False
            os.kill(pid, signal.SIGKILL)
            return True
        if now in ENDS:
            return False
    raise TimeoutError(f"{scene.id} neither reached {state} nor its end")


def exercise(world: World, victim: int, program: str, side: int, state: str, dead: bool) -> None:
    for _ in range(TRIES):
        scene = Scene(world, dead)
        killed = kill_at(scene, victim, program, side, state)
        if killed:
            alive_again(world.gateways[victim])
        if dead:
            wait_time(world.chains[1], scene.deadline)
        scene.finish()
        if killed:
            return
    pytest.fail(f"no row was seen as {state} in {TRIES} messages")


@pytest.mark.parametrize("side, state", DELIVERED_WAY, ids=lambda v: v if isinstance(v, str) else ("source", "destination")[v - 1])
def test_gateway_killed_on_the_way(world, side, state):
    exercise(world, side - 1, "caisson-gateway", side, state, dead=False)


@pytest.mark.parametrize("side, state", DEAD_WAY, ids=lambda v: v if isinstance(v, str) else ("source", "destination")[v - 1])
def test_gateway_killed_on_the_way_to_a_refund(world, side, state):
    exercise(world, side - 1, "caisson-gateway", side, state, dead=True)


@pytest.mark.parametrize("side, state", [(SOURCE, "observed"), (SOURCE, "signed"), (SOURCE, "outcome_verified"),
                                         (DESTINATION, "signed"), (DESTINATION, "submitted"), (DESTINATION, "included")],
                         ids=lambda v: v if isinstance(v, str) else ("source", "destination")[v - 1])
def test_enclave_killed_on_the_way(world, side, state):
    exercise(world, side - 1, "caisson-enclave", side, state, dead=False)


def test_both_killed_at_once(world):
    scene = Scene(world, dead=False)
    for gateway in world.gateways:
        for name, pid in gateway.pids().items():
            if name != "caisson":
                os.kill(pid, signal.SIGKILL)
    for gateway in world.gateways:
        alive_again(gateway)
    scene.finish()
