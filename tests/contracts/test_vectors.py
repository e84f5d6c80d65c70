"""Contracts against tests/vectors/envelope and BIP-340's own vectors."""
from __future__ import annotations

import csv
import json
import subprocess
import sys

import pytest

import envelope_vectors as v
from lib import abi, crypto, deploy, tools
from lib.rpc import Contract, RpcError
from world import DELIVERED, World, error_of

VECTORS = tools.ROOT / "tests" / "vectors"


def load(name: str) -> dict:
    return json.loads((VECTORS / "envelope" / f"{name}.json").read_text())


def h(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def test_files_are_what_the_script_writes():
    subprocess.run([sys.executable, tools.ROOT / "tools" / "envelope_vectors.py", "--check"], check=True)


def test_enough_cases():
    sizes = [len(rows) for name in ("tags", "identities", "addresses", "messages", "trees", "digests", "storage", "signatures",
                                    "calldata") for rows in load(name).values()]
    assert sum(sizes) >= 100


@pytest.mark.parametrize("case", load("signatures")["signatures"], ids=lambda c: c["why"])
def test_signature(world_once, case):
    args = [h(case["public"]), *(int(case[k], 16) for k in ("rx", "ry", "s")), h(case["digest"])]
    assert world_once.harness.read("verify", *args) is case["valid"]


def test_signature_bits(world_once):
    """Any single bit of key, R, s or message flipped is refused."""
    case = load("signatures")["signatures"][6]
    row = [h(case[k]) for k in ("public", "rx", "ry", "s", "digest")]
    calls = []
    for part in range(5):
        for bit in range(256):
            flipped = list(row)
            flipped[part] = (int.from_bytes(row[part], "big") ^ 1 << bit).to_bytes(32, "big")
            data = world_once.harness.data("verify", flipped[0], *(int.from_bytes(x, "big") for x in flipped[1:4]), flipped[4])
            calls.append(("eth_call", {"to": world_once.harness.address, "data": abi.to_hex(data)}, "latest"))
    results = world_once.rpc.batch(calls)
    assert all(int(r, 16) == 0 for r in results) and len(results) == 1280


def even_y(x: int) -> int | None:
    point = crypto.lift_x(x)
    return point[1] if point else None


def cube_root(y: int) -> int | None:
    """An x whose point has this y; p = 7 mod 9."""
    cube = (y * y - 7) % v.P
    x = pow(cube, (v.P + 2) // 9, v.P)
    return x if pow(x, 3, v.P) == cube else None


def test_off_curve_R_is_refused_by_the_curve_check_alone(world):
    """A forger who is free in R.y needs about 2^80 hashes until one ends like the recovered address. That much luck is
    given to him here: in a copy of the code, ecrecover is a contract that always answers with the address of his R."""
    harness = deploy.artifact("test/Harness")["deployedBytecode"]
    call_ecrecover, call_accomplice = "60015afa", "60775afa"  # PUSH1 address, GAS, STATICCALL
    assert harness.count(call_ecrecover) >= 1 and call_accomplice not in harness
    copy = "0x" + "ca" * 20
    world.rpc.call("anvil_setCode", copy, harness.replace(call_ecrecover, call_accomplice))
    lucky = Contract(world.rpc, copy, world.harness.abi)
    case = load("signatures")["signatures"][6]
    public, x, s, message = h(case["public"]), int(case["rx"], 16), int(case["s"], 16), h(case["digest"])
    on_curve = int(case["ry"], 16)
    accomplice = "0x" + "00" * 19 + "77"

    def believed(rx: int, ry: int, s: int) -> bool:
        address = v.keccak(v.u(rx) + v.u(ry))[12:]
        world.rpc.call("anvil_setCode", accomplice, "0x73" + address.hex() + "60005260206000f3")
        return lucky.read("verify", public, rx, ry, s, message)

    assert believed(x, on_curve, s) and believed(x, on_curve, (s + 1) % v.N)  # so nothing but the ranges is left
    for y in (on_curve + 2, 2, 4, 0, v.P - 3, v.P - 1 - on_curve):
        assert not believed(x, y, s)
    assert not believed(x, v.P - on_curve, s)  # on the curve, odd
    small = next((rx, ry) for rx in range(1, 50) for ry in [even_y(rx)] if ry is not None)
    assert believed(*small, s)
    assert not believed(small[0] + v.P, small[1], s)  # the same point, x not below p
    tiny = next((rx, ry) for ry in range(1, 200, 2) for rx in [cube_root(ry)] if rx is not None)
    assert believed(tiny[0], v.P - tiny[1], s)
    assert not believed(tiny[0], tiny[1] + v.P, s)  # even, congruent to a y of the curve, not below p
    for high in (v.N, v.N + 1, 2**256 - 1):
        assert not believed(x, on_curve, high)
    # The other way round: a recovered address of zero, which is what ecrecover leaves when it refuses, is none.
    world.rpc.call("anvil_setCode", accomplice, "0x60006000f3")
    assert not lucky.read("verify", public, x, on_curve, s, message)


def test_bip340_csv(world_once):
    rows = list(csv.DictReader((VECTORS / "bip340" / "test-vectors.csv").open()))
    seen = 0
    for row in rows:
        message, public, signature = (bytes.fromhex(row[k]) for k in ("message", "public key", "signature"))
        x, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        point = crypto.lift_x(x) if x < v.P else None
        y = point[1] if point else 2
        registered = world_once.harness.read("isKey", public)
        valid = registered and world_once.harness.read("verify", public, x, y, s, message)
        assert valid is (row["verification result"] == "TRUE"), row["index"]
        seen += 1
    assert seen == 15


@pytest.mark.parametrize("case", load("signatures")["keys"], ids=lambda c: c["why"])
def test_key(world_once, case):
    assert world_once.harness.read("isKey", h(case["public"])) is case["valid"]


def test_identities(world_once):
    for case in load("identities")["identities"]:
        assert world_once.harness.read("identity", case["caip2"], case["genesis"], case["address"]) == h(case["identity"])
        assert world_once.harness.read("word", case["address"]) == h(case["address_word"])


def test_addresses(world_once):
    for case in load("addresses")["good"]:
        if len(h(case["address"])) > 64:
            with pytest.raises(RpcError):
                world_once.harness.read("split", case["bytes"])
            continue
        chain, account = world_once.harness.read("split", case["bytes"])
        assert account == h(case["address"])
        assert chain == h(case["bytes"])[:5 + len(h(case["reference"]))]
        if case["chain_type"] == 0:
            assert world_once.harness.read("eip155", int(case["reference"], 16)) == chain
    for case in load("addresses")["bad"]:
        assert error_of(world_once.harness, world_once.user, "split", case["bytes"]) == "BadInteroperableAddress", case["why"]


@pytest.mark.parametrize("raw", ["0x000100000001", "0x0001000001001412", "0x00010000020001" + "14" + "11" * 20,
                                 "0x0001000001011511" + "11" * 20, "0x0001000001010111"])
def test_addresses_of_eip155_must_be_canonical(world_once, raw):
    """An empty or zero-padded reference, or an address that has not 20 bytes."""
    assert error_of(world_once.harness, world_once.user, "split", raw) == "BadInteroperableAddress"


def test_caip2(world_once):
    for number in (0, 1, 9, 10, 31337, 2**64 - 1, 2**256 - 1):
        assert world_once.harness.read("caip2", number) == f"eip155:{number}"


def test_trees(world_once):
    trees = load("trees")
    for case in trees["trees"]:
        leaves = [h(x) for x in case["leaves"]]
        assert world_once.harness.read("root", leaves) == h(case["root"])
        for leaf, path in zip(leaves, case["paths"]):
            if path is not None:
                assert world_once.harness.read("fold", leaf, path) == h(case["root"])
        for part in case.get("subtrees", []):
            inner = leaves[part["start"]:part["start"] + part["count"]]
            assert world_once.harness.read("root", inner) == h(part["root"])
            assert world_once.harness.read("fold", part["root"], part["path"]) == h(case["root"])
    for case in trees["nodes"]:
        assert world_once.harness.read("node", case["a"], case["b"]) == h(case["node"])


def test_digests(world_once):
    tags = {row["ascii"]: row["hash"] for row in load("tags")["tags"]}
    for case in load("digests")["digests"]:
        args = [tags[case["domain"]], case["kind"], case["signer"], case["receiver"], int(case["epoch"]),
                int(case["manifest"]), case["root"]]
        assert world_once.harness.read("digest", *args) == h(case["digest"])


def test_selectors_topics_attributes():
    calldata, gateway = load("calldata"), deploy.artifact("CaissonGateway")
    everything = {**gateway["methods"], **deploy.artifact("CaissonTokenBridge")["methods"]}
    for case in calldata["functions"].values():
        assert everything[case["signature"]] == case["selector"][2:]
    topics = {abi.signature(e): abi.topic(e) for e in gateway["abi"] if e["type"] == "event"}
    for case in calldata["events"].values():
        assert topics[case["signature"]] == case["topic"]


def test_layout(world):
    """The slots that enclaves prove, read by the formulas of the page from a real chain."""
    storage = {e["label"]: (e["slot"], e["offset"]) for e in deploy.artifact("CaissonGateway")["storage"]}
    assert [storage[k] for k in ("sentinel", "_statuses", "_keys")] == [("0", 0), ("1", 0), ("2", 0)]

    def slot(number: bytes) -> bytes:
        return abi.to_bytes(world.rpc.call("eth_getStorageAt", world.address, abi.to_hex(number), "latest"))

    assert slot(v.u(0)) == v.keccak(v.tag("caisson/layout/evm/v1") + world.identity)
    base = int.from_bytes(v.keccak(v.u(1) + v.keccak(world.remote.identity + v.u(2))), "big")
    assert slot(v.u(base)) == world.remote.x
    key = world.key(1)
    assert slot(v.u(base + 1)) == v.u(1 | key["notBefore"] << 8)
    message = world.message(world.null)
    world.deliver(message)
    word = v.keccak(v.u(message["sequence"] >> 7) + v.keccak(world.remote.identity + v.u(1)))
    assert int.from_bytes(slot(word), "big") >> (2 * (message["sequence"] & 127)) & 3 == DELIVERED


def test_storage_formulas():
    storage = load("storage")
    for case in storage["status"]:
        q = int(case["sequence"])
        assert (case["shift"], int(case["word"])) == (2 * (q % 128), q // 128)
    assert len({c["slot"] for c in storage["status"]}) == 10


def test_calldata_is_accepted_as_it_is(chain):
    """Every deliver, retry, close and expire of the vectors decodes to what was encoded: an untouched gateway refuses
    each for its key and for nothing else, where a byte less is no calldata at all."""
    world = World(chain, register=False)
    for case in load("calldata")["calls"]:
        if case["function"] not in ("deliver", "retry", "close", "expire", "finalize", "announceRotation"):
            continue
        call = {"to": world.address, "data": case["calldata"]}
        with pytest.raises(RpcError) as refusal:
            world.rpc.call("eth_call", call, "latest")
        assert refusal.value.data == abi.to_hex(abi.selector("KeyNotActive()"))
        with pytest.raises(RpcError) as refusal:
            world.rpc.call("eth_call", {**call, "data": case["calldata"][:-66]}, "latest")
        assert refusal.value.data in (None, "0x")
