"""A ledger of one node with a registered enclave, usage records and the command line that audits them."""
from __future__ import annotations

import base64
import json
import subprocess
import time
from pathlib import Path

import register_vectors as rv

from ledger import accounts
from ledger.accounts import ALICE, Bank
from ledger.forge import block_id_of, field, some, time_of, uint
from ledger.net import CHAIN_ID, DEADLINE_S, Network
from lib import abi, crypto, usage
from lib import ledger_tx as lt
from lib.ledger_tx import Call
from lib.tools import find_build

ENCLAVES, USAGE = lt.contract(4), lt.contract(6)
PROVIDER, CONSUMER, ARBITER = lt.Secp256k1(0x9901), lt.Secp256k1(0x9902), lt.Secp256k1(0x9903)
ENCLAVE = 0xE1C1
DAY = 86400
GAS = 20_000_000
NO, CLAIMED, BAD_USE = 6, 7, 2


def hx(data: bytes) -> str:
    return "0x" + data.hex()


def genesis(**terms) -> dict:
    powers = {"owner": hx(ALICE.address), "guardian": hx(ALICE.address), "delay_s": 0}
    people = [*accounts.FUNDED, PROVIDER, CONSUMER, ARBITER]
    return {
        "accounts": [{"address": hx(key.address), "balance": str(accounts.FUNDS)} for key in people],
        "contracts": {
            "enclaves": powers | {"rotation_delay_s": 10, "overlap_s": 0, "threshold": 2, "bond_min": "0", "bond_delay_s": 0,
                                  "lifetime_max_s": 365 * DAY,
                                  "administrators": [hx(rv.v.public_x(secret)) for secret in rv.ADMINISTRATORS]},
            "usage": powers | {"arbiter": hx(ARBITER.address), "age_max_s": 30 * DAY, "window_s": 10 * DAY, "retention_s": 60 * DAY,
                               "metrics": [{"name": "rows", "decimals": 0, "unit": "row"},
                                           {"name": "cpu-hours", "decimals": 3, "unit": "h"}]} | terms,
            "tasks": {"insecure": False},
        },
    }


def calldata(signature: str, *values) -> bytes:
    types = signature[signature.index("(") + 1:-1].split(",")
    return crypto.keccak(signature.encode())[:4] + abi.encode([{"name": "", "type": t} for t in types], list(values))


def caisson(*args, **more) -> subprocess.CompletedProcess:
    return subprocess.run([str(find_build() / "bin" / "caisson"), "ledger", *map(str, args)], capture_output=True, text=True,
                          timeout=DEADLINE_S, check=False, **more)


class World:
    def __init__(self, folder: Path, node):
        self.folder, self.node, self.bank = folder, node, Bank(node)
        self.now = int(time.time())
        self.month = time.strftime("%Y-%m", time.gmtime(self.block_time()))
        self.nonce = 0

    @property
    def url(self) -> str:
        return f"http://{self.node.host}:{self.node.rpc_port}"

    def block_time(self) -> int:
        return int.from_bytes(self.bank.query("/chain")[64:72], "big")

    def send(self, key, to: bytes, data: bytes) -> dict:
        return self.bank.send(key, [Call(to, 0, data)], gas_limit=GAS)

    def good(self, key, to: bytes, data: bytes) -> None:
        result = self.send(key, to, data)
        assert result["code"] == 0, result

    def register_enclave(self) -> None:
        rv.OWN = rv.v.identity(f"cosmos:{CHAIN_ID}", self.bank.chain, ENCLAVES)
        made = rv.registration(role=rv.COMPUTE, bond=0, bonder=ALICE.address, expires=self.block_time() + 30 * DAY,
                               keys=[rv.key(b"\x51" * 32, 1, ENCLAVE)])
        self.good(ALICE, ENCLAVES, rv.register(made))

    def make(self, **over) -> usage.Record:
        self.nonce += 1
        values = {"data_hash": crypto.keccak(b"table"), "provider": PROVIDER.address, "consumer": CONSUMER.address,
                  "purpose": b"model training", "enclave": b"", "metric": usage.label("rows"), "quantity": 100 + self.nonce,
                  "price": 2 * 10**18, "observed_s": self.block_time(), "nonce": self.nonce}
        return usage.Record(**values | over).sign(ENCLAVE, self.bank.chain)

    def record(self, records: list[usage.Record]) -> None:
        for i in range(0, len(records), 64):
            self.good(ALICE, USAGE, usage.calldata(records[i:i + 64]))

    # ---- the command line ----

    def statement(self, name: str, role: str = "provider", fmt: str = "json", party: bytes | None = None, month: str = "",
                  code: int = 0) -> Path:
        party = party or (PROVIDER if role == "provider" else CONSUMER).address
        path = self.folder / name
        done = caisson("statement", "--party", hx(party), "--role", role, "--period", month or self.month, "--format", fmt,
                       "--out", path, "--url", self.url)
        assert done.returncode == code, done.stderr
        return path

    def app_hash(self, height: int) -> str:
        """Of the state after a height."""
        return self.node.call("commit", height=str(height + 1))["signed_header"]["header"]["app_hash"]

    def light_block(self, height: int) -> tuple[bytes, str]:
        """tendermint.types.LightBlock in protobuf, and the hash of its validators."""
        signed = self.node.call("commit", height=str(height))["signed_header"]
        header, commit = signed["header"], signed["commit"]
        found = self.node.call("validators", height=str(height))["validators"]
        version = uint(1, int(header["version"]["block"])) + uint(2, int(header["version"].get("app", 0)))
        names = ["last_commit_hash", "data_hash", "validators_hash", "next_validators_hash", "consensus_hash", "app_hash",
                 "last_results_hash", "evidence_hash", "proposer_address"]
        head = (field(1, version) + field(2, header["chain_id"].encode()) + uint(3, int(header["height"])) +
                field(4, time_of(header["time"])) + field(5, block_id_of(header["last_block_id"])) +
                b"".join(some(6 + i, bytes.fromhex(header[name])) for i, name in enumerate(names)))
        sigs = b"".join(field(4, uint(1, s["block_id_flag"]) + some(2, bytes.fromhex(s["validator_address"])) +
                              field(3, time_of(s["timestamp"])) + some(4, base64.b64decode(s["signature"] or "")))
                        for s in commit["signatures"])
        body = uint(1, int(commit["height"])) + uint(2, commit["round"]) + field(3, block_id_of(commit["block_id"])) + sigs
        rows = [some(1, bytes.fromhex(v["address"])) + field(2, field(1, base64.b64decode(v["pub_key"]["value"]))) +
                uint(3, int(v["voting_power"])) + uint(4, int(v["proposer_priority"]) % 2**64) for v in found]
        proposer = next(row for row, v in zip(rows, found) if v["address"] == header["proposer_address"])
        validators = b"".join(field(1, row) for row in rows) + field(2, proposer)
        return field(1, field(1, head) + field(2, body)) + field(2, validators), header["validators_hash"]


def begin(folder: Path, change=None, **terms) -> Network:
    state = folder / "app_state.json"
    state.write_text(json.dumps(genesis(**terms)))
    return Network(folder, 1, change, arguments=("--proxy_app", "ledger", "--app-state", str(state)))
