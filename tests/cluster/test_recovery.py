"""A cluster whose only key server is lost with its state: holders of recovery keys bring it back into a new process, and into nothing else."""
from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lib.cluster import Cluster, Process_, caisson, measure, other_build
from lib.rpc import wait_for

SOON_S = 90


class Recovery:
    """The commands of an operator and the holders, over one recovery file."""

    def __init__(self, cluster: Cluster, file: Path, folder: Path):
        self.cluster, self.file, self.folder = cluster, file, folder
        folder.mkdir()
        self.count = 0

    def run(self, *arguments) -> tuple[int, str]:
        done = caisson(self.cluster.build, "cluster", "recovery", *arguments)
        return done.returncode, done.stdout + done.stderr

    def _new(self, name: str) -> Path:
        self.count += 1
        return self.folder / f"{name}-{self.count}"

    def request(self, server: Process_) -> Path:
        out = self._new("request")
        code, text = self.run("request", self.file, "--out", out, "--config", server.config)
        assert code == 0, text
        return out

    def try_approve(self, request: Path, key: Path, manifests: list[Path] | None = None) -> tuple[int, str, Path]:
        out = self._new("share")
        named = [word for path in manifests or self.cluster.manifests for word in ("--manifest", path)]
        code, text = self.run("approve", self.file, "--request", request, "--key-file", key, "--out", out, *named)
        assert out.exists() == (code == 0)
        return code, text, out

    def approve(self, request: Path, *holders: int) -> list[Path]:
        shares = []
        for i in holders:
            code, text, out = self.try_approve(request, self.cluster.holders[i])
            assert code == 0, text
            assert "INSECURE" in text and "key_server 1" in text
            shares.append(out)
        return shares

    def restore(self, server: Process_, shares: list[Path]) -> tuple[int, str]:
        return self.run("restore", self.file, "--config", server.config, *[word for path in shares for word in ("--share", path)])


def newest(server: Process_) -> int:
    return server.status()["epochs"][-1]["number"]


def kept_recovery(server: Process_, times: int) -> Path:
    """The file that the process itself keeps, once it was written so often."""
    wait_for(lambda: server.log.read_text().count("recovery_kept") >= times, SOON_S, "the recovery file")
    return server.folder / "recovery.file"


def lose(cluster: Cluster, server: Process_) -> None:
    server.kill()
    shutil.rmtree(server.folder)
    cluster.key_servers.remove(server)


def test_two_of_three_holders_bring_it_back(tmp_path):
    with Cluster(tmp_path / "c", worker_s=2, key_server_s=60, holders=3, threshold=2) as cluster:
        cluster.start(guards=1, workers=2)
        first, worker = cluster.key_servers[0], cluster.workers[0]
        kept_recovery(first, 1)
        first.ask("rotate")
        file = tmp_path / "away"
        shutil.copy(kept_recovery(first, 2), file)
        wait_for(lambda: worker.status()["epoch"] == 2, SOON_S, "the worker's second epoch")
        sealed = worker.seal(b"under the lost one")
        lose(cluster, first)
        wait_for(lambda: not worker.joined(), SOON_S, "the end of what workers had")

        second = cluster.add_key_server(listen=first.settings["listen"]).start().ready()
        recovery = Recovery(cluster, file, tmp_path / "r")
        # Nobody was asked.
        code, text = recovery.restore(second, [])
        assert (code, "unknown-nonce" in text) == (3, True), text
        request = recovery.request(second)
        shares = recovery.approve(request, 0, 2)
        # Too few; the same one twice; then shares for the box of a request before the last one.
        for given, reason in ((shares[:1], "unauthorized"), ([shares[0], shares[0]], "duplicate")):
            code, text = recovery.restore(second, given)
            assert (code, reason in text) == (3, True), text
        again = recovery.request(second)
        code, text = recovery.restore(second, shares)
        assert (code, "seal-broken" in text) == (3, True), text
        assert second.status()["state"] == "none"
        # A process that was started again has another box.
        shares = recovery.approve(again, 0, 1)
        second.stop()
        second.start().ready()
        code, text = recovery.restore(second, shares)
        assert (code, "unknown-nonce" in text) == (3, True), text

        code, text = recovery.restore(second, recovery.approve(recovery.request(second), 1, 2))
        assert code == 0, text
        assert (second.status()["state"], newest(second)) == ("serving", 3)
        wait_for(lambda: worker.joined() and worker.status()["epoch"] == 3, SOON_S, "keys from the new one")
        assert worker.open(sealed) == b"under the lost one"
        wait_for(cluster.workers[1].joined, SOON_S, "the other worker")
        assert cluster.workers[1].open(worker.seal(b"as before")) == b"as before"
        # It keeps a recovery of its own, and is no more to be recovered.
        assert kept_recovery(second, 1).read_bytes() != file.read_bytes()
        code, text = recovery.run("request", file, "--out", tmp_path / "late", "--config", second.config)
        assert (code, "conflict" in text) == (3, True), text


def test_who_gets_no_share(tmp_path):
    """Of a build that the last manifest does not name; for a changed file; of one who holds no key."""
    program = other_build(Path(Cluster(tmp_path / "probe").program), tmp_path / "old")
    with Cluster(tmp_path / "c", holders=3, threshold=2) as cluster:
        cluster.builds["key_server"] = [("key_server 0", measure(program)), *cluster.builds["key_server"]]
        cluster.manifests.clear()
        cluster.first = ""
        cluster.sign()
        server = cluster.add_key_server().start().ready()
        server.ask("create")
        file = tmp_path / "away"
        shutil.copy(kept_recovery(server, 1), file)
        old = cluster.add_key_server(program=program).start().ready()
        cluster.builds["key_server"] = cluster.builds["key_server"][1:]
        cluster.sign()
        recovery = Recovery(cluster, file, tmp_path / "r")
        # It was started under the first manifest, which still named it; holders go by the last one.
        request = recovery.request(old)
        code, text, _ = recovery.try_approve(request, cluster.holders[0])
        assert (code, "unlisted-build" in text) == (6, True), text
        assert recovery.try_approve(request, cluster.holders[0], cluster.manifests[:1])[0] == 0
        code, text, _ = recovery.try_approve(request, cluster.holders[0], [cluster.manifests[1]])
        assert (code, "wrong-lineage" in text) == (6, True), text

        good = cluster.add_key_server().start().ready()
        request = recovery.request(good)
        cluster.keygen(tmp_path / "stranger.key")
        code, text, _ = recovery.try_approve(request, tmp_path / "stranger.key")
        assert (code, "seal-broken" in text) == (6, True), text
        # Evidence is about the very file.
        other = bytearray(file.read_bytes())
        other[-1] ^= 1
        recovery.file = tmp_path / "changed"
        recovery.file.write_bytes(other)
        code, text, _ = recovery.try_approve(request, cluster.holders[0])
        assert (code, "wrong-key" in text) == (6, True), text
        recovery.file = file
        assert recovery.try_approve(request, cluster.holders[0])[0] == 0


def test_an_old_recovery_is_found_out(tmp_path):
    """What was kept before the last epoch comes back with other roots: guards that have met the newer one say so, and nothing is issued."""
    with Cluster(tmp_path / "c", worker_s=2, key_server_s=60, holders=2, threshold=2) as cluster:
        cluster.start(guards=1, workers=1)
        first, worker = cluster.key_servers[0], cluster.workers[0]
        file = tmp_path / "old"
        shutil.copy(kept_recovery(first, 1), file)
        first.ask("rotate")
        wait_for(lambda: worker.status()["epoch"] == 2, SOON_S, "the second epoch")
        lose(cluster, first)
        second = cluster.add_key_server(listen=first.settings["listen"]).start().ready()
        recovery = Recovery(cluster, file, tmp_path / "r")
        code, text = recovery.restore(second, recovery.approve(recovery.request(second), 0, 1))
        assert code == 0, text
        wait_for(lambda: second.status()["state"] == "behind", SOON_S, "the guard's word")
        wait_for(lambda: not worker.joined(), SOON_S, "the end of what the worker had")
        assert "rolled-back" in second.log.read_text()


def test_without_recovery_keys_there_is_no_recovery(tmp_path):
    with Cluster(tmp_path / "c") as cluster:
        server = cluster.add_key_server().start().ready()
        out = tmp_path / "out"
        for created in (False, True):
            run = caisson(cluster.build, "cluster", "recovery", "export", "--out", out, "--config", server.config, "--json")
            assert run.returncode == 3
            assert ("conflict" if created else "no-key") in json.loads(run.stdout)["error"]
            if not created:
                server.ask("create")
        assert not out.exists() and not (server.folder / "recovery.file").exists()


@pytest.mark.parametrize("missing", ["--request", "--key-file", "--manifest", "--out"])
def test_a_holder_gives_everything(tmp_path, missing):
    given = {"--request": "r", "--key-file": "k", "--manifest": "m", "--out": "o"}
    words = [word for name, value in given.items() if name != missing for word in (name, tmp_path / value)]
    (tmp_path / "f").write_bytes(b"x")
    (tmp_path / "r").write_bytes(b"x")
    run = caisson(Cluster(tmp_path / "c").build, "cluster", "recovery", "approve", tmp_path / "f", *words)
    assert run.returncode == 2 and not (tmp_path / "o").exists()
