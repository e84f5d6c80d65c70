"""The contract ABI, driven by the JSON of the artifacts: static and dynamic types, arrays, tuples.

Values: integers, bytes (addresses and bytesN too, or their hex), bool, str, lists, and for tuples lists or dicts.
"""
from __future__ import annotations

import re

from .crypto import keccak


def to_bytes(value) -> bytes:
    if isinstance(value, str):
        return bytes.fromhex(value[2:] if value.startswith("0x") else value)
    return bytes(value)


def to_hex(value) -> str:
    return "0x" + bytes(value).hex()


def canonical(param: dict) -> str:
    kind = param["type"]
    if kind.startswith("tuple"):
        return "(" + ",".join(canonical(part) for part in param["components"]) + ")" + kind[5:]
    return kind


def signature(entry: dict) -> str:
    return entry["name"] + "(" + ",".join(canonical(p) for p in entry["inputs"]) + ")"


def selector(entry: dict | str) -> bytes:
    return keccak((entry if isinstance(entry, str) else signature(entry)).encode())[:4]


def topic(entry: dict | str) -> str:
    return to_hex(keccak((entry if isinstance(entry, str) else signature(entry)).encode()))


def _param(kind) -> dict:
    return kind if isinstance(kind, dict) else {"type": kind}


def _array(param: dict):
    """(element, count or None) of an array type, else None."""
    match = re.fullmatch(r"(.*)\[(\d*)\]", param["type"])
    if not match:
        return None
    element = {**param, "type": match.group(1)}
    return element, int(match.group(2)) if match.group(2) else None


def is_dynamic(param: dict) -> bool:
    array = _array(param)
    if array:
        return array[1] is None or is_dynamic(array[0])
    if param["type"] == "tuple":
        return any(is_dynamic(part) for part in param["components"])
    return param["type"] in ("bytes", "string")


def _encode_one(param: dict, value) -> bytes:
    array = _array(param)
    if array:
        element, count = array
        if count is not None and count != len(value):
            raise ValueError("wrong number of elements")
        body = encode([element] * len(value), value)
        return body if count is not None else len(value).to_bytes(32, "big") + body
    kind = param["type"]
    if kind == "tuple":
        parts = param["components"]
        return encode(parts, [value[p["name"]] for p in parts] if isinstance(value, dict) else value)
    if kind in ("bytes", "string"):
        data = value.encode() if kind == "string" else to_bytes(value)
        return len(data).to_bytes(32, "big") + data + b"\0" * (-len(data) % 32)
    if kind.startswith("bytes"):
        data = to_bytes(value)
        if len(data) != int(kind[5:]):
            raise ValueError(f"{kind} from {len(data)} bytes")
        return data.ljust(32, b"\0")
    if kind == "address":
        data = to_bytes(value)
        if len(data) != 20:
            raise ValueError("an address has 20 bytes")
        return data.rjust(32, b"\0")
    return (int(value) % 2**256).to_bytes(32, "big")


def _size_head(param: dict) -> int:
    if is_dynamic(param):
        return 32
    array = _array(param)
    if array:
        return array[1] * _size_head(array[0])
    if param["type"] == "tuple":
        return sum(_size_head(part) for part in param["components"])
    return 32


def encode(params, values) -> bytes:
    params = [_param(p) for p in params]
    if len(params) != len(values):
        raise ValueError(f"{len(values)} values for {len(params)} parameters")
    size = sum(_size_head(p) for p in params)
    head, tail = b"", b""
    for param, value in zip(params, values):
        data = _encode_one(param, value)
        if is_dynamic(param):
            head += (size + len(tail)).to_bytes(32, "big")
            tail += data
        else:
            head += data
    return head + tail


def encode_call(entry: dict, values) -> bytes:
    return selector(entry) + encode(entry["inputs"], values)


def _decode_one(param: dict, data: bytes, at: int):
    array = _array(param)
    if array:
        element, count = array
        if count is None:
            count = int.from_bytes(data[at:at + 32], "big")
            at += 32
        return _decode_row([element] * count, data, at)
    kind = param["type"]
    if kind == "tuple":
        values = _decode_row(param["components"], data, at)
        return {part["name"]: value for part, value in zip(param["components"], values)}
    word = data[at:at + 32]
    if len(word) != 32:
        raise ValueError("shorter than its types")
    if kind in ("bytes", "string"):
        size = int.from_bytes(word, "big")
        body = data[at + 32:at + 32 + size]
        if len(body) != size:
            raise ValueError("shorter than declared")
        return body if kind == "bytes" else body.decode()
    if kind.startswith("bytes"):
        return word[:int(kind[5:])]
    if kind == "address":
        return word[12:]
    value = int.from_bytes(word, "big")
    if kind == "bool":
        return bool(value)
    return value - 2**256 if kind.startswith("int") and value >> 255 else value


def _decode_row(params, data: bytes, start: int) -> list:
    values, at = [], start
    for param in params:
        where = start + int.from_bytes(data[at:at + 32], "big") if is_dynamic(param) else at
        values.append(_decode_one(param, data, where))
        at += _size_head(param)
    return values


def decode(params, data: bytes) -> list:
    return _decode_row([_param(p) for p in params], data, 0)


def decode_log(entry: dict, log: dict) -> dict:
    """The parameters of an event by name; indexed dynamic ones stay hashes."""
    topics = iter(to_bytes(t) for t in log["topics"][1:])
    plain = [p for p in entry["inputs"] if not p["indexed"]]
    values = dict(zip((p["name"] for p in plain), decode(plain, to_bytes(log["data"]))))
    for param in entry["inputs"]:
        if param["indexed"]:
            raw = next(topics)
            values[param["name"]] = raw if is_dynamic(param) else _decode_one(param, raw, 0)
    return values
