"""Nodes that are cut, slow, limited, behind, or lie: nothing is lost, nothing false is reported, and it is told."""
from __future__ import annotations

import json
import threading
from urllib.parse import urlsplit

import pytest

from adapters.driver import Driver, fund
from adapters.proxies import BODIES, WHOLE, Raw, Relay, RpcProxy, twist
from lib import chains, crypto


@pytest.fixture
def proxy(auto):
    with RpcProxy(auto.chain.url) as p:
        yield p


def lies(driver) -> int:
    return sum(e["lies"] for e in driver.ask("endpoints")["endpoints"])


def test_websocket_is_cut(auto):
    with Relay(auto.chain.port) as relay, Driver(auto, ws=[f"ws://127.0.0.1:{relay.port}"], poll_ms=600_000) as driver:
        driver.wait(lambda e: e["event"] == "endpoint" and e["websocket"] and e["state"] == "ok")
        driver.wait_messages(auto.sent(auto.send(1)))
        relay.refuse = True
        relay.cut()
        driver.wait(lambda e: e["event"] == "endpoint" and e["websocket"] and e["state"] == "failing")
        while_cut = auto.sent(auto.send(3, b"cut"))
        relay.refuse = False  # the polls are ten minutes apart: only the connection itself can bring them
        driver.wait_messages(while_cut)
        driver.wait_messages(auto.sent(auto.send(1)))
        assert driver.counters()["ws_connects"] >= 2


def test_websocket_that_says_nothing(auto):
    with Relay(auto.chain.port) as relay, Driver(auto, ws=[f"ws://127.0.0.1:{relay.port}"]) as driver:
        driver.wait(lambda e: e["event"] == "endpoint" and e["websocket"] and e["state"] == "ok")
        relay.hold()
        for _ in range(6):
            ids = auto.sent(auto.send(1, b"silent"))
            driver.wait_messages(ids)
        driver.wait_for(lambda: driver.counters()["ws_silent"] >= 1)


def test_garbage_on_the_websocket(auto):
    import base64
    import hashlib
    import socket
    import threading
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        client, _ = listener.accept()
        request = client.recv(4096).decode()
        key = next(line.split(": ")[1] for line in request.split("\r\n") if line.lower().startswith("sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        client.sendall(f"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        for text in (b"[[[[", b"{\"id\":1", b"null", b"{\"method\":7}", b"[" * 100, b"{\"error\":{\"code\":1,\"message\":\"no\"},\"id\":1}"):
            client.sendall(bytes([0x81, len(text)]) + text)
        client.recv(4096)

    threading.Thread(target=serve, daemon=True).start()
    with Driver(auto, ws=[f"ws://127.0.0.1:{listener.getsockname()[1]}"]) as driver:
        driver.wait_messages(auto.sent(auto.send(1, b"garbage")))
        driver.wait_for(lambda: driver.ask("endpoints")["endpoints"][1]["errors"] >= 4)
    listener.close()


@pytest.mark.parametrize("what", BODIES)
def test_answers_that_are_none(auto, proxy, what):
    """The bad endpoint comes first in the list; the good one behind it serves, and the bad one is told."""
    with Driver(auto, http=[proxy.url, auto.chain.url], ws=[]) as driver:
        driver.wait_height(auto.chain.rpc.block_number())

        def bad(calls):
            raise Raw(BODIES[what])

        proxy.before = bad
        driver.wait_messages(auto.sent(auto.send(2, what.encode())))
        event = driver.wait(lambda e: e["event"] == "endpoint" and e["state"] == "failing")
        assert "secret" not in json.dumps(driver.events) and event["url"] == proxy.url.rsplit("/", 2)[0]
        proxy.before = lambda calls: None
        driver.wait(lambda e: e["event"] == "endpoint" and e["state"] == "ok", since=driver.events.index(event))


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_http_errors(auto, proxy, status):
    with Driver(auto, http=[proxy.url, auto.chain.url], ws=[]) as driver:
        driver.wait_height(auto.chain.rpc.block_number())

        def bad(calls):
            raise Raw(b"slow down", status)

        proxy.before = bad
        driver.wait_messages(auto.sent(auto.send(1, b"status")))
        assert driver.ask("endpoints")["endpoints"][0]["errors"] > 0


@pytest.mark.parametrize("what", WHOLE)
def test_answers_to_other_questions(auto, proxy, what):
    with Driver(auto, http=[proxy.url, auto.chain.url], ws=[]) as driver:
        driver.wait_height(auto.chain.rpc.block_number())
        proxy.whole = WHOLE[what]
        driver.wait_messages(auto.sent(auto.send(1, b"ids")))
        driver.wait_for(lambda: lies(driver) >= 1)


LIES = {
    "a field of the header": ("eth_getBlockByNumber", lambda r: dict(r, timestamp=hex(int(r["timestamp"], 16) + 1))),
    "the hash of the header": ("eth_getBlockByNumber", lambda r: dict(r, hash="0x" + "ab" * 32)),
    "a header without a field": ("eth_getBlockByNumber", lambda r: {k: v for k, v in r.items() if k != "stateRoot"}),
    "a number that is none": ("eth_getBlockByNumber", lambda r: dict(r, gasLimit="0xzz")),
    "a number that is too large": ("eth_getBlockByNumber", lambda r: dict(r, number="0x" + "f" * 65)),
    "a block that is a list": ("eth_getBlockByNumber", lambda r: [r]),
}


@pytest.mark.parametrize("what", LIES)
def test_lies_while_watching(auto, proxy, what):
    """The liar alone: nothing false is reported. With an honest one beside it: nothing is missing."""
    method, change = LIES[what]
    with Driver(auto, http=[proxy.url], ws=[]) as driver:
        driver.wait_height(auto.chain.rpc.block_number())
        top = len(driver.messages())
        proxy.after = twist(method, change)
        ids = auto.sent(auto.send(1, what.encode()))
        driver.wait_for(lambda: lies(driver) >= 1)
        assert len(driver.messages()) == top
        proxy.after = lambda call, reply: reply
        driver.wait_messages(ids)
    with Driver(auto, http=[proxy.url, auto.chain.url], ws=[]) as driver:
        proxy.after = twist(method, change)
        driver.wait_messages(ids + auto.sent(auto.send(1)))


FINALIZED = "0x" + crypto.keccak(b"MessageFinalized(bytes32,bytes32,uint8)").hex()


def forged(like: dict) -> dict:
    """A MessageFinalized that never was."""
    return dict(like, topics=[FINALIZED, "0x" + "ab" * 32, "0x" + "cd" * 32], data="0x" + (3).to_bytes(32, "big").hex(),
                logIndex=hex(int(like["logIndex"], 16) + 1))


def kinds(driver) -> set[str]:
    return {e["kind"] for b in driver.blocks() for e in b["events"]}


def test_what_get_logs_says_is_not_believed(auto, proxy):
    """Live and in a backfill the receipts decide: whatever eth_getLogs brings or keeps back."""
    before = auto.sent(auto.send(2, b"before"))
    for change in (lambda r: [], lambda r: r + [forged(r[-1])] if r else r):
        proxy.after = twist("eth_getLogs", change)
        with Driver(auto, http=[proxy.url], ws=[]) as driver:
            txs = auto.send(2, b"live")
            driver.wait_messages(before + auto.sent(txs))
            assert set(txs) <= {e["tx"] for b in driver.blocks() for e in b["events"]}
            assert kinds(driver) == {"message"}
            top = auto.chain.rpc.block_number()
            driver.wait_height(top)
            assert driver.ask("rescan", first=auto.height, last=top)["err"] == "ok"
            assert kinds(driver) == {"message"} and len(driver.messages()) == len(driver.messages(late=False)) + len(driver.messages(late=True))


def test_forged_receipts_are_not_believed(auto, proxy):
    """A receipt with an event more does not make the root: nothing is reported alone, all of it with an honest one beside."""
    def forge(call, reply):
        result = reply.get("result")
        if call["method"] == "eth_getBlockReceipts" and result:
            result[-1] = dict(result[-1], logs=result[-1]["logs"] + [forged(result[-1]["logs"][-1])])
        if call["method"] == "eth_getTransactionReceipt" and result:
            reply = dict(reply, result=dict(result, logs=result["logs"] + [forged(result["logs"][-1])]))
        return reply

    with Driver(auto, http=[proxy.url], ws=[]) as driver:
        driver.wait_height(auto.chain.rpc.block_number())
        held = len(driver.messages())
        proxy.after = forge
        ids = auto.sent(auto.send(1, b"forged"))
        driver.wait_for(lambda: lies(driver) >= 2)
        assert len(driver.messages()) == held and kinds(driver) <= {"message"}
    with Driver(auto, http=[proxy.url, auto.chain.url], ws=[]) as driver:
        driver.wait_messages(ids)
        assert kinds(driver) == {"message"}


def test_a_node_that_keeps_the_receipts_back(auto, proxy):
    with Driver(auto, http=[proxy.url, auto.chain.url], ws=[]) as driver:
        driver.wait_height(auto.chain.rpc.block_number())
        driver.wait_for(lambda: all(e["state"] == "ok" for e in driver.ask("endpoints")["endpoints"]))
        proxy.after = lambda call, reply: dict(reply, result=None) if "Receipt" in call["method"] else reply
        driver.wait_messages(auto.sent(auto.send(2, b"kept back")))


def test_calls_of_one_message(auto, proxy):
    """A block with a message: its header, its receipts, and nothing else; a block without one: its header."""
    with Driver(auto, http=[proxy.url], ws=[]) as driver:
        driver.wait_height(auto.chain.rpc.block_number())
        driver.pump(0.5)
        proxy.methods.clear()
        driver.wait_messages(auto.sent(auto.send(1, b"counted")))
        driver.pump(0.5)
        asked = [m for m in proxy.methods if m not in ("eth_chainId", "eth_blockNumber", "eth_getBlockByNumber")]
        assert asked == ["eth_getBlockReceipts"], proxy.methods


# emits LOG4 with topics n, n-3, n-2, n-1 for n = calldata[0], less 4 each time, down to 0
SPAM = bytes.fromhex("600035" "5b" "8015602257" "60018103" "60028203" "60038303" "83" "60006000a4" "60049003600356" "5b00")


@pytest.fixture(scope="module")
def spammer(auto):
    """A contract that fills a bloom."""
    rpc = auto.chain.rpc
    code = bytes([0x60, len(SPAM), 0x80, 0x60, 0x0b, 0x60, 0x00, 0x39, 0x60, 0x00, 0xf3]) + SPAM
    tx = rpc.call("eth_sendTransaction", {"from": auto.chain.accounts[5], "data": "0x" + code.hex(), "gas": hex(200_000)})
    return rpc.wait_receipt(tx)["contractAddress"]


def full_blocks(auto, spammer, count: int, payload: bytes) -> tuple[list[str], list[int]]:
    """Blocks with a message each and so many other logs that their blooms say nothing."""
    rpc = auto.chain.rpc
    ids, heights = [], []
    for _ in range(count):
        rpc.call("evm_setAutomine", False)
        txs = auto.send(1, payload)
        rpc.call("eth_sendTransaction", {"from": auto.chain.accounts[5], "to": spammer, "data": "0x" + (1200).to_bytes(32, "big").hex(),
                                         "gas": hex(1_500_000)})
        auto.chain.mine()
        rpc.call("evm_setAutomine", True)
        ids += auto.sent(txs)
        block = rpc.block(rpc.block_number())
        assert bin(int(block["logsBloom"], 16)).count("1") >= 1280 and len(block["transactions"]) == 2
        heights.append(rpc.block_number())
    return ids, heights


def hide(hidden: set[int]):
    return twist("eth_getLogs", lambda r: [x for x in r if int(x["blockNumber"], 16) not in hidden])


def test_full_blooms_of_a_backfill(auto, proxy, spammer):
    """There eth_getLogs names the blocks, and their receipts are read; what it brings besides is not believed."""
    cursor = _cursor_now(auto)
    ids, _ = full_blocks(auto, spammer, 4, b"full")
    proxy.after = twist("eth_getLogs", lambda r: r + [forged(r[-1])])
    with Driver(auto, http=[proxy.url], ws=[], cursor=cursor) as driver:
        driver.wait_messages(ids)
        driver.wait_height(auto.chain.rpc.block_number())
        assert "eth_getLogs" in proxy.methods and kinds(driver) == {"message"} and driver.messages() == ids


def _cursor_now(auto) -> str:
    with Driver(auto, ws=[]) as driver:
        driver.wait_height(auto.chain.rpc.block_number())
        return driver.cursor()


def test_the_reconciler_finds_what_was_held_back(auto, proxy, spammer):
    cursor = _cursor_now(auto)
    ids, heights = full_blocks(auto, spammer, 3, b"held back")
    auto.chain.mine(2)
    proxy.after = hide({heights[1]})
    with Driver(auto, http=[proxy.url], ws=[], cursor=cursor, reconcile_ms=300) as driver:
        driver.wait_messages([ids[0], ids[2]])
        driver.wait_height(auto.chain.rpc.block_number())
        assert ids[1] not in driver.messages()
        proxy.after = twist("eth_getLogs", lambda r: r + [forged(r[-1])] if r else r)
        driver.wait_messages(ids)
        assert driver.blocks(late=True) and driver.counters()["late"] == 1 and kinds(driver) == {"message"}


@pytest.mark.parametrize("method", ["eth_getLogs", "eth_getBlockReceipts"])
def test_the_reconciler_delays_no_live_event(auto, proxy, method):
    """Its request hangs at the only node, be it for names of blocks or for the receipts of one: whatever is live is reported
    before it is answered."""
    ids = auto.sent(auto.send(2, b"before the start"))
    with Driver(auto) as driver:
        driver.wait_messages(ids)
        driver.wait_height(auto.chain.rpc.block_number())
        cursor, old = driver.cursor(), {b["block"]["hash"] for b in driver.blocks()}
    hangs, answered = threading.Event(), threading.Event()

    def before(calls):
        if any(c["method"] == method and (method == "eth_getLogs" or c["params"][0] in old) for c in calls):
            hangs.set()
            answered.wait(60)

    proxy.before = before
    try:
        with Driver(auto, http=[proxy.url], ws=[], cursor=cursor, reconcile_ms=200, poll_ms=200, request_timeout_ms=60_000) as driver:
            assert hangs.wait(20)
            for _ in range(3):
                driver.wait_messages(auto.sent(auto.send(1, b"live")))
            assert not answered.is_set() and not driver.blocks(late=True)
            answered.set()
            driver.wait_for(lambda: set(ids) <= set(driver.messages(late=True)))
    finally:
        answered.set()


def test_the_reconciler_leaves_alone_what_is_proven(auto, proxy, spammer):
    """What receipts told is never asked for again; what only eth_getLogs spoke of is, at pauses that double."""
    _, heights = full_blocks(auto, spammer, 3, b"doubt")
    auto.chain.mine(2)
    asked: list[tuple[int, int]] = []

    def before(calls):
        asked.extend((int(c["params"][0]["fromBlock"], 16), int(c["params"][0]["toBlock"], 16)) for c in calls
                     if c["method"] == "eth_getLogs")

    proxy.after, proxy.before = hide({heights[1]}), before
    with Driver(auto, http=[proxy.url], ws=[], start_height=heights[0], reconcile_ms=100) as driver:
        driver.wait_height(auto.chain.rpc.block_number())
        driver.wait_messages(auto.sent(auto.send(2, b"proven")))
        last = auto.chain.rpc.block_number()
        auto.chain.mine(2)
        driver.pump(3)  # thirty rounds
        looks = {height: sum(a <= height <= b for a, b in asked) for height in range(heights[0], last + 3)}
        assert 2 <= looks[heights[1]] <= 8, looks  # once by the backfill
        assert looks.pop(heights[2]) == 1 and not any(n for height, n in looks.items() if height > heights[1]), looks
        assert driver.counters()["late"] == 0


LOG_LIES = {
    "of another contract": lambda r: [dict(x, address="0x" + "55" * 20) for x in r],
    "of another height": lambda r: [dict(x, blockNumber="0x1") for x in r],
    "in another order": lambda r: r[::-1],
    "of two blocks at one height": lambda r: r + [dict(r[-1], blockHash="0x" + "12" * 32)],
    "marked removed": lambda r: [dict(x, removed=True) for x in r],
    "that are an object": lambda r: {"logs": r},
    "of a block that holds none": None,
}


@pytest.mark.parametrize("what", LOG_LIES)
def test_logs_that_cannot_be(auto, proxy, what):
    """Of a rescan: it ends with an error or without an event, and the lie is counted."""
    auto.sent(auto.send(2, b"rescan"))
    auto.chain.mine(1)
    top = auto.chain.rpc.block_number()
    empty = auto.chain.rpc.block(top)["hash"]
    change = LOG_LIES[what] or (lambda r: [dict(r[0], blockNumber=hex(top), blockHash=empty)])
    with Driver(auto, http=[proxy.url], ws=[]) as driver:
        driver.wait_height(top)
        proxy.after = twist("eth_getLogs", change)
        answer = driver.ask("rescan", first=top - 2, last=top)
        assert answer["err"] == ("ok" if "holds none" in what else "rpc-lie")
        assert lies(driver) >= 1 and not driver.blocks(late=True)
        assert driver.counters()["logs_denied"] == (1 if "holds none" in what else 0)


def test_lying_proofs(auto, proxy):
    auto.send(1)
    chain = auto.chain
    block = chain.rpc.block(chain.rpc.block_number())
    wanted = dict(height=int(block["number"], 16), hash=block["hash"], address=auto.contract.address, slots=["0x" + "00" * 32],
                  state_root=block["stateRoot"])

    def flip(node: str) -> str:
        return node[:20] + ("0" if node[20] != "0" else "1") + node[21:]

    changes = [
        lambda r: dict(r, accountProof=[flip(n) for n in r["accountProof"]]),
        lambda r: dict(r, accountProof=r["accountProof"][:-1]),
        lambda r: dict(r, accountProof=r["accountProof"] * 40),
        lambda r: dict(r, storageProof=[]),
        lambda r: dict(r, storageProof=[dict(r["storageProof"][0], value="0x1")]),
        lambda r: dict(r, storageProof=[dict(r["storageProof"][0], proof=[])]),
        lambda r: dict(r, accountProof="0x"),
        lambda r: [],
    ]
    with Driver(auto, http=[proxy.url], ws=[]) as driver:
        driver.wait_height(chain.rpc.block_number())
        for i, change in enumerate(changes):
            proxy.after = twist("eth_getProof", change)
            assert driver.ask("account_proof", **wanted)["err"] == "rpc-lie", i
        assert lies(driver) >= len(changes)
    with Driver(auto, http=[proxy.url, chain.url], ws=[]) as driver:
        driver.wait_height(chain.rpc.block_number())
        driver.wait_for(lambda: all(e["state"] == "ok" for e in driver.ask("endpoints")["endpoints"]))
        assert driver.ask("account_proof", **wanted)["err"] == "ok"  # the liar first, then the other


def test_lying_receipts(auto, proxy):
    chain = auto.chain
    receipt = chain.rpc.wait_receipt(auto.send(1)[0])
    block = chain.rpc.call("eth_getBlockByHash", receipt["blockHash"], False)
    wanted = dict(height=int(block["number"], 16), hash=block["hash"], index=0, receipts_root=block["receiptsRoot"],
                  address=auto.contract.address)
    methods = ("eth_getBlockReceipts", "eth_getTransactionReceipt")

    def change_one(key, value):
        def after(call, reply):
            if call["method"] in methods:
                many = isinstance(reply["result"], list)
                result = [dict(r, **{key: value}) for r in (reply["result"] if many else [reply["result"]])]
                reply = dict(reply, result=result if many else result[0])
            return reply
        return after

    for key, value in (("status", "0x0"), ("cumulativeGasUsed", "0x1"), ("logs", []), ("logs", None), ("blockHash", "0x" + "22" * 32),
                       ("transactionIndex", "0x5"), ("type", "0x99"), ("logsBloom", "0x00")):
        proxy.after = lambda call, reply: reply
        with Driver(auto, http=[proxy.url], ws=[], start_height=chain.rpc.block_number() + 1) as driver:
            driver.wait(lambda e: e["event"] == "head")
            proxy.after = change_one(key, value)
            assert driver.ask("receipt_proof", **wanted)["err"] == "rpc-lie", key


PRUNED = {"code": 4444, "message": "pruned history unavailable"}


@pytest.mark.parametrize("have", [True, False])
@pytest.mark.parametrize("answer", [{"result": None}, {"error": PRUNED}])
def test_receipts_that_nobody_has(auto, proxy, have, answer):
    """Of a block that the nodes know they were pruned; one that they do not know is no longer on the chain."""
    chain = auto.chain
    receipt = chain.rpc.wait_receipt(auto.send(1)[0])
    block = chain.rpc.call("eth_getBlockByHash", receipt["blockHash"], False)
    wanted = dict(height=int(block["number"], 16), hash=block["hash"], index=0, receipts_root=block["receiptsRoot"],
                  address=auto.contract.address)

    def after(call, reply):
        none = "Receipt" in call["method"] or (not have and call["method"] == "eth_getBlockByHash")
        return {"jsonrpc": "2.0", "id": call["id"], **answer} if none else reply

    with Driver(auto, http=[proxy.url], ws=[], start_height=chain.rpc.block_number() + 1) as driver:
        driver.wait(lambda e: e["event"] == "head")
        proxy.after = after
        told = driver.ask("receipt_proof", **wanted)
        assert told["err"] == ("unavailable" if have else "reorged"), told


@pytest.mark.parametrize("have", ["eth_getBlockReceipts", "eth_getTransactionReceipt", "debug_getRawReceipts"])
def test_every_way_to_receipts(auto, proxy, have):
    """What a node lacks is not asked for again. Raw receipts are made here as geth would give them."""
    chain = auto.chain
    receipts = [chain.rpc.wait_receipt(t) for t in auto.send(3, b"ways")]
    lacks = {"eth_getBlockReceipts", "debug_getRawReceipts", "eth_getTransactionReceipt"} - {have}
    if have == "eth_getTransactionReceipt":
        lacks = {"eth_getBlockReceipts", "debug_getRawReceipts"}

    def after(call, reply):
        if call["method"] == "debug_getRawReceipts" and have == "debug_getRawReceipts":
            rows = chain.rpc.call("eth_getBlockReceipts", call["params"][0])
            return {"jsonrpc": "2.0", "id": call["id"], "result": ["0x" + _raw(r).hex() for r in rows]}
        if call["method"] in lacks:
            return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32601, "message": f"the method {call['method']} does not exist/is not available"}}
        return reply

    proxy.after = after
    with Driver(auto, http=[proxy.url], ws=[], start_height=chain.rpc.block_number() + 1) as driver:
        driver.wait(lambda e: e["event"] == "head")
        proxy.methods.clear()
        for receipt in receipts:
            block = chain.rpc.call("eth_getBlockByHash", receipt["blockHash"], False)
            answer = driver.ask("receipt_proof", height=int(block["number"], 16), hash=block["hash"], index=0,
                                receipts_root=block["receiptsRoot"], address=auto.contract.address)
            assert answer["err"] == "ok" and answer["verified"] == "ok"
        assert proxy.methods.count(have) >= 3
        assert all(proxy.methods.count(m) <= 1 for m in lacks)


def _raw(receipt: dict) -> bytes:
    from lib import abi, rlp
    hexed = abi.to_bytes
    logs = [[hexed(x["address"]), [hexed(t) for t in x["topics"]], hexed(x["data"])] for x in receipt["logs"]]
    body = rlp.encode([int(receipt["status"], 16), int(receipt["cumulativeGasUsed"], 16), hexed(receipt["logsBloom"]), logs])
    kind = int(receipt["type"], 16)
    return (bytes([kind]) if kind else b"") + body


@pytest.mark.parametrize("limit", [1, 3, 10])
def test_log_ranges_that_are_refused(auto, proxy, limit):
    first = auto.chain.rpc.block_number()
    ids = auto.sent(auto.send(4, b"ranges"))
    auto.chain.mine(30)
    ids += auto.sent(auto.send(2, b"ranges"))

    def after(call, reply):
        if call["method"] == "eth_getLogs":
            f = call["params"][0]
            if int(f["toBlock"], 16) - int(f["fromBlock"], 16) + 1 > limit:
                return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32600, "message": f"eth_getLogs is limited to a {limit} range"}}
        return reply

    proxy.after = after
    with Driver(auto, http=[proxy.url], ws=[]) as driver:
        driver.wait_messages(ids)
        driver.wait_height(auto.chain.rpc.block_number())
        assert driver.ask("rescan", first=first, last=auto.chain.rpc.block_number())["err"] == "ok"
        assert set(ids) <= set(driver.messages(late=True)) and driver.counters()["logs_splits"] >= 1


def limited_logs(limit: list[int], fine: list[int], change=lambda logs: logs):
    """A hook: eth_getLogs of so many heights and no more; how many each answer was for."""
    def after(call, reply):
        if call["method"] != "eth_getLogs":
            return reply
        heights = int(call["params"][0]["toBlock"], 16) - int(call["params"][0]["fromBlock"], 16) + 1
        if heights > limit[0]:
            return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32600, "message": f"eth_getLogs is limited to a {limit[0]} range"}}
        fine.append(heights)
        return dict(reply, result=change(reply["result"]))
    return after


def test_log_ranges_grow_again(auto, proxy):
    """Doubled after each easy answer, up to what is configured, and kept for the next rescan."""
    cursor = _cursor_now(auto)
    auto.chain.mine(200)
    first = auto.chain.rpc.block_number() - 199
    limit, fine = [4], []

    def lifted(logs):
        if len(fine) == 3:
            limit[0] = 10**6
        return logs

    proxy.after = limited_logs(limit, fine, lifted)
    with Driver(auto, http=[proxy.url], ws=[], cursor=cursor, logs_range=64) as driver:
        driver.wait_height(first + 199)
        assert driver.ask("rescan", first=first, last=first + 199)["err"] == "ok"
        # 64, 32, 16 and 8 are refused, and 8 again after each of the first two answers.
        assert fine == [4, 4, 4, 8, 16, 32, 64, 64, 4] and driver.counters()["logs_splits"] == 6
        fine.clear()
        assert driver.ask("rescan", first=first, last=first + 99)["err"] == "ok"
        assert fine == [64, 36]


def test_log_ranges_do_not_grow_after_many_logs(auto, proxy):
    """An answer of thousands is none that came easily."""
    cursor = _cursor_now(auto)
    ids = auto.sent(auto.send(1, b"many logs"))
    first = auto.chain.rpc.block_number()
    auto.chain.mine(11)
    limit, fine = [2], []
    proxy.after = limited_logs(limit, fine, lambda logs: logs * 2000)
    with Driver(auto, http=[proxy.url], ws=[], cursor=cursor, logs_range=8) as driver:
        driver.wait_height(first + 11)
        assert driver.ask("rescan", first=first, last=first + 11)["err"] == "ok"
        # 8 and 4 are refused, and 4 again after each answer but the first, until two are left.
        assert fine == [2] * 6 and driver.counters()["logs_splits"] == 5
        assert set(ids) <= set(driver.messages(late=True))


def test_logs_that_are_refused_altogether(auto, proxy, spammer):
    """Then the receipts of every block that may hold an event are read; a rescan says that it cannot."""
    cursor = _cursor_now(auto)
    ids, heights = full_blocks(auto, spammer, 3, b"no logs")

    def after(call, reply):
        if call["method"] == "eth_getLogs":
            return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32005, "message": "query returned more than 10000 results"}}
        return reply

    proxy.after = after
    with Driver(auto, http=[proxy.url], ws=[], cursor=cursor) as driver:
        driver.wait_messages(ids)
        driver.wait_height(auto.chain.rpc.block_number())
        assert driver.ask("rescan", first=heights[0], last=heights[-1])["err"] == "too-large"


def same_genesis(chain):
    """The probe would notice another one."""
    genesis = chain.rpc.block(0)
    return lambda call, reply: dict(reply, result=genesis) if call["method"] == "eth_getBlockByNumber" and call["params"][0] == "0x0" else reply


def test_one_node_of_another_history_is_set_aside(auto, proxy, tmp_path):
    """It has the genesis and nothing else in common: nothing is withdrawn, it is shown as diverged, and the others serve."""
    with chains.Anvil(tmp_path, mining="auto", chain_id=auto.chain.chain_id) as other:
        with Driver(auto, http=[proxy.url, auto.chain.url], ws=[], poll_ms=300) as driver:
            driver.wait_messages(auto.sent(auto.send(3, b"x")))
            driver.wait_height(auto.chain.rpc.block_number())
            other.mine(auto.chain.rpc.block_number() + 3)
            proxy.after = same_genesis(auto.chain)
            proxy.target = urlsplit(other.url)
            event = driver.wait(lambda e: e["event"] == "endpoint" and e["state"] == "diverged")
            assert event["url"] == proxy.url.rsplit("/", 2)[0] and "history" in event["why"]
            driver.wait_messages(auto.sent(auto.send(2, b"meanwhile")))
            proxy.target = urlsplit(auto.chain.url)
            driver.wait_messages(auto.sent(auto.send(2, b"after")))
            assert driver.counters()["reorgs"] == 0
            one, two = driver.ask("endpoints")["endpoints"]
            assert one["diverged"] >= 1 and one["state"] == "diverged" and two["diverged"] == 0


def test_the_only_node_tells_another_history(auto, proxy, tmp_path):
    """It is reported, as what one node says."""
    with chains.Anvil(tmp_path, mining="auto", chain_id=auto.chain.chain_id) as other:
        with Driver(auto, http=[proxy.url], ws=[], poll_ms=300) as driver:
            ids = auto.sent(auto.send(2, b"x"))
            driver.wait_messages(ids)
            driver.wait_height(auto.chain.rpc.block_number())
            other.mine(auto.chain.rpc.block_number() + 3)
            proxy.after = same_genesis(auto.chain)
            proxy.target = urlsplit(other.url)
            assert driver.wait(lambda e: e["event"] == "reorg")["diverged"]
            proxy.target = urlsplit(auto.chain.url)
            auto.chain.mine(5)
            driver.wait_messages(ids)


def test_the_branch_that_was_reported_is_back(auto, proxy, tmp_path):
    """A history that is not followed by itself goes away again: what was reported stands, and goes on."""
    with chains.Anvil(tmp_path, mining="auto", chain_id=auto.chain.chain_id) as other:
        with Driver(auto, http=[proxy.url], ws=[], poll_ms=300, reorg_blocks_max=200) as driver:
            ids = auto.sent(auto.send(2, b"stays"))
            driver.wait_messages(ids)
            driver.wait_height(auto.chain.rpc.block_number())
            other.mine(auto.chain.rpc.block_number() + 3)
            proxy.after = same_genesis(auto.chain)
            proxy.target = urlsplit(other.url)
            driver.wait(lambda e: e["event"] == "held")
            other.mine(3)
            driver.pump(1)
            assert set(ids) <= set(driver.messages())
            proxy.target = urlsplit(auto.chain.url)
            driver.wait(lambda e: e["event"] == "released")
            driver.wait_messages(ids + auto.sent(auto.send(1, b"goes on")))
            assert driver.counters()["reorgs"] == 0


def test_a_deep_reorganisation_that_the_others_do_not_have(auto, proxy, tmp_path):
    """It does not wait for anybody: the endpoint that tells it is set aside."""
    with chains.Anvil(tmp_path, mining="auto", chain_id=auto.chain.chain_id) as other:
        with Driver(auto, http=[proxy.url, auto.chain.url], ws=[], poll_ms=300, reorg_blocks_max=200) as driver:
            driver.wait_messages(auto.sent(auto.send(1, b"x")))
            driver.wait_height(auto.chain.rpc.block_number())
            other.mine(auto.chain.rpc.block_number() + 3)
            proxy.after = same_genesis(auto.chain)
            proxy.target = urlsplit(other.url)
            driver.wait(lambda e: e["event"] == "endpoint" and e["state"] == "diverged")
            driver.wait_messages(auto.sent(auto.send(1, b"meanwhile")))
            assert not [e for e in driver.events if e["event"] in ("held", "reorg")]


def test_a_fork_of_final_blocks(auto, proxy):
    """Said by one node alone it is marked; said by two it is not; above what is final nobody else is asked, nor where what
    was reported is not what the enclave holds final."""
    one, two = [proxy.url], [proxy.url, auto.chain.url]
    for http, final, astray, diverged in ((one, True, False, True), (two, True, False, False), (one, False, False, False), (one, True, True, False)):
        auto.chain.mine(3)
        with Driver(auto, http=http, ws=[]) as driver:
            top = auto.chain.rpc.block_number()
            driver.wait_height(top)
            driver.wait_for(lambda: all(e["state"] == "ok" for e in driver.ask("endpoints")["endpoints"]))
            height = top - 1 if final else top - 2
            block = "0x" + "13" * 32 if astray else auto.chain.rpc.block(height)["hash"]
            assert driver.ask("final", height=height, hash=block)["err"] == "ok"
            with driver.stopped():
                auto.chain.rpc.call("anvil_reorg", 2, [])
            reorg = driver.wait(lambda e: e["event"] == "reorg")
            assert (reorg["from"], reorg["beyond"], reorg["diverged"]) == (top - 1, False, diverged)


def test_a_node_that_lags(auto, proxy):
    """Its head is older, on the same chain: that is no reorganisation."""
    with Driver(auto, http=[auto.chain.url, proxy.url], ws=[]) as driver:
        driver.wait_height(auto.chain.rpc.block_number())
        old = auto.chain.rpc.block_number()
        stale = auto.chain.rpc.block(old)

        def after(call, reply):
            if call["method"] == "eth_blockNumber":
                return dict(reply, result=hex(old))
            if call["method"] == "eth_getBlockByNumber" and (call["params"][0] == "latest"):
                return dict(reply, result=stale)
            if call["method"] == "eth_getBlockByNumber" and int(call["params"][0], 16) > old:
                return dict(reply, result=None)
            return reply

        proxy.after = after
        for _ in range(4):
            driver.wait_messages(auto.sent(auto.send(2, b"lag")))
        driver.wait_for(lambda: driver.ask("endpoints")["endpoints"][1]["state"] == "lagging")
        assert driver.counters()["reorgs"] == 0


def test_a_node_whose_head_stands_still(auto, proxy):
    """It answers, is the first in the list, and is behind: the other one is asked."""
    with Driver(auto, http=[proxy.url, auto.chain.url], ws=[]) as driver:
        driver.wait_height(auto.chain.rpc.block_number())
        old = auto.chain.rpc.block_number()
        stale = auto.chain.rpc.block(old)

        def after(call, reply):
            if call["method"] == "eth_blockNumber":
                return dict(reply, result=hex(old))
            if call["method"] == "eth_getBlockByNumber" and call["params"][0] == "latest":
                return dict(reply, result=stale)
            return reply

        proxy.after = after
        auto.chain.mine(10)
        driver.wait_messages(auto.sent(auto.send(1, b"still")))
        assert driver.ask("endpoints")["endpoints"][0]["state"] == "lagging"


def test_the_reconciler_looks_at_what_was_reported_before_the_start(auto):
    """A crash between report and journal is behind the cursor: those blocks are reported once more, as late."""
    ids = auto.sent(auto.send(2, b"crash"))
    with Driver(auto) as driver:
        driver.wait_messages(ids)
        driver.wait_height(auto.chain.rpc.block_number())
        cursor = driver.cursor()
    auto.chain.mine(2)
    with Driver(auto, cursor=cursor, reconcile_ms=300) as driver:
        driver.wait_messages(ids)
        driver.pump(1.5)
        assert not driver.messages(late=False) and driver.counters()["late"] == 0
        assert len(driver.messages(late=True)) == len(set(driver.messages(late=True)))


def test_a_submission_over_a_node_that_breaks(auto, proxy):
    """The first send gets no answer though the node took it; the next one says already known: one transaction."""
    chain = auto.chain
    secret = fund(chain, "broken")
    state = {"count": 0}

    def after(call, reply):
        if call["method"] == "eth_sendRawTransaction" and state["count"] < 2:
            state["count"] += 1
            raise Raw(b"", 502)
        return reply

    proxy.after = after
    with Driver(auto, http=[proxy.url], ws=[], sign_by=secret) as driver:
        tx = driver.submit(auto.contract.address, auto.message_data(b"uncertain"), gas=300_000)
        driver.wait_for(lambda: state["count"] >= 1)
        for _ in range(40):
            if "settled" in driver.states(tx):
                break
            chain.mine()
            driver.pump(0.2)
        assert "settled" in driver.states(tx) and len(driver.signed) == 1
