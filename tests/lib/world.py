"""Two chains, the contracts on them, and two gateways with their enclaves, born in the order that the design wants:

contracts without keys → the manifest that names them → enclaves with the manifest's hash → the owner registers their keys.
"""
from __future__ import annotations

import hashlib
import secrets
import socket
import time
from pathlib import Path

from . import abi, bridge_ledger, chains, crypto, deploy, ledger, ledger_kinds, manifests, naming, openapi, oracle
from .manifests import CONFIRMATIONS
from .proc import Process
from .rpc import wait_for
from .service import START_TIMEOUT_S, ApiError, Service, toml, write_secret
from .sources import Sources
from .tools import find_build, free_ports

GAS_MONEY_WEI = 10**20
END_TIMEOUT_S = 90
SEND_GAS = 400_000
# A plain transfer: 21,000 on an EVM chain, some more on a ledger.
TRANSFER_GAS = 60_000
# A ledger whose application runs under a real CometBFT is named by its version.
KINDS = {"ledger": ("ledger", "ledger"), "cometbft": ("cometbft-0.38", "cometbft-0.40"), "anvil": ("anvil", "anvil"), "geth-clique": ("geth-clique", "geth-clique"), "mixed": ("anvil", "ledger")}
SCOPES = "read,send,sponsor,operate,webhook"


class Gateway(Service):
    """One `caisson up`: a gateway and its enclave, of one chain."""

    program = "gateway"

    def __init__(self, world: "World", index: int, ports: tuple[int, int], name: str = ""):
        self.world, self.index = world, index
        self.side: deploy.Side = world.sides[index]
        name = name or f"gateway{index + 1}"
        super().__init__(name, world.folder / name, world.build, ports[0])
        self.events_port = ports[1]
        self.events_url = f"ws://127.0.0.1:{self.events_port}/v1/events"
        self.peer_key = secrets.token_hex(24)  # by which the other gateway calls us

    # ---- files ----

    def write_files(self, other: "Gateway", expire: dict[str, str]) -> None:
        self.write_keys(("demo", SCOPES, self.key), (other.name, "peer", self.peer_key))
        write_secret(self.folder / f"{other.name}.key", other.peer_key + "\n")
        write_secret(self.folder / "operator.key", f"{self.operator_secret:064x}\n")
        chain = self.side.chain
        lines = [
            f"name = {toml(self.name)}", "",
            "[log]", f"level = {toml(self.world.log_level)}", "",
            "[api]", f"port = {self.port}", f"events_port = {self.events_port}",
            "rate_per_s = 0", "",  # tests and figures ask as fast as they can; limits are set by the test that is about them
            "[enclave]", f"program = {toml(str(self.world.build / 'bin' / 'caisson-enclave'))}",
            f"manifests = [{toml(str(self.world.manifest))}]", f"args = {toml(self.world.enclave_args)}", "",
            "[relay]", *(f"{k} = {toml(v)}" for k, v in self.world.relay.items()), "",
            "[[chains]]", f"id = {toml(chain.caip2)}", f"rpc = {toml([rpc for rpc, _ in chain.endpoints])}", f"ws = {toml([ws for _, ws in chain.endpoints])}",
            f"start_height = {self.world.start_heights[self.index]}", f"block_time_ms = {self.world.block_time_ms}",
            "operator_key_file = \"operator.key\"",
        ]
        if self.side.bridge:
            lines += [f"bridge = {toml(self.side.bridge.address)}", f"token = {toml(self.side.token.address)}"]
        lines += self.ledger_lines()
        lines += self.peer_lines(other)
        for route, how in expire.items():
            source, destination = route.split(">")
            lines += ["", "[[routes]]", f"from = {toml(source)}", f"to = {toml(destination)}", f"expire = {toml(how)}"]
        self.config.write_text("\n".join(lines) + "\n")

    def peer_lines(self, other: "Gateway") -> list[str]:
        return ["", "[[peers]]", f"name = {toml(other.name)}", f"url = {toml(other.url)}",
                f"api_key_file = {toml(other.name + '.key')}", f"chains = [{toml(other.side.chain.caip2)}]"]

    def add_peer(self, other: "Gateway") -> None:
        """One more gateway, whose files are there, from the next start on; its key to us is one of its own."""
        key = secrets.token_hex(24)
        with open(self.folder / "api.keys", "a", encoding="utf-8") as keys:
            keys.write(f"{other.name} peer {hashlib.sha256(key.encode()).hexdigest()}\n")
        write_secret(other.folder / f"{self.name}.key", key + "\n")
        write_secret(self.folder / f"{other.name}.key", other.peer_key + "\n")
        with open(self.config, "a", encoding="utf-8") as config:
            config.write("\n".join(self.peer_lines(other)) + "\n")

    def configure_ledger(self, name: str, value: str) -> None:
        """Another value of [ledger] from the next start on."""
        above, below = self.config.read_text().split("[ledger]\n")
        table, *tables = below.split("\n[")
        lines = [line for line in table.splitlines() if line.split(" = ")[0] != name]
        self.config.write_text(above + "[ledger]\n" + "\n[".join(["\n".join([f"{name} = {value}", *lines, ""]), *tables]))

    def kill(self) -> None:
        """It and whoever would start it again; its enclave ends with them."""
        def runs() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        self.process.kill()
        wait_for(lambda: not runs(), START_TIMEOUT_S, f"the end of {self.name}")

    def ledger_lines(self) -> list[str]:
        """Where the world has a bridge's ledger: the account of our name writes to it."""
        bridge = self.world.bridge_ledger
        return bridge.config_lines(self.name) + [f"lease_s = {self.world.lease_s}"] if bridge else []

    @property
    def operator_secret(self) -> int:
        return chains.secret_of(f"operator of {self.side.chain.caip2}")

    @property
    def operator(self) -> str:
        return "0x" + crypto.address(self.operator_secret).hex()

    # ---- the process ----

    def start(self) -> None:
        self.process = Process([self.world.build / "bin" / "caisson", "up", self.config], self.log, cwd=self.folder)

    def check_reply(self, method, path, status, headers, raw) -> None:
        """Whatever a test asks a gateway: the answer is as api/openapi.json says."""
        if openapi.is_installed():
            openapi.description().check(method, path, status, headers, raw)

    # ---- messages ----

    def message(self, message_id: str) -> dict | None:
        """As this gateway's journal has it, or None when it has not heard of it yet."""
        try:
            return self.get(f"/v1/messages/{message_id}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def reaches(self, message_id: str, *states: str) -> dict:
        """Waits until a message is in one of these states."""
        return wait_for(lambda: (m := self.message(message_id)) and m["state"] in states and m, END_TIMEOUT_S,
                        f"{message_id} as {' or '.join(states)} ({self.log})", 0.1)

    def ends(self, message_id: str, state: str = "finalized") -> dict:
        """Waits for the end of a message, which must be this one."""
        found = self.reaches(message_id, "finalized", "refunded")
        assert found["state"] == state, found
        return found


class World:
    """with World(folder, kind="anvil") as world: everything runs; nothing does afterwards."""

    gateway_class = Gateway

    def __init__(self, folder: Path, kind: str = "anvil", say=lambda text: None, apps: bool = True, expire: tuple = ("tombstone", "absence"),
                 relay: dict | None = None, log_level: str = "info", gas_limit: int = chains.GAS_LIMIT_DEFAULT,
                 enclave_args: list[str] | None = None, seals_min: int = 0, block_time: float = 1,
                 confirmations: int = CONFIRMATIONS, sources: Sources | None = None,
                 bridge_ledger: bridge_ledger.BridgeLedger | None = None, lease_s: int = 12, ledger_time: dict | None = None,
                 followed: bool = False):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.kind, self.say, self.apps, self.expire = folder, kind, say, apps, expire
        self.relay = {"pull_ms": 1000, "retry_min_ms": 200, "retry_max_ms": 3000, **(relay or {})}
        self.log_level, self.gas_limit, self.seals_min = log_level, gas_limit, seals_min
        self.enclave_args, self.confirmations = enclave_args or [], confirmations
        self.block_time, self.block_time_ms = block_time, int(1000 * block_time)  # of anvil; Clique seals once a second
        self.build = find_build()
        self.manifest = folder / "manifest.json"
        self.manifest_hash = ""
        self.chains: list[chains.Chain] = []
        self.sides: list[deploy.Side] = []
        self.gateways: list[Gateway] = []
        self.start_heights: list[int] = []
        # The ledger that gateways and oracle write to, where there is one; it runs already, and ends later than the world.
        self.bridge_ledger, self.lease_s = bridge_ledger, lease_s
        # With it enclaves take their time from that ledger, and anchor their state there: arguments of manifests.time_of.
        self.ledger_time = ledger_time
        # Each chain that is a ledger has a second node, which gateways ask first.
        self.followed = followed
        # With sources: an oracle of the first chain, which asks them, beside the bridge and named by the same manifest.
        self.sources, self.oracle = sources, None
        self.oracle_contracts: deploy.OracleContracts | None = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind is None:
            self.check_logs()

    def check_logs(self) -> None:
        for service in self.services:
            service.check_log()

    def start(self) -> None:
        self.start_chains()
        self.deploy()
        self.write_manifest()
        self.write_gateways()
        if self.sources:
            self.write_oracle()
        self.start_services()
        self.register_keys()
        self.wait_ready()

    def stop(self) -> None:
        for service in self.services:
            if service.process:
                service.process.ask()
        for service in self.services:
            service.stop()
        for chain in self.chains:
            chain.stop()

    @property
    def services(self) -> list[Service]:
        return [*self.gateways, *([self.oracle] if self.oracle else [])]

    # ---- the order of birth ----

    def start_chains(self) -> None:
        for number, kind in enumerate(KINDS[self.kind], 1):
            folder, extra = self.folder / f"chain{number}", {"gas_limit": self.gas_limit}
            if kind == "ledger":
                chain = (ledger_kinds.Followed if self.followed else ledger.Ledger)(folder, f"caisson-demo-{number}")
            elif kind.startswith("cometbft-"):
                chain = ledger_kinds.UnderCometbft(folder, f"caisson-demo-{number}", kind.removeprefix("cometbft-"))
            elif kind == "anvil":
                chain = chains.Anvil(folder, 31336 + number, self.block_time, **extra)
            else:
                chain = chains.Clique(folder, 41336 + number, **extra)
            self.say(f"chain {number}: {kind}, {chain.caip2}")
            self.chains.append(chain)

    def deploy(self) -> None:
        self.say("contracts, without keys")
        self.start_heights = [chain.rpc.block_number() for chain in self.chains]
        self.sides = deploy.deploy_gateways(self.chains)
        deploy.register_remotes(self.sides)
        if self.apps:
            deploy.deploy_apps(*self.sides)
            deploy.give_tokens(self.sides[0], self.sides[0].user)
        if self.sources:
            self.oracle_contracts = deploy.deploy_oracle(self.chains[0])
        if self.bridge_ledger:
            for i, side in enumerate(self.sides, 1):
                self.bridge_ledger.allow_gateway(f"gateway{i}", side.identity)

    def _manifest_row(self, side: deploy.Side) -> dict:
        remotes = [abi.to_hex(s.identity) for s in self.sides if s is not side]
        finality = manifests.finality(side.chain, self.confirmations, self.seals_min)
        return manifests.row(side.chain, finality, side.gateway.address, abi.to_hex(side.code_hash), remotes, side.owner, self.gas_limit)

    def measurement(self) -> str:
        return manifests.measurement(self.build / "bin" / "caisson-enclave")

    def write_manifest(self) -> None:
        rows, builds, more = [self._manifest_row(s) for s in self.sides], [self.measurement()], {}
        if self.sources:
            contracts = self.oracle_contracts.manifest_rows(self.sides[0].identity)
            more["oracle"] = oracle.manifest_section(contracts, self.sources.store, self.sources.authority.hash)
            builds.append(oracle.measurement(self.build))
        if self.ledger_time is not None:
            more |= manifests.time_of(self.bridge_ledger, **self.ledger_time)
        self.manifest_hash = manifests.write(self.manifest, rows, builds, "two chains on one machine", **more)
        self.say(f"manifest {self.manifest_hash[:18]}…")

    def write_gateways(self) -> None:
        ports = free_ports(4)
        self.gateways = [self.gateway_class(self, i, (ports[2 * i], ports[2 * i + 1])) for i in range(2)]
        for gateway, other in zip(self.gateways, reversed(self.gateways)):
            gateway.write_files(other, self.expire_of())

    def expire_of(self) -> dict[str, str]:
        """Of each route, who proves that a message died."""
        first, second = (s.chain.caip2 for s in self.sides)
        return {f"{first}>{second}": self.expire[0], f"{second}>{first}": self.expire[1]}

    def write_oracle(self) -> None:
        self.oracle = oracle.Oracle(self.folder / "oracle", self.build, self.manifest, self.oracle_contracts, self.sources.store,
                                    self.sources.names, self.start_heights[0], self.block_time_ms)
        if self.bridge_ledger:
            self.oracle.ledger_lines = self.bridge_ledger.config_lines("oracle")
        self.oracle.write_files()

    def start_services(self) -> None:
        for service in self.services:
            service.start()
            self.say(f"{service.name}: {service.url}, log {service.log}")

    def enclave_key(self, gateway: Gateway) -> dict:
        return max(gateway.enclave()["keys"], key=lambda k: k["epoch"])

    def register_keys(self) -> None:
        """The owner compares the enclave's hello with what was deployed, then names its key on the other chain by fresh evidence."""
        told = [g.enclave() for g in self.gateways]
        for enclave in told:
            if enclave["manifest_hash"] != self.manifest_hash or enclave["measurement"] != self.measurement():
                raise RuntimeError("the enclave is not the one of the manifest")
        sent = []
        for i, side in enumerate(self.sides):
            own, nonce = self.enclave_key(self.gateways[i]), secrets.token_hex(32)
            rpc = side.chain.rpc
            evidence = self.gateways[1 - i].get(f"/v1/enclave/evidence?nonce={nonce}")
            sent.append((rpc, rpc.send(side.owner, side.gateway.address, naming.call(
                self.build, self.folder, evidence, self.measurement(), side.gateway.address, self.sides[1 - i].identity, nonce))))
            sent.append((rpc, rpc.send(side.owner, own["gas_address"], value=GAS_MONEY_WEI, gas=TRANSFER_GAS)))
            sent.append((rpc, rpc.send(side.owner, self.gateways[i].operator, value=GAS_MONEY_WEI, gas=TRANSFER_GAS)))
        if self.apps:
            home = self.sides[0]
            sent.append((home.chain.rpc, home.token.send(home.owner, "mint", self.gateways[0].operator, deploy.SUPPLY)))
        for rpc, tx in sent:
            rpc.wait_receipt(tx)
        if self.ledger_time is not None:
            self.register_enclaves(told)
        if self.oracle:
            oracle.register(self.oracle, self.manifest_hash, oracle.measurement(self.build))
            if self.bridge_ledger and self.ledger_time is None:
                self.oracle.register_enclave(self.bridge_ledger)
        self.say("keys registered, gas accounts filled")

    def register_enclaves(self, told: list[dict]) -> None:
        """The administrators of the bridge's ledger name them in its register: only their keys may anchor anything."""
        for side, enclave in zip(self.sides, told):
            self.register_enclave(side, enclave)
        if self.oracle:
            self.oracle.register_enclave(self.bridge_ledger)

    def register_enclave(self, side: deploy.Side, told: dict, **more) -> bytes:
        """One of them; its name on the ledger. more: as of BridgeLedger.register_enclave."""
        keys = [(side.identity, k["epoch"], abi.to_bytes(k["public_key"]), k["gas_address"]) for k in told["keys"]]
        return self.bridge_ledger.register_enclave(
            bridge_ledger.BRIDGE, keys, abi.to_bytes(told["measurement"]), abi.to_bytes(told["lineage"]), told["manifest_number"],
            abi.to_bytes(told["manifest_hash"]), abi.to_bytes(told["evidence_digest"]), **more)

    def wait_ready(self) -> None:
        for service in self.services:
            wait_for(service.healthy, START_TIMEOUT_S, f"health of {service.name} ({service.log})", 0.1)

    # ---- what an application does ----

    def send(self, payload: bytes, attributes=(), source: int = 0, recipient: str | None = None) -> str:
        """A message by the application's own transaction; its id."""
        return self.commit(payload, attributes, source, recipient)[0]

    def commit(self, payload: bytes, attributes=(), source: int = 0, recipient: str | None = None) -> tuple[str, dict]:
        """The same; its id and the transaction's receipt."""
        side, other = self.sides[source], self.sides[1 - source]
        to = other.chain.erc7930(recipient or other.app.address)
        receipt = side.gateway.write(side.user, "sendMessage", to, payload, list(attributes), gas=SEND_GAS)
        return abi.to_hex(side.gateway.events("MessageCommitted", receipt)[0]["messageId"]), receipt


def account(side: deploy.Side, address: str) -> str:
    return f"{side.chain.caip2}:{address.lower()}"


def soon(chain: chains.Chain, seconds: int) -> int:
    """So many seconds after the chain's clock and after ours."""
    return max(int(time.time()), chain.rpc.time()) + seconds


def wait_time(chain: chains.Chain, when: int, timeout_s: float = 120) -> None:
    """Until the chain's own clock shows at least this second."""
    wait_for(lambda: chain.rpc.time() >= when, timeout_s, f"second {when} of {chain.caip2}", 0.1)


def now_ms() -> int:
    return int(time.time() * 1000)
