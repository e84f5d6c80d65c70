"""SIGKILL from outside, at a journal row of every state, on both gateways and both enclaves: nothing is lost, nothing is done
twice.

The test reads the victim's journal, stops the victim the moment the row is in the wanted state (SIGSTOP, so that it cannot
move on), reads again to be sure, then kills. "Twice" is counted on the chains: events, and the nonces of the gas accounts.
What is never a row on disk is named here with its reason, and proven from every commit of both journals; instead of it the
gateway is killed when its enclave has answered and it has not read the answer.
"""
from __future__ import annotations

import os
import signal
import time
from collections import Counter
from contextlib import ExitStack, closing, contextmanager

import pytest

from lib import abi, deploy
from lib.observe import DESTINATION, SIDES, SOURCE, Journal, Unread, comes, pause, relay_states, resume, state_of
from lib.rpc import wait_for
from lib.world import END_TIMEOUT_S, SEND_GAS, World, soon, wait_time

TRIES = 8
LIFETIME_S = 8
POLL_S, TURN_S, ANSWER_S = 0.0002, 0.02, 0.05
KILLS, KILLS_MAX = Counter(), 3  # by gateway, since `caisson up` began
STATES = relay_states()
ENDS = {STATES["finalized"], STATES["refunded"]}

# A message that is delivered, one whose call fails and that dies at its deadline, one whose block is taken back.
DELIVERED_WAY = [
    (SOURCE, "observed"), (SOURCE, "final"), (SOURCE, "signed"), (SOURCE, "submitted"), (SOURCE, "included"),
    (SOURCE, "outcome_verified"), (SOURCE, "finalized"),
    (DESTINATION, "signed"), (DESTINATION, "submitted"), (DESTINATION, "included"), (DESTINATION, "outcome_final"),
    (DESTINATION, "outcome_verified"), (DESTINATION, "finalized"),
]
DEAD_WAY = [(SOURCE, "failed"), (SOURCE, "refunding"), (SOURCE, "refunded"), (DESTINATION, "failed"), (DESTINATION, "refunded")]
VANISHED_WAY = [(SOURCE, "abandoned")]
NEVER = {
    (SOURCE, "verified"): "the enclave verifies and signs in one reply: both moves are one writer of the journal",
    (SOURCE, "outcome_final"): "the destination tells the source of an outcome when it is verified",
    (DESTINATION, "observed"): "the destination's row begins when the signed envelope comes",
    (DESTINATION, "final"): "the same",
    (DESTINATION, "verified"): "the same",
    (DESTINATION, "abandoned"): "the same: what is signed was final",
    (DESTINATION, "refunding"): "the source's note tells the end: both moves are one writer of the journal",
}
# Moves that are told one after the other and are one commit.
AT_ONCE = [(SOURCE, "verified", "signed"), (DESTINATION, "refunding", "refunded")]

# States that are over within a millisecond, unless the enclave does not answer (with the state at which that begins), or the chain
# does not.
HELD_BY_ENCLAVE = {(SOURCE, "final"): "observed", (DESTINATION, "outcome_final"): "included"}
HELD_BY_CHAIN = {(DESTINATION, "signed")}

# What the enclave signed and the gateway did not hear of: the row at which the test begins to hold both, the type of the reply
# (wire/types.def: one above the request), and what the row may still be when it waits.
SIGNED, SIGNED_OUTCOMES, SIGNED_TRANSACTION = 17, 19, 23
UNREAD = [(SOURCE, "observed", SIGNED, ("observed", "final")), (DESTINATION, "signed", SIGNED_TRANSACTION, ("signed", "submitted")),
          (DESTINATION, "included", SIGNED_OUTCOMES, ("included", "outcome_final")),
          (SOURCE, "included", SIGNED_TRANSACTION, ("included", "outcome_verified"))]


def name_of(value) -> str:
    return SIDES.get(value, str(value)) if isinstance(value, (int, str)) else "-or-".join(value)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("kill"), "anvil", expire=("tombstone", "tombstone"), block_time=0.5) as w:
        yield w


class Scene:
    """One message on its way, and what the chains have counted before it."""

    def __init__(self, world: World, dead: bool = False, by_hand: bool = False):
        """dead: its call fails, and it has little time. by_hand: the test makes the blocks of chain 1."""
        self.world, self.dead = world, dead
        self.source, self.destination = world.sides
        self.gas = [world.enclave_key(g)["gas_address"] for g in world.gateways]
        self.nonces = self.read_nonces()
        self.first = [s.chain.rpc.block_number() + 1 for s in world.sides]
        # Of its own: the same message in whatever block it is included.
        self.deadline = soon(self.destination.chain, LIFETIME_S if dead else 3000)
        attributes = [deploy.attribute("deadline(uint64)", self.deadline)]
        # A token has no receiveMessage: the call fails.
        recipient = self.destination.token.address if dead else self.destination.app.address
        to = deploy.erc7930(self.destination.chain.chain_id, recipient)
        self.tx = self.source.gateway.send(self.source.user, "sendMessage", to, b"kill -9", attributes, gas=SEND_GAS)
        if by_hand:
            self.source.chain.mine()
        receipt = self.source.chain.rpc.wait_receipt(self.tx)
        self.id = abi.to_hex(self.source.gateway.events("MessageCommitted", receipt)[0]["messageId"])

    def read_nonces(self) -> list[int]:
        return [int(s.chain.rpc.call("eth_getTransactionCount", a, "latest"), 16) for s, a in zip(self.world.sides, self.gas)]

    def logs(self, side, name: str, first: int) -> list[dict]:
        entry = side.gateway.entry(name, kind="event")
        found = side.chain.rpc.call("eth_getLogs", {"address": side.gateway.address, "fromBlock": hex(first),
                                                    "topics": [abi.topic(entry), self.id]})
        return [abi.decode_log(entry, log) for log in found]

    def finish(self) -> None:
        if self.dead:
            wait_time(self.destination.chain, self.deadline)
        gateway = self.world.gateways[0]
        with Journal(gateway.folder) as journal:
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


def caught(scene: Scene, side: int, state: str, pid: int, holds_row: bool) -> bool:
    """The process stands still, and so does the row in this state where it is the process' own; False when it was never seen."""
    end = time.monotonic() + END_TIMEOUT_S
    with Journal(scene.world.gateways[side - 1].folder) as journal:
        while time.monotonic() < end:
            now = journal.state(scene.id, side)
            if now == STATES[state]:
                pause(pid)
                if not holds_row or journal.state(scene.id, side) == now:
                    return True
                resume(pid)
                return False
            if now in ENDS:
                return False
            time.sleep(POLL_S)
    raise TimeoutError(f"{scene.id} neither reached {state} nor its end")


def in_turns(gateway, pid: int, done) -> None:
    """The gateway stands still; now it and its enclave move one after the other, until done(types of the replies that wait): before
    the enclave has answered what was asked in this turn, or after."""
    enclave = gateway.pids()["caisson-enclave"]
    end = time.monotonic() + END_TIMEOUT_S
    try:
        unread = Unread(pid, gateway.folder / "enclave.sock")
    except PermissionError as refused:
        resume(pid)
        pytest.skip(f"another process' socket cannot be looked into here: {refused}")
    with closing(unread):
        while time.monotonic() < end:
            pause(enclave)
            resume(pid)
            if unread.asked(TURN_S):
                comes(lambda: done(unread.types()), TURN_S)
            pause(pid)
            asked, found = unread.asked(0), done(unread.types())
            resume(enclave)
            if found or (asked and comes(lambda: done(unread.types()), ANSWER_S)):
                return
    raise TimeoutError(f"{gateway.name} and its enclave went on and on")


@contextmanager
def standing_still(processes):
    for process in processes:
        pause(process.pid)
    try:
        yield
    finally:
        for process in processes:
            resume(process.pid)


def kill(gateway, pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    alive_again(gateway)
    KILLS[gateway.name] += 1


def end_scene(scene: Scene, gateway) -> None:
    """`caisson up` waits twice as long after each end of a child that did not live for long: now and then it begins anew."""
    scene.finish()
    if KILLS[gateway.name] >= KILLS_MAX:
        gateway.stop()
        gateway.restart()
        KILLS[gateway.name] = 0


def found_at(scene: Scene, victim: int, pid: int, side: int, state: str, holds_row: bool) -> bool:
    """caught(), and for a state that would be over at once, with what holds it."""
    gateway = scene.world.gateways[victim]
    if holds_row and (side, state) in HELD_BY_ENCLAVE:
        if not caught(scene, side, HELD_BY_ENCLAVE[side, state], pid, True):
            return False
        with Journal(gateway.folder) as journal:
            in_turns(gateway, pid, lambda _: journal.state(scene.id, side) == STATES[state])
            return journal.state(scene.id, side) == STATES[state]
    with standing_still(gateway.side.chain.processes if holds_row and (side, state) in HELD_BY_CHAIN else []):
        return caught(scene, side, state, pid, holds_row)


def exercise(world: World, victim: int, program: str, side: int, state: str, dead: bool = False) -> None:
    gateway = world.gateways[victim]
    for _ in range(TRIES):
        scene, pid = Scene(world, dead), gateway.pids()[program]
        found = found_at(scene, victim, pid, side, state, program == "caisson-gateway" and victim == side - 1)
        if found:
            kill(gateway, pid)
        end_scene(scene, gateway)
        if found:
            return
    pytest.fail(f"no row was seen as {state} in {TRIES} messages")


def test_every_state_of_both_sides_is_here():
    """A new state in the table must be killed at, or be said never to be on disk."""
    killed = DELIVERED_WAY + DEAD_WAY + VANISHED_WAY
    assert len(killed) == len(set(killed)) and not set(killed) & set(NEVER)
    assert set(killed) | set(NEVER) == {(side, state) for side in SIDES for state in STATES}


@pytest.mark.parametrize("side, state", DELIVERED_WAY, ids=name_of)
def test_gateway_killed_on_the_way(world, side, state):
    exercise(world, side - 1, "caisson-gateway", side, state)


@pytest.mark.parametrize("side, state", DEAD_WAY, ids=name_of)
def test_gateway_killed_on_the_way_to_a_refund(world, side, state):
    exercise(world, side - 1, "caisson-gateway", side, state, dead=True)


def test_gateway_killed_while_the_other_one_holds_the_outcome(world):
    exercise(world, 0, "caisson-gateway", DESTINATION, "outcome_final")


@pytest.mark.parametrize("side, state, reply, on_disk", UNREAD, ids=name_of)
def test_gateway_killed_before_it_reads_what_its_enclave_signed(world, side, state, reply, on_disk):
    gateway = world.gateways[side - 1]
    for _ in range(TRIES):
        scene, pid = Scene(world), gateway.pids()["caisson-gateway"]
        found = caught(scene, side, state, pid, True)
        if found:
            in_turns(gateway, pid, lambda types: reply in types)
            with Journal(gateway.folder) as journal:
                assert journal.state(scene.id, side) in [STATES[name] for name in on_disk]
            kill(gateway, pid)
        end_scene(scene, gateway)
        if found:
            return
    pytest.fail(f"no row was seen as {state} in {TRIES} messages")


@pytest.mark.parametrize("side, state", [(SOURCE, "observed"), (SOURCE, "final"), (SOURCE, "signed"), (SOURCE, "outcome_verified"),
                                         (DESTINATION, "signed"), (DESTINATION, "submitted"), (DESTINATION, "included"),
                                         (DESTINATION, "outcome_final")], ids=name_of)
def test_enclave_killed_on_the_way(world, side, state):
    exercise(world, side - 1, "caisson-enclave", side, state)


def test_both_killed_at_once(world):
    scene = Scene(world)
    for gateway in world.gateways:
        for name, pid in gateway.pids().items():
            if name != "caisson":
                os.kill(pid, signal.SIGKILL)
    for gateway in world.gateways:
        alive_again(gateway)
    scene.finish()


def told_at_once(snapshot, message_id: str, side: int, first: str, second: str) -> bool:
    """Whether the snapshot has the one event, and then directly behind it the other."""
    rows = snapshot.execute("SELECT n, state FROM events WHERE id=? AND side=? ORDER BY n", (bytes.fromhex(message_id[2:]), side)).fetchall()
    for k, (n, state) in enumerate(rows):
        if state == STATES[first]:
            assert rows[k + 1] == (n + 1, STATES[second])
            return True
    return False


def test_what_is_never_on_disk(world):
    """Every commit of both journals, from before the messages to after their ends."""
    with ExitStack() as stack:
        journals = [stack.enter_context(Journal(g.folder)) for g in world.gateways]
        for journal in journals:
            journal.begin()
        scenes = []
        for dead in (False, True):
            scene = Scene(world, dead)
            scenes.append(scene)
            scene.finish()
            with Journal(world.gateways[1].folder) as journal:
                wait_for(lambda: journal.state(scene.id, DESTINATION) in ENDS, END_TIMEOUT_S, "the end at the destination", 0.1)
        seen, together = set(), set()
        for side, journal, gateway in zip(SIDES, journals, world.gateways):
            pid = gateway.pids()["caisson-gateway"]
            pause(pid)
            stack.callback(resume, pid)
            for snapshot in journal.commits():
                seen |= {(scene.id, side, state_of(snapshot, scene.id, side)) for scene in scenes}
                together |= {(first, second) for at, first, second in AT_ONCE for scene in scenes
                             if at == side and told_at_once(snapshot, scene.id, side, first, second)}
                snapshot.close()
    names = {number: name for name, number in STATES.items()}
    on_disk = {(side, names[state]) for _, side, state in seen if state}
    assert not on_disk & set(NEVER)
    assert together == {(first, second) for _, first, second in AT_ONCE}
    # That the commits were really looked at: what a block or a transaction ends is always on disk.
    assert {(SOURCE, "observed"), (SOURCE, "signed"), (SOURCE, "finalized"), (SOURCE, "refunded"), (DESTINATION, "signed"),
            (DESTINATION, "submitted"), (DESTINATION, "included"), (DESTINATION, "failed"), (DESTINATION, "outcome_verified"),
            (DESTINATION, "finalized"), (DESTINATION, "refunded")} <= on_disk


def test_gateway_killed_when_the_event_has_vanished(world):
    """A reorganisation took the block; the transaction comes again when the gateway is back."""
    rpc = world.sides[0].chain.rpc
    rpc.call("evm_setIntervalMining", 0)
    try:
        scene = Scene(world, by_hand=True)
        with Journal(world.gateways[0].folder) as journal:
            wait_for(lambda: journal.state(scene.id, SOURCE) == STATES["observed"], END_TIMEOUT_S, "the event", 0.02)
        raw = rpc.call("eth_getRawTransactionByHash", scene.tx)
        rpc.call("anvil_reorg", 1, [])
        pid = world.gateways[0].pids()["caisson-gateway"]
        assert caught(scene, SOURCE, "abandoned", pid, True)
        kill(world.gateways[0], pid)
    finally:
        rpc.call("evm_setIntervalMining", 1)
    rpc.call("eth_sendRawTransaction", raw)
    scene.finish()
