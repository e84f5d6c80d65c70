"""Requests of a real contract on a real chain: proven to the enclave, answered by it, taken by the contracts."""
from __future__ import annotations

import time

import pytest

import envelope_vectors as ev
import oracle_vectors as ov
from enclave import manifests, relay
from enclave.boundary import Refused
from lib import abi, deploy, fetch, rlp
from lib.rpc import create, wait_for
from lib.trie import Trie
from oracle_enclave.world import World, seal, source, spec

ZERO = "0x" + "00" * 20
TERMS, PARTS = deploy.ORACLE_TERMS, deploy.REQUEST_PARTS
GAS = 3_000_000
DELAYS = (2, 4, 1)


class ChainWorld(World):
    def __init__(self, folder, chain):
        self.anvil, self.rpc = chain, chain.rpc
        self.owner, self.guardian, self.user = chain.accounts[:3]
        self.oracle_contract, self.feed_contract = (
            create(self.rpc, self.owner, deploy.artifact(name), chain.caip2, chain.genesis_hash, self.owner, self.guardian, *DELAYS,
                   True) for name in ("CaissonOracle", "CaissonFeed"))
        anchor = self.rpc.block_number()
        row = manifests.chain(caip2=chain.caip2, genesis=chain.genesis_hash, finality={
            "mode": "insecure_dev_head", "confirmations": 2, "epoch": 0, "drift_max_s": 10**6, "anchor_height": anchor,
            "anchor_hash": self.rpc.block(anchor)["hash"], "anchor_age_max_s": 10**6, "trusting_period_s": 10**6, "reorg_margin_s": 2})
        identity = ev.identity(chain.caip2, abi.to_bytes(chain.genesis_hash), abi.to_bytes(row["gateway"]))
        super().__init__(folder, row, contracts=[
            {"address": contract.address.lower(), "chain": "0x" + identity.hex(), "kind": kind}
            for contract, kind in ((self.oracle_contract, "requests"), (self.feed_contract, "feeds"))])
        self.requests, self.feeds = (ev.identity(chain.caip2, abi.to_bytes(chain.genesis_hash), abi.to_bytes(c.address))
                                     for c in (self.oracle_contract, self.feed_contract))
        self.oracle_caller = self.caller(self.start())
        self.oracle_key = self.key(self.oracle_caller.hello())
        for contract in (self.oracle_contract, self.feed_contract):
            contract.write(self.owner, "registerOracle", abi.to_bytes(self.lineage), 1)
            contract.write(self.owner, "registerKey", self.identity(), 1, self.oracle_key, bytes(32), bytes(32))
        self.oracle_contract.write(self.owner, "setTerms", TERMS)
        self.oracle_caller.call("ClientCreate", chain=self.chain, header=relay.header_rlp(self.rpc.block(anchor)))
        self.head = anchor

    def ask(self, text: bytes, arguments=(), secrets: bytes = b"", lifetime: int = 600, by_hash: bool = False, contract=None) -> dict:
        size = (0 if by_hash else len(text)) + sum(map(len, arguments)) + len(secrets)
        name, first = ("requestByHash", ov.spec_hash(text)) if by_hash else ("request", text)
        return (contract or self.oracle_contract).write(
            self.user, name, first, [a.decode() for a in arguments], secrets, ZERO, 0, 600,
            max(int(time.time()), self.rpc.time()) + lifetime, value=TERMS["feeBase"] + TERMS["feePerByte"] * size, gas=GAS)

    def sync(self, height: int) -> None:
        if self.rpc.block_number() < height + 2:
            self.anvil.mine(2)
        while self.head < height + 2:
            numbers = range(self.head + 1, min(self.rpc.block_number(), self.head + 64) + 1)
            self.oracle_caller.call("ClientUpdate", chain=self.chain, headers=[relay.header_rlp(self.rpc.block(n)) for n in numbers])
            self.head = numbers[-1]

    def claim(self, receipt: dict, text: bytes, arguments=(), secrets: bytes = b"", final: bool = True) -> tuple[dict, dict]:
        """The claim, and the request that the event tells."""
        height, index = int(receipt["blockNumber"], 16), int(receipt["transactionIndex"], 16)
        if final:
            self.sync(height)
        rows = [self.rpc.receipt(tx) for tx in self.rpc.block(height)["transactions"]]
        trie = Trie({rlp.encode(i): relay.receipt_rlp(row) for i, row in enumerate(rows)})
        event, = self.oracle_contract.events("OracleRequested", receipt)
        r = event["request"]
        word = lambda raw: raw.rjust(32, b"\0")  # noqa: E731
        head = {"counter": r["counter"], "asker": word(r["asker"]), "callback": word(r["callback"]), "callback_gas": r["callbackGas"],
                "fee": r["fee"].to_bytes(32, "big"), "max_age": r["maxAge"], "time": r["time"], "deadline": r["deadline"]}
        return {"height": height, "block_hash": abi.to_bytes(receipt["blockHash"]), "tx_index": index,
                "proof": relay.nodes(trie.proof(rlp.encode(index))), "log_index": 0, "head": head,
                "query": {"spec": text, "arguments": list(arguments), "secrets": secrets}}, event

    def answer(self, *claims: dict) -> dict:
        return self.oracle_caller.call("AnswerChain", receiver=self.requests, claims=list(claims))

    @staticmethod
    def statement(reply: dict) -> dict:
        st = reply["statement"]
        number = lambda raw: int.from_bytes(raw, "big")  # noqa: E731
        return {"epoch": st["epoch"], "manifest": st["manifest_number"], "rx": number(st["rx"]), "ry": number(st["ry"]),
                "s": number(st["s"]), "path": []}

    def fulfil(self, reply: dict, *events: dict) -> dict:
        answers = [{"request": {k: e["request"][k] for k in PARTS}, "code": r["code"], "observedAt": r["observed_at"],
                    "evidenceHash": r["evidence_hash"], "value": r["value"]} for e, r in zip(events, reply["results"])]
        latest = max(r["observed_at"] for r in reply["results"])
        wait_for(lambda: self.anvil.mine(1) or self.rpc.time() >= latest, 30, "a block after the observation", 0.3)
        return self.oracle_contract.write(self.user, "fulfil", self.identity(), self.statement(reply), answers, gas=GAS)


@pytest.fixture(scope="module")
def world(tmp_path_factory, anvil_auto):
    made = ChainWorld(tmp_path_factory.mktemp("oracle-chain"), anvil_auto)
    yield made
    made.close()


def observed_after(world, event) -> None:
    wait_for(lambda: time.time() >= event["request"]["time"] + 1, 30, "the time of the request", 0.1)


def test_a_contract_is_answered(world):
    text = spec(source(world.server().port))
    receipt = world.ask(text)
    claim, event = world.claim(receipt, text)
    observed_after(world, event)
    reply = world.answer(claim)
    [result] = reply["results"]
    assert result["code"] == 0 and result["request_id"] == event["requestId"] and result["head"] == b""
    world.check_evidence(result)
    world.fulfil(reply, event)
    assert world.oracle_contract.read("stateOf", event["requestId"]) == [2, 0]


def test_a_batch_with_an_error_secrets_and_a_spec_by_hash(world):
    port = world.server(fetch.answering(fetch.ok(b'{"prices":{"eth":"2"}}'))).port
    good = spec(source(port, path="/{0}?key={secret:key}", pointer="/prices/{0}"))
    bad = spec(source(port, pointer="/nowhere"))
    sealed = seal(world.box(world.oracle_caller.hello()), abi.to_bytes(world.user).rjust(32, b"\0"), good, {"key": "k"})
    parts = [(good, [b"eth"], sealed), (bad, [], b"")]
    made = [world.claim(world.ask(*p, by_hash=i == 0), *p) for i, p in enumerate(parts)]
    observed_after(world, made[1][1])
    reply = world.answer(*(claim for claim, _ in made))
    assert [r["code"] for r in reply["results"]] == [0, 32]
    world.fulfil(reply, *(event for _, event in made))
    assert [world.oracle_contract.read("stateOf", e["requestId"]) for _, e in made] == [[2, 0], [2, 32]]


def test_a_feed_is_updated(world):
    text = spec(source(world.server().port))
    settings = {"specHash": ov.spec_hash(text), "decimals": 8, "heartbeat": 3600, "staleAfter": 3900, "deviation": 5000, "historyBits": 0,
                "description": "ETH / USD"}
    world.feed_contract.write(world.owner, "schedule", world.feed_contract.data("addFeed", settings))
    ready = world.rpc.time() + DELAYS[0]
    wait_for(lambda: world.anvil.mine(1) or world.rpc.time() >= ready, 30, "the owner's delay", 0.1)
    receipt = world.feed_contract.write(world.owner, "addFeed", settings, gas=GAS * 2)
    wait_for(lambda: time.time() > world.rpc.time(), 60, "the time of the chain", 0.1)
    event, = world.feed_contract.events("FeedAdded", receipt)
    reply = world.oracle_caller.call("Feeds", receiver=world.feeds, claims=[{"index": event["index"], "spec": text}])
    [result] = reply["results"]
    assert result["request_id"] == event["feedId"]
    wait_for(lambda: world.anvil.mine(1) or world.rpc.time() >= result["observed_at"], 30, "a block after the observation", 0.3)
    row = {"index": event["index"], "observedAt": result["observed_at"], "specHash": result["spec_hash"],
           "evidenceHash": result["evidence_hash"], "value": int.from_bytes(result["value"], "big", signed=True)}
    receipt = world.feed_contract.write(world.user, "submit", world.identity(), world.statement(reply), [row], gas=GAS)
    updated, = world.feed_contract.events("FeedUpdated", receipt)
    assert updated["value"] == 125_000_000 and updated["observedAt"] == result["observed_at"]


def test_parts_that_the_event_does_not_have(world):
    port = world.server().port
    text = spec(source(port, path="/{0}"))
    claim, _ = world.claim(world.ask(text, [b"a"]), text, [b"a"])
    head, query = claim["head"], claim["query"]
    for over in ({"query": query | {"spec": spec(source(port))}}, {"query": query | {"arguments": [b"b"]}},
                 {"query": query | {"secrets": b"x"}}, *({"head": head | {k: v}} for k, v in (
                     ("counter", 99), ("asker", b"\x01" * 32), ("callback", b"\x01" * 32), ("callback_gas", 1),
                     ("fee", b"\x01" * 32), ("max_age", 1), ("time", 1), ("deadline", 1)))):
        with pytest.raises(Refused, match="WRONG_RECEIPT"):
            world.answer(claim | over)
    for over, error in (({"log_index": 1}, "NO_LOG"), ({"block_hash": bytes(32)}, "WRONG_BLOCK"), ({"tx_index": 1}, "MALFORMED|NO_RECEIPT|INVALID|PROOF"),
                        ({"height": claim["height"] + 1000}, "NOT_FINAL|NOT_FOUND|UNKNOWN"), ({"proof": {"nodes": []}}, "MALFORMED|TRUNCATED|INVALID|PROOF|MISSING")):
        with pytest.raises(Refused, match=error):
            world.answer(claim | over)
    with pytest.raises(Refused, match="DUPLICATE"):
        world.answer(claim, claim)
    with pytest.raises(Refused, match="NOT_IN_MANIFEST"):
        world.oracle_caller.call("AnswerChain", receiver=world.feeds, claims=[claim])


def test_an_event_that_is_not_final(world):
    text = spec(source(world.server().port))
    claim, _ = world.claim(world.ask(text), text, final=False)
    with pytest.raises(Refused, match="NOT_FINAL|NOT_FOUND|UNKNOWN"):
        world.answer(claim)


def test_the_same_event_of_another_contract(world):
    other = create(world.rpc, world.owner, deploy.artifact("CaissonOracle"), world.anvil.caip2, world.anvil.genesis_hash, world.owner,
                   world.guardian, *DELAYS, True)
    other.write(world.owner, "registerOracle", abi.to_bytes(world.lineage), 1)
    other.write(world.owner, "registerKey", world.identity(), 1, world.oracle_key, bytes(32), bytes(32))
    other.write(world.owner, "setTerms", TERMS)
    text = spec(source(world.server().port))
    own, world.oracle_contract = world.oracle_contract, other
    try:
        claim, _ = world.claim(world.ask(text), text)
    finally:
        world.oracle_contract = own
    with pytest.raises(Refused, match="WRONG_CONTRACT"):
        world.answer(claim)


def test_after_the_deadline_nothing_is_signed(world):
    text = spec(source(world.server().port))
    claim, event = world.claim(world.ask(text, lifetime=15), text)
    wait_for(lambda: time.time() >= event["request"]["deadline"], 30, "the deadline", 0.2)
    with pytest.raises(Refused, match="EXPIRED"):
        world.answer(claim)


def test_a_new_key_takes_over_by_the_old_ones_word(world):
    """Kind 3 for each contract of the manifest; the new epoch signs when a request names it, and is taken after the delay."""
    rotated = world.oracle_caller.call("Rotate", chain=world.identity())
    by_receiver = {s["receiver"]: s for s in rotated["statements"]}
    assert set(by_receiver) == {world.requests, world.feeds}
    st = world.statement({"statement": by_receiver[world.requests]})
    world.oracle_contract.write(world.user, "announceRotation", world.identity(), st, 2, rotated["new_key"], gas=GAS)
    ready = world.rpc.time() + DELAYS[1]
    wait_for(lambda: world.anvil.mine(1) or world.rpc.time() > ready, 30, "the delay of rotations", 0.1)
    text = spec(source(world.server().port))
    claim, event = world.claim(world.ask(text), text)
    wait_for(lambda: time.time() >= event["request"]["time"] + 1, 60, "the time of the request", 0.1)
    reply = world.oracle_caller.call("AnswerChain", receiver=world.requests, claims=[claim], epoch=2)
    assert reply["statement"]["epoch"] == 2
    world.fulfil(reply, event)
    assert world.oracle_contract.read("stateOf", event["requestId"]) == [2, 0]
