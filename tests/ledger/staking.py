"""The staking contract by a node's RPC: genesis of its section, calls of operators, what it tells. Written from docs/ledger.md.

    staking = Staking(node); staking.register(ALICE, forge.Key(home), 10_000); staking.powers()
"""
from __future__ import annotations

import base64
import hashlib

from ledger.accounts import Bank
from lib import crypto
from lib import ledger_tx as lt
from lib.ledger_tx import Call

STAKING, PARAMETERS = lt.contract(7), lt.contract(10)
POWER_UNIT = 1000


def selector(signature: str) -> bytes:
    return crypto.keccak(signature.encode())[:4]


def words(*values) -> bytes:
    """Numbers, addresses and bytes32."""
    return b"".join(crypto.word(v) if isinstance(v, int) else bytes(v).rjust(32, b"\0") for v in values)


def public_key(validator: dict) -> bytes:
    return base64.b64decode(validator["pub_key"]["value"])


def address_of(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:20]


def contracts(validators: list[dict], operators: list, owner, values: dict) -> dict:
    """The member of app_state for an engine's genesis: each of its validators has the deposit of its power."""
    bonds = [{"key": "0x" + public_key(v).hex(), "operator": "0x" + operator.address.hex(), "bond": str(int(v["power"]) * POWER_UNIT)}
             for v, operator in zip(validators, operators)]
    return {"parameters": {"owner": "0x" + owner.address.hex(), "delay_s": 1, "values": {"power_unit": POWER_UNIT} | values},
            "staking": {"validators": bonds}}


def digest(chain: bytes, operator: bytes) -> bytes:
    return crypto.keccak(lt.tag("caisson/ledger/validator/v1") + chain + words(operator))


class Staking(Bank):
    def call(self, key, signature: str, *values, value: int = 0, to: bytes = STAKING) -> dict:
        return self.send(key, [Call(to, value, selector(signature) + words(*values))])

    def view(self, signature: str, *values, to: bytes = STAKING) -> list[int]:
        output = self.query("/call", bytes(20) + to + selector(signature) + words(*values))
        return [int.from_bytes(output[i:i + 32], "big") for i in range(0, len(output), 32)]

    def register(self, operator, key, bond: int) -> dict:
        """key: a forge.Key of the new validator."""
        signature = key.signer.sign(digest(self.chain, operator.address))
        public = base64.b64decode(key.public["value"])
        return self.call(operator, "register(bytes32,bytes32,bytes32)", public, signature[:32], signature[32:], value=bond)

    def validator(self, address: bytes) -> dict:
        names = ("key", "operator", "bonded", "power", "jailed_until", "tombstoned", "missed")
        return dict(zip(names, self.view("validatorOf(address)", address)))

    def totals(self) -> dict:
        return dict(zip(("supply", "bonded", "unbonding", "rewards", "community", "minted", "burnt"), self.view("totals()")))

    def powers(self) -> dict[bytes, int]:
        """The set that the engine was told."""
        row = self.view("validators()")[2:]
        return {row[i].to_bytes(20, "big"): row[i + 1] for i in range(0, len(row), 2)}

    def engine_powers(self) -> dict[bytes, int]:
        """The set in force at the newest block."""
        return {bytes.fromhex(v["address"]): int(v["voting_power"]) for v in self.node.call("validators")["validators"]}
