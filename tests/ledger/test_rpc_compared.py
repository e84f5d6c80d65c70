"""The RPC beside a real CometBFT with the same application: the same questions, good and bad, over GET, JSON-RPC and WebSocket; HTTP
status, names in their order, kinds of values, error codes and messages must be the same. What is different on purpose is in the
table of docs/ledger-node.md, and not asked here."""
from __future__ import annotations

import base64
import hashlib
import json
import re
import urllib.error
import urllib.parse
import urllib.request

import pytest
import websocket

from abci.run import Application
from ledger.net import CallError, Network
from lib import cometbft
from lib.rpc import wait_for

TX = b"shape=same"
HASH = hashlib.sha256(TX).hexdigest().upper()
HASH_64 = base64.b64encode(bytes.fromhex(HASH)).decode()


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Two networks of two; of each the port of the first node, and the height that has TX."""
    with Network(tmp_path_factory.mktemp("ledger"), 2) as ours, \
            cometbft.Network(tmp_path_factory.mktemp("cometbft"), ["kvstore", "kvstore"]) as real:
        found = []
        for network in (ours, real):
            network.wait_height(2)
            node = network.nodes[0]
            height = int(node.call("broadcast_tx_commit", tx=base64.b64encode(TX).decode())["height"])
            node.wait_height(height + 1)
            wait_for(lambda n=node: n.call("net_info")["n_peers"] == "1", 60, "a peer")
            found.append((node.rpc_port, height, node))
        yield found


# ---- how answers are compared ----

def ask(port: int, path: str, body: bytes | None = None) -> tuple[int, object]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, {"Content-Type": "application/json"} if body else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    return status, json.loads(text, object_pairs_hook=lambda pairs: pairs) if text else None


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


def error_of(answer) -> dict | None:
    if not isinstance(answer, list) or not answer or not isinstance(answer[0], tuple):
        return None
    found = dict(answer).get("error")
    return dict(found) if found else None


def assert_same(answers: list[tuple[int, object]]) -> None:
    (status, ours), (real_status, real) = answers
    assert status == real_status, answers
    assert shape(ours) == shape(real), answers
    errors = [error_of(ours), error_of(real)]
    if errors[1]:
        assert (errors[0]["code"], errors[0]["message"]) == (errors[1]["code"], errors[1]["message"])


# ---- GET ----

GETS = [
    "/health", "/status", "/genesis", "/genesis_chunked", "/genesis_chunked?chunk=0", "/genesis_chunked?chunk=1",
    "/genesis_chunked?chunk=-1", "/net_info", "/consensus_state", "/abci_info", "/num_unconfirmed_txs", "/unconfirmed_txs",
    "/unconfirmed_txs?limit=1", "/unconfirmed_txs?limit=-1", "/unconfirmed_txs?limit=x", "/status?foo=1", "/health?height=x",
    "/blockchain", "/blockchain?minHeight=1&maxHeight=2", "/blockchain?minHeight=2&maxHeight=1", "/blockchain?minHeight=-1",
    "/blockchain?minHeight=100000", "/blockchain?minHeight={h}&maxHeight={h}",
    "/block", "/block?height=1", "/block?height=2", "/block?height={h}", '/block?height="{h}"', "/block?height=",
    "/block?height=0x1", "/block?height=abc", "/block?height=1.5", "/block?height=100000", "/block?height=99999999999999999999",
    "/block?height=-1", "/block?height=0", "/block_by_hash", "/block_by_hash?hash=0x00", '/block_by_hash?hash="00"',
    "/block_by_hash?hash=zz", "/block_by_hash?hash=0x" + "00" * 32, "/header", "/header?height={h}", "/header?height=100000",
    "/header_by_hash", "/header_by_hash?hash=0x12", '/header_by_hash?hash="1234"', "/header_by_hash?hash=0x" + "00" * 32,
    "/block_results?height=1", "/block_results?height={h}", "/block_results?height=100000", "/commit", "/commit?height=1",
    "/commit?height={h}", "/commit?height=100000",
    "/validators", "/validators?height=1", "/validators?height=100000", "/validators?height=1&page=1&per_page=1",
    "/validators?page=0", "/validators?page=2", "/validators?page=-1", "/validators?page=x", "/validators?per_page=1&page=2",
    "/validators?per_page=1&page=3", "/validators?per_page=0", "/validators?per_page=-5", "/validators?per_page=1000",
    # Without a height CometBFT looks for one that it may not have stored yet.
    "/consensus_params?height=1", "/consensus_params?height=100000",
    "/tx", f"/tx?hash=0x{HASH}", f"/tx?hash=0x{HASH}&prove=true", f'/tx?hash="{HASH}"', f"/tx?hash={HASH}", "/tx?hash=0x1234",
    "/tx?hash=0x" + "00" * 32, f"/tx?hash=0x{HASH}&prove=5", f'/tx?hash=0x{HASH}&prove="true"',
    "/abci_query", '/abci_query?data="shape"', '/abci_query?data="none"', '/abci_query?data=0x7368617065&path="/key"',
    '/abci_query?data="shape"&prove=true', '/abci_query?data="shape"&height=1', '/abci_query?data="shape"&height=-1',
    '/abci_query?path="/val"&data="x"', '/abci_query?path="/nope"&data="x"', "/abci_query?path=abc",
    "/check_tx", '/check_tx?tx="a=b"', "/check_tx?tx=0x613d62", "/check_tx?tx=a=b", '/check_tx?tx="bad"',
    "/broadcast_tx_sync", '/broadcast_tx_sync?tx="no pair"', f'/broadcast_tx_sync?tx="{TX.decode()}"', "/broadcast_tx_sync?tx=0xzz",
    '/broadcast_tx_async?tx="no pair"', f'/broadcast_tx_async?tx="{TX.decode()}"', '/broadcast_tx_commit?tx="nor this"',
    f'/broadcast_tx_commit?tx="{TX.decode()}"', '/broadcast_evidence?evidence="x"', "/broadcast_evidence?evidence=5",
    "/subscribe", "/subscribe?query=\"tm.event='Tx'\"", "/unsubscribe", "/unsubscribe_all",
]
QUERIES = [
    f"tx.hash='{HASH}'", "tx.hash='1234'", "tx.hash='zz'", "tx.height={h}", "tx.height>=1", "tx.height>5 AND tx.height<3",
    "app.key='shape'", "app.key='nobody'", "app.key EXISTS", "app.key CONTAINS 'hap'", "app.key CONTAINS 'nobody'", "app.key=5",
    "app.key>5", "app.key='shape' AND tx.height>1", "app.key='shape' AND tx.height<2",
    # Both are attributes of the transaction, of one event and of two.
    "app.key='shape' AND app.creator='Cosmoshi Netowoko'", "app.key='shape' AND app.creator='Cosmoshi'",
    "app.noindex_key='index is working'", "no.such EXISTS", "app.key=DATE 2020-01-01", "app.key<TIME 2020-01-01T00:00:00Z",
    "", "a", "a.b", "a.b=", "a.b='c", "a.b='c' OR c.d=1", "AND", "a.b == 'c'", "a.b CONTAINS 5", "a.b='c' AND", "a.b=DATE 2020-13-01",
]
SEARCHES = ['/tx_search?query="tx.height>=1"&per_page=1', '/tx_search?query="tx.height>=1"&per_page=1&page=9999',
            '/tx_search?query="tx.height>=1"&page=0', '/tx_search?query="tx.height>=1"&order_by="up"',
            '/tx_search?query="tx.height>=1"&order_by="desc"', "/tx_search", "/tx_search?query=tx.height=1",
            f"/tx_search?query=\"tx.hash='{HASH}'\"&prove=true", "/block_search", '/block_search?query="block.height={h}"',
            '/block_search?query="block.height>1"&per_page=2', '/block_search?query="block.height>1"&per_page=2&page=0',
            '/block_search?query="block.height>1 AND block.height<3"', '/block_search?query="a.b=1"',
            '/block_search?query="block.height>1"&order_by="up"', *(f'/tx_search?query="{query}"' for query in QUERIES)]


@pytest.mark.parametrize("path", GETS + SEARCHES)
def test_get(both, path):
    assert_same([ask(port, urllib.parse.quote(path.replace("{h}", str(height)), safe="/?&=")) for port, height, _ in both])


@pytest.mark.parametrize("path", ["/nope", "/status/", "/block/1", "/dial_peers", "/unsafe_flush_mempool"])
def test_paths_that_are_none(both, path):
    """Each has its own words for it."""
    for port, _, _ in both:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30)
        assert refused.value.code == 404


@pytest.mark.parametrize("query", [query for query in QUERIES if "'" in query or "EXISTS" in query])
def test_searches_find_the_same(both, query):
    found = []
    for _, height, node in both:
        try:
            result = node.call("tx_search", query=query.replace("{h}", str(height)))
            found.append((result["total_count"], [tx["hash"] for tx in result["txs"]]))
        except (CallError, cometbft.CallError):
            found.append(None)
    assert found[0] == found[1]


# ---- JSON-RPC ----

def call(method, params=None, **more) -> bytes:
    asked = {"jsonrpc": "2.0", "id": 1, "method": method, **more}
    return json.dumps(asked if params is None else {**asked, "params": params}).encode()


def batch(*calls: bytes) -> bytes:
    return b"[" + b",".join(calls) + b"]"


HEALTH = call("health")
POSTS = [
    call("nope"), call("subscribe", {"query": "tm.event='Tx'"}), call("unsubscribe_all"),
    *(call("block", params) for params in (
        {"height": "1"}, ["1"], [], ["1", "2"], {}, {"height": "x"}, {"height": None}, {"height": ""}, {"height": True},
        {"height": 1.5}, {"height": []}, {"foo": 1}, 5, "x", {"height": "0"}, {"height": "-1"}, {"height": "99999999"},
        {"height": "99999999999999999999"})),
    *(call("health", params) for params in ({}, [], [1], {"a": 1})),
    *(call("health", id=value) for value in ("x", -1, 1.5, None, {}, [], True, 2**50)),
    *(json.dumps(body).encode() for body in (
        {"id": 1, "method": "health"}, {"jsonrpc": "1.0", "id": 1, "method": "health"}, {"jsonrpc": "2.0", "id": 1},
        {"jsonrpc": "2.0", "id": 1, "method": 5}, {"jsonrpc": 2, "id": 1, "method": "health"}, {"jsonrpc": "2.0", "method": "health"})),
    b"{", b"[", b"5", b'"x"', b"null", b"{}", b"[]", b"[5]", b"[{}]", b"[null]", b"[[]]", b"\xff\xfe", b'{"id":1}{"id":2}', b"[" * 5000,
    batch(HEALTH), batch(HEALTH, HEALTH, HEALTH), batch(*[HEALTH] * 10), batch(*[HEALTH] * 11), batch(HEALTH, b"5"),
    batch(HEALTH, b"null"), batch(call("nope"), call("block", {"height": "x"})),
    *(call("tx", params) for params in (
        {"hash": HASH_64, "prove": True}, {"hash": HASH_64}, {"hash": HASH}, {"hash": 5}, {"hash": "0x" + HASH},
        {"hash": HASH_64, "prove": "true"}, {}, [HASH_64, False], [HASH_64])),
    call("block_by_hash", {"hash": "AAAA"}), call("header_by_hash", {"hash": "AAAA"}), call("header_by_hash", {"hash": "AAA"}),
    *(call("abci_query", params) for params in (
        {"path": "", "data": "7368617065", "height": "0", "prove": False}, {"path": "", "data": "63 "}, {"data": "7368617065"},
        ["", "7368617065", "0", False], {"path": 5})),
    *(call("tx_search", params) for params in (
        {"query": "app.key='shape'", "prove": True, "page": "1", "per_page": "30", "order_by": "asc"},
        {"query": "app.key='shape'", "page": "0"}, {"query": "app.key='shape'", "page": "2"},
        {"query": "app.key='shape'", "order_by": 5}, {})),
    call("validators", {"height": "1", "page": "1", "per_page": "1"}), call("validators", ["1", "1", "1"]),
    call("blockchain", {"minHeight": "1", "maxHeight": "3"}), call("blockchain", ["1", "3"]), call("blockchain", {}),
    *(call("broadcast_tx_sync", params) for params in ({"tx": "YmFk"}, {"tx": "!!"}, {"tx": ""}, {}, [""], {"tx": 5})),
    call("broadcast_tx_sync", {"tx": base64.b64encode(b"a=" + b"b" * 1048577).decode()}),
    call("broadcast_evidence", {"evidence": {}}), call("broadcast_evidence", {"evidence": {"type": "x", "value": {}}}),
    call("genesis_chunked", {"chunk": "0"}), call("genesis_chunked", {"chunk": "7"}), call("consensus_state"), call("net_info"),
    call("unconfirmed_txs", []), call("check_tx", {"tx": "YT1i"}), call("check_tx", {"tx": "bad"}),
    b" " * 999990 + b"{}", b" " * 1000001,
]


@pytest.mark.parametrize("body", POSTS, ids=lambda body: body[:60].decode(errors="replace"))
def test_post(both, body):
    assert_same([ask(port, "/", body) for port, _, _ in both])


def test_what_is_above_all_bounds(both):
    """More than is read at all: refused, and the node lives."""
    for port, _, node in both:
        try:
            status, _ = ask(port, "/", b" " * 5_000_000)
            assert status in (400, 413)
        except (urllib.error.URLError, ConnectionError):
            pass
        assert node.call("health") == {}


def test_addresses_are_as_configured(both):
    for _, _, node in both:
        config = (node.home / "config" / "config.toml").read_text()
        of = {name: re.search(rf'\n\[{name}\]\n[^\[]*?\nladdr = "([^"]*)"', config.replace(f"[{name}]\nladdr", f"[{name}]\n\nladdr")).group(1)
              for name in ("rpc", "p2p")}
        info = node.call("status")["node_info"]
        assert (info["listen_addr"], info["other"]["rpc_address"]) == (of["p2p"], of["rpc"])


def test_a_height_that_was_pruned(tmp_path):
    answers = []
    for ours in (True, False):
        folder = tmp_path / ("ours" if ours else "real")
        with Application(folder, extra=("--retain-blocks", "3")) as app:
            network = Network(folder, 1) if ours else cometbft.Network(folder, [app.address])
            network.nodes[0].args = ["--proxy_app", app.address]
            with network:
                node = network.nodes[0]
                node.wait_height(2)
                wait_for(lambda n=node: int(n.call("status")["sync_info"]["earliest_block_height"]) > 1, 60, "a pruned height")
                answers.append([ask(node.rpc_port, path) for path in (
                    "/block?height=1", "/commit?height=1", "/block_results?height=1", "/header?height=1", "/validators?height=1",
                    "/blockchain?minHeight=1&maxHeight=1", "/status")])
    for ours, real in zip(*answers):
        assert_same([ours, real])
    assert "is not available, lowest height is" in error_of(answers[0][0][1])["data"]


# ---- WebSocket ----

def talk(port: int, *messages) -> list:
    ws = websocket.create_connection(f"ws://127.0.0.1:{port}/websocket", timeout=30)
    try:
        answers = []
        for message in messages:
            ws.send(message if isinstance(message, str) else json.dumps(message))
            answers.append(json.loads(ws.recv(), object_pairs_hook=lambda pairs: pairs))
        return answers
    finally:
        ws.close()


def subscribe(query, i: int = 1, method: str = "subscribe") -> dict:
    return {"jsonrpc": "2.0", "id": i, "method": method, "params": {"query": query}}


NEVER = "tm.event='Tx' AND a.b='{}'"
TALKS = {
    "twice": [subscribe(NEVER.format(0)), subscribe(NEVER.format(0))],
    "twice in other words": [subscribe(NEVER.format(0)), subscribe("tm.event = 'Tx'  AND a.b = '0'")],
    "six": [subscribe(NEVER.format(i), i) for i in range(6)],
    "no query": [subscribe("no query"), subscribe(""), subscribe("a.b="), subscribe("x" * 513)],
    "not text": [subscribe(5), subscribe(["a"]), {"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": []}],
    "unsubscribe": [subscribe(NEVER.format(0)), subscribe("tm.event='Tx'AND a.b='0'", method="unsubscribe"),
                    subscribe(NEVER.format(0), method="unsubscribe")],
    "unsubscribe what is none": [subscribe("a b", method="unsubscribe"), {"jsonrpc": "2.0", "id": 1, "method": "unsubscribe_all"}],
    "unsubscribe all": [subscribe(NEVER.format(0)), {"jsonrpc": "2.0", "id": 3, "method": "unsubscribe_all", "params": {}},
                        subscribe(NEVER.format(0))],
    "others": [{"jsonrpc": "2.0", "id": 1, "method": "health"}, {"jsonrpc": "2.0", "id": "a", "method": "block", "params": {"height": "1"}},
               {"jsonrpc": "2.0", "id": 1, "method": "nope"}, {"jsonrpc": "2.0", "id": 1, "method": "block", "params": {"height": "x"}}],
    "rubbish": ["rubbish", "[]", "5", '{"id": {}}', '{"id": 1}'],
}


@pytest.mark.parametrize("name", TALKS)
def test_talks(both, name):
    ours, real = (talk(port, *TALKS[name]) for port, _, _ in both)
    for answers in zip(ours, real):
        assert_same([(0, answer) for answer in answers])
        assert dict(answers[0]).get("id") == dict(answers[1]).get("id")


def events_of(port: int, kinds: list[str], provoke, wanted=lambda kind, fields: True) -> dict:
    """The first event of each kind that is wanted; provoke() after the subscriptions."""
    found: dict[str, list] = {}
    ws = websocket.create_connection(f"ws://127.0.0.1:{port}/websocket", timeout=60)
    try:
        for i, kind in enumerate(kinds):
            ws.send(json.dumps(subscribe(f"tm.event='{kind}'", i)))
        provoke()
        while len(found) < len(kinds):
            answer = json.loads(ws.recv(), object_pairs_hook=lambda pairs: pairs)
            fields = dict(answer)
            assert "error" not in fields, answer
            if not fields["result"]:
                continue
            kind = kinds[fields["id"]]
            assert dict(fields["result"])["query"] == f"tm.event='{kind}'"
            if wanted(kind, answer):
                found.setdefault(kind, answer)
        return found
    finally:
        ws.close()


def assert_same_events(ours: dict, real: dict) -> None:
    for kind, answer in ours.items():
        own, theirs = dict(dict(answer)["result"]), dict(dict(real[kind])["result"])
        assert list(own) == list(theirs)
        assert shape(own["data"], True) == shape(theirs["data"], True), kind
        # A map in Go has no order.
        assert dict(own["events"]).keys() == dict(theirs["events"]).keys(), kind


def test_events_of_a_transaction(both):
    tx = b"event=1"

    def wanted(kind: str, answer) -> bool:
        """The block that carries it, so that what it says has something in it."""
        return kind != "NewBlock" or base64.b64encode(tx).decode() in json.dumps(answer)

    found = [events_of(port, ["Tx", "NewBlock", "NewBlockHeader", "NewBlockEvents"], lambda n=node: n.commit(tx), wanted)
             for port, _, node in both]
    assert_same_events(*found)


def test_events_of_consensus(both):
    def wanted(kind: str, answer) -> bool:
        """Of the second validator, for a block, so that every field is filled."""
        vote = dict(dict(dict(answer)["result"])["data"])
        return kind != "Vote" or dict(dict(dict(dict(vote["value"])["Vote"])["block_id"])["parts"])["total"] == 1

    kinds = ["NewRound", "NewRoundStep", "Vote", "Polka", "Lock"]
    assert_same_events(*(events_of(port, kinds, lambda: None, wanted) for port, _, _ in both))


def test_events_of_changed_validators(both):
    found = []
    for port, _, node in both:
        validator = node.call("status")["validator_info"]
        power = int(validator["voting_power"]) + 1
        tx = f"val=ed25519!{validator['pub_key']['value']}!{power}".encode()
        found.append(events_of(port, ["ValidatorSetUpdates"], lambda n=node, t=tx: n.commit(t)))
        update = dict(dict(dict(dict(found[-1]["ValidatorSetUpdates"])["result"])["data"])["value"])["validator_updates"][0]
        assert dict(update)["voting_power"] == str(power) and dict(update)["address"] == validator["address"]
    assert_same_events(*found)
