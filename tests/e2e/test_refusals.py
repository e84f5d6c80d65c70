"""What is refused, and how it is told: by the contracts, by the gateway, on the command line and in the streams."""
from __future__ import annotations

import json
import secrets
import socket
import sys
import threading

import pytest
import websocket

from lib import abi, crypto, deploy
from lib.rpc import wait_for
from lib.tools import ROOT
from lib.world import END_TIMEOUT_S, SEND_GAS, Gateway, World, account

sys.path.insert(0, str(ROOT / "tools"))
import envelope_vectors as envelope  # noqa: E402

EXIT_USAGE, EXIT_REFUSED = 2, 3
UNIT = 10**18


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("refusals"), "anvil", block_time=0.5) as w:
        yield w


class Stream:
    """Every event from a cursor on, read by a thread."""

    def __init__(self, gateway: Gateway):
        cursor = gateway.get("/v1/status")["event_cursor"]
        self.events: list[dict] = []
        self.socket = websocket.create_connection(f"{gateway.events_url}?cursor={cursor}", timeout=END_TIMEOUT_S,
                                                  header=[f"Authorization: Bearer {gateway.key}"])
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while text := self.socket.recv():
                self.events.append(json.loads(text))
        except (websocket.WebSocketException, OSError):
            pass

    def wait(self, **wanted) -> dict:
        def found():
            return next((e for e in list(self.events) if all(e.get(k) == v for k, v in wanted.items())), None)
        return wait_for(found, END_TIMEOUT_S, f"an event {wanted}", 0.05)

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()


def nonce(side: deploy.Side, address: str) -> int:
    return int(side.chain.rpc.call("eth_getTransactionCount", address, "latest"), 16)


# ---- a contract's reason reaches the one who asked ----

def test_a_refused_retry_says_why_at_the_source(world):
    (source, destination), (_, abroad) = world.gateways, world.sides
    abroad.app.write(abroad.owner, "setFailing", True)
    message_id = world.send(b"refused")
    source.reaches(message_id, "failed")
    gas_address = world.enclave_key(destination)["gas_address"]
    spent = nonce(abroad, gas_address)
    with Stream(source) as here, Stream(destination) as there:
        run = source.caisson("retry", message_id)
        assert run.returncode == 0, run.stderr
        event = here.wait(kind="message.refused", id=message_id)
        assert event["state"] == "failed" and "CallFailed" in event["detail"], event
        assert "CallFailed" in there.wait(kind="message.refused", id=message_id)["detail"]
    told = source.reaches(message_id, "failed")
    assert told["why"] == "reverted: CallFailed: the recipient's call failed again" and told["stopped"] is False
    assert destination.message(message_id)["why"] == told["why"]
    assert nonce(abroad, gas_address) == spent, "a retry that is sure to revert was paid for"
    # The same again is told again.
    with Stream(source) as here:
        destination.post(f"/v1/messages/{message_id}/retry")
        wait_for(lambda: destination.message(message_id)["why"] == told["why"], END_TIMEOUT_S, "the reason")
    abroad.app.write(abroad.owner, "setFailing", False)
    source.post(f"/v1/messages/{message_id}/retry")
    found = source.reaches(message_id, "finalized")
    assert found["why"] is None and abroad.app.read("lastPayload") == b"refused"


def test_a_refused_close_says_why_on_both_sides(world):
    """The key that signed the envelope is suspended: the contract takes no close under it, until the owner lifts that."""
    (source, destination), (home, abroad) = world.gateways, world.sides
    abroad.app.write(abroad.owner, "setFailing", True)
    message_id = world.send(b"closed", [deploy.attribute("closer(bytes)", abi.to_bytes(abroad.closer))])
    source.reaches(message_id, "failed")
    destination.reaches(message_id, "failed")
    epoch = world.enclave_key(source)["epoch"]
    abroad.gateway.write(abroad.guardian, "suspendKey", home.identity, epoch)
    status, problem = destination.request("POST", f"/v1/messages/{message_id}/close")
    assert status == 422 and problem["code"] == "reverted" and problem["detail"].startswith("KeyNotActive: "), problem
    wait_for(lambda: "KeyNotActive" in (source.message(message_id)["why"] or ""), END_TIMEOUT_S, "the reason at the source")
    # A suspended key is no end: what is sent meanwhile waits, says why, and arrives.
    abroad.app.write(abroad.owner, "setFailing", False)
    waiting = world.send(b"waits for the owner")
    told = wait_for(lambda: (m := source.message(waiting)) and m["why"] and m, END_TIMEOUT_S, "a reason", 0.1)
    assert told["stopped"] is False and told["state"] in ("signed", "submitted"), told
    deploy.after_delay(abroad, abroad.gateway, "enableKey", home.identity, epoch)
    source.reaches(waiting, "finalized")
    closing = destination.post(f"/v1/messages/{message_id}/close")["transactions"][0]
    abroad.chain.rpc.wait_receipt(abroad.chain.rpc.send(abroad.closer, closing["to"], abi.to_bytes(closing["data"]), gas=SEND_GAS))
    assert source.reaches(message_id, "refunded")["outcome"] == "dead"


# ---- requests of the API ----

def test_a_transfer_above_the_cap_costs_nothing(world):
    gateway, (home, abroad) = world.gateways[0], world.sides
    home.bridge.write(home.owner, "lowerCap", home.token.address, deploy.CAP, 5 * UNIT)
    before = nonce(home, gateway.operator)
    body = {"to": account(abroad, abroad.friend), "amount": str(6 * UNIT), "mode": "sponsored"}
    for extra in ({}, {"mode": "prepare", "from": gateway.operator}):
        status, problem = gateway.request("POST", "/v1/transfers", {**body, **extra})
        assert (status, problem["code"]) == (422, "reverted"), problem
        assert problem["detail"] == "amount: above what the bridge's cap still lets out"
    run = gateway.caisson("transfer", "--to", body["to"], "--amount", body["amount"])
    assert run.returncode == EXIT_REFUSED and "cap" in run.stderr
    assert nonce(home, gateway.operator) == before
    assert gateway.post("/v1/transfers", {**body, "amount": str(5 * UNIT), "mode": "prepare"})["transactions"]


def test_a_pause_is_told_before_anything_is_sent(world):
    """The quote does not know of it."""
    gateway, (home, abroad) = world.gateways[0], world.sides
    home.gateway.write(home.guardian, "pause")
    try:
        before = nonce(home, gateway.operator)
        body = {"to": account(abroad, abroad.app.address), "payload": "0x01", "mode": "sponsored"}
        status, problem = gateway.request("POST", "/v1/messages", body)
        assert (status, problem["detail"]) == (422, "sending is paused"), problem
        assert nonce(home, gateway.operator) == before
    finally:
        deploy.after_delay(home, home.gateway, "unpause")


def test_a_request_that_fails_on_the_chain_is_an_event(world):
    """It would have gone through when it was asked for; in its block nothing of the contract is there but a revert."""
    gateway, (home, abroad) = world.gateways[0], world.sides
    rpc, address = home.chain.rpc, home.gateway.address
    code = rpc.call("eth_getCode", address, "latest")
    rpc.call("evm_setIntervalMining", 0)
    try:
        with Stream(gateway) as stream:
            body = {"to": account(abroad, abroad.app.address), "payload": "0x02", "mode": "sponsored"}
            request = gateway.post("/v1/messages", body)["request_id"]
            wait_for(lambda: int(rpc.call("txpool_status")["pending"], 16) >= 1, END_TIMEOUT_S, "the operator's transaction in the pool")
            rpc.call("anvil_setCode", address, "0x60006000fd")
            rpc.call("evm_mine")
            rpc.call("anvil_setCode", address, code)
            rpc.call("evm_setIntervalMining", 1)
            event = stream.wait(kind="request.failed")
        assert event["request_id"] == request and event["detail"] == "its transaction reverted", event
        found = gateway.get(f"/v1/messages/{request}")
        assert (found["state"], found["ended"], found["why"]) == ("request_failed", True, "its transaction reverted")
    finally:
        rpc.call("anvil_setCode", address, code)
        rpc.call("evm_setIntervalMining", 1)


def test_a_request_of_which_nobody_tells_is_unknown(world):
    """Its nonce went elsewhere, and no node says that nothing of it happened: it is neither failed nor sent anew."""
    gateway, (home, abroad) = world.gateways[0], world.sides
    rpc = home.chain.rpc
    body = {"to": account(abroad, abroad.app.address), "payload": "0x03", "mode": "sponsored"}
    before = nonce(home, gateway.operator)
    rpc.call("evm_setIntervalMining", 0)
    rpc.call("anvil_impersonateAccount", gateway.operator)
    try:
        request = gateway.post("/v1/messages", body)["request_id"]
        pending = wait_for(lambda: rpc.call("txpool_content")["pending"].get(gateway.operator) or
                           rpc.call("txpool_content")["pending"].get(gateway.operator.lower()), END_TIMEOUT_S, "the operator's transaction in the pool")
        rpc.call("anvil_dropTransaction", next(iter(pending.values()))["hash"])
        rpc.call("eth_sendTransaction", {"from": gateway.operator, "to": gateway.operator, "gas": hex(21000), "nonce": hex(before)})
        rpc.call("evm_mine")
    finally:
        rpc.call("anvil_stopImpersonatingAccount", gateway.operator)
        rpc.call("evm_setIntervalMining", 1)

    def unknown():
        found = gateway.get(f"/v1/messages/{request}")
        return found if found["state"] == "request_unknown" else None

    found = wait_for(unknown, END_TIMEOUT_S, "the request to be unknown", 0.1)
    assert not found["ended"] and "nonce was used" in found["why"], found
    rpc.call("evm_mine")
    other = gateway.post("/v1/messages", body)["request_id"]
    wait_for(lambda: gateway.get(f"/v1/messages/{other}")["id"], END_TIMEOUT_S, "the next message", 0.1)
    assert nonce(home, gateway.operator) == before + 2 and unknown()


# ---- the command line ----

def test_a_refused_cursor_ends_with_the_gateways_sentence(world):
    gateway = world.gateways[0]
    last = gateway.get("/v1/status")["event_cursor"]
    run = gateway.caisson("events", "--cursor", str(10**9))
    assert run.returncode == EXIT_REFUSED, run.stderr
    assert "409" in run.stderr and "cursor: the journal keeps the events 1 to" in run.stderr
    run = gateway.caisson("events", "--cursor", str(10**9), "--json")
    answer = json.loads(run.stdout)
    assert run.returncode == EXIT_REFUSED and answer["exit"] == EXIT_REFUSED and len(run.stdout.splitlines()) == 1
    assert last > 0


def test_a_watched_transfer_is_json_lines(world):
    gateway, (_, abroad) = world.gateways[0], world.sides
    run = gateway.caisson("transfer", "--to", account(abroad, abroad.friend), "--amount", "7", "--watch", "--json", timeout_s=END_TIMEOUT_S)
    assert run.returncode == 0, run.stderr
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    steps, message = lines[:-1], lines[-1]
    assert all(line["kind"] == "step" for line in steps) and {line["n"] for line in steps} == set(range(1, 19))
    assert message["state"] == "finalized" and len(message["steps"]) == 18
    assert steps[-1]["id"] == message["id"] and "kind" not in message
    shown = gateway.caisson("messages", message["id"], "--json")
    assert len(shown.stdout.splitlines()) == 1 and json.loads(shown.stdout)["id"] == message["id"]


@pytest.mark.parametrize("arguments", [
    ["messages", "../chains"], ["messages", "a?side=source"], ["messages", ""], ["messages", "%2e%2e/chains"], ["watch", "../status"],
    ["retry", "../../healthz"], ["messages", "--state", "failed&limit=1"], ["messages", "--side", "source&x=1", "0x" + "00" * 32],
    ["messages", "--tx", "0x11&limit=1"], ["messages", "--sender", ""], ["messages", "--to-chain", "e" * 171],
    ["status", "more"], ["events", "--cursor", "9223372036854775808"], ["events", "--events-url", "http://127.0.0.1/"],
    ["send", "--to", "eip155:31338:0x" + "11" * 20, "--text", "x", "--idempotency-key", ""],
    ["send", "--to", "eip155:31338:0x" + "11" * 20, "--text", "x", "--idempotency-key", "a\nb"]])
def test_arguments_are_no_urls(world, arguments):
    run = world.gateways[0].caisson(*arguments)
    assert run.returncode == EXIT_USAGE and run.stderr and run.stdout == "", (run.stdout, run.stderr)


# ---- what a hostile client sends ----

UPGRADE = ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")


def talk(port: int, request: str, key: str) -> tuple[int, str, dict]:
    """(status, content type, decoded body) of the one answer there is before the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request.replace("KEY", key).encode("latin-1"))
        raw = b""
        while data := connection.recv(65536):
            raw += data
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    kind = next(line for line in lines if line.lower().startswith("content-type:")).split(":", 1)[1].strip()
    return int(lines[0].split()[1]), kind, json.loads(body)


GET = "GET /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\n"
POST = "POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\n"
SMUGGLED = "GET /v1/chains HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\n\r\n"


@pytest.mark.parametrize("request_text", [
    POST + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    POST + f"Content-Length: 2\r\nContent-Length: {2 + len(SMUGGLED)}\r\n\r\n{{}}" + SMUGGLED,
    POST + "Transfer-Encoding: xchunked\r\n\r\n" + SMUGGLED,
    POST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    POST + "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED,
    GET + "Authorization: Bearer nobody\r\n\r\n" + SMUGGLED,
    GET + "Host: y\r\n\r\n" + SMUGGLED,
    POST + "Idempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 2\r\n\r\n{}" + SMUGGLED,
])
def test_what_two_readers_read_differently_is_refused(world, request_text):
    """And nothing behind it is read: the connection is closed."""
    gateway = world.gateways[0]
    status, kind, body = talk(gateway.port, request_text, gateway.key)
    assert (status, kind, body["code"]) == (400, "application/problem+json", "malformed") and body["detail"]


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/v1/messages?limt=5", 400), ("GET", "/v1/messages?limit=5&limit=6", 400), ("GET", "/v1/messages?limit=%zz", 400),
    ("GET", "/v1/messages?limit=18446744073709551617", 400), ("GET", "/v1/messages?limit=%2b5", 400), ("GET", "/v1/chains?x=1", 400),
    ("GET", "/v1/messages/0x" + "00" * 32 + "?side=north", 400), ("GET", "/v1/../v1/messages", 404), ("GET", "/v1/%2e%2e/healthz", 404),
    ("GET", "/v1//messages", 404), ("GET", "/v1/messages/r%27%20or%201=1--", 404), ("GET", "/v1/messages/%ff%fe", 400),
    ("GET", "/v1/messages/" + "a" * 20000, 404), ("DELETE", "/v1/messages", 405), ("get", "/v1/messages", 405), ("POST", "/v1/status", 405),
])
def test_paths_and_queries(world, method, path, status):
    gateway = world.gateways[0]
    request_text = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\nConnection: close\r\n\r\n"
    got, kind, body = talk(gateway.port, request_text, gateway.key)
    assert (got, kind, body["status"]) == (status, "application/problem+json", status), body


@pytest.mark.parametrize("body", [
    b"", b"{", b"null", b"5", b'"x"', b"[]", b'{"to":"a","to":"b"}', b'{"to":"\xff"}', b"{} {}", b"[" * 100_000, b'{"a":' * 5_000, b'{"to":NaN}',
    b'{"to":' + b"9" * 400 + b"}", b'{"to":"a\\u0000b"}', b'{"to":"\\ud800"}', '{"to":1}'.encode("utf-16"), b"\xef\xbb\xbf{}"])
def test_bodies_that_are_no_request(world, body):
    gateway = world.gateways[0]
    for path in ("/v1/messages", "/v1/transfers", "/v1/keys/rotate", "/v1/peer/envelopes"):
        key = gateway.peer_key if "peer" in path else gateway.key
        text = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        status, kind, answer = talk(gateway.port, text + body.decode("latin-1"), key)
        assert (status, kind) == (400, "application/problem+json") and answer["detail"], answer


@pytest.mark.parametrize("path, headers, status, detail", [
    ("/v1/events", UPGRADE, 401, "no API key"), ("/v1/events", UPGRADE + "Authorization: Bearer PEER\r\n", 403, "scope"),
    ("/v1/events?cursor=x", UPGRADE + "Authorization: Bearer KEY\r\n", 400, "cursor: not a number"),
    ("/v1/events?cursor=9223372036854775808", UPGRADE + "Authorization: Bearer KEY\r\n", 400, "cursor: not a number"),
    ("/v1/events?cursor=9223372036854775807", UPGRADE + "Authorization: Bearer KEY\r\n", 409, "cursor: the journal keeps"),
    ("/v1/events?curser=1", UPGRADE + "Authorization: Bearer KEY\r\n", 400, "curser: the query has it"),
    ("/v1/events?cursor=1&cursor=2", UPGRADE + "Authorization: Bearer KEY\r\n", 400, "cursor: the query has it twice"),
    ("/v1/other", UPGRADE + "Authorization: Bearer KEY\r\n", 404, "no such route"),
    ("/v1/events", UPGRADE.replace("13", "99") + "Authorization: Bearer KEY\r\n", 426, "only 13"),
    ("/v1/events", "Authorization: Bearer KEY\r\n", 426, "WebSocket only"),
])
def test_the_stream_refuses_in_words(world, path, headers, status, detail):
    gateway = world.gateways[0]
    request_text = f"GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".replace("PEER", gateway.peer_key)
    got, kind, body = talk(gateway.events_port, request_text, gateway.key)
    assert (got, kind) == (status, "application/problem+json") and detail in body["detail"], body


@pytest.mark.parametrize("body, detail", [
    ({}, "instance"), ({"instance": "a" * 32, "after": -1, "items": []}, "after"), ({"instance": "a" * 32, "after": 0, "items": [None]}, "n: "),
    ({"instance": "a" * 32, "after": 0, "items": [{"n": "1"}]}, "n: "), ({"instance": "a" * 31, "after": 0, "items": []}, "instance"),
    ({"instance": "A" * 32, "after": 0, "items": []}, "instance"), ({"instance": "a" * 32, "after": 0, "items": [], "more": 1}, "more"),
    ({"instance": "a" * 32, "after": 0, "items": [], "more": True, "z": 1}, "z")])
def test_a_peers_body_is_read_as_strictly(world, body, detail):
    gateway = world.gateways[0]
    status, answer = gateway.request("POST", "/v1/peer/envelopes", body, key=gateway.peer_key)
    assert status == 400 and detail in answer["detail"], answer


def test_a_slow_client_holds_nobody_up(world):
    gateway, slow = world.gateways[0], []
    try:
        for _ in range(100):
            slow.append(socket.create_connection(("127.0.0.1", gateway.port), timeout=20))
            slow[-1].sendall(b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert gateway.request("GET", "/healthz")[0] == 200
        # Each is cut ten seconds after it began.
        assert all(s.recv(1) == b"" for s in slow)
    finally:
        for s in slow:
            s.close()
    assert gateway.healthy()


# ---- a contract that will never take it ----

FORGED_EPOCH = 7


class Forger:
    """Whoever holds a key that the destination has registered for the source, and a peer's API key."""

    def __init__(self, world: World):
        self.world, self.secret = world, int.from_bytes(crypto.keccak(b"a forger's key"), "big") % envelope.N
        self.home, self.abroad = world.sides
        self.instance, self.n = secrets.token_hex(16), 0
        deploy.after_delay(self.abroad, self.abroad.gateway, "registerKey", self.home.identity, FORGED_EPOCH, crypto.public_key(self.secret)[:32], b"\0" * 32, b"\0" * 32)

    def item(self, sequence: int, sender: bytes, deadline: int, payload: bytes = b"forged") -> tuple[str, dict]:
        recipient = deploy.erc7930(self.abroad.chain.chain_id, self.abroad.app.address)
        head = {"source": self.home.identity, "destination": self.abroad.identity, "sequence": sequence, "sender": sender,
                "recipient": recipient, "payload": payload, "minGasLimit": 100_000, "closer": b"\0" * 32, "refundTo": b"\0" * 32,
                "finality": 0, "deadline": deadline}
        message_id = envelope.message_id(head)
        root = envelope.leaf_message(message_id)
        digest = envelope.digest(envelope.INSECURE, envelope.MESSAGE, self.home.identity, self.abroad.identity, FORGED_EPOCH, 1, root)
        raw = crypto.schnorr_sign(self.secret, digest)
        rx = int.from_bytes(raw[:32], "big")
        word = [abi.to_hex(x) for x in (raw[:32], crypto.lift_x(rx)[1].to_bytes(32, "big"), raw[32:])]
        statement = {"kind": 1, "signer": abi.to_hex(self.home.identity), "receiver": abi.to_hex(self.abroad.identity),
                     "epoch": FORGED_EPOCH, "manifest": 1, "root": abi.to_hex(root), "rx": word[0], "ry": word[1], "s": word[2]}
        message = {"source": statement["signer"], "destination": statement["receiver"], "sequence": sequence, "deadline": deadline,
                   "min_gas_limit": 100_000, "closer": "0x" + "00" * 32, "refund_to": "0x" + "00" * 32, "finality": 0,
                   "sender": abi.to_hex(sender), "recipient": abi.to_hex(recipient), "payload": abi.to_hex(payload)}
        return abi.to_hex(message_id), {"kind": "messages", "statement": statement, "messages": [message]}

    def push(self, *items: dict) -> tuple[int, dict]:
        destination = self.world.gateways[1]
        body = {"instance": self.instance, "after": self.n, "items": []}
        for item in items:
            self.n += 1
            body["items"].append({"n": self.n, **item})
        # What a key signed that the gateway has not learned yet is not taken: it comes again.
        return wait_for(lambda: (r := destination.request("POST", "/v1/peer/envelopes", body, key=destination.peer_key))
                        and (r[0] != 200 or r[1]["cursor"] == self.n) and r, END_TIMEOUT_S, "that the items are taken", 0.1)


@pytest.fixture(scope="module")
def forger(world):
    return Forger(world)


def test_a_foreign_sender_is_tried_no_more_and_expires(world, forger):
    destination, (_, abroad) = world.gateways[1], world.sides
    gas_address = world.enclave_key(destination)["gas_address"]
    deadline = abroad.chain.rpc.time() + 25
    message_id, item = forger.item(10**6, deploy.erc7930(1, "0x" + "ab" * 20), deadline)
    spent = nonce(abroad, gas_address)
    with Stream(destination) as stream:
        assert forger.push(item)[0] == 200
        event = stream.wait(kind="message.refused", id=message_id)
        told = wait_for(lambda: (m := destination.message(message_id)) and m["stopped"] and m, END_TIMEOUT_S, f"its end ({destination.log})", 0.1)
        assert told["state"] == "signed" and told["why"].startswith("reverted for good: SenderForeign: "), told
        event = stream.wait(kind="message.refused", id=message_id, detail=told["why"])
        assert event["state"] == "signed" and event["side"] == "destination"
        tries = told["tries"]
        abroad.chain.rpc.wait_blocks(10)
        assert destination.message(message_id)["tries"] == tries and nonce(abroad, gas_address) == spent, "it is still tried"
        # An operator may ask for one more look; it ends as before.
        destination.post(f"/v1/messages/{message_id}/retry")
        wait_for(lambda: destination.message(message_id)["tries"] > tries, END_TIMEOUT_S, "another look", 0.1)
        assert destination.message(message_id)["stopped"]
        assert destination.request("POST", f"/v1/messages/{message_id}/close")[0] == 409
    # The deadline is for it as for any other: a tombstone.
    wait_for(lambda: abroad.gateway.read("statusOf", forger.home.identity, 10**6) == 3, END_TIMEOUT_S, f"the tombstone ({destination.log})", 0.2)
    assert nonce(abroad, gas_address) == spent + 1
    destination.reaches(message_id, "outcome_verified", "refunding", "refunded")


def test_a_batch_with_a_foreign_sender_delivers_the_rest(world, forger):
    """What waits beside it, and what is sent after it, is not held up."""
    (source, destination), (_, abroad) = world.gateways, world.sides
    bad, item = forger.item(10**6 + 1, deploy.erc7930(1, "0x" + "cd" * 20), abroad.chain.rpc.time() + 3000)
    good, other = forger.item(10**6 + 2, deploy.erc7930(forger.home.chain.chain_id, "0x" + "cd" * 20), abroad.chain.rpc.time() + 3000, b"good")
    assert forger.push(item, other)[0] == 200
    destination.reaches(good, "included", "outcome_final", "outcome_verified")
    wait_for(lambda: destination.message(bad)["stopped"], END_TIMEOUT_S, "the end of the bad one", 0.1)
    message_id = world.send(b"after the forger")
    source.reaches(message_id, "finalized")


def test_a_peer_speaks_for_its_own_chains_only(world, forger):
    """A statement of a chain that this peer does not serve is nobody's word; and no cursor reaches beyond what there is."""
    source, destination = world.gateways
    foreign_id, item = forger.item(10**6 + 3, deploy.erc7930(1, "0x" + "ef" * 20), 2**40)
    item["statement"]["signer"], item["statement"]["receiver"] = item["statement"]["receiver"], item["statement"]["signer"]
    assert forger.push(item)[0] == 200
    assert destination.message(foreign_id) is None
    page = source.request("GET", "/v1/peer/envelopes?after=0", key=source.peer_key)[1]
    status, answer = source.request("GET", f"/v1/peer/envelopes?instance={page['instance']}&after={2**62}", key=source.peer_key)
    assert status == 409 and answer["detail"].startswith("after: "), answer
    message_id = world.send(b"the outbox is whole")
    source.reaches(message_id, "finalized")


# ---- configuration ----

@pytest.mark.parametrize("value, good", [(2**63 - 1, True), (2**63, True), (2**64 - 1, True), (2**64, False), (10**40, False), (-1, False),
                                         ("1", False)])
@pytest.mark.parametrize("field", ["fee_cap_wei", "total_cap_wei"])
def test_wei_is_exact_or_refused(world, tmp_path, field, value, good):
    gateway = world.gateways[0]
    signed = json.loads(world.manifest.read_text())
    signed["manifest"]["chains"][0]["policy"][field] = value
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps(signed, sort_keys=True, separators=(",", ":")))
    config = gateway.folder / f"wei-{field}.toml"
    config.write_text(gateway.config.read_text().replace(str(world.manifest), str(manifest)))
    run = gateway.caisson("config", "check", str(config))
    config.unlink()
    assert run.returncode == (0 if good else 2), run.stderr
    assert good or f"chains[0].policy.{field}" in run.stderr + run.stdout, run.stderr + run.stdout


@pytest.mark.parametrize("text", ["9223372036854775808", "18446744073709551616", "-1", "1e3", "0x10", "1_"])
def test_a_number_that_does_not_fit_is_named(world, text):
    gateway = world.gateways[0]
    config = gateway.folder / "number.toml"
    config.write_text(gateway.config.read_text().replace("block_time_ms = 500", f"block_time_ms = 500\nmax_fee_gwei = {text}"))
    run = gateway.caisson("config", "check", str(config))
    config.unlink()
    assert run.returncode == 2 and ("max_fee_gwei" in run.stderr + run.stdout or "number.toml:" in run.stderr + run.stdout), run.stderr
