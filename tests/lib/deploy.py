"""Contracts on two chains, in the order of birth: deployed without keys, then named by a manifest, then given keys."""
from __future__ import annotations

import json
from dataclasses import dataclass

from . import abi, crypto
from .chains import Chain
from .ledger import ASSETS, BRIDGE, GATEWAY, INBOX, Asset, Ledger
from .rpc import GAS_DEFAULT, Contract, begin_create, end_create, wait_for
from .tools import ROOT

ARTIFACTS = ROOT / "contracts" / "evm" / "artifacts"

OWNER_DELAY_S = 2
ROTATION_DELAY_S = 3
OVERLAP_S = 60
CAP_WINDOW_S = 3600
CAP = 10**24
SUPPLY = 10**21
MODE_LOCK, MODE_MINT = 1, 2
HOME_TOKEN, ABROAD_TOKEN = "Caisson Test", "Caisson Test, bridged"

# A development bridge: short lifetimes are allowed, so that a deadline can be waited for; nothing is charged.
ROUTE = {
    "closerAllowed": True, "refundToAllowed": True, "finalityDefault": 0, "finalityMax": 32, "payloadMax": 4096,
    "lifetimeMin": 1, "lifetimeMax": 86400, "lifetimeDefault": 3600, "gasMin": 0, "gasMax": 2_000_000,
    "gasDefault": 200_000, "feeBase": 0, "feePerByte": 0, "feePerGas": 0, "closerDefault": b"\0" * 32,
}


def artifact(name: str) -> dict:
    return json.loads((ARTIFACTS / f"{name}.json").read_text())


def tag(text: str) -> bytes:
    return crypto.keccak(text.encode())


def word(raw: bytes) -> bytes:
    return raw.rjust(32, b"\0")


def minimal(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def erc7930(chain_id: int, address: str | bytes = b"") -> bytes:
    reference, raw = minimal(chain_id), abi.to_bytes(address)
    return b"\0\1\0\0" + bytes([len(reference)]) + reference + bytes([len(raw)]) + raw


def identity(caip2: str, genesis: str, gateway: str) -> bytes:
    return crypto.keccak(tag("caisson/identity/v1") + crypto.keccak(caip2.encode()) + abi.to_bytes(genesis)
                         + word(abi.to_bytes(gateway)))


def attribute(signature: str, value) -> bytes:
    kind = signature[signature.index("(") + 1:-1]
    return abi.selector(signature) + abi.encode([kind], [value])


@dataclass
class Side:
    """What was deployed on one chain."""

    chain: Chain
    owner: str
    guardian: str
    closer: str
    user: str
    friend: str
    gateway: Contract
    bridge: Contract | None = None
    token: Contract | None = None
    app: Contract | None = None

    @property
    def identity(self) -> bytes:
        return identity(self.chain.caip2, self.chain.genesis_hash, self.gateway.address)

    @property
    def is_ledger(self) -> bool:
        return isinstance(self.chain, Ledger)

    @property
    def code_hash(self) -> bytes:
        """Of a ledger zero: its gateway is built in."""
        if self.is_ledger:
            return bytes(32)
        return crypto.keccak(abi.to_bytes(self.chain.rpc.call("eth_getCode", self.gateway.address, "latest")))


class Queue:
    """Transactions of one account, sent without waiting for each other; end() waits for all and wants success."""

    def __init__(self, chain: Chain, sender: str):
        self.chain, self.sender, self.open = chain, sender, []

    def call(self, contract: Contract, name: str, *values) -> None:
        self.open.append(contract.send(self.sender, name, *values))

    def send(self, address: str, data: bytes) -> None:
        self.open.append(self.chain.rpc.send(self.sender, address, data))

    def end(self) -> None:
        for tx in self.open:
            self.chain.rpc.wait_receipt(tx)
        self.open.clear()


def deploy_gateways(chains: list[Chain], insecure: bool = True) -> list[Side]:
    """On every chain, without remotes and keys; a ledger has its own since genesis."""
    code, sent = artifact("CaissonGateway"), []
    for chain in chains:
        if isinstance(chain, Ledger):
            sent.append(None)
            continue
        owner, guardian = chain.accounts[0], chain.accounts[1]
        sent.append(begin_create(chain.rpc, owner, code, chain.caip2, chain.genesis_hash, owner, guardian, OWNER_DELAY_S,
                                 ROTATION_DELAY_S, OVERLAP_S, insecure))
    return [Side(chain, *chain.accounts[:5], end_create(chain.rpc, code, tx) if tx else Contract(chain.rpc, chain.contract(GATEWAY), code["abi"]))
            for chain, tx in zip(chains, sent)]


def register_remotes(sides: list[Side], route: dict | None = None) -> None:
    """Everybody with everybody else."""
    queues = []
    for side in sides:
        queue = Queue(side.chain, side.owner)
        for other in sides:
            if other is not side:
                queue.call(side.gateway, "registerRemote", other.chain.caip2, other.chain.genesis_hash,
                           other.gateway.address, other.chain.erc7930(), 0)
                queue.call(side.gateway, "setRoute", other.identity, {**ROUTE, **(route or {})})
        queues.append(queue)
    for queue in queues:
        queue.end()


def register_key(side: Side, other: Side, epoch: int, key_x: bytes, evidence_digest: bytes, manifest_hash: bytes) -> None:
    """The owner of `side` names the key of the enclave of `other`."""
    side.gateway.write(side.owner, "registerKey", other.identity, epoch, key_x, evidence_digest, manifest_hash)


# ---- the applications of the demo: a token at home on the first chain, minted on the second; an app that remembers ----

def deploy_apps(home: Side, abroad: Side) -> None:
    sides, sent = (home, abroad), []
    for side in sides:
        rpc, owner = side.chain.rpc, side.owner
        sent.append(None if side.is_ledger else (
            begin_create(rpc, owner, artifact("CaissonTokenBridge"), side.gateway.address, owner, side.guardian, OWNER_DELAY_S, CAP_WINDOW_S),
            begin_create(rpc, owner, artifact("test/SampleApp"), side.gateway.address)))
    for side, made in zip(sides, sent):
        rpc, codes = side.chain.rpc, (artifact("CaissonTokenBridge"), artifact("test/SampleApp"))
        side.bridge, side.app = ((end_create(rpc, code, tx) for code, tx in zip(codes, made)) if made else
                                 (Contract(rpc, side.chain.contract(n), code["abi"]) for code, n in zip(codes, (BRIDGE, INBOX))))
    home.token, abroad.token = make_token(home, home.owner, "test/TestToken", HOME_TOKEN, "CTT"), wrap_token(abroad)
    queues = []
    for side, other, mode in ((home, abroad, MODE_LOCK), (abroad, home, MODE_MINT)):
        queue = Queue(side.chain, side.owner)
        queue.call(side.bridge, "addPeer", other.chain.erc7930(other.bridge.address))
        queue.call(side.bridge, "addToken", side.token.address, other.chain.erc7930(), word(abi.to_bytes(other.token.address)), mode)
        queue.call(side.bridge, "setCap", side.token.address, CAP, CAP)
        queues.append(queue)
    for queue in queues:
        queue.end()


def make_token(side: Side, minter: str, code_name: str, *values) -> Contract | Asset:
    """A token of an artifact and its constructor's values; of a ledger an asset, of the first two of them, that the minter mints."""
    rpc = side.chain.rpc
    if side.is_ledger:
        return Asset.create(rpc, side.owner, values[0], values[1], 18, minter)
    code = artifact(code_name)
    return end_create(rpc, code, begin_create(rpc, side.owner, code, *values))


def wrap_token(side: Side) -> Contract | Asset:
    """What the bridge mints for a token of another chain."""
    if side.is_ledger:
        return make_token(side, side.bridge.address, "", ABROAD_TOKEN, "cCTT")
    return make_token(side, side.owner, "CaissonWrappedToken", side.bridge.address, ABROAD_TOKEN, "cCTT", 18)


def give_tokens(home: Side, account: str, amount: int = SUPPLY) -> None:
    home.token.write(home.owner, "mint", account, amount)
    if account in home.chain.accounts and not home.is_ledger:
        home.token.write(account, "approve", home.bridge.address, 2**256 - 1)


def after_delay(side: Side | OracleContracts, contract: Contract, name: str, *values, gas: int = GAS_DEFAULT) -> dict:
    """What the owner may do only some time after saying so; the receipt."""
    call = contract.data(name, *values)
    contract.write(side.owner, "schedule", call)
    ready = contract.read("readyAt", crypto.keccak(call))
    wait_for(lambda: side.chain.rpc.time() >= ready, 30, "the owner's delay")
    return side.chain.rpc.wait_receipt(side.chain.rpc.send(side.owner, contract.address, call, gas=gas))


def set_cap_in(side: Side, amount_in: int) -> None:
    """Lowering works at once, raising waits for the owner's delay."""
    now_in, now_out = side.bridge.read("caps", side.token.address)
    if amount_in <= now_in:
        side.bridge.write(side.owner, "lowerCap", side.token.address, amount_in, now_out)
        return
    after_delay(side, side.bridge, "setCap", side.token.address, amount_in, now_out)


# ---- an oracle's contracts ----

ORACLE_TERMS = {"feeBase": 10**15, "feePerByte": 10**9, "feePerGas": 10**9, "callbackGasMax": 1_000_000, "lifetimeMin": 10,
                "lifetimeMax": 100_000}
ADD_FEED_GAS = 4_000_000
END_TIMEOUT_S = 60
UNKNOWN, OPEN, ANSWERED, REFUNDED = range(4)
REQUEST_PARTS = ("counter", "asker", "specHash", "argumentsHash", "secretsHash", "callback", "callbackGas", "fee", "maxAge", "time",
                 "deadline")


@dataclass
class OracleContracts:
    """CaissonOracle, CaissonFeed and a contract that asks, on one chain."""

    chain: Chain
    owner: str
    guardian: str
    user: str
    requests: Contract
    feeds: Contract
    consumer: Contract

    def manifest_rows(self, chain_identity: bytes) -> list[dict]:
        """`oracle.contracts` of a manifest."""
        return [{"address": contract.address.lower(), "chain": abi.to_hex(chain_identity), "kind": kind}
                for contract, kind in ((self.requests, "requests"), (self.feeds, "feeds"))]

    def receiver(self, contract: Contract) -> bytes:
        return identity(self.chain.caip2, self.chain.genesis_hash, contract.address)

    def asked(self, receipt: dict) -> dict:
        """The one request of a transaction: the parts of its event, and its id."""
        event, = self.requests.events("OracleRequested", receipt)
        return {**event["request"], "id": event["requestId"]}

    def ask(self, spec: bytes, arguments=(), *, callback_gas: int = 200_000, max_age: int = 600, lifetime: int = 600,
            value: int = 10**17) -> dict:
        """The consumer asks and pays from its balance."""
        arguments = [a.decode() if isinstance(a, bytes) else a for a in arguments]
        return self.asked(self.consumer.write(self.user, "ask", spec, arguments, callback_gas, max_age, lifetime, value=value,
                                              gas=3_000_000))

    def state_of(self, request: dict) -> tuple[int, int]:
        """(status, code)"""
        return tuple(self.requests.read("stateOf", request["id"]))

    def ends(self, request: dict, timeout_s: float = END_TIMEOUT_S) -> tuple[int, int]:
        """The same once it is no longer open."""
        return wait_for(lambda: (s := self.state_of(request))[0] in (ANSWERED, REFUNDED) and s, timeout_s,
                        f"the end of request {abi.to_hex(request['id'])}", 0.1)

    def logs(self, contract: Contract, event: str, first: int = 0, *topics: str) -> list[dict]:
        """Events of the chain so far, each with `block` and `tx`."""
        entry = contract.entry(event, kind="event")
        found = self.chain.rpc.call("eth_getLogs", {"address": contract.address, "fromBlock": hex(first), "topics": [abi.topic(entry), *topics]})
        return [{**abi.decode_log(entry, log), "block": int(log["blockNumber"], 16), "tx": log["transactionHash"]} for log in found]

    def answers_of(self, request: dict) -> list[dict]:
        return self.logs(self.requests, "OracleAnswered", 0, abi.to_hex(request["id"]))

    def add_feed(self, settings: dict) -> dict:
        """After the owner's delay."""
        return self.added(after_delay(self, self.feeds, "addFeed", settings, gas=ADD_FEED_GAS))

    def add_feeds(self, all_settings: list[dict]) -> list[dict]:
        """Several feeds, for which the owner waits once."""
        calls, queue = [self.feeds.data("addFeed", settings) for settings in all_settings], Queue(self.chain, self.owner)
        for call in calls:
            queue.call(self.feeds, "schedule", call)
        queue.end()
        ready = max(self.feeds.read("readyAt", crypto.keccak(call)) for call in calls)
        wait_for(lambda: self.chain.rpc.time() >= ready, 30, "the owner's delay")
        sent = [self.chain.rpc.send(self.owner, self.feeds.address, call, gas=ADD_FEED_GAS) for call in calls]
        return [self.added(self.chain.rpc.wait_receipt(tx)) for tx in sent]

    def added(self, receipt: dict) -> dict:
        """The event of a feed's birth; `view` and `uptime` are contracts."""
        event, = self.feeds.events("FeedAdded", receipt)
        views = {name: Contract(self.chain.rpc, abi.to_hex(event[of]), artifact(code)["abi"])
                 for name, of, code in (("view", "feed", "FeedView"), ("uptime", "uptime", "FeedUptime"))}
        return {**event, **views}


def deploy_oracle(chain: Chain, insecure: bool = True) -> OracleContracts:
    """Without an oracle and without keys: first a manifest names them."""
    owner, guardian, user = chain.accounts[0], chain.accounts[1], chain.accounts[3]
    names = ("CaissonOracle", "CaissonFeed")
    sent = [begin_create(chain.rpc, owner, artifact(name), chain.caip2, chain.genesis_hash, owner, guardian, OWNER_DELAY_S,
                         ROTATION_DELAY_S, OVERLAP_S, insecure) for name in names]
    requests, feeds = (end_create(chain.rpc, artifact(name), tx) for name, tx in zip(names, sent))
    code = artifact("test/SampleConsumer")
    consumer = end_create(chain.rpc, code, begin_create(chain.rpc, owner, code, requests.address))
    return OracleContracts(chain, owner, guardian, user, requests, feeds, consumer)


def register_oracle(contracts: OracleContracts, lineage: str, name_key) -> None:
    """The owner names the oracle and the key of its enclave at both contracts, and opens asking. name_key(address): registerKey's data."""
    queue = Queue(contracts.chain, contracts.owner)
    for contract in (contracts.requests, contracts.feeds):
        queue.call(contract, "registerOracle", lineage, 1)
        queue.send(contract.address, name_key(contract.address))
    queue.call(contracts.requests, "setTerms", ORACLE_TERMS)
    queue.end()
