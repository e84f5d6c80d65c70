"""The same on geth 1.13.15 with Clique: its texts, its replacement rule, its raw receipts and headers."""
from __future__ import annotations

import time

import pytest

from adapters.driver import REMOTE_GENESIS, Driver, address, fund
from adapters.proxies import RpcProxy
from adapters.test_watch import _receipt_proof
from lib import abi, crypto, rlp
from lib.rpc import RpcError

GAS = 300_000


@pytest.fixture(scope="module")
def sealed_driver(sealed):
    with Driver(sealed, block_time_ms=1000) as driver:
        yield driver


def test_events_live_and_from_the_start(sealed, sealed_driver):
    ids = sealed.sent(sealed.send(5, b"clique"))
    sealed_driver.wait_messages(ids, 30)
    with Driver(sealed, ws=[], block_time_ms=1000, http=sealed.chain.urls) as other:
        other.wait_messages(ids, 30)
        other.wait_for(lambda: all(e["state"] == "ok" for e in other.ask("endpoints")["endpoints"]), what="three nodes in step")
    assert sealed_driver.counters()["ws_hints"] > 0


def test_headers(sealed, sealed_driver):
    top = sealed.chain.rpc.block_number()
    sealed_driver.wait_height(top, 30)
    answer = sealed_driver.ask("headers", **{"from": 0, "count": top + 1})
    assert answer["err"] == "ok"
    for height, header in enumerate(answer["headers"]):
        assert header["id"]["hash"] == "0x" + crypto.keccak(abi.to_bytes(header["rlp"])).hex() == sealed.chain.rpc.block(height)["hash"]


@pytest.mark.parametrize("lie", [False, True])
def test_raw_headers_where_the_json_lacks_a_field(sealed, lie):
    """What a fork will add is unknown to the adapter: the hash does not fit, and the node's own bytes are asked for."""
    def after(call, reply):
        if call["method"] == "eth_getBlockByNumber" and reply["result"] and call["params"][0] != "0x0":
            reply = dict(reply, result={k: v for k, v in reply["result"].items() if k != "baseFeePerGas"})
        if lie and call["method"] == "debug_getRawHeader":
            reply = dict(reply, result=reply["result"][:-2] + "77")
        return reply

    with RpcProxy(sealed.chain.url) as proxy:
        proxy.after = after
        with Driver(sealed, ws=[], http=[proxy.url], block_time_ms=1000) as driver:
            if lie:
                driver.wait_for(lambda: driver.ask("endpoints")["endpoints"][0]["lies"] >= 1)
                assert not driver.blocks()
                return
            driver.wait_height(sealed.chain.rpc.block_number(), 30)
            headers = driver.ask("headers", **{"from": 1, "count": 3})["headers"]
            assert [h["id"]["hash"] for h in headers] == [sealed.chain.rpc.block(i)["hash"] for i in (1, 2, 3)]
            assert "debug_getRawHeader" in proxy.methods


def test_proofs(sealed, sealed_driver):
    txs = sealed.send(30, b"proofs")
    sealed_driver.wait_messages(sealed.sent(txs), 30)
    for tx in txs:
        answer = _receipt_proof(sealed_driver, sealed, sealed.chain.rpc.receipt(tx))
        assert answer["err"] == "ok" and answer["verified"] == "ok" and answer["claim_total"] == 1
    block = sealed.chain.rpc.block(sealed.chain.rpc.block_number())
    sealed_driver.wait_height(int(block["number"], 16), 30)
    for account, exists in ((sealed.contract.address, True), ("0x" + "12" * 20, False), (sealed.chain.accounts[2], True)):
        answer = sealed_driver.ask("account_proof", height=int(block["number"], 16), hash=block["hash"], address=account,
                                   slots=["0x" + "00" * 32, "0x" + "cd" * 32], state_root=block["stateRoot"])
        assert answer["err"] == "ok" and answer["verified"] == "ok" and answer["exists"] == exists
    sentinel = crypto.keccak(crypto.keccak(b"caisson/layout/evm/v1") + sealed.identity)
    answer = sealed_driver.ask("account_proof", height=int(block["number"], 16), hash=block["hash"], address=sealed.contract.address,
                               slots=["0x" + "00" * 32], state_root=block["stateRoot"])
    assert answer["slots"] == ["0x" + sentinel.hex()]


def test_submit_and_revert(sealed):
    secret = fund(sealed.chain, "clique")
    with Driver(sealed, sign_by=secret, block_time_ms=1000) as driver:
        bad = driver.submit(sealed.contract.address, b"\xde\xad\xbe\xef")
        assert driver.wait_tx(bad, "failed")["err"] == "reverted"
        txs = [driver.submit(sealed.contract.address, sealed.message_data(b"geth")) for _ in range(6)]
        for tx in txs:
            driver.wait_tx(tx, "settled", 60)
        assert sorted(s["nonce"] for s in driver.signed) == list(range(6))


def test_ladder_against_the_pool(sealed):
    """A transaction that waits behind a nonce gap is replaced again and again: geth wants a tenth more on both fees."""
    chain, secret = sealed.chain, fund(sealed.chain, "ladder")
    raw = rlp.sign_1559(secret, chain.chain_id, 1, b"\x66" * 20, gas=21000, max_fee=3 * 10**9, tip=10**9)
    chain.rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
    for percent, accepted in ((5, False), (12.5, True), (12.5, True)):
        fee, tip = _last(chain, raw)
        new = rlp.sign_1559(secret, chain.chain_id, 1, b"\x66" * 20, gas=21000, max_fee=int(fee * (100 + percent) / 100) + 1,
                            tip=int(tip * (100 + percent) / 100) + 1)
        if accepted:
            chain.rpc.call("eth_sendRawTransaction", "0x" + new.hex())
            raw = new
        else:
            with pytest.raises(RpcError, match="replacement transaction underpriced"):
                chain.rpc.call("eth_sendRawTransaction", "0x" + new.hex())
    with Driver(sealed, sign_by=secret, block_time_ms=1000) as driver:
        first = driver.submit("0x" + "66" * 20, gas=21000)
        second = driver.submit("0x" + "66" * 20, gas=21000)
        for tx in (first, second):
            driver.wait_tx(tx, "settled", 60)


def _last(chain, raw: bytes) -> tuple[int, int]:
    tx = chain.rpc.call("eth_getTransactionByHash", "0x" + crypto.keccak(raw).hex())
    return int(tx["maxFeePerGas"], 16), int(tx["maxPriorityFeePerGas"], 16)


def test_another_writer(sealed):
    chain, secret = sealed.chain, fund(sealed.chain, "writer")
    with Driver(sealed, sign_by=secret, block_time_ms=1000) as driver:
        def steal(event):
            driver.sign_hook = None
            raw = rlp.sign_1559(secret, chain.chain_id, event["nonce"], b"\x55" * 20, gas=21000)
            chain.rpc.wait_receipt(chain.rpc.call("eth_sendRawTransaction", "0x" + raw.hex()))
        driver.sign_hook = steal
        tx = driver.submit(sealed.contract.address, sealed.message_data(b"stolen"), gas=GAS)
        driver.wait_tx(tx, "settled", 60)
        assert driver.wait_tx(tx, "included")["nonce"] == 1


def test_poor_account_and_bad_transactions(sealed):
    secret = crypto.number(crypto.keccak(str(time.monotonic_ns()).encode())) % crypto.N
    with Driver(sealed, sign_by=secret, block_time_ms=1000) as driver:
        tx = driver.submit(sealed.contract.address, sealed.message_data(b"poor"), gas=GAS)
        assert driver.wait_tx(tx, "stuck")["err"] == "no-funds"
        for raw, err in ((rlp.sign_1559(secret, 1, 0, b"\x11" * 20), "invalid"), (b"\x02\xc0", "invalid"), (b"", "invalid")):
            assert driver.ask("send_raw", data="0x" + raw.hex())["err"] == err
        sealed.chain.rpc.wait_receipt(sealed.chain.rpc.send(sealed.chain.accounts[0], address(secret), value=10**18, gas=21000))
        driver.wait_tx(tx, "settled", 60)


def test_another_chain(sealed):
    with Driver(sealed, genesis=REMOTE_GENESIS) as driver:
        assert driver.wait(lambda e: e["event"] == "endpoint")["state"] == "wrong-chain"
