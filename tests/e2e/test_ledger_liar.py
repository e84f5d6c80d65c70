"""Nodes of a ledger that lie to a gateway: they can make its enclave wait, never sign; and two branches of one ledger freeze the route."""
from __future__ import annotations

import base64
import hashlib
import json
import sys

import pytest

from adapters.proxies import RpcProxy, twist
from ledger import forge
from ledger.fork import Fork, keys_of
from lib import abi, ledger, ledger_kinds
from lib.rpc import wait_for
from lib.tools import ROOT
from lib.world import END_TIMEOUT_S, World, soon

sys.path.insert(0, str(ROOT / "tools"))
import envelope_vectors as envelope  # noqa: E402

NOT_SIGNED = ("observed", "final")


class Between(World):
    """The first ledger has four validators, three of which are there; its gateway asks two nodes, and somebody stands before each."""

    def start_chains(self) -> None:
        self.chains.append(ledger_kinds.Validators(self.folder / "chain1", "caisson-demo-1", 4, away=1))
        self.chains.append(ledger.Ledger(self.folder / "chain2", "caisson-demo-2"))

    def write_gateways(self) -> None:
        super().write_gateways()
        url = self.chains[0].url
        self.proxies = [RpcProxy(url), RpcProxy(url)]
        config = self.gateways[0].config
        config.write_text(config.read_text().replace(f"rpc = [{json.dumps(url)}]", f"rpc = {json.dumps([p.url for p in self.proxies])}"))

    def lie(self, after=lambda call, reply: reply) -> None:
        for proxy in self.proxies:
            proxy.after = after

    def stop(self) -> None:
        super().stop()
        for proxy in getattr(self, "proxies", []):
            proxy.stop()


@pytest.fixture(scope="module")
def between(tmp_path_factory):
    with Between(tmp_path_factory.mktemp("liar"), "ledger") as w:
        w.gateways[0].ends(w.send(b"warm up"))
        yield w


@pytest.fixture
def world(between):
    yield between
    between.lie()


def lies(world) -> int:
    return sum(e["lies"] for e in world.gateways[0].get("/v1/chains")["chains"][0]["endpoints"])


def still_waits(world, message_id: str) -> None:
    """Some blocks later it is not signed."""
    world.chains[0].rpc.wait_blocks(8)
    found = world.gateways[0].message(message_id)
    assert found is None or found["state"] in NOT_SIGNED, found


def goes_on(world, *ids: str) -> None:
    """Once the nodes are honest."""
    world.lie()
    for message_id in ids:
        assert world.gateways[0].ends(message_id)["outcome"] == "delivered"
    assert world.gateways[0].get("/v1/chains")["chains"][0]["frozen"] is None


class Invented:
    """A message that nobody sent, with an id that fits its parts, as the events of any transaction of the gateway's."""

    def __init__(self, world: Between, sequence: int):
        home, abroad = world.sides
        self.home = home
        self.parts = {"source": home.identity, "destination": abroad.identity, "sequence": sequence, "payload": b"never sent",
                      "sender": home.chain.erc7930(home.user), "recipient": abroad.chain.erc7930(abroad.app.address), "minGasLimit": 100_000,
                      "closer": bytes(32), "refundTo": bytes(32), "finality": 0, "deadline": soon(abroad.chain, 3000)}
        self.raw_id = envelope.message_id(self.parts)
        self.id = abi.to_hex(self.raw_id)

    def change(self, log: dict) -> dict:
        """A log of a real message, made to tell of this one."""
        values = {a["key"]: a["value"] for a in log["attributes"]}
        entries = {abi.topic(e): e for e in self.home.gateway.abi if e["type"] == "event"}
        entry = entries.get(values["topic0"])
        if entry is None or entry["name"] not in ("MessageSent", "MessageCommitted"):
            return log
        names = {"sendId": self.raw_id, "messageId": self.raw_id, "sender": self.parts["sender"], "recipient": self.parts["recipient"],
                 "payload": self.parts["payload"], "value": 0, "attributes": [], "destination": self.parts["destination"], **self.parts}
        plain = [p for p in entry["inputs"] if not p["indexed"]]
        values["data"] = abi.to_hex(abi.encode(plain, [names[p["name"]] for p in plain]))
        for i, p in enumerate([p for p in entry["inputs"] if p["indexed"]], 1):
            values[f"topic{i}"] = abi.to_hex(names[p["name"]])
        return {**log, "attributes": [{**a, "value": values[a["key"]]} for a in log["attributes"]]}

    def tell(self, call: dict, reply: dict) -> dict:
        """Beside what happened."""
        if call["method"] == "block_results" and reply.get("result"):
            for result in reply["result"]["txs_results"] or []:
                result["events"] += [self.change(e) for e in json.loads(json.dumps(result["events"])) if e["type"] == "log"]
        return reply


def test_a_message_that_nobody_sent(world):
    """All nodes tell of it, beside one that was sent. The state does not show it: nothing is believed of such a node."""
    invented = Invented(world, 10**6)
    world.lie(invented.tell)
    before = lies(world)
    sent = world.send(b"sent, beside a lie")
    wait_for(lambda: lies(world) > before, END_TIMEOUT_S, "that the lie is seen", 0.1)
    still_waits(world, sent)
    goes_on(world, sent)
    assert world.gateways[0].message(invented.id) is None and world.gateways[1].message(invented.id) is None
    assert world.sides[1].app.read("lastPayload") != b"never sent"


def test_a_message_with_another_payload(world):
    """One event is exchanged for another of the same message: its id does not fit, it is left out until a node tells it as it was."""
    def after(call, reply):
        if call["method"] == "block_results" and reply.get("result"):
            text = json.dumps(reply["result"])
            reply = dict(reply, result=json.loads(text.replace(b"pay alice".hex(), b"pay mally".hex())))
        return reply

    world.lie(after)
    sent = world.send(b"pay alice")
    still_waits(world, sent)
    goes_on(world, sent)  # by the reconciler
    assert world.sides[1].app.read("lastPayload") == b"pay alice"


def flip(text: str) -> str:
    raw = bytearray(base64.b64decode(text or ""))
    if raw:
        raw[-1] ^= 1
    return base64.b64encode(bytes(raw)).decode()


def with_flipped_proofs(result: dict) -> dict:
    ops = (result["response"].get("proofOps") or {}).get("ops") or []
    for op in ops:
        op["data"] = flip(op["data"])
    return result


def forged_commit(result: dict) -> dict:
    """Another application hash; its hash fits, its signatures do not."""
    header = result["signed_header"]["header"]
    header["app_hash"] = hashlib.sha256(b"forged").hexdigest().upper()
    result["signed_header"]["commit"]["block_id"]["hash"] = forge.header_hash(header).hex().upper()
    return result


LIES = {
    "proofs": twist("abci_query", with_flipped_proofs),
    "headers": twist("commit", forged_commit),
    "blocks": twist("block", lambda r: {**r, "block": {**r["block"], "data": {"txs": []}}}),
    "silence": lambda call, reply: {"jsonrpc": "2.0", "id": reply["id"], "error": {"code": -32603, "message": "Internal error", "data": "no"}},
}


@pytest.mark.parametrize("what", LIES)
def test_all_nodes_lie(world, what):
    world.lie(LIES[what])
    sent = world.send(what.encode())
    still_waits(world, sent)
    goes_on(world, sent)


@pytest.mark.parametrize("change, found", [
    ({"hash": "AB" * 32}, None), ({"hash": "AB"}, None), ({"height": "0"}, None), ({"height": 5}, None), ({"tx_result": {}}, None), ({"height": "2"}, 0)])
def test_a_transaction_that_is_elsewhere(world, change, found):
    """Asked by an operator which block has it: what is not about it is a lie, and another block of the chain shows none of its events."""
    gateway, chain = world.gateways[0], world.chains[0].caip2
    message, receipt = world.commit(b"where is it")
    gateway.ends(message)
    world.lie(twist("tx", lambda r: {**r, **change}))
    status, answer = gateway.request("POST", "/v1/operator/observe", {"chain": chain, "tx": receipt["transactionHash"]})
    if found is None:
        assert (status, answer["code"]) == (502, "rpc-lie"), answer
    else:
        assert (status, answer["found"], answer["taken"]) == (200, found, 0), answer


def stalled_s(world) -> float:
    return world.gateways[0].figure("caisson_chain_stalled_seconds", chain=world.chains[0].caip2)


def test_an_old_head(world):
    """The chain seems to stand still: it is told, and nothing is signed of what came later."""
    old = world.chains[0].rpc.ask("commit")

    def after(call, reply):
        top = int(old["signed_header"]["header"]["height"])
        if call["method"] == "commit" and "height" not in (call["params"] or {}):
            return dict(reply, result=old)
        if call["method"] == "status" and "result" in reply:
            reply["result"]["sync_info"]["latest_block_height"] = str(top)
        return reply

    world.lie(after)
    sent = world.send(b"later")
    still_waits(world, sent)
    wait_for(lambda: "stalled" in str(world.gateways[0].request("GET", "/healthz")[1]), END_TIMEOUT_S, "that it is told", 0.2)
    assert stalled_s(world) > 0
    goes_on(world, sent)
    assert stalled_s(world) == 0


def test_a_fork_freezes_the_route(tmp_path):
    """One of two nodes shows another branch; two of the four validators signed both. Both light blocks are evidence, and nothing is signed
    any more."""
    with Between(tmp_path, "ledger") as world:
        gateway, chain = world.gateways[0], world.chains[0]
        gateway.ends(world.send(b"before the fork"))
        assert gateway.request("GET", f"/v1/chains/{chain.caip2}/conflict")[0] == 404
        begin = chain.rpc.block_number()
        chain.rpc.wait_blocks(3)
        fork = Fork(chain.rpc, keys_of([chain.homes[i] for i in (0, 1, 3)]), begin)
        world.proxies[1].after = fork.answer
        wait_for(lambda: gateway.get("/v1/chains")["chains"][0]["frozen"], END_TIMEOUT_S, f"the freeze ({gateway.log})", 0.1)
        status, found = gateway.request("GET", f"/v1/chains/{chain.caip2}/conflict")
        assert status == 200 and found["height"] >= begin
        own = chain.rpc.header(found["height"])[0]
        assert {found["first_hash"], found["second_hash"]} == {own, fork.hash(found["height"])}
        assert found["first"] and found["second"] and found["held"] is None
        stuck = world.send(b"nobody signs this")
        chain.rpc.wait_blocks(8)
        message = gateway.message(stuck)
        assert message is None or message["state"] in NOT_SIGNED
        assert gateway.request("GET", "/healthz")[0] == 503
        # The same after a restart, with both nodes on one branch again: only a manifest decides.
        world.lie()
        gateway.stop()
        gateway.start()

        def frozen():
            try:
                return gateway.get("/v1/chains")["chains"][0]["frozen"]
            except OSError:
                return None

        wait_for(frozen, END_TIMEOUT_S, f"the same after a restart ({gateway.log})", 0.2)
