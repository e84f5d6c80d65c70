"""An oracle as its operator runs it, alone on a chain or beside two gateways, born in the order that the design wants:

contracts without an oracle → the manifest that names them → the process and its enclave → the owner registers its key.
"""
from __future__ import annotations

import hashlib
import json
from pathlib import Path
from urllib.parse import urlencode

import oracle_vectors as ov

from . import abi, chains, crypto, deploy, manifests, naming
from .deploy import ANSWERED, END_TIMEOUT_S, OPEN, REFUNDED, UNKNOWN  # noqa: F401
from .proc import Process
from .rpc import wait_for
from .service import START_TIMEOUT_S, ApiError, Service, toml, write_secret
from .tools import find_build, free_ports

ov.v.keccak = crypto.keccak  # the same function, faster where the tests' libraries are

SCOPES = "read,ask,operate"
GAS_MONEY_WEI = 10**20
# Of the ledger's register of enclaves.
ORACLE_ROLE = 2
CODES = {0: "ok", 1: "spec_invalid", 2: "arguments_invalid", 3: "secrets_invalid", 4: "not_allowed", 16: "unreachable", 17: "timeout",
         18: "tls", 19: "redirect", 20: "http_status", 21: "too_large", 22: "malformed_response", 32: "not_found", 33: "type",
         34: "script", 48: "disagreement"}
FEED_SETTINGS = {"decimals": 8, "heartbeat": 3600, "staleAfter": 3900, "deviation": 5000, "historyBits": 0, "description": "ETH / USD"}
# The gateway of a chain's row where there is no bridge: nobody has its key.
NO_GATEWAY, NO_CODE, NO_REMOTE = "0x" + "33" * 20, "0x" + "44" * 32, "0x" + "77" * 32


# ---- specs ----

def canonical(value) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def source(url: str, pointer: str = "/price", **over) -> dict:
    return {"url": url, "extract": {"pointer": pointer}, **over}


def spec(*sources: dict, kind: str = "int256", decimals: int | None = 8, **over) -> bytes:
    """Canonical, of a number with 8 decimals unless told otherwise."""
    result = {"type": kind} | ({"decimals": decimals} if decimals is not None else {})
    return canonical({"version": 1, "sources": list(sources), "result": result, **over})


def median(k: int, spread_ppm: int | None = None) -> dict:
    return {"k": k, "kind": "median"} | ({"spread_ppm": spread_ppm} if spread_ppm is not None else {})


def manifest_section(contracts: list[dict], store: Path, authority_hash: bytes, **over) -> dict:
    """`oracle` of a manifest whose sources are on this machine, under a CA of its own."""
    return {"address_literals": False, "contracts": contracts, "hosts_allowed": [], "hosts_forbidden": [], "logs": "0x" + "00" * 32,
            "private_cas": [abi.to_hex(authority_hash)], "private_networks": True,
            "trust_store": abi.to_hex(hashlib.sha256(store.read_bytes()).digest())} | over


# ---- the process ----

class Oracle(Service):
    """One `caisson-oracle` with its enclave, of one manifest and one chain."""

    program = "oracle"

    def __init__(self, folder: Path, build: Path, manifest: Path, contracts: deploy.OracleContracts, store: Path, names: list[str],
                 start_height: int, block_time_ms: int = 1000, more: dict | None = None):
        super().__init__("oracle", folder, build, free_ports(1)[0])
        self.manifest, self.contracts, self.store, self.names = manifest, contracts, store, names
        self.start_height, self.block_time_ms = start_height, block_time_ms
        self.more = more or {}  # by section: keys that differ
        self.ledger_lines: list[str] = []  # of a bridge's ledger: BridgeLedger.config_lines

    def section(self, name: str, **values) -> list[str]:
        return [f"[{name}]", *(f"{key} = {toml(value)}" for key, value in (values | self.more.get(name, {})).items()), ""]

    def write_files(self) -> None:
        self.write_keys(("demo", SCOPES, self.key))
        write_secret(self.folder / "operator.key", f"{self.operator_secret:064x}\n")
        chain = self.contracts.chain
        lines = [
            f"name = {toml(self.name)}", "",
            *self.section("log", level="info"),
            *self.section("api", port=self.port),
            *self.section("enclave", program=str(self.build / "bin" / "caisson-oracle-enclave"), manifests=[str(self.manifest)],
                          trust_store=str(self.store)),
            *self.section("egress", networks=["127.0.0.0/8"], names=[f"{name}=127.0.0.1" for name in self.names]),
            *(part for name in ("providers", "relay") if name in self.more for part in self.section(name)),
            "[[chains]]", f"id = {toml(chain.caip2)}", f"rpc = {toml([chain.url])}", f"ws = {toml([chain.ws_url])}",
            f"start_height = {self.start_height}", f"block_time_ms = {self.block_time_ms}", "operator_key_file = \"operator.key\"",
            *(f"{key} = {toml(value)}" for key, value in self.more.get("chains", {}).items()), *self.ledger_lines]
        self.config.write_text("\n".join(lines) + "\n")

    @property
    def operator_secret(self) -> int:
        return chains.secret_of(f"oracle's operator of {self.contracts.chain.caip2}")

    @property
    def operator(self) -> str:
        return "0x" + crypto.address(self.operator_secret).hex()

    def start(self) -> None:
        self.process = Process([self.build / "bin" / "caisson-oracle", "--config", self.config], self.log, cwd=self.folder)

    def register_enclave(self, bridge) -> bytes:
        """In the register of a bridge's ledger, by its administrators: its keys for answers, in the role oracle."""
        told = self.enclave()
        keys = [(abi.to_bytes(k["identity"]), k["epoch"], abi.to_bytes(k["public_key"]), "0x" + "00" * 20)
                for k in told["keys"] if k["use"] == "answers"]
        return bridge.register_enclave(ORACLE_ROLE, keys, abi.to_bytes(told["measurement"]), abi.to_bytes(told["lineage"]),
                                       told["manifest_number"], abi.to_bytes(told["manifest_hash"]),
                                       abi.to_bytes(told["evidence_digest"]))

    def kept_evidence(self) -> dict:
        """What answers of its newest key name."""
        return wait_for(lambda: self._found(f"/v1/oracle/evidence/{self.get('/v1/oracle/key')['evidence_digest']}"), START_TIMEOUT_S,
                        f"evidence that is kept ({self.log})", 0.05)

    # ---- requests of apps ----

    def ask(self, spec_: bytes | dict, timeout_s: float = END_TIMEOUT_S, **more) -> dict:
        """Asks over REST; the signed answer's document, once it is there."""
        reply = self.post("/v1/oracle/requests", {"spec": json.loads(spec_) if isinstance(spec_, bytes) else spec_, **more})
        return reply if is_answer(reply) else self.answer(reply["id"], timeout_s)

    def answer(self, request: str, timeout_s: float = END_TIMEOUT_S) -> dict:
        def answered():
            document = self.get(f"/v1/oracle/requests/{request}")
            return document if is_answer(document) else None

        return wait_for(answered, timeout_s, f"the answer of {request} ({self.log})", 0.05)

    def dry_run(self, spec_: bytes | dict, **more) -> dict:
        return self.post("/v1/oracle/requests:dry-run", {"spec": json.loads(spec_) if isinstance(spec_, bytes) else spec_, **more})

    def known_of(self, request_id: bytes) -> dict | None:
        """What its journal has of a request, or None when it has not heard of it yet."""
        return self._found(f"/v1/oracle/requests/{abi.to_hex(request_id)}/state")

    def request_of(self, request_id: bytes | str) -> dict | None:
        """The same until it is signed, then the document."""
        name = request_id if isinstance(request_id, str) else abi.to_hex(request_id)
        return self._found(f"/v1/oracle/requests/{name}")

    def _found(self, path: str) -> dict | None:
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    # ---- feeds ----

    def list_feed(self, index: int, spec_: bytes, **overrides) -> dict:
        """Takes a feed of the contract into the schedule."""
        body = {"contract": self.contracts.feeds.address.lower(), "chain": self.contracts.chain.caip2, "index": index,
                "spec": json.loads(spec_), **overrides}
        return self.post("/v1/oracle/feeds", body)

    def feeds(self, **query) -> list[dict]:
        return self.get("/v1/oracle/feeds" + ("?" + urlencode(query) if query else ""))["feeds"]


def is_answer(document: dict) -> bool:
    return document.get("kind") == "oracle-answer"


# ---- its birth ----

def measurement(build: Path) -> str:
    return manifests.measurement(build / "bin" / "caisson-oracle-enclave")


def register(oracle: Oracle, manifest_hash: str, measured: str) -> bytes:
    """The owner compares the enclave's hello with what was deployed, then names the oracle, and its key by the evidence that
    answers name; returns the oracle's identity."""
    told, keys = oracle.enclave(), oracle.get("/v1/oracle/key")
    identity = ov.identity(abi.to_bytes(manifest_hash))
    if told["manifest_hash"] != manifest_hash or told["measurement"] != measured or keys["oracle"] != abi.to_hex(identity):
        raise RuntimeError("the enclave is not the one of the manifest")
    evidence = oracle.kept_evidence()
    deploy.register_oracle(oracle.contracts, told["lineage"],
                           lambda contract: naming.call(oracle.build, oracle.folder, evidence, measured, contract, identity))
    rpc = oracle.contracts.chain.rpc
    rpc.wait_receipt(rpc.send(oracle.contracts.owner, oracle.operator, value=GAS_MONEY_WEI, gas=21000))
    return identity


class OracleWorld:
    """with OracleWorld(folder, chain, store, authority_hash, names) as world: an oracle alone on a chain that runs already.

    `store` holds the CAs, `authority_hash` is SHA-256 of the private one's DER, `names` are hosts on this machine; `finality` differs from
    that of the chain's kind, `rpc` is the manifest's part of it."""

    def __init__(self, folder: Path, chain: chains.Chain, store: Path, authority_hash: bytes, names: list[str], *,
                 confirmations: int = manifests.CONFIRMATIONS, more: dict | None = None, manifest: dict | None = None,
                 gas_limit: int = chains.GAS_LIMIT_DEFAULT, finality: dict | None = None, rpc: dict | None = None):
        self.folder, self.chain, self.build, self.confirmations = folder, chain, find_build(), confirmations
        folder.mkdir(parents=True, exist_ok=True)
        start_height = chain.rpc.block_number()
        self.contracts = deploy.deploy_oracle(chain)
        row = manifests.row(chain, manifests.finality(chain, confirmations) | (finality or {}), NO_GATEWAY, NO_CODE, [NO_REMOTE], self.contracts.owner,
                            gas_limit)
        identity = deploy.identity(chain.caip2, chain.genesis_hash, NO_GATEWAY)
        self.manifest = folder / "manifest.json"
        section = manifest_section(self.contracts.manifest_rows(identity), store, authority_hash, **(manifest or {}))
        self.manifest_hash = manifests.write(self.manifest, [row], [measurement(self.build)], "an oracle on one machine", oracle=section,
                                             **({"rpc": rpc} if rpc else {}))
        self.oracle = Oracle(folder / "oracle", self.build, self.manifest, self.contracts, store, names, start_height, more=more)
        self.identity = b""

    def start(self) -> None:
        self.oracle.write_files()
        self.oracle.start()
        self.identity = register(self.oracle, self.manifest_hash, measurement(self.build))
        wait_for(self.oracle.healthy, START_TIMEOUT_S, f"health of the oracle ({self.oracle.log})", 0.1)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.oracle.stop()
            raise
        return self

    def __exit__(self, kind, *_):
        self.oracle.stop()
        if kind is None:
            self.oracle.check_log()
