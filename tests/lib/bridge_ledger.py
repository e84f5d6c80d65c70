"""The ledger of a bridge, on loopback: four nodes of caisson-ledger, founded with administrators, accounts of gateways and oracles, and
the usage contract.

    with BridgeLedger(folder) as ledger:
        ledger.kill(2); ledger.wait_blocks(3); ledger.heal(2)
        ledger.allow_gateway("gateway1", identity)
        ledger.urls, ledger.tag, ledger.time_keys, ledger.accounts["gateway1"].key_file
"""
from __future__ import annotations

import http.client
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import abi, crypto
from . import ledger_tx as lt
from .chains import START_TIMEOUT_S, secret_of
from .ledger import FUNDS, LedgerRpc
from .proc import Process
from .rpc import RpcError, wait_for
from .service import write_secret
from .tools import find_build, free_ports

CHAIN_ID = "caisson-bridge"
NODE_COUNT = 4
# CometBFT's P2P port of the first of several nodes on one machine, and how far apart they are.
PORT_P2P, PORT_RPC, PORT_STEP = 26656, 26657, 3
CATCH_UP_TIMEOUT_S = 120
# A day of an idle chain: what the demo leaves up is audited by hand.
VERSIONS_KEPT = 86400
ADMINISTRATOR_COUNT, THRESHOLD = 3, 2
ENCLAVES, RECORDS, USAGE, ANSWERS = 4, 5, 6, 9
BRIDGE, ORACLE, COMPUTE = 1, 2, 3
DAY_S = 86400
GAS = 5_000_000
METRIC = "message.relayed"
REGISTRATION = ("(bytes32,uint8,bytes32,bytes32,uint64,bytes32,uint8,bytes32,uint64,uint256,address,"
                "(bytes32,uint64,bytes32,address)[],bytes)")
REGISTRATION_PARTS = [{"type": t} for t in ("bytes32", "uint8", "bytes32", "bytes32", "uint64", "bytes32", "uint8", "bytes32", "uint64",
                                            "uint256", "address")] + [
    {"type": "tuple[]", "components": [{"type": t} for t in ("bytes32", "uint64", "bytes32", "address")]}, {"type": "bytes"}]
APPROVAL_PARTS = [{"type": t} for t in ("uint8", "bytes32", "bytes32")]


def spread_ports(texts: list[str], ports: list[int]) -> list[str]:
    """config.toml of each node of a testnet: P2P and RPC of node k at ports[2k] and ports[2k + 1]."""
    spread = []
    for text in texts:
        for k in range(len(texts)):
            for which, standard in enumerate((PORT_P2P, PORT_RPC)):
                text = text.replace(f"127.0.0.1:{standard + PORT_STEP * k}", f"127.0.0.1:@{2 * k + which}@")
        for k, port in enumerate(ports):
            text = text.replace(f"@{k}@", str(port))
        spread.append(text)
    return spread


@dataclass
class Account:
    """Of the ledger, with the file that a service reads its key from."""

    name: str
    secret: int
    key_file: Path

    @property
    def address(self) -> str:
        return abi.to_hex(crypto.address(self.secret))


class Node:
    def __init__(self, home: Path, rpc_port: int, secrets: list[int], first: Node | None = None):
        self.home, self.rpc_port = home, rpc_port
        self.log = home.parent / f"{home.name}.log"
        self.url, self.ws_url = f"http://127.0.0.1:{rpc_port}", f"ws://127.0.0.1:{rpc_port}/websocket"
        self.rpc = LedgerRpc(rpc_port, secrets, first and first.rpc)
        self.process: Process | None = None

    def start(self) -> None:
        self.process = Process([find_build() / "bin" / "caisson-ledger", "start", "--home", self.home], self.log)

    def alive(self) -> bool:
        return self.process is not None and self.process.alive()

    def height(self) -> int:
        """0 while the node does not answer; a node that has ended is an error."""
        self.process.check()
        try:
            return self.rpc.block_number()
        except (OSError, RpcError, http.client.HTTPException):
            return 0


class BridgeLedger:
    """gateways and oracles: names of funded accounts. With insecure, what simulated enclaves sign counts, and nothing else."""

    def __init__(self, folder: Path, chain_id: str = CHAIN_ID, gateways: tuple = ("gateway1", "gateway2"), oracles: tuple = ("oracle",),
                 insecure: bool = True, usage: dict | None = None):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.chain_id, self.insecure, self.usage = folder, chain_id, insecure, usage or {}
        self.administrators = [secret_of(f"{chain_id} administrator {i}") for i in range(ADMINISTRATOR_COUNT)]
        self.accounts = {name: self._account(name) for name in ("owner", "guardian", *gateways, *oracles)}
        self.tag = b""
        self.nodes: list[Node] = []
        self.time_keys: list[str] = []
        self._found()

    def _account(self, name: str) -> Account:
        account = Account(name, secret_of(f"{self.chain_id} {name}"), self.folder / f"{name}.key")
        write_secret(account.key_file, f"{account.secret:064x}\n")
        return account

    def add_account(self, name: str) -> Account:
        """One that genesis does not know."""
        self.accounts[name] = self._account(name)
        return self.accounts[name]

    # ---- genesis ----

    def app_state(self) -> dict:
        owner, guardian = (self.accounts[name].address for name in ("owner", "guardian"))
        powers = {"owner": owner, "guardian": guardian, "delay_s": 2}
        return {
            "accounts": [{"address": a.address, "balance": str(FUNDS)} for a in self.accounts.values()],
            "rules": {"versions_kept": VERSIONS_KEPT},
            "contracts": {
                "enclaves": powers | {"rotation_delay_s": 3, "overlap_s": 60, "threshold": THRESHOLD, "bond_min": "0", "bond_delay_s": 60,
                                      "insecure": self.insecure,
                                      "administrators": [abi.to_hex(crypto.public_key(s)[:32]) for s in self.administrators],
                                      "lifetime_max_s": 90 * DAY_S},
                "records": powers,
                "usage": powers | {"arbiter": owner, "age_max_s": 7 * DAY_S, "window_s": 14 * DAY_S, "retention_s": 365 * DAY_S,
                                   "insecure": self.insecure,
                                   "metrics": [{"name": METRIC, "decimals": 0, "unit": "message"}]} | self.usage,
                "tasks": {"insecure": self.insecure},
            },
        }

    def _run(self, *args) -> str:
        made = subprocess.run([find_build() / "bin" / "caisson-ledger", *map(str, args)], capture_output=True, text=True,
                              timeout=START_TIMEOUT_S)
        if made.returncode:
            raise RuntimeError(f"caisson-ledger {args[0]}: {made.stderr}")
        return made.stdout

    def _found(self) -> None:
        state = self.folder / "app-state.json"
        state.write_text(json.dumps(self.app_state(), indent=1))
        self._run("testnet", "--v", NODE_COUNT, "--o", self.folder / "net", "--chain-id", self.chain_id, "--proxy_app", "ledger",
                  "--app-state", state)
        homes = [self.folder / "net" / f"node{i}" for i in range(NODE_COUNT)]
        ports = free_ports(2 * NODE_COUNT)
        files = [home / "config" / "config.toml" for home in homes]
        for file, text in zip(files, spread_ports([f.read_text() for f in files], ports)):
            file.write_text(text)
        secrets = [account.secret for account in self.accounts.values()]
        for i, home in enumerate(homes):
            self.nodes.append(Node(home, ports[2 * i + 1], secrets, self.nodes[0] if self.nodes else None))
        self.time_keys = [self._run("show-time-key", "--home", home).strip() for home in homes]

    # ---- processes ----

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        self.wait_height(2)
        self.tag = self.rpc.query("/chain")[:32]
        for node in self.nodes:
            node.rpc.chain_tag = self.tag

    def stop(self) -> None:
        running = [node.process for node in self.nodes if node.process]
        for process in running:
            process.ask()
        for process in running:
            process.stop()

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def running(self) -> list[Node]:
        return [node for node in self.nodes if node.alive()]

    def height(self) -> int:
        return max((node.height() for node in self.running), default=0)

    def wait_height(self, height: int, nodes: list[Node] | None = None, timeout_s: float = START_TIMEOUT_S) -> None:
        """Until each of these, or of those that run, has this block."""
        for node in nodes or self.running:
            wait_for(lambda node=node: node.height() >= height, timeout_s, f"block {height} of {self.caip2} ({node.log})", 0.1)

    def wait_blocks(self, count: int, timeout_s: float = START_TIMEOUT_S) -> None:
        self.wait_height(self.height() + count, timeout_s=timeout_s)

    def kill(self, index: int) -> None:
        """SIGKILL, as a crash would."""
        self.nodes[index].process.kill()

    def heal(self, index: int) -> int:
        """Starts a node that was killed, and waits until it has what the others had then; that height."""
        goal = self.height()
        self.nodes[index].start()
        self.wait_height(goal, [self.nodes[index]], CATCH_UP_TIMEOUT_S)
        return goal

    # ---- what services need to know ----

    @property
    def caip2(self) -> str:
        return f"cosmos:{self.chain_id}"

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes]

    def config_lines(self, name: str, nodes: list[str] | None = None) -> list[str]:
        """The table [ledger] of a service's file, for this account."""
        urls = ", ".join(f'"{url}"' for url in nodes or self.urls)
        return ["", "[ledger]", f'id = "{self.caip2}"', f'tag = "{abi.to_hex(self.tag)}"', f"nodes = [{urls}]",
                f'key_file = "{self.accounts[name].key_file}"', "block_time_ms = 500"]

    @property
    def rpc(self) -> LedgerRpc:
        """Of the first node that runs."""
        return self.running[0].rpc

    @property
    def register_identity(self) -> bytes:
        """To which registrations, enclaves' records, anchors and time keys are bound."""
        return crypto.keccak(lt.tag("caisson/identity/v1") + crypto.keccak(self.caip2.encode()) + self.tag
                             + lt.contract(ENCLAVES).rjust(32, b"\0"))

    # ---- transactions ----

    def view(self, contract: int, signature: str, *values) -> bytes:
        types = signature[signature.index("(") + 1:-1]
        data = abi.selector(signature) + abi.encode(types.split(",") if types else [], list(values))
        return self.rpc.query("/call", bytes(20) + lt.contract(contract) + data)

    def call(self, name: str, contract: int, data: bytes, gas: int = GAS, accept_revert: bool = False) -> dict:
        """The receipt of a call by one of the accounts."""
        rpc = self.rpc
        tx = rpc.send(self.accounts[name].address, abi.to_hex(lt.contract(contract)), data, gas=gas)
        return rpc.wait_receipt(tx, accept_revert=accept_revert)

    def allow_gateway(self, name: str, identity: bytes, allowed: bool = True) -> dict:
        """The account may record what happens on this chain's side, and take its leases."""
        data = abi.selector("setGateway(address,bytes32,bool)")
        data += abi.encode(["address", "bytes32", "bool"], [self.accounts[name].address, identity, allowed])
        return self.call("owner", RECORDS, data)

    def enclave_of(self, key: bytes) -> bytes:
        """The name of the enclave that has this key."""
        return self.view(ENCLAVES, "holderOf(bytes32)", key)[:32]

    def register_enclave(self, role: int, keys: list[tuple], measurement: bytes, lineage: bytes, number: int, manifest_hash: bytes,
                         evidence_digest: bytes, lifetime_s: int = 30 * DAY_S, approving: tuple = (0, 1), enclave: bytes = bytes(32)) -> bytes:
        """By these administrators; keys: (identity, epoch, x, gas address). The enclave's name on the ledger; given, it is renewed."""
        bonder = self.accounts["owner"].address
        row = b"".join(identity + crypto.word(epoch) + x + abi.to_bytes(gas).rjust(32, b"\0") for identity, epoch, x, gas in keys)
        expires = self.rpc.time() + lifetime_s
        digest = crypto.keccak(b"".join([
            lt.tag("caisson/ledger/registration/v1"), self.register_identity, enclave, crypto.keccak(lt.tag("caisson/keys/v1") + row),
            crypto.word(role), measurement, lineage, crypto.word(number), manifest_hash, crypto.word(0), evidence_digest,
            crypto.word(expires), crypto.word(0), abi.to_bytes(bonder).rjust(32, b"\0")]))
        approvals = []
        for i in approving:
            signature = crypto.schnorr_sign(self.administrators[i], digest)
            approvals.append([i, signature[:32], signature[32:]])
        parts = [{"type": "tuple", "components": REGISTRATION_PARTS},
                 {"type": "tuple[]", "components": APPROVAL_PARTS}]
        values = [enclave, role, measurement, lineage, number, manifest_hash, 0, evidence_digest, expires, 0, bonder,
                  [list(key) for key in keys], b""]
        data = abi.selector(f"register({REGISTRATION},(uint8,bytes32,bytes32)[])") + abi.encode(parts, [values, approvals])
        return abi.to_bytes(self.call("owner", ENCLAVES, data)["output"])[:32]
