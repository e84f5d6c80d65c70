"""Four real processes of caisson-ledger make one chain: transactions get in, whoever is killed comes back, CometBFT's own
light client follows."""
from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from datetime import datetime

import pytest

from ledger.net import CHAIN_ID, DEADLINE_S, CallError, Network, run
from lib.proc import Process
from lib.rpc import wait_for
from lib.tools import find_build, find_tool, free_ports


@pytest.fixture
def net(tmp_path):
    with Network(tmp_path, 4) as network:
        yield network


def test_one_chain(net):
    net.wait_height(2)
    done = net.nodes[0].commit(b"key=value")
    height = int(done["height"])
    assert done["tx_result"]["code"] == 0 and done["hash"] == hashlib.sha256(b"key=value").hexdigest().upper()
    net.wait_height(height + 1)
    headers = [node.call("block", height=str(height))["block"]["header"] for node in net.nodes]
    assert all(header == headers[0] for header in headers)
    for node in net.nodes:
        answer = node.call("abci_query", data=b"key".hex())["response"]
        assert base64.b64decode(answer["value"]) == b"value"
        tx = node.call("tx", hash=base64.b64encode(bytes.fromhex(done["hash"])).decode(), prove=True)
        assert tx["height"] == str(height) and tx["proof"]["root_hash"] == headers[0]["data_hash"]
        found = node.call("tx_search", query="app.key='key'")
        assert [t["hash"] for t in found["txs"]] == [done["hash"]] and found["total_count"] == "1"
        assert node.call("net_info")["n_peers"] == "3"
    # The same once more is known, another is refused by the application.
    with pytest.raises(CallError, match="already exists in cache"):
        net.nodes[1].call("broadcast_tx_sync", tx=base64.b64encode(b"key=value").decode())
    assert net.nodes[1].call("broadcast_tx_sync", tx=base64.b64encode(b"no pair").decode())["code"] == 2


def test_killed_and_back(net):
    net.wait_height(2)
    last = net.nodes[3]
    last.kill()
    at = net.nodes[0].height()
    net.nodes[0].commit(b"while=away")
    net.nodes[0].wait_height(at + 5)
    last.start()
    last.wait_height(net.nodes[0].height())
    answer = last.call("abci_query", data=b"while".hex())["response"]
    assert base64.b64decode(answer["value"]) == b"away"
    address = last.call("status")["validator_info"]["address"]

    def signs():
        commit = net.nodes[0].call("commit")["signed_header"]["commit"]
        return any(s["validator_address"] == address for s in commit["signatures"])

    wait_for(signs, DEADLINE_S, "its signature in a commit")


def test_no_blocks_without_a_quorum(net):
    net.wait_height(2)
    net.nodes[2].kill()
    net.nodes[3].kill()
    # What was under way may still be decided.
    at = net.nodes[0].height()
    with pytest.raises(CallError, match="timed out"):
        net.nodes[0].call("broadcast_tx_commit", tx=base64.b64encode(b"too=few").decode())
    assert net.nodes[0].height() <= at + 1
    net.nodes[3].start()
    net.nodes[0].wait_height(at + 3)
    wait_for(lambda: base64.b64decode(net.nodes[1].call("abci_query", data=b"too".hex())["response"]["value"] or "")
             == b"few", DEADLINE_S, "the transaction that waited")


def test_application_behind_a_socket(tmp_path):
    address = f"unix://{tmp_path}/app.sock"
    app = Process([str(find_build() / "bin" / "caisson-abci-kvstore"), "--address", address], tmp_path / "app.log")
    network = Network(tmp_path, 2)
    network.nodes[0].args = ["--proxy_app", address]
    with app, network as net:
        net.wait_height(2)
        height = int(net.nodes[1].commit(b"by=socket")["height"])
        net.wait_height(height + 1)
        assert base64.b64decode(net.nodes[0].call("abci_query", data=b"by".hex())["response"]["value"]) == b"socket"
        # An application that is gone ends its node.
        app.kill()
        assert net.nodes[0].process.popen.wait(DEADLINE_S) != 0
        assert "node.failed" in net.nodes[0].process.tail()


def test_no_empty_blocks(tmp_path):
    with Network(tmp_path, 4, lambda text: text + "create_empty_blocks = false\n") as net:
        for node in net.nodes:
            wait_for(node.is_up, DEADLINE_S, "its RPC")
        first = int(net.nodes[1].commit(b"a=1")["height"])
        # One more, whose header proves what the first did, and then none.
        net.wait_height(first + 1)
        second = int(net.nodes[2].commit(b"b=2")["height"])
        assert second == first + 2
        net.wait_height(second + 1)
        assert [node.height() for node in net.nodes] == [second + 1] * 4


def test_empty_blocks_at_an_interval(tmp_path):
    with Network(tmp_path, 4, lambda text: text.replace('interval = "0s"', 'interval = "500ms"')) as net:
        net.wait_height(1)
        first = int(net.nodes[1].commit(b"a=1")["height"])
        net.wait_height(first + 3)

        def time_ms(height: int) -> int:
            text = net.nodes[0].call("block", height=str(height))["block"]["header"]["time"]
            whole, _, part = text.rstrip("Z").partition(".")
            return int(datetime.fromisoformat(whole + "+00:00").timestamp()) * 1000 + int(part.ljust(9, "0")[:3] or 0)

        # What proves the state comes at once; then one, and another. A block's time is that of its precommits, near the one before it.
        assert time_ms(first + 3) - time_ms(first + 2) >= 400


def test_cometbft_light_client(net, tmp_path):
    cometbft = find_tool("cometbft")
    net.wait_height(6)
    trusted = net.nodes[0].call("commit", height="2")["signed_header"]["commit"]["block_id"]["hash"]
    height = int(net.nodes[0].commit(b"seen=by a light client")["height"])
    net.wait_height(height + 2)
    urls = [f"http://127.0.0.1:{node.rpc_port}" for node in net.nodes]
    port = free_ports(1)[0]
    with Process([cometbft, "light", CHAIN_ID, "-p", urls[0], "-w", ",".join(urls[1:]), "--height", "2", "--hash", trusted,
                  "--home-dir", tmp_path / "light", "--laddr", f"tcp://127.0.0.1:{port}"], tmp_path / "light.log") as light:
        def verified():
            light.check()
            done = subprocess.run(["curl", "-s", f"http://127.0.0.1:{port}/commit?height={height}"], capture_output=True,
                                  text=True, timeout=20, check=False)
            return json.loads(done.stdout) if done.returncode == 0 and done.stdout else None

        commit = wait_for(verified, DEADLINE_S, "a commit that the light client verified")["result"]
        own = net.nodes[3].call("commit", height=str(height))
        assert commit["signed_header"]["header"] == own["signed_header"]["header"]
        assert "Error" not in light.tail()


# ---- what a start refuses ----

def refused(node, what: str) -> None:
    done = run("start", "--home", str(node.home))
    assert done.returncode == 1 and what in done.stderr, done.stderr


def test_starts_that_are_refused(tmp_path):
    network = Network(tmp_path, 1)
    node = network.nodes[0]
    config, genesis = node.home / "config" / "config.toml", node.home / "config" / "genesis.json"
    key = node.home / "config" / "priv_validator_key.json"
    good = config.read_text()
    config.write_text(good + "no_such_key = 1\n")
    refused(node, "no_such_key")
    config.write_text(good)
    key.chmod(0o644)
    refused(node, "forbidden")
    key.chmod(0o600)
    node.start()
    node.wait_height(2)
    # The folder is another process's.
    refused(node, "conflict")
    node.process.stop()
    text = genesis.read_text()
    genesis.write_text(text.replace(CHAIN_ID, "another-chain"))
    refused(node, "wrong-chain")
    genesis.write_text(text.replace('"power": "1"', '"power": "0"'))
    refused(node, "power")
    genesis.write_text(text)
    again = run("testnet", "--v", "1", "--o", str(tmp_path / "net"))
    assert again.returncode == 1 and "conflict" in again.stderr
    assert genesis.read_text() == text


def test_keys_and_ids(tmp_path):
    node = Network(tmp_path, 1).nodes[0]
    validator = json.loads(run("show-validator", "--home", str(node.home)).stdout)
    file = json.loads((node.home / "config" / "priv_validator_key.json").read_text())
    assert validator == file["pub_key"]
    assert hashlib.sha256(base64.b64decode(validator["value"])).hexdigest()[:40].upper() == file["address"]
    private = base64.b64decode(json.loads((node.home / "config" / "node_key.json").read_text())["priv_key"]["value"])
    assert run("show-node-id", "--home", str(node.home)).stdout.strip() == hashlib.sha256(private[32:]).hexdigest()[:40]


def test_nodes_of_another_chain_stay_strangers(tmp_path):
    """The same keys and addresses, another genesis: neither takes the other as its peer."""
    network = Network(tmp_path, 2)
    genesis = network.nodes[1].home / "config" / "genesis.json"
    genesis.write_text(genesis.read_text().replace(CHAIN_ID, "another-chain"))
    for node in network.nodes:
        node.args = ["--log_level", "debug"]
    with network as net:
        for node in net.nodes:
            wait_for(node.is_up, DEADLINE_S, "its RPC")
        wait_for(lambda: "the header is of another chain" in net.nodes[0].process.tail(), DEADLINE_S, "a refusal")
        assert [node.call("net_info")["n_peers"] for node in net.nodes] == ["0", "0"]
        assert [node.height() for node in net.nodes] == [0, 0]
