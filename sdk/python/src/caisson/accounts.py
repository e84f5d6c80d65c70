"""Accounts: ERC-7930 bytes as they are hashed, CAIP-10 text as people and the API write them.

CAIP-2 (chains), CAIP-10 (accounts), CAIP-350 (chain types of ERC-7930), and docs/protocol/envelope.md section 1.
"""
from __future__ import annotations

import re
from dataclasses import dataclass

INTEROP_SIZE_MAX = 96
EIP155, COSMOS = 0x0000, 0xFF01
_VERSION = b"\0\1"
_EIP155_REFERENCE_MAX = 8
_ADDRESS_SIZE = 20
_COSMOS_REFERENCE = re.compile(rb"[-a-zA-Z0-9]{1,32}")


@dataclass(frozen=True)
class Interop:
    """An interoperable address: a chain, an account of it, or an account of some chain of its type."""

    chain_type: int
    reference: bytes
    address: bytes

    @property
    def caip10(self) -> str | None:
        """`eip155:1:0x…`, `cosmos:ledger-1:0x…`; None where it is no account of a namespace that is known here."""
        if not self.reference or len(self.address) != _ADDRESS_SIZE:
            return None
        if self.chain_type == EIP155:
            return f"eip155:{int.from_bytes(self.reference, 'big')}:0x{self.address.hex()}"
        if self.chain_type == COSMOS:
            return f"cosmos:{self.reference.decode('ascii')}:0x{self.address.hex()}"
        return None


def decode_interop(data: bytes) -> Interop:
    """ValueError for bytes that are no ERC-7930 version 1, or not in their one form."""
    if len(data) > INTEROP_SIZE_MAX:
        raise ValueError(f"ERC-7930: above {INTEROP_SIZE_MAX} bytes")
    if len(data) < 4 or data[:2] != _VERSION:
        raise ValueError("ERC-7930: not of version 1")
    chain_type = int.from_bytes(data[2:4], "big")
    reference, rest = _take(data[4:])
    address, rest = _take(rest)
    if rest:
        raise ValueError("ERC-7930: bytes are left over")
    if not reference and not address:
        raise ValueError("ERC-7930: neither chain nor address")
    if chain_type == EIP155 and (reference[:1] == b"\0" or len(reference) > _EIP155_REFERENCE_MAX):
        raise ValueError("ERC-7930: not a chain id of eip155 in its shortest form")
    if chain_type == COSMOS and not _COSMOS_REFERENCE.fullmatch(reference):
        raise ValueError("ERC-7930: not a chain id of cosmos")
    if chain_type in (EIP155, COSMOS) and len(address) not in (0, _ADDRESS_SIZE):
        raise ValueError("ERC-7930: an address of other than 20 bytes")
    return Interop(chain_type, reference, address)


def _take(data: bytes) -> tuple[bytes, bytes]:
    """A length byte and as many bytes; what is behind them."""
    if not data or data[0] > len(data) - 1:
        raise ValueError("ERC-7930: it ends too early")
    return data[1:1 + data[0]], data[1 + data[0]:]


def account_text(data: bytes) -> str:
    """CAIP-10 where it is such an account, else the bytes as hex."""
    try:
        return decode_interop(data).caip10 or "0x" + data.hex()
    except ValueError:
        return "0x" + data.hex()
