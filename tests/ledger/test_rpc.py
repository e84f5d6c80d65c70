"""The RPC as CometBFT's clients see it: a real CometBFT with the same application is asked the same things, and the names,
their order and the kinds of values must be the same; errors, batches, subscriptions."""
from __future__ import annotations

import base64
import hashlib
import json
import urllib.error
import urllib.request

import pytest
import websocket

from ledger.net import DEADLINE_S, CallError, Network
from lib import cometbft
from lib.rpc import wait_for


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with Network(tmp_path_factory.mktemp("ledger"), 1) as network:
        network.wait_height(2)
        yield network.nodes[0]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    with cometbft.Network(tmp_path_factory.mktemp("cometbft"), ["kvstore"]) as network:
        network.wait_height(2)
        yield network.nodes[0]


# ---- against the real one ----

def raw(port: int, path: str) -> tuple[int, object]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    return status, json.loads(text, object_pairs_hook=lambda pairs: pairs)


def shape(value, nil_is_empty: bool = False):
    """Names in their order and kinds of values; of lists the first element. nil_is_empty: an empty list of an application in
    CometBFT's own process is [], of every other one null."""
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return [(name, shape(inner, nil_is_empty)) for name, inner in value]
    if nil_is_empty and value is None:
        return ["list"]
    if isinstance(value, list):
        return ["list", shape(value[0], nil_is_empty)] if value else ["list"]
    return "number" if isinstance(value, int) and not isinstance(value, bool) else type(value).__name__


TX = b"shape=same"
HASH = hashlib.sha256(TX).hexdigest().upper()
AT_TX = ["/block?height={h}", "/block_results?height={h}", "/header?height={h}", "/blockchain?minHeight={h}&maxHeight={h}",
         f"/tx?hash=0x{HASH}&prove=true", f"/tx?hash=0x{HASH}", f'/tx_search?query="tx.hash=\'{HASH}\'"&prove=true',
         "/tx_search?query=\"app.key='shape'\"", "/block_search?query=\"block.height={h}\""]
PATHS = ["/health", "/status", "/genesis", "/block?height=1", "/block?height=2", "/block_results?height=1", "/commit?height=1",
         "/validators?height=1", "/validators?height=1&page=1&per_page=1", "/consensus_params?height=1", "/abci_info",
         '/abci_query?data="shape"', '/abci_query?data=0x7368617065&path="/key"', '/abci_query?data="none"',
         "/num_unconfirmed_txs", "/unconfirmed_txs", '/broadcast_tx_sync?tx="no pair"', '/broadcast_tx_commit?tx="nor this"',
         "/block?height=100000", "/block?height=-1", "/block?height=0", "/commit?height=100000", "/validators?height=100000",
         "/validators?height=1&page=7", "/tx?hash=0x" + "00" * 32, "/block_by_hash?hash=0x" + "00" * 32,
         "/header_by_hash?hash=0x" + "00" * 32, "/tx_search?query=\"app.key='nobody'\""]


@pytest.fixture(scope="module")
def both(node, reference):
    heights = []
    for port in (node.rpc_port, reference.rpc_port):
        _, answer = raw(port, f'/broadcast_tx_commit?tx="{TX.decode()}"')
        heights.append((port, dict(dict(answer)["result"])["height"], shape(answer)))
    assert heights[0][2] == heights[1][2]
    node.wait_height(int(heights[0][1]) + 1)
    reference.wait_height(int(heights[1][1]) + 1)
    return heights


@pytest.mark.parametrize("path", PATHS + AT_TX)
def test_same_shape(both, path):
    answers = [raw(port, path.format(h=height).replace(" ", "%20")) for port, height, _ in both]
    assert answers[0][0] == answers[1][0], answers
    assert shape(answers[0][1]) == shape(answers[1][1])
    if answers[0][0] != 200:
        errors = [dict(dict(answer)["error"]) for _, answer in answers]
        assert errors[0]["code"] == errors[1]["code"] and errors[0]["message"] == errors[1]["message"]


# ---- JSON-RPC ----

def test_batches(node):
    ask = [{"jsonrpc": "2.0", "id": i, "method": "health", "params": {}} for i in range(3)]
    assert [answer["id"] for answer in node.post(ask)] == [0, 1, 2]
    mixed = node.post([ask[0], {"jsonrpc": "2.0", "id": "x", "method": "none"}, {"jsonrpc": "2.0", "method": "health"}])
    assert [answer["id"] for answer in mixed] == [0, "x"] and mixed[1]["error"]["code"] == -32601
    assert node.post(ask * 4)["error"]["code"] == -32600
    assert node.post([]) is None


def test_parameters_by_position_and_kind(node):
    by_name = node.call("block", height="1")
    assert node.post({"jsonrpc": "2.0", "id": 1, "method": "block", "params": ["1"]})["result"] == by_name
    assert node.call("block", height=1) == by_name
    wrong = [{"height": "one"}, {"height": {}}, {"height": "99999999999999999999"}]
    for params in wrong:
        answer = node.post({"jsonrpc": "2.0", "id": 1, "method": "block", "params": params})
        assert answer["error"]["code"] == -32602
    assert node.post({"jsonrpc": "2.0", "id": 1, "method": "block", "params": 5})["error"]["code"] == -32602


@pytest.mark.parametrize("body", [b"{", b"[1", b"5", b'"text"', b"\xff\xfe", b'{"id": {}, "method": "health"}', b"[" * 5000])
def test_bodies_that_are_none(node, body):
    try:
        answer = node.post(body)
        assert answer["error"]["code"] in (-32700, -32600)
    except urllib.error.HTTPError as error:
        assert 400 <= error.code < 600
    assert node.call("health") == {}


def test_searches_that_are_refused(node):
    for query in ["", "tm.event", "a = 'b", "a.b CONTAINS 'c'", "AND", "a.b='c' OR d.e='f'", " AND ".join(["a.b='c'"] * 9)]:
        with pytest.raises(CallError):
            node.call("tx_search", query=query)
    with pytest.raises(CallError, match="order_by"):
        node.call("tx_search", query="a.b='c'", order_by="sideways")


# ---- subscriptions ----

def subscriber(port: int, *queries: str) -> websocket.WebSocket:
    ws = websocket.create_connection(f"ws://127.0.0.1:{port}/websocket", timeout=20)
    for i, query in enumerate(queries):
        ws.send(json.dumps({"jsonrpc": "2.0", "id": i, "method": "subscribe", "params": {"query": query}}))
        # Events of the ones before may come first.
        answer = json.loads(ws.recv())
        while answer.get("result"):
            answer = json.loads(ws.recv())
        assert answer == {"jsonrpc": "2.0", "id": i, "result": {}}
    return ws


def events_of(port: int, tx: bytes, send) -> dict:
    """The first event of each kind around one transaction, with the order of names."""
    found = {}
    ws = subscriber(port, "tm.event='Tx'", "tm.event='NewBlock'", "tm.event='NewBlockHeader'")
    send(tx)
    while len(found) < 3:
        answer = json.loads(ws.recv(), object_pairs_hook=lambda pairs: pairs)
        fields = dict(answer)
        kind = dict(dict(fields["result"])["data"])["type"]
        # The block that carries it, so that what it says has something in it.
        if kind.endswith("NewBlock") and base64.b64encode(tx).decode() not in json.dumps(answer):
            continue
        found.setdefault(kind, answer)
    ws.close()
    return found


def test_events_have_the_same_shape(node, reference):
    own = events_of(node.rpc_port, b"event=1", lambda tx: node.commit(tx))
    theirs = events_of(reference.rpc_port, b"event=1", lambda tx: reference.send(tx))
    assert own.keys() == theirs.keys()
    for kind, answer in own.items():
        assert dict(answer)["id"] == dict(theirs[kind])["id"]
        ours, real = dict(dict(answer)["result"]), dict(dict(theirs[kind])["result"])
        assert list(ours) == list(real)
        assert shape(ours["data"], True) == shape(real["data"], True), kind
        # A map in Go has no order.
        assert dict(ours["events"]).keys() == dict(real["events"]).keys(), kind


def test_a_subscription_to_one_transaction(node):
    tx = b"only=this"
    ws = subscriber(node.rpc_port, f"tm.event='Tx' AND tx.hash='{hashlib.sha256(tx).hexdigest().upper()}'")
    node.commit(b"not=this")
    node.commit(tx)
    event = json.loads(ws.recv())["result"]
    assert base64.b64decode(event["data"]["value"]["TxResult"]["tx"]) == tx
    ws.send(json.dumps({"jsonrpc": "2.0", "id": 9, "method": "unsubscribe_all", "params": {}}))
    assert json.loads(ws.recv()) == {"jsonrpc": "2.0", "id": 9, "result": {}}
    ws.close()


def test_subscriptions_that_are_refused(node):
    ws = subscriber(node.rpc_port, *[f"tm.event='Tx' AND a.b='{i}'" for i in range(5)])
    for query in ["tm.event='Tx' AND a.b='0'", "tm.event='Tx' AND a.b='6'", "no query", ""]:
        ws.send(json.dumps({"jsonrpc": "2.0", "id": 7, "method": "subscribe", "params": {"query": query}}))
        assert json.loads(ws.recv())["error"]["code"] == -32603
    ws.send("rubbish")
    assert json.loads(ws.recv())["error"]["code"] == -32700
    ws.close()
    with pytest.raises(CallError, match="WebSocket"):
        node.call("subscribe", query="tm.event='Tx'")

    def has_room() -> bool:
        try:
            subscriber(node.rpc_port, *[f"tm.event='Tx' AND a.b='{i}'" for i in range(5)]).close()
        except AssertionError:
            return False
        return True

    # Whoever leaves makes room.
    wait_for(has_room, DEADLINE_S, "room")
