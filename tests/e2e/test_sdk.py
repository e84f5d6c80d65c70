"""The SDKs against two running gateways: their own live suites and their examples, each as an application would run them."""
from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from lib import chains, crypto, sdk
from lib.losing import Losing
from lib.tools import find_build
from lib.world import World

TIMEOUT_S = 500
ETHER = 10**18


def describe(world: World, index: int) -> dict:
    side, gateway = world.sides[index], world.gateways[index]
    secret = f"{chains.secret_of('user of the SDK'):064x}"
    return {"url": gateway.url, "key_file": str(gateway.key_file), "peer_key": gateway.peer_key, "chain": side.chain.caip2,
            "supervisor": gateway.pids()["caisson"], "rpc": side.chain.url, "public_key": world.enclave_key(gateway)["public_key"],
            "gateway": side.gateway.address.lower(), "bridge": side.bridge.address.lower(), "token": side.token.address.lower(),
            "app": side.app.address.lower(), "friend": side.friend.lower(), "user": side.user.lower(), "secret": f"0x{secret}"}


class WithReceivers(World):
    """The SDKs' tests receive webhooks on this machine, without TLS."""

    def write_gateways(self) -> None:
        super().write_gateways()
        with open(self.gateways[0].config, "a", encoding="utf-8") as config:
            config.write('\n[webhooks]\nnetworks = ["127.0.0.0/8"]\ninsecure_http = true\nretry_min_ms = 100\n')


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with WithReceivers(tmp_path_factory.mktemp("sdk"), "anvil", block_time=0.5) as w:
        user = "0x" + crypto.address(chains.secret_of("user of the SDK")).hex()
        home = w.sides[0]
        home.chain.rpc.wait_receipt(home.chain.rpc.send(home.owner, user, value=ETHER, gas=60_000))
        home.token.write(home.owner, "mint", user, ETHER)
        yield w


def run_live(world: World, argv: list, folder: Path, **environment: str) -> None:
    description, gateway = world.folder / "sdk.json", world.gateways[0]
    with Losing(gateway.url) as losing:
        description.write_text(json.dumps({"sides": [describe(world, i) for i in range(2)], "losing": losing.url}))
        sdk.run(argv, folder, TIMEOUT_S, CAISSON_SDK_WORLD=str(description), **environment)
    nothing_was_sent_twice(gateway, losing)


def nothing_was_sent_twice(gateway, losing: Losing) -> None:
    """Two calls of one body, of each of which the first answer was lost: two keys that the SDK made, each asked twice, two messages."""
    assert len(losing.answers) == 2 and all(re.fullmatch("[0-9a-f]{32}", key) for key in losing.answers), losing.answers
    for answers in losing.answers.values():
        assert len(answers) == 2 and answers[0] == answers[1] and answers[0]["request_id"], answers
    body, *others = [body for bodies in losing.bodies.values() for body in bodies]
    assert others == [body] * 3
    sent = [m["id"] for m in gateway.get("/v1/messages", side="source", limit=200)["messages"] if m.get("payload") == body["payload"]]
    assert len(sent) == len(set(sent)) == 2, sent


def test_python(world):
    run_live(world, [sdk.python(), "-m", "unittest", "-v", "tests.live"], sdk.PYTHON, PYTHONPATH="src", PYTHONDONTWRITEBYTECODE="1")


def test_typescript(world, tmp_path):
    built = sdk.build_typescript(tmp_path)
    run_live(world, [sdk.node(), "--test", built / "test" / "live.js"], sdk.TYPESCRIPT)


def test_c(world):
    run_live(world, [find_build() / "sdk" / "c" / "sdk_c_live"], sdk.C)


def test_the_examples_in_c(world, tmp_path):
    """Compiled by what was installed."""
    installed = sdk.install_c(tmp_path / "prefix")
    gateway, home, abroad = world.gateways[0], *(describe(world, i) for i in range(2))
    run = {name: sdk.compile_c(sdk.C / "examples" / f"{name}.c", tmp_path / name, installed) for name in ("transfer", "prepare", "verify", "events")}
    environment = {"CAISSON_URL": gateway.url, "CAISSON_API_KEY_FILE": str(gateway.key_file)}

    def example(name: str, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([run[name], *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env={**os.environ, **environment})

    sent = example("transfer", f"{abroad['chain']}:{abroad['friend']}", "7")
    assert sent.returncode == 0 and "delivery_included" in sent.stdout, sent.stdout + sent.stderr
    message_id, state = sent.stdout.splitlines()[-1].split(": ")
    assert state == "finalized"

    prepared = example("prepare", f"{abroad['chain']}:{abroad['app']}", "from the example", home["user"])
    assert prepared.returncode == 0, prepared.stderr
    assert json.loads(prepared.stdout)["transactions"][0]["what"] == "sendMessage"
    assert example("prepare", "nobody", "x", home["user"]).returncode == 3

    file = tmp_path / "envelope.json"
    file.write_text(json.dumps(gateway.get(f"/v1/messages/{message_id}/envelope")))
    keys = [home["public_key"], abroad["public_key"]]
    good = example("verify", str(file), *keys, "--insecure-domain")
    assert good.returncode == 0 and "outcome   delivered" in good.stdout and "INSECURE" in good.stdout, good.stdout
    for arguments in (keys, [*reversed(keys), "--insecure-domain"]):
        bad = example("verify", str(file), *arguments)
        assert bad.returncode == 6 and "does NOT verify" in bad.stdout

    seen = example("events", "0", "3")
    assert seen.returncode == 0, seen.stderr
    assert [json.loads(line)["cursor"] for line in seen.stdout.splitlines()] == [1, 2, 3] and seen.stderr == "3\n"


def test_no_api_key_in_what_the_gateways_log(world):
    for gateway in world.gateways:
        assert gateway.key not in gateway.log.read_text() and gateway.peer_key not in gateway.log.read_text()
