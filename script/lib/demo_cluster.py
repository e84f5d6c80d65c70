"""script/demo --cluster: a key server, two guards and four workers as separate sandboxed processes of this machine.

They join, share data, get new keys while data goes on, lose one worker by revocation, and all come back from their sealed states; a
worker of a build that the manifest does not name gets nothing. Whatever is told was read back from the processes. Nothing here is
attested by hardware: the evidence is simulated, and every line that could be taken for more says so.
"""
from __future__ import annotations

import argparse
import hashlib
import json
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools")]
from lib.cluster import Cluster, Process_, Refused, other_build  # noqa: E402
from lib.rpc import wait_for  # noqa: E402

TIMEOUT_S = 60
# Certificates of workers live an hour at the most; here so short that the demo sees them renewed.
WORKER_S, KEY_SERVER_S = 6, 120


def paint(code: str, text: str) -> str:
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() else text


class Load:
    """One thread: a worker seals, another opens, as fast as they answer. Counts what went well, and keeps what did not."""

    def __init__(self, writer: Process_, reader: Process_):
        self.writer, self.reader, self.count, self.failures = writer, reader, 0, []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self.ending.is_set():
            plain = f"record {self.count}".encode()
            try:
                if self.reader.open(self.writer.seal(plain)) != plain:
                    raise AssertionError("another plaintext came back")
                self.count += 1
            except (Refused, OSError, AssertionError) as problem:
                # A reader that has not renewed since the rotation does not know the epoch yet: until it has, this is expected.
                if getattr(problem, "code", "") == "wrong-epoch":
                    time.sleep(0.05)
                    continue
                self.failures.append(str(problem))

    def __enter__(self) -> "Load":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.ending.set()
        self.thread.join(TIMEOUT_S)


class Demo:
    def __init__(self, cluster: Cluster):
        self.cluster, self.steps, self.begin = cluster, [], time.monotonic()

    def step(self, name: str, title: str, **facts) -> None:
        at = round((time.monotonic() - self.begin) * 1000)
        self.steps.append({"name": name, "ms": at, **facts})
        print(f"{paint('2', f'{at / 1000:7.2f} s')}  {paint('1', title)}", flush=True)
        for key, value in facts.items():
            print(paint("2", f"            {key.replace('_', ' ')}: {value}"), flush=True)

    def epoch(self) -> int:
        return self.cluster.key_servers[0].status()["epochs"][-1]["number"]

    def workers_at(self, epoch: int, workers: list[Process_]) -> None:
        wait_for(lambda: all(w.status()["epoch"] >= epoch for w in workers), TIMEOUT_S, f"epoch {epoch} at the workers")

    def join(self) -> None:
        c = self.cluster
        c.start(guards=2, workers=4)
        self.step("join", "a key server, two guards, four workers: each worker has a certificate and its application's key",
                  lineage=c.first, epoch=self.epoch(), keys=[w.status()["key"][:16] for w in c.workers])

    def share(self) -> None:
        a, b = self.cluster.workers[0], self.cluster.workers[1]
        plain = b"nobody outside of the application reads this"
        sealed = a.seal(plain, "demo")
        assert b.open(sealed, "demo") == plain
        digest = a.share(3, plain, "demo")
        assert digest == hashlib.sha256(plain).digest()
        self.step("share", "what one worker encrypts another decrypts, beside another guard; over mutual TLS too",
                  plaintext_bytes=len(plain), sealed_bytes=len(sealed), sha256=digest.hex())

    def rotate(self) -> None:
        workers = self.cluster.workers
        before = self.epoch()
        old = workers[0].seal(b"of the old epoch", "demo")
        with Load(workers[0], workers[1]) as load:
            wait_for(lambda: load.count > 20, TIMEOUT_S, "load")
            self.cluster.key_servers[0].ask("rotate")
            self.workers_at(before + 1, workers)
            count = load.count
            wait_for(lambda: load.count > count + 20, TIMEOUT_S, "load under the new epoch")
        assert not load.failures, load.failures[:3]
        assert workers[2].open(old, "demo") == b"of the old epoch"
        self.step("rotate", "the key was rotated while data went on; what the old epoch encrypted still opens",
                  epoch_before=before, epoch=self.epoch(), records_under_load=load.count, failures=len(load.failures))

    def wrong_build(self) -> None:
        program = other_build(self.cluster.program, self.cluster.folder / "another-build")
        stranger = self.cluster.add_worker(self.cluster.guards[0], program=program).start().ready()
        wait_for(lambda: stranger.metric("refused") > 0, TIMEOUT_S, "a refusal")
        status = stranger.status()
        assert not status["joined"] and status["epochs"] == []
        try:
            stranger.seal(b"anything", "demo")
            raise AssertionError("a worker of a wrong build has a key")
        except Refused as refusal:
            code = refusal.code
        stranger.stop()
        self.cluster.workers.remove(stranger)
        self.step("wrong_build", "a worker of a build that the manifest does not name gets nothing",
                  refused_by_the_guard="unlisted-build" in stranger.log.read_text(), its_answer=code)

    def revoke(self) -> None:
        workers = self.cluster.workers
        bad, good = workers[3], workers[:3]
        key, before = bad.status()["key"], self.epoch()
        self.cluster.key_servers[0].ask("revoke", bytes.fromhex(key))
        self.workers_at(before + 1, good)
        sealed = good[0].seal(b"after the revocation", "demo")
        try:
            bad.open(sealed, "demo")
            raise AssertionError("a revoked worker opens what was encrypted after its revocation")
        except Refused as refusal:
            at_once = refusal.code
        wait_for(lambda: not bad.joined(), TIMEOUT_S, "the end of its keys")
        self.step("revoke", "a worker was revoked: the others hear of it in seconds, and so does it; a new epoch, which it never gets",
                  key=key[:16], epoch=self.epoch(), new_data=at_once, joined=bad.joined())
        bad.stop()
        workers.remove(bad)

    def restart(self) -> None:
        everybody = self.cluster.everybody()
        sealed = self.cluster.workers[0].seal(b"before the restart", "demo")
        keys = [w.status()["key"] for w in self.cluster.workers]
        for process in everybody:
            process.kill()
        for process in everybody:
            process.start()
        for process in everybody:
            process.ready()
        for worker in self.cluster.workers:
            wait_for(worker.joined, TIMEOUT_S, f"{worker.name} to be back")
        assert [w.status()["key"] for w in self.cluster.workers] == keys
        assert self.cluster.workers[1].open(sealed, "demo") == b"before the restart"
        self.step("restart", "everything was killed and came back from its sealed state: the same keys, and data that opens",
                  processes=len(everybody), epoch=self.epoch())

    def run(self) -> None:
        for part in (self.join, self.share, self.rotate, self.wrong_build, self.revoke, self.restart):
            part()


def main() -> int:
    parser = argparse.ArgumentParser(prog="script/demo --cluster")
    parser.add_argument("--cluster", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="caisson-cluster-") as temporary:
        folder = (args.folder or Path(temporary)).resolve()
        print(paint("1;31", "INSECURE: insecure_accept_simulated. No hardware attests anything here: every process's evidence is its own claim.\n"))
        with Cluster(folder, worker_s=WORKER_S, key_server_s=KEY_SERVER_S) as cluster:
            demo = Demo(cluster)
            demo.run()
            if args.json:
                args.json.write_text(json.dumps({"insecure": True, "lineage": cluster.first, "steps": demo.steps}, indent=1) + "\n")
            print(paint("1;31", "\nINSECURE: all of the above was simulated attestation (insecure_accept_simulated)."), flush=True)
            if args.keep:
                print(f"up until Ctrl-C; for example: caisson cluster status --socket {cluster.key_servers[0].socket}", flush=True)
                try:
                    signal.pause()
                except KeyboardInterrupt:
                    pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
