#!/usr/bin/env python3
"""A long statement of usage records: how long a node's answers take until it is written and checked, and how long it takes to verify
the file offline. One node with a real state; records are signed by a real enclave key.

    CAISSON_BUILD=… build/tools/venv/bin/python bench/statement.py [LINES]        100,000 unless it is said

Prints JSON: seconds of `caisson ledger statement` and `caisson ledger verify` by format (the best of three; the processor's beside
those of the clock, which a busy machine makes longer), sizes, and how long the ledger took to take the records.
"""
from __future__ import annotations

import base64
import ctypes
import ctypes.util
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools")]

from ledger import usage_world as uw  # noqa: E402
from ledger.accounts import ALICE  # noqa: E402
from lib import usage  # noqa: E402
from lib.ledger_tx import Call  # noqa: E402
from lib.rpc import wait_for  # noqa: E402

RECORDS_OF_A_CALL, GAS, RUNS = 64, 12_000_000, 3
# Of the tests' networks: blocks without end. The node here keeps the pace that it comes with.
TESTS_PACE = 'timeout_commit = "50ms"\ncreate_empty_blocks_interval = "0s"\n'
# Transactions that wait: what a few blocks take.
WINDOW = 40


class Signer:
    """BIP-340 by libsecp256k1: Python's own takes milliseconds for each."""

    def __init__(self, secret: int):
        self.lib = ctypes.CDLL(ctypes.util.find_library("secp256k1"))
        self.lib.secp256k1_context_create.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.lib.secp256k1_context_create(1))
        self.pair = ctypes.create_string_buffer(96)
        assert self.lib.secp256k1_keypair_create(self.context, self.pair, secret.to_bytes(32, "big")) == 1

    def sign(self, digest: bytes) -> bytes:
        out = ctypes.create_string_buffer(64)
        assert self.lib.secp256k1_schnorrsig_sign32(self.context, out, digest, self.pair, bytes(32)) == 1
        return out.raw


def records(world: uw.World, count: int, enclave: bytes, signer: Signer):
    observed = world.block_time()
    for nonce in range(1, count + 1):
        record = usage.Record(nonce.to_bytes(32, "big"), uw.PROVIDER.address, uw.CONSUMER.address, b"model training", enclave,
                              usage.label("rows"), 1000 + nonce, 2 * 10**18, observed, nonce)
        record.signature = signer.sign(record.digest(world.bank.chain))
        yield record


def count_of(world: uw.World) -> int:
    done = uw.caisson("query", "usage.statementOf", uw.hx(uw.PROVIDER.address), 1, world.month.replace("-", ""), "--url", world.url)
    return int(done.stdout.split()[0], 16)


def fill(world: uw.World, count: int) -> float:
    enclave, signer = world.make().enclave, Signer(uw.ENCLAVE)
    sequence, batch, sent, begun = world.bank.sequence(ALICE.address), [], 0, time.monotonic()

    def send() -> None:
        nonlocal sequence, sent
        tx = world.bank.sign(ALICE, [Call(uw.USAGE, 0, usage.calldata(batch))], sequence=sequence, gas_limit=GAS)
        sequence, sent = sequence + 1, sent + len(batch)
        answer = world.node.call("broadcast_tx_sync", tx=base64.b64encode(tx).decode())
        assert answer["code"] == 0, answer
        batch.clear()

    for record in records(world, count, enclave, signer):
        batch.append(record)
        if len(batch) == RECORDS_OF_A_CALL:
            send()
            if sequence % WINDOW == 0:
                wait_for(lambda: world.bank.sequence(ALICE.address) == sequence, 600, "records in blocks")
    if batch:
        send()
    wait_for(lambda: count_of(world) == count, 600, "all records in blocks")
    return time.monotonic() - begun


def processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(*args) -> tuple[float, float]:
    """By the clock, of the processor."""
    begun, used = time.monotonic(), processor()
    done = uw.caisson(*args)
    assert done.returncode == 0, done.stderr
    return round(time.monotonic() - begun, 2), round(processor() - used, 2)


def at_its_own_pace(config: str) -> str:
    assert TESTS_PACE in config
    return config.replace(TESTS_PACE, "")


def measure(world: uw.World, fmt: str) -> dict:
    made, verified, signatures = [], [], []
    for run in range(RUNS):
        path = world.folder / f"{fmt}-{run}"
        made.append(timed("statement", "--party", uw.hx(uw.PROVIDER.address), "--role", "provider", "--period", world.month, "--format",
                          fmt, "--out", path, "--url", world.url))
        with path.open() as file:
            height = int(file.read(65536).split('"height":')[1].split(",")[0])
        anchor = ("--app-hash", world.app_hash(height))
        verified.append(timed("verify", path, *anchor))
        if run == 0:
            signatures.append(timed("verify", path, "--signatures", *anchor))
        size = path.stat().st_size
        path.unlink()
    return {"made_s": min(made), "verified_s": min(verified), "with_signatures_s": min(signatures), "file_mb": round(size / 1e6, 1)}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder, uw.begin(Path(folder), at_its_own_pace) as net:
        net.wait_height(2)
        world = uw.World(Path(folder), net.nodes[0])
        world.register_enclave()
        out = {"lines": count, "recorded_s": round(fill(world, count), 1)}
        tip = world.node.height()
        wait_for(lambda: world.node.height() > tip + 1, 60, "the state's hash in a header")
        out |= {fmt: measure(world, fmt) for fmt in ("jsonl", "json", "csv")}
        with Path("/proc/loadavg").open() as load:
            out["load"] = load.read().split()[:3]
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
