#!/usr/bin/env python3
"""From a block to its event, where the first of two endpoints hangs, or is slow once in a while: without hedged reads and with them.

    CAISSON_BUILD=… build/tools/venv/bin/python bench/hedge.py [MESSAGES]        100 unless it is said

One anvil that mines each transaction; the first endpoint is a proxy in front of it, the second the node itself. Prints JSON: for each
manner and both ways the seconds from the receipt to the event (median, 99 of 100, longest), requests to both endpoints, hedges, load.
"""
from __future__ import annotations

import itertools
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools")]

from adapters.driver import Driver, Gateway  # noqa: E402
from adapters.proxies import RpcProxy  # noqa: E402
from lib import chains  # noqa: E402

# The defaults of chains[].hedge_…, and none.
WAYS = {"off": {}, "on": {"hedge_percent": 10, "hedge_delay_min_ms": 50, "hedge_delay_max_ms": 1000}}
SLOW_EVERY, SLOW_S = 50, 2


def hangs(proxy) -> None:
    def before(calls):
        threading.Event().wait(60)

    proxy.before = before


def is_slow_at_times(proxy) -> None:
    """Every 50th HTTP request takes two seconds."""
    count = itertools.count(1)

    def before(calls):
        if next(count) % SLOW_EVERY == 0:
            time.sleep(SLOW_S)

    proxy.before = before


def measure(gateway: Gateway, manner, config: dict, messages: int) -> dict:
    with RpcProxy(gateway.chain.url) as proxy, \
            Driver(gateway, http=[proxy.url, gateway.chain.url], ws=[], poll_ms=100, **config) as driver:
        driver.wait_height(gateway.chain.rpc.block_number())
        for i in range(10):
            driver.wait_messages(gateway.sent(gateway.send(1, b"warm %d" % i)))
        manner(proxy)
        took = []
        for i in range(messages):
            ids = gateway.sent(gateway.send(1, b"%d" % i))
            begin = time.monotonic()
            driver.wait_messages(ids, 120)
            took.append(time.monotonic() - begin)
        points = driver.ask("endpoints")["endpoints"]
    took.sort()
    return {"median_s": round(took[len(took) // 2], 3), "p99_s": round(took[-(-len(took) * 99 // 100) - 1], 3), "longest_s": round(took[-1], 3),
            "requests": [p["requests"] for p in points], "hedges": points[1]["hedges"] + points[0]["hedges"], "won": points[1]["hedges_won"]}


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    out: dict = {"messages": messages}
    with tempfile.TemporaryDirectory() as folder, chains.Anvil(Path(folder), mining="auto") as chain:
        chain.mining = "auto"
        gateway = Gateway(chain)
        for name, manner in (("hangs", hangs), ("slow_at_times", is_slow_at_times)):
            out[name] = {way: measure(gateway, manner, config, messages) for way, config in WAYS.items()}
        with Path("/proc/loadavg").open() as load:
            out["load"] = load.read().split()[:3]
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
