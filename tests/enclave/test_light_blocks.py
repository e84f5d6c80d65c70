"""caisson-enclave in its sandbox follows a CometBFT chain: light blocks that CometBFT made, its signatures checked by a library that
must load nothing any more."""
from __future__ import annotations

import json

import pytest

from enclave import manifests
from enclave.boundary import Enclave, Refused, measurement, program
from lib import crypto, tools

VECTORS = json.loads((tools.ROOT / "tests" / "vectors" / "cometbft" / "generated.json").read_text())["light"]
CHAIN = "cosmos:caisson-vectors"
GENESIS, GATEWAY = "0x" + "22" * 32, "0x" + "00" * 17 + "ca1501"
# The blocks are of 2019; what expires is tested where the clock is the test's.
LONG = 2**53


def fields(data: bytes) -> dict[int, bytes | int]:
    """Of a protobuf message, the last of each number."""
    out, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at, value, shift = at + 1, value | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                return value

    while at < len(data):
        number, kind = divmod(varint(), 8)
        size = varint()
        if kind == 2:
            at, size = at + size, data[at:at + size]
        out[number] = size
    return out


def case(name: str) -> list[bytes]:
    known = {key: block for one in VECTORS for key, block in one["blocks"].items()}
    return [bytes.fromhex(known[key]) for key in next(one for one in VECTORS if one["name"] == name)["primary"]]


def hash_of(block: bytes) -> bytes:
    """Of the header: what the commit is for."""
    signed = fields(fields(block)[1])
    return fields(fields(signed[2])[3])[1]


def identity() -> bytes:
    return crypto.keccak(crypto.keccak(b"caisson/identity/v1") + crypto.keccak(CHAIN.encode()) + bytes.fromhex(GENESIS[2:])
                         + bytes(12) + bytes.fromhex(GATEWAY[2:]))


@pytest.fixture
def client(tmp_path):
    anchor = case("happy path")[0]
    finality = {"mode": "cometbft", "anchor_hash": "0x" + hash_of(anchor).hex(), "anchor_height": 1, "anchor_age_max_s": LONG,
                "trusting_period_s": LONG, "epoch": 0, "reorg_margin_s": 0, "trust_level": {"denominator": 3, "numerator": 1}}
    chain = manifests.chain(caip2=CHAIN, genesis=GENESIS, gateway=GATEWAY, code_hash="0x" + "00" * 32, finality=finality)
    path = tmp_path / "m1.json"
    lineage = manifests.write(path, manifests.body(["0x" + measurement(program())], chains=[chain]))
    with Enclave(tmp_path, [path], lineage, b"r" * 32) as enclave:
        client = enclave.client()
        client.hello()
        client.call("Init")
        yield client


def status(reply: dict) -> tuple[int, bytes]:
    return reply["status"]["final_height"], reply["status"]["final_hash"]


def skip_to(client, blocks: list[bytes], target: int) -> list[int]:
    """As a host does: asks for the target, then for the middle. The heights (from 1 on) that were taken."""
    taken, at, ask = [], 1, target
    while at < target:
        try:
            client.call("ClientUpdate", chain=identity(), headers=[blocks[ask - 1]])
            taken, at, ask = [*taken, ask], ask, target
        except Refused as refused:
            assert refused.name == "NOT_ENOUGH_TRUST" and ask > at + 1
            ask = (at + ask) // 2
    return taken


def test_it_skips_to_the_newest(client):
    blocks = case("happy path")
    first = client.call("ClientCreate", chain=identity(), header=blocks[0])
    assert status(first) == (1, hash_of(blocks[0]))
    taken = skip_to(client, blocks, 11)
    assert taken[-1] == 11 and len(taken) < 10
    # The others afterwards, from the lowest on.
    between = client.call("ClientUpdate", chain=identity(), headers=blocks)
    assert status(between) == (11, hash_of(blocks[-1])) and between["accepted"] == len(blocks) - 1 - len(taken)


def test_what_is_refused_leaves_it_standing(client):
    blocks = case("happy path")
    with pytest.raises(Refused) as refused:
        client.call("ClientCreate", chain=identity(), header=blocks[1])
    assert refused.value.name == "ANCHOR_MISMATCH"
    client.call("ClientCreate", chain=identity(), header=blocks[0])
    # The last byte of the last signature of the commit.
    commit = fields(fields(blocks[1])[1])[2]
    at = blocks[1].index(commit) + len(commit) - 1
    broken = blocks[1][:at] + bytes([blocks[1][at] ^ 1]) + blocks[1][at + 1:]
    with pytest.raises(Refused) as refused:
        client.call("ClientUpdate", chain=identity(), headers=[broken])
    assert refused.value.name == "BAD_SEAL"
    client.call("ClientUpdate", chain=identity(), headers=[blocks[1]])


def test_a_conflict_freezes_it(client):
    ours = case("happy path")
    client.call("ClientCreate", chain=identity(), header=ours[0])
    client.call("ClientUpdate", chain=identity(), headers=ours[1:])
    forged = [bytes.fromhex(block) for one in VECTORS if one["name"].startswith("conflicting valid commits")
              for block in one["blocks"].values()]
    names = []
    for block in forged:
        with pytest.raises(Refused) as refused:
            client.call("ClientUpdate", chain=identity(), headers=[block])
        names.append(refused.value.name)
    assert names[0] == "FROZEN"
    conflict = client.call("Conflict", chain=identity())
    assert conflict["first_hash"] != conflict["second_hash"]
    assert hash_of(conflict["first"][0]) == conflict["first_hash"] and hash_of(conflict["second"][0]) == conflict["second_hash"]
