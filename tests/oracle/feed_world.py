"""Feeds of a real contract on anvil, their sources on a real nginx, and what their scheduler did with them."""
from __future__ import annotations

import json
import re
from pathlib import Path

import oracle_vectors as ov
from lib import abi
from lib.oracle import FEED_SETTINGS, OracleWorld, median, source, spec
from lib.rpc import wait_for
from lib.sources import Sources
from lib.tools import closed_port

NAMES = ["one.example.test", "two.example.test", "three.example.test"]
E8 = 10**8
WAIT_S = 40
SETTINGS = FEED_SETTINGS | {"deviation": 10_000}
AHEAD = 12  # so many feeds are added at once, for which the owner waits once
# Quick, and with nothing left to chance: a test that wants jitter or jumps says so.
QUICK = {"poll_ms": 2000, "jitter_ms": 0, "lead_ms": 1000, "pause_max_ms": 4000}


def quick(overrides: dict) -> dict:
    merged = QUICK | overrides
    return merged | {"pause_max_ms": max(merged["poll_ms"], merged["pause_max_ms"])}


class Feed:
    """One feed of the contract: its prices, its events, its rounds in the oracle's journal."""

    def __init__(self, world: FeedWorld, name: str, text: bytes, added: dict):
        self.world, self.name, self.spec = world, name, text
        self.index, self.view, self.uptime = added["index"], added["view"], added["uptime"]

    @property
    def path(self) -> str:
        return f"/v1/oracle/feeds/{self.world.contract.address.lower()}/{self.index}"

    def price(self, *prices) -> None:
        for name, price in zip(NAMES, prices if len(prices) > 1 else prices * len(NAMES)):
            self.world.sources.set(name, self.name, {"price": str(price)})

    def list(self, **overrides) -> dict:
        return self.world.oracle.list_feed(self.index, self.spec, **quick(overrides))

    def show(self, oracle=None, limit: int = 100) -> dict:
        return (oracle or self.world.oracle).get(self.path, limit=limit)

    def change(self, verb: str) -> dict:
        return self.world.oracle.post(f"{self.path}:{verb}")

    def remove(self) -> None:
        status, body = self.world.oracle.request("DELETE", self.path)
        assert status == 204, body

    def rounds(self, outcome: str | None = None, oracle=None) -> list[dict]:
        """Newest first."""
        return [r for r in self.show(oracle)["rounds"] if outcome in (None, r["outcome"])]

    def updates(self) -> list[dict]:
        """FeedUpdated of this feed, oldest first."""
        return self.world.updates(self.index)

    def value(self) -> int:
        return self.view.read("latestRoundData")[1]

    def wait(self, condition, what: str, timeout_s: float = WAIT_S):
        """condition(what REST says of the feed)"""
        def met():
            shown = self.show()
            return shown if condition(shown) else None

        return wait_for(met, timeout_s, f"{what} of feed {self.index} ({self.world.oracle.log})", 0.1)

    def wait_value(self, value: int, timeout_s: float = WAIT_S) -> dict:
        """Until the contract holds it; its update."""
        return wait_for(lambda: next((u for u in self.updates() if u["value"] == value), None), timeout_s,
                        f"{value} at feed {self.index} ({self.world.oracle.log})", 0.1)

    def wait_rounds(self, more: int) -> list[dict]:
        """Until so many further rounds are journalled; these."""
        last = next(iter(self.rounds()), {"n": 0})["n"]
        return wait_for(lambda: (new := [r for r in self.rounds() if r["n"] > last]) and len(new) >= more and new, WAIT_S,
                        f"{more} rounds of feed {self.index} ({self.world.oracle.log})", 0.2)


class FeedWorld(OracleWorld):
    def __init__(self, folder: Path, chain, **more):
        self.sources = Sources(folder / "sources", NAMES)
        self.nobody = closed_port()
        self.closed = self.nobody.getsockname()[1]
        try:
            super().__init__(folder / "world", chain, self.sources.store, self.sources.authority.hash, NAMES, **more)
        except BaseException:
            self.sources.close()
            raise
        self.contract = self.contracts.feeds
        self.count = 0
        self.spare: list[Feed] = []

    def __exit__(self, *what):
        try:
            super().__exit__(*what)
        finally:
            self.sources.close()

    def spec_of(self, name: str, count: int = 3, k: int = 2, spread_ppm: int | None = None, down: int | None = None) -> bytes:
        urls = [f"https://{NAMES[i]}:{self.closed}/{name}" if i == down else self.sources.url(NAMES[i], name) for i in range(count)]
        return spec(*(source(url) for url in urls), aggregate=median(k, spread_ppm))

    def feed(self, *prices, settings: dict | None = None, **spec_of) -> Feed:
        """Added by the owner, not listed yet; one of its own settings or spec is added now, another was perhaps added before."""
        if settings or spec_of:
            [made] = self.add(1, settings or {}, **spec_of)
        else:
            self.spare = self.spare or self.add(AHEAD, {})
            made = self.spare.pop(0)
        made.price(*prices)
        return made

    def add(self, count: int, settings: dict, **spec_of) -> list[Feed]:
        names = [f"feed{self.count + i}" for i in range(1, count + 1)]
        self.count += count
        texts = [self.spec_of(name, **spec_of) for name in names]
        added = self.contracts.add_feeds([SETTINGS | {"specHash": ov.spec_hash(text)} | settings for text in texts])
        return [Feed(self, *parts) for parts in zip(names, texts, added)]

    def updates(self, index: int | None = None) -> list[dict]:
        topics = [] if index is None else [f"0x{index:064x}"]
        return self.contracts.logs(self.contract, "FeedUpdated", 0, *topics)

    def metrics(self, name: str, **labels) -> float | None:
        for line in self.oracle.get("/metrics").splitlines():
            match = re.fullmatch(name + r"\{(.*)\} (\S+)", line)
            if match and all(f'{k}="{v}"' in match[1] for k, v in labels.items()):
                return float(match[2])
        return None

    def calldata(self, tx: str) -> bytes:
        return abi.to_bytes(self.chain.rpc.call("eth_getTransactionByHash", tx)["input"])

    def log_events(self, event: str) -> list[str]:
        return [line for line in self.oracle.log.read_text(errors="replace").splitlines() if event in line]


def body_of(feed: Feed, **over) -> dict:
    return {"contract": feed.world.contract.address.lower(), "chain": feed.world.chain.caip2, "index": feed.index,
            "spec": json.loads(feed.spec), **over}
