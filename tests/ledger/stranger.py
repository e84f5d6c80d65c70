"""A node that is none: TLS with a key of its own, HELLO, and then whatever a test sends."""
from __future__ import annotations

import socket
import ssl
import subprocess
from pathlib import Path

from abci.messages import varint
from ledger.forge import field, uint

HELLO, CONSENSUS, TX = 1, 2, 3
PROPOSAL, PART, VOTE, STATUS, OWN_ASK, OWN_VOTES, BLOCK_REQUEST, BLOCK_ANSWER, EVIDENCE = 3, 5, 6, 32, 33, 34, 35, 36, 37
DEADLINE_S = 30


def fields_of(body: bytes) -> dict[int, bytes | int]:
    """The last of each number: varints and lengths are all that HELLO and answers have."""
    found, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = body[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(body):
        tag = number()
        size = number()
        if tag & 7 == 2:
            found[tag >> 3] = body[at:at + size]
            at += size
        else:
            found[tag >> 3] = size
    return found


class Stranger:
    """Ends when the node ends it. `same`: the key of an earlier one."""

    def __init__(self, folder: Path, port: int, same: "Stranger | None" = None):
        self.pem = same.pem if same else folder / f"stranger-{len(list(folder.glob('stranger-*')))}.pem"
        if not same:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", f"{self.pem}.key", "-out", f"{self.pem}.crt",
                            "-subj", "/CN=stranger", "-days", "1"], check=True, capture_output=True)
            self.pem.write_text(Path(f"{self.pem}.key").read_text() + Path(f"{self.pem}.crt").read_text())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.pem)
        self.tls = context.wrap_socket(socket.create_connection(("127.0.0.1", port), DEADLINE_S))
        self.tls.settimeout(DEADLINE_S)
        self.hello = None

    def take(self) -> tuple[int, bytes] | None:
        """The next frame; None: the node has ended it."""
        try:
            size = int.from_bytes(self.exactly(4), "big")
            frame = self.exactly(size)
        except (ConnectionError, ssl.SSLError):
            return None
        return frame[0], frame[1:]

    def exactly(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            piece = self.tls.recv(size - len(got))
            if not piece:
                raise ConnectionError
            got += piece
        return got

    def send(self, kind: int, body: bytes) -> None:
        self.raw((len(body) + 1).to_bytes(4, "big") + bytes([kind]) + body)

    def raw(self, data: bytes) -> None:
        try:
            self.tls.sendall(data)
        except (ConnectionError, ssl.SSLError):
            pass

    def greet(self, **changes) -> "Stranger":
        """Says what the node itself has said, as one that does not validate."""
        kind, body = self.take()
        assert kind == HELLO
        self.hello = fields_of(body)
        self.send(HELLO, hello(self.hello, **changes))
        return self

    def say(self, kind: int, body: bytes) -> None:
        self.send(CONSENSUS, field(kind, body))

    def is_heard(self) -> bool:
        """It still answers; False: it has ended the connection."""
        self.say(OWN_ASK, uint(1, 1) + field(2, bytes(20)))
        while (frame := self.take()) is not None:
            if frame[0] == CONSENSUS and frame[1].startswith(varint(OWN_VOTES << 3 | 2)):
                return True
        return False

    def is_ended(self) -> bool:
        while self.take() is not None:
            pass
        return True

    def close(self) -> None:
        self.tls.close()


def hello(said: dict, version: int = 1, chain_id: bytes | None = None, genesis: bytes | None = None, more: bytes = b"") -> bytes:
    return (uint(1, version) + field(2, said[2] if chain_id is None else chain_id) +
            field(3, said[3] if genesis is None else genesis) + field(4, b"stranger") + more)
