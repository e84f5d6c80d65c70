"""An enclave whose whole host lies about a real ledger: it is shown forged light blocks and messages that nobody sent, and signs what was
sent alone; two branches freeze it."""
from __future__ import annotations

import base64
import copy

import envelope_vectors as envelope
import pytest

from adapters.ledger_driver import LedgerGateway
from enclave import manifests
from enclave.boundary import Enclave, Refused, measurement, program
from enclave.relay import Relay
from ledger import forge
from ledger.fork import Fork, keys_of
from lib import abi, crypto
from lib.ledger_kinds import Validators

DAY_S = 86400


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """Four validators of equal power, three of which are there."""
    with Validators(tmp_path_factory.mktemp("ledger"), "enclave-1", 4, away=1) as chain:
        yield LedgerGateway(chain)


class Host:
    """What carries headers and proofs to the enclave, true or not."""

    def __init__(self, ledger: LedgerGateway, client):
        self.ledger, self.client, self.rpc = ledger, client, ledger.chain.rpc
        self.validators = forge.in_order(self.rpc.ask("validators")["validators"])
        self.anchor = ledger.first["anchor_height"]

    def block(self, height: int) -> bytes:
        return forge.light_block_bytes(self.rpc.ask("commit", height=str(height)), self.validators)

    def show(self, *blocks: bytes) -> int:
        reply = self.client.call("ClientUpdate", chain=self.ledger.identity, headers=list(blocks))
        return reply["status"]["final_height"]

    def catch_up(self) -> int:
        return self.show(self.block(self.rpc.block_number()))

    def refused(self, *blocks: bytes) -> str:
        with pytest.raises(Refused) as refused:
            self.show(*blocks)
        return refused.value.name

    def proof(self, slot: bytes, height: int) -> dict:
        """Of a word, under the header of this height."""
        answer = self.rpc.question("/store", bytes([1]) + b"s" + slot, height - 1, True)
        return {"state": base64.b64decode(answer["proofOps"]["ops"][0]["data"])}

    def sign(self, head: dict, height: int, slot: bytes | None = None) -> dict:
        slot = slot or crypto.keccak(self.message_id(head) + (3).to_bytes(32, "big"))
        return self.client.call("SignMessages", chain=self.ledger.identity, receiver=self.ledger.remote, epoch=0, height=height,
                                sentinel=self.proof(bytes(32), height), sent=[{"head": head, "proof": self.proof(slot, height)}])

    @staticmethod
    def message_id(head: dict) -> bytes:
        parts = {"minGasLimit": head["min_gas_limit"], "refundTo": head["refund_to"], "closer": head["closer"], "finality": head["finality"]}
        return crypto.keccak(envelope.tag("caisson/message/v1") + head["source"] + head["destination"] + envelope.u(head["sequence"])
                             + head["sender_hash"] + head["recipient_hash"] + head["payload_hash"] + envelope.attributes_hash(parts)
                             + envelope.u(head["deadline"]))


@pytest.fixture
def host(ledger, tmp_path):
    finality = {"mode": "cometbft", **ledger.first, "anchor_age_max_s": DAY_S, "trusting_period_s": DAY_S, "epoch": 0, "reorg_margin_s": 0,
                "drift_max_s": 10, "trust_level": {"denominator": 3, "numerator": 1}}
    row = manifests.chain(caip2=ledger.chain.caip2, genesis=ledger.chain.genesis_hash, gateway=ledger.contract.address,
                          code_hash="0x" + "00" * 32, remotes=[abi.to_hex(ledger.remote)], finality=finality)
    path = tmp_path / "m1.json"
    lineage = manifests.write(path, manifests.body(["0x" + measurement(program())], chains=[row]))
    with Enclave(tmp_path, [path], lineage, b"r" * 32) as enclave:
        client = enclave.client()
        client.hello()
        client.call("Init")
        host = Host(ledger, client)
        client.call("ClientCreate", chain=ledger.identity, header=host.block(host.anchor))
        yield host


def sent_message(ledger, payload: bytes) -> tuple[dict, int]:
    """The head of a message in a block, and the first height whose header shows it."""
    tx, = ledger.send(1, payload)
    receipt = ledger.chain.rpc.wait_receipt(tx, 60)
    relay = Relay.__new__(Relay)
    relay.side, relay.identity = type("Side", (), {"gateway": ledger.contract}), ledger.identity
    ledger.chain.rpc.wait_blocks(2)
    return relay.message_of(receipt)[0]["head"], int(receipt["blockNumber"], 16) + 1


def test_what_was_sent_is_signed_and_nothing_else(ledger, host):
    head, height = sent_message(ledger, b"sent")
    host.show(host.block(height))
    assert host.sign(head, height)["message_ids"] == [host.message_id(head)]
    # Another payload, sequence, deadline; with the proof that there is no such message, and with the proof of the true one.
    slot = crypto.keccak(host.message_id(head) + (3).to_bytes(32, "big"))
    for change in ({"payload_hash": crypto.keccak(b"another")}, {"sequence": head["sequence"] + 1}, {"deadline": head["deadline"] + 1},
                   {"sender_hash": crypto.keccak(b"mallory")}):
        for proof_of in (None, slot):
            with pytest.raises(Refused) as refused:
                host.sign({**head, **change}, height, proof_of)
            assert refused.value.name == ("NOT_FOUND" if proof_of is None else "BAD_PROOF")
    # Before the header that shows it, and under one that nobody was shown.
    for other, name in ((height - 1, "STALE_HEADER"), (height + 1, "NOT_FINAL")):
        with pytest.raises(Refused) as refused:
            host.sign(head, other)
        assert refused.value.name == name


def changed(host, height: int, change) -> bytes:
    signed = copy.deepcopy(host.rpc.ask("commit", height=str(height)))
    change(signed["signed_header"])
    return forge.light_block_bytes(signed, host.validators)


def test_light_blocks_that_nobody_signed(ledger, host):
    host.rpc.wait_blocks(2)
    height = host.rpc.block_number()

    def another_state(signed):
        signed["header"]["app_hash"] = "AB" * 32

    def another_hash_too(signed):
        another_state(signed)
        signed["commit"]["block_id"]["hash"] = forge.header_hash(signed["header"]).hex().upper()

    def fewer(signed):
        for one in [s for s in signed["commit"]["signatures"] if s["block_id_flag"] == 2][:1]:
            one.update({"block_id_flag": 1, "validator_address": "", "timestamp": "0001-01-01T00:00:00Z", "signature": None})

    names = [host.refused(changed(host, height, change)) for change in (another_state, another_hash_too, fewer)]
    assert names == ["WRONG_BLOCK", "BAD_SEAL", "TOO_FEW_SEALS"]
    keys = keys_of(ledger.chain.homes)
    some = {a: keys[a] for a in keys_of(ledger.chain.homes[2:])}
    two = Fork(host.rpc, some, height)
    own = Fork(host.rpc, {a: keys[a] for a in list(some)[:1]}, height, own_set=True)
    assert host.refused(forge.light_block_bytes(two.block(height), two.validators)) not in ("FROZEN", "INTERNAL")
    assert host.refused(forge.light_block_bytes(own.block(height), own.validators)) not in ("FROZEN", "INTERNAL")
    # It goes on where it was.
    assert host.show(host.block(height)) == height


def test_two_branches_freeze(ledger, host):
    """Each has three of four signatures; two validators signed both. The second that comes freezes, and nothing is signed any more."""
    head, height = sent_message(ledger, b"before the fork")
    host.show(host.block(height))
    host.sign(head, height)
    fork = Fork(host.rpc, keys_of([ledger.chain.homes[i] for i in (0, 1, 3)]), height)
    assert host.refused(forge.light_block_bytes(fork.block(height), fork.validators)) == "FROZEN"
    conflict = host.client.call("Conflict", chain=ledger.identity)
    assert {abi.to_hex(conflict["first_hash"]), abi.to_hex(conflict["second_hash"])} == {host.rpc.header(height)[0], fork.hash(height)}
    with pytest.raises(Refused) as refused:
        host.sign(head, height)
    assert refused.value.name == "FROZEN"
