"""Validators that come, misbehave, are away, and go, by transactions and committed evidence: under our engine and under a real CometBFT."""
from __future__ import annotations

import hashlib
import http.client
import json

import pytest

from abci.run import program
from ledger import accounts, forge
from ledger.accounts import ALICE, BOB, BOTH, CAROL, FUNDS
from ledger.net import CHAIN_ID, DEADLINE_S, Network, change_genesis, run
from ledger.staking import POWER_UNIT, STAKING, Staking, address_of, contracts, public_key
from lib import cometbft
from lib import ledger_tx as lt
from lib.proc import Process
from lib.rpc import wait_for

# One for each of four validators: an account that several keys hold among them.
OPERATORS = [ALICE, BOB, BOTH, CAROL]
POWER = 10
BOND = POWER * POWER_UNIT
EVIDENCE_AGE_S, UNBONDING_S, JAIL_S = 10, 12, 2
# Thirty blocks, of a chain that waits for whoever is down in some of its rounds.
JAILED_S = 4 * DEADLINE_S
VALUES = {"unbonding_s": UNBONDING_S, "jail_s": JAIL_S, "downtime_window_blocks": 40, "downtime_missed_blocks": 30, "epoch_blocks": 25,
          "slash_downtime_ppm": 10_000}


def found(genesis: dict) -> None:
    for validator in genesis["validators"]:
        validator["power"] = str(POWER)
    genesis["consensus_params"]["evidence"] |= {"max_age_num_blocks": "100000", "max_age_duration": str(EVIDENCE_AGE_S * 10**9)}
    genesis["app_state"] = accounts.app_state() | {"contracts": contracts(genesis["validators"], OPERATORS, ALICE, VALUES)}


def addresses(genesis: dict) -> list[bytes]:
    return [address_of(public_key(validator)) for validator in genesis["validators"]]


def evidence(node, key, chain_id: str) -> dict:
    """Two votes of the validator at a block that was, in the JSON of broadcast_evidence."""
    height = int(node.call("status")["sync_info"]["latest_block_height"]) - 1
    at = node.call("block", height=str(height))["block"]["header"]["time"]
    validators = node.call("validators", height=str(height))["validators"]
    index = next(i for i, v in enumerate(validators) if v["address"] == key.address)
    votes = [forge.vote(key, index, height, h, at, chain_id) for h in sorted(hashlib.sha256(text).digest() for text in (b"one", b"other"))]
    value = {"vote_a": votes[0], "vote_b": votes[1], "TotalVotingPower": str(sum(int(v["voting_power"]) for v in validators)),
             "ValidatorPower": validators[index]["voting_power"], "Timestamp": at}
    return {"type": "tendermint/DuplicateVoteEvidence", "value": value}


def wait_powers(staking: Staking, powers: dict[bytes, int], deadline_s: float = DEADLINE_S) -> None:
    """At the contract, and in force at the engine."""
    wait_for(lambda: staking.powers() == powers, deadline_s, f"the contract's set {powers}")
    wait_for(lambda: staking.engine_powers() == powers, DEADLINE_S, f"the engine's set {powers}")


def check_supply(staking: Staking) -> None:
    """Of one state: all accounts hold what the contract calls the supply, the contract what it owes."""
    height = int(staking.node.call("status")["sync_info"]["latest_block_height"]) - 1
    owners = {key.address for key in accounts.FUNDED} | {STAKING}
    answer = staking.query("/call", bytes(20) + STAKING + lt.crypto.keccak(b"totals()")[:4], height)
    supply, bonded, unbonding, rewards, community = (int.from_bytes(answer[i:i + 32], "big") for i in range(0, 160, 32))
    assert sum(staking.balance(owner, height) for owner in owners) == supply
    assert staking.balance(STAKING, height) >= bonded + unbonding + rewards + community


def misbehave(staking: Staking, key, chain_id: str) -> None:
    """The evidence is committed: a twentieth of the deposit is burnt, and the validator is out for ever."""
    address = bytes.fromhex(key.address)
    before = staking.totals()
    proof = evidence(staking.node, key, chain_id)
    staking.node.call("broadcast_evidence", evidence=proof)
    wait_for(lambda: staking.validator(address)["tombstoned"] == 1, DEADLINE_S, "its punishment")
    assert staking.validator(address)["bonded"] == BOND - BOND // 20
    assert staking.totals()["burnt"] == before["burnt"] + BOND // 20
    assert staking.totals()["supply"] == before["supply"] - BOND // 20


def logs(node, signature: str) -> list[int]:
    """Heights of blocks with such a log of the staking contract at their begin or end."""
    topic = "0x" + lt.crypto.keccak(signature.encode()).hex()
    heights = []
    for height in range(1, int(node.call("status")["sync_info"]["latest_block_height"]) + 1):
        events = node.call("block_results", height=str(height))["finalize_block_events"] or []
        heights += [height for e in events if e["type"] == "log" and any(a["value"] == topic for a in e["attributes"])]
    return heights


def test_a_life_of_validators(tmp_path):
    network = Network(tmp_path, 4, arguments=accounts.arguments())
    change_genesis(network, found)
    keys = [forge.Key(node.home) for node in network.nodes]
    first, second, third, fourth = (bytes.fromhex(key.address) for key in keys)
    with network as net:
        net.wait_height(3)
        staking = Staking(net.nodes[0])
        wait_powers(staking, dict.fromkeys((first, second, third, fourth), POWER))
        assert staking.totals()["supply"] == len(accounts.FUNDED) * FUNDS + 4 * BOND

        # A fifth comes: it follows, bonds, and votes.
        fifth_node = net.add_follower("fifth", '\n[consensus]\ntimeout_commit = "50ms"\n', ("--proxy_app", "ledger"), validates=True)
        fifth_node.start()
        fifth_node.wait_height(net.nodes[0].height())
        fifth_key = forge.Key(fifth_node.home)
        fifth = bytes.fromhex(fifth_key.address)
        assert staking.register(BOB, fifth_key, POWER_UNIT // 2)["code"] != 0
        result = staking.register(ALICE, fifth_key, BOND)
        assert result["code"] == 0, result
        wait_powers(staking, dict.fromkeys((first, second, third, fourth, fifth), POWER))
        proposers = set()

        def proposes():
            proposers.add(net.nodes[0].call("block")["block"]["header"]["proposer_address"])
            return fifth_key.address in proposers
        wait_for(proposes, DEADLINE_S, "a block that the fifth proposed")

        # One signs twice. Its node follows still.
        misbehave(staking, keys[1], CHAIN_ID)
        wait_powers(staking, dict.fromkeys((first, third, fourth, fifth), POWER))
        assert staking.call(BOB, "bond(address)", second, value=BOND)["code"] != 0
        check_supply(staking)

        # One is away: it is jailed, comes back, and votes when its operator says so.
        net.nodes[3].kill()
        wait_powers(staking, dict.fromkeys((first, third, fifth), POWER), JAILED_S)
        jailed = staking.validator(fourth)
        assert jailed["jailed_until"] > 0 and jailed["bonded"] == BOND - BOND // 100
        net.nodes[3].start()
        net.nodes[3].wait_height(net.nodes[0].height())
        assert staking.call(BOB, "unjail(address)", fourth)["code"] != 0
        wait_for(lambda: staking.call(CAROL, "unjail(address)", fourth)["code"] == 0, DEADLINE_S, "the end of its time")
        wait_powers(staking, {first: POWER, third: POWER, fifth: POWER, fourth: POWER - 1})
        wait_for(lambda: staking.validator(fourth)["missed"] == 0, DEADLINE_S, "blocks that it signed")

        # One goes, and has its deposit after the delay, without the fees that it earned.
        assert staking.call(ALICE, "unbond(address,uint256)", fifth, BOND)["code"] == 0
        wait_powers(staking, {first: POWER, third: POWER, fourth: POWER - 1})
        assert staking.totals()["unbonding"] == BOND
        check_supply(staking)
        wait_for(lambda: staking.totals()["unbonding"] == 0, DEADLINE_S, "the end of the delay")
        assert staking.view("rewardsOf(address)", fifth)[0] > 0
        assert staking.call(ALICE, "withdrawRewards(address)", fifth)["code"] == 0
        assert staking.view("rewardsOf(address)", fifth) == [0]
        check_supply(staking)

        # What was recorded of an epoch: everybody was asked, and who was away missed.
        epoch = staking.view("epoch()")[0]
        assert epoch > 1
        asked, signed, _, expected = staking.view("efficiencyOf(address,uint64)", first, 1)
        assert 0 < signed <= asked <= VALUES["epoch_blocks"] and 0 < expected <= VALUES["epoch_blocks"] * 10**6
        for event in ("Slashed(address,uint8,uint64,uint256)", "Tombstoned(address)", "Jailed(address,uint64)", "Released(address,uint256)"):
            assert len(logs(net.nodes[0], event)) == (2 if event.startswith("Slashed") else 1), event

        # All of them have the same state, whoever began when.
        height = net.nodes[0].height()
        net.wait_height(height + 1)
        assert len({node.call("block", height=str(height + 1))["block"]["header"]["app_hash"] for node in net.nodes}) == 1


def test_a_network_with_deposits(tmp_path):
    """What testnet writes with --bond begins, and its operator is who was named."""
    deposit = 7_000_000
    network = Network(tmp_path, 2, arguments=(*accounts.arguments(), "--bond", f"0x{BOB.address.hex()}={deposit}"))
    with network as net:
        net.wait_height(2)
        staking = Staking(net.nodes[0])
        both = [bytes.fromhex(forge.Key(node.home).address) for node in net.nodes]
        assert staking.powers() == dict.fromkeys(both, 7) == staking.engine_powers()
        assert staking.call(ALICE, "bond(address)", both[0], value=10**6)["code"] != 0
        assert staking.call(BOB, "bond(address)", both[0], value=10**6)["code"] == 0
        wait_powers(staking, {both[0]: 8, both[1]: 7})
    for i, bad in enumerate((f"0x{BOB.address.hex()}=999999", f"0x{BOB.address.hex()}", f"{BOB.address.hex()}=7000000", f"0x{BOB.address.hex()}=-1")):
        refused = run("init", "--home", str(tmp_path / f"bad{i}"), *accounts.arguments(), "--bond", bad)
        assert refused.returncode != 0 and "--bond" in refused.stderr


def test_genesis_is_compared(tmp_path):
    """A deposit that is not the engine's power ends the start, and says so."""
    network = Network(tmp_path, 1, arguments=accounts.arguments())

    def wrong(genesis):
        found(genesis)
        genesis["app_state"]["contracts"]["staking"]["validators"][0]["bond"] = str(BOND + POWER_UNIT)
    change_genesis(network, wrong)
    refused = run("start", "--home", str(network.nodes[0].home))
    assert refused.returncode == 1 and "another bond" in refused.stderr


def test_export(tmp_path):
    """The set of an exported state is that of the new chain's genesis, or it does not begin."""
    network = Network(tmp_path, 1, arguments=accounts.arguments())
    change_genesis(network, found)
    with network as net:
        node = net.nodes[0]
        node.wait_height(2)
        staking = Staking(node)
        address = bytes.fromhex(forge.Key(node.home).address)
        assert staking.call(ALICE, "bond(address)", address, value=5 * POWER_UNIT)["code"] == 0
        wait_powers(staking, {address: POWER + 5})
        node.process.stop()
        exported = run("export", "--home", str(node.home))
        assert exported.returncode == 0, exported.stderr
        genesis = json.loads(exported.stdout)
        assert [v["power"] for v in genesis["validators"]] == [str(POWER + 5)]
        for power, begins in ((POWER, False), (POWER + 5, True)):
            genesis["validators"][0]["power"] = str(power)
            (node.home / "config" / "genesis.json").write_text(json.dumps(genesis))
            for path in (node.home / "data").iterdir():
                if path.is_file() and path.name != "priv_validator_state.json":
                    path.unlink()
            if begins:
                node.start()
                node.wait_height(int(genesis["initial_height"]) + 2)
                assert Staking(node).powers() == {address: POWER + 5}
                check_supply(Staking(node))
            else:
                refused = run("start", "--home", str(node.home))
                assert refused.returncode == 1 and "another bond" in refused.stderr


def syncs(node) -> bool:
    node.process.check()
    try:
        return node.call("status")["sync_info"]["catching_up"]
    except (OSError, http.client.HTTPException, cometbft.CallError):
        return True


class Socket(Process):
    """caisson-abci-ledger with its own database."""

    def __init__(self, folder, name: str):
        folder.mkdir(parents=True, exist_ok=True)
        self.socket = folder / f"{name}.sock"
        self.address = f"unix://{self.socket}"
        super().__init__([program("caisson-abci-ledger"), "--address", self.address, "--database", folder / f"{name}.db"],
                         folder / f"{name}.log")
        wait_for(lambda: self.check() or self.socket.exists(), DEADLINE_S, "the socket")


@pytest.mark.parametrize("version", ["0.38"])
def test_under_cometbft(tmp_path, version):
    """A fifth that bonds and never votes, one that signs twice, one that is stopped and comes back."""
    apps = [Socket(tmp_path / "apps", f"app{i}") for i in range(4)]
    try:
        net = cometbft.Network(tmp_path / "comet", [app.address for app in apps], version)
        genesis = net.genesis
        found(genesis)
        for node in net.nodes:
            (node.home / "config" / "genesis.json").write_text(json.dumps(genesis))
        keys = {key.address: key for key in (forge.Key(node.home) for node in net.nodes)}
        homes = {forge.Key(node.home).address: i for i, node in enumerate(net.nodes)}
        names = addresses(genesis)
        with net:
            net.wait_height(3)
            staking = Staking(net.nodes[homes[names[0].hex().upper()]])
            wait_powers(staking, dict.fromkeys(names, POWER))
            # The engine was told what its genesis did not have.
            params = staking.node.call("consensus_params")["consensus_params"]
            assert params["block"] == {"max_bytes": "4194304", "max_gas": "100000000"}

            made = run("init", "--home", str(tmp_path / "fifth"))
            assert made.returncode == 0, made.stderr
            fifth_key = forge.Key(tmp_path / "fifth")
            fifth = bytes.fromhex(fifth_key.address)
            shown = run("show-validator", "--home", str(tmp_path / "fifth"), "--account", ALICE.address.hex(), "--register", staking.chain.hex())
            assert shown.returncode == 0, shown.stderr
            calldata = bytes.fromhex(shown.stdout.strip()[2:])
            assert staking.send(ALICE, [lt.Call(STAKING, 2 * POWER_UNIT, calldata)])["code"] == 0
            alone = run("show-validator", "--home", str(tmp_path / "fifth"), "--account", ALICE.address.hex())
            assert alone.returncode != 0 and "--register" in alone.stderr
            wait_powers(staking, dict.fromkeys(names, POWER) | {fifth: 2})

            misbehave(staking, keys[names[1].hex().upper()], genesis["chain_id"])
            left = dict.fromkeys((names[0], names[2], names[3]), POWER)
            # The fifth, which nobody heard of, is jailed meanwhile.
            wait_powers(staking, left, JAILED_S)
            assert staking.validator(fifth)["jailed_until"] > 0
            check_supply(staking)

            # Two of three are two thirds, and not more: so that the chain goes on without the third, one of them has more.
            assert staking.call(ALICE, "bond(address)", names[0], value=2 * POWER_UNIT)["code"] == 0
            wait_powers(staking, left | {names[0]: POWER + 2})
            away = homes[names[3].hex().upper()]
            net.nodes[away].process.kill()
            wait_powers(staking, {names[0]: POWER + 2, names[2]: POWER}, JAILED_S)
            apps[away].kill()
            apps[away] = Socket(tmp_path / "apps", f"app{away}")
            net.nodes[away].start()
            wait_for(lambda: not syncs(net.nodes[away]), DEADLINE_S, "the node at the chain's end")
            wait_for(lambda: staking.call(OPERATORS[3], "unjail(address)", names[3])["code"] == 0, DEADLINE_S, "the end of its time")
            wait_powers(staking, {names[0]: POWER + 2, names[2]: POWER, names[3]: POWER - 1})
            wait_for(lambda: staking.validator(names[3])["missed"] == 0, DEADLINE_S, "blocks that it signed")
            check_supply(staking)
            height = staking.node.height()
            net.wait_height(height + 1)
            assert len({node.call("block", height=str(height + 1))["block"]["header"]["app_hash"] for node in net.nodes}) == 1
    finally:
        for app in apps:
            app.stop()
