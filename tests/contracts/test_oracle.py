"""Requests, answers, refunds and money of CaissonOracle."""
from __future__ import annotations

import random

import pytest

import envelope_vectors as v
import oracle_vectors as o
from lib import abi
from lib.rpc import Reverted
from oracle_world import (ANSWERED, EVIDENCE, FEE_BASE, NOT_FOUND, OPEN, REFUNDED, SPEC, TERMS, UNKNOWN, UNREACHABLE, VALUE,
                          OracleWorld, at, gas_for_fulfil, refused)
from world import ADDRESS_ZERO, GAS, ZERO, error_of, key_pair

FINE, REVERT, REVERT_BOMB, RETURN_BOMB, INVALID, CALL, USE_GAS = range(7)


def hostile(w, callback: int = FINE, receiving: int = FINE, gas: int = 0, target: str = ADDRESS_ZERO, data: bytes = b"") -> None:
    w.hostile.write(w.user, "set", callback, receiving, gas, target, data)


def ask_as_hostile(w, **what) -> dict:
    """A request whose asker is the hostile contract."""
    values = w.ask_args(**what)
    receipt = w.hostile.write(w.user, "run", w.oracle.address, w.oracle.data(*values), value=w.fee_of(values), gas=GAS)
    return w.asked(receipt)


def fulfils(w, *answers: dict, contract=None, **options) -> str | None:
    """The error with which these answers are refused, or None."""
    return error_of(contract or w.oracle, w.anyone, "fulfil", *w.fulfil_args(list(answers), contract, **options))


# --- asking


def test_request(w):
    deadline = w.now() + 500
    receipt = w.ask_raw(arguments=["bitcoin", "usd"], secrets=b"sealed", callback=w.null.address, gas=60_000, max_age=77, deadline=deadline)
    event, = w.oracle.events("OracleRequested", receipt)
    assert event["request"] == {
        "counter": 1, "asker": abi.to_bytes(w.user), "specHash": o.spec_hash(SPEC), "argumentsHash": o.arguments_hash([b"bitcoin", b"usd"]),
        "secretsHash": v.keccak(b"sealed"), "callback": abi.to_bytes(w.null.address), "callbackGas": 60_000,
        "fee": FEE_BASE + 10**9 * (len(SPEC) + 10 + 6) + 10**9 * 60_000, "maxAge": 77, "time": w.now(), "deadline": deadline}
    assert (event["spec"], event["arguments"], event["secrets"]) == (SPEC, ["bitcoin", "usd"], b"sealed")
    assert event["requestId"] == o.request_id(w.receiver(w.oracle), event["request"]) and event["asker"] == abi.to_bytes(w.user)
    assert w.oracle.read("stateOf", event["requestId"]) == [OPEN, 0]
    assert w.balance(w.oracle) == event["request"]["fee"] and w.oracle.read("earned") == 0
    assert w.ask()["counter"] == 2 == w.oracle.read("counter")


def test_request_by_hash(w):
    asked = w.ask_raw(spec_hash=o.spec_hash(SPEC))
    event, = w.oracle.events("OracleRequested", asked)
    assert event["spec"] == b"" and event["request"]["specHash"] == o.spec_hash(SPEC)
    assert (event["secrets"], event["request"]["secretsHash"]) == (b"", ZERO)
    assert event["request"]["fee"] == FEE_BASE + 10**9 * len("bitcoin")
    refused(w, "SpecInvalid", w.oracle, *w.ask_args(spec_hash=ZERO), value=FEE_BASE + 7 * 10**9)


def test_equal_requests_have_their_own_identifiers(w):
    assert w.ask()["id"] != w.ask()["id"]


@pytest.mark.parametrize("what, error", [
    ({"spec": b""}, "SpecInvalid"), ({"spec": b"x" * 16385}, "SpecInvalid"), ({"arguments": [""] * 9}, "ArgumentsInvalid"),
    ({"arguments": ["x" * 513]}, "ArgumentsInvalid"), ({"secrets": b"x" * 4145}, "SecretsInvalid"), ({"gas": 1}, "CallbackInvalid"),
    ({"callback": "0x" + "11" * 20, "gas": 1_000_001}, "CallbackInvalid"), ({"max_age": 0}, "AgeInvalid"),
    ({"max_age": 86401}, "AgeInvalid"), ({"deadline": 1}, "DeadlineInvalid")])
def test_request_refused(w, what, error):
    values = w.ask_args(**what)
    refused(w, error, w.oracle, *values, value=w.fee_of(values), gas=6_000_000)


def test_request_at_its_bounds(w):
    what = {"spec": b"x" * 16384, "arguments": ["x" * 512] * 8, "secrets": b"x" * 4144, "callback": w.null.address, "gas": 1_000_000,
            "max_age": 86400}
    values = w.ask_args(**what)
    receipt = w.oracle.write(w.user, *values, value=w.fee_of(values), gas=6_000_000)
    assert w.state(w.asked(receipt)) == (OPEN, 0)


def test_lifetime_bounds(w):
    for lifetime, good in ((9, False), (10, True), (100_000, True), (100_001, False)):
        now = w.now() + 5
        values = w.ask_args(deadline=now + lifetime)
        w.rpc.call("evm_setNextBlockTimestamp", hex(now))
        receipt = w.oracle.write(w.user, *values, value=w.fee_of(values), accept_revert=True, gas=GAS)
        assert (receipt["status"] == "0x1") is good


def test_fee_is_exact(w):
    values = w.ask_args()
    fee = w.fee_of(values)
    assert fee == w.oracle.read("quote", len(SPEC) + len("bitcoin"), 0)
    for wrong in (0, fee - 1, fee + 1, 2 * fee):
        refused(w, "FeeNotExact", w.oracle, *values, value=wrong)
    w.oracle.write(w.user, *values, value=fee)


def test_a_new_fee_is_for_new_requests(w):
    asked = w.ask()
    w.oracle.write(w.owner, "setTerms", TERMS | {"feeBase": 7})
    w.fulfil(w.answer(asked))
    assert w.oracle.read("earned") == asked["fee"]


def test_closed_and_paused(w):
    asked = w.ask()
    w.oracle.write(w.guardian, "pause")
    values = w.ask_args()
    refused(w, "InPause", w.oracle, *values, value=w.fee_of(values))
    w.fulfil(w.answer(asked))  # what has begun goes on
    w.oracle.write(w.owner, "unpause")
    w.oracle.write(w.owner, "setTerms", TERMS | {"lifetimeMax": 0})
    refused(w, "Closed", w.oracle, *values, value=w.fee_of(values))


def test_refunds_go_on_in_a_pause(w):
    asked = w.ask()
    w.oracle.write(w.guardian, "pause")
    w.at(asked["deadline"])
    w.oracle.write(w.anyone, "refund", w.parts(asked))
    assert w.state(asked) == (REFUNDED, 0)


@pytest.mark.parametrize("over", [{"lifetimeMin": 0}, {"lifetimeMin": 100_001}])
def test_terms_that_are_none(w, over):
    refused(w, "TermsInvalid", w.oracle, "setTerms", TERMS | over, sender=w.owner)
    assert w.oracle.read("terms") == TERMS


# --- answering


def test_answer(w):
    asked = w.ask(w.user, callback=w.null.address, gas=50_000)
    answer = w.answer(asked)
    receipt = w.fulfil(answer)
    event, = w.oracle.events("OracleAnswered", receipt)
    assert event == {"requestId": asked["id"], "asker": abi.to_bytes(w.user), "code": 0, "observedAt": answer["observedAt"],
                     "evidenceHash": EVIDENCE, "value": VALUE}
    assert not w.oracle.events("CallbackFailed", receipt) and not w.oracle.events("OracleRefunded", receipt)
    assert w.state(asked) == (ANSWERED, 0) and w.oracle.read("earned") == asked["fee"]


def test_consumer(w):
    values = (SPEC, ["bitcoin"], 200_000, 300, 600)
    receipt = w.consumer.write(w.user, "ask", *values, value=10**18)
    asked = w.asked(receipt)
    assert asked["asker"] == asked["callback"] == abi.to_bytes(w.consumer.address)
    answer = w.answer(asked)
    w.fulfil(answer)
    assert w.consumer.read("price") == 6_712_345_000_000 and w.consumer.read("observedAt") == answer["observedAt"]
    assert w.consumer.read("lastId") == asked["id"]


def test_consumer_hears_errors(w):
    before = w.balance(w.consumer)
    asked = w.asked(w.consumer.write(w.user, "ask", SPEC, ["bitcoin"], 200_000, 300, 600, value=10**18))
    w.fulfil(w.answer(asked, UNREACHABLE))
    assert (w.consumer.read("lastCode"), w.consumer.read("lastValue"), w.consumer.read("price")) == (UNREACHABLE, b"", 0)
    assert w.balance(w.consumer) == before + 10**18  # the fee came back


def test_consumer_hears_nobody_else(w):
    """Anyone may name any contract as a callback; the base lets through only what it asked for, from its oracle."""
    asked = w.ask(w.user, callback=w.consumer.address, gas=200_000)
    receipt = w.fulfil(w.answer(asked))
    assert w.oracle.events("CallbackFailed", receipt) == [{"requestId": asked["id"]}]
    assert w.consumer.read("answers") == 0 and w.state(asked) == (ANSWERED, 0)
    mine = (asked["id"], w.consumer.address, 0, w.now(), VALUE)
    refused(w, "NotOracle", w.consumer, "onAnswer", *mine)
    assert w.consumer.read("answers") == 0


@pytest.mark.parametrize("code", range(49))
def test_codes_that_refund(w, code):
    """16 to 31 pay the fee back in full; every other code earns it. Those that have no name yet follow their range."""
    asked = w.ask(w.user)
    before = w.balance(w.user)
    receipt = w.fulfil(w.answer(asked, code))
    back = UNREACHABLE <= code <= 31
    assert w.balance(w.user) - before == (asked["fee"] if back else 0)
    assert w.oracle.read("earned") == (0 if back else asked["fee"])
    assert len(w.oracle.events("OracleRefunded", receipt)) == back
    assert w.state(asked) == (ANSWERED, code)


def test_batch(w):
    rows = [w.ask(callback=w.null.address, gas=30_000) for _ in range(5)]
    w.fulfil(*(w.answer(r) for r in rows))
    assert [w.state(r) for r in rows] == [(ANSWERED, 0)] * 5
    assert w.oracle.read("earned") == sum(r["fee"] for r in rows)


def test_part_of_a_batch(w):
    rows = [w.ask() for _ in range(5)]
    answers = [w.answer(r) for r in rows]
    leaves = [w.leaf(a) for a in answers]
    for start, height, count in ((0, 1, 2), (4, 0, 1), (3, 0, 1)):
        st = w.statement(w.oracle, v.levels(leaves)[-1][0], v.path_of(leaves, start, height))
        w.oracle.write(w.anyone, "fulfil", w.identity, st, answers[start:start + count], gas=GAS)
    assert [w.state(r)[0] for r in rows] == [ANSWERED, ANSWERED, OPEN, ANSWERED, ANSWERED]


def test_a_feed_value_and_an_answer_under_one_signature(w):
    """A statement of kind 4 may hold both; the contract is shown its part."""
    asked = w.ask()
    answer = w.answer(asked)
    other = o.leaf_feed(o.feed_id(w.receiver(w.oracle), 0), o.spec_hash(SPEC), w.now(), EVIDENCE, 5)
    leaves = [other, w.leaf(answer)]
    st = w.statement(w.oracle, v.levels(leaves)[-1][0], v.path_of(leaves, 1, 0))
    w.oracle.write(w.anyone, "fulfil", w.identity, st, [answer])
    assert w.state(asked) == (ANSWERED, 0)


# --- who may say what


def test_signatures_of_others(w):
    asked = w.ask()
    answer = w.answer(asked)
    stranger = key_pair("stranger")[0]
    assert fulfils(w, answer, secret=stranger) == "SignatureInvalid"
    assert fulfils(w, answer, epoch=2) == "KeyNotActive"
    assert fulfils(w, answer, manifest=0) == "ManifestTooOld"
    assert fulfils(w, answer, domain=v.INSECURE) == "SignatureInvalid"
    assert fulfils(w, answer, signer=v.u(5)) == "SignatureInvalid"
    for kind in (0, v.MESSAGE, v.OUTCOME, v.ROTATION, 5):
        assert fulfils(w, answer, kind=kind) == "SignatureInvalid"
    identity, st, rows = w.fulfil_args([answer])
    refused(w, "KeyNotActive", w.oracle, "fulfil", o.identity(b"\1" * 32), st, rows)
    refused(w, "KeyNotActive", w.oracle, "fulfil", ZERO, st, rows)
    w.fulfil(answer)


def test_malleated_signature(w):
    asked = w.ask()
    oracle, st, rows = w.fulfil_args([w.answer(asked)])
    for change in ({"s": v.N - st["s"]}, {"s": st["s"] + v.N} if st["s"] + v.N < 2**256 else {"s": 2**256 - 1}, {"ry": v.P - st["ry"]},
                   {"rx": st["rx"] ^ 1}, {"s": st["s"] ^ 1}, {"s": 0}, {"rx": 0, "ry": 0}, {"ry": v.P - st["ry"], "s": v.N - st["s"]}):
        refused(w, "SignatureInvalid", w.oracle, "fulfil", oracle, {**st, **change}, rows)
    refused(w, "SignatureInvalid", w.oracle, "fulfil", oracle, {**st, "path": [ZERO]}, rows)
    w.oracle.write(w.anyone, "fulfil", oracle, st, rows)


def test_every_word_of_an_answer_is_signed(w):
    asked = w.ask()
    answer = w.answer(asked)
    oracle, st, _ = w.fulfil_args([answer])
    changes = [{"code": 1}, {"observedAt": answer["observedAt"] - 1}, {"evidenceHash": ZERO}, {"value": VALUE[:-1] + b"\0"},
               {"value": VALUE + b"\0"}, {"value": b""}]
    changes += [{"request": answer["request"] | {k: b"\1" * len(x) if isinstance(x, bytes) else x + 1}}
                for k, x in answer["request"].items()]
    for change in changes:
        refused(w, "SignatureInvalid", w.oracle, "fulfil", oracle, st, [answer | change])


def test_a_request_that_was_never_made(w):
    """Even the oracle's key cannot invent one, nor change a word of one: its identifier has no state."""
    asked = w.ask()
    for name, value in w.parts(asked).items():
        # changes that only the state can catch, not the clock
        changed = value + (-1 if name == "time" else 1) if isinstance(value, int) else b"\1" * len(value)
        assert fulfils(w, w.answer(asked | {name: changed})) == "StatusIs", name
        refused(w, "StatusIs", w.oracle, "refund", w.parts(asked | {name: changed}))
    assert w.state(asked) == (OPEN, 0)


def test_wrong_spec_hash(w):
    """An answer computed under another spec: its leaf cannot be brought for this request."""
    asked = w.ask()
    other = o.spec_hash(o.SPECS["median of three"])
    answer = w.answer(asked)
    leaf = o.leaf_answer(asked["id"], other, 0, answer["observedAt"], EVIDENCE, VALUE)
    refused(w, "SignatureInvalid", w.oracle, "fulfil", w.identity, w.statement(w.oracle, leaf), [answer])
    assert fulfils(w, w.answer(asked | {"specHash": other})) == "StatusIs"


def test_replay(w):
    asked = w.ask()
    values = w.fulfil_args([w.answer(asked)])
    w.oracle.write(w.anyone, "fulfil", *values)
    refused(w, "StatusIs", w.oracle, "fulfil", *values)
    assert w.oracle.read("earned") == asked["fee"]


def test_two_answers_for_one_request(w):
    asked, other = w.ask(), w.ask()
    first, second = w.answer(asked), w.answer(asked, UNREACHABLE)
    w.fulfil(first)
    assert fulfils(w, second) == "StatusIs"
    w.fulfil(second, w.answer(other))  # in a batch it is skipped
    assert (w.state(asked), w.state(other)) == ((ANSWERED, 0), (ANSWERED, 0))
    assert w.oracle.read("earned") == asked["fee"] + other["fee"]


def test_two_answers_in_one_batch(w):
    asked = w.ask(callback=w.hostile.address, gas=200_000)
    hostile(w, USE_GAS)
    receipt = w.fulfil(w.answer(asked), w.answer(asked, 1))
    assert w.state(asked) == (ANSWERED, 0) and w.hostile.read("calls") == 1
    assert len(w.oracle.events("OracleAnswered", receipt)) == 1 and w.oracle.read("earned") == asked["fee"]


def test_another_deployment(w):
    """The same oracle, key, request and time at a second contract of the chain: nothing of one is valid at the other."""
    second = w.deploy_own("CaissonOracle")
    second.write(w.owner, "registerOracle", w.lineage, 1)
    second.write(w.owner, "registerKey", w.identity, 1, w.x, ZERO, ZERO)
    second.write(w.owner, "setTerms", TERMS)
    asked, twin = w.ask(), w.ask(contract=second)
    assert asked["id"] != twin["id"]
    oracle, st, _ = w.fulfil_args([w.answer(asked)])
    refused(w, "SignatureInvalid", second, "fulfil", oracle, st, [w.answer(asked)])
    refused(w, "SignatureInvalid", second, "fulfil", oracle, st, [w.answer(twin)])
    assert fulfils(w, w.answer(w.ask()), contract=second) == "StatusIs"  # the second request of the first contract


@pytest.mark.parametrize("caip2, genesis", [("eip155:1", None), (None, v.keccak(b"another genesis"))])
def test_another_chain(w, caip2, genesis):
    """The same address on a chain with another id, or with the same id and another genesis."""
    other = v.identity(caip2 or w.chain.caip2, genesis or abi.to_bytes(w.chain.genesis_hash), abi.to_bytes(w.oracle.address))
    asked = w.ask()
    assert fulfils(w, w.answer(asked), receiver=other) == "SignatureInvalid"


def test_insecure_contract_takes_insecure_signatures_alone(chain):
    w = OracleWorld(chain, insecure=True)
    asked = w.ask()
    assert w.oracle.read("insecure") is True and w.feed.read("insecure") is True
    assert fulfils(w, w.answer(asked), domain=v.SECURE) == "SignatureInvalid"
    w.fulfil(w.answer(asked))


def test_keys_of_a_bridge_answer_nothing_and_oracles_send_no_messages(w, world):
    """Both contracts on one chain, each with its own key. Neither key is worth anything at the other, even for a digest
    that is right in every other word."""
    asked = w.ask()
    answer = w.answer(asked)
    assert fulfils(w, answer, secret=world.remote.secret) == "SignatureInvalid"
    message = world.message(world.null)
    assert error_of(world.gateway, world.anyone, "deliver", *world.args([message], secret=w.secret)) == "SignatureInvalid"
    assert error_of(world.gateway, world.anyone, "announceRotation", *world.rotation_args(2, w.x, secret=w.secret)) == "SignatureInvalid"
    # an oracle is not a remote of a gateway, nor the other way round
    refused(w, "RemoteUnknown", world.gateway, "registerKey", w.identity, 1, w.x, ZERO, ZERO, sender=world.owner)
    refused(w, "RemoteUnknown", w.oracle, "registerKey", world.remote.identity, 1, world.remote.x, ZERO, ZERO, sender=w.owner)


def test_one_key_in_both_roles_is_still_two_voices(w, world):
    """Were the same x registered at both by mistake: kind and identities keep what it signs apart."""
    world.gateway.write(world.owner, "suspendKey", world.remote.identity, 1)
    values = (world.remote.identity, 2, w.x, ZERO, ZERO)
    world.later(world.owner, world.gateway, "registerKey", *values)
    message, asked = world.message(world.null), w.ask()
    leaf = v.leaf_message(world.id_of(message))
    st = w.statement(w.oracle, leaf, receiver=world.identity, epoch=2)  # the oracle's statement over a message's leaf
    assert error_of(world.gateway, world.anyone, "deliver", world.remote.identity, st, [message]) == "SignatureInvalid"
    answer = w.answer(asked)
    st = world.statement(v.MESSAGE, w.leaf(answer), secret=w.secret)  # a message's statement over an answer's leaf
    refused(w, "SignatureInvalid", w.oracle, "fulfil", w.identity, st, [answer])


# --- time


def test_deadline_to_the_second(w):
    first, second = w.ask(), w.ask()
    end = max(first["deadline"], second["deadline"])
    first, second = w.ask(deadline=end), w.ask(deadline=end)
    values = w.fulfil_args([w.answer(first)]), w.fulfil_args([w.answer(second, observed_at=end)])
    assert not at(w, end - 1, w.oracle, "refund", w.parts(second))
    w.rpc.call("evm_setNextBlockTimestamp", hex(end))
    w.rpc.call("evm_mine")
    assert fulfils(w, w.answer(first)) == "DeadlinePassed"
    refused(w, "DeadlinePassed", w.oracle, "fulfil", *values[1])
    w.oracle.write(w.anyone, "refund", w.parts(second))
    assert (w.state(first), w.state(second)) == ((OPEN, 0), (REFUNDED, 0))


def test_last_second(w):
    asked = w.ask(max_age=86400)
    values = w.fulfil_args([w.answer(asked)])
    refused(w, "DeadlineNotReached", w.oracle, "refund", w.parts(asked))
    assert not at(w, asked["deadline"] - 2, w.oracle, "refund", w.parts(asked))
    assert at(w, asked["deadline"] - 1, w.oracle, "fulfil", *values)
    assert not at(w, asked["deadline"], w.oracle, "refund", w.parts(asked))
    assert w.state(asked) == (ANSWERED, 0)


def one_block(w, timestamp: int, *calls: tuple) -> list[bool]:
    """These calls as transactions of one block, in this order."""
    w.rpc.call("evm_setAutomine", False)
    try:
        sent = [w.oracle.send(w.anyone, name, *values, gas=500_000) for name, values in calls]
        w.rpc.call("evm_setNextBlockTimestamp", hex(timestamp))
        w.rpc.call("evm_mine")
    finally:
        w.rpc.call("evm_setAutomine", True)
    receipts = [w.rpc.wait_receipt(tx, accept_revert=True) for tx in sent]
    assert len({r["blockNumber"] for r in receipts}) == 1
    return [r["status"] == "0x1" for r in receipts]


@pytest.mark.parametrize("first", ["fulfil", "refund"])
@pytest.mark.parametrize("late", [False, True])
def test_fulfil_and_refund_in_one_block(w, first, late):
    """Whatever the order, the block's time decides, and exactly one of them happens."""
    asked = w.ask(max_age=86400)
    calls = [("fulfil", w.fulfil_args([w.answer(asked)])), ("refund", (w.parts(asked),))]
    ordered = calls if first == "fulfil" else calls[::-1]
    results = dict(zip((c[0] for c in ordered), one_block(w, asked["deadline"] - (0 if late else 1), *ordered)))
    assert results == {"fulfil": not late, "refund": late}
    assert w.state(asked)[0] == (REFUNDED if late else ANSWERED)
    assert w.balance(w.oracle) == (0 if late else asked["fee"]) == w.oracle.read("earned")


def test_observation_times(w):
    asked = w.ask(max_age=50, lifetime=5000)
    start = asked["time"]
    assert fulfils(w, w.answer(asked, observed_at=start - 1)) == "ObservedTooEarly"
    assert fulfils(w, w.answer(asked, observed_at=0)) == "ObservedTooEarly"
    assert fulfils(w, w.answer(asked, observed_at=start + 100)) == "ObservedInFuture"
    assert fulfils(w, w.answer(asked, observed_at=2**64 - 1)) == "ObservedInFuture"
    future = w.fulfil_args([w.answer(asked, observed_at=start + 200)])
    old = w.fulfil_args([w.answer(asked, observed_at=start + 149)])
    assert not at(w, start + 199, w.oracle, "fulfil", *future)
    assert not at(w, start + 200, w.oracle, "fulfil", *old)  # 51 seconds
    assert fulfils(w, w.answer(asked, observed_at=start + 140)) == "ObservedTooOld"
    # the same statement that was of the future is good in its second, and to its last
    second = w.ask(max_age=50, lifetime=5000)
    values = w.fulfil_args([w.answer(second, observed_at=second["time"] + 10)])
    assert not at(w, second["time"] + 9, w.oracle, "fulfil", *values)
    assert at(w, second["time"] + 60, w.oracle, "fulfil", *values)
    assert not at(w, second["time"] + 61, w.oracle, "fulfil", *w.fulfil_args([w.answer(asked, observed_at=start + 200)]))


def test_errors_have_the_same_window(w):
    asked = w.ask(max_age=50, lifetime=5000)
    assert fulfils(w, w.answer(asked, UNREACHABLE, observed_at=asked["time"] - 1)) == "ObservedTooEarly"
    assert fulfils(w, w.answer(asked, UNREACHABLE, observed_at=asked["time"] + 1000)) == "ObservedInFuture"


# --- refunds


def test_refund(w):
    asked = w.ask(w.user)
    refused(w, "DeadlineNotReached", w.oracle, "refund", w.parts(asked))
    w.at(asked["deadline"])
    before = w.balance(w.user)
    receipt = w.oracle.write(w.anyone, "refund", w.parts(asked))
    assert w.oracle.events("OracleRefunded", receipt) == [{"requestId": asked["id"], "asker": abi.to_bytes(w.user), "fee": asked["fee"]}]
    assert w.balance(w.user) == before + asked["fee"] and w.balance(w.oracle) == 0
    refused(w, "StatusIs", w.oracle, "refund", w.parts(asked))
    assert fulfils(w, w.answer(asked, observed_at=asked["time"])) == "StatusIs"


@pytest.mark.parametrize("how", [REVERT, REVERT_BOMB, INVALID])
@pytest.mark.parametrize("by", ["refund", "fulfil"])
def test_refund_that_cannot_be_pushed_is_claimed(w, how, by):
    asked = ask_as_hostile(w)
    hostile(w, receiving=how)
    if by == "refund":
        w.at(asked["deadline"])
        receipt = w.oracle.write(w.anyone, "refund", w.parts(asked))
    else:
        receipt = w.fulfil(w.answer(asked, UNREACHABLE))
    assert w.oracle.events("RefundOwed", receipt) == [{"asker": abi.to_bytes(w.hostile.address), "amount": asked["fee"]}]
    assert w.oracle.read("owed", w.hostile.address) == asked["fee"] == w.balance(w.oracle)
    # nobody else, not twice, and not to where it is refused
    refused(w, "NothingOwed", w.oracle, "claim", w.user, sender=w.user)
    with pytest.raises(Reverted):
        w.hostile.write(w.user, "run", w.oracle.address, w.oracle.data("claim", w.hostile.address), gas=GAS)
    refused(w, "NotEarned", w.oracle, "withdraw", w.owner, 1, sender=w.owner)
    heir = "0x" + "4e" * 20
    w.hostile.write(w.user, "run", w.oracle.address, w.oracle.data("claim", heir), gas=GAS)
    assert w.balance(heir) == asked["fee"] and w.balance(w.oracle) == 0 == w.oracle.read("owed", w.hostile.address)
    with pytest.raises(Reverted):
        w.hostile.write(w.user, "run", w.oracle.address, w.oracle.data("claim", heir), gas=GAS)


@pytest.mark.parametrize("how", ["an error", "too late"])
def test_a_consumer_that_takes_no_money_claims(w, how):
    """Through the base's helper, by whom the contract lets."""
    proud = w.deploy("ProudConsumer", w.oracle.address)
    fee = w.oracle.read("quote", len(SPEC), 50_000)
    asked = w.asked(proud.write(w.user, "ask", SPEC, 50_000, value=fee, gas=GAS))
    if how == "an error":
        w.fulfil(w.answer(asked, code=UNREACHABLE))
    else:
        w.at(asked["deadline"])
        w.oracle.write(w.anyone, "refund", w.parts(asked), gas=GAS)
    assert w.oracle.read("owed", proud.address) == fee == w.balance(w.oracle)
    heir = abi.to_hex(v.keccak(how.encode())[:20])
    assert proud.write(w.anyone, "claimRefunds", heir, gas=GAS, accept_revert=True)["status"] == "0x0"
    proud.write(w.owner, "claimRefunds", heir, gas=GAS)
    assert w.balance(heir) == fee and w.balance(w.oracle) == 0 == w.oracle.read("owed", proud.address)
    refused(w, "NothingOwed", proud, "claimRefunds", heir, sender=w.owner)


@pytest.mark.parametrize("by", ["refund", "fulfil"])
def test_asker_that_uses_its_gas_gets_its_refund(w, by):
    """The push has its gas whatever the submitter brings: nobody can turn a refund into a claim."""
    hostile(w, receiving=USE_GAS, gas=45_000)
    rows = [ask_as_hostile(w) for _ in range(40)]
    if by == "refund":
        w.at(max(r["deadline"] for r in rows))
    for asked, gas in zip(rows, range(60_000, 260_000, 5_000)):
        values = (w.parts(asked),) if by == "refund" else w.fulfil_args([w.answer(asked, UNREACHABLE)])
        done = w.oracle.write(w.anyone, by, *values, gas=gas, accept_revert=True)["status"] == "0x1"
        assert (w.state(asked)[0] != OPEN) is done
    assert w.oracle.read("owed", w.hostile.address) == 0
    assert {w.state(r)[0] for r in rows} == {REFUNDED if by == "refund" else ANSWERED, OPEN}


def test_free_requests(w):
    w.oracle.write(w.owner, "setTerms", TERMS | {"feeBase": 0, "feePerByte": 0, "feePerGas": 0})
    first, second = (w.asked(w.ask_raw(value=0)) for _ in range(2))
    w.fulfil(w.answer(first))
    w.at(second["deadline"])
    w.oracle.write(w.anyone, "refund", w.parts(second))
    assert w.oracle.read("earned") == 0 == w.balance(w.oracle)


# --- callbacks that misbehave


@pytest.mark.parametrize("how", [REVERT, REVERT_BOMB, INVALID])
def test_callback_that_fails(w, how):
    hostile(w, how)
    asked = w.ask(callback=w.hostile.address, gas=300_000)
    receipt = w.fulfil(w.answer(asked))
    assert w.oracle.events("CallbackFailed", receipt) == [{"requestId": asked["id"]}]
    assert w.state(asked) == (ANSWERED, 0) and w.oracle.read("earned") == asked["fee"]
    assert int(receipt["gasUsed"], 16) < 450_000


def test_callback_that_returns_a_bomb(w):
    """A megabyte of return data costs its author, and is not copied."""
    hostile(w, RETURN_BOMB)
    asked = w.ask(callback=w.hostile.address, gas=900_000)
    receipt = w.fulfil(w.answer(asked))
    assert w.state(asked) == (ANSWERED, 0)
    assert int(receipt["gasUsed"], 16) < 1_000_000


def test_callback_without_code(w):
    asked = w.ask(callback="0x" + "77" * 20, gas=30_000)
    receipt = w.fulfil(w.answer(asked))
    assert len(w.oracle.events("CallbackFailed", receipt)) == 1 and w.state(asked) == (ANSWERED, 0)


@pytest.mark.parametrize("what", ["the same answer", "another answer", "its refund", "another's refund", "a claim", "a new request"])
def test_reentrant_callback(w, what):
    first = w.ask(callback=w.hostile.address, gas=900_000)
    second = w.ask(deadline=first["deadline"])
    values = w.fulfil_args([w.answer(first)])
    answer = {
        "the same answer": w.oracle.data("fulfil", *values), "another answer": w.oracle.data("fulfil", *w.fulfil_args([w.answer(second)])),
        "its refund": w.oracle.data("refund", w.parts(first)), "another's refund": w.oracle.data("refund", w.parts(second)),
        "a claim": w.oracle.data("claim", w.hostile.address), "a new request": w.oracle.data(*w.ask_args()),
    }[what]
    hostile(w, CALL, target=w.oracle.address, data=answer)
    receipt = w.oracle.write(w.anyone, "fulfil", *values, gas=GAS)
    assert not w.oracle.events("CallbackFailed", receipt) and w.state(first) == (ANSWERED, 0)
    assert w.hostile.read("calls") == 1
    nested = what == "another answer"  # the one that is anybody's right
    assert w.hostile.read("callSucceeded") is nested
    assert w.state(second) == ((ANSWERED, 0) if nested else (OPEN, 0))
    assert w.oracle.read("earned") == first["fee"] + (second["fee"] if nested else 0)


def test_reentrant_callback_answers_a_later_item_of_its_batch(w):
    first, second, third = w.ask(callback=w.hostile.address, gas=900_000), w.ask(), w.ask()
    hostile(w, CALL, target=w.oracle.address, data=w.oracle.data("fulfil", *w.fulfil_args([w.answer(second)])))
    receipt = w.fulfil(w.answer(first), w.answer(second, 1), w.answer(third))
    assert w.hostile.read("callSucceeded") is True
    assert [w.state(r) for r in (first, second, third)] == [(ANSWERED, 0)] * 3
    assert len(w.oracle.events("OracleAnswered", receipt)) == 3
    assert w.oracle.read("earned") == first["fee"] + second["fee"] + third["fee"] == w.balance(w.oracle)


@pytest.mark.parametrize("what", ["fulfil", "refund", "claim"])
def test_reentrant_refund(w, what):
    """Paid while the request that paid is already at its end."""
    asked = ask_as_hostile(w)
    values = w.fulfil_args([w.answer(asked, UNREACHABLE)])
    data = {"fulfil": w.oracle.data("fulfil", *values), "refund": w.oracle.data("refund", w.parts(asked)),
            "claim": w.oracle.data("claim", w.hostile.address)}[what]
    hostile(w, receiving=CALL, target=w.oracle.address, data=data)
    w.oracle.write(w.anyone, "fulfil", *values, gas=GAS)
    assert w.hostile.read("callSucceeded") is False
    assert w.balance(w.oracle) == w.oracle.read("owed", w.hostile.address)
    assert w.balance(w.hostile) + w.balance(w.oracle) == asked["fee"]


def test_reentrant_refund_after_the_deadline(w):
    asked = ask_as_hostile(w)
    hostile(w, receiving=CALL, target=w.oracle.address, data=w.oracle.data("refund", w.parts(asked)))
    w.ask()  # what a second payment would take
    w.at(asked["deadline"])
    held = w.balance(w.oracle)
    w.oracle.write(w.anyone, "refund", w.parts(asked), gas=GAS)
    assert w.hostile.read("callSucceeded") is False
    assert held - w.balance(w.oracle) + w.oracle.read("owed", w.hostile.address) == asked["fee"]


def test_reentrant_claim(w):
    asked = ask_as_hostile(w)
    w.ask()
    hostile(w, receiving=REVERT)
    w.fulfil(w.answer(asked, UNREACHABLE))
    claim = w.oracle.data("claim", w.hostile.address)
    hostile(w, receiving=CALL, target=w.oracle.address, data=claim)
    w.hostile.write(w.user, "run", w.oracle.address, claim, gas=GAS)
    assert w.hostile.read("callSucceeded") is False
    assert w.balance(w.hostile) == asked["fee"] and w.oracle.read("owed", w.hostile.address) == 0


def test_batch_with_poisoned_items(w):
    hostile(w, INVALID)
    w.at(w.now() + 20)
    good = [w.ask(callback=w.null.address, gas=30_000) for _ in range(2)]
    burns, late, early, done = w.ask(callback=w.hostile.address, gas=500_000), w.ask(lifetime=11), w.ask(), w.ask()
    w.fulfil(w.answer(done))
    w.at(late["deadline"])
    unknown = w.answer(good[0] | {"counter": 999})
    too_early, too_late = (w.answer(early, observed_at=early["time"] + by) for by in (-1, 10_000))
    receipt = w.fulfil(w.answer(good[0]), w.answer(burns), w.answer(late), too_early, w.answer(done, 1), unknown, too_late,
                       w.answer(good[1]))
    assert [w.state(r)[0] for r in (*good, burns, late, early, done)] == [ANSWERED] * 3 + [OPEN, OPEN, ANSWERED]
    assert [e["requestId"] for e in w.oracle.events("CallbackFailed", receipt)] == [burns["id"]]


def test_nothing_to_do(w):
    refused(w, "BatchEmpty", w.oracle, "fulfil", w.identity, w.statement(w.oracle, ZERO), [])
    asked = w.ask()
    w.fulfil(w.answer(asked))
    assert fulfils(w, w.answer(asked), w.answer(asked, 1)) == "NothingToDo"


def test_gas_griefing(w):
    """No gas limit makes a callback fail that would not fail with its own gas: the answer waits instead."""
    wanted = 200_000
    hostile(w, USE_GAS, gas=wanted - 1_000)
    rows = [w.ask(callback=w.hostile.address, gas=wanted) for _ in range(40)]
    for asked, gas in zip(rows, range(60_000, 460_000, 10_000)):
        receipt = w.fulfil(w.answer(asked), gas=gas, accept_revert=True)
        done = receipt["status"] == "0x1"
        assert w.state(asked)[0] == (ANSWERED if done else OPEN)
        assert not w.oracle.events("CallbackFailed", receipt)
    answered = sum(w.state(r)[0] == ANSWERED for r in rows)
    assert 10 < answered < 30 and w.hostile.read("calls") == answered


def test_gas_that_ends_a_batch(w):
    """What was done stands, the rest stays open and can be brought again."""
    hostile(w, INVALID)
    rows = [w.ask(callback=w.hostile.address, gas=300_000) for _ in range(4)]
    answers = [w.answer(r) for r in rows]
    receipt = w.fulfil(*answers, gas=900_000)
    states = [w.state(r)[0] for r in rows]
    done = states.count(ANSWERED)
    assert 0 < done < 4 and states == [ANSWERED] * done + [OPEN] * (4 - done)
    assert len(w.oracle.events("CallbackFailed", receipt)) == done and w.oracle.read("earned") == done * rows[0]["fee"]
    w.fulfil(*answers)
    assert [w.state(r)[0] for r in rows] == [ANSWERED] * 4
    low = w.ask(callback=w.hostile.address, gas=900_000)
    values = w.fulfil_args([w.answer(low)])
    refused(w, "GasTooLow", w.oracle, "fulfil", *values, gas=700_000)
    w.oracle.write(w.anyone, "fulfil", *values, gas=GAS)


@pytest.mark.parametrize("size", [0, 32, 20_000])
@pytest.mark.parametrize("code", [0, UNREACHABLE])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_gas_that_the_readme_names_is_enough(w, count, code, size):
    """Also where every callback and every asker burns all it gets, and for values of any size."""
    hostile(w, INVALID, INVALID)
    rows = [ask_as_hostile(w, callback=w.hostile.address, gas=150_000) for _ in range(count)]
    answers = [w.answer(r, code, value=b"\xff" * size) for r in rows]
    values = w.fulfil_args(answers)
    receipt = w.oracle.write(w.anyone, "fulfil", *values, gas=gas_for_fulfil(w.oracle.data("fulfil", *values), answers))
    assert [w.state(r) for r in rows] == [(ANSWERED, code)] * count
    assert len(w.oracle.events("CallbackFailed", receipt)) == count
    assert w.oracle.read("owed", w.hostile.address) == (sum(r["fee"] for r in rows) if code else 0)


def test_callback_gets_exactly_its_gas(w):
    """Not more either: what it did not pay for is not its to burn."""
    hostile(w, USE_GAS, gas=200_001)
    asked = w.ask(callback=w.hostile.address, gas=200_000)
    receipt = w.fulfil(w.answer(asked), gas=2_900_000)
    assert len(w.oracle.events("CallbackFailed", receipt)) == 1


# --- money


def test_withdraw(w):
    first, second = w.ask(), w.ask()
    w.fulfil(w.answer(first))
    refused(w, "NotEarned", w.oracle, "withdraw", w.owner, first["fee"] + 1, sender=w.owner)
    refused(w, "NotEarned", w.oracle, "withdraw", w.owner, w.balance(w.oracle), sender=w.owner)
    heir = "0x" + "4d" * 20
    w.oracle.write(w.owner, "withdraw", heir, first["fee"])
    assert w.balance(heir) == first["fee"] and w.balance(w.oracle) == second["fee"] and w.oracle.read("earned") == 0
    refused(w, "NotEarned", w.oracle, "withdraw", w.owner, 1, sender=w.owner)
    hostile(w, receiving=REVERT)
    w.fulfil(w.answer(second))
    refused(w, "TransferFailed", w.oracle, "withdraw", w.hostile.address, second["fee"], sender=w.owner)
    assert w.oracle.read("earned") == second["fee"]


def test_money_comes_only_with_requests(w):
    tx = w.rpc.send(w.user, w.oracle.address, b"", 1)
    assert w.rpc.wait_receipt(tx, accept_revert=True)["status"] == "0x0"


@pytest.mark.parametrize("seed", range(4))
def test_conservation(w, seed):
    """Whatever happens, the balance is what is in escrow, owed and earned, to the wei."""
    dice = random.Random(seed)
    heir = "0x" + "4c" * 20
    escrow: dict[bytes, dict] = {}
    for _ in range(60):
        move = dice.choice(["ask", "ask", "ask", "fulfil", "fulfil", "refund", "claim", "withdraw", "time", "mood"])
        if move == "ask":
            what = {"callback": w.hostile.address, "gas": dice.randrange(30_000, 300_000)} if dice.random() < 0.5 else {}
            asker = dice.choice([w.ask, lambda **k: ask_as_hostile(w, deadline=w.now() + 60, **k)])
            asked = asker(**what)
            escrow[asked["id"]] = asked
        elif move == "fulfil" and escrow:
            chosen = dice.sample(list(escrow.values()), dice.randrange(1, min(5, len(escrow)) + 1))
            answers = [w.answer(r, dice.choice([0, 0, 1, UNREACHABLE, 22, NOT_FOUND]), observed_at=dice.choice([None] * 9 + [1]))
                       for r in chosen]
            w.fulfil(*answers, gas=5_000_000, accept_revert=True)
        elif move == "refund" and escrow:
            w.oracle.write(w.anyone, "refund", w.parts(dice.choice(list(escrow.values()))), gas=GAS, accept_revert=True)
        elif move == "claim":
            w.hostile.write(w.user, "run", w.oracle.address, w.oracle.data("claim", heir), gas=GAS, accept_revert=True)
        elif move == "withdraw":
            w.oracle.write(w.owner, "withdraw", heir, dice.randrange(1, w.oracle.read("earned") + 2), accept_revert=True)
        elif move == "time":
            w.advance(dice.randrange(1, 120))
        else:
            hostile(w, dice.choice([FINE, REVERT, INVALID]), dice.choice([FINE, REVERT, INVALID]))
        escrow = {k: r for k, r in escrow.items() if w.state(r)[0] == OPEN}
        held = sum(r["fee"] for r in escrow.values()) + w.oracle.read("owed", w.hostile.address) + w.oracle.read("earned")
        assert w.balance(w.oracle) == held


def test_unknown_request(w):
    assert w.oracle.read("stateOf", ZERO) == [UNKNOWN, 0]
    assert w.oracle.read("stateOf", w.ask()["id"]) == [OPEN, 0]
