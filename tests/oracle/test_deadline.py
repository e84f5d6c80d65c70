"""What becomes of a call that no block takes before its requests' deadline, and of refunds that fail."""
from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing

import pytest

from adapters.proxies import RpcProxy
from lib import abi, deploy
from lib.deploy import ANSWERED, OPEN, REFUNDED
from lib.rpc import wait_for
from oracle.chain_world import GAS, WAIT_S, ChainWorld

SMALL_BLOCK, BLOCK = 60_000, 30_000_000  # gas: a transfer finds place in the one, a call does not
SHORT, LONG = 20, 600
REFUND_TRIES = 8


@pytest.fixture(scope="module")
def world(tmp_path_factory, anvil):
    with ChainWorld(tmp_path_factory.mktemp("deadline"), anvil, refund=True) as made:
        yield made


# ---- calls

def blocks(world, count: int) -> None:
    goal = world.chain.rpc.block_number() + count
    wait_for(lambda: world.chain.rpc.block_number() >= goal, WAIT_S, "blocks")


def block_gas(world, limit: int) -> None:
    world.chain.rpc.call("evm_setBlockGasLimit", hex(limit))


def asked_at_once(world, text: bytes, *lifetimes: int) -> list[dict]:
    c = world.contracts
    sent = [c.consumer.send(c.user, "ask", text, [], 200_000, 600, lifetime, value=10**17, gas=GAS) for lifetime in lifetimes]
    world.chain.mine()
    return [c.asked(world.chain.rpc.wait_receipt(tx)) for tx in sent]


def pending(world, *lifetimes: int) -> list[dict]:
    """Requests of these lifetimes whose one call is with the node, while no block has place for it."""
    world.stop_mining()
    try:
        asked, before = world.asked, world.calls()
        requests = asked_at_once(world, world.slow_price(), *lifetimes)
        world.chain.mine(world.confirmations + 1)
        wait_for(lambda: world.asked > asked, WAIT_S, "the source is asked", 0.02)
        if "answered" in [world.wait_state(request, "answered", "submitted")["state"] for request in requests]:
            world.chain.mine()  # the observation was of a time that no block had
        for request in requests:
            world.wait_state(request, "submitted")
        wait_for(lambda: transactions(world, "pending") == before + 1, WAIT_S, "the call in the pool", 0.02)
        block_gas(world, SMALL_BLOCK)
    finally:
        world.go_on_mining()
    return requests


def transactions(world, tag: str) -> int:
    return int(world.chain.rpc.call("eth_getTransactionCount", world.oracle.operator, tag), 16)


def sent_since(world, nonce: int) -> list[dict]:
    """Transactions of the operator from this nonce on that are in blocks, each with its `receipt`."""
    rpc, own, found = world.chain.rpc, world.oracle.operator.lower(), []
    for height in range(rpc.block_number(), 0, -1):
        mine = [tx for tx in rpc.call("eth_getBlockByNumber", hex(height), True)["transactions"] if tx["from"] == own]
        found = [tx | {"receipt": rpc.receipt(tx["hash"])} for tx in mine if int(tx["nonce"], 16) >= nonce] + found
        if any(int(tx["nonce"], 16) < nonce for tx in mine):
            break
    return found


def is_cancellation(world, tx: dict) -> bool:
    return tx["to"] == world.oracle.operator.lower() and tx["input"] == "0x" and int(tx["receipt"]["gasUsed"], 16) == 21_000


@pytest.mark.parametrize("down", [False, True], ids=["", "after a crash"])
def test_a_late_call_is_taken_back(world, down):
    """It costs a transfer, not a revert; the fee goes back by a call that succeeds."""
    c, before = world.contracts, world.calls()
    try:
        request, = pending(world, SHORT)
        if down:
            world.crash("both")
            wait_for(lambda: world.chain.rpc.time() > request["deadline"], WAIT_S, "the deadline")
            world.oracle.restart()
        wait_for(lambda: world.calls() > before, WAIT_S, "the cancellation")
        assert c.state_of(request)[0] == OPEN
    finally:
        block_gas(world, BLOCK)
    assert c.ends(request) == (REFUNDED, 0)
    world.wait_state(request, "refunded")
    cancellation, refund = sent_since(world, before)
    assert is_cancellation(world, cancellation) and int(cancellation["receipt"]["status"], 16) == 1
    assert int(refund["receipt"]["status"], 16) == 1 and refund["to"] == c.requests.address.lower()
    world.once(c.ask(world.price("3")))  # the contract refused nothing: what comes next goes on as before


def test_a_call_that_is_of_use_stays(world):
    """One of its two requests has time: the call waits for a block, and brings that one's answer."""
    c, before = world.contracts, world.calls()
    try:
        late, timely = pending(world, SHORT, LONG)
        wait_for(lambda: world.chain.rpc.time() > late["deadline"] + 3, WAIT_S, "the deadline of one")
        assert world.calls() == before and world.state(timely)["state"] == "submitted"
    finally:
        block_gas(world, BLOCK)
    answer = world.once(timely)
    assert c.ends(late) == (REFUNDED, 0)
    assert answer["tx"] == sent_since(world, before)[0]["hash"]
    assert not any(is_cancellation(world, tx) for tx in sent_since(world, before))


def test_what_a_block_has_is_not_taken_back(world):
    c, before = world.contracts, world.calls()
    request = c.ask(world.price("4"), lifetime=SHORT)
    world.once(request)
    wait_for(lambda: world.chain.rpc.time() > request["deadline"] + 3, WAIT_S, "the deadline")
    assert world.calls() == before + 1 and world.state(request)["state"] == "done"


# ---- refunds

class Refusing(RpcProxy):
    """A node at which the next `left` estimates of a refund revert."""

    def __init__(self, world, left: int):
        super().__init__(world.chain.url)
        self.left, self.estimates = left, 0
        self.selector = abi.to_hex(abi.selector(world.contracts.requests.entry("refund")))
        self.after = self._refuse

    def _refuse(self, call: dict, reply: dict) -> dict:
        if call["method"] != "eth_estimateGas" or not (call["params"][0].get("data") or call["params"][0].get("input")).startswith(self.selector):
            return reply
        self.estimates += 1
        self.left -= 1
        return reply if self.left < 0 else {"jsonrpc": "2.0", "id": reply["id"], "error": {"code": 3, "message": "execution reverted", "data": "0x"}}


def unanswerable(world) -> dict:
    return world.by_hash(world.price("61"), lifetime=12)  # nobody publishes it


def refused_before(world, request: dict) -> None:
    """Goes on with a journal in which the enclave refused it for good. An enclave and a host of one manifest give no cause for that."""
    world.wait_state(request, "open")
    world.oracle.stop()
    with closing(sqlite3.connect(world.oracle.folder / "journal.db")) as journal, journal:
        changed = journal.execute("UPDATE requests SET state=8, next_ms=0, why='not-in-manifest: refused' WHERE id=? AND state=2",
                                  (abi.to_bytes(request["id"]),)).rowcount
    assert changed == 1
    world.oracle.restart()


def refund_by_another(world, request: dict) -> None:
    c = world.contracts
    c.requests.write(c.guardian, "refund", {k: request[k] for k in deploy.REQUEST_PARTS}, gas=500_000)
    assert c.ends(request) == (REFUNDED, 0)


def test_what_the_enclave_refused_is_refunded(world):
    request = world.by_hash(world.price("62"), lifetime=SHORT)
    before = world.calls()
    refused_before(world, request)
    assert world.state(request)["state"] == "refused"  # until its deadline
    assert world.contracts.state_of(request)[0] == OPEN
    assert world.contracts.ends(request) == (REFUNDED, 0)
    world.wait_state(request, "refunded")
    assert world.calls() == before + 1


def test_what_the_enclave_refused_expires(world):
    world.with_chain(refund=False)
    try:
        request = world.by_hash(world.price("63"), lifetime=SHORT)
        refused_before(world, request)
        assert "not-in-manifest" in world.wait_state(request, "expired")["why"]
        assert world.contracts.state_of(request)[0] == OPEN
        refund_by_another(world, request)
        world.wait_state(request, "refunded")
    finally:
        world.with_chain(refund=True)


def test_a_refund_is_tried_again(world):
    c = world.contracts
    with Refusing(world, 3) as proxy, world.through(proxy):
        request = unanswerable(world)
        shown = world.wait_why(request, f"refund 1 of {REFUND_TRIES}:")
        assert shown["state"] == "expired" and shown["tries"] == 1
        world.crash("caisson-oracle")
        world.oracle.restart()
        assert c.ends(request) == (REFUNDED, 0)
        assert not world.wait_state(request, "refunded")["why"]
        assert proxy.estimates == 4


def test_a_refund_by_somebody_else_ends_ours(world):
    before = world.calls()
    with Refusing(world, 10**6) as proxy, world.through(proxy):
        request = unanswerable(world)
        world.wait_why(request, f"refund 2 of {REFUND_TRIES}:")
        refund_by_another(world, request)
        told = world.wait_state(request, "refunded")["why"]
        assert "somebody else" in told
        blocks(world, 4)
        estimates = proxy.estimates
        blocks(world, 3)
        assert proxy.estimates == estimates and world.calls() == before


def test_what_the_contract_has_ended_is_left(world):
    """By the contract's word, before its event is read."""
    c, before = world.contracts, world.calls()
    with Refusing(world, 10**6) as proxy:
        refuse, state_of = proxy.after, abi.to_hex(abi.selector(c.requests.entry("stateOf")))

        def ended(call, reply):
            if call["method"] == "eth_call" and json.dumps(call["params"][0]).find(state_of[2:]) >= 0 and proxy.estimates:
                return {"jsonrpc": "2.0", "id": reply["id"], "result": "0x" + f"{REFUNDED:064x}" + "0" * 64}
            return refuse(call, reply)

        proxy.after = ended
        with world.through(proxy):
            request = unanswerable(world)
            assert world.wait_why(request, "somebody else has ended it")["state"] == "expired"
            estimates = proxy.estimates
            blocks(world, 3)
            assert proxy.estimates == estimates == 1 and world.calls() == before
            refund_by_another(world, request)
            world.wait_state(request, "refunded")


def test_refunds_that_fail_end(world):
    before = world.calls()
    with Refusing(world, 10**6) as proxy, world.through(proxy):
        request = unanswerable(world)
        shown = world.wait_why(request, f"refund {REFUND_TRIES} of {REFUND_TRIES}, the last of ours")
        assert shown["state"] == "expired" and proxy.estimates == REFUND_TRIES
        blocks(world, 4)
        assert proxy.estimates == REFUND_TRIES and world.calls() == before
        refund_by_another(world, request)
        world.wait_state(request, "refunded")
        assert world.contracts.state_of(request)[0] != ANSWERED


def test_our_clock_has_to_agree(world):
    """A block of the future is a node's word alone: what is pending stays until the deadline is there."""
    c, before = world.contracts, world.calls()
    try:
        request, = pending(world, 2 * SHORT)
        world.chain.rpc.call("evm_setNextBlockTimestamp", request["deadline"] + 1)
        blocks(world, 4)
        assert world.chain.rpc.time() > request["deadline"] and time.time() < request["deadline"] - 3
        assert world.calls() == before and world.state(request)["state"] == "submitted"
        wait_for(lambda: world.calls() > before, WAIT_S, "the cancellation")
        assert time.time() > request["deadline"] - 3
    finally:
        block_gas(world, BLOCK)
    assert c.ends(request) == (REFUNDED, 0)
    cancellation, refund = sent_since(world, before)
    assert is_cancellation(world, cancellation) and int(refund["receipt"]["status"], 16) == 1
