"""What trips other relayers (docs/complaints.md, themes 3 and 9), on two real chains: a batch that needs more gas than one transaction may
have, a start with a backlog, and a new message while the backlog is being worked off."""
from __future__ import annotations

import statistics

import pytest

from lib import abi, deploy
from lib.rpc import create, wait_for
from lib.world import World

GAS_CAP = 1_500_000
BATCH = 12
OLD, AT_ONCE, OLD_AGE_S = 160, 20, 20
ALONE, NEW = 3, 3
WINDOW_BLOCKS, LOST = 256, 5  # that the light client keeps; messages below them
UNDER_WAY_BLOCKS = 4  # until what is under way is in a block, and another one is sent
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


def waits(world, message_id: str) -> int:
    """Blocks of the source from a message to its end."""
    source = world.sides[0]
    return blocks_of(source, "MessageFinalized")[message_id] - blocks_of(source, "MessageCommitted")[message_id]


def verb(world, name: str) -> None:
    route = {"from_chain": world.chains[0].caip2, "to_chain": world.chains[1].caip2}
    status, answer = world.gateways[0].request("POST", f"/v1/operator/{name}", route)
    assert status == 200, answer


def pause(world) -> None:
    verb(world, "pause")


def resume(world) -> None:
    verb(world, "resume")


def companions(side, event: str, ids: list[str]) -> set[str]:
    """Messages that a transaction brought together with one of these."""
    topic = abi.topic(side.gateway.entry(event, kind="event"))
    logs = side.chain.rpc.call("eth_getLogs", {"address": side.gateway.address, "fromBlock": "0x0", "topics": [topic]})
    txs = {log["transactionHash"] for log in logs if log["topics"][1] in ids}
    return {log["topics"][1] for log in logs if log["transactionHash"] in txs} - set(ids)


def test_a_backlog_is_drained_and_delays_no_new_message(world):
    """Nobody has heard of the old ones when both gateways start, each with one transaction under way at a time: some five messages a
    block. None is signed when the first new one is final. What is sent then is delivered and finalized while most of them wait, by
    itself, and takes no longer than alone but for the one old transaction of each chain that it may find under way."""
    source, destination = world.sides
    for gateway in world.gateways:
        gateway.kill()
        gateway.config.write_text(gateway.config.read_text().replace("[[chains]]\n", "[[chains]]\nin_flight_max = 1\n"))
        gateway.restart()
    alone = [send(world, 1)[0] for _ in range(ALONE)]
    for message_id in alone:
        world.gateways[0].ends(message_id)
    pause(world)
    for gateway in world.gateways:
        gateway.kill()
    old = [i for _ in range(OLD // AT_ONCE) for i in send(world, AT_ONCE)]
    rpc = source.chain.rpc
    from_s = rpc.time()
    wait_for(lambda: rpc.time() >= from_s + OLD_AGE_S, DRAIN_TIMEOUT_S, "blocks beyond the backlog", 0.2)
    for gateway in world.gateways:
        gateway.restart()
    world.gateways[0].reaches(old[-1], "final")
    new = send(world, 1)
    world.gateways[0].reaches(new[0], "final")
    resume(world)
    world.gateways[0].ends(new[0])
    for _ in range(NEW - 1):
        new += send(world, 1)
        world.gateways[0].ends(new[-1])
    wait_for(lambda: set(old) <= set(blocks_of(source, "MessageFinalized")), DRAIN_TIMEOUT_S, "the end of the backlog", 1)
    delivered, finalized = blocks_of(destination, "MessageStatus"), blocks_of(source, "MessageFinalized")
    assert set(old) | set(new) <= set(delivered)
    for where, blocks in (("delivered", delivered), ("finalized", finalized)):
        waited = sum(blocks[i] > blocks[new[0]] for i in old)
        assert waited >= OLD // 2, f"{waited} of {OLD} old ones were {where} after the new one"
    assert companions(destination, "MessageStatus", new) == companions(source, "MessageFinalized", new) == set()
    beside, before = statistics.median(waits(world, i) for i in new), statistics.median(waits(world, i) for i in alone)
    drain = max(finalized[i] for i in old) - blocks_of(source, "MessageCommitted")[new[0]]
    print(f"{[waits(world, i) for i in new]} blocks beside the backlog, {[waits(world, i) for i in alone]} alone; it took {drain}")
    assert beside <= 2 * before + 2 * UNDER_WAY_BLOCKS < drain, f"{beside} blocks, alone {before}; the backlog took {drain}"


def test_messages_that_the_light_client_has_left_behind_end(world):
    """They wait, their route paused, while the light client goes on until it keeps their block no more: the headers between are shown
    to it. A new message beside them waits for none of that."""
    gateway, source = world.gateways[0], world.sides[0]
    pause(world)
    lost = send(world, LOST)
    height = blocks_of(source, "MessageCommitted")[lost[0]]
    source.chain.mine(WINDOW_BLOCKS + 100, 0)
    wait_for(lambda: gateway.get("/v1/chains")["chains"][0]["final"] > height + WINDOW_BLOCKS, DRAIN_TIMEOUT_S, "the light client", 0.2)
    assert {gateway.message(i)["state"] for i in lost} == {"final"}
    new, = send(world, 1)
    resume(world)
    gateway.ends(new)
    for i in lost:
        gateway.ends(i)
    assert companions(world.sides[1], "MessageStatus", [new]) == set()
