"""Four validators on loopback: CometBFT as it comes, CometBFT tuned, ours, ours with its application behind a socket. Called by
script/bench.

Every column has the same loader (bench_ledger: CometBFT's RPC over WebSockets), the same application (CometBFT's kvstore), fsync on,
default mempools, and, where the line is a long one, the same forwarder. Times are of the loader's clock: a transaction carries the time
at which it was sent, and a block counts from when node 0 announced it, after its commit.
"""
from __future__ import annotations

import base64
import contextlib
import json
import re
import statistics
import subprocess
from pathlib import Path

from end_to_end import summary
from ledger import accounts
from ledger.net import Network as Ledger, change_genesis
from lib import cometbft, crypto, proc
from lib import ledger_tx as lt
from lib.proc import Process
from lib.rpc import wait_for
from lib.tools import find_build, free_ports

NODES, TX_SIZE = 4, 250
IDLE_S, LOAD_S, WARM_S = 10, 12, 3
# Transactions that are sent and in no block yet: the best of them is called saturation. A mempool holds 5,000.
WINDOWS = (500, 2000, 4500)
CONNECTIONS = 2  # of the loader, to each node
COMMON_RATE = 1000  # that every column carries: their latencies beside each other
LINE_MS = 50     # one way: what two nodes say to each other arrives so much later
TUNED = (("consensus", "peer_gossip_sleep_duration", '"5ms"'), ("p2p", "flush_throttle_timeout", '"5ms"'))
AT_ONCE = (("consensus", "timeout_commit", '"0s"'), ("consensus", "create_empty_blocks_interval", '"0s"'))
# Of relay records: of a transaction, and transactions under way. The secrets are those of ledger_records.h.
RECORDS_OF_A_TX, RECORD_WINDOWS, RECORDS_SECRET = 63, (16, 64, 192), 1000
COLUMNS = {"cometbft": "CometBFT as it comes", "tuned": "CometBFT tuned", "ours": "ours", "socket": "ours, application by socket"}


class Running:
    """A network of one column, and what is asked of it."""

    def __init__(self, nodes: list, extra: list[Process]):
        self.nodes, self.extra = nodes, extra
        self.ports = [node.rpc_port for node in nodes]

    def pids(self) -> list[int]:
        return [node.process.pid for node in self.nodes] + [process.pid for process in self.extra]

    def cpu(self) -> float:
        return sum(proc.cpu_seconds(pid) for pid in self.pids())

    def rss_mb(self) -> float:
        """Of a node with its application, the largest of the four."""
        apps = [proc.rss_bytes(process.pid) for process in self.extra] or [0] * len(self.nodes)
        return max(proc.rss_bytes(node.process.pid) + app for node, app in zip(self.nodes, apps)) / 2**20

    def load(self, kind: str, n: int, seconds: float, what: str = str(TX_SIZE)) -> dict:
        argv = [find_build() / "bench" / "bench_ledger", str(seconds), what, str(CONNECTIONS), kind, str(n), *map(str, self.ports)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + 120, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"the loader: {done.stderr}")
        return json.loads(done.stdout)

    def sent_at(self, height: int) -> list[float]:
        """When each of a block's transactions was sent."""
        txs = self.nodes[0].call("block", height=str(height))["block"]["data"]["txs"] or []
        return [int(base64.b64decode(tx)[:16], 16) / 1e9 for tx in txs]


def lengthen(homes: list[Path], forwards: dict[int, int]) -> None:
    """Every peer's address becomes that of the line that leads to it."""
    for home in homes:
        path = home / "config" / "config.toml"
        lines = path.read_text().splitlines()
        for i, line in enumerate(lines):
            if line.startswith("persistent_peers = "):
                lines[i] = re.sub(r":(\d+)", lambda m: f":{forwards[int(m.group(1))]}", line)
        path.write_text("\n".join(lines) + "\n")


def p2p_port(home: Path) -> int:
    return int(re.search(r'\[p2p\].*?\nladdr = "(?:tcp://)?[\d.]+:(\d+)"', (home / "config" / "config.toml").read_text(), re.S).group(1))


def gateways() -> list[lt.Secp256k1]:
    """Accounts that report: one for each connection of each loader."""
    return [lt.Secp256k1(RECORDS_SECRET + i) for i in range(NODES * CONNECTIONS * len(RECORD_WINDOWS))]


def found_records(genesis: dict) -> None:
    owner = "0x" + accounts.ALICE.address.hex()
    state = accounts.app_state()
    state["accounts"] += [{"address": "0x" + key.address.hex(), "balance": str(10**15)} for key in gateways()]
    genesis["app_state"] = state | {"contracts": {"records": {"owner": owner, "guardian": owner, "delay_s": 1}}}


def allow_gateways(running: Running) -> bytes:
    """The chain's tag; from now on the loader's accounts may report."""
    bank = accounts.Bank(running.nodes[0])
    selector = crypto.keccak(b"setGateway(address,bytes32,bool)")[:4]
    calls = [lt.Call(lt.contract(5), 0, selector + bytes(12) + key.address + b"\x41" * 32 + crypto.word(1)) for key in gateways()]
    result = bank.send(accounts.ALICE, calls, gas_limit=5_000_000)
    if int(result["code"]) != 0:
        raise RuntimeError(f"gateways are not allowed: {result}")
    return bank.chain


@contextlib.contextmanager
def started(folder: Path, column: str, line_ms: int):
    folder.mkdir()
    extra: list[Process] = []
    if column in ("cometbft", "tuned"):
        network = cometbft.Network(folder / "net", ["kvstore"] * NODES, options=AT_ONCE + (TUNED if column == "tuned" else ()))
    else:
        arguments = accounts.arguments() if column == "records" else ()
        network = Ledger(folder, NODES, lambda text: text.replace('timeout_commit = "50ms"', 'timeout_commit = "0s"'), arguments)
        if column == "records":
            change_genesis(network, found_records)
    if column == "socket":
        for i, node in enumerate(network.nodes):
            address = f"unix://{folder}/app{i}.sock"
            node.args = ["--proxy_app", address]
            extra.append(Process([find_build() / "bin" / "caisson-abci-kvstore", "--address", address], folder / f"app{i}.log"))
    homes = [node.home for node in network.nodes]
    with contextlib.ExitStack() as stack:
        for process in extra:
            stack.enter_context(process)
        if line_ms:
            # Nobody listens on the nodes' own ports yet: they may be given out once more.
            taken = {p2p_port(home) for home in homes} | {node.rpc_port for node in network.nodes}
            forwards = dict(zip(map(p2p_port, homes), [port for port in free_ports(4 * NODES) if port not in taken]))
            lengthen(homes, forwards)
            line = stack.enter_context(Process([find_build() / "bench" / "bench_forward", str(line_ms),
                                                *(f"{outer}:{inner}" for inner, outer in forwards.items())], folder / "line.log"))
            wait_for(lambda: "listening" in line.tail(), 10, "the line")
        stack.enter_context(network)
        running = Running(network.nodes, extra)
        for node in network.nodes:
            node.wait_height(3)
        yield running


def intervals_ms(blocks: list) -> list[float]:
    return [1000 * (b[2] - a[2]) / (b[0] - a[0]) for a, b in zip(blocks, blocks[1:]) if b[0] > a[0]]


def per_second(run: dict) -> float:
    """Committed from the end of the warming up to the end of the sending."""
    begin, end = run["begin"] + WARM_S, run["end"]
    return sum(txs for _, txs, at in run["blocks"] if begin <= at < end) / (end - begin)


def latencies_ms(running: Running, run: dict) -> list[float]:
    begin = run["begin"] + WARM_S
    return [1000 * (at - sent) for height, txs, at in run["blocks"] if txs for sent in running.sent_at(height) if sent >= begin]


def at_rate(running: Running, rate: int) -> tuple[dict, int]:
    run = running.load("rate", rate, LOAD_S)
    late = latencies_ms(running, run)
    return {"rate": rate, "committed_per_s": round(per_second(run)), "refused": run["refused"],
            "latency_ms": summary(late, 1) if late else None}, run["committed"]


def measure(running: Running, say) -> dict:
    idle = intervals_ms(running.load("rate", 0, IDLE_S)["blocks"])
    result = {"idle_ms": {"mean": round(statistics.mean(idle), 1), **summary(idle, 1)}, "rss_idle_mb": round(running.rss_mb(), 1), "windows": {}}
    # The kvstore is in memory: nodes are compared after the same number of transactions, and shown after all of them.
    result["common"], kept = at_rate(running, COMMON_RATE)
    result["rss_common_mb"], result["kept_common"] = round(running.rss_mb(), 1), kept
    best = None
    for window in WINDOWS:
        cpu = running.cpu()
        run = running.load("window", window, LOAD_S)
        rate = per_second(run)
        kept += run["committed"]
        row = {"tx_per_s": round(rate), "txs_per_block": round(run["committed"] / max(1, len(run["blocks"]))),
               "cpu_us_per_tx": round(1e6 * (running.cpu() - cpu) / max(1, run["committed"])), "refused": run["refused"],
               "loader_core": round(run["cpu_s"] / run["seconds"], 2)}
        say(f"{window} under way: {row['tx_per_s']} tx/s, {row['cpu_us_per_tx']} µs CPU a transaction, loader {row['loader_core']} of a core")
        result["windows"][window] = row
        if best is None or rate > result["windows"][best]["tx_per_s"]:
            best = window
    result["best_window"], result["saturated"] = best, result["windows"][best]
    result["half"], committed = at_rate(running, max(1, result["saturated"]["tx_per_s"] // 2))
    result["rss_mb"], result["kept"] = round(running.rss_mb(), 1), kept + committed
    return result


def saturate(running: Running, kinds: list[tuple[int, str]], say) -> dict:
    """The best of the windows, each with what is sent."""
    rows = []
    for window, what in kinds:
        cpu = running.cpu()
        run = running.load("window", window, LOAD_S, what)
        # A full mempool is what saturation looks like; anything else is an error of the measurement.
        if run["refused"] and "mempool is full" not in run["refusal"]:
            raise RuntimeError(f"{run['refused']} transactions were refused, the first: {run['refusal']}")
        rows.append({"window": window, "tx_per_s": round(per_second(run), 1), "txs_per_block": round(run["committed"] / max(1, len(run["blocks"])), 1),
                     "cpu_us_per_tx": round(1e6 * (running.cpu() - cpu) / max(1, run["committed"])), "loader_core": round(run["cpu_s"] / run["seconds"], 2)})
        say(f"{window} under way: {rows[-1]}")
    return max(rows, key=lambda row: row["tx_per_s"])


def records(folder: Path, say) -> dict:
    """Committed relay records per second beside what the kvstore of the same engine commits, in turns in one run."""
    result: dict = {"records_of_a_tx": RECORDS_OF_A_TX}
    for column in ("ours", "records"):
        say(f"relay records: {column}")
        with started(folder / f"{column}-records", column, 0) as running:
            if column == "ours":
                result["kvstore"] = saturate(running, [(window, str(TX_SIZE)) for window in WINDOWS], say)
                continue
            tag = allow_gateways(running)
            best = saturate(running, [(window, f"records:{RECORDS_OF_A_TX}:{i * NODES * CONNECTIONS}:{tag.hex()}")
                                      for i, window in enumerate(RECORD_WINDOWS)], say)
            best["records_per_s"] = round(best["tx_per_s"] * RECORDS_OF_A_TX)
            best["cpu_us_per_record"] = round(best["cpu_us_per_tx"] / RECORDS_OF_A_TX, 1)
            best["rss_mb"] = round(running.rss_mb(), 1)
            result["records"] = best
    result["ratio"] = round(result["records"]["records_per_s"] / max(1, result["kvstore"]["tx_per_s"]), 2)
    return result


def record_rows(result: dict) -> list[tuple[str, str, str, bool | None]]:
    r, k = result["records"], result["kvstore"]
    return [(f"relay records committed, {result['records_of_a_tx']} a transaction, four nodes",
             f"{r['records_per_s']:,}/s ({r['tx_per_s']:g} transactions/s, {r['txs_per_block']:g} a block), {r['cpu_us_per_record']:g} µs CPU of all nodes "
             f"each; the kvstore {k['tx_per_s']:g}/s, {k['cpu_us_per_tx']} µs: {result['ratio']} ×", "≥ 0.5 × the kvstore", result["ratio"] >= 0.5)]


def run(folder: Path, say, columns: tuple[str, ...] = tuple(COLUMNS), lines_ms: tuple[int, ...] = (0, LINE_MS)) -> dict:
    """{"0": {column: figures}, "50": …}: without and with the line."""
    result: dict = {}
    for line_ms in lines_ms:
        for column in columns:
            say(f"{COLUMNS[column]}, " + (f"{line_ms} ms between nodes" if line_ms else "loopback"))
            with started(folder / f"{column}-{line_ms}", column, line_ms) as running:
                result.setdefault(str(line_ms), {})[column] = measure(running, say)
    return result


def better(figures: dict, value, best=min) -> float:
    """Of the two columns of CometBFT."""
    return best(value(figures[column]) for column in ("cometbft", "tuned") if column in figures)


def rows(result: dict) -> list[tuple[str, str, str, bool | None]]:
    """what, value, aim, met: of ours against the better column of CometBFT."""
    made = []
    for line, figures in result.items():
        where = f", {line} ms between nodes" if line != "0" else ""

        def add(what, show, aim="", met=None):
            made.append((what + where, "; ".join(f"{COLUMNS[c]} {show(f)}" for c, f in figures.items()), aim, met))

        both = "ours" in figures and ("cometbft" in figures or "tuned" in figures)
        ours = figures.get("ours")
        idle_aim = 15 if line == "0" else 1.05 * 3 * int(line)
        add("an idle block, mean (p50 / p99)", lambda f: f"{f['idle_ms']['mean']} ms ({f['idle_ms']['p50']:g} / {f['idle_ms']['p99']:g})",
            f"≤ {idle_aim:g} ms", ours["idle_ms"]["mean"] <= idle_aim if ours else None)
        add("committed at saturation", lambda f: f"{f['saturated']['tx_per_s']:,}/s, {f['saturated']['txs_per_block']} a block",
            "≥ 3 × CometBFT", ours["saturated"]["tx_per_s"] >= 3 * better(figures, lambda f: f["saturated"]["tx_per_s"], max) if both else None)
        for name, what in (("half", "commit at half load of its own"), ("common", f"commit at {COMMON_RATE:,}/s")):
            def late(f, name=name):
                return f[name]["latency_ms"]

            add(f"{what}, p50 / p99", lambda f: f"{late(f)['p50']:g} / {late(f)['p99']:g} ms at {f[name]['rate']:,}/s" if late(f) else "none",
                "p50 ≤ 0.5 × CometBFT", late(ours)["p50"] <= 0.5 * better(figures, lambda f: late(f)["p50"])
                if both and all(map(late, figures.values())) else None)
        add(f"memory of a node, after idle blocks; after the same load of {COMMON_RATE:,}/s; after all of it",
            lambda f: f"{f['rss_idle_mb']:g} MB; {f['rss_common_mb']:g} MB with {f['kept_common']:,} transactions in its kvstore; "
                      f"{f['rss_mb']:g} MB with {f['kept']:,}", "the second ≤ 0.3 × CometBFT",
            ours["rss_common_mb"] <= 0.3 * better(figures, lambda f: f["rss_common_mb"]) if both else None)
        add("CPU of all nodes for a transaction", lambda f: f"{f['saturated']['cpu_us_per_tx']} µs (loader {f['saturated']['loader_core']} of a core)")
    return made
