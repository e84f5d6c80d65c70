"""What the EVM vector generators share: RLP, recoverable ECDSA, Merkle-Patricia tries, and the compact form of the files.

Written from the yellow paper and SEC 1 on the standard library; Keccak and the curve come from envelope_vectors.py. Nothing
here is shared with the C that is tested.
"""
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import envelope_vectors as ev  # noqa: E402

keccak = ev.keccak
ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "tests" / "vectors" / "evm" / "generated"

# --- RLP ----------------------------------------------------------------------------------------------------------


def minimal(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _head(base: int, size: int) -> bytes:
    if size < 56:
        return bytes([base + size])
    return bytes([base + 55 + len(minimal(size))]) + minimal(size)


class Raw(bytes):
    """Already encoded."""


def rlp(item) -> bytes:
    if isinstance(item, Raw):
        return bytes(item)
    if isinstance(item, int):
        item = minimal(item)
    if isinstance(item, (bytes, bytearray)):
        return bytes(item) if len(item) == 1 and item[0] < 0x80 else _head(0x80, len(item)) + item
    body = b"".join(rlp(x) for x in item)
    return _head(0xC0, len(body)) + body


EMPTY_TRIE = keccak(rlp(b""))
NO_UNCLES = keccak(rlp([]))

# --- keys ---------------------------------------------------------------------------------------------------------

_DOUBLES = [ev.G]
while len(_DOUBLES) < 256:
    _DOUBLES.append(ev.point_add(_DOUBLES[-1], _DOUBLES[-1]))


def times_g(k: int):
    point = None
    for i in range(256):
        if k >> i & 1:
            point = ev.point_add(point, _DOUBLES[i])
    return point


class Key:
    def __init__(self, name: str):
        self.name = name
        self.secret = int.from_bytes(keccak(b"caisson test key " + name.encode()), "big") % ev.N
        x, y = times_g(self.secret)
        self.address = keccak(ev.u(x) + ev.u(y))[12:]

    def sign(self, digest: bytes) -> bytes:
        """r, s (lower half), v in {0, 1}; the nonce is derived, so that the files can be made again."""
        k = int.from_bytes(keccak(b"nonce" + ev.u(self.secret) + digest), "big") % ev.N
        x, y = times_g(k)
        r = x % ev.N
        s = pow(k, -1, ev.N) * (int.from_bytes(digest, "big") + r * self.secret) % ev.N
        v = y & 1
        assert r and s and x < ev.N
        if s > ev.N // 2:
            s, v = ev.N - s, 1 - v
        return ev.u(r) + ev.u(s) + bytes([v])


def twin(seal: bytes) -> bytes:
    """The other signature of the same key and digest, with s in the upper half."""
    s = ev.N - int.from_bytes(seal[32:64], "big")
    return seal[:32] + ev.u(s) + bytes([1 - seal[64]])


# --- Merkle-Patricia tries ----------------------------------------------------------------------------------------


def nibbles(key: bytes):
    return [n for byte in key for n in (byte >> 4, byte & 15)]


def _compact(path, leaf: bool) -> bytes:
    flag = (2 if leaf else 0) + len(path) % 2
    path = [flag] + ([] if len(path) % 2 else [0]) + list(path)
    return bytes(16 * path[i] + path[i + 1] for i in range(0, len(path), 2))


class Trie:
    """Built whole from its content; keys are used as they are given."""

    def __init__(self, content: dict):
        self.items = sorted((nibbles(k), v) for k, v in content.items())
        self.hashed = {}
        self.encoded = {}  # by the node's id: nodes live as long as the trie
        self.node = self._build(self.items, 0) if self.items else b""

    def _build(self, items, at):
        if len(items) == 1:
            return [_compact(items[0][0][at:], True), items[0][1]]
        first, last = items[0][0], items[-1][0]
        same = at
        while same < len(first) and same < len(last) and first[same] == last[same]:
            same += 1
        if same > at:
            return [_compact(first[at:same], False), self._build(items, same)]
        branch, value = [], b""
        if len(first) == at:
            value, items = items[0][1], items[1:]
        for n in range(16):
            below = [i for i in items if i[0][at] == n]
            branch.append(self._build(below, at + 1) if below else b"")
        return branch + [value]

    def _reference(self, node):
        if isinstance(node, bytes):
            return node
        encoded = self.encode(node)
        if len(encoded) < 32:
            return Raw(encoded)
        if encoded not in self.hashed:
            self.hashed[encoded] = keccak(encoded)
        return self.hashed[encoded]

    def encode(self, node) -> bytes:
        if id(node) not in self.encoded:
            if len(node) == 2:
                is_leaf = node[0][0] & 0x20
                items = [node[0], node[1] if is_leaf else self._reference(node[1])]
            else:
                items = [self._reference(n) for n in node[:16]] + [node[16]]
            self.encoded[id(node)] = rlp(items)
        return self.encoded[id(node)]

    @property
    def root(self) -> bytes:
        return keccak(self.encode(self.node)) if self.node else EMPTY_TRIE

    def prove(self, key: bytes):
        """The nodes on the way to the key, root first, without those inside of others."""
        proof, path, node = [], nibbles(key), self.node
        while node:
            encoded = self.encode(node)
            if not proof or len(encoded) >= 32:
                proof.append(encoded)
            if len(node) == 17:
                if not path:
                    break
                node, path = node[path[0]], path[1:]
                continue
            flag = node[0][0] >> 4
            way = nibbles(node[0])[2 if flag % 2 == 0 else 1:]
            if flag >= 2 or path[:len(way)] != way:
                break
            node, path = node[1], path[len(way):]
        return proof


# --- files --------------------------------------------------------------------------------------------------------


def hexed(value):
    """bytes become hex without prefix, everywhere."""
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, dict):
        return {k: hexed(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [hexed(v) for v in value]
    return value


def compact(value, parts: dict):
    """Replaces the hex of each part, wherever it occurs, by {name}."""
    if isinstance(value, str):
        for name, part in parts.items():
            value = value.replace(part.hex(), "{" + name + "}")
        return value
    if isinstance(value, dict):
        return {k: compact(v, parts) for k, v in value.items()}
    if isinstance(value, list):
        return [compact(v, parts) for v in value]
    return value


def text_of(document: dict, parts: dict) -> str:
    """One row of a list a line."""
    out = {"parts": hexed(parts)} | compact(hexed(document), parts)
    lines = []
    for name, value in out.items():
        if isinstance(value, list):
            rows = ",\n  ".join(json.dumps(v) for v in value)
            lines.append(f'"{name}": [\n  {rows}\n ]')
        else:
            lines.append(f'"{name}": {json.dumps(value)}')
    return "{" + ",\n ".join(lines) + "}\n"


def main(files: dict, argv) -> int:
    """Writes {name: text} or, with --check, compares."""
    stale = [n for n, text in files.items() if not (OUT / n).exists() or (OUT / n).read_text() != text]
    if "--check" in argv:
        for name in stale:
            print(f"{OUT / name} differs from what would be written")
        return 1 if stale else 0
    OUT.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (OUT / name).write_text(files[name])
        print(f"wrote {OUT / name}, {len(files[name])} bytes")
    return 0
