"""The destination side: deliver, retry, close, expire, and everything that must not happen there."""
from __future__ import annotations

import itertools
import random

import pytest

import envelope_vectors as v
from lib import abi
from lib.chains import Anvil
from world import (ADDRESS_ZERO, DEAD, DELIVERED, FAILED, GAS, NONE, ZERO, Remote, World, error_of, gas_for_deliver,
                   key_pair, refused, unchanged)

(WRONG_VALUE, DIRTY_VALUE, SHORT_VALUE, NO_VALUE, LONG_VALUE, RETURN_BOMB, REVERT_BOMB, INVALID, CALL_BACK, USE_GAS,
 CALL_BACK_FAIL) = range(11)


def hostile(world: World, mode: int, gas_wanted: int = 0, target: str = ADDRESS_ZERO, data: bytes = b"") -> None:
    world.hostile.write(world.user, "set", mode, gas_wanted, target, data)


def deliver_at(world: World, timestamp: int, name: str, *values, sender: str | None = None) -> bool:
    """Whether the call succeeds in a block of exactly this timestamp."""
    world.rpc.call("evm_setNextBlockTimestamp", hex(timestamp))
    receipt = world.do(name, *values, sender=sender, accept_revert=True)
    assert int(world.rpc.block(int(receipt["blockNumber"], 16))["timestamp"], 16) == timestamp
    return receipt["status"] == "0x1"


# --- what should happen


def test_delivered(world):
    message = world.message(world.app, b"\x00\x01payload")
    receipt = world.deliver(message)
    mid = world.id_of(message)
    assert world.status(message) == DELIVERED
    assert world.gateway.events("MessageStatus", receipt) == [
        {"messageId": mid, "source": world.remote.identity, "sequence": message["sequence"], "status": DELIVERED}]
    assert world.app.read("lastId") == mid
    assert world.app.read("lastSender") == message["sender"]
    assert world.app.read("lastPayload") == b"\x00\x01payload"


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 1000, 20_000])
def test_payload_sizes(world, size):
    message = world.message(world.null, bytes(i % 251 for i in range(size)))
    world.deliver(message, gas=10_000_000)
    assert world.status(message) == DELIVERED


def test_failed_then_retried(world):
    world.app.write(world.user, "setFailing", True)
    message = world.message(world.app)
    receipt = world.deliver(message)
    assert world.status(message) == FAILED
    assert [e["status"] for e in world.gateway.events("MessageStatus", receipt)] == [FAILED]
    refused(world, "CallFailed", "retry", *world.args(message))
    assert world.status(message) == FAILED
    world.app.write(world.user, "setFailing", False)
    receipt = world.do("retry", *world.args(message))
    assert world.status(message) == DELIVERED
    assert world.app.read("lastId") == world.id_of(message)
    assert [e["status"] for e in world.gateway.events("MessageStatus", receipt)] == [DELIVERED]
    refused(world, "StatusIs", "retry", *world.args(message))


def test_closed(world):
    world.app.write(world.user, "setFailing", True)
    message = world.message(world.app, closer=v.word(abi.to_bytes(world.closer)))
    refused(world, "StatusIs", "close", *world.args(message), sender=world.closer)  # nothing failed yet
    world.deliver(message)
    for other in (world.anyone, world.owner, world.guardian):
        refused(world, "NotCloser", "close", *world.args(message), sender=other)
    world.do("close", *world.args(message), sender=world.closer)
    assert world.status(message) == DEAD
    world.app.write(world.user, "setFailing", False)
    refused(world, "StatusIs", "retry", *world.args(message))
    refused(world, "StatusIs", "deliver", *world.args([message]))
    refused(world, "StatusIs", "close", *world.args(message), sender=world.closer)


def test_closed_by_nobody(world):
    world.app.write(world.user, "setFailing", True)
    message = world.message(world.app)
    world.fail(message)
    refused(world, "NotCloser", "close", *world.args(message), sender=world.closer)


def test_expired_none_and_failed(world):
    world.app.write(world.user, "setFailing", True)
    first, second = world.message(world.app), world.message(world.app)
    world.fail(second)
    world.at(first["deadline"])
    world.do("expire", *world.args([first]))
    world.at(second["deadline"])
    world.do("expire", *world.args([second]))
    assert (world.status(first), world.status(second)) == (DEAD, DEAD)
    for message in (first, second):
        refused(world, "StatusIs", "expire", *world.args([message]))
        refused(world, "DeadlinePassed", "deliver", *world.args([message]))
        refused(world, "DeadlinePassed", "retry", *world.args(message))


def test_expire_batch(world):
    deadline = world.now() + 100
    messages = [world.message(world.null, deadline=deadline + 10 * (i == 3)) for i in range(4)]
    world.deliver(messages[1])
    world.rpc.call("evm_setNextBlockTimestamp", hex(deadline))
    receipt = world.do("expire", *world.args(messages))
    assert [world.status(m) for m in messages] == [DEAD, DELIVERED, DEAD, NONE]
    assert len(world.gateway.events("MessageStatus", receipt)) == 2
    # again, while the last one still has time: a batch in which nothing is left to do
    world.rpc.call("evm_setNextBlockTimestamp", hex(deadline + 9))
    assert world.do("expire", *world.args(messages), accept_revert=True)["status"] == "0x0"


@pytest.mark.parametrize("before", [True, False])
def test_deadline_to_the_second(world, before):
    """timestamp < deadline is in time; timestamp == deadline is not. Both sides of deliver, retry, close and expire."""
    world.app.write(world.user, "setFailing", True)
    deadline = world.now() + 200
    closer = v.word(abi.to_bytes(world.closer))
    failed = [world.message(world.app, deadline=deadline, closer=closer) for _ in range(3)]
    for message in failed:
        world.fail(message)
    fresh = [world.message(world.app, deadline=deadline) for _ in range(2)]
    world.app.write(world.user, "setFailing", False)
    now = deadline - before
    cases = [("deliver", world.args([fresh[0]]), None, before), ("retry", world.args(failed[0]), None, before),
             ("close", world.args(failed[1]), world.closer, before), ("expire", world.args([fresh[1]]), None, not before),
             ("expire", world.args([failed[2]]), None, not before)]
    for name, values, sender, expected in cases:
        assert deliver_at(world, now, name, *values, sender=sender) is expected, name


def test_sequences_do_not_disturb_each_other(world):
    """A model of the two-bit field beside the contract, over neighbours in words and the ends of the range."""
    rng = random.Random(7)
    pool = [1, 2, 63, 64, 126, 127, 128, 129, 255, 256, 2**63, 2**64 - 2, 2**64 - 1]
    expected = dict.fromkeys(pool, NONE)
    world.app.write(world.user, "setFailing", False)
    for sequence in rng.sample(pool, len(pool)):
        failing = rng.random() < 0.5
        world.app.write(world.user, "setFailing", failing)
        message = world.message(world.app, sequence=sequence, closer=v.word(abi.to_bytes(world.closer)))
        world.deliver(message)
        expected[sequence] = FAILED if failing else DELIVERED
        if failing and rng.random() < 0.5:
            world.do("close", *world.args(message), sender=world.closer)
            expected[sequence] = DEAD
        assert {q: world.gateway.read("statusOf", world.remote.identity, q) for q in pool} == expected


# --- signatures and identities


CHANGES = {
    "sequence": lambda m: m["sequence"] + 1, "deadline": lambda m: m["deadline"] + 1, "minGasLimit": lambda m: 0,
    "finality": lambda m: 1, "closer": lambda m: v.u(1), "refundTo": lambda m: v.u(1),
    "recipient": lambda m: b"\x01" * 20, "sender": lambda m: m["sender"][:-1] + b"\xff", "payload": lambda m: m["payload"] + b"\0",
}


@pytest.mark.parametrize("field", CHANGES)
@pytest.mark.parametrize("name", ["deliver", "retry", "close", "expire"])
def test_every_field_is_signed(world, field, name):
    message = world.message(world.app)
    source, st, _ = world.args(message)
    changed = message | {field: CHANGES[field](message)}
    refused(world, "SignatureInvalid", name, source, st, [changed] if name in ("deliver", "expire") else changed)


@pytest.mark.parametrize("options, error", [
    ({"secret": key_pair("a stranger")[0]}, "SignatureInvalid"),
    ({"receiver": v.u(5)}, "SignatureInvalid"),
    ({"domain": v.INSECURE}, "SignatureInvalid"),
    ({"epoch": 2}, "KeyNotActive"),
    ({"epoch": 0}, "KeyNotActive"),
    ({"manifest": 0}, "ManifestTooOld"),
])
def test_statement_refused(world, options, error):
    message = world.message(world.app)
    with unchanged(world):
        for name in ("deliver", "expire"):
            refused(world, error, name, *world.args([message], **options))
        for name in ("retry", "close"):
            refused(world, error, name, *world.args(message, **options))
    world.deliver(message)


@pytest.mark.parametrize("field", ["epoch", "manifest", "rx", "ry", "s"])
def test_statement_changed(world, field):
    message = world.message(world.app)
    source, st, row = world.args([message])
    error = "KeyNotActive" if field == "epoch" else "SignatureInvalid"
    refused(world, error, "deliver", source, st | {field: st[field] + 1}, row)


def test_malleated_signatures(world):
    message = world.message(world.app)
    source, st, row = world.args([message])
    wrong = [{"s": v.N - st["s"]}, {"ry": v.P - st["ry"]}, {"s": v.N - st["s"], "ry": v.P - st["ry"]}, {"s": st["s"] + v.N},
             {"rx": st["rx"] + v.P}, {"ry": st["ry"] + v.P}, {"s": 0}, {"s": v.N}, {"s": 2**256 - 1}, {"rx": 0}, {"ry": 0},
             {"rx": v.P}, {"ry": v.P}, {"rx": 0, "ry": 0, "s": 0}, {"ry": (st["ry"] + 2) % v.P}, {"rx": (st["rx"] + 1) % v.P}]
    for change in wrong:
        changed = {k: x % 2**256 for k, x in (st | change).items() if k != "path"} | {"path": []}
        if changed == st:
            continue
        refused(world, "SignatureInvalid", "deliver", source, changed, row)
    world.deliver(message)


def test_kinds_are_apart(world):
    """What is signed as an outcome or a rotation is no message, even over the same root."""
    message = world.message(world.app)
    leaf = v.leaf_message(world.id_of(message))
    for kind in (0, v.OUTCOME, v.ROTATION, 4):
        refused(world, "SignatureInvalid", "deliver", world.remote.identity, world.statement(kind, leaf), [message])


def test_unknown_source(world):
    other = Remote(chain_id=5, label="unknown")
    message = world.message(world.app, remote=other)
    with unchanged(world):
        refused(world, "KeyNotActive", "deliver", *world.args([message], remote=other))


def test_key_of_one_remote_is_no_key_of_another(world):
    other = Remote(chain_id=5, label="second")
    world.register(other)
    message = world.message(world.app, remote=other)
    refused(world, "SignatureInvalid", "deliver", *world.args([message], remote=other, secret=world.remote.secret))
    world.do("deliver", *world.args([message], remote=other))
    # the same sequence of another source is another message
    mine = world.message(world.app, sequence=message["sequence"])
    world.deliver(mine)


SENDERS = {
    "of another remote": lambda world, other: world.remote.account(world.remote.app),
    "of a chain that nobody registered": lambda world, other: v.eip155(6, other.app),
    "of this chain": lambda world, other: world.account(world.user),
    "with another version": lambda world, other: b"\0\2" + other.account(other.app)[2:],
    "with a longer reference": lambda world, other: b"\0\1\0\0\2\0\5\x14" + other.app,
    "that ends in the reference": lambda world, other: b"\0\1\0\0\1",
    "of four bytes": lambda world, other: b"\0\1\0\0", "of no bytes": lambda world, other: b"",
}


@pytest.mark.parametrize("case", SENDERS)
def test_a_remote_speaks_for_its_own_chain_alone(world, case):
    """Recipients know a sender by its ERC-7930 chain: whoever holds the key of one remote must not name another's."""
    other = Remote(chain_id=5, label="second")
    world.register(other)
    message = world.message(world.app, remote=other, sender=SENDERS[case](world, other))
    with unchanged(world):
        refused(world, "SenderForeign", "deliver", *world.args([message], remote=other))
    # nor by a retry in the place of a message that failed
    failed = world.message("0x" + "01" * 20, remote=other, sequence=message["sequence"])
    beside = world.message(world.app, remote=other)
    world.do("deliver", *world.args([failed], remote=other))
    assert world.status(failed, other) == FAILED
    with unchanged(world):
        refused(world, "SenderForeign", "retry", *world.args(message, remote=other))
    # and it does not stop what it came with
    message["sequence"] = other.sequence + 1
    world.do("deliver", *world.args([message, beside], remote=other))
    assert (world.status(message, other), world.status(beside, other)) == (NONE, DELIVERED)


def test_replay(world):
    message = world.message(world.app)
    world.deliver(message)
    refused(world, "StatusIs", "deliver", *world.args([message]))
    refused(world, "StatusIs", "retry", *world.args(message))
    assert world.app.read("received") == 1


def test_replay_to_another_deployment(world, chain):
    other = World(chain)
    message = world.message(world.null)
    values = world.args([message])
    refused(world, "SignatureInvalid", "deliver", *values, contract=other.gateway)
    world.do("deliver", *values)


def test_replay_to_a_twin_chain(tmp_path):
    """Same chain id, same contract address, another genesis."""
    twins = []
    with Anvil(tmp_path / "a", chain_id=9, mining="auto", extra=["--timestamp", "1700000000"]) as one, \
            Anvil(tmp_path / "b", chain_id=9, mining="auto", extra=["--timestamp", "1700000001"]) as two:
        twins = [World(one), World(two)]
        for twin in twins:
            twin.null = twin.deploy("NullRecipient")
        assert twins[0].address == twins[1].address and twins[0].null.address == twins[1].null.address
        assert twins[0].identity != twins[1].identity
        message = twins[0].message(twins[0].null)
        values = twins[0].args([message])
        refused(twins[1], "SignatureInvalid", "deliver", *values)
        twins[0].do("deliver", *values)
        assert twins[0].status(message) == DELIVERED and twins[1].status(message) == NONE


def test_domains_are_apart(chain):
    secure, insecure = World(chain), World(chain, insecure=True)
    assert secure.gateway.read("insecure") is False and insecure.gateway.read("insecure") is True
    for world, wrong in ((secure, v.INSECURE), (insecure, v.SECURE)):
        world.null = world.deploy("NullRecipient")
        message = world.message(world.null)
        refused(world, "SignatureInvalid", "deliver", *world.args([message], domain=wrong))
        world.deliver(message)


def test_signed_again_under_a_new_epoch(world):
    secret, x = key_pair("second")
    world.later(world.owner, world.gateway, "registerKey", world.remote.identity, 2, x, ZERO, ZERO)
    first, second = world.message(world.app), world.message(world.app)
    world.deliver(first)
    refused(world, "StatusIs", "deliver", *world.args([first], secret=secret, epoch=2))
    refused(world, "SignatureInvalid", "deliver", *world.args([second], secret=secret, epoch=1))
    world.do("deliver", *world.args([second], secret=secret, epoch=2))
    refused(world, "StatusIs", "deliver", *world.args([second]))
    assert world.app.read("received") == 2


def test_invented_envelope_for_a_real_sequence(world):
    """Nobody spends a sequence without the key, by any of the four calls, before or after the deadline."""
    real = world.message(world.app, closer=v.word(abi.to_bytes(world.closer)))
    invented = real | {"payload": b"mine"}
    source, st, _ = world.args(real)
    with unchanged(world):
        for name in ("deliver", "expire"):
            refused(world, "SignatureInvalid", name, source, st, [invented])
        for name in ("retry", "close"):
            refused(world, "SignatureInvalid", name, source, st, invented, sender=world.closer)
    world.deliver(real)


def test_two_signed_messages_with_one_sequence(world):
    """Only a broken enclave signs this: one of the two at most has an effect."""
    real = world.message(world.app)
    world.deliver(real)
    refused(world, "StatusIs", "deliver", *world.args([real | {"payload": b"other"}]))


# --- every order in one block


def allowed(name: str, status: int, late: bool, good: bool) -> int | None:
    """The table of envelope.md section 4; None: the call reverts."""
    if name == "deliver" and status == NONE and not late:
        return DELIVERED if good else FAILED
    if name == "retry" and status == FAILED and not late and good:
        return DELIVERED
    if name == "close" and status == FAILED and not late:
        return DEAD
    if name == "expire" and status in (NONE, FAILED) and late:
        return DEAD
    return None


@pytest.mark.parametrize("start, late, good", list(itertools.product((NONE, FAILED), (False, True), (False, True))))
def test_every_order_in_one_block(world, start, late, good):
    sequencer = world.deploy("Sequencer")
    deadline = world.now() + 500
    orders = list(itertools.permutations(("deliver", "retry", "close", "expire")))
    messages = []
    world.app.write(world.user, "setFailing", True)
    for _ in orders:
        messages.append(world.message(world.app, deadline=deadline, closer=v.word(abi.to_bytes(sequencer.address))))
    if start == FAILED:
        world.deliver(*messages, gas=15_000_000)
    world.app.write(world.user, "setFailing", not good)
    timestamp = deadline - (not late)
    for order, message in zip(orders, messages):
        calls = [world.gateway.data(n, *world.args([message] if n in ("deliver", "expire") else message)) for n in order]
        world.rpc.call("evm_setNextBlockTimestamp", hex(timestamp))
        receipt = sequencer.write(world.anyone, "run", world.address, calls)
        status = start
        for name, ran in zip(order, sequencer.events("Ran", receipt)):
            after = allowed(name, status, late, good)
            assert ran["ok"] is (after is not None), (order, name)
            status = status if after is None else after
        assert world.status(message) == status


@pytest.mark.parametrize("seed", range(4))
def test_random_walk(world, seed):
    """Batches, retries, closings and expiries at random times over two sources, beside a model of the table."""
    rng = random.Random(seed)
    other = Remote(chain_id=5, label="second")
    world.register(other)
    start = world.now()
    book = {}
    for remote in (world.remote, other):
        for sequence in range(120, 135):
            message = world.message(world.app, remote=remote, sequence=sequence, deadline=start + rng.randint(50, 400),
                                    closer=v.word(abi.to_bytes(world.closer)))
            book[remote.chain_id, sequence] = [remote, message, NONE]
    now = start
    for _ in range(60):
        now += rng.randint(1, 10)
        good = rng.random() < 0.5
        world.app.write(world.user, "setFailing", not good)
        remote = rng.choice((world.remote, other))
        rows = rng.sample([row for row in book.values() if row[0] is remote], rng.choice((1, 1, 2, 5)))
        name = rng.choice(("deliver", "deliver", "retry", "close", "expire", "expire"))
        if name in ("retry", "close"):
            rows = rows[:1]
        now = max(now, world.now())
        after = [allowed(name, row[2], now >= row[1]["deadline"], good) for row in rows]
        values = world.args([row[1] for row in rows] if name in ("deliver", "expire") else rows[0][1], remote=remote)
        assert deliver_at(world, now, name, *values, sender=world.closer) is any(a is not None for a in after)
        for row, status in zip(rows, after):
            row[2] = row[2] if status is None else status
        for row in book.values():
            assert world.status(row[1], row[0]) == row[2]
    assert {row[2] for row in book.values()} >= {DELIVERED, DEAD}


# --- recipients


@pytest.mark.parametrize("mode", [WRONG_VALUE, DIRTY_VALUE, SHORT_VALUE, NO_VALUE, REVERT_BOMB, INVALID])
def test_bad_recipient_leaves_nothing(world, mode):
    hostile(world, mode)
    message = world.message(world.hostile, minGasLimit=2_500_000 if mode == REVERT_BOMB else 100_000)
    world.deliver(message, gas=4_000_000)
    assert world.status(message) == FAILED
    assert world.hostile.read("effects") == 0


@pytest.mark.parametrize("mode", [LONG_VALUE, RETURN_BOMB])
def test_long_return_value_is_good(world, mode):
    hostile(world, mode)
    message = world.message(world.hostile, minGasLimit=2_500_000)
    world.deliver(message, gas=4_000_000)
    assert world.status(message) == DELIVERED and world.hostile.read("effects") == 1


def test_return_bombs_cost_the_gateway_nothing(world):
    """What the gateway itself uses beside the recipient is the same for a megabyte and for nothing."""
    used = []
    world.deliver(world.message(world.null))  # opens the word
    for mode in (NO_VALUE, REVERT_BOMB, INVALID):
        hostile(world, mode)
        message = world.message(world.hostile, minGasLimit=2_500_000)
        receipt = world.deliver(message, gas=4_000_000)
        trace = world.rpc.call("debug_traceTransaction", receipt["transactionHash"], {"tracer": "callTracer"})
        frame = trace["calls"][-1]
        used.append(int(frame["gasUsed"], 16) - int(frame["calls"][0]["gasUsed"], 16))
    assert max(used) - min(used) < 200


@pytest.mark.parametrize("address", ["0x" + "00" * 19 + "04", "0x" + "ab" * 20, ADDRESS_ZERO])
def test_recipient_without_code(world, address):
    message = world.message(address)
    world.deliver(message)
    assert world.status(message) == FAILED


def test_recipient_that_gets_code_later(world):
    address = "0x" + "ab" * 20
    message = world.message(address)
    world.fail(message)
    world.rpc.call("anvil_setCode", address, world.rpc.call("eth_getCode", world.null.address, "latest"))
    world.do("retry", *world.args(message))
    assert world.status(message) == DELIVERED


def test_gateway_as_recipient(world):
    message = world.message(world.address)
    world.deliver(message)
    assert world.status(message) == FAILED


def test_frame_is_not_for_others(world):
    values = (world.remote.identity, 9, 0, True, world.app.address, ZERO, b"", b"")
    refused(world, "OnlySelf", "deliverFrame", *values)
    refused(world, "OnlySelf", "deliverFrame", *values, sender=world.owner)
    data = world.gateway.data("deliverFrame", *values)
    hostile(world, CALL_BACK, target=world.address, data=data)
    message = world.message(world.hostile)
    world.deliver(message)
    assert world.hostile.read("callSucceeded") is False


@pytest.mark.parametrize("name", ["deliver", "retry", "close", "expire"])
def test_reentry_finds_the_message_delivered(world, name):
    message = world.message(world.hostile, closer=v.word(abi.to_bytes(world.hostile.address)), minGasLimit=600_000)
    data = world.gateway.data(name, *world.args([message] if name in ("deliver", "expire") else message))
    hostile(world, CALL_BACK, target=world.address, data=data)
    world.deliver(message)
    assert world.status(message) == DELIVERED
    assert world.hostile.read("callSucceeded") is False and world.hostile.read("effects") == 1


@pytest.mark.parametrize("name", ["deliver", "retry", "close"])
def test_reentry_from_a_failing_call(world, name):
    message = world.message(world.hostile, closer=v.word(abi.to_bytes(world.hostile.address)), minGasLimit=600_000)
    data = world.gateway.data(name, *world.args([message] if name == "deliver" else message))
    hostile(world, CALL_BACK_FAIL, target=world.address, data=data)
    world.deliver(message)
    assert world.status(message) == FAILED and world.hostile.read("effects") == 0


def test_reentry_in_retry(world):
    """A retried recipient closes its own message: it finds it delivered, whatever it answers."""
    message = world.message(world.hostile, closer=v.word(abi.to_bytes(world.hostile.address)), minGasLimit=600_000)
    hostile(world, NO_VALUE)
    world.fail(message)
    data = world.gateway.data("close", *world.args(message))
    hostile(world, CALL_BACK_FAIL, target=world.address, data=data)
    refused(world, "CallFailed", "retry", *world.args(message))
    hostile(world, CALL_BACK, target=world.address, data=data)
    world.do("retry", *world.args(message))
    assert world.status(message) == DELIVERED and world.hostile.read("callSucceeded") is False


@pytest.mark.parametrize("ends_well", [True, False])
def test_reentry_with_the_rest_of_the_batch(world, ends_well):
    first, second = world.message(world.hostile, minGasLimit=900_000), world.message(world.app)
    data = world.gateway.data("deliver", *world.args([second]))
    hostile(world, CALL_BACK if ends_well else CALL_BACK_FAIL, target=world.address, data=data)
    world.deliver(first, second)
    assert world.status(first) == (DELIVERED if ends_well else FAILED)
    assert world.status(second) == DELIVERED
    assert world.app.read("received") == 1


# --- batches


def test_batch(world):
    messages = [world.message(world.app, bytes([i])) for i in range(9)]
    receipt = world.deliver(*messages, gas=6_000_000)
    assert [world.status(m) for m in messages] == [DELIVERED] * 9
    assert [e["messageId"] for e in world.gateway.events("MessageStatus", receipt)] == [world.id_of(m) for m in messages]


@pytest.mark.parametrize("size", range(2, 10))
def test_parts_of_a_batch(world, size):
    messages = [world.message(world.null) for _ in range(size)]
    tree = world.tree(messages)
    root = v.levels(tree)[-1][0]
    last = size - 1
    st = world.statement(v.MESSAGE, root, v.path_of(tree, last, 0))
    world.do("deliver", world.remote.identity, st, [messages[last]])
    st = world.statement(v.MESSAGE, root, v.path_of(tree, 0, 1))
    world.do("deliver", world.remote.identity, st, messages[:2])
    if size > 2:
        wrong = world.statement(v.MESSAGE, root, v.path_of(tree, 0, 0))
        refused(world, "SignatureInvalid", "deliver", world.remote.identity, wrong, [messages[2]] if size > 3 else [messages[2]])
    short = world.statement(v.MESSAGE, root, v.path_of(tree, 0, 0)[:-1])
    refused(world, "SignatureInvalid", "expire", world.remote.identity, short, [messages[0]])


def test_wrong_order_is_another_tree(world):
    messages = [world.message(world.null) for _ in range(4)]
    source, st, _ = world.args(messages)
    shuffled = [messages[i] for i in (0, 2, 1, 3)]
    refused(world, "SignatureInvalid", "deliver", source, st, shuffled)
    world.do("deliver", source, st, [messages[i] for i in (1, 0, 3, 2)])  # pairs are sorted: the same tree


@pytest.mark.parametrize("mode", [WRONG_VALUE, REVERT_BOMB, INVALID, CALL_BACK_FAIL])
def test_poisoned_item_does_not_stop_a_batch(world, mode):
    hostile(world, mode, target=world.address)
    messages = [world.message(world.app), world.message(world.hostile), world.message(world.app)]
    world.deliver(*messages, gas=12_000_000)
    assert [world.status(m) for m in messages] == [DELIVERED, FAILED, DELIVERED]


def test_item_that_wants_too_much_gas_ends_the_batch(world):
    messages = [world.message(world.app), world.message(world.app, minGasLimit=2**63), world.message(world.app)]
    world.deliver(*messages)
    assert [world.status(m) for m in messages] == [DELIVERED, NONE, NONE]
    tree = world.tree(messages)
    st = world.statement(v.MESSAGE, v.levels(tree)[-1][0], v.path_of(tree, 2, 0))
    world.do("deliver", world.remote.identity, st, [messages[2]])
    assert world.status(messages[2]) == DELIVERED
    refused(world, "GasTooLow", "deliver", *world.args([messages[1]]))
    refused(world, "GasTooLow", "deliver", *world.args([world.message(world.app, minGasLimit=2**64 - 1)]))


def test_front_runner_in_a_batch(world):
    """Somebody submits one item alone before the batch arrives; the others are delivered all the same."""
    messages = [world.message(world.app) for _ in range(5)]
    tree = world.tree(messages)
    st = world.statement(v.MESSAGE, v.levels(tree)[-1][0], v.path_of(tree, 2, 0))
    world.do("deliver", world.remote.identity, st, [messages[2]])
    receipt = world.deliver(*messages)
    assert len(world.gateway.events("MessageStatus", receipt)) == 4
    assert world.app.read("received") == 5
    refused(world, "NothingToDo", "deliver", *world.args(messages))


def test_late_item_in_a_batch(world):
    messages = [world.message(world.app), world.message(world.app, deadline=world.now()), world.message(world.app)]
    world.deliver(*messages)
    assert [world.status(m) for m in messages] == [DELIVERED, NONE, DELIVERED]


def test_one_message_twice_in_a_batch(world):
    message = world.message(world.app)
    world.deliver(message, message)
    assert world.app.read("received") == 1


def test_empty_batch(world):
    st = world.statement(v.MESSAGE, ZERO)
    refused(world, "BatchEmpty", "deliver", world.remote.identity, st, [])
    refused(world, "BatchEmpty", "expire", world.remote.identity, st, [])


# --- gas


def test_gas_griefing(world):
    """Whatever gas a submitter brings: the recipient gets minGasLimit, or nothing is recorded."""
    wanted = 200_000
    hostile(world, USE_GAS, gas_wanted=wanted - 600)  # what the dispatch of the recipient takes before it looks
    seen = set()
    for gas in range(60_000, 420_000, 4_000):
        message = world.message(world.hostile, minGasLimit=wanted)
        receipt = world.deliver(message, gas=gas, accept_revert=True)
        status = world.status(message)
        assert status == (DELIVERED if receipt["status"] == "0x1" else NONE), gas
        seen.add(status)
    assert seen == {NONE, DELIVERED}


@pytest.mark.parametrize("size, limits", [(0, [0]), (4000, [100_000]), (32, [50_000] * 8), (1000, [0, 300_000, 10, 1_000_000]),
                                          (4000, [20_000] * 25)])
def test_the_gas_that_relayers_are_told_to_bring(world, size, limits):
    """With the formula of contracts/evm/README.md every item is handled, though each burns all that it gets."""
    hostile(world, INVALID)
    messages = [world.message(world.hostile, bytes([7]) * size, minGasLimit=limit, sequence=128 * i + 4000)
                for i, limit in enumerate(limits)]  # a word each: the dearest
    values = world.args(messages)
    world.do("deliver", *values, gas=gas_for_deliver(world, values))
    assert [world.status(m) for m in messages] == [FAILED] * len(limits)


def test_recipient_gets_its_gas_and_no_more(world):
    """Exactly minGasLimit in a delivery, so that who burns it burns what was paid for; all there is in a retry."""
    hostile(world, USE_GAS)
    message = world.message(world.hostile, minGasLimit=70_000)
    world.deliver(message, gas=10_000_000)
    assert 69_000 < world.hostile.read("gasSeen") <= 70_000
    hostile(world, USE_GAS, gas_wanted=5_000_000)
    message = world.message(world.hostile, minGasLimit=70_000)
    world.deliver(message, gas=10_000_000)
    assert world.status(message) == FAILED
    world.do("retry", *world.args(message), gas=6_000_000)
    assert world.status(message) == DELIVERED and world.hostile.read("gasSeen") > 5_000_000


def test_poisoned_item_costs_its_own_gas(world):
    hostile(world, INVALID)
    messages = [world.message(world.hostile, minGasLimit=100_000) for _ in range(5)] + [world.message(world.null)]
    receipt = world.deliver(*messages, gas=10_000_000)
    assert [world.status(m) for m in messages] == [FAILED] * 5 + [DELIVERED]
    assert int(receipt["gasUsed"], 16) < 5 * 130_000 + 150_000


def test_gas_griefing_to_the_unit(world):
    """The same around the edge, one by one."""
    wanted = 150_000
    hostile(world, USE_GAS, gas_wanted=wanted - 600)
    world.deliver(world.message(world.hostile, minGasLimit=wanted))  # opens the word
    low, high = 60_000, 600_000
    while high - low > 1:
        gas = (low + high) // 2
        probe = world.message(world.hostile, minGasLimit=wanted)
        ok = error_of(world.gateway, world.anyone, "deliver", *world.args([probe]), gas=gas) is None
        low, high = (low, gas) if ok else (gas, high)
    for gas in range(high - 12, high + 12):
        message = world.message(world.hostile, minGasLimit=wanted)
        receipt = world.deliver(message, gas=gas, accept_revert=True)
        assert world.status(message) == (DELIVERED if receipt["status"] == "0x1" else NONE)


def test_gas_griefing_in_a_batch(world):
    wanted = 200_000
    hostile(world, USE_GAS, gas_wanted=wanted - 600)
    counts = set()
    for gas in range(280_000, 420_000, 3_000):
        messages = [world.message(world.hostile, minGasLimit=wanted) for _ in range(3)]
        world.deliver(*messages, gas=gas, accept_revert=True)
        statuses = [world.status(m) for m in messages]
        assert FAILED not in statuses
        assert statuses == sorted(statuses, reverse=True)
        counts.add(statuses.count(DELIVERED))
    assert counts == {0, 1, 2, 3}


def test_recipient_that_burns_all_gas_is_failed_not_stuck(world):
    hostile(world, INVALID)
    for limit in (0, 1_000, 200_000):
        message = world.message(world.hostile, minGasLimit=limit)
        world.deliver(message, gas=400_000)
        assert world.status(message) == FAILED


def test_spam_writes_nothing(world):
    """Statements of strangers, for any source, cost their sender and change no storage."""
    stranger = Remote(chain_id=123456, label="spam")
    with unchanged(world):
        for i in range(20):
            message = world.message(world.app, bytes([i]), remote=stranger)
            refused(world, "KeyNotActive", "deliver", *world.args([message], remote=stranger))
    assert world.app.read("received") == 0
