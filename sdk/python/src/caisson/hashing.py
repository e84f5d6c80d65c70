"""The preimages of the envelope (docs/protocol/envelope.md): what Caisson hashes and signs. Every value is bytes."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from Crypto.Hash import keccak as _keccak

WORD_SIZE = 32


class Kind(IntEnum):
    """What a batch states (section 3)."""

    MESSAGE = 1
    OUTCOME = 2
    ROTATION = 3
    ANSWER = 4


class Status(IntEnum):
    """Of a message at its destination (section 4)."""

    NONE = 0
    FAILED = 1
    DELIVERED = 2
    DEAD = 3


def keccak256(data: bytes) -> bytes:
    return _keccak.new(digest_bits=256, data=data).digest()


def tag(text: str) -> bytes:
    return keccak256(text.encode("ascii"))


def number_word(value: int) -> bytes:
    """32 bytes, big-endian. OverflowError outside 0 to 2^256 - 1."""
    return value.to_bytes(WORD_SIZE, "big")


def address_word(address: bytes) -> bytes:
    """A chain's raw address: up to 32 bytes left-padded with zeros, a longer one hashed."""
    return address.rjust(WORD_SIZE, b"\0") if len(address) <= WORD_SIZE else keccak256(address)


def identity(caip2: str, genesis: bytes, gateway: bytes) -> bytes:
    """The name of a gateway (section 1): chain id, hash of the genesis block, raw address of the contract."""
    return keccak256(tag("caisson/identity/v1") + keccak256(caip2.encode("ascii")) + genesis + address_word(gateway))


@dataclass(frozen=True)
class Message:
    """All that a messageId commits to (section 2). `sender` and `recipient` are ERC-7930 bytes, `closer` and `refund_to` words."""

    source: bytes
    destination: bytes
    sequence: int
    deadline: int
    min_gas_limit: int
    finality: int
    closer: bytes
    refund_to: bytes
    sender: bytes
    recipient: bytes
    payload: bytes

    @property
    def attributes_hash(self) -> bytes:
        return keccak256(tag("caisson/attributes/v1") + number_word(self.min_gas_limit) + self.closer + self.refund_to
                         + number_word(self.finality))

    @property
    def id(self) -> bytes:
        return keccak256(tag("caisson/message/v1") + self.source + self.destination + number_word(self.sequence)
                         + keccak256(self.sender) + keccak256(self.recipient) + keccak256(self.payload)
                         + self.attributes_hash + number_word(self.deadline))


@dataclass(frozen=True)
class Statement:
    """What is signed (section 3): `signer` and `receiver` are identities of gateways, `root` the batch's."""

    kind: Kind
    signer: bytes
    receiver: bytes
    epoch: int
    manifest: int
    root: bytes

    def digest(self, insecure: bool) -> bytes:
        """insecure: under the domain of simulated or insecure enclaves, which no production contract takes."""
        domain = "caisson/statement/v1/insecure" if insecure else "caisson/statement/v1"
        return keccak256(tag(domain) + number_word(self.kind) + self.signer + self.receiver + number_word(self.epoch)
                         + number_word(self.manifest) + self.root)


def message_leaf(message_id: bytes) -> bytes:
    return keccak256(tag("caisson/leaf/message/v1") + message_id)


def outcome_leaf(message_id: bytes, status: int) -> bytes:
    return keccak256(tag("caisson/leaf/outcome/v1") + message_id + number_word(status))


def rotation_leaf(new_epoch: int, new_key: bytes) -> bytes:
    return keccak256(tag("caisson/leaf/rotation/v1") + number_word(new_epoch) + new_key)


def node(a: bytes, b: bytes) -> bytes:
    return keccak256(tag("caisson/node/v1") + min(a, b) + max(a, b))


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Pairs are joined, an odd last one moves up unchanged. ValueError without leaves."""
    if not leaves:
        raise ValueError("a batch has at least one leaf")
    level = list(leaves)
    while len(level) > 1:
        level = [node(*level[i:i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
    return level[0]


def fold(part: bytes, path: Iterable[bytes]) -> bytes:
    """From a part of the batch up to its root, by the siblings on the way."""
    for sibling in path:
        part = node(part, sibling)
    return part
