"""The oracle's contracts on geth under london rules, sealed by Clique: what anvil might have judged otherwise."""
from __future__ import annotations

import pytest

import envelope_vectors as v
from lib.rpc import Reverted
from oracle_world import ANSWERED, OPEN, REFUNDED, UNREACHABLE, OracleWorld
from world import GAS, error_of, key_pair

INVALID, CALL, USE_GAS = 4, 5, 6
PRICE = 3_000_00000000


@pytest.fixture(scope="module")
def w(clique):
    world = OracleWorld(clique, delay=2)
    world.hostile = world.deploy("HostileConsumer")
    world.consumer = world.deploy("SampleConsumer", world.oracle.address)
    return world


def together(w, *calls: tuple) -> list[dict]:
    """Transactions sent at once and waited for together."""
    sends = [contract.send(sender, name, *values, gas=GAS, **options) for contract, sender, name, values, options in calls]
    return [w.rpc.wait_receipt(tx, accept_revert=True) for tx in sends]


def ask_many(w, *wishes: dict) -> list[dict]:
    rows = [w.ask_args(**what) for what in wishes]
    return [w.asked(r) for r in together(w, *((w.oracle, w.user, r[0], r[1:], {"value": w.fee_of(r)}) for r in rows))]


def test_answers(w):
    """Good, with a callback that burns its gas, refunded, replayed, forged."""
    receipt = w.consumer.write(w.user, "ask", b'{"version":1}', ["bitcoin"], 200_000, 300, 600, value=10**18)
    mine = w.asked(receipt)
    w.hostile.write(w.user, "set", INVALID, 0, 0, "0x" + "00" * 20, b"")
    burning, refunding, forged = ask_many(w, {"callback": w.hostile.address, "gas": 300_000}, {}, {})
    receipt = w.fulfil(w.answer(mine), w.answer(burning), w.answer(refunding, UNREACHABLE))
    assert [w.state(r) for r in (mine, burning, refunding)] == [(ANSWERED, 0), (ANSWERED, 0), (ANSWERED, UNREACHABLE)]
    assert [e["requestId"] for e in w.oracle.events("CallbackFailed", receipt)] == [burning["id"]]
    assert [e["requestId"] for e in w.oracle.events("OracleRefunded", receipt)] == [refunding["id"]]
    assert w.consumer.read("price") == 6_712_345_000_000
    assert w.oracle.read("earned") == mine["fee"] + burning["fee"]
    assert w.balance(w.oracle) == w.oracle.read("earned") + forged["fee"]
    assert error_of(w.oracle, w.anyone, "fulfil", *w.fulfil_args([w.answer(mine)])) == "StatusIs"
    stranger = key_pair("stranger")[0]
    assert error_of(w.oracle, w.anyone, "fulfil", *w.fulfil_args([w.answer(forged)], secret=stranger)) == "SignatureInvalid"
    assert error_of(w.oracle, w.anyone, "fulfil", *w.fulfil_args([w.answer(forged)], kind=v.MESSAGE)) == "SignatureInvalid"


def test_deadline(w):
    """The clock of a real chain passes the deadline: before it nothing is refunded, after it nothing answered."""
    asked, = ask_many(w, {"deadline": w.now() + 14})
    answer = w.answer(asked)
    assert error_of(w.oracle, w.anyone, "refund", w.parts(asked)) in ("DeadlineNotReached", None)
    w.at(asked["deadline"])
    with pytest.raises(Reverted):
        w.fulfil(answer)
    w.oracle.write(w.anyone, "refund", w.parts(asked))
    assert w.state(asked) == (REFUNDED, 0)
    assert error_of(w.oracle, w.anyone, "refund", w.parts(asked)) == "StatusIs"


def test_gas_griefing(w):
    """As on anvil: no gas limit makes a callback fail that would not fail by itself."""
    wanted = 200_000
    w.hostile.write(w.user, "set", USE_GAS, 0, wanted - 1_000, "0x" + "00" * 20, b"")
    rows = ask_many(w, *({"callback": w.hostile.address, "gas": wanted} for _ in range(24)))
    sends = [w.oracle.send(w.anyone, "fulfil", *w.fulfil_args([w.answer(r)]), gas=gas)
             for r, gas in zip(rows, range(120_000, 360_000, 10_000))]
    receipts = [w.rpc.wait_receipt(tx, accept_revert=True) for tx in sends]
    states = [w.state(r)[0] for r in rows]
    assert states == [ANSWERED if r["status"] == "0x1" else OPEN for r in receipts]
    assert set(states) == {OPEN, ANSWERED}
    assert not any(w.oracle.events("CallbackFailed", r) for r in receipts)


def test_feeds(w):
    feeds = [w.add_feed(description=f"feed {i}", historyBits=2) for i in range(2)]
    observed = []
    for turn in range(1, 4):
        items = [w.value(f, PRICE + turn) for f in feeds]
        observed.append(items[0]["observedAt"])
        w.update(*items)
    for f in feeds:
        assert f["feed"].read("latestRoundData") == [3, PRICE + 3, observed[2], observed[2], 3]
        assert f["feed"].read("getRoundData", 1) == [1, PRICE + 1, observed[0], observed[0], 1]
        assert f["uptime"].read("latestRoundData")[1] == 0
    assert error_of(w.feed, w.anyone, "submit", *w.update_args([w.value(feeds[0], 1, observed_at=observed[2])])) == "ObservedNotNewer"
    assert error_of(w.feed, w.anyone, "submit", *w.update_args([w.value(feeds[0], 1, observed_at=w.now() + 900)])) == "ObservedInFuture"


def test_suspended_at_once(w):
    """Last: it ends the only key of this contract."""
    asked, = ask_many(w, {})
    w.oracle.write(w.guardian, "suspendKey", w.identity, 1)
    assert error_of(w.oracle, w.anyone, "fulfil", *w.fulfil_args([w.answer(asked)])) == "KeyNotActive"
