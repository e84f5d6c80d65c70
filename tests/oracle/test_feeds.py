"""The scheduler of feeds against a real contract, real TLS servers and a real enclave."""
from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import threading
import time

import pytest

import oracle_vectors as ov
from adapters.proxies import RpcProxy
from lib import abi, crypto, deploy, fetch
from lib.oracle import FEED_SETTINGS, GAS_MONEY_WEI, Oracle, median, source, spec
from lib.rpc import wait_for
from lib.service import START_TIMEOUT_S, ApiError
from oracle.feed_world import E8, NAMES, WAIT_S, Feed, FeedWorld, body_of, quick

DEPOSED = "0x" + "de" * 20


@pytest.fixture(scope="module")
def world(tmp_path_factory, anvil):
    with FeedWorld(tmp_path_factory.mktemp("feeds"), anvil) as made:
        yield made


@pytest.fixture
def feed(world):
    """A factory; what it listed is removed afterwards, so that the next test is alone."""
    made = []

    def factory(*prices, listed: dict | None = None, **more):
        one = world.feed(*prices, **more)
        made.append(one)
        if listed is not None:
            one.list(**listed)
        return one

    yield factory
    for one in made:
        world.oracle.request("DELETE", one.path)


# --- what is published

def test_three_sources_of_which_one_lies(world, feed):
    one = feed(100, 101, 5, listed={})
    update = one.wait_value(100 * E8)
    shown = one.wait(lambda f: f["rounds"] and any(r["outcome"] == "included" for r in f["rounds"]), "an included round")
    assert one.value() == 100 * E8 and shown["state"] == "active" and shown["why"] == ""
    assert shown["value"] == "100.00000000" == shown["submitted_value"] and shown["moved_ppm"] == 0
    assert shown["submitted_round"] == 1 and 0 <= shown["submitted_age_s"] < 60
    first = one.rounds("included")[-1]
    assert first["reason"] == "heartbeat" and first["tx"] == update["tx"] and first["code_name"] == "ok"
    said = {s["host"].split(":")[0]: (s["value"], s["agrees"]) for s in first["sources"]}
    assert said == {NAMES[0]: ("100.00000000", True), NAMES[1]: ("101.00000000", True), NAMES[2]: ("5.00000000", False)}
    counts = {s["host"].split(":")[0]: (s["disagreements"], s["failures"]) for s in shown["sources"]}
    assert counts[NAMES[0]] == counts[NAMES[1]] == (0, 0) and counts[NAMES[2]][0] >= 1 and counts[NAMES[2]][1] == 0
    # What it cost is what the chain charged.
    receipt = world.chain.rpc.receipt(update["tx"])
    gas, wei = int(receipt["gasUsed"], 16), int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    assert (first["gas_used"], int(first["cost_wei"])) == (gas, wei) == (shown["gas_total"], int(shown["cost_wei_total"]))
    assert world.metrics("caisson_oracle_feed_disagreements_total", feed=one.index, source=2) >= 1
    assert world.metrics("caisson_oracle_feed_disagreements_total", feed=one.index, source=0) == 0
    assert 0 <= world.metrics("caisson_oracle_feed_age_seconds", feed=one.index) < 60
    world.oracle.shows_all()


def test_a_source_that_is_down(world, feed):
    one = feed(200, listed={}, down=1)
    one.wait_value(200 * E8)
    shown = one.show()
    assert [s["failures"] > 0 for s in shown["sources"]] == [False, True, False]
    assert all(s["disagreements"] == 0 for s in shown["sources"])
    [_, bad, _] = one.rounds()[-1]["sources"]
    assert bad["value"] is None and bad["code_name"] == "unreachable" and not bad["agrees"]


def test_a_deviation_is_published_and_less_is_not(world, feed):
    one = feed(1000, listed={})
    one.wait_value(1000 * E8)
    one.price(1009)
    one.wait_rounds(3)
    assert [u["value"] for u in one.updates()] == [1000 * E8]
    shown = one.show()
    assert shown["value"] == "1009.00000000" and shown["moved_ppm"] == 9000
    assert world.metrics("caisson_oracle_feed_deviation_ratio", feed=one.index) == pytest.approx(0.009)
    one.price(1010)
    one.wait_value(1010 * E8)
    one.wait(lambda f: f["submitted_value"] == "1010.00000000", "the new value")
    assert [(r["reason"], r["value"]) for r in one.rounds("included")] == [("deviation", "1010.00000000"), ("heartbeat", "1000.00000000")]


def test_the_heartbeat_is_kept(world, feed):
    one = feed(7, settings={"heartbeat": 8, "staleAfter": 12}, listed={"poll_ms": 8000, "lead_ms": 3000})
    one.wait_value(7 * E8)
    times = wait_for(lambda: (u := [u["observedAt"] for u in one.updates()]) and len(u) >= 4 and u, 60, "four heartbeats")
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert all(3 <= gap <= 8 for gap in gaps), gaps
    assert one.uptime.read("latestRoundData")[1] == 0
    assert {r["reason"] for r in one.rounds("included")} == {"heartbeat"}


# --- several at once

def test_several_feeds_in_one_call_and_one_of_them_alone(world, feed):
    feeds = [feed(10 + i, listed={"poll_ms": 4000}) for i in range(3)]
    for i, one in enumerate(feeds):
        one.wait_value((10 + i) * E8)
    # Once they were asked together they stay together.
    wait_for(lambda: len({f.rounds()[0]["time_ms"] for f in feeds}) == 1, WAIT_S, "a round of all three", 0.3)
    feeds[0].wait_rounds(1)  # none comes in the middle of the change
    for i, one in enumerate(feeds):
        one.price(20 + i)
    updates = [one.wait_value((20 + i) * E8) for i, one in enumerate(feeds)]
    assert len({u["tx"] for u in updates}) == 1
    shared = [f.wait(lambda f: f["submitted_value"] == f["value"], "the value").get("last_round") for f in feeds]
    assert shared
    included = [f.rounds("included")[0] for f in feeds]
    assert sum(r["gas_used"] for r in included) == int(world.chain.rpc.receipt(updates[0]["tx"])["gasUsed"], 16)
    # One alone is cheaper than all three, and its place in the statement is proven by a path.
    wait_for(lambda: len({f.rounds()[0]["time_ms"] for f in feeds}) == 1, WAIT_S, "a round of all three", 0.3)
    feeds[1].price(30)
    alone = feeds[1].wait_value(30 * E8)
    assert len([u for u in world.updates() if u["tx"] == alone["tx"]]) == 1
    call = world.calldata(alone["tx"])
    assert int.from_bytes(call[-32 * 5:-32 * 4], "big") == feeds[1].index
    for f in (feeds[0], feeds[2]):
        assert f.updates()[-1]["value"] != 30 * E8


def test_a_fourth_is_taken_along_where_that_is_cheaper(world, feed):
    feeds = [feed(10 + i, listed={"poll_ms": 4000}) for i in range(4)]
    for i, one in enumerate(feeds):
        one.wait_value((10 + i) * E8)
    wait_for(lambda: len({f.rounds()[0]["time_ms"] for f in feeds}) == 1, WAIT_S, "a round of all four", 0.3)
    feeds[0].wait_rounds(1)  # none comes in the middle of the change
    for i, one in enumerate(feeds[:3]):
        one.price(20 + i)
    updates = [one.wait_value((20 + i) * E8) for i, one in enumerate(feeds[:3])]
    assert len({u["tx"] for u in updates}) == 1
    last = feeds[3].wait(lambda f: f["submitted_round"] == 2 and not f["submitting"], "its second round")
    assert feeds[3].updates()[-1]["tx"] == updates[0]["tx"] and last["submitted_value"] == "13.00000000"
    assert [r["reason"] for r in feeds[3].rounds("included")] == ["along", "heartbeat"]


# --- what is not published

def test_a_slow_feed_delays_no_other(world, feed):
    """Asked together once; from then on the one whose source is slow is asked by itself."""
    gate, asked, held = threading.Event(), threading.Semaphore(0), threading.Event()
    gate.set()

    def handle(tls):
        while fetch.read_head(tls):
            if held.is_set():
                asked.release()
                gate.wait(30)
            else:
                time.sleep(1.5)
            tls.sendall(fetch.ok(b'{"price":"5"}'))

    server = fetch.Server(world.folder / "slow", world.sources.authority.leaf(NAMES[2]), handle)
    try:
        world.count += 1
        text = spec(source(f"https://{NAMES[2]}:{server.port}/slow"))
        added = world.contracts.add_feed(FEED_SETTINGS | {"specHash": ov.spec_hash(text), "deviation": 10_000})
        slow, quick_ = Feed(world, f"feed{world.count}", text, added), feed(1)
        slow.list()
        quick_.list()
        slow.wait_rounds(2)  # it is known to be slow
        quick_.wait_rounds(2)
        gate.clear()
        held.set()
        assert asked.acquire(timeout=WAIT_S)
        before = len(slow.rounds())
        quick_.wait_rounds(2)
        assert len(slow.rounds()) == before
    finally:
        gate.set()
        held.clear()
        for each in (slow, quick_):
            each.remove()
        server.close()


def test_all_disagree_and_it_is_told(world, feed):
    one = feed(100, 50, 5, listed={"trip_after": 2})
    shown = one.wait(lambda f: f["state"] == "tripped", "the breaker")
    assert shown["why"] == "disagreement: 1 of 3 sources agree, 2 must" and shown["failures"] >= 2
    assert one.updates() == [] and shown["submitted_value"] is None and shown["value"] is None
    rounds = one.rounds()
    assert {r["outcome"] for r in rounds} == {"refused"} and rounds[0]["value"] == "50.00000000" and rounds[0]["tx"] is None
    assert [s["agrees"] for s in rounds[0]["sources"]] == [False, True, False]
    assert world.log_events("feed.tripped") and world.metrics("caisson_oracle_feed_active", feed=one.index) == 0
    assert [f["index"] for f in world.oracle.feeds(state="tripped")] == [one.index]
    # Nobody has to come: with agreement it goes on.
    one.price(80)
    one.wait_value(80 * E8)
    assert one.wait(lambda f: f["state"] == "active", "agreement")["failures"] == 0


def test_the_enclave_s_own_disagreement(world, feed):
    one = feed(100, 150, 100, spread_ppm=10_000, listed={"trip_after": 1})
    shown = one.wait(lambda f: f["state"] == "tripped", "the breaker")
    assert shown["why"] == "no value: disagreement"
    last = one.rounds()[0]
    assert (last["outcome"], last["code"], last["value"]) == ("failed", 48, None)
    assert [s["agrees"] for s in last["sources"]] == [True, False, True]
    assert one.updates() == []
    # Pauses double: the third asking comes later after the second than that after the first.
    wait_for(lambda: len(one.rounds()) >= 3, WAIT_S, "three rounds")
    times = [r["time_ms"] for r in reversed(one.rounds())]
    assert times[1] - times[0] >= 3900 and times[2] - times[1] >= 3900


def test_a_jump_waits_for_an_operator(world, feed):
    one = feed(100, listed={"jump_ppm": 200_000, "trip_after": 2})
    one.wait_value(100 * E8)
    one.price(121)
    shown = one.wait(lambda f: f["state"] == "tripped", "the breaker")
    assert shown["why"] == "jump: 210000 millionths from the last value, at most 200000"
    assert [u["value"] for u in one.updates()] == [100 * E8]
    assert one.change("resume")["state"] == "active"
    one.wait_value(121 * E8)
    one.price(100)
    one.wait_value(100 * E8)


def test_paused_and_resumed(world, feed):
    one, other = feed(3, listed={}), feed(4, listed={})
    one.wait_value(3 * E8)
    assert one.change("pause")["state"] == "paused"
    # What was under way when it was paused may still come to its end.
    other.wait_rounds(2)
    before = len(one.rounds())
    one.price(5)
    other.wait_rounds(3)
    assert len(one.rounds()) == before and one.value() == 3 * E8
    assert one.change("resume")["state"] == "active"
    one.wait_value(5 * E8)


def test_the_guardian_stops_a_feed(world, feed):
    one = feed(3, listed={})
    one.wait_value(3 * E8)
    world.contract.write(world.contracts.guardian, "pauseFeed", one.index)
    one.price(9)
    shown = one.wait(lambda f: f["stopped_by_contract"], "the contract's word")
    assert shown["why"] == "the contract's feed is paused" and one.value() == 3 * E8


def test_a_pause_at_the_contract_is_known_from_its_log(world, feed):
    """Nothing is due for an hour: what the chain tells is shown, and kept, before anybody looks at the contract."""
    one = feed(3, listed={"poll_ms": 3_600_000, "pause_max_ms": 3_600_000})
    one.wait_value(3 * E8)
    rounds = len(one.rounds())
    world.contract.write(world.contracts.guardian, "pauseFeed", one.index)
    shown = one.wait(lambda f: f["stopped_by_contract"], "the log")
    assert (shown["state"], shown["why"]) == ("paused", "the contract's feed is paused")
    assert one.index in [f["index"] for f in world.oracle.get("/v1/oracle/feeds", state="paused")["feeds"]]
    assert one.index not in [f["index"] for f in world.oracle.get("/v1/oracle/feeds", state="active")["feeds"]]
    assert world.metrics("caisson_oracle_feed_active", feed=one.index) == 0
    world.oracle.stop()
    world.oracle.restart()
    assert one.show()["stopped_by_contract"] and one.show()["state"] == "paused"
    # The operator may resume what is his: that the contract takes no rounds is not.
    assert one.change("resume")["state"] == "paused"
    one.price(30)
    deploy.after_delay(world.contracts, world.contract, "resumeFeed", one.index)
    shown = one.wait(lambda f: not f["stopped_by_contract"], "the other log")
    assert (shown["state"], shown["why"]) == ("active", "")
    assert [u["value"] for u in one.updates()] == [3 * E8] and len(one.rounds("included")) == 1 and len(one.rounds()) >= rounds
    assert world.log_events("feed.paused_at_contract") and world.log_events("feed.resumed_at_contract")


def test_a_feed_of_nobody_is_told(world, feed):
    """FeedAdded is in the log; which feeds are served stays the operator's to say."""
    one = feed(3, settings={"description": "of nobody"})
    wait_for(lambda: any(f"index={one.index} " in line for line in world.log_events("feed.added_at_contract")), WAIT_S,
             "the log's line", 0.1)
    assert one.index not in [f["index"] for f in world.oracle.get("/v1/oracle/feeds")["feeds"]]
    assert world.oracle.request("GET", one.path)[0] == 404


# --- what a contract refuses is told by its name

def test_a_call_that_would_revert_is_told_by_name(world, feed):
    """Estimated before it is sent: no transaction is made."""
    one = feed(3, listed={})
    one.wait_value(3 * E8)
    wait_for(lambda: not one.show()["submitting"], WAIT_S, "the first round to be over")
    contract, c = world.contract, world.contracts
    contract.write(c.guardian, "suspendKey", world.identity, 1)
    try:
        one.price(4)
        lost = one.wait(lambda f: any(r["outcome"] == "lost" for r in f["rounds"]), "a lost round")
        [why] = {r["why"] for r in lost["rounds"] if r["outcome"] == "lost"}
        assert why == "reverted: KeyNotActive: the key that signed it is not known, suspended or revoked"
        assert any("KeyNotActive" in line for line in world.log_events("tx.failed"))
        assert [u["value"] for u in one.updates()] == [3 * E8]
    finally:
        deploy.after_delay(c, contract, "enableKey", world.identity, 1)
    one.wait_value(4 * E8)


def test_a_transaction_that_reverted_is_told_by_name(world, feed):
    """The guardian's transaction is in the block before the oracle's."""
    rpc, contract, c = world.chain.rpc, world.contract, world.contracts
    one = feed(3, listed={})
    one.wait_value(3 * E8)
    wait_for(lambda: not one.show()["submitting"], WAIT_S, "the first round to be over")
    rpc.call("evm_setIntervalMining", 0)
    try:
        one.price(4)
        one.wait(lambda f: f["value"] == "4.00000000", "a round")
        world.chain.mine()  # it waits for a block that is no older than itself
        one.wait(lambda f: f["submitting"], "a call")
        pool = wait_for(lambda: rpc.call("txpool_content")["pending"], WAIT_S, "the call in the pool", 0.1)
        [[tx]] = [list(account.values()) for account in pool.values()]
        raw = rpc.call("eth_getRawTransactionByHash", tx["hash"])
        rpc.call("anvil_dropTransaction", tx["hash"])
        contract.send(c.guardian, "pauseFeed", one.index)
        rpc.call("eth_sendRawTransaction", raw)
        world.chain.mine()
    finally:
        rpc.call("evm_setIntervalMining", 1)
    why = "reverted: FeedStopped: the feed is paused at its contract"
    one.wait(lambda f: any((r["outcome"], r["why"]) == ("lost", why) for r in f["rounds"]), "its reason")
    assert any("FeedStopped" in line for line in world.log_events("tx.reverted"))
    assert one.show()["state"] == "paused" and [u["value"] for u in one.updates()] == [3 * E8]


# --- listing

def refused(world, status: int, code: str, detail: str, method: str, path: str, body=None, key=None) -> None:
    got, problem = world.oracle.request(method, path, body, key=key)
    assert (got, problem["code"]) == (status, code) and detail in problem.get("detail", ""), problem


def test_what_may_not_be_listed(world, feed):
    one = feed(1)
    path = "/v1/oracle/feeds"
    other = spec(*(source(world.sources.url(n, "other")) for n in NAMES), aggregate=median(2))
    cases = [
        (400, "invalid", "not the contract's", {"spec": json.loads(other)}),
        (404, "not-found", "no feed of this index", {"index": 10_000}),
        (404, "not-found", "names none", {"contract": DEPOSED}),
        (404, "not-found", "names none", {"contract": world.contracts.requests.address.lower()}),
        (404, "not-found", "names none", {"chain": "eip155:1"}),
        (400, "malformed", "contract", {"contract": "feeds"}),
        (400, "missing-field", "index", {"index": -1}),
        (400, "missing-field", "spec", {"spec": "{}"}),
        (400, "missing-field", "version", {"spec": {}}),
        (400, "unknown-field", "seed", {"seed": 1}),
        (400, "invalid", "heartbeat_s", {"heartbeat_s": 3601}),
        (400, "invalid", "deviation_ppm", {"deviation_ppm": 10_001}),
        (400, "invalid", "k: from", {"k": 1}),
        (400, "invalid", "poll", {"poll_ms": 10}),
        (400, "invalid", "one int256", {"spec": json.loads(spec(source(world.sources.url(NAMES[0], "x")), kind="uint256"))}),
        (400, "invalid", "no arguments", {"spec": json.loads(spec(source(world.sources.url(NAMES[0], "{0}"))))}),
    ]
    for status, code, detail, over in cases:
        refused(world, status, code, detail, "POST", path, body_of(one, **over))
    assert world.oracle.feeds() == []
    one.list()
    refused(world, 409, "duplicate", "listed already", "POST", path, body_of(one))
    refused(world, 404, "not-found", "no feed", "GET", f"{path}/{world.contract.address.lower()}/999")
    refused(world, 404, "not-found", "verbs", "POST", one.path + ":stop", {})
    refused(world, 400, "malformed", "index", "GET", f"{path}/{world.contract.address.lower()}/x")
    refused(world, 400, "invalid", "limit", "GET", one.path + "?limit=101")
    refused(world, 401, "unauthorized", "", "GET", path, key="0" * 48)


def test_an_operator_s_key_is_needed(world, feed):
    one = feed(1)
    reader = "r" * 48
    world.oracle.write_keys(("demo", "read,ask,operate", world.oracle.key), ("reader", "read,ask", reader))
    wait_for(lambda: world.oracle.request("GET", "/v1/oracle/feeds", key=reader)[0] == 200, WAIT_S, "the new key")
    refused(world, 403, "forbidden", "", "POST", "/v1/oracle/feeds", body_of(one), key=reader)
    one.list()
    refused(world, 403, "forbidden", "", "POST", one.path + ":pause", {}, key=reader)
    refused(world, 403, "forbidden", "", "DELETE", one.path, key=reader)
    assert one.show()["state"] == "active"


def test_another_number_of_decimals(world, feed):
    one = feed(1, settings={"decimals": 6})
    refused(world, 400, "invalid", "8 decimals, the contract has 6", "POST", "/v1/oracle/feeds", body_of(one))


def test_removed_and_listed_again(world, feed):
    one = feed(1, listed={})
    one.wait_value(1 * E8)
    one.remove()
    with pytest.raises(ApiError) as refusal:
        one.show()
    assert refusal.value.status == 404 and one.index not in [f["index"] for f in world.oracle.feeds()]
    one.price(2)
    shown = one.list()
    # What the contract holds is known at once.
    assert shown["submitted_value"] == "1.00000000" and shown["submitted_round"] == 1
    one.wait_value(2 * E8)
    assert one.wait(lambda f: f["submitted_round"] == 2, "the second round")


# --- keys

def test_rounds_are_signed_with_the_key_that_the_contract_takes(world, feed):
    one = feed(100, listed={})

    def epoch(update: dict) -> int:
        return int.from_bytes(world.calldata(update["tx"])[4 + 32 * 3:4 + 32 * 4], "big")

    before = epoch(one.wait_value(100 * E8))
    told = world.oracle.post("/v1/oracle/keys:rotate", {"use": "answers"})
    assert told["epoch"] == before + 1
    # While the contract waits, and when it has both, nothing is lost.
    seen = []
    for price in range(110, 400, 10):
        one.price(price)
        seen.append(epoch(one.wait_value(price * E8)))
        if seen[-1] == before + 1:
            break
    assert seen == sorted(seen) and seen[-1] == before + 1, seen
    assert one.rounds("lost") == []


# --- restarts

def test_killed_in_the_middle_of_a_submission(world, feed):
    one, tripped = feed(50, listed={}), feed(1, 2, 3, listed={"trip_after": 1})
    one.wait_value(50 * E8)
    tripped.wait(lambda f: f["state"] == "tripped", "the breaker")
    rpc = world.chain.rpc
    # A call is made after one block and included by the next.
    rpc.call("evm_setIntervalMining", 8)
    try:
        one.price(60)
        one.wait(lambda f: f["submitting"] or any(r["outcome"] == "submitted" for r in f["rounds"]), "a call on its way")
        os.kill(world.oracle.process.pid, signal.SIGKILL)
        world.oracle.stop()
    finally:
        rpc.call("evm_setIntervalMining", 1)
    one.price(61)
    world.oracle.restart()
    one.wait_value(60 * E8)
    shown = one.wait(lambda f: f["submitted_value"] == "61.00000000" or not f["submitting"], "the end of the call")
    assert [u["value"] for u in one.updates() if u["value"] == 60 * E8] == [60 * E8]
    assert shown["state"] == "active" and tripped.show()["state"] == "tripped"
    one.price(70)
    one.wait_value(70 * E8)
    assert {r["outcome"] for r in one.rounds()} <= {"held", "included", "submitted"}


# --- what a node may say

def through(world, url: str) -> None:
    """From now on the oracle knows the chain by this endpoint alone."""
    world.oracle.stop()
    world.oracle.write_files()
    config = world.oracle.config.read_text()
    kept = [line for line in config.splitlines() if not line.startswith("ws = ")]
    world.oracle.config.write_text("\n".join(f'rpc = ["{url}"]' if line.startswith("rpc = ") else line for line in kept) + "\n")
    world.oracle.restart()


def test_a_node_that_lies_about_a_feed(world, feed):
    one = feed(10, listed={})
    one.wait_value(10 * E8)
    contract = world.contract
    info, latest = (abi.to_hex(abi.selector(contract.entry(name))) for name in ("feedInfo", "roundAt"))
    lie = {}

    def after(call, reply):
        data = call["params"][0].get("data") or call["params"][0].get("input", "") if call["method"] == "eth_call" else ""
        if data[:10] in lie and "result" in reply:
            return {**reply, "result": lie[data[:10]](reply["result"])}
        return reply

    told = {
        "a spec of its own": ({info: lambda r: r.replace(ov.spec_hash(one.spec).hex(), "11" * 32)},
                              "rpc-lie: the contract's spec became another"),
        "another feed": ({info: lambda r: "0x" + "22" * 32 + r[66:]}, "rpc-lie: feedInfo: not this feed's"),
        "no round": ({latest: lambda r: "0x"}, "rpc-lie: roundAt: no round"),
    }
    with RpcProxy(world.chain.url) as proxy:
        proxy.after = after
        through(world, proxy.url)
        try:
            for price, (what, (lies, why)) in enumerate(told.items(), 11):
                lie.update(lies)
                one.wait(lambda f: f["why"].startswith(why), f"'{what}' told")
                one.price(price)
                assert price * E8 not in [u["value"] for u in one.updates()]
                lie.clear()
                one.wait_value(price * E8)
            # That the contract has the new price already: it is believed until the node says otherwise, and costs time alone.
            lie[latest] = lambda r: "0x" + "".join(f"{n:064x}" for n in (99, 20 * E8, int(r[130:194], 16) + 1))
            one.price(20)
            one.wait(lambda f: f["submitted_round"] == 99, "the lie")
            one.wait_rounds(2)
            assert 20 * E8 not in [u["value"] for u in one.updates()]
            lie.clear()
            one.wait_value(20 * E8)
        finally:
            through(world, world.chain.url)


class Second(Oracle):
    """The same enclave's keys on another machine, and another account that pays."""

    @property
    def operator_secret(self) -> int:
        return int.from_bytes(crypto.keccak(b"the second operator"), "big") >> 8


def test_two_operators_on_one_feed(world, feed):
    first = world.oracle
    first.stop()
    second = Second(world.folder / "second", world.build, world.manifest, world.contracts, first.store, NAMES, first.start_height)
    for file in first.folder.iterdir():
        if file.is_file() and ("journal" in file.name or file.suffix == ".db" or file.name == "seal.root"):
            shutil.copy2(file, second.folder / file.name)
    journals = [f for f in second.folder.iterdir() if f.read_bytes()[:15] == b"SQLite format 3"]
    assert len(journals) == 1
    with sqlite3.connect(journals[0]) as journal:
        journal.execute("DELETE FROM meta WHERE name='feeds.seed'")
        journal.execute("DELETE FROM feeds")
    second.write_files()
    rpc = world.chain.rpc
    rpc.wait_receipt(rpc.send(world.contracts.owner, second.operator, value=GAS_MONEY_WEI, gas=21000))
    first.restart()
    try:
        second.start()
        wait_for(second.healthy, START_TIMEOUT_S, f"health of the second ({second.log})", 0.1)
        one = feed(100)
        overrides = quick({"poll_ms": 10_000, "jitter_ms": 5000})
        one.list(**overrides)
        second.list_feed(one.index, one.spec, **overrides)
        one.wait_value(100 * E8)
        moves = 4
        for move in range(moves):
            one.price(110 + 10 * move)
            one.wait_value((110 + 10 * move) * E8, 60)
        values = [u["value"] for u in one.updates()]
        # Each round is paid for once, but where both were at it in the same moment. A call that a node refuses costs nothing.
        lost = [r for r in one.rounds("lost") + one.rounds("lost", second) if r["gas_used"]]
        assert len(values) - (moves + 1) + len(lost) <= (moves + 1) // 2, (values, lost)
        for oracle in (first, second):
            wait_for(lambda o=oracle: one.show(o)["submitted_value"] == "140.00000000", WAIT_S, "both know the last round")
        wait_for(lambda: sum(len(one.rounds("included", o)) for o in (first, second)) == len(one.updates()), WAIT_S,
                 "each round is one operator's")
        second.check_log()
    finally:
        second.stop()


def test_a_reorganisation_takes_a_round(world, feed):
    """Blocks come by hand until it is over, and no more than the two that are not final yet: what was final, no reorganisation takes."""
    rpc, chain = world.chain.rpc, world.chain
    one = feed(10, listed={"poll_ms": 8000})
    one.wait_value(10 * E8)
    one.wait(lambda f: not f["submitting"], "the end of the call")
    rpc.call("evm_setIntervalMining", 0)
    try:
        snapshot = rpc.call("evm_snapshot")
        one.price(11)
        one.wait(lambda f: f["value"] == "11.00000000", "the value")
        chain.mine()  # as young as the value: now it may be submitted
        one.wait(lambda f: f["submitting"], "the call")
        wait_for(lambda: rpc.call("txpool_status")["pending"] != "0x0", WAIT_S, "the call at the node", 0.05)
        chain.mine()
        one.wait_value(11 * E8)
        one.wait(lambda f: f["submitted_value"] == "11.00000000", "the round")
        assert rpc.call("evm_revert", snapshot)
        assert [u["value"] for u in one.updates()] == [10 * E8]
        rpc.call("evm_setTime", int(time.time()))  # taken back as well: no observation is newer than a block that takes it
    finally:
        rpc.call("evm_setIntervalMining", 1)
    one.wait_value(11 * E8)
    shown = one.wait(lambda f: f["submitted_round"] == 2 and not f["submitting"], "the round again")
    assert not world.log_events("chain.diverged")
    assert [u["value"] for u in one.updates()] == [10 * E8, 11 * E8]
    assert shown["gas_total"] == sum(r["gas_used"] for r in one.rounds())
    assert int(shown["cost_wei_total"]) == sum(int(r["cost_wei"]) for r in one.rounds())
