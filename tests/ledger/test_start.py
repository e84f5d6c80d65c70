"""What a node is started with: arguments, genesis; peers by name, looked up again after each failure; the built-in application with its
data on disk."""
from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import time

import pytest

from ledger.net import DEADLINE_S, CallError, Network, run
from ledger.proving import Proving
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


ACCOUNT = "0x" + "ab" * 20


@pytest.mark.parametrize("arguments, said", [
    (["--v", "0"], "--v 0: not a number from 1 to 32"),
    (["--v", "33"], "--v 33: not a number from 1 to 32"),
    (["--v=four"], "--v=four: not a number from 1 to 32"),
    (["--v"], "--v: its value is missing"),
    (["--starting-port", "65001"], "--starting-port 65001: not a number from 1 to 65000"),
    (["--fund", ACCOUNT], f"--fund {ACCOUNT}: no ADDRESS=AMOUNT"),
    (["--fund", "0x12=1"], "--fund 0x12=1: the address is not 0x and 40 hex digits"),
    (["--fund", f"{ACCOUNT[2:]}=1"], "the address is not 0x and 40 hex digits"),
    (["--fund", f"{ACCOUNT}=1.5"], "the amount is not a whole number in decimal digits"),
    (["--fund", f"{ACCOUNT}=-1"], "the amount is not a whole number in decimal digits"),
    (["--bond", f"{ACCOUNT}="], f"--bond {ACCOUNT}=: the amount is not a whole number in decimal digits"),
    (["--fund", f"{ACCOUNT}=1", "--fund", f"{ACCOUNT}=2"], f"--fund {ACCOUNT}=2: the account is there already"),
    (["--fun", f"{ACCOUNT}=1"], "--fun: no such option, or one without a value"),
    ([part for i in range(65) for part in ("--fund", f"0x{i:040x}=1")], "64 accounts at most; --app-state takes more"),
])
def test_values_that_are_refused(tmp_path, arguments, said):
    """The option, its value, and what it must be; nothing is made."""
    refused = run("testnet", "--o", str(tmp_path / "net"), "--proxy_app", "ledger", *arguments)
    assert refused.returncode == 2 and said in refused.stderr and refused.stderr.count("\n") == 1, refused.stderr
    assert not (tmp_path / "net").exists()


@pytest.mark.parametrize("app", [[], ["--proxy_app", "kvstore"], ["--proxy_app", "persistent_kvstore"]])
@pytest.mark.parametrize("option", ["--fund", "--bond"])
def test_the_example_has_no_accounts(tmp_path, app, option):
    for command, where in (("testnet", "--o"), ("init", "--home")):
        home = tmp_path / command
        refused = run(command, where, str(home), *app, option, f"{ACCOUNT}=5000000")
        assert refused.returncode == 1 and option in refused.stderr and "give --proxy_app ledger" in refused.stderr, refused.stderr
        assert not home.exists()
        # The same home, once it is asked for what there is; and an application behind a socket may be anything.
        proxy_app = "ledger" if command == "init" else "unix:///tmp/kvstore.sock"
        assert run(command, where, str(home), "--proxy_app", proxy_app, option, f"{ACCOUNT}=5000000").returncode == 0


def test_what_is_refused_leaves_nothing(tmp_path):
    """A genesis that cannot be made: no keys, no folder; the next try is not in conflict with it."""
    home = tmp_path / "home"
    (tmp_path / "broken.json").write_text("{")
    for wrong in (["--chain-id", ""], ["--chain-id", "x" * 51], ["--app-state", str(tmp_path / "broken.json")],
                  ["--app-state", str(tmp_path / "nowhere.json")], ["--proxy_app", "ledger", "--bond", f"{ACCOUNT}=1"]):
        refused = run("init", "--home", str(home), *wrong)
        assert refused.returncode == 1 and refused.stderr.count("\n") == 1 and not home.exists(), (wrong, refused.stderr)
    assert run("init", "--home", str(home)).returncode == 0


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


def test_blocks_that_hold_nothing(tmp_path):
    (node,) = Network(tmp_path, 1).nodes

    def small(genesis):
        genesis["consensus_params"]["block"]["max_bytes"] = "500"
        genesis["consensus_params"]["evidence"]["max_bytes"] = "0"

    change_genesis(node, small)
    refused = run("start", "--home", str(node.home))
    assert refused.returncode == 1 and "block.max_bytes 500" in refused.stderr
    # It may be mended: nothing was done under it.
    change_genesis(node, lambda genesis: genesis["consensus_params"]["block"].update(max_bytes="5000"))
    node.start()
    try:
        node.wait_height(1)
    finally:
        assert node.process.stop() == 0


def test_another_genesis_under_a_home(tmp_path):
    """The same chain id, other validators or another time: the data are of the genesis that they began with."""
    (node,) = Network(tmp_path, 1).nodes
    path = node.home / "config" / "genesis.json"
    node.start()
    node.wait_height(2)
    assert node.process.stop() == 0
    good = path.read_text()
    kept = (node.home / "data" / "genesis").read_bytes()
    for change in (lambda genesis: genesis.update(genesis_time="2024-01-02T03:04:05Z"),
                   lambda genesis: genesis["validators"][0].update(power="7"),
                   lambda genesis: genesis.update(app_state={"a": 1})):
        change_genesis(node, change)
        for command in (["start"], ["rollback"]):
            refused = run(*command, "--home", str(node.home))
            assert refused.returncode == 1 and "conflict: the data began with another genesis" in refused.stderr, refused.stderr
        path.write_text(good)
    # Written otherwise it is the same one.
    path.write_text(json.dumps(json.loads(good), indent=7))
    node.start()
    node.wait_height(3)
    assert node.process.stop() == 0
    # A home that was made before hashes were kept: it takes what it has.
    (node.home / "data" / "genesis").unlink()
    node.start()
    node.wait_height(4)
    assert node.process.stop() == 0
    assert (node.home / "data" / "genesis").read_bytes() == kept
    (node.home / "data" / "genesis").write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    refused = run("start", "--home", str(node.home))
    assert refused.returncode == 1 and "damaged: genesis does not read" in refused.stderr
    # A chain of its own, with an empty folder.
    shutil.rmtree(node.home / "data")
    change_genesis(node, lambda genesis: genesis.update(genesis_time="2024-01-02T03:04:05Z"))
    node.start()
    node.wait_height(1)
    assert node.process.stop() == 0


def test_a_home_that_is_none(tmp_path):
    refused = run("start", "--home", str(tmp_path / "nowhere"))
    assert refused.returncode == 1 and "caisson-ledger init" in refused.stderr
    assert refused.stderr.count("nowhere") == 1 and refused.stderr.count("\n") == 1, refused.stderr
    assert not (tmp_path / "nowhere").exists()


def test_applications_that_are_none(tmp_path):
    (node,) = Network(tmp_path, 1).nodes
    for address in ("nonsense", "http://127.0.0.1:1", "tcp://127.0.0.1", "kvstore2", ""):
        refused = run("start", "--home", str(node.home), "--proxy_app", address)
        assert refused.returncode == 1
        for form in ("kvstore", "persistent_kvstore", "unix://PATH", "tcp://ADDRESS:PORT"):
            assert form in refused.stderr, refused.stderr
    refused = run("start", "--home", str(node.home), "--proxy_app", "tcp://192.0.2.1:26658")
    assert refused.returncode == 1 and "insecure-refused" in refused.stderr and "unix://PATH" not in refused.stderr


def test_an_application_that_is_not_there(tmp_path):
    (node,) = Network(tmp_path, 1).nodes
    address = f"unix://{tmp_path}/none.sock"
    node.args = ["--proxy_app", address]
    node.start()
    try:
        wait_for(lambda: f"node.waits_for_application address={address}" in node.process.tail(), DEADLINE_S, "what it waits for")
        assert node.process.popen.wait(DEADLINE_S) == 1
        assert f"the application at {address} cannot be reached" in node.process.tail()
    finally:
        node.process.stop()


class Slow(Proving):
    """One that takes its time for a block."""
    delay_s = 0.0

    def answer(self, name, fields):
        if name == "finalize_block":
            time.sleep(self.delay_s)
        return super().answer(name, fields)


def test_the_log_of_a_replay(tmp_path):
    """From where to where, how far after some seconds, and its end; and what SIGTERM ends with."""
    (node,) = Network(tmp_path, 1).nodes
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    with Slow(tmp_path / "first") as app:
        node.args = ["--proxy_app", app.address]
        node.start()
        node.wait_height(6)
        assert node.process.stop() == 0
        last = node.process.tail(1)
    ended = int(re.search(r"node\.stopped height=(\d+)", last).group(1))
    assert ended >= 6
    (tmp_path / "net" / "node0.log").unlink()
    with Slow(tmp_path / "second") as app:
        app.delay_s = 3 / ended + 0.1
        node.args = ["--proxy_app", app.address]
        node.start()
        try:
            node.wait_height(ended + 1)
        finally:
            assert node.process.stop() == 0
    lines = re.findall(r"node\.(replay|replaying|replayed|started|stopped) (.*)", node.process.log_path.read_text())
    names = [name for name, _ in lines]
    assert names[0] == "replay" and set(names[1:-3]) == {"replaying"} and names[-3:] == ["replayed", "started", "stopped"], lines
    assert lines[0][1] == f"from=1 to={ended}"
    heights = [int(re.fullmatch(rf"height=(\d+) to={ended}", text).group(1)) for name, text in lines if name == "replaying"]
    assert heights == sorted(set(heights)) and 1 <= heights[0] and heights[-1] < ended
    assert lines[-3][1] == f"height={ended}"


def test_a_node_that_is_stopped_before_it_has_started(tmp_path):
    (node,) = Network(tmp_path, 1).nodes
    node.args = ["--proxy_app", f"unix://{tmp_path}/none.sock"]
    node.start()
    wait_for(lambda: "node.waits_for_application" in node.process.tail(), DEADLINE_S, "what it waits for")
    assert node.process.stop() == 0
    assert "node.stopped height=0" in node.process.tail(1)
