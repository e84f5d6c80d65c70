"""The ledger application in nodes: transfers and contracts, what is refused, crashes, export, and the same under a real CometBFT."""
from __future__ import annotations

import base64
import json
import re
import shutil

import pytest

from ledger import accounts
from ledger.accounts import ALICE, BOB, BOTH, CAROL, DAVE, FUNDS, Bank
from ledger.net import DEADLINE_S, CallError, Network, run
from lib import abi, cometbft, crypto
from lib import ledger_tx as lt
from lib.ledger_kinds import Application, take_genesis
from lib.ledger_tx import Call
from lib.rpc import wait_for
from lib.tools import find_tool

ASSETS, STAKING = lt.contract(3), lt.contract(7)
FILES = ("ledger.db", "ledger.db-wal", "ledger.db-shm")
# Of codes.def.
OK, MALFORMED, TOO_LARGE, WRONG_CHAIN, EXPIRED, BAD_SIGNATURE, WRONG_SEQUENCE, GAS_TOO_LOW, GAS_TOO_HIGH, PRICE_TOO_LOW, NO_FUNDS = range(11)
REVERTED, OUT_OF_GAS, NO_CONTRACT = 32, 33, 34


def function(signature: str) -> dict:
    name, types = re.fullmatch(r"(\w+)\((.*)\)", signature).groups()
    return {"name": name, "type": "function", "inputs": [{"name": "", "type": t} for t in types.split(",") if t]}


def calldata(signature: str, *values) -> bytes:
    return crypto.keccak(signature.encode())[:4] + abi.encode(function(signature)["inputs"], list(values))


def asset_of(creator: bytes, name: str) -> bytes:
    return crypto.keccak(lt.tag("caisson/ledger/asset/v1") + bytes(12) + creator + crypto.keccak(name.encode()))[12:]


def settle(nodes) -> tuple[int, str]:
    """Height and application hash, the same at all, once nothing is under way."""
    def same():
        infos = [Bank(node).info() for node in nodes]
        return len({info[1] for info in infos}) == 1 and infos[0]
    return wait_for(same, DEADLINE_S, "one application hash")


@pytest.fixture
def net(tmp_path):
    with Network(tmp_path, 4, arguments=accounts.arguments()) as network:
        network.wait_height(2)
        yield network


def under_cometbft(folder, apps, genesis: dict, version: str) -> cometbft.Network:
    net = cometbft.Network(folder, [app.address for app in apps], version)
    take_genesis(net, genesis)
    return net


@pytest.fixture(params=["caisson", "cometbft-0.38", "cometbft-0.40"])
def any_net(request, tmp_path):
    """Four nodes of our engine, or of a real CometBFT with the application behind a socket."""
    if request.param == "caisson":
        with Network(tmp_path, 4, arguments=accounts.arguments()) as network:
            network.wait_height(2)
            yield network
        return
    version = request.param.removeprefix("cometbft-")
    find_tool(cometbft.PROGRAMS[version])
    assert run("init", "--home", str(tmp_path / "made"), *accounts.arguments()).returncode == 0
    genesis = json.loads((tmp_path / "made" / "config" / "genesis.json").read_text())
    apps = []
    try:
        apps += [Application(tmp_path / "apps", f"app{i}") for i in range(4)]
        with under_cometbft(tmp_path / "comet", apps, genesis, version) as network:
            network.wait_height(2)
            yield network
    finally:
        for app in apps:
            app.stop()


def transfers(bank: Bank) -> None:
    """One after the other, by every kind of account; the last state is known."""
    for i, key in enumerate([ALICE, CAROL, BOTH, ALICE]):
        result = bank.send(key, [Call(DAVE.address, 1000 + i), Call(BOB.address, 1)])
        assert result["code"] == 0, result
    asset = asset_of(ALICE.address, "Gold")
    created = bank.send(ALICE, [Call(ASSETS, 0, calldata("create(string,string,uint8,address)", "Gold", "AU", 6, ALICE.address)),
                                Call(ASSETS, 0, calldata("mint(address,address,uint256)", asset, DAVE.address, 5 * 10**6))])
    assert created["code"] == 0, created


def test_four_nodes(any_net):
    bank = Bank(any_net.nodes[0])
    assert all(Bank(node).chain == bank.chain for node in any_net.nodes)
    transfers(bank)
    assert bank.balance(DAVE.address) == 4006
    assert bank.balance(BOB.address) == FUNDS + 4
    assert bank.sequence(ALICE.address) == 3 and bank.sequence(BOTH.address) == 1
    height, app_hash = settle(any_net.nodes)
    any_net.wait_height(height + 1)
    # Nothing is made and nothing is lost: what was paid is with the contract of the validators.
    owners = [key.address for key in accounts.FUNDED] + [DAVE.address, STAKING]
    for node in any_net.nodes:
        assert sum(Bank(node).balance(owner) for owner in owners) == len(accounts.FUNDED) * FUNDS
    header = any_net.nodes[1].call("block", height=str(height + 1))["block"]["header"]
    assert header["app_hash"].lower() == app_hash
    # Logs are found by their topics.
    topic = "0x" + crypto.keccak(b"Transfer(address,address,address,uint256)").hex()
    found = wait_for(lambda: any_net.nodes[2].call("tx_search", query=f"log.topic0='{topic}'")["txs"], DEADLINE_S, "the log in the index")
    assert len(found) == 1
    # A call that asks, and one that is asked before it is sent.
    asset = asset_of(ALICE.address, "Gold")
    question = bytes(20) + ASSETS + calldata("balanceOf(address,address)", asset, DAVE.address)
    assert int.from_bytes(bank.query("/call", question), "big") == 5 * 10**6
    tx = bank.sign(BOB, [Call(DAVE.address, 1)])
    gas = int.from_bytes(bank.query("/simulate", tx)[:8], "big")
    result = bank.send(BOB, [Call(DAVE.address, 1)])
    assert int(result["gas_used"]) == gas
    # The state is proven under the next header's hash.
    answer = bank.ask("/store", b"\0" + DAVE.address, height, prove=True)
    assert [op["type"] for op in answer["proofOps"]["ops"]] == ["ics23:smt"]


def test_refusals(any_net):
    bank = Bank(any_net.nodes[0])
    pay = [Call(DAVE.address, 5)]
    good = bank.sign(ALICE, pay)
    other = lt.Body(chain=bytes(32), sender=ALICE.address, sequence=0, calls=pay)
    body = lt.Body(chain=bank.chain, sender=ALICE.address, sequence=0, calls=pay)
    refused = [
        (b"key=value", MALFORMED), (good[:-1], BAD_SIGNATURE), (good + b"\0", BAD_SIGNATURE),
        (body.encode() + BOB.sign(body.encode()), BAD_SIGNATURE), (lt.transaction(ALICE, other), WRONG_CHAIN),
        (bank.sign(ALICE, pay, sequence=1), WRONG_SEQUENCE), (bank.sign(ALICE, pay, valid_until=1_000_000_000), EXPIRED),
        (bank.sign(ALICE, pay, gas_limit=100), GAS_TOO_LOW), (bank.sign(ALICE, pay, gas_limit=10**9), GAS_TOO_HIGH),
        (bank.sign(ALICE, pay, gas_price=0), PRICE_TOO_LOW), (bank.sign(ALICE, pay, gas_price=FUNDS), NO_FUNDS),
        (bank.sign(DAVE, pay), NO_FUNDS),
    ]
    for tx, code in refused:
        assert bank.check(tx) == code, (code, tx.hex())
    assert bank.balance(DAVE.address) == 0 and bank.sequence(ALICE.address) == 0
    # Paid, and nothing else has happened.
    failing = [
        ([Call(DAVE.address, 5), Call(DAVE.address, FUNDS)], {}, REVERTED),
        ([Call(DAVE.address, 5), Call(lt.contract(200), 0, b"hello")], {}, NO_CONTRACT),
        ([Call(DAVE.address, 5), Call(ASSETS, 0, b"\1\2\3\4")], {}, REVERTED),
        ([Call(DAVE.address, 5), Call(DAVE.address, 5)], {"gas_limit": 25_000}, OUT_OF_GAS),
    ]
    paid = 0
    for i, (calls, more, code) in enumerate(failing):
        result = bank.send(ALICE, calls, **more)
        assert result["code"] == code, result
        paid += int(result["gas_used"])
        assert bank.sequence(ALICE.address) == i + 1
    assert bank.balance(DAVE.address) == 0
    assert bank.balance(ALICE.address) == FUNDS - paid and bank.balance(STAKING) == paid
    # A sequence that was used: another transaction with it, and the same one, which mempools know (and a block with it is refused).
    assert bank.send(BOB, pay, sequence=0)["code"] == 0
    settle(any_net.nodes)
    replay = bank.sign(BOB, [Call(DAVE.address, 6)], sequence=0)
    assert all(Bank(node).check(replay) == WRONG_SEQUENCE for node in any_net.nodes)
    with pytest.raises((CallError, cometbft.CallError), match="already exists"):
        bank.check(bank.sign(BOB, pay, sequence=0))


@pytest.mark.parametrize("any_net", ["caisson", "cometbft-0.38"], indirect=True)
def test_many_senders_and_sequences(any_net):
    """Each node takes another sender's; a higher price does not overtake the own earlier ones."""
    banks = [Bank(node) for node in any_net.nodes]
    for i in range(30):
        for bank, key in zip(banks, accounts.FUNDED):
            tx = bank.sign(key, [Call(DAVE.address, 1)], sequence=i, gas_price=1 + i % 7, gas_limit=100_000)
            assert bank.check(tx) == 0
    wait_for(lambda: banks[0].balance(DAVE.address) == 120, DEADLINE_S, "all transfers")
    settle(any_net.nodes)
    assert [banks[3].sequence(key.address) for key in accounts.FUNDED] == [30] * 4


def forget(node, names=FILES) -> None:
    for name in names:
        (node.home / "data" / name).unlink(missing_ok=True)


def copy(node, folder) -> None:
    folder.mkdir()
    for name in FILES:
        if (node.home / "data" / name).exists():
            shutil.copy(node.home / "data" / name, folder / name)


def test_restarts(net, tmp_path):
    """Killed at any moment, behind by blocks, or with nothing: it comes to the same state."""
    first, second = net.nodes[:2]
    bank = Bank(second)
    assert bank.send(ALICE, [Call(DAVE.address, 1)])["code"] == 0
    first.kill()
    copy(first, tmp_path / "before")
    for i in range(3):
        assert bank.send(BOB, [Call(DAVE.address, 10)])["code"] == 0
    first.start()
    first.wait_height(second.height())
    assert Bank(first).balance(DAVE.address) == 31
    settle(net.nodes)
    # Commits that were lost: the blocks are given again.
    first.kill()
    forget(first)
    for name in FILES:
        if (tmp_path / "before" / name).exists():
            shutil.copy(tmp_path / "before" / name, first.home / "data" / name)
    first.start()
    first.wait_height(second.height())
    settle(net.nodes)
    assert Bank(first).balance(DAVE.address) == 31
    first.kill()
    forget(first)
    first.start()
    first.wait_height(second.height())
    settle(net.nodes)
    assert Bank(first).balance(DAVE.address) == 31 and Bank(first).chain == bank.chain


def test_rollback(net):
    """The ledger goes back with the blocks, and forward again."""
    node, bank = net.nodes[3], Bank(net.nodes[0])
    assert bank.send(ALICE, [Call(DAVE.address, 1)])["code"] == 0
    settle(net.nodes)
    node.wait_height(5)
    node.kill()
    for _ in range(3):
        done = run("rollback", "--home", str(node.home), "--hard")
        assert done.returncode == 0, done.stderr
    node.start()
    node.wait_height(net.nodes[0].height())
    settle(net.nodes)
    assert Bank(node).balance(DAVE.address) == 1


def test_a_node_begins_with_a_snapshot(tmp_path):
    """Its state is proven by the chain's application hash; blocks before it are not needed."""
    with Network(tmp_path, 4, change=lambda text: text + "\n[ledger]\nsnapshot_interval = 10\n",
                 arguments=accounts.arguments()) as net:
        net.wait_height(2)
        transfers(Bank(net.nodes[0]))
        first = net.nodes[0].height() // 10 * 10 + 10
        net.wait_height(first + 2)
        trusted = net.nodes[0].call("block", height="2")["block_id"]["hash"]
        node = net.add_follower("joins", f'\n[statesync]\nenable = true\ntrust_height = 2\ntrust_hash = "{trusted}"\n'
                                         'discovery_time = "300ms"\n')
        node.args = ["--proxy_app", "ledger"]
        node.start()
        node.wait_height(net.nodes[0].height())
        base = int(node.call("status")["sync_info"]["earliest_block_height"])
        assert base >= 10
        # The time of the block whose state it began with too.
        chain = [n.call("abci_query", path="/chain", height=str(base))["response"] for n in (node, net.nodes[0])]
        assert chain[0]["value"] == chain[1]["value"] and int.from_bytes(base64.b64decode(chain[0]["value"])[-8:], "big") > 10**9
        bank = Bank(node)
        assert bank.balance(DAVE.address) == 4006 and bank.sequence(ALICE.address) == 3
        assert Bank(net.nodes[1]).send(BOB, [Call(DAVE.address, 1)])["code"] == 0
        wait_for(lambda: bank.balance(DAVE.address) == 4007, DEADLINE_S, "the transfer at the new node")
        settle(net.nodes)


def test_damage_is_told(net):
    node = net.nodes[2]
    node.kill()
    path = node.home / "data" / "ledger.db"
    forget(node, FILES[1:])
    path.write_bytes(b"this is no database" * 1000)
    refused = run("start", "--home", str(node.home))
    assert refused.returncode == 1 and "ledger.db" in refused.stderr


def test_another_chain_from_an_export(net, tmp_path):
    """Accounts, assets and rules of the one, at the height after it, under another tag."""
    node, bank = net.nodes[0], Bank(net.nodes[0])
    transfers(bank)
    for each in net.nodes:
        each.process.stop()
    exported = run("export", "--home", str(node.home))
    assert exported.returncode == 0, exported.stderr
    genesis = json.loads(exported.stdout)
    genesis["chain_id"] = "another-1"
    for each in net.nodes:
        (each.home / "config" / "genesis.json").write_text(json.dumps(genesis))
        shutil.rmtree(each.home / "data")
        each.start()
    net.wait_height(int(genesis["initial_height"]) + 1)
    other = Bank(node)
    assert other.chain != bank.chain
    assert other.balance(DAVE.address) == 4006 and other.sequence(ALICE.address) == 3
    asset = asset_of(ALICE.address, "Gold")
    question = bytes(20) + ASSETS + calldata("totalSupply(address)", asset)
    assert int.from_bytes(other.query("/call", question), "big") == 5 * 10**6
    assert other.check(bank.sign(BOB, [Call(DAVE.address, 1)], sequence=0)) == WRONG_CHAIN
    assert other.send(BOB, [Call(DAVE.address, 1)])["code"] == 0


# ---- under a real CometBFT


@pytest.mark.parametrize("version", ["0.38", "0.40"])
def test_the_same_hashes_under_cometbft(tmp_path, version):
    """One genesis, the same transactions in the same order: the same state, whoever makes the blocks."""
    with Network(tmp_path, 1, arguments=accounts.arguments()) as net:
        net.wait_height(1)
        genesis = json.loads((net.nodes[0].home / "config" / "genesis.json").read_text())
        bank = Bank(net.nodes[0])
        transfers(bank)
        _, app_hash = bank.info()
        chain = bank.chain
    apps = [Application(tmp_path / "apps", f"app{i}") for i in range(2)]
    try:
        with under_cometbft(tmp_path / "comet", apps, genesis, version) as comet:
            comet.wait_height(1)
            bank = Bank(comet.nodes[0])
            assert bank.chain == chain
            transfers(bank)
            wait_for(lambda: all(Bank(node).info()[1] == app_hash for node in comet.nodes), DEADLINE_S, "the same hash")
            refused = bank.sign(ALICE, [Call(DAVE.address, 1)], sequence=0)
            assert bank.check(refused) == WRONG_SEQUENCE
            # The application ends and comes back as it was: CometBFT ends with it, and both begin again.
            height = comet.nodes[0].height()
            comet.stop()
            for app in apps:
                app.kill()
            apps[:] = [Application(tmp_path / "apps", f"app{i}") for i in range(2)]
            for node in comet.nodes:
                node.start()
            comet.wait_height(height + 1)
            bank = Bank(comet.nodes[1])
            assert bank.balance(DAVE.address) == 4006
            assert bank.send(BOB, [Call(DAVE.address, 1)])["code"] == 0
    finally:
        for app in apps:
            app.stop()


def test_flags(tmp_path):
    """What init writes, and what it refuses."""
    home = tmp_path / "home"
    state = tmp_path / "state.json"
    state.write_text('{"rules": {"gas_price_min": "7"}, "accounts": []}')
    made = run("init", "--home", str(home), *accounts.arguments(), "--app-state", str(state))
    assert made.returncode == 0, made.stderr
    genesis = json.loads((home / "config" / "genesis.json").read_text())
    assert genesis["app_state"] == accounts.app_state() | {"rules": {"gas_price_min": "7"}}
    assert genesis["consensus_params"]["block"]["max_gas"] == "100000000"
    assert 'proxy_app = "ledger"' in (home / "config" / "config.toml").read_text()
    for bad in ("0x12=1", f"{'ab' * 20}=1", f"0x{'ab' * 20}=-1", f"0x{'ab' * 20}", f"0x{'ab' * 20}={2**256}"):
        refused = run("init", "--home", str(tmp_path / "other"), "--proxy_app", "ledger", "--fund", bad)
        assert refused.returncode == 2 and "--fund" in refused.stderr
    # Nothing stays of what was refused.
    assert not (tmp_path / "other").exists()
    # A genesis that the application refuses ends the start, and says why.
    genesis["app_state"]["accounts"].append(genesis["app_state"]["accounts"][0])
    (home / "config" / "genesis.json").write_text(json.dumps(genesis))
    config = home / "config" / "config.toml"
    config.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:0", config.read_text()))
    refused = run("start", "--home", str(home))
    assert refused.returncode == 1 and "an account is there twice" in refused.stderr
