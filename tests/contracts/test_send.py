"""The source side: sending, fees, attributes, and the outcomes that come back."""
from __future__ import annotations

import pytest

import envelope_vectors as v
from lib import abi, tools
from world import DEAD, DELIVERED, NONE, ROUTE, ZERO, Remote, error_of, gas_for_deliver, gas_for_finalize, refused

CLOSER = bytes(range(20))
PAYLOAD_MAX, INTEROP_MAX = 16384, 96  # core/limits.h
GAS_MAX, LIFETIME_MAX = 15_000_000, 366 * 86400
TRANSACTION_GAS_MAX = 2**24  # EIP-7825


def quote(world, payload_size: int = 5, attributes=()) -> int:
    return world.gateway.read("quote", world.remote.account(world.remote.app), payload_size, list(attributes))


def refuse_send(world, error: str, attributes=(), payload: bytes = b"hello", recipient: bytes | None = None, value: int = 0):
    refused(world, error, "sendMessage", recipient if recipient is not None else world.remote.account(world.remote.app), payload,
            list(attributes), sender=world.user, value=value)


def route(world, **over) -> None:
    world.gateway.write(world.owner, "setRoute", world.remote.identity, {**ROUTE, **over})


def expected_id(world, event: dict, payload: bytes, sender: str | None = None) -> bytes:
    return v.message_id({"source": world.identity, "destination": world.remote.identity, "sequence": event["sequence"],
                         "sender": world.account(sender or world.user), "recipient": world.remote.account(world.remote.app),
                         "payload": payload, **{k: event[k] for k in ("minGasLimit", "closer", "refundTo", "finality",
                                                                      "deadline")}})


# --- sending


def test_sent(world):
    sent, receipt = world.send(b"hello")
    event, = world.gateway.events("MessageCommitted", receipt)
    now = int(world.rpc.block(int(receipt["blockNumber"], 16))["timestamp"], 16)
    assert event == {"messageId": sent, "destination": world.remote.identity, "sequence": 1, "deadline": now + 3600,
                     "minGasLimit": 100_000, "closer": ZERO, "refundTo": ZERO, "finality": 0}
    assert world.gateway.events("MessageSent", receipt) == [
        {"sendId": sent, "sender": world.account(world.user), "recipient": world.remote.account(world.remote.app),
         "payload": b"hello", "value": 0, "attributes": []}]
    assert sent == expected_id(world, event, b"hello")
    assert world.gateway.read("sentBy", sent).hex() == world.user[2:].lower()
    assert world.gateway.read("outcomeOf", sent) == NONE


def test_attributes(world):
    deadline = world.now() + 5000
    attributes = [v.attribute("finality", 3), v.attribute("refundTo", abi.to_bytes(world.anyone)), v.attribute("closer", CLOSER),
                  v.attribute("minGasLimit", 12345), v.attribute("deadline", deadline)]
    sent, receipt = world.send(b"", attributes)
    event, = world.gateway.events("MessageCommitted", receipt)
    assert event == {"messageId": sent, "destination": world.remote.identity, "sequence": 1, "deadline": deadline,
                     "minGasLimit": 12345, "closer": v.word(CLOSER), "refundTo": v.word(abi.to_bytes(world.anyone)), "finality": 3}
    assert sent == expected_id(world, event, b"")
    assert world.gateway.events("MessageSent", receipt)[0]["attributes"] == attributes


@pytest.mark.parametrize("closer", [b"\x01", bytes(range(1, 33)), bytes(range(1, 41)), bytes(range(1, 65))], ids=len)
def test_closer_of_any_length(world, closer):
    _, receipt = world.send(b"", [v.attribute("closer", closer)])
    assert world.gateway.events("MessageCommitted", receipt)[0]["closer"] == v.word(closer)


def test_route_defaults(world):
    route(world, closerDefault=v.u(77), finalityDefault=2, gasDefault=5, lifetimeDefault=61)
    _, receipt = world.send(b"")
    event, = world.gateway.events("MessageCommitted", receipt)
    now = int(world.rpc.block(int(receipt["blockNumber"], 16))["timestamp"], 16)
    assert (event["closer"], event["finality"], event["minGasLimit"], event["deadline"]) == (v.u(77), 2, 5, now + 61)


def test_sequences_per_destination(world):
    other = Remote(chain_id=5, label="second")
    world.register(other)
    seen = []
    for remote in (world.remote, other, other, world.remote, world.remote):
        _, receipt = world.send(remote=remote)
        event, = world.gateway.events("MessageCommitted", receipt)
        assert event["destination"] == remote.identity
        seen.append(event["sequence"])
    assert seen == [1, 1, 2, 2, 3]


def test_supports_attribute(world):
    for signature in v.ATTRIBUTES.values():
        assert world.gateway.read("supportsAttribute", v.selector(signature)) is True
    for selector in (b"\0" * 4, b"\xff" * 4, v.selector("closer(address)"), v.selector("refundTo(bytes)")):
        assert world.gateway.read("supportsAttribute", selector) is False


@pytest.mark.parametrize("attribute, error", [
    (b"", "UnsupportedAttribute"), (b"\x01\x02\x03", "UnsupportedAttribute"), (b"\0" * 36, "UnsupportedAttribute"),
    (v.selector("executor(address)") + ZERO, "UnsupportedAttribute"),
    (v.selector("deadline(uint64)"), "AttributeInvalid"), (v.attribute("finality", 1) + b"\0", "AttributeInvalid"),
    (v.attribute("minGasLimit", 1)[:-1], "AttributeInvalid"), (v.attribute("refundTo", 1) + ZERO, "AttributeInvalid"),
    (v.attribute("finality", 11), "AttributeOutOfBounds"), (v.attribute("finality", 256), "AttributeOutOfBounds"),
    (v.attribute("finality", 255), "AttributeOutOfBounds"),
    (v.attribute("minGasLimit", 2_000_001), "AttributeOutOfBounds"), (v.attribute("minGasLimit", 2**64), "AttributeOutOfBounds"),
    (v.attribute("minGasLimit", 2**256 - 1), "AttributeOutOfBounds"),
    (v.attribute("deadline", 0), "AttributeOutOfBounds"), (v.attribute("deadline", 2**64 + 2_000_000_000), "AttributeOutOfBounds"),
    (v.attribute("deadline", 2**256 - 1), "AttributeOutOfBounds"),
    (v.attribute("refundTo", 0), "AttributeOutOfBounds"), (v.attribute("refundTo", 2**160), "AttributeOutOfBounds"),
    (v.attribute("closer", b""), "AttributeInvalid"), (v.attribute("closer", bytes(65)), "AttributeInvalid"),
    (v.attribute("closer", CLOSER)[:-1], "AttributeInvalid"), (v.attribute("closer", CLOSER) + ZERO, "AttributeInvalid"),
    (v.attribute("closer", CLOSER)[:-1] + b"\x01", "AttributeInvalid"),  # padding that is not zero
    (v.selector("closer(bytes)") + v.u(64) + v.u(0) + v.u(1) + v.u(1), "AttributeInvalid"),  # another offset
    (v.selector("closer(bytes)") + v.u(32) + v.u(2**256 - 1) + ZERO, "AttributeInvalid"),
    (v.selector("closer(bytes)") + v.u(32) + v.u(64) + ZERO, "AttributeInvalid"),  # longer than what is there
], ids=lambda x: x if isinstance(x, str) else x.hex()[:24])
def test_attribute_refused(world, attribute, error):
    if attribute == v.selector("closer(bytes)") + v.u(32) + v.u(64) + ZERO:
        assert error_of(world.gateway, world.user, "sendMessage", world.remote.account(world.remote.app), b"", [attribute]) is not None
        return
    refuse_send(world, error, [attribute])


@pytest.mark.parametrize("name, value", [("finality", 1), ("minGasLimit", 7), ("closer", CLOSER), ("refundTo", CLOSER)])
def test_attribute_twice(world, name, value):
    refuse_send(world, "AttributeTwice", [v.attribute(name, value), v.attribute(name, value)])


def test_deadline_bounds_to_the_second(world):
    now = world.now() + 1000
    for lifetime, ok in ((59, False), (60, True), (100_000, True), (100_001, False)):
        world.rpc.call("evm_setNextBlockTimestamp", hex(now))
        receipt = world.gateway.write(world.user, "sendMessage", world.remote.account(world.remote.app), b"",
                                      [v.attribute("deadline", now + lifetime)], accept_revert=True)
        assert (receipt["status"] == "0x1") is ok, lifetime


def test_what_a_route_does_not_allow(world):
    route(world, closerAllowed=False, refundToAllowed=False, finalityMax=0, gasMin=10, payloadMax=4)
    for name, value in (("closer", CLOSER), ("refundTo", CLOSER), ("finality", 1), ("minGasLimit", 9)):
        refuse_send(world, "AttributeOutOfBounds", [v.attribute(name, value)], b"")
    refuse_send(world, "PayloadTooLong", payload=b"12345")
    world.send(b"1234", [v.attribute("minGasLimit", 10), v.attribute("finality", 0)])


def test_closed_route(world):
    route(world, lifetimeMax=0)
    refuse_send(world, "RouteClosed")
    with pytest.raises(Exception, match="revert"):
        quote(world)


@pytest.mark.parametrize("over", [{"lifetimeMin": 0}, {"lifetimeMin": 3601}, {"lifetimeDefault": 100_001}, {"gasMin": 100_001},
                                  {"gasDefault": 2_000_001}, {"finalityMax": 255}, {"finalityDefault": 11},
                                  {"payloadMax": PAYLOAD_MAX + 1}, {"payloadMax": 2**32 - 1}, {"gasMax": GAS_MAX + 1},
                                  {"lifetimeMax": LIFETIME_MAX + 1}, {"lifetimeMax": 2**32 - 1}])
def test_route_refused(world, over):
    refused(world, "RouteInvalid", "setRoute", world.remote.identity, {**ROUTE, **over}, sender=world.owner)
    refused(world, "RemoteUnknown", "setRoute", v.u(1), ROUTE, sender=world.owner)


def test_route_at_its_bounds(world):
    """What enclaves and gateways take is what a route may allow, and no more."""
    limits = (tools.ROOT / "core" / "limits.h").read_text()
    assert f"#define CS_PAYLOAD_SIZE_MAX {PAYLOAD_MAX}u" in limits and f"#define CS_INTEROP_SIZE_MAX {INTEROP_MAX}u" in limits
    for name, value in (("PAYLOAD_MAX", PAYLOAD_MAX), ("GAS_MAX", GAS_MAX), ("LIFETIME_MAX", LIFETIME_MAX)):
        assert world.gateway.read(name) == value
    route(world, payloadMax=PAYLOAD_MAX, gasMax=GAS_MAX, lifetimeMax=LIFETIME_MAX, finalityMax=254)
    world.send(bytes(PAYLOAD_MAX), [v.attribute("minGasLimit", GAS_MAX), v.attribute("finality", 254)])
    refuse_send(world, "PayloadTooLong", payload=bytes(PAYLOAD_MAX + 1))
    # the most that one message can want of a transaction
    most = world.message(world.null, bytes(range(1, 256)) * 64 + b"\1" * 64, minGasLimit=GAS_MAX)
    assert len(most["payload"]) == PAYLOAD_MAX
    assert gas_for_deliver(world, world.args([most])) <= TRANSACTION_GAS_MAX
    # a gateway's own reckoning: gateway_gas and GATEWAY_GAS_BASE in gateway/
    assert 300_000 + 110_000 + GAS_MAX * 17 // 16 + 24 * (700 + PAYLOAD_MAX) <= TRANSACTION_GAS_MAX
    # a closed route is refused nothing: it allows nothing
    route(world, lifetimeMax=0, payloadMax=2**32 - 1)


def test_recipient_no_longer_than_what_is_relayed(world):
    chain = v.erc7930(7, b"\x5a" * 32, b"")
    world.gateway.write(world.owner, "registerRemote", "long:5a", world.remote.genesis, b"\1" * 32, chain, 1)
    world.gateway.write(world.owner, "setRoute", world.gateway.read("remoteOf", chain), ROUTE)
    for size, error in ((INTEROP_MAX - len(chain), None), (INTEROP_MAX - len(chain) + 1, "BadInteroperableAddress")):
        recipient = v.erc7930(7, b"\x5a" * 32, b"\1" * size)
        assert error_of(world.gateway, world.user, "sendMessage", recipient, b"", []) == error


RECIPIENTS = {
    "of this chain": (lambda w: w.account(w.remote.app), "RemoteUnknown"),
    "of an unknown chain": (lambda w: v.eip155(4242, w.remote.app), "RemoteUnknown"),
    "without an address": (lambda w: w.remote.chain, "BadInteroperableAddress"),
    "with 19 bytes": (lambda w: v.eip155(777, bytes(19)), "BadInteroperableAddress"),
    "with 21 bytes": (lambda w: v.eip155(777, bytes(21)), "BadInteroperableAddress"),
    "with a padded reference": (lambda w: v.erc7930(0, b"\0\x03\x09", w.remote.app), "BadInteroperableAddress"),
    "with a byte too many": (lambda w: w.remote.account(w.remote.app) + b"\0", "BadInteroperableAddress"),
    "cut": (lambda w: w.remote.account(w.remote.app)[:-1], "BadInteroperableAddress"),
    "empty": (lambda w: b"", "BadInteroperableAddress"),
    "of another version": (lambda w: b"\0\2" + w.remote.account(w.remote.app)[2:], "BadInteroperableAddress"),
    "of another chain type": (lambda w: b"\0\1\0\2" + w.remote.account(w.remote.app)[4:], "RemoteUnknown"),
}


@pytest.mark.parametrize("case", RECIPIENTS)
def test_recipient_refused(world, case):
    recipient, error = RECIPIENTS[case]
    refuse_send(world, error, recipient=recipient(world))


# --- fees


@pytest.mark.parametrize("size, gas", [(0, None), (5, None), (4096, 0), (1, 2_000_000)])
def test_fee_is_exact(world, size, gas):
    route(world, feeBase=10**12 + 1, feePerByte=7, feePerGas=3)
    attributes = [] if gas is None else [v.attribute("minGasLimit", gas)]
    fee = 10**12 + 1 + 7 * size + 3 * (100_000 if gas is None else gas)
    assert quote(world, size, attributes) == fee
    for wrong in (0, fee - 1, fee + 1):
        refuse_send(world, "FeeNotExact", attributes, bytes(size), value=wrong)
    world.send(bytes(size), attributes, value=fee)
    assert int(world.rpc.call("eth_getBalance", world.address, "latest"), 16) == fee


def test_fee_of_the_largest_numbers(world):
    route(world, feeBase=2**128 - 1, feePerByte=2**64 - 1, feePerGas=2**64 - 1)
    assert quote(world, 4096, [v.attribute("minGasLimit", 2_000_000)]) == 2**128 - 1 + (2**64 - 1) * 2_004_096


def test_withdraw(world):
    route(world, feeBase=1000)
    world.send(value=1000)
    other = "0x" + "cd" * 20
    refused(world, "NotOwner", "withdraw", other, 1000, sender=world.guardian)
    refused(world, "WithdrawFailed", "withdraw", other, 1001, sender=world.owner)
    refused(world, "WithdrawFailed", "withdraw", world.app.address, 1, sender=world.owner)  # it takes no ether
    world.do("withdraw", other, 1000, sender=world.owner)
    assert int(world.rpc.call("eth_getBalance", other, "latest"), 16) == 1000


def test_ether_has_no_other_way_in(world):
    receipt = world.rpc.wait_receipt(world.rpc.send(world.user, world.address, b"", 1), accept_revert=True)
    assert receipt["status"] == "0x0"


def test_pause_stops_only_what_begins(world):
    world.app.write(world.user, "setFailing", True)
    sent, _ = world.send()
    failed, late = world.message(world.app), world.message(world.app, deadline=world.now() + 50)
    world.fail(failed)
    world.do("pause", sender=world.guardian)
    refuse_send(world, "InPause")
    world.app.write(world.user, "setFailing", False)
    world.do("retry", *world.args(failed))
    world.deliver(world.message(world.app))
    world.finalize((sent, DEAD))
    world.at(late["deadline"])
    world.do("expire", *world.args([late]))
    refused(world, "NotOwner", "unpause", sender=world.guardian)
    world.do("unpause", sender=world.owner)
    world.send()


# --- outcomes


def app_sends(world, app, payload: bytes = b"x") -> bytes:
    receipt = app.write(world.user, "send", world.remote.account(world.remote.app), payload, [])
    return world.gateway.events("MessageSent", receipt)[0]["sendId"]


@pytest.mark.parametrize("status", [DELIVERED, DEAD])
def test_finalized(world, status):
    sent = app_sends(world, world.app)
    receipt = world.finalize((sent, status))
    assert world.gateway.events("MessageFinalized", receipt) == [
        {"messageId": sent, "destination": world.remote.identity, "status": status}]
    assert world.gateway.read("outcomeOf", sent) == status
    assert world.app.read("outcomes", sent) == status
    for again in (DELIVERED, DEAD):
        refused(world, "StatusIs", "finalize", *world.outcome_args([(sent, again)]))
    assert world.gateway.read("outcomeOf", sent) == status


def test_finalize_for_an_account_without_code(world):
    sent, _ = world.send()
    receipt = world.finalize((sent, DELIVERED))
    assert world.gateway.read("outcomeOf", sent) == DELIVERED
    assert not world.gateway.events("OutcomeRefused", receipt)


@pytest.mark.parametrize("mode", [1, 2, 3])
def test_hostile_sender_is_finalized_all_the_same(world, mode):
    """It reverts with a lot, burns its gas, returns a lot."""
    app = world.deploy("HostileSender", world.address)
    app.write(world.user, "set", mode)
    sent, other = app_sends(world, app), app_sends(world, world.app)
    receipt = world.finalize((sent, DELIVERED), (other, DEAD))
    assert (world.gateway.read("outcomeOf", sent), world.gateway.read("outcomeOf", other)) == (DELIVERED, DEAD)
    assert len(world.gateway.events("OutcomeRefused", receipt)) == (mode != 3)
    assert int(receipt["gasUsed"], 16) < 700_000


@pytest.mark.parametrize("status", [0, 1, 4, 255])
def test_outcome_of_another_status(world, status):
    sent, _ = world.send()
    refused(world, "OutcomeInvalid", "finalize", *world.outcome_args([(sent, status)]))


@pytest.mark.parametrize("options, error", [
    ({"secret": 5}, "SignatureInvalid"), ({"receiver": v.u(5)}, "SignatureInvalid"), ({"domain": v.INSECURE}, "SignatureInvalid"),
    ({"epoch": 9}, "KeyNotActive"), ({"manifest": 0}, "ManifestTooOld")])
def test_outcome_statement_refused(world, options, error):
    sent, _ = world.send()
    refused(world, error, "finalize", *world.outcome_args([(sent, DELIVERED)], **options))
    assert world.gateway.read("outcomeOf", sent) == NONE


def test_outcome_signed_as_another_kind(world):
    sent, _ = world.send()
    leaf = v.leaf_outcome(sent, DELIVERED)
    for kind in (v.MESSAGE, v.ROTATION, 4):
        st = world.statement(kind, leaf)
        refused(world, "SignatureInvalid", "finalize", world.remote.identity, st, [{"messageId": sent, "status": DELIVERED}])


def test_outcome_changed(world):
    sent, _ = world.send()
    remote, st, _ = world.outcome_args([(sent, DELIVERED)])
    refused(world, "SignatureInvalid", "finalize", remote, st, [{"messageId": sent, "status": DEAD}])


def test_outcome_by_the_key_of_another_chain(world):
    """An enclave speaks for its own chain: it cannot finalize what was sent to another."""
    other = Remote(chain_id=5, label="second")
    world.register(other)
    sent, _ = world.send()
    refused(world, "NotSent", "finalize", *world.outcome_args([(sent, DEAD)], remote=other))
    refused(world, "NotSent", "finalize", *world.outcome_args([(v.u(7), DEAD)]))
    world.finalize((sent, DELIVERED))


def test_outcomes_in_a_batch(world):
    sent = [app_sends(world, world.app, bytes([i])) for i in range(4)]
    world.finalize((sent[1], DEAD))
    receipt = world.finalize((sent[0], DELIVERED), (sent[1], DELIVERED), (v.u(1), DEAD), (sent[2], DEAD), (sent[0], DEAD))
    assert [world.gateway.read("outcomeOf", s) for s in sent] == [DELIVERED, DEAD, DEAD, NONE]
    assert len(world.gateway.events("MessageFinalized", receipt)) == 2
    refused(world, "NothingToDo", "finalize", *world.outcome_args([(sent[0], DEAD), (sent[1], DEAD)]))
    refused(world, "BatchEmpty", "finalize", world.remote.identity, world.statement(v.OUTCOME, ZERO), [])


def test_part_of_a_batch_of_outcomes(world):
    sent = [world.send(bytes([i]))[0] for i in range(3)]
    leaves = [v.leaf_outcome(s, DELIVERED) for s in sent]
    st = world.statement(v.OUTCOME, v.levels(leaves)[-1][0], v.path_of(leaves, 2, 0))
    world.do("finalize", world.remote.identity, st, [{"messageId": sent[2], "status": DELIVERED}])
    assert [world.gateway.read("outcomeOf", s) for s in sent] == [NONE, NONE, DELIVERED]


def test_finalize_gas_griefing(world):
    """Whatever gas a submitter brings: an application hears its outcome with its whole gas, or nothing is recorded."""
    app = world.deploy("HostileSender", world.address)
    app.write(world.user, "set", 4)  # it wants all but what its dispatch takes
    seen = set()
    for gas in range(60_000, 330_000, 5_000):
        sent = app_sends(world, app, v.u(gas))
        receipt = world.finalize((sent, DELIVERED), gas=gas, accept_revert=True)
        done = receipt["status"] == "0x1"
        assert world.gateway.read("outcomeOf", sent) == (DELIVERED if done else NONE)
        assert not world.gateway.events("OutcomeRefused", receipt), gas
        seen.add(done)
    assert seen == {True, False}


@pytest.mark.parametrize("count", [1, 2, 12])
def test_the_gas_that_relayers_are_told_to_bring(world, count):
    app = world.deploy("HostileSender", world.address)
    app.write(world.user, "set", 2)
    sent = [app_sends(world, app, bytes([i])) for i in range(count)]
    values = world.outcome_args([(s, DELIVERED) for s in sent])
    world.do("finalize", *values, gas=gas_for_finalize(world, values))
    assert [world.gateway.read("outcomeOf", s) for s in sent] == [DELIVERED] * count


def test_outcome_that_reenters(world):
    """The status is recorded before the application hears of it: finalizing again from inside finds it done."""
    app = world.deploy("HostileRecipient")
    data = world.gateway.data("sendMessage", world.remote.account(world.remote.app), b"", [])
    receipt = app.write(world.user, "run", world.address, data)
    sent = world.gateway.events("MessageSent", receipt)[0]["sendId"]
    receipt = world.finalize((sent, DELIVERED))  # it has no onOutcome at all
    assert world.gateway.read("outcomeOf", sent) == DELIVERED
    assert len(world.gateway.events("OutcomeRefused", receipt)) == 1


def test_spam_pays(world):
    """A sender who floods pays the whole fee each time, and cannot write more than a payload's bound."""
    route(world, feeBase=10**15)
    for _ in range(5):
        refuse_send(world, "FeeNotExact")
    for i in range(5):
        world.send(bytes([i]), value=10**15)
    assert int(world.rpc.call("eth_getBalance", world.address, "latest"), 16) == 5 * 10**15
    refuse_send(world, "PayloadTooLong", payload=bytes(4097), value=10**15)
