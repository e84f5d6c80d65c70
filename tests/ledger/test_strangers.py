"""What strangers may send to a node of a running network: refused with its reason, banned where only their own key can have done it,
and the network goes on."""
from __future__ import annotations

import base64
import socket

import pytest

from ledger import forge
from ledger.forge import field, some, uint
from ledger.net import CHAIN_ID, DEADLINE_S, Network
from ledger.stranger import (BLOCK_ANSWER, BLOCK_REQUEST, CONSENSUS, EVIDENCE, HELLO, OWN_ASK, OWN_VOTES, PART, PROPOSAL, STATUS, TX, VOTE,
                             Stranger)

NIL = field(2, b"")
HASH = bytes(range(32))
ID = field(1, HASH) + field(2, uint(1, 1) + field(2, HASH))
TIME = field(5, uint(1, 1_700_000_000))


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with Network(tmp_path_factory.mktemp("strangers"), 4) as network:
        network.wait_height(3)
        yield network


@pytest.fixture
def meet(net, tmp_path):
    made = []

    def connect(same=None) -> Stranger:
        made.append(Stranger(tmp_path, net.nodes[0].p2p_port, same))
        return made[-1]

    yield connect
    for one in made:
        one.close()


def bare(height: int = 1, index: int = 0, address: bytes = bytes(20), signature: bytes = bytes(64), block_id: bytes = NIL, more: bytes = b"") -> bytes:
    return uint(1, 1) + uint(2, height) + field(4, block_id) + TIME + field(6, address) + uint(7, index) + some(8, signature) + more


def vote(*args, **kinds) -> bytes:
    return field(1, bare(*args, **kinds))


def part(index: int, proof_index: int, total: int, body: bytes = b"block") -> bytes:
    proof = uint(1, total) + uint(2, proof_index) + field(3, HASH)
    return uint(1, 1) + field(3, uint(1, index) + field(2, body) + field(3, proof))


def goes_on(net) -> None:
    node = net.nodes[0]
    node.wait_height(node.height() + 2)
    peers = node.call("net_info")["peers"]
    assert len([p for p in peers if p["node_info"]["moniker"] != "stranger"]) == 3


def test_first_frames(net, meet):
    said = meet().greet().hello
    one = meet().greet()
    assert one.is_heard()
    for changes in [{"version": 2}, {"chain_id": b"another"}, {"chain_id": b""}, {"genesis": HASH}, {"genesis": HASH[:31]}, {"more": uint(9, 1)},
                    {"more": field(4, b"again")}, {"more": field(6, bytes(64))}, {"more": field(5, HASH)},
                    {"more": field(5, HASH) + field(6, bytes(64))}]:
        assert meet().greet(**changes).is_ended(), changes
    whole = uint(1, 1) + field(2, said[2]) + field(3, said[3])
    frames = [(HELLO, b""), (HELLO, whole[:-1]), (HELLO, b"\x08\x81\x00" + whole[2:]), (CONSENSUS, b""), (TX, b"a=b"), (9, whole)]
    for kind, body in frames:
        stranger = meet()
        stranger.send(kind, body)
        assert stranger.is_ended(), (kind, body)
    for raw in [b"\0\0\0\0\x01", (1025).to_bytes(4, "big"), b"\xff\xff\xff\xff\x01"]:
        stranger = meet()
        stranger.raw(raw)
        assert stranger.is_ended(), raw
    # Nobody was banned for it: whoever had the wrong configuration may come back with the right one.
    wrong = meet().greet(chain_id=b"another")
    assert wrong.is_ended() and meet(wrong).greet().is_heard()
    goes_on(net)


def test_connections_that_say_nothing(net, meet):
    """More than there are places for: the oldest go, and who has something to say is heard."""
    port = net.nodes[0].p2p_port
    silent = [socket.create_connection(("127.0.0.1", port), DEADLINE_S) for _ in range(40)]
    try:
        assert meet().greet().is_heard()
        silent[0].settimeout(DEADLINE_S)
        assert silent[0].recv(1) == b""
        goes_on(net)
    finally:
        for one in silent:
            one.close()


def far(net) -> int:
    return net.nodes[0].height() + 1000


BANNED = {
    "nothing": lambda net: b"",
    "no protobuf": lambda net: b"\xff\xff\xff",
    "an unknown message": lambda net: field(38, b""),
    "a message that is cut": lambda net: field(VOTE, vote())[:-3],
    "two messages": lambda net: field(OWN_ASK, uint(1, 1) + field(2, bytes(20))) * 2,
    "bytes behind": lambda net: field(BLOCK_REQUEST, uint(1, 1)) + b"\0",
    "an unknown field": lambda net: field(VOTE, vote(more=uint(15, 1))),
    "a field twice": lambda net: field(BLOCK_REQUEST, uint(1, 1) * 2),
    "fields out of order": lambda net: field(OWN_ASK, field(2, bytes(20)) + uint(1, 1)),
    "a longer varint": lambda net: field(BLOCK_REQUEST, b"\x08\x81\x00"),
    "a zero that is there": lambda net: field(STATUS, uint(1, 5) + b"\x10\x00"),
    "a height of nothing": lambda net: field(BLOCK_REQUEST, b""),
    "a vote without its signature": lambda net: field(VOTE, vote(signature=b"")),
    "a part and a proof that differ": lambda net: field(PART, part(0, 1, 2)),
    "a part beyond its total": lambda net: field(PART, part(2, 2, 2)),
    "more parts than a block has": lambda net: field(PART, part(0, 0, 65)),
    "a part too large": lambda net: field(PART, part(0, 0, 1, bytes(65537))),
    "a POL of its own round": lambda net: field(PROPOSAL, field(1, uint(1, 32) + uint(2, 1) + uint(3, 1) + uint(4, 1) + field(5, ID) +
                                                                field(6, uint(1, 1)) + field(7, bytes(64)))),
    "own votes, too many": lambda net: field(OWN_VOTES, uint(1, 1) + field(2, bare()) * 3),
    "a block without its commit": lambda net: field(BLOCK_ANSWER, uint(1, 1) + field(2, b"block")),
    "evidence that does not read": lambda net: field(EVIDENCE, field(1, b"evidence")),
    "evidence without any": lambda net: field(EVIDENCE, b""),
}


@pytest.mark.parametrize("what", BANNED)
def test_a_ban(net, meet, what):
    one = meet().greet()
    assert one.is_heard()
    one.send(CONSENSUS, BANNED[what](net))
    assert one.is_ended()
    assert meet(one).is_ended()
    goes_on(net)


def test_frames_that_are_none(net, meet):
    for raw in [b"\0\0\0\x02\x09x", b"\0\0\0\0\x01", b"\x7f\xff\xff\xff\x02"]:
        one = meet().greet()
        one.raw(raw)
        assert one.is_ended(), raw
    second = meet().greet()
    second.send(HELLO, b"")
    assert second.is_ended()
    goes_on(net)


def test_signatures_that_are_none(net, meet):
    """Votes of the height in work: of a real validator with another's signature, of another chain, of nobody."""
    keys = [forge.Key(node.home) for node in net.nodes]
    validators = net.nodes[0].call("validators")["validators"]
    places = {v["address"]: i for i, v in enumerate(validators)}
    key = keys[1]
    address = bytes.fromhex(key.address)
    height = far(net) - 995
    for signer, chain_id, index in [(keys[2], CHAIN_ID, places[key.address]), (key, "another-chain", places[key.address]), (key, CHAIN_ID, 31)]:
        one = meet().greet()
        # Until it is the height in work or the one before; what is later waits, what is older is nobody's concern.
        for at in range(height - 2, height + 60):
            message = uint(1, 1) + b"\x11" + at.to_bytes(8, "little") + TIME + field(6, chain_id.encode())
            one.say(VOTE, vote(at, index, address, base64.b64decode(signer.sign(message))))
        net.nodes[0].wait_height(height + 3)
        assert one.is_ended()
        height = net.nodes[0].height() + 1
    goes_on(net)


def test_what_is_no_fault(net, meet):
    """Another height, what nobody asked for, what is there already, transactions of any kind: no ban."""
    one = meet().greet()
    evidence = field(1, field(1, field(1, bare(10**9)) + field(2, bare(10**9, block_id=ID)) + TIME))
    said = [(STATUS, uint(1, 10**12)), (STATUS, uint(1, 1)), (VOTE, vote(far(net))), (VOTE, vote(1)), (PART, part(0, 0, 1)),
            (PART, part(0, 0, 1)), (BLOCK_REQUEST, uint(1, 10**9)), (BLOCK_ANSWER, uint(1, 5) + field(2, b"block") + field(3, b"commit")),
            (OWN_VOTES, uint(1, 10**6)), (EVIDENCE, evidence)]
    for kind, body in said * 2:
        one.say(kind, body)
        assert one.is_heard(), kind
    for tx in [b"", b"no pair", bytes(100_000), b"k=v", b"k=v"]:
        one.send(TX, tx)
        assert one.is_heard()
    goes_on(net)


def test_the_log_says_why(net):
    """Every ban has its reason in the log, and no node died of any of it."""
    text = (net.nodes[0].home.parent / "node0.log").read_text()
    reasons = {line.split("err=")[1].split()[0] for line in text.splitlines() if "peer.banned" in line}
    assert {"malformed", "truncated", "trailing", "unsupported", "unknown-field", "duplicate", "non-canonical", "too-large", "bad-proof",
            "invalid", "bad-seal"} <= reasons, reasons
    for node in net.nodes:
        assert "node.failed" not in (node.home.parent / f"{node.home.name}.log").read_text()
