"""Reading: events, downtime, reorganisations, proofs, on a real anvil."""
from __future__ import annotations

import pytest

from adapters.driver import REMOTE_GENESIS, Driver
from adapters.proxies import Raw, RpcProxy
from lib import abi, crypto

SENTINEL_TAG = "caisson/layout/evm/v1"


def test_events_live(auto):
    with Driver(auto) as driver:
        driver.wait_height(auto.chain.rpc.block_number())
        txs = auto.send(3, b"live")
        ids = auto.sent(txs)
        driver.wait_messages(ids)
        block = driver.blocks(late=False)[-1]
        event = block["events"][-1]
        receipt = auto.chain.rpc.receipt(txs[-1])
        assert event["tx"] == txs[-1] and event["payload"] == "0x" + b"live".hex()
        assert block["block"]["hash"] == receipt["blockHash"]
        assert int(receipt["logs"][0]["logIndex"], 16) <= event["log_index"]
        assert driver.counters()["foreign"] == 0


def test_backfill_from_the_start(auto):
    ids = auto.sent(auto.send(3, b"before"))
    with Driver(auto, ws=[]) as driver:
        driver.wait_messages(ids)
        assert len(driver.messages()) == len(set(driver.messages()))


def test_backfill_after_downtime_reports_once(auto):
    first = auto.sent(auto.send(2, b"first"))
    with Driver(auto) as driver:
        driver.wait_messages(first)
        driver.wait_height(auto.chain.rpc.block_number())
        cursor = driver.cursor()
    while_down = auto.sent(auto.send(4, b"down"))
    auto.chain.mine(150)
    with Driver(auto, cursor=cursor) as driver:
        driver.wait_messages(while_down)
        driver.wait_height(auto.chain.rpc.block_number())
        assert driver.messages() == while_down
        live = auto.sent(auto.send(1))
        driver.wait_messages(live)


def test_headers_hash_and_link(auto):
    auto.chain.mine(20)
    with Driver(auto) as driver:
        top = auto.chain.rpc.block_number()
        driver.wait_height(top)
        for first, count in ((top - 19, 20), (0, 8), (top, 50)):
            answer = driver.ask("headers", **{"from": first, "count": count})
            assert answer["err"] == "ok"
            headers = answer["headers"]
            assert len(headers) == min(count, top - first + 1)
            for i, header in enumerate(headers):
                assert header["id"]["hash"] == "0x" + crypto.keccak(abi.to_bytes(header["rlp"])).hex()
                assert header["id"]["hash"] == auto.chain.rpc.block(first + i)["hash"]
                assert i == 0 or header["parent"] == headers[i - 1]["id"]["hash"]
        assert driver.ask("headers", **{"from": top + 1, "count": 1})["err"] == "not-found"
        assert driver.ask("headers", **{"from": 0, "count": 257})["err"] == "invalid"


def _receipt_proof(driver, gateway, receipt, **fields):
    block = gateway.chain.rpc.call("eth_getBlockByHash", receipt["blockHash"], False)
    return driver.ask("receipt_proof", height=int(block["number"], 16), hash=block["hash"],
                      index=int(receipt["transactionIndex"], 16), receipts_root=block["receiptsRoot"],
                      address=gateway.contract.address, **fields)


def test_receipt_proofs_of_a_full_block(manual):
    txs = manual.send(130, b"many", gas=200_000)
    manual.chain.mine()
    receipts = [manual.chain.rpc.wait_receipt(tx) for tx in txs]
    assert len({r["blockHash"] for r in receipts}) == 1
    with Driver(manual) as driver:
        driver.wait_messages(manual.sent(txs))
        for receipt in receipts:
            answer = _receipt_proof(driver, manual, receipt)
            assert answer["err"] == "ok" and answer["verified"] == "ok" and answer["claim_total"] == 1
        assert driver.counters()["tries_built"] == 1
        other = _receipt_proof(driver, manual, receipts[0] | {"transactionIndex": "0x1000"})
        assert other["err"] == "not-found"
        gone = driver.ask("receipt_proof", height=5, hash="0x" + "11" * 32, index=0)
        assert gone["err"] == "reorged"


def test_more_than_300_transactions_in_a_block(manual):
    txs = manual.send(320, b"x", gas=90_000)
    manual.chain.mine(4)
    with Driver(manual) as driver:
        driver.wait_height(manual.chain.rpc.block_number())
        receipt = manual.chain.rpc.receipt(txs[0])
        answer = _receipt_proof(driver, manual, receipt)
        assert answer["err"] == "ok" and answer["verified"] == "ok"


def test_account_and_storage_proofs(auto):
    chain, gateway = auto.chain, auto.contract.address
    with Driver(auto) as driver:
        top = chain.rpc.block_number()
        driver.wait_height(top)
        sentinel = crypto.keccak(crypto.keccak(SENTINEL_TAG.encode()) + auto.identity)
        for height in (top, top - 3):
            block = chain.rpc.block(height)
            answer = driver.ask("account_proof", height=height, hash=block["hash"], address=gateway,
                                slots=["0x" + "00" * 32, "0x" + "ab" * 32], state_root=block["stateRoot"])
            assert answer["err"] == "ok" and answer["verified"] == "ok" and answer["exists"]
            assert answer["slots"] == ["0x" + sentinel.hex(), "0x" + "00" * 32]
            code = abi.to_bytes(chain.rpc.call("eth_getCode", gateway, "latest"))
            assert answer["code_hash"] == "0x" + crypto.keccak(code).hex()
        block = chain.rpc.block(top)
        absent = driver.ask("account_proof", height=top, hash=block["hash"], address="0x" + "12" * 20, slots=["0x" + "00" * 32],
                            state_root=block["stateRoot"])
        assert absent["err"] == "ok" and absent["verified"] == "ok" and not absent["exists"]
        empty = driver.ask("account_proof", height=top, hash=block["hash"], address=chain.accounts[3], slots=["0x" + "00" * 32],
                           state_root=block["stateRoot"])
        assert empty["err"] == "ok" and empty["verified"] == "ok" and empty["exists"]
        assert driver.ask("account_proof", height=top, hash="0x" + "11" * 32, address=gateway, slots=[])["err"] == "reorged"


def test_calls_fees_accounts_and_statuses(auto):
    chain, gateway = auto.chain, auto.contract
    with Driver(auto) as driver:
        driver.wait_height(chain.rpc.block_number())
        data = abi.to_hex(auto.message_data())
        revert = driver.ask("call", to=gateway.address, data="0xdeadbeef")
        assert revert["err"] == "reverted"
        owner = driver.ask("call", to=gateway.address, data=abi.to_hex(gateway.data("owner")))
        assert owner["err"] == "ok" and owner["data"][-40:] == auto.sender[2:].lower()
        estimate = driver.ask("estimate", address=auto.sender, to=gateway.address, data=data)
        assert estimate["err"] == "ok" and estimate["gas"] > 21000
        assert driver.ask("estimate", address=auto.sender, to=gateway.address, data="0xdeadbeef")["err"] == "reverted"
        fees = driver.ask("fees")
        assert fees["err"] == "ok" and not fees["legacy"] and fees["max"] >= fees["base"] + fees["tip"] > 0
        account = driver.ask("account", address=auto.sender)
        assert account["nonce"] == int(chain.rpc.call("eth_getTransactionCount", auto.sender, "latest"), 16)
        assert not account["has_code"]
        statuses = driver.ask("statuses", source="0x" + auto.remote.hex(), sequences=[1, 2, 300])
        assert statuses["err"] == "ok" and statuses["statuses"] == [0, 0, 0]
        # two bits each, 128 a word: 1 failed, 2 delivered, 127 dead, 128 (the next word) delivered
        words = {0: 1 << 2 | 2 << 4 | 3 << 254, 1: 2}
        for word, value in words.items():
            slot = crypto.keccak(crypto.word(word) + crypto.keccak(auto.remote + crypto.word(1)))
            chain.rpc.call("anvil_setStorageAt", gateway.address, "0x" + slot.hex(), "0x" + crypto.word(value).hex())
        statuses = driver.ask("statuses", source="0x" + auto.remote.hex(), sequences=[1, 2, 3, 127, 128, 129])
        assert statuses["statuses"] == [1, 2, 0, 3, 2, 0]
        assert driver.ask("statuses", source="0x" + "01" * 32, sequences=[1])["statuses"] == [0]
        assert driver.ask("statuses", source="0x" + "01" * 32, sequences=[])["err"] == "invalid"


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_reorganisation(auto, depth):
    """anvil_reorg replaces blocks and says nothing about removed logs; the transactions are dropped."""
    kept = auto.sent(auto.send(1, b"kept"))
    auto.chain.mine(1)
    lost = [message for _ in range(depth) for message in auto.sent(auto.send(1, b"lost"))]  # a block each
    with Driver(auto) as driver:
        driver.wait_messages(kept + lost)
        top = auto.chain.rpc.block_number()
        driver.wait_height(top)
        old = auto.chain.rpc.block(top - depth + 1)["hash"]
        with driver.stopped():
            auto.chain.rpc.call("anvil_reorg", depth, [])
        reorg = driver.wait(lambda e: e["event"] == "reorg")
        new = auto.chain.rpc.block(top - depth + 1)["hash"]
        assert (reorg["from"], reorg["old_tip"], reorg["beyond"]) == (top - depth + 1, top, False)
        assert (reorg["old_hash"], reorg["new_hash"]) == (old, new)
        again = auto.sent(auto.send(1, b"again"))
        driver.wait_messages(again)
        held = driver.messages()
        assert set(kept) <= set(held) and not set(lost) - set(again) & set(held)
        assert driver.counters()["reorgs"] == 1 and driver.counters()["reorg_depth_max"] == depth


def test_reorganisation_while_down(auto):
    kept = auto.sent(auto.send(1, b"kept while down"))
    lost = auto.sent(auto.send(2, b"lost while down"))
    with Driver(auto) as driver:
        driver.wait_messages(kept + lost)
        driver.wait_height(auto.chain.rpc.block_number())
        cursor, top = driver.cursor(), auto.chain.rpc.block_number()
    auto.chain.rpc.call("anvil_reorg", 2, [])
    auto.chain.mine(3)
    new = auto.sent(auto.send(1, b"new while down"))
    with Driver(auto, cursor=cursor) as driver:
        reorg = driver.wait(lambda e: e["event"] == "reorg")
        assert reorg["from"] == top - 1 and reorg["old_tip"] == top
        driver.wait_messages(new)
        assert driver.messages() == new


def test_blocks_taken_off(auto):
    """anvil_rollback shortens the chain; when it grows again the other way, that is a reorganisation."""
    auto.chain.mine(2)
    lost = auto.sent(auto.send(1, b"rolled back"))
    with Driver(auto) as driver:
        driver.wait_messages(lost)
        top = auto.chain.rpc.block_number()
        driver.wait_height(top)
        auto.chain.rpc.call("anvil_rollback", 2)
        auto.chain.mine(3)
        reorg = driver.wait(lambda e: e["event"] == "reorg")
        assert reorg["from"] <= top
        driver.wait_height(top + 1)
        assert not set(lost) & set(driver.messages())


def test_fork_below_everything_known(auto):
    """A cursor of another history: nothing of it is on the chain."""
    cursor = (1).to_bytes(8, "big") + (auto.height + 1).to_bytes(8, "big") + bytes.fromhex(REMOTE_GENESIS[2:])
    with Driver(auto, cursor="0x" + cursor.hex()) as driver:
        reorg = driver.wait(lambda e: e["event"] == "reorg")
        assert reorg["beyond"] and reorg["from"] == auto.height + 1
        driver.wait_height(auto.chain.rpc.block_number())


# ---- deeper than is followed by itself ----

HELD_DEPTH = 5


def held_fork(auto, driver) -> tuple[list[str], list[str], dict]:
    """Messages below and above a fork that is deeper than the driver follows; the fork, as it was told."""
    kept = auto.sent(auto.send(1, b"below the fork"))
    auto.chain.mine(1)
    lost = auto.sent(auto.send(HELD_DEPTH, b"above the fork"))
    driver.wait_messages(kept + lost)
    top = auto.chain.rpc.block_number()
    driver.wait_height(top)
    with driver.stopped():
        auto.chain.rpc.call("anvil_reorg", HELD_DEPTH, [])
    held = driver.wait(lambda e: e["event"] == "held")
    first = top - HELD_DEPTH + 1
    assert (held["from"], held["old_tip"], held["beyond"]) == (first, top, False)
    assert held["new_hash"] == auto.chain.rpc.block(first)["hash"]
    return kept, lost, held


def test_a_deep_reorganisation_waits(auto):
    """Nothing is withdrawn and nothing is read until it is accepted by its hash; then it is one as any other."""
    with Driver(auto, reorg_blocks_max=HELD_DEPTH - 1, poll_ms=100) as driver:
        assert driver.ask("accept_reorg", hash="0x" + "11" * 32)["err"] == "not-found"
        kept, lost, held = held_fork(auto, driver)
        fresh = auto.sent(auto.send(2, b"of the other branch"))
        assert driver.ask("accept_reorg", hash="0x" + "11" * 32)["err"] == "conflict"
        driver.pump(1)
        assert set(kept + lost) <= set(driver.messages()) and not set(fresh) & set(driver.messages())
        assert driver.counters()["reorgs"] == 0
        assert [e["event"] for e in driver.events if e["event"] in ("held", "released", "reorg")] == ["held"]
        assert driver.ask("accept_reorg", hash=held["new_hash"])["err"] == "ok"
        driver.wait_messages(fresh)
        reorg = driver.wait(lambda e: e["event"] == "reorg")
        assert (reorg["from"], reorg["diverged"]) == (held["from"], False)
        assert set(kept) <= set(driver.messages()) and not set(lost) & set(driver.messages())
        assert [e["event"] for e in driver.events if e["event"] in ("held", "released", "reorg")] == ["held", "released", "reorg"]
        assert driver.ask("accept_reorg", hash=held["new_hash"])["err"] == "not-found"


def test_a_reorganisation_that_waits_outlives_a_restart(auto):
    """The cursor stands below what was not followed: the next start finds the same fork."""
    with Driver(auto, reorg_blocks_max=HELD_DEPTH - 1) as driver:
        _, _, held = held_fork(auto, driver)
        cursor = driver.cursor()
    auto.chain.mine(3)
    with Driver(auto, cursor=cursor, reorg_blocks_max=HELD_DEPTH - 1) as driver:
        again = driver.wait(lambda e: e["event"] == "held")
        assert (again["from"], again["old_tip"], again["new_hash"]) == (held["from"], held["old_tip"], held["new_hash"])
    with Driver(auto, cursor=cursor, reorg_blocks_max=HELD_DEPTH) as driver:
        assert driver.wait(lambda e: e["event"] == "reorg")["from"] == held["from"]
        assert not [e for e in driver.events if e["event"] == "held"]


def test_a_deep_reorganisation_of_final_blocks_does_not_wait(auto):
    """It is the enclave's to judge, which has to be shown the other branch."""
    with Driver(auto, reorg_blocks_max=2) as driver:
        auto.chain.mine(6)
        top = auto.chain.rpc.block_number()
        driver.wait_height(top)
        assert driver.ask("final", height=top - 3, hash=auto.chain.rpc.block(top - 3)["hash"])["err"] == "ok"
        with driver.stopped():
            auto.chain.rpc.call("anvil_reorg", 5, [])
        reorg = driver.wait(lambda e: e["event"] == "reorg")
        assert (reorg["from"], reorg["diverged"]) == (top - 4, True)
        assert not [e for e in driver.events if e["event"] == "held"]


def test_a_fork_below_everything_known_waits_too(auto):
    """However few blocks are known of the other history."""
    cursor = (1).to_bytes(8, "big") + (auto.height + 1).to_bytes(8, "big") + bytes.fromhex(REMOTE_GENESIS[2:])
    with Driver(auto, cursor="0x" + cursor.hex(), reorg_blocks_max=200) as driver:
        held = driver.wait(lambda e: e["event"] == "held")
        assert held["beyond"] and held["from"] == held["old_tip"] == auto.height + 1
        assert driver.ask("accept_reorg", hash=held["new_hash"])["err"] == "ok"
        driver.wait_height(auto.chain.rpc.block_number())


def test_another_chain_is_not_used(auto):
    with Driver(auto, genesis=REMOTE_GENESIS) as driver:
        event = driver.wait(lambda e: e["event"] == "endpoint")
        assert event["state"] == "wrong-chain" and "genesis" in event["why"]
        assert driver.ask("fees")["err"] == "unavailable"
    with Driver(auto, chain_id=auto.chain.chain_id + 1) as driver:
        assert "chain id" in driver.wait(lambda e: e["event"] == "endpoint")["why"]


def test_rescan_reports_again_as_late(auto):
    ids = auto.sent(auto.send(2, b"rescan"))
    with Driver(auto) as driver:
        driver.wait_messages(ids)
        top = auto.chain.rpc.block_number()
        driver.wait_height(top)
        live = set(driver.messages(late=False))
        assert driver.ask("rescan", first=auto.height, last=top)["err"] == "ok"
        assert set(driver.messages(late=True)) == live
        assert driver.ask("rescan", first=top + 100, last=top + 200)["err"] == "invalid"


def test_stall_is_told_and_taken_back(manual):
    with Driver(manual, stalled_ms=600) as driver:
        stalled = driver.wait(lambda e: e["event"] == "stalled")
        assert stalled["ms"] >= 600
        manual.chain.mine()
        driver.wait(lambda e: e["event"] == "stalled" and e["ms"] == 0)



def test_an_idle_chain_is_not_stalled(manual):
    """It makes blocks for transactions alone: it is well as long as an endpoint answers, and again when one does, without a block."""
    with RpcProxy(manual.chain.url) as proxy, Driver(manual, http=[proxy.url], ws=[], stalled_ms=1500, blocks_on_demand=True) as driver:
        driver.wait_height(manual.chain.rpc.block_number())

        def stalls():
            return [e["ms"] for e in driver.events if e["event"] == "stalled"]

        driver.pump(4)
        assert stalls() == []

        def broken(calls):
            raise Raw(b"broken", 500)

        proxy.before = broken
        driver.wait(lambda e: e["event"] == "stalled" and e["ms"] >= 1500)
        proxy.before = lambda calls: None
        driver.wait(lambda e: e["event"] == "stalled" and e["ms"] == 0)
        assert len(stalls()) == 2