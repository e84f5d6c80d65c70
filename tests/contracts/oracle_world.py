"""An oracle's contracts on a real chain, and an oracle that exists only as the key that signs for it.

Hashes come from tools/oracle_vectors.py, which shares nothing with the contracts.
"""
from __future__ import annotations

import envelope_vectors as v
import oracle_vectors as o
from lib import abi, deploy
from lib.chains import Chain
from lib.rpc import Contract, create, wait_for
import world as gateway_world
from world import ADDRESS_ZERO, DELAY, GAS, OVERLAP, ROTATION_DELAY, ZERO, QuickRpc, key_pair, sign

UNKNOWN, OPEN, ANSWERED, REFUNDED = range(4)
UNREACHABLE, NOT_FOUND = 16, 32

TERMS = deploy.ORACLE_TERMS
FEE_BASE, FEE_PER_BYTE, FEE_PER_GAS = TERMS["feeBase"], TERMS["feePerByte"], TERMS["feePerGas"]
SPEC = o.SPECS["one source"]
VALUE = o.int256(6_712_345_000_000)
EVIDENCE = v.keccak(b"evidence")
SETTINGS = {"specHash": o.spec_hash(SPEC), "decimals": 8, "heartbeat": 3600, "staleAfter": 3900, "deviation": 5000, "historyBits": 0,
            "description": "ETH / USD"}
REQUEST_FIELDS = deploy.REQUEST_PARTS


def gas_for_fulfil(data: bytes, answers: list[dict]) -> int:
    """What contracts/evm/README.md tells those who submit to bring."""
    items = sum(45_000 + 12 * len(a["value"]) + a["request"]["callbackGas"] * 64 // 63 + 1 + (112_800 if 16 <= a["code"] <= 31 else 0)
                for a in answers)
    return max(21_000 + gateway_world.calldata_gas(data) + 30_000 + items + 20_000, gateway_world.calldata_floor(data))


class OracleWorld:
    """CaissonOracle and CaissonFeed with one oracle registered at both, an owner, a guardian, and people."""

    def __init__(self, chain: Chain, insecure: bool = False, register: bool = True, delay: int = DELAY):
        if chain.kind == "anvil":
            chain.rpc = QuickRpc(chain.url)
        self.chain, self.rpc, self.delay = chain, chain.rpc, delay
        self.owner, self.guardian, self.user, self.anyone = chain.accounts[:4]
        self.domain = v.INSECURE if insecure else v.SECURE
        self.lineage = v.keccak(b"first manifest of the oracle")
        self.identity = o.identity(self.lineage)
        self.secret, self.x = key_pair("key of the oracle")
        self.oracle, self.feed = (self.deploy_own(name, insecure) for name in ("CaissonOracle", "CaissonFeed"))
        if register:
            for contract in (self.oracle, self.feed):
                contract.write(self.owner, "registerOracle", self.lineage, 1)
                contract.write(self.owner, "registerKey", self.identity, 1, self.x, ZERO, ZERO)
            self.oracle.write(self.owner, "setTerms", TERMS)

    def deploy_own(self, name: str, insecure: bool = False) -> Contract:
        return create(self.rpc, self.owner, deploy.artifact(name), self.chain.caip2, self.chain.genesis_hash, self.owner, self.guardian,
                      self.delay, ROTATION_DELAY, OVERLAP, insecure)

    def deploy(self, name: str, *values) -> Contract:
        return create(self.rpc, self.owner, deploy.artifact(f"test/{name}"), *values)

    def receiver(self, contract: Contract) -> bytes:
        return v.identity(self.chain.caip2, abi.to_bytes(self.chain.genesis_hash), abi.to_bytes(contract.address))

    def later(self, contract: Contract, name: str, *values) -> dict:
        """Schedules, waits the delay, executes; by the owner."""
        contract.write(self.owner, "schedule", contract.data(name, *values))
        self.advance(self.delay)
        return contract.write(self.owner, name, *values, gas=GAS)

    # --- time

    def now(self) -> int:
        return self.rpc.time()

    def at(self, timestamp: int) -> None:
        """From now on blocks and calls have at least this timestamp."""
        if self.chain.kind != "anvil":
            wait_for(lambda: self.now() >= timestamp, 60, "a time of the chain")
        elif self.now() < timestamp:
            self.rpc.call("evm_setNextBlockTimestamp", hex(timestamp))
            self.rpc.call("evm_mine")

    def advance(self, seconds: int) -> None:
        self.at(self.now() + seconds)

    # --- statements

    def statement(self, contract: Contract, root: bytes, path=(), *, secret: int | None = None, epoch: int = 1, manifest: int = 1,
                  receiver: bytes | None = None, signer: bytes | None = None, domain: str | None = None, kind: int = o.ANSWER) -> dict:
        digest = v.digest(domain or self.domain, kind, signer or self.identity, receiver or self.receiver(contract), epoch, manifest, root)
        return {"epoch": epoch, "manifest": manifest, "path": list(path), **sign(secret or self.secret, digest)}

    def rotation_args(self, contract: Contract, epoch: int, x: bytes, **options) -> tuple:
        return self.identity, self.statement(contract, v.leaf_rotation(epoch, x), kind=v.ROTATION, **options), epoch, x

    # --- requests

    def ask(self, sender: str | None = None, *, contract: Contract | None = None, spec: bytes = SPEC, spec_hash: bytes | None = None,
            arguments=("bitcoin",), secrets: bytes = b"", callback: str = ADDRESS_ZERO, gas: int = 0, max_age: int = 300,
            lifetime: int = 600, deadline: int | None = None) -> dict:
        """A request and what the contract said of it: the fields of its event, with `id` and the fee paid."""
        contract = contract or self.oracle
        receipt = self.ask_raw(sender, contract=contract, spec=spec, spec_hash=spec_hash, arguments=arguments, secrets=secrets,
                               callback=callback, gas=gas, max_age=max_age, deadline=deadline or self.now() + lifetime)
        return self.asked(receipt, contract)

    def ask_args(self, spec: bytes = SPEC, spec_hash: bytes | None = None, arguments=("bitcoin",), secrets: bytes = b"",
                 callback: str = ADDRESS_ZERO, gas: int = 0, max_age: int = 300, deadline: int | None = None) -> tuple:
        tail = (list(arguments), secrets, callback, gas, max_age, deadline or self.now() + 600)
        return ("requestByHash", spec_hash, *tail) if spec_hash else ("request", spec, *tail)

    def fee_of(self, values: tuple) -> int:
        size = (0 if values[0] == "requestByHash" else len(values[1])) + sum(len(a.encode()) for a in values[2]) + len(values[3])
        return FEE_BASE + FEE_PER_BYTE * size + FEE_PER_GAS * values[5]

    def ask_raw(self, sender: str | None = None, *, contract: Contract | None = None, value: int | None = None, **what) -> dict:
        values = self.ask_args(**what)
        return (contract or self.oracle).write(sender or self.user, *values, value=self.fee_of(values) if value is None else value, gas=GAS)

    def asked(self, receipt: dict, contract: Contract | None = None) -> dict:
        event, = (contract or self.oracle).events("OracleRequested", receipt)
        return event["request"] | {"id": event["requestId"]}

    @staticmethod
    def parts(request: dict) -> dict:
        return {k: request[k] for k in REQUEST_FIELDS}

    # --- answers

    def answer(self, request: dict, code: int = 0, value: bytes | None = None, observed_at: int | None = None, **over) -> dict:
        if observed_at is None:
            observed_at = max(request["time"], self.now())
        if value is None:
            value = VALUE if code == 0 else b""
        return {"request": self.parts(request), "code": code, "observedAt": observed_at, "evidenceHash": EVIDENCE, "value": value} | over

    def leaf(self, answer: dict, contract: Contract | None = None, receiver: bytes | None = None) -> bytes:
        rid = o.request_id(receiver or self.receiver(contract or self.oracle), answer["request"])
        return o.leaf_answer(rid, answer["request"]["specHash"],
                             *(answer[k] for k in ("code", "observedAt", "evidenceHash", "value")))

    def fulfil_args(self, answers: list[dict], contract: Contract | None = None, **options) -> tuple:
        contract = contract or self.oracle
        root = v.levels([self.leaf(a, contract, options.get("receiver")) for a in answers])[-1][0]
        return self.identity, self.statement(contract, root, **options), answers

    def fulfil(self, *answers: dict, gas: int = GAS, accept_revert: bool = False, **options) -> dict:
        return self.oracle.write(self.anyone, "fulfil", *self.fulfil_args(list(answers), **options), gas=gas, accept_revert=accept_revert)

    def state(self, request: dict) -> tuple[int, int]:
        return tuple(self.oracle.read("stateOf", request["id"]))

    def balance(self, account) -> int:
        return int(self.rpc.call("eth_getBalance", account.address if isinstance(account, Contract) else account, "latest"), 16)

    # --- feeds

    def add_feed(self, **over) -> dict:
        """The feed's event, with its settings and its two views as contracts."""
        settings = SETTINGS | over
        receipt = self.later(self.feed, "addFeed", settings)
        event, = self.feed.events("FeedAdded", receipt)
        views = {name: Contract(self.rpc, abi.to_hex(event[name]), deploy.artifact(kind)["abi"])
                 for name, kind in (("feed", "FeedView"), ("uptime", "FeedUptime"))}
        return event | views | {"specHash": settings["specHash"]}

    def value(self, feed: dict, value: int, observed_at: int | None = None, **over) -> dict:
        return {"index": feed["index"], "observedAt": self.now() if observed_at is None else observed_at, "specHash": feed["specHash"],
                "evidenceHash": EVIDENCE, "value": value} | over

    def leaf_feed(self, item: dict, receiver: bytes | None = None) -> bytes:
        fid = o.feed_id(receiver or self.receiver(self.feed), item["index"])
        return o.leaf_feed(fid, item["specHash"], item["observedAt"], item["evidenceHash"], item["value"])

    def update_args(self, items: list[dict], **options) -> tuple:
        root = v.levels([self.leaf_feed(i, options.get("receiver")) for i in items])[-1][0]
        return self.identity, self.statement(self.feed, root, **options), items

    def update(self, *items: dict, gas: int = GAS, accept_revert: bool = False, **options) -> dict:
        return self.feed.write(self.anyone, "submit", *self.update_args(list(items), **options), gas=gas, accept_revert=accept_revert)


def refused(w: OracleWorld, expected: str, contract: Contract, name: str, *values, **options) -> None:
    """The call reverts with this error, and as a transaction it reverts too."""
    gateway_world.refused(w, expected, name, *values, contract=contract, **options)


def at(w: OracleWorld, timestamp: int, contract: Contract, name: str, *values, sender: str | None = None) -> bool:
    """Whether the call succeeds in a block of exactly this time."""
    w.rpc.call("evm_setNextBlockTimestamp", hex(timestamp))
    return contract.write(sender or w.anyone, name, *values, gas=GAS, accept_revert=True)["status"] == "0x1"
