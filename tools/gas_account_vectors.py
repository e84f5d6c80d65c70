#!/usr/bin/env python3
"""Makes tests/vectors/gas_accounts/gas_accounts.json: the keys and addresses of a chain's pool of gas accounts.

Written from docs/protocol/boundary.md with the HMAC of Python's library and the secp256k1 of tests/lib; no code is shared with the C.

    tools/gas_account_vectors.py            write the file
    tools/gas_account_vectors.py --check    fail if it differs from what would be written
"""
import hashlib
import hmac
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from lib import crypto  # noqa: E402

OUT = ROOT / "tests" / "vectors" / "gas_accounts" / "gas_accounts.json"
ACCOUNTS = 16
LABEL = b"caisson/gas-account/v1\0"


def some(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def hkdf(key: bytes, info: bytes) -> bytes:
    """RFC 5869 with SHA-256, no salt, 32 bytes: one block."""
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def account(gas: bytes, identity: bytes, index: int) -> bytes:
    if index == 0:
        return gas
    for count in range(8):
        key = hkdf(gas, LABEL + identity + index.to_bytes(4, "big") + bytes([count]))
        if 0 < int.from_bytes(key, "big") < crypto.N:
            return key
    raise SystemExit("no key in eight tries: the probability is 2^-1024")


def pool(gas: bytes, identity: bytes) -> dict:
    keys = [account(gas, identity, i) for i in range(ACCOUNTS)]
    return {"gas": "0x" + gas.hex(), "identity": "0x" + identity.hex(),
            "accounts": [{"key": "0x" + k.hex(), "address": "0x" + crypto.address(int.from_bytes(k, "big")).hex()} for k in keys]}


def main() -> int:
    pools = [pool(some("gas 1"), some("chain 1")), pool(some("gas 1"), some("chain 2")), pool(some("gas 2"), some("chain 1")),
             pool((1).to_bytes(32, "big"), bytes(32)), pool((crypto.N - 1).to_bytes(32, "big"), b"\xff" * 32)]
    text = json.dumps({"pools": pools}, indent=1) + "\n"
    if "--check" in sys.argv:
        return OUT.read_text() != text
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
