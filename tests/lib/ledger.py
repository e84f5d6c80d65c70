"""Caisson ledgers on loopback, each one caisson-ledger, behind the calls that tests make of an EVM chain.

    with Ledger(folder, "ledger-1") as chain:
        chain.rpc.send(chain.accounts[0], chain.accounts[1], value=5)
        Contract(chain.rpc, chain.contract(1), abi).read("identity")
"""
from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import subprocess
import threading
from pathlib import Path

from . import abi, crypto
from . import ledger_tx as lt
from .chains import START_TIMEOUT_S, Chain, secret_of
from .proc import Process
from .rpc import GAS_DEFAULT, Reverted, RpcError, wait_for
from .tools import find_build, free_ports

GATEWAY, BRIDGE, ASSETS, INBOX = 1, 2, 3, 11
ACCOUNT_COUNT = 6
FUNDS = 10**24
OWNER_DELAY_S, ROTATION_DELAY_S, OVERLAP_S, CAP_WINDOW_S = 2, 3, 60, 3600
GAS_PRICE = 1


class LedgerRpc:
    """CometBFT's RPC of one node, in the words of an EVM node as far as tests use them; signs for the keys that it is given."""

    def __init__(self, port: int, secrets: list[int], beside: LedgerRpc | None = None):
        """beside: another node's of the same ledger, which signs for the same accounts; sequences are counted together."""
        self.port, self.chain_tag = port, b""
        self.keys = {self._text(key.address): key for key in map(lt.Secp256k1, secrets)}
        self._next: dict[str, int] = beside._next if beside else {}
        self._lock = beside._lock if beside else threading.Lock()

    @staticmethod
    def _text(address: bytes) -> str:
        return abi.to_hex(address)

    # ---- CometBFT ----

    def ask(self, method: str, **params):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", "/", json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}),
                               {"content-type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "error" in answer:
            raise RpcError(method, {**answer["error"], "message": answer["error"].get("data") or answer["error"]["message"]})
        return answer["result"]

    def question(self, path: str, data: bytes = b"", height: int = 0, prove: bool = False) -> dict:
        return self.ask("abci_query", path=path, data=data.hex(), height=str(height), prove=prove)["response"]

    def query(self, path: str, data: bytes = b"") -> bytes:
        response = self.question(path, data)
        if response["code"]:
            raise RpcError(path, {"code": response["code"], "message": response.get("log", ""),
                                  "data": abi.to_hex(base64.b64decode(response.get("value") or ""))})
        return base64.b64decode(response.get("value") or "")

    def account(self, address: str) -> tuple[int, int]:
        """Sequence and balance."""
        value = self.query("/account", abi.to_bytes(address))
        return int.from_bytes(value[:8], "big"), int.from_bytes(value[8:], "big")

    def header(self, height: int | None = None) -> tuple[str, dict]:
        """Hash and header; of the newest block without a height."""
        found = self.ask("commit", **({"height": str(height)} if height else {}))["signed_header"]
        return "0x" + found["commit"]["block_id"]["hash"].lower(), found["header"]

    # ---- an EVM node's ----

    def call(self, method: str, *params):
        if method == "eth_call":
            to, data = abi.to_bytes(params[0]["to"]), abi.to_bytes(params[0]["data"])
            return abi.to_hex(self.query("/call", abi.to_bytes(params[0].get("from", "0x" + "00" * 20)) + to + data))
        if method == "eth_getBalance":
            return hex(self.account(params[0])[1])
        if method == "eth_accounts":
            return list(self.keys)
        raise NotImplementedError(method)

    def block_number(self) -> int:
        return int(self.ask("status")["sync_info"]["latest_block_height"])

    def block(self, which="latest", full: bool = False) -> dict:
        block_hash, header = self.header(which if isinstance(which, int) else None)
        return {"number": hex(int(header["height"])), "hash": block_hash, "timestamp": hex(seconds_of(header["time"])), "difficulty": "0x0"}

    def time(self) -> int:
        return int(self.block()["timestamp"], 16)

    def send(self, sender: str, to: str | None, data: bytes = b"", value: int = 0, gas: int = GAS_DEFAULT, nonce: int | None = None) -> str:
        """The transaction's hash once a node has taken it."""
        key = self.keys[sender.lower()]
        with self._lock:
            known = self.account(sender)[0]
            sequence = nonce if nonce is not None else max(known, self._next.get(sender.lower(), 0))
            body = lt.Body(chain=self.chain_tag, sender=key.address, sequence=sequence, calls=[lt.Call(abi.to_bytes(to), value, data)],
                           gas_limit=gas, gas_price=GAS_PRICE)
            tx = lt.transaction(key, body)
            answer = self.ask("broadcast_tx_sync", tx=base64.b64encode(tx).decode())
            if answer["code"]:
                raise RpcError("broadcast_tx_sync", {"code": answer["code"], "message": answer["log"]})
            self._next[sender.lower()] = sequence + 1
        return abi.to_hex(hashlib.sha256(tx).digest())

    def receipt(self, tx: str) -> dict | None:
        try:
            found = self.ask("tx", hash=base64.b64encode(abi.to_bytes(tx)).decode())
        except RpcError:
            return None
        result = found["tx_result"]
        block_hash, _ = self.header(int(found["height"]))
        return {"transactionHash": tx, "status": "0x1" if result["code"] == 0 else "0x0", "blockNumber": hex(int(found["height"])),
                "blockHash": block_hash, "gasUsed": hex(int(result["gas_used"])), "code": result["code"],
                "output": abi.to_hex(base64.b64decode(result["data"] or "")), "logs": [log_of(e) for e in result["events"] if e["type"] == "log"]}

    def wait_receipt(self, tx: str, timeout_s: float = 30, accept_revert: bool = False) -> dict:
        receipt = wait_for(lambda: self.receipt(tx), timeout_s, f"the receipt of {tx}", 0.1)
        if receipt["status"] != "0x1" and not accept_revert:
            raise Reverted(receipt)
        return receipt

    def wait_blocks(self, count: int, timeout_s: float = 60) -> None:
        goal = self.block_number() + count
        wait_for(lambda: self.block_number() >= goal, timeout_s, f"{count} blocks")


def seconds_of(time_text: str) -> int:
    import calendar
    import time
    return calendar.timegm(time.strptime(time_text[:19], "%Y-%m-%dT%H:%M:%S"))


def log_of(event: dict) -> dict:
    values = {a["key"]: a["value"] for a in event["attributes"]}
    return {"address": values["address"], "topics": [values[f"topic{i}"] for i in range(4) if f"topic{i}" in values], "data": values["data"]}


class Asset:
    """One asset of contract 3, called as a token contract is."""

    SIGNATURES = {"balanceOf": "balanceOf(address,address)", "totalSupply": "totalSupply(address)", "mint": "mint(address,address,uint256)"}

    def __init__(self, rpc: LedgerRpc, address: str):
        self.rpc, self.address, self.assets = rpc, address, Ledger.contract(ASSETS)

    def data(self, name: str, *values) -> bytes:
        signature = self.SIGNATURES[name]
        return abi.selector(signature) + abi.encode(signature[signature.index("(") + 1:-1].split(","), [self.address, *values])

    def read(self, name: str, *values):
        return int(self.rpc.call("eth_call", {"to": self.assets, "data": abi.to_hex(self.data(name, *values))}, "latest"), 16)

    def send(self, sender: str, name: str, *values, gas: int = GAS_DEFAULT) -> str:
        return self.rpc.send(sender, self.assets, self.data(name, *values), gas=gas)

    def write(self, sender: str, name: str, *values) -> dict:
        return self.rpc.wait_receipt(self.send(sender, name, *values))

    @classmethod
    def create(cls, rpc: LedgerRpc, creator: str, name: str, symbol: str, decimals: int, minter: str) -> "Asset":
        call = abi.selector("create(string,string,uint8,address)") + abi.encode(["string", "string", "uint8", "address"],
                                                                                [name, symbol, decimals, minter])
        receipt = rpc.wait_receipt(rpc.send(creator, Ledger.contract(ASSETS), call))
        return cls(rpc, "0x" + receipt["output"][-40:])


class Ledger(Chain):
    """A ledger of one validator, with the gateway, the bridge and an inbox for messages, whose owner is the first account."""

    kind = "ledger"

    def __init__(self, folder: Path, chain_id: str):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.chain_id, self.home = folder, chain_id, folder / "node"
        secrets = [secret_of(f"{chain_id} user {i}") for i in range(ACCOUNT_COUNT)]
        self.accounts = ["0x" + crypto.address(s).hex() for s in secrets]
        self.port, p2p = free_ports(2)
        self.url, self.ws_url = f"http://127.0.0.1:{self.port}", f"ws://127.0.0.1:{self.port}/websocket"
        self._init(p2p)
        self.processes = []
        self.rpc = LedgerRpc(self.port, secrets)
        try:
            self.start()
            self.rpc.chain_tag = self.rpc.query("/chain")[:32]
        except BaseException:
            self.stop()
            raise

    @property
    def program(self) -> Path:
        return find_build() / "bin" / "caisson-ledger"

    def _write_state(self) -> Path:
        """What the application begins with."""
        owners = {"owner": self.accounts[0], "guardian": self.accounts[1], "delay_s": OWNER_DELAY_S}
        gateway = {**owners, "rotation_delay_s": ROTATION_DELAY_S, "overlap_s": OVERLAP_S, "insecure": True}
        state = {"accounts": [{"address": a, "balance": str(FUNDS)} for a in self.accounts],
                 "contracts": {"gateway": gateway, "bridge": {**owners, "window_s": CAP_WINDOW_S}}}
        path = self.folder / "app-state.json"
        path.write_text(json.dumps(state))
        return path

    def _make(self, *command) -> None:
        """Keys, genesis and configuration, by caisson-ledger init or testnet."""
        made = subprocess.run([self.program, *command, "--chain-id", self.chain_id, "--proxy_app", "ledger", "--app-state",
                               self._write_state()], capture_output=True, text=True, timeout=START_TIMEOUT_S)
        if made.returncode:
            raise RuntimeError(f"caisson-ledger {command[0]}: {made.stderr}")

    def _init(self, p2p: int) -> None:
        self._make("init", "--home", self.home)
        path = self.home / "config" / "config.toml"
        text = path.read_text().replace("127.0.0.1:26657", f"127.0.0.1:{self.port}").replace("127.0.0.1:26656", f"127.0.0.1:{p2p}")
        text = re.sub(r"127\.0\.0\.1:26660", f"127.0.0.1:{free_ports(1)[0]}", text)
        path.write_text(text)

    def start(self) -> None:
        self.processes = [Process([self.program, "start", "--home", self.home], self.folder / "node.log")]
        self._wait_up(self.processes[0], 2)

    def _wait_up(self, process: Process, height: int) -> None:
        def up():
            process.check()
            try:
                return self.rpc.block_number() >= height
            except (OSError, RpcError, http.client.HTTPException):
                return False

        wait_for(up, START_TIMEOUT_S, f"block {height} of {self.caip2} ({process.log_path})")

    @property
    def caip2(self) -> str:
        return f"cosmos:{self.chain_id}"

    @property
    def genesis_hash(self) -> str:
        """What an identity has in its place: the chain's tag."""
        return abi.to_hex(self.rpc.chain_tag)

    @staticmethod
    def contract(number: int) -> str:
        return abi.to_hex(lt.contract(number))

    def erc7930(self, address: str | bytes = b"") -> bytes:
        raw = abi.to_bytes(address)
        return b"\0\1\xff\1" + bytes([len(self.chain_id)]) + self.chain_id.encode() + bytes([len(raw)]) + raw
