"""Answers of the oracle's enclave: fetched over TLS that ends in it, extracted, aggregated, signed; checked offline."""
from __future__ import annotations

import threading
import time

import pytest

import oracle_vectors as ov
from lib import fetch
from oracle_enclave.world import HOST, OTHER, THIRD, seal, source, spec

PRICE = (125_000_000).to_bytes(32, "big")
TIMEOUT = 17


def test_an_app_gets_a_signed_answer(world, caller):
    server = world.server()
    text = spec(source(server.port))
    before = int(time.time())
    reply = caller.app(text)
    result = world.check_app(world.key(caller.hello()), reply, text)
    assert result["code"] == 0 and result["value"] == PRICE and before <= result["observed_at"] <= time.time()
    [row] = result["sources"]
    assert row["host_port"] == f"{HOST}:{server.port}" and row["protocol"] & 0xFFFF == 0x0304
    assert row["response"] == ov.v.keccak(b'{"price":"1.25"}')


def test_arguments_and_secrets_reach_the_source_alone(world, caller):
    heads = []
    server = world.server(fetch.answering(fetch.ok(b'{"prices":{"eth":"2"}}'), requests=heads))
    text = spec(source(server.port, path="/q?id={0}&key={secret:key}", pointer="/prices/{0}"))
    hello = caller.hello()
    sealed = seal(world.box(hello), ov.app_asker(b"app"), text, {"key": "s3cret&"})
    reply = caller.app(text, [b"eth"], sealed)
    result = world.check_app(world.key(hello), reply, text, [b"eth"], sealed)
    assert result["code"] == 0 and int.from_bytes(result["value"], "big") == 2 * 10**8
    assert heads[0].startswith(b"GET /q?id=eth&key=s3cret%26 HTTP/1.1\r\n")


def test_a_box_that_names_its_arguments(world, caller):
    heads = []
    server = world.server(fetch.answering(fetch.ok(), requests=heads))
    text = spec(source(server.port, path="/q?id={0}&key={secret:key}"))
    hello = caller.hello()
    sealed = seal(world.box(hello), ov.app_asker(b"app"), text, {"key": "x"}, arguments=[b"eth"])
    for argument, code in ((b"btc", 3), (b"eth", 0)):
        result = world.check_app(world.key(hello), caller.app(text, [argument], sealed), text, [argument], sealed)
        assert result["code"] == code
    assert [head.split()[1] for head in heads] == [b"/q?id=eth&key=x"]


def test_a_median_of_three_of_which_one_lies(world, caller):
    ports = [world.server(fetch.answering(fetch.ok(b'{"price":"%s"}' % p))).port for p in (b"100", b"101", b"5")]
    text = spec(*(source(p, h) for p, h in zip(ports, (HOST, OTHER, THIRD))), aggregate={"kind": "median", "k": 3})
    result = world.check_app(world.key(caller.hello()), caller.app(text), text)
    assert result["code"] == 0 and int.from_bytes(result["value"], "big") == 100 * 10**8
    text = spec(*(source(p, h) for p, h in zip(ports, (HOST, OTHER, THIRD))), aggregate={"kind": "median", "k": 3, "spread_ppm": 10000})
    assert world.check_app(world.key(caller.hello()), caller.app(text), text)["code"] == 48


def test_a_script(world, caller):
    server = world.server()
    script = "local p = json.pointer(body, '/price') return u256.fixed(p, 8)"
    text = spec(source(server.port, extract={"script": script}), decimals=0)
    result = world.check_app(world.key(caller.hello()), caller.app(text), text)
    assert result["code"] == 0 and result["value"] == PRICE


def test_a_slow_source_delays_nobody(world, caller):
    release = threading.Event()

    def slow(tls):
        fetch.read_head(tls)
        release.wait(20)
        tls.sendall(fetch.ok())

    late, fast = spec(source(world.server(slow).port)), spec(source(world.server().port))
    query = lambda text: {"audience": b"app", "query": {"spec": text}, "max_age": 600, "timeout_s": 60}  # noqa: E731
    first = caller.start("AnswerApp", **query(late))
    others = [caller.start("AnswerApp", **query(fast)) for _ in range(40)]
    key = world.key(caller.hello())
    for ident in others:
        assert world.check_app(key, caller.wait(ident), fast)["code"] == 0
    assert first not in caller.kept
    release.set()
    assert world.check_app(key, caller.wait(first), late)["value"] == PRICE


def test_a_source_that_never_answers_is_late(world, caller):
    """Two of three agree: the third holds the answer for a second and no longer, and the evidence names it."""
    release = threading.Event()

    def hang(tls):
        fetch.read_head(tls)
        tls.sendall(fetch.ok()[:-1])
        release.wait(30)

    ports = [world.server().port, world.server(hang).port, world.server().port]
    text = spec(*(source(port) for port in ports), aggregate={"k": 2, "kind": "median"})
    before = time.monotonic()
    try:
        result = world.check_app(world.key(caller.hello()), caller.app(text), text)
        # Its own ten seconds have not passed.
        assert time.monotonic() - before < 9
        assert result["code"] == 0 and [s["code"] for s in result["sources"]] == [0, TIMEOUT, 0]
        assert result["sources"][1]["protocol"] == 0 and result["sources"][1]["host_port"] == f"{HOST}:{ports[1]}"
        # A dry run shows what each one says: it is waited for.
        before = time.monotonic()
        [shown] = caller.call("DryRun", spec=text)["results"]
        assert time.monotonic() - before >= 9 and [s["code"] for s in shown["sources"]] == [0, TIMEOUT, 0]
    finally:
        release.set()


REQUESTS = SOURCES = 16


def test_many_slow_sources_delay_neither_a_feed_nor_a_fast_request(world, caller):
    """Sixteen requests of sixteen sources each, more than there are transfers: each source has begun its answer and does not end it."""
    release, hung = threading.Event(), threading.Semaphore(0)

    def hang(tls):
        while fetch.read_head(tls):
            tls.sendall(fetch.ok()[:-1])
            hung.release()
            release.wait(30)
            tls.sendall(fetch.ok()[-1:])

    def ended(reply: dict) -> list[int]:
        return [result["code"] for result in reply["results"]]

    # Each host and port has its bound: these are 24.
    ports = [world.server(hang).port for _ in range(8)]
    places = [(port, host) for port in ports for host in (HOST, OTHER, THIRD)]
    k = {"kind": "equal", "k": 9}
    slow = [spec(*(source(*places[(i * SOURCES + j) % len(places)], path=f"/{i}/{j}") for j in range(SOURCES)), aggregate=k)
            for i in range(REQUESTS)]
    query = lambda text: {"audience": b"app", "query": {"spec": text}, "max_age": 600, "timeout_s": 60}  # noqa: E731
    late = [caller.start("AnswerApp", **query(text)) for text in slow]
    try:
        for _ in range(100):
            assert hung.acquire(timeout=10), "fewer than a hundred sources were asked"
        port = world.server().port
        fast = spec(*(source(port, host) for host in (HOST, OTHER, THIRD)))
        feed = caller.start("Feeds", receiver=world.feeds, claims=[{"index": 0, "spec": fast}])
        quick = caller.start("AnswerApp", **query(fast))
        assert ended(caller.wait(feed)) == [0]
        key = world.key(caller.hello())
        assert world.check_app(key, caller.wait(quick), fast)["value"] == PRICE
        assert not set(late) & set(caller.kept)
    finally:
        release.set()
    for ident, text in zip(late, slow):
        result = world.check_app(key, caller.wait(ident), text)
        assert result["code"] in (0, TIMEOUT) and len(result["sources"]) == SOURCES


def test_feeds_share_a_statement_and_failures_have_one_of_their_own(world, caller):
    good, bad = world.server().port, world.server(fetch.answering(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")).port
    texts = [spec(source(good)), spec(source(bad)), spec(source(good), decimals=2)]
    reply = caller.call("Feeds", receiver=world.feeds, claims=[{"index": i, "spec": t} for i, t in enumerate(texts)])
    key = world.key(caller.hello())
    leaves = []
    for index, result in zip((0, 2), reply["results"]):
        world.check_evidence(result)
        assert result["request_id"] == ov.feed_id(world.feeds, index)
        assert result["sources"][0]["value"] == result["value"]
        leaves.append(ov.leaf_feed(result["request_id"], ov.spec_hash(texts[index]), result["observed_at"], result["evidence_hash"],
                                   int.from_bytes(result["value"], "big")))
    world.check(key, reply["statement"], world.feeds, leaves)
    [failed] = reply["failed"]
    world.check_evidence(failed)
    assert failed["code"] == 20 and failed["request_id"] == ov.feed_id(world.feeds, 1)
    world.check(key, reply["failed_statement"], world.feeds, [ov.leaf_answer(
        failed["request_id"], ov.spec_hash(texts[1]), 20, failed["observed_at"], failed["evidence_hash"], b"")])


def test_a_dry_run_shows_and_signs_nothing(world, caller):
    heads = []
    server = world.server(fetch.answering(fetch.ok(), requests=heads))
    reply = caller.call("DryRun", spec=spec(source(server.port, path="/p?key={secret:key}")))
    [result] = reply["results"]
    assert result["code"] == 0 and result["value"] == PRICE == result["sources"][0]["value"]
    assert reply["statement"] == b"" and reply["failed_statement"] == b""
    assert heads[0].startswith(b"GET /p?key=secret HTTP")
    [result] = caller.call("DryRun", spec=b"{}")["results"]
    assert result["code"] == 1 and "version" in result["why"]


def test_the_state_survives_and_keys_rotate(world):
    first = world.start()
    caller = world.caller(first)
    before = caller.hello()
    rotated = caller.call("Rotate", chain=world.identity())
    assert rotated["new_epoch"] == 2 and {s["receiver"] for s in rotated["statements"]} == {world.feeds, world.requests}
    old, new = world.box(before), caller.call("Rotate", chain=[k for k in before["keys"] if k["public_key"] == world.box(before)][0]["chain"])
    server = world.server()
    text = spec(source(server.port, path="/q?key={secret:key}"))
    for box in (old, new["new_key"]):
        assert caller.app(text, secrets=seal(box, ov.app_asker(b"app"), text, {"key": "x"}))["results"][0]["code"] == 0
    sealed = caller.call("Export")["sealed"]
    caller.close()
    first.stop()
    again = world.caller(world.start(), init=False)
    again.call("Import", sealed=sealed)
    hello = again.hello()
    assert [k["public_key"] for k in hello["keys"]][:2] == [world.key(before), rotated["new_key"]]
    reply = again.app(text, secrets=seal(old, ov.app_asker(b"app"), text, {"key": "x"}), epoch=2)
    assert reply["statement"]["epoch"] == 2
    world.check(rotated["new_key"], reply["statement"], ov.app_identity(b"app"), [ov.leaf_answer(
        *(reply["results"][0][f] for f in ("request_id", "spec_hash", "code", "observed_at", "evidence_hash", "value")))])
