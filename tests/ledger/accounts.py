"""Accounts of the ledger application, and questions to it by a node's RPC (ours or CometBFT's).

    bank = Bank(node); bank.send(ALICE, [Call(DAVE.address, 5)]); bank.balance(DAVE.address)
"""
from __future__ import annotations

import base64

from lib import ledger_tx as lt
from lib.ledger_tx import Body, Call

ALICE, BOB = lt.Secp256k1(0xA11CE), lt.Secp256k1(0xB0B)
CAROL, DAVE = lt.Ed25519(b"\x0c" * 32), lt.Ed25519(b"\x0d" * 32)
BOTH = lt.Multisig(2, [ALICE, BOB, CAROL])
FUNDS = 10**12
FUNDED = [ALICE, BOB, CAROL, BOTH]


def arguments(proxy_app: str = "ledger") -> tuple[str, ...]:
    """For init and testnet."""
    funds = [part for key in FUNDED for part in ("--fund", f"0x{key.address.hex()}={FUNDS}")]
    return ("--proxy_app", proxy_app, *funds)


def app_state() -> dict:
    return {"accounts": [{"address": "0x" + key.address.hex(), "balance": str(FUNDS)} for key in FUNDED]}


class Bank:
    def __init__(self, node):
        self.node = node
        self.chain = self.query("/chain")[:32]

    def ask(self, path: str, data: bytes = b"", height: int = 0, prove: bool = False) -> dict:
        return self.node.call("abci_query", path=path, data=data.hex(), height=str(height), prove=prove)["response"]

    def query(self, path: str, data: bytes = b"", height: int = 0) -> bytes:
        answer = self.ask(path, data, height)
        assert int(answer.get("code", 0)) == 0, answer
        return base64.b64decode(answer["value"] or "")

    def balance(self, address: bytes, height: int = 0) -> int:
        return int.from_bytes(self.query("/account", address, height)[8:], "big")

    def sequence(self, address: bytes) -> int:
        return int.from_bytes(self.query("/account", address)[:8], "big")

    def sign(self, key, calls: list[Call], **more) -> bytes:
        values = {"chain": self.chain, "sender": key.address, "calls": calls}
        if "sequence" not in more:
            values["sequence"] = self.sequence(key.address)
        return lt.transaction(key, Body(**values | more))

    def check(self, tx: bytes) -> int:
        """The code of CheckTx."""
        return self.node.call("broadcast_tx_sync", tx=base64.b64encode(tx).decode())["code"]

    def send(self, key, calls: list[Call], **more) -> dict:
        """The result in its block."""
        result = self.node.call("broadcast_tx_commit", tx=base64.b64encode(self.sign(key, calls, **more)).decode())
        assert result["check_tx"]["code"] == 0, result
        return result["tx_result"]

    def info(self) -> tuple[int, str]:
        """Height and application hash of the last commit, in hex."""
        answer = self.node.call("abci_info")["response"]
        return int(answer["last_block_height"]), base64.b64decode(answer["last_block_app_hash"]).hex()
