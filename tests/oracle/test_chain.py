"""Requests of contracts: found on a chain, answered by the enclave, brought back by the operator's account."""
from __future__ import annotations

import time

import pytest

import oracle_vectors as ov
from adapters.proxies import RpcProxy
from lib import abi, chains, deploy, fetch
from lib.deploy import ANSWERED, OPEN, ORACLE_TERMS, REFUNDED
from lib.oracle import source, spec
from lib.rpc import wait_for
from oracle.chain_world import GAS, ONE, PLENTY, SLOW, WAIT_S, ChainWorld

NOT_FOUND, UNREACHABLE = 32, 16


@pytest.fixture(scope="module")
def world(tmp_path_factory, anvil):
    with ChainWorld(tmp_path_factory.mktemp("chain"), anvil) as made:
        yield made


def test_a_callback_with_a_price(world):
    c = world.contracts
    before = c.consumer.read("answers")
    request = c.ask(world.price("12.5"))
    answer = world.once(request)
    assert c.consumer.read("price") == 1_250_000_000 and c.consumer.read("answers") == before + 1
    assert c.consumer.read("lastId") == request["id"]
    asked = world.state(request)
    # confirmations, then at most two blocks; a slow machine gets a few more
    assert answer["block"] - asked["height"] <= world.confirmations + 6
    assert abi.to_bytes(answer["value"] if isinstance(answer["value"], str) else abi.to_hex(answer["value"]))[-4:] == (1_250_000_000).to_bytes(4, "big")


def test_by_hash(world):
    known, later = world.price("1"), world.price("2")
    world.publish(known)
    first, second = world.by_hash(known), world.by_hash(later)
    world.once(first)
    waits = wait_for(lambda: (s := world.state(second)) and s["why"] and s, WAIT_S, "why it waits")
    assert waits["state"] == "open" and "spec" in waits["why"]
    assert world.contracts.state_of(second)[0] == OPEN
    world.publish(later)
    world.once(second)


def test_errors_are_answers(world):
    """What the host can cause is refunded in full; what the asker can cause is paid."""
    c = world.contracts
    path = f"p{next(world.numbers)}"
    world.sources.set(ONE, path, {"other": "1"})
    lost = c.ask(spec(source(world.sources.url(ONE, path))))
    down = c.ask(world.unreachable())
    world.once(lost, NOT_FOUND)
    world.once(down, UNREACHABLE)
    refunds = {abi.to_hex(r["requestId"]): r["fee"] for r in c.logs(c.requests, "OracleRefunded")}
    assert refunds.get(abi.to_hex(down["id"])) == down["fee"] and abi.to_hex(lost["id"]) not in refunds


def test_a_callback_that_fails(world):
    c = world.contracts
    request = c.ask(world.price("3"), callback_gas=5_000)  # too little for what it stores
    world.once(request)
    wait_for(lambda: (world.state(request)["why"] or "").startswith("the callback failed"), WAIT_S, "the failed callback is told")


def test_unanswerable_is_refunded_by_anybody(world):
    c = world.contracts
    request = world.by_hash(world.price("4"), lifetime=12)  # nobody publishes it
    world.wait_state(request, "expired")
    assert c.state_of(request)[0] == OPEN
    parts = {k: request[k] for k in deploy.REQUEST_PARTS}
    c.requests.write(c.guardian, "refund", parts, gas=500_000)
    assert c.ends(request) == (REFUNDED, 0)
    world.wait_state(request, "refunded")


def test_a_slow_source_delays_nobody(world):
    c = world.contracts
    slow = c.ask(world.slow_price())
    fast = [c.ask(world.price(str(5 + i))) for i in range(3)]
    last = max(world.once(r)["block"] for r in fast)
    assert world.once(slow)["block"] >= last


def test_what_came_together_is_one_call(world):
    """Requests of one spec in one block: one statement, one transaction."""
    c, text = world.contracts, world.price("9")
    world.stop_mining()
    try:
        sent = [c.consumer.send(c.user, "ask", text, [], 200_000, 600, 600, value=10**17, gas=GAS) for _ in range(5)]
        world.chain.mine()
        requests = [c.asked(world.chain.rpc.wait_receipt(tx)) for tx in sent]
    finally:
        world.go_on_mining()
    assert len({world.once(r)["tx"] for r in requests}) == 1


def test_what_is_wrong_with_one_asker_s_is_not_another_s(world):
    """Of one spec, in one block, but of two askers: they share no flight, no statement and no transaction."""
    c, text = world.contracts, world.price("9")
    world.publish(text)
    fee = c.requests.read("quote", 0, 0)
    world.stop_mining()
    try:
        sent = [c.consumer.send(c.user, "ask", text, [], 200_000, 600, 600, value=10**17, gas=GAS) for _ in range(2)]
        sent += [c.requests.send(c.user, "requestByHash", ov.spec_hash(text), [], b"", "0x" + "00" * 20, 0, 60,
                                 world.chain.rpc.time() + 600, value=fee, gas=GAS) for _ in range(2)]
        world.chain.mine()
        requests = [c.asked(world.chain.rpc.wait_receipt(tx)) for tx in sent]
    finally:
        world.go_on_mining()
    assert len({r["asker"] for r in requests}) == 2
    txs = [world.once(r)["tx"] for r in requests]
    assert txs[0] == txs[1] and txs[2] == txs[3] and txs[0] != txs[2]


def test_as_few_calls_as_gas_allows(world):
    """Ten callbacks of a million gas each do not fit into one call; they are no call each either."""
    c, text = world.contracts, world.price("10")
    world.stop_mining()
    try:
        sent = [c.consumer.send(c.user, "ask", text, [], 1_000_000, 600, 600, value=10**17, gas=GAS) for _ in range(10)]
        world.chain.mine()
        requests = [c.asked(world.chain.rpc.wait_receipt(tx)) for tx in sent]
    finally:
        world.go_on_mining()
    calls = {world.once(r)["tx"] for r in requests}
    assert 2 <= len(calls) <= 4
    assert all(int(world.chain.rpc.receipt(tx)["gasUsed"], 16) < 8_000_000 for tx in calls)


def test_spam_without_a_fee(world):
    """Where the owner charges nothing, many who ask for nothing do not keep one out who asks for something."""
    c = world.contracts
    c.requests.write(c.owner, "setTerms", {**ORACLE_TERMS, "feeBase": 0, "feePerByte": 0, "feePerGas": 0})
    try:
        spam = world.unreachable()
        sent = [c.consumer.send(c.user, "ask", spam, [], 0, 600, 600, gas=GAS) for _ in range(60)]
        request = c.ask(world.price("21"))
        world.once(request)
        spams = [c.asked(world.chain.rpc.wait_receipt(tx)) for tx in sent]
        calls = {world.once(r, UNREACHABLE)["tx"] for r in spams}
        assert len(calls) < len(spams) / 2
    finally:
        c.requests.write(c.owner, "setTerms", ORACLE_TERMS)


def test_one_asker_s_slow_sources_leave_room(world):
    """As many of them as may be under way on a chain, all at once: another asker's request of the same block waits for none of them."""
    c, pause_s, asked = world.contracts, world.pause_s, world.asked
    world.pause_s = 9.0
    text = world.price("23")
    world.publish(text)
    try:
        world.stop_mining()
        sent = [c.consumer.send(c.user, "ask", world.slow_price(), [], 0, 600, 600, value=10**17, gas=400_000) for _ in range(132)]
        last = world.send_by_hash(text)
        world.chain.mine(2)
        world.go_on_mining()
        slow = [c.asked(world.chain.rpc.wait_receipt(tx)) for tx in sent]
        request = c.asked(world.chain.rpc.wait_receipt(last))
        world.wait_state(request, "answered", "submitted", "done")
        states = [world.state(r) for r in slow]
        assert all(s["state"] == "open" and s["tries"] == 0 for s in states)  # each holds its place, or waits for one
        assert world.asked > asked
        world.once(request)
        world.pause_s = 0.0
        assert all(c.ends(r) == (ANSWERED, 0) for r in slow)
    finally:
        world.go_on_mining()
        world.pause_s = pause_s


def test_a_source_that_fails_at_first(world):
    """What a second try makes good is no error."""
    answers = iter([b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"] * 2)

    def handle(tls):
        while fetch.read_head(tls):
            tls.sendall(next(answers, fetch.ok(b'{"price":"24"}')))

    server = fetch.Server(world.folder / "flaky", world.sources.authority.leaf(SLOW), handle)
    try:
        request = world.contracts.ask(spec(source(f"https://{SLOW}:{server.port}/flaky")))
        world.once(request)
        assert world.contracts.consumer.read("price") == 24 * 10**8
    finally:
        server.close()


def test_no_more_tries_where_there_is_no_time(world):
    """The error is brought before the deadline, not found again after it."""
    request = world.contracts.ask(world.unreachable(), lifetime=14)
    world.once(request, UNREACHABLE)
    assert world.contracts.ends(request)[0] == ANSWERED


def test_a_large_callback_is_not_called_for_nothing(world):
    """An answer that gives its fee back: the callback's gas would be the operator's."""
    c = world.contracts
    world.with_chain(unpaid_callback_gas_max=100_000)
    try:
        before = world.calls()
        large = c.ask(world.unreachable(), callback_gas=200_000, lifetime=30)
        world.wait_why(large, "its callback may use more gas")
        assert c.state_of(large)[0] == OPEN and world.calls() == before
        small, paid = c.ask(world.unreachable(), callback_gas=100_000), c.ask(world.price("25"), callback_gas=200_000)
        world.once(small, UNREACHABLE)
        world.once(paid)
        world.wait_state(large, "expired")
        c.requests.write(c.guardian, "refund", {k: large[k] for k in deploy.REQUEST_PARTS}, gas=500_000)
        assert c.ends(large) == (REFUNDED, 0)
        world.wait_state(large, "refunded")
    finally:
        world.with_chain(unpaid_callback_gas_max=300_000)


def test_an_asker_s_share_of_gas_for_nothing(world):
    """Used up it is his alone: another one's error is brought, and his own good answers are."""
    c = world.contracts
    world.with_chain(unpaid_asker_gas_max=300_000)  # the consumer's was used by the tests before, in this hour
    try:
        left = c.ask(world.unreachable(), callback_gas=0)
        world.wait_why(left, "this asker's share")
        good, text = c.ask(world.price("26")), world.unreachable()
        world.publish(text)
        other = world.by_hash(text)  # asked by an account
        world.once(good)
        world.once(other, UNREACHABLE)
        assert c.state_of(left)[0] == OPEN
    finally:
        world.with_chain(unpaid_asker_gas_max=PLENTY)


def test_all_gas_for_nothing_is_bounded(world):
    c = world.contracts
    world.with_chain(unpaid_gas_max=0, refund=True)
    try:
        before = world.calls()
        left, late = c.ask(world.unreachable(), callback_gas=0), world.by_hash(world.price("27"), lifetime=12)
        world.wait_why(left, "of this hour")
        world.wait_state(late, "expired")
        assert "of this hour" in world.state(late)["why"]
        assert world.calls() == before and c.state_of(late)[0] == OPEN
    finally:
        world.with_chain(unpaid_gas_max=PLENTY, refund=False)


def test_a_fee_below_what_gas_costs_waits(world):
    c = world.contracts
    world.with_chain(fee_min_percent=10_000)
    try:
        before = world.calls()
        request = c.ask(world.price("28"))
        world.wait_why(request, "its fee does not pay")
        assert world.calls() == before and c.state_of(request)[0] == OPEN
    finally:
        world.with_chain(fee_min_percent=0)
    world.once(request)


def held_at(world, when: str) -> dict:
    """A request that stays in this state as long as no block comes."""
    c = world.contracts
    text = world.slow_price()
    if when == "observed":
        world.stop_mining()
        tx = c.consumer.send(c.user, "ask", text, [], 200_000, 600, 600, value=10**17, gas=GAS)
        world.chain.mine()
        request = c.asked(world.chain.rpc.wait_receipt(tx))
        world.wait_state(request, "observed")
        return request
    asked = world.asked
    request = c.ask(text)
    world.wait_state(request, "open")
    world.stop_mining()
    wait_for(lambda: world.asked > asked, WAIT_S, "the source is asked", 0.02)
    if when == "open":
        return request
    world.wait_state(request, "answered")  # of a time that no block has: it waits for one
    if when == "submitted":
        world.chain.mine()
        world.wait_state(request, "submitted")
    return request


@pytest.mark.parametrize("who", ["both", "caisson-oracle", "caisson-oracle-enclave"])
@pytest.mark.parametrize("when", ["observed", "open", "answered", "submitted"])
def test_a_crash(world, when, who):
    """Wherever process or enclave end, the request is answered, and once."""
    before = world.calls()
    try:
        request = held_at(world, when)
        assert world.state(request)["state"] == when
        world.crash(who)
    finally:
        world.go_on_mining()
    if who != "caisson-oracle-enclave":
        world.oracle.restart()
    answer = world.once(request)
    assert world.calls() - before == 1 and answer["block"] > 0


def test_a_reorganisation_before_finality(world):
    """What was not final is forgotten, and nothing is signed of it."""
    c = world.contracts
    world.stop_mining()
    try:
        tx = c.consumer.send(c.user, "ask", world.price("41"), [], 200_000, 600, 600, value=10**17, gas=GAS)
        world.chain.mine()
        gone = c.asked(world.chain.rpc.wait_receipt(tx))
        world.wait_state(gone, "observed")
        world.chain.rpc.call("anvil_reorg", 1, [])
        world.chain.mine()
        wait_for(lambda: world.state(gone) is None, WAIT_S, "the request is forgotten")
    finally:
        world.go_on_mining()
    there = c.ask(world.price("42"))
    world.once(there)
    assert world.state(gone) is None and not c.answers_of(gone)


def test_a_node_that_lies(world):
    """It changes a request on its way: nothing of that is answered, and the honest word is, once it speaks."""
    c = world.contracts
    topic = abi.topic(c.requests.entry("OracleRequested", kind="event"))

    def lie(call, reply):
        result = reply.get("result")
        if call["method"] == "debug_getRawReceipts":
            return {"jsonrpc": "2.0", "id": reply["id"], "error": {"code": -32601, "message": "the method does not exist"}}
        if call["method"] in ("eth_getBlockReceipts", "eth_getTransactionReceipt") and result:
            for log in (log for r in (result if isinstance(result, list) else [result]) for log in r["logs"]):
                if log["topics"][:1] == [topic]:
                    log["topics"][1] = "0x" + "ee" * 32
        return reply

    with RpcProxy(world.chain.url) as proxy:
        proxy.after = lie
        with world.through(proxy):
            request = c.ask(world.price("51"))
            goal = world.chain.rpc.block_number() + world.confirmations + 3
            wait_for(lambda: world.chain.rpc.block_number() >= goal, WAIT_S, "blocks over a node that lies")
            assert world.state(request) is None and c.state_of(request)[0] == OPEN
            proxy.after = lambda call, reply: reply
            world.once(request)


def test_a_refund_by_us(world):
    """`refund = true`: what nobody could answer is given back by the operator's own call."""
    c = world.contracts
    world.oracle.stop()
    world.oracle.more["chains"] |= {"refund": True}
    world.oracle.write_files()
    world.oracle.restart()
    request = world.by_hash(world.price("61"), lifetime=12)
    assert c.ends(request) == (REFUNDED, 0)
    world.wait_state(request, "refunded")


def test_without_an_operator(world):
    """Answers are made and shown; whoever wants one brings it to the contract."""
    c = world.contracts
    config, own = world.oracle.config, world.oracle.config.read_text()
    world.oracle.stop()
    config.write_text("\n".join(line for line in own.splitlines() if not line.startswith("operator_key_file")) + "\n")
    try:
        world.oracle.restart()
        before = world.calls()
        request = c.ask(world.price("65"))
        shown = world.oracle.answer(abi.to_hex(request["id"]))
        assert shown["value"] == "65.00000000" and world.state(request)["state"] == "answered"
        st = {k: shown["statement"][k] for k in ("epoch", "manifest")} | {k: int(shown["statement"][k], 16) for k in ("rx", "ry", "s")} | {"path": []}
        answer = {"request": {k: request[k] for k in deploy.REQUEST_PARTS}, "code": 0, "observedAt": shown["observed_at"],
                  "evidenceHash": abi.to_bytes(shown["evidence_hash"]), "value": abi.to_bytes(shown["value_abi"])}
        wait_for(lambda: world.chain.rpc.time() >= shown["observed_at"], WAIT_S, "a block after the observation")
        c.requests.write(c.user, "fulfil", world.identity, st, [answer], gas=GAS)
        world.once(request)
        assert c.consumer.read("price") == 65 * 10**8 and world.calls() == before
    finally:
        world.oracle.stop()
        config.write_text(own)
        world.oracle.restart()


def test_a_contract_that_refuses(world):
    """One call may be paid for; then the reason is told, and no further one is made until it is gone."""
    c = world.contracts
    c.requests.write(c.guardian, "suspendKey", world.identity, 1)
    before = world.calls()
    request = c.ask(world.price("71"))
    wait_for(lambda: "KeyNotActive" in (world.state(request) or {}).get("why", "") if world.state(request) and world.state(request)["why"] else False,
             WAIT_S, "the reason", 0.1)
    more = [c.ask(world.price(str(72 + i))) for i in range(3)]
    wait_for(lambda: all((world.state(r) or {}).get("why") for r in more), WAIT_S, "the reason, of all", 0.1)
    assert world.calls() - before <= 1
    deploy.after_delay(c, c.requests, "enableKey", world.identity, 1)
    for r in (request, *more):
        world.once(r)


def test_a_request_of_long_ago(tmp_path):
    """Hundreds of blocks came since, while the process was down and while it waited for a spec: the event is below what the
    light client holds, and is proven by the headers between."""
    past = ["--timestamp", str(int(time.time()) - 5000)]
    with chains.Anvil(tmp_path / "chain", extra=past) as chain, ChainWorld(tmp_path, chain) as made:
        c, text = made.contracts, made.price("92")
        later = made.by_hash(text, lifetime=20_000)
        made.wait_state(later, "open")
        made.oracle.stop()
        down = c.ask(made.price("91"), lifetime=20_000)
        chain.mine(1500)
        chain.rpc.call("evm_setTime", int(time.time()))
        chain.mine(2)
        made.oracle.restart()
        made.once(down)
        top = chain.rpc.block_number()
        wait_for(lambda: made.oracle.get("/v1/chains")["chains"][0]["final"] >= top - made.confirmations, WAIT_S, "the light client's head")
        made.publish(text)
        made.once(later)


def test_on_geth(tmp_path, clique):
    with ChainWorld(tmp_path, clique) as made:
        c = made.contracts
        request = c.ask(made.price("81"))
        made.once(request)
        assert c.consumer.read("price") == 81 * 10**8
