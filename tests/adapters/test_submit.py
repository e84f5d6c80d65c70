"""Writing: nonces, replacement, loss, reorganisations, restarts, on a real anvil that mines when it is told to."""
from __future__ import annotations

import json
import time

import pytest

from adapters.driver import Driver, address, fund
from adapters.proxies import Raw, RpcProxy
from lib import crypto, rlp, abi

GAS = 300_000


@pytest.fixture
def secret(manual):
    return fund(manual.chain, "submit")


def open_driver(gateway, secret, **config):
    config = {"settle_blocks": 2, "replace_blocks": 3, "ws": [gateway.chain.ws_url], **config}
    driver = Driver(gateway, sign_by=secret, **config)
    return driver


def mine_until(driver, condition, timeout_s: float = 30, what: str = "a state", base_fee: int | None = None):
    """Blocks until it holds; each one has been seen before the next comes."""
    end = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < end, f"{what}; the last events: {driver.events[-6:]}"
        if base_fee is not None:
            driver.chain.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(base_fee))
        driver.chain.mine()
        height = driver.chain.rpc.block_number()
        driver.wait(lambda e: e["event"] == "progress" and e["block"]["height"] >= height, 10, f"block {height}",
                    since=max(0, len(driver.events) - 50))
        driver.pump(0.08)
    return value


def reached(driver, number, state):
    return lambda: state in driver.states(number)


def nonce_of(chain, secret) -> int:
    return int(chain.rpc.call("eth_getTransactionCount", address(secret), "latest"), 16)


def test_one_from_wish_to_settled(manual, secret):
    with open_driver(manual, secret) as driver:
        tx = driver.submit(manual.contract.address, manual.message_data(b"one"))
        driver.wait_tx(tx, "sent")
        mine_until(driver, reached(driver, tx, "settled"))
        assert driver.states(tx) == ["sent", "included", "settled"]
        report = driver.wait_tx(tx, "included")
        receipt = manual.chain.rpc.receipt(report["hash"])
        assert report["succeeded"] and report["block"]["hash"] == receipt["blockHash"]
        assert report["gas_used"] == int(receipt["gasUsed"], 16) and driver.signed[0]["gas"] >= report["gas_used"]
        assert len(driver.messages()) >= 1 and len(driver.signed) == 1


def test_what_waits_on_an_idle_chain_is_a_stall(manual, secret):
    """It makes blocks for transactions alone, has one, and makes none."""
    with open_driver(manual, secret, stalled_ms=1500, blocks_on_demand=True) as driver:
        driver.pump(3)
        assert [e for e in driver.events if e["event"] == "stalled"] == []
        tx = driver.submit(manual.contract.address, manual.message_data(b"waits"))
        driver.wait_tx(tx, "sent")
        driver.wait(lambda e: e["event"] == "stalled" and e["ms"] >= 1500)
        mine_until(driver, reached(driver, tx, "settled"))
        assert [e["ms"] > 0 for e in driver.events if e["event"] == "stalled"][:2] == [True, False]


def test_a_call_that_reverts_is_not_sent(manual, secret):
    with open_driver(manual, secret) as driver:
        tx = driver.submit(manual.contract.address, b"\xde\xad\xbe\xef")
        assert driver.wait_tx(tx, "failed")["err"] == "reverted"
        assert not driver.signed and nonce_of(manual.chain, secret) == 0


def test_included_but_reverted_is_told(manual, secret):
    with open_driver(manual, secret) as driver:
        tx = driver.submit(manual.contract.address, b"\xde\xad\xbe\xef", gas=GAS)
        driver.wait_tx(tx, "sent")
        mine_until(driver, reached(driver, tx, "settled"))
        assert not driver.wait_tx(tx, "included")["succeeded"]


def test_stuck_is_replaced_by_both_fees(manual, secret):
    chain = manual.chain
    with open_driver(manual, secret) as driver:
        tx = driver.submit(manual.contract.address, manual.message_data(b"stuck"), gas=GAS)
        driver.wait_tx(tx, "sent")
        high = driver.signed[0]["max"] * 3
        mine_until(driver, lambda: len(driver.signed) >= 2, what="a replacement", base_fee=high)
        for old, new in zip(driver.signed, driver.signed[1:]):
            assert new["nonce"] == old["nonce"] and new["attempt"] == old["attempt"] + 1
            assert new["max"] * 8 >= old["max"] * 9 and new["tip"] * 8 >= old["tip"] * 9
        mine_until(driver, reached(driver, tx, "settled"))
        report = driver.wait_tx(tx, "included")
        assert report["hash"] in [s["hash"] for s in driver.signed] and nonce_of(chain, secret) == 1
        assert driver.counters()["txs_replaced"] >= 1


def test_fee_cap_stops_the_ladder(manual, secret):
    with open_driver(manual, secret) as driver:
        driver.wait_height(manual.chain.rpc.block_number())
        cap = driver.ask("fees")["max"] + 1
        tx = driver.submit(manual.contract.address, manual.message_data(b"cap"), gas=GAS, cap=cap)
        driver.wait_tx(tx, "sent")
        mine_until(driver, reached(driver, tx, "stuck"), base_fee=driver.signed[0]["max"] * 2)
        assert driver.wait_tx(tx, "stuck")["err"] == "policy-fee" and len(driver.signed) == 1
        mine_until(driver, reached(driver, tx, "settled"), base_fee=10**9 // 2)
        assert all(s["max"] <= cap for s in driver.signed)


def test_cancel(manual, secret):
    with open_driver(manual, secret) as driver:
        driver.wait_height(manual.chain.rpc.block_number())
        tx = driver.submit(manual.contract.address, manual.message_data(b"cancel"), gas=GAS)
        driver.wait_tx(tx, "sent")
        before = len(driver.messages())
        manual.chain.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(driver.signed[0]["max"] * 3))
        assert driver.ask("cancel", tx=tx)["err"] == "ok"
        mine_until(driver, lambda: len(driver.signed) == 2, base_fee=driver.signed[0]["max"] * 3)
        assert driver.signed[1]["cancel"] and driver.signed[1]["gas"] == 21000
        mine_until(driver, reached(driver, tx, "settled"))
        assert driver.wait_tx(tx, "included")["cancelled"] and len(driver.messages()) == before
        late = driver.submit(manual.contract.address, manual.message_data(), gas=GAS)
        driver.wait_tx(late, "sent")
        mine_until(driver, reached(driver, late, "included"))
        assert driver.ask("cancel", tx=late)["err"] == "conflict"


def test_cancel_before_anything_was_sent(manual, secret):
    with open_driver(manual, secret) as driver:
        driver.sign_hook = lambda event: True  # no answer yet
        tx = driver.submit(manual.contract.address, manual.message_data(), gas=GAS)
        event = driver.wait(lambda e: e["event"] == "sign")
        assert driver.ask("cancel", tx=tx)["err"] == "ok"
        driver.sign_hook = None
        driver._sign(event)
        assert driver.wait_tx(tx, "failed")["err"] == "closed"
        waiting = driver.submit(manual.contract.address, manual.message_data(), gas=GAS)
        driver.wait_tx(waiting, "sent")
        assert driver.signed[-1]["nonce"] == 0


def test_another_writer_takes_the_nonce(manual, secret):
    chain = manual.chain
    with open_driver(manual, secret) as driver:
        tx = driver.submit(manual.contract.address, manual.message_data(b"two writers"), gas=GAS)
        driver.wait_tx(tx, "sent")
        mine = driver.signed[0]
        foreign = rlp.sign_1559(secret, chain.chain_id, 0, b"\x55" * 20, gas=21000, max_fee=mine["max"] * 3, tip=mine["tip"] * 3)
        chain.rpc.call("eth_sendRawTransaction", "0x" + foreign.hex())
        mine_until(driver, reached(driver, tx, "settled"))
        assert [s["nonce"] for s in driver.signed] == [0, 1]
        assert driver.wait_tx(tx, "included")["nonce"] == 1 and driver.counters()["nonces_resynced"] == 1


def test_another_writer_was_first(manual, secret):
    """The nonce is taken between two of ours: the node says too low."""
    chain = manual.chain
    with open_driver(manual, secret) as driver:
        def steal(event):
            driver.sign_hook = None
            raw = rlp.sign_1559(secret, chain.chain_id, event["nonce"], b"\x55" * 20, gas=21000)
            chain.rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
            chain.mine()
        driver.sign_hook = steal
        tx = driver.submit(manual.contract.address, manual.message_data(b"late"), gas=GAS)
        mine_until(driver, reached(driver, tx, "settled"))
        assert driver.wait_tx(tx, "included")["nonce"] == 1


def test_a_nonce_that_is_taken_is_no_fault_of_the_node(manual, secret):
    """It says "nonce too low", and stays the one that is asked: nothing counts against it, nothing is sent to the other one."""
    refusals = []

    def after(call, reply):
        if call["method"] == "eth_sendRawTransaction" and "error" in reply:
            refusals.append(reply["error"]["message"])
        return reply

    with RpcProxy(manual.chain.url) as one, RpcProxy(manual.chain.url) as two:
        one.after = after
        with open_driver(manual, secret, http=[one.url, two.url], ws=[]) as driver:
            driver.wait_for(lambda: [e["state"] for e in driver.ask("endpoints")["endpoints"]] == ["ok", "ok"])

            def steal(event):
                driver.sign_hook = None
                raw = rlp.sign_1559(secret, manual.chain.chain_id, event["nonce"], b"\x55" * 20, gas=21000)
                manual.chain.rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
                manual.chain.mine()

            driver.sign_hook = steal
            two.methods.clear()
            tx = driver.submit(manual.contract.address, manual.message_data(b"late"), gas=GAS)
            mine_until(driver, reached(driver, tx, "settled"))
            assert refusals and all("nonce too low" in text for text in refusals), refusals
            for endpoint in driver.ask("endpoints")["endpoints"]:
                assert [endpoint[what] for what in ("state", "breaker", "errors", "limited", "lies", "diverged")] == ["ok", "closed", 0, 0, 0, 0], endpoint
            # Of the other one it is asked whether it knows the transaction, so that no second one is signed lightly.
            assert not {"eth_sendRawTransaction", "eth_getLogs", "eth_getBlockReceipts", "eth_call", "eth_estimateGas"} & set(two.methods), two.methods
            assert [e for e in driver.events if e["event"] == "endpoint" and e["state"] != "ok"] == []


def receipts_of(chain, signed: list[dict]) -> list[str]:
    """Statuses of what was executed of all that was ever signed."""
    found = [chain.rpc.call("eth_getTransactionReceipt", s["hash"]) for s in signed]
    return [r["status"] for r in found if r]


def hidden(call, reply):
    return dict(reply, result=None) if call["method"] == "eth_getTransactionReceipt" else reply


@pytest.mark.parametrize("repeat", [False, True])
def test_receipts_that_one_node_hides(manual, secret, repeat):
    """The second endpoint knows better: one signature, one execution."""
    with RpcProxy(manual.chain.url) as proxy:
        proxy.after = hidden
        with open_driver(manual, secret, http=[proxy.url, manual.chain.url], ws=[]) as driver:
            tx = driver.submit(manual.contract.address, manual.message_data(b"pay once"), gas=GAS, repeat=repeat)
            driver.wait_tx(tx, "sent")
            mine_until(driver, reached(driver, tx, "settled"))
            assert driver.states(tx) == ["sent", "included", "settled"]
            assert len(driver.signed) == 1 and receipts_of(manual.chain, driver.signed) == ["0x1"]


def test_receipts_that_every_node_hides(manual, secret):
    """Unknown, never failed, never signed again; told by a later receipt; and the account goes on meanwhile."""
    with RpcProxy(manual.chain.url) as proxy:
        proxy.after = hidden
        with open_driver(manual, secret, http=[proxy.url], ws=[]) as driver:
            tx = driver.submit(manual.contract.address, manual.message_data(b"pay once"), gas=GAS, repeat=False)
            driver.wait_tx(tx, "sent")
            mine_until(driver, reached(driver, tx, "unknown"))
            for _ in range(12):
                manual.chain.mine()
                driver.pump(0.1)
            assert driver.states(tx) == ["sent", "unknown"] and driver.wait_tx(tx, "unknown")["err"] == "nonce"
            assert driver.counters()["txs_unknown"] == 1 and driver.ask("cancel", tx=tx)["err"] == "conflict"
            other = driver.submit(manual.contract.address, manual.message_data(b"another"), gas=GAS, repeat=False)
            driver.wait_tx(other, "sent")
            proxy.after = lambda call, reply: reply
            mine_until(driver, lambda: "settled" in driver.states(tx) and "settled" in driver.states(other))
            assert driver.states(tx) == ["sent", "unknown", "included", "settled"]
            assert [s["nonce"] for s in driver.signed] == [0, 1] and receipts_of(manual.chain, driver.signed) == ["0x1", "0x1"]


def test_unknown_stays_so_over_a_restart(manual, secret):
    with RpcProxy(manual.chain.url) as proxy:
        proxy.after = hidden
        with open_driver(manual, secret, http=[proxy.url], ws=[]) as driver:
            tx = driver.submit(manual.contract.address, manual.message_data(b"pay once"), gas=GAS, repeat=False)
            driver.wait_tx(tx, "sent")
            mine_until(driver, reached(driver, tx, "unknown"))
            signed, cursor = list(driver.signed), driver.cursor()
        with open_driver(manual, secret, http=[proxy.url], ws=[], cursor=cursor) as driver:
            tx = driver.submit(manual.contract.address, manual.message_data(b"pay once"), resume=_resume(signed), repeat=False)
            mine_until(driver, reached(driver, tx, "unknown"))
            assert not driver.signed
            proxy.after = lambda call, reply: reply
            mine_until(driver, reached(driver, tx, "settled"))
            assert not driver.signed and receipts_of(manual.chain, signed) == ["0x1"]


def test_another_writer_takes_the_nonce_of_what_may_not_repeat(manual, secret):
    """Who took it nobody proves: it is not signed again."""
    chain = manual.chain
    with open_driver(manual, secret) as driver:
        tx = driver.submit(manual.contract.address, manual.message_data(b"two writers"), gas=GAS, repeat=False)
        driver.wait_tx(tx, "sent")
        mine = driver.signed[0]
        foreign = rlp.sign_1559(secret, chain.chain_id, 0, b"\x55" * 20, gas=21000, max_fee=mine["max"] * 3, tip=mine["tip"] * 3)
        chain.rpc.call("eth_sendRawTransaction", "0x" + foreign.hex())
        mine_until(driver, reached(driver, tx, "unknown"))
        assert len(driver.signed) == 1 and driver.counters()["nonces_resynced"] == 0
        nxt = driver.submit(manual.contract.address, manual.message_data(b"next"), gas=GAS, repeat=False)
        mine_until(driver, reached(driver, nxt, "settled"))
        assert driver.signed[-1]["nonce"] == 1 and len(driver.signed) == 2


@pytest.mark.parametrize("message", ["intrinsic gas too low", "execution reverted", "insufficient funds for gas * price + value", "nonce too low"])
def test_a_refusal_that_was_sent_on(manual, secret, message):
    """The node says no and passes the bytes on: that is no failure, and no second one is signed."""
    def after(call, reply):
        if call["method"] == "eth_sendRawTransaction":
            return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32000, "message": message}}
        return reply

    with RpcProxy(manual.chain.url) as proxy:
        proxy.after = after
        with open_driver(manual, secret, http=[proxy.url], ws=[]) as driver:
            tx = driver.submit(manual.contract.address, manual.message_data(b"pay once"), gas=GAS, repeat=False)
            driver.wait(lambda e: e["event"] == "sign")
            mine_until(driver, reached(driver, tx, "settled"))
            assert "failed" not in driver.states(tx) and driver.states(tx)[-2:] == ["included", "settled"]
            assert len(driver.signed) == 1 and receipts_of(manual.chain, driver.signed) == ["0x1"]


def test_a_refusal_of_everybody(manual, secret):
    """Each endpoint is tried; then it is unknown, and its nonce is free for the next one: at most one of the two happens."""
    def after(call, reply):
        return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32000, "message": "tx fee (2 ether) exceeds the configured cap"}}

    def before(calls):
        if calls[0]["method"] == "eth_sendRawTransaction":
            raise Raw(json.dumps(after(calls[0], {})).encode())

    with RpcProxy(manual.chain.url) as one, RpcProxy(manual.chain.url) as two:
        one.before = two.before = before
        with open_driver(manual, secret, http=[one.url, two.url], ws=[]) as driver:
            tx = driver.submit(manual.contract.address, manual.message_data(b"refused"), gas=GAS, repeat=False)
            driver.wait(lambda e: e["event"] == "sign")
            mine_until(driver, reached(driver, tx, "unknown"))
            assert "exceeds" in driver.wait_tx(tx, "unknown")["why"]
            assert "eth_sendRawTransaction" in one.methods and "eth_sendRawTransaction" in two.methods
            one.before = two.before = lambda calls: None
            nxt = driver.submit(manual.contract.address, manual.message_data(b"next"), gas=GAS, repeat=False)
            mine_until(driver, reached(driver, nxt, "settled"))
            assert [s["nonce"] for s in driver.signed] == [0, 0] and receipts_of(manual.chain, driver.signed) == ["0x1"]
            one.before = two.before = before
            again = driver.submit(manual.contract.address, manual.message_data(b"may repeat"), gas=GAS)
            assert driver.wait_tx(again, "failed")["err"] == "invalid"


def test_an_outcome_that_one_node_invents(manual, secret):
    """It says reverted, the other one succeeded: not settled before they agree."""
    def after(call, reply):
        if call["method"] == "eth_getTransactionReceipt" and reply.get("result"):
            return dict(reply, result=dict(reply["result"], status="0x0"))
        return reply

    with RpcProxy(manual.chain.url) as proxy:
        proxy.after = after
        with open_driver(manual, secret, http=[proxy.url, manual.chain.url], ws=[]) as driver:
            tx = driver.submit(manual.contract.address, manual.message_data(b"pay once"), gas=GAS, repeat=False)
            driver.wait_tx(tx, "sent")
            mine_until(driver, reached(driver, tx, "unknown"))
            assert "settled" not in driver.states(tx) and driver.wait_tx(tx, "unknown")["err"] == "rpc-lie"
            proxy.after = lambda call, reply: reply
            mine_until(driver, reached(driver, tx, "settled"))
            settled = driver.wait_tx(tx, "settled")
            assert settled["succeeded"] and len(driver.signed) == 1


def test_a_hole_below_what_may_not_repeat(manual, secret):
    """It keeps its nonce, whatever fell below it: the old bytes and new ones can never both be executed."""
    with open_driver(manual, secret, settle_blocks=1) as driver:
        first = driver.submit(manual.contract.address, manual.message_data(b"first"), gas=GAS, repeat=False)
        driver.wait_tx(first, "sent")
        mine_until(driver, reached(driver, first, "settled"))
        depth = manual.chain.rpc.block_number() - driver.wait_tx(first, "included")["block"]["height"] + 1
        second = driver.submit(manual.contract.address, manual.message_data(b"second"), gas=GAS, repeat=False)
        driver.wait_tx(second, "sent")
        manual.chain.rpc.call("anvil_reorg", depth, [])
        assert nonce_of(manual.chain, secret) == 0
        mine_until(driver, reached(driver, second, "stuck"))
        assert [s["nonce"] for s in driver.signed] == [0, 1] and "lower nonce" in driver.wait_tx(second, "stuck")["why"]
        third = driver.submit(manual.contract.address, manual.message_data(b"third"), gas=GAS, repeat=False)
        mine_until(driver, lambda: "settled" in driver.states(second) and "settled" in driver.states(third))
        assert [s["nonce"] for s in driver.signed] == [0, 1, 0]
        assert receipts_of(manual.chain, driver.signed[1:]) == ["0x1", "0x1"] and nonce_of(manual.chain, secret) == 2


def test_two_drivers_on_one_account(manual, secret):
    """Both write with one key: every transaction is included once, whoever loses a nonce."""
    with open_driver(manual, secret) as one, open_driver(manual, secret) as two:
        txs = []
        for _ in range(4):
            txs += [(d, d.submit(manual.contract.address, manual.message_data(text), gas=GAS)) for d, text in ((one, b"one"), (two, b"two"))]
        end = time.monotonic() + 60
        while not all("settled" in d.states(tx) for d, tx in txs):
            assert time.monotonic() < end, (one.events[-5:], two.events[-5:])
            manual.chain.mine()
            one.pump(0.15)
            two.pump(0.15)
        assert nonce_of(manual.chain, secret) == len(txs)
        hashes = {d.wait_tx(tx, "included")["hash"] for d, tx in txs}
        assert len(hashes) == len(txs)


def test_a_pool_that_forgets(manual, secret):
    with open_driver(manual, secret) as driver:
        tx = driver.submit(manual.contract.address, manual.message_data(b"forgotten"), gas=GAS)
        report = driver.wait_tx(tx, "sent")
        manual.chain.rpc.call("anvil_dropTransaction", report["hash"])
        mine_until(driver, reached(driver, tx, "settled"))
        assert driver.counters()["txs_resent"] >= 1 and len(driver.signed) == 1


def test_a_block_that_goes_away(manual, secret):
    with open_driver(manual, secret) as driver:
        tx = driver.submit(manual.contract.address, manual.message_data(b"reorg"), gas=GAS)
        driver.wait_tx(tx, "sent")
        mine_until(driver, reached(driver, tx, "included"))
        manual.chain.rpc.call("anvil_reorg", 1, [])
        mine_until(driver, reached(driver, tx, "settled"))
        assert driver.states(tx) == ["sent", "included", "unincluded", "included", "settled"]
        assert len(driver.signed) == 1 and nonce_of(manual.chain, secret) == 1


def test_a_hole_below_is_filled(manual, secret):
    """A settled transaction falls to a deep reorganisation: the next one waits for a nonce that nobody sends any more."""
    with open_driver(manual, secret, settle_blocks=1) as driver:
        first = driver.submit(manual.contract.address, manual.message_data(b"first"), gas=GAS)
        driver.wait_tx(first, "sent")
        mine_until(driver, reached(driver, first, "settled"))
        depth = manual.chain.rpc.block_number() - driver.wait_tx(first, "included")["block"]["height"] + 1
        second = driver.submit(manual.contract.address, manual.message_data(b"second"), gas=GAS)
        driver.wait_tx(second, "sent")
        manual.chain.rpc.call("anvil_reorg", depth, [])
        assert nonce_of(manual.chain, secret) == 0
        mine_until(driver, reached(driver, second, "settled"))
        assert driver.signed[-1]["nonce"] == 0 and driver.counters()["nonces_resynced"] >= 1


def _resume(signed: list[dict]) -> dict:
    last = signed[-1]
    return {"nonce": last["nonce"], "gas": last["gas"], "max": last["max"], "tip": last["tip"], "raw": last["raw"],
            "hashes": [s["hash"] for s in signed]}


@pytest.mark.parametrize("while_down", ["waits", "mined", "lost"])
def test_restart_with_a_transaction_under_way(manual, secret, while_down):
    with open_driver(manual, secret) as driver:
        tx = driver.submit(manual.contract.address, manual.message_data(b"restart"), gas=GAS)
        driver.wait_tx(tx, "sent")
        driver.wait_height(manual.chain.rpc.block_number())
        signed, cursor = list(driver.signed), driver.cursor()
    if while_down == "mined":
        manual.chain.mine()
    if while_down == "lost":
        manual.chain.rpc.call("anvil_dropTransaction", signed[0]["hash"])
    with open_driver(manual, secret, cursor=cursor) as driver:
        tx = driver.submit(manual.contract.address, manual.message_data(b"restart"), resume=_resume(signed))
        other = driver.submit(manual.contract.address, manual.message_data(b"next"), gas=GAS)
        mine_until(driver, lambda: "settled" in driver.states(tx) and "settled" in driver.states(other))
        assert driver.wait_tx(tx, "included")["hash"] == signed[0]["hash"]
        assert [s["nonce"] for s in driver.signed] == [1] and nonce_of(manual.chain, secret) == 2


def test_many_in_order_within_the_limit(manual, secret):
    with open_driver(manual, secret, in_flight_max=8) as driver:
        txs = [driver.submit(manual.contract.address, manual.message_data(b"many"), gas=GAS) for _ in range(40)]
        driver.wait_for(lambda: sum("sent" in driver.states(t) for t in txs) == 8)
        driver.pump(0.3)
        assert sum("sent" in driver.states(t) for t in txs) == 8
        mine_until(driver, lambda: all("settled" in driver.states(t) for t in txs), 60)
        assert sorted(s["nonce"] for s in driver.signed) == list(range(40))
        assert [driver.wait_tx(t, "included")["nonce"] for t in txs] == list(range(40))


def test_urgent_ones_go_before_those_that_wait(manual, secret):
    """Not before those that have a nonce: at the bound of what may be under way it takes the next place."""
    with open_driver(manual, secret, in_flight_max=2) as driver:
        txs = [driver.submit(manual.contract.address, manual.message_data(b"old"), gas=GAS) for _ in range(5)]
        driver.wait_for(lambda: sum("sent" in driver.states(t) for t in txs) == 2)
        urgent = [driver.submit(manual.contract.address, manual.message_data(b"new"), gas=GAS, urgent=True) for _ in range(2)]
        mine_until(driver, lambda: all("settled" in driver.states(t) for t in txs + urgent), 60)
        assert [s["tx"] for s in driver.signed] == txs[:2] + urgent + txs[2:]
        assert sorted(s["nonce"] for s in driver.signed) == list(range(7))


def test_a_refusal_leaves_no_hole(manual, secret):
    with open_driver(manual, secret) as driver:
        def refuse(event):
            driver.sign_hook = None
            driver.tell("signed", tx=event["tx"], refused="forbidden")
            return True
        driver.sign_hook = refuse
        refused = driver.submit(manual.contract.address, manual.message_data(), gas=GAS)
        good = driver.submit(manual.contract.address, manual.message_data(), gas=GAS)
        assert driver.wait_tx(refused, "failed")["err"] == "forbidden"
        driver.wait_tx(good, "sent")
        mine_until(driver, reached(driver, good, "settled"))
        assert driver.wait_tx(good, "included")["nonce"] == 0


def test_an_empty_account_waits_for_money(manual):
    secret = crypto.number(crypto.keccak(str(time.monotonic_ns()).encode())) % crypto.N
    with open_driver(manual, secret) as driver:
        tx = driver.submit(manual.contract.address, manual.message_data(b"poor"), gas=GAS)
        assert driver.wait_tx(tx, "stuck")["err"] == "no-funds"
        manual.chain.rpc.call("anvil_setBalance", address(secret), hex(10**19))
        mine_until(driver, reached(driver, tx, "settled"))
        assert driver.states(tx)[-3:] == ["sent", "included", "settled"]


def test_somebody_elses_transaction(manual, secret):
    raw = "0x" + rlp.sign_1559(secret, manual.chain.chain_id, 0, abi.to_bytes(manual.contract.address), manual.message_data(), gas=GAS).hex()
    wrong = "0x" + rlp.sign_1559(secret, manual.chain.chain_id + 1, 0, b"\x11" * 20).hex()
    with open_driver(manual, secret) as driver:
        driver.wait_height(manual.chain.rpc.block_number())
        assert driver.ask("send_raw", data=raw)["err"] == "ok"
        assert driver.ask("send_raw", data=raw)["err"] == "ok"  # known already
        assert driver.ask("send_raw", data=wrong)["err"] == "invalid"
        manual.chain.mine()
        assert driver.ask("send_raw", data=raw)["err"] == "nonce"
