"""Messages on their way between two real chains when something comes in between: too much at once, a deadline, a gateway that
is down, a stranger who delivers first, a block that is taken back; and one process that serves both chains."""
from __future__ import annotations

import pytest

from lib import abi, crypto, deploy, rlp
from lib.events import told_after
from lib.rpc import create, wait_for
from lib.world import CONFIRMATIONS, END_TIMEOUT_S, SEND_GAS, Gateway, World, soon, write_secret

DELIVER_GAS = 1_000_000
NOT_SIGNED = ("observed", "final", "verified")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("relay"), "anvil", block_time=0.5) as w:
        yield w


@pytest.fixture
def by_hand(world):
    """The first chain makes a block only when the test says so; afterwards one a second."""
    rpc = world.sides[0].chain.rpc
    rpc.call("evm_setIntervalMining", 0)
    yield world
    rpc.call("evm_setIntervalMining", 1)


def too_late(chain) -> list[bytes]:
    """Attributes of a message that is past its deadline before it is final."""
    return [deploy.attribute("deadline(uint64)", soon(chain, 3)), deploy.attribute("finality(uint8)", 12)]


def steps_of(message: dict) -> dict[int, dict]:
    return {s["n"]: s for s in message["steps"]}


# ---- too much at once ----

def test_a_batch_of_large_messages_is_split(world):
    """32 of 4 KiB fit into the gas of one transaction, but not into the 128 KiB that geth takes."""
    source, destination = world.sides
    rpc, first = destination.chain.rpc, destination.chain.rpc.block_number()
    recipient = create(rpc, destination.owner, deploy.artifact("test/NullRecipient")).address
    data = abi.to_hex(source.gateway.data("sendMessage", deploy.erc7930(destination.chain.chain_id, recipient), b"\x55" * 4096,
                                          [deploy.attribute("minGasLimit(uint256)", 40_000)]))
    nonces = {s: int(source.chain.rpc.call("eth_getTransactionCount", s, "latest"), 16) for s in source.chain.accounts[3:9]}
    hashes = source.chain.rpc.batch([
        ("eth_sendTransaction", {"from": s, "to": source.gateway.address, "data": data, "gas": hex(600_000), "value": "0x0",
                                 "nonce": hex(nonce + k)}) for s, nonce in nonces.items() for k in range(6)])
    ids = [abi.to_hex(source.gateway.events("MessageCommitted", source.chain.rpc.wait_receipt(h))[0]["messageId"]) for h in hashes]
    for i in ids:
        world.gateways[0].ends(i)
    sizes = [len(t["input"]) // 2 for b in range(first, rpc.block_number() + 1)
             for t in rpc.call("eth_getBlockByNumber", hex(b), True)["transactions"]
             if (t["to"] or "").lower() == destination.gateway.address.lower()]
    assert len(sizes) > 2 and 64 * 1024 < max(sizes) < 129 * 1024, sizes


def test_a_large_receipt_is_proven(world):
    """Twenty messages of 4 KiB in one transaction: a receipt of nearly 100 KB, the last node of its proof."""
    source, destination = world.sides
    recipient = create(destination.chain.rpc, destination.owner, deploy.artifact("test/NullRecipient")).address
    receipt = source.app.write(source.user, "sendMany", 20, deploy.erc7930(destination.chain.chain_id, recipient), b"\x66" * 4096,
                               [deploy.attribute("minGasLimit(uint256)", 40_000)], gas=12_000_000)
    for event in source.gateway.events("MessageCommitted", receipt):
        world.gateways[0].ends(abi.to_hex(event["messageId"]))


def test_a_message_that_needs_more_gas_than_a_transaction_may_have(world):
    """It waits with the reason, holds up nobody, dies at its deadline; one whose deadline is later is delivered when the bound is raised."""
    source, gateway = world.gateways
    was = gateway.config.read_text()
    assert was.count("[relay]\n") == 1

    def bounded(gas: str) -> None:
        gateway.stop()
        gateway.config.write_text(was.replace("[relay]\n", f"[relay]\n{gas}"))
        gateway.restart()

    much = deploy.attribute("minGasLimit(uint256)", 1_500_000)
    bounded("batch_gas_max = 1000000\n")
    try:
        dies = world.send(b"too much gas", [much, deploy.attribute("deadline(uint64)", soon(world.chains[1], 20))])
        waits = world.send(b"too much gas for now", [much])
        for message_id in (dies, waits):
            found = wait_for(lambda: (m := gateway.message(message_id)) and m["why"] and m, END_TIMEOUT_S, "the reason")  # noqa: B023
            assert found["why"].startswith("policy-fee: ") and found["why"].endswith("it needs more gas than one transaction may have"), found
            assert found["state"] == "signed" and "submission" not in found
        source.ends(world.send(b"enough gas"))
        assert source.ends(dies, "refunded")["outcome"] == "dead"
        assert gateway.message(waits)["state"] not in ("submitted", "included", "delivered", "finalized")
    finally:
        bounded("")
    source.ends(waits)
    assert world.sides[1].app.read("lastPayload") == b"too much gas for now"


# ---- too late ----

def test_a_message_that_is_too_late_gets_a_tombstone(world):
    """Nobody delivers it: the gateway sends one transaction, which writes that it is dead."""
    destination = world.sides[1]
    message_id = world.send(b"too late", too_late(destination.chain))
    found = world.gateways[0].ends(message_id, "refunded")
    steps = steps_of(found)
    assert found["outcome"] == "dead" and steps[10]["detail"] == "dead" and steps[9]["tx"] == steps[10]["tx"]
    receipt = destination.chain.rpc.receipt(steps[10]["tx"])
    assert [e["status"] for e in destination.gateway.events("MessageStatus", receipt)] == [3]


# ---- either side may be down ----

def test_a_peer_that_is_down_misses_nothing(world):
    """Envelopes wait in the outbox and arrive when the peer is back."""
    source, destination = world.gateways
    destination.stop()
    ids, payloads = [], (b"while you were out 1", b"while you were out 2")
    for payload in payloads:
        ids.append(world.send(payload))
        source.reaches(ids[-1], "signed")
    destination.restart()
    for message_id in ids:
        source.ends(message_id)
        destination.ends(message_id)
    assert world.sides[1].app.read("lastPayload") in payloads


def test_a_source_that_is_down_gets_its_outcomes(world):
    source, destination = world.gateways
    message_id = world.send(b"the source goes")
    wait_for(lambda: destination.message(message_id), END_TIMEOUT_S, "the envelope")
    source.stop()
    destination.reaches(message_id, "outcome_verified")
    source.restart()
    source.ends(message_id)


def test_somebody_else_delivers_first(world):
    """Submission is permissionless: what is delivered already is looked for before gas is spent, and the outcome is proven all
    the same."""
    source, destination = world.gateways
    side, other = world.sides
    gas_address = world.enclave_key(destination)["gas_address"]
    destination.stop()
    message_id = world.send(b"by a stranger")
    source.reaches(message_id, "signed")
    spent = other.chain.rpc.call("eth_getTransactionCount", gas_address, "latest")

    envelope = source.get(f"/v1/messages/{message_id}/envelope")
    st, m = envelope["statement"], envelope["message"]
    statement = [st["epoch"], st["manifest"], int(st["rx"], 16), int(st["ry"], 16), int(st["s"], 16), st.get("path", [])]
    message = [m["sequence"], m["deadline"], m["min_gas_limit"], m["finality"], m["closer"], m["refund_to"], other.app.address,
               m["sender"], m["payload"]]
    receipt = other.gateway.write(other.friend, "deliver", side.identity, statement, [message], gas=DELIVER_GAS)
    assert other.gateway.events("MessageStatus", receipt)[0]["status"] == 2
    assert other.app.read("lastPayload") == b"by a stranger"

    destination.restart()
    source.ends(message_id)
    assert other.chain.rpc.call("eth_getTransactionCount", gas_address, "latest") == spent


# ---- blocks by hand ----

def test_a_message_waits_for_the_confirmations_that_it_asks_for(by_hand):
    """The block that the rule wants makes it final for everybody else, not for itself; the third after it does."""
    more = 3
    (side, other), gateway = by_hand.sides, by_hand.gateways[0]
    rpc, to = side.chain.rpc, deploy.erc7930(other.chain.chain_id, other.app.address)
    sent = [side.gateway.send(side.user, "sendMessage", to, payload, attributes, gas=SEND_GAS) for payload, attributes in
            ((b"in a hurry", []), (b"careful", [deploy.attribute("finality(uint8)", more)]))]
    side.chain.mine()
    plain, careful = (abi.to_hex(side.gateway.events("MessageCommitted", rpc.wait_receipt(tx))[0]["messageId"]) for tx in sent)
    height = rpc.block_number()
    side.chain.mine(CONFIRMATIONS)
    signed = wait_for(lambda: (m := gateway.message(plain)) and m["state"] not in NOT_SIGNED and m, END_TIMEOUT_S, "plain", 0.1)
    assert signed["finality"] == 0
    side.chain.mine(more - 1)
    wait_for(lambda: gateway.get("/v1/chains")["chains"][0]["final"] == height + more - 1, END_TIMEOUT_S, "the block before", 0.1)
    held = gateway.message(careful)
    assert held["state"] == "observed" and held["finality"] == more, held
    side.chain.mine()
    wait_for(lambda: gateway.message(careful)["state"] not in NOT_SIGNED, END_TIMEOUT_S, "its signature", 0.1)
    rpc.call("evm_setIntervalMining", 1)
    found = gateway.ends(careful)
    assert found["sent"]["block"] == height and steps_of(found)[5]["block"] == height + more
    gateway.ends(plain)


def reorgs(gateway: Gateway) -> tuple[float, float]:
    """Of its chain, since it started: how many, and the depth of the deepest."""
    return tuple(gateway.figure(f"caisson_adapter_{name}", chain=gateway.side.chain.caip2) for name in ("reorgs_total", "reorg_depth_max"))


def test_an_event_that_is_reorganised_away_and_comes_again(by_hand):
    (side, other), gateway = by_hand.sides, by_hand.gateways[0]
    rpc, to = side.chain.rpc, deploy.erc7930(other.chain.chain_id, other.app.address)
    deadline = deploy.attribute("deadline(uint64)", soon(other.chain, 3000))  # of its own: the same message in another block
    tx = side.gateway.send(side.user, "sendMessage", to, b"reorganised", [deadline], gas=SEND_GAS)
    side.chain.mine()
    message_id = abi.to_hex(side.gateway.events("MessageCommitted", rpc.wait_receipt(tx))[0]["messageId"])
    block = gateway.reaches(message_id, "observed")["sent"]["block"]
    raw = rpc.call("eth_getRawTransactionByHash", tx)
    cursor, (count, depth) = gateway.get("/v1/status")["event_cursor"], reorgs(gateway)
    rpc.call("anvil_reorg", 1, [])
    gateway.reaches(message_id, "abandoned")
    assert told_after(gateway, cursor, "chain.reorg") == [("chain.reorg", f"{side.chain.caip2}: from {block}")]
    assert reorgs(gateway) == (count + 1, max(depth, 1))
    rpc.call("evm_setIntervalMining", 1)
    rpc.call("eth_sendRawTransaction", raw)
    assert gateway.ends(message_id)["sent"]["block"] != block


# ---- what was final is gone ----

def unhealthy(gateway: Gateway) -> str | None:
    """Why, where it says that it is not ready."""
    try:
        status, body = gateway.request("GET", "/healthz")
    except OSError:
        return None
    return str(body) if status == 503 else None


def stopped(gateway: Gateway) -> tuple[float, float]:
    """1 where its chain is frozen; 1 where the node's branch does not hold the final block."""
    return tuple(gateway.figure(f"caisson_chain_{name}", chain=gateway.side.chain.caip2) for name in ("frozen", "diverged"))


def test_what_was_final_and_is_gone_freezes_the_route(tmp_path):
    """Deeper than the rule of finality: the enclave's light client sees two final blocks of one height, signs nothing more for
    that chain, and the gateway says so."""
    with World(tmp_path, "anvil", block_time=0.5) as world:
        source, side = world.gateways[0], world.sides[0]
        source.ends(world.send(b"then it was gone"))
        evidence = f"/v1/chains/{side.chain.caip2}/conflict"
        assert source.request("GET", evidence)[0] == 404 and source.request("GET", "/v1/chains/eip155:1/conflict")[0] == 404
        assert source.get("/v1/chains")["chains"][0]["conflict"] is None
        assert stopped(source) == (0, 0)
        cursor = source.get("/v1/status")["event_cursor"]
        side.chain.rpc.call("anvil_reorg", CONFIRMATIONS + 3, [])
        side.chain.rpc.wait_blocks(CONFIRMATIONS + 4)
        assert "frozen" in wait_for(lambda: unhealthy(source), END_TIMEOUT_S, f"that it is not healthy ({source.log})", 0.1)
        chain = next(c for c in source.get("/v1/chains")["chains"] if c["id"] == side.chain.caip2)
        assert chain["frozen"]
        assert "frozen" in source.log.read_text()
        # The blocks that went, then what it means, once each; detail and figures name the chain.
        told = told_after(source, cursor, "chain.reorg", "chain.diverged", "chain.frozen")
        assert told[0][0] == "chain.reorg" and sorted(kind for kind, _ in told if kind != "chain.reorg") == ["chain.diverged", "chain.frozen"], told
        assert all(detail.startswith(side.chain.caip2) for _, detail in told), told
        assert stopped(source) == (1, 1) and min(reorgs(source)) >= 1

        def conflict():
            status, found = source.request("GET", evidence)
            return found if status == 200 else None

        # Two headers of one height, and both of them hash to what the chain said.
        found = wait_for(conflict, END_TIMEOUT_S, f"the evidence ({source.log})", 0.1)
        headers = [rlp.decode(abi.to_bytes(found[name])) for name in ("first", "second")]
        assert found["first"] != found["second"] and headers[0][8] == headers[1][8]
        now = side.chain.rpc.block(int.from_bytes(headers[0][8], "big"))["hash"]
        assert now in {abi.to_hex(crypto.keccak(abi.to_bytes(found[name]))) for name in ("first", "second")}
        assert evidence in source.caisson("status").stdout
        assert source.request("GET", evidence, key=source.peer_key)[0] == 403

        stuck = world.send(b"nobody signs this")
        wait_for(lambda: source.message(stuck), END_TIMEOUT_S, "the event", 0.1)
        side.chain.rpc.wait_blocks(CONFIRMATIONS + 4)
        assert source.message(stuck)["state"] in ("observed", "final"), source.message(stuck)

        source.stop()
        source.start()
        wait_for(lambda: "frozen" in (unhealthy(source) or ""), 60, "the same after a restart", 0.2)
        assert source.message(stuck)["state"] in ("observed", "final")
        assert stopped(source)[0] == 1 and len(told_after(source, cursor, "chain.frozen")) == 1
        again = wait_for(conflict, 60, "the evidence again", 0.2)
        assert again == found | {"held": "frozen, and the anchor is the one that it froze under"}


# ---- one process, both chains ----

class Single(World):
    """The same world with one gateway for both chains."""

    def write_gateways(self) -> None:
        super().write_gateways()
        first, second = self.gateways
        tables = second.config.read_text().split("[[chains]]")[1].split("[[peers]]")[0]
        head, rest = first.config.read_text().split("[[peers]]")
        routes = "".join("[[routes]]" + r for r in rest.split("[[routes]]")[1:])
        write_secret(first.folder / "operator2.key", f"{second.operator_secret:064x}\n")
        tables = tables.replace('"operator.key"', '"operator2.key"')
        first.config.write_text(f"{head}\n[[chains]]{tables}\n{routes}")
        self.gateways = [first]

    def register_keys(self) -> None:
        wait_for(lambda: len(self.keys()) == 2, 60, "keys of both chains", 0.2)
        sent = []
        for i, side in enumerate(self.sides):
            other = self.sides[1 - i]
            own, remote = self.keys()[side.chain.caip2], self.keys()[other.chain.caip2]
            rpc = side.chain.rpc
            sent.append((rpc, side.gateway.send(side.owner, "registerKey", other.identity, 1, abi.to_bytes(remote["public_key"]), b"\1" * 32,
                                                abi.to_bytes(self.manifest_hash))))
            sent.append((rpc, rpc.send(side.owner, own["gas_address"], value=10**20)))
        for rpc, tx in sent:
            rpc.wait_receipt(tx)

    def keys(self) -> dict:
        try:
            return {k["chain"]: k for k in self.gateways[0].get("/v1/enclave").get("keys", [])}
        except OSError:
            return {}


def test_one_process_serves_both_chains(tmp_path):
    with Single(tmp_path, "anvil", block_time=0.5) as world:
        gateway, = world.gateways
        there, back = world.send(b"there"), world.send(b"back", source=1)
        dead = world.send(b"late", too_late(world.chains[0]), source=1)
        for message_id in (there, back):
            found = gateway.ends(message_id)
            assert found["side"] == "source" and all("t_ms" in s or s["n"] == 2 for s in found["steps"])
            wait_for(lambda: gateway.get(f"/v1/messages/{message_id}", side="destination")["state"] == "finalized", 20, "the note")
        gateway.ends(dead, "refunded")
        first = world.sides[0].chain.caip2
        assert gateway.request("POST", "/v1/keys/rotate", {})[0] == 400
        run = gateway.caisson("keys", "rotate", "--chain", first)
        assert run.returncode == 0 and f"{first} epoch 2" in run.stdout, run.stdout + run.stderr

        def epochs() -> dict:
            return {c["id"]: c["routes"][0]["epoch"] for c in gateway.get("/v1/chains")["chains"]}

        wait_for(lambda: epochs()[first] == 2, END_TIMEOUT_S, f"the new epoch ({gateway.log})", 0.1)
        assert list(epochs().values()) == [2, 0]
        last = world.send(b"with the new key")
        gateway.ends(last)
        assert gateway.get(f"/v1/messages/{last}/envelope")["statement"]["epoch"] == 2
