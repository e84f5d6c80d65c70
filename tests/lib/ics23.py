"""ICS-23 proofs of the ledger's state tree (SmtSpec), checked from cosmos/ics23's proofs.proto and the specification alone.

    ics23.value_of(root, key, proof) -> bytes, or None where the proof shows that there is none; BadProof
"""
from __future__ import annotations

from hashlib import sha256

EMPTY = bytes(32)
DEPTH_MAX = 256


class BadProof(Exception):
    pass


def need(condition, what: str) -> None:
    if not condition:
        raise BadProof(what)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        need(at < len(data) and shift < 64, "cut")
        byte, at = data[at], at + 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data: bytes) -> list[tuple[int, int | bytes]]:
    """Of one protobuf message: numbers, and what is delimited by its length."""
    found, at = [], 0
    while at < len(data):
        tag, at = _varint(data, at)
        value, at = _varint(data, at)
        if tag & 7 == 2:
            need(at + value <= len(data), "cut")
            value, at = data[at:at + value], at + value
        else:
            need(tag & 7 == 0, "a wire type that no proof has")
        found.append((tag >> 3, value))
    return found


def _hash(data: bytes) -> bytes:
    return sha256(data).digest()


class Existence:
    """A leaf and its way up: (is the right child, sibling) from the top down."""

    def __init__(self, data: bytes):
        parts = fields(data)
        one = dict(parts)
        self.key, self.value = one.get(1, b""), one.get(2, b"")
        need(self.key and self.value, "an empty key or value")
        # SHA-256 of everything, no lengths, prefix 0.
        need(dict(fields(one.get(3, b""))) == {1: 1, 2: 1, 3: 1, 5: b"\0"}, "another leaf operation")
        self.root = _hash(b"\0" + _hash(self.key) + _hash(self.value))
        way = []
        for number, step in parts:
            if number != 4:
                continue
            op = dict(fields(step))
            prefix, suffix = op.get(2, b""), op.get(3, b"")
            need(op.get(1) == 1 and prefix[:1] == b"\1" and sorted((len(prefix) - 1, len(suffix))) == [0, 32], "another inner operation")
            self.root = _hash(prefix + self.root + suffix)
            way.append((len(prefix) == 33, prefix[1:] or suffix))
        need(len(way) <= DEPTH_MAX, "too deep")
        self.way = way[::-1]

    def is_last(self, depth: int) -> bool:
        """Nothing stands right of it below this depth."""
        return all(right or sibling == EMPTY for right, sibling in self.way[depth:])

    def is_first(self, depth: int) -> bool:
        return all(not right or sibling == EMPTY for right, sibling in self.way[depth:])


def _absent(root: bytes, key: bytes, data: bytes) -> None:
    """The key that is asked about decides, not the one in the message, as in the reference."""
    parts = dict(fields(data))
    left, right = (Existence(parts[n]) if n in parts else None for n in (2, 3))
    need(left or right, "no neighbour")
    for side in (left, right):
        need(side is None or side.root == root, "another root")
    need(left is None or _hash(left.key) < _hash(key), "left of it stands what is not")
    need(right is None or _hash(key) < _hash(right.key), "right of it stands what is not")
    if left is None or right is None:
        need(left.is_last(0) if left else right.is_first(0), "a neighbour that is not the outermost")
        return
    depth = 0
    while depth < min(len(left.way), len(right.way)) and left.way[depth] == right.way[depth]:
        depth += 1
    need(depth < min(len(left.way), len(right.way)) and not left.way[depth][0] and right.way[depth][0], "in another order")
    need(left.is_last(depth + 1) and right.is_first(depth + 1), "neighbours that are none")


def value_of(root: bytes, key: bytes, proof: bytes) -> bytes | None:
    (number, body), = fields(proof)
    if number == 2:
        _absent(root, key, body)
        return None
    need(number == 1, "a batch")
    leaf = Existence(body)
    need(leaf.key == key, "of another key")
    need(leaf.root == root, "another root")
    return leaf.value
