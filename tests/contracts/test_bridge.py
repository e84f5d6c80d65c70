"""Token transfers over messages, and that value is conserved whatever tokens, chains and relayers do."""
from __future__ import annotations

import random

import pytest

import envelope_vectors as v
from lib import abi, deploy
from lib.rpc import Contract, create
from world import (ADDRESS_ZERO, DEAD, DELAY, DELIVERED, FAILED, NONE, ZERO, Remote, World, error_of, refused)

LOCK, MINT = 1, 2
WINDOW = 3600
CAP = 10**24
ONE = 10**18
TAG = v.tag("caisson/transfer/v1")
REMOTE_TOKEN = v.word(b"\x77" * 20)
REMOTE_WRAPPED_HOME = v.word(b"\x78" * 20)
NO_LIE, STILL, REFUSAL, EXTRA, BOMB, BURN_GAS = range(6)


class Bridge:
    """The bridge of the world's chain; its peer is an address on the remote chain."""

    def __init__(self, world: World, cap: int = CAP):
        self.world, self.remote, self.cap = world, world.remote, cap
        self.contract = create(world.rpc, world.owner, deploy.artifact("CaissonTokenBridge"), world.address, world.owner,
                               world.guardian, DELAY, WINDOW)
        self.peer = world.remote.account(b"\xbb" * 20)
        self.contract.write(world.owner, "addPeer", self.peer)
        self.token = world.deploy("TestToken", "Test", "TST")
        self.wrapped = create(world.rpc, world.owner, deploy.artifact("CaissonWrappedToken"), self.contract.address, "Wrapped", "W", 18)
        self.add(self.token, REMOTE_TOKEN, LOCK)
        self.add(self.wrapped, REMOTE_WRAPPED_HOME, MINT)
        self.give(self.token, 1000 * ONE)

    def add(self, token: Contract, remote_token: bytes, mode: int) -> None:
        self.contract.write(self.world.owner, "addToken", token.address, self.remote.chain, remote_token, mode)
        self.contract.write(self.world.owner, "setCap", token.address, self.cap, self.cap)

    def give(self, token: Contract, amount: int) -> None:
        token.write(self.world.user, "mint", self.world.user, amount)
        if any(e.get("name") == "approve" for e in token.abi):
            token.write(self.world.user, "approve", self.contract.address, 2**256 - 1)

    def transfer_args(self, token: Contract, amount: int, refund_to: str = ADDRESS_ZERO, recipient: bytes | None = None,
                      attributes=()) -> tuple:
        return token.address, amount, recipient or self.remote.account(b"\xcc" * 20), refund_to, list(attributes)

    def transfer(self, token: Contract, amount: int, refund_to: str = ADDRESS_ZERO, **options) -> bytes:
        receipt = self.contract.write(self.world.user, "transfer", *self.transfer_args(token, amount, refund_to, **options))
        return self.contract.events("TransferSent", receipt)[0]["sendId"]

    def send_through(self, token: Contract, amount: int) -> None:
        """A transfer that arrives, and whose outcome is known here."""
        self.world.finalize((self.transfer(token, amount), DELIVERED))

    def incoming(self, token: Contract, amount: int, to: str | None = None, sender: bytes | None = None, **over) -> dict:
        payload = TAG + v.word(abi.to_bytes(token.address)) + v.u(amount) + v.word(abi.to_bytes(to or self.world.anyone))
        return self.world.message(self.contract, payload, sender=self.peer if sender is None else sender, minGasLimit=300_000, **over)

    def receive(self, token: Contract, amount: int, to: str | None = None, **over) -> int:
        message = self.incoming(token, amount, to, **over)
        self.world.deliver(message)
        return self.world.status(message)

    def locked(self, token: Contract) -> int:
        return self.contract.read("lockedOf", token.address, self.remote.chain)

    def flow(self, token: Contract) -> int:
        return self.contract.read("flowOf", token.address)

    def room(self, token: Contract, remote: Remote | None = None) -> tuple[int, int]:
        return tuple(self.contract.read("roomOf", token.address, (remote or self.remote).chain))


def next_window(world: World) -> None:
    world.at((world.now() // WINDOW + 1) * WINDOW)


def balance(token: Contract, account: str | Contract) -> int:
    return token.read("balanceOf", account if isinstance(account, str) else account.address)


@pytest.fixture(scope="module")
def bridge_once(world_once):
    return Bridge(world_once)


@pytest.fixture
def bridge(bridge_once, world):
    # a window of its own, from its start, so that flows of one test are in one window
    next_window(world)
    return bridge_once


# --- what should happen


def test_lock(bridge, world):
    sent = bridge.transfer(bridge.token, 5 * ONE)
    assert balance(bridge.token, world.user) == 995 * ONE
    assert balance(bridge.token, bridge.contract) == 5 * ONE
    assert bridge.locked(bridge.token) == 0, "what is pending is not what may come back"
    assert bridge.flow(bridge.token) == -5 * ONE
    token, amount, refund_to = bridge.contract.read("pendingOf", sent)
    assert (token, amount, refund_to) == (abi.to_bytes(bridge.token.address), 5 * ONE, abi.to_bytes(world.user))


def test_message_of_a_transfer(bridge, world):
    args = bridge.transfer_args(bridge.token, ONE, world.closer, attributes=[v.attribute("finality", 1)])
    receipt = bridge.contract.write(world.user, "transfer", *args)
    sent, = world.gateway.events("MessageSent", receipt)
    committed, = world.gateway.events("MessageCommitted", receipt)
    assert sent["payload"] == TAG + REMOTE_TOKEN + v.u(ONE) + v.word(b"\xcc" * 20)
    assert sent["recipient"] == bridge.peer and sent["sender"] == world.account(bridge.contract.address)
    assert committed["refundTo"] == v.word(abi.to_bytes(world.closer)) and committed["finality"] == 1


def test_delivered_closes_the_refund(bridge, world):
    sent = bridge.transfer(bridge.token, 5 * ONE)
    receipt = world.finalize((sent, DELIVERED))
    assert len(bridge.contract.events("TransferCompleted", receipt)) == 1
    assert bridge.contract.read("pendingOf", sent)[1] == 0
    assert bridge.locked(bridge.token) == 5 * ONE
    refused(world, "NotPending", "settle", sent, contract=bridge.contract)


@pytest.mark.parametrize("to_other", [False, True])
def test_dead_refunds(bridge, world, to_other):
    target = world.closer if to_other else world.user
    before = balance(bridge.token, target)
    sent = bridge.transfer(bridge.token, 5 * ONE, world.closer if to_other else ADDRESS_ZERO)
    receipt = world.finalize((sent, DEAD))
    event, = bridge.contract.events("TransferRefunded", receipt)
    assert event["pushed"] is True and event["amount"] == 5 * ONE
    assert balance(bridge.token, target) == before + (5 * ONE if to_other else 0)
    assert balance(bridge.token, bridge.contract) == bridge.locked(bridge.token) == 0
    assert bridge.flow(bridge.token) == -5 * ONE
    refused(world, "NotPending", "settle", sent, contract=bridge.contract)


def test_mint_burn_refund(bridge, world):
    assert bridge.receive(bridge.wrapped, 7 * ONE, world.user) == DELIVERED
    assert balance(bridge.wrapped, world.user) == bridge.wrapped.read("totalSupply") == 7 * ONE
    sent = bridge.transfer(bridge.wrapped, 3 * ONE)  # no allowance: the bridge burns its own caller's
    assert bridge.wrapped.read("totalSupply") == 4 * ONE
    world.finalize((sent, DEAD))
    assert balance(bridge.wrapped, world.user) == 7 * ONE
    second = bridge.transfer(bridge.wrapped, 7 * ONE)
    world.finalize((second, DELIVERED))
    assert bridge.wrapped.read("totalSupply") == 0


def test_release(bridge, world):
    bridge.send_through(bridge.token, 5 * ONE)
    before = balance(bridge.token, world.anyone)
    assert bridge.receive(bridge.token, 2 * ONE) == DELIVERED
    assert balance(bridge.token, world.anyone) - before == 2 * ONE
    assert bridge.locked(bridge.token) == balance(bridge.token, bridge.contract) == 3 * ONE


def test_failed_then_retried(bridge, world):
    """The demo's case: the beneficiary is frozen, then not."""
    bridge.send_through(bridge.token, 5 * ONE)
    bridge.token.write(world.owner, "setFrozen", world.anyone, True)
    message = bridge.incoming(bridge.token, ONE)
    world.fail(message)
    bridge.token.write(world.owner, "setFrozen", world.anyone, False)
    world.do("retry", *world.args(message))
    assert world.status(message) == DELIVERED and balance(bridge.token, world.anyone) == ONE


def test_fee_and_quote(bridge, world):
    from world import ROUTE
    world.gateway.write(world.owner, "setRoute", world.remote.identity, {**ROUTE, "feeBase": 1000, "feePerByte": 1})
    args = bridge.transfer_args(bridge.token, ONE)
    fee = bridge.contract.read("quote", args[2], [])
    assert fee == 1000 + 128
    refused(world, "FeeNotExact", "transfer", *args, contract=bridge.contract, sender=world.user, value=fee - 1)
    bridge.contract.write(world.user, "transfer", *args, value=fee)
    assert int(world.rpc.call("eth_getBalance", world.address, "latest"), 16) == fee


# --- refusals at the source


@pytest.mark.parametrize("amount", [0, 2**128, 2**256 - 1])
def test_amount_refused(bridge, world, amount):
    refused(world, "AmountInvalid", "transfer", *bridge.transfer_args(bridge.token, amount), contract=bridge.contract, sender=world.user)


def test_transfer_refused(bridge, world):
    def refuse(error, *values, sender=world.user):
        refused(world, error, "transfer", *values, contract=bridge.contract, sender=sender)

    other = world.deploy("TestToken", "Other", "OTH")
    refuse("TokenUnknown", *bridge.transfer_args(other, ONE))
    refuse("ChainUnknown", *bridge.transfer_args(bridge.token, ONE, recipient=v.eip155(5, bytes(20))))
    refuse("RecipientInvalid", *bridge.transfer_args(bridge.token, ONE, recipient=world.remote.chain))
    refuse("RecipientInvalid", *bridge.transfer_args(bridge.token, ONE, bridge.contract.address))  # it could never claim it
    refuse("AttributeTwice", *bridge.transfer_args(bridge.token, ONE, attributes=[v.attribute("refundTo", b"\1" * 20)]))
    refuse("ERC20InsufficientAllowance", *bridge.transfer_args(bridge.token, ONE), sender=world.anyone)
    refuse("ERC20InsufficientBalance", *bridge.transfer_args(bridge.wrapped, ONE), sender=world.anyone)
    bridge.contract.write(world.guardian, "pause")
    refuse("InPause", *bridge.transfer_args(bridge.token, ONE))


def test_fee_on_transfer_is_refused(bridge, world):
    fee = world.deploy("FeeToken")
    bridge.add(fee, v.u(1), LOCK)
    bridge.give(fee, 100 * ONE)
    refused(world, "AmountNotReceived", "transfer", *bridge.transfer_args(fee, ONE), contract=bridge.contract, sender=world.user)
    assert balance(fee, bridge.contract) == 0


@pytest.mark.parametrize("lie", [STILL, REFUSAL, BOMB, BURN_GAS])
def test_lying_token_locks_nothing(bridge, world, lie):
    token = world.deploy("LyingToken")
    bridge.add(token, v.u(1), LOCK)
    bridge.give(token, 100 * ONE)
    token.write(world.user, "setLie", lie)
    assert error_of(bridge.contract, world.user, "transfer", *bridge.transfer_args(token, ONE)) is not None
    assert balance(token, bridge.contract) == 0


@pytest.mark.parametrize("lie", [STILL, REFUSAL, EXTRA, BOMB, BURN_GAS])
def test_lying_token_releases_nothing(bridge, world, lie):
    token = world.deploy("LyingToken")
    bridge.add(token, v.u(1), LOCK)
    bridge.give(token, 100 * ONE)
    bridge.send_through(token, 10 * ONE)
    token.write(world.user, "setLie", lie)
    message = bridge.incoming(token, ONE)
    world.deliver(message, gas=4_000_000)
    assert world.status(message) == FAILED
    assert bridge.locked(token) == balance(token, bridge.contract) == 10 * ONE


@pytest.mark.parametrize("same", [True, False])
def test_reentrant_token(bridge, world, same):
    """It calls back into the bridge while it moves, with tokens of its own: a nested transfer is refused."""
    hook = world.deploy("HookToken")
    bridge.add(hook, v.u(1), LOCK)
    bridge.give(hook, 100 * ONE)
    other = hook if same else bridge.token
    other.write(world.user, "transfer", hook.address, 10 * ONE)
    hook.write(world.user, "run", other.address, other.data("approve", bridge.contract.address, 2**256 - 1))
    nested = bridge.contract.data("transfer", *bridge.transfer_args(other, ONE))
    assert error_of(bridge.contract, hook.address, "transfer", *bridge.transfer_args(other, ONE)) is None  # alone it would do
    hook.write(world.user, "setHook", bridge.contract.address, nested)
    bridge.transfer(hook, 2 * ONE)
    assert hook.read("result") is False
    assert balance(hook, bridge.contract) == 2 * ONE and balance(bridge.token, bridge.contract) == 0


def test_reentry_with_a_delivery(bridge, world):
    """While it is being locked, the same token is released: the count is off, so the transfer reverts as a whole."""
    hook = world.deploy("HookToken")
    bridge.add(hook, v.u(1), LOCK)
    bridge.give(hook, 100 * ONE)
    bridge.send_through(hook, 5 * ONE)
    message = bridge.incoming(hook, ONE)
    hook.write(world.user, "setHook", world.address, world.gateway.data("deliver", *world.args([message])))
    receipt = bridge.contract.write(world.user, "transfer", *bridge.transfer_args(hook, 2 * ONE), accept_revert=True)
    assert receipt["status"] == "0x0"
    assert bridge.locked(hook) == balance(hook, bridge.contract) == 5 * ONE
    assert world.status(message) == NONE


# --- refusals at the destination


def test_receive_only_from_the_gateway(bridge, world):
    payload = TAG + v.word(abi.to_bytes(bridge.wrapped.address)) + v.u(ONE) + v.word(abi.to_bytes(world.user))
    for sender in (world.user, world.owner):
        refused(world, "OnlyGateway", "receiveMessage", ZERO, bridge.peer, payload, contract=bridge.contract, sender=sender)
        refused(world, "OnlyGateway", "onOutcome", ZERO, DEAD, contract=bridge.contract, sender=sender)
        refused(world, "OnlySelf", "payFrame", bridge.token.address, world.user, 1, contract=bridge.contract, sender=sender)
        refused(world, "OnlyBridge", "mint", sender, 1, contract=bridge.wrapped, sender=sender)
        refused(world, "OnlyBridge", "burn", sender, 1, contract=bridge.wrapped, sender=sender)


def test_receive_only_from_the_peer(bridge, world):
    for sender in (world.remote.account(b"\xbc" * 20), bridge.peer + b"\0", bridge.peer[:-1], bridge.peer[:8]):
        assert bridge.receive(bridge.wrapped, ONE, sender=sender) == FAILED
    assert bridge.wrapped.read("totalSupply") == 0


def test_peer_address_on_another_chain(bridge, world):
    """The same address, sent from a second registered chain, is not the peer."""
    other = Remote(chain_id=5, label="other")
    world.register(other)
    payload = TAG + v.word(abi.to_bytes(bridge.wrapped.address)) + v.u(ONE) + v.word(abi.to_bytes(world.user))
    message = world.message(bridge.contract, payload, remote=other, sender=v.eip155(5, b"\xbb" * 20), minGasLimit=300_000)
    world.do("deliver", *world.args([message], remote=other))
    assert world.status(message, other) == FAILED


def test_key_of_another_chain_mints_nothing_in_the_peers_name(bridge, world):
    other = Remote(chain_id=5, label="other")
    world.register(other)
    message = bridge.incoming(bridge.wrapped, ONE, remote=other)
    assert message["sender"] == bridge.peer
    refused(world, "SenderForeign", "deliver", *world.args([message], remote=other))
    assert bridge.wrapped.read("totalSupply") == 0


PAYLOADS = {
    "short": lambda good: good[:-1], "long": lambda good: good + b"\0", "empty": lambda good: b"",
    "of another tag": lambda good: v.u(1) + good[32:], "with a dirty token": lambda good: good[:32] + b"\1" + good[33:],
    "with a dirty recipient": lambda good: good[:96] + b"\1" + good[97:],
    "with an unknown token": lambda good: good[:32] + v.u(5) + good[64:],
    "of nothing": lambda good: good[:64] + v.u(0) + good[96:], "of too much": lambda good: good[:64] + v.u(2**128) + good[96:],
}


@pytest.mark.parametrize("case", PAYLOADS)
def test_payload_refused(bridge, world, case):
    good = TAG + v.word(abi.to_bytes(bridge.wrapped.address)) + v.u(ONE) + v.word(abi.to_bytes(world.user))
    message = world.message(bridge.contract, PAYLOADS[case](good), sender=bridge.peer, minGasLimit=300_000)
    world.fail(message)
    assert bridge.wrapped.read("totalSupply") == 0


def test_recipient_refused(bridge, world):
    bridge.send_through(bridge.token, 5 * ONE)
    for token in (bridge.token, bridge.wrapped):
        assert bridge.receive(token, ONE, bridge.contract.address) == FAILED
        assert bridge.receive(token, ONE, ADDRESS_ZERO) == FAILED


def test_release_of_more_than_was_locked(bridge, world):
    bridge.send_through(bridge.token, 5 * ONE)
    bridge.token.write(world.user, "transfer", bridge.contract.address, 5 * ONE)  # a gift is nobody's
    assert bridge.receive(bridge.token, 5 * ONE + 1) == FAILED
    assert bridge.receive(bridge.token, 5 * ONE) == DELIVERED


def test_one_chain_cannot_release_what_another_locked(bridge, world):
    other = Remote(chain_id=5, label="other")
    world.register(other)
    peer = v.eip155(5, b"\xbd" * 20)
    bridge.contract.write(world.owner, "addPeer", peer)
    bridge.contract.write(world.owner, "addToken", bridge.token.address, other.chain, v.u(9), LOCK)
    bridge.send_through(bridge.token, 5 * ONE)
    payload = TAG + v.word(abi.to_bytes(bridge.token.address)) + v.u(1) + v.word(abi.to_bytes(world.user))
    message = world.message(bridge.contract, payload, remote=other, sender=peer, minGasLimit=300_000)
    world.do("deliver", *world.args([message], remote=other))
    assert world.status(message, other) == FAILED


# --- caps


def later_cap(bridge, world, token, amount_in, amount_out):
    world.later(world.owner, bridge.contract, "setCap", token.address, amount_in, amount_out)
    next_window(world)


def test_caps_of_a_window(bridge, world):
    later_cap(bridge, world, bridge.wrapped, 10, 4)
    assert bridge.receive(bridge.wrapped, 10, world.user) == DELIVERED
    message = bridge.incoming(bridge.wrapped, 1, world.user)
    world.fail(message)
    # net: what goes out makes room again, but not before it is known to have arrived
    sent = bridge.transfer(bridge.wrapped, 1)
    refused(world, "CallFailed", "retry", *world.args(message))
    world.finalize((sent, DELIVERED))
    world.do("retry", *world.args(message))
    assert bridge.flow(bridge.wrapped) == 10
    # what came in makes room for 10 more to go out
    bridge.transfer(bridge.wrapped, 10)
    next_window(world)
    assert bridge.flow(bridge.wrapped) == 0
    assert bridge.receive(bridge.wrapped, 4, world.user) == DELIVERED
    bridge.transfer(bridge.wrapped, 4)
    next_window(world)
    assert bridge.receive(bridge.wrapped, 9, world.user) == DELIVERED
    next_window(world)
    bridge.transfer(bridge.wrapped, 4)
    refused(world, "CapExceeded", "transfer", *bridge.transfer_args(bridge.wrapped, 1), contract=bridge.contract, sender=world.user)


def test_sending_and_taking_back_moves_no_bound(bridge, world):
    """A broken remote sends 100, forges a message of 110 and the death of what was sent: it would have 110 of others."""
    later_cap(bridge, world, bridge.token, 10, 100)
    for _ in range(2):
        bridge.send_through(bridge.token, 100)  # others'
        next_window(world)
    sent = bridge.transfer(bridge.token, 100)
    before = balance(bridge.token, bridge.contract)
    assert bridge.room(bridge.token) == (10, 0)
    assert bridge.receive(bridge.token, 110) == FAILED
    assert bridge.receive(bridge.token, 11) == FAILED
    assert bridge.receive(bridge.token, 10) == DELIVERED
    assert bridge.receive(bridge.token, 1) == FAILED
    world.finalize((sent, DEAD))
    assert before - balance(bridge.token, bridge.contract) == 110
    assert bridge.locked(bridge.token) == 190
    # the refund made room in neither direction; the 10 that came in did
    assert bridge.receive(bridge.token, 1) == FAILED
    assert bridge.room(bridge.token) == (0, 10)


def test_what_is_pending_cannot_come_back(bridge, world):
    """Else a forged message would spend it, and its refund would find nothing."""
    first, second = bridge.transfer(bridge.token, 10), bridge.transfer(bridge.token, 20)
    assert bridge.receive(bridge.token, 1) == FAILED
    world.finalize((first, DELIVERED))
    assert bridge.receive(bridge.token, 11) == FAILED
    assert bridge.receive(bridge.token, 10) == DELIVERED
    receipt = world.finalize((second, DEAD))
    assert bridge.contract.events("TransferRefunded", receipt)[0]["pushed"] is True
    assert balance(bridge.token, bridge.contract) == bridge.locked(bridge.token) == 0


def test_delivery_counts_in_the_window_that_knows_it(bridge, world):
    later_cap(bridge, world, bridge.token, 5, 100)
    sent = [bridge.transfer(bridge.token, amount) for amount in (50, 20)]
    next_window(world)
    world.finalize((sent[0], DELIVERED))
    assert bridge.room(bridge.token) == (55, 100)
    assert bridge.receive(bridge.token, 30) == DELIVERED
    assert bridge.room(bridge.token) == (25, 130)
    next_window(world)
    assert bridge.room(bridge.token) == (5, 100)
    assert bridge.receive(bridge.token, 6) == FAILED
    world.finalize((sent[1], DELIVERED))
    assert bridge.room(bridge.token) == (25, 100)  # what the window before did not use is gone
    assert bridge.receive(bridge.token, 25) == DELIVERED


def other_chain(bridge, world) -> Remote:
    """A second chain with a peer, for the token that is locked here."""
    other = Remote(chain_id=5, label="other")
    world.register(other)
    bridge.contract.write(world.owner, "addPeer", other.account(b"\xbd" * 20))
    bridge.contract.write(world.owner, "addToken", bridge.token.address, other.chain, v.u(9), LOCK)
    return other


def receive_from(bridge, world, other: Remote, amount: int) -> int:
    message = bridge.incoming(bridge.token, amount, remote=other, sender=other.account(b"\xbd" * 20))
    world.do("deliver", *world.args([message], remote=other))
    return world.status(message, other)


def test_delivery_to_one_chain_makes_no_room_for_another(bridge, world):
    other = other_chain(bridge, world)
    later_cap(bridge, world, bridge.token, 5, 100)
    sent = bridge.transfer(bridge.token, 50, recipient=other.account(world.user))
    world.finalize((sent, DELIVERED), remote=other)
    next_window(world)
    bridge.send_through(bridge.token, 40)
    assert (bridge.room(bridge.token), bridge.room(bridge.token, other)) == ((45, 60), (5, 60))
    assert receive_from(bridge, world, other, 6) == FAILED
    assert receive_from(bridge, world, other, 5) == DELIVERED
    assert bridge.receive(bridge.token, 40) == DELIVERED
    assert bridge.room(bridge.token) == (0, 105)


def test_refunds_pass_the_cap(bridge, world):
    """Sending and taking back, over and over, makes no room in either direction."""
    later_cap(bridge, world, bridge.token, 5, 100)
    bridge.send_through(bridge.token, 50)
    next_window(world)
    sent = [bridge.transfer(bridge.token, 10) for _ in range(3)]
    assert bridge.room(bridge.token) == (5, 70)
    world.finalize((sent[0], DEAD))
    assert bridge.room(bridge.token) == (5, 70)
    bridge.contract.write(world.guardian, "lowerCap", bridge.token.address, 0, 0)
    for each in sent[1:]:
        world.finalize((each, DEAD))
    assert balance(bridge.token, bridge.contract) == bridge.locked(bridge.token) == 50
    next_window(world)
    assert bridge.receive(bridge.token, 1) == FAILED
    refused(world, "CapExceeded", "transfer", *bridge.transfer_args(bridge.token, 1), contract=bridge.contract, sender=world.user)


def test_a_cap_of_zero_stops_at_once(bridge, world):
    """Whatever had made room in this window."""
    bridge.send_through(bridge.token, 50)
    assert bridge.receive(bridge.token, 10) == DELIVERED
    bridge.contract.write(world.guardian, "lowerCap", bridge.token.address, 0, 100)
    assert bridge.room(bridge.token) == (0, 60)
    assert bridge.receive(bridge.token, 1) == FAILED
    bridge.transfer(bridge.token, 1)
    bridge.contract.write(world.guardian, "lowerCap", bridge.token.address, 0, 0)
    assert bridge.room(bridge.token) == (0, 0)
    refused(world, "CapExceeded", "transfer", *bridge.transfer_args(bridge.token, 1), contract=bridge.contract, sender=world.user)


def test_bounds_of_the_books(bridge, world):
    """Amounts at the widths of what counts them: refused or saturated, never wrapped, and no refund is stopped."""
    huge, most = 2**128 - 1, 2**111 - 1
    token = world.deploy("TestToken", "Huge", "HUGE")
    bridge.contract.write(world.owner, "addToken", token.address, world.remote.chain, v.u(4), LOCK)
    bridge.contract.write(world.owner, "setCap", token.address, huge, huge)
    bridge.give(token, 2**200)
    assert bridge.room(token) == (most, most)
    refused(world, "CapExceeded", "transfer", *bridge.transfer_args(token, most + 1), contract=bridge.contract, sender=world.user)
    bridge.send_through(token, most)
    assert bridge.room(token) == (most + 2**96 - 1, 0)  # room saturates
    refused(world, "CapExceeded", "transfer", *bridge.transfer_args(token, 1), contract=bridge.contract, sender=world.user)
    assert bridge.receive(token, most) == DELIVERED
    next_window(world)
    bridge.send_through(token, most)
    next_window(world)
    sent = bridge.transfer(token, 2**96)
    next_window(world)
    world.finalize((sent, DELIVERED))
    assert bridge.receive(token, most) == DELIVERED
    assert bridge.receive(token, 2**96) == FAILED
    assert bridge.receive(token, 2**96 - 1) == DELIVERED
    assert bridge.flow(token) == most + 1  # what a window can count
    assert bridge.room(token) == (0, 2 * most + 1)
    bridge.transfer(token, 2**96)
    assert bridge.locked(token) == 1 and balance(token, bridge.contract) == 2**96 + 1


def test_powers_over_caps(bridge, world):
    args = (bridge.token.address, CAP, CAP + 1)
    refused(world, "OperationUnknown", "setCap", *args, contract=bridge.contract, sender=world.owner)
    refused(world, "CapNotLower", "lowerCap", *args, contract=bridge.contract, sender=world.guardian)
    refused(world, "NotOwnerOrGuardian", "lowerCap", bridge.token.address, 0, 0, contract=bridge.contract)
    refused(world, "TokenUnknown", "setCap", world.user, 1, 1, contract=bridge.contract, sender=world.owner)
    token = world.deploy("TestToken", "New", "NEW")
    bridge.contract.write(world.owner, "addToken", token.address, world.remote.chain, v.u(4), LOCK)
    assert bridge.receive(token, 1) == FAILED  # caps begin at zero
    refused(world, "NotOwner", "setCap", token.address, 1, 1, contract=bridge.contract, sender=world.guardian)
    bridge.contract.write(world.owner, "setCap", token.address, 1, 1)
    refused(world, "OperationUnknown", "setCap", token.address, 2, 2, contract=bridge.contract, sender=world.owner)


# --- refunds that cannot be pushed


def test_refund_is_pulled_if_the_push_fails(bridge, world):
    sent = bridge.transfer(bridge.token, 5 * ONE)
    bridge.token.write(world.owner, "setFrozen", world.user, True)
    receipt = world.finalize((sent, DEAD))
    assert bridge.contract.events("TransferRefunded", receipt)[0]["pushed"] is False
    assert bridge.contract.read("claimable", bridge.token.address, world.user) == 5 * ONE
    refused(world, "NothingToClaim", "claim", bridge.token.address, world.anyone, contract=bridge.contract)
    bridge.contract.write(world.user, "claim", bridge.token.address, world.closer)
    assert balance(bridge.token, world.closer) == 5 * ONE and balance(bridge.token, bridge.contract) == 0
    refused(world, "NothingToClaim", "claim", bridge.token.address, world.user, contract=bridge.contract, sender=world.user)


@pytest.mark.parametrize("lie", [STILL, REFUSAL, EXTRA, BOMB])
def test_refund_of_a_lying_token_is_kept(bridge, world, lie):
    token = world.deploy("LyingToken")
    bridge.add(token, v.u(1), LOCK)
    bridge.give(token, 100 * ONE)
    sent = bridge.transfer(token, ONE)
    token.write(world.user, "setLie", lie)
    world.finalize((sent, DEAD), gas=6_000_000)
    if bridge.contract.read("pendingOf", sent)[1] != 0:  # the bomb took the bounded gas: anyone settles with more
        bridge.contract.write(world.anyone, "settle", sent, gas=8_000_000)
    assert bridge.contract.read("claimable", token.address, world.user) == ONE
    token.write(world.user, "setLie", NO_LIE)
    bridge.contract.write(world.user, "claim", token.address, world.user)
    assert balance(token, bridge.contract) == 0


def test_token_that_burns_gas_delays_only_its_own_refund(bridge, world):
    token = world.deploy("LyingToken")
    bridge.add(token, v.u(1), LOCK)
    bridge.give(token, 100 * ONE)
    bad, good = bridge.transfer(token, ONE), bridge.transfer(bridge.token, ONE)
    token.write(world.user, "setLie", BURN_GAS)
    receipt = world.finalize((bad, DEAD), (good, DEAD))
    assert len(world.gateway.events("OutcomeRefused", receipt)) == 1
    assert bridge.contract.read("pendingOf", good)[1] == 0 and bridge.contract.read("pendingOf", bad)[1] == ONE
    bridge.contract.write(world.anyone, "settle", bad, gas=8_000_000)
    assert bridge.contract.read("claimable", token.address, world.user) == ONE


def test_settle_needs_an_outcome(bridge, world):
    sent = bridge.transfer(bridge.token, ONE)
    refused(world, "NotFinal", "settle", sent, contract=bridge.contract)
    refused(world, "NotPending", "settle", v.u(1), contract=bridge.contract)


def test_refund_is_not_stopped_by_a_pause(bridge, world):
    sent = bridge.transfer(bridge.token, ONE)
    bridge.contract.write(world.guardian, "pause")
    world.do("pause", sender=world.guardian)
    world.finalize((sent, DEAD))
    assert balance(bridge.token, world.user) == 1000 * ONE


# --- registration


def test_registration(bridge, world):
    c, owner = bridge.contract, world.owner

    def refuse(error, name, *values, sender=owner):
        refused(world, error, name, *values, contract=c, sender=sender)

    refuse("PeerKnown", "addPeer", bridge.peer)
    refuse("PeerKnown", "addPeer", world.remote.account(b"\x01" * 20))
    refuse("RecipientInvalid", "addPeer", v.eip155(5, b""))
    refuse("BadInteroperableAddress", "addPeer", bridge.peer + b"\0")
    refuse("TokenKnown", "addToken", bridge.token.address, world.remote.chain, v.u(3), LOCK)
    refuse("TokenModeMismatch", "addToken", bridge.token.address, world.remote.chain, v.u(3), MINT)
    refuse("ChainUnknown", "addToken", bridge.token.address, v.eip155(5, b""), v.u(3), LOCK)
    c.write(owner, "addPeer", v.eip155(5, b"\xbd" * 20))
    refuse("TokenModeMismatch", "addToken", bridge.wrapped.address, v.eip155(5, b""), v.u(3), MINT)  # one home
    refuse("TokenModeMismatch", "addToken", bridge.wrapped.address, v.eip155(5, b""), v.u(3), LOCK)
    refuse("TokenModeMismatch", "addToken", world.user, v.eip155(5, b""), ZERO, LOCK)
    refuse("TokenModeMismatch", "addToken", world.user, v.eip155(5, b""), v.u(3), 0)
    # what stands for a token abroad has one token behind it here: another would release, or back, what is not its own
    for mode in (LOCK, MINT):
        fake = world.deploy("TestToken", "Fake", "FAKE")
        refuse("TokenKnown", "addToken", fake.address, world.remote.chain, REMOTE_TOKEN, mode)
        refuse("TokenKnown", "addToken", fake.address, world.remote.chain, REMOTE_WRAPPED_HOME, mode)
        c.write(owner, "addToken", fake.address, v.eip155(5, b""), v.u(100 + mode), mode)
    for sender in (world.guardian, world.anyone):
        refuse("NotOwner", "addPeer", v.eip155(6, b"\xbd" * 20), sender=sender)
        refuse("NotOwner", "addToken", world.user, v.eip155(5, b""), v.u(3), LOCK, sender=sender)


def test_views(bridge, world):
    assert bridge.contract.read("peerOf", world.remote.chain) == bridge.peer
    assert bridge.contract.read("remoteTokenOf", bridge.token.address, world.remote.chain) == REMOTE_TOKEN
    assert bridge.wrapped.read("decimals") == 18


# --- conservation, and what a broken remote can take


class Books:
    """Beside the contract: who is owed what, and what happened in each window. Remotes say whatever they like."""

    CAP_IN, CAP_OUT = 40, 100

    def __init__(self, bridge: Bridge, world: World):
        self.bridge, self.world = bridge, world
        self.people = [world.user, world.closer, world.anyone]
        self.other = other_chain(bridge, world)
        for token in (bridge.token, bridge.wrapped):
            later_cap(bridge, world, token, self.CAP_IN, self.CAP_OUT)
        assert bridge.receive(bridge.wrapped, self.CAP_IN, world.user) == DELIVERED
        next_window(world)
        self.supply = {bridge.token: self.total(bridge.token), bridge.wrapped: self.CAP_IN}
        self.lanes = [(bridge.token, bridge.remote), (bridge.token, self.other), (bridge.wrapped, bridge.remote)]
        self.settled = {lane: 0 for lane in self.lanes}
        self.settled[self.lanes[2]] = -self.CAP_IN  # minted against what is locked there
        self.open: list[tuple[bytes, tuple, int]] = []
        self.window = -1

    def total(self, token: Contract) -> int:
        return sum(balance(token, p) for p in self.people) + balance(token, self.bridge.contract)

    def pending(self, token: Contract) -> int:
        return sum(amount for _, lane, amount in self.open if lane[0] is token)

    def turn(self) -> None:
        """Counts of the present window."""
        present = self.world.now() // WINDOW
        if present != self.window:
            self.window = present
            self.came = {lane: 0 for lane in self.lanes}
            self.known = {lane: 0 for lane in self.lanes}
            self.went = {self.bridge.token: 0, self.bridge.wrapped: 0}

    def of_token(self, counts: dict, token: Contract) -> int:
        return sum(n for lane, n in counts.items() if lane[0] is token)

    def send(self, lane, amount: int) -> None:
        token, remote = lane
        args = self.bridge.transfer_args(token, amount, recipient=remote.account(self.world.user))
        _, room = self.bridge.room(token, remote)
        error = error_of(self.bridge.contract, self.world.user, "transfer", *args)
        self.turn()
        if amount > room:
            assert error == "CapExceeded"
            # never while the gross amount is within the cap
            assert self.went[token] + amount > self.CAP_OUT
        if error is None:
            sent = self.bridge.transfer(token, amount, recipient=remote.account(self.world.user))
            self.turn()
            self.open.append((sent, lane, amount))
            self.went[token] += amount
            assert self.went[token] - self.of_token(self.came, token) <= self.CAP_OUT

    def receive(self, lane, amount: int, to: str) -> None:
        token, remote = lane
        room, _ = self.bridge.room(token, remote)
        peer = self.bridge.peer if remote is self.bridge.remote else remote.account(b"\xbd" * 20)
        message = self.bridge.incoming(token, amount, to, remote=remote, sender=peer)
        self.world.do("deliver", *self.world.args([message], remote=remote))
        delivered = self.world.status(message, remote) == DELIVERED
        self.turn()
        if delivered:
            self.came[lane] += amount
            self.settled[lane] -= amount
        frozen = token is self.bridge.token and token.read("frozen", to)
        backed = token is self.bridge.wrapped or amount <= self.settled[lane] + amount * delivered
        assert delivered == (amount <= room and backed and not frozen)
        if not delivered and backed and not frozen:
            # never while the gross amount is within the cap, or matched by what arrived there
            assert self.of_token(self.came, token) + amount > self.CAP_IN
            assert amount > self.known[lane] - self.of_token(self.came, token)

    def outcome(self, at: int, status: int) -> None:
        sent, lane, amount = self.open.pop(at)
        before = self.total(lane[0])
        receipt = self.world.finalize((sent, status), remote=lane[1])
        self.turn()
        if status == DELIVERED:
            assert len(self.bridge.contract.events("TransferCompleted", receipt)) == 1
            self.known[lane] += amount
            self.settled[lane] += amount
        else:
            event, = self.bridge.contract.events("TransferRefunded", receipt)
            assert event["amount"] == amount, "refunds always pass, in full"
        assert self.total(lane[0]) == before + (amount if lane[0] is self.bridge.wrapped and status == DEAD else 0)

    def check(self) -> None:
        bridge, world = self.bridge, self.world
        for token, remote in self.lanes:
            if token is bridge.token:
                assert bridge.contract.read("lockedOf", token.address, remote.chain) == self.settled[token, remote] >= 0
        owed = sum(bridge.contract.read("claimable", bridge.token.address, p) for p in self.people)
        settled = sum(n for lane, n in self.settled.items() if lane[0] is bridge.token)
        assert balance(bridge.token, bridge.contract) == settled + self.pending(bridge.token) + owed
        assert self.total(bridge.token) == self.supply[bridge.token]
        assert bridge.wrapped.read("totalSupply") == -self.settled[self.lanes[2]] - self.pending(bridge.wrapped)
        self.turn()
        for token in (bridge.token, bridge.wrapped):
            # what belongs to nobody's pending transfer shrinks by no more than the cap in a window
            taken = self.of_token(self.came, token) - self.of_token(self.known, token)
            assert taken <= self.CAP_IN
            assert bridge.flow(token) == self.of_token(self.came, token) - self.went[token]
            # and no chain's key brings in more than the cap and what it said had arrived there
            assert all(self.came[lane] <= self.CAP_IN + self.known[lane] for lane in self.lanes)


@pytest.mark.parametrize("seed", range(6))
def test_value_and_caps(bridge, world, seed):
    """Random sends, messages and outcomes that are true or forged, frozen people, claims and windows: value is conserved,
    refunds pass, and a key takes no more in a window than the cap beside what it called delivered in it."""
    rng = random.Random(seed)
    books = Books(bridge, world)
    books.turn()
    for _ in range(90):
        lane = rng.choice(books.lanes)
        amount = rng.choice((rng.randint(1, 20), rng.randint(1, 130)))
        action = rng.choices(("send", "receive", "attack", "outcome", "freeze", "claim", "window"), (6, 6, 2, 7, 1, 1, 1))[0]
        if action == "send":
            books.send(lane, amount)
        elif action == "receive":
            books.receive(lane, amount, rng.choice(books.people))
        elif action == "attack":  # as far as the room goes, and one more; what is open dies
            books.receive(lane, bridge.room(*lane)[0] + 1, world.anyone)
            books.receive(lane, max(1, bridge.room(*lane)[0]), world.anyone)
            for at in reversed(range(len(books.open))):
                if books.open[at][1] == lane:
                    books.outcome(at, DEAD)
        elif action == "outcome" and books.open:
            books.outcome(rng.randrange(len(books.open)), rng.choice((DELIVERED, DELIVERED, DEAD)))
        elif action == "freeze":
            bridge.token.write(world.owner, "setFrozen", rng.choice(books.people), rng.random() < 0.5)
        elif action == "claim" and bridge.contract.read("claimable", bridge.token.address, world.user):
            bridge.contract.write(world.user, "claim", bridge.token.address, world.user, accept_revert=True)
        elif action == "window":
            next_window(world)
        books.check()
    while books.open:
        books.outcome(0, DEAD)
        books.check()
