"""What people and programs touch: the command line, REST, the event stream, between two running gateways."""
from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import websocket

from lib import abi, deploy
from lib.rpc import wait_for
from lib.tools import free_ports
from lib.world import ApiError, World

UNIT = 10**18
END_TIMEOUT_S = 90
EXIT_FAILED, EXIT_USAGE, EXIT_REFUSED, EXIT_NO_GATEWAY, EXIT_NO = 1, 2, 3, 4, 6


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("surface"), "anvil", block_time=0.5) as w:
        yield w


def account(side: deploy.Side, address: str) -> str:
    return f"{side.chain.caip2}:{address.lower()}"


@pytest.fixture(scope="module")
def transfer(world):
    """One sponsored transfer of the command line, watched to its end: (completed process, messageId)."""
    home, abroad = world.sides
    run = world.gateways[0].caisson("transfer", "--to", account(abroad, abroad.friend), "--amount", str(3 * UNIT), "--mode",
                                    "sponsored", "--watch", "--json", timeout_s=END_TIMEOUT_S)
    assert run.returncode == 0, run.stderr + run.stdout
    message = world.gateways[0].get("/v1/messages", state="finalized")["messages"][0]
    return run, message["id"]


# ---- the command line ----

def test_transfer_arrived(world, transfer):
    _, abroad = world.sides
    assert abroad.token.read("balanceOf", abroad.friend) == 3 * UNIT
    _, message_id = transfer
    steps = world.gateways[0].message(message_id)["steps"]
    assert [s["n"] for s in steps] == list(range(1, 19))
    assert world.gateways[0].message(message_id)["refund_to"] == world.gateways[0].operator.lower()
    assert all("t_ms" in s for s in steps), [s for s in steps if "t_ms" not in s]


def test_json_output_is_json(transfer):
    run, message_id = transfer
    decoder, text, documents = json.JSONDecoder(), run.stdout.strip(), []
    while text:
        document, end = decoder.raw_decode(text)
        documents.append(document)
        text = text[end:].lstrip()
    assert message_id in json.dumps(documents)


def test_status_messages_keys(world, transfer):
    gateway = world.gateways[0]
    status = gateway.caisson("status", "--json")
    assert status.returncode == 0 and json.loads(status.stdout)["ready"] is True
    listed = gateway.caisson("messages")
    assert listed.returncode == 0 and transfer[1][:10] in listed.stdout
    shown = gateway.caisson("messages", transfer[1])
    assert shown.returncode == 0 and "finalization" in shown.stdout
    keys = gateway.caisson("keys", "enclave", "--json")
    assert keys.returncode == 0 and world.enclave_key(gateway)["public_key"] in keys.stdout
    assert {"simulated_backend", "host_time", "dev_head"} <= set(json.loads(keys.stdout)["insecure"])
    assert "simulated_backend" in gateway.caisson("keys", "enclave").stdout


def test_envelope_verifies_offline_and_a_changed_one_does_not(world, transfer, tmp_path):
    """As each gateway gives it: with its own enclave's key, and the other's as its contract names it."""
    first, second = world.gateways
    documents = []
    for gateway in world.gateways:
        run = gateway.caisson("envelope", transfer[1])
        assert run.returncode == 0, run.stderr
        documents.append(json.loads(run.stdout))
    good = documents[0]
    forged = json.loads(json.dumps(good))
    s = forged["statement"]["s"]
    forged["statement"]["s"] = s[:-1] + ("0" if s[-1] != "0" else "1")
    other = json.loads(json.dumps(good))
    other["message"]["deadline"] += 1
    other["message"].pop("id", None)
    keyless = {**good, "keys": good["keys"][:1]}
    for document, code in ((good, 0), (documents[1], 0), (keyless, EXIT_NO), (forged, EXIT_NO), (other, EXIT_NO)):
        file = tmp_path / "envelope.json"
        file.write_text(json.dumps(document))
        run = first.caisson("verify", str(file))
        assert run.returncode == code, run.stdout + run.stderr
    file.write_text(json.dumps(good))
    assert "INSECURE" in first.caisson("verify", str(file)).stdout
    keys = [world.enclave_key(g)["public_key"] for g in world.gateways]
    file.write_text(json.dumps({k: v for k, v in good.items() if k != "keys"}))
    assert "cannot be verified" in first.caisson("verify", str(file)).stdout
    assert first.caisson("verify", str(file), "--key", keys[0], "--outcome-key", keys[1]).returncode == 0
    assert first.caisson("verify", str(file), "--key", keys[1], "--outcome-key", keys[0]).returncode == EXIT_NO


def test_exit_codes(world):
    gateway = world.gateways[0]
    assert gateway.caisson("no-such-command").returncode == EXIT_USAGE
    assert gateway.caisson("transfer", "--nonsense").returncode == EXIT_USAGE
    assert gateway.caisson("messages", "0x" + "00" * 32).returncode == EXIT_REFUSED
    assert gateway.caisson("status", "--url", "http://127.0.0.1:1").returncode == EXIT_NO_GATEWAY


def test_config_check(world, tmp_path):
    gateway = world.gateways[0]
    assert gateway.caisson("config", "check", str(gateway.config)).returncode == 0
    text = gateway.config.read_text().replace("block_time_ms = 500", "block_time_ms = \"soon\"").replace("[relay]", "[relay]\nhurry = true")
    bad = gateway.folder / "bad.toml"
    bad.write_text(text)
    run = gateway.caisson("config", "check", str(bad))
    assert run.returncode == EXIT_USAGE
    assert "chains[0].block_time_ms" in run.stderr + run.stdout and "relay.hurry" in run.stderr + run.stdout


def test_no_secret_in_logs_or_arguments(world):
    for gateway in world.gateways:
        text = gateway.log.read_text()
        seal = (gateway.folder / "seal.root").read_text().strip()
        for secret in (gateway.key, gateway.peer_key, seal, f"{gateway.operator_secret:064x}"):
            assert secret not in text
            for pid in gateway.pids().values():
                with open(f"/proc/{pid}/cmdline", "rb") as arguments:
                    assert secret.encode() not in arguments.read()


# ---- REST ----

def problem(world, method: str, path: str, body=None, status: int = 400, **more):
    got, reply = world.gateways[0].request(method, path, body, **more)
    assert got == status, (got, reply)
    assert reply["type"].startswith("urn:caisson:error:") and reply["status"] == status and reply["title"]
    return reply


def test_keys_and_scopes(world):
    assert world.gateways[0].request("GET", "/v1/messages", key="not-a-key-of-this-gateway-at-all")[0] == 401
    assert world.gateways[0].request("GET", "/v1/messages", key=world.gateways[0].peer_key)[0] == 403
    assert world.gateways[0].request("GET", "/healthz", key="whatever-key-there-is")[0] == 200


def test_an_api_key_from_the_command_line(world):
    gateway = world.gateways[1]
    made = gateway.caisson("keys", "create", "reader", "--scopes", "read", "--config", str(gateway.config), "--json")
    assert made.returncode == 0, made.stderr
    key = json.loads(made.stdout)["key"]
    assert hashlib.sha256(key.encode()).hexdigest() in (gateway.folder / "api.keys").read_text()
    wait_for(lambda: gateway.request("GET", "/v1/messages", key=key)[0] == 200, 10, "the new key")
    assert gateway.request("POST", "/v1/messages", {}, key=key)[0] == 403
    assert gateway.caisson("keys", "revoke", "reader", "--config", str(gateway.config)).returncode == 0
    wait_for(lambda: gateway.request("GET", "/v1/messages", key=key)[0] == 401, 10, "the end of the key")


@pytest.mark.parametrize("body, what", [
    ({"payload": "0x00", "mode": "sponsored"}, "to"),
    ({"to": "eip155:31338:0x12", "payload": "0x00", "mode": "sponsored"}, "to"),
    ({"to": "eip155:5:0x" + "11" * 20, "payload": "0x00", "mode": "sponsored"}, "to"),
    ({"to": "eip155:31338:0x" + "11" * 20, "payload": "0x0", "mode": "sponsored"}, "payload"),
    ({"to": "eip155:31338:0x" + "11" * 20, "payload": "zz", "mode": "sponsored"}, "payload"),
    ({"to": "eip155:31338:0x" + "11" * 20, "payload": "0x00", "mode": "free"}, "mode"),
    ({"to": "eip155:31338:0x" + "11" * 20, "payload": "0x00", "mode": "sponsored", "extra": 1}, "extra"),
    ({"to": "eip155:31338:0x" + "11" * 20, "payload": "0x00", "mode": "sponsored", "attributes": {"deadline": "soon"}}, "deadline"),
])
def test_bad_bodies_name_the_field(world, body, what):
    got, reply = world.gateways[0].request("POST", "/v1/messages", body)
    assert 400 <= got < 500 and what in reply["detail"], reply


def test_not_json_and_not_there(world):
    problem(world, "GET", "/v1/messages/0x" + "00" * 32, status=404)
    problem(world, "GET", "/v1/messages/hello")
    problem(world, "GET", "/v1/messages?limit=1000")
    problem(world, "POST", "/v1/messages/0x" + "00" * 32 + "/retry", {}, status=404)


def test_a_finalized_message_is_neither_retried_nor_closed(world, transfer):
    for verb in ("retry", "close"):
        problem(world, "POST", f"/v1/messages/{transfer[1]}/{verb}", {}, status=409)


def test_idempotency_key(world):
    gateway, (_, abroad) = world.gateways[0], world.sides
    body = {"to": account(abroad, abroad.app.address), "payload": "0x" + b"once".hex(), "mode": "prepare"}
    first = gateway.post("/v1/messages", body, **{"Idempotency-Key": "k-1"})
    assert gateway.post("/v1/messages", body, **{"Idempotency-Key": "k-1"}) == first
    with pytest.raises(ApiError) as refused:
        gateway.post("/v1/messages", {**body, "payload": "0x00"}, **{"Idempotency-Key": "k-1"})
    assert refused.value.status == 409


def test_what_a_contract_would_refuse_is_refused_before(world):
    _, abroad = world.sides
    body = {"to": account(abroad, abroad.app.address), "payload": "0x00", "mode": "sponsored", "attributes": {"deadline": 1}}
    got, reply = world.gateways[0].request("POST", "/v1/messages", body)
    assert 400 <= got < 500, reply


@pytest.mark.parametrize("attributes, what", [({"deadline": 1}, "attributes.deadline: outside"),
                                              ({"min_gas_limit": 10**9}, "attributes.min_gas_limit: outside"),
                                              ({"finality": 200}, "attributes.finality: outside")])
def test_a_contracts_refusal_is_told_in_words(world, attributes, what):
    _, abroad = world.sides
    body = {"to": account(abroad, abroad.app.address), "payload": "0x00", "mode": "sponsored", "attributes": attributes}
    assert what in problem(world, "POST", "/v1/messages", body, 422)["detail"]


@pytest.mark.parametrize("amount, status", [("0", 400), (str(2**128), 400), (str(2**127), 402)])
def test_a_transfer_that_would_only_cost_gas_is_refused(world, amount, status):
    _, abroad = world.sides
    body = {"to": account(abroad, abroad.friend), "amount": amount, "mode": "sponsored"}
    assert problem(world, "POST", "/v1/transfers", body, status)["detail"].startswith("amount: ")


def test_a_refusal_says_what_it_is_about(world):
    assert problem(world, "GET", "/v1/nothing", status=404)["detail"] == "no such route"
    assert problem(world, "DELETE", "/v1/chains", status=405)["detail"]
    assert problem(world, "GET", "/v1/chains", status=401, key="not-a-key-of-this-gateway-at-all")["detail"]
    assert "scope" in problem(world, "GET", "/v1/chains", status=403, key=world.gateways[0].peer_key)["detail"]


def test_metrics_and_health(world, transfer):
    gateway = world.gateways[0]
    status, text = gateway.request("GET", "/metrics")
    assert status == 200
    kinds = dict(re.findall(r"^# TYPE (caisson_\w+) (\w+)$", text, re.M))
    assert "caisson_messages" in kinds and "caisson_adapter_events_total" in kinds
    assert all((kind == "counter") == name.endswith("_total") for name, kind in kinds.items()), kinds
    found = {name: float(value) for name, value in re.findall(r"^(caisson_\w+_total)(?:{[^}]*})? (\S+)$", text, re.M)}
    again = dict(re.findall(r"^(caisson_\w+_total)(?:{[^}]*})? (\S+)$", gateway.request("GET", "/metrics")[1], re.M))
    assert found["caisson_adapter_events_total"] > 0 and all(float(again[name]) >= value for name, value in found.items())
    assert gateway.get("/healthz") == {"ready": True}
    chain = gateway.get("/v1/chains")["chains"][0]
    assert chain["finality"] == "insecure_dev_head" and chain["insecure"] is True and chain["final"] > 0


# ---- events ----

def listen(gateway, cursor: int | None = None, key: str | None = None) -> websocket.WebSocket:
    url = gateway.events_url + (f"?cursor={cursor}" if cursor is not None else "")
    return websocket.create_connection(url, header=[f"Authorization: Bearer {key or gateway.key}"], timeout=30)


def test_events_resume_without_a_gap(world, transfer):
    gateway, message_id = world.gateways[0], transfer[1]
    stream = listen(gateway, 0)
    seen = []
    while not seen or seen[-1].get("state") != "finalized" or seen[-1].get("id") != message_id:
        seen.append(json.loads(stream.recv()))
    stream.close()
    cursors = [e["cursor"] for e in seen]
    assert cursors == sorted(set(cursors))
    states = [e["state"] for e in seen if e.get("id") == message_id and e["side"] == "source"]
    assert states[0] == "observed" and states[-1] == "finalized"
    middle = len(seen) // 2
    again = listen(gateway, cursors[middle])
    rest = [json.loads(again.recv()) for _ in seen[middle + 1:]]
    again.close()
    assert rest == seen[middle + 1:]


def test_events_on_the_command_line(world, transfer):
    gateway = world.gateways[0]
    argv = [world.build / "bin" / "caisson", "events", "--cursor", "0"]
    env = {**os.environ, "CAISSON_URL": gateway.url, "CAISSON_API_KEY_FILE": str(gateway.folder / "demo.key")}
    reader = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    try:
        event = json.loads(reader.stdout.readline())
        assert event["cursor"] == 1
        os.kill(gateway.pids()["caisson-gateway"], signal.SIGKILL)
        while event.get("state") != "finalized" or event.get("id") != transfer[1]:
            following = json.loads(reader.stdout.readline())
            assert following["cursor"] == event["cursor"] + 1
            event = following
    finally:
        reader.kill()
        reader.communicate()
    wait_for(gateway.healthy, 60, "the gateway")
    assert gateway.caisson("events", "--cursor", str(10**9)).returncode == EXIT_NO_GATEWAY


def test_live_events(world):
    gateway, (home, abroad) = world.gateways[0], world.sides
    stream = listen(gateway)
    receipt = home.gateway.write(home.user, "sendMessage", deploy.erc7930(abroad.chain.chain_id, abroad.app.address), b"live", [])
    message_id = abi.to_hex(home.gateway.events("MessageCommitted", receipt)[0]["messageId"])
    event = {}
    while event.get("state") != "finalized" or event.get("id") != message_id:
        event = json.loads(stream.recv())
    stream.close()
    assert abroad.app.read("lastPayload") == b"live"


@pytest.mark.parametrize("cursor, key, status", [(None, "x" * 40, 401), (10**9, None, 409)])
def test_events_refuse(world, cursor, key, status):
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        listen(world.gateways[0], cursor, key)
    assert refused.value.status_code == status


# ---- one side down ----

def runs(pid: int) -> bool:
    """Not when it waits for whoever inherited it to take note of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_nothing_outlives_a_killed_supervisor(world):
    """SIGKILL leaves no time to stop anybody: the kernel does, and the next start finds its sockets free."""
    gateway = world.gateways[1]
    children = {name: pid for name, pid in gateway.pids().items() if name != "caisson"}
    assert set(children) == {"caisson-gateway", "caisson-enclave"} and all(runs(pid) for pid in children.values())
    gateway.process.kill()
    wait_for(lambda: not any(runs(pid) for pid in children.values()), 10, f"the end of {children}")
    gateway.start()
    wait_for(gateway.healthy, 60, f"the second gateway ({gateway.log})")
    assert not set(children.values()) & set(gateway.pids().values())


def test_watching_outlives_the_gateway(world):
    """The gateway is killed and `caisson up` starts it again: whoever watches goes on."""
    gateway, (_, abroad) = world.gateways[0], world.sides
    argv = [world.build / "bin" / "caisson", "transfer", "--to", account(abroad, abroad.friend), "--amount", "1", "--watch"]
    env = {**os.environ, "CAISSON_URL": gateway.url, "CAISSON_API_KEY_FILE": str(gateway.folder / "demo.key")}
    watcher = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    try:
        assert "request_received" in watcher.stdout.readline()
        os.kill(gateway.pids()["caisson-gateway"], signal.SIGKILL)
        out, err = watcher.communicate(timeout=END_TIMEOUT_S)
    finally:
        watcher.kill()
    assert watcher.returncode == 0, out + err
    assert "client_notified" in out and err == ""


def test_the_other_gateway_was_down(world):
    """Envelopes wait in the outbox and arrive when the peer is back."""
    home, abroad = world.sides
    second = world.gateways[1]
    second.stop()
    receipt = home.gateway.write(home.user, "sendMessage", deploy.erc7930(abroad.chain.chain_id, abroad.app.address), b"waited", [])
    message_id = abi.to_hex(home.gateway.events("MessageCommitted", receipt)[0]["messageId"])
    wait_for(lambda: world.gateways[0].message(message_id)["state"] == "signed", 30, "the signed envelope")
    second.start()
    wait_for(second.healthy, 60, "the second gateway")
    wait_for(lambda: world.gateways[0].message(message_id)["state"] == "finalized", END_TIMEOUT_S, "the end", 0.2)
    assert abroad.app.read("lastPayload") == b"waited"


def test_up_refuses_a_broken_configuration(world, tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text("name = 7\n")
    run = subprocess.run([world.build / "bin" / "caisson", "up", bad], capture_output=True, text=True, timeout=30, env=dict(os.environ))
    assert run.returncode == EXIT_USAGE
    assert "name" in run.stderr


def test_up_gives_up_when_the_enclave_refuses(world, tmp_path):
    """An enclave that is not in the manifest would refuse again: no restart changes it."""
    gateway, folder = world.gateways[0], tmp_path / "refused"
    shutil.copytree(gateway.folder, folder, ignore=lambda _, names: [n for n in names if n.startswith("journal") or n.endswith(".sock")])
    ports = free_ports(2)
    text = gateway.config.read_text().replace(f"port = {gateway.port}\n", f"port = {ports[0]}\n")
    text = text.replace(f"events_port = {gateway.events_port}\n", f"events_port = {ports[1]}\n")
    (folder / "caisson.toml").write_text(text.replace("args = []", 'args = ["--no-such-option"]'))
    run = subprocess.run([world.build / "bin" / "caisson", "up", folder / "caisson.toml"], capture_output=True, text=True, timeout=30, env=dict(os.environ))
    assert run.returncode == EXIT_FAILED, run.stderr
    assert "up.gives_up" in run.stdout + run.stderr
