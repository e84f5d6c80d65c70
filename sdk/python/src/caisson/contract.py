"""The key that a gateway contract names: by it, and nothing else, that contract judges what a remote's enclave signed."""
from __future__ import annotations

import json
import re
import ssl
from dataclasses import dataclass

from .errors import BadReply, VerificationError
from .hashing import keccak256, number_word
from .transport import exchange, split_url

REPLY_SIZE_MAX = 1 << 16
STATES = ("absent", "active", "suspended", "revoked")


@dataclass(frozen=True)
class ContractKey:
    """`state` is active, suspended or revoked; times are Unix seconds of that chain, not_after 0: none."""

    public_key: str
    state: str
    not_before: int
    not_after: int


def contract_key(rpc_url: str, gateway: str, signer: bytes | str, epoch: int, *, timeout_s: float = 10,
                 ssl_context: ssl.SSLContext | None = None) -> ContractKey:
    """`keyOf(signer, epoch)` of the gateway contract at this address. signer: the identity in a statement, bytes or `0x…`.

    It is as true as the RPC node is: ask one that you trust. VerificationError where the contract has no such key; Unreachable;
    BadReply where there is no such contract.
    """
    if isinstance(signer, str):
        signer = bytes.fromhex(signer.removeprefix("0x"))
    if len(signer) != 32:
        raise ValueError("signer: an identity has 32 bytes")
    data = keccak256(b"keyOf(bytes32,uint64)")[:4] + signer + number_word(epoch)
    call = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [{"to": gateway, "data": "0x" + data.hex()}, "latest"]}
    base = split_url(rpc_url)
    reply = exchange(base, "POST", (base.path or "/") + (f"?{base.query}" if base.query else ""), json.dumps(call).encode(),
                     {"Content-Type": "application/json"}, timeout_s=timeout_s, reply_max=REPLY_SIZE_MAX, ssl_context=ssl_context)
    answer = reply.json()
    result = answer.get("result") if isinstance(answer, dict) else None
    if not isinstance(result, str) or not re.fullmatch(r"0x[0-9a-fA-F]{320}", result):
        raise BadReply(f"no answer of keyOf: is {gateway} a gateway of Caisson on the chain of this node?")
    words = [bytes.fromhex(result[2:])[i:i + 32] for i in range(0, 160, 32)]
    state = int.from_bytes(words[1], "big")
    if state >= len(STATES):
        raise BadReply("keyOf told a state of a key that there is not")
    if STATES[state] == "absent":
        raise VerificationError(f"{gateway} has no key of epoch {epoch} of 0x{signer.hex()}")
    return ContractKey("0x" + words[0].hex(), STATES[state], int.from_bytes(words[2], "big"), int.from_bytes(words[3], "big"))
