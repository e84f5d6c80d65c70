"""Several gas accounts of one chain: who pays for what, and what one that is empty or stuck does to the others."""
from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from contextlib import contextmanager

import pytest

from adapters.proxies import Raw
from lib import abi, crypto
from lib.between import Between
from lib.rpc import wait_for
from lib.world import END_TIMEOUT_S, GAS_MONEY_WEI, SEND_GAS, account

ACCOUNTS, BURST = 4, 24
IN_FLIGHT_MAX = 32  # of one account, if nothing else is configured
HOME, ABROAD = 0, 1
TRANSFER_GAS = 21000
EXIT_USAGE = 2
MAX_FEE_GWEI = 4  # so near to what is asked that a transaction is at its cap after an attempt or two


class Pool(Between):
    """The gateway of the first chain has a pool, and a proxy before its node. Each message is a transaction."""

    def write_gateways(self) -> None:
        super().write_gateways()
        config = self.gateways[HOME].config
        more = f"gas_accounts = {ACCOUNTS}\nmax_fee_gwei = {MAX_FEE_GWEI}\n"
        config.write_text(config.read_text().replace("operator_key_file", more + "operator_key_file"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with Pool(tmp_path_factory.mktemp("pool"), "anvil", block_time=0.5, expire=("tombstone", "tombstone"), relay={"batch_max": 1}) as w:
        fund(w)
        yield w


def call(world, method: str, *params):
    return world.sides[HOME].chain.rpc.call(method, *params)


def number(world, method: str, address: str) -> int:
    return int(call(world, method, address, "latest"), 16)


def pool(world, index: int = HOME) -> list[dict]:
    return [a for a in world.gateways[index].get("/v1/chains")["chains"][0]["accounts"] if a["role"] == "gas"]


def fund(world) -> None:
    """All to the same, which the gateway has seen."""
    for account in pool(world):
        call(world, "anvil_setBalance", account["address"], hex(GAS_MONEY_WEI))
    wait_for(lambda: all(a["balance"] not in (None, "0") and not a["low"] for a in pool(world)), END_TIMEOUT_S, "the balances")


def nonces(world) -> dict[str, int]:
    return {a["address"]: number(world, "eth_getTransactionCount", a["address"]) for a in pool(world)}


def burst(world, count: int = BURST) -> list[str]:
    """Messages from abroad, as fast as one can send."""
    side, to = world.sides[ABROAD], world.sides[HOME].chain.erc7930(world.sides[HOME].app.address)
    sent = [side.gateway.send(side.user, "sendMessage", to, b"of a burst %d" % i, [], gas=SEND_GAS) for i in range(count)]
    receipts = [side.chain.rpc.wait_receipt(tx) for tx in sent]
    return [abi.to_hex(side.gateway.events("MessageCommitted", r)[0]["messageId"]) for r in receipts]


def all_end(world, messages: list[str]) -> None:
    for message in messages:
        world.gateways[ABROAD].ends(message)


def deliveries(world, messages: list[str]) -> Counter:
    """By account, as the chain has them. Each message was delivered, once."""
    gateway, found = world.sides[HOME].gateway, Counter()
    topic = abi.topic(gateway.entry("MessageStatus", kind="event"))
    for message in messages:
        logs = call(world, "eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", "address": gateway.address, "topics": [topic, message]})
        assert len(logs) == 1, (message, logs)
        found[call(world, "eth_getTransactionByHash", logs[0]["transactionHash"])["from"].lower()] += 1
    return found


def under_way(world) -> list[dict]:
    return world.gateways[HOME].get("/v1/operator/transactions")["transactions"]


def idle(world) -> None:
    wait_for(lambda: not under_way(world), END_TIMEOUT_S, "nothing under way")


def journal(world, sql: str, *values) -> list[tuple]:
    with sqlite3.connect(f"file:{world.gateways[HOME].folder / 'journal.db'}?mode=ro", uri=True, timeout=30) as rows:
        return rows.execute(sql, values).fetchall()


@contextmanager
def swallowing(world, account: str):
    """The node keeps what this account sends, and gives it to no block."""
    taken = []

    def before(calls: list[dict]) -> None:
        if [c["method"] for c in calls] != ["eth_sendRawTransaction"]:
            return
        digest = crypto.keccak(abi.to_bytes(calls[0]["params"][0]))
        found = journal(world, "SELECT s.account FROM attempts a JOIN submissions s ON s.n = a.submission WHERE a.hash = ?", digest)
        assert found, "a node sees what the journal does not have"
        if "0x" + found[0][0].hex() == account:
            taken.append(abi.to_hex(digest))
            raise Raw(json.dumps({"jsonrpc": "2.0", "id": calls[0]["id"], "result": taken[-1]}).encode())

    def after(one: dict, reply: dict) -> dict:
        if one["method"] == "eth_getTransactionByHash" and one["params"][0] in taken:
            return reply | {"result": {"hash": one["params"][0], "from": account, "blockHash": None, "blockNumber": None}}
        return reply

    world.proxy.before, world.proxy.after = before, after
    try:
        yield taken
    finally:
        world.proxy.before, world.proxy.after = lambda calls: None, lambda one, reply: reply


# ---- the pool ----

def test_the_pool_is_shown(world):
    """Four addresses, none twice, the first of them the one that the enclave's keys name; the other gateway has one."""
    gateway, accounts = world.gateways[HOME], pool(world)
    assert [a["index"] for a in accounts] == list(range(ACCOUNTS)) and len({a["address"] for a in accounts}) == ACCOUNTS
    assert accounts[0]["address"] == world.enclave_key(gateway)["gas_address"] == gateway.get("/v1/chains")["chains"][0]["gas_account"]
    assert [a["index"] for a in pool(world, ABROAD)] == [0]
    told = gateway.caisson("doctor", str(gateway.config)).stdout
    assert all(a["address"] in told for a in accounts), told
    metrics = gateway.get("/metrics")
    for name in ("gas", "gas-1", "gas-2", "gas-3"):
        assert f'caisson_account_low{{chain="{world.chains[HOME].caip2}",account="{name}"}} 0' in metrics


def test_four_accounts_deliver_a_burst(world):
    """Each message once; each account has its part."""
    before = nonces(world)
    messages = burst(world)
    all_end(world, messages)
    assert set(deliveries(world, messages)) == set(before)
    idle(world)
    assert sum(nonces(world).values()) - sum(before.values()) == BURST, "more transactions than messages"


# ---- one that cannot pay ----

def test_one_without_funds_holds_up_nobody(world):
    """It is told as low, gets nothing, and works again once it has something."""
    idle(world)
    gateway, empty = world.gateways[HOME], pool(world)[2]["address"]
    call(world, "anvil_setBalance", empty, "0x0")  # unseen: who sends from it next finds out
    messages = burst(world)
    all_end(world, messages)
    assert empty not in deliveries(world, messages)
    wait_for(lambda: pool(world)[2]["balance"] == "0", END_TIMEOUT_S, "the balance")
    assert [a["low"] for a in pool(world)] == [False, False, True, False]
    assert f'caisson_account_low{{chain="{world.chains[HOME].caip2}",account="gas-2"}} 1' in gateway.get("/metrics")
    assert gateway.healthy()
    told = gateway.caisson("doctor", str(gateway.config))
    assert re.search(rf"bad.*gas_account 2 {empty} has 0 wei", told.stdout) and told.returncode == 1, told.stdout
    # Known to be empty it is not even tried.
    before = journal(world, "SELECT max(n) FROM submissions")[0][0]
    all_end(world, burst(world, 8))
    assert not journal(world, "SELECT n FROM submissions WHERE n > ? AND account = ?", before, abi.to_bytes(empty))
    fund(world)
    more = burst(world)
    all_end(world, more)
    assert deliveries(world, more)[empty] > 0


def test_the_chain_is_not_well_when_all_of_them_are_empty(world):
    """What waits says so, with whom to pay, wherever one looks; and it goes on by itself when they have something again."""
    idle(world)
    gateway = world.gateways[HOME]
    for account in pool(world):
        call(world, "anvil_setBalance", account["address"], "0x0")
    message = burst(world, 1)
    wait_for(lambda: gateway.request("GET", "/healthz")[0] == 503, END_TIMEOUT_S, "the refusal")
    assert "no gas account can pay" in json.dumps(gateway.request("GET", "/healthz")[1])
    why = f"no-funds: no gas account can pay, send money to {pool(world)[0]['address']} on {world.chains[HOME].caip2}"
    assert gateway.message(message[0])["why"] == why
    assert [m["why"] for m in gateway.get("/v1/messages?limit=1")["messages"]] == [why]
    assert why in gateway.caisson("messages", message[0]).stdout
    assert held_by(gateway, "no-funds") == 1
    told = gateway.caisson("doctor", str(gateway.config))
    assert re.search(r"bad .*could not pay for its next transaction\n.*send the chain's coin to 0x", told.stdout) and told.returncode == 1, told.stdout
    assert any(a["cannot_pay"] for a in pool(world)), pool(world)
    fund(world)
    all_end(world, message)
    wait_for(gateway.healthy, END_TIMEOUT_S, "health")
    assert gateway.message(message[0])["why"] is None and held_by(gateway, "no-funds") == 0
    assert not any(a["cannot_pay"] for a in pool(world)), pool(world)
    idle(world)


# ---- the operator's account ----

def sponsored(world, payload: bytes) -> str:
    """A request that the operator's account pays for; its id."""
    abroad = world.sides[ABROAD]
    body = {"to": account(abroad, abroad.app.address), "payload": "0x" + payload.hex(), "mode": "sponsored"}
    return world.gateways[HOME].post("/v1/messages", body)["request_id"]


def request_of(world, request: str) -> dict:
    return world.gateways[HOME].get(f"/v1/messages/{request}")


def test_a_sponsored_request_waits_for_its_turn(world):
    """No block comes: as many are under way as may be, and the one behind them says so until it is sent."""
    idle(world)
    call(world, "evm_setIntervalMining", 0)
    try:
        requests = [sponsored(world, b"one of many, %d" % i) for i in range(IN_FLIGHT_MAX + 1)]
        wait_for(lambda: request_of(world, requests[-2])["tx"], END_TIMEOUT_S, "the last one that may be sent")
        behind = f"it waits for its turn behind {IN_FLIGHT_MAX} of the operator's account"
        wait_for(lambda: (r := request_of(world, requests[-1])).get("why") == behind and r["tx"] is None and r["state"] == "requested",
                 END_TIMEOUT_S, "its reason")
        assert not any("why" in request_of(world, request) for request in requests[:-1])
        assert behind in world.gateways[HOME].caisson("messages", requests[-1]).stdout
    finally:
        call(world, "evm_setIntervalMining", 1)
    for request in requests:
        world.gateways[HOME].ends(request)


def test_a_sponsored_request_waits_for_money(world):
    """It had some when the request was taken. Who sends money to, and that nobody else of the chain is out, stands wherever one looks."""
    idle(world)
    gateway, chain, operator = world.gateways[HOME], world.chains[HOME].caip2, world.gateways[HOME].operator.lower()

    def payer() -> dict:
        found, = (a for a in gateway.get("/v1/chains")["chains"][0]["accounts"] if a["role"] == "operator")
        return found

    def drain(calls: list[dict]) -> None:
        if any(c["method"] == "eth_sendRawTransaction" for c in calls):
            call(world, "anvil_setBalance", operator, "0x0")

    world.proxy.before = drain
    try:
        request = sponsored(world, b"of a poor operator")
        why = f"no-funds: the operator's account cannot pay, send money to {operator} on {chain}"
        wait_for(lambda: request_of(world, request).get("why") == why, END_TIMEOUT_S, "its reason")
    finally:
        world.proxy.before = lambda calls: None
    assert request_of(world, request)["state"] == "requested" and payer()["cannot_pay"] and payer()["low"]
    assert why in gateway.caisson("messages", request).stdout
    told = gateway.caisson("doctor", str(gateway.config))
    assert re.search(rf"bad .*operator {operator} .*could not pay for its next transaction\n.*sponsored messages", told.stdout) and told.returncode == 1, told.stdout
    # Messages are the gas accounts' business: they go on, and the chain is well.
    assert gateway.healthy() and held_by(gateway, "no-funds") == 0
    all_end(world, burst(world, 2))
    call(world, "anvil_setBalance", operator, hex(GAS_MONEY_WEI))
    ended = gateway.ends(request)
    assert ended["why"] is None and ended["request_id"] == request
    wait_for(lambda: not payer()["cannot_pay"], END_TIMEOUT_S, "that it can pay")


def held_by(gateway, reason: str) -> int:
    """Messages of all routes that wait for it."""
    return sum(int(float(n)) for n in re.findall(rf'^caisson_messages_held\{{.*reason="{reason}"\}} (\S+)$', gateway.get("/metrics"), re.M))


# ---- one that is stuck ----

def test_one_whose_transaction_no_block_takes_holds_up_nobody(world):
    """At its fee cap it can only wait. What is signed for it stays there; what comes later is done by the others."""
    idle(world)
    gateway, stuck = world.gateways[HOME], pool(world)[1]["address"]
    with swallowing(world, stuck) as taken:
        first = burst(world)
        wait_for(lambda: taken, END_TIMEOUT_S, "a transaction of it")
        wait_for(lambda: {t["account"] for t in under_way(world)} == {stuck}, END_TIMEOUT_S, "the end of what the others have")
        held = len(under_way(world))
        wait_for(lambda: any(t["attempts"] > 1 for t in under_way(world)), END_TIMEOUT_S, "another offer")
        mine = under_way(world)[0]["n"]
        wait_for(lambda: gateway.request("POST", f"/v1/operator/transactions/{mine}/raise")[1].get("code") == "policy-fee", END_TIMEOUT_S,
                 "its cap")
        later = burst(world)
        all_end(world, later)
        assert stuck not in deliveries(world, later) and len(under_way(world)) == held > 0
    all_end(world, first)
    idle(world)
    assert deliveries(world, first)[stuck] == held


# ---- a restart ----

def test_a_restart_with_transactions_under_way_in_several(world):
    """Each stays with its account: followed, not made anew, and none done twice."""
    idle(world)
    gateway, before = world.gateways[HOME], nonces(world)
    call(world, "evm_setIntervalMining", 0)
    try:
        messages = burst(world, 12)
        wait_for(lambda: len([t for t in under_way(world) if t["tx"]]) == 12, END_TIMEOUT_S, "all of them")
        listed = {t["n"]: (t["account"], t["nonce"]) for t in under_way(world)}
        assert {a for a, _ in listed.values()} == set(before)
        gateway.kill()
        gateway.start()
        wait_for(lambda: gateway.enclave() and len(under_way(world)) == 12, END_TIMEOUT_S, "the gateway")
        assert {t["n"]: (t["account"], t["nonce"]) for t in under_way(world)} == listed
    finally:
        call(world, "evm_setIntervalMining", 1)
    all_end(world, messages)
    wait_for(gateway.healthy, END_TIMEOUT_S, "health")
    idle(world)
    assert sum(nonces(world).values()) - sum(before.values()) == 12
    assert deliveries(world, messages) == Counter(a for a, _ in listed.values())


# ---- sweep ----

def test_accounts_are_swept_one_by_one_and_all(world):
    """To the one address of the manifest; an account that is in use no more still is the enclave's."""
    idle(world)
    gateway, chain = world.gateways[HOME], world.chains[HOME].caip2
    target = next(c for c in json.loads(world.manifest.read_text())["manifest"]["chains"] if c["caip2"] == chain)["policy"]["sweep_to"]
    there = {a["address"]: number(world, "eth_getBalance", a["address"]) for a in pool(world)}
    had, third = number(world, "eth_getBalance", target), pool(world)[3]["address"]
    # Fewer are in use: the last is swept by its number.
    text = gateway.config.read_text()
    gateway.config.write_text(text.replace(f"gas_accounts = {ACCOUNTS}", "gas_accounts = 2"))
    assert gateway.caisson("reload").returncode == 0
    assert [a["index"] for a in pool(world)] == [0, 1]
    status, swept = gateway.request("POST", "/v1/operator/sweep", {"chain": chain, "account": 3})
    assert status == 202 and swept["account"] == third and int(swept["value"]) + int(swept["stays"]) == there[third]
    wait_for(lambda: number(world, "eth_getBalance", target) == had + int(swept["value"]), END_TIMEOUT_S, "what was swept")
    assert number(world, "eth_getBalance", pool(world)[1]["address"]) == there[pool(world)[1]["address"]], "another was swept too"
    gateway.config.write_text(text)
    assert gateway.caisson("reload").returncode == 0
    idle(world)
    run = gateway.caisson("sweep", chain, "--all")
    assert run.stdout.count(f"to {target}") == ACCOUNTS - 1 and run.returncode != 0, "one is swept already: " + run.stdout + run.stderr
    wait_for(lambda: all(number(world, "eth_getBalance", a) < 10**16 for a in there), END_TIMEOUT_S, "all of them")
    idle(world)
    fund(world)
    all_end(world, burst(world, 4))


def test_what_is_not_swept(world):
    gateway, chain = world.gateways[HOME], world.chains[HOME].caip2
    idle(world)
    for status, index in ((400, 16), (400, -1), (400, "1"), (400, True), (400, 1.0), (402, 15)):
        got, answer = gateway.request("POST", "/v1/operator/sweep", {"chain": chain, "account": index})
        assert got == status, (index, got, answer)
    for more in (("--account", "16"), ("--account", "first"), ("--account", "1", "--all")):
        assert gateway.caisson("sweep", chain, *more).returncode == EXIT_USAGE, more
