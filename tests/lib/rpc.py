"""JSON-RPC over one kept connection, and contracts on it."""
from __future__ import annotations

import http.client
import json
import threading
import time
from urllib.parse import urlsplit

from . import abi

GAS_DEFAULT = 1_500_000
# What geth says while its pool takes in another branch's block: for that moment it counts an account's pending transactions
# from the block's state, and so gives the next one a nonce that is taken. Nothing was sent then.
NONCE_TAKEN = ("replacement transaction underpriced", "nonce too low", "already known")


class RpcError(Exception):
    def __init__(self, method: str, error: dict):
        super().__init__(f"{method}: {error.get('code')} {error.get('message')}")
        self.code, self.message, self.data = error.get("code"), error.get("message", ""), error.get("data")


class Reverted(Exception):
    def __init__(self, receipt: dict):
        super().__init__(f"transaction {receipt['transactionHash']} was reverted")
        self.receipt = receipt


def wait_for(condition, timeout_s: float, what: str, every_s: float = 0.05):
    """The first true value of condition(), or TimeoutError that names what was waited for."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"waited {timeout_s:g} s for {what}")
        time.sleep(every_s)


class Rpc:
    """One endpoint. Threads have their own connection."""

    def __init__(self, url: str, timeout_s: float = 30):
        self.url, self.timeout_s = url, timeout_s
        parts = urlsplit(url)
        self.host, self.port, self.path = parts.hostname, parts.port, parts.path or "/"
        self._local = threading.local()

    def _post(self, body: bytes) -> bytes:
        for attempt in (1, 2):
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout_s)
                self._local.connection = connection
            try:
                connection.request("POST", self.path, body, {"content-type": "application/json"})
                return connection.getresponse().read()
            except (http.client.HTTPException, OSError):
                connection.close()
                self._local.connection = None
                if attempt == 2:
                    raise
        raise AssertionError

    def call(self, method: str, *params):
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        reply = json.loads(self._post(json.dumps(request).encode()))
        if "error" in reply:
            raise RpcError(method, reply["error"])
        return reply["result"]

    def batch(self, calls: list[tuple]) -> list:
        """Results in the order of calls; an error is returned in its place as an RpcError."""
        if not calls:
            return []
        body = [{"jsonrpc": "2.0", "id": i, "method": c[0], "params": list(c[1:])} for i, c in enumerate(calls)]
        replies = {r["id"]: r for r in json.loads(self._post(json.dumps(body).encode()))}
        return [RpcError(calls[i][0], replies[i]["error"]) if "error" in replies[i] else replies[i]["result"]
                for i in range(len(calls))]

    # what the callers ask most
    def block_number(self) -> int:
        return int(self.call("eth_blockNumber"), 16)

    def block(self, which="latest", full: bool = False) -> dict:
        return self.call("eth_getBlockByNumber", hex(which) if isinstance(which, int) else which, full)

    def time(self) -> int:
        return int(self.block()["timestamp"], 16)

    def receipt(self, tx: str) -> dict | None:
        return self.call("eth_getTransactionReceipt", tx)

    def send(self, sender: str, to: str | None, data: bytes = b"", value: int = 0, gas: int = GAS_DEFAULT,
             nonce: int | None = None) -> str:
        tx = {"from": sender, "data": abi.to_hex(data), "value": hex(value), "gas": hex(gas)}
        if to:
            tx["to"] = to
        if nonce is not None:
            tx["nonce"] = hex(nonce)
            return self.call("eth_sendTransaction", tx)
        end = time.monotonic() + 10
        while True:
            try:
                return self.call("eth_sendTransaction", tx)
            except RpcError as error:
                if not error.message.startswith(NONCE_TAKEN) or time.monotonic() > end:
                    raise
            time.sleep(0.1)

    def wait_receipt(self, tx: str, timeout_s: float = 30, accept_revert: bool = False) -> dict:
        receipt = wait_for(lambda: self._lasting(self.receipt(tx)), timeout_s, f"the receipt of {tx}", 0.1)
        if receipt["status"] != "0x1" and not accept_revert:
            raise Reverted(receipt)
        return receipt

    def _lasting(self, receipt: dict | None) -> dict | None:
        """None for one in the newest block where a Clique signer sealed it out of turn: another's may take its place.

        And for one of a block that the node does not call the newest yet: what is read meanwhile is of the block before.
        """
        if receipt is None:
            return None
        newest = self.block()
        if int(newest["number"], 16) < int(receipt["blockNumber"], 16):
            return None
        return None if newest["hash"] == receipt["blockHash"] and newest["difficulty"] == "0x1" else receipt

    def wait_blocks(self, count: int, timeout_s: float = 60) -> None:
        goal = self.block_number() + count
        wait_for(lambda: self.block_number() >= goal, timeout_s, f"{count} blocks")


class Contract:
    """A deployed contract with the JSON ABI of its artifact. c.read("name", …), c.write(sender, "name", …)."""

    def __init__(self, rpc: Rpc, address: str, abi_json: list[dict]):
        self.rpc, self.address, self.abi = rpc, address, abi_json

    def entry(self, name: str, count: int | None = None, kind: str = "function") -> dict:
        """By name, or by the whole signature where a name is overloaded."""
        for entry in self.abi:
            if entry["type"] == kind and name in (entry.get("name"), abi.signature(entry) if "name" in entry else None):
                if count is None or "(" in name or len(entry["inputs"]) == count:
                    return entry
        raise KeyError(f"{kind} {name} with {count} parameters")

    def data(self, name: str, *values) -> bytes:
        return abi.encode_call(self.entry(name, len(values)), values)

    def read(self, name: str, *values, block: str | int = "latest", sender: str | None = None):
        call = {"to": self.address, "data": abi.to_hex(self.data(name, *values))}
        if sender:
            call["from"] = sender
        raw = self.rpc.call("eth_call", call, hex(block) if isinstance(block, int) else block)
        result = abi.decode(self.entry(name, len(values))["outputs"], abi.to_bytes(raw))
        return result[0] if len(result) == 1 else result

    def send(self, sender: str, name: str, *values, value: int = 0, gas: int = GAS_DEFAULT) -> str:
        return self.rpc.send(sender, self.address, self.data(name, *values), value, gas)

    def write(self, sender: str, name: str, *values, value: int = 0, gas: int = GAS_DEFAULT,
              accept_revert: bool = False, timeout_s: float = 30) -> dict:
        tx = self.send(sender, name, *values, value=value, gas=gas)
        return self.rpc.wait_receipt(tx, timeout_s, accept_revert)

    def events(self, name: str, receipt: dict) -> list[dict]:
        entry = self.entry(name, kind="event")
        return [abi.decode_log(entry, log) for log in receipt["logs"]
                if log["address"].lower() == self.address.lower() and log["topics"][:1] == [abi.topic(entry)]]


def begin_create(rpc: Rpc, sender: str, artifact: dict, *values, gas: int = 8_000_000) -> str:
    """Sends the creation of an artifact ({"abi": [...], "bytecode": "0x…"}); the transaction's hash."""
    inputs = next((e["inputs"] for e in artifact["abi"] if e["type"] == "constructor"), [])
    return rpc.send(sender, None, abi.to_bytes(artifact["bytecode"]) + abi.encode(inputs, values), gas=gas)


def end_create(rpc: Rpc, artifact: dict, tx: str) -> Contract:
    return Contract(rpc, rpc.wait_receipt(tx)["contractAddress"], artifact["abi"])


def create(rpc: Rpc, sender: str, artifact: dict, *values, gas: int = 8_000_000) -> Contract:
    return end_create(rpc, artifact, begin_create(rpc, sender, artifact, *values, gas=gas))
