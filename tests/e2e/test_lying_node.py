"""The only node of a chain misbehaves in one way about one call: nothing false is signed, and when it has stopped every message ends as if it
never had. The whole matrix of calls and ways is of `script/test --slow`; every run takes a sample of it."""
from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter

import pytest

from adapters.proxies import Cut, Raw, RpcProxy, wrong_id
from lib import abi
from lib.rpc import Rpc, RpcError
from lib.tools import ROOT
from lib.world import END_TIMEOUT_S, World

DELIVERED = 2
SHOWN, LASTS_S = 2, 4
# All that a gateway asks a node; test_these_are_the_calls notices when there is one more.
CALLS = ["debug_getRawHeader", "debug_getRawReceipts", "eth_blockNumber", "eth_call", "eth_chainId", "eth_estimateGas", "eth_gasPrice", "eth_getBalance",
         "eth_getBlockByHash", "eth_getBlockByNumber", "eth_getBlockReceipts", "eth_getCode", "eth_getLogs", "eth_getProof", "eth_getStorageAt",
         "eth_getTransactionByHash", "eth_getTransactionCount", "eth_getTransactionReceipt", "eth_maxPriorityFeePerGas", "eth_sendRawTransaction",
         "web3_clientVersion"]


def turned(value, change):
    """The same with change() made to every string of hex in it."""
    if isinstance(value, dict):
        return {k: turned(v, change) for k, v in value.items()}
    if isinstance(value, list):
        return [turned(v, change) for v in value]
    return change(value) if isinstance(value, str) and value.startswith("0x") else value


def forged(text: str) -> str:
    """Long ones: a hash, an address, data, the node of a proof."""
    return text[:-1] + ("0" if text[-1] != "0" else "1") if len(text) >= 42 else text


def off_by_one(text: str) -> str:
    return hex(int(text, 16) + 1) if 2 < len(text) <= 18 else text


class Liar:
    """Between a gateway and its node. misbehave() names the way and the call; everything else passes."""

    def __init__(self, url: str, other_url: str):
        self.proxy, self.other = RpcProxy(url), Rpc(other_url)
        self.healed, self.said, self.times = threading.Event(), {}, 0
        self.url = self.proxy.url

    def misbehave(self, way: str, method: str) -> None:
        self.healed.clear()
        self.said, self.times = {}, 0
        self.proxy.before = lambda calls: self._before(way, [c for c in calls if c["method"] == method])
        self.proxy.after = lambda call, reply: self._after(way, call, reply) if call["method"] == method else reply

    def heal(self) -> None:
        self.healed.set()
        self.proxy.before, self.proxy.after, self.proxy.whole = lambda calls: None, lambda call, reply: reply, lambda body: body

    def _before(self, way: str, concerned: list[dict]) -> None:
        self.proxy.whole = lambda body: body
        if not concerned:
            return
        self.times += 1
        if way in WHOLE:
            status, body = WHOLE[way]
            raise Raw(body, status)
        if way == "cut":
            raise Cut
        if way == "hangs":
            self.healed.wait(60)
            raise Cut
        if way == "late":
            self.healed.wait(1.5)
        if way == "wrong id":
            self.proxy.whole = wrong_id

    def _after(self, way: str, call: dict, reply: dict) -> dict:
        if way not in RESULTS or self.healed.is_set():
            return reply
        return {"jsonrpc": "2.0", "id": reply["id"], **RESULTS[way](self, call, reply)}

    def repeat(self, call: dict, reply: dict) -> dict:
        """What it said first, for ever."""
        return self.said.setdefault(json.dumps([call["method"], call["params"]]), {k: v for k, v in reply.items() if k in ("result", "error")})

    def ask_the_other(self, call: dict) -> dict:
        try:
            return {"result": self.other.call(call["method"], *call["params"])}
        except RpcError as error:
            return {"error": {"code": error.code, "message": error.message}}


def result(change):
    return lambda liar, call, reply: {"result": change(reply["result"])} if "result" in reply else {"error": reply["error"]}


def error(code: int, message: str):
    return lambda liar, call, reply: {"error": {"code": code, "message": message}}


# Ways that are one call's result, and ways that are the whole request's.
RESULTS = {
    "forged": result(lambda r: turned(r, forged)), "off by one": result(lambda r: turned(r, off_by_one)), "gap": result(lambda r: None),
    "of no kind": result(lambda r: {"unexpected": [1, {"x": "0xzz"}]}), "stale": lambda liar, call, reply: liar.repeat(call, reply),
    "another chain's": lambda liar, call, reply: liar.ask_the_other(call), "error": error(-32000, "header not found"),
    "limited": error(-32005, "daily request count exceeded, request rate limited"),
}
WHOLE = {"429": (429, b'{"error":"slow down"}'), "500": (500, b"oops"), "html": (200, b"<html><body>502 Bad Gateway</body></html>"),
         "half": (200, b'[{"jsonrpc":"2.0","id":1,"resu')}
WAYS = [*RESULTS, *WHOLE, "wrong id", "cut", "hangs", "late"]


class Lied(World):
    def write_gateways(self) -> None:
        super().write_gateways()
        urls = [chain.url for chain in self.chains]
        self.liars = [Liar(urls[0], urls[1]), Liar(urls[1], urls[0])]
        for gateway, liar, url in zip(self.gateways, self.liars, urls):
            gateway.config.write_text(gateway.config.read_text().replace(f"rpc = [{json.dumps(url)}]", f"rpc = [{json.dumps(liar.url)}]"))

    def stop(self) -> None:
        for liar in getattr(self, "liars", []):
            liar.heal()
        super().stop()
        for liar in getattr(self, "liars", []):
            liar.proxy.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with Lied(tmp_path_factory.mktemp("lied"), "anvil", block_time=0.5) as w:
        yield w


def ended_once(world: Lied, ids: list[str]) -> None:
    for index, message_id in enumerate(ids):
        source, destination = world.sides[index], world.sides[1 - index]
        world.gateways[index].ends(message_id)
        for side, name in ((source, "MessageFinalized"), (destination, "MessageStatus")):
            logs = side.chain.rpc.call("eth_getLogs", {"address": side.gateway.address, "fromBlock": "0x0",
                                                       "topics": [abi.topic(side.gateway.entry(name, kind="event")), message_id]})
            assert [abi.decode_log(side.gateway.entry(name, kind="event"), log)["status"] for log in logs] == [DELIVERED], (name, logs)


def cell(world: Lied, way: str, method: str, index: int, first_s: float = LASTS_S) -> int:
    """A message each way while the node of one chain misbehaves; how often it did, for which it is waited longer where that is the point."""
    liar = world.liars[index]
    liar.misbehave(way, method)
    try:
        ids = [world.send(f"{way} {method}".encode(), source=i) for i in range(2)]
        begin = time.monotonic()
        while liar.times < SHOWN and time.monotonic() - begin < (LASTS_S if liar.times else first_s):
            time.sleep(0.05)
        time.sleep(0.5)
        times = liar.times
    finally:
        liar.heal()
    ended_once(world, ids)
    return times


def test_these_are_the_calls():
    """As the adapter's source names them: the matrix has all of them."""
    named = {m for path in (ROOT / "adapters").rglob("*.c") for m in re.findall(r'"((?:eth|debug|web3|net)_[A-Za-z]+)"', path.read_text())}
    assert named - {"eth_subscription"} == set(CALLS)


# What every message is asked about: every way once, each of these calls on either chain.
ASKED = ["eth_blockNumber", "eth_getBlockByNumber", "eth_getBlockReceipts", "eth_getProof", "eth_getTransactionCount", "eth_getTransactionReceipt",
         "eth_maxPriorityFeePerGas", "eth_sendRawTransaction"]
SAMPLE = [(way, ASKED[i % len(ASKED)], (i + i // len(ASKED)) % 2) for i, way in enumerate(WAYS)]


@pytest.mark.parametrize("way, method, index", SAMPLE, ids=lambda v: str(v))
def test_a_sample(world, way, method, index):
    assert cell(world, way, method, index, END_TIMEOUT_S) > 0, "it never misbehaved"


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_all_calls(world, way):
    seen = Counter()
    for method in CALLS:
        for index in range(2):
            seen[method] += cell(world, way, method, index)
    print(way, dict(seen))
    assert len([m for m in CALLS if seen[m]]) >= 8, seen  # some are asked in trouble alone
