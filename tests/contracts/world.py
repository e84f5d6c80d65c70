"""A gateway on a real chain, and a remote chain that exists only as the key that signs for it.

Hashes and calldata come from tools/envelope_vectors.py, which shares nothing with the contracts.
"""
from __future__ import annotations

import contextlib

import envelope_vectors as v
from lib import abi, crypto, deploy
from lib.chains import Chain
from lib.rpc import Contract, Reverted, Rpc, RpcError, create, wait_for

v.keccak = crypto.keccak  # the same function, faster

NONE, FAILED, DELIVERED, DEAD = range(4)
ABSENT, ACTIVE, SUSPENDED, REVOKED = range(4)
DELAY, ROTATION_DELAY, OVERLAP = 1000, 2000, 500
ZERO = b"\0" * 32
ADDRESS_ZERO = "0x" + "00" * 20
GAS = 3_000_000

ROUTE = {
    "closerAllowed": True, "refundToAllowed": True, "finalityDefault": 0, "finalityMax": 10, "payloadMax": 4096,
    "lifetimeMin": 60, "lifetimeMax": 100_000, "lifetimeDefault": 3600, "gasMin": 0, "gasMax": 2_000_000,
    "gasDefault": 100_000, "feeBase": 0, "feePerByte": 0, "feePerGas": 0, "closerDefault": ZERO,
}


def key_pair(label: str) -> tuple[int, bytes]:
    secret = int.from_bytes(v.keccak(label.encode()), "big") % v.N
    return secret, crypto.public_key(secret)[:32]


def sign(secret: int, digest: bytes) -> dict:
    raw = crypto.schnorr_sign(secret, digest)
    rx = int.from_bytes(raw[:32], "big")
    return {"rx": rx, "ry": crypto.lift_x(rx)[1], "s": int.from_bytes(raw[32:], "big")}


def calldata_gas(data: bytes) -> int:
    return sum(16 if byte else 4 for byte in data)


def calldata_floor(data: bytes) -> int:
    """EIP-7623, from Prague on: the least that a transaction pays, and must bring."""
    return 21_000 + sum(40 if byte else 10 for byte in data)


def gas_for_deliver(world: World, values: tuple) -> int:
    """What contracts/evm/README.md tells relayers to bring."""
    items = sum(65_000 + 40 * ((len(m["payload"]) + 31) // 32) + m["minGasLimit"] * 64 // 63 + 1 for m in values[2])
    data = world.gateway.data("deliver", *values)
    return max(21_000 + calldata_gas(data) + 30_000 + items + 40_000, calldata_floor(data))


def gas_for_finalize(world: World, values: tuple) -> int:
    data = world.gateway.data("finalize", *values)
    return max(21_000 + calldata_gas(data) + 30_000 + len(values[2]) * (152_382 + 15_000) + 40_000, calldata_floor(data))


class QuickRpc(Rpc):
    """For a chain that mines at once: looks for receipts every few milliseconds."""

    def wait_receipt(self, tx: str, timeout_s: float = 30, accept_revert: bool = False) -> dict:
        receipt = wait_for(lambda: self.receipt(tx), timeout_s, f"the receipt of {tx}", 0.003)
        if receipt["status"] != "0x1" and not accept_revert:
            raise Reverted(receipt)
        return receipt


class Remote:
    """Another chain's gateway, as its enclave would speak for it."""

    def __init__(self, chain_id: int = 777, label: str = "remote", genesis: bytes | None = None):
        self.chain_id, self.caip2 = chain_id, f"eip155:{chain_id}"
        self.genesis = genesis or v.keccak(f"genesis of {label}".encode())
        self.gateway = v.keccak(f"gateway of {label}".encode())[12:]
        self.identity = v.identity(self.caip2, self.genesis, self.gateway)
        self.secret, self.x = key_pair(f"key of {label}")
        self.chain = v.eip155(chain_id, b"")
        self.app = v.keccak(f"app of {label}".encode())[12:]
        self.sequence = 0

    def account(self, address) -> bytes:
        return v.eip155(self.chain_id, abi.to_bytes(address))


class World:
    """A deployed gateway with one registered remote, an owner, a guardian, and people."""

    def __init__(self, chain: Chain, insecure: bool = False, route: dict | None = None, delay: int = DELAY,
                 rotation_delay: int = ROTATION_DELAY, register: bool = True):
        if chain.kind == "anvil":
            chain.rpc = QuickRpc(chain.url)
        self.chain, self.rpc = chain, chain.rpc
        self.owner, self.guardian, self.user, self.closer, self.anyone = chain.accounts[:5]
        self.gateway = create(self.rpc, self.owner, deploy.artifact("CaissonGateway"), chain.caip2, chain.genesis_hash,
                              self.owner, self.guardian, delay, rotation_delay, OVERLAP, insecure)
        self.address = self.gateway.address
        self.domain = v.INSECURE if insecure else v.SECURE
        self.identity = v.identity(chain.caip2, abi.to_bytes(chain.genesis_hash), abi.to_bytes(self.address))
        self.remote = Remote()
        self.app: Contract | None = None
        if register:
            self.register(self.remote, route)

    # --- set-up

    def register(self, remote: Remote, route: dict | None = None) -> None:
        self.gateway.write(self.owner, "registerRemote", remote.caip2, remote.genesis, remote.gateway, remote.chain, 1)
        self.gateway.write(self.owner, "setRoute", remote.identity, {**ROUTE, **(route or {})})
        self.gateway.write(self.owner, "registerKey", remote.identity, 1, remote.x, ZERO, ZERO)

    def deploy(self, name: str, *values) -> Contract:
        return create(self.rpc, self.owner, deploy.artifact(f"test/{name}"), *values)

    def later(self, sender: str, contract: Contract, name: str, *values) -> dict:
        """Schedules, waits the delay, executes."""
        contract.write(sender, "schedule", contract.data(name, *values))
        self.advance(DELAY)
        return contract.write(sender, name, *values)

    # --- time (anvil)

    def now(self) -> int:
        return self.rpc.time()

    def at(self, timestamp: int) -> None:
        """From now on blocks and calls have at least this timestamp."""
        if self.now() < timestamp:
            self.rpc.call("evm_setNextBlockTimestamp", hex(timestamp))
            self.rpc.call("evm_mine")

    def advance(self, seconds: int) -> None:
        self.at(self.now() + seconds)

    # --- statements

    def account(self, address) -> bytes:
        return v.eip155(self.chain.chain_id, abi.to_bytes(address))

    def message(self, recipient: Contract | str, payload: bytes = b"hello", remote: Remote | None = None, **over) -> dict:
        remote = remote or self.remote
        if "sequence" not in over:
            remote.sequence += 1
        address = abi.to_bytes(recipient if isinstance(recipient, str) else recipient.address)
        return {"sequence": remote.sequence, "deadline": self.now() + 3600, "minGasLimit": 300_000, "finality": 0,
                "closer": ZERO, "refundTo": ZERO, "recipient": address, "sender": remote.account(remote.app),
                "payload": payload} | over

    def id_of(self, message: dict, remote: Remote | None = None) -> bytes:
        return v.message_id(message | {"source": (remote or self.remote).identity, "destination": self.identity,
                                       "recipient": self.account(message["recipient"])})

    def statement(self, kind: int, root: bytes, path=(), *, remote: Remote | None = None, secret: int | None = None,
                  epoch: int = 1, manifest: int = 1, receiver: bytes | None = None, domain: str | None = None) -> dict:
        remote = remote or self.remote
        digest = v.digest(domain or self.domain, kind, remote.identity, receiver or self.identity, epoch, manifest, root)
        return {"epoch": epoch, "manifest": manifest, "path": list(path), **sign(secret or remote.secret, digest)}

    def tree(self, messages: list[dict], remote: Remote | None = None) -> list[bytes]:
        return [v.leaf_message(self.id_of(m, remote)) for m in messages]

    def statement_for(self, messages: list[dict], remote: Remote | None = None, **options) -> dict:
        return self.statement(v.MESSAGE, v.levels(self.tree(messages, remote))[-1][0], remote=remote, **options)

    def args(self, messages: list[dict] | dict, remote: Remote | None = None, **options) -> tuple:
        """Arguments of deliver, expire (a list), retry, close (one message)."""
        remote = remote or self.remote
        row = messages if isinstance(messages, list) else [messages]
        return remote.identity, self.statement_for(row, remote, **options), messages

    def outcome_args(self, outcomes: list[tuple[bytes, int]], remote: Remote | None = None, **options) -> tuple:
        remote = remote or self.remote
        root = v.levels([v.leaf_outcome(i, s) for i, s in outcomes])[-1][0]
        rows = [{"messageId": i, "status": s} for i, s in outcomes]
        return remote.identity, self.statement(v.OUTCOME, root, remote=remote, **options), rows

    def rotation_args(self, epoch: int, x: bytes, by: int = 1, secret: int | None = None, **options) -> tuple:
        st = self.statement(v.ROTATION, v.leaf_rotation(epoch, x), epoch=by, secret=secret, **options)
        return self.remote.identity, st, epoch, x

    # --- calls

    def do(self, name: str, *values, sender: str | None = None, **options) -> dict:
        return self.gateway.write(sender or self.anyone, name, *values, gas=options.pop("gas", GAS), **options)

    def deliver(self, *messages: dict, **options) -> dict:
        return self.do("deliver", *self.args(list(messages)), **options)

    def fail(self, message: dict) -> dict:
        """Delivers a message whose recipient must refuse it."""
        receipt = self.deliver(message)
        assert self.status(message) == FAILED
        return receipt

    def finalize(self, *outcomes: tuple[bytes, int], remote: Remote | None = None, **options) -> dict:
        return self.do("finalize", *self.outcome_args(list(outcomes), remote), **options)

    def status(self, message: dict, remote: Remote | None = None) -> int:
        return self.gateway.read("statusOf", (remote or self.remote).identity, message["sequence"])

    def key(self, epoch: int, remote: Remote | None = None) -> dict:
        key, namers = self.gateway.read("keyOf", (remote or self.remote).identity, epoch)
        return key | {"namers": namers}

    def send(self, payload: bytes = b"hello", attributes=(), sender: str | None = None, value: int = 0,
             recipient: bytes | None = None, remote: Remote | None = None) -> tuple[bytes, dict]:
        """(sendId, receipt)."""
        remote = remote or self.remote
        receipt = self.gateway.write(sender or self.user, "sendMessage", recipient or remote.account(remote.app), payload,
                                     list(attributes), value=value)
        return self.gateway.events("MessageSent", receipt)[0]["sendId"], receipt


ERRORS: dict[bytes, str] = {}


def _learn(name: str) -> None:
    for entry in deploy.artifact(name)["abi"]:
        if entry["type"] == "error":
            ERRORS[abi.selector(entry)] = entry["name"]


for _name in ("CaissonGateway", "CaissonTokenBridge", "CaissonWrappedToken", "CaissonOracle", "CaissonFeed", "test/SampleApp",
              "test/SampleConsumer", "test/TestToken"):
    _learn(_name)


def error_of(contract: Contract, sender: str, name: str, *values, value: int = 0, gas: int = GAS) -> str | None:
    """The name of the error with which a call reverts, or None if it does not."""
    call = {"from": sender, "to": contract.address, "data": abi.to_hex(contract.data(name, *values)), "value": hex(value),
            "gas": hex(gas)}
    try:
        contract.rpc.call("eth_call", call, "latest")
    except RpcError as error:
        raw = error.data if isinstance(error.data, str) else (error.data or {}).get("data", "0x")
        data = abi.to_bytes(raw or "0x")
        return ERRORS.get(data[:4], data.hex() or error.message)
    return None


@contextlib.contextmanager
def unchanged(world: World, *contracts: Contract):
    """Nothing that is proven changes in here."""
    before = world.rpc.call("eth_getProof", world.address, [], "latest")["storageHash"]
    yield
    assert world.rpc.call("eth_getProof", world.address, [], "latest")["storageHash"] == before


def refused(world: World, expected: str, name: str, *values, sender: str | None = None, contract: Contract | None = None,
            value: int = 0, gas: int = GAS) -> None:
    """The call reverts with this error, and as a transaction it reverts too."""
    contract, sender = contract or world.gateway, sender or world.anyone
    assert error_of(contract, sender, name, *values, value=value, gas=gas) == expected
    receipt = contract.write(sender, name, *values, value=value, gas=gas, accept_revert=True)
    assert receipt["status"] == "0x0"
