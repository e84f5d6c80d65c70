"""HTTP/2 frames by hand, for servers that misbehave (RFC 9113, RFC 7541 without compression)."""
from __future__ import annotations

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind: int, payload: bytes = b"", flags: int = 0, stream: int = 0, size: int | None = None) -> bytes:
    n = len(payload) if size is None else size
    return n.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name: bytes, value: bytes) -> bytes:
    """Without indexing; both shorter than 127."""
    assert len(name) < 127 and len(value) < 127
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


STATUS_200 = b"\x88"


def head(*pairs: tuple[bytes, bytes], stream: int = 1, flags: int = END_HEADERS, status: bytes = STATUS_200) -> bytes:
    return frame(HEADERS, status + b"".join(literal(n, v) for n, v in pairs), flags, stream)


def server(*pieces: bytes, forever: bytes = b""):
    """A handler: after the first request these bytes, then, if given, the same again until the client goes."""
    def handler(tls):
        got = b""
        while len(got) < len(PREFACE):
            got += tls.recv(65536)
        assert got.startswith(PREFACE)
        tls.sendall(frame(SETTINGS) + frame(SETTINGS, b"", ACK))
        while not _has_request(got):
            got += tls.recv(65536)
        for piece in pieces:
            tls.sendall(piece)
        while forever:
            tls.sendall(forever)
        while tls.recv(65536):
            pass
    return handler


def _has_request(got: bytes) -> bool:
    at = len(PREFACE)
    while at + 9 <= len(got):
        if got[at + 3] == HEADERS:
            return True
        at += 9 + int.from_bytes(got[at:at + 3], "big")
    return False
