"""What a server may answer, and what is refused: framing, sizes, time, redirects, HTTP/2."""
from __future__ import annotations

import gzip
import itertools
import time

import pytest

from lib import fetch, pki, tools
from lib.fetch import answering, ok, read_head

from . import http2
from .conftest import HOST, OTHER

H1 = b"HTTP/1.1 200 OK\r\n"


def ask(world, *pieces, after=True, pause_s=0.0, target="/", **request):
    with world.server(answering(*pieces, after=after, pause_s=pause_s)) as server:
        return world.client.get(HOST, server.port, target, **request)


def nothing_came_through(reply, *codes):
    assert reply.code in codes and reply.body == b"", reply


# ---- requests ----

def test_what_is_sent(world):
    requests = []
    with world.server(answering(ok(), requests=requests)) as server:
        reply = world.client.get(HOST, server.port, "/v1?a=b%20c", headers=[["accept", "application/json"], ["authorization", "Bearer s"]])
        assert reply.code == "ok"
        reply = world.client.get(HOST, server.port, "/post", post=True, body='{"q":1}', headers=[["content-type", "application/json"]])
        assert reply.code == "ok"
        assert world.client.get(HOST, server.port, "/bare", post=True).code == "ok"
    lines = requests[0].split(b"\r\n")
    assert lines[0] == b"GET /v1?a=b%20c HTTP/1.1"
    assert sorted(x.lower() for x in lines[1:-2]) == sorted(
        [b"host: %s:%d" % (HOST.encode(), server.port), b"user-agent: caisson", b"accept-encoding: identity", b"accept: application/json",
         b"authorization: bearer s"])
    assert requests[1].startswith(b"POST /post HTTP/1.1\r\n") and b"content-type: application/json\r\n" in requests[1]
    assert requests[1].endswith(b'\r\n\r\n{"q":1}') and b"Content-Length: 7\r\n" in requests[1]
    assert b"content-type" not in requests[2].lower() and b"Content-Length: 0\r\n" in requests[2]


@pytest.mark.parametrize("change", [
    {"target": "no-slash"}, {"target": "/a b"}, {"target": "/a#b"}, {"target": "/\r\nx: y"}, {"target": "/\x80"}, {"target": ""},
    {"target": "/" + "a" * 8192}, {"host": ""}, {"host": "API.example.test"}, {"host": "-a.test"}, {"host": "a..test"}, {"host": "a.test."},
    {"host": "a b.test"}, {"host": "a.test/x"}, {"host": "a.test:1"}, {"host": "user@a.test"}, {"host": "a" * 64 + ".test"}, {"host": "127.1"},
    {"host": "2130706433"}, {"host": "0x7f.1"}, {"host": "0x7f000001"}, {"host": "127.0.0.01"}, {"host": "[::1]"}, {"host": "::1"},
    {"port": 0}, {"headers": [["a\r\nb", "c"]]}, {"headers": [["a", "b\r\nc: d"]]}, {"headers": [["a", "b\u0000"]]}, {"headers": [["", "b"]]},
    {"headers": [["A", "b"]]}, {"headers": [["host", "b"]]}, {"headers": [["content-length", "1"]]}, {"headers": [["transfer-encoding", "x"]]},
    {"headers": [["proxy-authorization", "x"]]}, {"headers": [["accept-encoding", "gzip"]]}, {"headers": [["connection", "x"]]},
    {"headers": [["x", "y" * 4097]]}, {"body": "x"}, {"post": True, "body": "x" * 65537}, {"size_max": 1 << 30}, {"total_ms": 3600000},
    {"hosts": [{"name": "x y"}]}], ids=lambda c: ascii(c)[:60])
def test_requests_that_are_malformed(world, change):
    request = {"host": HOST, "port": 1, "target": "/", **change}
    reply = world.client.get(request.pop("host"), request.pop("port"), **request)
    nothing_came_through(reply, "spec_invalid")


@pytest.mark.parametrize("host", ["127.0.0.1", "93.184.216.34"])
def test_addresses_instead_of_names(world, host):
    nothing_came_through(world.client.get(host, 443), "not_allowed")
    nothing_came_through(world.client.get(HOST, 443, hosts=[{"name": host}]), "not_allowed")


PRIVATE = ["127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
           "192.0.0.8", "198.18.0.1", "224.0.0.1", "255.255.255.255", "localhost", "a.localhost", "printer.local", "db.internal",
           "nas.home.arpa", "intranet"]


@pytest.fixture(scope="module")
def strict(world):
    """Addresses are allowed, private places are not."""
    return world.start("strict", private=False, literals=True)


@pytest.mark.parametrize("host", PRIVATE)
def test_private_places(strict, host):
    nothing_came_through(strict.get(host, 443), "not_allowed")
    nothing_came_through(strict.get("a.example.com", 443, hosts=[{"name": host}]), "not_allowed")


def test_an_address_where_the_manifest_allows_it(world):
    client = world.start("literals", literals=True)
    with world.server(certificate=pki.issue("x", world.private, names=["127.0.0.1"])) as server:
        assert client.get("127.0.0.1", server.port).code == "ok"
    with world.server() as server:
        assert client.get("127.0.0.1", server.port).code == "tls"


# ---- framing ----

def test_every_way_to_frame_a_body(world):
    chunked = H1 + b"Transfer-Encoding: chunked\r\n\r\n4;x=y\r\nwiki\r\n5\r\npedia\r\n0\r\nTrailer: x\r\n\r\n"
    assert ask(world, ok(b"wikipedia")).body == b"wikipedia"
    assert ask(world, chunked).body == b"wikipedia"
    assert ask(world, b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", ok()).code == "ok"
    assert ask(world, ok(b"")).code == "ok"

    def closing(tls):
        read_head(tls)
        tls.sendall(H1 + b"Connection: close\r\n\r\nuntil the end")
        tls.unwrap()
    with world.server(closing) as server:
        assert world.client.get(HOST, server.port).body == b"until the end"


MALFORMED = {
    "truncated body": (H1 + b"Content-Length: 100\r\n\r\nshort",),
    "truncated chunk": (H1 + b"Transfer-Encoding: chunked\r\n\r\n10\r\nshort",),
    "no last chunk": (H1 + b"Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",),
    "cut without close_notify": (H1 + b"Connection: close\r\n\r\nuntil the",),
    "truncated head": (H1 + b"Content-Le",),
    "two lengths": (H1 + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",),
    "a length twice": (H1 + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",),
    "a list of lengths": (H1 + b"Content-Length: 5, 5\r\n\r\nhello",),
    "a negative length": (H1 + b"Content-Length: -5\r\n\r\nhello",),
    "a signed length": (H1 + b"Content-Length: +5\r\n\r\nhello",),
    "a length in hex": (H1 + b"Content-Length: 0x5\r\n\r\nhello",),
    "an empty length": (H1 + b"Content-Length: \r\n\r\nhello",),
    "length and chunks": (H1 + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",),
    "chunks and length": (H1 + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",),
    "chunked twice": (H1 + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",),
    "another coding": (H1 + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",),
    "an unknown coding": (H1 + b"Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\nhello",),
    "chunks in HTTP/1.0": (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",),
    "chunk size with a sign": (H1 + b"Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",),
    "chunk size with 0x": (H1 + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",),
    "chunk size too long": (H1 + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 40 + b"5\r\nhello\r\n0\r\n\r\n",),
    "chunk size of 2^63": (H1 + b"Transfer-Encoding: chunked\r\n\r\n8000000000000005\r\nhello\r\n0\r\n\r\n",),
    "chunk longer than its size": (H1 + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",),
    "space before the colon": (H1 + b"Content-Length : 5\r\n\r\nhello",),
    "a header without a name": (H1 + b": x\r\nContent-Length: 5\r\n\r\nhello",),
    "a line that is no header": (H1 + b"garbage\r\nContent-Length: 5\r\n\r\nhello",),
    "a folded header": (H1 + b"X: a\r\n b\r\nContent-Length: 5\r\n\r\nhello",),
    "a zero byte in a header": (H1 + b"X: a\x00b\r\nContent-Length: 5\r\n\r\nhello",),
    "no status": (b"HTTP/1.1 OK\r\nContent-Length: 5\r\n\r\nhello",),
    "a status of two digits": (b"HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello",),
    "a status of four digits": (b"HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello",),
    "another version": (b"HTTP/3.7 200 OK\r\nContent-Length: 5\r\n\r\nhello",),
    "HTTP/0.9": (b'{"price":"1.25"}',),
    "another protocol": (b"220 smtp ready\r\n",),
    "gzip, unasked": (H1 + b"Content-Encoding: gzip\r\nContent-Length: 25\r\n\r\n" + gzip.compress(b"hello", mtime=0),),
    "gzip twice": (H1 + b"Content-Encoding: gzip, gzip\r\nContent-Length: 2\r\n\r\nxx",),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_responses(world, name):
    nothing_came_through(ask(world, *MALFORMED[name], after=False), "malformed_response")


def test_a_second_response_is_nobodys(world):
    """What follows a response on its connection is not the answer of the next request."""
    with world.server(answering(ok(b"first") + ok(b"smuggled"))) as server:
        assert world.client.get(HOST, server.port).body == b"first"
        assert world.client.get(HOST, server.port).body == b"first"
        assert server.connections == 2


# ---- sizes ----

def test_sizes(world):
    assert len(ask(world, ok(b"x" * 1048576)).body) == 1048576
    nothing_came_through(ask(world, ok(b"x" * 1048577)), "too_large")
    assert ask(world, ok(b"x" * 100), size_max=100).code == "ok"
    nothing_came_through(ask(world, ok(b"x" * 101), size_max=100), "too_large")


def test_a_body_that_does_not_end(world):
    def endless(tls):
        read_head(tls)
        tls.sendall(H1 + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            tls.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    with world.server(endless) as server:
        nothing_came_through(world.client.get(HOST, server.port), "too_large")


def test_a_compression_bomb_is_never_inflated(world):
    bomb = gzip.compress(b"\x00" * (64 << 20))
    before = resident_kib(world.client.popen.pid)
    nothing_came_through(ask(world, ok(bomb, b"Content-Encoding: gzip\r\n")), "malformed_response")
    assert resident_kib(world.client.popen.pid) - before < 8192


def resident_kib(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


@pytest.mark.parametrize("line", [b"X-%d: y\r\n", b"X-%d: " + b"y" * 20000 + b"\r\n"], ids=["many", "long"])
def test_endless_headers(world, line):
    def endless(tls):
        read_head(tls)
        tls.sendall(H1)
        for number in itertools.count():
            tls.sendall(line.replace(b"%d", b"%d" % number))
    with world.server(endless) as server:
        nothing_came_through(world.client.get(HOST, server.port), "too_large")


def test_one_header_line_that_does_not_end(world):
    def endless(tls):
        read_head(tls)
        tls.sendall(H1 + b"X: ")
        while True:
            tls.sendall(b"y" * 16384)
    with world.server(endless) as server:
        nothing_came_through(world.client.get(HOST, server.port), "too_large")


def test_endless_interim_responses(world):
    def endless(tls):
        read_head(tls)
        while True:
            tls.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    with world.server(endless) as server:
        nothing_came_through(world.client.get(HOST, server.port), "too_large")


def test_endless_trailers(world):
    def endless(tls):
        read_head(tls)
        tls.sendall(H1 + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
        while True:
            tls.sendall(b"X: " + b"y" * 1000 + b"\r\n")
    with world.server(endless) as server:
        nothing_came_through(world.client.get(HOST, server.port), "too_large")


# ---- time ----

def test_no_first_byte(world):
    with world.server(lambda tls: (read_head(tls), tls.recv(1))) as server:
        before = time.monotonic()
        reply = world.client.get(HOST, server.port, first_byte_ms=300)
        assert 0.25 < time.monotonic() - before < 5
    nothing_came_through(reply, "timeout")


def test_a_peer_that_accepts_and_says_nothing(world):
    with world.server(plain=lambda connection: connection.recv(100000) and connection.recv(1)) as server:
        nothing_came_through(world.client.get(HOST, server.port, first_byte_ms=300), "timeout")


@pytest.mark.parametrize("start", [b"", H1, H1 + b"Content-Length: 1000\r\n\r\n"], ids=["status", "head", "body"])
def test_a_slow_drip(world, start):
    def drip(tls):
        read_head(tls)
        tls.sendall(start)
        for byte in itertools.cycle(b"HTTP/1.1 200 OK\r\nX: y" if not start else b"x"):
            tls.sendall(bytes([byte]))
            time.sleep(0.05)
    with world.server(drip) as server:
        before = time.monotonic()
        nothing_came_through(world.client.get(HOST, server.port, total_ms=700, first_byte_ms=500), "timeout")
        assert time.monotonic() - before < 5


def test_a_slow_source_delays_nobody(world):
    stuck = lambda tls: (read_head(tls), tls.recv(1))  # noqa: E731
    with world.server(stuck) as slow, world.server() as fast:
        waiting = [world.client.start(HOST, slow.port, total_ms=3000) for _ in range(20)]
        before = time.monotonic()
        assert all(world.client.get(HOST, fast.port).code == "ok" for _ in range(20))
        assert time.monotonic() - before < 2.5
        assert {world.client.wait(n).code for n in waiting} == {"timeout"}


def test_many_at_once_and_no_more_than_there_is_room_for(world):
    with world.server(answering(ok())) as server:
        numbers = [world.client.start(HOST, server.port, f"/{i}") for i in range(300)]
        codes = [world.client.wait(n).code for n in numbers]
    assert codes.count("ok") >= 256 and set(codes) <= {"ok", "255"}
    assert server.connections <= 64


def test_cancel(world):
    with world.server(lambda tls: (read_head(tls), tls.recv(1))) as server:
        world.client.start(HOST, server.port)
        fetched = world.client.get(HOST, 1)
        assert fetched.code == "unreachable", fetched
        assert world.client.ask(cancel=10**9) == {"cancelled": 0}


# ---- status and redirects ----

@pytest.mark.parametrize("status", [b"201 Created", b"204 No Content", b"304 Not Modified", b"400 Bad", b"404 No", b"500 Oops", b"300 Choose"])
def test_other_statuses(world, status):
    reply = ask(world, b"HTTP/1.1 " + status + b"\r\n" + (b"" if status[:3] in (b"204", b"304") else b"Content-Length: 2\r\n") + b"\r\n"
                + (b"" if status[:3] in (b"204", b"304") else b"no"))
    nothing_came_through(reply, "http_status")
    assert reply["status"] == int(status[:3])


def moved(location: bytes, status: bytes = b"302 Found") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"


def by_path(table, requests=None):
    """A handler: (first line of the request → bytes), b"*" else."""
    def handler(tls):
        while head := read_head(tls):
            if requests is not None:
                requests.append(head)
            path = head.split(b" ")[1]
            tls.sendall(table.get(path, table.get(b"*", ok(b"end of " + path))))
    return handler


def test_redirects_on_the_same_host(world):
    with world.server(by_path({b"/a": moved(b"/b"), b"/b": moved(b"c?x=1#y"), b"/c?x=1": moved(b"//%s:PORT/d" % HOST.encode())})) as server:
        table = {b"/a": moved(b"/b"), b"/b": moved(b"c?x=1#y"), b"/c?x=1": moved(b"//%s:%d/d" % (HOST.encode(), server.port))}
        server.handler = by_path(table)
        reply = world.client.get(HOST, server.port, "/a")
    assert (reply.code, reply.body, reply["redirects"], reply["redirected"]) == ("ok", b"end of /d", 3, 0), reply


def test_too_many_redirects(world):
    with world.server(by_path({b"*": moved(b"/again")})) as server:
        reply = world.client.get(HOST, server.port)
    nothing_came_through(reply, "redirect")
    assert reply["redirects"] == 3


@pytest.mark.parametrize("location", [
    b"http://%(host)s:%(port)d/", b"http://%(host)s/", b"file:///etc/passwd", b"ftp://%(host)s/", b"gopher://x/", b"https://other.example.test/",
    b"https://127.0.0.1:%(port)d/", b"https://169.254.169.254/", b"https://[::1]:%(port)d/", b"https://localhost:%(port)d/", b"https://%(host)s/",
    b"https://%(host)s:1/", b"https://user:pw@%(host)s:%(port)d/", b"https://%(host)s@evil.test:%(port)d/", b"//evil.test/",
    b"https://%(host)s.:%(port)d/", b"javascript:1", b"https:///", b"", b"https://%(host)s:99999/"])
def test_redirects_to_elsewhere(world, location):
    with world.server() as server:
        server.handler = by_path({b"*": moved(location % {b"host": HOST.encode(), b"port": server.port})})
        before = server.connections
        reply = world.client.get(HOST, server.port, "/start")
        # An empty Location is this very place (RFC 3986, 4.4), for ever.
        nothing_came_through(reply, "redirect")
        assert server.connections - before <= 1


def test_a_redirect_without_a_location(world):
    nothing_came_through(ask(world, b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), "redirect")
    nothing_came_through(ask(world, b"HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"), "malformed_response")


def test_a_redirect_to_an_allowed_host_leaves_secrets_behind(world):
    requests = []
    with world.server(by_path({}, requests), pki.issue("cdn", world.private, names=[OTHER])) as other:
        with world.server(by_path({b"*": moved(b"https://%s:%d/x" % (OTHER.encode(), other.port))})) as server:
            allowed = {"hosts": [{"name": OTHER, "port": other.port}]}
            reply = world.client.get(HOST, server.port, "/?key=secret", headers=[["authorization", "Bearer secret"], ["x-key", "secret"],
                                                                                ["accept", "text/plain"]], **allowed)
            assert (reply.code, reply.body, reply["redirected"]) == ("ok", b"end of /x", 1)
            refused = world.client.get(HOST, server.port, hosts=[{"name": OTHER, "port": 443}])
    nothing_came_through(refused, "redirect")
    assert len(requests) == 1 and b"secret" not in requests[0] and b"accept: text/plain" in requests[0]
    assert reply["leaf"] == __import__("hashlib").sha256(certificate_key(other)).hexdigest()


def certificate_key(server) -> bytes:
    """The SPKI that a server shows."""
    import ssl
    import subprocess
    pem = ssl.get_server_certificate(("127.0.0.1", server.port))
    text = subprocess.run(["openssl", "x509", "-noout", "-pubkey"], input=pem, capture_output=True, text=True, check=True).stdout
    return subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=text.encode(), capture_output=True, check=True).stdout


def test_the_name_behind_a_redirect_is_checked_too(world):
    with world.server() as impostor:  # its certificate is the first host's
        with world.server(by_path({b"*": moved(b"https://%s:%d/x" % (OTHER.encode(), impostor.port))})) as server:
            nothing_came_through(world.client.get(HOST, server.port, hosts=[{"name": OTHER, "port": impostor.port}]), "tls")


@pytest.mark.parametrize("status, method", [(b"301", b"GET"), (b"302", b"GET"), (b"303", b"GET"), (b"307", b"POST"), (b"308", b"POST")])
def test_methods_after_a_redirect(world, status, method):
    requests = []
    with world.server(by_path({b"/a": moved(b"/b", status + b" x")}, requests)) as server:
        assert world.client.get(HOST, server.port, "/a", post=True, body="secret").code == "ok"
    assert requests[1].startswith(method + b" /b ") and (b"secret" in requests[1]) == (method == b"POST")


def test_a_body_does_not_go_to_another_host(world):
    requests = []
    with world.server(by_path({}, requests), pki.issue("cdn", world.private, names=[OTHER])) as other:
        with world.server(by_path({b"*": moved(b"https://%s:%d/x" % (OTHER.encode(), other.port), b"307 x")})) as server:
            reply = world.client.get(HOST, server.port, post=True, body="secret", hosts=[{"name": OTHER, "port": other.port}])
    nothing_came_through(reply, "redirect")
    assert requests == []


def test_downgrade_to_plain_http(world):
    def plain(connection):
        connection.recv(65536)
        connection.sendall(ok())
    with world.server(plain=plain) as server:
        nothing_came_through(world.client.get(HOST, server.port), "tls")


# ---- HTTP/2 ----

def ask2(world, *pieces, forever=b"", **request):
    with world.server(http2.server(*pieces, forever=forever), alpn=("h2",)) as server:
        return world.client.get(HOST, server.port, **{"total_ms": 5000, **request})


def test_http2_by_hand(world):
    reply = ask2(world, http2.head((b"content-length", b"5")), http2.frame(http2.DATA, b"hello", http2.END_STREAM, 1))
    assert (reply.code, reply.body, reply["http2"]) == ("ok", b"hello", 1)
    reply = ask2(world, http2.head(), http2.frame(http2.DATA, b"hello", http2.END_STREAM, 1))
    assert (reply.code, reply.body) == ("ok", b"hello")
    reply = ask2(world, http2.head(flags=http2.END_HEADERS | http2.END_STREAM))
    assert (reply.code, reply.body) == ("ok", b"")


@pytest.mark.parametrize("length", [[], [(b"content-length", b"10")]], ids=["no length", "length"])
def test_http2_cut(world, length):
    """The host ends the connection in the middle of the body."""
    def cut(tls):
        http2.server(http2.head(*length), http2.frame(http2.DATA, b"hell", 0, 1))(Once(tls))
    with world.server(cut, alpn=("h2",)) as server:
        nothing_came_through(world.client.get(HOST, server.port), "malformed_response")


class Once:
    """A connection whose reader goes away when it has answered."""

    def __init__(self, tls):
        self.tls, self.sent = tls, False

    def sendall(self, piece):
        self.tls.sendall(piece)
        self.sent = self.sent or piece[3:4] == b"\x00"

    def recv(self, n):
        return b"" if self.sent else self.tls.recv(n)


def test_http2_goaway_behind_a_whole_response(world):
    """A server that ends each connection after one response, as it may: with a length that is plain."""
    goaway = http2.frame(http2.GOAWAY, b"\0\0\0\1\0\0\0\0")
    with world.server(http2.server(goaway, http2.head((b"content-length", b"5")), http2.frame(http2.DATA, b"hello", http2.END_STREAM, 1)),
                      alpn=("h2",)) as server:
        for _ in range(3):
            assert world.client.get(HOST, server.port).body == b"hello"


def test_http2_of_a_real_server_multiplexed(world):
    with fetch.Nginx(world.folder / "h2", tools.free_ports(1)[0], world.leaf) as server:
        assert world.client.get(HOST, server.port, "/price")["http2"] == 1
        numbers = [world.client.start(HOST, server.port, "/900") for _ in range(100)]
        replies = [world.client.wait(n) for n in numbers]
        assert world.client.get(HOST, server.port, "/missing").code == "http_status"
        assert world.client.get(HOST, server.port, "/moved").body == b'{"price":"1.25"}'
        assert world.client.get(HOST, server.port, "/method", post=True, body="x").body == b"POST"
    assert all(r.code == "ok" and r["reused"] for r in replies)


def test_http2_goaway_behind_a_response_without_a_length(world):
    """Nothing says that it is whole: asked once more, on another connection; a POST is not."""
    goaway = http2.frame(http2.GOAWAY, b"\0\0\0\1\0\0\0\0")
    whole = (http2.head(), http2.frame(http2.DATA, b"hello", http2.END_STREAM, 1))
    turns = iter([http2.server(goaway, *whole), http2.server(*whole), http2.server(goaway, *whole)])
    with world.server(lambda tls: next(turns)(tls), alpn=("h2",)) as server:
        assert world.client.get(HOST, server.port).body == b"hello"
        assert server.connections == 2
    with world.server(lambda tls: next(turns)(tls), alpn=("h2",)) as server:
        nothing_came_through(world.client.get(HOST, server.port, post=True, body="x"), "malformed_response")
        assert server.connections == 1


SHORT = http2.frame(http2.DATA, b"hell", http2.END_STREAM, 1)
BAD2 = {
    "wrong length": ((http2.head((b"content-length", b"5")), SHORT), ("malformed_response",)),
    "reset": ((http2.head((b"content-length", b"5")), http2.frame(http2.RST_STREAM, b"\0\0\0\2", 0, 1)), ("malformed_response",)),
    "reset at once": ((http2.frame(http2.RST_STREAM, b"\0\0\0\2", 0, 1),), ("malformed_response",)),
    "two heads": ((http2.head(), http2.head(), SHORT), ("malformed_response",)),
    "no status": ((http2.head((b"x", b"y"), status=b""), SHORT), ("malformed_response",)),
    "connection header": ((http2.head((b"connection", b"close")), SHORT), ("malformed_response",)),
    "transfer-encoding": ((http2.head((b"transfer-encoding", b"chunked")), SHORT), ("malformed_response",)),
    "capital letters": ((http2.head((b"X-Upper", b"y")), SHORT), ("malformed_response",)),
    "line break in a value": ((http2.head((b"x", b"a\r\nb: c")), SHORT), ("malformed_response",)),
    "gzip": ((http2.head((b"content-encoding", b"gzip")), SHORT), ("malformed_response",)),
    "data on stream 0": ((http2.head(), http2.frame(http2.DATA, b"x", 0, 0)), ("malformed_response",)),
    "data of nobody's stream": ((http2.frame(http2.DATA, b"x", 0, 99),), ("malformed_response", "unreachable")),
    "huge frame": ((http2.head(), http2.frame(http2.DATA, b"x" * 100, 0, 1, size=0xFFFFFF)), ("malformed_response", "timeout")),
    "pushed": ((http2.frame(http2.PUSH_PROMISE, b"\0\0\0\2" + http2.STATUS_200, http2.END_HEADERS, 1),), ("malformed_response", "unreachable")),
    "broken compression": ((http2.frame(http2.HEADERS, b"\xff\xff\xff\xff\xff", http2.END_HEADERS, 1),), ("malformed_response", "unreachable")),
    "bad settings": ((http2.frame(http2.SETTINGS, b"\0\4\xff\xff\xff\xff"),), ("malformed_response", "unreachable")),
    "goaway": ((http2.frame(http2.GOAWAY, b"\0\0\0\0\0\0\0\1"),), ("malformed_response", "unreachable")),
    "continuation of nothing": ((http2.frame(http2.CONTINUATION, b"", 0, 1),), ("malformed_response", "unreachable")),
    "HTTP/1.1 after all": ((ok(),), ("malformed_response", "unreachable")),
}


@pytest.mark.parametrize("name", BAD2)
def test_http2_misbehaviour(world, name):
    pieces, codes = BAD2[name]
    nothing_came_through(ask2(world, *pieces), *codes)


FLOODS = {
    "headers": (http2.head((b"x", b"y"), flags=0), http2.frame(http2.CONTINUATION, http2.literal(b"x-flood", b"y" * 100) * 100, 0, 1)),
    "empty continuations": (http2.head((b"x", b"y"), flags=0), http2.frame(http2.CONTINUATION, b"", 0, 1)),
    "data": (http2.head(), http2.frame(http2.DATA, b"x" * 16384, 0, 1)),
    "empty data": (http2.head(), http2.frame(http2.DATA, b"", 0, 1)),
    "pings": (b"", http2.frame(http2.PING, b"12345678")),
    "settings": (b"", http2.frame(http2.SETTINGS)),
}


@pytest.mark.parametrize("name", FLOODS)
def test_http2_floods_end(world, name):
    first, forever = FLOODS[name]
    before = resident_kib(world.client.popen.pid)
    reply = ask2(world, first, forever=forever * 50, total_ms=1500)
    nothing_came_through(reply, "too_large", "malformed_response", "timeout", "unreachable")
    assert resident_kib(world.client.popen.pid) - before < 32768
    with world.server() as server:
        assert world.client.get(HOST, server.port).code == "ok"
