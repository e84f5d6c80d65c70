"""The ledger of a bridge as tests and the demo start it: accounts, administrators, time keys, and a node that dies."""
from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from lib import abi, crypto
from lib.bridge_ledger import BRIDGE, ENCLAVES, RECORDS, BridgeLedger
from lib.rpc import Reverted
from lib.tools import ROOT, find_build

IDENTITY, OTHER = b"\x41" * 32, b"\x42" * 32
KEY = 0x5EC


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    with BridgeLedger(tmp_path_factory.mktemp("bridge")) as ledger:
        yield ledger


def test_what_it_is_founded_with(ledger):
    assert ledger.view(ENCLAVES, "identity()") == ledger.register_identity
    assert len(set(ledger.time_keys)) == len(ledger.nodes) == 4
    nonce = os.urandom(32)
    for node, key in zip(ledger.nodes, ledger.time_keys):
        assert node.rpc.ask("caisson_time", nonce=abi.to_hex(nonce))["key"] == key
    for name in ("gateway1", "gateway2", "oracle"):
        account = ledger.accounts[name]
        assert ledger.rpc.account(account.address)[1] > 0
        assert int(account.key_file.read_text(), 16) == account.secret and account.key_file.stat().st_mode & 0o777 == 0o600


def send(ledger, name: str, *arguments, **options) -> subprocess.CompletedProcess:
    """`caisson ledger send`, by one of the accounts."""
    given = {"key-file": ledger.accounts[name].key_file, "tag": abi.to_hex(ledger.tag), "url": ledger.urls[0]} | options
    words = [f"--{key.replace('_', '-')}={value}" for key, value in given.items()]
    return subprocess.run([find_build() / "bin" / "caisson", "ledger", "send", *arguments, *words], capture_output=True, text=True, timeout=180)


def test_an_owner_names_a_gateway_by_the_command_line(ledger):
    account, identity = ledger.accounts["gateway2"].address, abi.to_hex(b"\x43" * 32)
    is_gateway = lambda: int.from_bytes(ledger.view(RECORDS, "isGateway(address,bytes32)", account, b"\x43" * 32), "big")  # noqa: E731
    sequence = ledger.rpc.account(ledger.accounts["owner"].address)[0]
    done = send(ledger, "owner", "records.setGateway", account, identity, "true")
    assert done.returncode == 0 and "in block" in done.stdout and is_gateway() == 1, done.stderr
    assert ledger.rpc.account(ledger.accounts["owner"].address)[0] == sequence + 1
    # What would revert is not sent; another chain's tag, a stranger's key and a price are looked at before.
    for name, options, says in (("gateway1", {}, "reverted"), ("owner", {"tag": "0x" + "11" * 32}, "another chain"),
                                ("owner", {"gas_price_max": 0}, "--gas-price-max"), ("owner", {"tag": "0x11"}, "--tag"),
                                ("gateway1", {}, "NotOwner()"), ("owner", {"value": "-1"}, "--value"), ("owner", {"value": 1}, "no reason")):
        refused = send(ledger, name, "records.setGateway", account, identity, "true", **options)
        assert refused.returncode != 0 and says in refused.stderr, refused.stderr
    # Only these two words are a bool: a slip must not take a gateway away.
    for word in ("yes", "1", "True", ""):
        refused = send(ledger, "owner", "records.setGateway", account, identity, word)
        assert refused.returncode == 2 and "no bool" in refused.stderr, refused.stderr
    assert is_gateway() == 1
    refused = send(ledger, "owner", "assets.create", "a", "b", "6", account)
    assert refused.returncode == 2 and "not by this command" in refused.stderr
    assert ledger.rpc.account(ledger.accounts["owner"].address)[0] == sequence + 1
    assert send(ledger, "guardian", "records.setGateway", account, identity, "false").returncode == 0 and is_gateway() == 0
    secret = f"{ledger.accounts['owner'].secret:064x}"
    assert secret not in done.stdout + done.stderr


def test_a_value_goes_with_the_call(ledger):
    before = ledger.rpc.account(ledger.accounts["owner"].address)[1]
    refused = send(ledger, "owner", "staking.bond", "0x" + "11" * 20, value=5)
    assert refused.returncode != 0 and "ValidatorUnknown()" in refused.stderr, refused.stderr
    assert ledger.rpc.account(ledger.accounts["owner"].address)[1] == before


def test_the_command_s_own_words_for_an_option():
    """Not those of the option of the same name elsewhere: a ledger's node is no gateway."""
    for command in ("query", "send", "proof", "statement", "light-block"):
        done = subprocess.run([find_build() / "bin" / "caisson", "ledger", command, "--help"], capture_output=True, text=True, timeout=60)
        assert "CAISSON_LEDGER_URL" in done.stdout and "CAISSON_URL" not in done.stdout, done.stdout


def test_every_revert_of_the_ledger_has_its_name():
    """reverts.def has what relay_state/ledger reverts with, and nothing else."""
    source = "".join(path.read_text() for path in sorted((ROOT / "relay_state" / "ledger").glob("*.c")))
    source = re.sub(r'"\s*\n\s*"', "", re.sub(r"/\*.*?\*/", "", source, flags=re.S))
    name = r'"([A-Z][A-Za-z]+\([a-z0-9,]*\))"'
    others = set(re.findall(rf"(?:emit\w*|cs_abi_topic)\(\s*(?:call,\s*)?(?:[^;\"]*\?\s*)?{name}(?:\s*:\s*{name})?", source))
    others = {one for pair in others for one in pair} | set(re.findall(rf"{{{name}, 0x", source))
    table = (ROOT / "adapters" / "cometbft" / "reverts.def").read_text()
    assert set(re.findall(rf"LEDGER_REVERT\({name}\)", table)) == set(re.findall(name, source)) - others


def test_gateways_are_the_owners_to_name(ledger):
    def is_gateway(identity):
        return int.from_bytes(ledger.view(RECORDS, "isGateway(address,bytes32)", ledger.accounts["gateway1"].address, identity), "big")

    ledger.allow_gateway("gateway1", IDENTITY)
    assert is_gateway(IDENTITY) and not is_gateway(OTHER)
    data = abi.selector("setGateway(address,bytes32,bool)")
    data += abi.encode(["address", "bytes32", "bool"], [ledger.accounts["gateway1"].address, OTHER, True])
    assert ledger.call("gateway1", RECORDS, data, accept_revert=True)["status"] == "0x0"


def test_enclaves_are_the_administrators_to_register(ledger):
    x = crypto.public_key(KEY)[:32]
    what = ([(IDENTITY, 1, x, bytes(20))], b"\x22" * 32, b"\x21" * 32, 1, b"\x31" * 32, b"\x23" * 32)
    with pytest.raises(Reverted):
        ledger.register_enclave(BRIDGE, *what, approving=(1,))
    ledger.register_enclave(BRIDGE, *what)
    assert int.from_bytes(ledger.view(ENCLAVES, "isActive(bytes32,uint8)", x, BRIDGE), "big") == 1


def test_a_node_that_dies_comes_back(ledger):
    """Three go on without it; it comes to the same state; a transaction by any node follows one by another."""
    ledger.kill(0)
    assert len(ledger.running) == 3
    ledger.wait_blocks(2)
    ledger.allow_gateway("gateway2", OTHER)
    height = ledger.heal(0)
    ledger.allow_gateway("gateway2", OTHER, False)
    ledger.wait_height(height + 1)
    hashes = {json.dumps(node.rpc.ask("commit", height=str(height + 1))["signed_header"]["header"]["app_hash"]) for node in ledger.nodes}
    assert len(ledger.running) == 4 and len(hashes) == 1
