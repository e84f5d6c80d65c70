"""An enclave and its gateway under two supervisors, as in two containers: `caisson up --enclave-only` and `caisson-gateway`."""
from __future__ import annotations

import subprocess

from lib.chains import START_TIMEOUT_S
from lib.proc import Process
from lib.rpc import wait_for
from lib.tools import find_build
from lib.world import World


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
