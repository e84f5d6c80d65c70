"""Contracts against tests/vectors/oracle."""
from __future__ import annotations

import json
import subprocess
import sys

import pytest

import envelope_vectors as v
from lib import abi, deploy, tools
from lib.rpc import RpcError
from oracle_world import OracleWorld

VECTORS = tools.ROOT / "tests" / "vectors" / "oracle"
RECEIVERS = {"fulfil": "CaissonOracle", "submit": "CaissonFeed"}


def load(name: str) -> dict:
    return json.loads((VECTORS / f"{name}.json").read_text())


def h(text: str) -> bytes:
    return bytes.fromhex(text[2:])


@pytest.fixture(scope="module")
def harness(oracle_once):
    return oracle_once.deploy("OracleHarness")


def test_files_are_what_the_script_writes():
    subprocess.run([sys.executable, tools.ROOT / "tools" / "oracle_vectors.py", "--check"], check=True)


def test_enough_cases():
    sizes = [len(rows) for path in VECTORS.glob("*.json") for rows in json.loads(path.read_text()).values()]
    assert sum(sizes) >= 90


def test_identities(harness):
    for case in load("identities")["oracles"]:
        assert harness.read("identity", case["lineage"]) == h(case["identity"])


def test_specs_and_arguments(harness):
    specs = load("specs")
    for case in specs["specs"]:
        assert harness.read("specHash", h(case["bytes"])) == h(case["hash"])
    for case in specs["arguments"]:
        assert harness.read("argumentsHash", [h(x).decode() for x in case["values"]]) == h(case["hash"])


def request_of(case: dict) -> dict:
    numbers = {k: int(case[k]) for k in ("counter", "callbackGas", "fee", "maxAge", "time", "deadline")}
    return {**numbers, **{k: h(case[k]) for k in ("specHash", "argumentsHash", "secretsHash")}, "asker": h(case["asker"])[12:],
            "callback": h(case["callback"])[12:]}


def of_a_chain(case: dict) -> bool:
    return not case["name"].startswith("by REST")


def test_requests(harness):
    rows = [c for c in load("requests")["requests"] if of_a_chain(c)]
    for case in rows:
        assert harness.read("requestId", h(case["receiver"]), request_of(case)) == h(case["request_id"]), case["name"]
    assert len({c["request_id"] for c in rows}) == len(rows) == 6


def test_answers(harness):
    requests = {c["name"]: c for c in load("requests")["requests"]}
    for case in load("answers")["answers"]:
        if not of_a_chain(requests[case["request"]]):
            continue
        answer = {"request": request_of(requests[case["request"]]), "code": case["code"], "observedAt": int(case["observed_at"]),
                  "evidenceHash": h(case["evidence"]), "value": h(case["value"])}
        assert harness.read("leafOfAnswer", h(case["request_id"]), answer) == h(case["leaf"]), case["name"]


def test_feeds(harness):
    for case in load("feeds")["feeds"]:
        assert harness.read("feedId", h(case["receiver"]), int(case["index"])) == h(case["feed_id"])
        item = {"index": int(case["index"]), "observedAt": int(case["observed_at"]), "specHash": h(case["spec_hash"]),
                "evidenceHash": h(case["evidence"]), "value": int(case["value"])}
        leaf, key = harness.read("leafOfFeed", h(case["receiver"]), item)
        assert leaf == h(case["leaf"]) and key == v.keccak(h(case["feed_id"]) + h(case["spec_hash"]))


def test_statements(oracle_once):
    """Digests fold from the leaves, and the signatures are what the contracts' verifier takes, bit for bit."""
    harness = oracle_once.deploy("Harness")
    for case in load("statements")["statements"]:
        st = case["statement"]
        root = harness.read("root", case["leaves"])
        args = (v.tag(case["domain"]), 4, case["signer"], case["receiver"], int(st["epoch"]), int(st["manifest"]), root)
        assert harness.read("digest", *args) == h(case["digest"]), case["what"]
        signature = [int(st[k], 16) for k in ("rx", "ry", "s")]
        assert harness.read("verify", case["public"], *signature, case["digest"])
        assert not harness.read("verify", case["public"], *signature, v.keccak(h(case["digest"])))


def test_selectors_and_topics():
    calldata = load("calldata")
    everything = {**deploy.artifact("CaissonOracle")["methods"], **deploy.artifact("CaissonFeed")["methods"],
                  **deploy.artifact("test/SampleConsumer")["methods"]}
    for case in calldata["functions"].values():
        assert everything[case["signature"]] == case["selector"][2:]
    topics = {abi.signature(e): abi.topic(e) for name in ("CaissonOracle", "CaissonFeed")
              for e in deploy.artifact(name)["abi"] if e["type"] == "event"}
    for case in calldata["events"].values():
        assert topics[case["signature"]] == case["topic"]


def test_calldata_is_accepted_as_it_is(chain):
    """Every fulfil, submit and refund of the vectors decodes to what was encoded: untouched contracts refuse each for its
    key (or its state) and for nothing else, where a word less is no calldata at all."""
    world = OracleWorld(chain, register=False)
    expected = {"fulfil": "KeyNotActive()", "submit": "KeyNotActive()", "refund": "StatusIs(uint8)", "request": "Closed()",
                "requestByHash": "Closed()"}
    seen = set()
    for case in load("calldata")["calls"]:
        name = case["function"]
        if name not in expected:
            continue
        seen.add(name)
        call = {"to": (world.feed if name == "submit" else world.oracle).address, "data": case["calldata"]}
        with pytest.raises(RpcError) as refusal:
            world.rpc.call("eth_call", call, "latest")
        assert refusal.value.data[:10] == abi.to_hex(abi.selector(expected[name]))
        with pytest.raises(RpcError) as refusal:
            world.rpc.call("eth_call", {**call, "data": case["calldata"][:-66]}, "latest")
        assert refusal.value.data in (None, "0x")
    assert seen == set(expected)


def test_logs():
    """The event's data begins with the request, word for word the end of the requestId's preimage."""
    entry = next(e for e in deploy.artifact("CaissonOracle")["abi"] if e.get("name") == "OracleRequested")
    requests = {c["name"]: c for c in load("requests")["requests"]}
    for log in load("calldata")["logs"]:
        case = requests[log["request"]]
        event = abi.decode_log(entry, log)
        assert event["request"] == request_of(case) and event["requestId"] == h(case["request_id"])
        assert (event["spec"], event["secrets"]) == (h(case["spec"]), h(case["secrets"]))
        assert [a.encode() for a in event["arguments"]] == [h(a) for a in case["arguments"]]
        preimage = v.tag("caisson/request/v1") + h(case["receiver"]) + h(log["data"])[:11 * 32]
        assert v.keccak(preimage) == h(case["request_id"])


def test_a_request_of_the_chain_is_a_vector_too(w):
    """What the contract emits is what the page's functions compute from it."""
    receipt = w.ask_raw(arguments=["é", ""], secrets=b"sealed", callback=w.null.address, gas=5)
    log, = (x for x in receipt["logs"] if x["address"].lower() == w.oracle.address.lower())
    preimage = v.tag("caisson/request/v1") + w.receiver(w.oracle) + abi.to_bytes(log["data"])[:11 * 32]
    assert v.keccak(preimage) == abi.to_bytes(log["topics"][1])
