"""The operators' verbs, by REST and by the command line: what they do, what they refuse, what the journal keeps of them."""
from __future__ import annotations

import json
import re
import sqlite3
import time

import pytest
import websocket

from adapters.proxies import Raw
from lib import abi, deploy
from lib.between import Between
from lib.rpc import wait_for
from lib.world import END_TIMEOUT_S, account, soon, wait_time

EXIT_USAGE, EXIT_REFUSED = 2, 3
GAS_MORE = 900_000


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with Between(tmp_path_factory.mktemp("operator"), "anvil", block_time=0.5, expire=("tombstone", "tombstone")) as w:
        yield w


def names(world, source: int = 0) -> dict:
    """A route, as verbs name it."""
    return {"from_chain": world.chains[source].caip2, "to_chain": world.chains[1 - source].caip2}


def ask(gateway, status: int, path: str, body: dict, **more):
    got, answer = gateway.request("POST", path, body, **more)
    assert got == status, (path, got, answer)
    return answer


def told(gateway, kind: str) -> list[dict]:
    """Events of a kind, from the journal's own file: the stream has the same, which test_openapi compares."""
    with sqlite3.connect(f"file:{gateway.folder / 'journal.db'}?mode=ro", uri=True, timeout=30) as journal:
        return [detail for detail, in journal.execute("SELECT detail FROM events WHERE kind=? ORDER BY n", (kind,))]


def deadline(world, seconds: int, source: int = 0) -> list[bytes]:
    return [deploy.attribute("deadline(uint64)", soon(world.chains[1 - source], seconds))]


def is_paused(gateway, side: str) -> dict | None:
    return next(r["paused"] for r in gateway.get("/v1/routes")["routes"] if r["side"] == side)


# ---- pause and resume ----

def test_a_route_that_is_paused_signs_nothing_until_it_is_resumed(world):
    gateway, other = world.gateways
    route = names(world)
    told_ = ask(gateway, 200, "/v1/operator/pause", {**route, "reason": "looked at"})
    assert [(p["from_chain"], p["to_chain"], p["chain"], p["who"], p["reason"]) for p in told_["paused"]] == [(*route.values(), None, "demo", "looked at")]
    message = world.send(b"waits for the resume")
    held = gateway.reaches(message, "final")
    wait_for(lambda: "demo paused" in (gateway.message(message)["why"] or ""), END_TIMEOUT_S, "the reason")
    # Nobody begins what would only wait; the other direction goes on, and what is looked at says so.
    body = {"to": account(world.sides[1], world.sides[1].app.address), "payload": "0x00", "mode": "prepare"}
    problem = ask(gateway, 503, "/v1/messages", body)
    assert problem["code"] == "paused" and problem["retry"] is True and "looked at" in problem["detail"]
    other.ends(world.send(b"the other way", source=1))
    assert is_paused(gateway, "source")["reason"] == "looked at" and is_paused(gateway, "destination") is None
    assert gateway.get("/v1/status")["paused"] == told_["paused"] and gateway.healthy()
    metrics = gateway.get("/metrics")
    assert re.search(r'caisson_route_paused\{[^}]*side="source"[^}]*what="messages"\} 1', metrics)
    assert re.search(r'caisson_route_paused\{[^}]*side="source"[^}]*what="refunds"\} 0', metrics)
    # A restart changes nothing, the same again is no other pause.
    gateway.stop()
    gateway.restart()
    assert gateway.get("/v1/status")["paused"] == told_["paused"]
    before = told(gateway, "operator.pause")
    ask(gateway, 200, "/v1/operator/pause", {**route, "reason": "looked at"})
    assert told(gateway, "operator.pause") == before
    assert gateway.message(message)["state"] == held["state"] == "final"
    assert ask(gateway, 200, "/v1/operator/resume", route)["paused"] == []
    gateway.ends(message)
    assert ask(gateway, 200, "/v1/operator/resume", route)["paused"] == []
    assert before[-1].startswith("demo ") and len(told(gateway, "operator.resume")) == 1


def test_a_pause_does_not_hold_the_light_client_back(world):
    """After a downtime of more blocks than the client can look back on, with a message that was to be signed before them: it catches up with
    the chain all the same, and what was held is proven by headers of old blocks."""
    gateway, chain = world.gateways[0], world.chains[0]
    route = names(world)
    ask(gateway, 200, "/v1/operator/pause", route)
    message = world.send(b"paused for long")
    gateway.reaches(message, "final")
    gateway.stop()
    chain.mine(1000, 0)
    gateway.restart()
    head = chain.rpc.block_number()
    wait_for(lambda: gateway.get("/v1/chains")["chains"][0]["final"] >= head - 20, END_TIMEOUT_S, "the light client at the head")
    assert gateway.message(message)["state"] == "final" and gateway.healthy()
    ask(gateway, 200, "/v1/operator/resume", route)
    gateway.ends(message)


def test_a_chain_that_is_paused_takes_nothing_in_and_refunds_pass(world):
    """At the destination, by the command line: nothing is delivered, what dies is brought back, what lives goes on afterwards."""
    gateway, other = world.gateways
    chain = world.chains[1].caip2
    run = other.caisson("pause", chain, "--reason", "its node is replaced")
    assert run.returncode == 0 and "its node is replaced" in run.stdout, run.stderr
    dies, lives = world.send(b"dies", deadline(world, 8)), world.send(b"lives")
    gateway.ends(dies, "refunded")
    held = other.message(lives)
    assert held["state"] == "signed" and "its node is replaced" in held["why"]
    assert world.sides[1].app.read("lastPayload") != b"lives"
    assert "PAUSED" in other.caisson("routes").stdout and "its node is replaced" in other.caisson("status").stdout
    assert other.caisson("resume", chain).returncode == 0
    gateway.ends(lives)


def test_refunds_that_are_paused_by_name_wait(world):
    gateway, other = world.gateways
    route = names(world)
    ask(other, 200, "/v1/operator/pause", route)
    ask(gateway, 200, "/v1/operator/pause", {"chain": world.chains[0].caip2, "refunds": True})
    ask(gateway, 200, "/v1/operator/resume", {"chain": world.chains[0].caip2})
    dies = world.send(b"dies, and waits for its refund", deadline(world, 6))
    gateway.reaches(dies, "signed", "outcome_verified")
    ask(gateway, 200, "/v1/operator/pause", {**route, "refunds": True})
    gateway.reaches(dies, "outcome_verified")
    height = world.chains[0].rpc.block_number()
    wait_for(lambda: world.chains[0].rpc.block_number() >= height + 6, END_TIMEOUT_S, "some blocks")
    assert gateway.message(dies)["state"] == "outcome_verified"
    ask(gateway, 200, "/v1/operator/resume", route)
    ask(other, 200, "/v1/operator/resume", route)
    gateway.ends(dies, "refunded")


@pytest.mark.parametrize("status, body, what", [
    (400, {}, "say which"), (400, {"chain": 1}, "chain"), (400, {"chain": ""}, "chain"), (400, {"from_chain": "eip155:31337"}, "to_chain"),
    (400, {"to_chain": "eip155:31337"}, "from_chain"), (400, {"chain": "eip155:31337", "from_chain": "eip155:31337", "to_chain": "eip155:31338"}, "chain"),
    (404, {"chain": "eip155:1"}, "eip155:1"), (404, {"from_chain": "eip155:31337", "to_chain": "eip155:31337"}, "eip155:31337"),
    (400, {"chain": "eip155:31337", "refunds": 1}, "refunds"), (400, {"chain": "eip155:31337", "reason": "x" * 201}, "reason"),
    (400, {"chain": "eip155:31337", "reason": 1}, "reason"), (400, {"chain": "eip155:31337", "for": "ever"}, "for")])
def test_pauses_that_are_refused(world, status, body, what):
    gateway = world.gateways[0]
    assert what in ask(gateway, status, "/v1/operator/pause", body)["detail"]
    if not {"refunds", "reason"} & set(body):
        ask(gateway, status, "/v1/operator/resume", body)
    assert gateway.get("/v1/status")["paused"] == []


@pytest.mark.parametrize("verb", ["pause", "resume", "observe", "clear"])
def test_who_may(world, verb):
    """A key that sends is not one that operates."""
    gateway = world.gateways[0]
    made = gateway.caisson("keys", "create", f"app-{verb}", "--scopes", "read,send", "--config", str(gateway.config), "--json")
    key = json.loads(made.stdout)["key"]
    wait_for(lambda: gateway.request("GET", "/v1/routes", key=key)[0] == 200, 10, "the new key")
    assert ask(gateway, 403, f"/v1/operator/{verb}", {"chain": world.chains[0].caip2}, key=key)["code"] == "forbidden"
    assert gateway.get("/v1/status")["paused"] == []


# ---- observe ----

def forget(gateway, chain) -> None:
    """The journal of a stopped gateway, as if it had read everything up to the newest block and found nothing in the last ones."""
    head = chain.rpc.block_number()
    block = chain.rpc.call("eth_getBlockByNumber", hex(head), False)
    cursor = (1).to_bytes(8, "big") + head.to_bytes(8, "big") + bytes.fromhex(block["hash"][2:])
    with sqlite3.connect(gateway.folder / "journal.db", timeout=30) as journal:
        assert journal.execute("UPDATE meta SET value=? WHERE name LIKE 'cursor:%'", (cursor,)).rowcount == 1


def missed(world, payload: bytes) -> tuple[str, dict]:
    """A message that the source's gateway will not come to read."""
    gateway = world.gateways[0]
    gateway.stop()
    message, receipt = world.commit(payload)
    height = world.chains[0].rpc.block_number()
    wait_for(lambda: world.chains[0].rpc.block_number() > height + 1, END_TIMEOUT_S, "a block on top")
    forget(gateway, world.chains[0])
    gateway.restart()
    return message, receipt


def test_a_transaction_that_was_missed(world):
    gateway = world.gateways[0]
    message, receipt = missed(world, b"missed")
    height = int(receipt["blockNumber"], 16)
    time.sleep(2)
    assert gateway.message(message) is None
    found = ask(gateway, 200, "/v1/operator/observe", {"chain": world.chains[0].caip2, "tx": receipt["transactionHash"]})
    event, = found["events"]
    assert (event["event"], event["id"], event["height"], event["taken"]) == ("committed", message, height, True)
    assert (found["from_height"], found["to_height"], found["found"], found["taken"], found["complete"]) == (height, height, 1, 1, True)
    gateway.ends(message)
    again = ask(gateway, 200, "/v1/operator/observe", {"tx": receipt["transactionHash"]})
    assert (again["found"], again["taken"], again["events"][0]["state"]) == (1, 0, "finalized")
    assert [t for t in told(gateway, "operator.observe") if receipt["transactionHash"] in t]
    assert told(gateway, "operator.observed")[-1].endswith("1 events, 0 taken")


def test_heights_that_were_missed(world):
    gateway = world.gateways[0]
    message, receipt = missed(world, b"missed too")
    height = int(receipt["blockNumber"], 16)
    run = gateway.caisson("observe", world.chains[0].caip2, "--from-height", str(height - 1), "--to-height", str(height + 5000))
    assert run.returncode == 0 and message in run.stdout and "taken now" in run.stdout, run.stderr
    gateway.ends(message)


@pytest.mark.parametrize("status, body, what", [
    (400, {}, "from_height"), (400, {"tx": "0x12"}, "tx"), (400, {"from_height": -1}, "from_height"), (400, {"from_height": "1"}, "from_height"),
    (400, {"from_height": 9, "to_height": 8}, "to_height"), (400, {"from_height": 1, "to_height": 10_001}, "to_height"),
    (400, {"tx": "0x" + "11" * 32, "from_height": 1}, "tx"), (404, {"tx": "0x" + "11" * 32}, "no block"), (404, {"chain": "eip155:1", "from_height": 1}, "chain"),
    (404, {"chain": "eip155:31338", "from_height": 1}, "chain"), (400, {"chain": 1, "from_height": 1}, "chain"), (409, {"from_height": 10**9}, "turn")])
def test_observations_that_are_refused(world, status, body, what):
    assert what in ask(world.gateways[0], status, "/v1/operator/observe", body)["detail"]


def test_a_node_that_does_not_answer_an_observation(world):
    gateway = world.gateways[0]

    def refuse(calls: list[dict]) -> None:
        if any(c["method"] == "eth_getTransactionReceipt" for c in calls):
            raise Raw(b"{}", 500)

    world.proxy.before = refuse
    try:
        assert gateway.request("POST", "/v1/operator/observe", {"tx": "0x" + "11" * 32})[0] in (502, 503, 504)
    finally:
        world.proxy.before = lambda calls: None
    assert ask(gateway, 404, "/v1/operator/observe", {"tx": "0x" + "11" * 32})["code"] == "not-found"


def test_the_command_line_of_an_observation(world):
    gateway, chain = world.gateways[0], world.chains[0].caip2
    for more in ((), (chain,), (chain, "--tx", "0x" + "11" * 32, "--from-height", "1"), (chain, "--from-height", "soon")):
        assert gateway.caisson("observe", *more).returncode == EXIT_USAGE, more
    assert gateway.caisson("observe", chain, "--tx", "0x12").returncode == EXIT_REFUSED


# ---- retry with more gas, and clear ----

def failed(world, *payloads: bytes) -> list[str]:
    """Messages whose recipient refused them, and takes them now."""
    abroad = world.sides[1]
    abroad.app.write(abroad.owner, "setFailing", True)
    found = [world.send(payload) for payload in payloads]
    for message in found:
        world.gateways[0].reaches(message, "failed")
    abroad.app.write(abroad.owner, "setFailing", False)
    return found


def test_a_retry_with_the_gas_that_was_named(world):
    source, destination = world.gateways
    message, = failed(world, b"wants more gas")
    path = f"/v1/messages/{message}/retry"
    for status, gas, what in ((400, 1, "gas"), (400, "much", "gas"), (400, -1, "gas"), (403, 10**9, "at most")):
        assert what in ask(destination, status, path, {"gas": gas})["detail"]
    assert "destination" in ask(source, 409, path, {"gas": GAS_MORE})["detail"]
    assert destination.message(message)["state"] == "failed"
    run = destination.caisson("retry", message, "--gas", str(GAS_MORE))
    assert run.returncode == 0 and "with this gas" in run.stdout, run.stderr
    ended = source.ends(message)
    tx = next(s["tx"] for s in ended["steps"] if s["n"] == 10)
    assert int(world.chains[1].rpc.call("eth_getTransactionByHash", tx)["gas"], 16) == GAS_MORE
    assert told(destination, "operator.retry") == [f"demo {message}: {GAS_MORE} gas"]


def test_what_failed_on_a_route_is_called_again(world):
    source, destination = world.gateways
    messages = failed(world, b"one", b"two", b"three")
    cleared = ask(destination, 200, "/v1/operator/clear", names(world))
    assert cleared["retried"] == 3
    for message in messages:
        source.ends(message)
    assert ask(destination, 200, "/v1/operator/clear", names(world)) == {**names(world), "hurried": 0, "retried": 0}
    assert told(destination, "operator.clear")[-1] == f"demo {names(world)['from_chain']}>{names(world)['to_chain']}"


def nonce_of(world, message: str) -> int:
    """Of the transaction that delivered it."""
    tx = next(s["tx"] for s in world.gateways[0].message(message)["steps"] if s["n"] == 10)
    return int(world.chains[1].rpc.call("eth_getTransactionByHash", tx)["nonce"], 16)


def test_what_waits_for_its_next_try_is_tried_now(world):
    """As after a long trouble: an hour from now. What is live meanwhile is not held up by it."""
    source, destination = world.gateways
    ask(destination, 200, "/v1/operator/pause", names(world))
    waiting = [world.send(b"waits %d" % i) for i in range(40)]
    for message in waiting:
        destination.reaches(message, "signed")
    destination.stop()
    with sqlite3.connect(destination.folder / "journal.db", timeout=30) as journal:
        changed = journal.execute("UPDATE messages SET next_ms=?, tries=2 WHERE state=4 AND side=2", (int(time.time() * 1000) + 3_600_000,)).rowcount
    assert changed == len(waiting)
    destination.restart()
    live = world.send(b"live")
    destination.reaches(live, "signed")
    run = destination.caisson("clear", *names(world).values(), "--json")
    assert json.loads(run.stdout)["hurried"] == len(waiting), run.stderr
    ask(destination, 200, "/v1/operator/resume", names(world))
    for message in (live, *waiting):
        source.ends(message)
    # Each that waited goes alone, because it failed before; the live one is among the first ten of forty all the same.
    assert nonce_of(world, live) <= sorted(nonce_of(world, m) for m in waiting)[9]


def test_what_is_past_its_deadline_is_brought_back_when_somebody_asks(world):
    """Tombstones that were refused, and whose next try is an hour away: one message by its id, at either gateway; the rest by its route."""
    source, destination = world.gateways
    live = world.send(b"lives")
    source.ends(live)
    ask(destination, 200, "/v1/operator/pause", {**names(world), "refunds": True})
    dying = [world.send(b"dies %d" % i, deadline(world, 15)) for i in range(6)]
    for message in dying:
        destination.reaches(message, "signed")
    # Before its deadline anybody may still deliver it: nobody gives it up.
    for gateway in world.gateways:
        assert "past its deadline" in ask(gateway, 409, f"/v1/messages/{dying[0]}/retry", {})["detail"]
        assert "until its deadline" in ask(gateway, 409, f"/v1/messages/{dying[0]}/abandon", {})["detail"]
    wait_time(world.chains[1], destination.message(dying[0])["deadline"] + 2)
    destination.stop()
    with sqlite3.connect(destination.folder / "journal.db", timeout=30) as journal:
        changed = journal.execute("UPDATE messages SET next_ms=?, tries=2 WHERE state=4 AND side=2", (int(time.time() * 1000) + 3_600_000,)).rowcount
    assert changed == len(dying)
    destination.restart()
    ask(destination, 200, "/v1/operator/resume", names(world))
    live = world.send(b"lives, too")
    source.ends(live)
    assert [destination.message(message)["state"] for message in dying] == ["signed"] * 6, "they wait for their hour"

    run = destination.caisson("retry", dying[0])
    assert run.returncode == 0 and "past its deadline, and brought back" in run.stdout, run.stderr
    source.ends(dying[0], "refunded")
    ask(source, 202, f"/v1/messages/{dying[1]}/retry", {})
    source.ends(dying[1], "refunded")
    run = source.caisson("abandon", dying[2])
    assert run.returncode == 0 and "nobody delivered it" in run.stdout, run.stderr
    source.ends(dying[2], "refunded")
    ask(destination, 202, f"/v1/messages/{dying[3]}/abandon", {})
    source.ends(dying[3], "refunded")
    assert [destination.message(message)["state"] for message in dying[4:]] == ["signed"] * 2
    assert ask(destination, 200, "/v1/operator/clear", names(world))["hurried"] == 2
    for message in dying[4:]:
        source.ends(message, "refunded")
    assert ask(destination, 409, f"/v1/messages/{dying[0]}/retry", {})["code"] == "conflict"
    assert "refunded" in ask(destination, 409, f"/v1/messages/{dying[0]}/abandon", {})["detail"]
    assert "finalized" in ask(source, 409, f"/v1/messages/{live}/abandon", {})["detail"]


@pytest.mark.parametrize("index, part", [(0, "anybody may retry"), (1, "close")])
def test_what_failed_is_not_abandoned_before_its_deadline(world, index, part):
    """Anybody may retry it, until its closer, where it has one, closes it: there is no proof yet that nobody does."""
    (source, destination), (_, abroad) = world.gateways, world.sides
    abroad.app.write(abroad.owner, "setFailing", True)
    message = world.send(b"failed", [deploy.attribute("closer(bytes)", abi.to_bytes(abroad.closer))] if index else [])
    source.reaches(message, "failed")
    for gateway in world.gateways:
        problem = ask(gateway, 409, f"/v1/messages/{message}/abandon", {})
        assert problem["code"] == "conflict" and part in problem["detail"], problem
    abroad.app.write(abroad.owner, "setFailing", False)
    ask(destination, 202, f"/v1/messages/{message}/retry", {})
    source.ends(message)


@pytest.mark.parametrize("status, body, what", [
    (400, {}, "from_chain"), (400, {"from_chain": "eip155:31337"}, "to_chain"), (404, {"from_chain": "eip155:1", "to_chain": "eip155:31338"}, "eip155:1"),
    (400, {"chain": "eip155:31337"}, "chain"), (400, {"from_chain": 1, "to_chain": "eip155:31338"}, "from_chain")])
def test_routes_that_are_not_cleared(world, status, body, what):
    assert what in ask(world.gateways[0], status, "/v1/operator/clear", body)["detail"]


# ---- raise ----

def fees(world, index: int, tx: str) -> int:
    return int(world.chains[index].rpc.call("eth_getTransactionByHash", tx)["maxFeePerGas"], 16)


def test_more_is_offered_for_a_transaction_that_no_block_takes(world):
    """The same nonce, an eighth more at least, journalled; one of the attempts is in a block, once. Nothing is left to raise then."""
    gateway, (home, abroad) = world.gateways[0], world.sides
    home.chain.rpc.call("evm_setIntervalMining", 0)
    try:
        sent = gateway.post("/v1/messages", {"to": account(abroad, abroad.app.address), "payload": "0x0a", "mode": "sponsored"})

        def listed() -> dict | None:
            return next((t for t in gateway.get("/v1/operator/transactions")["transactions"] if t["state"] == "open" and t["tx"]), None)

        first = wait_for(listed, 20, "the transaction")
        wait_for(lambda: home.chain.rpc.call("eth_getTransactionByHash", first["tx"]), 20, "the node's word of it")
        assert (first["call"], first["attempts"], first["account"]) == ("sponsored", 1, gateway.operator.lower())

        def raised() -> bool:
            status, answer = gateway.request("POST", f"/v1/operator/transactions/{first['n']}/raise")
            assert status == 202 or answer["code"] in ("conflict", "full"), answer
            return status == 202

        wait_for(raised, 20, "the wish to be taken")
        second = wait_for(lambda: (t := listed()) and t["attempts"] > 1 and t, 20, "the second attempt")
        assert second["nonce"] == first["nonce"] and second["tx"] != first["tx"]
        assert int(second["max_fee_wei"]) * 8 >= int(first["max_fee_wei"]) * 9
        wait_for(lambda: home.chain.rpc.call("eth_getTransactionByHash", second["tx"]), 20, "the node's word of it")
        assert fees(world, 0, second["tx"]) == int(second["max_fee_wei"])
        assert str(first["n"]) in gateway.caisson("transactions").stdout
        wait_for(lambda: gateway.caisson("raise", str(first["n"])).returncode == 0, 20, "the same by the command line")
        wait_for(lambda: (t := listed()) and t["attempts"] > second["attempts"], 20, "the next attempt")
    finally:
        home.chain.rpc.call("evm_setIntervalMining", 1)
    gateway.ends(sent["request_id"])
    wait_for(lambda: not gateway.get("/v1/operator/transactions")["transactions"], END_TIMEOUT_S, "the list to be empty")
    assert gateway.caisson("transactions").stdout == "no transactions are open\n"
    assert ask(gateway, 409, f"/v1/operator/transactions/{first['n']}/raise", {})["code"] == "conflict"
    assert gateway.caisson("raise", str(first["n"])).returncode == EXIT_REFUSED
    assert told(gateway, "operator.raise")[-1] == f"demo {world.chains[0].caip2}: transaction {first['n']}"


def test_what_is_not_raised(world):
    gateway = world.gateways[0]
    ask(gateway, 404, "/v1/operator/transactions/999999/raise", {})
    ask(gateway, 404, "/v1/operator/transactions/0/raise", {})
    ask(gateway, 400, "/v1/operator/transactions/first/raise", {})
    ask(gateway, 400, "/v1/operator/transactions/1/raise", {"fee": 1})
    for more in ((), ("first",), ("1", "2")):
        assert gateway.caisson("raise", *more).returncode == EXIT_USAGE, more


# ---- sweep ----

def test_a_gas_account_is_swept_to_the_manifests_address(world):
    """What was told is what arrives, once; the account can still pay for itself when it gets something."""
    gateway, side = world.gateways[0], world.sides[0]
    rpc = side.chain.rpc
    gas = world.enclave_key(gateway)["gas_address"]
    target = next(c for c in json.loads(world.manifest.read_text())["manifest"]["chains"] if c["caip2"] == side.chain.caip2)["policy"]["sweep_to"]
    kept = 10**18
    wait_for(lambda: not gateway.get("/v1/operator/transactions")["transactions"], END_TIMEOUT_S, "nothing under way")
    there, had = (int(rpc.call("eth_getBalance", a, "latest"), 16) for a in (gas, target))
    swept = ask(gateway, 202, "/v1/operator/sweep", {"chain": side.chain.caip2, "keep": str(kept)})
    assert (swept["to"], swept["account"]) == (target, gas) and int(swept["value"]) + int(swept["stays"]) == there
    assert kept < int(swept["stays"]) < kept + 10**16
    wait_for(lambda: int(rpc.call("eth_getBalance", target, "latest"), 16) == had + int(swept["value"]), END_TIMEOUT_S, "what was swept")
    assert int(rpc.call("eth_getBalance", gas, "latest"), 16) >= kept
    assert told(gateway, "operator.sweep") == [f"demo {side.chain.caip2}: {swept['value']} wei to {target}"]
    gateway.ends(world.send(b"paid by what was kept"))
    wait_for(lambda: not gateway.get("/v1/operator/transactions")["transactions"], END_TIMEOUT_S, "nothing under way")
    assert int(rpc.call("eth_getBalance", target, "latest"), 16) == had + int(swept["value"])


def test_what_is_not_swept(world):
    gateway, (home, abroad) = world.gateways[0], world.sides
    wait_for(lambda: not gateway.get("/v1/operator/transactions")["transactions"], END_TIMEOUT_S, "nothing under way")
    before = told(gateway, "operator.sweep")
    for status, body in ((402, {"keep": str(10**30)}), (400, {"keep": 1}), (400, {"keep": "much"}), (400, {"keep": "-1"}), (404, {"chain": "eip155:1"}),
                         (400, {"chain": 1}), (400, {"to": gateway.operator}), (404, {"chain": abroad.chain.caip2})):
        ask(gateway, status, "/v1/operator/sweep", body)
    assert gateway.caisson("sweep").returncode == EXIT_USAGE
    run = gateway.caisson("sweep", home.chain.caip2, "--keep", str(10**30))
    assert run.returncode == EXIT_REFUSED and "stays" in run.stderr
    assert told(gateway, "operator.sweep") == before


def test_the_events_of_verbs_are_described(world):
    """What the stream says of them has who it was, apart."""
    gateway = world.gateways[0]
    ask(gateway, 200, "/v1/operator/clear", names(world))
    last = gateway.get("/v1/status")["event_cursor"]
    stream = websocket.create_connection(f"{gateway.events_url}?cursor={last - 1}", header=[f"Authorization: Bearer {gateway.key}"], timeout=30)
    event = json.loads(stream.recv())
    stream.close()
    assert (event["kind"], event["who"]) == ("operator.clear", "demo") and event["detail"] == ">".join(names(world).values())
