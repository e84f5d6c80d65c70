"""A gateway's own surface on loopback: REST by wrk, readers of /v1/events, memory. Called by script/bench.

Two anvil chains with 1 s blocks and two gateways run, as everywhere; what is asked is the first one. wrk and the readers'
program share the machine's cores with them: the CPU time of each is told, so that it can be seen who was the bottleneck.
"""
from __future__ import annotations

import json
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("tests", "tools")]
from lib import abi, proc  # noqa: E402
from lib.rpc import wait_for  # noqa: E402
from lib.tools import find_build  # noqa: E402
from lib.world import World  # noqa: E402
from end_to_end import BURST_GAS_LIMIT, Bench, COMMITTED, FINALIZED, positions  # noqa: E402

HERE = Path(__file__).resolve().parent
SECONDS = 10
MANY = 512  # twice as many as answers are kept
GET_CONNECTIONS, POST_CONNECTIONS = 32, 64
GET_AIM_PER_S, POST_AIM_PER_S = 20_000, 2_000
GATEWAY_AIM_MB, ENCLAVE_AIM_MB = 40, 20
IDLE_S = 5
READERS, EVENTS_PER_S, LISTEN_S = 5_000, 5, 30
# What was sent last is told until it is finalized, and must have come when the readers stop.
TAIL_S = 12


def wrk(folder: Path, gateway, paths: list[str], connections: int, body: dict | None = None, seconds: int = SECONDS) -> dict:
    """So many connections, each asking again as soon as it is answered: GET of these paths in turn, or POST of a body to the one."""
    what = folder / "asked"
    what.write_text("\n".join(paths) + "\n" if body is None else json.dumps(body))
    pid = gateway.pids()["caisson-gateway"]
    before, children = proc.cpu_seconds(pid), resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", HERE / "api.lua", gateway.url + paths[0], "--", gateway.key_file,
                          "GET" if body is None else "POST", what], capture_output=True, text=True, check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures = json.loads(run.stdout.splitlines()[-1])
    if figures["refused"] or figures["broken"]:
        raise RuntimeError(f"{paths[0]}: {figures}")
    requests, took = figures["requests"], figures["seconds"]
    own = used.ru_utime + used.ru_stime - children.ru_utime - children.ru_stime
    return {**figures, "connections": connections, "per_s": round(requests / took), "gateway_cores": round((proc.cpu_seconds(pid) - before) / took, 2),
            "gateway_us": round((proc.cpu_seconds(pid) - before) / requests * 1e6, 1), "wrk_cores": round(own / took, 2)}


def rss_mb(pid: int) -> float:
    return round(proc.rss_bytes(pid) / 2**20, 1)


def memory(gateway) -> dict:
    pids = gateway.pids()
    return {name: rss_mb(pids[f"caisson-{name}"]) for name in ("gateway", "enclave")}


class Messages:
    """One sender: so many messages a second, until it is stopped."""

    def __init__(self, bench: Bench, per_s: float):
        self.bench, self.pause, self._end = bench, 1 / per_s, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        nonces = self.bench.nonces()
        while not self._end.wait(self.pause):
            self.bench.send_all(self.bench.sends(1, nonces))

    def stop(self) -> None:
        self._end.set()
        self._thread.join()


def events_told(gateway) -> int:
    return gateway.get("/v1/status")["event_cursor"]


def subscribers(bench: Bench, readers: int, say) -> dict:
    """Events come from messages: at the rate that makes EVENTS_PER_S events a second at this gateway."""
    gateway = bench.world.gateways[0]
    pid = gateway.pids()["caisson-gateway"]
    before_mb, argv = rss_mb(pid), [find_build() / "bench" / "bench_subscribers", str(gateway.events_port), str(readers), str(LISTEN_S)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        program.stdin.write(gateway.key + "\n")
        program.stdin.close()
        if program.stdout.readline() != "ready\n":
            raise RuntimeError("the readers' program did not come so far")
        connected_mb, told, cpu, begin = rss_mb(pid), events_told(gateway), proc.cpu_seconds(pid), time.monotonic()
        sender, most_mb = Messages(bench, EVENTS_PER_S / bench.events_per_message), connected_mb
        while time.monotonic() - begin < LISTEN_S - TAIL_S:
            time.sleep(0.5)
            most_mb = max(most_mb, rss_mb(pid))
        sender.stop()
        sent_s = time.monotonic() - begin
        figures = json.loads(program.stdout.read())
        took = time.monotonic() - begin
    events = events_told(gateway) - told
    complete = figures["connected"] == readers and not figures["lost"] and not figures["gaps"] and figures["last_least"] == figures["last_most"]
    return {**figures, "events": events, "events_per_s": round(events / sent_s, 1), "complete": complete and figures["delivered"] >= readers * events,
            "gateway_cores": round((proc.cpu_seconds(pid) - cpu) / took, 2), "idle_mb": before_mb, "connected_mb": connected_mb, "most_mb": most_mb,
            "kb_per_reader": round((connected_mb - before_mb) * 1024 / max(1, figures["connected"]), 1)}


def send_some(bench: Bench, count: int) -> list[str]:
    """Messages that are finalized, and what one of them tells in events."""
    rpc, address = bench.source.chain.rpc, bench.source.gateway.address
    first, told = rpc.block_number() + 1, events_told(bench.world.gateways[0])
    bench.send_all(bench.sends(count, bench.nonces()))
    wait_for(lambda: len(positions(rpc, address, FINALIZED, first)) >= count, 60, "messages to ask for", 0.25)
    ids = list(positions(rpc, address, COMMITTED, first))
    bench.world.gateways[0].ends(ids[-1])
    bench.events_per_message = (events_told(bench.world.gateways[0]) - told) / count
    return ids


def run(folder: Path, say, readers: int = READERS) -> dict:
    result: dict = {}
    with World(folder, "anvil", say, log_level="warn", gas_limit=BURST_GAS_LIMIT) as world:
        gateway, bench = world.gateways[0], Bench(world, say)
        time.sleep(IDLE_S)
        result["memory_idle"] = memory(gateway)
        ids = send_some(bench, MANY)
        say(f"GET of one message, then of {MANY}, {GET_CONNECTIONS} connections, {SECONDS} s each")
        result["get"] = wrk(folder, gateway, [f"/v1/messages/{ids[-1]}"], GET_CONNECTIONS)
        result["get_made_anew"] = wrk(folder, gateway, [f"/v1/messages/{i}" for i in ids], GET_CONNECTIONS)
        result["healthz"] = wrk(folder, gateway, ["/healthz"], GET_CONNECTIONS)
        say(f"POST of a message to prepare, {POST_CONNECTIONS} connections, {SECONDS} s")
        body = {"from_chain": bench.source.chain.caip2, "to": f"{bench.destination.chain.caip2}:{bench.recipient}", "payload": "0x" + "78" * 64,
                "mode": "prepare"}
        result["post"] = wrk(folder, gateway, ["/v1/messages"], POST_CONNECTIONS, body)
        say(f"{readers} readers of /v1/events")
        result["subscribers"] = subscribers(bench, readers, say)
    # What was answered is there: the journal is opened by one process at a time, so after the end.
    journal = sqlite3.connect(f"file:{gateway.folder / 'journal.db'}?mode=ro", uri=True)
    result["post"]["journalled"] = journal.execute("SELECT count(*) FROM requests").fetchone()[0]
    journal.close()
    if result["post"]["journalled"] < result["post"]["requests"]:
        raise RuntimeError(f"answered, and not in the journal: {result['post']}")
    return result
