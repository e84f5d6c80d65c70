"""Merkle-Patricia tries built from scratch (yellow paper, appendix D): roots and proofs for tests and benchmarks."""
from __future__ import annotations

from . import rlp
from .crypto import keccak


def _nibbles(key: bytes) -> tuple[int, ...]:
    return tuple(n for byte in key for n in (byte >> 4, byte & 15))


def _compact(nibbles: tuple[int, ...], leaf: bool) -> bytes:
    flag = 2 * leaf + len(nibbles) % 2
    digits = ((flag,) if len(nibbles) % 2 else (flag, 0)) + nibbles
    return bytes(16 * a + b for a, b in zip(digits[::2], digits[1::2]))


def _common(rows: list) -> int:
    first, last = rows[0][0], rows[-1][0]
    size = 0
    while size < min(len(first), len(last)) and first[size] == last[size]:
        size += 1
    return size


class Trie:
    """Of a whole set of items. proof(key): the nodes from the root down; small nodes stay inside their parents."""

    def __init__(self, items: dict[bytes, bytes]):
        self.rows = sorted((_nibbles(k), v) for k, v in items.items())
        self.encoded: dict[tuple, bytes] = {}
        if self.rows:
            self._build(0, len(self.rows), 0)

    @property
    def root(self) -> bytes:
        return keccak(self.encoded[(0, len(self.rows), 0)] if self.rows else b"\x80")

    def _reference(self, low: int, high: int, depth: int):
        item = self._build(low, high, depth)
        data = self.encoded[(low, high, depth)]
        return item if len(data) < 32 else keccak(data)

    def _build(self, low: int, high: int, depth: int):
        rows = self.rows[low:high]
        if high - low == 1:
            item = [_compact(rows[0][0][depth:], True), rows[0][1]]
        elif (shared := _common(rows)) > depth:
            item = [_compact(rows[0][0][depth:shared], False), self._reference(low, high, shared)]
        else:
            item = [b""] * 16 + [b""]
            at = low
            if len(rows[0][0]) == depth:
                item[16] = rows[0][1]
                at += 1
            while at < high:
                digit, end = self.rows[at][0][depth], at
                while end < high and self.rows[end][0][depth] == digit:
                    end += 1
                item[digit] = self._reference(at, end, depth + 1)
                at = end
        self.encoded[(low, high, depth)] = rlp.encode(item)
        return item

    def proof(self, key: bytes) -> list[bytes]:
        wanted, nodes = _nibbles(key), []
        low, high, depth = 0, len(self.rows), 0
        while low < high:
            data = self.encoded[(low, high, depth)]
            if not nodes or len(data) >= 32:
                nodes.append(data)
            if high - low == 1:
                break
            shared = _common(self.rows[low:high])
            if shared > depth:
                if self.rows[low][0][depth:shared] != wanted[depth:shared]:
                    break
                depth = shared
                continue
            if depth == len(wanted):
                break
            inside = [i for i in range(low, high) if len(self.rows[i][0]) > depth and self.rows[i][0][depth] == wanted[depth]]
            if not inside:
                break
            low, high, depth = inside[0], inside[-1] + 1, depth + 1
        return nodes
