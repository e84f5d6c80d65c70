"""What a node is started with: arguments, genesis; peers by name, looked up again after each failure; the built-in application with its
data on disk."""
from __future__ import annotations

import base64
import hashlib
import json
import os
import re

import pytest

from ledger.net import DEADLINE_S, CallError, Network, run
from lib.rpc import wait_for
from lib.tools import find_build

NOBODY = "ab" * 20


def peers(node) -> list[dict]:
    return node.call("net_info")["peers"]


def test_a_peer_by_name(tmp_path):
    """Its name changes its address: the first look-up of all gives one where nobody listens. Another name has none, ever."""
    with_names = {**os.environ, "LD_PRELOAD": str(find_build() / "bin" / "libchanging-names.so"),
                  "NAMES_FILE": str(tmp_path / "names")}
    network = Network(tmp_path, 2)
    first, second = network.nodes
    for node in network.nodes:
        path = node.home / "config" / "config.toml"
        line = re.search(r'persistent_peers = "([^"]*)"', path.read_text())
        own = [peer for peer in line.group(1).split(",") if peer.endswith(f":{first.p2p_port}")][0]
        # Only the second dials.
        named = "" if node is first else f"{own.replace('127.0.0.1', 'first.test')},{NOBODY}@none.test:26656"
        path.write_text(path.read_text().replace(line.group(0), f'persistent_peers = "{named}"'))

    def asked(name: str) -> int:
        return (tmp_path / "names").read_text().splitlines().count(name)

    try:
        first.start()
        second.start(env=with_names)
        network.wait_height(2)
        assert asked("first.test") >= 2 and asked("none.test") >= 1
        (peer,) = peers(second)
        assert peer["is_outbound"] and peer["remote_ip"] == "127.0.0.1"
        assert peer["node_info"]["listen_addr"] == f"tcp://first.test:{first.p2p_port}"
        (other,) = peers(first)
        assert not other["is_outbound"] and other["node_info"]["listen_addr"] == ""
        # Gone, and there again: looked up again.
        before, height = asked("first.test"), second.height()
        first.kill()
        wait_for(lambda: not peers(second), DEADLINE_S, "the peer's end")
        first.start()
        network.wait_height(height + 2)
        assert asked("first.test") > before
    finally:
        for node in network.nodes:
            if node.process is not None:
                node.process.stop()


def test_addresses_that_are_none(tmp_path):
    for i, address in enumerate([f"{NOBODY}@first.test", f"{NOBODY}@first.test:0", f"{NOBODY}@-a:1", f"{NOBODY}@1.2.3:1", "first.test:1"]):
        home = tmp_path / str(i)
        assert run("init", "--home", str(home)).returncode == 0
        path = home / "config" / "config.toml"
        text = re.sub(r'laddr = "tcp://127\.0\.0\.1:\d+"', 'laddr = "tcp://127.0.0.1:0"', path.read_text())
        path.write_text(text.replace('persistent_peers = ""', f'persistent_peers = "{address}"'))
        refused = run("start", "--home", str(home))
        assert refused.returncode == 1, refused.stderr
        assert "first.test" in refused.stderr or NOBODY in refused.stderr or "no HOST:PORT" in refused.stderr


def test_persistent_kvstore(tmp_path):
    """Data and validators are there after a start, without the blocks being given again; killed at any moment, too."""
    network = Network(tmp_path, 2)
    for node in network.nodes:
        node.args = ["--proxy_app", "persistent_kvstore"]
    with network:
        network.wait_height(2)
        first, second = network.nodes
        assert first.commit(b"kept=1")["tx_result"]["code"] == 0
        validator = first.call("status")["validator_info"]
        tx = f"val=ed25519!{validator['pub_key']['value']}!2".encode()
        height = int(first.commit(tx)["height"])
        network.wait_height(height + 3)
        assert (first.home / "data" / "application.db").exists()
        for node in network.nodes:
            assert node.call("status")["validator_info"]["voting_power"] == ("2" if node is first else "1")
        first.kill()
        first.start()
        first.wait_height(height + 4)
        query = first.call("abci_query", data=b"kept".hex(), path="/key")["response"]
        assert base64.b64decode(query["value"]) == b"1"
        key = base64.b64decode(validator["pub_key"]["value"])
        stored = first.call("abci_query", data=key.hex(), path="/val")["response"]["value"]
        # A ValidatorUpdate: the key, and the power 2.
        assert key in base64.b64decode(stored) and base64.b64decode(stored).endswith(b"\x10\x02")
        assert first.call("abci_info")["response"]["data"] == second.call("abci_info")["response"]["data"]
        tx = b"after=restart"
        assert second.commit(tx)["hash"] == hashlib.sha256(tx).hexdigest().upper()
    # What the application lacks is given again: without its file it begins anew.
    with network:
        network.wait_height(1)
    for name in ("application.db", "application.db-wal", "application.db-shm"):
        (network.nodes[0].home / "data" / name).unlink(missing_ok=True)
    with network:
        network.wait_height(height + 5)
        query = network.nodes[0].call("abci_query", data=b"after".hex(), path="/key")["response"]
        assert base64.b64decode(query["value"]) == b"restart"


def test_many_validators(tmp_path):
    """As many as a chain may have: all files are there, and what names all the others reads."""
    network = Network(tmp_path, 32)
    for node in network.nodes:
        assert len(json.loads((node.home / "config" / "genesis.json").read_text())["validators"]) == 32
        assert node.home.joinpath("config", "config.toml").read_text().count("@127.0.0.1:") == 32
    last = network.nodes[-1]
    last.start()
    try:
        wait_for(last.is_up, DEADLINE_S, "its RPC")
        assert len(last.call("validators", per_page="100")["validators"]) == 32
    finally:
        last.process.stop()
    refused = run("testnet", "--v", "33", "--o", str(tmp_path / "more"))
    assert refused.returncode == 2 and "--v" in refused.stderr and not (tmp_path / "more").exists()


def test_arguments(tmp_path):
    assert run("init", f"--home={tmp_path / 'a'}", "--chain-id=of=signs").returncode == 0
    assert '"of=signs"' in (tmp_path / "a" / "config" / "genesis.json").read_text()
    for wrong in (["start", "--hom", "x"], ["start", "--home"], ["testnet", "--v", "0"], ["testnet", "--v=x"], ["rollback", "--hard=1"],
                  ["start", "x"], ["run"], ["start", "--" + "x" * 5000 + "=1"]):
        refused = run(*wrong)
        assert refused.returncode == 2 and not refused.stdout, wrong
        assert wrong[min(1, len(wrong) - 1)] in refused.stderr and refused.stderr.count("\n") == 1, refused.stderr
    for asked in (["--help"], ["help"], ["start", "--help"], ["start", "-h"]):
        shown = run(*asked)
        assert shown.returncode == 0 and "--proxy_app" in shown.stdout and not shown.stderr


def test_status_addresses(tmp_path):
    with Network(tmp_path, 1) as network:
        node = network.nodes[0]
        node.wait_height(1)
        for address in ("tcp://{}", "http://{}", "http://{}/", "{}"):
            shown = run("status", "--node", address.format(f"127.0.0.1:{node.rpc_port}"))
            assert shown.returncode == 0, shown.stderr
            info = json.loads(shown.stdout)["node_info"]
            assert info["listen_addr"] == f"tcp://127.0.0.1:{node.p2p_port}"
        for address in (f"https://127.0.0.1:{node.rpc_port}", "", "/", "x" * 5000):
            assert run("status", "--node", address).returncode == 1


def change_genesis(node, change) -> None:
    path = node.home / "config" / "genesis.json"
    genesis = json.loads(path.read_text())
    change(genesis)
    path.write_text(json.dumps(genesis))


def test_a_genesis_without_validators(tmp_path):
    (node,) = Network(tmp_path, 1).nodes
    change_genesis(node, lambda genesis: genesis["validators"].clear())
    refused = run("start", "--home", str(node.home))
    assert refused.returncode == 1 and "a chain without validators" in refused.stderr


def test_a_transaction_above_a_block(tmp_path):
    """Refused, and what comes behind it is decided; a block of the chain is smaller than what the mempool would take."""
    network = Network(tmp_path, 1)

    def small(genesis):
        genesis["consensus_params"]["block"]["max_bytes"] = "3000"
        genesis["consensus_params"]["evidence"]["max_bytes"] = "1000"

    change_genesis(network.nodes[0], small)
    with network:
        node = network.nodes[0]
        node.wait_height(1)
        with pytest.raises(CallError, match="larger than a block"):
            node.commit(b"a=" + bytes([98]) * 3000)
        assert node.commit(b"small=1")["tx_result"]["code"] == 0
        assert node.call("num_unconfirmed_txs")["total"] == "0"
