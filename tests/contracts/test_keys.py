"""Remotes, keys, epochs, rotation, manifests, the timelock, and who may do what."""
from __future__ import annotations

import pytest

import envelope_vectors as v
from lib import abi, deploy
from lib.rpc import Reverted, create
from world import (ABSENT, ACTIVE, ADDRESS_ZERO, DELAY, DELIVERED, OVERLAP, REVOKED, ROTATION_DELAY, ROUTE, SUSPENDED, ZERO,
                   Remote, World, error_of, key_pair, refused)

SECOND, SECOND_X = key_pair("second")
THIRD, THIRD_X = key_pair("third")


def names(world: World, epoch: int, x: bytes = SECOND_X) -> tuple:
    return world.remote.identity, epoch, x, v.u(11), v.u(12)


def at(world: World, timestamp: int, name: str, *values, sender: str | None = None) -> bool:
    world.rpc.call("evm_setNextBlockTimestamp", hex(timestamp))
    return world.do(name, *values, sender=sender, accept_revert=True)["status"] == "0x1"


def delivers(world: World, secret: int | None = None, epoch: int = 1) -> str | None:
    message = world.message(world.null)
    return error_of(world.gateway, world.anyone, "deliver", *world.args([message], secret=secret, epoch=epoch))


# --- construction


@pytest.mark.parametrize("caip2", ["eip155:1", "eip155:031337", "eip155:31337 ", "EIP155:31337", "", "eip155:"])
def test_wrong_chain(chain, caip2):
    with pytest.raises(Reverted):
        create(chain.rpc, chain.accounts[0], deploy.artifact("CaissonGateway"), caip2, chain.genesis_hash, chain.accounts[0],
               chain.accounts[1], DELAY, ROTATION_DELAY, OVERLAP, False)


@pytest.mark.parametrize("owner, rotation", [(ADDRESS_ZERO, ROTATION_DELAY), (None, DELAY), (None, 0)])
def test_bad_arguments(chain, owner, rotation):
    with pytest.raises(Reverted):
        create(chain.rpc, chain.accounts[0], deploy.artifact("CaissonGateway"), chain.caip2, chain.genesis_hash,
               owner or chain.accounts[0], chain.accounts[1], DELAY, rotation, OVERLAP, False)


def test_views(world):
    read = world.gateway.read
    assert read("identity") == world.identity
    assert read("domain") == v.tag(v.SECURE) and read("insecure") is False
    assert (read("delay"), read("rotationDelay"), read("overlap")) == (DELAY, ROTATION_DELAY, OVERLAP)
    assert read("remoteOf", world.remote.chain) == read("remoteOf", world.remote.account(world.remote.app)) == world.remote.identity
    assert read("remoteOf", v.eip155(9, b"")) == ZERO
    assert read("remoteInfo", world.remote.identity)["index"] == 1 == read("remoteCount")


# --- remotes


def remote_args(remote: Remote, **over) -> list:
    row = {"caip2": remote.caip2, "genesis": remote.genesis, "gateway": remote.gateway, "chain": remote.chain, "manifest": 1} | over
    return list(row.values())


def test_twin_identity_under_one_reference(world):
    """A recipient sees only the chain reference: a second genesis behind it, or a second gateway, is refused."""
    twin = Remote(chain_id=777, label="twin")
    assert twin.identity != world.remote.identity
    refused(world, "RemoteKnown", "registerRemote", *remote_args(twin), sender=world.owner)
    refused(world, "RemoteKnown", "registerRemote", *remote_args(world.remote), sender=world.owner)
    refused(world, "RemoteKnown", "registerRemote", *remote_args(world.remote, gateway=bytes(20)), sender=world.owner)


def test_never_its_own(world):
    own = v.eip155(world.chain.chain_id, b"")
    for gateway, genesis in ((abi.to_bytes(world.address), abi.to_bytes(world.chain.genesis_hash)), (b"\x01" * 20, v.u(9))):
        refused(world, "RemoteOwn", "registerRemote", world.chain.caip2, genesis, gateway, own, 1, sender=world.owner)


@pytest.mark.parametrize("over, error", [
    ({"caip2": "eip155:6"}, "RemoteChainMismatch"), ({"chain": v.eip155(6, b"")}, "RemoteChainMismatch"),
    ({"caip2": "eip155:05"}, "RemoteChainMismatch"), ({"chain": v.eip155(5, bytes(20))}, "RemoteChainMismatch"),
    ({"chain": b""}, "BadInteroperableAddress"), ({"chain": v.erc7930(0, b"\0\5", b"")}, "BadInteroperableAddress"),
    ({"chain": v.eip155(5, b"")[:-1]}, "BadInteroperableAddress")])
def test_remote_refused(world, over, error):
    refused(world, error, "registerRemote", *remote_args(Remote(chain_id=5, label="other"), **over), sender=world.owner)


def test_remote_of_another_kind_of_chain(world):
    """Not eip155: the owner says which reference belongs to which identity."""
    chain = v.erc7930(0xfff0, b"consortium", b"")
    world.do("registerRemote", "fabric:abc", v.u(1), b"channel/cc", chain, 1, sender=world.owner)
    identity = v.identity("fabric:abc", v.u(1), b"channel/cc")
    assert world.gateway.read("remoteOf", chain) == identity
    world.do("setRoute", identity, ROUTE, sender=world.owner)
    recipient = v.erc7930(0xfff0, b"consortium", b"x" * 64)
    world.gateway.write(world.user, "sendMessage", recipient, b"", [])
    refused(world, "BadInteroperableAddress", "sendMessage", v.erc7930(0xfff0, b"consortium", b"x" * 65), b"", [])


# --- keys by the owner


def test_first_key_needs_no_delay(world):
    other = Remote(chain_id=5, label="other")
    refused(world, "RemoteUnknown", "registerKey", other.identity, 1, other.x, ZERO, ZERO, sender=world.owner)
    world.do("registerRemote", *remote_args(other), sender=world.owner)
    for sender in (world.anyone, world.guardian):
        refused(world, "NotOwner", "registerKey", other.identity, 7, other.x, ZERO, ZERO, sender=sender)
    refused(world, "KeyInvalid", "registerKey", other.identity, 0, other.x, ZERO, ZERO, sender=world.owner)
    receipt = world.do("registerKey", other.identity, 7, other.x, v.u(11), v.u(12), sender=world.owner)
    assert world.gateway.events("KeyRegistered", receipt) == [
        {"remote": other.identity, "epoch": 7, "x": other.x, "evidenceDigest": v.u(11), "manifestHash": v.u(12)}]
    message = world.message(world.null, remote=other)
    world.do("deliver", *world.args([message], remote=other, epoch=7))
    # the exemption is spent, for any epoch
    for epoch in (7, 8, 1):
        refused(world, "OperationUnknown", "registerKey", other.identity, epoch, SECOND_X, ZERO, ZERO, sender=world.owner)


def test_exemption_is_spent_even_when_the_key_is_gone(world):
    world.do("revokeKey", world.remote.identity, 1, sender=world.guardian)
    refused(world, "OperationUnknown", "registerKey", *names(world, 2), sender=world.owner)


@pytest.mark.parametrize("x", [0, v.N, v.P, 2**256 - 1, 5])
def test_key_that_is_none(world, x):
    values = names(world, 2, v.u(x))
    world.do("schedule", world.gateway.data("registerKey", *values), sender=world.owner)
    world.advance(DELAY)
    refused(world, "KeyInvalid", "registerKey", *values, sender=world.owner)


def test_later_key_waits(world):
    values = names(world, 2)
    refused(world, "OperationUnknown", "registerKey", *values, sender=world.owner)
    start = world.now() + 10
    assert at(world, start, "schedule", world.gateway.data("registerKey", *values), sender=world.owner)
    assert not at(world, start + DELAY - 1, "registerKey", *values, sender=world.owner)
    assert not at(world, start + DELAY, "registerKey", *names(world, 2, THIRD_X), sender=world.owner)
    assert not at(world, start + DELAY, "registerKey", *values, sender=world.guardian)
    assert at(world, start + DELAY, "registerKey", *values, sender=world.owner)
    assert world.key(2) == {"x": SECOND_X, "state": ACTIVE, "notBefore": start + DELAY, "notAfter": 0, "namers": 1}
    assert delivers(world, SECOND, 2) is None and delivers(world) is None
    refused(world, "OperationUnknown", "registerKey", *values, sender=world.owner)


def test_epoch_is_named_once(world):
    for x in (SECOND_X, world.remote.x):
        world.do("schedule", world.gateway.data("registerKey", *names(world, 1, x)), sender=world.owner)
    world.advance(DELAY)
    for x in (SECOND_X, world.remote.x):
        refused(world, "KeyKnown", "registerKey", *names(world, 1, x), sender=world.owner)


def test_retired(world):
    """Valid before notAfter, not at it."""
    end = world.now() + 500
    refused(world, "KeyUnknown", "retireKey", world.remote.identity, 5, end, sender=world.owner)
    refused(world, "KeyNotShortened", "retireKey", world.remote.identity, 1, 0, sender=world.owner)
    refused(world, "NotOwner", "retireKey", world.remote.identity, 1, end, sender=world.guardian)
    world.do("retireKey", world.remote.identity, 1, end, sender=world.owner)
    for later in (end, end + 1, 0, 2**64 - 1):
        refused(world, "KeyNotShortened", "retireKey", world.remote.identity, 1, later, sender=world.owner)
    messages = [world.message(world.null) for _ in range(2)]
    assert at(world, end - 1, "deliver", *world.args([messages[0]]))
    assert not at(world, end, "deliver", *world.args([messages[1]]))
    world.at(end)
    assert delivers(world) == "KeyExpired"


# --- suspend, revoke, enable


@pytest.mark.parametrize("who", ["owner", "guardian"])
def test_suspended_key_signs_nothing(world, who):
    sent, _ = world.send()
    world.app.write(world.user, "setFailing", True)
    failed = world.message(world.app, closer=v.word(abi.to_bytes(world.closer)))
    world.fail(failed)
    late = world.message(world.app, deadline=world.now())
    world.do("suspendKey", world.remote.identity, 1, sender=getattr(world, who))
    fresh = world.message(world.null)
    for name, values in (("deliver", world.args([fresh])), ("retry", world.args(failed)), ("close", world.args(failed)),
                         ("expire", world.args([late])), ("finalize", world.outcome_args([(sent, DELIVERED)])),
                         ("announceRotation", world.rotation_args(2, SECOND_X))):
        refused(world, "KeyNotActive", name, *values, sender=world.closer)
    refused(world, "KeyNotActive", "suspendKey", world.remote.identity, 1, sender=world.owner)
    # only the owner, only after the delay
    refused(world, "OperationUnknown", "enableKey", world.remote.identity, 1, sender=world.owner)
    refused(world, "NotOwner", "enableKey", world.remote.identity, 1, sender=world.guardian)
    world.later(world.owner, world.gateway, "enableKey", world.remote.identity, 1)
    world.deliver(fresh)
    world.finalize((sent, DELIVERED))


def test_last_epoch_can_be_stopped_too(world):
    last = 2**64 - 1
    world.later(world.owner, world.gateway, "registerKey", *names(world, last))
    world.do("suspendKey", world.remote.identity, last, sender=world.guardian)
    world.do("revokeKey", world.remote.identity, last, sender=world.guardian)
    assert world.key(last)["state"] == REVOKED and world.key(0)["state"] == ABSENT


def test_strangers_stop_nothing(world):
    for name in ("suspendKey", "revokeKey"):
        refused(world, "NotOwnerOrGuardian", name, world.remote.identity, 1, sender=world.anyone)
    refused(world, "KeyNotActive", "suspendKey", world.remote.identity, 2, sender=world.owner)
    refused(world, "KeyUnknown", "revokeKey", world.remote.identity, 2, sender=world.owner)


def test_revoked_for_ever(world):
    world.do("revokeKey", world.remote.identity, 1, sender=world.guardian)
    assert delivers(world) == "KeyNotActive"
    refused(world, "KeyRevoked", "revokeKey", world.remote.identity, 1, sender=world.guardian)
    refused(world, "KeyNotActive", "suspendKey", world.remote.identity, 1, sender=world.guardian)
    for values in (("enableKey", world.remote.identity, 1), ("registerKey", *names(world, 1, world.remote.x))):
        world.do("schedule", world.gateway.data(*values), sender=world.owner)
    world.advance(DELAY)
    refused(world, "KeyNotSuspended", "enableKey", world.remote.identity, 1, sender=world.owner)
    refused(world, "KeyKnown", "registerKey", *names(world, 1, world.remote.x), sender=world.owner)
    # the way back when a sealed key has died with its host: another epoch, by the owner
    world.later(world.owner, world.gateway, "registerKey", *names(world, 2))
    assert delivers(world, SECOND, 2) is None


# --- announced rotation


def test_rotation(world):
    start = world.now() + 10
    assert at(world, start, "announceRotation", *world.rotation_args(2, SECOND_X))
    effect, end = start + ROTATION_DELAY, start + ROTATION_DELAY + OVERLAP
    assert world.key(2) == {"x": SECOND_X, "state": ACTIVE, "notBefore": effect, "notAfter": 0, "namers": 2}
    assert world.key(1)["notAfter"] == end
    messages = [world.message(world.null, deadline=end + 1000) for _ in range(6)]
    assert at(world, effect - 1, "deliver", *world.args([messages[0]]))
    assert not at(world, effect - 1, "deliver", *world.args([messages[1]], secret=SECOND, epoch=2))
    assert delivers(world, SECOND, 2) == "KeyEarly"
    assert at(world, effect, "deliver", *world.args([messages[1]], secret=SECOND, epoch=2))
    assert at(world, effect, "deliver", *world.args([messages[2]]))
    assert at(world, end - 1, "deliver", *world.args([messages[3]]))
    assert not at(world, end, "deliver", *world.args([messages[4]]))
    assert at(world, end, "deliver", *world.args([messages[4]], secret=SECOND, epoch=2))
    # and on: the new one announces the next
    world.do("announceRotation", *world.rotation_args(3, THIRD_X, by=2, secret=SECOND))
    assert world.key(3)["state"] == ACTIVE


def test_rotation_refused(world):
    refused(world, "SignatureInvalid", "announceRotation", *world.rotation_args(2, SECOND_X, secret=SECOND))
    refused(world, "SignatureInvalid", "announceRotation", *world.rotation_args(2, SECOND_X, receiver=v.u(1)))
    refused(world, "ManifestTooOld", "announceRotation", *world.rotation_args(2, SECOND_X, manifest=0))
    for epoch in (0, 1, 3, 2**64 - 1):
        refused(world, "EpochNotNext", "announceRotation", *world.rotation_args(epoch, SECOND_X))
    for x in (0, v.N, v.P, 5):
        refused(world, "KeyInvalid", "announceRotation", *world.rotation_args(2, v.u(x)))
    remote, st, _, _ = world.rotation_args(2, SECOND_X)
    refused(world, "SignatureInvalid", "announceRotation", remote, st, 2, THIRD_X)
    assert world.key(2)["state"] == ABSENT


def test_pending_key_announces_nothing(world):
    world.do("announceRotation", *world.rotation_args(2, SECOND_X))
    refused(world, "KeyEarly", "announceRotation", *world.rotation_args(3, THIRD_X, by=2, secret=SECOND))
    refused(world, "KeyKnown", "announceRotation", *world.rotation_args(2, SECOND_X))


def test_two_announcements_for_one_epoch(world):
    world.do("announceRotation", *world.rotation_args(2, SECOND_X))
    receipt = world.do("announceRotation", *world.rotation_args(2, THIRD_X))
    assert world.gateway.events("RotationConflict", receipt) == [
        {"remote": world.remote.identity, "epoch": 2, "known": SECOND_X, "announced": THIRD_X}]
    assert (world.key(1)["state"], world.key(2)["state"]) == (SUSPENDED, SUSPENDED)
    assert world.key(2)["x"] == SECOND_X
    assert delivers(world) == "KeyNotActive"
    world.advance(ROTATION_DELAY)
    assert delivers(world, SECOND, 2) == "KeyNotActive"


def test_second_announcement_after_the_first_took_effect(world):
    """Whoever holds the old key in its overlap and announces another: both are stopped, as nobody can tell who is who."""
    world.do("announceRotation", *world.rotation_args(2, SECOND_X))
    world.advance(ROTATION_DELAY + 1)
    world.do("announceRotation", *world.rotation_args(2, THIRD_X))
    assert (world.key(1)["state"], world.key(2)["state"]) == (SUSPENDED, SUSPENDED)


def test_confirmed_key_survives_its_predecessor(world):
    world.do("announceRotation", *world.rotation_args(2, SECOND_X))
    effect = world.key(2)["notBefore"]
    world.later(world.owner, world.gateway, "registerKey", *names(world, 2))
    assert world.key(2)["namers"] == 3 and world.key(2)["notBefore"] == effect  # confirmed, not earlier
    world.do("announceRotation", *world.rotation_args(2, THIRD_X))  # the holder of the old key is exposed
    assert (world.key(1)["state"], world.key(2)["state"]) == (SUSPENDED, ACTIVE)
    world.do("revokeKey", world.remote.identity, 1, sender=world.guardian)
    assert world.key(2)["state"] == ACTIVE
    world.at(effect)
    assert delivers(world, SECOND, 2) is None


def test_owner_cannot_confirm_another_key(world):
    world.do("announceRotation", *world.rotation_args(2, SECOND_X))
    world.do("schedule", world.gateway.data("registerKey", *names(world, 2, THIRD_X)), sender=world.owner)
    world.advance(DELAY)
    refused(world, "KeyKnown", "registerKey", *names(world, 2, THIRD_X), sender=world.owner)


def test_epoch_of_the_owner_cannot_be_announced(world):
    world.later(world.owner, world.gateway, "registerKey", *names(world, 2))
    refused(world, "KeyKnown", "announceRotation", *world.rotation_args(2, SECOND_X))
    refused(world, "EpochReserved", "announceRotation", *world.rotation_args(2, THIRD_X))
    assert world.key(1)["state"] == ACTIVE


def test_revoking_voids_what_only_it_named(world):
    world.do("announceRotation", *world.rotation_args(2, SECOND_X))
    world.do("revokeKey", world.remote.identity, 1, sender=world.guardian)
    assert [world.key(e)["state"] for e in (1, 2)] == [REVOKED, REVOKED]
    world.advance(ROTATION_DELAY)
    assert delivers(world, SECOND, 2) == "KeyNotActive"


def test_revoking_follows_the_chain_of_announcements(world):
    world.do("announceRotation", *world.rotation_args(2, SECOND_X))
    world.advance(ROTATION_DELAY)
    world.do("announceRotation", *world.rotation_args(3, THIRD_X, by=2, secret=SECOND))
    world.later(world.owner, world.gateway, "registerKey", *names(world, 4, key_pair("fourth")[1]))
    receipt = world.do("revokeKey", world.remote.identity, 1, sender=world.owner)
    assert [world.key(e)["state"] for e in (1, 2, 3, 4)] == [REVOKED, REVOKED, REVOKED, ACTIVE]
    assert [e["epoch"] for e in world.gateway.events("KeyChanged", receipt)] == [1, 2, 3]


def test_revoking_a_successor_leaves_the_old(world):
    world.do("announceRotation", *world.rotation_args(2, SECOND_X))
    world.do("revokeKey", world.remote.identity, 2, sender=world.guardian)
    assert [world.key(e)["state"] for e in (1, 2)] == [ACTIVE, REVOKED]
    assert delivers(world) is None
    refused(world, "KeyKnown", "announceRotation", *world.rotation_args(2, SECOND_X))


def test_suspending_takes_pending_successors_along(world):
    world.do("announceRotation", *world.rotation_args(2, SECOND_X))
    world.do("suspendKey", world.remote.identity, 1, sender=world.guardian)
    assert [world.key(e)["state"] for e in (1, 2)] == [SUSPENDED, SUSPENDED]


def test_suspending_leaves_successors_in_effect(world):
    world.do("announceRotation", *world.rotation_args(2, SECOND_X))
    world.advance(ROTATION_DELAY)
    world.do("suspendKey", world.remote.identity, 1, sender=world.guardian)
    assert [world.key(e)["state"] for e in (1, 2)] == [SUSPENDED, ACTIVE]


def test_rotation_does_not_lengthen_a_retired_key(world):
    end = world.now() + 100
    world.do("retireKey", world.remote.identity, 1, end, sender=world.owner)
    world.do("announceRotation", *world.rotation_args(2, SECOND_X))
    assert world.key(1)["notAfter"] == end


# --- manifests


def test_manifest_minimum(world):
    refused(world, "OperationUnknown", "raiseManifest", world.remote.identity, 5, sender=world.owner)
    world.later(world.owner, world.gateway, "raiseManifest", world.remote.identity, 5)
    message = world.message(world.null)
    refused(world, "ManifestTooOld", "deliver", *world.args([message], manifest=4))
    world.do("deliver", *world.args([message], manifest=5))
    world.do("deliver", *world.args([world.message(world.null)], manifest=2**64 - 1))
    for number in (4, 5):
        world.do("schedule", world.gateway.data("raiseManifest", world.remote.identity, number), sender=world.owner)
    world.do("schedule", world.gateway.data("raiseManifest", v.u(1), 9), sender=world.owner)
    world.advance(DELAY)
    refused(world, "RemoteUnknown", "raiseManifest", v.u(1), 9, sender=world.owner)
    for number in (4, 5):
        refused(world, "ManifestNotHigher", "raiseManifest", world.remote.identity, number, sender=world.owner)


# --- the timelock, and who may do what


def test_scheduled_call_is_spent_once_and_grows_old(world):
    values = ("setGuardian", world.user)
    data = world.gateway.data(*values)
    start = world.now() + 10
    assert at(world, start, "schedule", data, sender=world.owner)
    assert not at(world, start + 1, "schedule", data, sender=world.owner)  # pending: the clock does not start anew
    lifetime = world.gateway.read("LIFETIME")
    assert not at(world, start + DELAY + lifetime, *values, sender=world.owner)
    assert at(world, start + DELAY + lifetime, "schedule", data, sender=world.owner)
    assert at(world, start + 2 * DELAY + lifetime, *values, sender=world.owner)
    assert not at(world, start + 2 * DELAY + lifetime, *values, sender=world.owner)
    assert world.gateway.read("guardian").hex() == world.user[2:].lower()


def test_cancel(world):
    key, guardian = world.gateway.data("registerKey", *names(world, 2)), world.gateway.data("setGuardian", world.user)
    for data in (key, guardian):
        world.do("schedule", data, sender=world.owner)
    refused(world, "NotOwnerOrGuardian", "cancel", key, sender=world.anyone)
    refused(world, "NotOwner", "cancel", guardian, sender=world.guardian)
    world.do("cancel", key, sender=world.guardian)
    refused(world, "OperationUnknown", "cancel", key, sender=world.guardian)
    world.do("cancel", guardian, sender=world.owner)
    world.advance(DELAY)
    refused(world, "OperationUnknown", "registerKey", *names(world, 2), sender=world.owner)
    refused(world, "OperationUnknown", "setGuardian", world.user, sender=world.owner)


def test_owner_is_changed_after_the_delay(world):
    refused(world, "OperationUnknown", "setOwner", world.user, sender=world.owner)
    world.later(world.owner, world.gateway, "setOwner", world.user)
    refused(world, "NotOwner", "withdraw", world.owner, 0, sender=world.owner)
    world.do("withdraw", world.user, 0, sender=world.user)
    world.do("schedule", world.gateway.data("setOwner", ADDRESS_ZERO), sender=world.user)
    world.advance(DELAY)
    refused(world, "NoOwner", "setOwner", ADDRESS_ZERO, sender=world.user)


def test_nobody_else_may(world):
    """Every function that changes powers, by everybody who must not call it."""
    r = world.remote.identity
    owner_only = [("registerRemote", *remote_args(Remote(chain_id=5, label="o"))), ("setRoute", r, ROUTE), ("withdraw", world.user, 0),
                  ("retireKey", r, 1, 2**63), ("unpause",), ("schedule", b"x"), ("setOwner", world.user), ("setGuardian", world.user),
                  ("raiseManifest", r, 9), ("enableKey", r, 1), ("registerKey", *names(world, 2))]
    for call in owner_only:
        for sender in (world.anyone, world.guardian):
            refused(world, "NotOwner", *call, sender=sender)
    for call in (("pause",), ("suspendKey", r, 1), ("revokeKey", r, 1), ("cancel", b"x")):
        refused(world, "NotOwnerOrGuardian", *call, sender=world.anyone)
    # every function of the contract is in a list: what anyone may call, or above
    anyone = {"deliver", "retry", "close", "expire", "finalize", "announceRotation", "sendMessage", "deliverFrame"}
    changing = {e["name"] for e in world.gateway.abi if e["type"] == "function" and e["stateMutability"] in ("nonpayable", "payable")}
    assert changing == anyone | {c[0] for c in owner_only} | {"pause", "suspendKey", "revokeKey", "cancel"}


def test_delay_is_for_the_exact_call(world):
    """Nothing else rides on a scheduled operation: not other arguments, not trailing bytes."""
    data = world.gateway.data("setGuardian", world.user)
    world.do("schedule", data, sender=world.owner)
    world.advance(DELAY)
    refused(world, "OperationUnknown", "setGuardian", world.anyone, sender=world.owner)
    longer = world.rpc.wait_receipt(world.rpc.send(world.owner, world.address, data + b"\0"), accept_revert=True)
    assert longer["status"] == "0x0"
    world.do("setGuardian", world.user, sender=world.owner)
