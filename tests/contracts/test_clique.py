"""The same contracts on geth under london rules, sealed by Clique: what anvil might have judged otherwise."""
from __future__ import annotations

import json

import pytest

import envelope_vectors as v
from lib import abi, tools
from lib.rpc import Reverted, wait_for
from test_bridge import Bridge, balance
from world import DEAD, DELIVERED, FAILED, NONE, World, error_of


@pytest.fixture(scope="module")
def world(clique):
    world = World(clique)
    for name in ("NullRecipient", "Harness", "HostileRecipient"):
        setattr(world, name, world.deploy(name))
    world.app = world.deploy("SampleApp", world.address)
    return world


def test_signatures(world):
    cases = json.loads((tools.ROOT / "tests/vectors/envelope/signatures.json").read_text())
    for case in cases["signatures"]:
        args = [case["public"], *(int(case[k], 16) for k in ("rx", "ry", "s")), case["digest"]]
        assert world.Harness.read("verify", *args) is case["valid"], case["why"]
    for case in cases["keys"]:
        assert world.Harness.read("isKey", case["public"]) is case["valid"], case["why"]


def test_layout(world):
    proof = world.rpc.call("eth_getProof", world.address, [abi.to_hex(v.u(0))], "latest")
    assert int(proof["storageProof"][0]["value"], 16) == int.from_bytes(v.keccak(v.tag("caisson/layout/evm/v1") + world.identity), "big")


def test_messages(world):
    """Good, failing, poisoned and retried, with few blocks: transactions are sent together and waited for together."""
    world.app.write(world.user, "setFailing", True)
    world.HostileRecipient.write(world.user, "set", 7, 0, "0x" + "00" * 20, b"")  # burns all gas
    closer = v.word(abi.to_bytes(world.closer))
    good, bad, closed = world.message(world.NullRecipient), world.message(world.app), world.message(world.app, closer=closer)
    batch = [world.message(world.NullRecipient), world.message(world.HostileRecipient), world.message(world.NullRecipient)]
    gas = 2_000_000
    sends = [world.gateway.send(world.anyone, "deliver", *world.args(row), gas=gas) for row in ([good], [bad], [closed], batch)]
    for tx in sends:
        world.rpc.wait_receipt(tx)
    assert [world.status(m) for m in (good, bad, closed, *batch)] == [DELIVERED, FAILED, FAILED, DELIVERED, FAILED, DELIVERED]
    assert error_of(world.gateway, world.anyone, "deliver", *world.args([good])) == "StatusIs"
    assert error_of(world.gateway, world.anyone, "retry", *world.args(bad)) == "CallFailed"
    assert error_of(world.gateway, world.anyone, "close", *world.args(closed)) == "NotCloser"
    assert error_of(world.gateway, world.anyone, "deliver", *world.args([world.message(world.app)], secret=5)) == "SignatureInvalid"
    world.app.write(world.user, "setFailing", False)
    sends = [world.gateway.send(world.anyone, "retry", *world.args(bad), gas=gas),
             world.gateway.send(world.closer, "close", *world.args(closed), gas=gas)]
    for tx in sends:
        world.rpc.wait_receipt(tx)
    assert (world.status(bad), world.status(closed)) == (DELIVERED, DEAD)
    assert world.app.read("lastId") == world.id_of(bad)


def test_deadline(world):
    """The clock of a real chain passes the deadline; before it nothing expires, after it nothing is delivered."""
    message = world.message(world.NullRecipient, deadline=world.now() + 4)
    assert error_of(world.gateway, world.anyone, "expire", *world.args([message])) in ("DeadlineNotReached", None)
    wait_for(lambda: world.now() >= message["deadline"], 30, "the deadline")
    with pytest.raises(Reverted):
        world.deliver(message)
    world.do("expire", *world.args([message]))
    assert world.status(message) == DEAD


def test_outcomes(world):
    receipt = world.app.write(world.user, "send", world.remote.account(world.remote.app), b"x", [])
    sent = world.gateway.events("MessageSent", receipt)[0]["sendId"]
    world.finalize((sent, DEAD))
    assert world.gateway.read("outcomeOf", sent) == world.app.read("outcomes", sent) == DEAD
    assert error_of(world.gateway, world.anyone, "finalize", *world.outcome_args([(sent, DELIVERED)])) == "StatusIs"


def test_gas_griefing(world):
    """As on anvil: no gas limit records a failure that the recipient did not cause."""
    wanted = 200_000
    world.HostileRecipient.write(world.user, "set", 9, wanted - 600, "0x" + "00" * 20, b"")
    rows = [world.message(world.HostileRecipient, minGasLimit=wanted) for _ in range(24)]
    sends = [world.gateway.send(world.anyone, "deliver", *world.args([m]), gas=gas)
             for m, gas in zip(rows, range(120_000, 360_000, 10_000))]
    receipts = [world.rpc.wait_receipt(tx, accept_revert=True) for tx in sends]
    statuses = [world.status(m) for m in rows]
    assert statuses == [DELIVERED if r["status"] == "0x1" else NONE for r in receipts]
    assert set(statuses) == {NONE, DELIVERED}


def test_bridge(world):
    """What is pending makes no room; its delivery does, and a refund passes."""
    bridge = Bridge(world, cap=10)
    sent, dying = bridge.transfer(bridge.token, 6), bridge.transfer(bridge.token, 4)
    assert bridge.receive(bridge.token, 1) == FAILED and bridge.locked(bridge.token) == 0
    world.finalize((sent, DELIVERED), (dying, DEAD))
    assert bridge.locked(bridge.token) == balance(bridge.token, bridge.contract) == 6
    assert bridge.receive(bridge.token, 6) == DELIVERED
    assert balance(bridge.token, bridge.contract) == 0
    assert bridge.receive(bridge.wrapped, 11) == FAILED
    assert bridge.receive(bridge.wrapped, 10) == DELIVERED


def test_suspended_at_once(world):
    """Last: it ends the only key of this gateway."""
    world.do("suspendKey", world.remote.identity, 1, sender=world.guardian)
    assert error_of(world.gateway, world.anyone, "deliver", *world.args([world.message(world.app)])) == "KeyNotActive"
