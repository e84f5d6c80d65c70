"""Votes and proposals as nodes wrote them down: in their logs (relay_state/bft/record.h, wal.h) and in the commits of blocks. Who signed
two different things for one place is found by the signatures: Ed25519 has one for a key and a text, and a node that says the same
thing again says it with the same time.
"""
from __future__ import annotations

import base64
import os
import struct
from collections.abc import Iterator
from pathlib import Path

HEAD = struct.Struct(">IIB")  # length, checksum, type
EVENT = 2                     # a record of an input; the other kind says up to where a sync reached
MESSAGE, SIGNED = 3, 13       # enum bft_event_type
PROPOSAL, VOTE = 3, 6         # fields of a message
KINDS = {1: "proposal", 2: "prevote", 3: "precommit"}  # enum bft_sign_step
VOTE_KINDS = {1: "prevote", 2: "precommit"}            # SignedMsgType

# (who, kind, height, round), signature; a proposal in a message does not name who.
Signature = tuple[tuple[str, str, int, int], bytes]


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def fields(data: bytes) -> dict[int, int | bytes]:
    """Field → last value of a protobuf message without fixed-size fields but 64-bit ones."""
    found, at = {}, 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 2:
            size, at = varint(data, at)
            found[tag >> 3], at = data[at:at + size], at + size
        elif tag & 7 == 1:
            found[tag >> 3], at = int.from_bytes(data[at:at + 8], "little"), at + 8
        else:
            found[tag >> 3], at = varint(data, at)
    return found


def of_message(data: bytes) -> Signature | None:
    [(number, body)] = fields(data).items()
    if number not in (PROPOSAL, VOTE):
        return None
    inner = fields(fields(body)[1])
    height, round_ = inner[2], inner.get(3, 0)
    if number == PROPOSAL:
        return ("", "proposal", height, round_), inner[7]
    return (inner[6].hex().upper(), VOTE_KINDS[inner[1]], height, round_), inner[8]


def of_record(body: bytes, owner: str) -> Signature | None:
    kind, height, _, round_ = struct.unpack_from(">BQQI", body)
    if kind == SIGNED:
        step = KINDS[body[21]]
        return ("" if step == "proposal" else owner, step, height, round_), body[30:94]
    if kind == MESSAGE:
        size = int.from_bytes(body[25:29], "big")
        return of_message(body[29:29 + size])
    return None


def of_log(data: bytes, owner: str) -> Iterator[tuple[int, Signature | None]]:
    """Of each whole record: where it ends, and what was signed in it."""
    at = 0
    while at + HEAD.size <= len(data):
        size, _, kind = HEAD.unpack_from(data, at)
        end = at + HEAD.size + size
        if end > len(data) or kind == 0:
            return
        yield end, of_record(data[at + HEAD.size:end], owner) if kind == EVENT else None
        at = end


def of_commit(commit: dict) -> Iterator[Signature]:
    for signature in commit["signatures"]:
        if signature["block_id_flag"] != 1:
            yield (signature["validator_address"], "precommit", int(commit["height"]), commit["round"]), \
                base64.b64decode(signature["signature"])


class Register:
    """Every signature that was ever seen, and which of them contradict each other."""

    def __init__(self):
        self.seen: dict[tuple[str, str, int, int], bytes] = {}
        self.conflicts: list[str] = []

    def add(self, signature: Signature, where: str) -> None:
        key, value = signature
        if self.seen.setdefault(key, value) != value:
            who, kind, height, round_ = key
            self.conflicts.append(f"{where}: two signatures of a {kind} at height {height}, round {round_}" + (f" by {who}" if who else ""))


class LogReader:
    """Follows a node's growing log; a file that is removed meanwhile is read to its end, one that was replaced or cut from the
    beginning."""

    def __init__(self, data: Path, owner: str, register: Register):
        self.data, self.owner, self.register = data, owner, register
        self.open: dict[tuple[str, int], list] = {}  # name, inode → file, where the next record begins
        self.records = 0

    def restart(self) -> None:
        """The node starts again: what stood behind a torn tail is written anew."""
        for state in self.open.values():
            state[1] = 0

    def _read(self, state: list) -> None:
        file, begin = state
        if os.fstat(file.fileno()).st_size < begin:
            begin = 0
        file.seek(begin)
        end = 0
        for end, signature in of_log(file.read(), self.owner):
            self.records += 1
            if signature is not None:
                self.register.add(signature, f"log of {self.data.parent.name}")
        state[1] = begin + end

    def read(self) -> None:
        present = set()
        for path in sorted(self.data.glob("log-*")):
            try:
                file = open(path, "rb")
            except FileNotFoundError:
                continue
            key = (path.name, os.fstat(file.fileno()).st_ino)
            present.add(key)
            if key in self.open:
                file.close()
            else:
                self.open[key] = [file, 0]
        for key, state in list(self.open.items()):
            self._read(state)
            if key not in present:
                state[0].close()
                del self.open[key]
