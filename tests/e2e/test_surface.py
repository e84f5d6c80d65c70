"""What people and programs touch: the command line, REST, the event stream, between two running gateways."""
from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import websocket

from lib import abi, crypto, deploy
from lib.events import ServerSentEvents, read_until
from lib.rpc import wait_for
from lib.tools import ROOT, free_ports
from lib.world import END_TIMEOUT_S, ApiError, World, account

sys.path.insert(0, str(ROOT / "tools"))
import envelope_vectors as envelope  # noqa: E402

UNIT = 10**18
EXIT_FAILED, EXIT_USAGE, EXIT_REFUSED, EXIT_NO_GATEWAY, EXIT_NO, EXIT_CLAIMED = 1, 2, 3, 4, 6, 7


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("surface"), "anvil", block_time=0.5) as w:
        yield w


@pytest.fixture(scope="module")
def transfer(world):
    """One sponsored transfer of the command line, watched to its end: (its JSON, messageId). It approves first: nobody did before."""
    home, abroad = world.sides
    run = world.gateways[0].caisson("transfer", "--to", account(abroad, abroad.friend), "--amount", str(3 * UNIT), "--mode",
                                    "sponsored", "--watch", "--json", timeout_s=END_TIMEOUT_S)
    assert run.returncode == 0, run.stderr + run.stdout
    message = world.gateways[0].get("/v1/messages", state="finalized")["messages"][0]
    return json.loads(run.stdout.splitlines()[-1]), message["id"]


# ---- the command line ----

def test_transfer_arrived(world, transfer):
    _, abroad = world.sides
    told, message_id = transfer
    assert told["id"] == message_id and told["state"] == "finalized" and told["outcome"] == "delivered"
    assert abroad.token.read("balanceOf", abroad.friend) == 3 * UNIT
    message = world.gateways[0].message(message_id)
    assert [s["n"] for s in message["steps"]] == list(range(1, 19))
    assert message["refund_to"] == world.gateways[0].operator.lower()
    assert all("t_ms" in s for s in message["steps"]), [s for s in message["steps"] if "t_ms" not in s]


def verifies(signature: dict) -> bool:
    """By the key that is named beside it; the enclave is a simulated one."""
    words = {name: abi.to_bytes(signature[name]) for name in ("signer", "receiver", "root", "rx", "s", "public_key")}
    digest = envelope.digest(envelope.INSECURE, signature["kind"], words["signer"], words["receiver"], signature["epoch"],
                             signature["manifest"], words["root"])
    return crypto.schnorr_verify(words["public_key"], digest, words["rx"] + words["s"])


def test_the_signing_steps_name_signature_and_proof(world, transfer):
    """At both gateways: the envelope's signature by the key that the contract names, over what stood in that block."""
    home, abroad = world.sides
    for gateway in world.gateways:
        steps = {s["n"]: s for s in gateway.message(transfer[1])["steps"]}
        document = gateway.get(f"/v1/messages/{transfer[1]}/envelope")
        assert {n for n, s in steps.items() if "signature" in s or "proof" in s} == {6, 13}
        for n, name, contract in ((6, "statement", abroad.gateway), (13, "outcome_statement", home.gateway)):
            signature = steps[n]["signature"]
            signed = {k: v for k, v in document[name].items() if k != "path"}
            assert {k: v for k, v in signature.items() if k != "public_key"} == signed
            key = abi.to_hex(contract.read("keyOf", abi.to_bytes(signed["signer"]), signed["epoch"])[0]["x"])
            assert signature["public_key"] == key and key in [k["public_key"] for k in document["keys"]]
            assert verifies(signature)
            assert not verifies({**signature, "root": steps[19 - n]["signature"]["root"]})
        # The receipt of the event, under a block that was final.
        shown = steps[6]["proof"]
        assert shown["kind"] == "receipt" and shown["block"] == steps[6]["block"] == steps[3]["block"]
        receipt = home.chain.rpc.receipt(steps[3]["tx"])
        assert int(receipt["blockNumber"], 16) == shown["block"] and receipt["blockHash"] == shown["block_hash"]
        assert shown["final_block"] == steps[5]["block"] >= shown["block"]
        # The word of the status, which is there since step 10.
        shown = steps[13]["proof"]
        assert shown["kind"] == "storage" and shown["block_hash"] is None and shown["block"] == steps[13]["block"]
        assert steps[10]["block"] <= steps[12]["block"] == shown["final_block"] <= shown["block"] <= abroad.chain.rpc.block_number()
        head = document["message"]
        status = [abroad.gateway.read("statusOf", abi.to_bytes(head["source"]), head["sequence"], block=block)
                  for block in (steps[10]["block"] - 1, shown["block"])]
        assert status == [0, 2]


def test_the_command_line_names_signature_and_proof(world, transfer):
    steps = {s["n"]: s for s in world.gateways[0].message(transfer[1])["steps"]}
    lines = {line.split()[0]: line for line in world.gateways[0].caisson("messages", transfer[1]).stdout.splitlines() if line}
    for n in (6, 13):
        signature, shown = steps[n]["signature"], steps[n]["proof"]
        assert f"signed by {signature['public_key']}, epoch {signature['epoch']}: s {signature['s']}" in lines[str(n)]
        assert f"shown: {shown['kind']} under block {shown['block']}" in lines[str(n)]
    assert lines["6"].endswith(steps[6]["proof"]["block_hash"])
    assert "signed by" not in lines["5"] + lines["12"]


def test_send_and_watch(world):
    run = world.gateways[0].caisson("send", "--to", account(world.sides[1], world.sides[1].app.address), "--text", "by hand",
                                    "--watch", timeout_s=END_TIMEOUT_S)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert [int(line.split()[0]) for line in lines[:-1]] == list(range(1, 19))
    assert lines[-1].endswith("finalized")
    assert world.sides[1].app.read("lastPayload") == b"by hand"


def test_a_transfer_that_dies_is_exit_6(world):
    """The bridge itself cannot receive tokens."""
    side, other = world.sides
    gateway = world.gateways[0]
    before = side.token.read("balanceOf", gateway.operator)
    run = gateway.caisson("transfer", "--to", account(other, other.bridge.address), "--amount", "5", "--deadline-in", "8", "--watch",
                          timeout_s=END_TIMEOUT_S)
    assert run.returncode == EXIT_NO, run.stdout + run.stderr
    assert side.token.read("balanceOf", gateway.operator) == before


def test_status_messages_keys(world, transfer):
    gateway = world.gateways[0]
    status = gateway.caisson("status", "--json")
    assert status.returncode == 0 and json.loads(status.stdout)["ready"] is True
    assert "finalized" in gateway.caisson("status").stdout
    listed = gateway.caisson("messages")
    assert listed.returncode == 0 and transfer[1][:10] in listed.stdout
    assert transfer[1] in gateway.caisson("messages", "--state", "finalized", "--limit", "200").stdout
    shown = gateway.caisson("messages", transfer[1])
    assert shown.returncode == 0 and "delivery_included" in shown.stdout and "finalization" in shown.stdout
    run = gateway.caisson("keys", "enclave", "--json")
    keys = json.loads(run.stdout)
    assert run.returncode == 0 and keys["keys"][0]["public_key"] == world.enclave_key(gateway)["public_key"]
    assert keys["evidence_digest"].startswith("0x")
    assert {"simulated_backend", "host_time", "dev_head"} <= set(keys["insecure"])
    assert "simulated_backend" in gateway.caisson("keys", "enclave").stdout


ACCEPT_SIMULATED = {"version": 1, "insecure_accept_simulated": True}


def attested(gateway, folder: Path, document: dict, *more: str, policy: dict | None = None) -> tuple[int, dict]:
    """`caisson attest verify` of it: exit status and JSON; the outcomes of its checks are in `by`."""
    (folder / "evidence.json").write_text(json.dumps(document))
    if policy is not None:
        (folder / "policy.json").write_text(json.dumps(policy))
        more += ("--policy", str(folder / "policy.json"))
    run = gateway.caisson("attest", "verify", str(folder / "evidence.json"), "--json", *more)
    out = json.loads(run.stdout)
    return run.returncode, {**out, "by": {check["name"]: check["ok"] for check in out.get("checks", [])}}


def test_evidence_from_the_command_line_alone(world, tmp_path):
    gateway = world.gateways[0]
    nonce = "5a" * 24
    run = gateway.caisson("enclave", "evidence", "--nonce", nonce)
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    assert document["nonce"] == "0x" + nonce and document["role"] == "bridge-enclave"
    assert world.enclave_key(gateway)["public_key"] in [key["public_key"] for key in document["keys"]]
    # Simulated: everything agrees, and it is worth nothing unless a policy says otherwise.
    code, out = attested(gateway, tmp_path, document, "--nonce", nonce)
    assert code == 6 and out["status"] == "contraindicated" and out["kind"] == "simulated"
    assert out["by"]["policy-report-data"] is True and out["by"]["nonce"] is True
    code, out = attested(gateway, tmp_path, document, "--nonce", "0x" + nonce, policy=ACCEPT_SIMULATED)
    assert code == 3 and out["status"] == "warning"
    assert out["report"]["keys"] == document["keys"] and "simulated_backend" in out["report"]["insecure"]
    assert attested(gateway, tmp_path, document, policy=ACCEPT_SIMULATED)[1]["by"]["nonce"] is None
    shown = gateway.caisson("attest", "verify", str(tmp_path / "evidence.json"), "--nonce", nonce)
    assert document["manifest_hash"] in shown.stdout and "simulated_backend" in shown.stdout
    # Two askings without a nonce draw two.
    drawn = [json.loads(gateway.caisson("enclave", "evidence").stdout)["nonce"] for _ in range(2)]
    assert drawn[0] != drawn[1] and len(drawn[0]) == 66


def test_a_document_that_the_evidence_does_not_bind(world, tmp_path):
    gateway = world.gateways[0]
    nonce = "77" * 16
    good = gateway.get("/v1/enclave/evidence", nonce=nonce)
    other = gateway.get("/v1/enclave/evidence", nonce="78" * 16)
    key = {**good["keys"][0], "public_key": "0x" + "11" * 32}
    for change in ({"keys": [key, *good["keys"][1:]]}, {"keys": []}, {"manifest_number": good["manifest_number"] + 1},
                   {"manifest_hash": "0x" + "22" * 32}, {"lineage": "0x" + "22" * 32}, {"schema_digest": "0x" + "22" * 32},
                   {"insecure_flags": 0}, {"role": "oracle-enclave"}, {"role": "worker"}, {"nonce": "0x" + "78" * 16},
                   {"evidence": other["evidence"]}):
        code, out = attested(gateway, tmp_path, {**good, **change}, policy=ACCEPT_SIMULATED)
        assert code == 6 and out["by"]["policy-report-data"] is False, change
    code, out = attested(gateway, tmp_path, other, "--nonce", nonce, policy=ACCEPT_SIMULATED)
    assert code == 6 and out["by"]["nonce"] is False
    # What is not bound is not shown.
    assert "liar" not in json.dumps(attested(gateway, tmp_path, {**good, "backend": "liar", "insecure": ["liar"]})[1])
    for change in ({"role": "gateway"}, {"keys": {}}, {"keys": [{}]}, {"nonce": "0x" + "00" * 15}, {"nonce": "0x" + "00" * 65},
                   {"manifest_number": -1}, {"extra": 1}, {"evidence": "0x0"}):
        assert attested(gateway, tmp_path, {**good, **change})[0] == EXIT_USAGE, change
    assert attested(gateway, tmp_path, good, "--report-data", "00")[0] == EXIT_USAGE
    assert attested(gateway, tmp_path, good, "--nonce", "00")[0] == EXIT_USAGE


@pytest.mark.parametrize("query, code", [({}, "missing-field"), ({"nonce": ""}, "malformed"), ({"nonce": "ab" * 15}, "malformed"),
                                         ({"nonce": "ab" * 65}, "malformed"), ({"nonce": "a" * 33}, "malformed"),
                                         ({"nonce": "xy" * 16}, "malformed"), ({"nonce": "ab" * 16, "more": "1"}, "unknown-field")])
def test_nonces_that_are_none(world, query, code):
    with pytest.raises(ApiError) as refused:
        world.gateways[0].get("/v1/enclave/evidence", **query)
    assert refused.value.status == 400 and refused.value.body["code"] == code


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
    for document, code in ((good, EXIT_CLAIMED), (documents[1], EXIT_CLAIMED), (keyless, EXIT_NO), (forged, EXIT_NO), (other, EXIT_NO)):
        file = tmp_path / "envelope.json"
        file.write_text(json.dumps(document))
        run = first.caisson("verify", str(file))
        assert run.returncode == code, run.stdout + run.stderr
    file.write_text(json.dumps(good))
    assert "INSECURE" in first.caisson("verify", str(file)).stdout
    run = first.caisson("verify", str(file), "--manifest", str(world.manifest), "--json")
    told = json.loads(run.stdout)
    assert run.returncode == EXIT_CLAIMED and not told["ok"] and told["outcome"]["verifies"]
    assert told["message"]["verifies"] and told["message"]["insecure"] and told["message"]["in_manifest"]
    keys = [world.enclave_key(g)["public_key"] for g in world.gateways]
    file.write_text(json.dumps({k: v for k, v in good.items() if k != "keys"}))
    assert "cannot be verified" in first.caisson("verify", str(file)).stdout
    assert first.caisson("verify", str(file), "--key", keys[0], "--outcome-key", keys[1]).returncode == 0
    assert first.caisson("verify", str(file), "--key", keys[1], "--outcome-key", keys[0]).returncode == EXIT_NO
    file.write_text(json.dumps({k: v for k, v in good.items() if k not in ("outcome_statement", "outcome")}))
    assert first.caisson("verify", str(file), "--key", keys[0]).returncode == 0
    assert first.caisson("verify", str(file), "--key", keys[1]).returncode == EXIT_NO


def test_exit_codes(world, transfer):
    gateway = world.gateways[0]
    assert gateway.caisson("retry", transfer[1]).returncode == EXIT_REFUSED
    assert gateway.caisson("no-such-command").returncode == EXIT_USAGE
    assert gateway.caisson("transfer", "--nonsense").returncode == EXIT_USAGE
    assert gateway.caisson("messages", "0x" + "00" * 32).returncode == EXIT_REFUSED
    assert gateway.caisson("status", "--url", "http://127.0.0.1:1").returncode == EXIT_NO_GATEWAY


@pytest.mark.parametrize("words, told", [
    (["retri", "0x12"], "did you mean retry?"), (["abandn"], "did you mean abandon?"), (["kyes", "list"], "did you mean keys list?"),
    (["tran"], "which one? transfer"), (["xy"], "`caisson --help` lists them"), (["nonsense"], "`caisson --help` lists them")])
def test_what_is_near_a_wrong_command_is_named(world, words, told):
    run = world.gateways[0].caisson(*words)
    assert run.returncode == EXIT_USAGE and told in run.stderr, run.stderr


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


def key_of(gateway, name: str, scopes: str) -> str:
    made = gateway.caisson("keys", "create", name, "--scopes", scopes, "--config", str(gateway.config), "--json")
    assert made.returncode == 0, made.stderr
    key = json.loads(made.stdout)["key"]
    wait_for(lambda: gateway.request("GET", "/v1/messages", key=key)[0] == 200, 10, "the new key")
    return key


@pytest.mark.parametrize("path, what", [("/v1/messages", {"payload": "0x00"}), ("/v1/transfers", {"amount": "1"})])
def test_a_key_sends_by_its_scopes_alone(world, path, what):
    """`read` prepares nothing, `send` spends none of the operator's money: nothing of what is refused becomes a request."""
    gateway, (_, abroad) = world.gateways[0], world.sides
    body, name = {"to": account(abroad, abroad.friend), **what}, path.rpartition("/")[2]
    reader, sender = key_of(gateway, f"reader of {name}".replace(" ", "-"), "read"), key_of(gateway, f"sender of {name}".replace(" ", "-"), "read,send")

    def requests() -> list[str]:
        return sorted(m["request_id"] for m in gateway.get("/v1/messages", limit=200)["messages"] if m.get("request_id"))

    before = requests()
    for key, mode, scope in ((reader, "prepare", "send"), (reader, "sponsored", "send"), (sender, "sponsored", "sponsor")):
        reply = problem(world, "POST", path, {**body, "mode": mode}, 403, key=key)
        assert reply["code"] == "forbidden" and scope in reply["detail"], reply
    assert requests() == before
    assert gateway.request("POST", path, {**body, "mode": "prepare"}, key=sender)[0] == 200


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


@pytest.mark.parametrize("text", ["reader2 read", "reader2 read,rule {hash}\n", "demo read {hash}\n", "\0"])
def test_a_broken_file_of_api_keys_leaves_the_old_ones_in_force(world, text):
    """It is told once, with the line; nobody gets in by what stands in it, nobody is shut out. Mended, it counts."""
    gateway, key = world.gateways[1], "a key of a file that is broken"
    file, line = gateway.folder / "api.keys", f"reader read {hashlib.sha256(key.encode()).hexdigest()}\n"
    was = file.read_text()

    def refusals() -> list[str]:
        return [row for row in gateway.log.read_text().splitlines() if "keys.refused" in row]

    before = len(refusals())
    try:
        file.write_text(line + was + text.format(hash=hashlib.sha256(b"another").hexdigest()))
        told = wait_for(lambda: refusals()[before:], 10, "the refusal in the log")[0]
        assert f"line {was.count(chr(10)) + 2}:" in told, told
        assert gateway.request("GET", "/v1/messages")[0] == 200
        assert gateway.request("GET", "/v1/messages", key=key)[0] == 401
        file.unlink()
        assert gateway.request("GET", "/v1/messages")[0] == 200
        file.write_text(line + was)
        file.chmod(0o600)
        wait_for(lambda: gateway.request("GET", "/v1/messages", key=key)[0] == 200, 10, "the new key")
        assert len(refusals()) == before + 1
    finally:
        file.write_text(was)
        file.chmod(0o600)
    wait_for(lambda: gateway.request("GET", "/v1/messages", key=key)[0] == 401, 10, "the end of the key")
    assert gateway.request("GET", "/v1/messages")[0] == 200


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
    for verb in ("retry", "abandon", "close"):
        problem(world, "POST", f"/v1/messages/{transfer[1]}/{verb}", {}, status=409)


def test_a_fee_that_changes_is_told_with_the_next_block(world):
    """A quote is asked for once a block and not for every request; never for longer."""
    gateway, (home, abroad) = world.gateways[0], world.sides
    body = {"to": account(abroad, abroad.app.address), "payload": "0x00", "mode": "prepare"}

    def value() -> str:
        return gateway.post("/v1/messages", body)["transactions"][-1]["value"]

    assert value() == "0"
    for fee in (7, 0):
        home.gateway.write(home.owner, "setRoute", abroad.identity, {**deploy.ROUTE, "feeBase": fee})
        wait_for(lambda: value() == str(fee), 20, f"a fee of {fee}", 0.05)


@pytest.mark.parametrize("mode", ["prepare", "sponsored"])
def test_an_idempotency_key_is_answered_once(world, mode):
    gateway, (_, abroad) = world.gateways[0], world.sides
    body, key = {"to": account(abroad, abroad.app.address), "payload": "0x" + b"once".hex(), "mode": mode}, {"Idempotency-Key": mode}
    first = gateway.post("/v1/messages", body, **key)
    assert gateway.post("/v1/messages", body, **key) == first
    with pytest.raises(ApiError) as refused:
        gateway.post("/v1/messages", {**body, "payload": "0x00"}, **key)
    assert refused.value.status == 409 and refused.value.body["code"] == "conflict"
    if mode == "sponsored":
        gateway.ends(first["request_id"])
        sent = [m for m in gateway.get("/v1/messages", limit=200)["messages"] if m.get("request_id") == first["request_id"]]
        assert len(sent) == 1


def test_an_idempotency_key_outlives_a_killed_gateway(world):
    gateway, (_, abroad) = world.gateways[0], world.sides
    body, key = {"to": account(abroad, abroad.app.address), "payload": "0x" + b"once more".hex(), "mode": "sponsored"}, {"Idempotency-Key": "killed"}
    first = gateway.post("/v1/messages", body, **key)
    os.kill(killed := gateway.pids()["caisson-gateway"], signal.SIGKILL)
    wait_for(lambda: gateway.pids().get("caisson-gateway", killed) != killed and gateway.healthy(), 60, "the gateway")
    assert gateway.post("/v1/messages", body, **key) == first
    assert gateway.request("POST", "/v1/messages", {**body, "payload": "0x00"}, key)[0] == 409
    gateway.ends(first["request_id"])
    sent = [m for m in gateway.get("/v1/messages", limit=200)["messages"] if m.get("payload") == body["payload"] and m["side"] == "source"]
    assert [m["request_id"] for m in sent] == [first["request_id"]]


@pytest.mark.parametrize("attributes, what", [({"deadline": 1}, "attributes.deadline: outside"),
                                              ({"min_gas_limit": 10**9}, "attributes.min_gas_limit: outside"),
                                              ({"finality": 200}, "attributes.finality: outside")])
def test_a_contracts_refusal_is_told_before_anything_is_sent(world, attributes, what):
    _, abroad = world.sides
    body = {"to": account(abroad, abroad.app.address), "payload": "0x00", "mode": "sponsored", "attributes": attributes}
    reply = problem(world, "POST", "/v1/messages", body, 422)
    assert what in reply["detail"] and reply["code"] == "reverted"


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
    found = {name: float(value) for name, value in re.findall(r"^(caisson_\w+_total)(?:{[^}]*})? (\S+)$", text, re.M)}
    again = dict(re.findall(r"^(caisson_\w+_total)(?:{[^}]*})? (\S+)$", gateway.request("GET", "/metrics")[1], re.M))
    assert found["caisson_adapter_events_total"] > 0 and all(float(again[name]) >= value for name, value in found.items())
    assert gateway.get("/healthz") == {"ready": True}
    told = {(step, quantile): float(value) for step, quantile, value in re.findall(
        r'^caisson_message_step_seconds{[^}]*step="(\w+)",quantile="([\d.]+)"} (\S+)$', text, re.M)}
    assert told == pytest.approx(times_of_steps(gateway))
    chain = gateway.get("/v1/chains")["chains"][0]
    assert chain["finality"] == "insecure_dev_head" and chain["insecure"] is True and chain["final"] > 0


def times_of_steps(gateway) -> dict[tuple[str, str], float]:
    """What each step took, since the one before it that happened: the same figures from the messages that people see."""
    took: dict[str, list[int]] = {}
    for row in gateway.get("/v1/messages", state="finalized", side="source", limit=200)["messages"]:
        steps = [s for s in gateway.get(f"/v1/messages/{row['id']}?side=source")["steps"] if "t_ms" in s]
        for before, step in zip(steps, steps[1:]):
            took.setdefault(step["name"], []).append(max(0, step["t_ms"] - before["t_ms"]))
    return {(name, q): sorted(all_)[(len(all_) - 1) * percent // 100] / 1000 for name, all_ in took.items() for q, percent in (("0.5", 50), ("0.99", 99))}


# ---- events ----

def listen(gateway, cursor: int | str | None = None, key: str | None = None, path: str = "") -> websocket.WebSocket:
    url = gateway.events_url + path + (f"?cursor={cursor}" if cursor is not None else "")
    return websocket.create_connection(url, header=[f"Authorization: Bearer {key or gateway.key}"], timeout=30)


def test_events_resume_without_a_gap(world):
    """The same events live, from a cursor that was told before, and from one in the middle."""
    gateway, abroad = world.gateways[0], world.sides[1]
    cursor = gateway.get("/v1/status")["event_cursor"]
    live, resumed = listen(gateway), listen(gateway, cursor)
    message_id = world.send(b"events")

    def is_last(event: dict) -> bool:
        return event.get("id") == message_id and event["state"] == "finalized" and event["side"] == "source"

    seen = read_until(live, is_last)
    assert abroad.app.read("lastPayload") == b"events"
    cursors = [e["cursor"] for e in seen]
    assert cursors == list(range(cursors[0], cursors[0] + len(seen))) and cursors[0] > cursor
    states = [e["state"] for e in seen if e.get("id") == message_id and e["side"] == "source"]
    assert states[:4] == ["observed", "final", "verified", "signed"] and states[-1] == "finalized"
    assert [e for e in read_until(resumed, is_last) if e["cursor"] >= cursors[0]] == seen
    middle = len(seen) // 2
    assert read_until(listen(gateway, cursors[middle]), is_last) == seen[middle + 1:]


def server_sent(gateway, query: str = "", **headers: str) -> ServerSentEvents:
    return ServerSentEvents(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30), gateway.key, query, **headers)


def test_events_resume_without_a_websocket(world):
    """The same as the WebSocket tells, from the same cursors."""
    gateway = world.gateways[0]
    cursor = gateway.get("/v1/status")["event_cursor"]
    live = server_sent(gateway)
    assert live.reply.status == 200 and live.reply.headers["Content-Type"] == "text/event-stream" and next(live) == {"retry": "1000"}
    message_id = world.send(b"server-sent")

    def is_last(event: dict) -> bool:
        return event.get("id") == message_id and event["state"] == "finalized" and event["side"] == "source"

    seen = live.until(is_last)
    assert seen[0]["cursor"] > cursor
    assert read_until(listen(gateway, seen[0]["cursor"] - 1), is_last) == seen
    middle = len(seen) // 2
    resumed = {"Last-Event-ID": str(seen[middle]["cursor"])}
    assert server_sent(gateway, **resumed).until(is_last) == seen[middle + 1:]
    assert server_sent(gateway, "?cursor=0", **resumed).until(is_last) == seen[middle + 1:]
    assert server_sent(gateway, f"?cursor={seen[middle]['cursor']}").until(is_last) == seen[middle + 1:]


def test_events_outlive_a_killed_gateway(world):
    """The reader sees its connection end, and goes on where it was."""
    gateway = world.gateways[0]
    live = server_sent(gateway, "?cursor=0")
    first = live.until(lambda event: event["cursor"] == 3)
    live = server_sent(gateway, "?cursor=3")
    os.kill(gateway.pids()["caisson-gateway"], signal.SIGKILL)
    with pytest.raises((OSError, http.client.HTTPException)):
        live.until(lambda event: False)
    wait_for(gateway.healthy, 60, "the gateway")
    again = server_sent(gateway, **{"Last-Event-ID": "3"}).until(lambda event: event["cursor"] == 6)
    assert [e["cursor"] for e in first + again] == [1, 2, 3, 4, 5, 6]


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
    assert gateway.caisson("events", "--cursor", str(10**9)).returncode == EXIT_REFUSED


@pytest.mark.parametrize("refused, status", [({"key": "x" * 40}, 401), ({"cursor": 10**9}, 409), ({"cursor": "x"}, 400),
                                             ({"path": "/more"}, 404), ({"path": "?limit=1"}, 400), ({"path": "?cursor=0&cursor=1"}, 400)])
def test_events_refuse(world, refused, status):
    with pytest.raises(websocket.WebSocketBadStatusException) as told:
        listen(world.gateways[0], **refused)
    assert told.value.status_code == status
    if "?" in refused.get("path", ""):  # the query's name is said
        problem = json.loads(told.value.resp_body)
        assert problem["code"] == "unknown-field" and problem["detail"].split(":")[0] in ("limit", "cursor"), problem


# ---- processes ----

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
    gateway.restart()
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
