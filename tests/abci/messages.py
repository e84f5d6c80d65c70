"""Requests of ABCI as bytes, and answers as fields: as little of protobuf as the tests need, apart from our C."""
from __future__ import annotations

from typing import Iterator

METHODS = {"echo": 1, "flush": 2, "info": 3, "init_chain": 5, "query": 6, "check_tx": 8, "commit": 11, "list_snapshots": 12,
           "offer_snapshot": 13, "load_snapshot_chunk": 14, "apply_snapshot_chunk": 15, "prepare_proposal": 16,
           "process_proposal": 17, "extend_vote": 18, "verify_vote_extension": 19, "finalize_block": 20, "insert_tx": 21,
           "reap_txs": 22}


def varint(n: int) -> bytes:
    n &= 2**64 - 1
    out = bytearray()
    while n >= 128:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field: int, n: int) -> bytes:
    return varint(field << 3) + varint(n) if n else b""


def data(field: int, b: bytes) -> bytes:
    """A message, or a string that is there when empty too."""
    return varint(field << 3 | 2) + varint(len(b)) + b


def text(field: int, b: bytes) -> bytes:
    return data(field, b) if b else b""


def request(method: str, *fields: bytes) -> bytes:
    return data(METHODS[method], b"".join(fields))


def info() -> bytes:
    return request("info", text(1, b"test"), number(2, 11), number(3, 8), text(4, b"2.0.0"))


def validator(key: bytes, power: int) -> bytes:
    return data(1, data(1, key)) + number(2, power)


def init_chain(keys: list[tuple[bytes, int]]) -> bytes:
    return request("init_chain", data(1, number(1, 1763000000)), text(2, b"test"),
                   *(data(4, validator(key, power)) for key, power in keys), number(6, 1))


def check_tx(tx: bytes, recheck: bool = False) -> bytes:
    return request("check_tx", text(1, tx), number(2, int(recheck)))


def query(key: bytes, path: bytes = b"", prove: bool = False) -> bytes:
    return request("query", text(1, key), text(2, path), number(4, int(prove)))


def misbehavior(kind: int, address: bytes, power: int) -> bytes:
    return number(1, kind) + data(2, text(1, address) + number(3, power)) + number(3, 1) + data(4, b"") + number(5, 100)


def prepare_proposal(txs: list[bytes], max_bytes: int = 1 << 20) -> bytes:
    return request("prepare_proposal", number(1, max_bytes), *(data(2, tx) for tx in txs), data(3, b""), number(5, 1),
                   data(6, b""))


def process_proposal(txs: list[bytes]) -> bytes:
    return request("process_proposal", *(data(1, tx) for tx in txs), data(2, b""), number(5, 1), data(6, b""))


def finalize_block(height: int, txs: list[bytes], evidence: tuple[bytes, ...] = ()) -> bytes:
    return request("finalize_block", *(data(1, tx) for tx in txs), data(2, b""), *(data(3, e) for e in evidence),
                   text(4, b"\x11" * 32), number(5, height), data(6, number(1, 1763000000 + height)))


def commit() -> bytes:
    return request("commit")


def fields_of(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Varints and byte strings, in the order in which they stand there."""
    at = 0

    def take() -> int:
        nonlocal at
        n = shift = 0
        while True:
            b = message[at]
            at += 1
            n |= (b & 127) << shift
            shift += 7
            if b < 128:
                return n

    while at < len(message):
        tag = take()
        if tag & 7 == 0:
            yield tag >> 3, take()
        else:
            assert tag & 7 == 2
            size = take()
            yield tag >> 3, message[at:at + size]
            at += size
    assert at == len(message)
