"""Secrets for programs that are not the cluster's own: who gets one by the manifest, and everybody who gets none."""
from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import pytest

from lib import dumps, sdk
from lib.cluster import APPLICATION, Cluster, Process_, other_build
from lib.proc import Process
from lib.rpc import wait_for
from lib.tools import ROOT

# One module of the SDK, without what the package's other ones depend on.
SDK = ROOT / "sdk" / "python" / "src"
sys.modules["caisson"] = types.ModuleType("caisson")
sys.modules["caisson"].__path__ = [str(SDK / "caisson")]
from caisson.secret import Refused, Secret, decrypt, epoch_of, fetch_secret  # noqa: E402

SOON_S = 90
ME = os.getuid()
NOBODY = 65534
IMAGE = hashlib.sha256(b"an image").hexdigest()


def run(build: Path, *arguments, user: int | None = None, **named) -> subprocess.CompletedProcess:
    return subprocess.run([str(build / "bin" / "caisson"), *map(str, arguments)], capture_output=True, timeout=SOON_S, user=user, **named)


def rule_of(build: Path, program: Path, user: int = ME) -> dict:
    return json.loads(run(build, "provision", "rule", program, "--user", user, "--json", check=True).stdout)


class Served:
    """A worker with a provisioning socket beside it, and a folder of programs that everybody may run."""

    def __init__(self, cluster: Cluster, folder: Path, worker: Process_):
        self.cluster, self.build, self.worker = cluster, cluster.build, worker
        self.folder, self.socket, self.log = folder, folder / "provision.sock", folder / "provision.log"
        self.process = Process([self.build / "bin" / "caisson", "provision", "serve", "--listen", self.socket, "--socket", worker.socket,
                                "--containers", folder / "containers"], self.log)
        wait_for(lambda: "serving at" in self.log.read_text(), SOON_S, "the provisioning socket")

    def ask(self, program: Path, name: str = "reports", *options, user: int | None = None) -> str:
        """What the program says: "ok EPOCH HASH" or an error's name."""
        asked = subprocess.run([str(program), *map(str, options), str(self.socket), name], capture_output=True, text=True, timeout=SOON_S, user=user)
        return asked.stdout.strip()

    def stop(self) -> None:
        self.process.stop()


def rules(build: Path, folder: Path) -> list[dict]:
    listed = rule_of(build, folder / "listed")
    python = rule_of(build, Path(sys.executable))
    assert (listed["kind"], python["kind"]) == ("executable", "interpreter")

    def secret(name, *which):
        return {"application": APPLICATION, "name": name, "rules": list(which)}
    return [secret("reports", listed),
            secret("scripts", python),
            secret("by-mistake", {**python, "kind": "executable"}),
            secret("of-another-user", {"kind": "user", "user": ME + 1}),
            secret("of-mine", {"kind": "user", "user": ME}),
            secret("of-nobody", {**listed, "user": NOBODY}),
            secret("contained", {"hash": "0x" + IMAGE, "kind": "container", "user": ME}),
            secret("not-contained", {"hash": "0x" + "11" * 32, "kind": "container", "user": ME})]


def own_cgroup() -> str | None:
    lines = [line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::")]
    return lines[0][3:] if lines else None


@pytest.fixture
def folder():
    """Not below pytest's, which nobody else may enter."""
    path = Path(tempfile.mkdtemp(prefix="provision-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def prepare(folder: Path, build: Path) -> None:
    shutil.copy(build / "bin" / "provision_program", folder / "listed")
    other_build(folder / "listed", folder / "other")
    (folder / "containers").write_text(f"/some.slice/other.scope sha256:{'22' * 32}\n{own_cgroup() or '/'} sha256:{IMAGE}\n")
    (folder / "containers").chmod(0o644)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = Path(tempfile.mkdtemp(prefix="provision-"))
    folder.chmod(0o755)
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        prepare(folder, cluster.build)
        cluster.sign(insecure_programs=rules(cluster.build, folder))
        served = Served(cluster, folder, cluster.start().workers[0])
        yield served
        served.stop()
    shutil.rmtree(folder)


def refused(code: str, call, *arguments, **named) -> None:
    with pytest.raises(Refused) as problem:
        call(*arguments, **named)
    assert problem.value.code == code, problem.value


# ---- what it is for ----

def test_a_named_program_gets_its_secret(served):
    first = served.ask(served.folder / "listed")
    assert re.fullmatch(r"ok \d+ [0-9a-f]{64}", first)
    assert served.ask(served.folder / "listed") == first
    assert served.worker.metric("provisioned") >= 2


def test_an_encrypted_file_is_read_by_the_example(served, tmp_path):
    plain = b"name;amount\n" * 500
    (tmp_path / "report.csv").write_bytes(plain)
    made = run(served.build, "provision", "encrypt", tmp_path / "report.csv", "--name", "scripts", "--socket", served.worker.socket, check=True)
    assert b"amount" not in made.stdout
    (tmp_path / "report.csf").write_bytes(made.stdout)
    example = [sdk.python(), ROOT / "sdk" / "python" / "examples" / "secret.py", served.socket, "scripts", tmp_path / "report.csf"]
    read = subprocess.run(list(map(str, example)), capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(SDK)}, timeout=SOON_S)
    assert read.stdout.strip() == f"{len(plain)} bytes, SHA-256 {hashlib.sha256(plain).hexdigest()}", read.stderr
    secret = fetch_secret(served.socket, "scripts", epoch_of(made.stdout))
    assert decrypt(made.stdout, secret) == plain
    refused("seal-broken", decrypt, made.stdout[:-1] + bytes([made.stdout[-1] ^ 1]), secret)
    refused("seal-broken", decrypt, made.stdout, Secret("of-mine", secret.epoch, None, secret.key))
    refused("malformed", decrypt, plain, secret)
    assert secret.key.hex() not in repr(secret)


def test_an_old_epoch_s_file_opens_until_its_date(served, tmp_path):
    (tmp_path / "f").write_bytes(b"of the epoch before")
    made = run(served.build, "provision", "encrypt", tmp_path / "f", "--name", "scripts", "--socket", served.worker.socket, check=True).stdout
    served.cluster.key_servers[0].ask("rotate")
    with pytest.raises(Refused):
        decrypt(made, Secret("scripts", epoch_of(made) + 1, None, bytes(32)))
    old = fetch_secret(served.socket, "scripts", epoch_of(made))
    assert decrypt(made, old) == b"of the epoch before"
    refused("wrong-epoch", fetch_secret, served.socket, "scripts", 1 << 40)


def test_it_shouts(served):
    log = served.log.read_text()
    assert log.count("INSECURE") == 3 and "root of this machine reads every secret" in log


def test_a_container_by_the_operator_s_word(served):
    if own_cgroup() is None:
        pytest.skip("this kernel shows no cgroup v2")
    assert served.ask(served.folder / "other", "contained").startswith("ok ")
    assert served.ask(served.folder / "other", "not-contained") == "forbidden"


def test_a_user_s_every_program(served):
    assert served.ask(served.folder / "other", "of-mine").startswith("ok ")


# ---- who gets nothing ----

def test_another_executable(served):
    assert served.ask(served.folder / "other") == "forbidden"
    refused("forbidden", fetch_secret, served.socket, "reports")


def test_another_user(served):
    assert served.ask(served.folder / "listed", "of-another-user") == "forbidden"
    if ME != 0:
        pytest.skip("only root can be another user")
    assert served.ask(served.folder / "listed", user=NOBODY) == "forbidden"
    assert served.ask(served.folder / "listed", "of-nobody", user=NOBODY).startswith("ok ")
    assert served.ask(served.folder / "listed", "of-nobody") == "forbidden"


def test_an_interpreter_under_a_rule_for_programs(served):
    refused("forbidden", fetch_secret, served.socket, "by-mistake")


def test_a_name_that_the_manifest_does_not_have(served, tmp_path):
    assert served.ask(served.folder / "listed", "report") == "not-in-manifest"
    assert served.ask(served.folder / "listed", "Reports") == "invalid"
    (tmp_path / "f").write_bytes(b"x")
    made = run(served.build, "provision", "encrypt", tmp_path / "f", "--name", "report", "--socket", served.worker.socket)
    assert made.returncode == 3 and b"not-in-manifest" in made.stderr and made.stdout == b""


@pytest.mark.parametrize("started, replaced, answer", [("other", "listed", "forbidden"), ("listed", "other", "ok")])
def test_the_file_is_replaced_after_the_start(served, started, replaced, answer):
    """What counts is the file that runs, not the one that has its name by now."""
    program = served.folder / f"moves-{started}"
    shutil.copy(served.folder / started, program)
    with subprocess.Popen([str(program), "-w", str(served.socket), "reports"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
        assert p.stdout.readline() == "waiting\n"
        shutil.copy(served.folder / replaced, served.folder / "next")
        (served.folder / "next").rename(program)
        said, _ = p.communicate("\n", timeout=SOON_S)
    assert said.split()[0] == answer


def test_a_process_that_becomes_a_named_program(served):
    """It asks, leaves its socket to a child, and executes the program that would have got the secret."""
    with subprocess.Popen([str(served.folder / "other"), "-x", str(served.folder / "listed"), str(served.socket), "reports"],
                          stdout=subprocess.PIPE, text=True) as p:
        try:
            assert p.stdout.readline().strip() in ("forbidden", "closed")
        finally:
            p.kill()


def test_a_named_program_s_child_gets_nothing(served):
    assert served.ask(served.folder / "listed", "reports", "-c") == "forbidden"
    assert "another process than the one that connected" in served.log.read_text()


def test_a_script_has_no_rule_of_its_own(served, tmp_path):
    (tmp_path / "script").write_text("#!/usr/bin/python3\n")
    made = run(served.build, "provision", "rule", tmp_path / "script")
    assert made.returncode == 3 and b"its interpreter" in made.stderr


def connect(served) -> socket.socket:
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(SOON_S)
    s.connect(str(served.socket))
    return s


def said(s: socket.socket) -> bytes:
    with s:
        data = b""
        try:
            while piece := s.recv(4096):
                data += piece
        except ConnectionResetError:
            pass  # what was sent was not all read
        return data


def test_half_a_frame_ends_by_itself(served):
    for piece in (b"", b"\0\0", struct.pack(">I", 16) + b"\0" * 8, struct.pack(">I", 15) + b"\0" * 8 + b"reports"):
        s = connect(served)
        s.sendall(piece)
        s.shutdown(socket.SHUT_WR)
        answer = said(s)
        assert b"closed" in answer and len(answer) < 200
    silent = connect(served)
    silent.sendall(b"\0")
    assert said(silent) == b"", "the time of a connection is bounded"


@pytest.mark.parametrize("frame, code", [
    (struct.pack(">I", 41) + bytes(41), b"too-large"), (struct.pack(">I", 1 << 31), b"too-large"),
    (struct.pack(">I", 8) + bytes(8), b"malformed"), (struct.pack(">I", 11) + bytes(8) + b"a\nb", b"invalid")],
                         ids=["long", "huge", "no-name", "no-word"])
def test_frames_that_are_none(served, frame, code):
    s = connect(served)
    s.sendall(frame)
    assert code in said(s)


def test_other_bytes_than_were_given(served):
    s = connect(served)
    s.sendall(struct.pack(">I", 8 + 7) + bytes(8) + b"scripts")
    s.recv(4096)
    s.sendall(struct.pack(">I", 32) + bytes(32))
    assert b"unknown-nonce" in said(s)


def test_too_many_connections(served):
    sockets = [connect(served) for _ in range(8)]
    try:
        wait_for(lambda: served.ask(served.folder / "listed") == "full", 9, "the bound")
    finally:
        for s in sockets:
            s.close()
    wait_for(lambda: served.ask(served.folder / "listed").startswith("ok "), SOON_S, "room again")


def test_the_socket_is_served_once(served):
    second = run(served.build, "provision", "serve", "--listen", served.socket, "--socket", served.worker.socket)
    assert second.returncode == 1 and b"somebody serves there already" in second.stderr


def test_no_secret_is_in_a_log_or_can_be_dumped(served):
    secret = fetch_secret(served.socket, "scripts")
    for log in (served.log, served.worker.log):
        assert secret.key.hex() not in log.read_text() and secret.key not in log.read_bytes()
    assert dumps.limit(served.process.pid) == ["0", "0"]
    assert secret.key not in Path(f"/proc/{served.process.pid}/cmdline").read_bytes()


def test_nobody_looks_into_it(served, tmp_path):
    """Another one, with no more rights than its neighbours: it serves, but may not look at who asks."""
    program, log = served.build / "bin" / "caisson", tmp_path / "plain.log"
    if dumps.stays_open(program):
        pytest.skip("a build with AddressSanitizer")
    with Process([*dumps.PLAIN, program, "provision", "serve", "--listen", served.folder / "plain.sock", "--socket", served.worker.socket], log) as process:
        wait_for(lambda: log.exists() and "serving at" in log.read_text(), SOON_S, "the other socket")
        dumps.assert_closed(process.pid, "caisson provision serve")


# ---- what changes the cluster: it has its own ----

def test_a_revoked_worker_gives_nothing(tmp_path, folder):
    with Cluster(tmp_path, worker_s=4, key_server_s=60) as cluster:
        prepare(folder, cluster.build)
        cluster.sign(insecure_programs=rules(cluster.build, folder))
        worker = cluster.start().workers[0]
        served = Served(cluster, folder, worker)
        try:
            wait_for(lambda: served.ask(folder / "listed").startswith("ok "), SOON_S, "a secret")
            # The next manifest takes it from the program, at once.
            without = [one for one in rules(cluster.build, folder) if one["name"] != "reports"]
            path = cluster.sign(insecure_programs=without)
            for process in cluster.everybody():
                process.ask("manifest", path.read_bytes())
            assert served.ask(folder / "listed") == "not-in-manifest"
            assert fetch_secret(served.socket, "of-mine").key
            cluster.key_servers[0].ask("revoke", bytes.fromhex(worker.status()["key"]))
            wait_for(lambda: not worker.joined(), SOON_S, "the end of its certificate")
            refused("no-key", fetch_secret, served.socket, "of-mine")
            worker.stop()
            refused("unavailable", fetch_secret, served.socket, "of-mine")
        finally:
            served.stop()
