"""An adapter that watches an oracle's contracts, alone or beside a gateway: requests as they were made, and nothing else."""
from __future__ import annotations

from types import SimpleNamespace

import pytest

import oracle_vectors as ov
from adapters.driver import Driver, Gateway
from adapters.proxies import RpcProxy
from lib import abi, chains, deploy

NOBODY = "0x" + "00" * 20
SPEC = b'{"result":{"type":"uint256"},"sources":[{"extract":{"pointer":"/a"},"url":"https://a.example.test/{0}"}],"version":1}'


class Asker:
    """Contracts without an oracle: enough to ask. What Driver wants of a gateway, with no gateway."""

    def __init__(self, chain):
        self.chain = chain
        self.height = chain.rpc.block_number() + 1
        self.contracts = deploy.deploy_oracle(chain)
        self.contracts.requests.write(self.contracts.owner, "setTerms", {**deploy.ORACLE_TERMS, "lifetimeMin": 1})
        self.contract = SimpleNamespace(address=NOBODY)
        self.watched = {"oracles": [self.contracts.requests.address], "feeds": [self.contracts.feeds.address]}
        self.identity = self.contracts.receiver(self.contracts.requests)

    def settings(self) -> dict:
        return {"chain_id": self.chain.chain_id, "start_height": self.height, "block_time_ms": 250}

    def driver(self, **config) -> Driver:
        return Driver(self, **{**self.watched, **config})

    def ask(self, *arguments: str, lifetime: int = 600) -> tuple[dict, dict]:
        """The request, and the receipt that holds it."""
        c = self.contracts
        receipt = c.consumer.write(c.user, "ask", SPEC, list(arguments), 100_000, 60, lifetime, value=10**17, gas=3_000_000)
        return c.asked(receipt), receipt


@pytest.fixture(scope="module")
def asker(tmp_path_factory):
    with chains.Anvil(tmp_path_factory.mktemp("asker"), mining="auto") as chain:
        chain.mining = "auto"
        yield Asker(chain)


@pytest.fixture
def proxy(asker):
    with RpcProxy(asker.chain.url) as p:
        yield p


def events(driver, kind: str) -> list[dict]:
    return [x for e in driver.events if e["event"] == "block" for x in e["events"] if x["kind"] == kind]


def wait_request(driver, request: dict, timeout_s: float = 20) -> dict:
    name = abi.to_hex(request["id"])
    return driver.wait_for(lambda: next((e for e in events(driver, "requested") if e["id"] == name), None), timeout_s, "the request")


def number(word: str) -> int:
    return int(word, 16)


def test_a_request_with_all_its_parts(asker):
    with asker.driver() as driver:
        request, receipt = asker.ask("btc", "")
        event = wait_request(driver, request)
        assert event["contract"] == abi.to_hex(asker.identity)
        assert abi.to_bytes(event["spec"]) == SPEC and event["secrets"] == "0x"
        assert [abi.to_bytes(a) for a in event["arguments"]] == [b"btc", b""]
        assert event["counter"] == request["counter"] and event["callback_gas"] == 100_000 and event["max_age"] == 60
        assert event["asked"] == request["time"] and event["deadline"] == request["deadline"]
        assert number(event["fee"]) == request["fee"]
        assert event["asker"][-40:] == event["callback"][-40:] == asker.contracts.consumer.address[2:].lower()
        assert event["tx"] == receipt["transactionHash"]
        assert driver.counters()["foreign"] == 0


def test_by_hash_there_is_no_spec(asker):
    c = asker.contracts
    fee = c.requests.read("quote", 3, 0)
    args = (ov.spec_hash(SPEC), ["abc"], b"", NOBODY, 0, 60, c.chain.rpc.time() + 600)
    with asker.driver() as driver:
        request = c.asked(c.requests.write(c.user, "requestByHash", *args, value=fee, gas=1_000_000))
        event = wait_request(driver, request)
        assert event["spec"] == "0x" and request["specHash"] == ov.spec_hash(SPEC)


def test_backfill_and_downtime(asker):
    before, _ = asker.ask("before")
    with asker.driver(ws=[]) as driver:
        wait_request(driver, before)
        driver.wait_height(asker.chain.rpc.block_number())
        cursor = driver.cursor()
    down, _ = asker.ask("down")
    asker.chain.mine(80)
    with asker.driver(cursor=cursor) as driver:
        wait_request(driver, down)
        driver.wait_height(asker.chain.rpc.block_number())
        assert [e["id"] for e in events(driver, "requested")] == [abi.to_hex(down["id"])]


def test_a_refund_is_heard(asker):
    with asker.driver() as driver:
        request, _ = asker.ask(lifetime=30)
        wait_request(driver, request)
        asker.chain.rpc.call("evm_increaseTime", 40)
        asker.chain.mine()
        parts = {k: request[k] for k in deploy.REQUEST_PARTS}
        asker.contracts.requests.write(asker.contracts.owner, "refund", parts, gas=500_000)
        name = abi.to_hex(request["id"])
        event = driver.wait_for(lambda: next((e for e in events(driver, "refunded") if e["id"] == name), None), 20, "the refund")
        assert number(event["fee"]) == request["fee"]


def test_a_feed_is_born(asker):
    settings = {"specHash": ov.spec_hash(SPEC), "decimals": 8, "heartbeat": 3600, "staleAfter": 3900, "deviation": 5000,
                "historyBits": 3, "description": "ETH / USD"}
    c = asker.contracts
    with asker.driver() as driver:
        c.feeds.write(c.owner, "schedule", c.feeds.data("addFeed", settings))
        asker.chain.rpc.call("evm_increaseTime", deploy.OWNER_DELAY_S + 1)
        asker.chain.mine()
        born = c.added(c.feeds.write(c.owner, "addFeed", settings, gas=deploy.ADD_FEED_GAS))
        event = driver.wait_for(lambda: (events(driver, "feed_added") or [None])[-1], 20, "the feed")
        assert event["index"] == born["index"] and abi.to_bytes(event["id"]) == born["feedId"]
        assert abi.to_bytes(event["spec_hash"]) == ov.spec_hash(SPEC) and event["description"] == "ETH / USD"
        assert (event["decimals"], event["heartbeat"], event["stale_after"], event["deviation"]) == (8, 3600, 3900, 5000)
        assert event["view"] == born["view"].address.lower()
        c.feeds.write(c.guardian, "pauseFeed", born["index"])
        paused = driver.wait_for(lambda: (events(driver, "feed_paused") or [None])[-1], 20, "the pause")
        assert paused["index"] == born["index"] and paused["paused"] is True


def test_claims_of_a_receipt(asker):
    """Where in the receipt each request is, checked by the driver with the enclave's verifier."""
    with asker.driver() as driver:
        request, receipt = asker.ask("claims")
        wait_request(driver, request)
        block = asker.chain.rpc.block(int(receipt["blockNumber"], 16))
        answer = driver.ask("receipt_proof", height=int(receipt["blockNumber"], 16), hash=receipt["blockHash"],
                            index=int(receipt["transactionIndex"], 16), receipts_root=block["receiptsRoot"],
                            address=asker.contracts.requests.address)
        assert answer["err"] == "ok" and answer["verified"] == "ok" and answer["claim_total"] == 1
        assert answer["claims"][0]["id"] == abi.to_hex(request["id"])


def test_statuses_want_a_gateway(asker):
    with asker.driver() as driver:
        assert driver.ask("statuses", source="0x" + "11" * 32, sequences=[1])["err"] == "unsupported"


def test_beside_a_gateway(asker):
    """One adapter, both kinds; and one that watches the gateway alone hears of no request."""
    gateway = Gateway(asker.chain)
    with Driver(gateway, **asker.watched) as driver, Driver(gateway) as alone:
        request, _ = asker.ask("beside")
        ids = gateway.sent(gateway.send(2))
        for d in (driver, alone):
            d.wait_messages(ids)
            d.wait_height(asker.chain.rpc.block_number())
        wait_request(driver, request)
        assert not events(alone, "requested") and alone.counters()["foreign"] == 0


def test_the_same_event_of_another_contract(asker):
    """Somebody else's oracle makes the same events; only those of the configured address are heard."""
    other = Asker(asker.chain)
    with asker.driver() as driver:
        foreign, _ = other.ask("foreign")
        own, _ = asker.ask("own")
        wait_request(driver, own)
        assert abi.to_hex(foreign["id"]) not in [e["id"] for e in events(driver, "requested")]


def requested_of(receipts: list[dict], asker) -> list[dict]:
    topic = abi.topic(asker.contracts.requests.entry("OracleRequested", kind="event"))
    return [log for r in receipts for log in r["logs"] if log["topics"][:1] == [topic]]


def changed(asker, change):
    """A hook for the proxy: receipts whose requests a lying node changed."""
    def after(call, reply):
        if call["method"] in ("eth_getBlockReceipts", "eth_getTransactionReceipt") and isinstance(reply.get("result"), (list, dict)):
            whole = reply["result"] if isinstance(reply["result"], list) else [reply["result"]]
            for log in requested_of(whole, asker):
                change(log)
        if call["method"] == "debug_getRawReceipts":
            return {"jsonrpc": "2.0", "id": reply["id"], "error": {"code": -32601, "message": "the method does not exist"}}
        return reply
    return after


def more_gas(log: dict) -> None:
    data = bytearray(abi.to_bytes(log["data"]))
    data[6 * 32 + 30] ^= 1
    log["data"] = abi.to_hex(bytes(data))


def other_id(log: dict) -> None:
    log["topics"][1] = "0x" + "ee" * 32


@pytest.mark.parametrize("change", [more_gas, other_id], ids=["parts", "id"])
def test_a_node_that_changes_a_request(asker, proxy, change):
    """Alone it tells nothing; the honest endpoint behind it tells the truth."""
    proxy.after = changed(asker, change)
    with asker.driver(http=[proxy.url], ws=[]) as driver:
        request, _ = asker.ask("changed")
        driver.wait_for(lambda: sum(e["lies"] for e in driver.ask("endpoints")["endpoints"]) > 0, 20, "a lie that is told")
        assert abi.to_hex(request["id"]) not in [e["id"] for e in events(driver, "requested")]
        proxy.after = lambda call, reply: reply
        event = wait_request(driver, request)
        assert event["callback_gas"] == 100_000


def test_a_node_that_invents_a_request(asker, proxy):
    """In the logs that it finds: nobody believes them without the receipt."""
    real, receipt = asker.ask("real")
    log = requested_of([receipt], asker)[0]

    def invent(call, reply):
        if call["method"] == "eth_getLogs" and isinstance(reply.get("result"), list):
            height = int(call["params"][0]["toBlock"], 16)
            block = asker.chain.rpc.block(height)
            made = {**log, "blockNumber": hex(height), "blockHash": block["hash"], "topics": [log["topics"][0], "0x" + "dd" * 32, log["topics"][2]]}
            reply = dict(reply, result=reply["result"] + [made])
        return reply

    proxy.after = invent
    with asker.driver(http=[proxy.url], ws=[]) as driver:
        driver.wait_height(int(receipt["blockNumber"], 16))
        assert driver.ask("rescan", first=asker.height, last=int(receipt["blockNumber"], 16))["err"] == "ok"
        own, _ = asker.ask("after")
        wait_request(driver, own)
        assert "0x" + "dd" * 32 not in [e["id"] for e in events(driver, "requested")]


def test_a_node_that_hides_a_request(asker, proxy):
    """It leaves the log out of its receipts: then they are not the block's, and another way to them is sought."""
    def hide(call, reply):
        if call["method"] in ("eth_getBlockReceipts", "eth_getTransactionReceipt") and isinstance(reply.get("result"), (list, dict)):
            for r in reply["result"] if isinstance(reply["result"], list) else [reply["result"]]:
                r["logs"] = []
        if call["method"] == "debug_getRawReceipts":
            return {"jsonrpc": "2.0", "id": reply["id"], "error": {"code": -32601, "message": "the method does not exist"}}
        return reply

    proxy.after = hide
    with asker.driver(http=[proxy.url, asker.chain.url], ws=[]) as driver:
        request, _ = asker.ask("hidden")
        wait_request(driver, request, 40)


def test_a_request_that_a_reorganisation_took(asker):
    rpc = asker.chain.rpc
    with asker.driver() as driver:
        snapshot = rpc.call("evm_snapshot")
        request, receipt = asker.ask("gone")
        wait_request(driver, request)
        driver.wait_height(int(receipt["blockNumber"], 16))
        rpc.call("evm_revert", snapshot)
        asker.chain.mine(3)
        height = int(receipt["blockNumber"], 16)
        reorg = driver.wait(lambda e: e["event"] == "reorg" and e["from"] <= height)
        again, _ = asker.ask("there")
        wait_request(driver, again)
        later = driver.events[driver.events.index(reorg):]
        assert abi.to_hex(request["id"]) not in [x["id"] for e in later if e["event"] == "block" for x in e["events"] if x["kind"] == "requested"]
