"""An enclave and its gateway under two supervisors, as in two containers: `caisson up --enclave-only` and `caisson-gateway`."""
from __future__ import annotations

import json
import os
import re
import signal
import subprocess

from lib.chains import START_TIMEOUT_S
from lib.proc import Process, children_of
from lib.rpc import wait_for
from lib.tools import ROOT, find_build
from lib.world import World


def is_healthy(gateway, supervisor: Process) -> bool:
    """By the line of the enclave's image, at this one's socket and among its processes: a container sees no others."""
    stage = re.search(r"^FROM \w+ AS enclave$(.*?)^FROM ", (ROOT / "docker" / "Dockerfile").read_text(), re.M | re.S)[1]
    *words, line = json.loads(re.search(r"^HEALTHCHECK .*? CMD (\[.*\])$", stage, re.M)[1])
    processes = " ".join(f"/proc/{pid}/cmdline" for pid in (supervisor.pid, *children_of(supervisor.pid)))
    for there, here in (("/run/caisson/enclave.sock", str(gateway.folder / "enclave.sock")), ("/proc/[0-9]*/cmdline", processes)):
        assert there in line
        line = line.replace(there, here)
    return subprocess.run([*words, line], timeout=60, check=False).returncode == 0


def enclave_dies(gateway, supervisor: Process) -> None:
    """Its supervisor stands still, so that there is no other one: its container is not healthy, though its socket is there."""
    killed, = children_of(supervisor.pid)
    assert is_healthy(gateway, supervisor)
    os.kill(supervisor.pid, signal.SIGSTOP)
    try:
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: not is_healthy(gateway, supervisor), 10, "a check that fails", 0.1)
        assert (gateway.folder / "enclave.sock").is_socket()
    finally:
        os.kill(supervisor.pid, signal.SIGCONT)
    wait_for(lambda: is_healthy(gateway, supervisor), START_TIMEOUT_S, "the next enclave")


def test_a_gateway_with_an_enclave_of_another_supervisor_relays(tmp_path):
    with World(tmp_path / "world", kind="anvil") as world:
        gateway = world.gateways[0]
        gateway.kill()
        programs = world.build / "bin"
        enclave = Process([programs / "caisson", "up", "--enclave-only", gateway.config], tmp_path / "enclave.log", cwd=gateway.folder)
        gateway.process = Process([programs / "caisson-gateway", "--config", gateway.config], gateway.log, cwd=gateway.folder)
        try:
            wait_for(gateway.healthy, START_TIMEOUT_S, f"a gateway that is ready ({gateway.log})")
            said = (tmp_path / "enclave.log").read_text()
            assert "up.started" in said and " gateway=0" in said and "up.gateway_started" not in said
            enclave_dies(gateway, enclave)
            wait_for(gateway.healthy, START_TIMEOUT_S, "the same gateway with an enclave that was killed")
            enclave.stop()  # SIGTERM: it ends by itself, though it has no gateway to wait for
            wait_for(lambda: not gateway.healthy(), START_TIMEOUT_S, "a gateway that says that its enclave is gone")
            enclave = Process([programs / "caisson", "up", "--enclave-only", gateway.config], tmp_path / "again.log", cwd=gateway.folder)
            wait_for(gateway.healthy, START_TIMEOUT_S, "the same gateway with its next enclave")
        finally:
            enclave.stop()


def test_an_oracle_has_no_enclave_of_another_supervisor(tmp_path):
    done = subprocess.run([find_build() / "bin" / "caisson", "up", "--oracle", "--enclave-only", tmp_path / "oracle.toml"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "starts its enclave itself" in done.stderr
