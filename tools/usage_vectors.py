#!/usr/bin/env python3
"""Makes tests/vectors/usage/records.json: usage records with what is signed, their amounts and lines, statements of them, and
periods; and the corpus of tests/fuzz/fuzz_ledger_usage.c: stories of calls.

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
CORPUS = ROOT / "tests" / "fuzz" / "corpus" / "ledger_usage"

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


# ---- stories for the fuzzer: its ledger's people are the bytes 0x11 to 0x15 ----

TAG, START = b"\xc4" * 32, 1767225600
OWNER, GUARDIAN, SELLER, BUYER, JUDGE = 0x11, 0x12, 0x13, 0x14, 0x15
TASKS, USAGE = 8, 6
MONTH = 202601


def later(seconds: int) -> bytes:
    return b"\0" + seconds.to_bytes(4, "big")


def step(contract: int, caller: int, data: bytes, value: int = 0) -> bytes:
    return bytes([contract, caller]) + value.to_bytes(4, "big") + len(data).to_bytes(2, "big") + data


def words(signature: str, *values) -> bytes:
    return crypto.keccak(signature.encode())[:4] + b"".join(
        v.rjust(32, b"\0") if isinstance(v, bytes) else crypto.word(v) for v in values)


def sold(nonce: int, at: int = START, **over) -> usage.Record:
    values = {"data_hash": crypto.keccak(b"data"), "provider": bytes([SELLER]) * 20, "consumer": bytes([BUYER]) * 20,
              "purpose": b"research", "enclave": b"", "metric": usage.label("rows"), "quantity": 10 + nonce,
              "price": 3 * 10 ** 18, "observed_s": at, "nonce": nonce}
    return usage.Record(**values | over).sign(KEYS[0], TAG)


def sale(*nonces: int, **over) -> bytes:
    return step(USAGE, OWNER, usage.calldata([sold(n, **over) for n in nonces]))


def disputed(name: str, caller: int, nonce: int, *amount: int) -> bytes:
    x = crypto.public_key(KEYS[0])[:32]
    types = "bytes32,uint64,uint256,bytes32" if amount else "bytes32,uint64,bytes32"
    return step(USAGE, caller, words(f"{name}({types})", x, nonce, *amount, crypto.keccak(b"reason")))


def prune(role: int, party: int) -> bytes:
    return step(USAGE, OWNER, words("prune(address,uint8,uint32,uint64)", bytes([party]) * 20, role, MONTH, 100))


def task(caller: int = BUYER, count: int = 0) -> bytes:
    return crypto.keccak(lt.tag("caisson/task/v1") + TAG + (bytes([caller]) * 20).rjust(32, b"\0") + crypto.word(count))


def by_enclave(name: str, state: int, first: bytes, second: bytes, shown: list[bytes]) -> bytes:
    x = crypto.public_key(KEYS[0])[:32]
    digest = crypto.keccak(lt.tag("caisson/task/step/v1") + TAG + task() + crypto.word(state) + x + first + second)
    signature = crypto.schnorr_sign(KEYS[0], digest)
    types = ",".join(["bytes32"] * (len(shown) + 3))
    return step(TASKS, SELLER, words(f"{name}({types})", task(), *shown, signature[:32], signature[32:]))


def stories() -> dict[str, bytes]:
    x, none = crypto.public_key(KEYS[0])[:32], bytes(32)
    submit = step(TASKS, BUYER, words("submit(bytes32,bytes32,uint64)", b"\1" * 32, b"\2" * 32, START + 1000))
    start = by_enclave("start", 2, none, none, [x])
    done = by_enclave("done", 3, b"\3" * 32, b"\4" * 32, [b"\3" * 32, b"\4" * 32])
    fail = by_enclave("fail", 4, b"\5" * 32, none, [b"\5" * 32])
    id_word = lambda name, caller: step(TASKS, caller, words(f"{name}(bytes32)", task()))  # noqa: E731
    views = step(USAGE, OWNER, words("statementOf(address,uint8,uint32)", bytes([SELLER]) * 20, 1, MONTH))
    views += step(USAGE, OWNER, words("lines(address,uint8,uint32,uint64,uint64)", bytes([BUYER]) * 20, 2, MONTH, 0, 80))
    pay = step(USAGE, BUYER, words("settle(address,uint32,uint256)", bytes([SELLER]) * 20, MONTH, 33), 33)
    return {
        "records-and-views": sale(1, 2, 3) + views,
        "a-replay": sale(1) + sale(1),
        "decided": sale(1) + disputed("dispute", BUYER, 1, 20) + disputed("reject", SELLER, 1) + disputed("appeal", BUYER, 1) +
        disputed("decide", JUDGE, 1, 7),
        "accepted-and-paid": sale(1) + pay + disputed("dispute", BUYER, 1, 33) + disputed("accept", SELLER, 1) + pay,
        "silent-provider": sale(1) + disputed("dispute", BUYER, 1, 5) + later(86400) + disputed("appeal", BUYER, 1) +
        disputed("withdraw", BUYER, 1),
        "pruned": sale(1, 2) + later(86400 // 2) + sale(3, at=START + 86400 // 2) + later(4 * 86400 - 86400 // 2) + prune(1, SELLER) +
        prune(2, BUYER) + views + sale(1),
        "the-largest": sale(1, quantity=2 ** 256 - 1, price=1) + sale(2, quantity=2 ** 255, price=1, metric=usage.label("bytes")),
        "overflow": sale(1, quantity=2 ** 256 - 1, price=10 ** 18),
        "task-done": submit + start + done + fail,
        "task-failed": submit + start + fail + done,
        "task-cancelled": submit + id_word("cancel", BUYER) + start,
        "task-expired": submit + start + later(1000) + done + id_word("expire", OWNER),
        "a-metric": step(USAGE, OWNER, words("registerMetric(bytes32,uint8,bytes32)", usage.label("files"), 2, usage.label("file"))) +
        sale(1, metric=usage.label("files"), quantity=199),
    }


def main() -> int:
    text = json.dumps(document(), indent=1) + "\n"
    if "--check" in sys.argv:
        return OUT.read_text() != text or any((CORPUS / name).read_bytes() != data for name, data in stories().items())
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(text)
    CORPUS.mkdir(parents=True, exist_ok=True)
    for name, data in stories().items():
        (CORPUS / name).write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
