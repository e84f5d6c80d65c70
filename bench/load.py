"""Many messages through one pair of gateways, and starts with a backlog. Called by script/bench --only load.

Two anvil chains with 1 s blocks; messages are counted in the blocks of both chains, never in a journal. A backlog is made by
sending while both gateways are stopped, so that it is on the chain alone when they start.
"""
from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("tests", "tools")]
from lib import abi, proc  # noqa: E402
from lib.chains import Chain  # noqa: E402
from lib.world import World  # noqa: E402
from end_to_end import BURST_GAS_LIMIT, COMMITTED, FINALIZED, SEND_GAS, STATUS, STREAM_SLOT_S, Bench, Watcher, percentile, summary  # noqa: E402

MESSAGES, PER_S = 100_000, 300
BACKLOGS = (500, 50_000)
BACKLOG_PER_S = 550  # full blocks, of 778, would leave the gateways a base fee above their bounds
SAMPLE_S = 5
LOGS_BLOCKS = 4  # at once: what a node answers is not to be tens of megabytes
LIVE = 10
LIVE_PAUSE_S = 1.3
RESTART_BEYOND_AIM_S, READY_AIM_S = 5, 5
DELIVERED, FINAL = 2, 2


class Counter:
    """The messages of one event, block by block: messageId → (block, last byte of the event's data)."""

    def __init__(self, chain: Chain, gateway: str, event: str, first: int):
        self.rpc, self.gateway, self.event, self.next, self.found = chain.rpc, gateway, abi.topic(event), first, {}

    def look(self) -> int:
        head = self.rpc.block_number()
        while self.next <= head:
            last = min(head, self.next + LOGS_BLOCKS - 1)
            for log in self.rpc.call("eth_getLogs", {"address": self.gateway, "fromBlock": hex(self.next), "toBlock": hex(last), "topics": [self.event]}):
                if log["topics"][1] in self.found and self.event != abi.topic(STATUS):
                    raise RuntimeError(f"twice: {log['topics'][1]}")
                self.found[log["topics"][1]] = (int(log["blockNumber"], 16), int(log["data"][-2:], 16))
            self.next = last + 1
        return len(self.found)


def counters(world: World) -> tuple[Counter, Counter, Counter]:
    source, destination = world.sides
    first1, first2 = source.chain.rpc.block_number() + 1, destination.chain.rpc.block_number() + 1
    return (Counter(source.chain, source.gateway.address, COMMITTED, first1), Counter(destination.chain, destination.gateway.address, STATUS, first2),
            Counter(source.chain, source.gateway.address, FINALIZED, first1))


def journal_bytes(gateway) -> int:
    return sum((gateway.folder / f"journal.db{end}").stat().st_size for end in ("", "-wal") if (gateway.folder / f"journal.db{end}").exists())


class Memory:
    """Of each gateway and enclave, every few seconds."""

    def __init__(self, world: World):
        self.pids = {f"{g.name} {name.removeprefix('caisson-')}": pid for g in world.gateways for name, pid in g.pids().items() if name != "caisson"}
        self.rows, self.due = [], 0.0

    def look(self, done: int) -> None:
        if time.monotonic() < self.due:
            return
        self.due = time.monotonic() + SAMPLE_S
        self.rows.append({"finalized": done, **{name: round(proc.rss_bytes(pid) / 2**20, 1) for name, pid in self.pids.items()}})

    def at(self, *shares: float) -> list[dict]:
        """At these shares of the messages."""
        most = self.rows[-1]["finalized"]
        return [next(row for row in self.rows if row["finalized"] >= share * most) for share in shares]


def sustained(folder: Path, say, count: int = MESSAGES, per_s: int = PER_S) -> dict:
    with World(folder, "anvil", say, gas_limit=BURST_GAS_LIMIT, log_level="warn") as world:
        bench = Bench(world, say)
        committed, received, finalized = counters(world)
        watch, memory = Watcher(world.chains[0]), Memory(world)
        before, cpu, nonces, sent, begin, said = [journal_bytes(g) for g in world.gateways], bench.cpu(), bench.nonces(), 0, time.monotonic(), 0
        load = os.getloadavg()[0]
        memory.look(0)
        while finalized.look() < count:
            now = time.monotonic() - begin
            sent = bench.send_due(now, sent, per_s, count, nonces)
            memory.look(len(finalized.found))
            if len(finalized.found) >= said + count // 10:
                said = len(finalized.found)
                say(f"{sent} sent, {said} finalized, {memory.rows[-1]}")
            if now > 4 * count / per_s + 120:
                raise TimeoutError(f"{len(finalized.found)} of {sent} finalized")
            time.sleep(max(0.0, begin + now + STREAM_SLOT_S - time.monotonic()))
        took = time.monotonic() - begin
        committed.look()
        received.look()
        watch.stop()
        used = bench.cpu()
        statuses = {name: {status for _, status in counter.found.values()} for name, counter in (("received", received), ("finalized", finalized))}
        equal = set(committed.found) == set(received.found) == set(finalized.found) and statuses == {"received": {DELIVERED}, "finalized": {FINAL}}
        if not equal or len(committed.found) != count:
            raise RuntimeError(f"{len(committed.found)} sent, {len(received.found)} received, {len(finalized.found)} finalized, {statuses}")
        times = [1000 * (watch.seen[finalized.found[i][0]] - watch.seen[block]) for i, (block, _) in committed.found.items()]
        memory.look(count)
        return {"messages": count, "per_s": round(count / took, 1), "load": [round(load, 1), round(os.getloadavg()[0], 1)],
                "send_to_acknowledged_ms": summary(times), "memory_mb": memory.at(0.1, 0.25, 0.5, 0.75, 1), "memory_first": memory.rows[0],
                "journal_bytes_per_message": [round((journal_bytes(g) - b) / count) for g, b in zip(world.gateways, before)],
                "cpu_ms_per_message": round(sum(used[n] - cpu.get(n, 0) for n in used) * 1000 / count, 3)}


def first_after(watch: Watcher, moment: float, further: int = 0) -> float:
    """When the first block after a moment appeared, or the one so many further on."""
    later = sorted(t for t in watch.seen.values() if t > moment)
    return later[further]


def wait_finalized(finalized: Counter, wanted: set[str], timeout_s: float, each=lambda: None) -> None:
    end = time.monotonic() + timeout_s
    while finalized.look() < len(wanted) or not wanted <= set(finalized.found):
        if time.monotonic() > end:
            raise TimeoutError(f"{len(wanted & set(finalized.found))} of {len(wanted)} finalized")
        each()
        time.sleep(0.1)


def start_both(world: World) -> tuple[float, float]:
    """When, and how long until both are healthy."""
    begin, waiting = time.monotonic(), list(world.gateways)
    for gateway in world.gateways:
        gateway.start()
    while waiting:
        waiting = [gateway for gateway in waiting if not gateway.healthy()]
        time.sleep(0.02)
    return begin, time.monotonic() - begin


def heard(gateway) -> int:
    return sum(row["count"] for row in gateway.get("/v1/status")["messages"])


def send_one(bench: Bench, payload: bytes) -> str:
    """Its id, when it is in a block."""
    rpc = bench.source.chain.rpc
    receipt = rpc.wait_receipt(rpc.send(bench.source.user, bench.source.gateway.address, bench.send_data(payload, []), gas=SEND_GAS))
    return abi.to_hex(bench.source.gateway.events("MessageCommitted", receipt)[0]["messageId"])


def restart(folder: Path, say, count: int, live: int = 0) -> dict:
    """Both gateways start with so many messages on the source chain of which they have not heard; with live ones they are killed when the
    source's has them all in its journal, and what is measured is the start after that. Live ones are sent while the old ones wait, and as
    many when all of these have ended, which is what they take alone."""
    with World(folder, "anvil", say, gas_limit=BURST_GAS_LIMIT, log_level="warn") as world:
        bench, (source, _) = Bench(world, say), world.chains
        for gateway in world.gateways:
            gateway.process.ask()
        for gateway in world.gateways:
            gateway.stop()
        committed, received, finalized = counters(world)
        nonces = bench.nonces()
        begin_height = source.rpc.block_number()
        begin, sent, end = time.monotonic(), 0, time.monotonic() + 60 + count / 100
        while sent < count:
            sent = bench.send_due(time.monotonic() - begin, sent, BACKLOG_PER_S, count, nonces)
            time.sleep(STREAM_SLOT_S)
        while committed.look() < count:
            if time.monotonic() > end:
                raise TimeoutError(f"{len(committed.found)} of {count} sent")
            time.sleep(0.2)
        old, blocks = set(committed.found), source.rpc.block_number() - begin_height
        say(f"{count} messages are on the chain, in {blocks} blocks; both gateways start")
        watch1, watch2, load, more = Watcher(source), Watcher(world.chains[1]), os.getloadavg()[0], {}
        start, ready_s = start_both(world)
        if live:
            end = time.monotonic() + 60 + count / 50
            while heard(world.gateways[0]) < count and time.monotonic() < end:
                time.sleep(0.2)
            more = {"first_ready_s": round(ready_s, 2), "heard_s": round(time.monotonic() - start, 2)}
            for gateway in world.gateways:
                gateway.kill()
            more["unfinished"] = count - finalized.look()
            say(f"killed with {more['unfinished']} unfinished ({more})")
            start, ready_s = start_both(world)
        memory = Memory(world)
        rows = []
        for number in range(live):  # new messages, while the old ones wait
            at = time.monotonic()
            rows.append((send_one(bench, b"live"), at - start))
            memory.look(finalized.look())
            time.sleep(LIVE_PAUSE_S)
        committed.look()
        wait_finalized(finalized, set(committed.found), 120 + count / 20, lambda: memory.look(len(finalized.found)))
        alone = []
        for _ in range(live):
            alone.append(send_one(bench, b"alone"))
            time.sleep(LIVE_PAUSE_S)
        committed.look()
        wait_finalized(finalized, set(committed.found), 120)
        received.look()
        time.sleep(0.2)
        watch1.stop()
        watch2.stop()
        old_done = max(watch1.seen[finalized.found[i][0]] for i in old)
        # The first block of the destination after the start, its confirmations, and the first block of the source after them.
        ideal = first_after(watch1, first_after(watch2, start, world.confirmations))
        took = {i: round(1000 * (watch1.seen[finalized.found[i][0]] - watch1.seen[committed.found[i][0]])) for i in [i for i, _ in rows] + alone}
        behind = [sum(1 for j in old if watch1.seen.get(finalized.found[j][0], 0) > watch1.seen[finalized.found[i][0]]) for i, _ in rows]
        return {"messages": count, "blocks": blocks, "load": [round(load, 1), round(os.getloadavg()[0], 1)], "ready_s": round(ready_s, 2), **more,
                "all_finalized_s": round(old_done - start, 2), "beyond_the_blocks_s": round(old_done - ideal, 2),
                "per_s": round(count / (old_done - start), 1), "equal": set(committed.found) == set(received.found) == set(finalized.found),
                "live_ms": [took[i] for i, _ in rows], "alone_ms": [took[i] for i in alone], "live_sent_s": [round(s, 1) for _, s in rows],
                "old_ones_still_waiting": behind, "memory_mb": memory.rows[-1] if memory.rows else {},
                "cpu_s": {name: round(proc.cpu_seconds(pid), 2) for name, pid in memory.pids.items()}}  # since the last start


def run(folder: Path, say, count: int = MESSAGES, backlogs: tuple[int, ...] = BACKLOGS) -> dict:
    result = {"restarts": []}
    for backlog in backlogs:
        say(f"a start with {backlog} messages of which nobody has heard")
        result["restarts"].append(restart(folder / f"backlog{backlog}", say, backlog, LIVE if backlog > 1000 else 0))
    say(f"{count} messages at {PER_S}/s")
    result["sustained"] = sustained(folder / "sustained", say, count)
    return result
