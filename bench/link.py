#!/usr/bin/env python3
"""Bytes of a message on the lines of a bridge: each gateway's to its node, and between the gateways. docs/scale.md keeps the figures.

    CAISSON_BUILD=build/bench build/tools/venv/bin/python bench/link.py [--messages N]

Two anvil chains with 1 s blocks; what both directions carry over TCP is counted, without TCP's own heads, by a relay on each line. What the same
lines carry when nothing is sent is taken off, by blocks. Counts, not times: what else the machine does changes little.
"""
from __future__ import annotations

import argparse
import json
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("tests", "tools")]
from adapters.proxies import Relay  # noqa: E402
from lib import abi, deploy  # noqa: E402
from lib.rpc import create, wait_for  # noqa: E402
from lib.world import World  # noqa: E402

SEND_GAS, PAYLOAD = 200_000, b"x" * 64
IDLE_BLOCKS, TIMEOUT_S = 20, 300
SIZES = (1, 25, 100)  # messages in a transaction


class Counted(Relay):
    def __init__(self, port: int):
        self.bytes, self.lock = 0, threading.Lock()
        super().__init__(port)

    def _copy(self, a: socket.socket, b: socket.socket) -> None:
        class Both:
            def recv(_, size: int) -> bytes:
                data = a.recv(size)
                with self.lock:
                    self.bytes += len(data)
                return data

            def shutdown(_, how: int) -> None:
                a.shutdown(how)

        super()._copy(Both(), b)


class Wired(World):
    """Every line of the gateways goes through a relay that counts."""

    def write_gateways(self) -> None:
        super().write_gateways()
        self.nodes = [Counted(chain.port) for chain in self.chains]
        self.peers = [Counted(self.gateways[1 - i].port) for i in range(2)]
        for i, gateway in enumerate(self.gateways):
            text = gateway.config.read_text()
            lines = ((self.chains[i].port, self.nodes[i]), (self.gateways[1 - i].port, self.peers[i]))
            for port, line in lines:
                assert f":{port}\"" in text
                text = text.replace(f":{port}\"", f":{line.port}\"")
            gateway.config.write_text(text)

    def carried(self) -> dict[str, int]:
        return {"source's node": self.nodes[0].bytes, "destination's node": self.nodes[1].bytes, "between gateways": sum(p.bytes for p in self.peers),
                "blocks": sum(c.rpc.block_number() for c in self.chains) // 2}


def difference(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {name: after[name] - before[name] for name in after}


def send(world: World, count: int, size: int) -> list[str]:
    here, there = world.sides
    to = deploy.erc7930(there.chain.chain_id, world.recipient)
    sent = [here.app.send(here.user, "sendMany", size, to, PAYLOAD, [], gas=100_000 + SEND_GAS * size) for _ in range(count // size)]
    receipts = [here.chain.rpc.wait_receipt(tx) for tx in sent]
    return [abi.to_hex(e["messageId"]) for r in receipts for e in here.gateway.events("MessageCommitted", r)]


def measure(world: Wired, count: int, size: int, idle: dict[str, float]) -> dict:
    before = world.carried()
    ids = send(world, count, size)
    wait_for(lambda: all(world.gateways[0].message(i)["ended"] for i in (ids[-1], ids[0])), TIMEOUT_S, "the end")
    for i in ids:
        world.gateways[0].ends(i)
    time.sleep(5)  # what is told last
    told = difference(before, world.carried())
    return {"in a transaction": size, "messages": len(ids), **{f"{name}, bytes a message": round((told[name] - idle[name] * told["blocks"]) / len(ids)) for name in idle}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=400)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Wired(Path(folder), "anvil", block_time=1, gas_limit=60_000_000) as world:
        world.recipient = create(world.sides[1].chain.rpc, world.sides[1].owner, deploy.artifact("test/NullRecipient")).address
        for i in send(world, 25, 25):
            world.gateways[0].ends(i)
        time.sleep(5)
        before = world.carried()
        world.chains[0].rpc.wait_blocks(IDLE_BLOCKS)
        quiet = difference(before, world.carried())
        idle = {name: quiet[name] / quiet["blocks"] for name in quiet if name != "blocks"}
        print(json.dumps({f"{name}, bytes a block of nothing": round(value) for name, value in idle.items()}), flush=True)
        for size in SIZES:
            print(json.dumps(measure(world, min(given.messages, 40 * size), size, idle)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
