"""A running gateway under schemathesis, a fuzzer that is not ours: requests made of api/openapi.json, and requests that break it in
one place. Each reply must be described, what is allowed is taken, what is not is refused, nothing is a failure of the server."""
from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from lib import openapi
from lib.tools import Missing
from lib.world import Gateway, World

EXAMPLES, EXAMPLES_SLOW = 5, 300
HERE = Path(__file__).parent
# The key decides: a peer's opens nothing else. The stream does not end; what pauses, drains or sweeps would stop the rest. Which text is a URL that may
# be reached, and which members exclude each other, no schema says: /v1/webhooks itself, observe and resume have tests of their own
# (unit/gateway/test_webhooks.c, e2e/test_openapi.py, e2e/test_operator.py).
APP = ["--exclude-path-regex", "^/v1/(peer/.*|events|webhooks|operator/(pause|resume|observe|drain|sweep))$"]
PEER = ["--include-path-regex", "^/v1/peer/"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    fuzzer()
    with World(tmp_path_factory.mktemp("openapi-fuzz"), "anvil", block_time=0.5) as w:
        yield w


def fuzzer() -> Path:
    program = openapi.VENV / "bin" / "st"
    if not program.exists():
        raise Missing("schemathesis", "script/install test brings it")
    return program


def fuzz(gateway: Gateway, key: str, description: str, *arguments: str, timeout_s: int = 840) -> subprocess.CompletedProcess:
    """Beside its seed (CAISSON_FUZZ_SEED) nothing is left to chance; a failure prints the request as a line for curl."""
    argv = [fuzzer(), "--config-file", HERE / "openapi_fuzz.toml", "run", description, "--url", gateway.url,
            "--seed", os.environ.get("CAISSON_FUZZ_SEED", "1"), *arguments]
    env = {**os.environ, "CAISSON_FUZZ_KEY": key, "PYTHONPATH": str(HERE)}
    return subprocess.run(argv, capture_output=True, text=True, env=env, cwd=gateway.folder, timeout=timeout_s)


def check(world: World, run: subprocess.CompletedProcess) -> None:
    gateway = world.gateways[0]
    assert run.returncode == 0 and "No issues found" in run.stdout, run.stdout[-8000:] + run.stderr[-2000:]
    assert gateway.key not in run.stdout and gateway.peer_key not in run.stdout
    assert gateway.healthy()
    log = gateway.log.read_text()
    assert gateway.key not in log and gateway.peer_key not in log
    gateway.ends(world.send(b"after all that"))


@pytest.mark.parametrize("phases", ["examples,coverage", "fuzzing", "stateful"])
def test_what_applications_and_operators_ask(world, phases):
    gateway = world.gateways[0]
    check(world, fuzz(gateway, gateway.key, f"{gateway.url}/openapi.json", "--phases", phases, "--max-examples", str(EXAMPLES), *APP))


def test_what_a_peer_asks(world):
    gateway = world.gateways[0]
    check(world, fuzz(gateway, gateway.peer_key, f"{gateway.url}/openapi.json", "--phases", "coverage,fuzzing", "--max-examples", str(EXAMPLES), *PEER))


@pytest.mark.parametrize("wrong", ["status", "member", "bound"])
def test_a_difference_is_found(world, tmp_path, wrong):
    """With a description that is wrong in one place."""
    root, gateway = json.loads(openapi.FILE.read_text()), world.gateways[0]
    operation = root["paths"]["/v1/messages"]["get"]
    if wrong == "status":
        del operation["responses"]["400"]
    elif wrong == "member":
        operation["responses"]["200"]["content"]["application/json"]["schema"]["required"].append("surprise")
    else:
        next(p for p in operation["parameters"] if p.get("name") == "limit")["schema"]["maximum"] = 10_000
    (tmp_path / "wrong.json").write_text(json.dumps(root))
    run = fuzz(gateway, gateway.key, str(tmp_path / "wrong.json"), "--phases", "coverage", "--include-operation-id", "listMessages")
    assert run.returncode == 1 and "No issues found" not in run.stdout, run.stdout[-4000:] + run.stderr[-2000:]
    assert {"status": "Undocumented status code", "member": "violates schema", "bound": "Schema-valid request rejected"}[wrong] in run.stdout, run.stdout[-4000:]


@pytest.mark.slow
def test_for_long(world):
    gateway = world.gateways[0]
    os.environ.setdefault("CAISSON_FUZZ_SEED", str(random.SystemRandom().randrange(2**31)))
    for key, operations in ((gateway.key, APP), (gateway.peer_key, PEER)):
        check(world, fuzz(gateway, key, f"{gateway.url}/openapi.json", "--max-examples", str(EXAMPLES_SLOW), *operations, timeout_s=7200))
