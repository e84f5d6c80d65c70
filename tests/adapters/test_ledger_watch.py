"""Reading a ledger: events, downtime, crashes, proofs, rescans, and what a node no longer has."""
from __future__ import annotations

import json
import threading

import pytest

from adapters.driver import REMOTE_GENESIS
from adapters.ledger_driver import LedgerDriver, LedgerGateway, fund
from adapters.proxies import Raw, RpcProxy
from lib import crypto
from lib.ledger import Ledger


def test_events_live(ledger):
    with LedgerDriver(ledger) as driver:
        driver.catch_up()
        txs = ledger.send(3, b"live")
        ids = ledger.sent(txs)
        driver.wait_messages(ids)
        block = driver.blocks(late=False)[-1]
        event, receipt = block["events"][-1], ledger.chain.rpc.receipt(txs[-1])
        assert event["tx"] == txs[-1] and event["payload"] == "0x" + b"live".hex()
        assert block["block"]["hash"] == receipt["blockHash"]
        assert driver.counters()["foreign"] == 0 and driver.lies() == 0


def test_backfill_from_the_anchor(ledger):
    ids = ledger.say(b"before", 3)
    with LedgerDriver(ledger, ws=[], **ledger.first) as driver:
        driver.wait_messages(ids)
        assert len(driver.messages()) == len(set(driver.messages()))


def test_downtime_reports_once(ledger):
    with LedgerDriver(ledger) as driver:
        driver.wait_messages(ledger.say(b"first", 2))
        driver.catch_up()
        cursor = driver.cursor()
    while_down = ledger.say(b"down", 4)
    with LedgerDriver(ledger, cursor=cursor) as driver:
        driver.catch_up()
        assert driver.messages() == while_down
        driver.wait_messages(ledger.say())


def test_a_crash_loses_and_repeats_nothing(ledger):
    """Killed in the middle of it, several times: with the cursor that was written down last, everything comes once."""
    cursor, held, begin = None, [], ledger.settings()
    for round_ in range(3):
        driver = LedgerDriver(ledger, cursor=cursor, **begin)
        ids = ledger.say(b"crash %d" % round_, 3)
        driver.wait(lambda e: e["event"] == "block" and set(ids) & {x["message_id"] for x in e["events"]})
        driver.kill()
        # What a gateway has in its journal: blocks up to the last cursor.
        events = driver.events
        told = [i for i, e in enumerate(events) if e["event"] == "progress"]
        if told:
            cursor = events[told[-1]]["cursor"]
            held += [x["message_id"] for e in events[:told[-1]] if e["event"] == "block" for x in e["events"]]
    with LedgerDriver(ledger, cursor=cursor, **begin) as driver:
        last = ledger.say(b"last")
        driver.wait_messages(last)
        held += driver.messages()
    with LedgerDriver(ledger, ws=[], **begin) as driver:
        driver.wait_messages(last)
        assert held == driver.messages()


def test_light_blocks_link(ledger):
    ledger.chain.rpc.wait_blocks(5)
    with LedgerDriver(ledger) as driver:
        top = driver.catch_up()
        first = max(1, top - 9)
        for at, count in ((first, top - first + 1), (ledger.first["anchor_height"], 1)):
            answer = driver.ask("headers", **{"from": at, "count": count})
            assert answer["err"] == "ok" and len(answer["headers"]) == count
            for i, header in enumerate(answer["headers"]):
                assert header["id"]["hash"] == ledger.chain.rpc.header(at + i)[0] and len(header["rlp"]) > 200
                assert i == 0 or header["parent"] == answer["headers"][i - 1]["id"]["hash"]
        assert driver.ask("headers", **{"from": top + 1000, "count": 1})["err"] == "not-found"
        assert driver.ask("headers", **{"from": 0, "count": 1})["err"] == "invalid"


def test_state_proofs(ledger):
    rpc, gateway = ledger.chain.rpc, ledger.contract.address
    sentinel = crypto.keccak(crypto.keccak(b"caisson/layout/evm/v1") + ledger.identity)
    with LedgerDriver(ledger) as driver:
        top = driver.catch_up()
        for height in (top, top - 1):
            block_hash, header = rpc.header(height)
            answer = driver.ask("account_proof", height=height, hash=block_hash, address=gateway, slots=["0x" + "00" * 32, "0x" + "ab" * 32],
                                state_root="0x" + header["app_hash"])
            assert answer["err"] == "ok" and answer["verified"] == "ok" and answer["exists"]
            assert answer["slots"] == ["0x" + sentinel.hex(), "0x" + "00" * 32]
        assert driver.ask("account_proof", height=top, hash="0x" + "11" * 32, address=gateway, slots=["0x" + "00" * 32])["err"] == "reorged"
        assert driver.ask("account_proof", height=top, hash=block_hash, address="0x" + "12" * 20, slots=["0x" + "00" * 32])["err"] == "invalid"
        assert driver.ask("receipt_proof", height=top, hash=block_hash, index=0)["err"] == "unsupported"


def test_calls_fees_accounts_and_statuses(ledger):
    with LedgerDriver(ledger) as driver:
        driver.catch_up()
        assert driver.ask("call", to=ledger.contract.address, data="0xdeadbeef")["err"] == "reverted"
        owner = driver.ask("call", to=ledger.contract.address, data="0x" + ledger.contract.data("owner").hex())
        assert owner["err"] == "ok" and owner["data"][-40:] == ledger.sender[2:]
        fees = driver.ask("fees")
        assert fees["err"] == "ok" and not fees["legacy"] and fees["max"] == 1
        account = driver.ask("account", address=ledger.sender)
        assert account["nonce"] == ledger.chain.rpc.account(ledger.sender)[0] and not account["has_code"]
        statuses = driver.ask("statuses", source="0x" + ledger.remote.hex(), sequences=[1, 2, 300])
        assert statuses["err"] == "ok" and statuses["statuses"] == [0, 0, 0]
        assert driver.ask("statuses", source="0x" + "01" * 32, sequences=[])["err"] == "invalid"


def test_a_rescan_reports_again_as_late(ledger):
    with LedgerDriver(ledger) as driver:
        driver.wait_messages(ledger.say(b"rescan", 2))
        top = driver.catch_up()
        live = [m for m in driver.messages(late=False)]
        assert driver.ask("rescan", first=driver.blocks()[0]["block"]["height"], last=top)["err"] == "ok"
        assert driver.messages(late=True) == live
        assert driver.ask("rescan", first=top + 1000, last=top + 2000)["err"] == "invalid"


def test_another_chain_is_not_used(ledger):
    for wrong, text in (({"caip2": "cosmos:another-1"}, "network"), ({"genesis": REMOTE_GENESIS}, "another genesis")):
        with LedgerDriver(ledger, **wrong) as driver:
            event = driver.wait(lambda e: e["event"] == "endpoint" and e["state"] == "wrong-chain")
            assert text in event["why"]
            assert driver.ask("fees")["err"] == "unavailable" and not driver.blocks()


def test_another_anchor_is_a_lie(ledger):
    with LedgerDriver(ledger, anchor_hash="0x" + "11" * 32) as driver:
        driver.wait_for(lambda: driver.lies() >= 1)
        assert not driver.blocks() and not [e for e in driver.events if e["event"] == "progress"]


def no_longer(below: int):
    """A node that has let go of its blocks below a height, in CometBFT's words."""
    def after(call, reply):
        height = int(call["params"].get("height", "0") or 0) if isinstance(call["params"], dict) else 0
        if call["method"] in ("commit", "block", "block_results", "validators") and 0 < height < below:
            error = {"code": -32603, "message": "Internal error", "data": f"height {height} is not available, lowest height is {below}"}
            return {"jsonrpc": "2.0", "id": reply["id"], "error": error}
        return reply
    return after


def test_a_pruned_node_says_so_and_another_one_serves(ledger):
    begin, ids = ledger.settings(), ledger.say(b"long ago", 2)
    top = ledger.chain.rpc.block_number() + 2
    ledger.chain.rpc.wait_blocks(3)
    with RpcProxy(ledger.chain.url) as pruned, RpcProxy(ledger.chain.url) as archive:
        pruned.after = no_longer(top)
        with LedgerDriver(ledger, http=[pruned.url], ws=[], stalled_ms=1500, **begin) as driver:
            # It is said in words, nothing is left out, and the height does not move past what is missing.
            driver.wait_for(lambda: f"lowest height is {top}" in driver.endpoints()[0]["why"])
            driver.wait(lambda e: e["event"] == "stalled" and e["ms"] > 0)
            assert not driver.blocks() and not [e for e in driver.events if e["event"] == "progress"]
            pruned.after = lambda call, reply: reply
            driver.wait_messages(ids)
            driver.wait(lambda e: e["event"] == "stalled" and e["ms"] == 0)
        pruned.after = no_longer(top)
        with LedgerDriver(ledger, http=[pruned.url, archive.url], ws=[], **begin) as driver:
            driver.wait_messages(ids)
            assert driver.lies() == 0
            assert driver.endpoints()[0]["state"] == "ok"


def test_a_backfill_from_nodes_that_keep_little_state(ledger):
    """What long ago was emitted is proven by the state of now."""
    begin, ids = ledger.settings(), ledger.say(b"long before", 2)
    rpc = ledger.chain.rpc
    rpc.wait_blocks(max(1, 80 - (rpc.block_number() - begin["anchor_height"])), 120)
    kept = rpc.block_number() - 8

    def after(call, reply):
        if call["method"] == "abci_query" and call["params"].get("prove") and int(call["params"]["height"]) < kept:
            return {**reply, "result": {"response": {"code": 66, "log": "not kept", "value": None, "height": call["params"]["height"]}}}
        return reply

    with RpcProxy(ledger.chain.url) as node:
        node.after = after
        with LedgerDriver(ledger, http=[node.url], ws=[], **begin) as driver:
            driver.wait_messages(ids)
            assert driver.lies() == 0


def test_a_stall_is_told_and_taken_back(ledger):
    import signal
    node = ledger.chain.processes[0].popen
    with LedgerDriver(ledger, stalled_ms=3000, request_timeout_ms=1000) as driver:
        driver.catch_up()
        node.send_signal(signal.SIGSTOP)
        try:
            driver.wait(lambda e: e["event"] == "stalled" and e["ms"] >= 3000)
        finally:
            node.send_signal(signal.SIGCONT)
        driver.wait(lambda e: e["event"] == "stalled" and e["ms"] == 0)


# ---- blocks on demand ----

class OnDemand(Ledger):
    """It makes blocks for transactions alone."""

    def _init(self, p2p: int) -> None:
        super()._init(p2p)
        with open(self.home / "config" / "config.toml", "a", encoding="utf-8") as config:
            config.write("\n[consensus]\ncreate_empty_blocks = false\n")

    def _wait_up(self, process, height: int) -> None:
        super()._wait_up(process, 1)  # nothing asks for a second


@pytest.fixture(scope="module")
def idle(tmp_path_factory):
    with OnDemand(tmp_path_factory.mktemp("idle"), "adapter-idle") as chain:
        yield LedgerGateway(chain)


def stalls(driver) -> list[int]:
    return [e["ms"] for e in driver.events if e["event"] == "stalled"]


def test_a_ledger_that_is_idle(idle):
    """Without the word that its blocks come on demand it is stalled; with it, while no node answers."""
    with LedgerDriver(idle, ws=[], stalled_ms=1500) as driver:
        driver.wait(lambda e: e["event"] == "stalled" and e["ms"] >= 1500)
        driver.wait_messages(idle.say(b"on demand"))
        driver.wait(lambda e: e["event"] == "stalled" and e["ms"] == 0)
    with RpcProxy(idle.chain.url) as proxy, LedgerDriver(idle, http=[proxy.url], ws=[], stalled_ms=1500, blocks_on_demand=True) as driver:
        driver.catch_up()
        height = idle.chain.rpc.block_number()
        driver.pump(4)
        assert stalls(driver) == [] and idle.chain.rpc.block_number() == height, "a chain that makes no blocks, and is well"

        def broken(calls):
            raise Raw(b"broken", 500)

        proxy.before = broken
        driver.wait(lambda e: e["event"] == "stalled" and e["ms"] >= 1500)
        proxy.before = lambda calls: None
        driver.wait(lambda e: e["event"] == "stalled" and e["ms"] == 0)
        assert len(stalls(driver)) == 2
        driver.wait_messages(idle.say(b"again"))


def test_what_waits_on_an_idle_ledger_is_a_stall(idle):
    """A node took a transaction and there is no block with it."""
    swallowed = threading.Event()

    def swallow(calls):
        for call in calls:
            if call["method"] == "broadcast_tx_sync" and not swallowed.is_set():
                result = {"code": 0, "data": "", "log": "", "codespace": "", "hash": "AB" * 32}
                raise Raw(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}).encode())

    secret = fund(idle.chain, "idle")
    with RpcProxy(idle.chain.url) as proxy:
        proxy.before = swallow
        with LedgerDriver(idle, sign_by=secret, http=[proxy.url], ws=[], valid_s=60, resend_blocks=2, stalled_ms=2500, blocks_on_demand=True) as driver:
            driver.catch_up()
            driver.pump(3)
            assert stalls(driver) == []
            tx = driver.submit(idle.contract.address, idle.message_data(b"waits"), gas=3_000_000)
            driver.wait_tx(tx, "sent")
            driver.wait(lambda e: e["event"] == "stalled" and e["ms"] >= 2500)
            swallowed.set()
            for i in range(3):  # the blocks of others, after which it is sent again
                driver.wait_messages(idle.say(b"others %d" % i))
            driver.wait_tx(tx, "included")
            driver.wait(lambda e: e["event"] == "stalled" and e["ms"] == 0)
