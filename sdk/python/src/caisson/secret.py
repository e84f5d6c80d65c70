"""A secret for this program, from the Unix socket of `caisson provision serve`, and the files that it opens.

Which programs get which secret is in the cluster's manifest (docs/cluster.md of the project). That this program is what a rule names,
the machine's kernel says and nothing else: root of the machine reads every secret.
"""
from __future__ import annotations

import hmac
import socket
import struct
from dataclasses import dataclass, field
from os import PathLike

from Crypto.Cipher import AES

from .errors import CaissonError

_MAGIC, _HEAD_SIZE, _TAG_SIZE = b"CSF1", 44, 16
_ANSWER_SIZE_MAX = 1024


class Refused(CaissonError):
    """No secret: `code` is the error's name (not-in-manifest, forbidden, no-key, expired, …)."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code


@dataclass(frozen=True)
class Secret:
    """32 bytes under an epoch of the cluster; given again until `until` (Unix seconds; None: while the epoch is the current one)."""

    name: str
    epoch: int
    until: int | None
    key: bytes = field(repr=False)


def _receive(s: socket.socket, n: int) -> bytes:
    data = b""
    while len(data) < n:
        piece = s.recv(n - len(data))
        if not piece:
            raise Refused("closed", "the connection ended")
        data += piece
    return data


def _answer(s: socket.socket) -> bytes:
    (size,) = struct.unpack(">I", _receive(s, 4))
    if not 1 <= size <= _ANSWER_SIZE_MAX:
        raise Refused("malformed", "what came is no answer")
    body = _receive(s, size)
    name, rest = body[1:1 + body[0]].decode("ascii", "replace"), body[1 + body[0]:]
    if name != "ok":
        raise Refused(name, rest.decode("utf-8", "replace"))
    return rest


def fetch_secret(path: str | PathLike[str], name: str, epoch: int = 0, timeout_s: float = 15) -> Secret:
    """The secret of this name; epoch 0: the newest. Refused; OSError when nobody serves there. The bytes that the socket sends first go
    back from this very process: the kernel says so to the other end."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout_s)
        s.connect(str(path))
        request = struct.pack(">Q", epoch) + name.encode()
        s.sendall(struct.pack(">I", len(request)) + request)
        challenge = _answer(s)
        s.sendall(struct.pack(">I", len(challenge)) + challenge)
        answer = _answer(s)
    if len(answer) != 48:
        raise Refused("malformed", "what came is no secret")
    given, until = struct.unpack(">QQ", answer[:16])
    return Secret(name, given, until or None, answer[16:])


def epoch_of(data: bytes) -> int:
    """Which epoch's secret opens this file. Refused: it is none of `caisson provision encrypt`."""
    if len(data) < _HEAD_SIZE + _TAG_SIZE or data[:4] != _MAGIC:
        raise Refused("malformed", "this is no file of `caisson provision encrypt`")
    return int.from_bytes(data[4:12], "big")


def _hkdf(key: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    prk, out, block = hmac.digest(salt, key, "sha256"), b"", b""
    while len(out) < size:
        block = hmac.digest(prk, block + info + bytes([len(out) // 32 + 1]), "sha256")
        out += block
    return out[:size]


def decrypt(data: bytes, secret: Secret) -> bytes:
    """What `caisson provision encrypt` was given. Refused: another epoch, or it was changed, or is for another name."""
    if epoch_of(data) != secret.epoch:
        raise Refused("wrong-epoch", f"the file is of epoch {epoch_of(data)}, the secret of epoch {secret.epoch}")
    head, name = data[:_HEAD_SIZE], secret.name.encode()
    info = b"caisson/cluster/file/v1\0" + head[4:12] + bytes([len(name)]) + name
    both = _hkdf(secret.key, head[12:], info, 44)
    cipher = AES.new(both[:32], AES.MODE_GCM, nonce=both[32:])
    cipher.update(head)
    try:
        return cipher.decrypt_and_verify(data[_HEAD_SIZE:-_TAG_SIZE], data[-_TAG_SIZE:])
    except ValueError:
        raise Refused("seal-broken", "the file was changed, or is for another secret") from None
