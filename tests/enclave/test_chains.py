"""Two real chains, the real contracts, two enclaves, and no gateway: what the enclaves sign is what the contracts take."""
from __future__ import annotations

import json

import pytest

from enclave import manifests, relay
from enclave.boundary import Enclave, Refused, measurement, program
from lib import abi, chains, deploy
from lib.rpc import wait_for

DEAD, DELIVERED, FAILED = 3, 2, 1
ROOT = b"r" * 32
FINALITY = {
    "anvil": {"mode": "insecure_dev_head", "confirmations": 2, "epoch": 0, "drift_max_s": 1_000_000},
    "geth-clique": {"mode": "clique", "confirmations": 0, "epoch": 30000, "period_s": 1},
}


class Bridge:
    """Two sides, in the order of birth: contracts, manifest, enclaves, keys."""

    def __init__(self, folder, made: list[chains.Chain]):
        self.folder = folder
        sides = deploy.deploy_gateways(made)
        deploy.register_remotes(sides)
        deploy.deploy_apps(*sides)
        anchors = [0 if c.kind == "geth-clique" else c.rpc.block_number() for c in made]
        rows = [manifests.chain(
            caip2=s.chain.caip2, genesis=s.chain.genesis_hash, gateway=s.gateway.address.lower(),
            code_hash=abi.to_hex(s.code_hash), remotes=[abi.to_hex(o.identity) for o in sides if o is not s],
            finality={**FINALITY[s.chain.kind], "anchor_height": n, "anchor_hash": s.chain.rpc.block(n)["hash"],
                      "anchor_age_max_s": 10**6, "trusting_period_s": 10**6, "reorg_margin_s": 2})
            for s, n in zip(sides, anchors)]
        self.inner = manifests.body(["0x" + measurement(program())], chains=rows)
        self.path = folder / "m.json"
        self.lineage = manifests.write(self.path, self.inner)
        self.enclaves = [self.start(i) for i in (0, 1)]
        self.a, self.b = [relay.Relay(s, self.connect(e)) for s, e in zip(sides, self.enclaves)]
        for side, anchor in zip((self.a, self.b), anchors):
            side.begin(anchor)
        for own, other in ((self.a, self.b), (self.b, self.a)):
            deploy.register_key(own.side, other.side, 1, other.key, bytes(32), abi.to_bytes(self.lineage))
            own.rpc.wait_receipt(own.rpc.send(own.side.owner, own.gas_address, value=10**18))
            learned = own.learn_key(other.identity, 1)
            assert learned["public_key"] == other.key and learned["state"] == 1

    def start(self, index: int) -> Enclave:
        folder = self.folder / f"e{index}"
        folder.mkdir(exist_ok=True)
        return Enclave(folder, [self.path], self.lineage, ROOT, serve=[self.inner["chains"][index]["caip2"]])

    @staticmethod
    def connect(enclave: Enclave):
        client = enclave.client()
        client.hello()
        return client

    def stop(self) -> None:
        for enclave in self.enclaves:
            enclave.stop()

    def send(self, source, target, **attributes) -> dict:
        rows = [deploy.attribute(*row) for row in attributes.values()]
        recipient = deploy.erc7930(target.side.chain.chain_id, target.side.app.address)
        return source.side.app.write(source.side.user, "send", recipient, b"hello", rows)

    def deliver(self, source, target, receipt, legacy=False, epoch=0) -> tuple[dict, dict]:
        message, statement = source.sign_message(receipt, epoch)
        return message, target.submit(relay.DELIVER, legacy, statement=statement, messages=[message])

    def finalize(self, source, target, message, height: int) -> int:
        outcome, statement = target.sign_outcome(message, height)
        receipt = source.submit(relay.FINALIZE, statement=statement, outcomes=[outcome])
        event = source.side.gateway.events("MessageFinalized", receipt)[0]
        assert event["status"] == outcome["status"]
        return event["status"]


@pytest.fixture(scope="module", params=["anvil", "geth-clique"])
def bridge(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bridge")
    made = []
    try:
        for number in (1, 2):
            if request.param == "anvil":
                made.append(chains.Anvil(folder / f"c{number}", 31000 + number, mining="auto"))
            else:
                made.append(chains.Clique(folder / f"c{number}", 41000 + number))
        up = Bridge(folder, made)
        yield up
        up.stop()
    finally:
        for chain in made:
            chain.stop()


def only_anvil(bridge):
    if bridge.a.side.chain.kind != "anvil":
        pytest.skip("moves the chain's clock")


def test_a_message_there_and_its_outcome_back(bridge):
    a, b = bridge.a, bridge.b
    receipt = bridge.send(a, b)
    message, delivered = bridge.deliver(a, b, receipt)
    assert b.side.gateway.events("MessageStatus", delivered)[0]["status"] == DELIVERED
    assert abi.to_bytes(b.side.app.read("lastPayload")) == b"hello"
    height = b.make_final(int(delivered["blockNumber"], 16))
    assert bridge.finalize(a, b, message, height) == DELIVERED
    sent = a.side.gateway.events("MessageCommitted", receipt)[0]["messageId"]
    assert a.side.app.read("outcomes", sent) == DELIVERED


def test_the_other_way_by_a_legacy_transaction(bridge):
    _, delivered = bridge.deliver(bridge.b, bridge.a, bridge.send(bridge.b, bridge.a), legacy=True)
    assert bridge.a.side.gateway.events("MessageStatus", delivered)[0]["status"] == DELIVERED


def test_a_failed_call_is_retried(bridge):
    a, b = bridge.a, bridge.b
    b.side.app.write(b.side.user, "setFailing", True)
    message, statement = a.sign_message(bridge.send(a, b))
    failed = b.submit(relay.DELIVER, statement=statement, messages=[message])
    assert b.side.gateway.events("MessageStatus", failed)[0]["status"] == FAILED
    b.side.app.write(b.side.user, "setFailing", False)
    height = b.make_final(int(failed["blockNumber"], 16))
    with pytest.raises(Refused, match="BEFORE_DEADLINE"):
        b.sign_outcome(message, height)
    retried = b.submit(relay.RETRY, statement=statement, messages=[message])
    assert b.side.gateway.events("MessageStatus", retried)[0]["status"] == DELIVERED
    height = b.make_final(int(retried["blockNumber"], 16))
    assert bridge.finalize(a, b, message, height) == DELIVERED


def test_an_event_that_is_not_final_is_not_signed(bridge):
    a, b = bridge.a, bridge.b
    receipt = bridge.send(a, b)
    a.sync()
    message, index = a.message_of(receipt)
    claim = a.receipt_claim(receipt) | {"messages": [{"head": message["head"], "log_index": index}]}
    request = {"chain": a.identity, "receiver": b.identity, "receipts": [claim]}
    with pytest.raises(Refused, match="NOT_FINAL"):
        a.client.call("SignMessages", **request)
    a.make_final(claim["height"])
    a.client.call("SignMessages", **request)


def test_a_timeout_is_proven_by_absence(bridge):
    only_anvil(bridge)
    a, b = bridge.a, bridge.b
    deadline = b.rpc.time() + 300
    receipt = bridge.send(a, b, deadline=("deadline(uint64)", deadline))
    message, statement = a.sign_message(receipt)
    b.rpc.call("evm_increaseTime", 400)
    b.side.chain.mine(1)
    height = b.make_final(b.rpc.block_number())
    with pytest.raises(Refused, match="AFTER_DEADLINE"):
        b.submit(relay.DELIVER, statement=statement, messages=[message])
    assert bridge.finalize(a, b, message, height) == DEAD


def test_a_timeout_is_proven_by_the_tombstone(bridge):
    only_anvil(bridge)
    a, b = bridge.a, bridge.b
    receipt = bridge.send(a, b, deadline=("deadline(uint64)", b.rpc.time() + 300))
    message, statement = a.sign_message(receipt)
    with pytest.raises(Refused, match="BEFORE_DEADLINE"):
        b.submit(relay.EXPIRE, statement=statement, messages=[message])
    b.rpc.call("evm_increaseTime", 400)
    b.side.chain.mine(1)
    b.make_final(b.rpc.block_number())
    dead = b.submit(relay.EXPIRE, statement=statement, messages=[message])
    assert b.side.gateway.events("MessageStatus", dead)[0]["status"] == DEAD
    height = b.make_final(int(dead["blockNumber"], 16))
    assert bridge.finalize(a, b, message, height) == DEAD


def test_rotation_is_announced_and_the_new_key_delivers(bridge):
    a, b = bridge.a, bridge.b
    rotated = a.client.call("Rotate", chain=a.identity)
    statement = rotated["statements"][0]
    announced = b.submit(relay.ANNOUNCE, statement=statement, new_epoch=2, new_key=rotated["new_key"])
    event = b.side.gateway.events("KeyAnnounced", announced)[0]
    assert event["epoch"] == 2 and abi.to_bytes(event["x"]) == rotated["new_key"]
    receipt = bridge.send(a, b)

    def in_force():
        if b.side.chain.kind == "anvil":
            b.side.chain.mine(1)
        return b.rpc.time() > int(b.rpc.block(announced["blockNumber"])["timestamp"], 16) + deploy.ROTATION_DELAY_S

    wait_for(in_force, 30, "the rotation's delay", 0.3)
    assert b.learn_key(a.identity, 2)["public_key"] == rotated["new_key"]
    _, delivered = bridge.deliver(a, b, receipt, epoch=2)
    assert b.side.gateway.events("MessageStatus", delivered)[0]["status"] == DELIVERED


def test_killed_and_back_with_the_sealed_state(bridge):
    a, b = bridge.a, bridge.b
    receipt = bridge.send(a, b)
    sealed = a.client.call("Export")["sealed"]
    bridge.enclaves[0].popen.kill()
    bridge.enclaves[0].stop()
    bridge.enclaves[0] = bridge.start(0)
    a.client = bridge.connect(bridge.enclaves[0])
    with pytest.raises(Refused, match="NOT_FOUND|NO_KEY"):
        a.client.call("SignMessages", chain=a.identity, receiver=b.identity, receipts=[a.receipt_claim(receipt)])
    a.client.call("Import", sealed=sealed)
    a.head = a.client.hello()["clients"][0]["final_height"]
    _, delivered = bridge.deliver(a, b, receipt)
    assert b.side.gateway.events("MessageStatus", delivered)[0]["status"] == DELIVERED


def test_a_revoked_key_signs_for_nobody(bridge):
    a, b = bridge.a, bridge.b
    message, statement = a.sign_message(bridge.send(a, b))
    epoch = statement["epoch"]
    b.side.gateway.write(b.side.guardian, "revokeKey", a.identity, epoch)
    b.learn_key(a.identity, epoch)
    with pytest.raises(Refused, match="WRONG_EPOCH"):
        b.submit(relay.DELIVER, statement=statement, messages=[message])


def test_sweep_to_the_address_of_the_manifest(bridge):
    a = bridge.a
    target = bridge.inner["chains"][0]["policy"]["sweep_to"]
    a.submit(relay.SWEEP, gas=21000, sweep_to=abi.to_bytes(target), sweep_value=(10**15).to_bytes(7, "big"))
    assert int(a.rpc.call("eth_getBalance", target, "latest"), 16) == 10**15
    with pytest.raises(Refused, match="POLICY_ADDRESS"):
        a.submit(relay.SWEEP, gas=21000, sweep_to=b"\x66" * 20, sweep_value=b"\x01")


def test_nothing_secret_was_printed(bridge):
    for enclave in bridge.enclaves:
        text = enclave.log.read_text()
        assert json.dumps(text) and len(text.splitlines()) < 20
