"""A key cluster of real processes: joining, renewing, rotating, revoking, restarting, rolling over; and everybody who gets nothing."""
from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import ssl
import time
from pathlib import Path

import pytest

from lib.cluster import Cluster, Refused, measure, other_build
from lib.rpc import wait_for

# A step of a process that is up takes milliseconds; tests share two cores with others.
SOON_S = 90


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as c:
        yield c.start(guards=2, workers=4)


def refused(code: str, call, *arguments, **named) -> str:
    with pytest.raises(Refused) as problem:
        call(*arguments, **named)
    assert problem.value.code == code, problem.value
    return problem.value.why


# ---- what it is for ----

def test_workers_of_two_guards_share_keys(cluster):
    a, b = cluster.workers[0], cluster.workers[1]
    sealed = a.seal(b"a secret of the application")
    assert b"secret" not in sealed
    assert b.open(sealed) == b"a secret of the application"
    refused("seal-broken", b.open, sealed, purpose="another")
    refused("seal-broken", b.open, sealed[:-1] + bytes([sealed[-1] ^ 1]))


def test_workers_speak_mutual_tls(cluster):
    plain = b"over the network, under the cluster's key"
    assert cluster.workers[0].share(3, plain) == hashlib.sha256(plain).digest()


def test_every_figure_is_there(cluster):
    for process in cluster.everybody():
        process.shows_all()
    cluster.workers[0].shows_all("caisson_cluster_certificate_")


def test_status_shouts_that_it_is_simulated(cluster):
    for process in cluster.everybody():
        assert process.status()["insecure"] is True
        assert "insecure: the backend is simulated" in process.log.read_text()


def test_rotation_begins_an_epoch_and_old_data_opens(cluster):
    ks, worker = cluster.key_servers[0], cluster.workers[2]
    before = ks.status()["epochs"][-1]["number"]
    sealed = worker.seal(b"of the epoch before")
    ks.ask("rotate")
    assert ks.status()["epochs"][-1]["number"] == before + 1
    assert worker.open(sealed) == b"of the epoch before"


def test_every_enclave_is_in_the_sandbox(cluster):
    """No network but loopback, a filter, no new privileges, no dumps, secrets in memory that not even root's debugger reads."""
    for process in cluster.everybody():
        proc = Path(f"/proc/{process.enclave_pid()}")
        status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
        assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1"), process.name
        assert [line.split(":")[0].strip() for line in (proc / "net" / "dev").read_text().splitlines()[2:]] == ["lo"]
        assert re.search(r"Max core file size\s+0\s+0", (proc / "limits").read_text())
        assert "secretmem" in (proc / "maps").read_text()
        sockets = [link for link in (os.readlink(fd) for fd in (proc / "fd").iterdir()) if link.startswith("socket:")]
        assert len(sockets) <= 2, "the listening socket and the host's"


def test_no_secret_is_in_a_log(cluster):
    roots = [(p.folder / "seal.root").read_text().strip() for p in cluster.everybody()]
    for process in cluster.everybody():
        log = process.log.read_text()
        assert not any(root in log for root in roots)


# ---- who gets nothing ----

def test_a_worker_of_a_wrong_build_gets_nothing(cluster, tmp_path):
    program = other_build(cluster.program, tmp_path / "other")
    worker = cluster.add_worker(cluster.guards[0], program=program).start().ready()
    try:
        wait_for(lambda: worker.metric("refused") > 0, SOON_S, "a refusal")
        assert not worker.joined()
        refused("no-key", worker.seal, b"anything")
        assert "unlisted-build" in worker.log.read_text()
    finally:
        worker.stop()
        cluster.workers.remove(worker)


def test_a_guard_of_a_wrong_build_meets_nobody(cluster, tmp_path):
    program = other_build(cluster.program, tmp_path / "other")
    guard = cluster.add_guard(program=program).start().ready()
    worker = cluster.add_worker(guard).start().ready()
    try:
        wait_for(lambda: guard.metric("refused") > 0, SOON_S, "a refusal")
        assert guard.metric("met") == 0 and not worker.joined()
        assert "unlisted-build" in cluster.key_servers[0].log.read_text()
    finally:
        worker.stop()
        guard.stop()
        cluster.guards.remove(guard)
        cluster.workers.remove(worker)


def test_an_application_that_the_manifest_does_not_name(cluster):
    worker = cluster.add_worker(cluster.guards[0], application="another").start().ready()
    try:
        wait_for(lambda: worker.metric("refused") > 0, SOON_S, "a refusal")
        assert not worker.joined()
        assert "not-in-manifest" in worker.log.read_text()
    finally:
        worker.stop()
        cluster.workers.remove(worker)


def test_another_role_at_the_key_server_s_port(cluster):
    """TLS without a certificate, and TLS 1.2: no handshake; a plain text: no connection."""
    address = cluster.key_servers[0].settings["listen"].split(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(address, 10) as s, pytest.raises(OSError):
        with context.wrap_socket(s) as tls:
            tls.send(b"x")
            assert tls.recv(1) == b""
            raise OSError("the connection ended")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(address, 10) as s, pytest.raises(OSError):
        context.wrap_socket(s)
    with socket.create_connection(address, 10) as s:
        s.sendall(b"GET / HTTP/1.1\r\n\r\n")
        while s.recv(4096):
            pass


# ---- what changes the cluster: each test has its own ----

def test_a_revoked_worker(tmp_path):
    with Cluster(tmp_path, worker_s=2, key_server_s=60) as cluster:
        cluster.start(guards=1, workers=2)
        ks, bad, good = cluster.key_servers[0], cluster.workers[0], cluster.workers[1]
        key = bad.status()["key"]
        epoch = ks.status()["epochs"][-1]["number"]
        ks.ask("revoke", bytes.fromhex(key))
        refused("duplicate", ks.ask, "revoke", bytes.fromhex(key))
        # It gets no new key; the others do, and do not talk to it.
        wait_for(lambda: good.status()["epoch"] > epoch, SOON_S, "the next epoch")
        wait_for(lambda: not bad.joined(), SOON_S, "the end of its certificate")
        wait_for(lambda: "revoked" in bad.log.read_text(), SOON_S, "the reason")
        with pytest.raises(Refused):
            good.share(0, b"to the revoked one")
        refused("no-key", bad.seal, b"anything")


def test_a_revocation_reaches_workers_before_their_renewal(tmp_path):
    """Certificates live an hour. The others refuse the revoked worker within seconds, though its host keeps the word of it from it;
    when it hears of it, it drops its keys itself."""
    with Cluster(tmp_path) as cluster:
        cluster.start(guards=2, workers=2)
        ks, (bad, good) = cluster.key_servers[0], cluster.workers
        renewals = good.status()["renewals"]
        assert bad.share(1, b"before") and good.share(0, b"before")
        cluster.guards[0].kill()
        ks.ask("revoke", bytes.fromhex(bad.status()["key"]))
        wait_for(lambda: good.metric("revoked") > 0, SOON_S, "the word of it")
        refused("revoked", good.share, 0, b"after")
        with pytest.raises(Refused):
            bad.share(1, b"after")
        assert bad.joined() and good.joined() and good.status()["renewals"] == renewals
        cluster.guards[0].start().ready()
        wait_for(lambda: not bad.joined(), SOON_S, "the end of its keys")
        refused("no-key", bad.seal, b"anything")


def test_renewal_at_half_of_a_certificate_s_life(tmp_path):
    with Cluster(tmp_path, worker_s=4, key_server_s=60) as cluster:
        worker = cluster.start().workers[0]
        until = worker.status()["until"]
        wait_for(lambda: worker.status()["renewals"] >= 3, SOON_S, "three renewals")
        assert worker.status()["until"] > until
        assert worker.metric("lost") == 0
        # What alarms are made of goes with it.
        wait_for(lambda: worker.figure("caisson_cluster_certificate_expires_timestamp_seconds") > until, SOON_S, "the next end")
        assert 0 < worker.figure("caisson_cluster_certificate_life_seconds") <= 4


def test_without_a_key_server_keys_end_with_the_certificate(tmp_path):
    with Cluster(tmp_path, worker_s=2, key_server_s=60) as cluster:
        worker = cluster.start().workers[0]
        cluster.key_servers[0].kill()
        wait_for(lambda: not worker.joined(), SOON_S, "the end")
        refused("no-key", worker.seal, b"anything")
        assert worker.figure("caisson_cluster_certificate_expires_timestamp_seconds") < time.time()


def test_everything_restarts(tmp_path):
    with Cluster(tmp_path) as cluster:
        cluster.start(guards=1, workers=1)
        worker = cluster.workers[0]
        sealed = worker.seal(b"before")
        key = worker.status()["key"]
        for process in cluster.everybody():
            process.kill()
        for process in cluster.everybody():
            process.start().ready()
        # From its own sealed state, without asking anybody.
        assert worker.open(sealed) == b"before"
        assert worker.status()["key"] == key
        cluster.key_servers[0].ask("rotate")


def test_a_sealed_state_that_was_changed(tmp_path):
    with Cluster(tmp_path) as cluster:
        cluster.start(guards=1, workers=1)
        worker = cluster.workers[0]
        worker.stop()
        state = worker.folder / "state.sealed"
        data = bytearray(state.read_bytes())
        data[-1] ^= 1
        state.write_bytes(data)
        worker.start()
        assert worker.process.popen.wait(SOON_S) == 1
        assert "seal-broken" in worker.log.read_text()


def test_a_state_of_another_process(tmp_path):
    """Another seal root; then the same root, another role."""
    with Cluster(tmp_path) as cluster:
        cluster.start(guards=1, workers=2)
        a, b = cluster.workers
        b.stop()
        shutil.copy(a.folder / "state.sealed", b.folder / "state.sealed")
        b.start()
        assert b.process.popen.wait(SOON_S) == 1
        guard = cluster.guards[0]
        guard.stop()
        shutil.copy(a.folder / "state.sealed", guard.folder / "state.sealed")
        shutil.copy(a.folder / "seal.root", guard.folder / "seal.root")
        guard.start()
        assert guard.process.popen.wait(SOON_S) == 1
        assert "seal-broken" in b.log.read_text() and "seal-broken" in guard.log.read_text()


def test_a_key_server_that_was_rolled_back(tmp_path):
    """Its guard remembers how far it was, shows it, and the key server that is behind issues nothing."""
    with Cluster(tmp_path, worker_s=2, key_server_s=60) as cluster:
        cluster.start(guards=1, workers=1)
        ks, worker = cluster.key_servers[0], cluster.workers[0]
        old = (ks.folder / "state.sealed").read_bytes()
        ks.ask("rotate")
        epoch = ks.status()["epochs"][-1]["number"]
        wait_for(lambda: worker.status()["epoch"] == epoch, SOON_S, "the worker's new epoch")
        ks.kill()
        (ks.folder / "state.sealed").write_bytes(old)
        ks.start().ready()
        wait_for(lambda: "rolled-back" in ks.log.read_text(), SOON_S, "the refusal")
        wait_for(lambda: not worker.joined(), SOON_S, "the end of what it had")
        assert ks.status()["state"] == "behind"


def test_a_second_key_server_takes_over(tmp_path):
    with Cluster(tmp_path, worker_s=4, key_server_s=60) as cluster:
        first = cluster.add_key_server().start().ready()
        first.ask("create")
        second = cluster.add_key_server(peers=[first.settings["listen"]]).start().ready()
        second.ask("join")
        assert second.status()["state"] == "standby"
        refused("conflict", second.ask, "rotate")
        guard = cluster.add_guard().start().ready()
        worker = cluster.add_worker(guard).start().ready()
        wait_for(worker.joined, SOON_S, "joining")
        sealed = worker.seal(b"under the first")
        first.ask("rotate")
        epoch = first.status()["epochs"][-1]["number"]
        wait_for(lambda: second.status()["epochs"][-1]["number"] == epoch, SOON_S, "the copy")
        first.kill()
        second.ask("promote")
        second.ask("rotate")
        wait_for(lambda: worker.status()["epoch"] == epoch + 1, SOON_S, "keys from the second")
        assert worker.open(sealed) == b"under the first"


def test_a_key_server_of_another_cluster_is_not_joined(tmp_path):
    with Cluster(tmp_path / "a") as a, Cluster(tmp_path / "b") as b:
        first = a.add_key_server().start().ready()
        first.ask("create")
        stranger = b.add_key_server(peers=[first.settings["listen"]]).start().ready()
        with pytest.raises(Refused):
            stranger.ask("join")
        assert stranger.status()["state"] == "none"


def test_builds_roll_over_in_two_manifests(tmp_path):
    """Add the new build; workers of both have keys; remove the old one: it gets none. Nothing restarts but the workers."""
    with Cluster(tmp_path, worker_s=2, key_server_s=60) as cluster:
        cluster.start(guards=1, workers=1)
        old = cluster.workers[0]
        program = other_build(cluster.program, tmp_path / "next")

        def give(path):
            for process in (*cluster.key_servers, *cluster.guards, *[w for w in cluster.workers if w.process.alive()]):
                process.ask("manifest", path.read_bytes())

        cluster.builds["worker"] = [*cluster.builds["worker"], ("worker 2", measure(program))]
        give(cluster.sign())
        new = cluster.add_worker(cluster.guards[0], program=program).start().ready()
        wait_for(new.joined, SOON_S, "the new build to join")
        wait_for(lambda: old.status()["epoch"] == new.status()["epoch"], SOON_S, "one epoch")
        assert old.open(new.seal(b"both")) == b"both"
        cluster.builds["worker"] = cluster.builds["worker"][1:]
        path = cluster.sign()
        for process in (*cluster.key_servers, *cluster.guards, new):
            process.ask("manifest", path.read_bytes())
        wait_for(lambda: not old.joined(), SOON_S, "the old build's end")
        wait_for(lambda: new.status()["epoch"] == cluster.key_servers[0].status()["epochs"][-1]["number"], SOON_S, "the new epoch")
        refused("wrong-lineage", new.ask, "manifest", path.read_bytes())


def test_a_policy_that_nothing_can_match(tmp_path):
    """A measurement that is too short: nobody begins with it, nobody takes it, and what is in force stays."""
    typo = ("worker 2", "0x" + "ab" * 16)
    with Cluster(tmp_path / "a") as cluster:
        cluster.start(guards=1, workers=1)
        cluster.builds["worker"] = [*cluster.builds["worker"], typo]
        with pytest.raises(RuntimeError, match="nothing is signed: invalid: policies.worker"):
            cluster.sign()
        path = cluster.sign(checked=False)
        for process in cluster.everybody():
            why = refused("invalid", process.ask, "manifest", path.read_bytes())
            assert "policies.worker: measurements[1] can never match: 'measurement' has 32 bytes, here are 16" in why
            assert process.status()["manifest"] == 1
        good = cluster.builds["guard"]
    with Cluster(tmp_path / "b", builds={"key_server": good, "guard": [*good, typo], "worker": good}, checked=False) as b:
        first = b.add_key_server().start().ready()
        assert "policies.guard" in refused("invalid", first.ask, "create")
        assert first.status()["state"] == "none"


def test_a_manifest_that_nobody_signed(cluster):
    raw = cluster.manifests[0].read_bytes()
    for changed in (raw.replace(b'"tests"', b'"tests2"'), raw[:-1], b"{}"):
        with pytest.raises(Refused):
            cluster.key_servers[0].ask("manifest", changed)
    assert cluster.key_servers[0].status()["manifest"] == 1


