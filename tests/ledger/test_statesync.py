"""A node without a chain begins with a snapshot of its peers: four real processes, and a fifth that joins."""
from __future__ import annotations

import base64
import calendar
import time

import pytest

from ledger.net import DEADLINE_S, Network, run
from lib.rpc import wait_for

INTERVAL = 10
# Together more than two of the kvstore's chunks of 256 KiB.
VALUES = {f"large{i}": bytes([97 + i]) * 70_000 for i in range(9)}


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with Network(tmp_path_factory.mktemp("statesync"), 4,
                 change=lambda text: text + f"\n[kvstore]\nsnapshot_interval = {INTERVAL}\n") as network:
        network.wait_height(2)
        for i, (key, value) in enumerate(VALUES.items()):
            network.nodes[i % 4].commit(key.encode() + b"=" + value)
        network.wait_height(network.nodes[0].height() // INTERVAL * INTERVAL + INTERVAL + 2)
        yield network


def block_hash(node, height: int) -> str:
    return node.call("block", height=str(height))["block_id"]["hash"]


def statesync(net, height: int = 2, **changes) -> str:
    settings = {"enable": "true", "trust_height": height, "trust_hash": f'"{block_hash(net.nodes[0], height)}"',
                "discovery_time": '"300ms"'} | changes
    return "\n[statesync]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items())


def value_of(node, key: str) -> bytes:
    return base64.b64decode(node.call("abci_query", data=key.encode().hex())["response"]["value"] or "")


def log_of(node) -> str:
    path = node.home.parent / f"{node.home.name}.log"
    return path.read_text() if path.exists() else ""


def base_of(node) -> int:
    return int(node.call("status")["sync_info"]["earliest_block_height"])


def check_joined(net, node) -> None:
    node.wait_height(net.nodes[0].height())
    base = base_of(node)
    assert base >= INTERVAL and base % INTERVAL == 0
    for key, value in VALUES.items():
        assert value_of(node, key) == value
    # It goes on by blocks, and has those of the others.
    for height in (base, base + 1):
        assert block_hash(node, height) == block_hash(net.nodes[1], height)
    key = f"{node.home.name}-{net.nodes[0].height()}"
    done = net.nodes[2].commit(f"{key}=joined".encode())
    node.wait_height(int(done["height"]) + 1)
    assert value_of(node, key) == b"joined"


def test_a_fifth_node_joins_and_comes_back(net):
    node = net.add_follower("fifth", statesync(net))
    node.start()
    check_joined(net, node)
    assert "statesync.done" in log_of(node)
    base = base_of(node)
    node.kill()
    # Its application is in memory, the blocks before the snapshot it never had.
    node.start()
    check_joined(net, node)
    assert base_of(node) == base
    assert "statesync.not_needed" in log_of(node)
    # Others may begin with what it was given.
    assert value_of(node, "large0") == VALUES["large0"]


@pytest.mark.parametrize("moment", ["statesync.begun", "statesync.snapshot", "statesync.done"])
def test_a_crash_in_the_middle_begins_again(net, moment):
    node = net.add_follower(f"killed-{moment[10:]}", statesync(net))
    node.start()
    wait_for(lambda: moment in log_of(node), DEADLINE_S, moment)
    node.kill()
    node.start()
    check_joined(net, node)


def ends(net, name: str, settings: str) -> str:
    node = net.add_follower(name, settings)
    ended = run("start", "--home", str(node.home))
    assert ended.returncode == 1
    return ended.stderr


def test_a_wrong_trust_hash(net):
    text = ends(net, "wrong-hash", statesync(net, trust_hash='"' + "ab" * 32 + '"'))
    assert "anchor-mismatch" in text and "trust_hash" in text
    # Nothing stays of it: with the right one the same folder begins.
    node = net.nodes[-1]
    path = node.home / "config" / "config.toml"
    path.write_text(path.read_text().replace("ab" * 32, block_hash(net.nodes[0], 2)))
    node.start()
    check_joined(net, node)


def test_a_trusted_block_that_is_too_old(net):
    made = net.nodes[0].call("block", height="2")["block"]["header"]["time"]
    made = calendar.timegm(time.strptime(made.split(".")[0].rstrip("Z"), "%Y-%m-%dT%H:%M:%S"))
    wait_for(lambda: time.time() > made + 3, DEADLINE_S, "the trusting period of a second is over")
    assert "anchor-too-old" in ends(net, "too-old", statesync(net, trust_period='"1s"'))


@pytest.mark.parametrize("change", [{"trust_hash": '""'}, {"trust_height": 0}, {"trust_hash": '"abcd"'}, {"trust_period": '"0s"'},
                                    {"chunk_fetchers": 0}])
def test_settings_that_are_refused(net, change):
    name = next(iter(change))
    text = ends(net, f"refused-{len(net.nodes)}", statesync(net, **change))
    assert name in text


def test_a_trusted_height_that_nobody_has_waits(net):
    """No peer has it yet: the node goes on asking, and begins once it is there."""
    height = net.nodes[0].height() + 8
    settings = statesync(net).replace("trust_height = 2", f"trust_height = {height}")
    node = net.add_follower("early", settings)
    node.start()
    wait_for(lambda: "statesync.discovered" in log_of(node), DEADLINE_S, "a round without a snapshot")
    assert "statesync.done" not in log_of(node)
    assert node.process.alive()
