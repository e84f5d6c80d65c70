"""Another branch of a running ledger, made with validators' keys, as a node of it would tell it: for a proxy (adapters.proxies).

    proxy.after = Fork(chain.rpc, keys, begin=20).answer
"""
from __future__ import annotations

import copy
import hashlib
from pathlib import Path

from ledger import forge
from lib.ledger import LedgerRpc


def keys_of(homes: list[Path]) -> dict[str, forge.Key]:
    return {key.address: key for key in map(forge.Key, homes)}


class Fork:
    """The chain's own headers below `begin`; from there on others, which link to each other and are signed by these keys. With `own_set`
    the validators are the signers alone; `parent` is what the first one names as the block before it; `changes` is what is another one's: with
    `app_hash` who signed it is guilty, with `data_hash` who signed both, in the round of the chain's own commit."""

    def __init__(self, rpc: LedgerRpc, keys: dict[str, forge.Key], begin: int, own_set: bool = False, parent: dict | None = None,
                 changes: str = "app_hash"):
        self.rpc, self.keys, self.begin, self.parent, self.changes = rpc, keys, begin, parent, changes
        validators = rpc.ask("validators", height=str(begin))["validators"]
        self.validators = forge.in_order([v for v in validators if v["address"] in keys] if own_set else validators)
        self.own_set = own_set
        self.made: dict[int, dict] = {}

    def block(self, height: int) -> dict:
        """The answer to `commit`."""
        if height < self.begin:
            return self.rpc.ask("commit", height=str(height))
        if height not in self.made:
            self.made[height] = self._make(height)
        return self.made[height]

    def hash(self, height: int) -> str:
        return "0x" + self.block(height)["signed_header"]["commit"]["block_id"]["hash"].lower()

    def _make(self, height: int) -> dict:
        own = self.rpc.ask("commit", height=str(height))["signed_header"]
        header = copy.deepcopy(own["header"])
        header[self.changes] = hashlib.sha256(f"fork {height}".encode()).hexdigest().upper()
        if height > self.begin:
            header["last_block_id"] = self.block(height - 1)["signed_header"]["commit"]["block_id"]
        elif self.parent:
            header["last_block_id"] = self.parent
        if self.own_set:
            header["validators_hash"] = header["next_validators_hash"] = forge.set_hash(self.validators).hex().upper()
        return {"signed_header": {"header": header, "commit": forge.commit(header, self.validators, self.keys, own["commit"]["round"])}, "canonical": True}

    def answer(self, call: dict, reply: dict) -> dict:
        """Hook of a proxy before a node of the chain."""
        if "result" not in reply:
            return reply
        if call["method"] == "commit":
            height = int(reply["result"]["signed_header"]["header"]["height"])
            return dict(reply, result=self.block(height))
        if call["method"] == "validators" and self.own_set and int(reply["result"]["block_height"]) >= self.begin:
            return dict(reply, result={**reply["result"], "validators": self.validators, "count": str(len(self.validators)),
                                       "total": str(len(self.validators))})
        return reply
