"""Two anvil chains with 1 s blocks, two gateways, two enclaves: latency, a burst, refunds. Called by script/bench.

Times are of the chains, seen from outside: a watcher notes when each block's number first appears over RPC (every 5 ms), and
events are read from the blocks afterwards. Nothing is taken from the gateways but their CPU time.
"""
from __future__ import annotations

import bisect
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("tests", "tools")]
from lib import abi, deploy, proc  # noqa: E402
from lib.chains import Chain  # noqa: E402
from lib.rpc import Rpc, create, wait_for  # noqa: E402
from lib.world import World, wait_time  # noqa: E402

SINGLES = 24
BURST_DEFAULT = 1000
BURST_GAS_LIMIT = 60_000_000
SEND_GAS = 250_000
# Of its own accord anvil offers the base fee and 1 gwei, and drops all that waits when blocks are full and the base fee rises above that.
SEND_FEE_MAX_WEI = 10**12
RPC_BATCH = 100
STREAM_PER_S = 350
HALF_PER_S = 150
STREAM_BLOCKS = 20
STREAM_SLOT_S = 0.2
DEADLINE_S = 2
DEADLINE_MESSAGES = 5
COMMITTED = "MessageCommitted(bytes32,bytes32,uint64,uint64,uint64,bytes32,bytes32,uint8)"
STATUS = "MessageStatus(bytes32,bytes32,uint64,uint8)"
FINALIZED = "MessageFinalized(bytes32,bytes32,uint8)"


class Watcher:
    """When each block of a chain appeared."""

    def __init__(self, chain: Chain):
        self.rpc, self.seen = Rpc(chain.url), {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        last = self.rpc.block_number()
        while not self._end.wait(0.005):
            now = self.rpc.block_number()
            stamp = time.monotonic()
            for number in range(last + 1, now + 1):
                self.seen[number] = stamp
            last = max(last, now)

    def stop(self) -> None:
        self._end.set()
        self._thread.join()


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def summary(values: list[float], digits: int = 0) -> dict:
    return {"p50": round(statistics.median(values), digits), "p99": round(percentile(values, 0.99), digits),
            "max": round(max(values), digits), "n": len(values)}


def positions(rpc: Rpc, gateway: str, event: str, first_block: int) -> dict[str, tuple[int, int]]:
    """messageId → (block, last byte of the event's data)"""
    found = {}
    if rpc.block_number() < first_block:  # anvil refuses a range that has not begun
        return found
    for log in rpc.call("eth_getLogs", {"address": gateway, "fromBlock": hex(first_block), "topics": [abi.topic(event)]}):
        found[log["topics"][1]] = (int(log["blockNumber"], 16), int(log["data"][-2:], 16))
    return found


class Bench:
    def __init__(self, world: World, say):
        self.world, self.say = world, say
        self.source, self.destination = world.sides
        null = deploy.artifact("test/NullRecipient")
        self.recipient = create(self.destination.chain.rpc, self.destination.owner, null).address
        self.to = deploy.erc7930(self.destination.chain.chain_id, self.recipient)
        self.pids = [g.pids() for g in world.gateways]

    def send_data(self, payload: bytes, attributes: list[bytes]) -> bytes:
        return self.source.gateway.data("sendMessage", self.to, payload, attributes)

    def wait_all(self, ids, rpc: Rpc, gateway: str, event: str, first: int, timeout_s: float) -> dict:
        wanted = set(ids)
        found = {}

        def complete():
            found.update(positions(rpc, gateway, event, first))
            return wanted <= set(found)

        try:
            wait_for(complete, timeout_s, f"{event} of {len(wanted)} messages", 0.25)
        except TimeoutError:
            self.say(f"incomplete: {len(wanted & set(found))} of {len(wanted)} {event.split('(')[0]}")
            raise
        return found

    # ---- one after the other ----

    def latency(self, count: int) -> dict:
        rpc1, rpc2 = self.source.chain.rpc, self.destination.chain.rpc
        first1, first2 = rpc1.block_number() + 1, rpc2.block_number() + 1
        watch1, watch2 = Watcher(self.source.chain), Watcher(self.destination.chain)
        user, ids = self.source.user, []
        for i in range(count):
            receipt = rpc1.wait_receipt(rpc1.send(user, self.source.gateway.address, self.send_data(b"x" * 64, []), gas=SEND_GAS))
            ids.append(self.source.gateway.events("MessageCommitted", receipt)[0]["messageId"])
            time.sleep(1.0 + 0.37 * (i % 5))  # spreads the phase against the blocks; nothing waits for it
        ids = [abi.to_hex(i) for i in ids]
        received = self.wait_all(ids, rpc2, self.destination.gateway.address, STATUS, first2, 60)
        finalized = self.wait_all(ids, rpc1, self.source.gateway.address, FINALIZED, first1, 60)
        sent = positions(rpc1, self.source.gateway.address, COMMITTED, first1)
        time.sleep(0.1)
        watch1.stop()
        watch2.stop()
        rows = []
        for i in ids:
            t_sent, t_final = watch1.seen[sent[i][0]], watch1.seen[sent[i][0] + self.world.confirmations]
            t_received, t_done = watch2.seen[received[i][0]], watch1.seen[finalized[i][0]]
            waited = [b for b, t in watch2.seen.items() if t > t_final and b <= received[i][0]]
            first_after = min(t for b, t in watch2.seen.items() if t > t_final)
            t_dest_final = watch2.seen.get(received[i][0] + self.world.confirmations)
            rows.append({"received": t_received - t_sent, "acknowledged": t_done - t_sent, "final_to_included": t_received - t_final,
                         "blocks": len(waited), "beyond": t_received - first_after,
                         "outcome": t_done - t_dest_final if t_dest_final else 0.0})
        phases = [t - max(u for u in watch1.seen.values() if u <= t) for t in watch2.seen.values()
                  if any(u <= t for u in watch1.seen.values())]
        return {"messages": count, "confirmations": self.world.confirmations, "phase_ms": round(1000 * statistics.median(phases)),
                "final_to_included_ms": summary([1000 * r["final_to_included"] for r in rows]),
                "final_to_included_blocks": summary([r["blocks"] for r in rows]),
                "beyond_the_next_block_ms": summary([1000 * r["beyond"] for r in rows]),
                "outcome_final_to_finalized_ms": summary([1000 * r["outcome"] for r in rows]),
                "send_to_received_ms": summary([1000 * r["received"] for r in rows]),
                "send_to_acknowledged_ms": summary([1000 * r["acknowledged"] for r in rows])}

    # ---- many at once ----

    def cpu(self) -> dict[str, float]:
        total: dict[str, float] = {}
        for pids in self.pids:
            for name, pid in pids.items():
                total[name] = total.get(name, 0.0) + proc.cpu_seconds(pid)
        return total

    def sends(self, count: int, nonces: dict[str, int]) -> list[tuple]:
        """Calls that send one message each; with nonces, because a node answers the calls of one batch at the same time."""
        data, calls = abi.to_hex(self.send_data(b"x" * 64, [])), []
        for _ in range(count):
            sender = min(nonces, key=nonces.get)
            calls.append(("eth_sendTransaction", {"from": sender, "to": self.source.gateway.address, "data": data, "gas": hex(SEND_GAS),
                                                  "value": "0x0", "nonce": hex(nonces[sender]), "maxFeePerGas": hex(SEND_FEE_MAX_WEI)}))
            nonces[sender] += 1
        return calls

    def nonces(self) -> dict[str, int]:
        rpc = self.source.chain.rpc
        return {a: int(rpc.call("eth_getTransactionCount", a, "latest"), 16) for a in self.source.chain.accounts[3:9]}

    def send_all(self, calls: list[tuple]) -> None:
        for start in range(0, len(calls), RPC_BATCH):
            for reply in self.source.chain.rpc.batch(calls[start:start + RPC_BATCH]):
                # A batch whose answer did not come is sent again; with their nonces they are the same transactions.
                if isinstance(reply, Exception) and "already imported" not in str(reply) and "nonce too low" not in str(reply):
                    raise reply

    def send_due(self, now: float, sent: int, per_s: int, count: int, nonces) -> int:
        """So many messages a second, up to a count: those of the slot that begins now. How many were sent with them."""
        due = min(int(per_s * (now + STREAM_SLOT_S)), count) - sent
        self.send_all(self.sends(due, nonces))
        return sent + due

    def stream(self, per_s: int = STREAM_PER_S, blocks: int = STREAM_BLOCKS, timeout_s: float = 120) -> dict:
        """So many messages a second for so many blocks."""
        rpc1, rpc2 = self.source.chain.rpc, self.destination.chain.rpc
        first1, first2 = rpc1.block_number() + 1, rpc2.block_number() + 1
        watch1, watch2 = Watcher(self.source.chain), Watcher(self.destination.chain)
        before, chains_before = self.cpu(), [proc.cpu_seconds(c.processes[0].pid) for c in self.world.chains]
        nonces, sent, begin = self.nonces(), 0, time.monotonic()
        while (now := time.monotonic() - begin) < blocks:
            sent = self.send_due(now, sent, per_s, per_s * blocks, nonces)
            time.sleep(max(0.0, begin + now + STREAM_SLOT_S - time.monotonic()))
        end = time.monotonic()
        finalized: dict[str, tuple[int, int]] = {}

        def complete():
            finalized.update(positions(rpc1, self.source.gateway.address, FINALIZED, first1))
            return len(finalized) >= sent

        wait_for(complete, timeout_s, f"the end of {sent} messages", 1)
        after, chains_after = self.cpu(), [proc.cpu_seconds(c.processes[0].pid) for c in self.world.chains]
        committed = positions(rpc1, self.source.gateway.address, COMMITTED, first1)
        received = positions(rpc2, self.destination.gateway.address, STATUS, first2)
        time.sleep(0.1)
        watch1.stop()
        watch2.stop()

        def rate(found: dict, watch: Watcher) -> float:
            """Of all of them, over the time in which they appeared or were sent, whichever is longer: what is caught up after a
            stall does not count for more than was sent."""
            seen = sorted(watch.seen[b] for b, _ in found.values())
            return round(sent / max(end - begin, seen[-1] - seen[0]), 1)

        times = [watch1.seen[finalized[i][0]] - watch1.seen[committed[i][0]] for i in committed]
        blocks = sorted(watch2.seen.values())
        finals = {i: watch1.seen[committed[i][0] + self.world.confirmations] for i in committed}
        beyond = [watch2.seen[received[i][0]] - blocks[bisect.bisect_right(blocks, finals[i])] for i in committed]
        used = sum(after[name] - before.get(name, 0) for name in after) * 1000 / sent
        return {"messages": sent, "per_s": per_s, "sent_per_s": round(sent / (end - begin), 1), "confirmations": self.world.confirmations,
                "received_per_s": rate(received, watch2), "finalized_per_s": rate(finalized, watch1),
                "last_sent_to_all_finalized_s": round(max(watch1.seen[b] for b, _ in finalized.values()) - end, 2),
                "send_to_acknowledged_ms": summary([1000 * t for t in times]), "beyond_the_next_block_ms": summary([1000 * t for t in beyond]),
                "cpu_ms_per_message_caisson": round(used, 3),
                "cpu_ms_per_message_chains": round(sum(b - a for a, b in zip(chains_before, chains_after)) * 1000 / sent, 3)}

    def burst(self, count: int, timeout_s: float = 240) -> dict:
        rpc1, rpc2 = self.source.chain.rpc, self.destination.chain.rpc
        first1, first2 = rpc1.block_number() + 1, rpc2.block_number() + 1
        watch1, watch2 = Watcher(self.source.chain), Watcher(self.destination.chain)
        before, chains_before = self.cpu(), [proc.cpu_seconds(c.processes[0].pid) for c in self.world.chains]
        self.send_all(self.sends(count, self.nonces()))
        wait_for(lambda: len(positions(rpc1, self.source.gateway.address, COMMITTED, first1)) >= count, 60,
                 "the burst on the source", 0.25)
        sent = positions(rpc1, self.source.gateway.address, COMMITTED, first1)
        received = self.wait_all(sent, rpc2, self.destination.gateway.address, STATUS, first2, timeout_s)
        finalized = self.wait_all(sent, rpc1, self.source.gateway.address, FINALIZED, first1, timeout_s)
        after, chains_after = self.cpu(), [proc.cpu_seconds(c.processes[0].pid) for c in self.world.chains]
        time.sleep(0.1)
        watch1.stop()
        watch2.stop()
        begin = min(watch1.seen[b] for b, _ in sent.values())
        sent_all = max(watch1.seen[b] for b, _ in sent.values())
        received_all = max(watch2.seen[received[i][0]] for i in sent) - begin
        finalized_all = max(watch1.seen[finalized[i][0]] for i in sent) - begin
        used = {name: round((after[name] - before.get(name, 0)) * 1000 / count, 3) for name in after}
        submissions = {i: received[i][0] for i in sent}
        return {"messages": count, "gas_limit": self.world.gas_limit, "source_blocks": len({b for b, _ in sent.values()}),
                "destination_blocks": len(set(submissions.values())), "sending_s": round(sent_all - begin, 2),
                "received_all_s": round(received_all, 2), "received_per_s": round(count / received_all, 1),
                "finalized_all_s": round(finalized_all, 2), "finalized_per_s": round(count / finalized_all, 1),
                "cpu_ms_per_message": used, "cpu_ms_per_message_caisson": round(sum(used.values()), 3),
                "cpu_ms_per_message_chains": round(sum(b - a for a, b in zip(chains_before, chains_after)) * 1000 / count, 3),
                "rss_mb": {f"{g.name} {name}": round(proc.rss_bytes(pid) / 2**20, 1)
                           for g, pids in zip(self.world.gateways, self.pids) for name, pid in pids.items()}}

    # ---- deadlines ----

    def refunds(self, source: int) -> dict:
        """Messages whose deadline has passed when their block is final: nobody delivers them."""
        side, other = self.world.sides[source], self.world.sides[1 - source]
        rpc = side.chain.rpc
        to = deploy.erc7930(other.chain.chain_id, other.app.address)
        first, watch, delays = rpc.block_number() + 1, Watcher(side.chain), []
        wall = time.time() - time.monotonic()
        for _ in range(DEADLINE_MESSAGES):
            deadline = max(rpc.time(), int(time.time())) + DEADLINE_S + 1
            data = side.gateway.data("sendMessage", to, b"late", [deploy.attribute("deadline(uint64)", deadline)])
            receipt = rpc.wait_receipt(rpc.send(side.user, side.gateway.address, data, gas=SEND_GAS))
            identifier = abi.to_hex(side.gateway.events("MessageCommitted", receipt)[0]["messageId"])
            wait_time(other.chain, deadline)
            found = self.wait_all([identifier], rpc, side.gateway.address, FINALIZED, first, 120)
            time.sleep(0.05)
            delays.append((watch.seen[found[identifier][0]] + wall - deadline, found[identifier][1]))
        watch.stop()
        return {"how": self.world.expire[source], "all_dead": all(status == 3 for _, status in delays),
                "deadline_to_refund_ms": summary([1000 * d for d, _ in delays])}


FIGURES = ("received_per_s", "finalized_per_s", "cpu_ms_per_message_caisson", "cpu_ms_per_message_chains")


def middle(rows: list[dict]) -> dict:
    """The run in the middle by its finalized rate, with the rates' and costs' own medians."""
    row = sorted(rows, key=lambda r: r["finalized_per_s"])[len(rows) // 2]
    return {**row, **{figure: statistics.median(r[figure] for r in rows) for figure in FIGURES}}


def run(folder: Path, say, burst: int = BURST_DEFAULT, singles: int = SINGLES, runs: int = 3) -> dict:
    result: dict = {}
    with World(folder, "anvil", say, gas_limit=BURST_GAS_LIMIT, log_level="warn") as world:
        bench = Bench(world, say)
        say(f"latency: {singles} messages, one after the other")
        result["latency"] = [bench.latency(singles)]
        bursts = []
        for number in range(1, runs + 1):
            say(f"burst {number} of {runs}: {burst} messages")
            bursts.append(bench.burst(burst))
            say(f"  received {bursts[-1]['received_per_s']}/s, finalized {bursts[-1]['finalized_per_s']}/s")
        result["burst"] = middle(bursts)
        result["burst_runs"] = [{k: b[k] for k in FIGURES} for b in bursts]
        say(f"a stream of {STREAM_PER_S} messages/s for {STREAM_BLOCKS} blocks")
        streams = [bench.stream() for _ in range(runs)]
        result["stream"] = middle(streams)
        result["stream_runs"] = [{k: r[k] for k in FIGURES} for r in streams]
        say(f"a stream of {HALF_PER_S} messages/s")
        result["stream_half"] = bench.stream(HALF_PER_S)
        say("refunds after a deadline, by tombstone and by absence")
        result["refunds"] = [bench.refunds(0), bench.refunds(1)]
    # What Hermes was measured on is final with the block itself; one confirmation is the nearest that anvil has.
    with World(folder / "one", "anvil", say, gas_limit=BURST_GAS_LIMIT, log_level="warn", confirmations=1) as world:
        say(f"latency with one confirmation: {singles} messages")
        bench = Bench(world, say)
        result["latency"].append(bench.latency(singles))
        say(f"burst with one confirmation: {burst} messages, {runs} times")
        result["burst_one_confirmation"] = middle([bench.burst(burst) for _ in range(runs)])
    return result
