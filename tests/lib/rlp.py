"""RLP, enough for transactions and headers in tests."""
from __future__ import annotations

from .crypto import ecdsa_sign, keccak


def encode(item) -> bytes:
    if isinstance(item, int):
        item = item.to_bytes((item.bit_length() + 7) // 8, "big")
    if isinstance(item, (bytes, bytearray)):
        item = bytes(item)
        return item if len(item) == 1 and item[0] < 0x80 else _head(0x80, len(item)) + item
    body = b"".join(encode(part) for part in item)
    return _head(0xC0, len(body)) + body


def _head(base: int, size: int) -> bytes:
    if size < 56:
        return bytes([base + size])
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([base + 55 + len(digits)]) + digits


def decode(data: bytes):
    item, rest = _decode(data)
    if rest:
        raise ValueError("bytes after the item")
    return item


def _decode(data: bytes):
    first = data[0]
    if first < 0x80:
        return data[:1], data[1:]
    if first < 0xB8 or 0xC0 <= first < 0xF8:
        size, start = (first - 0x80 if first < 0xC0 else first - 0xC0), 1
    else:
        digits = first - (0xB7 if first < 0xC0 else 0xF7)
        size, start = int.from_bytes(data[1:1 + digits], "big"), 1 + digits
    body, rest = data[start:start + size], data[start + size:]
    if len(body) != size:
        raise ValueError("shorter than declared")
    if first < 0xC0:
        return body, rest
    items = []
    while body:
        item, body = _decode(body)
        items.append(item)
    return items, rest


def sign_1559(secret: int, chain_id: int, nonce: int, to: bytes, data: bytes = b"", value: int = 0, gas: int = 1_000_000,
              max_fee: int = 10**11, tip: int = 10**9) -> bytes:
    """A raw transaction of type 2."""
    fields = [chain_id, nonce, tip, max_fee, gas, to, value, data, []]
    recovery, r, s = ecdsa_sign(secret, keccak(b"\2" + encode(fields)))
    return b"\2" + encode([*fields, recovery, r, s])


def sign_legacy(secret: int, chain_id: int, nonce: int, to: bytes, data: bytes = b"", value: int = 0, gas: int = 1_000_000,
                price: int = 10**11) -> bytes:
    """A raw transaction of type 0 with EIP-155."""
    fields = [nonce, price, gas, to, value, data]
    recovery, r, s = ecdsa_sign(secret, keccak(encode([*fields, chain_id, 0, 0])))
    return encode([*fields, chain_id * 2 + 35 + recovery, r, s])
