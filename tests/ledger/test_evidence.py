"""Who misbehaves is convicted: broadcast_evidence, then a block that carries it; what proves nothing is refused with its reason."""
from __future__ import annotations

import base64
import copy
import hashlib
import json

import pytest

from ledger import forge
from ledger.net import CHAIN_ID, DEADLINE_S, CallError, Network, change_genesis, run
from lib.rpc import wait_for


def powers_of_ten(genesis: dict) -> None:
    """The kvstore takes one of the power of whoever is convicted: of a chain's only validator not the last."""
    for validator in genesis["validators"]:
        validator["power"] = "10"


def header_at(node, height: int) -> dict:
    return node.call("block", height=str(height))["block"]["header"]


def evidence_since(node, height: int) -> list[tuple[int, dict]]:
    return [(h, one) for h in range(height, node.height() + 1)
            for one in node.call("block", height=str(h))["block"]["evidence"]["evidence"]]


def test_two_votes(tmp_path):
    network = Network(tmp_path, 1)
    change_genesis(network, powers_of_ten)
    with network as net:
        node = net.nodes[0]
        node.wait_height(3)
        key = forge.Key(node.home)
        time = header_at(node, 2)["time"]
        hashes = sorted(hashlib.sha256(text).digest() for text in (b"one", b"other"))
        votes = [forge.vote(key, 0, 2, h, time, CHAIN_ID) for h in hashes]
        value = {"vote_a": votes[0], "vote_b": votes[1], "TotalVotingPower": "10", "ValidatorPower": "10", "Timestamp": time}

        def tell(**changes) -> dict:
            return node.call("broadcast_evidence",
                             evidence={"type": "tendermint/DuplicateVoteEvidence", "value": {**value, **changes}})

        wrong = [{"vote_b": votes[0]}, {"vote_a": votes[1], "vote_b": votes[0]}, {"TotalVotingPower": "2"},
                 {"vote_a": {**votes[0], "signature": votes[1]["signature"]}}, {"vote_a": {**votes[0], "height": "3"}},
                 {"vote_a": {}}, {"Timestamp": "yesterday"}]
        for changes in wrong:
            with pytest.raises(CallError):
                tell(**changes)
        with pytest.raises(CallError, match="no evidence"):
            node.call("broadcast_evidence", evidence={"type": "tendermint/LightClientAttackEvidence", "value": value})
        at = node.height()
        told = tell()["hash"]
        assert len(told) == 64

        height, evidence = wait_for(lambda: evidence_since(node, at), DEADLINE_S, "a block with the evidence")[0]
        assert evidence == {"type": "tendermint/DuplicateVoteEvidence", "value": value}
        updates = node.call("block_results", height=str(height))["validator_updates"]
        assert updates == [{"pub_key": {"Sum": {"type": "tendermint.crypto.PublicKey_Ed25519",
                                                "value": {"ed25519": key.public["value"]}}}, "power": "9"}]
        wait_for(lambda: node.call("status")["validator_info"]["voting_power"] == "9", DEADLINE_S, "its punishment")
        # It is convicted once.
        with pytest.raises(CallError):
            tell()


class Liars:
    """Two of four validators, with what they can make at heights of a running chain."""

    def __init__(self, net: Network):
        self.node = net.nodes[0]
        self.keys = [forge.Key(node.home) for node in net.nodes[:2]]
        self.names = {key.address for key in self.keys}
        self.validators = self.node.call("validators", height="2")["validators"]
        self.guilty = [v for v in self.validators if v["address"] in self.names]

    def lunatic(self, salt: str, height: int = 4, common: int = 2) -> dict:
        block = forge.lunatic(header_at(self.node, height), self.validators, self.keys, salt)
        return forge.attack(block, header_at(self.node, common), self.validators, self.guilty)

    def tell(self, evidence: dict) -> str:
        return self.node.call("broadcast_evidence", evidence=evidence)["hash"]


def changed(evidence: dict, path: list, value) -> dict:
    made = copy.deepcopy(evidence)
    at = made["value"]
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    return made


SIGNED = ["ConflictingBlock", "signed_header"]


def test_a_light_client_attack(tmp_path):
    """Every node carries, shows and counts it once; the peers have heard of it."""
    network = Network(tmp_path, 4)
    change_genesis(network, powers_of_ten)
    with network as net:
        net.wait_height(6)
        liars = Liars(net)
        good = liars.lunatic("another state")
        at = liars.node.height()
        told = liars.tell(good)
        assert len(told) == 64
        for node in net.nodes:
            found = wait_for(lambda n=node: evidence_since(n, at), DEADLINE_S, "a block with the evidence")
            assert len(found) == 1
            height, carried = found[0]
            assert carried == good
        # For the kvstore an attack costs nothing: nobody's power changed.
        assert liars.node.call("block_results", height=str(height))["validator_updates"] is None
        with pytest.raises(CallError, match="carried before"):
            liars.tell(good)
        assert len(evidence_since(net.nodes[1], at)) == 1


def test_what_is_no_attack(tmp_path):
    network = Network(tmp_path, 4)
    change_genesis(network, powers_of_ten)
    with network as net:
        net.wait_height(6)
        liars = Liars(net)
        good = liars.lunatic("another state")
        value = good["value"]
        signatures = value["ConflictingBlock"]["signed_header"]["commit"]["signatures"]
        broken = copy.deepcopy(signatures)
        broken[0]["signature"] = signatures[1]["signature"]
        honest = [v for v in liars.validators if v["address"] not in liars.names]
        own_block = {"signed_header": {"header": header_at(liars.node, 4), "commit": liars.node.call("commit", height="4")["signed_header"]["commit"]},
                     "validator_set": {"validators": liars.validators, "proposer": liars.validators[0]}}
        one = forge.lunatic(header_at(liars.node, 4), liars.validators, liars.keys[:1], "alone")
        future = copy.deepcopy(header_at(liars.node, 4)) | {"height": "400"}
        forward = forge.lunatic(future | {"time": "2100-01-01T00:00:00Z"}, liars.validators, liars.keys, "later")
        wrong = [
            (changed(good, ["TotalVotingPower"], "39"), "power"),
            (changed(good, ["Timestamp"], header_at(liars.node, 3)["time"]), "time"),
            (changed(good, ["CommonHeight"], "3"), "time"),
            (changed(good, ["CommonHeight"], "1000"), "height"),
            (changed(good, ["ByzantineValidators"], None), "guilty"),
            (changed(good, ["ByzantineValidators"], value["ByzantineValidators"] + honest[:1]), "guilty"),
            (changed(good, ["ByzantineValidators"], value["ByzantineValidators"][::-1]), "guilty"),
            (changed(good, [*SIGNED, "commit", "signatures"], broken), "signature"),
            (changed(good, [*SIGNED, "commit", "signatures"], signatures[:1]), ""),
            (changed(good, [*SIGNED, "header", "app_hash"], "00"), "commit of another header"),
            (changed(good, [*SIGNED, "header", "height"], "5"), ""),
            (changed(good, [*SIGNED, "header", "chain_id"], "other"), "commit of another header"),
            (changed(good, ["ConflictingBlock", "validator_set", "validators"], liars.validators), "not the header's"),
            (forge.attack(own_block, header_at(liars.node, 4), liars.validators, liars.validators), "own block"),
            (forge.attack(one, header_at(liars.node, 2), liars.validators, liars.guilty[:1]), ""),
            (forge.attack(forward, header_at(liars.node, 2), liars.validators, liars.guilty), "may still come"),
        ]
        for evidence, reason in wrong:
            with pytest.raises(CallError, match=reason or None):
                liars.tell(evidence)
        forms = [(["CommonHeight"], "x"), (["CommonHeight"], 2), (["ConflictingBlock"], None), (SIGNED, []), ([*SIGNED, "header", "version"], {"block": "-1"}),
                 ([*SIGNED, "header", "proposer_address"], "00"), ([*SIGNED, "commit", "round"], 1 << 40), ([*SIGNED, "commit", "block_id"], {}),
                 ([*SIGNED, "commit", "signatures"], [{}]), ([*SIGNED, "commit", "signatures"], [signatures[0]] * 2000),
                 (["ByzantineValidators"], [{}]), (["ConflictingBlock", "validator_set"], {"validators": []}),
                 (["TotalVotingPower"], "9223372036854775808")]
        for path, value in forms:
            with pytest.raises(CallError):
                liars.tell(changed(good, path, value))
        assert evidence_since(liars.node, 1) == []
        # And it still knows what is one.
        liars.tell(good)


def test_evidence_survives_a_restart(tmp_path):
    """Told to one validator of two while the other is away: no block can carry it. It is killed, comes back, and does."""
    network = Network(tmp_path, 2)
    change_genesis(network, powers_of_ten)
    with network as net:
        net.wait_height(6)
        first, second = net.nodes
        key = forge.Key(second.home)
        validators = first.call("validators", height="2")["validators"]
        block = forge.lunatic(header_at(first, 4), validators, [key], "another state")
        good = forge.attack(block, header_at(first, 2), validators, [v for v in validators if v["address"] == key.address])
        second.kill()
        at = first.height()
        first.call("broadcast_evidence", evidence=good)
        assert evidence_since(first, at) == []
        first.kill()
        assert list((first.home / "data").glob("evidence-*"))
        first.start()
        wait_for(first.is_up, DEADLINE_S, "the first node")
        assert evidence_since(first, 1) == []
        second.start()
        for node in net.nodes:
            found = wait_for(lambda n=node: n.is_up() and evidence_since(n, at), DEADLINE_S, "a block with the evidence")
            assert [one for _, one in found] == [good]


def test_evidence_of_a_block_that_is_executed_again(tmp_path):
    """It names the block that the next start has still to execute, and nobody else knows of it."""
    network = Network(tmp_path, 1, lambda text: text + "create_empty_blocks = false\n")
    change_genesis(network, powers_of_ten)
    with network as net:
        node = net.nodes[0]
        wait_for(node.is_up, DEADLINE_S, "the node")
        # The last one proves the state; there is no further block before the next transaction.
        last = max(int(node.commit(tx)["height"]) for tx in (b"a=1", b"b=2", b"c=3")) + 1
        wait_for(lambda: node.call("consensus_state")["round_state"]["height/round/step"] == f"{last + 1}/0/1", DEADLINE_S, "the next height")
        key = forge.Key(node.home)
        time = header_at(node, last)["time"]
        votes = [forge.vote(key, 0, last, h, time, CHAIN_ID)
                 for h in sorted(hashlib.sha256(text).digest() for text in (b"one", b"other"))]
        value = {"vote_a": votes[0], "vote_b": votes[1], "TotalVotingPower": "10", "ValidatorPower": "10", "Timestamp": time}
        evidence = {"type": "tendermint/DuplicateVoteEvidence", "value": value}
        node.call("broadcast_evidence", evidence=evidence)
        node.kill()
        done = run("rollback", "--home", str(node.home))
        assert done.stdout.startswith(f"Rolled back state to height {last - 1} "), done.stdout + done.stderr
        node.start()
        node.wait_height(last)
        assert evidence_since(node, 1) == []
        node.commit(b"d=4")
        assert evidence_since(node, 1) == [(last + 1, evidence)]


def test_old_evidence(tmp_path):
    def age(genesis):
        powers_of_ten(genesis)
        genesis["consensus_params"]["evidence"] |= {"max_age_num_blocks": "4", "max_age_duration": "1000000"}
    network = Network(tmp_path, 4)
    change_genesis(network, age)
    with network as net:
        net.wait_height(5)
        liars = Liars(net)
        evidence = liars.lunatic("another state", 3, 2)
        net.nodes[0].wait_height(8)
        with pytest.raises(CallError, match="evidence of height 2"):
            liars.tell(evidence)
