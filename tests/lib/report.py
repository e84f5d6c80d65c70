"""Report data, written from docs/protocol/report.md."""
from __future__ import annotations

from dataclasses import dataclass

from .crypto import keccak, word

ROLES = ("bridge-enclave", "oracle-enclave", "key-server", "guard", "worker", "ledger-node")


def tag(text: str) -> bytes:
    return keccak(text.encode())


def nonce(data: bytes) -> tuple[bytes, bytes]:
    assert 16 <= len(data) <= 64
    return tag("caisson/fresh/nonce/v1"), keccak(data)


def nonce_hash(hashed: bytes) -> tuple[bytes, bytes]:
    return tag("caisson/fresh/nonce/v1"), hashed


def tls(exporter: bytes, from_server: bool, client_spki: bytes, server_spki: bytes) -> tuple[bytes, bytes]:
    return tag("caisson/fresh/tls/v1"), keccak(exporter + word(2 if from_server else 1) + client_spki + server_spki)


def issued(seconds: int) -> tuple[bytes, bytes]:
    return tag("caisson/fresh/issued/v1"), word(seconds)


def keys(rows: list[dict]) -> bytes:
    """Rows as hello gives them: chain, epoch, public_key, gas_address."""
    return keccak(tag("caisson/keys/v1") + b"".join(
        k["chain"] + word(k["epoch"]) + k["public_key"] + k["gas_address"].rjust(32, b"\0") for k in rows))


@dataclass
class Report:
    role: str
    key: bytes
    fresh: tuple[bytes, bytes]
    manifest_hash: bytes
    manifest_number: int
    lineage: bytes
    schema_digest: bytes
    insecure_flags: int

    def preimage(self) -> bytes:
        return (tag("caisson/report/v2") + tag(f"caisson/role/{self.role}") + self.key + b"".join(self.fresh)
                + self.manifest_hash + word(self.manifest_number) + self.lineage + self.schema_digest
                + word(self.insecure_flags))

    def data(self) -> bytes:
        return keccak(self.preimage()) + bytes(32)


def of_hello(role: str, hello: dict) -> bytes:
    """What the evidence of a hello must be about."""
    return Report(role, keys(hello["keys"]), nonce_hash(hello["nonce"]), hello["manifest_hash"], hello["manifest_number"],
                  hello["lineage"], hello["schema_digest"], hello["insecure_flags"]).data()
