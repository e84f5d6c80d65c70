"""The SDKs against two running gateways: their own live suites and their examples, each as an application would run them."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from lib import chains, crypto, sdk
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
    description = world.folder / "sdk.json"
    description.write_text(json.dumps({"sides": [describe(world, i) for i in range(2)]}))
    sdk.run(argv, folder, TIMEOUT_S, CAISSON_SDK_WORLD=str(description), **environment)


def test_python(world):
    run_live(world, [sdk.python(), "-m", "unittest", "-v", "tests.live"], sdk.PYTHON, PYTHONPATH="src", PYTHONDONTWRITEBYTECODE="1")


def test_typescript(world, tmp_path):
    built = sdk.build_typescript(tmp_path)
    run_live(world, [sdk.node(), "--test", built / "test" / "live.js"], sdk.TYPESCRIPT)


def test_no_api_key_in_what_the_gateways_log(world):
    for gateway in world.gateways:
        assert gateway.key not in gateway.log.read_text() and gateway.peer_key not in gateway.log.read_text()
