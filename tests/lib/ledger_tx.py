"""Transactions of the ledger, written from the head of relay_state/ledger/tx.h alone."""
import hashlib
from dataclasses import dataclass, field

from . import crypto, ed25519

SECP256K1, ED25519, MULTISIG = 1, 2, 3


def tag(text: str) -> bytes:
    return crypto.keccak(text.encode())


def contract(number: int) -> bytes:
    return bytes(17) + b"\xca\x15" + bytes([number])


def chain_tag(chain_id: str, genesis_time_s: int, initial_height: int, root: bytes) -> bytes:
    return crypto.keccak(tag("caisson/ledger/chain/v1") + crypto.keccak(chain_id.encode()) +
                         crypto.word(genesis_time_s) + crypto.word(initial_height) + root)


@dataclass
class Call:
    to: bytes
    value: int = 0
    input: bytes = b""

    def encode(self) -> bytes:
        return self.to + crypto.word(self.value) + len(self.input).to_bytes(4, "big") + self.input


@dataclass
class Body:
    chain: bytes
    sender: bytes
    sequence: int
    calls: list[Call]
    valid_until: int = 0
    gas_limit: int = 1_000_000
    gas_price: int = 1
    version: int = 1
    count: int | None = field(default=None)

    def encode(self) -> bytes:
        count = len(self.calls) if self.count is None else self.count
        numbers = [n.to_bytes(8, "big") for n in (self.sequence, self.valid_until, self.gas_limit)]
        return (bytes([self.version]) + self.chain + self.sender + b"".join(numbers) +
                self.gas_price.to_bytes(16, "big") + bytes([count]) + b"".join(c.encode() for c in self.calls))


def digest(body: bytes) -> bytes:
    return crypto.keccak(tag("caisson/ledger/transaction/v1") + crypto.keccak(body))


class Secp256k1:
    """A key with the address that it has on EVM chains."""
    kind = SECP256K1

    def __init__(self, secret: int):
        self.secret = secret
        self.address = crypto.address(secret)

    def sign(self, body: bytes) -> bytes:
        recovery, r, s = crypto.ecdsa_sign(self.secret, digest(body))
        return bytes([SECP256K1]) + crypto.word(r) + crypto.word(s) + bytes([recovery & 1])


class Ed25519:
    """A key with the address that CometBFT gives it."""
    kind = ED25519

    def __init__(self, secret: bytes):
        self.secret = secret
        self.key = ed25519.public_key(secret)
        self.address = hashlib.sha256(self.key).digest()[:20]

    def sign(self, body: bytes) -> bytes:
        return bytes([ED25519]) + self.key + ed25519.sign(self.secret, digest(body))


class Multisig:
    """The threshold of these keys; the first ones sign unless `signing` names others."""
    kind = MULTISIG

    def __init__(self, threshold: int, members: list):
        self.threshold = threshold
        self.members = sorted(members, key=lambda m: m.address)
        row = b"".join(bytes(12) + m.address for m in self.members)
        self.address = crypto.keccak(tag("caisson/ledger/multisig/v1") + crypto.word(threshold) + row)[:20]

    def sign(self, body: bytes, signing: list | None = None) -> bytes:
        signing = self.members[:self.threshold] if signing is None else signing
        rows = [m.address + (m.sign(body) if m in signing else b"\0") for m in self.members]
        return bytes([MULTISIG, self.threshold, len(self.members)]) + b"".join(rows)


def transaction(key, body: Body) -> bytes:
    return body.encode() + key.sign(body.encode())
