"""Four real processes, under load, with faults, for so many minutes; then everything that was ever shown is compared with what is there.

    tests/ledger/thirty_minutes.py --minutes 30 --seed 1 --json FILE

Faults: kill -9 (one, two, all), SIGSTOP, a full disk, network cuts (one node, two from two, one direction of one line), restored backups
(the signer's memory, the log, the index, all of the data folder). Exit 0: no fork, no committed transaction lost, nothing signed twice,
nobody dead that nobody killed, and the chain went on after every fault.
"""
from __future__ import annotations

import argparse
import base64
import collections
import hashlib
import json
import random
import shutil
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "tools")]
from ledger import lab  # noqa: E402
from ledger.net import CallError  # noqa: E402
from ledger.votes import LogReader, Register, of_commit  # noqa: E402

# Of one node after a fault; a machine that does other work too.
PROGRESS_DEADLINE_S = 180
CALLERS = 6
TX_SIZE = 250
STREAM_BATCH = 10
FAILED = (OSError, CallError, ValueError, KeyError, TimeoutError)


def log(text: str) -> None:
    print(f"-- {time.strftime('%H:%M:%S')} {text}", flush=True)


def call(node, method: str, timeout_s: float = lab.CALL_TIMEOUT_S, **params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(f"http://{node.host}:{node.rpc_port}/", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:
        response = json.load(answer)
    if "error" in response:
        raise CallError(response["error"])
    return response["result"]


class Book:
    """What nodes have shown to the outside while it lasted."""

    def __init__(self):
        self.lock = threading.Lock()
        self.receipts: list[tuple[int, bytes]] = []                    # height, hash of the transaction
        self.shown: dict[int, dict[str, str]] = collections.defaultdict(dict)  # height → hash of the block → who showed it
        self.sent = self.failed = 0
        self.problems: list[str] = []

    def problem(self, text: str) -> None:
        log(f"PROBLEM: {text}")
        with self.lock:
            self.problems.append(text)


class Load:
    """Callers that wait for their block, and a stream beside them."""

    def __init__(self, nodes, book: Book, seed: int):
        self.nodes, self.book, self.seed = nodes, book, seed
        self.over = threading.Event()
        jobs = [lambda i=i: self._call(i) for i in range(CALLERS)] + [self._stream] + [lambda n=n: self._watch(n) for n in nodes]
        self.threads = [threading.Thread(target=job, daemon=True) for job in jobs]
        for thread in self.threads:
            thread.start()

    def tx(self, who: str, n: int) -> bytes:
        return f"{self.seed}-{who}-{n}=".encode().ljust(TX_SIZE, b"x")

    def _call(self, i: int) -> None:
        rng, n = random.Random(f"{self.seed}/{i}"), 0
        while not self.over.is_set():
            n += 1
            tx = self.tx(f"c{i}", n)
            try:
                result = call(rng.choice(self.nodes), "broadcast_tx_commit", 15, tx=base64.b64encode(tx).decode())
                if result["check_tx"]["code"] == 0 and result["tx_result"]["code"] == 0:
                    with self.book.lock:
                        self.book.receipts.append((int(result["height"]), hashlib.sha256(tx).digest()))
                        self.book.sent += 1
            except FAILED:
                with self.book.lock:
                    self.book.failed += 1
                self.over.wait(0.2)

    def _stream(self) -> None:
        rng, n = random.Random(f"{self.seed}/stream"), 0
        while not self.over.is_set():
            body = []
            for _ in range(STREAM_BATCH):
                n += 1
                body.append({"jsonrpc": "2.0", "id": n, "method": "broadcast_tx_async",
                             "params": {"tx": base64.b64encode(self.tx("s", n)).decode()}})
            node = rng.choice(self.nodes)
            request = urllib.request.Request(f"http://{node.host}:{node.rpc_port}/", json.dumps(body).encode(),
                                             {"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=lab.CALL_TIMEOUT_S) as answer:
                    answer.read()
            except OSError:
                self.over.wait(0.2)
            self.over.wait(0.1)

    def _watch(self, node) -> None:
        while not self.over.wait(0.25):
            try:
                info = call(node, "status")["sync_info"]
            except FAILED:
                continue
            with self.book.lock:
                self.book.shown[int(info["latest_block_height"])][info["latest_block_hash"]] = f"node{node.index}"

    def stop(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()


class Faults:
    def __init__(self, net: lab.Lab, book: Book, readers: list[LogReader], seed: int):
        self.net, self.nodes, self.book, self.readers = net, net.nodes, book, readers
        self.rng = random.Random(seed)
        self.counts: collections.Counter[str] = collections.Counter()
        self.refused: list[str] = []
        self.backups: dict[int, list[Path]] = collections.defaultdict(list)
        self.reading = threading.Lock()

    # ---- helpers ----

    def read_logs(self) -> None:
        with self.reading:
            for reader in self.readers:
                reader.read()

    def start(self, node) -> None:
        self.read_logs()
        with self.reading:
            self.readers[node.index].restart()
        node.start()

    def kill(self, node) -> None:
        node.process.kill()
        self.read_logs()

    def wait(self, low: float, high: float) -> None:
        time.sleep(self.rng.uniform(low, high))

    def height(self, node) -> int:
        try:
            return int(call(node, "status")["sync_info"]["latest_block_height"])
        except FAILED:
            return -1

    def check_alive(self) -> None:
        for node in self.nodes:
            if not node.alive():
                code = node.process.popen.returncode
                self.book.problem(f"node{node.index} ended by itself with {code}: {node.process.tail(6)}")
                self.start(node)

    def progress(self, what: str) -> None:
        """Every node three blocks further than the furthest was."""
        goal = max(self.height(node) for node in self.nodes) + 3
        end = time.monotonic() + PROGRESS_DEADLINE_S
        behind = list(self.nodes)
        while behind:
            self.check_alive()
            behind = [node for node in behind if self.height(node) < goal]
            if behind and time.monotonic() > end:
                self.book.problem(f"after {what}: no height {goal} in {PROGRESS_DEADLINE_S} s at "
                                  + ", ".join(f"node{node.index} ({self.height(node)})" for node in behind))
                return
            time.sleep(0.2)

    # ---- faults ----

    def kill_some(self, count: int) -> None:
        chosen = self.rng.sample(self.nodes, count)
        for node in chosen:
            self.kill(node)
        for node in chosen:
            if self.rng.random() < 0.5:
                self.back_up(node)
            self.wait(0, 3)
            self.start(node)

    def back_up(self, node) -> None:
        to = self.net.folder / "backups" / f"node{node.index}-{node.lives}"
        shutil.copytree(node.data, to, ignore=shutil.ignore_patterns("filler"))
        self.backups[node.index].append(to)
        if len(self.backups[node.index]) > 3:
            shutil.rmtree(self.backups[node.index].pop(0))

    def pause_one(self) -> None:
        node = self.rng.choice(self.nodes)
        node.pause()
        # Beyond 15 s its peers have ended their connections.
        self.wait(0.5, self.rng.choice((3, 8, 20)))
        node.resume()

    def full_disk(self) -> None:
        node = self.nodes[self.rng.choice(lab.SMALL_DISKS)]
        self.net.fill(node.index, self.rng.choice((0, 4096, 65536, 300_000)))
        end = time.monotonic() + PROGRESS_DEADLINE_S
        while node.alive() and time.monotonic() < end:
            time.sleep(0.05)
        if node.alive():
            self.book.problem(f"node{node.index} lives on a full disk")
            self.kill(node)
        elif "node.failed" not in node.process.tail(6):
            self.book.problem(f"node{node.index} on a full disk: {node.process.tail(6)}")
        self.read_logs()
        self.net.empty(node.index)
        self.start(node)

    def unplug_one(self) -> None:
        i = self.rng.randrange(lab.COUNT)
        self.net.unplug(i)
        self.wait(1, self.rng.choice((4, 20)))
        self.net.join()

    def part_two(self) -> None:
        self.net.part(self.rng.sample(range(lab.COUNT), 2))
        self.wait(1, self.rng.choice((4, 20)))
        self.net.join()

    def one_way(self) -> None:
        i, k = self.rng.sample(range(lab.COUNT), 2)
        self.net.deafen(i, k)
        self.wait(1, self.rng.choice((4, 20)))
        self.net.hear(i, k)

    def restore(self) -> None:
        """Only while the three others are well: they are what remembers for it (docs/ledger-node.md, Repair)."""
        candidates = [i for i, kept in self.backups.items() if kept]
        if not candidates:
            return self.kill_some(1)
        self.progress("before a restore")
        node = self.nodes[self.rng.choice(candidates)]
        backup = self.rng.choice(self.backups[node.index])
        what = self.rng.choice(("sign_state", "log", "index", "data"))
        self.kill(node)
        now = self.net.folder / "backups" / "now"
        shutil.rmtree(now, ignore_errors=True)
        shutil.copytree(node.data, now)
        patterns = {"sign_state": ("sign_state",), "log": ("log-*",), "index": ("index.db*",), "data": ("*",)}[what]
        self._replace(node.data, backup, patterns)
        self.counts[f"restored {what}"] += 1
        self.start(node)
        end = time.monotonic() + PROGRESS_DEADLINE_S
        while node.alive() and self.height(node) < 0 and time.monotonic() < end:
            time.sleep(0.1)
        if not node.alive() and "damaged" in node.process.tail(6):
            # It says so and does nothing: what was there comes back.
            self.refused.append(f"{what}: {node.process.tail(1)[-200:]}")
            self._replace(node.data, now, ("*",))
            self.start(node)

    @staticmethod
    def _replace(data: Path, source: Path, patterns: tuple[str, ...]) -> None:
        for pattern in patterns:
            for path in data.glob(pattern):
                path.unlink()
            for path in source.glob(pattern):
                shutil.copy2(path, data / path.name)

    def one(self) -> str:
        kinds = {"kill one": lambda: self.kill_some(1), "kill two": lambda: self.kill_some(2), "kill all": lambda: self.kill_some(4),
                 "pause": self.pause_one, "full disk": self.full_disk, "unplug one": self.unplug_one, "part two": self.part_two,
                 "one way": self.one_way, "restore": self.restore}
        kind = self.rng.choices(list(kinds), (4, 2, 1, 3, 2, 2, 2, 2, 3))[0]
        self.counts[kind] += 1
        kinds[kind]()
        return kind


# ---- afterwards ----

def blocks_of(node, top: int) -> dict[int, tuple[str, str]]:
    """Height → hash of the block, application hash in its header."""
    found = {}
    for low in range(1, top + 1, 20):
        for meta in call(node, "blockchain", 30, minHeight=str(low), maxHeight=str(min(top, low + 19)))["block_metas"]:
            found[int(meta["header"]["height"])] = (meta["block_id"]["hash"], meta["header"]["app_hash"])
    return found


def compare_chains(chains: list[dict[int, tuple[str, str]]], top: int) -> list[str]:
    problems = []
    for height in range(1, top + 1):
        there = [chain.get(height) for chain in chains]
        if None in there:
            problems.append(f"height {height} is missing at node{there.index(None)}")
        elif len(set(there)) > 1:
            problems.append(f"height {height} is not the same everywhere: {there}")
    return problems


def compare_shown(chain: dict[int, tuple[str, str]], shown: dict[int, dict[str, str]]) -> list[str]:
    return [f"{who} showed {hash_} at height {height}, where {chain.get(height, ('nothing',))[0]} is" for height, of in shown.items()
            for hash_, who in of.items() if height > 0 and chain.get(height, ("",))[0] != hash_]


def compare_receipts(blocks: dict[int, set[bytes]], receipts: list[tuple[int, bytes]]) -> list[str]:
    return [f"a transaction that was committed at height {height} is not there: {hash_.hex()}" for height, hash_ in receipts
            if hash_ not in blocks.get(height, set())]


def check(net: lab.Lab, book: Book, register: Register) -> dict:
    """All nodes are up and still."""
    top = min(int(call(node, "status", 30)["sync_info"]["latest_block_height"]) for node in net.nodes)
    log(f"comparing {top} heights")
    chains = [blocks_of(node, top) for node in net.nodes]
    for problem in compare_chains(chains, top):
        book.problem(problem)
    for problem in compare_shown(chains[0], {h: of for h, of in book.shown.items() if h <= top}):
        book.problem(problem)
    blocks, txs, evidence, rounds = {}, 0, 0, collections.Counter()
    for height in range(1, top + 1):
        block = call(net.nodes[height % lab.COUNT], "block", 30, height=str(height))["block"]
        blocks[height] = {hashlib.sha256(base64.b64decode(tx)).digest() for tx in block["data"]["txs"] or []}
        txs += len(blocks[height])
        evidence += len(block["evidence"]["evidence"] or [])
        if height > 1:
            rounds[block["last_commit"]["round"]] += 1
            for signature in of_commit(block["last_commit"]):
                register.add(signature, f"block {height}")
    for problem in compare_receipts(blocks, [r for r in book.receipts if r[0] <= top]):
        book.problem(problem)
    late = sum(height > top for height, _ in book.receipts)
    if late:
        book.problem(f"{late} receipts are of heights above {top}, where everybody is")
    if evidence:
        book.problem(f"{evidence} pieces of evidence in blocks")
    for conflict in register.conflicts:
        book.problem(conflict)
    return {"heights": top, "transactions": txs, "receipts": len(book.receipts), "shown": sum(map(len, book.shown.values())),
            "rounds": {str(k): v for k, v in sorted(rounds.items())}, "signatures": len(register.seen)}


def settle(faults: Faults) -> None:
    """The same height everywhere, after the load."""
    faults.progress("the end")
    goal = max(faults.height(node) for node in faults.nodes)
    end = time.monotonic() + PROGRESS_DEADLINE_S
    while min(faults.height(node) for node in faults.nodes) < goal:
        if time.monotonic() > end:
            faults.book.problem(f"height {goal} is not reached everywhere")
            return
        time.sleep(0.2)


def run(folder: Path, minutes: float, seed: int) -> dict:
    net, book, register = lab.Lab(folder), Book(), Register()
    readers = [LogReader(node.data, node.address, register) for node in net.nodes]
    faults = Faults(net, book, readers, seed)
    over = threading.Event()

    def follow() -> None:
        while not over.wait(0.5):
            faults.read_logs()

    try:
        for node in net.nodes:
            node.start()
        reader = threading.Thread(target=follow, daemon=True)
        reader.start()
        faults.progress("the start")
        load, end = Load(net.nodes, book, seed), time.monotonic() + 60 * minutes
        while time.monotonic() < end:
            kind = faults.one()
            # Some come while the one before is not over.
            if faults.rng.random() < 0.7:
                faults.progress(kind)
            log(f"{sum(faults.counts.values())} {kind}; heights {[faults.height(node) for node in net.nodes]}, {book.sent} receipts")
            faults.wait(0, 1)
        net.join()
        faults.progress("the last fault")
        load.stop()
        settle(faults)
        result = check(net, book, register)
        over.set()
        reader.join()
        codes = net.stop()
        faults.read_logs()
        if any(codes):
            book.problem(f"exit codes of a regular end: {codes}")
        for conflict in register.conflicts:
            if conflict not in book.problems:
                book.problem(conflict)
    finally:
        over.set()
        net.stop()
    return {"seed": seed, "minutes": minutes, "faults": dict(sorted(faults.counts.items())), "refused_starts": faults.refused,
            "lives": sum(node.lives for node in net.nodes), "failed_calls": book.failed, "log_records": sum(r.records for r in readers),
            **result, "problems": book.problems}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder for the homes, which stays when something was found")
    options = parser.parse_args()
    lab.enter()
    folder = Path(tempfile.mkdtemp(prefix="caisson-ledger-", dir=options.keep))
    result = run(folder, options.minutes, options.seed)
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    if result["problems"] and options.keep:
        print(f"kept: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if result["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
