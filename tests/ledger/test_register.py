"""Register of enclaves, relay records, leases, anchors and time keys in nodes, by transactions that Python makes alone."""
from __future__ import annotations

import base64
import sys

import pytest

from ledger import accounts
from ledger.accounts import ALICE, BOB, CAROL, Bank
from ledger.net import CHAIN_ID, DEADLINE_S, Network, change_genesis, run
from ledger.staking import selector, words
from lib import crypto
from lib import ledger_tx as lt
from lib.ledger_tx import Call
from lib.rpc import wait_for
from lib.tools import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import register_vectors as rv  # noqa: E402

ENCLAVES, RECORDS = lt.contract(4), lt.contract(5)
GAS = 20_000_000
BOND = 1000
REVERTED = 32
ADMINISTRATORS = ["0x" + rv.v.public_x(secret).hex() for secret in rv.ADMINISTRATORS]


def found(genesis: dict) -> None:
    powers = {"owner": "0x" + ALICE.address.hex(), "guardian": "0x" + CAROL.address.hex(), "delay_s": 1}
    genesis["app_state"] = accounts.app_state() | {"contracts": {"records": powers, "enclaves": powers | {
        "rotation_delay_s": 2, "overlap_s": 1, "threshold": 2, "administrators": ADMINISTRATORS, "bond_min": str(BOND),
        "bond_delay_s": 1, "lifetime_max_s": rv.DAY}}}


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    network = Network(tmp_path_factory.mktemp("ledger"), 4, arguments=accounts.arguments())
    change_genesis(network, found)
    with network:
        network.wait_height(2)
        yield network


class Register(Bank):
    def call(self, key, to: bytes, data: bytes, value: int = 0) -> dict:
        return self.send(key, [Call(to, value, data)], gas_limit=GAS)

    def view(self, to: bytes, signature: str, *values) -> bytes:
        return self.query("/call", bytes(20) + to + selector(signature) + words(*values))

    def now(self) -> int:
        return int.from_bytes(self.query("/chain")[64:72], "big")


@pytest.fixture
def register(net, monkeypatch):
    """What Python signs is bound to this chain's register."""
    one = Register(net.nodes[0])
    own = one.view(ENCLAVES, "identity()")
    assert own == rv.v.identity(f"cosmos:{CHAIN_ID}", one.chain, ENCLAVES)
    monkeypatch.setattr(rv, "OWN", own)
    return one


def test_an_enclaves_life(net, register):
    """Registered by two of three, seen at every node, recorded by its key, anchored, revoked."""
    r = rv.registration(expires=register.now() + rv.DAY // 2, bonder=ALICE.address)
    x = rv.v.public_x(rv.KEY_1)
    assert register.call(ALICE, ENCLAVES, rv.register(r, rv.approvals(r, (0,))), BOND)["code"] == REVERTED
    made = register.call(ALICE, ENCLAVES, rv.register(r), BOND)
    enclave = base64.b64decode(made["data"])
    assert made["code"] == 0 and enclave == rv.keys_hash(r["keys"]) and register.balance(ENCLAVES) == BOND

    for node in net.nodes:
        def is_active(node=node):
            return Register(node).view(ENCLAVES, "isActive(bytes32,uint8)", x, rv.BRIDGE) == words(1)
        wait_for(is_active, DEADLINE_S, "the key at every node")
    assert register.view(ENCLAVES, "isActive(bytes32,uint8)", x, rv.ORACLE) == words(0)

    steps = [rv.record(7, 0, 0, 0), rv.record(7, 1, 1, 2)]
    assert register.call(BOB, RECORDS, rv.record_signed(steps, rv.KEY_1))["code"] == 0
    assert register.view(RECORDS, "messageOf(bytes32,uint8)", bytes([7]) * 32, 1)[:96] == words(2, 2, 0)
    assert register.call(BOB, RECORDS, rv.anchor(rv.KEY_1, rv.CHAIN_1, 1, 9, b"\x74" * 32))["code"] == 0
    assert register.call(BOB, RECORDS, rv.anchor(rv.KEY_1, rv.CHAIN_1, 1, 8, b"\x74" * 32))["code"] == REVERTED
    answer = register.ask("/store", b"\5a" + rv.LINEAGE + rv.CHAIN_1, prove=True)
    assert base64.b64decode(answer["value"])[:48] == bytes(7) + b"\1" + bytes(7) + b"\x09" + b"\x74" * 32
    assert [op["type"] for op in answer["proofOps"]["ops"]] == ["ics23:smt"]

    assert register.call(CAROL, ENCLAVES, selector("revokeEnclave(bytes32)") + enclave)["code"] == 0
    assert register.view(ENCLAVES, "isActive(bytes32,uint8)", x, rv.BRIDGE) == words(0)
    assert register.call(BOB, RECORDS, rv.record_signed([rv.record(7, 2, 2, 3)], rv.KEY_1))["code"] == REVERTED
    revoked = register.now()
    wait_for(lambda: register.now() >= revoked + 2, DEADLINE_S, "the bond's delay")
    before = register.balance(ENCLAVES)
    assert register.call(ALICE, ENCLAVES, selector("withdrawBond(bytes32)") + enclave)["code"] == 0
    assert register.balance(ENCLAVES) == before - BOND


def records(items) -> bytes:
    W = rv.W
    rows = ("array", [("tuple", [W(w) for w in rv.record_words(r)]) for r in items])
    return rv.v.call(f"record({rv.RECORD}[])", [rows])


def test_gateways_share_a_route(net, register):
    """Two accounts report for one side; one of them has the lease, and the other gets it after its end."""
    for account in (BOB, CAROL):
        data = selector("setGateway(address,bytes32,bool)") + words(account.address, rv.CHAIN_1, 1)
        assert register.call(ALICE, RECORDS, data)["code"] == 0
    batch = [rv.record(i, 0, 0, 0) for i in range(100, 164)]
    first = register.call(BOB, RECORDS, records(batch))
    assert first["code"] == 0 and len([e for e in first["events"] if e["type"] == "log"]) == 64
    again = register.call(CAROL, RECORDS, records(batch))
    assert again["code"] == 0 and not [e for e in again["events"] if e["type"] == "log"]
    other = register.call(CAROL, RECORDS, records([batch[0] | {"tx": b"\x99" * 32}]))
    assert other["code"] == 0 and register.view(RECORDS, "messageOf(bytes32,uint8)", bytes([100]) * 32, 1)[:96] == words(1, 1, 1)
    assert register.call(BOB, RECORDS, records([rv.record(100, 1, 2, 3)]))["code"] == REVERTED

    route = words(rv.CHAIN_1, rv.CHAIN_2, 1)
    take = selector("takeLease(bytes32,bytes32,uint8,uint64)") + route
    assert base64.b64decode(register.call(BOB, RECORDS, take + words(5))["data"]) == words(1)
    assert register.call(CAROL, RECORDS, take + words(600))["code"] == REVERTED
    until = int.from_bytes(register.view(RECORDS, "leaseOf(bytes32,bytes32,uint8)", rv.CHAIN_1, rv.CHAIN_2, 1)[32:64], "big")
    wait_for(lambda: register.now() >= until, DEADLINE_S, "the lease's end")
    assert base64.b64decode(register.call(CAROL, RECORDS, take + words(600))["data"]) == words(2)
    lease = base64.b64decode(register.ask("/store", b"\5l" + rv.CHAIN_1 + rv.CHAIN_2 + b"\1", prove=True)["value"])
    assert lease[:20] == CAROL.address and lease[28:] == (2).to_bytes(8, "big")


def test_a_time_key(net, register):
    """What the command prints registers the key with which the node answers."""
    node = net.nodes[3]
    own = "0x" + rv.OWN.hex()
    key, data = run("show-time-key", "--home", str(node.home), "--register", own, "--account", "0x" + BOB.address.hex()).stdout.split()
    assert register.call(ALICE, ENCLAVES, bytes.fromhex(data[2:]))["code"] == REVERTED
    assert register.call(BOB, ENCLAVES, bytes.fromhex(data[2:]))["code"] == 0
    assert "0x" + register.view(ENCLAVES, "timeKeyOf(address)", BOB.address)[:32].hex() == key
    nonce = bytes(range(32))
    answer = node.call("caisson_time", nonce="0x" + nonce.hex())
    digest = rv.time_digest(nonce, int(answer["time_ms"]))
    assert answer["key"] == key and crypto.schnorr_verify(bytes.fromhex(key[2:]), digest, bytes.fromhex(answer["signature"][2:]))
