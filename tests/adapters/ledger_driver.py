"""The adapter-driver program on a ledger, and the gateway contract there."""
from __future__ import annotations

import hashlib
import json
import time

from adapters.driver import REMOTE_CHAIN_ID, REMOTE_GATEWAY, REMOTE_GENESIS, Driver
from lib import abi, crypto, deploy
from lib import ledger_tx as lt
from lib.chains import secret_of
from lib.ledger import GATEWAY, Ledger
from lib.rpc import Contract, wait_for

BLOCK_TIME_MS = 400
# A wait here holds on a machine that is four times slower, too.
TIMEOUT_S = 60


class LedgerGateway:
    """The gateway contract of a ledger, with one remote that does not exist: enough to send messages."""

    def __init__(self, chain: Ledger):
        self.chain, self.sender = chain, chain.accounts[0]
        self.contract = Contract(chain.rpc, chain.contract(GATEWAY), deploy.artifact("CaissonGateway")["abi"])
        self.first = self._anchor()
        self.remote = deploy.identity(f"eip155:{REMOTE_CHAIN_ID}", REMOTE_GENESIS, REMOTE_GATEWAY)
        self.identity = deploy.identity(chain.caip2, chain.genesis_hash, self.contract.address)
        for name, values in (("registerRemote", (f"eip155:{REMOTE_CHAIN_ID}", REMOTE_GENESIS, REMOTE_GATEWAY, deploy.erc7930(REMOTE_CHAIN_ID), 0)),
                             ("setRoute", (self.remote, deploy.ROUTE))):
            self.contract.write(self.sender, name, *values, timeout_s=TIMEOUT_S)

    def _anchor(self) -> dict:
        """The newest block."""
        block_hash, header = self.chain.rpc.header()
        return {"anchor_height": int(header["height"]), "anchor_hash": block_hash}

    def settings(self) -> dict:
        """Begins now: a chain of many blocks is read again only by tests that give `first`."""
        return {"caip2": self.chain.caip2, **self._anchor(), "block_time_ms": BLOCK_TIME_MS}

    def message_data(self, payload: bytes = b"hello") -> bytes:
        return self.contract.data("sendMessage", deploy.erc7930(REMOTE_CHAIN_ID, "0x" + "99" * 20), payload, [])

    def send(self, count: int = 1, payload: bytes = b"hello") -> list[str]:
        """Transactions that each send a message; not waited for."""
        data = self.message_data(payload)
        return [self.chain.rpc.send(self.sender, self.contract.address, data) for _ in range(count)]

    def sent(self, txs: list[str]) -> list[str]:
        """The messageIds of these transactions."""
        ids = []
        for tx in txs:
            receipt = self.chain.rpc.wait_receipt(tx, TIMEOUT_S)
            ids += [abi.to_hex(e["messageId"]) for e in self.contract.events("MessageCommitted", receipt)]
        return ids

    def say(self, payload: bytes = b"hello", count: int = 1) -> list[str]:
        """The ids of messages in blocks."""
        return self.sent(self.send(count, payload))


class LedgerDriver(Driver):
    """Signs with the ledger's transactions; a wait holds on a slower machine."""

    def sign(self, event: dict, to: str, data: bytes) -> tuple[bytes, bytes]:
        key = lt.Secp256k1(self.secret)
        body = lt.Body(chain=self.chain.rpc.chain_tag, sender=key.address, sequence=event["nonce"], calls=[lt.Call(abi.to_bytes(to), 0, data)],
                       valid_until=event["valid_until"], gas_limit=event["gas"], gas_price=event["max"])
        raw = lt.transaction(key, body)
        return raw, hashlib.sha256(raw).digest()

    def ask(self, what: str, timeout_s: float = TIMEOUT_S, **fields) -> dict:
        return super().ask(what, timeout_s, **fields)

    def wait(self, condition, timeout_s: float = TIMEOUT_S, what: str = "an event", since: int = 0) -> dict:
        return super().wait(condition, timeout_s, what, since)

    def wait_for(self, condition, timeout_s: float = TIMEOUT_S, what: str = "a state"):
        return super().wait_for(condition, timeout_s, what)

    def wait_messages(self, ids: list[str], timeout_s: float = TIMEOUT_S) -> None:
        super().wait_messages(ids, timeout_s)

    def wait_height(self, height: int, timeout_s: float = TIMEOUT_S) -> dict:
        return super().wait_height(height, timeout_s)

    def wait_tx(self, number: int, state: str, timeout_s: float = TIMEOUT_S) -> dict:
        return super().wait_tx(number, state, timeout_s)

    def catch_up(self) -> int:
        """Everything up to the newest block of now is reported; its height."""
        top = self.chain.rpc.block_number()
        self.wait_height(top)
        return top

    def endpoints(self) -> list[dict]:
        return self.ask("endpoints")["endpoints"]

    def lies(self) -> int:
        return sum(e["lies"] for e in self.endpoints())


def fund(chain: Ledger, label: str, amount: int = 10**12) -> int:
    """A fresh key with money."""
    secret = secret_of(f"{label} {time.monotonic_ns()}")
    chain.rpc.wait_receipt(chain.rpc.send(chain.accounts[1], address(secret), value=amount), TIMEOUT_S)
    return secret


def address(secret: int) -> str:
    return "0x" + crypto.address(secret).hex()
