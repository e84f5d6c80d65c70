"""Keccak-256 and secp256k1 (ECDSA with recovery id, BIP-340) in plain Python, for tests and the demo only.

Not constant time. Shares no code with core/ and verify/. Sources: FIPS 202's permutation with the original padding 0x01,
SEC 1, RFC 6979, BIP-340.
"""
from __future__ import annotations

import hashlib
import hmac

_ROUNDS = []
_ROTATIONS = [[0] * 5 for _ in range(5)]
_MASK = (1 << 64) - 1


def _tables() -> None:
    state = 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            if state & 1:
                constant ^= 1 << ((1 << j) - 1)
            state = (state << 1) ^ (0x171 if state & 0x80 else 0)
        _ROUNDS.append(constant)
    x, y = 1, 0
    for t in range(24):
        _ROTATIONS[x][y] = ((t + 1) * (t + 2) // 2) % 64
        x, y = y, (2 * x + 3 * y) % 5


_tables()


def _rol(value: int, count: int) -> int:
    return ((value << count) | (value >> (64 - count))) & _MASK


def _permute(a: list[list[int]]) -> None:
    for constant in _ROUNDS:
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[(x - 1) % 5] ^ _rol(c[(x + 1) % 5], 1) for x in range(5)]
        b = [[0] * 5 for _ in range(5)]
        for x in range(5):
            for y in range(5):
                b[y][(2 * x + 3 * y) % 5] = _rol(a[x][y] ^ d[x], _ROTATIONS[x][y])
        for x in range(5):
            for y in range(5):
                a[x][y] = b[x][y] ^ (~b[(x + 1) % 5][y] & b[(x + 2) % 5][y])
        a[0][0] ^= constant


def _keccak_plain(data: bytes) -> bytes:
    rate = 136
    padded = bytearray(data)
    padded += b"\0" * (rate - len(data) % rate)
    padded[len(data)] ^= 0x01
    padded[-1] ^= 0x80
    a = [[0] * 5 for _ in range(5)]
    for start in range(0, len(padded), rate):
        for i in range(rate // 8):
            a[i % 5][i // 5] ^= int.from_bytes(padded[start + 8 * i:start + 8 * i + 8], "little")
        _permute(a)
    return b"".join(a[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


try:  # the tests have a fast one; the demo does without
    from Crypto.Hash import keccak as _fast

    def keccak(data: bytes) -> bytes:
        return _fast.new(digest_bits=256, data=data).digest()
except ImportError:
    keccak = _keccak_plain

# ---- secp256k1 ----------------------------------------------------------------------------------------------------

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def _double(p):
    x, y, z = p
    if not y:
        return (0, 1, 0)
    s = 4 * x * y * y % P
    m = 3 * x * x % P
    nx = (m * m - 2 * s) % P
    return nx, (m * (s - nx) - 8 * pow(y, 4, P)) % P, 2 * y * z % P


def _add(p, q):
    if not p[2]:
        return q
    if not q[2]:
        return p
    z1, z2 = p[2] * p[2] % P, q[2] * q[2] % P
    u1, u2 = p[0] * z2 % P, q[0] * z1 % P
    s1, s2 = p[1] * z2 * q[2] % P, q[1] * z1 * p[2] % P
    if u1 == u2:
        return _double(p) if s1 == s2 else (0, 1, 0)
    h, r = u2 - u1, s2 - s1
    h2 = h * h % P
    h3, v = h * h2 % P, u1 * h2 % P
    x = (r * r - h3 - 2 * v) % P
    return x, (r * (v - x) - s1 * h3) % P, h * p[2] * q[2] % P


def point_mul(k: int, point=G):
    result, addend = (0, 1, 0), (point[0], point[1], 1)
    while k:
        if k & 1:
            result = _add(result, addend)
        addend = _double(addend)
        k >>= 1
    if not result[2]:
        return None
    inverse = pow(result[2], -1, P)
    return result[0] * inverse * inverse % P, result[1] * pow(inverse, 3, P) % P


def lift_x(x: int, odd: bool = False):
    square = (pow(x, 3, P) + 7) % P
    y = pow(square, (P + 1) // 4, P)
    if x >= P or y * y % P != square:
        return None
    return (x, P - y) if bool(y & 1) != odd else (x, y)


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def public_key(secret: int) -> bytes:
    """64 bytes: x, y."""
    x, y = point_mul(secret)
    return word(x) + word(y)


def address(secret: int) -> bytes:
    return keccak(public_key(secret))[12:]


def ecdsa_sign(secret: int, digest: bytes) -> tuple[int, int, int]:
    """(recovery id, r, s) with s low, nonce by RFC 6979."""
    key, material = b"\0" * 32, b"\1" * 32
    seed = word(secret) + word(number(digest) % N)
    for tag in (b"\0", b"\1"):
        key = hmac.digest(key, material + tag + seed, "sha256")
        material = hmac.digest(key, material, "sha256")
    while True:
        material = hmac.digest(key, material, "sha256")
        k = number(material)
        if 0 < k < N:
            x, y = point_mul(k)
            r = x % N
            s = pow(k, -1, N) * (number(digest) + r * secret) % N
            if r and s:
                recovery = (y & 1) | (2 if x >= N else 0)
                return (recovery ^ 1, r, N - s) if s > N // 2 else (recovery, r, s)
        key = hmac.digest(key, material + b"\0", "sha256")
        material = hmac.digest(key, material, "sha256")


def ecdsa_recover(digest: bytes, recovery: int, r: int, s: int) -> bytes | None:
    """The address, or None."""
    point = lift_x(r + (N if recovery & 2 else 0), bool(recovery & 1))
    if point is None:
        return None
    inverse = pow(r, -1, N)
    a = point_mul(-number(digest) * inverse % N)
    b = point_mul(s * inverse % N, point)
    q = _add((*a, 1) if a else (0, 1, 0), (*b, 1))
    if not q[2]:
        return None
    z = pow(q[2], -1, P)
    return keccak(word(q[0] * z * z % P) + word(q[1] * pow(z, 3, P) % P))[12:]


def _tagged(tag: str, data: bytes) -> bytes:
    prefix = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(prefix + prefix + data).digest()


def schnorr_sign(secret: int, digest: bytes, aux: bytes = b"\0" * 32) -> bytes:
    """BIP-340: 64 bytes, R.x and s."""
    x, y = point_mul(secret)
    d = secret if not y & 1 else N - secret
    t = bytes(a ^ b for a, b in zip(word(d), _tagged("BIP0340/aux", aux)))
    k = number(_tagged("BIP0340/nonce", t + word(x) + digest)) % N
    rx, ry = point_mul(k)
    if ry & 1:
        k = N - k
    e = number(_tagged("BIP0340/challenge", word(rx) + word(x) + digest)) % N
    return word(rx) + word((k + e * d) % N)


def schnorr_verify(key_x: bytes, digest: bytes, signature: bytes) -> bool:
    point = lift_x(number(key_x))
    r, s = number(signature[:32]), number(signature[32:])
    if point is None or len(signature) != 64 or r >= P or s >= N:
        return False
    e = number(_tagged("BIP0340/challenge", signature[:32] + key_x + digest)) % N
    sg, ep = point_mul(s), point_mul(N - e, point) if e else None
    q = _add((*sg, 1) if sg else (0, 1, 0), (*ep, 1) if ep else (0, 1, 0))
    if not q[2]:
        return False
    z = pow(q[2], -1, P)
    return q[0] * z * z % P == r and not (q[1] * pow(z, 3, P) % P) & 1
