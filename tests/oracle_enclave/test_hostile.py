"""What servers, proxies and names may try, and the code of the answer that the oracle's enclave signs about it."""
from __future__ import annotations

import gzip
import itertools
import socket
import threading
import time

import pytest

import oracle_vectors as ov
from lib import fetch, pki, tools
from lib.fetch import answering, ok, read_head
from oracle_enclave.world import HOST, OTHER, THIRD, World, seal, source, spec

DAY = pki.DAY
NOT_ALLOWED, UNREACHABLE, TIMEOUT, TLS, REDIRECT = 4, 16, 17, 18, 19
TOO_LARGE, MALFORMED_RESPONSE, TYPE, SCRIPT = 21, 22, 33, 34


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """With two logs, which the public root needs."""
    made = World(tmp_path_factory.mktemp("hostile"), transparency=True)
    yield made
    made.close()


def result_of(world, caller, port: int, host: str = HOST, timeout_s: int = 60, **over) -> dict:
    """Signature, evidence and requestId are checked; an error has no value and no response that counts."""
    text = spec(source(port, host, **over))
    result = world.check_app(world.key(caller.hello()), caller.app(text, timeout_s=timeout_s), text)
    assert (result["value"] == b"") == (result["code"] != 0)
    return result


def code_of(world, caller, port: int, *more, **over) -> int:
    return result_of(world, caller, port, *more, **over)["code"]


# ---- certificates ----

CERTIFICATES = {
    "expired": lambda w: pki.issue("x", w.private, names=[HOST], start=time.time() - 91 * DAY),
    "not yet valid": lambda w: pki.issue("x", w.private, names=[HOST], start=time.time() + 3600),
    "wrong name": lambda w: pki.issue("x", w.private, names=[OTHER]),
    "self-signed": lambda w: pki.issue("x", names=[HOST]),
    "of a root that the store has not": lambda w: pki.issue("x", w.stranger, names=[HOST]),
    "weak RSA key": lambda w: pki.issue("x", w.private, key=pki.Key(1024), names=[HOST]),
    "weak curve": lambda w: pki.issue("x", w.private, key=pki.Key("P-224"), names=[HOST]),
    "too long-lived": lambda w: pki.issue("x", w.private, names=[HOST], days=399),
    "no timestamps": lambda w: pki.issue("x", w.public, names=[HOST]),
    "one timestamp": lambda w: pki.issue("x", w.public, names=[HOST], logs=w.logs[:1]),
    "timestamps of a log that is not listed": lambda w: pki.issue("x", w.public, names=[HOST], logs=[w.logs[0], pki.Log(3)]),
}


@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificates(world, caller, name):
    assert code_of(world, caller, world.server(certificate=CERTIFICATES[name](world)).port) == TLS


def test_a_certificate_of_two_logs(world, caller):
    good = pki.issue("x", world.public, names=[HOST], logs=world.logs)
    result = result_of(world, caller, world.server(certificate=good).port)
    assert result["code"] == 0 and result["sources"][0]["protocol"] >> 24 == 2


def test_what_the_spec_asks_of_a_certificate(world, caller):
    port = world.server().port
    for tls, code in (({"pins": ["0x" + "11" * 32]}, TLS), ({"pins": ["0x" + world.private.key.spki_hash.hex()]}, 0),
                      ({"lifetime_max_days": 89}, TLS), ({"lifetime_max_days": 90}, 0), ({"stapled": True}, TLS), ({"sct_min": 1}, TLS)):
        assert code_of(world, caller, port, tls=tls) == code, tls


def test_a_certificate_that_was_revoked(world, caller):
    leaf = pki.issue("x", world.private, names=[HOST])
    for status, code in (("good", 0), ("revoked", TLS)):
        with fetch.Nginx(world.folder / f"nginx-{status}", tools.free_ports(1)[0], leaf, staple=pki.ocsp(leaf, status)) as nginx:
            result = result_of(world, caller, nginx.port, tls={"stapled": True})
        assert result["code"] == code and result["sources"][0]["protocol"] >> 18 & 1 == (code == 0)


# ---- responses ----

H1 = b"HTTP/1.1 200 OK\r\n"


def endless(tls):
    """Header lines without end."""
    read_head(tls)
    tls.sendall(H1)
    while True:
        tls.sendall(b"X-More: " + b"y" * 1000 + b"\r\n")


SENT = {
    "truncated body": (answering(H1 + b"Content-Length: 100\r\n\r\n{", after=False), MALFORMED_RESPONSE),
    "truncated chunk": (answering(H1 + b"Transfer-Encoding: chunked\r\n\r\n10\r\n{", after=False), MALFORMED_RESPONSE),
    "two lengths": (answering(H1 + b"Content-Length: 15\r\nContent-Length: 16\r\n\r\n" + b'{"price":"1.25"}'), MALFORMED_RESPONSE),
    "length and chunks": (answering(H1 + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), MALFORMED_RESPONSE),
    "chunk size with a sign": (answering(H1 + b"Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n"), MALFORMED_RESPONSE),
    "compression bomb": (answering(ok(gzip.compress(b"\x00" * (16 << 20)), b"Content-Encoding: gzip\r\n")), MALFORMED_RESPONSE),
    "endless headers": (endless, TOO_LARGE),
    "a body above the limit": (answering(ok(b"x" * 1048577)), TOO_LARGE),
    "not TLS": (None, TLS),
    "duplicate keys": (answering(ok(b'{"price":1,"price":2}')), MALFORMED_RESPONSE),
    "broken UTF-8": (answering(ok(b'{"price":"\xc3\x28"}')), MALFORMED_RESPONSE),
    "half a surrogate": (answering(ok(b'{"price":"\\ud800"}')), MALFORMED_RESPONSE),
    "no number of JSON": (answering(ok(b'{"price":NaN}')), MALFORMED_RESPONSE),
    "something behind the value": (answering(ok(b'{"price":1}{"price":2}')), MALFORMED_RESPONSE),
    "a depth bomb": (answering(ok(b'{"price":' + b"[" * 500_000 + b"]" * 500_000 + b"}")), TOO_LARGE),
    "more values than are read": (answering(ok(b'{"price":[' + b"1," * 20_000 + b"1]}")), TOO_LARGE),
    "more members than are read": (answering(ok(b"{" + b",".join(b'"k%d":1' % i for i in range(513)) + b"}")), TOO_LARGE),
    "a huge exponent": (answering(ok(b'{"price":1e400}')), TYPE),
    "an exponent that nobody writes": (answering(ok(b'{"price":1e99999999999999999999}')), TYPE),
    "a number of too many digits": (answering(ok(b'{"price":' + b"9" * 400 + b"}")), TYPE),
    "a number of 2^255": (answering(ok(b'{"price":%d}' % 2**255)), TYPE),
}


@pytest.mark.parametrize("name", SENT)
def test_responses(world, caller, name):
    handler, code = SENT[name]
    server = world.server(handler) if handler else world.server(plain=lambda c: (c.recv(65536), c.sendall(ok())))
    assert code_of(world, caller, server.port) == code


def by_path(table):
    """The path's bytes, or the answer."""
    def handler(tls):
        while head := read_head(tls):
            tls.sendall(table.get(head.split(b" ")[1], ok()))
    return handler


@pytest.mark.parametrize("location", [
    "http://%(host)s:%(port)d/", "http://%(host)s/", "file:///etc/passwd", "https://other.example.test/", "https://127.0.0.1:%(port)d/",
    "https://10.0.0.1/", "https://169.254.169.254/latest/meta-data", "https://[::1]:%(port)d/", "https://localhost:%(port)d/"])
def test_redirects(world, caller, location):
    heads = []
    server = world.server()
    moved = b"HTTP/1.1 302 F\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (location % {"host": HOST, "port": server.port}).encode()
    server.handler = answering(moved, requests=heads)
    assert code_of(world, caller, server.port) == REDIRECT
    assert len(heads) == 1


def test_where_a_redirect_led_is_in_the_evidence(world, caller):
    """The row names the spec's host, the certificate is the other's, and a bit says so."""
    leaves = {host: pki.issue(host, world.private, names=[host]) for host in (HOST, OTHER)}
    final = world.server(certificate=leaves[OTHER])
    port = final.port
    moved = b"HTTP/1.1 302 F\r\nLocation: https://%s/x\r\nContent-Length: 0\r\n\r\n" % OTHER.encode()
    first = world.server(answering(moved), certificate=leaves[HOST])
    within = world.server(certificate=leaves[HOST])
    within.handler = by_path({b"/price": b"HTTP/1.1 302 F\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n"})
    # Names in `hosts` mean port 443: the proxy leads there to where this one listens.
    elsewhere = lambda message: socket.create_connection(  # noqa: E731
        ("127.0.0.1", port if message[9:] == OTHER.encode() else int.from_bytes(message[6:8], "big")))
    other = world.caller(world.start(proxy=fetch.HostileProxy(elsewhere)))
    try:
        for at, more, redirected in ((first, {"hosts": [OTHER]}, 1), (within, {}, 0)):
            [row] = result_of(world, other, at.port, **more)["sources"]
            assert (row["code"], row["host_port"], row["protocol"] >> 19 & 1) == (0, f"{HOST}:{at.port}", redirected)
            assert row["leaf_spki"] == leaves[OTHER if redirected else HOST].key.spki_hash
    finally:
        other.close()


# ---- time ----

def never(connection):
    connection.recv(65536)
    threading.Event().wait(20)


def drip(tls):
    read_head(tls)
    tls.sendall(H1 + b"Content-Length: 1000\r\n\r\n")
    for byte in itertools.cycle(b"x"):
        tls.sendall(bytes([byte]))
        time.sleep(0.05)


SLOW = {"says nothing": lambda w: w.server(lambda tls: (read_head(tls), never(tls))), "drips": lambda w: w.server(drip),
        "shakes no hand": lambda w: w.server(plain=never)}


@pytest.mark.parametrize("name", SLOW)
def test_a_source_that_is_slow(world, caller, name):
    server = SLOW[name](world)
    before = time.monotonic()
    assert code_of(world, caller, server.port, timeout_s=1) == TIMEOUT
    assert time.monotonic() - before < 5


# ---- proxy and names ----

@pytest.fixture
def through(world):
    """A caller of an enclave whose proxy connects as it is told."""
    made = []

    def start(connect):
        caller = world.caller(world.start(proxy=fetch.HostileProxy(connect)))
        made.append(caller)
        return caller
    yield start
    for caller in made:
        caller.close()


def connected(server):
    return socket.create_connection(("127.0.0.1", server.port))


def test_a_proxy_that_answers_with_another_server(world, through):
    heads = []
    impostors = [world.server(answering(ok(), requests=heads), **more) for more in
                 ({"names": [OTHER]}, {"issuer": world.stranger}, {"certificate": pki.issue("x", names=[HOST])})]
    right = world.server()
    for server, code in ((impostors[0], TLS), (impostors[1], TLS), (impostors[2], TLS), (right, 0)):
        assert code_of(world, through(lambda _, s=server: connected(s)), right.port) == code
    assert heads == []


def test_a_proxy_that_is_silent_or_hangs_up(world, through):
    held = []

    def hold(_):
        held.append(socket.socketpair())
        return held[-1][0]
    # Before the handshake's first byte was written, or after it.
    assert code_of(world, through(lambda _: None), 443) in (UNREACHABLE, TLS)
    assert code_of(world, through(hold), 443, timeout_s=1) == TIMEOUT


def test_a_name_that_leads_elsewhere_at_the_next_look_up(world, through):
    """Names are the host's: they can lead anywhere, and who answers there still needs the certificate."""
    heads = []
    first = world.server(answering(ok(), after=False))
    second = world.server(answering(ok(b'{"price":"9"}'), requests=heads), names=[OTHER])
    turns = iter([first, second])
    caller = through(lambda _: connected(next(turns)))
    assert code_of(world, caller, first.port) == 0
    assert code_of(world, caller, first.port) == TLS
    assert heads == []


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "printer.local", "db.internal", "intranet",
                                  "127.0.0.1", "10.0.0.1", "169.254.169.254"])
def test_private_places(private_world, host):
    made, caller = private_world
    assert code_of(made, caller, 443, host) == NOT_ALLOWED
    assert code_of(made, caller, 443, hosts=[host]) == NOT_ALLOWED


@pytest.fixture(scope="module")
def private_world(tmp_path_factory):
    """Neither the manifest nor the proxy allows private networks; addresses it does."""
    made = World(tmp_path_factory.mktemp("public"), private_networks=False, address_literals=True)
    caller = made.caller(made.start(proxy=fetch.Proxy(allow=(), names={HOST: "127.0.0.1"})))
    yield made, caller
    caller.close()
    made.close()


def test_a_public_name_with_a_private_address(private_world):
    made, caller = private_world
    server = made.server()
    assert code_of(made, caller, server.port) == UNREACHABLE
    assert server.connections == 0


# ---- scripts ----

SCRIPTS = {
    "loop": "while true do end",
    "loop in pcall": "while true do pcall(function() while true do end end) end",
    "allocate": "local t = {} for i = 1, 1 << 40 do t[i] = {} end",
    "double a string": "local s = 'x' while true do s = s .. s end",
    "recurse": "local function f() return 1 + f() end return f()",
    "recurse without a stack": "local function f() return f() end return f()",
    "exponential pattern": "return (('a'):rep(40):find(('a*'):rep(40) .. 'b'))",
    "pattern of many items": "return (('a'):rep(9999):find(('a?'):rep(200)))",
    "patterns for ever": "local s = ('a'):rep(9999) while true do s:find('.-.-.-b') end",
    "a float": "return 0.5",
    "chance": "return math.random(9)",
    "a clock": "return os.time()",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts(world, caller, name):
    port = world.server().port
    code = code_of(world, caller, port, extract={"script": SCRIPTS[name]})
    # On a machine that is too slow for all its instructions the clock ends what is long.
    assert code == SCRIPT or code == TIMEOUT and name not in ("a float", "chance", "a clock")


# ---- what the host learns ----

SECRET, PATH, ANSWER, ARGUMENT = b"sk-4f1c9e77d2a84b6e", b"/a-path-that-nobody-learns", b"7731009155", b"an-argument"


def test_nothing_passes_the_proxy_in_the_clear(world):
    """All that passes it in both directions, all frames of the enclave, its log and its sealed state."""
    record, frames, heads = [], [], []
    proxy = fetch.Proxy(names={n: "127.0.0.1" for n in (HOST, OTHER, THIRD)})
    enclave = world.start(proxy=fetch.tapped(proxy, record))
    caller = world.caller(enclave)
    receive = caller.receive

    def kept():
        frame = receive()
        frames.append(frame[2])
        return frame
    caller.receive = kept
    server = world.server(answering(ok(b'{"price":"' + ANSWER + b'"}'), requests=heads))
    missing = world.server(answering(b"HTTP/1.1 404 N\r\nContent-Length: 19\r\n\r\n" + SECRET))
    asker = ov.app_asker(b"app")
    hello = caller.hello()
    try:
        for port, code in ((server.port, 0), (missing.port, 20)):
            text = spec(source(port, path=PATH.decode() + "/{0}?key={secret:key}", headers=[["authorization", "Bearer {secret:key}"]]))
            sealed = seal(world.box(hello), asker, text, {"key": SECRET.decode()})
            result = world.check_app(world.key(hello), caller.app(text, [ARGUMENT], sealed), text, [ARGUMENT], sealed)
            assert result["code"] == code
        bad = seal(world.box(hello), ov.app_asker(b"another"), text, {"key": SECRET.decode()})
        assert caller.app(text, [ARGUMENT], bad)["results"][0]["code"] == 3
        sealed_state = caller.call("Export")["sealed"]
    finally:
        caller.close()
        proxy.close()
    assert SECRET in heads[0] and PATH in heads[0], "the source was not asked with the secret"
    passed = b"".join(record)
    assert HOST.encode() in passed, "nothing was recorded"
    for told in (SECRET, PATH, ARGUMENT, ANSWER, b"authorization", b"Bearer", b"HTTP/1.1", b"GET ", b"price"):
        assert told not in passed, told
    for kept_by_the_host in (b"".join(frames), enclave.log.read_bytes(), sealed_state):
        assert SECRET not in kept_by_the_host and SECRET.hex().encode() not in kept_by_the_host
