"""The checker of the long test sees what it is there for: forks, lost transactions, two signatures for one place; and it reads logs as
nodes write them, torn and replaced ones too."""
from __future__ import annotations

import struct

import pytest

from ledger import thirty_minutes
from ledger.net import Network
from ledger.votes import HEAD, LogReader, Register, of_commit, of_log

CHAIN = {1: ("A", "a"), 2: ("B", "b")}


def signed(step: int, height: int, round_: int, signature: bytes) -> bytes:
    """A record of BFT_EVENT_SIGNED in a log."""
    body = struct.pack(">BQQI", 13, height, 0, round_) + bytes([step]) + bytes(8) + signature + bytes(64) + bytes(4)
    return HEAD.pack(len(body), 0, 2) + body


def test_forks_and_gaps_are_seen():
    assert thirty_minutes.compare_chains([CHAIN, dict(CHAIN)], 2) == []
    assert thirty_minutes.compare_chains([CHAIN, {1: ("A", "a"), 2: ("C", "b")}], 2)
    assert thirty_minutes.compare_chains([CHAIN, {1: ("A", "a"), 2: ("B", "c")}], 2)
    assert thirty_minutes.compare_chains([CHAIN, {1: ("A", "a")}], 2)


def test_what_was_shown_must_stay():
    assert thirty_minutes.compare_shown(CHAIN, {0: {"": "node0"}, 2: {"B": "node1"}}) == []
    assert thirty_minutes.compare_shown(CHAIN, {2: {"B": "node1", "X": "node2"}})


def test_lost_transactions_are_seen():
    blocks = {1: {b"t"}, 2: set()}
    assert thirty_minutes.compare_receipts(blocks, [(1, b"t")]) == []
    assert thirty_minutes.compare_receipts(blocks, [(2, b"t")])
    assert thirty_minutes.compare_receipts(blocks, [(3, b"t")])


@pytest.mark.parametrize("step", [1, 2, 3])
def test_two_signatures_for_one_place(tmp_path, step):
    register = Register()
    (tmp_path / "log-00000001").write_bytes(signed(step, 5, 0, b"a" * 64) + signed(step, 5, 1, b"b" * 64))
    reader = LogReader(tmp_path, "AA", register)
    reader.read()
    assert register.conflicts == [] and reader.records == 2
    with open(tmp_path / "log-00000001", "ab") as file:
        file.write(signed(step, 5, 0, b"a" * 64) + signed(step, 5, 1, b"c" * 64))
    reader.read()
    assert len(register.conflicts) == 1 and "height 5, round 1" in register.conflicts[0]


def test_a_log_that_is_cut_and_one_that_goes(tmp_path):
    register, first = Register(), tmp_path / "log-00000001"
    whole = signed(2, 5, 0, b"a" * 64)
    first.write_bytes(whole + whole[:20])
    reader = LogReader(tmp_path, "AA", register)
    reader.read()
    assert reader.records == 1
    # The node starts again, cuts the torn tail and writes on; then the file is removed before it was read again.
    reader.restart()
    first.write_bytes(whole + signed(3, 5, 0, b"b" * 64))
    reader.read()
    with open(first, "ab") as file:
        file.write(signed(3, 6, 0, b"c" * 64))
    first.unlink()
    (tmp_path / "log-00000002").write_bytes(signed(2, 7, 0, b"d" * 64))
    reader.read()
    assert {key[1:] for key in register.seen} == {("prevote", 5, 0), ("precommit", 5, 0), ("precommit", 6, 0), ("prevote", 7, 0)}


def test_logs_and_commits_of_real_nodes(tmp_path):
    """The same votes in four logs and in the blocks; one byte that is another is a conflict."""
    with Network(tmp_path, 4) as net:
        net.wait_height(8)
        commit = net.nodes[0].call("commit", height="5")["signed_header"]["commit"]
        addresses = [node.call("status")["validator_info"]["address"] for node in net.nodes]
    register = Register()
    for node, address in zip(net.nodes, addresses):
        reader = LogReader(node.home / "data", address, register)
        reader.read()
        assert reader.records > 50
    kinds = {key[1] for key in register.seen}
    assert kinds == {"proposal", "prevote", "precommit"} and register.conflicts == []
    votes = list(of_commit(commit))
    assert len(votes) >= 3 and all(register.seen[key] == value for key, value in votes)
    key, value = votes[0]
    register.add((key, bytes(64)), "here")
    assert len(register.conflicts) == 1 and value != bytes(64)


def test_rubbish_is_no_record():
    assert list(of_log(bytes(100), "AA")) == []
