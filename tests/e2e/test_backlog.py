"""What trips other relayers (docs/complaints.md, themes 3 and 9), on two real chains: a batch that needs more gas than one transaction may
have, a start with a backlog, and a new message while the backlog is being worked off."""
from __future__ import annotations

import pytest

from lib import abi, deploy
from lib.rpc import create, wait_for
from lib.world import World

GAS_CAP = 1_500_000
BATCH = 12
OLD, AT_ONCE = 120, 20
SEND_GAS = 200_000
DRAIN_TIMEOUT_S = 300


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("backlog"), "anvil", block_time=0.5, relay={"batch_max": BATCH, "batch_gas_max": GAS_CAP}) as w:
        w.recipient = create(w.sides[1].chain.rpc, w.sides[1].owner, deploy.artifact("test/NullRecipient")).address
        yield w


def send(world, count: int) -> list[str]:
    """So many messages in one transaction: their ids."""
    source, destination = world.sides
    receipt = source.app.write(source.user, "sendMany", count, deploy.erc7930(destination.chain.chain_id, world.recipient), b"x" * 32, [],
                               gas=100_000 + SEND_GAS * count)
    return [abi.to_hex(event["messageId"]) for event in source.gateway.events("MessageCommitted", receipt)]


def blocks_of(side, event: str) -> dict[str, int]:
    """messageId → the block of its one event of this kind."""
    entry = side.gateway.entry(event, kind="event")
    logs = side.chain.rpc.call("eth_getLogs", {"address": side.gateway.address, "fromBlock": "0x0", "topics": [abi.topic(entry)]})
    ids = [log["topics"][1] for log in logs]
    assert len(ids) == len(set(ids)), f"{event} twice"
    return {i: int(log["blockNumber"], 16) for i, log in zip(ids, logs)}


def transactions_to(side, first: int) -> list[dict]:
    rpc = side.chain.rpc
    return [t for number in range(first, rpc.block_number() + 1) for t in rpc.call("eth_getBlockByNumber", hex(number), True)["transactions"]
            if (t["to"] or "").lower() == side.gateway.address.lower()]


def test_a_batch_over_the_gas_cap_is_split(world):
    """Hermes 1.10.5 relays nothing then: it refuses the batch as a whole."""
    destination = world.sides[1]
    first = destination.chain.rpc.block_number()
    ids = send(world, 2 * BATCH)
    for i in ids:
        world.gateways[0].ends(i)
    limits = [int(t["gas"], 16) for t in transactions_to(destination, first)]
    assert max(limits) <= GAS_CAP and sum(limits) > GAS_CAP, limits
    assert 2 < len(limits) < len(ids), limits  # neither whole nor one by one


def test_a_backlog_is_drained_and_delays_no_new_message(world):
    """Nobody has heard of the old ones when both gateways start, each with one transaction under way at a time: some five messages a
    block. What is sent then is delivered and finalized while most of them wait."""
    source, destination = world.sides
    for gateway in world.gateways:
        gateway.kill()
        gateway.config.write_text(gateway.config.read_text().replace("[[chains]]\n", "[[chains]]\nin_flight_max = 1\n"))
    old = [i for _ in range(OLD // AT_ONCE) for i in send(world, AT_ONCE)]
    for gateway in world.gateways:
        gateway.restart()
    for gateway in world.gateways:  # the backlog is in both journals
        wait_for(lambda: gateway.message(old[0]) and gateway.message(old[-1]), DRAIN_TIMEOUT_S, f"the backlog at {gateway.name}", 0.1)
    new, = send(world, 1)
    world.gateways[0].ends(new)
    wait_for(lambda: set(old) <= set(blocks_of(source, "MessageFinalized")), DRAIN_TIMEOUT_S, "the end of the backlog", 1)
    delivered, finalized = blocks_of(destination, "MessageStatus"), blocks_of(source, "MessageFinalized")
    assert set(old) | {new} <= set(delivered)
    for where, blocks in (("delivered", delivered), ("finalized", finalized)):
        waited = sum(blocks[i] > blocks[new] for i in old)
        assert waited >= OLD // 2, f"{waited} of {OLD} old ones were {where} after the new one"
