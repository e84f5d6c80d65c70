"""A test CA for the evidence of trusted hardware: certificates, CRLs and keys in the vendors' forms, under roots of ours.

Everything follows from labels: the same call gives the same bytes, so that generated vectors can be compared. The keys are
worth nothing. What stands under them is called generated wherever it is used; no vendor signed it.
"""
from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from Crypto.Hash import SHA1, SHA256, SHA384, SHA512
from Crypto.PublicKey import ECC, RSA
from Crypto.Signature import DSS, pkcs1_15, pss

from lib.pki import bits, extension, integer, octets, oid, seq, tlv, when

CURVES = {"p256": ("P-256", 32), "p384": ("P-384", 48)}
HASHES = {"sha1": SHA1, "sha256": SHA256, "sha384": SHA384, "sha512": SHA512}
HASH_OIDS = {"sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2", "sha512": "2.16.840.1.101.3.4.2.3"}
NULL = tlv(0x05)
PRIMES = Path(__file__).resolve().parent.parent / "vectors" / "attestation" / "generated" / "primes.json"


class Stream:
    """Bytes that follow from a label."""

    def __init__(self, label: str):
        self.label, self.count, self.rest = label.encode(), 0, b""

    def __call__(self, n: int) -> bytes:
        while len(self.rest) < n:
            self.rest += hashlib.sha512(self.label + self.count.to_bytes(8, "big")).digest()
            self.count += 1
        out, self.rest = self.rest[:n], self.rest[n:]
        return out


def rsa_key(label: str, kind: str) -> RSA.RsaKey:
    """By its label too; the primes of those that generated vectors use are kept, because finding them takes most of the time."""
    known = json.loads(PRIMES.read_text()) if PRIMES.exists() else {}
    if f"{label} {kind}" not in known:
        return RSA.generate(int(kind[3:]), randfunc=Stream(f"{label} {kind}"))
    p, q = (int(prime, 16) for prime in known[f"{label} {kind}"])
    return RSA.construct((p * q, 65537, pow(65537, -1, (p - 1) * (q - 1)), p, q), consistency_check=False)


class Key:
    """kind: p256, p384, rsa2048, rsa4096."""

    _made: dict[tuple[str, str], "Key"] = {}

    def __new__(cls, label: str, kind: str):
        if (label, kind) not in cls._made:
            cls._made[label, kind] = super().__new__(cls)
        return cls._made[label, kind]

    def __init__(self, label: str, kind: str):
        if hasattr(self, "key"):
            return
        self.label, self.kind, self.rsa = label, kind, kind.startswith("rsa")
        if self.rsa:
            self.key = rsa_key(label, kind)
        else:
            curve, size = CURVES[kind]
            self.size = size
            self.key = ECC.construct(curve=curve, d=int.from_bytes(Stream(f"{label} {kind}")(size - 1), "big"))
        self.spki = self.key.public_key().export_key(format="DER")

    @property
    def point(self) -> bytes:
        """x and y."""
        q = self.key.pointQ
        return int(q.x).to_bytes(self.size, "big") + int(q.y).to_bytes(self.size, "big")

    def ecdsa(self, message: bytes, hash_name: str = "sha256") -> bytes:
        """r and s."""
        return DSS.new(self.key, "deterministic-rfc6979").sign(HASHES[hash_name].new(message))

    def sign(self, message: bytes, algorithm: str) -> bytes:
        """As X.509 has it: ecdsa-sha256, pss-sha384, pkcs1-sha256 and so on."""
        scheme, hash_name = algorithm.split("-")
        digest = HASHES[hash_name].new(message)
        if scheme == "ecdsa":
            return DSS.new(self.key, "deterministic-rfc6979", encoding="der").sign(digest)
        if scheme == "pkcs1":
            return pkcs1_15.new(self.key).sign(digest)
        salt = Stream(f"{self.label} salt {digest.hexdigest()}")
        return pss.new(self.key, salt_bytes=digest.digest_size, rand_func=salt).sign(digest)


def algorithm_identifier(algorithm: str, trailer: bool = True) -> bytes:
    scheme, name = algorithm.split("-")
    if scheme == "ecdsa":
        return seq(oid({"sha256": "1.2.840.10045.4.3.2", "sha384": "1.2.840.10045.4.3.3", "sha1": "1.2.840.10045.4.1"}[name]))
    if scheme == "pkcs1":
        return seq(oid({"sha256": "1.2.840.113549.1.1.11", "sha384": "1.2.840.113549.1.1.12", "sha1": "1.2.840.113549.1.1.5"}[name]), NULL)
    used = seq(oid(HASH_OIDS[name]), NULL)
    return seq(oid("1.2.840.113549.1.1.10"),
               seq(tlv(0xA0, used), tlv(0xA1, seq(oid("1.2.840.113549.1.1.8"), used)),
                   tlv(0xA2, integer(HASHES[name].digest_size)), *([tlv(0xA3, integer(1))] if trailer else [])))


NAME_OIDS = {"CN": "2.5.4.3", "C": "2.5.4.6", "L": "2.5.4.7", "ST": "2.5.4.8", "O": "2.5.4.10", "OU": "2.5.4.11"}


def name(*parts: tuple[str, str]) -> bytes:
    return seq(*(tlv(0x31, seq(oid(NAME_OIDS[kind]), tlv(0x13 if kind == "C" else 0x0C, text.encode()))) for kind, text in parts))


@dataclass
class Certificate:
    der: bytes
    key: Key
    subject: bytes
    serial: int
    algorithm: str  # with which its key signs


def ca_extensions(path: int | None = None, usage: bytes = b"\x06") -> list[bytes]:
    """Basic constraints and key usage: keyCertSign and cRLSign."""
    return [extension("2.5.29.19", seq(tlv(0x01, b"\xff"), *([integer(path)] if path is not None else [])), True),
            extension("2.5.29.15", bits(usage, 1), True)]


def leaf_extensions() -> list[bytes]:
    return [extension("2.5.29.19", seq(), True), extension("2.5.29.15", bits(b"\xc0", 6), True)]


def certify(key: Key, subject: bytes, issuer: Certificate | None, *, algorithm: str, start: int, end: int, serial: int = 1,
            extensions: list[bytes] = (), signs: str | None = None, trailer: bool = True, signer: Key | None = None) -> Certificate:
    """Signed by the issuer's key, or by its own. algorithm: of this signature. signer: another key than the issuer's."""
    by = signer or (issuer.key if issuer else key)
    identifier = algorithm_identifier(algorithm, trailer)
    tbs = seq(tlv(0xA0, integer(2)), integer(serial), identifier, issuer.subject if issuer else subject,
              seq(when(start), when(end)), subject, key.spki, *([tlv(0xA3, seq(*extensions))] if extensions else []))
    return Certificate(seq(tbs, identifier, bits(by.sign(tbs, algorithm))), key, subject, serial, signs or algorithm)


def revocation_list(issuer: Certificate, *, start: int, end: int, revoked: list[int] = (), number: int = 1, signer: Key | None = None) -> bytes:
    identifier = algorithm_identifier(issuer.algorithm)
    entries = [seq(integer(serial), when(start)) for serial in revoked]
    tbs = seq(integer(1), identifier, issuer.subject, when(start), when(end), *([seq(*entries)] if entries else []),
              tlv(0xA0, seq(extension("2.5.29.20", integer(number)))))
    return seq(tbs, identifier, bits((signer or issuer.key).sign(tbs, issuer.algorithm)))
