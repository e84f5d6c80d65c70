"""Nodes of a ledger that lie, are slow, limited, behind or gone: nothing is lost, nothing false is reported, and it is told who."""
from __future__ import annotations

import base64
import copy
import json
import threading

import pytest

from adapters.ledger_driver import LedgerDriver
from adapters.proxies import BODIES, WHOLE, Raw, Relay, RpcProxy, twist


@pytest.fixture
def proxy(ledger):
    with RpcProxy(ledger.chain.url) as p:
        yield p


# The question by which the adapter knows its chain (adapters/cometbft/dialect.c): a node that answers it wrongly is of another chain,
# and is asked nothing more for a while.
TAG_KEY = b"\0chain".hex().upper()


def twist_queries(change):
    """Changes what the application answers, but for the tag of its chain."""
    def after(call, reply):
        tag = call["method"] == "abci_query" and call["params"]["data"].upper() == TAG_KEY
        return reply if tag else lie(call, reply)

    lie = twist("abci_query", change)
    return after


def changed(value, path: list, new):
    """A copy with one member exchanged; new may be a function of the old one."""
    made = copy.deepcopy(value)
    at = made
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = new(at[path[-1]]) if callable(new) else new
    return made


def flipped(text: str) -> str:
    """Other bytes of the same size."""
    raw = bytearray(base64.b64decode(text))
    raw[len(raw) // 2] ^= 1
    return base64.b64encode(raw).decode()


# ---- answers that are none ----

@pytest.mark.parametrize("what", BODIES)
def test_answers_that_are_none(ledger, proxy, what):
    """The bad endpoint comes first in the list; the good one behind it serves, and the bad one is told."""
    with LedgerDriver(ledger, http=[proxy.url, ledger.chain.url], ws=[]) as driver:
        driver.catch_up()

        def bad(calls):
            raise Raw(BODIES[what])

        proxy.before = bad
        driver.wait_messages(ledger.say(what.encode()))
        event = driver.wait(lambda e: e["event"] == "endpoint" and e["state"] == "failing")
        assert "secret" not in json.dumps(driver.events) and event["url"] == proxy.url.rsplit("/", 2)[0]
        proxy.before = lambda calls: None
        driver.wait(lambda e: e["event"] == "endpoint" and e["state"] == "ok", since=driver.events.index(event))


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_http_errors(ledger, proxy, status):
    with LedgerDriver(ledger, http=[proxy.url, ledger.chain.url], ws=[]) as driver:
        driver.catch_up()

        def bad(calls):
            raise Raw(b"<html>slow down</html>", status)

        proxy.before = bad
        driver.wait_messages(ledger.say(b"status"))
        assert driver.endpoints()[0]["errors"] > 0


@pytest.mark.parametrize("what", WHOLE)
def test_answers_to_other_questions(ledger, proxy, what):
    with LedgerDriver(ledger, http=[proxy.url, ledger.chain.url], ws=[]) as driver:
        driver.catch_up()
        proxy.whole = WHOLE[what]
        driver.wait_messages(ledger.say(b"ids"))
        driver.wait_for(lambda: driver.lies() >= 1)


# ---- lies ----

def other_commit(call, reply):
    """The block above the one that was asked for: a gap."""
    if call["method"] == "commit" and "result" in reply and isinstance(call["params"], dict) and "height" in call["params"]:
        return dict(reply, result=changed(reply["result"], ["signed_header", "header", "height"], lambda h: str(int(h) + 1)))
    return reply


def signer(result: dict) -> int:
    """The first validator who signed: whoever is away may be the first of all."""
    signatures = result["signed_header"]["commit"]["signatures"]
    return next(i for i, s in enumerate(signatures) if s["signature"])


ABSENT = {"block_id_flag": 1, "validator_address": "", "timestamp": "0001-01-01T00:00:00Z", "signature": None}
HEADER, COMMIT, SIGNATURES = (["signed_header", "header"], ["signed_header", "commit"], ["signed_header", "commit", "signatures"])
LIES = {
    "a field of the header": ("commit", lambda r: changed(r, [*HEADER, "app_hash"], "AB" * 32)),
    "the hash of the header": ("commit", lambda r: changed(r, [*COMMIT, "block_id", "hash"], "AB" * 32)),
    "another chain's header": ("commit", lambda r: changed(r, [*HEADER, "chain_id"], "another-1")),
    "a header without a field": ("commit", lambda r: changed(r, HEADER, lambda h: {k: v for k, v in h.items() if k != "app_hash"})),
    "a height that is none": ("commit", lambda r: changed(r, [*HEADER, "height"], "-1")),
    "a header that is a list": ("commit", lambda r: changed(r, HEADER, lambda h: [h])),
    "a signature of something else": ("commit", lambda r: changed(r, [*SIGNATURES, signer(r), "signature"], flipped)),
    "a commit that too few signed": ("commit", lambda r: changed(r, [*SIGNATURES, signer(r)], ABSENT)),
    "a commit of more signatures": ("commit", lambda r: changed(r, SIGNATURES, lambda s: s * 3)),
    "a commit of another height": ("commit", lambda r: changed(r, [*COMMIT, "height"], lambda h: str(int(h) + 1))),
    "transactions that are not the block's": ("block", lambda r: changed(r, ["block", "data", "txs"], lambda t: [*t, "AAAA"])),
    "transactions kept back": ("block", lambda r: changed(r, ["block", "data", "txs"], lambda t: t[1:])),
    "no results": ("block_results", lambda r: changed(r, ["txs_results"], None)),
    "a code that is none": ("block_results", lambda r: changed(r, ["txs_results", 0, "code"], -1)),
    "gas that is none": ("block_results", lambda r: changed(r, ["txs_results", 0, "gas_used"], "much")),
    "a log without an address": ("block_results", lambda r: changed(r, ["txs_results", 0, "events"],
                                                                    lambda e: [*e, {"type": "log", "attributes": []}])),
}


@pytest.mark.parametrize("what", LIES)
def test_lies_while_watching(ledger, proxy, what):
    """The liar alone: nothing false is reported. With an honest one beside it: nothing is missing."""
    method, change = LIES[what]
    with LedgerDriver(ledger, http=[proxy.url], ws=[]) as driver:
        driver.catch_up()
        held = driver.messages()
        proxy.after = twist(method, change)
        ids = ledger.say(what.encode())
        driver.wait_for(lambda: driver.lies() >= 1)
        assert driver.messages() == held
        proxy.after = lambda call, reply: reply
        driver.wait_messages(ids)
        cursor = driver.cursor()
    with LedgerDriver(ledger, http=[proxy.url, ledger.chain.url], ws=[], cursor=cursor) as driver:
        proxy.after = twist(method, change)
        driver.wait_messages(ledger.say())


def test_a_gap_in_heights(ledger, proxy):
    begin, ids = ledger.settings(), ledger.say(b"gap", 2)
    proxy.after = other_commit
    with LedgerDriver(ledger, http=[proxy.url], ws=[], **begin) as driver:
        driver.wait_for(lambda: driver.lies() >= 1)
        assert not driver.blocks()
    with LedgerDriver(ledger, http=[proxy.url, ledger.chain.url], ws=[], **begin) as driver:
        driver.wait_messages(ids)


SETS = {
    "another power": lambda r: changed(r, ["validators", 0, "voting_power"], "7"),
    "another key": lambda r: changed(r, ["validators", 0, "pub_key", "value"], flipped),
    "more of them": lambda r: dict(changed(r, ["validators"], lambda v: v * 2), total="2", count="2"),
    "none": lambda r: dict(r, validators=[], total="1"),
    "a total without end": lambda r: dict(r, total="1000000000"),
    "a page that never ends": lambda r: dict(r, total="10"),
    "a power that is none": lambda r: changed(r, ["validators", 0, "voting_power"], "-5"),
    "not a list": lambda r: dict(r, validators={"0": r["validators"][0]}),
}


@pytest.mark.parametrize("what", SETS)
def test_wrong_validators(ledger, proxy, what):
    """Known by their hash: an adapter that has none yet reports nothing before it has the right ones."""
    proxy.after = twist("validators", SETS[what])
    with LedgerDriver(ledger, http=[proxy.url], ws=[]) as driver:
        driver.wait_for(lambda: driver.lies() >= 1)
        assert not driver.blocks() and not [e for e in driver.events if e["event"] == "progress"]
    with LedgerDriver(ledger, http=[proxy.url, ledger.chain.url], ws=[]) as driver:
        driver.catch_up()


def test_keys_of_another_kind(ledger, proxy):
    """They are not the node's lie, but nothing can be checked with them."""
    proxy.after = twist("validators", lambda r: changed(r, ["validators", 0, "pub_key", "type"], "tendermint/PubKeySecp256k1"))
    with LedgerDriver(ledger, http=[proxy.url], ws=[]) as driver:
        driver.wait_for(lambda: proxy.methods.count("validators") >= 3)
        assert not driver.blocks()
        proxy.after = lambda call, reply: reply
        driver.catch_up()


def test_a_stale_head(ledger, proxy):
    """A node that keeps saying the same height, and claims a higher one in its status: the other one leads."""
    with LedgerDriver(ledger, http=[proxy.url, ledger.chain.url], ws=[]) as driver:
        top = driver.catch_up()
        old = ledger.chain.rpc.ask("commit", height=str(top))

        def stale(call, reply):
            if call["method"] == "commit" and "height" not in (call["params"] or {}):
                return dict(reply, result=old)
            if call["method"] == "status":
                return dict(reply, result=changed(reply["result"], ["sync_info", "latest_block_height"], "9000000000"))
            return reply

        proxy.after = stale
        ids = ledger.say(b"fresh", 2)
        driver.wait_messages(ids)
        driver.wait_height(ledger.chain.rpc.block_number() + 5)
        assert driver.lies() == 0  # it may be behind


def test_wrong_proofs(ledger, proxy):
    gateway, rpc = ledger.contract.address, ledger.chain.rpc
    with LedgerDriver(ledger, http=[proxy.url], ws=[]) as driver:
        top = driver.catch_up()
        block_hash, header = rpc.header(top)

        def ask(slots) -> dict:
            return driver.ask("account_proof", height=top, hash=block_hash, address=gateway, slots=slots, state_root="0x" + header["app_hash"])

        zero, other = "0x" + "00" * 32, "0x" + "ab" * 32
        assert ask([zero])["verified"] == "ok"
        op = ["response", "proofOps", "ops", 0]
        saved = rpc.question("/store", bytes([1]) + b"s" + bytes.fromhex(other[2:]), top - 1, True)
        before = driver.lies()
        wrong = [
            lambda r: changed(r, [*op, "data"], flipped), lambda r: changed(r, [*op, "data"], ""), lambda r: changed(r, [*op, "data"], "====="),
            lambda r: changed(r, [*op, "type"], "ics23:iavl"), lambda r: changed(r, ["response", "proofOps", "ops"], lambda o: o * 2),
            lambda r: changed(r, ["response", "proofOps"], None), lambda r: {"response": saved}, lambda r: {"response": None},
            lambda r: changed(r, ["response", "code"], "0"),
        ]
        for i, change in enumerate(wrong):
            proxy.after = twist_queries(change)
            answer = ask([zero])
            assert answer["err"] == "rpc-lie", (i, answer)
        assert driver.lies() >= before + len(wrong)
        # The value that is beside a proof counts for nothing.
        proxy.after = twist_queries(lambda r: changed(r, ["response", "value"], base64.b64encode(b"\1" * 32).decode()))
        answer = ask([zero])
        assert answer["err"] == "ok" and answer["verified"] == "ok" and answer["slots"] != ["0x" + "01" * 32]


def test_answers_of_the_application_that_are_none(ledger, proxy):
    with LedgerDriver(ledger, http=[proxy.url], ws=[]) as driver:
        driver.catch_up()
        for value in ("AAAA", "", None, base64.b64encode(b"\xff" * 72).decode()):
            proxy.after = twist_queries(lambda r, v=value: changed(r, ["response", "value"], v))
            answers = [driver.ask("fees"), driver.ask("account", address=ledger.sender)]
            assert all(a["err"] in ("rpc-lie", "overflow", "unavailable") for a in answers), (value, answers)
        for code in (1, 7, 4000):
            proxy.after = twist_queries(lambda r, c=code: changed(r, ["response", "code"], c))
            assert driver.ask("fees")["err"] not in ("ok", "internal")


# ---- events, which are the node's word ----

def without_events(hidden: set[str]):
    """A node that leaves out what some transactions emitted."""
    def after(call, reply):
        if call["method"] == "block_results" and "result" in reply:
            for result in reply["result"]["txs_results"] or []:
                if any(payload in json.dumps(result["events"]) for payload in hidden):
                    result["events"] = []
        return reply
    return after


def test_the_reconciler_finds_what_was_held_back(ledger, proxy):
    with LedgerDriver(ledger, http=[proxy.url, ledger.chain.url], ws=[], reconcile_ms=500) as driver:
        driver.catch_up()
        proxy.after = without_events({b"held back".hex()})
        shown, hidden = ledger.say(b"shown"), ledger.say(b"held back")
        driver.wait_messages(shown + hidden)
        assert set(hidden) <= set(driver.messages(late=True)) and driver.counters()["late"] >= 1


def test_the_reconciler_delays_no_live_event(ledger, proxy):
    """The node that it asks hangs about what was read before: whatever is live is reported before that answers."""
    hangs, answered, old = threading.Event(), threading.Event(), [0]

    def before(calls):
        if any(c["method"] == "block_results" and int(c["params"]["height"]) <= old[0] for c in calls):
            hangs.set()
            answered.wait(60)

    proxy.before = before
    try:
        with LedgerDriver(ledger, http=[ledger.chain.url, proxy.url], ws=[], reconcile_ms=500, request_timeout_ms=60_000) as driver:
            driver.catch_up()
            driver.wait_messages(ledger.say(b"looked at again"))
            old[0] = ledger.chain.rpc.block_number()
            assert hangs.wait(20)
            for _ in range(3):
                driver.wait_messages(ledger.say(b"live"))
            assert not answered.is_set()
    finally:
        answered.set()


def test_a_message_whose_id_is_not_its_own(ledger, proxy):
    """An event with another payload than the one that was hashed is left out."""
    def forge(call, reply):
        if call["method"] == "block_results" and "result" in reply:
            text = json.dumps(reply["result"])
            reply = dict(reply, result=json.loads(text.replace(b"real".hex(), b"fake".hex())))
        return reply

    with LedgerDriver(ledger, http=[proxy.url], ws=[]) as driver:
        driver.catch_up()
        proxy.after = forge
        ledger.say(b"real")
        driver.wait_for(lambda: driver.counters()["foreign"] >= 1)
        proxy.after = lambda call, reply: reply
        after = ledger.say(b"honest")
        driver.wait_messages(after)
        assert "0x" + b"fake".hex() not in json.dumps(driver.blocks())


# ---- slow, hung, gone ----

def test_a_node_that_hangs(ledger, proxy):
    """Its requests time out, the other one serves; when it answers again it is used again."""
    go = threading.Event()
    with LedgerDriver(ledger, http=[proxy.url, ledger.chain.url], ws=[], request_timeout_ms=700) as driver:
        driver.catch_up()
        proxy.before = lambda calls: go.wait(60)
        driver.wait_messages(ledger.say(b"hung"))
        event = driver.wait(lambda e: e["event"] == "endpoint" and e["state"] == "failing")
        go.set()
        driver.wait(lambda e: e["event"] == "endpoint" and e["state"] == "ok", since=driver.events.index(event))


def test_the_websocket_is_cut(ledger):
    with Relay(ledger.chain.port) as relay, LedgerDriver(ledger, ws=[f"ws://127.0.0.1:{relay.port}/websocket"], poll_ms=600_000) as driver:
        driver.wait(lambda e: e["event"] == "endpoint" and e["websocket"] and e["state"] == "ok")
        driver.wait_messages(ledger.say(b"before"))
        relay.refuse = True
        relay.cut()
        driver.wait(lambda e: e["event"] == "endpoint" and e["websocket"] and e["state"] == "failing")
        while_cut = ledger.say(b"cut", 3)
        relay.refuse = False  # the polls are ten minutes apart: only the connection itself can bring them
        driver.wait_messages(while_cut)
        driver.wait_messages(ledger.say(b"after"))
        assert driver.counters()["ws_connects"] >= 2


def test_a_websocket_that_says_nothing_any_more(ledger):
    with Relay(ledger.chain.port) as relay, LedgerDriver(ledger, ws=[f"ws://127.0.0.1:{relay.port}/websocket"]) as driver:
        driver.wait(lambda e: e["event"] == "endpoint" and e["websocket"] and e["state"] == "ok")
        driver.wait_for(lambda: driver.counters()["ws_hints"] >= 1)
        relay.hold()
        driver.wait_messages(ledger.say(b"silent"))
        driver.wait_for(lambda: driver.counters()["ws_silent"] >= 1)


def test_failover_keeps_the_order(ledger):
    """Two ways to the chain that fail in turn: every message once, in the order of the chain."""
    with RpcProxy(ledger.chain.url) as one, RpcProxy(ledger.chain.url) as two:
        def down(calls):
            raise Raw(b"", 503)

        with LedgerDriver(ledger, http=[one.url, two.url], ws=[]) as driver:
            driver.catch_up()
            start, ids = len(driver.messages()), []
            for bad, good in ((one, two), (two, one), (one, two)):
                bad.before, good.before = down, lambda calls: None
                ids += ledger.say(b"in turn", 2)
                driver.wait_messages(ids)
            assert driver.messages()[start:] == ids
            # Both away: told as a stall at most, and nothing is lost.
            one.before = two.before = down
            away = ledger.say(b"both away", 2)
            one.before = two.before = lambda calls: None
            driver.wait_messages(away)
            assert driver.messages()[start:] == ids + away
