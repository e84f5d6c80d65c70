"""Rounds, views and uptime of CaissonFeed."""
from __future__ import annotations

import pytest

import envelope_vectors as v
import oracle_vectors as o
from lib import abi
from lib.rpc import Contract, RpcError
from oracle_world import EVIDENCE, SETTINGS, SPEC, OracleWorld, at, refused
from world import DELAY, GAS, ZERO, error_of, key_pair

INT128_MAX = 2**127 - 1
PRICE = 3_000_00000000
# Chainlink's AggregatorV3Interface, by its published selectors.
AGGREGATOR = {"decimals": "313ce567", "description": "7284e416", "version": "54fd4d50", "getRoundData": "9a6fc8f5",
              "latestRoundData": "feaf968c"}


@pytest.fixture
def feed(w):
    return w.add_feed(historyBits=2)


def submits(w, *items: dict, **options) -> str | None:
    return error_of(w.feed, w.anyone, "submit", *w.update_args(list(items), **options))


def no_data(view: Contract, name: str, *values) -> bool:
    """Whether the view reverts as Chainlink's does."""
    with pytest.raises(RpcError) as refusal:
        view.read(name, *values)
    return refusal.value.data == abi.to_hex(abi.selector("Error(string)") + abi.encode(["string"], ["No data present"]))


# --- adding


def test_added_after_the_delay(w):
    refused(w, "OperationUnknown", w.feed, "addFeed", SETTINGS, sender=w.owner)
    feed = w.add_feed()
    assert feed["index"] == 0 and feed["feedId"] == o.feed_id(w.receiver(w.feed), 0) and w.feed.read("feedCount") == 1
    feed_id, view, uptime, paused, settings = w.feed.read("feedInfo", 0)
    assert (feed_id, abi.to_hex(view), abi.to_hex(uptime), paused, settings) == (
        feed["feedId"], feed["feed"].address, feed["uptime"].address, False, SETTINGS)
    assert w.add_feed(description="BTC / USD")["index"] == 1
    assert error_of(w.feed, w.anyone, "feedInfo", 2) == "FeedUnknown"


@pytest.mark.parametrize("over", [{"specHash": ZERO}, {"decimals": 37}, {"heartbeat": 0}, {"staleAfter": 3599}, {"historyBits": 16},
                                  {"description": "x" * 65}])
def test_settings_that_are_none(w, over):
    w.feed.write(w.owner, "schedule", w.feed.data("addFeed", SETTINGS | over))
    w.advance(DELAY)
    refused(w, "SettingsInvalid", w.feed, "addFeed", SETTINGS | over, sender=w.owner)


# --- the interface of existing consumers


def test_aggregator_interface(w, feed):
    assert {n: abi.selector(feed["feed"].entry(n)).hex() for n in AGGREGATOR} == AGGREGATOR
    assert {n: abi.selector(feed["uptime"].entry(n)).hex() for n in AGGREGATOR} == AGGREGATOR
    read = feed["feed"].read
    assert (read("decimals"), read("description"), read("version")) == (8, "ETH / USD", 1)
    assert no_data(feed["feed"], "latestRoundData") and no_data(feed["feed"], "getRoundData", 1)
    w.update(w.value(feed, PRICE, observed_at=w.now()))
    when = w.now() - 1
    round_id, answer, started, updated, answered_in = read("latestRoundData")
    assert (round_id, answer, answered_in) == (1, PRICE, 1) and started == updated and when - 2 <= updated <= w.now()


def test_existing_consumer(w):
    feed = w.add_feed()
    consumer = w.deploy("FeedConsumer", feed["feed"].address, feed["uptime"].address, 4000, 60)

    def price() -> int | str:
        try:
            return consumer.read("price")
        except RpcError as error:
            return abi.decode(["string"], abi.to_bytes(error.data)[4:])[0]

    assert price() == "down"
    w.update(w.value(feed, PRICE))
    assert price() == "grace"  # it has just come up
    w.advance(61)
    assert price() == PRICE * 10**10
    w.advance(3900)
    assert price() == "down"  # stale
    w.update(w.value(feed, PRICE + 1))
    assert price() == "grace"
    w.advance(100)
    w.update(w.value(feed, PRICE + 2))
    assert price() == (PRICE + 2) * 10**10  # an ordinary round does not begin the grace anew


@pytest.mark.parametrize("value", [0, 1, -1, PRICE, -PRICE, INT128_MAX, -INT128_MAX - 1])
def test_values(w, feed, value):
    w.update(w.value(feed, value))
    assert feed["feed"].read("latestRoundData")[1] == value


@pytest.mark.parametrize("value", [INT128_MAX + 1, -INT128_MAX - 2, 2**255 - 1, -2**255])
def test_values_too_large(w, feed, value):
    refused(w, "TooLarge", w.feed, "submit", *w.update_args([w.value(feed, value)]))


# --- rounds


def test_rounds_and_their_history(w, feed):
    """Four rounds before the latest are kept; older ones are missing as Chainlink's are."""
    times = []
    for i in range(1, 12):
        w.advance(10)
        times.append(w.now())
        receipt = w.update(w.value(feed, PRICE + i, observed_at=times[-1]))
        assert w.feed.events("FeedUpdated", receipt) == [{"index": 0, "value": PRICE + i, "observedAt": times[-1]}]
        for back in range(5):
            r = i - back
            if r >= 1:
                assert feed["feed"].read("getRoundData", r) == [r, PRICE + r, times[r - 1], times[r - 1], r]
        assert feed["feed"].read("latestRoundData") == feed["feed"].read("getRoundData", i)
        for missing in (0, i + 1, i - 5, 2**64 + i, 2**80 - 1):
            assert missing < 0 or no_data(feed["feed"], "getRoundData", missing)


@pytest.mark.parametrize("bits, kept", [(0, 0), (1, 2), (3, 8)])
def test_length_of_history(w, bits, kept):
    feed = w.add_feed(historyBits=bits)
    for i in range(1, 12):
        w.advance(1)
        w.update(w.value(feed, i))
    assert [r for r in range(1, 12) if error_of(feed["feed"], w.anyone, "getRoundData", r) is None] == list(range(11 - kept, 12))


@pytest.mark.parametrize("how", ["cancel", "schedule"])
def test_rounds_are_where_no_operation_is(w, feed, how):
    """A feed's key is the hash of 64 bytes, and so the id of the operation that is those bytes; `readyAt` is in slot 2, as round 2 is."""
    for price in (1, 2, 3):
        w.update(w.value(feed, price))
        w.advance(10)
    operation = feed["feedId"] + o.spec_hash(SPEC)
    assert w.feed.read("readyAt", v.keccak(operation)) == 0
    if how == "cancel":
        assert error_of(w.feed, w.guardian, "cancel", operation) == "OperationUnknown"
    else:
        w.feed.write(w.owner, "schedule", operation)
    assert [feed["feed"].read("getRoundData", n)[1] for n in (1, 2, 3)] == [1, 2, 3]


def test_older_equal_and_future_observations(w, feed):
    w.advance(100)
    first = w.now()
    w.update(w.value(feed, 1, observed_at=first))
    for observed_at, error in ((first, "ObservedNotNewer"), (first - 1, "ObservedNotNewer"), (0, "ObservedNotNewer"),
                               (first + 1000, "ObservedInFuture"), (2**32, "ObservedInFuture"), (2**64 - 1, "ObservedInFuture")):
        refused(w, error, w.feed, "submit", *w.update_args([w.value(feed, 2, observed_at=observed_at)]))
    assert feed["feed"].read("latestRoundData")[:2] == [1, 1]
    future = w.update_args([w.value(feed, 3, observed_at=first + 500)])
    assert not at(w, first + 499, w.feed, "submit", *future)
    assert at(w, first + 500, w.feed, "submit", *future)
    assert not at(w, first + 501, w.feed, "submit", *future)  # replayed
    assert feed["feed"].read("latestRoundData")[:2] == [2, 3]


def test_held_back_value_is_old_not_new(w, feed):
    """A host that keeps a signed value and brings it later cannot make it look fresh."""
    held = w.update_args([w.value(feed, PRICE)])
    observed_at = held[2][0]["observedAt"]
    w.advance(5000)
    w.feed.write(w.anyone, "submit", *held)
    assert feed["feed"].read("latestRoundData")[2:4] == [observed_at, observed_at]
    assert feed["uptime"].read("latestRoundData")[1] == 1
    newer = w.value(feed, PRICE + 1)
    w.update(newer)
    refused(w, "ObservedNotNewer", w.feed, "submit", *held)


def test_several_feeds_by_one_signature(w):
    feeds = [w.add_feed(description=f"feed {i}", historyBits=i % 2) for i in range(5)]
    for turn in range(3):
        w.advance(10)
        receipt = w.update(*(w.value(f, 100 * turn + f["index"]) for f in feeds))
        assert len(w.feed.events("FeedUpdated", receipt)) == 5
        assert [f["feed"].read("latestRoundData")[:2] for f in feeds] == [[turn + 1, 100 * turn + i] for i in range(5)]


def test_poisoned_items(w):
    """What cannot be taken is skipped, the rest is recorded; twice the same feed counts in order."""
    feeds = [w.add_feed(description=f"feed {i}") for i in range(5)]
    w.feed.write(w.guardian, "pauseFeed", 3)
    w.advance(10)
    now = w.now()
    w.update(w.value(feeds[1], 5, observed_at=now - 5))
    items = [w.value(feeds[0], 7), w.value(feeds[1], 7, observed_at=now - 6), w.value(feeds[2], 2**200), w.value(feeds[3], 7),
             w.value(feeds[4], 7, observed_at=now + 9999), w.value(feeds[0], 8, index=99), w.value(feeds[0], 8, specHash=v.u(5)),
             w.value(feeds[0], 9), w.value(feeds[1], 9, observed_at=now)]
    receipt = w.update(*items)
    assert [(e["index"], e["value"]) for e in w.feed.events("FeedUpdated", receipt)] == [(0, 7), (1, 9)]
    assert all(no_data(feeds[i]["feed"], "latestRoundData") for i in (2, 3, 4))
    refused(w, "NothingToDo", w.feed, "submit", *w.update_args(items[1:5]))
    refused(w, "BatchEmpty", w.feed, "submit", w.identity, w.statement(w.feed, ZERO), [])


def test_part_of_a_batch(w):
    feeds = [w.add_feed(description=f"feed {i}") for i in range(3)]
    items = [w.value(f, 5) for f in feeds]
    leaves = [w.leaf_feed(i) for i in items]
    st = w.statement(w.feed, v.levels(leaves)[-1][0], v.path_of(leaves, 1, 0))
    w.feed.write(w.anyone, "submit", w.identity, st, items[1:2], gas=GAS)
    assert no_data(feeds[0]["feed"], "latestRoundData") and feeds[1]["feed"].read("latestRoundData")[:2] == [1, 5]


# --- who may say what


def test_signatures_of_others(w, feed):
    item = w.value(feed, PRICE)
    assert submits(w, item, secret=key_pair("stranger")[0]) == "SignatureInvalid"
    assert submits(w, item, epoch=2) == "KeyNotActive"
    assert submits(w, item, manifest=0) == "ManifestTooOld"
    assert submits(w, item, domain=v.INSECURE) == "SignatureInvalid"
    for kind in (v.MESSAGE, v.OUTCOME, v.ROTATION):
        assert submits(w, item, kind=kind) == "SignatureInvalid"
    identity, st, items = w.update_args([item])
    refused(w, "KeyNotActive", w.feed, "submit", ZERO, st, items)
    for change in ({"s": v.N - st["s"]}, {"ry": v.P - st["ry"]}, {"rx": st["rx"] ^ 1}, {"path": [ZERO]}):
        refused(w, "SignatureInvalid", w.feed, "submit", identity, {**st, **change}, items)
    for change in ({"value": PRICE + 1}, {"observedAt": item["observedAt"] - 1}, {"evidenceHash": ZERO}, {"specHash": v.u(1)},
                   {"index": 1}):
        refused(w, "SignatureInvalid", w.feed, "submit", identity, st, [{**item, **change}])
    w.feed.write(w.anyone, "submit", identity, st, items)


def test_key_of_a_bridge(w, feed, world):
    assert submits(w, w.value(feed, PRICE), secret=world.remote.secret) == "SignatureInvalid"


def test_wrong_spec(w, feed):
    """Signed by the oracle, for this feed, but computed under another spec: there is no such feed."""
    item = w.value(feed, PRICE, specHash=o.spec_hash(o.SPECS["median of three"]))
    refused(w, "FeedUnknown", w.feed, "submit", *w.update_args([item]))
    refused(w, "FeedUnknown", w.feed, "submit", *w.update_args([w.value(feed, PRICE, index=1)]))
    refused(w, "FeedUnknown", w.feed, "submit", *w.update_args([w.value(feed, PRICE, index=2**64 - 1)]))


def test_another_feed_of_the_same_spec(w, feed):
    """A value is of one feed, also where two have the same spec."""
    twin = w.add_feed(description="twin")
    identity, st, items = w.update_args([w.value(feed, PRICE)])
    refused(w, "SignatureInvalid", w.feed, "submit", identity, st, [{**items[0], "index": twin["index"]}])


def test_another_deployment_and_another_chain(w, feed):
    second = w.deploy_own("CaissonFeed")
    second.write(w.owner, "registerOracle", w.lineage, 1)
    second.write(w.owner, "registerKey", w.identity, 1, w.x, ZERO, ZERO)
    w.later(second, "addFeed", SETTINGS | {"historyBits": 2})
    values = w.update_args([w.value(feed, PRICE)])
    refused(w, "SignatureInvalid", second, "submit", *values)
    refused(w, "SignatureInvalid", w.feed, "submit", *w.update_args([w.value(feed, PRICE)], receiver=w.receiver(second)))
    other = v.identity(w.chain.caip2, v.keccak(b"another genesis"), abi.to_bytes(w.feed.address))
    refused(w, "SignatureInvalid", w.feed, "submit", *w.update_args([w.value(feed, PRICE)], receiver=other))
    w.feed.write(w.anyone, "submit", *values)


def test_an_answer_is_no_round(w, feed):
    """A round that failed is signed as an answer whose requestId is the feedId. Neither contract takes it for more."""
    failed = o.leaf_answer(feed["feedId"], o.spec_hash(SPEC), 48, w.now(), EVIDENCE, b"")
    item = w.value(feed, 0)
    refused(w, "SignatureInvalid", w.feed, "submit", w.identity, w.statement(w.feed, failed), [item])
    answer = w.answer(w.ask())
    st = w.statement(w.oracle, w.leaf_feed(item, w.receiver(w.oracle)))
    refused(w, "SignatureInvalid", w.oracle, "fulfil", w.identity, st, [answer])


def test_suspended_key(w, feed):
    values = w.update_args([w.value(feed, PRICE)])
    w.feed.write(w.guardian, "suspendKey", w.identity, 1)
    refused(w, "KeyNotActive", w.feed, "submit", *values)


def test_insecure_domain(chain):
    w = OracleWorld(chain, insecure=True)
    feed = w.add_feed()
    assert submits(w, w.value(feed, 1), domain=v.SECURE) == "SignatureInvalid"
    w.update(w.value(feed, 1))


# --- pausing and staleness


def test_pause(w, feed):
    w.update(w.value(feed, PRICE))
    for sender in (w.anyone, w.user):
        refused(w, "NotOwnerOrGuardian", w.feed, "pauseFeed", 0, sender=sender)
    w.feed.write(w.guardian, "pauseFeed", 0)
    paused_at = w.now()
    refused(w, "NothingToDo", w.feed, "pauseFeed", 0, sender=w.owner)
    refused(w, "FeedUnknown", w.feed, "pauseFeed", 7, sender=w.owner)
    w.advance(5)
    refused(w, "FeedStopped", w.feed, "submit", *w.update_args([w.value(feed, PRICE + 1)]))
    assert w.feed.read("feedInfo", 0)[3] is True
    assert feed["feed"].read("latestRoundData")[1] == PRICE  # what was there stays readable, and the uptime view says no
    assert feed["uptime"].read("latestRoundData")[1:3] == [1, paused_at]
    refused(w, "OperationUnknown", w.feed, "resumeFeed", 0, sender=w.owner)
    w.later(w.feed, "resumeFeed", 0)
    assert feed["uptime"].read("latestRoundData")[1:3] == [0, w.now()]
    w.update(w.value(feed, PRICE + 1))
    assert feed["feed"].read("latestRoundData")[:2] == [2, PRICE + 1]


def test_pausing_keeps_the_rest(w, feed):
    """The word that holds round, value, times and flags loses none of them."""
    w.update(w.value(feed, -5))
    before = feed["feed"].read("latestRoundData")
    w.feed.write(w.owner, "pauseFeed", 0)
    assert feed["feed"].read("latestRoundData") == before
    w.later(w.feed, "resumeFeed", 0)
    assert feed["feed"].read("latestRoundData") == before
    w.update(w.value(feed, -6))
    assert feed["feed"].read("getRoundData", 1) == before


def test_staleness_to_the_second(w, feed):
    added = w.now()
    assert feed["uptime"].read("latestRoundData")[:3] == [0, 1, added]  # no round yet
    assert feed["uptime"].read("decimals") == 0 and feed["uptime"].read("description") == "ETH / USD uptime"
    observed_at = w.now()
    w.update(w.value(feed, 1, observed_at=observed_at))
    up = w.now()
    for ahead, stale in ((3899, 0), (3900, 0), (3901, 1), (9999, 1)):
        w.at(observed_at + ahead)
        round_id, answer, since, updated, _ = feed["uptime"].read("latestRoundData")
        assert (round_id, answer, since) == (1, stale, observed_at + 3900 if stale else up)
        assert updated >= observed_at + ahead
    w.update(w.value(feed, 2))
    back = w.now()
    assert feed["uptime"].read("latestRoundData")[:3] == [2, 0, back]
    w.advance(5)
    w.update(w.value(feed, 3))
    assert feed["uptime"].read("latestRoundData")[:3] == [3, 0, back]
    assert feed["uptime"].read("getRoundData", 3)[:3] == [3, 0, back]
    assert no_data(feed["uptime"], "getRoundData", 2)


def test_last_second_in_which_a_feed_is_fresh(w, feed):
    """A round in that second keeps the time since which it is up; one second later it begins anew."""
    first = w.now()
    w.update(w.value(feed, 1, observed_at=first))
    up = w.now()
    assert at(w, first + 3900, w.feed, "submit", *w.update_args([w.value(feed, 2, observed_at=first + 100)]))
    assert feed["uptime"].read("latestRoundData")[:3] == [2, 0, up]
    assert at(w, first + 4001, w.feed, "submit", *w.update_args([w.value(feed, 3, observed_at=first + 4000)]))
    assert feed["uptime"].read("latestRoundData")[:3] == [3, 0, first + 4001]


def test_views_are_nobodys(w, feed):
    for view in (feed["feed"], feed["uptime"]):
        assert all(e["stateMutability"] in ("view", "pure") for e in view.abi if e["type"] == "function")
        assert abi.to_hex(view.read("store")) == w.feed.address.lower()


def test_no_money(w):
    tx = w.rpc.send(w.user, w.feed.address, b"", 1)
    assert w.rpc.wait_receipt(tx, accept_revert=True)["status"] == "0x0"
