"""What is refused, and how it is told: by the contracts, by the gateway, on the command line and in the streams."""
from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading

import pytest
import websocket

from lib import abi, crypto, deploy
from lib.rpc import wait_for
from lib.tools import ROOT
from lib.world import Gateway, World

sys.path.insert(0, str(ROOT / "tools"))
import envelope_vectors as envelope  # noqa: E402

END_S = 90
SEND_GAS = 400_000
EXIT_REFUSED = 3
UNIT = 10**18


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("refusals"), "anvil", block_time=0.5) as w:
        yield w


def account(side: deploy.Side, address: str) -> str:
    return f"{side.chain.caip2}:{address.lower()}"


class Stream:
    """Every event from a cursor on, read by a thread."""

    def __init__(self, gateway: Gateway):
        cursor = gateway.get("/v1/status")["event_cursor"]
        self.events: list[dict] = []
        self.socket = websocket.create_connection(f"{gateway.events_url}?cursor={cursor}", timeout=END_S,
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
        return wait_for(found, END_S, f"an event {wanted}", 0.05)

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()


def send(world: World, payload: bytes, attributes=()) -> str:
    side, other = world.sides
    to = deploy.erc7930(other.chain.chain_id, other.app.address)
    receipt = side.gateway.write(side.user, "sendMessage", to, payload, list(attributes), gas=SEND_GAS)
    return abi.to_hex(side.gateway.events("MessageCommitted", receipt)[0]["messageId"])


def state(gateway: Gateway, message_id: str, *states: str) -> dict:
    return wait_for(lambda: (m := gateway.message(message_id)) and m["state"] in states and m, END_S,
                    f"{message_id} as {states} ({gateway.log})", 0.1)


def nonce(side: deploy.Side, address: str) -> int:
    return int(side.chain.rpc.call("eth_getTransactionCount", address, "latest"), 16)


def after_delay(side: deploy.Side, name: str, *values) -> None:
    call = side.gateway.data(name, *values)
    side.gateway.write(side.owner, "schedule", call)
    ready = side.gateway.read("readyAt", crypto.keccak(call))
    wait_for(lambda: side.chain.rpc.time() >= ready, 30, "the owner's delay")
    side.chain.rpc.wait_receipt(side.chain.rpc.send(side.owner, side.gateway.address, call))


# ---- a contract's reason reaches the one who asked ----

def test_a_refused_retry_says_why_at_the_source(world):
    (source, destination), (_, abroad) = world.gateways, world.sides
    abroad.app.write(abroad.owner, "setFailing", True)
    message_id = send(world, b"refused")
    state(source, message_id, "failed")
    gas_address = world.enclave_key(destination)["gas_address"]
    spent = nonce(abroad, gas_address)
    with Stream(source) as here, Stream(destination) as there:
        run = source.caisson("retry", message_id)
        assert run.returncode == 0, run.stderr
        event = here.wait(kind="message.refused", id=message_id)
        assert event["state"] == "failed" and "CallFailed" in event["detail"], event
        assert "CallFailed" in there.wait(kind="message.refused", id=message_id)["detail"]
    told = state(source, message_id, "failed")
    assert told["why"] == "reverted: CallFailed: the recipient's call failed again" and told["stopped"] is False
    assert destination.message(message_id)["why"] == told["why"]
    assert nonce(abroad, gas_address) == spent, "a retry that is sure to revert was paid for"
    # The same again is told again.
    with Stream(source) as here:
        destination.post(f"/v1/messages/{message_id}/retry")
        wait_for(lambda: destination.message(message_id)["why"] == told["why"], END_S, "the reason")
    abroad.app.write(abroad.owner, "setFailing", False)
    source.post(f"/v1/messages/{message_id}/retry")
    found = state(source, message_id, "finalized")
    assert found["why"] is None and abroad.app.read("lastPayload") == b"refused"


def test_a_refused_close_says_why_on_both_sides(world):
    """The key that signed the envelope is suspended: the contract takes no close under it, until the owner lifts that."""
    (source, destination), (home, abroad) = world.gateways, world.sides
    abroad.app.write(abroad.owner, "setFailing", True)
    message_id = send(world, b"closed", [deploy.attribute("closer(bytes)", abi.to_bytes(abroad.closer))])
    state(source, message_id, "failed")
    state(destination, message_id, "failed")
    epoch = world.enclave_key(source)["epoch"]
    abroad.gateway.write(abroad.guardian, "suspendKey", home.identity, epoch)
    status, problem = destination.request("POST", f"/v1/messages/{message_id}/close")
    assert status == 422 and problem["code"] == "reverted" and problem["detail"].startswith("KeyNotActive: "), problem
    wait_for(lambda: "KeyNotActive" in (source.message(message_id)["why"] or ""), END_S, "the reason at the source")
    # A suspended key is no end: what is sent meanwhile waits, says why, and arrives.
    abroad.app.write(abroad.owner, "setFailing", False)
    waiting = send(world, b"waits for the owner")
    told = wait_for(lambda: (m := source.message(waiting)) and m["why"] and m, END_S, "a reason", 0.1)
    assert told["stopped"] is False and told["state"] in ("signed", "submitted"), told
    after_delay(abroad, "enableKey", home.identity, epoch)
    state(source, waiting, "finalized")
    closing = destination.post(f"/v1/messages/{message_id}/close")["transactions"][0]
    abroad.chain.rpc.wait_receipt(abroad.chain.rpc.send(abroad.closer, closing["to"], abi.to_bytes(closing["data"]), gas=SEND_GAS))
    assert state(source, message_id, "refunded")["outcome"] == "dead"


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
        after_delay(home, "unpause")


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
            wait_for(lambda: int(rpc.call("txpool_status")["pending"], 16) >= 1, END_S, "the operator's transaction in the pool")
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
    run = gateway.caisson("transfer", "--to", account(abroad, abroad.friend), "--amount", "7", "--watch", "--json", timeout_s=END_S)
    assert run.returncode == 0, run.stderr
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    steps, message = lines[:-1], lines[-1]
    assert all(line["kind"] == "step" for line in steps) and {line["n"] for line in steps} == set(range(1, 19))
    assert message["state"] == "finalized" and len(message["steps"]) == 18
    assert steps[-1]["id"] == message["id"] and "kind" not in message
    shown = gateway.caisson("messages", message["id"], "--json")
    assert len(shown.stdout.splitlines()) == 1 and json.loads(shown.stdout)["id"] == message["id"]


# ---- a contract that will never take it ----

FORGED_EPOCH = 7


class Forger:
    """Whoever holds a key that the destination has registered for the source, and a peer's API key."""

    def __init__(self, world: World):
        self.world, self.secret = world, int.from_bytes(crypto.keccak(b"a forger's key"), "big") % envelope.N
        self.home, self.abroad = world.sides
        self.instance, self.n = secrets.token_hex(16), 0
        after_delay(self.abroad, "registerKey", self.home.identity, FORGED_EPOCH, crypto.public_key(self.secret)[:32], b"\0" * 32, b"\0" * 32)

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
        return destination.request("POST", "/v1/peer/envelopes", body, key=destination.peer_key)


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
        told = wait_for(lambda: (m := destination.message(message_id)) and m["stopped"] and m, END_S, f"its end ({destination.log})", 0.1)
        assert told["state"] == "signed" and told["why"].startswith("reverted for good: SenderForeign: "), told
        event = stream.wait(kind="message.refused", id=message_id, detail=told["why"])
        assert event["state"] == "signed" and event["side"] == "destination"
        tries = told["tries"]
        abroad.chain.rpc.wait_blocks(10)
        assert destination.message(message_id)["tries"] == tries and nonce(abroad, gas_address) == spent, "it is still tried"
        # An operator may ask for one more look; it ends as before.
        destination.post(f"/v1/messages/{message_id}/retry")
        wait_for(lambda: destination.message(message_id)["tries"] > tries, END_S, "another look", 0.1)
        assert destination.message(message_id)["stopped"]
        assert destination.request("POST", f"/v1/messages/{message_id}/close")[0] == 409
    # The deadline is for it as for any other: a tombstone.
    wait_for(lambda: abroad.gateway.read("statusOf", forger.home.identity, 10**6) == 3, END_S, f"the tombstone ({destination.log})", 0.2)
    assert nonce(abroad, gas_address) == spent + 1
    state(destination, message_id, "outcome_verified", "refunding", "refunded")


def test_a_batch_with_a_foreign_sender_delivers_the_rest(world, forger):
    """What waits beside it, and what is sent after it, is not held up."""
    (source, destination), (_, abroad) = world.gateways, world.sides
    bad, item = forger.item(10**6 + 1, deploy.erc7930(1, "0x" + "cd" * 20), abroad.chain.rpc.time() + 3000)
    good, other = forger.item(10**6 + 2, deploy.erc7930(forger.home.chain.chain_id, "0x" + "cd" * 20), abroad.chain.rpc.time() + 3000, b"good")
    assert forger.push(item, other)[0] == 200
    state(destination, good, "included", "outcome_final", "outcome_verified")
    wait_for(lambda: destination.message(bad)["stopped"], END_S, "the end of the bad one", 0.1)
    message_id = send(world, b"after the forger")
    state(source, message_id, "finalized")


def test_a_peer_speaks_for_its_own_chains_only(world, forger):
    """A statement of a chain that this peer does not serve is nobody's word; and no cursor reaches beyond what there is."""
    source, destination = world.gateways
    foreign_id, item = forger.item(10**6 + 3, deploy.erc7930(1, "0x" + "ef" * 20), 2**40)
    item["statement"]["signer"], item["statement"]["receiver"] = item["statement"]["receiver"], item["statement"]["signer"]
    assert forger.push(item)[0] == 200
    assert destination.message(foreign_id) is None
    instance = source.get("/v1/status").get("instance") or "0" * 32
    status, _ = source.request("GET", f"/v1/peer/envelopes?instance={instance}&after={2**62}", key=source.peer_key)
    assert status in (200, 409)
    message_id = send(world, b"the outbox is whole")
    state(source, message_id, "finalized")


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
