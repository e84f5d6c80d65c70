"""script/demo on real chains: its JSON recomputed by RPC from the chains it leaves up, and nothing left running."""
from __future__ import annotations

import base64
import csv
import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from Crypto.Signature import eddsa

from abci.messages import varint
from ledger import forge
from lib import abi, crypto, deploy, ics23, ledger, proc, tools, usage
from lib.chains import secret_of
from lib.rpc import Contract, Rpc, wait_for

CASES = ["message", "transfer", "transfer_back", "revert_retry", "revert_close", "timeout_tombstone", "timeout_absence"]
REFUNDED = set(CASES[4:])
DEMO_TIMEOUT_S = 600
DELIVERED, DEAD = 2, 3


def table_of_steps() -> dict[int, tuple[str, str]]:
    text = (tools.ROOT / "relay_state" / "relay" / "steps.def").read_text()
    return {int(n): (name, side) for n, name, side in re.findall(r'^RELAY_STEP\((\d+), \w+, "(\w+)", (\w+),', text, re.M)}


STEPS = table_of_steps()


class Run:
    """script/demo --keep, until its JSON is there."""

    def __init__(self, chains: str, folder: Path):
        self.folder = folder / "demo"
        self.json = folder / "demo.json"
        self.log = folder / "demo.log"
        env = {**os.environ, "CAISSON_BUILD": str(tools.find_build())}
        with open(self.log, "wb") as out:
            self.popen = subprocess.Popen(
                [tools.ROOT / "script" / "demo", "--keep", "--chains", chains, "--json", self.json, "--folder", self.folder],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env, start_new_session=True)
        try:
            wait_for(self._written, DEMO_TIMEOUT_S, f"the demo's JSON\n{self.tail()}", 0.5)
            self.result = json.loads(self.json.read_text())
        except BaseException:
            self.stop()
            raise
        self.pids = [self.popen.pid, *proc.children_of(self.popen.pid)]

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])

    def _written(self) -> bool:
        if self.popen.poll() is not None:
            raise AssertionError(f"the demo ended with {self.popen.returncode}\n{self.tail()}")
        return "Everything stays up" in self.log.read_text(errors="replace")

    def stop(self) -> int:
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGINT)
            try:
                self.popen.wait(60)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        return self.popen.returncode


def gone(pid: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


@pytest.fixture(scope="module", params=["ledger", "anvil", "geth-clique", "mixed"])
def demo(request, tmp_path_factory):
    if request.param == "geth-clique":
        tools.find_tool("geth")
    run = Run(request.param, tmp_path_factory.mktemp(f"demo-{request.param}"))
    yield run
    code = run.stop()
    # Nothing may be left: no process, no listener.
    wait_for(lambda: all(gone(p) for p in run.pids), 20, "the end of every process of the demo", 0.1)
    for url in [chain["rpc"] for chain in run.result["chains"]] + run.result["ledger"]["rpc"]:
        with socket.socket() as s:
            assert s.connect_ex(("127.0.0.1", urlsplit(url).port)) != 0
    assert code == 0, run.tail()


def is_ledger(chain: dict) -> bool:
    return chain["id"].startswith("cosmos:")


@pytest.fixture(scope="module")
def view(demo):
    """By CAIP-2: the RPC and the gateway contract."""
    code = deploy.artifact("CaissonGateway")["abi"]
    rpcs = {c["id"]: ledger.LedgerRpc(urlsplit(c["rpc"]).port, []) if is_ledger(c) else Rpc(c["rpc"]) for c in demo.result["chains"]}
    return {c["id"]: (rpcs[c["id"]], Contract(rpcs[c["id"]], c["gateway"], code)) for c in demo.result["chains"]}


def chain_of(account: str) -> str:
    return account.rsplit(":", 1)[0]


def steps_of(case: dict) -> dict[int, dict]:
    return {s["n"]: s for s in case["steps"]}


def named(events: list[dict], message_id: str) -> list[dict]:
    return [e for e in events if abi.to_hex(e["messageId"]) == message_id]


def test_form(demo):
    result = demo.result
    assert result["ok"] is True
    assert set(result) == {"ok", "chains", "cases", "gas", "oracle", "ledger"}
    assert [c["name"] for c in result["cases"]] == CASES
    for chain in result["chains"]:
        assert set(chain) == ({"id", "rpc", "gateway"} if is_ledger(chain) else {"id", "rpc", "gateway", "bridge", "token"})
    for case in result["cases"]:
        assert set(case) == {"name", "outcome", "message_id", "sender", "recipient", "amount", "steps"}
        assert case["outcome"] == ("refunded" if case["name"] in REFUNDED else "finalized")
        assert re.fullmatch(r"0x[0-9a-f]{64}", case["message_id"])
        assert [(s["n"], s["name"]) for s in case["steps"]] == [(n, STEPS[n][0]) for n in range(1, 19)]
        for step in case["steps"]:
            assert ("skipped" in step) != ("t_ms" in step), step
            assert "skipped" not in step or step["skipped"]


def test_steps_are_in_time(demo):
    """Steps of one gateway follow each other, but for times of blocks: in whole seconds, and of a ledger those of the commit before."""
    slack_ms = {c["id"]: 5000 if is_ledger(c) else 1500 for c in demo.result["chains"]}
    for case in demo.result["cases"]:
        for side in ("SOURCE", "DESTINATION"):
            times = [(s["n"], s["t_ms"], slack_ms.get(s.get("chain"), 1500)) for s in case["steps"]
                     if "t_ms" in s and STEPS[s["n"]][1] == side]
            for (n, before, _), (m, after, slack) in zip(times, times[1:]):
                assert after >= before - slack, f"{case['name']}: step {m} at {after} ms, step {n} at {before} ms"


def test_every_transaction_is_on_its_chain(demo, view):
    for case in demo.result["cases"]:
        for step in case["steps"]:
            if "tx" not in step:
                continue
            rpc, _ = view[step["chain"]]
            receipt = rpc.receipt(step["tx"])
            assert receipt is not None, (case["name"], step)
            assert receipt["status"] == "0x1", (case["name"], step)
            if "block" in step and step["n"] in (3, 10, 16):
                assert int(receipt["blockNumber"], 16) == step["block"], (case["name"], step)


def test_step_3_is_the_commitment(demo, view):
    for case in demo.result["cases"]:
        rpc, gateway = view[chain_of(case["sender"])]
        step = steps_of(case)[3]
        committed = named(gateway.events("MessageCommitted", rpc.receipt(step["tx"])), case["message_id"])
        assert len(committed) == 1
        _, destination = view[chain_of(case["recipient"])]
        assert committed[0]["destination"] == destination.read("identity")


def test_step_10_is_what_the_destination_holds(demo, view):
    for case in demo.result["cases"]:
        rpc, destination = view[chain_of(case["recipient"])]
        source_rpc, source = view[chain_of(case["sender"])]
        committed = named(source.events("MessageCommitted", source_rpc.receipt(steps_of(case)[3]["tx"])), case["message_id"])[0]
        status = destination.read("statusOf", source.read("identity"), committed["sequence"])
        step = steps_of(case)[10]
        if case["name"] == "timeout_absence":
            assert "skipped" in step
            assert status in (0, 1)
            continue
        assert status == (DEAD if case["name"] in REFUNDED else DELIVERED)
        events = named(destination.events("MessageStatus", rpc.receipt(step["tx"])), case["message_id"])
        assert events and events[-1]["status"] == status


def test_step_16_is_the_finalization(demo, view):
    for case in demo.result["cases"]:
        rpc, source = view[chain_of(case["sender"])]
        step = steps_of(case)[16]
        want = DEAD if case["name"] in REFUNDED else DELIVERED
        events = named(source.events("MessageFinalized", rpc.receipt(step["tx"])), case["message_id"])
        assert [e["status"] for e in events] == [want]
        assert source.read("outcomeOf", case["message_id"]) == want


def test_timeouts_are_after_their_deadline(demo, view):
    for case in demo.result["cases"]:
        if not case["name"].startswith("timeout"):
            continue
        source_rpc, source = view[chain_of(case["sender"])]
        destination_rpc, _ = view[chain_of(case["recipient"])]
        committed = named(source.events("MessageCommitted", source_rpc.receipt(steps_of(case)[3]["tx"])), case["message_id"])[0]
        step = steps_of(case)[10 if case["name"] == "timeout_tombstone" else 12]
        block = destination_rpc.block(step["block"])
        assert int(block["timestamp"], 16) >= committed["deadline"]


def token_of(view, chain: dict, name: str):
    """Of a ledger: the asset that its owner, whose key anybody can compute, made under the name."""
    rpc, _ = view[chain["id"]]
    if not is_ledger(chain):
        return Contract(rpc, chain["token"], deploy.artifact("test/TestToken")["abi"])
    owner = ledger.lt.Secp256k1(secret_of(f"{chain['id'].partition(':')[2]} user 0")).address
    call = abi.selector("assetOf(address,string)") + abi.encode(["address", "string"], [owner, name])
    return ledger.Asset(rpc, "0x" + rpc.call("eth_call", {"to": ledger.Ledger.contract(ledger.ASSETS), "data": abi.to_hex(call)}, "latest")[-40:])


def test_value_is_conserved(demo, view):
    """What was minted abroad is what is locked at home."""
    home, abroad = demo.result["chains"]
    locked = token_of(view, home, deploy.HOME_TOKEN).read("balanceOf", home.get("bridge", ledger.Ledger.contract(ledger.BRIDGE)))
    minted = token_of(view, abroad, deploy.ABROAD_TOKEN).read("totalSupply")
    assert locked == minted
    moved = {c["name"]: int(c["amount"]) for c in demo.result["cases"]}
    assert locked == moved["transfer"] - moved["transfer_back"] + moved["revert_retry"]


def test_gas_is_of_the_receipts(demo, view):
    for case in demo.result["cases"]:
        gas = demo.result["gas"][case["name"]]
        step = steps_of(case)[16]
        rpc, _ = view[chain_of(case["sender"])]
        assert gas["finalize"] == int(rpc.receipt(step["tx"])["gasUsed"], 16)
        assert gas["source"] > 0


def test_finality_was_waited_for(demo, view):
    """Nothing was received before its block was final: by confirmations on anvil, by three sealers on Clique."""
    for case in demo.result["cases"]:
        steps = steps_of(case)
        if "skipped" in steps[5] or "skipped" in steps[7]:
            continue
        assert steps[5]["block"] >= steps[3]["block"]
        rpc, _ = view[chain_of(case["sender"])]
        assert rpc.block_number() >= steps[3]["block"] + 2
        assert steps[7]["t_ms"] >= steps[6]["t_ms"]


# ---- the ledger of the bridge: what its nodes say, proven here by Python ----

RECORD_STATE, RECORD_HEIGHT, RECORD_TX = slice(2, 3), slice(3, 11), slice(43, 75)
RECORDS, USAGE = 5, 6
SIDES = {"source": 1, "destination": 2}


class Bridge:
    def __init__(self, demo):
        self.told = demo.result["ledger"]
        self.folder = demo.folder / "ledger"
        self.nodes = [ledger.LedgerRpc(urlsplit(url).port, []) for url in self.told["rpc"]]
        self.block = self.told["block"]
        # Of another node than the one that the demo asked.
        self.signed = self.nodes[1].ask("commit", height=str(self.block["height"]))["signed_header"]

    @property
    def app_hash(self) -> bytes:
        """Of the header that test_ledger_block_is_signed holds to be the chain's."""
        return bytes.fromhex(self.signed["header"]["app_hash"])

    def proven(self, key: bytes, node: int = 2) -> bytes | None:
        """A value under the block's application hash, or that there is none, by a node's proof."""
        answer = self.nodes[node].question("/store", key, self.block["height"] - 1, prove=True)
        op, = answer["proofOps"]["ops"]
        return ics23.value_of(self.app_hash, key, base64.b64decode(op["data"]))

    def record(self, message_id: str, side: str, index: int) -> bytes | None:
        return self.proven(bytes([RECORDS]) + b"r" + abi.to_bytes(message_id) + bytes([SIDES[side], index]))


ANSWERS = 9


@pytest.fixture(scope="module")
def bridge(demo):
    return Bridge(demo)


def test_ledger_form(demo, bridge):
    told = bridge.told
    assert set(told) == {"id", "rpc", "node", "records", "block", "anchors", "answers", "proof", "statement"} and len(told["rpc"]) == 4
    assert [(r["message_id"], r["side"]) for r in told["records"]] == [(c["message_id"], s) for c in demo.result["cases"] for s in SIDES]
    assert all(set(r) == {"message_id", "side", "state", "count", "conflicts"} for r in told["records"])
    assert set(told["block"]) == {"height", "hash", "time", "app_hash", "validators_hash", "signers", "trusted_height", "trusted_hash"}
    assert set(told["proof"]) == {"message_id", "side", "index", "key", "value", "height"}
    assert set(told["statement"]) == {"party", "role", "period", "height", "lines", "charged", "credited", "total"}


def test_ledger_block_is_signed(bridge):
    """By more than two thirds of the validators of genesis; its hash is of what it says."""
    header, commit = bridge.signed["header"], bridge.signed["commit"]
    digest = forge.header_hash(header).hex()
    assert digest == commit["block_id"]["hash"].lower() == bridge.block["hash"][2:]
    assert header["chain_id"] == bridge.told["id"].partition(":")[2] and header["time"] == bridge.block["time"]
    assert header["app_hash"].lower() == bridge.block["app_hash"][2:]
    genesis = json.loads((bridge.folder / "net" / "node0" / "config" / "genesis.json").read_text())
    rows = forge.in_order([{**v, "voting_power": v["power"]} for v in genesis["validators"]])
    assert forge.set_hash(rows).hex() == header["validators_hash"].lower() == bridge.block["validators_hash"][2:]
    keys = {v["address"]: base64.b64decode(v["pub_key"]["value"]) for v in rows}
    signers = [sig for sig in commit["signatures"] if sig["block_id_flag"] == 2]
    for sig in signers:
        message = forge.vote_bytes(2, int(header["height"]), int(commit["round"]), commit["block_id"], sig["timestamp"], header["chain_id"])
        key = eddsa.import_public_key(keys[sig["validator_address"]])
        eddsa.new(key, "rfc8032").verify(varint(len(message)) + message, base64.b64decode(sig["signature"]))
    # Each node may show another quorum of one block.
    assert len(signers) >= 3 and len(bridge.block["signers"]) >= 3 and set(keys) >= set(bridge.block["signers"])
    trusted = bridge.nodes[3].ask("commit", height=str(bridge.block["trusted_height"]))["signed_header"]
    assert forge.header_hash(trusted["header"]).hex() == bridge.block["trusted_hash"][2:]


def test_ledger_records_are_proven(demo, bridge):
    """All of them, each by its own proof under that block; and that there are no more."""
    states = dict(re.findall(r'^RELAY_STATE\(\w+, (\d+), "(\w+)"', (tools.ROOT / "relay_state" / "relay" / "states.def").read_text(), re.M))
    cases = {case["message_id"]: case for case in demo.result["cases"]}
    for told in bridge.told["records"]:
        assert told["conflicts"] == 0 and told["count"] > 0
        rows = [bridge.record(told["message_id"], told["side"], i) for i in range(told["count"])]
        assert all(rows) and bridge.record(told["message_id"], told["side"], told["count"]) is None
        assert states[str(rows[-1][2])] == told["state"]
        case = cases[told["message_id"]]
        assert told["state"] == case["outcome"] or told["side"] == "destination"
        # The first of the source is the commitment, the last but what follows from it the finalization, by the journal's steps.
        if told["side"] == "source":
            step = steps_of(case)[3]
            assert abi.to_hex(rows[0][RECORD_TX]) == step["tx"] and int.from_bytes(rows[0][RECORD_HEIGHT], "big") == step["block"]
            assert steps_of(case)[16]["tx"] in {abi.to_hex(row[RECORD_TX]) for row in rows}


def test_ledger_anchors_are_proven(demo, bridge):
    """The enclaves take the time from this ledger, and the gateways' anchor their state there."""
    manifest = json.loads((demo.folder / "manifest.json").read_text())["manifest"]
    assert manifest["time"] == ["ledger"]
    assert len(bridge.told["anchors"]) == 2
    for told in bridge.told["anchors"]:
        value = bridge.proven(bytes([RECORDS]) + b"a" + abi.to_bytes(told["lineage"]) + abi.to_bytes(told["identity"]))
        assert (int.from_bytes(value[:8], "big"), int.from_bytes(value[8:16], "big")) == (told["epoch"], told["counter"])
        assert told["counter"] > 0


def test_ledger_proof_is_what_was_shown(bridge):
    told = bridge.told["proof"]
    assert abi.to_bytes(told["value"]) == bridge.record(told["message_id"], told["side"], told["index"])
    file = json.loads((bridge.folder / "audit" / "proof.json").read_text())
    assert ics23.value_of(bridge.app_hash, abi.to_bytes(told["key"]), abi.to_bytes(file["state"]["proof"])) == abi.to_bytes(told["value"])
    assert file["height"] == told["height"] == bridge.block["height"] - 1


def test_ledger_bill_is_complete(demo, bridge):
    """Its lines give the value that the state has; each is signed, and is about a message that was delivered; one by its path."""
    told, audit = bridge.told["statement"], bridge.folder / "audit"
    head, *rows = (audit / "statement.csv").read_text().splitlines()
    head, rows = json.loads(head[2:])["statement"], list(csv.DictReader(rows))
    lines = [bytes.fromhex(row["line"][2:]) for row in rows]
    key = usage.statement_key(abi.to_bytes(told["party"]), usage.PROVIDER, int(told["period"].replace("-", "")))
    value = bridge.proven(key)
    assert usage.statement(lines) == value and len(lines) == told["lines"]
    assert (int(told["charged"]), int(told["credited"])) == (int.from_bytes(value[:32], "big"), 0) and told["total"] == told["charged"]
    delivered = [c["message_id"] for c in demo.result["cases"] if c["outcome"] == "finalized"]
    assert [row["data"] for row in rows] == delivered
    tag = bridge.proven(b"\0chain")
    for row, line in zip(rows, lines):
        assert int(row["amount"]) * len(lines) == int(told["charged"])
        record = usage.record_of(line)
        assert abi.to_hex(record.data_hash) == row["data"] and record.nonce == int(row["nonce"]) and record.quantity == 1
        assert crypto.schnorr_verify(record.enclave, record.digest(tag, insecure=True), record.signature)
    one = json.loads((audit / "line.json").read_text())
    path = [abi.to_bytes(step) for step in one["path"]]
    assert usage.root_by_path(lines[0], 0, len(lines), path) == usage.root(lines) == abi.to_bytes(head["root"])


def test_ledger_node_came_back(bridge):
    """It was killed, the others went on, and it has the same chain."""
    node = bridge.told["node"]
    assert node["killed_at"] < node["others_at"] <= node["back_at"] <= bridge.nodes[node["index"]].block_number()
    for height in (node["killed_at"] + 1, node["others_at"], bridge.block["height"]):
        wait_for(lambda: bridge.nodes[node["index"]].block_number() >= height, 60, f"block {height}")
        assert len({rpc.header(height)[0] for rpc in bridge.nodes}) == 1
    log = (bridge.folder / "net" / f"node{node['index']}.log").read_text()
    assert log.count("node.started") == 2


def test_ledger_lines_for_people_work(demo, bridge, tmp_path):
    """As --keep prints them, in a shell that knows only the file of variables; the last one with the nodes' addresses gone."""
    lines = [line.strip() for line in demo.log.read_text().splitlines() if line.startswith("  ")]
    begin = lines.index(f". {bridge.folder / 'ledger.env'}")
    source, *calls, verify = lines[begin:begin + 4]
    for call in (*calls, f"CAISSON_LEDGER_URL=http://127.0.0.1:1 {verify}"):
        run = subprocess.run(["bash", "-euc", f"{source}\n{call}"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stderr
    assert f"{bridge.told['statement']['lines']} here, 0 pruned: complete" in run.stdout and "is trusted" in run.stdout


# ---- the oracle: its contracts are those that the manifest names ----

@pytest.fixture(scope="module")
def asked(demo, view):
    """By kind: the oracle's contract; the RPC of its chain."""
    if is_ledger(demo.result["chains"][0]):
        pytest.skip("an oracle's requests are events, which a ledger does not prove")
    manifest = json.loads((demo.folder / "manifest.json").read_text())["manifest"]
    rpc, _ = view[demo.result["chains"][0]["id"]]
    codes = {"requests": "CaissonOracle", "feeds": "CaissonFeed"}
    found = {c["kind"]: Contract(rpc, c["address"], deploy.artifact(codes[c["kind"]])["abi"]) for c in manifest["oracle"]["contracts"]}
    return {"rpc": rpc, **found}


def logs_of(contract: Contract, name: str) -> list[dict]:
    entry = contract.entry(name, kind="event")
    logs = contract.rpc.call("eth_getLogs", {"address": contract.address, "fromBlock": "0x0", "topics": [abi.topic(entry)]})
    return [{**abi.decode_log(entry, log), "block": int(log["blockNumber"], 16), "tx": log["transactionHash"]} for log in logs]


def request_with(asked, code_is) -> tuple[dict, dict]:
    """The one request whose answer has such a code, and the answer."""
    [(request, answer)] = [(r, a) for a in logs_of(asked["requests"], "OracleAnswered") for r in logs_of(asked["requests"], "OracleRequested")
                           if a["requestId"] == r["requestId"] and code_is(a["code"])]
    return request, answer


def test_oracle_form(demo):
    rows = demo.result["oracle"]
    if is_ledger(demo.result["chains"][0]):
        assert rows == []
        return
    assert [r["name"] for r in rows] == ["callback", "rest", "feed", "unanswerable"]
    assert [r["outcome"] for r in rows] == ["answered", "verified", "updated", "refunded"]
    for row in rows:
        assert set(row) == {"name", "outcome", "value", "t_ms"}
        assert isinstance(row["value"], str) and row["value"] and 0 < row["t_ms"] < DEMO_TIMEOUT_S * 1000


def test_ledger_answers_are_the_contracts(demo, asked, bridge):
    """Codes and times that the ledger has are those that the contract was told; the app's are its document's."""
    told = {a["name"]: a for a in bridge.told["answers"]}
    assert list(told) == ["callback", "rest", "unanswerable"]
    oracle = asked["requests"].read("oracle")
    view = {a["requestId"]: (a["code"], a["observedAt"]) for a in logs_of(asked["requests"], "OracleAnswered")}
    document = json.loads((demo.folder / "answer.json").read_text())
    view[abi.to_bytes(document["id"])] = (document["code"], document["observed_at"])
    for answer in told.values():
        request = abi.to_bytes(answer["request_id"])
        assert view[request] == (answer["code"], answer["observed_at"])
        data = abi.selector("answerOf(bytes32,bytes32)") + oracle + request
        said = bridge.nodes[1].query("/call", bytes(20) + ledger.lt.contract(ANSWERS) + data)
        assert (int.from_bytes(said[:32], "big"), int.from_bytes(said[32:64], "big")) == view[request]


def oracle_row(demo, name: str) -> dict:
    return next(r for r in demo.result["oracle"] if r["name"] == name)


def test_oracle_callback_is_what_the_consumer_holds(demo, asked):
    request, answer = request_with(asked, lambda code: code == 0)
    consumer = Contract(asked["rpc"], abi.to_hex(request["asker"]), deploy.artifact("test/SampleConsumer")["abi"])
    assert asked["requests"].read("stateOf", request["requestId"]) == [2, 0]
    price = abi.decode(["int256"], answer["value"])[0]
    assert oracle_row(demo, "callback")["value"] == str(price)
    assert abi.to_bytes(request["request"]["callback"]) == request["asker"]
    assert not [e for e in logs_of(asked["requests"], "CallbackFailed") if e["requestId"] == request["requestId"]]
    assert consumer.read("price") == price and consumer.read("observedAt") == answer["observedAt"]
    assert request["request"]["time"] <= answer["observedAt"] <= int(asked["rpc"].block(answer["block"])["timestamp"], 16)
    # Final first: two confirmations of anvil, three sealers of Clique.
    assert answer["block"] > request["block"] + 2


def test_oracle_unanswerable_is_paid_back(demo, asked):
    request, _ = request_with(asked, lambda code: code != 0)
    [refund] = [e for e in logs_of(asked["requests"], "OracleRefunded") if e["requestId"] == request["requestId"]]
    fee = request["request"]["fee"]
    assert refund["fee"] == fee > 0 and oracle_row(demo, "unanswerable")["value"] == str(fee)
    status, code = asked["requests"].read("stateOf", request["requestId"])
    assert status == 2 and 16 <= code <= 31
    # What the contract holds is what it earned with the other answer: nothing of this one.
    held = int(asked["rpc"].call("eth_getBalance", asked["requests"].address, "latest"), 16)
    answered, _ = request_with(asked, lambda code: code == 0)
    assert held == asked["requests"].read("earned") == answered["request"]["fee"]
    assert asked["requests"].read("owed", abi.to_hex(request["asker"])) == 0


def test_oracle_feed_is_not_the_liars(demo, asked):
    [added] = logs_of(asked["feeds"], "FeedAdded")
    view = Contract(asked["rpc"], abi.to_hex(added["feed"]), deploy.artifact("FeedView")["abi"])
    round_id, answer, started, updated, answered_in = view.read("latestRoundData")
    assert round_id == answered_in >= 1 and started == updated
    first = logs_of(asked["feeds"], "FeedUpdated")[0]
    assert oracle_row(demo, "feed")["value"] == str(first["value"])
    # The median of what the two honest sources and the liar say, with the 8 decimals of the feed.
    assert view.read("decimals") == 8 and answer == first["value"] == 300_030_000_000
    assert updated <= asked["rpc"].time()


def test_oracle_rest_verifies(demo, asked):
    """The document that was verified, offline, once more; not under another key."""
    oracle = asked["requests"].read("oracle")
    document = json.loads((demo.folder / "answer.json").read_text())
    key = asked["requests"].read("keyOf", oracle, document["statement"]["epoch"])[0]["x"]
    argv = [tools.find_build() / "bin" / "caisson", "verify", demo.folder / "answer.json", "--key"]
    assert subprocess.run([*argv, abi.to_hex(key)], capture_output=True).returncode == 0
    assert subprocess.run([*argv, "0x" + "11" * 32], capture_output=True).returncode not in (0, 1, 2)
    assert oracle_row(demo, "rest")["value"] == document["value"] == "the second team"


def test_oracle_lines_for_people_work(demo, asked):
    """As --keep prints them, in a shell that knows only the file of variables."""
    lines = [line.strip() for line in demo.log.read_text().splitlines() if line.startswith("  ")]
    begin = lines.index(f". {demo.folder / 'oracle.env'}")
    source, *calls = lines[begin:begin + 4]
    said = [subprocess.run(["bash", "-euc", f"{source}\n{call}"], capture_output=True, text=True, timeout=60) for call in calls]
    assert [run.returncode for run in said] == [0, 0, 0], [run.stderr for run in said]
    assert json.loads(said[0].stdout)["value"] == "3000.10000000"
    assert "3000.1" in said[1].stdout and "ETH / USD" in said[2].stdout


def test_a_contract_of_ones_own_as_the_page_has_it(demo, asked, tmp_path):
    """docs/oracle.md, from the file of variables to the price, line by line; only its two folders are elsewhere.

    After the others: it asks once more.
    """
    page = (tools.ROOT / "docs" / "oracle.md").read_text()
    lines, = (block for block in re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S) if "eth_sendTransaction" in block)
    assert "/tmp/caisson/" in lines and "/tmp/coin" in lines
    lines = lines.replace("/tmp/caisson", str(demo.folder)).replace("/tmp/coin", str(tmp_path / "coin"))
    run = subprocess.run(["bash", "-euc", lines], cwd=tools.ROOT, capture_output=True, text=True, timeout=480)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "6712345000000"
    # The account pays without a key: the file holds none, and the one that it names is of the interface.
    environment = dict(line.split()[1].split("=", 1) for line in (demo.folder / "oracle.env").read_text().splitlines())
    account = environment["ACCOUNT"].lower()
    assert account in [a.lower() for a in asked["rpc"].call("eth_accounts")]
    assert environment["ORACLE"].lower() == asked["requests"].address.lower()
    assert Path(environment["CAISSON_API_KEY_FILE"]).stat().st_mode & 0o077 == 0


def test_a_quick_end_leaves_nothing(tmp_path):
    """A Ctrl-C in the middle of the start."""
    env = {**os.environ, "CAISSON_BUILD": str(tools.find_build())}
    log = tmp_path / "log"
    with open(log, "wb") as out:
        popen = subprocess.Popen([tools.ROOT / "script" / "demo", "--folder", tmp_path / "demo"], stdin=subprocess.DEVNULL,
                                 stdout=out, stderr=subprocess.STDOUT, env=env, start_new_session=True)
    try:
        wait_for(lambda: "contracts" in log.read_text(errors="replace") or popen.poll() is not None, 60, "the start of the demo")
        time.sleep(0.5)
        pids = [popen.pid, *proc.children_of(popen.pid)]
        popen.send_signal(signal.SIGINT)
        popen.wait(30)
    finally:
        if popen.poll() is None:
            popen.kill()
            popen.wait()
    assert len(pids) > 2
    wait_for(lambda: all(gone(p) for p in pids), 20, "the end of every process", 0.1)
