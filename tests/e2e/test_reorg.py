"""Reorganisations above the final block: at the destination a status is taken back with its block; one that is deeper than the gateway
follows by itself waits for an operator."""
from __future__ import annotations

import sqlite3

import pytest

from lib import abi, deploy, openapi
from lib.rpc import wait_for
from lib.world import END_TIMEOUT_S, SEND_GAS, World, soon

DEPTH = 5  # of the fork that waits
CONFIRMATIONS = 12
EXIT_USAGE, EXIT_REFUSED = 2, 3
AT_THE_DESTINATION = {10, 11, 12}  # the steps that a status makes


class Bounded(World):
    """The first gateway follows less than the fork has; nothing of either fork is final."""

    def write_gateways(self) -> None:
        super().write_gateways()
        config = self.gateways[0].config
        config.write_text(config.read_text().replace("[[chains]]\n", f"[[chains]]\nreorg_blocks_max = {DEPTH - 1}\n"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with Bounded(tmp_path_factory.mktemp("reorg"), "anvil", block_time=0.5, confirmations=CONFIRMATIONS) as w:
        w.gateways[0].ends(w.send(b"once keys are final"))
        yield w


@pytest.fixture
def by_hand(world, request):
    """A chain that makes a block only when the test says so; afterwards two a second."""
    rpc = world.chains[request.param].rpc
    rpc.call("evm_setIntervalMining", 0)
    yield rpc
    rpc.call("evm_setIntervalMining", 1)


def steps(gateway, message: str) -> dict[int, dict]:
    """Those that were made."""
    return {s["n"]: s for s in gateway.message(message)["steps"] if "t_ms" in s}


def told(gateway, kind: str) -> list[str]:
    with sqlite3.connect(f"file:{gateway.folder / 'journal.db'}?mode=ro", uri=True, timeout=30) as journal:
        return [detail for detail, in journal.execute("SELECT detail FROM events WHERE kind=? ORDER BY n", (kind,))]


def ask(gateway, status: int, body: dict, **more) -> dict:
    got, answer = gateway.request("POST", "/v1/operator/accept-reorg", body, **more)
    assert got == status, answer
    return answer


# ---- the destination's side ----

@pytest.mark.parametrize("by_hand", [1], indirect=True)
@pytest.mark.parametrize("state, status", [("included", "delivered"), ("failed", "failed")])
def test_a_status_whose_block_is_gone_is_taken_back(world, by_hand, state, status):
    """The row has no status and no steps of it any more, the message is sent again, and it is delivered once."""
    (source, destination), app = world.gateways, world.sides[1].app
    rpc, before = by_hand, app.read("received")
    if state == "failed":
        tx = app.send(world.sides[1].user, "setFailing", True)
        rpc.call("evm_mine")
        rpc.wait_receipt(tx)
    message = world.send(b"taken back " + state.encode())
    destination.reaches(message, "submitted")
    wait_for(lambda: rpc.call("eth_getBlockByNumber", "pending", False)["transactions"], END_TIMEOUT_S, "the delivery in the pool", 0.1)
    rpc.call("evm_mine")
    row = destination.reaches(message, state)
    tx = row["executed"]["tx"]
    assert row["status"] == status and row["executed"]["block"] == rpc.block_number() == int(rpc.wait_receipt(tx)["blockNumber"], 16)
    assert {10, 11} <= set(steps(destination, message))
    source.reaches(message, state)

    rpc.call("anvil_reorg", 1, [])
    row = destination.reaches(message, "signed", "submitted")
    assert row["status"] == "none" and set(row["executed"].values()) == {None}, row
    assert not AT_THE_DESTINATION & set(steps(destination, message))
    assert rpc.call("eth_getTransactionReceipt", tx) is None
    if state == "failed":
        rpc.call("anvil_setStorageAt", app.address, "0x0", "0x" + "00" * 32)
    destination.reaches(message, "submitted")
    rpc.call("evm_setIntervalMining", 1)
    row = destination.reaches(message, "included", "outcome_final", "outcome_verified", "finalized")
    assert row["status"] == "delivered"
    source.ends(message)
    assert app.read("received") == before + 1 and app.read("lastPayload") == b"taken back " + state.encode()
    assert AT_THE_DESTINATION <= set(steps(destination, message))


# ---- deeper than is followed by itself ----

def held(gateway) -> dict | None:
    return gateway.get("/v1/chains")["chains"][0]["reorg_held"]


def why_unwell(gateway) -> str:
    try:
        status, body = gateway.request("GET", "/healthz")
    except OSError:
        return ""  # it is starting
    return str(body) if status == 503 else ""


def commit(world, sender: str, payload: bytes) -> str:
    """A message in a block of its own, of the chain whose blocks the test makes; its id."""
    (side, other), rpc = world.sides, world.chains[0].rpc
    deadline = deploy.attribute("deadline(uint64)", soon(other.chain, 3000))  # of its own: the same message in another block
    tx = side.gateway.send(sender, "sendMessage", other.chain.erc7930(other.app.address), payload, [deadline], gas=SEND_GAS)
    rpc.call("evm_mine")
    return abi.to_hex(side.gateway.events("MessageCommitted", rpc.wait_receipt(tx))[0]["messageId"])


@pytest.mark.parametrize("by_hand", [0], indirect=True)
def test_a_deep_reorganisation_waits_for_an_operator(world, by_hand):
    """Nothing is lost, nothing is read: it is told everywhere, over a restart too, until the operator names it; then the event
    that vanished is abandoned, and what the other branch brought is taken and goes its way."""
    gateway, rpc, chain = world.gateways[0], by_hand, world.chains[0]
    assert held(gateway) is None
    problem = ask(gateway, 404, {"chain": chain.caip2, "block_hash": "0x" + "11" * 32})
    assert problem["code"] == "not-found" and "no reorganisation" in problem["detail"]
    message = commit(world, world.sides[0].user, b"above the fork")
    gateway.reaches(message, "observed")
    rpc.call("anvil_mine", hex(DEPTH - 1))
    top = rpc.block_number()
    wait_for(lambda: gateway.get("/v1/chains")["chains"][0]["cursor"] == top, END_TIMEOUT_S, "the cursor at the head")

    rpc.call("anvil_reorg", DEPTH, [])
    found = wait_for(lambda: held(gateway), END_TIMEOUT_S, f"the fork ({gateway.log})", 0.1)
    now = rpc.block(top - DEPTH + 1)["hash"]
    assert (found["from_height"], found["blocks"], found["deeper"], found["block_hash"]) == (top - DEPTH + 1, DEPTH, False, now)
    fresh = commit(world, world.sides[0].owner, b"of the other branch")
    assert "operator" in why_unwell(gateway)
    assert gateway.figure("caisson_chain_reorg_held_blocks", chain=chain.caip2) == DEPTH
    assert now in gateway.caisson("status").stdout and "accept-reorg" in gateway.caisson("doctor", str(gateway.config)).stdout
    assert gateway.message(message)["state"] == "observed" and gateway.message(fresh) is None
    assert len(told(gateway, "chain.reorg_held")) == 1 and told(gateway, "chain.reorg") == []

    gateway.stop()
    gateway.start()
    wait_for(lambda: "operator" in why_unwell(gateway), END_TIMEOUT_S, "the same after a restart", 0.1)
    assert held(gateway) == found
    assert gateway.message(message)["state"] == "observed" and gateway.message(fresh) is None

    for code, body in ((400, {"chain": chain.caip2}), (400, {"chain": chain.caip2, "block_hash": now, "from_height": 1}), (400, {"chain": 1, "block_hash": now}),
                       (404, {"chain": "eip155:1", "block_hash": now}), (409, {"chain": chain.caip2, "block_hash": "0x" + "11" * 32})):
        ask(gateway, code, body)
    assert gateway.request("POST", "/v1/operator/accept-reorg", {"block_hash": now}, key=gateway.peer_key)[0] == 403
    assert gateway.caisson("accept-reorg", chain.caip2).returncode == EXIT_USAGE
    assert gateway.caisson("accept-reorg", chain.caip2, "0x" + "11" * 32).returncode == EXIT_REFUSED
    assert told(gateway, "operator.accept_reorg") == [] and held(gateway) == found

    run = gateway.caisson("accept-reorg", chain.caip2, now)
    assert run.returncode == 0 and f"{DEPTH} blocks from {top - DEPTH + 1}" in run.stdout, run.stderr
    gateway.reaches(message, "abandoned")
    gateway.reaches(fresh, "observed")
    assert held(gateway) is None
    assert len(told(gateway, "operator.accept_reorg")) == 1 and f"from {top - DEPTH + 1}" in told(gateway, "chain.reorg")[0]
    rpc.call("evm_setIntervalMining", 1)
    gateway.ends(fresh)
    assert gateway.message(message)["state"] == "abandoned"
    assert gateway.healthy()


@pytest.mark.parametrize("by_hand", [0], indirect=True)
def test_one_that_waits_is_accepted_as_it_is_described(world, by_hand):
    """By REST. A message is in what is taken back: blocks without anything would be made again as they were."""
    gateway, rpc, chain = world.gateways[0], by_hand, world.chains[0]
    message = commit(world, world.sides[0].user, b"taken back by name")
    rpc.call("anvil_mine", hex(DEPTH - 1))
    top = rpc.block_number()
    wait_for(lambda: gateway.get("/v1/chains")["chains"][0]["cursor"] == top, END_TIMEOUT_S, "the cursor at the head")
    rpc.call("anvil_reorg", DEPTH, [])
    found = wait_for(lambda: held(gateway), END_TIMEOUT_S, f"the fork ({gateway.log})", 0.1)
    answer = ask(gateway, 202, {"chain": chain.caip2, "block_hash": found["block_hash"]})
    assert answer == {"chain": chain.caip2, "from_height": top - DEPTH + 1, "blocks": DEPTH}
    openapi.assert_succeeded("post", "/v1/operator/accept-reorg")
    gateway.reaches(message, "abandoned")
    assert held(gateway) is None
