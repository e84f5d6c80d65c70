"""Fresh time by nonce: what nodes sign, checked by code that shares none with theirs (docs/protocol/time.md)."""
from __future__ import annotations

import os
import time

import pytest

from ledger.net import CallError, Network, run
from lib.crypto import keccak, schnorr_verify

IDENTITY, ACCOUNT = bytes(range(32)), bytes(range(20))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with Network(tmp_path_factory.mktemp("ledger"), 4) as network:
        network.wait_height(1)
        yield network


def unhex(text: str) -> bytes:
    assert text.startswith("0x")
    return bytes.fromhex(text[2:])


def is_signed(answer: dict, nonce: bytes) -> bool:
    digest = keccak(keccak(b"caisson/time/v1") + nonce + int(answer["time_ms"]).to_bytes(32, "big"))
    return schnorr_verify(unhex(answer["key"]), digest, unhex(answer["signature"]))


def test_every_node_answers(network):
    """Between asking and hearing lies what it signed; each with its own key; for this nonce alone."""
    nonce, keys = os.urandom(32), set()
    for node in network.nodes:
        before = time.time_ns() // 1_000_000
        answer = node.call("caisson_time", nonce="0x" + nonce.hex())
        assert before <= int(answer["time_ms"]) <= time.time_ns() // 1_000_000 + 1
        assert is_signed(answer, nonce) and not is_signed(answer, os.urandom(32))
        assert not is_signed({**answer, "time_ms": str(int(answer["time_ms"]) + 1)}, nonce)
        keys.add(answer["key"])
    assert len(keys) == len(network.nodes)


def test_over_http(network):
    nonce = os.urandom(32)
    status, answer = network.nodes[0].get(f'/caisson_time?nonce="0x{nonce.hex()}"')
    assert status == 200 and is_signed(answer["result"], nonce)


@pytest.mark.parametrize("nonce", ["", "0x", "11" * 32, "0x" + "11" * 31, "0x" + "11" * 33, "0x" + "zz" * 32, "0x" + "11" * 5000])
def test_nonces_that_are_none(network, nonce):
    with pytest.raises(CallError) as error:
        network.nodes[0].call("caisson_time", nonce=nonce)
    assert error.value.code == -32602
    assert network.nodes[0].call("health") == {}


def test_the_key_is_its_own(network):
    """Not the validator's; the file is its owner's alone; the command shows what the node signs with."""
    node = network.nodes[1]
    file = node.home / "config" / "time_key"
    assert file.stat().st_mode & 0o777 == 0o600
    shown = run("show-time-key", "--home", str(node.home))
    key = node.call("caisson_time", nonce="0x" + "11" * 32)["key"]
    assert shown.returncode == 0 and shown.stdout.strip() == key
    assert file.read_text().strip() not in shown.stdout + shown.stderr


def test_what_registers_it(network):
    home = str(network.nodes[2].home)
    made = run("show-time-key", "--home", home, "--register", "0x" + IDENTITY.hex(), "--account", "0x" + ACCOUNT.hex())
    key, calldata = (unhex(line) for line in made.stdout.split())
    assert calldata[:4] == keccak(b"registerTimeKey(bytes32,bytes32,bytes32)")[:4] and calldata[4:36] == key
    digest = keccak(keccak(b"caisson/time/key/v1") + IDENTITY + bytes(12) + ACCOUNT)
    assert len(calldata) == 100 and schnorr_verify(key, digest, calldata[36:])
    for wrong in (["--register", "0x01", "--account", "0x" + ACCOUNT.hex()], ["--account", "0x" + ACCOUNT.hex()]):
        refused = run("show-time-key", "--home", home, *wrong)
        assert refused.returncode != 0 and refused.stderr


def test_a_node_without_a_key(tmp_path):
    """One whose folder came from CometBFT: it runs, and says that it has none."""
    with Network(tmp_path, 1) as network:
        node = network.nodes[0]
        node.kill()
        (node.home / "config" / "time_key").unlink()
        node.start()
        network.wait_height(1)
        with pytest.raises(CallError, match="no time key"):
            node.call("caisson_time", nonce="0x" + "11" * 32)
        assert run("show-time-key", "--home", str(node.home)).returncode != 0
