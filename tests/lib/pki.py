"""Certificates, signed timestamps and OCSP responses to order, good and bad: DER written out, signed by pycryptodome.

Every field can be wrong on purpose, which openssl's tools do not allow.
"""
from __future__ import annotations

import hashlib
import ipaddress
import itertools
import time
from dataclasses import dataclass, field

from Crypto.Hash import SHA1, SHA256
from Crypto.PublicKey import ECC, RSA
from Crypto.Signature import DSS, pkcs1_15

DAY = 86400
_serials = itertools.count(int(time.time() * 1000) << 8)


# ---- DER ----

def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    n = len(body)
    size = bytes([n]) if n < 128 else bytes([0x80 | (n.bit_length() + 7) // 8]) + n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag]) + size + body


def seq(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def integer(value: int) -> bytes:
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(value: bytes) -> bytes:
    return tlv(0x04, value)


def bits(value: bytes, unused: int = 0) -> bytes:
    return tlv(0x03, bytes([unused]), value)


def oid(text: str) -> bytes:
    first, second, *rest = map(int, text.split("."))
    out = bytearray([first * 40 + second])
    for number in rest:
        part = [number & 0x7F]
        while number := number >> 7:
            part.append(0x80 | number & 0x7F)
        out += bytes(reversed(part))
    return tlv(0x06, bytes(out))


def when(at: float, generalized: bool = False) -> bytes:
    t = time.gmtime(at)
    if generalized or t.tm_year >= 2050:
        return tlv(0x18, time.strftime("%Y%m%d%H%M%SZ", t).encode())
    return tlv(0x17, time.strftime("%y%m%d%H%M%SZ", t).encode())


def distinguished(common_name: str) -> bytes:
    return seq(tlv(0x31, seq(oid("2.5.4.3"), tlv(0x0C, common_name.encode()))))


# ---- keys ----

class Key:
    """P-256 unless another curve or a number of RSA bits is asked for."""

    def __init__(self, kind: str | int = "P-256"):
        self.rsa = isinstance(kind, int)
        self.key = RSA.generate(kind) if self.rsa else ECC.generate(curve=kind)
        self.spki = self.key.public_key().export_key(format="DER")
        self.spki_hash = hashlib.sha256(self.spki).digest()
        self.pem = self.key.export_key(format="PEM")
        self.pem = self.pem.decode() if isinstance(self.pem, bytes) else self.pem

    @property
    def point(self) -> bytes:
        """What is inside the BIT STRING of the SPKI."""
        n = len(self.spki)
        for at in range(n):  # the one BIT STRING that runs to the end
            if self.spki[at] == 0x03:
                for head in (2, 3, 4):
                    body = self.spki[at + head:]
                    if tlv(0x03, body) == self.spki[at:]:
                        return body[1:]
        raise ValueError("no key")

    def sign(self, message: bytes, sha1: bool = False) -> bytes:
        digest = (SHA1 if sha1 else SHA256).new(message)
        return pkcs1_15.new(self.key).sign(digest) if self.rsa else DSS.new(self.key, "fips-186-3", encoding="der").sign(digest)

    def algorithm(self, sha1: bool = False) -> bytes:
        if self.rsa:
            return seq(oid("1.2.840.113549.1.1.5" if sha1 else "1.2.840.113549.1.1.11"), tlv(0x05))
        return seq(oid("1.2.840.10045.4.1" if sha1 else "1.2.840.10045.4.3.2"))


# ---- certificates ----

def extension(identifier: str, value: bytes, critical: bool = False) -> bytes:
    return seq(oid(identifier), *([tlv(0x01, b"\xff")] if critical else []), octets(value))


def san(names: list[str]) -> bytes:
    entries = []
    for name in names:
        try:
            entries.append(tlv(0x87, ipaddress.ip_address(name).packed))
        except ValueError:
            entries.append(tlv(0x82, name.encode()))
    return extension("2.5.29.17", seq(*entries))


@dataclass
class Certificate:
    der: bytes
    key: Key
    name: str
    serial: int
    issuer: "Certificate | None" = None

    @property
    def pem(self) -> str:
        import base64
        text = base64.encodebytes(self.der).decode()
        return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"

    @property
    def chain_pem(self) -> str:
        """As a server sends it: without the root."""
        if self.issuer is None:
            return ""
        return self.pem + self.issuer.chain_pem


@dataclass
class Log:
    """A log of certificate transparency (RFC 6962)."""

    operator: int
    key: Key = field(default_factory=Key)
    retired: int = 0

    def timestamp(self, tbs: bytes, issuer: Key, at: float | None = None) -> bytes:
        stamp = int((time.time() if at is None else at) * 1000).to_bytes(8, "big")
        signed = b"\x00\x00" + stamp + b"\x00\x01" + issuer.spki_hash + len(tbs).to_bytes(3, "big") + tbs + b"\x00\x00"
        signature = self.key.sign(signed)
        return b"\x00" + self.key.spki_hash + stamp + b"\x00\x00" + b"\x04\x03" + len(signature).to_bytes(2, "big") + signature


def _extensions(names, ca, key, issuer_key, must_staple, responder, client) -> list[bytes]:
    out = [extension("2.5.29.19", seq(*([tlv(0x01, b"\xff")] if ca else [])), True),
           extension("2.5.29.15", bits(b"\x06", 1) if ca else bits(b"\x80", 7), True),
           extension("2.5.29.14", octets(hashlib.sha1(key.point).digest())),
           extension("2.5.29.35", seq(tlv(0x80, hashlib.sha1(issuer_key.point).digest())))]
    if responder:
        out.append(extension("2.5.29.37", seq(oid("1.3.6.1.5.5.7.3.9"))))
    elif not ca:
        out.append(extension("2.5.29.37", seq(oid("1.3.6.1.5.5.7.3.2" if client else "1.3.6.1.5.5.7.3.1"))))
    if names:
        out.append(san(names))
    if must_staple:
        out.append(extension("1.3.6.1.5.5.7.1.24", seq(integer(5))))
    return out


def issue(name: str, issuer: Certificate | None = None, *, key: Key | None = None, names: list[str] | None = None, ca: bool = False,
          start: float | None = None, days: float = 90, logs: list[Log] = (), stamps_at: float | None = None, sha1: bool = False,
          must_staple: bool = False, responder: bool = False, client: bool = False) -> Certificate:
    """A certificate; its own issuer without one. logs: each signs a timestamp that is embedded. client: for clients, not for servers."""
    key = key or Key()
    signer = issuer.key if issuer else key
    start = time.time() - DAY if start is None else start
    serial = next(_serials)
    listed = _extensions(names, ca, key, signer, must_staple, responder, client)

    def tbs(extensions: list[bytes]) -> bytes:
        return seq(tlv(0xA0, integer(2)), integer(serial), signer.algorithm(sha1), distinguished(issuer.name if issuer else name),
                   seq(when(start), when(start + days * DAY)), distinguished(name), key.spki, tlv(0xA3, seq(*extensions)))

    if logs:
        plain = tbs(listed)
        stamps = [log.timestamp(plain, signer, stamps_at) for log in logs]
        body = b"".join(len(s).to_bytes(2, "big") + s for s in stamps)
        listed = listed + [extension("1.3.6.1.4.1.11129.2.4.2", octets(len(body).to_bytes(2, "big") + body))]
    signed = tbs(listed)
    der = seq(signed, signer.algorithm(sha1), bits(signer.sign(signed, sha1)))
    return Certificate(der, key, name, serial, issuer)


def authority(name: str, issuer: Certificate | None = None, **more) -> Certificate:
    return issue(name, issuer, ca=True, **{"days": 3650, **more})


# ---- OCSP ----

def ocsp(leaf: Certificate, status: str = "good", *, signer: Certificate | None = None, start: float | None = None, days: float | None = 7,
         serial: int | None = None) -> bytes:
    """A response about leaf; signer: the issuer, or a responder whose certificate comes along."""
    issuer = leaf.issuer
    signer = signer or issuer
    start = time.time() - 3600 if start is None else start
    sha1 = seq(oid("1.3.14.3.2.26"), tlv(0x05))
    about = seq(sha1, octets(hashlib.sha1(distinguished(issuer.name)).digest()), octets(hashlib.sha1(issuer.key.point).digest()),
                integer(leaf.serial if serial is None else serial))
    verdict = {"good": tlv(0x80), "unknown": tlv(0x82),
               "revoked": tlv(0xA1, when(start, True), tlv(0xA0, tlv(0x0A, b"\x01")))}[status]
    single = seq(about, verdict, when(start, True), *([tlv(0xA0, when(start + days * DAY, True))] if days is not None else []))
    data = seq(tlv(0xA2, octets(hashlib.sha1(signer.key.point).digest())), when(start, True), seq(single))
    basic = seq(data, signer.key.algorithm(), bits(signer.key.sign(data)), *([tlv(0xA0, seq(signer.der))] if signer is not issuer else []))
    return seq(tlv(0x0A, b"\x00"), tlv(0xA0, seq(oid("1.3.6.1.5.5.7.48.1.1"), octets(basic))))
