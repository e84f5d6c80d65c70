"""What people and peers touch, between two real chains: the command line, the event stream, a peer that is down, keys that are
repeated, a reorganisation, a message that nobody can deliver, and one process that serves both chains."""
from __future__ import annotations

import json
import time

import pytest
import websocket

from lib import abi, deploy
from lib.rpc import create, wait_for
from lib.world import CONFIRMATIONS, Gateway, World, wait_time, write_secret

END_S = 90
SEND_GAS = 400_000


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("surface"), "anvil", expire=("tombstone", "absence")) as w:
        yield w


def account(side: deploy.Side, address: str) -> str:
    return f"{side.chain.caip2}:{address.lower()}"


def send(world: World, payload: bytes = b"surface", attributes=(), source: int = 0, recipient: str | None = None) -> str:
    """A message by the application's own transaction; its id."""
    side, other = world.sides[source], world.sides[1 - source]
    to = deploy.erc7930(other.chain.chain_id, recipient or other.app.address)
    receipt = side.gateway.write(side.user, "sendMessage", to, payload, list(attributes), gas=SEND_GAS)
    return abi.to_hex(side.gateway.events("MessageCommitted", receipt)[0]["messageId"])


def ends(gateway: Gateway, message_id: str, state: str = "finalized") -> dict:
    found = wait_for(lambda: (m := gateway.message(message_id)) and m["state"] in ("finalized", "refunded") and m, END_S,
                     f"the end of {message_id} ({gateway.log})", 0.1)
    assert found["state"] == state, found
    return found


# ---- batches ----

def test_a_batch_of_large_messages_is_split(world):
    """32 of 4 KiB fit into the gas of one transaction, but not into the 128 KiB that geth takes."""
    source, destination = world.sides
    rpc, first = destination.chain.rpc, destination.chain.rpc.block_number()
    recipient = create(rpc, destination.owner, deploy.artifact("test/NullRecipient")).address
    data = abi.to_hex(source.gateway.data("sendMessage", deploy.erc7930(destination.chain.chain_id, recipient), b"\x55" * 4096,
                                          [deploy.attribute("minGasLimit(uint256)", 40_000)]))
    nonces = {s: int(source.chain.rpc.call("eth_getTransactionCount", s, "latest"), 16) for s in source.chain.accounts[3:9]}
    hashes = source.chain.rpc.batch([
        ("eth_sendTransaction", {"from": s, "to": source.gateway.address, "data": data, "gas": hex(600_000), "value": "0x0",
                                 "nonce": hex(nonce + k)}) for s, nonce in nonces.items() for k in range(6)])
    ids = [abi.to_hex(source.gateway.events("MessageCommitted", source.chain.rpc.wait_receipt(h))[0]["messageId"]) for h in hashes]
    for i in ids:
        ends(world.gateways[0], i)
    sizes = [len(t["input"]) // 2 for b in range(first, rpc.block_number() + 1)
             for t in rpc.call("eth_getBlockByNumber", hex(b), True)["transactions"]
             if (t["to"] or "").lower() == destination.gateway.address.lower()]
    assert len(sizes) > 2 and 64 * 1024 < max(sizes) < 129 * 1024, sizes


# ---- the command line ----

def test_send_and_watch(world):
    run = world.gateways[0].caisson("send", "--to", account(world.sides[1], world.sides[1].app.address), "--text", "by hand",
                                    "--watch", timeout_s=END_S)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert [int(line.split()[0]) for line in lines[:-1]] == list(range(1, 19))
    assert lines[-1].endswith("finalized")
    assert world.sides[1].app.read("lastPayload") == b"by hand"


def test_a_sponsored_transfer_approves_first(world):
    side, other = world.sides
    gateway = world.gateways[0]
    side.token.write(side.owner, "mint", gateway.operator, 10**18)
    run = gateway.caisson("transfer", "--to", account(other, other.friend), "--amount", str(10**17), "--watch", "--json", timeout_s=END_S)
    assert run.returncode == 0, run.stderr
    message = json.loads(run.stdout)
    assert message["state"] == "finalized" and message["outcome"] == "delivered"
    assert other.token.read("balanceOf", other.friend) >= 10**17


def test_a_transfer_that_dies_is_exit_6(world):
    side, other = world.sides
    gateway = world.gateways[0]
    side.token.write(side.owner, "mint", gateway.operator, 10**18)
    before = side.token.read("balanceOf", gateway.operator)
    run = gateway.caisson("transfer", "--to", account(other, other.bridge.address), "--amount", "5", "--deadline-in", "8", "--watch",
                          timeout_s=END_S)
    assert run.returncode == 6, run.stdout + run.stderr
    assert side.token.read("balanceOf", gateway.operator) == before


def test_a_message_that_is_too_late_gets_a_tombstone(world):
    """Nobody delivers it: the gateway sends one transaction, which writes that it is dead."""
    destination = world.sides[1]
    deadline = max(int(time.time()), destination.chain.rpc.time()) + 3
    message_id = send(world, b"too late", [deploy.attribute("deadline(uint64)", deadline)])
    found = ends(world.gateways[0], message_id, "refunded")
    steps = {s["n"]: s for s in found["steps"]}
    assert found["outcome"] == "dead" and steps[10]["detail"] == "dead" and steps[9]["tx"] == steps[10]["tx"]
    receipt = destination.chain.rpc.receipt(steps[10]["tx"])
    assert [e["status"] for e in destination.gateway.events("MessageStatus", receipt)] == [3]


def test_status_messages_and_verify(world):
    gateway = world.gateways[0]
    message_id = send(world)
    ends(gateway, message_id)
    status = gateway.caisson("status", "--json")
    assert status.returncode == 0 and json.loads(status.stdout)["ready"]
    assert "finalized" in gateway.caisson("status").stdout
    assert message_id in gateway.caisson("messages", "--state", "finalized", "--limit", "200").stdout
    assert "delivery_included" in gateway.caisson("messages", message_id).stdout
    envelope = gateway.caisson("envelope", message_id)
    path = gateway.folder / "envelope.json"
    path.write_text(envelope.stdout)
    key = world.enclave_key(gateway)["public_key"]
    other = world.enclave_key(world.gateways[1])["public_key"]
    good = gateway.caisson("verify", str(path), "--manifest", str(world.manifest), "--json")
    result = json.loads(good.stdout)
    # The envelope holds our key, and the other enclave's as our contract names it.
    assert good.returncode == 0
    assert result["message"]["verifies"] and result["message"]["insecure"] and result["message"]["in_manifest"]
    assert result["outcome"]["verifies"]
    envelope_json = json.loads(envelope.stdout)
    for name in ("outcome_statement", "outcome"):
        del envelope_json[name]
    path.write_text(json.dumps(envelope_json))
    assert gateway.caisson("verify", str(path), "--key", key).returncode == 0
    assert gateway.caisson("verify", str(path), "--key", other).returncode == 6
    assert gateway.caisson("retry", message_id).returncode == 3
    assert gateway.caisson("messages", "0x" + "00" * 32).returncode == 3
    keys = json.loads(gateway.caisson("keys", "enclave", "--json").stdout)
    assert keys["keys"][0]["public_key"] == key and keys["evidence_digest"].startswith("0x")


# ---- events ----

class Stream:
    def __init__(self, gateway: Gateway, cursor: int | None = None):
        url = gateway.events_url + ("" if cursor is None else f"?cursor={cursor}")
        self.socket = websocket.create_connection(url, timeout=30, header=[f"Authorization: Bearer {gateway.key}"])

    def until(self, done) -> list[dict]:
        events = []
        while not events or not done(events[-1]):
            events.append(json.loads(self.socket.recv()))
        return events

    def close(self):
        self.socket.close()


def test_events_resume_without_gap_or_repetition(world):
    gateway = world.gateways[0]
    cursor = gateway.get("/v1/status")["event_cursor"]
    live = Stream(gateway, cursor)
    message_id = send(world, b"events")
    whole = live.until(lambda e: e.get("id") == message_id and e["state"] == "finalized" and e["side"] == "source")
    live.close()
    cursors = [e["cursor"] for e in whole]
    assert cursors == sorted(set(cursors)) and cursors[0] > cursor
    states = [e["state"] for e in whole if e.get("id") == message_id and e["side"] == "source"]
    assert states[:4] == ["observed", "final", "verified", "signed"] and states[-1] == "finalized"
    middle = cursors[len(cursors) // 2]
    again = Stream(gateway, middle)
    rest = again.until(lambda e: e["cursor"] >= cursors[-1])
    again.close()
    assert [e["cursor"] for e in rest] == [c for c in cursors if c > middle]


def test_a_stream_wants_a_key_and_a_cursor_that_exists(world):
    gateway = world.gateways[0]
    for url, key in ((gateway.events_url, "nobody-knows-this-key-000000000000"), (gateway.events_url + "?cursor=999999999", gateway.key),
                     (gateway.events_url + "?cursor=x", gateway.key), (gateway.events_url + "/more", gateway.key)):
        with pytest.raises(websocket.WebSocketBadStatusException):
            websocket.create_connection(url, timeout=10, header=[f"Authorization: Bearer {key}"])


# ---- repeated requests ----

def test_an_idempotency_key_sends_once(world):
    gateway, other = world.gateways[0], world.sides[1]
    body = {"to": account(other, other.app.address), "payload": "0x01", "mode": "sponsored"}
    first = gateway.post("/v1/messages", body, **{"Idempotency-Key": "once"})
    assert gateway.post("/v1/messages", body, **{"Idempotency-Key": "once"}) == first
    status, problem = gateway.request("POST", "/v1/messages", {**body, "payload": "0x02"}, {"Idempotency-Key": "once"})
    assert status == 409 and problem["code"] == "conflict"
    ends(gateway, first["request_id"])
    sent = [m for m in gateway.get("/v1/messages", limit=200)["messages"] if m.get("request_id") == first["request_id"]]
    assert len(sent) == 1


def test_what_the_contract_refuses_is_told_before_anything_is_sent(world):
    gateway, other = world.gateways[0], world.sides[1]
    body = {"to": account(other, other.app.address), "payload": "0x01", "mode": "sponsored", "attributes": {"deadline": 1}}
    status, problem = gateway.request("POST", "/v1/messages", body)
    assert status == 422 and problem["code"] == "reverted", problem["detail"]


# ---- either side may be down ----

def test_a_peer_that_is_down_misses_nothing(world):
    source, destination = world.gateways
    destination.stop()
    first = send(world, b"while you were out 1")
    wait_for(lambda: (m := source.message(first)) and m["state"] == "signed", END_S, "the signature")
    second = send(world, b"while you were out 2")
    wait_for(lambda: (m := source.message(second)) and m["state"] == "signed", END_S, "the signature")
    destination.start()
    wait_for(destination.healthy, 60, f"health ({destination.log})", 0.1)
    for message_id in (first, second):
        ends(source, message_id)
        ends(destination, message_id)


def test_a_source_that_is_down_gets_its_outcomes(world):
    source, destination = world.gateways
    message_id = send(world, b"the source goes")
    wait_for(lambda: destination.message(message_id), END_S, "the envelope")
    source.stop()
    wait_for(lambda: (m := destination.message(message_id)) and m["state"] == "outcome_verified", END_S, "the outcome")
    source.start()
    wait_for(source.healthy, 60, f"health ({source.log})", 0.1)
    ends(source, message_id)


# ---- more confirmations than the rule asks for ----

def test_a_message_waits_for_the_confirmations_that_it_asks_for(world):
    """Blocks by hand: the one that the rule wants makes it final for everybody else, not for itself; the third after it does."""
    more = 3
    side, gateway = world.sides[0], world.gateways[0]
    other, rpc = world.sides[1], side.chain.rpc
    to = deploy.erc7930(other.chain.chain_id, other.app.address)
    rpc.call("evm_setIntervalMining", 0)
    try:
        sent = [side.gateway.send(side.user, "sendMessage", to, payload, attributes, gas=SEND_GAS) for payload, attributes in
                ((b"in a hurry", []), (b"careful", [deploy.attribute("finality(uint8)", more)]))]
        side.chain.mine()
        plain, careful = (abi.to_hex(side.gateway.events("MessageCommitted", rpc.wait_receipt(tx))[0]["messageId"]) for tx in sent)
        height = rpc.block_number()
        side.chain.mine(CONFIRMATIONS)
        signed = wait_for(lambda: (m := gateway.message(plain)) and m["state"] not in ("observed", "final", "verified") and m, END_S, "plain", 0.1)
        assert signed["finality"] == 0
        side.chain.mine(more - 1)
        wait_for(lambda: gateway.get("/v1/chains")["chains"][0]["final"] == height + more - 1, END_S, "the block before", 0.1)
        held = gateway.message(careful)
        assert held["state"] == "observed" and held["finality"] == more, held
        side.chain.mine()
        wait_for(lambda: gateway.message(careful)["state"] not in ("observed", "final", "verified"), END_S, "its signature", 0.1)
    finally:
        rpc.call("evm_setIntervalMining", int(world.block_time))
    found = ends(gateway, careful)
    steps = {s["n"]: s for s in found["steps"]}
    assert found["sent"]["block"] == height and steps[5]["block"] == height + more
    ends(gateway, plain)


# ---- what the chain takes back ----

def test_an_event_that_is_reorganised_away_and_comes_again(world):
    side, gateway = world.sides[0], world.gateways[0]
    message_id = send(world, b"reorganised")
    wait_for(lambda: gateway.message(message_id), END_S, "the event")
    block = gateway.message(message_id)["sent"]["block"]
    if side.chain.rpc.block_number() - block > 1:
        pytest.skip("the event was final before the test could take it back")
    raw = side.chain.rpc.call("eth_getRawTransactionByHash", gateway.message(message_id)["sent"]["tx"])
    depth = side.chain.rpc.block_number() - block + 1
    side.chain.rpc.call("anvil_reorg", depth, [])
    wait_for(lambda: gateway.message(message_id)["state"] == "abandoned", END_S, "that it vanished")
    side.chain.rpc.call("eth_sendRawTransaction", raw)
    assert ends(gateway, message_id)["sent"]["block"] != block


# ---- one process, both chains ----

class Single(World):
    """The same world with one gateway for both chains."""

    def start_gateways(self) -> None:
        super().start_gateways()
        for gateway in self.gateways:
            gateway.stop()
        first, second = self.gateways
        tables = second.config.read_text().split("[[chains]]")[1].split("[[peers]]")[0]
        head, rest = first.config.read_text().split("[[peers]]")
        routes = "".join("[[routes]]" + r for r in rest.split("[[routes]]")[1:])
        write_secret(first.folder / "operator2.key", f"{second.operator_secret:064x}\n")
        tables = tables.replace('"operator.key"', '"operator2.key"')
        first.config.write_text(f"{head}\n[[chains]]{tables}\n{routes}")
        for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
            (first.folder / name).unlink(missing_ok=True)
        first.start()

    def register_keys(self) -> None:
        wait_for(lambda: len(self.keys()) == 2, 60, "keys of both chains", 0.2)
        sent = []
        for i, side in enumerate(self.sides):
            other = self.sides[1 - i]
            own, remote = self.keys()[side.chain.caip2], self.keys()[other.chain.caip2]
            rpc = side.chain.rpc
            sent.append((rpc, side.gateway.send(side.owner, "registerKey", other.identity, 1, abi.to_bytes(remote["public_key"]), b"\1" * 32,
                                                abi.to_bytes(self.manifest_hash))))
            sent.append((rpc, rpc.send(side.owner, own["gas_address"], value=10**20)))
        for rpc, tx in sent:
            rpc.wait_receipt(tx)

    def keys(self) -> dict:
        try:
            return {k["chain"]: k for k in self.gateways[0].get("/v1/enclave").get("keys", [])}
        except OSError:
            return {}

    def wait_ready(self) -> None:
        wait_for(self.gateways[0].healthy, 60, f"health ({self.gateways[0].log})", 0.1)

    def stop(self) -> None:
        if self.gateways:
            self.gateways[0].stop()
        for chain in self.chains:
            chain.stop()


def test_one_process_serves_both_chains(tmp_path):
    with Single(tmp_path, "anvil", expire=("tombstone", "absence")) as world:
        gateway = world.gateways[0]
        there, back = send(world, b"there"), send(world, b"back", source=1)
        late = int(time.time()) + 3
        dead = send(world, b"late", [deploy.attribute("deadline(uint64)", late)], source=1)
        for message_id in (there, back):
            found = ends(gateway, message_id)
            assert found["side"] == "source" and all("t_ms" in s or s["n"] == 2 for s in found["steps"])
            wait_for(lambda: gateway.get(f"/v1/messages/{message_id}", side="destination")["state"] == "finalized", 20, "the note")
        wait_time(world.chains[0], late)
        ends(gateway, dead, "refunded")
        first = world.sides[0].chain.caip2
        assert gateway.request("POST", "/v1/keys/rotate", {})[0] == 400
        run = gateway.caisson("keys", "rotate", "--chain", first)
        assert run.returncode == 0 and f"{first} epoch 2" in run.stdout, run.stdout + run.stderr
        epochs = lambda: {c["id"]: c["routes"][0]["epoch"] for c in gateway.get("/v1/chains")["chains"]}  # noqa: E731
        wait_for(lambda: epochs()[first] == 2, END_S, f"the new epoch ({gateway.log})", 0.1)
        assert list(epochs().values()) == [2, 0]
        last = send(world, b"with the new key")
        ends(gateway, last)
        assert gateway.get(f"/v1/messages/{last}/envelope")["statement"]["epoch"] == 2
