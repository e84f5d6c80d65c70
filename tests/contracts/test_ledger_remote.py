"""A gateway on an EVM chain whose remote is a Caisson ledger: it registers it, sends to it, takes its messages and its outcomes.
The ledger exists as the key that signs for it; its side of the same is tests/unit/ledger/."""
from __future__ import annotations

import pytest

import envelope_vectors as v
from lib import abi
from world import DEAD, DELIVERED, NONE, ROUTE, ZERO, Remote, refused

COSMOS = 0xff01  # CS_CHAIN_TYPE_COSMOS, core/caip.h
GATEWAY = bytes(17) + b"\xca\x15\x01"  # contract 1 of every ledger


class Ledger(Remote):
    """cosmos:<chain id>; its accounts have 20 bytes as an EVM chain's have."""

    def __init__(self, name: str = "ledger-1"):
        super().__init__(label=name)
        self.name, self.caip2, self.gateway = name, f"cosmos:{name}", GATEWAY
        self.identity = v.identity(self.caip2, self.genesis, self.gateway)
        self.chain = v.erc7930(COSMOS, name.encode(), b"")

    def account(self, address) -> bytes:
        return v.erc7930(COSMOS, self.name.encode(), abi.to_bytes(address))


@pytest.fixture
def ledger(world):
    remote = Ledger()
    world.register(remote)
    return remote


def test_number_of_the_namespace():
    from lib import tools
    assert f"#define CS_CHAIN_TYPE_COSMOS {COSMOS:#06x}u" in (tools.ROOT / "core" / "caip.h").read_text()


def test_registered(world, ledger):
    assert world.gateway.read("remoteOf", ledger.chain) == ledger.identity
    assert world.gateway.read("remoteOf", ledger.account(ledger.app)) == ledger.identity
    # two ledgers may have one gateway's address: they are two remotes
    other = Ledger("ledger-2")
    world.register(other)
    assert other.identity != ledger.identity and world.gateway.read("remoteCount") == 3
    refused(world, "RemoteKnown", "registerRemote", ledger.caip2, v.u(9), GATEWAY, ledger.chain, 1, sender=world.owner)


def test_sends_to_a_ledger(world, ledger):
    sent, receipt = world.send(b"hello", remote=ledger)
    event, = world.gateway.events("MessageCommitted", receipt)
    assert event["destination"] == ledger.identity
    assert sent == v.message_id({"source": world.identity, "destination": ledger.identity, "sequence": 1,
                                 "sender": world.account(world.user), "recipient": ledger.account(ledger.app), "payload": b"hello",
                                 **{k: event[k] for k in ("minGasLimit", "closer", "refundTo", "finality", "deadline")}})
    refused(world, "RemoteUnknown", "sendMessage", Ledger("ledger-3").account(ledger.app), b"", [], sender=world.user)
    refused(world, "BadInteroperableAddress", "sendMessage", ledger.chain, b"", [], sender=world.user)


def test_takes_a_ledgers_messages(world, ledger):
    message = world.message(world.app, remote=ledger)
    world.do("deliver", *world.args([message], remote=ledger))
    assert world.status(message, ledger) == DELIVERED
    assert world.app.read("lastSender") == ledger.account(ledger.app)


@pytest.mark.parametrize("sender", [
    lambda w, a: Ledger("ledger-2").account(a), lambda w, a: w.remote.account(a), lambda w, a: v.eip155(777, a),
    lambda w, a: v.erc7930(0, b"ledger-1", a), lambda w, a: v.erc7930(COSMOS, b"Ledger-1", a)])
def test_a_ledger_speaks_for_itself_alone(world, ledger, sender):
    message = world.message(world.app, remote=ledger, sender=sender(world, ledger.app))
    refused(world, "SenderForeign", "deliver", *world.args([message], remote=ledger))
    assert world.status(message, ledger) == NONE


@pytest.mark.parametrize("status", [DELIVERED, DEAD])
def test_outcomes_of_a_ledger(world, ledger, status):
    sent, _ = world.send(remote=ledger)
    refused(world, "NotSent", "finalize", *world.outcome_args([(sent, status)]))  # the key of another chain
    world.finalize((sent, status), remote=ledger)
    assert world.gateway.read("outcomeOf", sent) == status


def test_routes_and_keys_are_like_any(world, ledger):
    refused(world, "OperationUnknown", "registerKey", ledger.identity, 2, ledger.x, ZERO, ZERO, sender=world.owner)
    world.gateway.write(world.owner, "setRoute", ledger.identity, {**ROUTE, "lifetimeMax": 0})
    refused(world, "RouteClosed", "sendMessage", ledger.account(ledger.app), b"", [], sender=world.user)
    world.do("suspendKey", ledger.identity, 1, sender=world.guardian)
    message = world.message(world.app, remote=ledger)
    refused(world, "KeyNotActive", "deliver", *world.args([message], remote=ledger))
