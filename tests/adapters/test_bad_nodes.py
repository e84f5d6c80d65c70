"""Nodes that are cut, slow, limited, behind, or lie: nothing is lost, nothing false is reported, and it is told."""
from __future__ import annotations

import json

import pytest

from adapters.driver import Driver, fund
from adapters.proxies import Raw, Relay, RpcProxy


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


BODIES = {
    "html": b"<html><body>502 Bad Gateway</body></html>", "empty": b"", "half": b'[{"jsonrpc":"2.0","id":1,"resu', "null": b"null",
    "deep": b"[" * 5000 + b"]" * 5000, "number": b"7", "text": b'"yes"', "no id": b'{"jsonrpc":"2.0","result":"0x1"}',
    "huge": b'{"jsonrpc":"2.0","id":1,"result":"0x' + b"0" * (33 << 20) + b'"}',
}


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


def twist(method: str, change):
    """A hook that changes the result of one method."""
    def after(call, reply):
        if call["method"] == method and reply.get("result") is not None:
            reply = dict(reply, result=change(reply["result"]))
        return reply
    return after


RECEIPTS = ("debug_getRawReceipts", "eth_getBlockReceipts", "eth_getTransactionReceipt")


def without_receipts(then=lambda call, reply: reply):
    """A hook: a node that gives no receipts, so that logs are all that can be had of a block."""
    def after(call, reply):
        if call["method"] in RECEIPTS:
            return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32601, "message": "the method does not exist"}}
        return then(call, reply)
    return after


def wrong_id(body: bytes) -> bytes:
    reply = json.loads(body)
    for one in reply if isinstance(reply, list) else [reply]:
        one["id"] += 1000
    return json.dumps(reply).encode()


def twice(body: bytes) -> bytes:
    reply = json.loads(body)
    return json.dumps([reply[0]] * len(reply) if isinstance(reply, list) else [reply, reply]).encode()


WHOLE = {"wrong id": wrong_id, "one answer twice": twice}


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
    "logs of another contract": ("eth_getLogs", lambda r: [dict(x, address="0x" + "55" * 20) for x in r]),
    "logs of another height": ("eth_getLogs", lambda r: [dict(x, blockNumber="0x1") for x in r]),
    "logs in another order": ("eth_getLogs", lambda r: r[::-1] if len(r) > 1 else [1]),
    "logs with a topic too short": ("eth_getLogs", lambda r: [dict(x, topics=["0x12"]) for x in r]),
    "logs marked removed": ("eth_getLogs", lambda r: [dict(x, removed=True) for x in r]),
    "logs that are an object": ("eth_getLogs", lambda r: {"logs": r}),
}


@pytest.mark.parametrize("what", LIES)
def test_lies_while_watching(auto, proxy, what):
    """The liar alone: nothing false is reported. With an honest one beside it: nothing is missing."""
    method, change = LIES[what]
    lie = twist(method, change)
    if method == "eth_getLogs":  # of a new block with a message the receipts are read, where there are any
        lie = without_receipts(lie)
    with Driver(auto, http=[proxy.url], ws=[]) as driver:
        driver.wait_height(auto.chain.rpc.block_number())
        top = len(driver.messages())
        proxy.after = lie
        ids = auto.sent(auto.send(1, what.encode()))
        driver.wait_for(lambda: lies(driver) >= 1)
        assert len(driver.messages()) == top
        proxy.after = lambda call, reply: reply
        driver.wait_messages(ids)
    with Driver(auto, http=[proxy.url, auto.chain.url], ws=[]) as driver:
        proxy.after = lie
        driver.wait_messages(ids + auto.sent(auto.send(1)))


def test_logs_that_are_kept_back(auto, proxy):
    """Catching up: the bloom promises a log, eth_getLogs gives none (an index that lags): the receipts decide."""
    txs = auto.send(2, b"kept back")
    auto.chain.mine(5)
    proxy.after = twist("eth_getLogs", lambda r: [])
    with Driver(auto, http=[proxy.url], ws=[]) as driver:
        driver.wait_messages(auto.sent(txs))
        assert driver.counters()["logs_refetched"] >= 1
        reported = [e["tx"] for b in driver.blocks() for e in b["events"]]
        assert set(txs) <= set(reported)


def test_a_new_message_is_read_from_its_receipt(auto, proxy):
    """Live, what eth_getLogs keeps back is not even noticed, and nothing is asked for twice."""
    start = auto.chain.rpc.block_number() + 1
    with Driver(auto, http=[proxy.url], ws=[], start_height=start, reconcile_ms=100) as driver:
        driver.wait(lambda e: e["event"] == "head")
        proxy.after = twist("eth_getLogs", lambda r: [])
        proxy.methods.clear()
        txs = auto.send(1, b"live")
        driver.wait_messages(auto.sent(txs))
        driver.pump(0.5)  # five rounds of the reconciler
        assert driver.blocks()[-1]["events"][-1]["tx"] == txs[0] and driver.counters()["logs_refetched"] == 0
        assert proxy.methods.count("eth_getBlockReceipts") == 1 and "eth_getLogs" not in proxy.methods


def test_the_reconciler_finds_what_was_held_back(auto, proxy):
    """One of two logs of a block is missing: the bloom cannot tell, the reconciler can."""
    chain = auto.chain
    with Driver(auto, http=[proxy.url], ws=[], reconcile_ms=300) as driver:
        driver.wait_height(chain.rpc.block_number())
        chain.rpc.call("evm_setAutomine", False)
        txs = auto.send(2, b"half")
        proxy.after = without_receipts(twist("eth_getLogs", lambda r: [x for x in r if x["transactionHash"] != txs[1]]))
        chain.mine()
        chain.rpc.call("evm_setAutomine", True)
        ids = auto.sent(txs)
        chain.mine(2)
        driver.wait_messages(ids[:1])
        driver.wait_height(chain.rpc.block_number())
        assert ids[1] not in driver.messages()
        proxy.after = lambda call, reply: reply
        driver.wait_messages(ids)
        assert driver.blocks(late=True) and driver.counters()["late"] >= 1


@pytest.mark.parametrize("receipts", [False, True])
def test_the_reconciler_leaves_alone_what_it_has_compared(auto, proxy, receipts):
    """A burst's blocks are not asked for in every round, nor all in one request; blocks without events never, nor those
    whose receipts were read."""
    chain = auto.chain
    asked: list[tuple[int, int]] = []

    def before(calls):
        asked.extend((int(c["params"][0]["fromBlock"], 16), int(c["params"][0]["toBlock"], 16)) for c in calls
                     if c["method"] == "eth_getLogs")

    if not receipts:
        proxy.after = without_receipts()
    with Driver(auto, http=[proxy.url], ws=[], reconcile_ms=100) as driver:
        driver.wait_height(chain.rpc.block_number())
        first = chain.rpc.block_number() + 1
        ids = []
        for _ in range(3):  # two logs a message: each block is more than half of what one request may bring
            chain.rpc.call("evm_setAutomine", False)
            txs = auto.send(150, b"burst", gas=180_000)
            chain.mine()
            chain.rpc.call("evm_setAutomine", True)
            ids += auto.sent(txs)
        last = chain.rpc.block_number()
        chain.mine(3)
        driver.wait_messages(ids)
        proxy.before = before
        driver.pump(3)  # thirty rounds
        looks = {height: sum(a <= height <= b for a, b in asked) for height in range(first, last + 4)}
        least, most = (0, 0) if receipts else (1, 6)
        assert all(least <= looks[height] <= most for height in range(first, last + 1)), looks
        assert not any(looks[height] for height in range(last + 1, last + 4)), looks
        assert all(b - a < 2 for a, b in asked if b >= first), asked
        assert driver.counters()["late"] == 0


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
        assert driver.counters()["logs_splits"] >= 1


def test_logs_that_are_refused_altogether(auto, proxy):
    ids = auto.sent(auto.send(2, b"no logs"))

    def after(call, reply):
        if call["method"] == "eth_getLogs":
            return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32005, "message": "query returned more than 10000 results"}}
        return reply

    proxy.after = after
    with Driver(auto, http=[proxy.url], ws=[], start_height=auto.chain.rpc.block_number() - 1) as driver:
        driver.wait_messages(ids[-1:])


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
