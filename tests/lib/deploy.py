"""Contracts on two chains, in the order of birth: deployed without keys, then named by a manifest, then given keys."""
from __future__ import annotations

import json
from dataclasses import dataclass, field

from . import abi, crypto
from .chains import Chain
from .rpc import Contract, create
from .tools import ROOT

ARTIFACTS = ROOT / "contracts" / "evm" / "artifacts"

OWNER_DELAY_S = 2
ROTATION_DELAY_S = 3
OVERLAP_S = 60

# A development bridge: short lifetimes are allowed, so that a deadline can be waited for; nothing is charged.
ROUTE = {
    "closerAllowed": True, "refundToAllowed": True, "finalityDefault": 0, "finalityMax": 32, "payloadMax": 4096,
    "lifetimeMin": 1, "lifetimeMax": 86400, "lifetimeDefault": 3600, "gasMin": 0, "gasMax": 2_000_000,
    "gasDefault": 200_000, "feeBase": 0, "feePerByte": 0, "feePerGas": 0, "closerDefault": b"\0" * 32,
}


def artifact(name: str) -> dict:
    return json.loads((ARTIFACTS / f"{name}.json").read_text())


def tag(text: str) -> bytes:
    return crypto.keccak(text.encode())


def word(raw: bytes) -> bytes:
    return raw.rjust(32, b"\0")


def minimal(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def erc7930(chain_id: int, address: str | bytes = b"") -> bytes:
    reference, raw = minimal(chain_id), abi.to_bytes(address)
    return b"\0\1\0\0" + bytes([len(reference)]) + reference + bytes([len(raw)]) + raw


def identity(caip2: str, genesis: str, gateway: str) -> bytes:
    return crypto.keccak(tag("caisson/identity/v1") + crypto.keccak(caip2.encode()) + abi.to_bytes(genesis)
                         + word(abi.to_bytes(gateway)))


def attribute(signature: str, value) -> bytes:
    kind = signature[signature.index("(") + 1:-1]
    return abi.selector(signature) + abi.encode([kind], [value])


@dataclass
class Side:
    """What was deployed on one chain."""

    chain: Chain
    owner: str
    guardian: str
    closer: str
    user: str
    friend: str
    gateway: Contract
    extra: dict[str, Contract] = field(default_factory=dict)

    @property
    def identity(self) -> bytes:
        return identity(self.chain.caip2, self.chain.genesis_hash, self.gateway.address)

    @property
    def code_hash(self) -> bytes:
        return crypto.keccak(abi.to_bytes(self.chain.rpc.call("eth_getCode", self.gateway.address, "latest")))


def deploy_gateway(chain: Chain, insecure: bool = True) -> Side:
    owner, guardian, closer, user, friend = (chain.accounts[i] for i in range(5))
    gateway = create(chain.rpc, owner, artifact("CaissonGateway"), chain.caip2, chain.genesis_hash, owner, guardian,
                     OWNER_DELAY_S, ROTATION_DELAY_S, OVERLAP_S, insecure)
    return Side(chain, owner, guardian, closer, user, friend, gateway)


def register_remote(side: Side, other: Side, route: dict | None = None) -> None:
    side.gateway.write(side.owner, "registerRemote", other.chain.caip2, other.chain.genesis_hash,
                       other.gateway.address, erc7930(other.chain.chain_id), 0)
    side.gateway.write(side.owner, "setRoute", other.identity, {**ROUTE, **(route or {})})


def register_key(side: Side, other: Side, epoch: int, key_x: bytes, evidence_digest: bytes, manifest_hash: bytes) -> None:
    """The owner of `side` names the key of the enclave of `other`."""
    side.gateway.write(side.owner, "registerKey", other.identity, epoch, key_x, evidence_digest, manifest_hash)
