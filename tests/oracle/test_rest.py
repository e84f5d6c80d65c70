"""caisson-oracle over REST: signed answers for apps, dry runs, specs by hash; what is refused; what a crash leaves."""
from __future__ import annotations

import json
import os
import signal
import threading
import time

import pytest

import oracle_vectors as ov
from lib import fetch
from lib.rpc import wait_for
from oracle.rest import ASK, OPERATE, READ, SHOP, Oracle, check, unhex
from oracle_enclave.world import HOST, OTHER, THIRD, World, canonical, seal, source, spec

PRICE = (125_000_000).to_bytes(32, "big")
REQUESTS, DRY_RUN, SPECS = "/v1/oracle/requests", "/v1/oracle/requests:dry-run", "/v1/oracle/specs"
ASYNC = {"Prefer": "respond-async"}


class Gate:
    """A source that answers when it is let."""

    def __init__(self, world):
        self.open, self.asked = threading.Event(), threading.Semaphore(0)
        self.server = world.server(self.handle)

    def handle(self, tls):
        while fetch.read_head(tls):
            self.asked.release()
            self.open.wait(60)
            tls.sendall(fetch.ok())

    def wait_asked(self):
        assert self.asked.acquire(timeout=30), "the source was not asked"

    @property
    def spec(self) -> bytes:
        return spec(source(self.server.port))


@pytest.fixture
def gate(rest_world):
    made = Gate(rest_world)
    yield made
    made.open.set()


# ---- answers ----

def test_an_app_gets_a_document_that_verifies_offline(rest, rest_world):
    text = spec(source(rest_world.server().port))
    status, document = rest.ask(text)
    assert status == 200, document
    assert check(document, rest_world.identity(), text) == PRICE
    assert document["value"] == "1.25000000" and document["code_name"] == "ok" and document["insecure"] is True
    assert rest.answer(document["id"]) == document


def test_everything_that_may_be_asked(rest, rest_world):
    heads = []
    server = rest_world.server(fetch.answering(fetch.ok(b'{"prices":{"eth":"2"}}'), requests=heads))
    text = spec(source(server.port, path="/q?id={0}&key={secret:key}", pointer="/prices/{0}"))
    _, told = rest.request("GET", "/v1/oracle/key")
    sealed = seal(unhex(told["secrets"]["public_key"]), ov.app_asker(b"shop"), text, {"key": "the-s3cret-of-the-shop"})
    status, document = rest.ask(text, arguments=["eth"], secrets="0x" + sealed.hex(), audience="shop", max_age=7, timeout_s=9)
    assert status == 200, document
    assert int.from_bytes(check(document, rest_world.identity(), text, [b"eth"], sealed, b"shop"), "big") == 2 * 10**8
    assert document["request"]["max_age"] == 7 and document["request"]["deadline"] - document["request"]["time"] <= 9
    assert b"key=the-s3cret-of-the-shop" in heads[0]
    assert unhex(told["answers"]["public_key"]) == unhex(document["key"])
    assert unhex(told["oracle"]) == rest_world.identity()


def test_an_error_is_a_signed_answer(rest, rest_world):
    server = rest_world.server(fetch.answering(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"))
    text = spec(source(server.port))
    status, document = rest.ask(text)
    assert status == 200 and document["code_name"] == "http_status" and document["value"] is None
    assert check(document, rest_world.identity(), text) == b""
    forbidden = spec(source(443, host="forbidden.example.test"))
    assert rest.ask(forbidden)[1]["code_name"] == "not_allowed"


def test_a_spec_that_is_not_canonical_is_made_so(rest, rest_world):
    text = spec(source(rest_world.server().port))
    shuffled = json.dumps(dict(reversed(list(json.loads(text).items()))), indent=3)
    status, document = rest.ask(shuffled.encode())
    assert status == 200 and unhex(document["spec_hash"]) == ov.spec_hash(text)


def test_the_caller_need_not_wait(rest, rest_world, gate):
    status, told = rest.ask(gate.spec, headers=ASYNC)
    assert status == 202 and told["state"] == "open" and told["kind"] == "app"
    gate.wait_asked()
    status, late = rest.ask(gate.spec, headers={"Prefer": "wait=1"})
    assert status == 202
    assert rest.state(told["id"])["state"] == "open"
    gate.open.set()
    for ident in (told["id"], late["id"]):
        document = rest.answer(ident)
        assert check(document, rest_world.identity(), gate.spec) == PRICE
        row = rest.state(ident)
        assert row["state"] == "done" and row["request_id"] == document["id"] and row["code_name"] == "ok"


def test_a_slow_source_delays_nobody(rest, rest_world, gate):
    _, slow = rest.ask(gate.spec, headers=ASYNC)
    gate.wait_asked()
    fast = spec(source(rest_world.server().port))
    for _ in range(10):
        assert rest.ask(fast)[0] == 200
    assert rest.state(slow["id"])["state"] == "open"


def test_many_at_once_wait_their_turn(rest_world, tmp_path):
    gate = Gate(rest_world)
    text = gate.spec
    with Oracle(tmp_path, rest_world) as oracle:
        told = [oracle.ask(text, key=key, headers=ASYNC)[1]["id"] for key in (ASK, SHOP) for _ in range(130)]
        wait_for(lambda: oracle.metric("caisson_oracle_app_requests_asking") == 192, 60, "as many as the enclave may hold of them", 0.1)
        assert oracle.metric("caisson_oracle_app_requests_open") == 260
        # What is no app's finds room, and another source is not held up by this one.
        assert oracle.request("POST", DRY_RUN, {"spec": json.loads(spec(source(rest_world.server().port)))})[0] == 200
        gate.open.set()
        documents = [oracle.answer(ident, 60) for ident in told]
        # On a slow machine the first ones waited longer for their source than the enclave does: that is an answer too.
        codes = [d["code_name"] for d in documents]
        assert len({d["id"] for d in documents}) == 260 and set(codes) <= {"ok", "timeout"} and codes.count("ok") >= 260 - 192, codes
        for document in documents[::20]:
            assert check(document, rest_world.identity(), text) == (PRICE if document["code"] == 0 else b"")


def test_a_dry_run_tells_what_was_extracted(rest, rest_world):
    good, bad = rest_world.server().port, rest_world.server(lambda tls: None).port
    text = spec(source(good), source(bad), aggregate={"kind": "median", "k": 1})
    status, told = rest.request("POST", DRY_RUN, {"spec": json.loads(text)})
    assert status == 200, told
    assert told["value"] == "1.25000000" and [s["code"] == 0 for s in told["sources"]] == [True, False]
    assert told["sources"][0]["value"] == "1.25000000" and told["sources"][1]["why"]
    assert "statement" not in told and unhex(told["spec_hash"]) == ov.spec_hash(text)


def test_a_dry_run_of_an_enclave_that_does_not_answer(rest_world, tmp_path):
    """It ends, and says why; what the enclave says later is dropped, and nothing is broken."""
    text = json.loads(spec(source(rest_world.server().port)))
    with Oracle(tmp_path, rest_world) as oracle:
        pid = oracle.pids()["caisson-oracle-enclave"]
        os.kill(pid, signal.SIGSTOP)
        before = time.monotonic()
        try:
            status, problem = oracle.request("POST", DRY_RUN, {"spec": text}, timeout_s=60)
        finally:
            took = time.monotonic() - before
            os.kill(pid, signal.SIGCONT)
        assert (status, problem["code"], problem["detail"]) == (504, "timeout", "the enclave did not answer within 15 s")
        assert 14 < took < 40
        status, told = oracle.request("POST", DRY_RUN, {"spec": text})
        assert status == 200 and told["value"] == "1.25000000"
        assert oracle.pids()["caisson-oracle-enclave"] == pid


def test_a_dry_run_opens_no_secrets(rest, rest_world):
    heads = []
    server = rest_world.server(fetch.answering(fetch.ok(), requests=heads))
    text = spec(source(server.port, path="/q?key={secret:key}"))
    assert rest.request("POST", DRY_RUN, {"spec": json.loads(text)})[0] == 200
    assert b"key=secret " in heads[0]
    status, problem = rest.request("POST", DRY_RUN, {"spec": json.loads(text), "secrets": "0x00"})
    assert status == 400 and problem["code"] == "unknown-field"


def test_specs_by_hash(rest, rest_world):
    text = spec(source(rest_world.server().port), aggregate={"k": 1, "kind": "equal"})
    status, told = rest.request("PUT", SPECS, {"spec": json.loads(text)})
    assert status == 200 and unhex(told["spec_hash"]) == ov.spec_hash(text)
    status, again = rest.request("GET", f"{SPECS}/{told['spec_hash']}")
    assert status == 200 and canonical(again) == text
    assert rest.request("GET", f"{SPECS}/0x{'11' * 32}")[0] == 404
    assert rest.request("GET", f"{SPECS}/hello")[0] == 400
    assert rest.request("PUT", SPECS, {"spec": {"version": 1}})[0] == 400


def test_specs_of_one_key_are_bounded(rest_world, tmp_path):
    port = rest_world.server().port
    with Oracle(tmp_path, rest_world, specs_kib_max=16) as oracle:
        texts = [json.loads(spec(source(port, path=f"/{i}"))) for i in range(17)]
        assert all(oracle.request("PUT", SPECS, {"spec": text})[0] == 200 for text in texts[:16])
        status, problem = oracle.request("PUT", SPECS, {"spec": texts[16]})
        assert status == 503 and problem["code"] == "full" and "leaves after a day" in problem["detail"], problem
        assert oracle.request("PUT", SPECS, {"spec": texts[0]})[0] == 200  # what is there takes no more room
        assert oracle.request("PUT", SPECS, {"spec": texts[16]}, key=OPERATE)[0] == 403
        assert oracle.ask(json.dumps(texts[16]).encode())[0] == 200  # of a request: not published


def test_a_source_that_fails_at_first(rest, rest_world):
    heads, bad = [], iter([b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"])

    def handle(tls):
        while head := fetch.read_head(tls):
            heads.append(head)
            tls.sendall(next(bad, fetch.ok()))

    text = spec(source(rest_world.server(handle).port))
    status, document = rest.ask(text)
    assert status == 200 and check(document, rest_world.identity(), text) == PRICE and len(heads) == 2


def test_an_error_comes_at_once_where_no_time_is_left(rest, rest_world):
    heads = []
    text = spec(source(rest_world.server(fetch.answering(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", requests=heads)).port))
    status, document = rest.ask(text, timeout_s=10)
    assert status == 200 and document["code_name"] == "http_status" and len(heads) == 1
    status, document = rest.ask(text)
    assert status == 200 and document["code_name"] == "http_status" and len(heads) == 4  # three of the second


def test_lists_and_figures(rest, rest_world):
    text = spec(source(rest_world.server().port))
    for _ in range(3):
        assert rest.ask(text)[0] == 200
    page = rest.get(REQUESTS, state="done", kind="app", limit=2)
    assert len(page["requests"]) == 2 and page["next"]
    older = rest.get(REQUESTS, state="done", kind="app", limit=2, after=page["next"])
    assert not {r["id"] for r in older["requests"]} & {r["id"] for r in page["requests"]}
    assert rest.get(REQUESTS, kind="chain") == {"requests": [], "next": None}
    assert rest.metric('caisson_oracle_requests{kind="app",state="done",code="ok"}') >= 3
    assert rest.metric("caisson_oracle_app_answers_total") >= 3 and rest.metric("caisson_egress_connected_total") >= 1
    assert rest.metric("caisson_oracle_enclave_ready") == 1
    assert rest.get("/v1/chains") == {"chains": [], "ledger": None} and rest.get("/v1/enclave")["ready"] is True


# ---- refusals ----

GOOD = {"version": 1, "sources": [{"url": f"https://{HOST}/p", "extract": {"pointer": "/p"}}], "result": {"type": "uint256"}}


@pytest.mark.parametrize("body, status, code, detail", [
    ({}, 400, "missing-field", "spec"),
    ([], 400, "malformed", ""),
    ({"spec": "text"}, 400, "malformed", "spec"),
    ({"spec": {**GOOD, "version": 2}}, 400, "overflow", "spec"),
    ({"spec": {**GOOD, "extra": 1}}, 400, "unknown-field", "spec"),
    ({"spec": {**GOOD, "version": 1.5}}, 400, "invalid", "spec"),
    ({"spec": {**GOOD, "sources": []}}, 400, "invalid", "spec"),
    ({"spec": {**GOOD, "sources": [{"url": "http://a.test/", "extract": {"pointer": "/p"}}]}}, 400, "invalid", "spec"),
    ({"spec": {**GOOD, "sources": GOOD["sources"] * 17}}, 400, "invalid", "spec"),
    ({"spec": {**GOOD, "sources": [{"url": f"https://{HOST}/" + "x" * 17000, "extract": {"pointer": "/p"}}]}}, 413, "too-large", "spec"),
    ({"spec": GOOD, "argument": []}, 400, "unknown-field", "argument"),
    ({"spec": GOOD, "arguments": "eth"}, 400, "malformed", "arguments"),
    ({"spec": GOOD, "arguments": [1]}, 400, "malformed", "arguments[0]"),
    ({"spec": GOOD, "arguments": ["x"] * 9}, 413, "too-large", "arguments"),
    ({"spec": GOOD, "arguments": ["x" * 513]}, 413, "too-large", "arguments[0]"),
    ({"spec": GOOD, "secrets": "00"}, 400, "malformed", "secrets"),
    ({"spec": GOOD, "secrets": "0x" + "00" * 4145}, 413, "too-large", "secrets"),
    ({"spec": GOOD, "audience": "x" * 65}, 413, "too-large", "audience"),
    ({"spec": GOOD, "audience": 7}, 400, "malformed", "audience"),
    ({"spec": GOOD, "max_age": 0}, 400, "invalid", "max_age"),
    ({"spec": GOOD, "max_age": 86401}, 400, "invalid", "max_age"),
    ({"spec": GOOD, "timeout_s": 3601}, 400, "invalid", "timeout_s"),
    ({"spec": GOOD, "timeout_s": -1}, 400, "malformed", "timeout_s"),
])
def test_a_body_that_is_refused(rest, body, status, code, detail):
    before = rest.get(REQUESTS)["requests"]
    got, problem = rest.request("POST", REQUESTS, body)
    assert (got, problem["code"]) == (status, code), problem
    assert detail in problem.get("detail", ""), problem
    assert rest.get(REQUESTS)["requests"] == before


def raw(rest, body: bytes, **headers):
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", rest.port, timeout=30)
    try:
        connection.request("POST", REQUESTS, body, {"authorization": f"Bearer {ASK}", "content-type": "application/json", **headers})
        return connection.getresponse().status
    finally:
        connection.close()


def test_bytes_that_are_no_json(rest):
    assert raw(rest, b"{") == 400
    assert raw(rest, b'{"spec":{},"spec":{}}') == 400
    assert raw(rest, b'{"spec":"\xff"}') == 400
    assert raw(rest, b'{"spec":' + b"[" * 3000 + b"]" * 3000 + b"}") == 400
    assert raw(rest, b" " * (300 * 1024)) == 413


@pytest.mark.parametrize("method, path, key, status", [
    ("POST", REQUESTS, "x" * 40, 401), ("POST", REQUESTS, READ, 403), ("POST", REQUESTS, OPERATE, 403), ("POST", DRY_RUN, READ, 403),
    ("PUT", SPECS, READ, 403), ("GET", REQUESTS, "x" * 40, 401), ("GET", "/v1/oracle/key", "x" * 40, 401),
    ("GET", f"{REQUESTS}/0x{'22' * 32}", ASK, 404), ("GET", f"{REQUESTS}/22", ASK, 400), ("GET", f"{REQUESTS}?state=nothing", ASK, 400),
    ("GET", f"{REQUESTS}?kind=nothing", ASK, 400), ("GET", f"{REQUESTS}?limit=1000", ASK, 400), ("GET", f"{REQUESTS}?other=1", ASK, 400),
    ("DELETE", REQUESTS, ASK, 405), ("GET", "/v1/nothing", ASK, 404),
])
def test_a_call_that_is_refused(rest, method, path, key, status):
    assert rest.request(method, path, {"spec": GOOD} if method != "GET" else None, key=key)[0] == status


def test_a_request_that_nobody_can_answer_in_time_expires(rest_world, tmp_path):
    gate = Gate(rest_world)
    with Oracle(tmp_path, rest_world) as oracle:
        status, told = oracle.ask(gate.spec, headers=ASYNC, timeout_s=2)
        assert status == 202
        os.kill(oracle.pids()["caisson-oracle-enclave"], signal.SIGSTOP)
        try:
            row = wait_for(lambda: (r := oracle.state(told["id"]))["state"] == "expired" and r, 30, "the end of the request", 0.1)
        finally:
            os.kill(oracle.pids()["caisson-oracle-enclave"], signal.SIGCONT)
        assert "timeout" in row["why"]
    gate.open.set()


def test_more_than_may_be_asked(rest_world, tmp_path):
    with Oracle(tmp_path, rest_world, rate_max=2) as oracle:
        statuses = [oracle.request("POST", DRY_RUN, {"spec": {}})[0] for _ in range(8)]
        assert 429 in statuses and 400 in statuses
        assert oracle.metric("caisson_oracle_rate_limited_total") >= 1


# ---- asking again ----

def test_an_idempotency_key_makes_one_request(rest, rest_world):
    heads = []
    text = spec(source(rest_world.server(fetch.answering(fetch.ok(), requests=heads)).port))
    key = {"Idempotency-Key": "order-17"}
    status, first = rest.ask(text, headers=key)
    assert status == 200
    assert rest.ask(text, headers=key) == (200, first) and len(heads) == 1
    status, problem = rest.ask(text, headers=key, max_age=5)
    assert status == 409 and problem["code"] == "conflict"
    assert rest.ask(text, headers={"Idempotency-Key": "x" * 129})[0] == 400
    assert rest.ask(text)[1]["id"] != first["id"]


def test_the_same_key_while_it_is_open_waits_for_the_same_answer(rest, rest_world, gate):
    key = {"Idempotency-Key": "order-18"}
    _, told = rest.ask(gate.spec, headers={**key, **ASYNC})
    gate.wait_asked()
    answers = []
    other = threading.Thread(target=lambda: answers.append(rest.ask(gate.spec, headers=key)))
    other.start()
    gate.open.set()
    other.join(30)
    assert answers[0][0] == 200 and answers[0][1] == rest.answer(told["id"])


# ---- crashes ----

def one_answer(oracle, world, ident, text) -> dict:
    document = oracle.answer(ident)
    assert check(document, world.identity(), text) == PRICE
    assert oracle.state(ident)["state"] == "done"
    return document


def test_what_was_open_when_the_process_was_killed_is_asked_again(rest_world, tmp_path):
    gate = Gate(rest_world)
    with Oracle(tmp_path, rest_world) as oracle:
        key = unhex(oracle.get("/v1/oracle/key")["answers"]["public_key"])
        _, told = oracle.ask(gate.spec, headers={**ASYNC, "Idempotency-Key": "one"})
        gate.wait_asked()
        oracle.process.kill()
        oracle.up()
        gate.wait_asked()
        gate.open.set()
        document = one_answer(oracle, rest_world, told["id"], gate.spec)
        assert unhex(document["key"]) == key
        oracle.process.kill()
        oracle.up()
        assert oracle.answer(told["id"]) == document
        assert oracle.ask(gate.spec, headers={"Idempotency-Key": "one"}) == (200, document)
        assert len(oracle.get(REQUESTS)["requests"]) == 1


def test_what_the_enclave_had_when_it_was_killed_is_asked_again(rest_world, tmp_path):
    gate = Gate(rest_world)
    with Oracle(tmp_path, rest_world) as oracle:
        key = oracle.get("/v1/oracle/key")
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(oracle.ask(gate.spec)))
        waiting.start()
        gate.wait_asked()
        os.kill(oracle.pids()["caisson-oracle-enclave"], signal.SIGKILL)
        gate.wait_asked()
        gate.open.set()
        waiting.join(60)
        status, document = answers[0]
        assert status == 200 and check(document, rest_world.identity(), gate.spec) == PRICE
        assert oracle.get("/v1/oracle/key")["answers"] == key["answers"]
        assert oracle.metric("caisson_oracle_enclave_restarts_total") == 1
        assert oracle.metric("caisson_oracle_app_retries_total") >= 1
        [row] = oracle.get(REQUESTS)["requests"]
        assert row["tries"] >= 1 and row["state"] == "done"


def test_a_request_made_while_the_enclave_is_away_waits_for_it(rest_world, tmp_path):
    text = spec(source(rest_world.server().port))
    with Oracle(tmp_path, rest_world) as oracle:
        os.kill(oracle.pids()["caisson-oracle-enclave"], signal.SIGKILL)
        status, document = oracle.ask(text)
        assert status == 200 and check(document, rest_world.identity(), text) == PRICE


def test_secrets_are_in_no_file(rest_world, tmp_path):
    secret = "a-s3cret-that-nobody-may-keep"
    gate = Gate(rest_world)
    with Oracle(tmp_path, rest_world) as oracle:
        text = spec(source(gate.server.port, path="/q?key={secret:key}"))
        box = unhex(oracle.get("/v1/oracle/key")["secrets"]["public_key"])
        sealed = seal(box, ov.app_asker(b""), text, {"key": secret})
        _, told = oracle.ask(text, headers=ASYNC, secrets="0x" + sealed.hex())
        gate.wait_asked()
        oracle.process.kill()
        oracle.up()
        gate.open.set()
        assert check(oracle.answer(told["id"]), rest_world.identity(), text, secrets=sealed) == PRICE
        other = spec(source(gate.server.port, path="/other?key={secret:key}"))
        assert oracle.ask(other, secrets="0x" + sealed.hex())[1]["code_name"] == "secrets_invalid"
        files = oracle.files()
        assert sealed in files and secret.encode() not in files
        assert ASK.encode() not in files and secret not in json.dumps(oracle.get(REQUESTS))


# ---- what does not start ----

def ends(oracle: Oracle) -> tuple[int, str]:
    oracle.start()
    try:
        code = oracle.process.popen.wait(30)
    finally:
        oracle.stop()
    return code, oracle.log.read_text()


def test_it_does_not_start_with_a_wrong_configuration(rest_world, tmp_path):
    oracle = Oracle(tmp_path, rest_world)
    good = oracle.config.read_text()
    for change, why in (("[api]\nprot = 1", "prot"), ("[egress]\nnetworks = [\"everything\"]", "network"),
                        ("[[chains]]\nid = \"eip155:999\"\nrpc = [\"http://127.0.0.1:1\"]", "not in the manifest")):
        section = change.split("\n")[0]
        text = good.replace(section, "[x]") if section != "[[chains]]" else good
        oracle.config.write_text(text.replace("[x]", change) if section != "[[chains]]" else text + change + "\n")
        code, log = ends(oracle)
        assert code == 2 and why in log, log


def test_an_enclave_under_another_manifest_is_not_used(rest_world, tmp_path):
    other = World(tmp_path / "other" if (tmp_path / "other").mkdir() is None else tmp_path)
    oracle = Oracle(tmp_path / "oracle", other)
    with oracle:
        oracle.stop()
        oracle.write(manifests=[rest_world.path])
        oracle.start()
        # The journal has the state of the first lineage: it is not opened under the other, and no new keys are made.
        wait_for(lambda: "session_failed" in oracle.log.read_text() or "enclave.ended" in oracle.log.read_text(), 30, "the refusal", 0.1)
        assert not oracle.healthy() and oracle.ask(spec(source(1)), headers=ASYNC)[0] == 202
    other.close()


# ---- the next key ----

ROTATE = "/v1/oracle/keys:rotate"


def test_rotation_of_keys_without_contracts(rest_world, tmp_path):
    text = spec(source(rest_world.server().port))
    with Oracle(tmp_path, rest_world) as oracle:
        first = oracle.ask(text)[1]
        assert first["statement"]["epoch"] == 1
        status, told = oracle.request("POST", ROTATE, {"use": "answers"}, key=OPERATE)
        assert status == 202 and told["epoch"] == 2 and told["contracts"] == [], told
        second = oracle.ask(text)[1]
        assert second["statement"]["epoch"] == 2 and second["key"] == told["public_key"]
        # Each key has evidence that binds it; the first one's was made before there was a second.
        named = [document["enclave_evidence_digest"] for document in (first, second)]
        bound = [[k["public_key"] for k in oracle.get(f"/v1/oracle/evidence/{digest}")["keys"]] for digest in named]
        assert named[0] != named[1] and told["public_key"] in bound[1] and told["public_key"] not in bound[0] and first["key"] in bound[0]
        assert check(second, rest_world.identity(), text) == PRICE
        # A box sealed to the last key is still opened.
        secret = spec(source(rest_world.server().port, path="/q?key={secret:key}"))
        sealed = seal(unhex(oracle.get("/v1/oracle/key")["secrets"]["public_key"]), ov.app_asker(b""), secret, {"key": "k"})
        status, told = oracle.request("POST", ROTATE, {"use": "secrets"}, key=OPERATE)
        assert status == 202 and told["epoch"] == 2 and told["contracts"] == []
        wait_for(lambda: oracle.get("/v1/oracle/key")["secrets"]["public_key"] == told["public_key"], 10, "hello", 0.05)
        assert oracle.ask(secret, secrets="0x" + sealed.hex())[1]["code_name"] == "ok"
        keys = oracle.get("/v1/oracle/key")
        oracle.process.kill()
        oracle.up()
        again = oracle.get("/v1/oracle/key")
        assert (again["answers"], again["secrets"]) == (keys["answers"], keys["secrets"])
        third = oracle.ask(text)[1]
        assert third["statement"]["epoch"] == 2 and check(third, rest_world.identity(), text) == PRICE
        assert third["enclave_evidence_digest"] == named[1] == again["evidence_digest"]
        assert oracle.answer(first["id"]) == first


@pytest.mark.parametrize("body, key, status", [({"use": "answers"}, ASK, 403), ({"use": "answers"}, READ, 403), ({}, OPERATE, 400),
                                               ({"use": "all"}, OPERATE, 400), ({"use": "answers", "epoch": 9}, OPERATE, 400)])
def test_a_rotation_that_is_refused(rest, body, key, status):
    before = rest.get("/v1/oracle/key")
    assert rest.request("POST", ROTATE, body, key=key)[0] == status
    assert rest.get("/v1/oracle/key")["answers"] == before["answers"]
