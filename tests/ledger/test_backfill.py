"""A node that began with a snapshot judges evidence about heights that it never had: four real processes, and others that join."""
from __future__ import annotations

import hashlib
import json

import pytest

from ledger import forge
from ledger.net import CHAIN_ID, DEADLINE_S, CallError, Network
from lib.rpc import wait_for

INTERVAL = 10
CARRIED_ABOUT = 3  # evidence about this height is in a block below everybody's snapshot


def powers_of_ten(network: Network) -> None:
    for node in network.nodes:
        path = node.home / "config" / "genesis.json"
        genesis = json.loads(path.read_text())
        for validator in genesis["validators"]:
            validator["power"] = "10"
        path.write_text(json.dumps(genesis))


def header_at(node, height: int) -> dict:
    return node.call("block", height=str(height))["block"]["header"]


def validators_at(node, height: int) -> list[dict]:
    return node.call("validators", height=str(height))["validators"]


def two_votes(net: Network, liar: int, height: int) -> dict:
    """Of the validator of this node, for two blocks that there are not."""
    node, key = net.nodes[0], forge.Key(net.nodes[liar].home)
    validators = validators_at(node, height)
    index = next(i for i, v in enumerate(validators) if v["address"] == key.address)
    time = header_at(node, height)["time"]
    hashes = sorted(hashlib.sha256(text).digest() for text in (b"one", b"other"))
    a, b = (forge.vote(key, index, height, h, time, CHAIN_ID) for h in hashes)
    return {"vote_a": a, "vote_b": b, "TotalVotingPower": str(sum(int(v["voting_power"]) for v in validators)),
            "ValidatorPower": validators[index]["voting_power"], "Timestamp": time}


def tell(node, value: dict, **changes) -> str:
    return node.call("broadcast_evidence", evidence={"type": "tendermint/DuplicateVoteEvidence", "value": {**value, **changes}})["hash"]


def carried(node, value: dict, since: int) -> int | None:
    """The height of the block with it."""
    for height in range(since, node.height() + 1):
        for one in node.call("block", height=str(height))["block"]["evidence"]["evidence"]:
            if one["value"] == value:
                return height
    return None


def log_of(node) -> str:
    path = node.home.parent / f"{node.home.name}.log"
    return path.read_text() if path.exists() else ""


def base_of(node) -> int:
    return int(node.call("status")["sync_info"]["earliest_block_height"])


def statesync(net: Network) -> str:
    trust = net.nodes[0].call("block", height="2")["block_id"]["hash"]
    return f'\n[statesync]\nenable = true\ntrust_height = 2\ntrust_hash = "{trust}"\ndiscovery_time = "300ms"\n'


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    network = Network(tmp_path_factory.mktemp("backfill"), 4, change=lambda text: text + f"\n[kvstore]\nsnapshot_interval = {INTERVAL}\n")
    powers_of_ten(network)
    with network:
        network.wait_height(CARRIED_ABOUT + 3)
        network.early = two_votes(network, 3, CARRIED_ABOUT)
        tell(network.nodes[0], network.early)
        height = wait_for(lambda: carried(network.nodes[0], network.early, 4), DEADLINE_S, "a block with the early evidence")
        # Snapshots above it alone.
        network.wait_height(max(height + 1, 2 * INTERVAL) // INTERVAL * INTERVAL + 4 * INTERVAL)
        yield network


def join(net: Network, name: str):
    node = net.add_follower(name, statesync(net))
    node.start()
    node.wait_height(net.nodes[0].height())
    assert base_of(node) > INTERVAL
    assert "statesync.backfilled lowest=1" in log_of(node)
    return node


def test_evidence_below_the_base(net):
    fifth = join(net, "fifth")
    base = base_of(fifth)
    at = net.nodes[0].height()
    # Its own judgement of what is wrong, before anybody else has said anything.
    value = two_votes(net, 1, base - 4)
    votes = [value["vote_a"], value["vote_b"]]
    wrong = [({"TotalVotingPower": "1"}, "power"), ({"ValidatorPower": "9"}, "power"), ({"Timestamp": header_at(net.nodes[0], base - 3)["time"]}, "time"),
             ({"vote_a": {**votes[0], "signature": votes[1]["signature"]}}, "seal"),
             ({"vote_a": {**votes[0], "height": str(base - 3)}}, ""), ({"vote_b": votes[0]}, "")]
    for changes, reason in wrong:
        with pytest.raises(CallError, match=reason or None):
            tell(fifth, value, **changes)
    # What a block that it never had has carried is carried once.
    with pytest.raises(CallError, match="carried before"):
        tell(fifth, net.early)
    # The same that the validators say.
    for node in (net.nodes[0], fifth):
        assert carried(node, value, at) is None
    # Right: a block carries it, and the node goes on with that block and the next.
    tell(net.nodes[0], value)
    height = wait_for(lambda: carried(net.nodes[0], value, at), DEADLINE_S, "a block with the evidence")
    fifth.wait_height(height + 2)
    assert carried(fifth, value, height) == height
    assert fifth.process.alive()
    with pytest.raises(CallError, match="carried before"):
        tell(fifth, value)


def test_it_tells_others(net):
    """Evidence that only this node was told reaches a block: it has verified it itself."""
    node = join(net, "teller")
    base, at = base_of(node), net.nodes[0].height()
    value = two_votes(net, 2, base - 5)
    tell(node, value)
    height = wait_for(lambda: carried(net.nodes[0], value, at), DEADLINE_S, "a block with the evidence")
    node.wait_height(height + 1)


def test_an_attack_below_the_base(net):
    node = join(net, "attacked")
    base, at = base_of(node), net.nodes[0].height()
    keys = [forge.Key(n.home) for n in net.nodes[:2]]
    common, height = base - 6, base - 4
    validators = validators_at(net.nodes[0], common)
    guilty = [v for v in validators if v["address"] in {key.address for key in keys}]
    block = forge.lunatic(header_at(net.nodes[0], height), validators, keys, "another state")
    attack = forge.attack(block, header_at(net.nodes[0], common), validators, guilty)
    for name, value, reason in (("TotalVotingPower", "7", "power"), ("ByzantineValidators", attack["value"]["ByzantineValidators"][:1], "guilty"),
                                ("CommonHeight", str(common + 1), "time")):
        with pytest.raises(CallError, match=reason):
            node.call("broadcast_evidence", evidence={**attack, "value": {**attack["value"], name: value}})
    node.call("broadcast_evidence", evidence=attack)
    height = wait_for(lambda: carried(net.nodes[0], attack["value"], at), DEADLINE_S, "a block with the attack")
    node.wait_height(height + 1)


@pytest.mark.parametrize("moment", ["statesync.done", "statesync.backfill_begun"])
def test_a_crash_in_the_middle_goes_on(net, moment):
    node = net.add_follower(f"killed-{moment[10:]}", statesync(net))
    node.start()
    wait_for(lambda: moment in log_of(node), DEADLINE_S, moment)
    node.kill()
    node.start()
    node.wait_height(net.nodes[0].height())
    assert log_of(node).count("statesync.backfilled lowest=1") == 1
    with pytest.raises(CallError, match="carried before"):
        tell(node, net.early)


def test_without_them_a_block_with_such_evidence_ends_it(net):
    """The file deleted and no state sync configured: then nobody asks for them. With it they are fetched again."""
    node = join(net, "forgetful")
    base = base_of(node)
    node.process.stop()
    for path in (node.home / "data").glob("backfill.db*"):
        path.unlink()
    config = node.home / "config" / "config.toml"
    config.write_text(config.read_text().replace("enable = true\ntrust_height", "enable = false\ntrust_height"))
    node.start()
    node.wait_height(net.nodes[0].height())
    value = two_votes(net, 3, base - 2)
    with pytest.raises(CallError, match="no such thing"):
        tell(node, value)
    at = net.nodes[0].height()
    tell(net.nodes[0], value)
    wait_for(lambda: carried(net.nodes[0], value, at), DEADLINE_S, "a block with the evidence")
    wait_for(lambda: not node.process.alive(), DEADLINE_S, "its end")
    assert "node.failed" in log_of(node)
    config.write_text(config.read_text().replace("enable = false\ntrust_height", "enable = true\ntrust_height"))
    node.start()
    node.wait_height(net.nodes[0].height())
    assert log_of(node).count("statesync.backfilled lowest=1") == 2
    assert carried(node, value, at)
