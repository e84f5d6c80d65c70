"""api/openapi.json beside a running gateway. Every reply that a test of a gateway gets is judged by the description
(Gateway.check_reply); here all of its operations are asked, in good times and in bad ones, and the judge itself is judged."""
from __future__ import annotations

import copy
import http.client
import json
import os
import re
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from urllib.parse import urlencode

import pytest
import websocket

from lib import abi, deploy, openapi
from lib.between import Between
from lib.rpc import wait_for
from lib.tools import ROOT
from lib.world import END_TIMEOUT_S, account, soon

UNIT = 10**18
NO_ID = "0x" + "00" * 32
BODY_MAX = 6 * 1024 * 1024
STREAMS_MAX = 64
TAG = '"' + "0" * 32 + '"'


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    openapi.json_schema()
    with Between(tmp_path_factory.mktemp("openapi"), "anvil", block_time=0.5) as w:
        yield w


@pytest.fixture(scope="module")
def described() -> openapi.Description:
    openapi.json_schema()
    return openapi.description()


# ---- the document ----

def test_it_is_openapi(described):
    schema = json.loads((ROOT / "tests/vectors/openapi/schema-3.1.json").read_text())
    validator = openapi.json_schema().Draft202012Validator(schema)
    assert [e.message for e in validator.iter_errors(described.root)] == []
    broken = {**described.root, "paths": []}
    assert not validator.is_valid(broken)


def walk(thing, path=()):
    yield path, thing
    for key, value in thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, list) else ():
        yield from walk(value, (*path, key))


def test_references_lead_somewhere_and_everything_is_used(described):
    used = set()
    for _, thing in walk(described.root):
        if isinstance(thing, dict) and isinstance(thing.get("$ref"), str):
            described.follow(thing)
            used.add(thing["$ref"])
    for kind, things in described.root["components"].items():
        if kind != "securitySchemes":
            assert {f"#/components/{kind}/{name}" for name in things} - used == set()


def test_schemas_and_examples_are_sound(described):
    for name, schema in described.root["components"]["schemas"].items():
        openapi.json_schema().Draft202012Validator({"$schema": openapi.DRAFT, "components": described.root["components"], **schema})
        for example in schema.get("examples", []):
            assert described.errors(schema, example) == [], name
    examples = [(media["schema"], media["example"]) for _, media in walk(described.root) if isinstance(media, dict) and "example" in media]
    assert len(examples) > 3
    for schema, example in examples:
        assert described.errors(schema, example) == []


def test_operations_have_names_of_their_own(described):
    operations = [operation for _, _, operation in described.operations()]
    assert len({o["operationId"] for o in operations}) == len(operations)
    assert {t for o in operations for t in o["tags"]} == {t["name"] for t in described.root["tags"]}


def test_the_gateway_serves_the_file_and_its_version(world, described):
    gateway = world.gateways[0]
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    connection.request("GET", "/openapi.json")
    assert connection.getresponse().read() == openapi.FILE.read_bytes()
    assert gateway.get("/v1/enclave")["build"].split("-")[0] == described.root["info"]["version"]


def test_the_page_needs_nothing_from_elsewhere(world):
    status, page = world.gateways[0].request("GET", "/docs")
    assert status == 200 and "<html lang=en>" in page
    assert not re.search(r"<script|<iframe|<img|src=|@import|url\(", page)
    assert set(re.findall(r"href=\"([^#\"][^\"]*)\"", page)) == {"openapi.json", "data:,"}
    assert "string of 1 to 128 characters" in page and "characters from" not in page
    assert page.count("<h1") == 1 and 'class=skip href="#main"' in page and "<main id=main>" in page


# ---- the judge ----

def reply(**headers) -> Message:
    out = Message()
    for name, value in {"X_Content_Type_Options": "nosniff", "Content_Type": "application/json", "ETag": TAG, **headers}.items():
        out[name.replace("_", "-")] = value
    return out


PROBLEM = {"type": "urn:caisson:error:unauthorized", "title": "no", "status": 401, "code": "unauthorized", "retry": False}


@pytest.mark.parametrize("method, path, status, headers, body", [
    ("GET", "/healthz", 200, {}, {"ready": False}),
    ("GET", "/healthz", 200, {}, {"ready": True, "more": 1}),
    ("GET", "/healthz", 200, {}, {}),
    ("GET", "/healthz", 202, {}, {"ready": True}),
    ("GET", "/healthz", 200, {"ETag": "0"}, {"ready": True}),
    ("GET", "/healthz", 304, {}, {"ready": True}),
    ("GET", "/healthz", 200, {"Content_Type": "text/plain"}, {"ready": True}),
    ("GET", "/healthz", 200, {"X_Content_Type_Options": "no"}, {"ready": True}),
    ("DELETE", "/healthz", 200, {}, {"ready": True}),
    ("GET", "/v1/nothing", 200, {}, {}),
    ("GET", "/v1/chains", 200, {}, {"chains": [{}]}),
    ("GET", "/v1/chains", 401, {"Content_Type": "application/problem+json"}, PROBLEM),
    ("GET", "/v1/chains", 401, {"Content_Type": "application/problem+json", "WWW_Authenticate": "Basic"}, PROBLEM),
    ("GET", "/v1/chains", 401, {"Content_Type": "application/problem+json", "WWW_Authenticate": "Bearer"}, {**PROBLEM, "code": "forbidden"}),
    ("DELETE", "/v1/chains", 405, {"Content_Type": "application/problem+json"}, {**PROBLEM, "status": 405, "code": "unsupported"}),
])
def test_a_reply_that_is_not_as_described_is_refused(described, method, path, status, headers, body):
    fresh = openapi.Description(described.root)
    with pytest.raises(openapi.Mismatch):
        fresh.check(method, path, status, reply(**headers), json.dumps(body).encode())
    fresh.check("GET", "/healthz", 200, reply(), b'{"ready": true}')
    fresh.check("GET", "/v1/chains", 401, reply(Content_Type="application/problem+json", WWW_Authenticate="Bearer"), json.dumps(PROBLEM).encode())


def test_a_member_that_is_taken_away_is_missed(world, described):
    """A real reply, and the same one without any one of its members that are always there."""
    message = world.gateways[0].ends(world.send(b"whole"))
    schema = described.root["paths"]["/v1/messages/{id}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert described.errors(schema, message) == []
    for name in message:
        smaller = copy.deepcopy(message)
        del smaller[name]
        assert bool(described.errors(schema, smaller)) == (name not in ("request_id", "submission", "traceparent", "tracestate")), name


# ---- every operation, in good times ----

def ask(gateway, status: int, method: str, path: str, body=None, **more):
    got, answer = gateway.request(method, path, body, **more)
    assert got == status, (method, path, got, answer)
    return answer


def test_a_message_in_every_state(world):
    """As both gateways tell of it from its request to its end."""
    here, there = world.gateways
    body = {"to": account(world.sides[1], world.sides[1].app.address), "payload": "0x" + b"described".hex(), "mode": "sponsored",
            "attributes": {"min_gas_limit": 150_000, "finality": 0, "closer": world.sides[1].closer, "refund_to": here.operator}}
    key = {"Idempotency-Key": "described"}
    told = ask(here, 202, "POST", "/v1/messages", body, headers=key)
    ask(here, 200, "GET", f"/v1/messages/{told['request_id']}")
    assert ask(here, 202, "POST", "/v1/messages", body, headers=key) == told
    ask(here, 409, "POST", "/v1/messages", {**body, "payload": "0x"}, headers=key)
    request = told["request_id"]
    states = []

    def ended():
        found = here.get(f"/v1/messages/{request}")
        states.append(found["state"])
        for verb in ("retry", "close", "abandon"):
            ask(here, 409, "POST", f"/v1/messages/{request}/{verb}")
        status, _ = here.request("GET", f"/v1/messages/{request}/envelope")
        assert status in (200, 409)
        if found["id"]:
            there.request("GET", f"/v1/messages/{found['id']}")
            there.request("GET", f"/v1/messages/{found['id']}/envelope?side=destination")
        return found["ended"] and found

    message = wait_for(ended, END_TIMEOUT_S, "the end", 0.05)
    assert message["state"] == "finalized" and len(set(states)) >= 3, states
    for gateway in world.gateways:
        assert ask(gateway, 200, "GET", f"/v1/messages/{message['id']}/envelope")["outcome"] == 2
    listed = ask(here, 200, "GET", "/v1/messages?state=finalized&limit=1")
    ask(here, 200, "GET", f"/v1/messages?before={listed['next']}&limit=200")
    assert ask(here, 200, "GET", "/v1/messages?state=abandoned")["messages"] == []
    assert here.request("HEAD", f"/v1/messages/{message['id']}")[0] == 200


def test_a_message_that_is_abandoned(world):
    """What the destination holds up dies there: past its deadline, and not before, it is given up."""
    here, there = world.gateways
    route = {"from_chain": world.sides[0].chain.caip2, "to_chain": world.sides[1].chain.caip2}
    ask(there, 200, "POST", "/v1/operator/pause", {**route, "refunds": True})
    try:
        message = world.send(b"is abandoned", [deploy.attribute("deadline(uint64)", soon(world.chains[1], 10))])
        here.reaches(message, "signed")
        wait_for(lambda: here.request("POST", f"/v1/messages/{message}/abandon")[0] == 202, END_TIMEOUT_S, "its deadline")
    finally:
        ask(there, 200, "POST", "/v1/operator/resume", route)
    here.ends(message, "refunded")
    ask(here, 409, "POST", f"/v1/messages/{message}/abandon")


def test_a_request_that_is_made_again_before_it_is_answered(world):
    """Its chain's node takes long: the same request is told to come again and then gets that answer, another one is refused."""
    gateway, abroad = world.gateways[0], world.sides[1]
    body = {"to": account(abroad, abroad.app.address), "payload": "0x" + b"twice".hex(), "mode": "sponsored"}
    key, reached, go = {"Idempotency-Key": "twice"}, threading.Event(), threading.Event()

    def hold(calls: list[dict]) -> None:
        if any(c["method"] == "eth_call" for c in calls):
            reached.set()
            assert go.wait(60)

    with ThreadPoolExecutor() as pool:
        world.proxy.before = hold
        try:
            first = pool.submit(ask, gateway, 202, "POST", "/v1/messages", body, headers=key, timeout_s=90)
            assert reached.wait(60)
            problem = ask(gateway, 409, "POST", "/v1/messages", body, headers=key)
            assert problem["code"] == "in-progress" and problem["retry"] is True
            problem = ask(gateway, 409, "POST", "/v1/messages", {**body, "payload": "0x"}, headers=key)
            assert problem["code"] == "conflict" and problem["retry"] is False
        finally:
            world.proxy.before = lambda calls: None
            go.set()
        told = first.result()
    assert ask(gateway, 202, "POST", "/v1/messages", body, headers=key) == told
    gateway.ends(told["request_id"])


NODES_MAX = 8


def test_a_request_that_is_taken_after_its_504(world):
    """None of its chain's nodes answers within the ten seconds that each has, and together they have more than the minute that the caller is
    kept waiting. One answers after it: the same request gets that answer, and it was done once."""
    gateway, abroad = world.gateways[0], world.sides[1]
    body = {"to": account(abroad, abroad.app.address), "payload": "0x" + b"after all".hex(), "mode": "sponsored"}
    key, go, held = {"Idempotency-Key": "after all"}, threading.Event(), []
    was, one = gateway.config.read_text(), json.dumps(world.proxy.url)
    assert was.count(one) == 1
    gateway.config.write_text(was.replace(one, ", ".join(json.dumps(f"{world.proxy.url}/{i}") for i in range(NODES_MAX))))
    ask(gateway, 200, "POST", "/v1/operator/reload")

    def hold(calls: list[dict]) -> None:
        # This request's alone: a node that others wait for too would be passed over.
        if not go.is_set() and any(c["method"] == "eth_call" and body["payload"][2:] in json.dumps(c) for c in calls):
            held.append(calls)
            go.wait(120)

    try:
        wait_for(lambda: [n["state"] for n in gateway.get("/v1/chains")["chains"][0]["endpoints"] if not n["websocket"]] == ["ok"] * NODES_MAX,
                 END_TIMEOUT_S, "eight nodes that are known")
        world.proxy.before = hold
        problem = ask(gateway, 504, "POST", "/v1/messages", body, headers=key, timeout_s=100)
        assert problem["code"] == "timeout" and problem["retry"] is True and 6 <= len(held) <= NODES_MAX
        assert ask(gateway, 409, "POST", "/v1/messages", body, headers=key)["code"] == "in-progress"
        go.set()
        wait_for(lambda: gateway.request("POST", "/v1/messages", body, key)[0] != 409, END_TIMEOUT_S, "the answer", 0.2)
        told = ask(gateway, 202, "POST", "/v1/messages", body, headers=key)
    finally:
        go.set()
        world.proxy.before = lambda calls: None
        gateway.config.write_text(was)
        wait_for(lambda: gateway.request("POST", "/v1/operator/reload")[0] == 200, END_TIMEOUT_S, "the one node again")
    gateway.ends(told["request_id"])
    sent = [m for m in gateway.get("/v1/messages", limit=200)["messages"] if m["payload"] == body["payload"]]
    assert [m["request_id"] for m in sent if m["side"] == "source"] == [told["request_id"]]


def test_a_transfer_to_be_signed(world):
    gateway, (home, abroad) = world.gateways[0], world.sides
    body = {"to": account(abroad, abroad.friend), "amount": str(UNIT), "mode": "prepare"}
    assert [t["what"] for t in ask(gateway, 200, "POST", "/v1/transfers", body)["transactions"]] == ["approve", "transfer"]
    told = ask(gateway, 200, "POST", "/v1/transfers", {**body, "from": gateway.operator, "from_chain": home.chain.caip2})
    assert all(t["from"] == gateway.operator.lower() for t in told["transactions"])
    assert ask(gateway, 200, "GET", f"/v1/messages/{told['request_id']}")["state"] == "requested"
    for method, verb in (("GET", "envelope"), ("POST", "retry"), ("POST", "abandon"), ("POST", "close")):
        assert ask(gateway, 409, method, f"/v1/messages/{told['request_id']}/{verb}")["code"] == "not-final"
    sponsored = ask(gateway, 202, "POST", "/v1/transfers", {**body, "mode": "sponsored"})
    gateway.ends(sponsored["request_id"])


def test_lists_by_filter(world):
    """All filters at once find one message; each alone finds it too, and with another value does not."""
    (here, there), (home, abroad) = world.gateways, world.sides
    request = here.post("/v1/messages", {"to": account(abroad, abroad.app.address), "payload": "0x" + b"to be found".hex(), "mode": "sponsored"})
    found = here.ends(request["request_id"])
    right = {"state": "finalized", "side": "source", "from_chain": home.chain.caip2, "to_chain": abroad.chain.caip2, "sender": found["sender"],
             "recipient": found["recipient"], "tx": found["sent"]["tx"]}
    wrong = {"state": "abandoned", "side": "destination", "from_chain": abroad.chain.caip2, "to_chain": home.chain.caip2,
             "sender": account(home, home.owner), "recipient": account(abroad, abroad.owner), "tx": "0x" + "11" * 32}

    def ids(gateway, **filters: str) -> list[str]:
        page = ask(gateway, 200, "GET", f"/v1/messages?{urlencode({**filters, 'limit': 200})}")
        assert page["next"] is None
        return [m["id"] for m in page["messages"]]

    assert ids(here, **right) == [found["id"]]
    for name in right:
        assert found["id"] in ids(here, **{name: right[name]})
        assert found["id"] not in ids(here, **{name: wrong[name]})
    assert found["id"] in ids(there, side="destination", from_chain=home.chain.caip2) and found["id"] not in ids(there, from_chain=abroad.chain.caip2)

    def listed(**filters: str) -> str:
        run = here.caisson("messages", "--limit", "200", *(word for name, value in filters.items() for word in (f"--{name.replace('_', '-')}", value)))
        assert run.returncode == 0, run.stderr
        return run.stdout

    assert listed(**right).split()[0] == found["id"]
    assert not any(found["id"] in listed(**{**right, name: wrong[name]}) for name in wrong)


def test_a_quote(world):
    """Its fee is what `prepare` says, its times are those of the messages that were finalized."""
    gateway, (home, abroad) = world.gateways[0], world.sides
    to = account(abroad, abroad.app.address)
    gateway.ends(world.send(b"to be measured"))
    told = ask(gateway, 200, "GET", f"/v1/quote?to={to}&from_chain={home.chain.caip2}&kind=message&payload_size=100&min_gas_limit=200000")
    call, = gateway.post("/v1/messages", {"to": to, "payload": "0x" + "00" * 100, "mode": "prepare"})["transactions"]
    assert (told["fee"], told["gas"]) == (call["value"], call["gas"]) and int(told["gas_cost"]) == told["gas"] * int(told["gas_price"])
    finalized = [m for m in gateway.get("/v1/messages", state="finalized", limit=200)["messages"] if m["side"] == "source"]
    steps = [{s["n"]: s.get("t_ms") for s in gateway.get(f"/v1/messages/{m['id']}")["steps"]} for m in finalized]
    for name, step in (("delivered", 10), ("finalized", 16)):
        took = sorted(s[step] - s[3] for s in steps if s[step] and s[step] >= s[3])
        assert told[name] == {"samples": len(took), "p50_ms": took[-(-len(took) * 50 // 100) - 1], "p99_ms": took[-(-len(took) * 99 // 100) - 1]}
    assert ask(gateway, 200, "GET", f"/v1/quote?to={to}&kind=transfer")["kind"] == "transfer"


def test_a_failed_message(world):
    (source, destination), (_, abroad) = world.gateways, world.sides
    abroad.app.write(abroad.owner, "setFailing", True)
    message_id = world.send(b"fails", [deploy.attribute("closer(bytes)", abi.to_bytes(abroad.closer))])
    plain = world.send(b"fails without closer")
    for gateway in world.gateways:
        gateway.reaches(message_id, "failed")
        gateway.reaches(plain, "failed")
        assert ask(gateway, 200, "POST", f"/v1/messages/{message_id}/close", {})["transactions"]
        ask(gateway, 409, "POST", f"/v1/messages/{plain}/close", {})
    abroad.app.write(abroad.owner, "setFailing", False)
    for one in (message_id, plain):
        ask(destination, 202, "POST", f"/v1/messages/{one}/retry?side=destination")
        source.ends(one)
    ask(source, 409, "POST", f"/v1/messages/{plain}/retry", {})


def test_what_a_gateway_says_of_itself(world):
    for gateway in world.gateways:
        for path in ("/healthz", "/metrics", "/v1/chains", "/v1/enclave", "/v1/enclave/evidence?nonce=" + "5a" * 16, "/v1/status", "/v1/routes",
                     "/openapi.json", "/docs", "/ui", "/ui/app.js", "/ui/icon.svg"):
            ask(gateway, 200, "GET", path)
        assert gateway.request("HEAD", "/v1/status")[0] == 200
        ask(gateway, 404, "GET", f"/v1/chains/{gateway.side.chain.caip2}/conflict")
        ask(gateway, 404, "GET", "/ui/nothing.js")
        ask(gateway, 404, "GET", "/ui/")
        assert ask(gateway, 303, "GET", "/") == {"ui": "/ui", "docs": "/docs", "openapi": "/openapi.json"}
        ask(gateway, 400, "GET", "/?what=1")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_answer_that_did_not_change(world, described, method):
    """304 to who has it, in each form in which a client may name it; 200 to who has another one, and once it changed."""
    gateway = world.gateways[0]
    message = gateway.ends(world.send(b"as it was"))
    path = f"/v1/messages/{message['id']}"

    def ask_if(wanted: str | None) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        connection.request(method, path, headers={"Authorization": f"Bearer {gateway.key}", **({"If-None-Match": wanted} if wanted else {})})
        told = connection.getresponse()
        raw = told.read()
        described.check(method, path, told.status, told.headers, raw)
        return told.status, told.headers["ETag"], raw

    _, tag, _ = ask_if(None)
    for wanted in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        assert ask_if(wanted) == (304, tag, b""), wanted
    for wanted in ('"other"', tag.strip('"'), tag[:-1], "W/", ","):
        assert ask_if(wanted)[:2] == (200, tag), wanted
    assert gateway.request("GET", "/v1/nothing", headers={"If-None-Match": "*"})[0] == 404
    path = "/v1/messages?limit=1"
    _, tag, _ = ask_if(None)
    gateway.ends(world.send(b"another one"))
    assert ask_if(tag)[0] == 200


def test_webhooks(world):
    """Each of their operations; what is delivered is e2e/test_webhooks."""
    gateway = world.gateways[0]
    body = {"url": "https://receiver.invalid/", "types": ["message.finalized"], "from_chain": world.sides[0].chain.caip2,
            "to_chain": world.sides[1].chain.caip2, "message": NO_ID, "cursor": 0}
    made = ask(gateway, 201, "POST", "/v1/webhooks", body)
    path = f"/v1/webhooks/{made['id']}"
    assert [w["id"] for w in ask(gateway, 200, "GET", "/v1/webhooks")["webhooks"]] == [made["id"]]
    assert "secret" not in ask(gateway, 200, "GET", path)
    assert ask(gateway, 200, "POST", f"{path}/rotate")["secret"] != made["secret"]
    assert ask(gateway, 200, "POST", f"{path}/enable", {"cursor": 0})["state"] == "active"
    every = ask(gateway, 201, "POST", "/v1/webhooks", {"url": "https://receiver.invalid/", "cursor": 0})
    log = f"/v1/webhooks/{every['id']}/deliveries"
    event = wait_for(lambda: ask(gateway, 200, "GET", log)["deliveries"], END_TIMEOUT_S, "an attempt")[0]["event"]
    ask(gateway, 202, "POST", f"{log}/{event}/redeliver")
    for status, method, at, given in ((400, "POST", "/v1/webhooks", {}), (403, "POST", "/v1/webhooks", {"url": "https://127.0.0.1/"}),
                                      (404, "POST", "/v1/webhooks", {**body, "to_chain": "eip155:9"}), (404, "GET", "/v1/webhooks/x", None),
                                      (409, "POST", "/v1/webhooks", {**body, "cursor": 10**12}), (409, "POST", f"{path}/enable", {"cursor": 10**12}),
                                      (404, "POST", f"{log}/{10**12}/redeliver", None), (400, "GET", f"{log}?limit=0", None)):
        ask(gateway, status, method, at, given)
    for webhook in (made, every):
        assert gateway.request("DELETE", f"/v1/webhooks/{webhook['id']}") == (204, "")
        ask(gateway, 404, "GET", f"/v1/webhooks/{webhook['id']}")


def test_a_peer(world):
    here = world.gateways[0]
    batch = ask(here, 200, "GET", "/v1/peer/envelopes?after=0", key=here.peer_key)
    assert ask(here, 200, "POST", "/v1/peer/envelopes", {"instance": "a" * 32, "after": 0, "items": [{"n": 1, "kind": "surprise"}], "more": False},
               key=here.peer_key) == {"cursor": 1}
    ask(here, 409, "GET", f"/v1/peer/envelopes?after={10**12}&instance={batch['instance']}", key=here.peer_key)
    ask(here, 403, "GET", "/v1/peer/envelopes?after=0")


def test_what_waits_for_a_peer(world):
    """All kinds of items that a message makes: its peer is stopped, and asked for in its name."""
    (here, other), (_, abroad) = world.gateways, world.sides
    abroad.app.write(abroad.owner, "setFailing", True)
    failed = world.send(b"is retried")
    here.reaches(failed, "failed")
    back = world.send(b"the other way", source=1)
    other.ends(back)
    other.stop()
    try:
        ask(here, 202, "POST", f"/v1/messages/{failed}/retry")
        sent = world.send(b"waits")
        here.reaches(sent, "signed")
        kinds = lambda: {i["kind"] for i in ask(here, 200, "GET", "/v1/peer/envelopes?after=0", key=here.peer_key)["items"]}  # noqa: E731
        wait_for(lambda: {"messages", "retry"} <= kinds(), END_TIMEOUT_S, "what waits")
        assert not here.get("/v1/status")["peers"][0]["reachable"]
    finally:
        abroad.app.write(abroad.owner, "setFailing", False)
        other.restart()
    here.ends(sent)
    here.ends(failed)


def test_what_operators_do(world):
    """Every verb, and what it left behind undone again."""
    gateway, (home, abroad) = world.gateways[0], world.sides
    route = {"from_chain": home.chain.caip2, "to_chain": abroad.chain.caip2}
    message, receipt = world.commit(b"is looked for again")
    gateway.ends(message)
    found = ask(gateway, 200, "POST", "/v1/operator/observe", {"chain": home.chain.caip2, "tx": receipt["transactionHash"]})
    assert (found["found"], found["taken"]) == (1, 0) and found["events"][0]["id"] == message
    assert ask(gateway, 200, "POST", "/v1/operator/clear", route) == {**route, "hurried": 0, "retried": 0}
    assert ask(gateway, 200, "POST", "/v1/operator/reload") == {"changed": []}
    paused = ask(gateway, 200, "POST", "/v1/operator/pause", {"chain": home.chain.caip2, "reason": "for a moment"})["paused"]
    assert [p["reason"] for p in paused] == ["for a moment"]
    assert ask(gateway, 200, "POST", "/v1/operator/resume", {"chain": home.chain.caip2})["paused"] == []
    try:
        assert ask(gateway, 202, "POST", "/v1/operator/drain", {"timeout_s": 1})["draining"]
        assert ask(gateway, 200, "GET", "/v1/operator/drain")["who"] == "demo"
    finally:
        assert not ask(gateway, 200, "DELETE", "/v1/operator/drain")["draining"]
    wait_for(gateway.healthy, END_TIMEOUT_S, "its health after the drain")


def open_transactions(gateway) -> list[dict]:
    return [t for t in ask(gateway, 200, "GET", "/v1/operator/transactions")["transactions"] if t["state"] == "open" and t["tx"]]


def test_what_operators_do_with_transactions(world):
    """One that no block takes is made dearer; when nothing is under way, the gas account is swept."""
    gateway, (home, abroad) = world.gateways[0], world.sides
    rpc = home.chain.rpc
    rpc.call("evm_setIntervalMining", 0)
    try:
        sent = gateway.post("/v1/messages", {"to": account(abroad, abroad.app.address), "payload": "0x0a", "mode": "sponsored"})
        first = wait_for(lambda: open_transactions(gateway), END_TIMEOUT_S, "the transaction")[0]
        wait_for(lambda: gateway.request("POST", f"/v1/operator/transactions/{first['n']}/raise")[0] == 202, END_TIMEOUT_S, "the wish to be taken")
        wait_for(lambda: any(t["attempts"] > first["attempts"] for t in open_transactions(gateway)), END_TIMEOUT_S, "another attempt")
    finally:
        rpc.call("evm_setIntervalMining", 1)
    gateway.ends(sent["request_id"])
    wait_for(lambda: not gateway.get("/v1/operator/transactions")["transactions"], END_TIMEOUT_S, "nothing under way")
    swept = ask(gateway, 202, "POST", "/v1/operator/sweep", {"chain": home.chain.caip2, "keep": str(UNIT)})
    wait_for(lambda: int(rpc.call("eth_getBalance", swept["to"], "latest"), 16) >= int(swept["value"]) > 0, END_TIMEOUT_S, "what was swept")


# ---- and in bad ones ----

@pytest.mark.parametrize("status, method, path, body", [
    (404, "GET", "/v1/nothing", None), (404, "GET", "/v1/messages/", None), (405, "DELETE", "/v1/messages", None), (405, "POST", "/docs", {}),
    (400, "GET", "/v1/messages?limit=0", None), (400, "GET", "/v1/messages?what=1", None), (400, "GET", "/v1/messages?state=%zz", None),
    (400, "GET", "/v1/messages?side=both", None), (404, "GET", "/v1/messages?from_chain=eip155:9", None), (404, "GET", "/v1/messages?to_chain=x", None),
    (400, "GET", "/v1/messages?sender=0x12", None), (400, "GET", "/v1/messages?recipient=eip155:1", None), (400, "GET", "/v1/messages?tx=0x12", None),
    (400, "GET", "/openapi.json?x=1", None), (400, "GET", "/v1/messages/0x12", None), (400, "GET", f"/v1/messages/{NO_ID}?side=both", None),
    (404, "GET", f"/v1/messages/{NO_ID}", None), (404, "GET", f"/v1/messages/{NO_ID}/envelope", None),
    (404, "POST", f"/v1/messages/{NO_ID}/retry", None), (404, "POST", f"/v1/messages/{NO_ID}/close", {}),
    (404, "POST", f"/v1/messages/{NO_ID}/abandon", {}), (400, "POST", f"/v1/messages/{NO_ID}/abandon", {"now": True}),
    (400, "POST", f"/v1/messages/{NO_ID}/close", {"now": True}), (400, "POST", "/v1/messages", []), (400, "POST", "/v1/transfers", {}),
    (403, "POST", "/v1/messages", {"to": "eip155:5:0x" + "11" * 20, "payload": "0x", "mode": "prepare"}),
    (413, "POST", "/v1/messages", {"to": "eip155:31338:0x" + "11" * 20, "payload": "0x" + "00" * 16385, "mode": "prepare"}),
    (404, "POST", "/v1/messages", {"from_chain": "eip155:1", "to": "eip155:31338:0x" + "11" * 20, "payload": "0x", "mode": "prepare"}),
    (404, "POST", "/v1/transfers", {"to": "eip155:31338:0x" + "11" * 20, "amount": "1", "token": "0x" + "22" * 20, "mode": "prepare"}),
    (402, "POST", "/v1/transfers", {"to": "eip155:31338:0x" + "11" * 20, "amount": str(2**127), "mode": "sponsored"}),
    (422, "POST", "/v1/messages", {"to": "eip155:31338:0x" + "11" * 20, "payload": "0x", "mode": "sponsored", "attributes": {"deadline": 1}}),
    (400, "GET", "/v1/quote", None), (400, "GET", "/v1/quote?to=eip155:31338:0x12", None), (400, "GET", f"/v1/quote?to=eip155:31338:0x{'11' * 20}&kind=x", None),
    (400, "GET", f"/v1/quote?to=eip155:31338:0x{'11' * 20}&payload_size=16385", None), (403, "GET", f"/v1/quote?to=eip155:5:0x{'11' * 20}", None),
    (404, "GET", f"/v1/quote?to=eip155:31338:0x{'11' * 20}&from_chain=eip155:1", None),
    (422, "GET", f"/v1/quote?to=eip155:31338:0x{'11' * 20}&min_gas_limit=1000000000", None),
    (400, "GET", "/v1/enclave/evidence", None), (400, "GET", "/v1/enclave/evidence?nonce=" + "5a" * 15, None),
    (400, "GET", "/v1/enclave/evidence?nonce=" + "5a" * 65, None), (400, "GET", "/v1/enclave/evidence?nonce=" + "5a" * 16 + "5", None),
    (400, "GET", "/v1/enclave/evidence?nonce=" + "zz" * 16, None), (400, "GET", "/v1/enclave/evidence?nonce=" + "5a" * 16 + "&what=1", None),
    (400, "POST", "/v1/keys/rotate", {"chain": 1}), (404, "POST", "/v1/keys/rotate", {"chain": "eip155:1"}), (404, "GET", "/v1/chains/eip155:1/conflict", None),
])
def test_refusals(world, status, method, path, body):
    ask(world.gateways[0], status, method, path, body)


def test_keys_and_scopes(world, described):
    """401 and 403 of every operation that has scopes: to no key that is known, to a peer's, and to one that has every scope but this."""
    gateway = world.gateways[0]
    wanted = {(path, method): operation["security"][0]["key"] for path, method, operation in described.operations() if operation["security"]}
    scopes = set().union(*wanted.values()) - {"peer"}
    assert scopes >= {"read", "send", "operate", "webhook"} and all(len(names) == 1 for names in wanted.values())
    keys = {"peer": gateway.key}
    for scope in scopes:
        made = gateway.caisson("keys", "create", f"all-but-{scope}", "--scopes", ",".join(sorted(scopes - {scope} | {"sponsor"})), "--config", str(gateway.config), "--json")
        keys[scope] = json.loads(made.stdout)["key"]
    # The scope that this one has opens a door: a key that is not known yet would get 401.
    wait_for(lambda: all(gateway.request("GET", "/v1/chains", key=keys[scope])[0] == (403 if scope == "read" else 200) for scope in scopes), 10, "the new keys")
    for (path, method), (scope,) in wanted.items():
        at = path.replace("{id}", NO_ID).replace("{event}", "1").replace("{n}", "1")
        ask(gateway, 401, method.upper(), at, key="not-a-key-of-this-gateway-at-all")
        assert f"scope {scope}" in ask(gateway, 403, method.upper(), at, key=keys[scope])["detail"], (path, method)
        if scope != "peer":
            ask(gateway, 403, method.upper(), at, key=gateway.peer_key)


def test_a_body_that_is_too_large(world, described):
    gateway = world.gateways[0]
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    connection.putrequest("POST", "/v1/messages")
    connection.putheader("Content-Length", str(BODY_MAX + 1))
    connection.endheaders()
    told = connection.getresponse()
    described.check("POST", "/v1/messages", told.status, told.headers, told.read())
    assert told.status == 413


def test_events(world, described):
    """Everything that the stream has said since the journal began, and its refusals."""
    gateway = world.gateways[0]
    last = gateway.get("/v1/status")["event_cursor"]
    stream = websocket.create_connection(f"{gateway.events_url}?cursor=0", header=[f"Authorization: Bearer {gateway.key}"], timeout=30)
    events = [json.loads(stream.recv()) for _ in range(last)]
    stream.close()
    schema = {"$ref": "#/components/schemas/Event"}
    assert [(e, errors) for e in events if (errors := described.errors(schema, e))] == []
    assert {"message", "message.refused"} & {e["kind"] for e in events} and described.errors(schema, {**events[0], "kind": "surprise"})


@pytest.mark.parametrize("status, query, headers", [
    (200, "", {}), (200, "?cursor=0", {}), (200, "", {"Last-Event-ID": "0"}), (400, "?cursor=x", {}), (400, "?cursor=", {}), (400, "?more=1", {}),
    (400, "", {"Last-Event-ID": "x"}), (400, "", {"Upgrade": "websocket"}), (401, "", {"Authorization": "Bearer " + "x" * 40}),
    (403, "", {"Authorization": "peer"}), (409, f"?cursor={10**12}", {}), (409, "?cursor=0", {"Last-Event-ID": str(10**12)})])
def test_server_sent_events_begin(world, described, status, query, headers):
    gateway = world.gateways[0]
    if headers.get("Authorization") == "peer":
        headers = {"Authorization": f"Bearer {gateway.peer_key}"}
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    connection.request("GET", f"/v1/events{query}", headers={"Authorization": f"Bearer {gateway.key}", **headers})
    told = connection.getresponse()
    assert told.status == status
    described.check("GET", "/v1/events", status, told.headers, told.readline() if status == 200 else told.read())
    connection.close()


def test_as_many_readers_as_may_be(world, described):
    """The next one is told so, and all else is answered as ever; when one leaves there is room again."""
    gateway, key = world.gateways[1], {"Authorization": f"Bearer {world.gateways[1].key}"}
    readers = []

    def one_more() -> int:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        connection.request("GET", "/v1/events", headers=key)
        told = connection.getresponse()
        described.check("GET", "/v1/events", told.status, told.headers, told.readline() if told.status == 200 else told.read())
        if told.status == 200:
            readers.append((connection, told))
        else:
            connection.close()
        return told.status

    assert [one_more() for _ in range(STREAMS_MAX + 1)] == [200] * STREAMS_MAX + [503]
    assert gateway.healthy()
    for connection, told in readers:
        told.close()
        connection.close()
    readers.clear()
    wait_for(lambda: one_more() == 200, END_TIMEOUT_S, "room for a reader")
    readers[0][1].close()


@pytest.mark.parametrize("status, path, headers", [
    (101, "", {}), (400, "?cursor=x", {}), (400, "?more=1", {}), (401, "", {"Authorization": "Bearer " + "x" * 40}), (403, "", {"Authorization": "peer"}),
    (409, f"?cursor={10**12}", {}), (426, "", {"Upgrade": None}), (426, "", {"Sec-WebSocket-Version": "12"})])
def test_the_streams_handshake(world, described, status, path, headers):
    gateway = world.gateways[0]
    if headers.get("Authorization") == "peer":
        headers = {"Authorization": f"Bearer {gateway.peer_key}"}
    sent = {"Host": f"127.0.0.1:{gateway.events_port}", "Authorization": f"Bearer {gateway.key}", "Connection": "Upgrade", "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", **headers}
    if sent["Upgrade"] is None:
        del sent["Upgrade"], sent["Connection"]
    with socket.create_connection(("127.0.0.1", gateway.events_port), timeout=30) as s:
        s.sendall(f"GET /v1/events{path} HTTP/1.1\r\n".encode() + b"".join(f"{k}: {v}\r\n".encode() for k, v in sent.items()) + b"\r\n")
        told = http.client.HTTPResponse(s)
        told.begin()
        assert told.status == status
        responses = described.root["paths"]["/v1/events"]["get"]["responses"]
        response = described.follow(responses[str(status)])
        for name, header in response.get("headers", {}).items():
            assert told.headers[name] or not header.get("required"), name
        if status != 101:
            problem = json.loads(told.read())
            assert described.errors({"$ref": "#/components/schemas/Problem"}, problem) == []
            assert f"`{problem['code']}`" in response["description"]


def enclave_figures(gateway) -> tuple[float, float]:
    return gateway.figure("caisson_enclave_ready"), gateway.figure("caisson_enclave_signs")


def test_without_an_enclave(world):
    """Its supervisor is stopped, so that nobody starts another one meanwhile."""
    gateway = world.gateways[1]
    assert enclave_figures(gateway) == (1, 1)
    pids = gateway.pids()
    os.kill(pids["caisson"], signal.SIGSTOP)
    os.kill(pids["caisson-enclave"], signal.SIGKILL)
    try:
        wait_for(lambda: gateway.request("GET", "/healthz")[0] == 503, 30, "the gateway to miss its enclave")
        assert ask(gateway, 200, "GET", "/v1/enclave")["ready"] is False
        assert enclave_figures(gateway) == (0, 0)
        assert ask(gateway, 200, "GET", "/v1/status")["why"]
        assert ask(gateway, 503, "POST", "/v1/keys/rotate", {})["retry"] is True
        ask(gateway, 503, "GET", f"/v1/chains/{gateway.side.chain.caip2}/conflict")
        assert ask(gateway, 503, "GET", "/v1/enclave/evidence?nonce=" + "5a" * 16)["retry"] is True
    finally:
        os.kill(pids["caisson"], signal.SIGCONT)
    wait_for(gateway.healthy, END_TIMEOUT_S, "the gateway's health")
    assert enclave_figures(gateway) == (1, 1)


def test_a_rotation(world):
    here, there = world.gateways
    told = ask(here, 202, "POST", "/v1/keys/rotate", {"chain": here.side.chain.caip2})
    assert ask(here, 202, "POST", "/v1/keys/rotate", {})["public_key"] == told["public_key"]
    ask(there, 200, "GET", "/v1/chains")
    assert len(ask(here, 200, "GET", "/v1/enclave")["keys"]) == 2


@pytest.mark.parametrize("code, message", [(-32601, "method not found"), (-32005, "rate limit"), (-32000, "missing trie node"),
                                           (-32000, "query returned more than 10 results"), (-32602, "invalid params"), (-32000, "nonce too low"),
                                           (-32000, "already known"), (-32603, "internal")])
def test_what_a_node_complains_of_is_not_the_callers_fault(world, code, message):
    gateway, abroad = world.gateways[0], world.sides[1]

    def refuse(call: dict, reply: dict) -> dict:
        return {"jsonrpc": "2.0", "id": reply["id"], "error": {"code": code, "message": message}} if call["method"] == "eth_call" else reply

    body = {"to": account(abroad, abroad.app.address), "payload": "0x", "mode": "prepare"}
    world.proxy.after = refuse
    try:
        # What the node said of the fee before holds for a second at most.
        status, problem = wait_for(lambda: (told := gateway.request("POST", "/v1/messages", body, timeout_s=90))[0] != 200 and told, END_TIMEOUT_S, "the refusal")
    finally:
        world.proxy.after = lambda call, reply: reply
    assert (status, problem["code"]) in ((502, "rpc"), (503, "unavailable")) and problem["retry"] is True and gateway.side.chain.caip2 in problem["detail"], problem
    wait_for(lambda: gateway.request("POST", "/v1/messages", body)[0] == 200, END_TIMEOUT_S, "the node's answer")


def test_a_node_that_is_away(world):
    """The chain is stopped for good: this is the last of the world's tests but one."""
    gateway = world.gateways[0]
    world.chains[0].stop()
    body = {"to": account(world.sides[1], world.sides[1].app.address), "payload": "0x", "mode": "sponsored"}
    status, problem = gateway.request("POST", "/v1/messages", body, timeout_s=90)
    assert status in (502, 503, 504) and problem["retry"] is True, problem
    ask(gateway, 200, "GET", "/v1/status")
    wait_for(lambda: gateway.request("GET", "/healthz")[0] == 503, END_TIMEOUT_S, "the gateway to miss its node")


# What this world does not have, and the test that asks there and counts it: a chain that is frozen, a reorganisation that waits.
ELSEWHERE = {("/v1/chains/{id}/conflict", "get"): ("test_freeze.py", "test_a_freeze_is_lifted_by_the_manifest_that_decides_it"),
             ("/v1/operator/accept-reorg", "post"): ("test_reorg.py", "test_one_that_waits_is_accepted_as_it_is_described")}


def test_every_operation_was_asked(described):
    """With success each (`/` leads elsewhere)."""
    assert {(path, method) for path, method, _ in described.operations()} - described.succeeded() == ELSEWHERE.keys()
    for (path, method), (file, name) in ELSEWHERE.items():
        body = (ROOT / "tests" / "e2e" / file).read_text().split(f"\ndef {name}(")[1].split("\ndef ")[0]
        assert f'openapi.assert_succeeded("{method}", "{path}")' in body, name
