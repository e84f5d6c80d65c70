"""An oracle records what it answered on its bridge's ledger, once, and answers all the same while it cannot."""
from __future__ import annotations

import json

import pytest

from lib import abi, oracle
from lib.bridge_ledger import ANSWERS, ORACLE, BridgeLedger
from lib.rpc import wait_for
from oracle.rest import Oracle
from oracle_enclave.world import World, source, spec

TIMEOUT_S = 120


@pytest.fixture(scope="module")
def bridge(tmp_path_factory):
    with BridgeLedger(tmp_path_factory.mktemp("bridge"), gateways=()) as ledger:
        yield ledger


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("sources"))
    yield made
    made.close()


class LedgerOracle(Oracle):
    def __init__(self, folder, world, bridge: BridgeLedger):
        self.bridge = bridge
        super().__init__(folder, world)

    def write(self, *args, **kwargs) -> None:
        super().write(*args, **kwargs)
        with open(self.config, "a", encoding="utf-8") as config:
            config.write("\n".join(self.bridge.config_lines("oracle")) + "\n")

    def ledger(self) -> dict:
        return self.get("/v1/chains")["ledger"]

    def answered(self, text: bytes) -> dict:
        status, body = self.ask(text)
        assert status in (200, 202), body
        return body if oracle.is_answer(body) else self.answer(body["id"])


@pytest.fixture(scope="module")
def rest(world, bridge, tmp_path_factory):
    with LedgerOracle(tmp_path_factory.mktemp("oracle"), world, bridge) as made:
        yield made


@pytest.fixture(scope="module")
def text(world):
    return spec(source(world.server().port))


def words(answer: bytes) -> list[bytes]:
    return [answer[i:i + 32] for i in range(0, len(answer), 32)]


def on_ledger(bridge: BridgeLedger, document: dict) -> dict | None:
    signer, request = abi.to_bytes(document["statement"]["signer"]), abi.to_bytes(document["id"])
    found = words(bridge.view(ANSWERS, "answerOf(bytes32,bytes32)", signer, request))
    if not int.from_bytes(found[6], "big"):
        return None
    size = int.from_bytes(found[8], "big")
    return {"code": int.from_bytes(found[0], "big"), "observed_at": int.from_bytes(found[1], "big"), "spec_hash": abi.to_hex(found[2]),
            "evidence_hash": abi.to_hex(found[3]), "value_abi": abi.to_hex(b"".join(found[9:])[:size])}


def others(bridge: BridgeLedger, document: dict) -> int:
    signer, request = abi.to_bytes(document["statement"]["signer"]), abi.to_bytes(document["id"])
    return int.from_bytes(words(bridge.view(ANSWERS, "othersOf(bytes32,bytes32)", signer, request))[0], "big")


def check_recorded(bridge: BridgeLedger, documents: list[dict]) -> None:
    for document in documents:
        found = wait_for(lambda d=document: on_ledger(bridge, d), TIMEOUT_S, f"{document['id']} on the ledger", 0.2)
        assert found == {key: document[key] for key in found} and others(bridge, document) == 0


def register(bridge: BridgeLedger, rest: LedgerOracle) -> None:
    """The administrators name its enclave in the register, with the key that signs answers."""
    told, key = rest.enclave(), rest.get("/v1/oracle/key")
    answers = key["answers"]
    bridge.register_enclave(ORACLE, [(abi.to_bytes(key["oracle"]), answers["epoch"], abi.to_bytes(answers["public_key"]), "0x" + "00" * 20)],
                            abi.to_bytes(told["measurement"]), abi.to_bytes(told["lineage"]), told["manifest_number"],
                            abi.to_bytes(told["manifest_hash"]), abi.to_bytes(told["evidence_digest"]))


def test_answers_wait_for_the_register_and_are_recorded(rest, bridge, text):
    wait_for(lambda: rest.ledger()["state"] == "fine", TIMEOUT_S, f"the ledger ({rest.log})", 0.1)
    documents = [rest.answered(text) for _ in range(2)]
    wait_for(lambda: rest.ledger()["state"] == "not_registered", TIMEOUT_S, f"the oracle says so ({rest.log})", 0.1)
    assert rest.ledger()["backlog"] == 2 and on_ledger(bridge, documents[0]) is None
    register(bridge, rest)
    check_recorded(bridge, documents)
    wait_for(lambda: (s := rest.ledger())["state"] == "fine" and s["backlog"] == 0, TIMEOUT_S, f"nothing is left ({rest.log})", 0.1)
    assert rest.metric("caisson_ledger_records_total") == 2 and rest.metric("caisson_ledger_given_up_total") == 0
    assert rest.metric("caisson_ledger_writing") == 1
    rest.shows_all("caisson_ledger_")


def test_an_answer_survives_a_kill_and_a_ledger_that_is_away(rest, bridge, text):
    account = bridge.accounts["oracle"].address
    before = bridge.rpc.account(account)[0]
    for i in range(len(bridge.nodes)):
        bridge.kill(i)
    wait_for(lambda: rest.ledger()["state"] == "no_node", TIMEOUT_S, f"the oracle says so ({rest.log})", 0.1)
    documents = [rest.answered(text) for _ in range(3)]
    assert rest.ledger()["backlog"] == 3
    rest.process.kill()
    rest.restart()
    assert rest.ledger()["backlog"] == 3
    for node in bridge.nodes:
        node.start()
    bridge.wait_blocks(2)
    check_recorded(bridge, documents)
    wait_for(lambda: rest.ledger()["backlog"] == 0, TIMEOUT_S, f"nothing is left ({rest.log})", 0.1)
    after = bridge.rpc.account(account)[0]
    rest.stop()
    rest.restart()
    wait_for(lambda: rest.ledger()["state"] == "fine", TIMEOUT_S, f"the ledger ({rest.log})", 0.1)
    bridge.wait_blocks(2)
    assert before < after <= before + 3 and bridge.rpc.account(account)[0] == after  # nothing twice


def test_no_secret_is_in_what_it_wrote(rest, bridge):
    key = f"{bridge.accounts['oracle'].secret:064x}"
    assert key.encode() not in rest.files() and bytes.fromhex(key) not in rest.files()
    assert json.dumps(rest.ledger()).find(key) == -1
