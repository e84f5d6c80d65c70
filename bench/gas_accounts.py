#!/usr/bin/env python3
"""What a pool of gas accounts does for a burst: N = 1 against N = 4, in one run. docs/performance.md keeps the figures.

    CAISSON_BUILD=build/bench build/tools/venv/bin/python bench/gas_accounts.py [--burst N] [--rounds N]

Two anvil chains with 1 s blocks; each message is a transaction (relay.batch_max = 1), so that what limits is the accounts and not the batch. For
each number of transactions that an account may have under way, the two worlds take the same burst in turns: messages delivered by the seconds from
the first source block of it to the last delivery. Times are those of blocks, as the chains have them.
"""
from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("tests", "tools")]
from lib import abi  # noqa: E402
from lib.rpc import wait_for  # noqa: E402
from lib.world import GAS_MONEY_WEI, SEND_GAS, World  # noqa: E402

POOLS, IN_FLIGHT = (1, 4), (2, 32)
STATUS = "MessageStatus(bytes32,bytes32,uint64,uint8)"
TIMEOUT_S = 300


class Pooled(World):
    """Messages go from the first chain to the second, whose gateway has the pool."""

    def __init__(self, folder: Path, accounts: int, in_flight: int):
        super().__init__(folder, "anvil", expire=("tombstone", "tombstone"), relay={"batch_max": 1}, gas_limit=60_000_000)
        self.accounts, self.in_flight = accounts, in_flight

    def write_gateways(self) -> None:
        super().write_gateways()
        config = self.gateways[1].config
        more = f"gas_accounts = {self.accounts}\nin_flight_max = {self.in_flight}\n"
        config.write_text(config.read_text().replace("operator_key_file", more + "operator_key_file"))

    def pool(self) -> list[dict]:
        return [a for a in self.gateways[1].get("/v1/chains")["chains"][0]["accounts"] if a["role"] == "gas"]

    def fund(self) -> None:
        for account in self.pool():
            self.chains[1].rpc.call("anvil_setBalance", account["address"], hex(GAS_MONEY_WEI))
        wait_for(lambda: all(a["balance"] not in (None, "0") for a in self.pool()), 60, "balances")


def burst(world: World, count: int) -> float:
    """Messages delivered a second."""
    here, there = world.sides
    rpc, first = there.chain.rpc, there.chain.rpc.block_number() + 1
    to = there.chain.erc7930(there.app.address)
    sent = [here.gateway.send(here.user, "sendMessage", to, b"x" * 64, [], gas=SEND_GAS) for _ in range(count)]
    receipts = [here.chain.rpc.wait_receipt(tx) for tx in sent]
    begin = min(int(here.chain.rpc.call("eth_getBlockByNumber", r["blockNumber"], False)["timestamp"], 16) for r in receipts)
    wanted = {abi.to_hex(here.gateway.events("MessageCommitted", r)[0]["messageId"]) for r in receipts}
    blocks: dict[str, str] = {}

    def complete() -> bool:
        if rpc.block_number() < first:  # anvil refuses a range that has not begun
            return False
        logs = rpc.call("eth_getLogs", {"address": there.gateway.address, "fromBlock": hex(first), "topics": [abi.topic(STATUS)]})
        blocks.update({log["topics"][1]: log["blockNumber"] for log in logs})
        return wanted <= set(blocks)

    wait_for(complete, TIMEOUT_S, f"the delivery of {count}", 0.5)
    last = max(int(blocks[m], 16) for m in wanted)
    end = int(rpc.call("eth_getBlockByNumber", hex(last), False)["timestamp"], 16)
    return count / (end - begin)


def compare(in_flight: int, count: int, rounds: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        with Pooled(Path(folder) / "one", POOLS[0], in_flight) as one, Pooled(Path(folder) / "several", POOLS[1], in_flight) as several:
            worlds, rates = (one, several), {n: [] for n in POOLS}
            for world in worlds:
                world.fund()
                burst(world, 8)
            for _ in range(rounds):
                for world in worlds:
                    rates[world.accounts].append(round(burst(world, count), 1))
    return {"in_flight_max": in_flight, "burst": count, **{f"accounts_{n}_per_s": sorted(r) for n, r in rates.items()},
            "ratio": round(statistics.median(rates[POOLS[1]]) / statistics.median(rates[POOLS[0]]), 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--burst", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    for in_flight in IN_FLIGHT:
        print(json.dumps(compare(in_flight, given.burst, given.rounds)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
