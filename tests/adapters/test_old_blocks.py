"""What proves an event of a block that left the watcher's window is asked of the node once, not once for each event."""
from __future__ import annotations

import pytest

from adapters.driver import Driver
from adapters.proxies import RpcProxy
from lib import chains

WINDOW, BATCH, MESSAGES = 256, 100, 20
HEADER = "eth_getBlockByNumber"


@pytest.fixture(scope="module")
def old(auto):
    """A block with many messages, far below the head, and what is needed to ask for a proof out of it."""
    rpc = auto.chain.rpc
    rpc.call("evm_setAutomine", False)
    txs = auto.send(MESSAGES, b"old")
    auto.chain.mine()
    rpc.call("evm_setAutomine", True)
    block = rpc.call("eth_getBlockByHash", rpc.wait_receipt(txs[0])["blockHash"], False)
    assert len(block["transactions"]) == MESSAGES
    auto.chain.mine(WINDOW + BATCH + 50)
    return {"height": int(block["number"], 16), "hash": block["hash"], "receipts_root": block["receiptsRoot"], "address": auto.contract.address}


def height_of(call) -> int:
    return int(call["params"][0], 16) if call["method"] == HEADER and call["params"][0] != "latest" else -1


@pytest.fixture
def proxy(auto):
    """It notes the heights whose headers are asked for."""
    with RpcProxy(auto.chain.url) as p:
        p.heights = []
        p.before = lambda calls: p.heights.extend(h for h in map(height_of, calls) if h >= 0)
        yield p


@pytest.fixture
def driver(auto, proxy):
    """One that starts near the head, as after a restart: of old blocks it has seen nothing."""
    with Driver(auto, http=[proxy.url], ws=[], start_height=auto.chain.rpc.block_number() - 5) as d:
        d.wait_height(auto.chain.rpc.block_number())
        d.pump(0.5)
        yield d


def hashes(answer: dict) -> list[str]:
    assert answer["err"] == "ok", answer
    return [header["id"]["hash"] for header in answer["headers"]]


def on_the_chain(rpc, height: int, count: int) -> list[str]:
    return [rpc.block(height + i)["hash"] for i in range(count)]


def test_many_proofs_of_an_old_block_take_one_header(old, proxy, driver):
    numbers = [driver.tell("receipt_proof", index=i, **old) for i in range(MESSAGES)]
    driver.wait_for(lambda: all(n in driver.answers for n in numbers))
    assert {driver.answers.pop(n)["verified"] for n in numbers} == {"ok"}
    assert driver.ask("receipt_proof", index=3, **old)["verified"] == "ok"  # later, of what is kept
    assert proxy.heights.count(old["height"]) == 1
    # Another hash at that height is not what is kept: it is asked for, and refused.
    assert driver.ask("receipt_proof", index=0, **dict(old, hash="0x" + "5a" * 32))["err"] == "reorged"
    assert proxy.heights.count(old["height"]) == 2


def test_a_node_that_fails_is_asked_again(old, proxy, driver):
    proxy.after = lambda call, reply: dict(reply, result=None) if height_of(call) == old["height"] else reply
    numbers = [driver.tell("receipt_proof", index=i, **old) for i in range(5)]
    driver.wait_for(lambda: all(n in driver.answers for n in numbers))
    assert {driver.answers.pop(n)["err"] for n in numbers} == {"reorged"}  # all who waited are told
    proxy.after = lambda call, reply: reply
    assert driver.ask("receipt_proof", index=0, **old)["verified"] == "ok"


def test_a_way_down_is_asked_for_once(auto, old, proxy, driver):
    rpc, way, rounds = auto.chain.rpc, {"from": old["height"], "count": BATCH}, 0
    right, lowest = on_the_chain(rpc, old["height"], BATCH), rpc.block_number() - WINDOW
    proxy.heights.clear()
    while proxy.heights.count(old["height"]) == rounds:  # what lies between it and the window is fetched beside it, a batch at a time
        assert hashes(driver.ask("headers", **way)) == right
        rounds += 1
        assert rounds <= 5, "it is asked for again and again"
        driver.pump(0.5)
    count = len(proxy.heights)
    assert hashes(driver.ask("headers", **{"from": old["height"] + 7, "count": 50})) == right[7:57]
    auto.chain.mine(WINDOW + 20)  # by then what the driver started with has left the window
    driver.wait_height(rpc.block_number())
    assert hashes(driver.ask("headers", **way)) == right
    assert [h for h in proxy.heights[count:] if 0 < h < lowest] == []  # that of the genesis says which chain it is


def test_headers_of_another_branch_are_not_kept_for_a_height(auto, old, proxy, driver, tmp_path):
    """Old headers of another chain are whole and linked, so that the enclave alone can tell; the next answer is the right one."""
    way = {"from": old["height"], "count": 50}
    right = on_the_chain(auto.chain.rpc, old["height"], 50)
    with chains.Anvil(tmp_path, mining="none", chain_id=auto.chain.chain_id) as other:
        other.mine(old["height"] + 60)

        def lie(call, reply):
            of_way = old["height"] <= height_of(call) < old["height"] + 50
            return dict(reply, result=other.rpc.call(HEADER, call["params"][0], False)) if of_way else reply

        proxy.after = lie
        assert hashes(driver.ask("headers", **way)) == on_the_chain(other.rpc, old["height"], 50) != right
    proxy.after = lambda call, reply: reply
    for _ in range(4):  # while the way between is filled, and when it is
        assert hashes(driver.ask("headers", **way)) == right
        driver.pump(0.5)
