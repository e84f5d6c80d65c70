"""The disk of a real node: killed again and again it loses nothing that it has shown; with less than it promised it does not
start, and says which file."""
from __future__ import annotations

import base64

import pytest

from ledger.net import Network, run

LIVES = 6


@pytest.fixture
def node(tmp_path):
    with Network(tmp_path, 1) as network:
        network.wait_height(1)
        yield network.nodes[0]


def data(node):
    return node.home / "data"


def block_hash(node, height: int) -> str:
    return node.call("block", height=str(height))["block_id"]["hash"]


def make_some(node) -> dict[int, str]:
    """A chain with a transaction in it, of a node that is then killed; its blocks."""
    height = int(node.commit(b"kept=yes")["height"])
    node.wait_height(height + 3)
    blocks = {h: block_hash(node, h) for h in (1, height, height + 3)}
    node.kill()
    return blocks


def is_kept(node) -> bool:
    return base64.b64decode(node.call("abci_query", data=b"kept".hex())["response"]["value"] or "") == b"yes"


def refuses(node, *words: str) -> None:
    """With one of the words."""
    before = {path.name: path.read_bytes() for path in data(node).iterdir() if path.name.startswith(("blocks", "log", "sign"))}
    ended = run("start", "--home", str(node.home))
    assert ended.returncode == 1
    assert "damaged" in ended.stderr and any(word in ended.stderr for word in words), ended.stderr
    after = {path.name: path.read_bytes() for path in data(node).iterdir() if path.name in before}
    # It is a person's turn: what is there has not been touched.
    assert after == before


def turn_bit(path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


def test_killed_again_and_again(node):
    blocks, hashes = {}, []
    for life in range(LIVES):
        if life > 0:
            node.start()
            node.wait_height(max(blocks))
        for height, known in blocks.items():
            assert block_hash(node, height) == known
        done = node.commit(f"life{life}=x".encode())
        hashes.append((int(done["height"]), done["hash"]))
        top = node.height()
        blocks |= {height: block_hash(node, height) for height in (1, top // 2 + 1, top)}
        for height, known in hashes:
            tx = node.call("tx", hash=base64.b64encode(bytes.fromhex(known)).decode())
            assert int(tx["height"]) == height
        node.kill()


def test_a_bit_of_a_block_has_turned(node):
    make_some(node)
    turn_bit(data(node) / "blocks-00000001", 700)
    refuses(node, "blocks-00000001")


def test_the_end_of_the_blocks_is_missing(node):
    make_some(node)
    path = data(node) / "blocks-00000001"
    path.write_bytes(path.read_bytes()[:-3000])
    # The index comes after the blocks, in a thread of its own: when the node was killed it may not have had the last ones.
    refuses(node, "the index has more than there is", "is missing")


def test_a_bit_of_the_log_has_turned(node):
    make_some(node)
    turn_bit(data(node) / "log-00000001", 300)
    refuses(node, "log-00000001")


def test_the_sign_state_is_missing(node):
    make_some(node)
    (data(node) / "sign_state").rename(node.home / "sign_state")
    refuses(node, "sign_state")
    # Brought back by the person who was asked.
    (node.home / "sign_state").rename(data(node) / "sign_state")
    node.start()
    node.wait_height(1)
    assert is_kept(node)


def test_the_index_is_made_again(node):
    blocks = make_some(node)
    for path in data(node).glob("index.db*"):
        path.unlink()
    node.start()
    node.wait_height(max(blocks))
    assert {height: block_hash(node, height) for height in blocks} == blocks
    assert is_kept(node)
    assert node.call("tx_search", query="app.key='kept'")["total_count"] == "1"


def test_a_torn_end_is_cut(node):
    blocks = make_some(node)
    for name in ("blocks-00000001", "log-00000001"):
        with open(data(node) / name, "ab") as file:
            file.write(b"\0" * 40 + b"what a crash left")
    node.start()
    node.wait_height(max(blocks) + 2)
    assert {height: block_hash(node, height) for height in blocks} == blocks
