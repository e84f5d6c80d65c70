"""A running gateway under bytes that no client sends: requests broken in a few places at its REST port, handshakes and frames at its port
of events. The description's own fuzzer (test_openapi_fuzz) makes requests; this one breaks what carries them. The process must be the
same one afterwards, hold no socket more, have grown by nothing, have failed at nothing, and relay."""
from __future__ import annotations

import json
import os
import random
import select
import socket
import struct
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.proc import rss_bytes
from lib.rpc import wait_for
from lib.world import World

ROUNDS, ROUNDS_SLOW, AT_ONCE = 800, 40_000, 16
REPLY_S, FREED_S = 10, 60
# libmicrohttpd keeps pools and libwebsockets buffers; a leak of one connection's would be more after so many.
RSS_GROWTH_MAX = 24 << 20
WS_KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455, 1.3
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("surface-bytes"), "anvil", block_time=0.5) as w:
        yield w


# ---- requests ----

def request_of(chance: random.Random, key: str) -> bytes:
    """One that is good, or nearly."""
    message = chance.choice(["0x" + "ab" * 32, "0x", "%00", "..%2f..%2fetc", "a" * 300, "٣"])
    method, path = chance.choice([
        ("GET", "/healthz"), ("GET", "/metrics"), ("GET", "/v1/status"), ("GET", "/v1/chains"), ("GET", f"/v1/messages/{message}"),
        ("GET", "/v1/messages?limit=2&state=finalized"), ("GET", f"/v1/messages?cursor={message}"), ("GET", "/openapi.json"), ("GET", "/ui"),
        ("GET", "/v1/events?cursor=0"), ("POST", "/v1/messages"), ("POST", "/v1/transfers"), ("POST", "/v1/webhooks"), ("POST", "/v1/submissions"),
        ("POST", f"/v1/messages/{message}/retry"), ("OPTIONS", "/v1/messages"), ("HEAD", "/v1/status"), ("BREW", "/v1/status"), ("DELETE", f"/v1/webhooks/{message}")])
    body = chance.choice([b"", b"{}", b"null", json.dumps({"from": "eip155:1", "to": "eip155:2", "payload": "0x00"}).encode(), b"[" * chance.choice([3, 100_000]),
                          b'{"a":1e999999,"a":-0}', b'{"from":"\\ud800"}', b'"\xff\xfe"', b"\0" * 17, b'{"amount":"' + b"9" * 5000 + b'"}']) if method == "POST" else b""
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {key}"]
    if method == "POST":
        head += ["Content-Type: application/json"]
    if chance.random() < 0.3:
        head.append(chance.choice(["If-None-Match: " + "\"x\"," * 400, "Idempotency-Key: " + "k" * 300, "Idempotency-Key: \x01", "Last-Event-ID: -1", "Origin: http://[::",
                                   "traceparent: 00-00-00-00", "Expect: 100-continue", "Upgrade: h2c", "Range: bytes=9-1", "Cookie: " + "a=b;" * 3000,
                                   "Content-Type: application/json", "Connection: close, keep-alive", "X: " + "y" * 70_000]))
    length = chance.choice([str(len(body))] * 12 + ["-1", str(len(body) + 7), "1" * 30, "0x10", "", "1, 2"])
    if chance.random() < 0.15:
        head.append("Transfer-Encoding: chunked")
        body = b"".join(b"%s\r\n%s\r\n" % (chance.choice([b"%x" % n, b"%x;q=1" % n, b"-1", b"fffffffffffffffff", b"g"]), body[:n]) for n in (1, len(body))) + b"0\r\n\r\n"
        head += [f"Content-Length: {length}"] * (chance.random() < 0.3)
    elif body or chance.random() < 0.1:
        head.append(f"Content-Length: {length}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def broken(chance: random.Random, data: bytes) -> bytes:
    """In up to three places: bits, pieces that go, come twice or are others."""
    out = bytearray(data)
    for _ in range(chance.randrange(4)):
        at, n = chance.randrange(len(out) + 1), chance.choice([1, 1, 2, 8, 64])
        piece = bytes(out[at:at + n])
        out[at:at + n] = chance.choice([b"", piece * 2, chance.randbytes(n), b"\r\n", b"\0", b"\n", b" ", b":" * n, bytes(b ^ 1 << chance.randrange(8) for b in piece)])
    return bytes(out[:chance.randrange(len(out) + 1)] if chance.random() < 0.1 else out)


def read_all(sock: socket.socket, seconds: float) -> bytes:
    """What comes until the other side ends, or says nothing for so long; at most 256 KB."""
    got, until = bytearray(), time.monotonic() + seconds
    while len(got) < 1 << 18 and time.monotonic() < until and select.select([sock], [], [], min(seconds, 0.25 if got else seconds))[0]:
        piece = sock.recv(65536)
        if not piece:
            break
        got += piece
    return bytes(got)


def ask_rest(gateway, seed: str) -> str:
    """The status of its first reply, or "closed"."""
    chance = random.Random(seed)
    data = b"".join(broken(chance, request_of(chance, gateway.key)) for _ in range(chance.choice([1, 1, 1, 3])))
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=REPLY_S) as sock:
        try:
            for piece in ([data] if chance.random() < 0.8 else [data[i:i + 97] for i in range(0, min(len(data), 4000), 97)]):
                sock.sendall(piece)
            sock.shutdown(socket.SHUT_WR)  # nothing more comes: whatever is asked ends now
            reply = read_all(sock, REPLY_S)
        except OSError:  # it was closed meanwhile
            reply = b""
    assert reply == b"" or reply.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")), (seed, data[:400], reply[:200])
    assert b"HTTP/1.1 500" not in reply and gateway.key.encode() not in reply, (seed, data[:400], reply[:400])
    return reply[9:12].decode(errors="replace") or "closed"


def many(ask, gateway, seed: str, rounds: int) -> Counter:
    """Each its own chance, so that a failure's seed replays it alone; some at once, because most of it is waiting."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Counter(pool.map(lambda i: ask(gateway, f"{seed}/{i}"), range(rounds)))


# ---- frames ----

def frame(chance: random.Random, opcode: int, payload: bytes, fin: bool = True) -> bytes:
    """RFC 6455, 5.2, as a client must send it; now and then as it must not."""
    first = (0x80 if fin else 0) | opcode | chance.choice([0] * 9 + [0x40, 0x20, 0x10])
    masked = chance.random() < 0.93
    told = chance.choice([len(payload)] * 12 + [0, 125, 126, 65535, 1 << 20, (1 << 63) - 1, 1 << 63])
    wide = chance.random() < 0.05  # longer than it need be
    if told < 126 and not wide:
        head = struct.pack(">BB", first, masked << 7 | told)
    elif told < 65536 and not (wide and told > 125):
        head = struct.pack(">BBH", first, masked << 7 | 126, told)
    else:
        head = struct.pack(">BBQ", first, masked << 7 | 127, told)
    if not masked:
        return head + payload
    mask = chance.randbytes(4)
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def frames(chance: random.Random) -> bytes:
    out = b""
    for _ in range(chance.randrange(1, 8)):
        opcode = chance.choice([0, TEXT, TEXT, BINARY, CLOSE, PING, PING, PONG, 3, 7, 11, 15])
        payload = chance.choice([b"", b"hello", b"\xff\xfe", chance.randbytes(chance.randrange(300)), b"a" * 70_000, struct.pack(">H", chance.choice([0, 999, 1000, 1005, 1006, 4999, 65535])),
                                 struct.pack(">H", 1000) + b"\xff" * 5])
        out += frame(chance, opcode, payload, chance.random() < 0.8)
    return broken(chance, out) if chance.random() < 0.3 else out


def handshake(chance: random.Random, key: str) -> bytes:
    cursor = chance.choice(["", "?cursor=0", "?cursor=1", "?cursor=-1", "?cursor=" + "9" * 40, "?cursor=0&cursor=1"])
    return (f"GET /v1/events{cursor} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {WS_KEY}\r\n"
            f"Sec-WebSocket-Version: {chance.choice(['13'] * 9 + ['8'])}\r\nAuthorization: Bearer {key}\r\n\r\n").encode()


def ask_events(gateway, seed: str) -> str:
    """The status of the handshake, or "closed"."""
    chance = random.Random(seed)
    hello = handshake(chance, gateway.key)
    with socket.create_connection(("127.0.0.1", gateway.events_port), timeout=REPLY_S) as sock:
        try:
            if chance.random() < 0.3:  # all at once
                sock.sendall(broken(chance, hello) + frames(chance))
                reply = read_all(sock, 0.5)
            else:
                sock.sendall(hello)
                reply = read_all(sock, 0.5)
                sock.sendall(frames(chance))
                read_all(sock, 0.2)
        except OSError:
            reply = b""
    assert gateway.key.encode() not in reply and b"HTTP/1.1 500" not in reply, (seed, hello, reply[:300])
    return reply[9:12].decode(errors="replace") or "closed"


# ---- tests ----

def run(world: World, rounds: int, seed: int) -> None:
    gateway = world.gateways[0]
    gateway.ends(world.send(b"before all that"))
    many(ask_rest, gateway, f"{seed}/first", rounds // 10)  # what is made once is made
    many(ask_events, gateway, f"{seed}/first", rounds // 20)
    pid = gateway.pids()["caisson-gateway"]

    def sockets() -> int:
        return len(os.listdir(f"/proc/{pid}/fd"))

    wait_for(gateway.healthy, FREED_S, "a gateway that is well", 0.1)
    held, size = sockets(), rss_bytes(pid)
    rest, events = many(ask_rest, gateway, f"{seed}/rest", rounds), many(ask_events, gateway, f"{seed}/events", rounds // 4)
    print(f"seed {seed}: REST {dict(rest)}; events {dict(events)}")
    assert gateway.pids()["caisson-gateway"] == pid, "another process"
    assert gateway.healthy()
    # Not a test of nothing: most are refused, some pass, of both kinds.
    assert rest["200"] > rounds // 50 and rest["400"] > rounds // 20, rest
    assert events["101"] > rounds // 20, events
    wait_for(lambda: sockets() <= held + 2, FREED_S, f"sockets that are closed: {held} before", 0.5)
    if "asan" not in str(world.build):
        assert rss_bytes(pid) - size < RSS_GROWTH_MAX, (size, rss_bytes(pid))
    assert gateway.key not in gateway.log.read_text(errors="replace")
    gateway.ends(world.send(b"after all that"))


def test_bytes_that_no_client_sends(world):
    run(world, ROUNDS, int(os.environ.get("CAISSON_FUZZ_SEED", "1")))


@pytest.mark.slow
def test_for_long(world):
    run(world, ROUNDS_SLOW, int(os.environ.get("CAISSON_FUZZ_SEED") or random.SystemRandom().randrange(2**31)))
