"""A key cluster whose time is a ledger's: nodes sign it for each process's nonces; the clocks of machines count for nothing."""
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lib.bridge_ledger import BridgeLedger
from lib.chains import secret_of
from lib.cluster import Cluster, Process_, Refused
from lib import abi, crypto
from lib.rpc import wait_for

SOON_S = 90
QUORUM = 3


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    with BridgeLedger(tmp_path_factory.mktemp("ledger"), gateways=(), oracles=()) as it:
        yield it


def ledger_time(keys: list[str]) -> dict:
    return {"time": ["ledger"], "ledger": {"clock_error_s": 1, "quorum": QUORUM, "time_keys": keys}}


def make(folder: Path, ledger: BridgeLedger, keys: list[str] | None = None, **options) -> Cluster:
    """Under a first manifest of that time, whose processes ask the ledger's nodes."""
    return Cluster(folder, time=ledger_time(keys or ledger.time_keys),
                   ledger={"id": ledger.caip2, "tag": abi.to_hex(ledger.tag), "nodes": ledger.urls}, **options)


def refused(code: str, call, *arguments) -> None:
    with pytest.raises(Refused) as problem:
        call(*arguments)
    assert problem.value.code == code, problem.value


def is_up(process: Process_) -> bool:
    process.process.check()
    try:
        return process.health()
    except OSError:
        return False


def test_a_cluster_by_the_ledger_s_time(ledger, tmp_path):
    with make(tmp_path / "c", ledger, worker_s=16, key_server_s=120) as cluster:
        cluster.start(guards=1, workers=2)
        ks, (a, b) = cluster.key_servers[0], cluster.workers
        sealed = a.seal(b"a row")
        assert b.open(sealed) == b"a row"
        a.share(1, b"over TLS")
        ks.ask("rotate")
        wait_for(lambda: a.status()["epoch"] == 2 and a.status()["renewals"] >= 2, SOON_S, "renewal")
        assert a.open(sealed) == b"a row"
        # Simulated evidence it is, but nobody's clock.
        for process in cluster.everybody():
            log = process.log.read_text()
            assert "insecure: the backend is simulated" in log and "time is the host's clock" not in log
        # Everything starts again, and asks for the time again.
        for process in cluster.everybody():
            process.kill()
        for process in cluster.everybody():
            process.start().ready()
        wait_for(a.joined, SOON_S, "the worker")
        assert a.open(sealed) == b"a row"


def test_without_a_quorum_nothing_is_done(ledger, tmp_path):
    with make(tmp_path / "c", ledger, worker_s=16, key_server_s=120) as cluster:
        cluster.start(guards=1, workers=1)
        ks, worker = cluster.key_servers[0], cluster.workers[0]
        sealed = worker.seal(b"before")
        ledger.kill(0)
        assert worker.open(sealed) == b"before"
        ledger.kill(1)
        try:
            wait_for(lambda: "no time of the ledger" in worker.log.read_text() and "no time of the ledger" in ks.log.read_text(), SOON_S,
                     "the complaints")
            # What it is, it says; what it has, it does not use.
            assert ks.status()["state"] == "serving"
            with pytest.raises((TimeoutError, OSError)):
                worker.open(sealed)
            restarted = cluster.guards[0]
            restarted.kill()
            restarted.start()
            wait_for(lambda: "no time of the ledger" in restarted.log.read_text().rsplit("ready", 1)[-1], SOON_S, "the guard's complaint")
            assert not is_up(restarted)
        finally:
            ledger.heal(0)
            ledger.heal(1)
        wait_for(lambda: is_up(restarted), SOON_S, "the guard")
        wait_for(worker.joined, SOON_S, "the worker's keys")
        assert worker.open(sealed) == b"before"


def test_answers_of_other_keys_are_no_time(ledger, tmp_path):
    """Two of the ledger's nodes and two strangers: no three of them answer."""
    strangers = [abi.to_hex(crypto.public_key(secret_of(f"stranger {i}"))[:32]) for i in range(2)]
    with make(tmp_path / "c", ledger, keys=[*ledger.time_keys[:2], *strangers]) as cluster:
        ks = cluster.add_key_server().start()
        wait_for(lambda: "no time of the ledger" in ks.log.read_text(), SOON_S, "the complaint")
        assert not is_up(ks)
        assert not (ks.folder / "state.sealed").exists()


def test_a_lineage_moves_to_the_ledger_and_not_back(ledger, tmp_path):
    with make(tmp_path / "c", ledger, worker_s=16, key_server_s=120) as cluster:
        ledger_manifest = cluster.time
        cluster.time = {"time": ["insecure_host_time"]}
        cluster.manifests.clear()
        cluster.first = ""
        cluster.sign()
        cluster.start(guards=1, workers=1)
        ks, worker = cluster.key_servers[0], cluster.workers[0]
        assert "time is the host's clock" in ks.log.read_text()
        sealed = worker.seal(b"before")
        cluster.time = ledger_manifest
        path = cluster.sign()
        for process in cluster.everybody():
            process.ask("manifest", path.read_bytes())
        wait_for(lambda: worker.status()["epoch"] == 2, SOON_S, "the epoch of the new manifest")
        assert worker.open(sealed) == b"before"
        cluster.time = {"time": ["insecure_host_time"]}
        back = cluster.sign()
        refused("insecure-refused", ks.ask, "manifest", back.read_bytes())


def test_a_configuration_without_the_ledger(ledger, tmp_path):
    with make(tmp_path / "c", ledger) as cluster:
        cluster.ledger = None
        ks = cluster.add_key_server().start()
        wait_for(lambda: "there is no [ledger]" in ks.log.read_text(), SOON_S, "the complaint")
        assert not is_up(ks)
        run = subprocess.run([cluster.build / "bin" / "caisson", "cluster", "status", "--config", ks.config], capture_output=True, text=True)
        assert run.returncode == 4
