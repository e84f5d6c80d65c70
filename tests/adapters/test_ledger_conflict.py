"""Two branches of one ledger: what several nodes say of a height is compared, the other branch is found to where it begins and handed out as
light blocks; what its validators did not sign is a lie of the node that shows it."""
from __future__ import annotations

import pytest

from adapters.ledger_driver import TIMEOUT_S, LedgerDriver, LedgerGateway
from adapters.proxies import Cut, RpcProxy
from ledger.fork import Fork, keys_of
from lib.ledger_kinds import UnderCometbft
from lib.rpc import RpcError, wait_for


@pytest.fixture
def proxy(ledger):
    with RpcProxy(ledger.chain.url) as p:
        yield p


def fork_of(ledger, signers: list[int], begin: int, **how) -> Fork:
    keys = keys_of(ledger.chain.homes)
    wanted = keys_of([ledger.chain.homes[i] for i in signers])
    return Fork(ledger.chain.rpc, {a: k for a, k in keys.items() if a in wanted}, begin, **how)


def signers_of(signed: dict) -> set[str]:
    return {s["validator_address"] for s in signed["signed_header"]["commit"]["signatures"] if s["block_id_flag"] == 2}


def several_blocks(driver) -> int:
    """The newest height, when some more are known than it."""
    driver.catch_up()
    driver.chain.rpc.wait_blocks(6)
    return driver.catch_up()


def conflicts(driver) -> list[dict]:
    return [e for e in driver.events if e["event"] == "conflict"]


def reported(driver) -> set[str]:
    return {e["block"]["hash"] for e in driver.events if e["event"] == "progress"}


def test_a_fork_that_a_witness_shows(ledger, proxy):
    """Two validators signed both branches, one more each of them."""
    with LedgerDriver(ledger, http=[ledger.chain.url, proxy.url], ws=[]) as driver:
        begin = driver.catch_up() + 1
        fork = fork_of(ledger, [0, 1, 3], begin)
        ledger.chain.rpc.wait_blocks(7)
        proxy.after = fork.answer
        event = driver.wait(lambda e: e["event"] == "conflict")
        assert event["block"] == {"height": begin, "hash": fork.hash(begin)}
        heights = [other["id"]["height"] for other in event["others"]]
        assert heights[0] == begin and all(fork.hash(o["id"]["height"]) == o["id"]["hash"] for o in event["others"])
        assert len(heights) == 1 or heights[1] > begin
        both = signers_of(fork.block(begin)) & signers_of(ledger.chain.rpc.ask("commit", height=str(begin)))
        assert len(both) == 2
        states = [e["state"] for e in driver.endpoints()]
        assert states == ["ok", "diverged"] and driver.lies() == 0
        # The branch that was reported goes on, and nothing of the other one is in it.
        driver.wait_messages(ledger.say(b"after the fork"))
        assert not reported(driver) & {fork.hash(h) for h in range(begin, ledger.chain.rpc.block_number())}


def test_a_fork_that_the_first_node_takes(ledger, proxy):
    """It was followed, and then tells another branch of what was reported: the other node is followed, and the fork told."""
    with LedgerDriver(ledger, http=[proxy.url, ledger.chain.url], ws=[]) as driver:
        begin = several_blocks(driver) - 3
        fork = fork_of(ledger, [0, 1, 3], begin)
        proxy.after = fork.answer
        event = driver.wait(lambda e: e["event"] == "conflict")
        assert event["block"] == {"height": begin, "hash": fork.hash(begin)}
        driver.wait_messages(ledger.say(b"by the other"))


def test_a_fork_after_a_restart(ledger, proxy):
    """Only hashes are known from before; the way down to where the branches agree says whose signatures count."""
    with LedgerDriver(ledger, ws=[]) as driver:
        top = several_blocks(driver)
        cursor = driver.cursor()
    fork = fork_of(ledger, [0, 1, 3], top - 4)
    proxy.after = fork.answer
    with LedgerDriver(ledger, http=[proxy.url], ws=[], cursor=cursor) as driver:
        event = driver.wait(lambda e: e["event"] == "conflict")
        assert event["block"] == {"height": top - 4, "hash": fork.hash(top - 4)}
        assert not reported(driver)
        proxy.after = lambda call, reply: reply
        driver.wait_messages(ledger.say(b"the chain's own"))
    # With the chain's own node beside it, that one is followed.
    proxy.after = fork.answer
    with LedgerDriver(ledger, http=[proxy.url, ledger.chain.url], ws=[], cursor=cursor) as driver:
        driver.wait(lambda e: e["event"] == "conflict")
        driver.wait_messages(ledger.say(b"beside it"))


WITHOUT_PROOF = {
    "two of four": ([0, 3], {}), "one": ([1], {}), "a set of its own": ([0, 1, 3], {"own_set": True}),
    "headers that do not link": ([0, 1, 3], {"parent": {"hash": "AB" * 32, "parts": {"total": 1, "hash": "AB" * 32}}}),
}


@pytest.mark.parametrize("what", WITHOUT_PROOF)
def test_what_proves_nothing_is_a_lie(ledger, proxy, what):
    signers, how = WITHOUT_PROOF[what]
    with LedgerDriver(ledger, http=[ledger.chain.url, proxy.url], ws=[]) as driver:
        begin = several_blocks(driver) - 3
        fork = fork_of(ledger, signers, begin, **how)
        proxy.after = fork.answer
        driver.wait_for(lambda: driver.endpoints()[1]["lies"] >= 1)
        driver.wait_messages(ledger.say(what.encode()))
        assert not conflicts(driver) and driver.endpoints()[0]["lies"] == 0


def test_another_branch_alone_is_not_followed(ledger, proxy):
    """A node that has only a branch of a minority: nothing of it is reported."""
    with LedgerDriver(ledger, ws=[]) as driver:
        top = driver.catch_up()
        cursor = driver.cursor()
    fork = fork_of(ledger, [0, 3], top + 1)
    ledger.chain.rpc.wait_blocks(2)
    proxy.after = fork.answer
    with LedgerDriver(ledger, http=[proxy.url], ws=[], cursor=cursor) as driver:
        driver.wait_for(lambda: driver.lies() >= 2)
        assert not reported(driver) and not conflicts(driver)


# ---- what the chain's nodes are told ----

def evidence_of(driver) -> dict:
    return driver.wait(lambda e: e["event"] == "evidence")


def hand(driver, piece: dict, endpoint: int = 0) -> dict:
    return driver.ask("hand_evidence", endpoint=endpoint, data=piece["bytes"])


def carried(rpc, since: int) -> list[dict]:
    """By blocks, from a height on."""
    return [one for h in range(since, rpc.block_number() + 1) for one in rpc.ask("block", height=str(h))["block"]["evidence"]["evidence"]]


@pytest.mark.parametrize("changes", ["app_hash", "data_hash"])
def test_evidence_that_the_nodes_take(ledger, proxy, changes):
    """Of another state who signed it is guilty, of another block who signed both. The node takes it, has it, and a block carries it."""
    rpc = ledger.chain.rpc
    with LedgerDriver(ledger, http=[ledger.chain.url, proxy.url], ws=[]) as driver:
        begin = driver.catch_up() + 1
        fork = fork_of(ledger, [0, 1, 3], begin, changes=changes)
        rpc.wait_blocks(7)
        proxy.after = fork.answer
        evidence = evidence_of(driver)
        other, ours = evidence["against_other"], evidence["against_ours"]
        assert evidence["height"] == begin and evidence["other"] == other["against"] == fork.hash(begin)
        assert evidence["ours"] == ours["against"] == rpc.header(begin)[0]
        both = signers_of(fork.block(begin)) & signers_of(rpc.ask("commit", height=str(begin)))
        lunatic = changes == "app_hash"
        assert set(other["validators"]) == (signers_of(fork.block(begin)) if lunatic else both)
        assert other["common_height"] == (begin - 1 if lunatic else begin)
        assert other["evidence"]["type"] == "tendermint/LightClientAttackEvidence"
        since = rpc.block_number()
        # Its own branch's block is no attack: the node says so, and stays as well as it was.
        refused = hand(driver, ours)
        assert refused["err"] == "invalid" and "the chain's own block" in refused["why"]
        assert hand(driver, other)["err"] == "ok" == hand(driver, other)["err"]
        assert hand(driver, other, 1)["err"] == "ok"
        wait_for(lambda: carried(rpc, since), TIMEOUT_S, "a block with the evidence")
        assert carried(rpc, since) == [other["evidence"]]
        # It is known still, though no block will take it again.
        assert hand(driver, other)["err"] == "ok"
        assert driver.lies() == 0 and driver.endpoints()[0]["state"] == "ok"
        driver.wait_messages(ledger.say(b"after the evidence"))
        assert len([e for e in driver.events if e["event"] == "evidence"]) == 1


def test_evidence_that_cannot_be_handed_over(ledger):
    with LedgerDriver(ledger, ws=[]) as driver:
        driver.catch_up()
        none = {"0x": "truncated", "0x00": "malformed", "0x0a00": "missing-field", "0x1200": "missing-field", "0x" + "ff" * 64: "overflow"}
        assert {data: hand(driver, {"bytes": data})["err"] for data in none} == none
        assert hand(driver, {"bytes": "0x1200"}, 1)["err"] == "not-found"


def cut(calls: list[dict]) -> None:
    raise Cut


def test_evidence_for_a_node_that_is_down(ledger, proxy):
    """It did not judge: that is no refusal."""
    with LedgerDriver(ledger, http=[ledger.chain.url, proxy.url], ws=[]) as driver:
        fork = fork_of(ledger, [0, 1, 3], several_blocks(driver) - 2)
        proxy.after = fork.answer
        piece = evidence_of(driver)["against_other"]
        proxy.before = cut
        assert hand(driver, piece, 1)["err"] == "unavailable"


def test_evidence_under_a_real_cometbft(tmp_path):
    """Its only validator signed both. CometBFT takes what is against the other branch, knows it when it comes again, carries it as it was
    given, and refuses what is against its own block."""
    with UnderCometbft(tmp_path, "adapter-2") as chain, RpcProxy(chain.url) as proxy:
        gateway = LedgerGateway(chain)
        with LedgerDriver(gateway, http=[chain.url, proxy.url], ws=[]) as driver:
            begin = driver.catch_up() + 1
            fork = Fork(chain.rpc, keys_of([chain.net.nodes[0].home]), begin)
            chain.rpc.wait_blocks(4)
            proxy.after = fork.answer
            evidence = evidence_of(driver)
            since = chain.rpc.block_number()
            other, ours = evidence["against_other"], evidence["against_ours"]
            refused = hand(driver, ours)
            assert refused["err"] == "invalid" and "failed to add evidence" in refused["why"]
            # What people are shown is what they can post, and the node looks at it.
            value = other["evidence"]["value"]
            with pytest.raises(RpcError, match="voting power"):
                chain.rpc.ask("broadcast_evidence", evidence={**other["evidence"], "value": {**value, "TotalVotingPower": "11"}})
            assert hand(driver, other)["err"] == "ok" == hand(driver, other)["err"]
            wait_for(lambda: carried(chain.rpc, since), TIMEOUT_S, "a block with the evidence")
            assert carried(chain.rpc, since) == [other["evidence"]]
            assert hand(driver, other)["err"] == "ok"
            chain.rpc.ask("broadcast_evidence", evidence=other["evidence"])
