"""Our kvstore under real CometBFT nodes: networks in which one validator runs it behind a socket and the other one runs
CometBFT's own in its process. A block needs both, so each block is their agreement."""
from __future__ import annotations

import base64
import hashlib
import json

import pytest

from abci import messages
from abci.run import Application, drive
from lib.cometbft import Network
from lib.rpc import wait_for

VERSIONS = ["0.38", "0.40"]
NEW_KEY = hashlib.sha256(b"a validator who never comes").digest()


def app_hash(size: int) -> str:
    """What a header says after so many transactions: Go's PutVarint in eight bytes."""
    return messages.varint(2 * size).ljust(8, b"\0").hex().upper()


def send_all(net: Network, count: int, prefix: bytes) -> list[bytes]:
    # Not with ':', which the application allows and changes in a block: the mempool never finds it there, and sends it again.
    txs = [b"%s%d=%d" % (prefix, i, i * i) for i in range(count)]
    for i, tx in enumerate(txs):
        assert net.nodes[i % len(net.nodes)].send(tx) == 0
    assert net.nodes[0].send(b"%s=a=b" % prefix) == 2
    return txs


def committed(net: Network, count: int) -> int:
    """The height after which so many transactions are in, at each node."""
    def all_in():
        for node in net.nodes:
            node.process.check()
        infos = [node.call("abci_info")["response"] for node in net.nodes]
        return all(json.loads(info["data"])["size"] >= count for info in infos) and infos

    infos = wait_for(all_in, 60, f"{count} transactions in blocks")
    assert all(json.loads(info["data"])["size"] == count for info in infos)
    return max(int(info["last_block_height"]) for info in infos)


def assert_same_chain(net: Network, upto: int) -> int:
    """Every block and every result, asked of both; the transactions of all."""
    total = 0
    net.wait_height(upto + 1)
    for height in range(1, upto + 1):
        results = [node.call("block_results", height=str(height)) for node in net.nodes]
        blocks = [node.call("block", height=str(height)) for node in net.nodes]
        assert results[0] == results[1]
        assert blocks[0]["block"] == blocks[1]["block"]
        header = blocks[0]["block"]["header"]
        # Height 1 has the hash of init_chain.
        assert header["app_hash"] == app_hash(total)
        total += len(blocks[0]["block"]["data"]["txs"])
    return total


@pytest.mark.parametrize("version", VERSIONS)
def test_one_chain_of_two_applications(tmp_path, version):
    with Application(tmp_path, "caisson", "ours") as ours:
        with Network(tmp_path / "net", [ours.address, "kvstore"], version) as net:
            net.wait_height(2)
            txs = send_all(net, 200, b"key")
            upto = committed(net, 200)
            for tx in [txs[0], txs[1], txs[199], b"none=1"]:
                key = tx.split(b"=")[0]
                for prove in (False, True):
                    answers = [node.query(key, prove=prove) for node in net.nodes]
                    for answer in answers:
                        answer.pop("height")
                    assert answers[0] == answers[1]
                    assert answers[0]["log"] == ("does not exist" if key == b"none" else "exists")
            # A validator with little power who is never there: in force two blocks later, gone again two after that.
            for power in (1, 0):
                tx = b"val=ed25519!%s!%d" % (base64.b64encode(NEW_KEY), power)
                height = net.nodes[0].commit(tx)
                net.wait_height(height + 3)
                for at, want in ((height + 1, 3 - power), (height + 2, 2 + power)):
                    for node in net.nodes:
                        assert int(node.call("validators", height=str(at))["total"]) == want
                values = [node.query(NEW_KEY, "/val")["value"] for node in net.nodes]
                assert values[0] == values[1] and (values[0] is None) == (power == 0)
                upto = height + 2
            assert assert_same_chain(net, upto) == 202
        assert "abci.exception" not in ours.log_path.read_text()


@pytest.mark.parametrize("version", VERSIONS)
def test_vote_extensions_and_empty_blocks(tmp_path, version):
    genesis = {"abci": {"vote_extensions_enable_height": "2"}}
    with Application(tmp_path, "caisson", "ours") as ours:
        with Network(tmp_path / "net", [ours.address, "kvstore"], version, genesis) as net:
            net.wait_height(3)
            send_all(net, 20, b"x")
            upto = committed(net, 20)
            assert assert_same_chain(net, upto) == 20
            net.wait_height(upto + 3)


def end_without_application(node) -> None:
    """CometBFT ends by itself. It was seen to hang over it once, on a machine with too much to do: then it is ended."""
    try:
        wait_for(lambda: not node.process.alive(), 60, "the node without its application to end")
    except TimeoutError:
        node.process.kill()


@pytest.mark.parametrize("version", VERSIONS)
def test_crashes_of_node_and_application(tmp_path, version):
    """The node killed: it takes up with the application where both were. The application killed: the node ends, and both
    together replay the chain from its beginning, because the state was in memory."""
    apps = [Application(tmp_path, "caisson", "ours")]
    net = Network(tmp_path / "net", [apps[0].address], version)
    node = net.nodes[0]
    try:
        net.start()
        net.wait_height(2)
        send_all(net, 30, b"a")
        committed(net, 30)
        node.process.kill()
        net.start()
        net.wait_height(1)
        send_all(net, 30, b"b")
        committed(net, 60)
        before = node.call("abci_info")["response"]
        apps[0].kill()
        end_without_application(node)
        apps.append(Application(tmp_path, "caisson", "ours"))
        net.start()
        net.wait_height(int(before["last_block_height"]) + 2)
        info = node.call("abci_info")["response"]
        assert (info["data"], info["last_block_app_hash"]) == (before["data"], before["last_block_app_hash"])
        assert base64.b64decode(node.query(b"b29")["value"]) == b"841"
        # The application stayed through a restart of the node that is orderly, too.
        node.stop()
        net.start()
        send_height = int(info["last_block_height"])
        net.wait_height(send_height + 2)
        send_all(net, 5, b"c")
        committed(net, 65)
        assert node.call("block", height=str(send_height))["block"]["header"]["app_hash"] == app_hash(60)
    finally:
        net.stop()
        for app in apps:
            app.stop()


def test_old_blocks_are_let_go(tmp_path):
    with Application(tmp_path, "caisson", "ours", ("--retain-blocks", "4"), tcp=True) as ours:
        genesis = {"evidence": {"max_age_num_blocks": "2", "max_age_duration": "1"}}
        with Network(tmp_path / "net", [ours.address], genesis=genesis) as net:
            node = net.nodes[0]
            net.wait_height(12)
            wait_for(lambda: int(node.call("status")["sync_info"]["earliest_block_height"]) > 5, 30, "blocks to go")


def test_a_mempool_that_is_the_applications(tmp_path):
    """Since v0.39 a node may leave its mempool to the application: ours takes what it is told, keeps none of it, and the node
    lives."""
    with Application(tmp_path, "caisson", "ours") as ours:
        options = (("mempool", "type", '"app"'), ("mempool", "reap_interval", '"20ms"'))
        with Network(tmp_path / "net", [ours.address], "0.40", options=options) as net:
            net.wait_height(2)
            assert net.nodes[0].send(b"a=b") == 0
            net.wait_height(net.nodes[0].height() + 3)
            assert json.loads(net.nodes[0].call("abci_info")["response"]["data"]) == {"size": 0}
        assert "abci.exception" not in ours.log_path.read_text()


def test_the_program_beside_a_running_node(tmp_path):
    """Somebody else's questions do not disturb the chain."""
    with Application(tmp_path, "caisson", "ours") as ours:
        with Network(tmp_path / "net", [ours.address]) as net:
            net.wait_height(2)
            for _ in range(5):
                answers, failed = drive(ours.address, [messages.info(), messages.query(b"k")])
                assert failed == "" and len(answers) == 2
            net.nodes[0].commit(b"k=v")
            answers, failed = drive(ours.address, [messages.query(b"k")])
            assert failed == ""
            (number, content), = messages.fields_of(answers[0])
            assert number == 7 and dict(messages.fields_of(content))[7] == b"v"
