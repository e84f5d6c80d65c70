"""An enclave that is not beside its gateway: over TCP of this machine as under Gramine, over vsock, and caisson-enclave-relay between."""
from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
from pathlib import Path

import pytest

from enclave import manifests
from enclave.boundary import Client, Refused, measurement, program
from lib import proc
from lib.rpc import wait_for
from lib.tee_tree import Gramine, Tsm
from lib.tools import find_build

BIN = find_build() / "bin"
SOON_S = 60


@pytest.fixture
def lineage(tmp_path):
    path = tmp_path / "m1.json"
    return path, manifests.write(path, manifests.body(["0x" + measurement(program())]))


@contextlib.contextmanager
def running(argv: list, log: Path, until: str, **named):
    with open(log, "ab") as out:
        process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                   preexec_fn=proc._die_with_parent, **named)
    try:
        wait_for(lambda: until in log.read_text() or process.poll() is not None, SOON_S, f"{until} in {log}")
        yield process
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def vsock_listener() -> socket.socket:
    try:
        s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        s.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
    except OSError as problem:
        pytest.skip(f"this kernel has no vsock: {problem}")
    s.listen(8)
    return s


def vsock_loopback(port: int) -> None:
    """Skips where the kernel has no vsock_loopback: then nobody answers at CID 1."""
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as s:
        s.settimeout(3)
        try:
            s.connect((1, port))
        except OSError as problem:
            pytest.skip(f"this kernel has no loopback of vsock (module vsock_loopback): {problem}")


@contextlib.contextmanager
def enclave_at(listener: socket.socket, folder: Path, lineage, *options, root: bool = True):
    path, first = lineage
    read, write = os.pipe()
    os.write(write, bytes(32))
    os.close(write)
    argv = [program(), "--listen-fd", listener.fileno(), *(["--seal-root-fd", read] if root else []), "--lineage", first, "--manifest", path, *options]
    log = folder / "enclave.log"
    with running(argv, log, "ready", pass_fds=[listener.fileno(), read]) as process:
        os.close(read)
        yield process, log


@contextlib.contextmanager
def relay_to(address: str, folder: Path):
    """A Unix socket as a gateway would have made it; what it connects to is the enclave at the address."""
    path = folder / "relay.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(8)
        argv = [BIN / "caisson-enclave-relay", "--listen-fd", listener.fileno(), "--seal-root-fd", "4", "--tee", "gramine", "--lineage", "00",
                "--connect", address, "--insecure-no-seccomp"]
        with running(argv, folder / "relay.log", "the enclave is at", pass_fds=[listener.fileno()]):
            yield path


# ---- as under Gramine ----

def test_a_gramine_enclave_over_loopback_by_the_relay(tmp_path, lineage):
    """caisson-guest-init listens and runs it, as in the template; /dev/attestation is a folder that replays."""
    path, first = lineage
    served = Gramine(tmp_path / "tree", bytes)
    port = free_port()
    (tmp_path / "start").write_text("".join(f"{line}\n" for line in [
        f"loopback {port}", f"run {program()}", "arg --tee", "arg gramine", "arg --insecure-tee-root", f"arg {tmp_path / 'tree'}", "arg --lineage",
        f"arg {first}", "arg --manifest", f"arg {path}"]))
    with running([BIN / "caisson-guest-init", tmp_path / "start"], tmp_path / "enclave.log", "ready") as process:
        assert process.poll() is None, (tmp_path / "enclave.log").read_text()
        with relay_to(f"loopback:{port}", tmp_path) as at:
            for _ in range(2):  # one gateway after the other
                client = Client(str(at))
                with pytest.raises(Refused, match="NOT_BOUND"):
                    client.hello()  # the folder's quote is of nothing: the way is what is tested
                client.close()
            assert len(served.asked) == 2
    assert "the gateway is inside" not in (tmp_path / "enclave.log").read_text()


def test_simulated_is_not_served_over_tcp(tmp_path, lineage):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        with enclave_at(s, tmp_path, lineage) as (process, log):
            assert process.wait(SOON_S) == 71 and "unsupported" in log.read_text()


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_nothing_is_served_to_the_network(tmp_path, lineage, address):
    Gramine(tmp_path / "tree", bytes)
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as s:
        s.bind((address, 0))
        s.listen()
        with enclave_at(s, tmp_path, lineage, "--tee", "gramine", "--insecure-tee-root", tmp_path / "tree", root=False) as (process, log):
            assert process.wait(SOON_S) == 71 and "unsupported" in log.read_text()


# ---- vsock ----

def test_tsm_on_vsock_has_no_gateway_inside(tmp_path, lineage):
    """What is refused on a Unix socket needs no flag here, and the bit is not set."""
    Tsm(tmp_path / "tree", bytes)
    with vsock_listener() as s:
        with enclave_at(s, tmp_path, lineage, "--tee", "tsm", "--insecure-tee-root", tmp_path / "tree") as (process, log):
            assert process.poll() is None and "ready" in log.read_text(), log.read_text()
            assert "the gateway is inside" not in log.read_text() and "a folder that the operator chose" in log.read_text()


def test_a_tpm_s_enclave_is_not_served_on_vsock(tmp_path, lineage):
    with vsock_listener() as s:
        with enclave_at(s, tmp_path, lineage, "--tee", "tpm", "--tee-state", tmp_path, root=False) as (process, log):
            assert process.wait(SOON_S) == 71 and "unsupported" in log.read_text()


def test_frames_over_loopback_vsock(tmp_path, lineage):
    with vsock_listener() as s:
        port = s.getsockname()[1]
        vsock_loopback(port)
        with enclave_at(s, tmp_path, lineage), relay_to(f"1:{port}", tmp_path) as at:
            assert Client(str(at)).hello()["backend"] == "simulated"


# ---- the relay ----

def test_an_enclave_that_is_not_there(tmp_path):
    """The gateway's connection ends, and the next one is tried again."""
    with relay_to(f"loopback:{free_port()}", tmp_path) as at:
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(SOON_S)
                s.connect(str(at))
                assert s.recv(1) == b""
        assert (tmp_path / "relay.log").read_text().count(os.strerror(errno.ECONNREFUSED)) == 2


def test_bytes_go_both_ways_and_ends_are_told(tmp_path):
    data = os.urandom(1 << 20)
    with socket.socket() as far:
        far.bind(("127.0.0.1", 0))
        far.listen()
        with relay_to(f"loopback:{far.getsockname()[1]}", tmp_path) as at, socket.socket(socket.AF_UNIX) as near:
            near.settimeout(SOON_S)
            near.connect(str(at))
            other, _ = far.accept()
            with other:
                other.settimeout(SOON_S)
                near.sendall(data[:1000])
                assert other.recv(1000, socket.MSG_WAITALL) == data[:1000]
                pid = os.fork()
                if pid == 0:
                    other.sendall(data)
                    os._exit(0)
                got = b""
                while len(got) < len(data):
                    got += near.recv(65536)
                os.waitpid(pid, 0)
                assert got == data
                near.close()
                while other.recv(65536):
                    pass


@pytest.mark.parametrize("arguments", [[], ["--listen-fd", "3"], ["--connect", "1:2"], ["--connect", "x", "--listen-fd", "3"],
                                       ["--connect", "1:", "--listen-fd", "3"], ["--connect", "loopback:0", "--listen-fd", "3"],
                                       ["--connect", "loopback:70000", "--listen-fd", "3"], ["--connect", "-1:5", "--listen-fd", "3"],
                                       ["--connect", "1:2", "--listen-fd", "2"], ["--connect", "1:2:3", "--listen-fd", "3"]])
def test_arguments_of_the_relay(arguments):
    assert subprocess.run([BIN / "caisson-enclave-relay", *arguments], capture_output=True, timeout=SOON_S).returncode == 64
