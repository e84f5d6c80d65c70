"""What only a whole world shows of the oracle: beside a bridge, under load, when parts of it die, and whose keys count where."""
from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib import abi, deploy, fetch, oracle
from lib.rpc import Contract, RpcError, create, wait_for
from lib.sources import Sources
from lib.tools import ROOT
from lib.world import World

sys.path.insert(0, str(ROOT / "bench"))
import answers as bench  # noqa: E402

HOST, OTHER, THIRD, SLOW = "prices.example.test", "other.example.test", "third.example.test", "slow.example.test"
SLOW_HELD_MAX_S = 8  # below what the enclave gives a source
GAS = 3_000_000
QUICK_COUNT, SLOW_COUNT, CALLERS = 200, 40, 16
LATENCY_COUNT, LATENCY_BLOCKS = 5, 2


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oracle")
    with Sources(folder / "sources", [HOST, OTHER, THIRD, SLOW]) as sources:
        for name in sources.names:
            sources.set(name, "ether", {"usd": "3000.10"})
        with World(folder / "world", "anvil", sources=sources) as w:
            yield w


@pytest.fixture
def slow(world):
    """A source that answers when it is released, or at the latest after SLOW_HELD_MAX_S; .asked counts."""
    server = SlowServer(world)
    yield server
    server.release()
    server.close()


class SlowServer(fetch.Server):
    def __init__(self, world):
        self.released, self.asked = threading.Event(), 0
        super().__init__(world.folder / "slow", world.sources.authority.leaf(SLOW), self.answer)

    def answer(self, tls) -> None:
        while fetch.read_head(tls):
            self.asked += 1
            self.released.wait(SLOW_HELD_MAX_S)
            tls.sendall(fetch.ok(b'{"usd":"1"}'))

    def release(self) -> None:
        self.released.set()

    @property
    def spec(self) -> bytes:
        return oracle.spec(oracle.source(f"https://{SLOW}:{self.port}/ether", "/usd"))


def quick(world, name: str = HOST) -> bytes:
    return oracle.spec(oracle.source(world.sources.url(name, "ether"), "/usd"))


# ---- a slow source delays nobody else ----

def test_rest_under_load_beside_a_slow_source(world, slow):
    """Everybody is answered; nobody who asks the quick source waits for the slow one."""
    def ask(spec: bytes) -> tuple[str, float]:
        document = world.oracle.ask(spec)
        assert document["code"] == 0
        return document["value"], time.monotonic()

    with ThreadPoolExecutor(SLOW_COUNT) as waiting, ThreadPoolExecutor(CALLERS) as callers:
        held = [waiting.submit(ask, slow.spec) for _ in range(SLOW_COUNT)]
        wait_for(lambda: slow.asked, 20, "the slow source to be asked", 0.02)
        done = list(callers.map(ask, [quick(world)] * QUICK_COUNT))
        assert {value for value, _ in done} == {"3000.10000000"}
        released = time.monotonic()
        slow.release()
        late = [h.result() for h in held]
    assert {value for value, _ in late} == {"1.00000000"}
    assert max(at for _, at in done) <= released < min(at for _, at in late)


def test_a_contract_beside_a_slow_source(world, slow):
    contracts = world.oracle_contracts
    waiting = contracts.ask(slow.spec)
    wait_for(lambda: slow.asked, 30, "the slow source to be asked", 0.05)
    other = contracts.ask(quick(world))
    assert contracts.ends(other) == (oracle.ANSWERED, 0)
    assert contracts.state_of(waiting)[0] == oracle.OPEN
    slow.release()
    assert contracts.ends(waiting)[0] == oracle.ANSWERED


# ---- what dies ----

def test_the_enclave_is_killed_while_it_is_asked(world, slow):
    """Both an app's and a contract's request are open; each is answered, the contract's once."""
    contracts, before = world.oracle_contracts, world.oracle.pids()["caisson-oracle-enclave"]
    request = contracts.ask(slow.spec)
    with ThreadPoolExecutor(1) as waiting:
        app = waiting.submit(world.oracle.ask, slow.spec, 60, audience="killed")
        wait_for(lambda: slow.asked >= 2, 30, "both to be asked", 0.02)
        os.kill(before, signal.SIGKILL)
        slow.release()
        assert app.result()["value"] == "1.00000000"
    assert contracts.ends(request) == (oracle.ANSWERED, 0)
    assert len(contracts.answers_of(request)) == 1
    assert world.oracle.pids()["caisson-oracle-enclave"] != before
    assert world.oracle.ask(quick(world))["value"] == "3000.10000000"


# ---- whose key counts where ----

def call_of(contract: Contract, name: str, tx: str) -> list:
    """The arguments of a transaction's call."""
    sent = contract.rpc.call("eth_getTransactionByHash", tx)
    data, entry = abi.to_bytes(sent["input"]), contract.entry(name)
    assert data[:4] == abi.selector(entry), f"{tx} calls something else than {name}"
    return abi.decode(entry["inputs"], data[4:])


ERRORS = {abi.selector(entry): entry["name"] for name in ("CaissonGateway", "CaissonOracle", "CaissonFeed")
          for entry in deploy.artifact(name)["abi"] if entry["type"] == "error"}


def refusal(contract: Contract, sender: str, name: str, *values, block: str | int = "latest") -> str | None:
    """The name of the error with which a call reverts, None if it does not."""
    call = {"from": sender, "to": contract.address, "data": abi.to_hex(contract.data(name, *values)), "gas": hex(GAS)}
    try:
        contract.rpc.call("eth_call", call, hex(block) if isinstance(block, int) else block)
    except RpcError as error:
        raw = error.data if isinstance(error.data, str) else (error.data or {}).get("data", "0x")
        return ERRORS.get(abi.to_bytes(raw or "0x")[:4], error.message)
    return None


def registered(contract: Contract, owner: str, remote: bytes, key: bytes) -> None:
    contract.write(owner, "registerKey", remote, 1, key, bytes(32), bytes(32))


def fresh(side: deploy.Side, name: str) -> Contract:
    """Another contract of ours on a side's chain, without remotes and keys."""
    return create(side.chain.rpc, side.owner, deploy.artifact(name), side.chain.caip2, side.chain.genesis_hash, side.owner, side.guardian,
                  deploy.OWNER_DELAY_S, deploy.ROTATION_DELAY_S, deploy.OVERLAP_S, True)


def test_a_message_signed_with_the_oracles_key(world):
    """Even where an owner names the oracle's key as a bridge's: what it signs is an answer, and no answer is a message."""
    home, abroad = world.sides
    contracts = world.oracle_contracts
    request = contracts.ask(quick(world))
    contracts.ends(request)
    _, st, _ = call_of(contracts.requests, "fulfil", contracts.answers_of(request)[0]["tx"])
    key = contracts.requests.read("keyOf", contracts.requests.read("oracle"), st["epoch"])[0]["x"]
    gateway = fresh(abroad, "CaissonGateway")
    gateway.write(abroad.owner, "registerRemote", home.chain.caip2, home.chain.genesis_hash, home.gateway.address,
                  deploy.erc7930(home.chain.chain_id), 1)
    gateway.write(abroad.owner, "setRoute", home.identity, deploy.ROUTE)
    registered(gateway, abroad.owner, home.identity, key)
    message_id = world.send(b"under a wrong key")
    world.gateways[0].ends(message_id)
    [status] = [log for log in logs(abroad, "MessageStatus") if log["messageId"] == abi.to_bytes(message_id)]
    _, _, messages = call_of(abroad.gateway, "deliver", status["tx"])
    assert refusal(gateway, abroad.user, "deliver", home.identity, st, messages) == "SignatureInvalid"
    # At the bridge itself the oracle is nobody.
    assert refusal(abroad.gateway, abroad.user, "deliver", contracts.requests.read("oracle"), st, messages) == "KeyNotActive"


def logs(side: deploy.Side, event: str) -> list[dict]:
    entry = side.gateway.entry(event, kind="event")
    found = side.chain.rpc.call("eth_getLogs", {"address": side.gateway.address, "fromBlock": "0x0", "topics": [abi.topic(entry)]})
    return [{**abi.decode_log(entry, log), "tx": log["transactionHash"]} for log in found]


def test_an_answer_signed_with_the_bridges_key(world):
    home, abroad = world.sides
    message_id = world.send(b"signed by the bridge")
    world.gateways[0].ends(message_id)
    [status] = [log for log in logs(abroad, "MessageStatus") if log["messageId"] == abi.to_bytes(message_id)]
    _, st, _ = call_of(abroad.gateway, "deliver", status["tx"])
    bridges_key = abroad.gateway.read("keyOf", home.identity, st["epoch"])[0]["x"]
    contracts = world.oracle_contracts
    request = contracts.ask(quick(world))
    contracts.ends(request)
    _, _, given = call_of(contracts.requests, "fulfil", contracts.answers_of(request)[0]["tx"])
    other = fresh(home, "CaissonOracle")
    other.write(home.owner, "registerOracle", b"\7" * 32, 1)
    registered(other, home.owner, other.read("oracle"), bridges_key)
    assert refusal(other, home.user, "fulfil", other.read("oracle"), st, given) == "SignatureInvalid"
    # At the oracle's own contract the bridge is nobody.
    assert refusal(contracts.requests, home.user, "fulfil", home.identity, st, given) == "KeyNotActive"
    assert refusal(contracts.requests, home.user, "fulfil", contracts.requests.read("oracle"), st, given) == "SignatureInvalid"


# ---- an end is an end ----

def test_two_answers_for_one_request(world):
    contracts, user = world.oracle_contracts, world.sides[0].user
    first, second = contracts.ask(quick(world)), contracts.ask(quick(world, OTHER))
    for request in (first, second):
        assert contracts.ends(request) == (oracle.ANSWERED, 0)
    calls = [call_of(contracts.requests, "fulfil", contracts.answers_of(r)[0]["tx"]) for r in (first, second)]
    before = contracts.consumer.read("answers")
    # In one call where both came together, then nothing is left of it; alone, the contract says what the state is.
    for values in calls:
        assert refusal(contracts.requests, user, "fulfil", *values) == ("StatusIs" if len(values[2]) == 1 else "NothingToDo")
        receipt = contracts.requests.write(user, "fulfil", *values, gas=GAS, accept_revert=True)
        assert receipt["status"] == "0x0"
    # Answered: no refund any more, before the deadline and after it.
    parts = {k: first[k] for k in deploy.REQUEST_PARTS}
    assert refusal(contracts.requests, user, "refund", parts) == "StatusIs"
    assert [len(contracts.answers_of(r)) for r in (first, second)] == [1, 1]
    assert contracts.consumer.read("answers") == before


def test_an_answer_for_another_request(world, slow):
    """What was signed for one is not taken for another that is open."""
    contracts, user = world.oracle_contracts, world.sides[0].user
    done, open_ = contracts.ask(quick(world)), contracts.ask(slow.spec)
    contracts.ends(done)
    name, st, given = call_of(contracts.requests, "fulfil", contracts.answers_of(done)[0]["tx"])
    item = next(a for a in given if a["request"]["counter"] == done["counter"])
    forged = item | {"request": {k: open_[k] for k in deploy.REQUEST_PARTS}}
    assert refusal(contracts.requests, user, "fulfil", name, st, [forged]) == "SignatureInvalid"
    assert refusal(contracts.requests, user, "fulfil", name, st, [item | {"value": b"\1" * 32}]) == "SignatureInvalid"
    slow.release()
    contracts.ends(open_)


# ---- rounds ----

@pytest.fixture(scope="module")
def feed(world):
    """Three sources, due every second; its first two rounds are on chain. (feed, their events)"""
    contracts = world.oracle_contracts
    spec = oracle.spec(*(oracle.source(world.sources.url(n, "ether"), "/usd") for n in (HOST, OTHER, THIRD)), aggregate=oracle.median(2))
    added = contracts.add_feed(oracle.FEED_SETTINGS | {"specHash": oracle.ov.spec_hash(spec), "heartbeat": 2, "staleAfter": 60})
    world.oracle.list_feed(added["index"], spec)
    rounds = lambda: contracts.logs(contracts.feeds, "FeedUpdated", 0, f"0x{added['index']:064x}")  # noqa: E731
    wait_for(lambda: len(rounds()) >= 3, 90, f"three rounds ({world.oracle.log})", 0.2)
    path = f"/v1/oracle/feeds/{contracts.feeds.address.lower()}/{added['index']}"
    world.oracle.post(path + ":pause")
    # What was under way when it was paused comes to its end.
    contracts.chain.rpc.wait_blocks(2)
    wait_for(lambda: not world.oracle.get(path)["submitting"], 30, f"the end of what is under way ({world.oracle.log})", 0.2)
    return added, rounds()


def test_a_round_is_what_the_sources_say(world, feed):
    added, rounds = feed
    assert {r["value"] for r in rounds} == {300_010_000_000}
    assert added["view"].read("latestRoundData")[1] == 300_010_000_000
    times = [r["observedAt"] for r in rounds]
    assert times == sorted(set(times))


def test_rounds_that_are_older_equal_or_of_the_future(world, feed):
    added, rounds = feed
    contracts, user = world.oracle_contracts, world.sides[0].user
    feeds = contracts.feeds
    calls = [call_of(feeds, "submit", r["tx"]) for r in (rounds[0], rounds[-1])]
    latest = added["view"].read("latestRoundData")
    assert latest[0] == len(rounds)
    for values in calls:  # the older one, and the latest again
        assert refusal(feeds, user, "submit", *values) == "ObservedNotNewer"
        assert feeds.write(user, "submit", *values, gas=GAS, accept_revert=True)["status"] == "0x0"
    assert added["view"].read("latestRoundData") == latest
    # In the last block before it was observed it is of the future.
    observed = rounds[0]["observedAt"]
    before = rounds[0]["block"] - 1
    while int(feeds.rpc.block(before)["timestamp"], 16) >= observed:
        before -= 1
    assert refusal(feeds, user, "submit", *calls[0], block=before) == "ObservedInFuture"
    changed = [calls[1][0], calls[1][1], [calls[1][2][0] | {"value": 1}]]
    assert refusal(feeds, user, "submit", *changed) == "SignatureInvalid"


# ---- how fast ----

def test_from_final_to_the_callback(world):
    measured = bench.latency(world.oracle_contracts, world.confirmations, quick(world), LATENCY_COUNT)
    blocks = measured["final_to_callback_blocks"]
    print(json.dumps(measured))
    assert blocks["p50"] <= LATENCY_BLOCKS, measured


# ---- in the documents that apps get ----

def test_an_answer_names_what_was_asked(world):
    document = world.oracle.ask(quick(world), audience="a reader")
    assert document["audience"] == "a reader" and document["insecure"] is True
    file = world.folder / "answer.json"
    file.write_text(json.dumps(document))
    key = abi.to_hex(world.oracle_contracts.requests.read("keyOf", world.oracle_contracts.requests.read("oracle"), 1)[0]["x"])
    assert world.oracle.caisson("verify", str(file), "--key", key).returncode == 0
    file.write_text(json.dumps(document | {"audience": "another"}))
    assert world.oracle.caisson("verify", str(file), "--key", key).returncode != 0
