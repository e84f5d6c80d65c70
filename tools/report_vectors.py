#!/usr/bin/env python3
"""Makes tests/vectors/report/report.json: report data of every role and freshness, and lists of keys.

Written from docs/protocol/report.md (tests/lib/report.py) with the Keccak-256 of tests/lib; no code is shared with the C.

    tools/report_vectors.py            write the file
    tools/report_vectors.py --check    fail if it differs from what would be written
"""
import hashlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.lib import report  # noqa: E402

OUT = ROOT / "tests" / "vectors" / "report" / "report.json"


def hx(data: bytes) -> str:
    return "0x" + data.hex()


def some(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


NONCES = [bytes(range(16)), bytes(range(32)), bytes(range(64))]
TLS = [(some("exporter"), False, some("client"), some("server")), (some("exporter"), True, some("client"), some("server")),
       (some("exporter"), False, some("server"), some("client"))]
ISSUED = [0, 1767225600, 2 ** 64 - 1]
KEYS = [[], [(some("chain 1"), 1, some("x 1"), bytes(range(1, 21)))],
        [(some("chain 1"), 1, some("x 1"), bytes(range(1, 21))), (some("chain 1"), 2 ** 64 - 1, some("x 2"), bytes(range(1, 21))),
         (some("secrets"), 1, some("x 3"), bytes(20))]]


def fresh_cases() -> list[tuple[dict, tuple[bytes, bytes]]]:
    out = [({"nonce": hx(n)}, report.nonce(n)) for n in NONCES]
    out += [({"tls": {"exporter": hx(e), "from_server": s, "client_spki": hx(c), "server_spki": hx(v)}}, report.tls(e, s, c, v))
            for e, s, c, v in TLS]
    return out + [({"issued": str(s)}, report.issued(s)) for s in ISSUED]


def reports() -> list[dict]:
    out = []
    for i, (given, fresh) in enumerate(fresh_cases()):
        one = report.Report(report.ROLES[i % len(report.ROLES)], some(f"key {i}"), fresh, some("manifest"), 1 + i, some("lineage"),
                            some("schema"), (0, 3, 2 ** 64 - 1)[i % 3])
        out.append({"role": one.role, "key": hx(one.key), "fresh": given, "manifest_hash": hx(one.manifest_hash),
                    "manifest_number": str(one.manifest_number), "lineage": hx(one.lineage),
                    "schema_digest": hx(one.schema_digest), "insecure_flags": str(one.insecure_flags),
                    "preimage": hx(one.preimage()), "report_data": hx(one.data())})
    return out


def key_lists() -> list[dict]:
    out = []
    for rows in KEYS:
        given = [dict(zip(("chain", "epoch", "public_key", "gas_address"), row)) for row in rows]
        out.append({"keys": [{k: str(v) if k == "epoch" else hx(v) for k, v in row.items()} for row in given],
                    "hash": hx(report.keys(given))})
    return out


def main() -> int:
    text = json.dumps({"reports": reports(), "key_lists": key_lists()}, indent=1) + "\n"
    if "--check" in sys.argv:
        return OUT.read_text() != text
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
