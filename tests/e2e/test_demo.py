"""script/demo on real chains: its JSON recomputed by RPC from the chains it leaves up, and nothing left running."""
from __future__ import annotations

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

from lib import abi, deploy, ledger, proc, tools
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
    for chain in run.result["chains"]:
        with socket.socket() as s:
            assert s.connect_ex(("127.0.0.1", urlsplit(chain["rpc"]).port)) != 0
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
    assert set(result) == {"ok", "chains", "cases", "gas", "oracle"}
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
    """Steps of one gateway follow each other; whole-second block times may lie a second before what they are about."""
    for case in demo.result["cases"]:
        for side in ("SOURCE", "DESTINATION"):
            times = [(s["n"], s["t_ms"]) for s in case["steps"] if "t_ms" in s and STEPS[s["n"]][1] == side]
            for (n, before), (m, after) in zip(times, times[1:]):
                assert after >= before - 1500, f"{case['name']}: step {m} at {after} ms, step {n} at {before} ms"


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
