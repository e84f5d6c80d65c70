"""Calls for bench_register: enclaves that register with a ledger by evidence generated under roots of the tests, and by
administrators. Each has a key of its own, and its own evidence of one machine of its kind."""
from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests")]

import register_vectors as rv  # noqa: E402

from lib import enclave_evidence as e  # noqa: E402

EACH = 20


def calls() -> str:
    machines = {"sgx": e.Sgx(), "tdx": e.Tdx(), "snp": e.Snp()}
    roots = [*machines["sgx"].roots, *machines["snp"].roots]
    lines = [("set", e.set_policy(1, 2, e.policy(*machines.values()), (), roots)), ("set", e.approve_manifest(rv.LINEAGE, 1, rv.MANIFESTS[1]))]
    for i in range(EACH):
        def keys(kind: int) -> list:
            return [rv.key((1000 * kind + i).to_bytes(32, "big"), 1, 10_000 * kind + i)]
        for kind, (name, machine) in enumerate(machines.items(), 1):
            lines.append((name, rv.register(e.registered(machine, keys=keys(kind)), ())))
        lines.append(("administrators", rv.register(rv.registration(keys=keys(9)))))
    return "".join(f"{name} {data.hex()}\n" for name, data in lines)


if __name__ == "__main__":
    print(calls(), end="")
