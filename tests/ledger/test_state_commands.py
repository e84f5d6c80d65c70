"""export, rollback and forensics on the homes of real processes."""
from __future__ import annotations

import base64
import json
import re
import shutil

import pytest

from ledger.net import DEADLINE_S, Network, Node, run
from lib.rpc import wait_for
from lib.tools import free_ports


@pytest.fixture
def net(tmp_path):
    with Network(tmp_path, 4) as network:
        network.wait_height(3)
        yield network


def value_of(node, key: str) -> bytes:
    return base64.b64decode(node.call("abci_query", data=key.encode().hex())["response"]["value"] or "")


def block_hash(node, height: int) -> str:
    return node.call("block", height=str(height))["block_id"]["hash"]


def content(home) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (home / "data").iterdir() if path.is_file()}


# ---- rollback

def rolled_back(node, *flags: str) -> tuple[int, str]:
    done = run("rollback", "--home", str(node.home), *flags)
    assert done.returncode == 0, done.stderr
    what = "both state and block" if "--hard" in flags else "state"
    found = re.fullmatch(rf"Rolled back {what} to height (\d+) and hash ([0-9A-F]+)\n", done.stdout)
    assert found, done.stdout
    return int(found[1]), found[2]


@pytest.mark.parametrize("flags", [[], ["--hard"]])
def test_a_height_is_executed_again(net, flags):
    node = net.nodes[3]
    done = net.nodes[0].commit(b"kept=yes")
    node.wait_height(int(done["height"]) + 2)
    node.kill()
    last = int(run("export", "--home", str(node.home)).stdout.split('"initial_height": "')[1].split('"')[0]) - 1
    height, app_hash = rolled_back(node, *flags)
    # A process that died between a block and its outcome has only the block to give back.
    assert height in (last - 1, last)
    for _ in range(2):
        before = height
        height, app_hash = rolled_back(node, "--hard")
        assert height in (before - 1, before)
    assert block_hash(net.nodes[0], height + 1)
    assert net.nodes[0].call("block", height=str(height + 1))["block"]["header"]["app_hash"] == app_hash
    node.start()
    node.wait_height(net.nodes[0].height() + 1)
    assert value_of(node, "kept") == b"yes"
    for h in range(height, height + 3):
        assert block_hash(node, h) == block_hash(net.nodes[1], h)
    # It signs again, above all that it had signed before.
    address = json.loads((node.home / "config" / "priv_validator_key.json").read_text())["address"]

    def signs():
        commit = net.nodes[0].call("commit")["signed_header"]["commit"]
        return any(s["validator_address"] == address and s["block_id_flag"] == 2 for s in commit["signatures"])
    wait_for(signs, DEADLINE_S, "a signature of the node that was rolled back")


def test_soft_rollbacks_do_not_go_further_than_one_height(net):
    node = net.nodes[3]
    node.kill()
    height, _ = rolled_back(node)
    assert rolled_back(node)[0] == height
    node.start()
    node.wait_height(height + 2)


def test_rollbacks_that_are_refused(net, tmp_path):
    running = run("rollback", "--home", str(net.nodes[0].home))
    assert running.returncode == 1 and "another process" in running.stderr
    empty = tmp_path / "empty"
    assert run("init", "--home", str(empty)).returncode == 0
    refused = run("rollback", "--home", str(empty))
    assert refused.returncode == 1 and "conflict" in refused.stderr
    nowhere = run("rollback", "--home", str(tmp_path / "nowhere"))
    assert nowhere.returncode == 1 and not (tmp_path / "nowhere").exists()


# ---- export

def test_another_chain_begins_where_this_one_was(net, tmp_path):
    net.nodes[0].commit(b"key=value")
    height = net.nodes[0].height()
    net.nodes[0].wait_height(height + 1)
    app = tmp_path / "app.json"
    app.write_text('{"anything": [1, 2]}')
    before = run("export", "--home", str(net.nodes[0].home), "--height", str(height), "--app-state", str(app))
    assert before.returncode == 0, before.stderr
    genesis = json.loads(before.stdout)
    header = net.nodes[0].call("block", height=str(height + 1))["block"]["header"]
    assert genesis["app_hash"] == header["app_hash"]
    assert genesis["initial_height"] == str(height + 1)
    assert genesis["genesis_time"] == net.nodes[0].call("block", height=str(height))["block"]["header"]["time"]
    assert genesis["app_state"] == {"anything": [1, 2]}
    assert sorted(v["name"] for v in genesis["validators"]) == ["node0", "node1", "node2", "node3"]
    for node in net.nodes:
        node.kill()
        shutil.rmtree(node.home / "data")
        (node.home / "config" / "genesis.json").write_text(before.stdout)
        node.start()
    for node in net.nodes:
        node.wait_height(height + 2)
    assert net.nodes[0].call("status")["sync_info"]["earliest_block_height"] == str(height + 1)


def test_exports_that_are_refused(net, tmp_path):
    home = str(net.nodes[0].home)
    far = run("export", "--home", home, "--height", "1000000")
    assert far.returncode == 1 and "not-found" in far.stderr and far.stdout == ""
    app = tmp_path / "app.json"
    app.write_text("{")
    assert "malformed" in run("export", "--home", home, "--app-state", str(app)).stderr
    assert run("export", "--home", str(tmp_path / "nowhere")).returncode == 1


# ---- forensics

def forensics(*homes, flags=()) -> dict:
    args = [part for home in homes for part in ("--home", str(home))]
    done = run("forensics", *args, "--json", *flags)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_nobody_is_guilty(net):
    net.wait_height(6)
    for node in net.nodes:
        node.kill()
    homes = [node.home for node in net.nodes]
    before = [content(home) for home in homes]
    found = forensics(*homes)
    assert [content(home) for home in homes] == before
    assert found["guilty"] == [] and found["suspects"] == []
    addresses = {json.loads((home / "config" / "priv_validator_key.json").read_text())["address"] for home in homes}
    at = {int(height["height"]): height["rounds"] for height in found["heights"]}
    for height in range(1, 6):
        last = at[height][-1]
        signers = {vote["validator"] for vote in last["precommits"]}
        assert len(signers) >= 3 and signers <= addresses
        assert len(last["proposals"]) <= 1
    # A part of it, of one home, as text.
    some = forensics(homes[0], flags=("--from", "2", "--to", "3"))
    assert [height["height"] for height in some["heights"]] == ["2", "3"]
    text = run("forensics", "--home", str(homes[1])).stdout
    assert "height 1 round 0" in text and "nobody is guilty" in text


def add_twin(net, victim: Node) -> Node:
    """Another node with this one's validator key, and a node key of its own."""
    home = victim.home.parent / "twin"
    assert run("init", "--home", str(home)).returncode == 0
    for name in ("genesis.json", "priv_validator_key.json"):
        shutil.copy(victim.home / "config" / name, home / "config" / name)
    ports = free_ports(2)
    text = (victim.home / "config" / "config.toml").read_text()
    text = text.replace(f"127.0.0.1:{victim.rpc_port}", f"127.0.0.1:{ports[1]}")
    head, _, rest = text.partition("persistent_peers")
    head = head.replace(f"127.0.0.1:{victim.p2p_port}", f"127.0.0.1:{ports[0]}")
    (home / "config" / "config.toml").write_text(head + "persistent_peers" + rest)
    twin = Node(home, ports[1], ports[0])
    net.nodes.append(twin)
    return twin


def test_the_key_of_twins_is_named_and_no_other(tmp_path):
    network = Network(tmp_path, 4)
    twin = add_twin(network, network.nodes[3])
    guilty = json.loads((twin.home / "config" / "priv_validator_key.json").read_text())["address"]
    homes = [node.home for node in network.nodes]
    with network as net:
        net.nodes[0].wait_height(2)

        def is_caught():
            # Different transactions: the twins propose different blocks when it is their turn.
            for node in net.nodes:
                if node.process.alive():
                    node.call("broadcast_tx_async", tx=base64.b64encode(f"{node.home.name}={net.nodes[0].height()}".encode()).decode())
            return forensics(*homes)["guilty"]
        wait_for(is_caught, DEADLINE_S, "two statements of one key")
    before = [content(home) for home in homes]
    found = forensics(*homes)
    assert [content(home) for home in homes] == before
    assert {item["validator"] for item in found["guilty"]} == {guilty}
    assert {item["validator"] for item in found["suspects"]} <= {guilty}
    for item in found["guilty"]:
        one, other = item["statements"]
        assert (one["height"], one["round"], one["type"]) == (other["height"], other["round"], other["type"])
        assert one["bytes"] != other["bytes"] and (one["block"] != other["block"] or "pol_round" in one)
    # What one honest node has seen is enough, or nothing is said of anybody.
    for home in homes[:3]:
        assert {item["validator"] for item in forensics(home)["guilty"]} <= {guilty}
    text = run("forensics", *[part for home in homes for part in ("--home", str(home))]).stdout
    assert f"guilty {guilty}: equivocation" in text


def test_homes_that_do_not_go_together(net, tmp_path):
    other = tmp_path / "other"
    assert run("init", "--home", str(other)).returncode == 0
    mixed = run("forensics", "--home", str(net.nodes[0].home), "--home", str(other))
    assert mixed.returncode == 1 and ("wrong-chain" in mixed.stderr or "not-found" in mixed.stderr)
    # A turned bit: the rest of that file is not believed, and said so.
    node = net.nodes[1]
    net.wait_height(4)
    node.kill()
    path = node.home / "data" / "blocks-00000001"
    bytes_now = bytearray(path.read_bytes())
    bytes_now[len(bytes_now) // 2] ^= 4
    path.write_bytes(bytes_now)
    found = forensics(node.home)
    assert [item["file"] for item in found["unread"]] == ["blocks-00000001"]
    assert found["guilty"] == []
