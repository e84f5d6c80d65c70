"""A validator that signs two votes for one place is convicted: broadcast_evidence, then a block that carries it."""
from __future__ import annotations

import base64
import hashlib
import json

import pytest
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

from abci.messages import varint
from ledger.net import CHAIN_ID, DEADLINE_S, CallError, Network
from lib.rpc import wait_for


def field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def time_of(text: str) -> bytes:
    """google.protobuf.Timestamp of a time in this epoch."""
    import calendar
    import time
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    nanos = int(fraction.ljust(9, "0") or 0)
    return b"\x08" + varint(seconds) + (b"\x10" + varint(nanos) if nanos else b"")


def signed_vote(key: bytes, height: int, block_hash: bytes, time: str, address: str) -> dict:
    """A prevote of round 0, CanonicalVote as spec/core/encoding.md has it."""
    parts = field(2, b"\x08\x01" + field(2, block_hash))
    canonical = b"\x08\x01" + b"\x11" + height.to_bytes(8, "little")
    canonical += field(4, field(1, block_hash) + parts) + field(5, time_of(time)) + field(6, CHAIN_ID.encode())
    signer = eddsa.new(ECC.construct(curve="Ed25519", seed=key[:32]), "rfc8032")
    signature = signer.sign(varint(len(canonical)) + canonical)
    return {"type": 1, "height": str(height), "round": 0, "timestamp": time, "validator_address": address, "validator_index": 0,
            "block_id": {"hash": block_hash.hex().upper(), "parts": {"total": 1, "hash": block_hash.hex().upper()}},
            "signature": base64.b64encode(signature).decode(), "extension": None, "extension_signature": None}


def test_two_votes(tmp_path):
    network = Network(tmp_path, 1)
    genesis = network.nodes[0].home / "config" / "genesis.json"
    # The kvstore takes one of the power of whoever is convicted: of a chain's only validator not the last.
    genesis.write_text(genesis.read_text().replace('"power": "1"', '"power": "10"'))
    with network as net:
        node = net.nodes[0]
        node.wait_height(3)
        keys = json.loads((node.home / "config" / "priv_validator_key.json").read_text())
        private = base64.b64decode(keys["priv_key"]["value"])
        time = node.call("block", height="2")["block"]["header"]["time"]
        hashes = sorted(hashlib.sha256(text).digest() for text in (b"one", b"other"))
        votes = [signed_vote(private, 2, h, time, keys["address"]) for h in hashes]
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
        with pytest.raises(CallError):
            node.call("broadcast_evidence", evidence={"type": "tendermint/LightClientAttackEvidence", "value": value})
        at = node.height()
        told = tell()["hash"]
        assert len(told) == 64

        def carried():
            for height in range(at, node.height() + 1):
                evidence = node.call("block", height=str(height))["block"]["evidence"]["evidence"]
                if evidence:
                    return height, evidence

        height, evidence = wait_for(carried, DEADLINE_S, "a block with the evidence")
        assert evidence == [{"type": "tendermint/DuplicateVoteEvidence", "value": value}]
        updates = node.call("block_results", height=str(height))["validator_updates"]
        assert updates == [{"pub_key": {"Sum": {"type": "tendermint.crypto.PublicKey_Ed25519",
                                                "value": {"ed25519": keys["pub_key"]["value"]}}}, "power": "9"}]
        wait_for(lambda: node.call("status")["validator_info"]["voting_power"] == "9", DEADLINE_S, "its punishment")
        # It is convicted once.
        with pytest.raises(CallError):
            tell()
