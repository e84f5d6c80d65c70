"""@cosmjs/tendermint-rpc from npm talks to our node: what it asks, what it refuses, what it hears. The same program passes with a
real CometBFT, so that what it asserts is not ours alone."""
from __future__ import annotations

import json
import subprocess

import pytest

from ledger.net import Network
from ledger.proving import STEPS, Proving
from lib import cometbft, tools

FOLDER = tools.ROOT / "tests" / "ledger" / "cosmjs"
SECONDS = 120


@pytest.fixture(scope="session")
def run_client():
    """client.cjs with a node's port and further arguments: what it said, a line each."""
    node = tools.find_tool("node")
    if not (FOLDER / "node_modules" / "@cosmjs" / "tendermint-rpc").exists():
        raise tools.Missing("cosmjs", "script/install test brings it")

    def run(port: int, *arguments: str) -> list[dict]:
        done = subprocess.run([node, str(FOLDER / "client.cjs"), f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}", *arguments],
                              capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


STEPS_SAID = [*(f"http {what}" for what in ("status", "blocks", "refusals", "transactions", "application")), "batch",
              *(f"ws {what}" for what in ("status", "blocks", "refusals", "transactions", "application", "events")), "done"]


def test_our_node(run_client, tmp_path):
    with Network(tmp_path, 4) as net:
        net.wait_height(3)
        said = run_client(net.nodes[2].rpc_port)
        assert [line["step"] for line in said] == STEPS_SAID
        assert said[1]["validators"] == 4


def test_a_real_cometbft(run_client, tmp_path):
    with cometbft.Network(tmp_path, ["kvstore"]) as net:
        net.wait_height(3)
        assert [line["step"] for line in run_client(net.nodes[0].rpc_port)] == STEPS_SAID


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "cometbft"])
def test_proofs_of_queries(run_client, tmp_path, ours):
    """What the application proves arrives as it was."""
    with Proving(tmp_path) as app:
        net = Network(tmp_path, 1) if ours else cometbft.Network(tmp_path, [app.address])
        if ours:
            net.nodes[0].args = ["--proxy_app", app.address]
        with net:
            net.nodes[0].wait_height(2)
            said = run_client(net.nodes[0].rpc_port, "proof")
            assert [line["step"] for line in said] == ["proof", "no proof"]
            assert [(op["type"].encode(), bytes.fromhex(op["key"]), bytes.fromhex(op["data"])) for op in said[0]["ops"]] == STEPS
            assert said[0]["index"] == 7 and said[0]["codespace"] == "test" and said[0]["height"] >= 1
            raw = net.nodes[0].call("abci_query", path="/store", data="6b6579", prove=True)["response"]
            assert list(raw) == ["code", "log", "info", "index", "key", "value", "proofOps", "height", "codespace"]
            assert [list(op) for op in raw["proofOps"]["ops"]] == [["type", "key", "data"]] * 2
