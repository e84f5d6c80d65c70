"""The RPC by itself: values, batches, bodies, searches and subscriptions. test_rpc_compared asks a real CometBFT the same."""
from __future__ import annotations

import base64
import hashlib
import json
import socket
import urllib.error

import pytest
import websocket

from ledger.net import DEADLINE_S, CallError, Network
from lib.rpc import wait_for


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with Network(tmp_path_factory.mktemp("ledger"), 1) as network:
        network.wait_height(2)
        yield network.nodes[0]


# ---- connections ----

def test_connections_that_say_nothing(node):
    """As many as there may be, and more: they end, and the node answers again."""
    silent = [socket.create_connection(("127.0.0.1", node.rpc_port), DEADLINE_S) for _ in range(520)]
    try:
        for one in silent[:256]:
            one.sendall(b"GET /")

        def answers():
            try:
                return node.call("health") == {}
            except OSError:
                return False

        wait_for(answers, DEADLINE_S, "an answer")
        silent[0].settimeout(DEADLINE_S)
        assert silent[0].recv(1) == b""
    finally:
        for one in silent:
            one.close()


# ---- JSON-RPC ----

def test_batches(node):
    ask = [{"jsonrpc": "2.0", "id": i, "method": "health", "params": {}} for i in range(3)]
    assert [answer["id"] for answer in node.post(ask)] == [0, 1, 2]
    mixed = node.post([ask[0], {"jsonrpc": "2.0", "id": "x", "method": "none"}, {"jsonrpc": "2.0", "method": "health"}])
    assert [answer["id"] for answer in mixed] == [0, "x"] and mixed[1]["error"]["code"] == -32601
    assert node.post(ask * 4)["error"]["code"] == -32600
    assert node.post([]) is None
    # One after the other: the second sees what the first has done.
    tx = base64.b64encode(b"batch=sequential").decode()
    answers = node.post([{"jsonrpc": "2.0", "id": 1, "method": "broadcast_tx_commit", "params": {"tx": tx}},
                         {"jsonrpc": "2.0", "id": 2, "method": "abci_query", "params": {"data": b"batch".hex()}}])
    assert [answer["id"] for answer in answers] == [1, 2]
    assert base64.b64decode(answers[1]["result"]["response"]["value"]) == b"sequential"


def test_parameters_by_position_and_kind(node):
    by_name = node.call("block", height="1")
    assert node.post({"jsonrpc": "2.0", "id": 1, "method": "block", "params": ["1"]})["result"] == by_name
    assert node.call("block", height=1) == by_name
    # A number is taken too, which CometBFT does not do.
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
    for query in ["", "tm.event", "a = 'b", "tx.height<1.5", "AND", "a.b='c' OR d.e='f'", " AND ".join(["a.b='c'"] * 9)]:
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
    with pytest.raises(CallError, match="-32601"):
        node.call("subscribe", query="tm.event='Tx'")

    def has_room() -> bool:
        try:
            subscriber(node.rpc_port, *[f"tm.event='Tx' AND a.b='{i}'" for i in range(5)]).close()
        except AssertionError:
            return False
        return True

    # Whoever leaves makes room.
    wait_for(has_room, DEADLINE_S, "room")
