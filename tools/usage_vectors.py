#!/usr/bin/env python3
"""Makes tests/vectors/usage/records.json: usage records with what is signed, their amounts and lines, statements of them, and
periods.

Written from docs/protocol/usage.md (tests/lib/usage.py), with the Keccak-256 and BIP-340 of tests/lib, hashlib and Python's
calendar, which share no code with the C.

    tools/usage_vectors.py            write the file
    tools/usage_vectors.py --check    fail if it differs from what would be written
"""
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.lib import crypto, ledger_tx as lt, usage  # noqa: E402

OUT = ROOT / "tests" / "vectors" / "usage" / "records.json"

CHAIN = lt.chain_tag("caisson-test-1", 1767225600, 1, bytes(range(32)))
PROVIDER, CONSUMER, ARBITER = b"\x11" * 20, b"\x22" * 20, b"\x33" * 20
KEYS = [0xE1, 0xE2, 0xE3]


def hx(data: bytes) -> str:
    return "0x" + data.hex()


def record(secret: int, nonce: int, insecure: bool = False, **over) -> usage.Record:
    values = {"data_hash": crypto.keccak(b"data"), "provider": PROVIDER, "consumer": CONSUMER, "purpose": b"model training",
              "enclave": b"", "metric": usage.label("rows"), "quantity": 1000, "price": 5 * 10 ** 18,
              "observed_s": 1767225600, "nonce": nonce}
    return usage.Record(**values | over).sign(secret, CHAIN, insecure)


# name, decimals of the metric, insecure, the record
RECORDS = [
    ("rows", 0, False, record(KEYS[0], 1)),
    ("without a purpose", 0, False, record(KEYS[0], 2, purpose=b"")),
    ("the longest purpose", 0, False, record(KEYS[1], 2, purpose=bytes(range(64)))),
    ("hours of a processor, rounded down", 3, False,
     record(KEYS[1], 3, metric=usage.label("cpu-hours"), quantity=1999, price=10 ** 18 - 1)),
    ("free", 18, False, record(KEYS[1], 4, metric=usage.label("bytes"), price=0)),
    ("the smallest quantity", 18, False, record(KEYS[2], 2 ** 64 - 1, quantity=1, price=10 ** 36)),
    ("just below the smallest amount", 18, False, record(KEYS[2], 0, quantity=1, price=10 ** 36 - 1)),
    ("the largest product", 18, False, record(KEYS[2], 7, quantity=2 ** 256 - 1, price=1)),
    ("an insecure enclave's", 0, True, record(KEYS[2], 8, insecure=True)),
]
OVERFLOWS = [(2 ** 255, 2), (2 ** 256 - 1, 2 ** 256 - 1), (2 ** 128, 2 ** 128)]
TIMES = [0, 1, 86399, 951782399, 951782400, 951868800, 1709164800, 1709251199, 1709251200, 1767225599, 1767225600,
         1793491199, 1793491200, 4107542399, 4107542400, 13569465600, 253402300799]


def lines() -> list[bytes]:
    out = [usage.charge(r, decimals, 10 + i, 1767225600 + i) for i, (_, decimals, insecure, r) in enumerate(RECORDS)]
    out.append(usage.credit(RECORDS[0][3], 17, 40, 1767225700, ARBITER, crypto.keccak(b"reason")))
    return out


def document() -> dict:
    rows = lines()
    return {
        "chain": hx(CHAIN),
        "records": [{
            "name": name, "decimals": decimals, "insecure": insecure, "data_hash": hx(r.data_hash), "provider": hx(r.provider),
            "consumer": hx(r.consumer), "purpose": hx(r.purpose), "enclave": hx(r.enclave), "metric": hx(r.metric),
            "quantity": str(r.quantity), "price": str(r.price), "observed": str(r.observed_s), "nonce": str(r.nonce),
            "digest": hx(r.digest(CHAIN, insecure)), "signature": hx(r.signature), "amount": str(r.amount(decimals)),
        } for name, decimals, insecure, r in RECORDS],
        "overflows": [{"quantity": str(q), "price": str(p)} for q, p in OVERFLOWS],
        "lines": [hx(row) for row in rows],
        "statements": [{"count": n, "value": hx(usage.statement(rows[:n])), "root": hx(usage.root(rows[:n]))}
                       for n in range(len(rows) + 1)],
        "keys": [{"party": hx(PROVIDER), "role": role, "period": 202601, "pruned": pruned,
                  "key": hx(usage.statement_key(PROVIDER, role, 202601, pruned))}
                 for role in (usage.PROVIDER, usage.CONSUMER) for pruned in (False, True)],
        "periods": [{"time": str(t), "period": usage.period(t)} for t in TIMES],
    }


def main() -> int:
    text = json.dumps(document(), indent=1) + "\n"
    if "--check" in sys.argv:
        return OUT.read_text() != text
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
