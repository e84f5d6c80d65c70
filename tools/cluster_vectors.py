#!/usr/bin/env python3
"""Vectors of the key cluster (docs/protocol/cluster.md): preimages that are signed, the key schedule, sealed data.

    cluster_vectors.py            writes tests/vectors/cluster/cluster.json
    cluster_vectors.py --check    an error unless the file is what would be written

Shares no code with the C. Needs pycryptodome for AES-GCM (exit 77 without it).
"""
import hashlib
import hmac
import json
import sys
from pathlib import Path

try:
    from Crypto.Cipher import AES
except ImportError:
    print("pycryptodome is missing", file=sys.stderr)
    sys.exit(77)

TARGET = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "cluster" / "cluster.json"


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def text(value: bytes | str) -> bytes:
    value = value.encode() if isinstance(value, str) else value
    return bytes([len(value)]) + value


def u16(n: int) -> bytes:
    return n.to_bytes(2, "big")


def u32(n: int) -> bytes:
    return n.to_bytes(4, "big")


def u64(n: int) -> bytes:
    return n.to_bytes(8, "big")


def hkdf(key: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    prk, out, block = hmac.new(salt, key, "sha256").digest(), b"", b""
    while len(out) < size:
        block = hmac.new(prk, block + info + bytes([len(out) // 32 + 1]), "sha256").digest()
        out += block
    return out[:size]


def preimage(tag: str, lineage: bytes, *parts: bytes) -> bytes:
    return sha(text(tag) + lineage + b"".join(parts))


def fixed(name: str) -> bytes:
    return sha(b"vector " + name.encode())


def messages() -> dict:
    lineage, exporter = fixed("lineage"), fixed("exporter")
    client, server = fixed("client"), fixed("server")
    key, box, nonce = fixed("key"), fixed("box"), fixed("nonce")
    guard, build, application, platform = fixed("guard"), "worker 1.2", "records", fixed("platform")
    csr = preimage("caisson/cluster/csr/v1", lineage, key, box, nonce, text(application))
    vouch = preimage("caisson/cluster/vouch/v1", lineage, exporter, client, server, csr, guard, u64(7), u32(6), text(build),
                     bytes([len(platform)]), platform)
    server_key, authority = fixed("key server"), fixed("authority")
    anchor = preimage("caisson/cluster/anchor/v1", lineage, server_key, u64(7), u64(3), u64(41), authority)
    authorities = [b"first certificate", b"second certificate"]
    anchor_key = fixed("anchor key")
    statement = preimage("caisson/cluster/key-server/v1", lineage, u64(1800000000), anchor_key, bytes([len(authorities)]),
                         *map(sha, authorities))
    revoked = sorted([fixed("revoked 1"), fixed("revoked 2")])
    certificate, sealed = b"a certificate", b"sealed keys"
    grant = preimage("caisson/cluster/grant/v1", lineage, csr, statement, anchor, sha(certificate), sha(sealed), u16(len(revoked)),
                     sha(b"".join(revoked)))
    revocation = preimage("caisson/cluster/revoked/v1", lineage, u16(len(revoked)), sha(b"".join(revoked)))
    local = preimage("caisson/cluster/local/v1", lineage, fixed("guard spki"), fixed("challenge"), csr)
    return {
        "lineage": lineage, "exporter": exporter, "client_spki": client, "server_spki": server, "key": key, "box_key": box,
        "nonce": nonce, "guard_key": guard, "build": build, "platform": platform, "application": application, "manifest_number": 7, "kind": 6,
        "key_server": server_key, "authority": authority, "epoch": 3, "counter": 41, "anchor_key": anchor_key,
        "issued_s": 1800000000, "authorities": authorities, "revoked": revoked, "certificate": certificate, "sealed": sealed,
        "guard_spki": fixed("guard spki"), "challenge": fixed("challenge"),
        "csr_hash": csr, "vouch_hash": vouch, "anchor_hash": anchor, "grant_hash": grant, "revoked_hash": revocation, "statement_nonce": statement,
        "local_nonce": local,
    }


def schedule(insecure: int) -> dict:
    root, lineage, application, purpose = fixed("root"), fixed("lineage"), "records", "rows"
    info = b"caisson/cluster/application/v1\0" + bytes([insecure]) + u64(3) + bytes([3]) + text(application)
    key = hkdf(root, lineage, info, 32)
    authority = hkdf(root, lineage, b"caisson/cluster/authority/v1\0" + bytes([insecure]) + u64(3), 32)
    salt, aad, plain = fixed("salt"), b"row 7", b"what nobody else reads"
    both = hkdf(key, salt, b"caisson/cluster/data/v1\0" + u64(3) + text(application) + text(purpose), 44)
    head = b"\x01" + u64(3) + salt
    cipher = AES.new(both[:32], AES.MODE_GCM, nonce=both[32:])
    cipher.update(sha(lineage + head + aad))
    body, tag = cipher.encrypt_and_digest(plain)
    secret = hkdf(key, lineage, b"caisson/cluster/secret/v1\0" + u64(3) + text(application) + text(purpose), 32)
    file_both = hkdf(secret, salt, b"caisson/cluster/file/v1\0" + u64(3) + text(purpose), 44)
    file_head = b"CSF1" + u64(3) + salt
    file_cipher = AES.new(file_both[:32], AES.MODE_GCM, nonce=file_both[32:])
    file_cipher.update(file_head)
    file_body, file_tag = file_cipher.encrypt_and_digest(plain)
    return {"program_secret": secret, "file": file_head + file_body + file_tag,
            "insecure": bool(insecure), "root": root, "lineage": lineage, "epoch": 3, "application": application, "purpose": purpose,
            "application_key": key, "authority_secret": authority, "salt": salt, "aad": aad, "plain": plain,
            "sealed": head + body + tag}


def plain(value):
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    return value.hex() if isinstance(value, bytes) else value


def main() -> None:
    made = json.dumps(plain({"messages": messages(), "keys": [schedule(0), schedule(1)]}), indent=1) + "\n"
    if sys.argv[1:] == ["--check"]:
        if not TARGET.exists() or TARGET.read_text() != made:
            raise SystemExit(f"{TARGET} is not what this script writes")
        return
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(made)


if __name__ == "__main__":
    main()
