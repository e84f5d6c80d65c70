"""The one oracle of a contract, its keys, and who may do what: the same registry as the gateway's, for this role alone."""
from __future__ import annotations

import pytest

import envelope_vectors as v
import oracle_vectors as o
from lib import deploy
from lib.rpc import Reverted, create
from oracle_world import SETTINGS, TERMS, OracleWorld, refused
from world import ABSENT, ACTIVE, ADDRESS_ZERO, DELAY, OVERLAP, REVOKED, ROTATION_DELAY, SUSPENDED, ZERO, error_of, key_pair

SECOND, SECOND_X = key_pair("second of the oracle")
THIRD, THIRD_X = key_pair("third of the oracle")
BOTH = pytest.mark.parametrize("name", ["oracle", "feed"])


def key(w, contract, epoch: int) -> dict:
    row, namers = contract.read("keyOf", w.identity, epoch)
    return row | {"namers": namers}


def answers(w, **options) -> str | None:
    return error_of(w.oracle, w.anyone, "fulfil", *w.fulfil_args([w.answer(w.ask())], **options))


def names(w, epoch: int, x: bytes = SECOND_X) -> tuple:
    return w.identity, epoch, x, v.u(11), v.u(12)


@pytest.mark.parametrize("artifact", ["CaissonOracle", "CaissonFeed"])
@pytest.mark.parametrize("over", [{"caip2": "eip155:1"}, {"owner": ADDRESS_ZERO}, {"rotation": DELAY}])
def test_bad_construction(chain, artifact, over):
    values = {"caip2": chain.caip2, "owner": chain.accounts[0], "rotation": ROTATION_DELAY} | over
    with pytest.raises(Reverted):
        create(chain.rpc, chain.accounts[0], deploy.artifact(artifact), values["caip2"], chain.genesis_hash, values["owner"],
               chain.accounts[1], DELAY, values["rotation"], OVERLAP, False)


@BOTH
def test_identities(w, name):
    contract = getattr(w, name)
    assert contract.read("identity") == w.receiver(contract) and contract.read("domain") == v.tag(v.SECURE)
    assert contract.read("oracle") == o.identity(w.lineage) == w.identity and contract.read("manifestMin") == 1
    assert w.receiver(w.oracle) != w.receiver(w.feed)


@BOTH
def test_order_of_birth(chain, name):
    """Deployed, named by a manifest, then the oracle (once), then its first key, without delay and by the owner alone."""
    w = OracleWorld(chain, register=False)
    contract = getattr(w, name)
    refused(w, "RemoteUnknown", contract, "registerKey", ZERO, 1, w.x, ZERO, ZERO, sender=w.owner)
    refused(w, "RemoteUnknown", contract, "registerKey", w.identity, 1, w.x, ZERO, ZERO, sender=w.owner)
    refused(w, "NotOwner", contract, "registerOracle", w.lineage, 1)
    refused(w, "LineageInvalid", contract, "registerOracle", ZERO, 1, sender=w.owner)
    contract.write(w.owner, "registerOracle", w.lineage, 7)
    for lineage in (w.lineage, v.u(9)):
        refused(w, "RemoteKnown", contract, "registerOracle", lineage, 7, sender=w.owner)
    for sender in (w.anyone, w.guardian):
        refused(w, "NotOwner", contract, "registerKey", *names(w, 1, w.x), sender=sender)
    refused(w, "KeyInvalid", contract, "registerKey", *names(w, 1, v.u(5)), sender=w.owner)
    refused(w, "KeyInvalid", contract, "registerKey", *names(w, 0, w.x), sender=w.owner)
    contract.write(w.owner, "registerKey", *names(w, 1, w.x))
    assert key(w, contract, 1)["state"] == ACTIVE
    refused(w, "OperationUnknown", contract, "registerKey", *names(w, 2), sender=w.owner)


@BOTH
def test_suspended_at_once(w, name):
    contract = getattr(w, name)
    for sender in (w.anyone, w.user):
        refused(w, "NotOwnerOrGuardian", contract, "suspendKey", w.identity, 1, sender=sender)
    contract.write(w.guardian, "suspendKey", w.identity, 1)
    refused(w, "KeyNotActive", contract, "announceRotation", *w.rotation_args(contract, 2, SECOND_X))
    if name == "oracle":
        assert answers(w) == "KeyNotActive"
    refused(w, "OperationUnknown", contract, "enableKey", w.identity, 1, sender=w.owner)
    w.later(contract, "enableKey", w.identity, 1)
    if name == "oracle":
        assert answers(w) is None


def test_suspended_key_leaves_refunds(w):
    asked = w.ask()
    w.oracle.write(w.guardian, "suspendKey", w.identity, 1)
    assert error_of(w.oracle, w.anyone, "fulfil", *w.fulfil_args([w.answer(asked)])) == "KeyNotActive"
    w.at(asked["deadline"])
    w.oracle.write(w.anyone, "refund", w.parts(asked))


@BOTH
def test_revoked_for_ever(w, name):
    contract = getattr(w, name)
    contract.write(w.guardian, "revokeKey", w.identity, 1)
    contract.write(w.owner, "schedule", contract.data("enableKey", w.identity, 1))
    contract.write(w.owner, "schedule", contract.data("registerKey", *names(w, 1, w.x)))
    w.advance(DELAY)
    refused(w, "KeyNotSuspended", contract, "enableKey", w.identity, 1, sender=w.owner)
    refused(w, "KeyKnown", contract, "registerKey", *names(w, 1, w.x), sender=w.owner)
    w.later(contract, "registerKey", *names(w, 2))
    assert (key(w, contract, 1)["state"], key(w, contract, 2)["state"]) == (REVOKED, ACTIVE)
    if name == "oracle":
        assert answers(w) == "KeyNotActive" and answers(w, secret=SECOND, epoch=2) is None


@BOTH
def test_rotation(w, name):
    """Kind 3, by the current key, after the rotation's delay, with overlap."""
    contract = getattr(w, name)
    refused(w, "SignatureInvalid", contract, "announceRotation", *w.rotation_args(contract, 2, SECOND_X, secret=SECOND))
    refused(w, "SignatureInvalid", contract, "announceRotation", *w.rotation_args(contract, 2, SECOND_X, receiver=v.u(1)))
    other = w.feed if name == "oracle" else w.oracle
    refused(w, "SignatureInvalid", contract, "announceRotation", *w.rotation_args(other, 2, SECOND_X))  # each contract has its own
    refused(w, "EpochNotNext", contract, "announceRotation", *w.rotation_args(contract, 3, SECOND_X))
    contract.write(w.anyone, "announceRotation", *w.rotation_args(contract, 2, SECOND_X))
    effect, end = key(w, contract, 2)["notBefore"], key(w, contract, 1)["notAfter"]
    assert effect == w.now() + ROTATION_DELAY and end == effect + OVERLAP
    if name == "feed":
        return
    assert answers(w, secret=SECOND, epoch=2) == "KeyEarly" and answers(w) is None
    w.at(effect)
    assert answers(w, secret=SECOND, epoch=2) is None and answers(w) is None
    w.at(end)
    assert answers(w, secret=SECOND, epoch=2) is None and answers(w) == "KeyExpired"


def test_two_announcements_for_one_epoch(w):
    w.oracle.write(w.anyone, "announceRotation", *w.rotation_args(w.oracle, 2, SECOND_X))
    w.oracle.write(w.anyone, "announceRotation", *w.rotation_args(w.oracle, 2, THIRD_X))
    assert [key(w, w.oracle, e)["state"] for e in (1, 2, 3)] == [SUSPENDED, SUSPENDED, ABSENT]
    assert answers(w) == "KeyNotActive"


def test_answer_is_no_rotation(w):
    """A statement of kind 4 whose leaf is a rotation's, and the other way round."""
    leaf = v.leaf_rotation(2, SECOND_X)
    refused(w, "SignatureInvalid", w.oracle, "announceRotation", w.identity, w.statement(w.oracle, leaf), 2, SECOND_X)
    assert answers(w, kind=v.ROTATION) == "SignatureInvalid"


@BOTH
def test_manifest_minimum(w, name):
    contract = getattr(w, name)
    refused(w, "OperationUnknown", contract, "raiseManifest", w.identity, 5, sender=w.owner)
    w.later(contract, "raiseManifest", w.identity, 5)
    assert contract.read("manifestMin") == 5
    for number, remote, error in ((5, w.identity, "ManifestNotHigher"), (9, v.u(1), "RemoteUnknown")):
        contract.write(w.owner, "schedule", contract.data("raiseManifest", remote, number))
        w.advance(DELAY)
        refused(w, error, contract, "raiseManifest", remote, number, sender=w.owner)
    if name == "oracle":
        assert answers(w, manifest=4) == "ManifestTooOld" and answers(w, manifest=5) is None


KEYS = {"registerOracle": (v.u(3), 1), "registerKey": (v.u(4), 2, SECOND_X, ZERO, ZERO), "enableKey": (v.u(4), 1),
        "retireKey": (v.u(4), 1, 9), "raiseManifest": (v.u(4), 9), "setOwner": (ADDRESS_ZERO,), "setGuardian": (ADDRESS_ZERO,), "schedule": (b"x",)}
STOPS = {"suspendKey": (v.u(4), 1), "revokeKey": (v.u(4), 1), "cancel": (b"x",)}
OWN = {
    "oracle": ({"setTerms": (TERMS,), "withdraw": (ADDRESS_ZERO, 0), "unpause": ()}, {"pause": ()},
               {"request", "requestByHash", "fulfil", "refund", "claim", "announceRotation"}),
    "feed": ({"addFeed": (SETTINGS,), "resumeFeed": (0,)}, {"pauseFeed": (0,)}, {"submit", "announceRotation"}),
}


@BOTH
def test_nobody_else_may(w, name):
    """Every function that changes anything is in a list, and refuses everybody who is not in that list."""
    contract = getattr(w, name)
    owner_only, stops, anyone = OWN[name]
    owner_only, stops = KEYS | owner_only, STOPS | stops
    changing = {e["name"] for e in contract.abi if e["type"] == "function" and e["stateMutability"] in ("nonpayable", "payable")}
    assert changing == set(owner_only) | set(stops) | anyone
    for function, values in owner_only.items():
        if function == "registerKey":
            values = (w.identity, *values[1:])  # an unknown oracle is refused before its caller
        for sender in (w.anyone, w.guardian):
            refused(w, "NotOwner", contract, function, *values, sender=sender)
    for function, values in stops.items():
        refused(w, "NotOwnerOrGuardian", contract, function, *values, sender=w.anyone)


@BOTH
def test_what_waits(w, name):
    """Nothing that adds power happens before its delay, whoever asks."""
    contract = getattr(w, name)
    waiting = [("registerKey", names(w, 2)), ("enableKey", (w.identity, 1)), ("raiseManifest", (w.identity, 5)), ("setOwner", (w.user,)),
               ("setGuardian", (w.user,))]
    waiting += [("addFeed", (SETTINGS,)), ("resumeFeed", (0,))] if name == "feed" else []
    for function, values in waiting:
        refused(w, "OperationUnknown", contract, function, *values, sender=w.owner)
        contract.write(w.owner, "schedule", contract.data(function, *values))
        refused(w, "OperationEarly", contract, function, *values, sender=w.owner)
