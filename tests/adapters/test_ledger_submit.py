"""Transactions of a ledger that are refused, lost, late, overtaken, or that a node lies about: each happens once, or is known never to."""
from __future__ import annotations

import base64
import json
import threading

import pytest

from adapters.ledger_driver import TIMEOUT_S, LedgerDriver, address, fund
from adapters.proxies import Raw, RpcProxy, twist
from lib import abi, crypto
from lib import ledger_tx as lt
from lib.chains import secret_of
from lib.rpc import wait_for

GAS = 3_000_000
# So soon a transaction expires here: a few blocks.
VALID_S = 6


@pytest.fixture
def secret(ledger):
    return fund(ledger.chain, "gas")


@pytest.fixture
def proxy(ledger):
    with RpcProxy(ledger.chain.url) as p:
        yield p


def open_driver(ledger, secret: int, **config) -> LedgerDriver:
    driver = LedgerDriver(ledger, sign_by=secret, **{"ws": [], "valid_s": 60, **config})
    return driver


def submit(driver, payload: bytes, repeat: bool = True, gas: int = GAS, **fields) -> int:
    return driver.submit(driver.gateway.contract.address, driver.gateway.message_data(payload), repeat, gas=gas, **fields)


def happened(driver, payload: bytes) -> int:
    """How many messages with this payload were reported."""
    return sum(e.get("payload") == abi.to_hex(payload) for b in driver.blocks(late=False) for e in b["events"])


def sequence(ledger, secret: int) -> int:
    return ledger.chain.rpc.account(address(secret))[0]


def swallow(proxy, until: threading.Event | None = None, answer: dict | None = None):
    """A node that says that it took a transaction, and drops it; or keeps it back until the event."""
    def before(calls):
        for call in calls:
            if call["method"] == "broadcast_tx_sync" and until is None:
                result = answer or {"code": 0, "data": "", "log": "", "codespace": "", "hash": "AB" * 32}
                raise Raw(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}).encode())
            if call["method"] == "broadcast_tx_sync":
                until.wait(TIMEOUT_S)
    proxy.before = before


# ---- the way of one ----

def test_one_after_the_other(ledger, secret):
    with open_driver(ledger, secret, in_flight_max=4) as driver:
        txs = [submit(driver, b"order %d" % i, gas=0 if i == 0 else GAS) for i in range(10)]
        for i, tx in enumerate(txs):
            driver.wait_tx(tx, "settled")
            assert driver.wait_tx(tx, "included")["nonce"] == i and driver.wait_tx(tx, "included")["succeeded"]
        assert [s["nonce"] for s in driver.signed] == list(range(10)) and driver.signed[0]["gas"] > 100_000
        assert all(happened(driver, b"order %d" % i) == 1 for i in range(10))
        assert sequence(ledger, secret) == 10


def test_what_would_revert_is_not_sent(ledger, secret):
    with open_driver(ledger, secret) as driver:
        driver.catch_up()
        tx = driver.submit(ledger.contract.address, b"\xde\xad\xbe\xef")
        assert driver.wait_tx(tx, "failed")["err"] == "reverted" and not driver.signed
        # With gas that the caller names nobody asks before: it is in a block, and did nothing.
        tx = driver.submit(ledger.contract.address, b"\xde\xad\xbe\xef", gas=GAS)
        assert driver.wait_tx(tx, "included")["succeeded"] is False
        driver.wait_tx(tx, "settled")
        assert sequence(ledger, secret) == 1


def test_a_refusal_leaves_no_hole(ledger, secret):
    with open_driver(ledger, secret) as driver:
        def refuse(event):
            driver.sign_hook = None
            driver.tell("signed", tx=event["tx"], refused="forbidden")
            return True

        driver.sign_hook = refuse
        refused, good = submit(driver, b"refused"), submit(driver, b"good")
        assert driver.wait_tx(refused, "failed")["err"] == "forbidden"
        driver.wait_tx(good, "settled")
        assert driver.wait_tx(good, "included")["nonce"] == 0 and happened(driver, b"refused") == 0


def test_an_empty_account_waits_for_money(ledger):
    secret = secret_of("nobody gave it anything")
    with open_driver(ledger, secret, valid_s=VALID_S) as driver:
        tx = submit(driver, b"poor")
        assert driver.wait_tx(tx, "stuck")["err"] == "no-funds"
        ledger.chain.rpc.wait_receipt(ledger.chain.rpc.send(ledger.chain.accounts[1], address(secret), value=10**12), TIMEOUT_S)
        driver.wait_tx(tx, "settled")
        assert happened(driver, b"poor") == 1


def test_a_price_above_the_cap_is_not_offered(ledger, secret, proxy):
    """What a node says that the chain asks for is bounded by the operator."""
    price = 48
    proxy.after = twist("abci_query", lambda r: {**r, "response": {**r["response"], "value": _with_price(r["response"]["value"], price, 10**15)}})
    with open_driver(ledger, secret, http=[proxy.url]) as driver:
        tx = submit(driver, b"dear")
        assert driver.wait_tx(tx, "stuck")["err"] == "policy-fee" and not driver.signed
        proxy.after = lambda call, reply: reply
        driver.wait_tx(tx, "settled")
        assert driver.signed[-1]["max"] == 1


def _with_price(value: str | None, at: int, price: int) -> str | None:
    raw = base64.b64decode(value or "")
    return base64.b64encode(raw[:at] + price.to_bytes(16, "big") + raw[at + 16:]).decode() if len(raw) == 72 else value


# ---- cancelled ----

def test_cancelled_before_it_was_sent(ledger, secret):
    """While its signature is on its way: the bytes never leave, and the next one has its sequence."""
    with open_driver(ledger, secret) as driver:
        driver.sign_hook = lambda event: True  # no answer yet
        tx = submit(driver, b"cancelled early")
        event = driver.wait(lambda e: e["event"] == "sign")
        assert driver.ask("cancel", tx=tx)["err"] == "ok" and not driver.states(tx)
        driver.sign_hook = None
        driver._sign(event)
        assert driver.wait_tx(tx, "failed")["err"] == "closed"
        after = submit(driver, b"after it")
        driver.wait_tx(after, "settled")
        assert driver.signed[-1]["nonce"] == 0 and happened(driver, b"cancelled early") == 0 and sequence(ledger, secret) == 1


def test_cancelled_while_it_waits_for_money(ledger):
    """A node has seen its bytes, and may send them on once there is money: it ends with them, and is not signed again."""
    secret = secret_of("nobody gave this one anything either")
    with open_driver(ledger, secret, valid_s=VALID_S) as driver:
        tx = submit(driver, b"poor and cancelled")
        assert driver.wait_tx(tx, "stuck")["err"] == "no-funds"
        assert driver.ask("cancel", tx=tx)["err"] == "ok"
        assert driver.wait_tx(tx, "failed")["err"] == "closed"
        signed, = driver.signed
        assert ledger.chain.rpc.time() > signed["valid_until"]
        ledger.chain.rpc.wait_receipt(ledger.chain.rpc.send(ledger.chain.accounts[1], address(secret), value=10**12), TIMEOUT_S)
        driver.wait_tx(submit(driver, b"rich"), "settled")
        assert happened(driver, b"poor and cancelled") == 0 and sequence(ledger, secret) == 1


@pytest.mark.parametrize("repeat", [True, False])
def test_cancelled_after_a_node_took_it(ledger, secret, proxy, repeat):
    """Its bytes are somewhere, and a ledger has no cancellation: it ends when no block can take it any more, and is not signed again."""
    swallow(proxy)
    with open_driver(ledger, secret, http=[proxy.url], valid_s=VALID_S, resend_blocks=2) as driver:
        tx = submit(driver, b"swallowed", repeat)
        driver.wait_tx(tx, "sent")
        assert driver.ask("cancel", tx=tx)["err"] == "ok" and driver.states(tx) == ["sent"]
        assert driver.wait_tx(tx, "failed")["err"] == "closed"
        signed, = driver.signed
        assert ledger.chain.rpc.time() > signed["valid_until"]
        proxy.before = lambda calls: None
        assert driver.ask("send_raw", data=signed["raw"])["err"] in ("timeout", "nonce"), "no block takes it"
        driver.wait_tx(submit(driver, b"the next"), "settled")
        assert happened(driver, b"swallowed") == 0 and sequence(ledger, secret) == 1


def test_cancelled_too_late(ledger, secret, proxy):
    """The race that a cancellation loses: the block has it, and it is told as it happened; in a block it cannot be cancelled."""
    go = threading.Event()
    swallow(proxy, go)
    with open_driver(ledger, secret, http=[proxy.url], settle_blocks=20) as driver:
        tx = submit(driver, b"too late to cancel", repeat=False)
        driver.wait_for(lambda: proxy.methods.count("broadcast_tx_sync") >= 1)
        assert driver.ask("cancel", tx=tx)["err"] == "ok"
        go.set()
        assert driver.wait_tx(tx, "included")["succeeded"] and happened(driver, b"too late to cancel") == 1
        assert driver.ask("cancel", tx=tx)["err"] == "conflict"
        assert len(driver.signed) == 1 and sequence(ledger, secret) == 1


# ---- refused by CheckTx ----

class Mangler(LedgerDriver):
    """Its first attempt has a signature of something else."""

    def sign(self, event, to, data):
        raw, digest = super().sign(event, to, data)
        return (raw[:-2] + bytes([raw[-2] ^ 1]) + raw[-1:], digest) if event["attempt"] == 0 else (raw, digest)


def test_refused_by_the_node(ledger, secret):
    """Where another execution does no harm it ends at once; else when it has expired, because who refused it may have sent it on."""
    with Mangler(ledger, sign_by=secret, ws=[], valid_s=VALID_S) as driver:
        tx = submit(driver, b"mangled")
        assert driver.wait_tx(tx, "failed")["err"] == "bad-signature"
        tx = submit(driver, b"mangled, too", repeat=False)
        assert driver.wait_tx(tx, "failed")["err"] == "bad-signature"
        signed = driver.signed[-1]
        assert ledger.chain.rpc.time() > signed["valid_until"]
        assert happened(driver, b"mangled") + happened(driver, b"mangled, too") == 0 and sequence(ledger, secret) == 0


@pytest.mark.parametrize("code", [1, 5, 6, 9, 11, 77])
def test_a_node_that_refuses_what_is_good(ledger, secret, proxy, code):
    """Alone it delays: the same transaction, which may not repeat, happens once, whatever the node says of it."""
    swallow(proxy, answer={"code": code, "log": "no"})
    with open_driver(ledger, secret, http=[proxy.url], valid_s=VALID_S) as driver:
        tx = submit(driver, b"denied %d" % code, repeat=False)
        driver.wait_for(lambda: proxy.methods.count("broadcast_tx_sync") >= 1)
        proxy.before = lambda calls: None
        driver.wait_for(lambda: {"failed", "settled"} & set(driver.states(tx)))
        assert happened(driver, b"denied %d" % code) == ("settled" in driver.states(tx))
        assert sequence(ledger, secret) == ("settled" in driver.states(tx))


# ---- lost and late ----

def test_lost_at_one_node_it_goes_to_the_other(ledger, secret, proxy):
    swallow(proxy)
    with open_driver(ledger, secret, http=[proxy.url, ledger.chain.url], resend_blocks=2) as driver:
        tx = submit(driver, b"lost once")
        driver.wait_tx(tx, "settled")
        assert driver.counters()["txs_resent"] >= 1 and len(driver.signed) == 1 and happened(driver, b"lost once") == 1


@pytest.mark.parametrize("repeat", [True, False])
def test_lost_everywhere_it_expires_and_is_signed_again(ledger, secret, proxy, repeat):
    swallow(proxy)
    with open_driver(ledger, secret, http=[proxy.url], valid_s=VALID_S, resend_blocks=2) as driver:
        tx = submit(driver, b"lost", repeat)
        driver.wait_for(lambda: len(driver.signed) >= 2)
        proxy.before = lambda calls: None
        driver.wait_tx(tx, "settled")
        first, second = driver.signed[0], driver.signed[1]
        assert second["valid_until"] > first["valid_until"] and second["nonce"] == first["nonce"] == 0
        assert happened(driver, b"lost") == 1 and sequence(ledger, secret) == 1


def test_included_late(ledger, secret, proxy):
    """Kept back by the node for some blocks and then sent on, while it was sent again elsewhere: it happens once."""
    go = threading.Event()
    swallow(proxy, go)
    with open_driver(ledger, secret, http=[proxy.url], resend_blocks=2, request_timeout_ms=1000) as driver:
        tx = submit(driver, b"late", repeat=False)
        driver.wait_for(lambda: proxy.methods.count("broadcast_tx_sync") >= 1)
        ledger.chain.rpc.wait_blocks(6)
        assert sequence(ledger, secret) == 0
        go.set()
        driver.wait_tx(tx, "settled")
        ledger.chain.rpc.wait_blocks(4)
        driver.catch_up()
        assert happened(driver, b"late") == 1 and sequence(ledger, secret) == 1 and len(driver.signed) == 1


def test_after_its_end_no_block_takes_it(ledger, secret, proxy):
    """The bytes that were kept back come out when another attempt was signed: they are refused."""
    swallow(proxy)
    with open_driver(ledger, secret, http=[proxy.url], valid_s=VALID_S) as driver:
        tx = submit(driver, b"too late", repeat=False)
        driver.wait_for(lambda: len(driver.signed) >= 2)
        old = driver.signed[0]["raw"]
        assert driver.ask("send_raw", data=old)["err"] == "ok"  # the liar's word
        proxy.before = lambda calls: None
        assert driver.ask("send_raw", data=old)["err"] in ("timeout", "nonce")
        driver.wait_tx(tx, "settled")
        assert happened(driver, b"too late") == 1


# ---- another sender of the same account ----

def other_first(ledger, secret, driver):
    """Somebody with the same key sends a transaction with the sequence that was just signed."""
    def hook(event):
        driver.sign_hook = None
        key = lt.Secp256k1(secret)
        body = lt.Body(chain=ledger.chain.rpc.chain_tag, sender=key.address, sequence=event["nonce"],
                       calls=[lt.Call(abi.to_bytes(ledger.chain.accounts[2]), 1, b"")], gas_limit=GAS)
        raw = lt.transaction(key, body)
        assert ledger.chain.rpc.ask("broadcast_tx_sync", tx=base64.b64encode(raw).decode())["code"] == 0
        wait_for(lambda: sequence(ledger, secret) > event["nonce"], TIMEOUT_S, "the other one's block")
        return False
    driver.sign_hook = hook


@pytest.mark.parametrize("repeat", [True, False])
def test_overtaken_by_another_sender(ledger, secret, repeat):
    """Under the next free sequence once it is sure: at once where a repetition does no harm, else when the first attempt has expired."""
    with open_driver(ledger, secret, valid_s=VALID_S if not repeat else 600) as driver:
        other_first(ledger, secret, driver)
        tx = submit(driver, b"overtaken", repeat)
        driver.wait_tx(tx, "settled")
        assert [s["nonce"] for s in driver.signed][:2] == [0, 1] and happened(driver, b"overtaken") == 1
        assert sequence(ledger, secret) == 2
        if not repeat:
            assert driver.signed[1]["valid_until"] > driver.signed[0]["valid_until"]
        else:
            assert driver.counters()["nonces_resynced"] >= 1


def test_a_sequence_that_is_not_the_accounts(ledger, secret, proxy):
    """A node that names a sequence far ahead: what is signed under it never happens, and after its end another is."""
    def ahead(result):
        raw = base64.b64decode(result["response"]["value"] or "")
        if len(raw) != 40:
            return result
        value = (int.from_bytes(raw[:8], "big") + 100).to_bytes(8, "big") + raw[8:]
        return {**result, "response": {**result["response"], "value": base64.b64encode(value).decode()}}

    proxy.after = twist("abci_query", ahead)
    with open_driver(ledger, secret, http=[proxy.url], valid_s=VALID_S) as driver:
        tx = submit(driver, b"ahead", repeat=False)
        driver.wait_for(lambda: driver.signed)
        proxy.after = lambda call, reply: reply
        driver.wait_tx(tx, "settled")
        assert driver.signed[0]["nonce"] == 100 and driver.signed[-1]["nonce"] == 0 and happened(driver, b"ahead") == 1


# ---- lies about what became of it ----

@pytest.mark.parametrize("lie", [{"code": 6}, {"code": 32}, {"gas_used": "1"}, {"code": 0, "data": "AAAA"}])
def test_a_result_that_the_next_header_does_not_have(ledger, secret, proxy, lie):
    """A node that says "not taken" of what was: without it nothing would be known, and it would be paid twice. Nothing is done before
    the results are those under the next header."""
    def after(call, reply):
        if call["method"] == "block_results" and reply.get("result") and reply["result"]["txs_results"]:
            changed = [{**r, **lie, **({"events": []} if lie.get("code") else {})} for r in reply["result"]["txs_results"]]
            return {**reply, "result": {**reply["result"], "txs_results": changed}}
        return reply

    with open_driver(ledger, secret, http=[proxy.url], valid_s=VALID_S) as driver:
        driver.catch_up()
        proxy.after = after
        tx = submit(driver, b"lied about", repeat=False)
        driver.wait_for(lambda: sequence(ledger, secret) == 1, what="its block")
        ends = driver.signed[0]["valid_until"]
        driver.wait_for(lambda: ledger.chain.rpc.time() > ends + 2, what="its end")
        driver.wait_for(lambda: driver.lies() >= 1)
        assert len(driver.signed) == 1 and not {"included", "failed"} & set(driver.states(tx))
        proxy.after = lambda call, reply: reply
        driver.wait_tx(tx, "settled")
        assert driver.wait_tx(tx, "included")["succeeded"] and len(driver.signed) == 1
        assert happened(driver, b"lied about") == 1 and sequence(ledger, secret) == 1


def test_a_block_without_the_transaction(ledger, secret, proxy):
    """A node that leaves it out of its block: the data hash says otherwise."""
    def after(call, reply):
        if call["method"] == "block" and reply.get("result"):
            block = reply["result"]["block"]
            return {**reply, "result": {**reply["result"], "block": {**block, "data": {"txs": []}}}}
        return reply

    with open_driver(ledger, secret, http=[proxy.url], valid_s=VALID_S) as driver:
        driver.catch_up()
        proxy.after = after
        tx = submit(driver, b"left out", repeat=False)
        driver.wait_for(lambda: sequence(ledger, secret) == 1, what="its block")
        driver.wait_for(lambda: driver.lies() >= 1)
        ends = driver.signed[0]["valid_until"]
        driver.wait_for(lambda: ledger.chain.rpc.time() > ends + 2, what="its end")
        proxy.after = lambda call, reply: reply
        driver.wait_tx(tx, "settled")
        assert len(driver.signed) == 1 and happened(driver, b"left out") == 1


# ---- crashes ----

def resume_of(signed: dict) -> dict:
    """What the journal has of a transaction."""
    return {"nonce": signed["nonce"], "gas": signed["gas"], "max": signed["max"], "tip": 0, "hashes": [signed["hash"]], "raw": signed["raw"]}


@pytest.mark.parametrize("sent", [True, False])
def test_a_crash_with_a_transaction_under_way(ledger, secret, proxy, sent):
    """Signed and written down, sent or not: after the restart it happens, once, with the same bytes."""
    if not sent:
        swallow(proxy)
    driver = open_driver(ledger, secret, http=[proxy.url])
    driver.wait(lambda e: e["event"] == "started")
    submit(driver, b"crash", repeat=False)
    driver.wait_for(lambda: driver.signed and "broadcast_tx_sync" in proxy.methods)
    driver.wait(lambda e: e["event"] == "progress")
    driver.kill()
    cursor, signed = driver.cursor(), driver.signed[0]
    if sent:
        wait_for(lambda: sequence(ledger, secret) == 1, TIMEOUT_S, "its block")
    proxy.before = lambda calls: None
    with open_driver(ledger, secret, http=[proxy.url], cursor=cursor) as driver:
        tx = submit(driver, b"crash", repeat=False, resume=resume_of(signed))
        assert driver.wait_tx(tx, "included")["hash"] == signed["hash"]
        driver.wait_tx(tx, "settled")
        assert not driver.signed and happened(driver, b"crash") == 1 and sequence(ledger, secret) == 1


def test_a_crash_when_the_block_was_reported(ledger, secret):
    """Its block is below the cursor and is not reported again: the journal has it. It is not signed anew when its bytes have expired."""
    driver = open_driver(ledger, secret, valid_s=VALID_S, settle_blocks=1000)
    driver.wait(lambda e: e["event"] == "started")
    included = driver.wait_tx(submit(driver, b"reported", repeat=False), "included")
    height = included["block"]["height"]
    driver.wait_height(height)
    driver.kill()
    cursor, signed = driver.cursor(), driver.signed[0]
    with open_driver(ledger, secret, cursor=cursor, valid_s=VALID_S, settle_blocks=1000) as driver:
        tx = submit(driver, b"reported", repeat=False, resume={**resume_of(signed), "included": height})
        driver.wait_for(lambda: ledger.chain.rpc.time() > signed["valid_until"] + 2, what="its end")
        driver.catch_up()
        assert not driver.signed and driver.states(tx) == [] and sequence(ledger, secret) == 1
    with open_driver(ledger, secret, cursor=cursor, valid_s=VALID_S) as driver:
        tx = submit(driver, b"reported", repeat=False, resume={**resume_of(signed), "included": height})
        settled = driver.wait_tx(tx, "settled")
        assert settled["hash"] == signed["hash"] and settled["block"]["height"] == height and settled["succeeded"]
        after = driver.wait_tx(submit(driver, b"after", repeat=False), "settled")
        assert after["nonce"] == 1 and not any(s["tx"] == tx for s in driver.signed)


def test_somebody_elses_transaction(ledger, secret):
    key, chain = lt.Secp256k1(secret), ledger.chain.rpc.chain_tag
    call = lt.Call(abi.to_bytes(ledger.contract.address), 0, ledger.message_data(b"else"))
    good, wrong = (abi.to_hex(lt.transaction(key, lt.Body(chain=c, sender=key.address, sequence=0, calls=[call], gas_limit=GAS)))
                   for c in (chain, crypto.keccak(b"another")))
    with open_driver(ledger, secret) as driver:
        driver.catch_up()
        assert driver.ask("send_raw", data=good)["err"] == "ok"
        assert driver.ask("send_raw", data=good)["err"] in ("ok", "nonce")  # known already, or in a block
        assert driver.ask("send_raw", data=wrong)["err"] == "wrong-chain"
        assert driver.ask("send_raw", data="0x01")["err"] == "invalid"
        driver.wait_for(lambda: happened(driver, b"else") == 1)
