"""Certificates with evidence about their own key, made under the test CA (lib.tee): TCG DICE's tagged evidence with its claims in CBOR
(CCC-Attestation, interoperable-ra-tls), Gramine's legacy extension, and that of Intel's SGX SDK."""
from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

from lib.pki import extension, octets, seq, tlv
from lib.tee import Certificate, Key, certify, name

NOW = 1760000000  # that of lib.dcap_evidence
TCG_DICE = "2.23.133.5.4.9"
GRAMINE = "1.2.840.113741.1337.6"
GRAMINE_ODD = bytes.fromhex("06092a864886f84d8a3906")  # the same with tag and length among the identifier's bytes
INTEL = "1.2.840.113741.1.13.1"
HASHES = {1: "sha256", 7: "sha384", 8: "sha512"}


# ---- CBOR, as much as is needed ----

def head(major: int, value: int) -> bytes:
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 24:
            return bytes([major << 5 | value])
        if value < 1 << 8 * size:
            return bytes([major << 5 | info]) + value.to_bytes(size, "big")
    raise ValueError(value)


def cbor(value) -> bytes:
    """int, bytes, str, list, dict in its own order."""
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(cbor(item) for item in value)
    return head(5, len(value)) + b"".join(cbor(key) + cbor(item) for key, item in value.items())


def tagged(items: list, tag: int = 60000) -> bytes:
    return head(6, tag) + cbor(items)


def key_hash(key: Key, algorithm: int = 1) -> bytes:
    return cbor([algorithm, hashlib.new(HASHES[algorithm], key.spki).digest()])


def claims(key: Key, algorithm: int = 1, **more) -> bytes:
    return cbor({"pubkey-hash": key_hash(key, algorithm), **more})


def padded(value: bytes, hash_name: str = "sha256") -> bytes:
    """Report data: a hash, then zeros."""
    return hashlib.new(hash_name, value).digest().ljust(64, b"\0")


def pem(key: Key) -> bytes:
    """With the zero at the end that Intel's SDK hashes along."""
    text = base64.b64encode(key.spki)
    lines = b"\n".join(text[i:i + 64] for i in range(0, len(text), 64))
    return b"-----BEGIN PUBLIC KEY-----\n" + lines + b"\n-----END PUBLIC KEY-----\n\0"


# ---- certificates ----

def odd_extension(value: bytes) -> bytes:
    return seq(tlv(0x06, GRAMINE_ODD), octets(value))


@dataclass
class Peer:
    """Somebody with a key and a certificate that carries these extensions."""

    key: Key = field(default_factory=lambda: Key("ratls peer", "p256"))
    start: int = NOW - 600
    end: int = NOW + 3000
    algorithm: str = "ecdsa-sha256"
    issuer: Certificate | None = None
    signer: Key | None = None

    def certificate(self, *extensions: bytes) -> bytes:
        return certify(self.key, name(("CN", "attested peer")), self.issuer, algorithm=self.algorithm, start=self.start, end=self.end,
                       extensions=list(extensions), signer=self.signer).der

    def dice(self, evidence: bytes, of_claims: bytes, critical: bool = False) -> bytes:
        return self.certificate(extension(TCG_DICE, tagged([evidence, of_claims]), critical))
