"""What a node is started with: peers by name, looked up again after each failure; the built-in application with its data on disk."""
from __future__ import annotations

import base64
import hashlib
import os
import re

from ledger.net import DEADLINE_S, Network, run
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
