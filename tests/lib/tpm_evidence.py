"""Quotes of a TPM 2.0, its keys' public areas, the activation of a credential and Azure's vTPM, made under the test CA (lib.tee):
TPM Library 1.59, parts 1 (annex B and clause 24) and 2, and the EK Credential Profile 2.5."""
from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field

from Crypto.Cipher import AES
from Crypto.PublicKey import ECC

from lib.pki import bits, extension, octets, oid, seq, tlv
from lib.snp_evidence import END, START
from lib.tee import NULL, Certificate, Key, Stream, ca_extensions, certify, name

HASHES = {"sha1": 0x0004, "sha256": 0x000B, "sha384": 0x000C, "sha512": 0x000D}
SCHEMES = {"pkcs1": 0x0014, "pss": 0x0016, "ecdsa": 0x0018}
CURVES = {"p256": 0x0003, "p384": 0x0004}
AK_ATTRIBUTES = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 16 | 1 << 18  # fixedTPM … restricted, sign
EK_USAGE = "2.23.133.8.1"


def u16(value: int) -> bytes:
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def sized(value: bytes) -> bytes:
    return u16(len(value)) + value


def modulus(key: Key) -> bytes:
    return int(key.key.n).to_bytes(int(key.kind[3:]) // 8, "big")


def public_area(key: Key, scheme: str, hash_name: str = "sha256", attributes: int = AK_ATTRIBUTES) -> bytes:
    head = u16(1 if key.rsa else 0x23) + u16(HASHES["sha256"]) + u32(attributes) + sized(b"")
    parameters = u16(0x10) + u16(SCHEMES[scheme]) + u16(HASHES[hash_name])
    if key.rsa:
        return head + parameters + u16(int(key.kind[3:])) + u32(0) + sized(modulus(key))
    return head + parameters + u16(CURVES[key.kind]) + u16(0x10) + sized(key.point[:key.size]) + sized(key.point[key.size:])


def key_name(area: bytes) -> bytes:
    return u16(HASHES["sha256"]) + hashlib.sha256(area).digest()


@dataclass
class Quote:
    """A TPMS_ATTEST; pcrs: 24 values of the bank; chosen: those under the digest."""

    extra_data: bytes = b"challenge"
    bank: str = "sha256"
    hash_name: str = "sha256"  # of the signature, hence of the digest of PCRs
    chosen: list[int] = field(default_factory=lambda: list(range(24)))
    pcrs: list[bytes] | None = None
    magic: int = 0xFF544347
    kind: int = 0x8018
    banks: int = 1
    reset_count: int = 3

    def values(self) -> list[bytes]:
        size = hashlib.new(self.bank).digest_size
        return self.pcrs or [Stream(f"pcr {i}")(size) for i in range(24)]

    def encode(self) -> bytes:
        chosen = sum(1 << i for i in self.chosen).to_bytes(3, "little")
        digest = hashlib.new(self.hash_name, b"".join(self.values()[i] for i in self.chosen)).digest()
        return (u32(self.magic) + u16(self.kind) + sized(key_name(b"a key")) + sized(self.extra_data)
                + (123456789).to_bytes(8, "big") + u32(self.reset_count) + u32(1) + b"\x01" + (0x2019102300163636).to_bytes(8, "big")
                + u32(self.banks) + (u16(HASHES[self.bank]) + b"\x03" + chosen) * self.banks + sized(digest))


def signature(key: Key, message: bytes, scheme: str = "pkcs1", hash_name: str = "sha256") -> bytes:
    """A TPMT_SIGNATURE."""
    head = u16(SCHEMES[scheme]) + u16(HASHES[hash_name])
    if scheme == "ecdsa":
        rs = key.ecdsa(message, hash_name)
        return head + b"".join(sized(part.lstrip(b"\0")) for part in (rs[:key.size], rs[key.size:]))
    return head + sized(key.sign(message, f"{scheme}-{hash_name}"))


# ---- the endorsement key and its makers ----

def manufacturer() -> bytes:
    """A SAN that says which TPM it is, in place of a subject."""
    parts = [("2.23.133.2.1", "id:54455354"), ("2.23.133.2.2", "a TPM for tests"), ("2.23.133.2.3", "id:00010000")]
    named = seq(*(tlv(0x31, seq(oid(kind), tlv(0x0C, text.encode()))) for kind, text in parts))
    return extension("2.5.29.17", seq(tlv(0xA4, named)), True)


class Maker:
    """A vendor of TPMs: root, issuing CA, one TPM with its endorsement key."""

    def __init__(self, label: str = ""):
        rsa = {"algorithm": "pkcs1-sha256", "start": START, "end": END}
        self.label = f"tpm {label}"
        self.root = certify(Key(self.label + "root", "rsa2048"), name(("O", "TPM maker of the tests"), ("CN", f"{label}root")), None, serial=11,
                            extensions=ca_extensions(), **rsa)
        self.ca = certify(Key(self.label + "ca", "rsa2048"), name(("O", "TPM maker of the tests"), ("CN", f"{label}issuing")), self.root,
                          serial=12, extensions=ca_extensions(0), **rsa)
        self.ek = self.endorse(Key(self.label + "ek", "rsa2048"))

    def endorse(self, key: Key, *, usage: str = EK_USAGE, start: int = START, end: int = END, signer: Key | None = None) -> Certificate:
        listed = [extension("2.5.29.19", seq(), True), extension("2.5.29.15", bits(b"\x20", 5), True),
                  extension("2.5.29.37", seq(oid(usage))), manufacturer()]
        return certify(key, seq(), self.ca, algorithm="pkcs1-sha256", start=start, end=end, serial=13, extensions=listed, signer=signer)

    def attest_key(self, key: Key) -> Certificate:
        """An AK's certificate, as clouds issue them: EKU tcg-kp-AIKCertificate."""
        listed = [extension("2.5.29.19", seq(), True), extension("2.5.29.15", bits(b"\x80", 7), True),
                  extension("2.5.29.37", seq(oid("2.23.133.8.3"))), manufacturer()]
        return certify(key, seq(), self.ca, algorithm="pkcs1-sha256", start=START, end=END, serial=14, extensions=listed)


# ---- TPM2_MakeCredential, by who asks ----

# What the templates of the EK Credential Profile fix: the hash of an endorsement key's name, and AES.
SUITES = {"rsa2048": ("sha256", 16), "p256": ("sha256", 16), "rsa3072": ("sha384", 32), "p384": ("sha384", 32)}


def kdfa(hash_name: str, key: bytes, label: bytes, context: bytes, size: int) -> bytes:
    """Part 1, 11.4.10.2; one block is enough here."""
    return hmac.new(key, u32(1) + label + b"\0" + context + u32(8 * size), hash_name).digest()[:size]


def kdfe(hash_name: str, common: bytes, label: bytes, party_u: bytes, party_v: bytes) -> bytes:
    """Part 1, 11.4.10.3; as long as the hash."""
    return hashlib.new(hash_name, u32(1) + common + label + b"\0" + party_u + party_v).digest()


def oaep(key: Key, hash_name: str, message: bytes, label: bytes, seed: bytes) -> bytes:
    """RFC 8017, 7.1.1, with a seed that is given."""
    n = hashlib.new(hash_name).digest_size

    def mask(seed: bytes, size: int) -> bytes:
        return b"".join(hashlib.new(hash_name, seed + u32(i)).digest() for i in range((size + n - 1) // n))[:size]

    def xor(a: bytes, b: bytes) -> bytes:
        return bytes(x ^ y for x, y in zip(a, b))
    k = len(modulus(key))
    block = hashlib.new(hash_name, label).digest() + bytes(k - len(message) - 2 * n - 2) + b"\x01" + message
    block = xor(block, mask(seed, len(block)))
    padded = b"\0" + xor(seed, mask(block, n)) + block
    return pow(int.from_bytes(padded, "big"), int(key.key.e), int(key.key.n)).to_bytes(k, "big")


def one_pass(ek: Key, hash_name: str, ephemeral: bytes) -> tuple[bytes, bytes]:
    """Part 1, C.6.1: the seed, and the point that is sent."""
    curve = ek.key.curve
    own = ECC.construct(curve=curve, d=int.from_bytes(ephemeral, "big")).pointQ
    common = ek.key.pointQ * int.from_bytes(ephemeral, "big")
    x, y, z, u = (int(value).to_bytes(ek.size, "big") for value in (own.x, own.y, common.x, ek.key.pointQ.x))
    return kdfe(hash_name, z, b"IDENTITY", x, u), sized(x) + sized(y)


def make_credential(ek: Key, ak_name: bytes, secret: bytes, seed: bytes, padding: bytes) -> tuple[bytes, bytes]:
    """A TPM2B_ID_OBJECT and a TPM2B_ENCRYPTED_SECRET."""
    hash_name, aes_size = SUITES.get(ek.kind, SUITES["rsa2048"])
    if ek.rsa:
        sent = oaep(ek, hash_name, seed, b"IDENTITY\0", padding)
    else:
        seed, sent = one_pass(ek, hash_name, seed)
    symmetric = kdfa(hash_name, seed, b"STORAGE", ak_name, aes_size)
    identity = AES.new(symmetric, AES.MODE_CFB, iv=bytes(16), segment_size=128).encrypt(sized(secret))
    integrity = hmac.new(kdfa(hash_name, seed, b"INTEGRITY", b"", len(seed)), identity + ak_name, hash_name).digest()
    return sized(sized(integrity) + identity), sized(sent)


def transcript(ek: Key, area: bytes, *, answer: bytes | None = None, drawn: bytes | None = None, **changes: bytes) -> dict[str, str]:
    """What who asked keeps: what it sent, what it drew for that, and what came back. drawn: the seed, or the ephemeral key."""
    size = hashlib.new(SUITES.get(ek.kind, SUITES["rsa2048"])[0]).digest_size
    # Of a curve: below its order.
    seed = drawn or (Stream("seed")(size) if ek.rsa else b"\0" + Stream("ephemeral")(size - 1))
    secret, padding = Stream("secret")(32), Stream("padding")(size) if ek.rsa else b""
    credential, encrypted = make_credential(ek, key_name(area), secret, seed, padding)
    kept = {"credential_blob": credential, "encrypted_secret": encrypted, "secret": secret, "seed": seed, "padding": padding,
            "answer": secret if answer is None else answer, **changes}
    return {key: value.hex() for key, value in kept.items()}


def short_coordinate(ek: Key) -> bytes:
    """An ephemeral key whose x has a zero in front, which goes out and is hashed with it."""
    for i in range(1, 100000):
        if int(ECC.construct(curve=ek.key.curve, d=i).pointQ.x) >> (8 * ek.size - 8) == 0:
            return i.to_bytes(ek.size, "big")
    raise AssertionError


# ---- evidence ----

def b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def url64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def evidence(quote: Quote, signed: bytes, *, ak: Key | None = None, area: bytes | None = None, ek: bytes | None = None,
             ak_certificate: bytes | None = None, message: bytes | None = None) -> dict:
    out: dict = {}
    if ak:
        out["ak_public"] = b64(ak.spki)
    if area:
        out["ak_area"] = b64(area)
    if ek:
        out["ek_certificate"] = b64(ek)
    if ak_certificate:
        out["ak_certificate"] = b64(ak_certificate)
    out["tpm_quote"] = {"message": b64(message or quote.encode()), "pcrs": [value.hex() for value in quote.values()],
                        "signature": b64(signed)}
    return out


def runtime_claims(ak: Key, more: dict | None = None) -> bytes:
    jwk = {"kid": "HCLAkPub", "key_ops": ["sign"], "kty": "RSA", "e": "AQAB", "n": url64(modulus(ak))}
    return json.dumps({"keys": [jwk], "vm-configuration": {"secure-boot": True}, "user-data": "00" * 64, **(more or {})},
                      separators=(",", ":")).encode()


def hcl_report(hardware: bytes, claims: bytes, kind: int = 2, hash_kind: int = 1) -> bytes:
    """Azure's paravisor: a header, the report in 1184 bytes, the claims that it hashed."""
    def le(value: int) -> bytes:
        return value.to_bytes(4, "little")
    runtime = le(20 + len(claims)) + le(1) + le(kind) + le(hash_kind) + le(len(claims)) + claims
    head = b"HCLA" + le(1) + le(len(hardware.ljust(1184, b"\0")) + len(runtime)) + le(2) + le(0) + bytes(12)
    return (head + hardware.ljust(1184, b"\0") + runtime).ljust(2600, b"\0")


def azure(quote: Quote, ak: Key, hcl: bytes, *, vcek: bytes | None = None, td_quote: bytes | None = None, signed: bytes | None = None) -> dict:
    message = quote.encode()
    out = {"version": 1, "hcl_report": url64(hcl),
           "tpm_quote": {"message": message.hex(), "pcrs": [value.hex() for value in quote.values()],
                         "signature": (signed or ak.sign(message, "pkcs1-sha256")).hex()}}
    if vcek:
        out["vcek"] = url64(vcek)
    if td_quote:
        out["td_quote"] = url64(td_quote)
    return out
