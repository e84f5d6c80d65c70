"""The proxy: what it learns, whom it connects to, what it makes of nonsense; and what the sandbox leaves to the client."""
from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import socket
import struct
import threading
import time

import pytest

from lib import fetch, pki, tools
from lib.fetch import HostileProxy, answering, control_message, ok, tapped
from lib.rpc import wait_for
from lib.tools import Missing, find_build

from .conftest import HOST, OTHER

SECRET, PATH = b"sk-4f1c9e77d2a84b6e", b"/a-path-that-nobody-learns"


def test_the_proxy_learns_host_port_and_sizes(world):
    record: list[bytes] = []
    proxy = fetch.Proxy(names={HOST: "127.0.0.1"})
    client = world.start("tapped", proxy=tapped(proxy, record))
    with world.server(answering(ok(b'{"answer":"' + SECRET[::-1] + b'"}'))) as server, \
            fetch.Nginx(world.folder / "tapped-nginx", tools.free_ports(1)[0], world.leaf) as nginx:
        for port in (server.port, server.port, nginx.port):
            reply = client.get(HOST, port, f"{PATH.decode()}?key={SECRET.decode()}",
                               headers=[["authorization", f"Bearer {SECRET.decode()}"], ["x-name", "header-name-and-value"]])
            assert reply.code == ("http_status" if port == nginx.port else "ok")
        assert client.get(HOST, server.port, PATH.decode(), post=True, body=SECRET.decode() * 1000).code == "ok"
    passed = b"".join(record)
    assert HOST.encode() in passed, "nothing was recorded"
    for told in (SECRET, SECRET[::-1], PATH, b"a-path", b"authorization", b"Bearer", b"x-name", b"HTTP/1.1", b"GET ", b"answer", b"200"):
        assert told not in passed, told
    messages = [m for m in record if m[:2] == b"\x01\x01" and len(m) == 9 + len(HOST)]
    assert {m[9:] for m in messages} == {HOST.encode()} and len(messages) == 2
    client.close()
    counters = proxy.counters()
    ciphertext = sum(map(len, record)) - sum(map(len, messages))
    assert counters["connected"] == 2 and counters["bytes_out"] + counters["bytes_in"] == ciphertext


def test_a_proxy_that_answers_with_another_server(world):
    """It cannot: without the key of a certificate for that name it is refused, whatever it asked on the way."""
    def run(certificate, code):
        requests = []
        with world.server(answering(ok(), requests=requests), certificate) as other:
            client = world.start(f"hostile-{code}-{other.port}", proxy=HostileProxy(
                lambda message: socket.create_connection(("127.0.0.1", other.port))))
            reply = client.get(HOST, 443, PATH.decode(), headers=[["authorization", SECRET.decode()]])
        assert reply.code == code and bool(requests) == (code == "ok"), reply
    own = pki.authority("the proxy's own")
    run(pki.issue("x", world.private, names=[OTHER]), "tls")
    run(pki.issue("x", own, names=[HOST]), "tls")
    run(pki.issue("x", names=[HOST]), "tls")
    run(world.leaf, "ok")


def test_a_proxy_that_cuts_changes_and_lies(world):
    with world.server(answering(ok(b"x" * 5000))) as server:
        def cut_after(limit):
            def connect(_):
                outer, inner = socket.create_connection(("127.0.0.1", server.port)), socket.socketpair()

                def pump():
                    left = limit
                    with outer, inner[1], contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        while left > 0:
                            for source in select.select([outer, inner[1]], [], [], 5)[0]:
                                got = source.recv(65536)
                                if source is outer:
                                    got = got[:left]
                                    left -= len(got)
                                (inner[1] if source is outer else outer).sendall(got)
                                if not got:
                                    left = 0
                threading.Thread(target=pump, daemon=True).start()
                return inner[0]
            return connect
        for limit in (1, 100, 900, 2000, 4000):
            client = world.start(f"cut-{limit}", proxy=HostileProxy(cut_after(limit)))
            reply = client.get(HOST, server.port)
            assert reply.code in ("tls", "unreachable", "malformed_response") and reply.body == b"", (limit, reply)

        def flip(_):
            outer, inner = socket.create_connection(("127.0.0.1", server.port)), socket.socketpair()

            def pump():
                seen = 0
                with outer, inner[1], contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    while True:
                        for source in select.select([outer, inner[1]], [], [])[0]:
                            got = bytearray(source.recv(65536))
                            if not got:
                                return
                            if source is outer:
                                if seen <= 3000 < seen + len(got):
                                    got[3000 - seen] ^= 1
                                seen += len(got)
                            (inner[1] if source is outer else outer).sendall(got)
            threading.Thread(target=pump, daemon=True).start()
            return inner[0]
        client = world.start("flipped", proxy=HostileProxy(flip))
        reply = client.get(HOST, server.port)
        assert reply.code in ("tls", "unreachable", "malformed_response") and reply.body == b"", reply


@pytest.mark.parametrize("nonsense", [b"", b"\x01", b"\x01\x02" + b"\x00" * 5, b"\x01\x02\xff\xff\xff\xff\x03", b"\x01\x02\x00\x00\x00\x01\x63",
                                      b"\x02\x02\x00\x00\x00\x01\x03", b"x" * 262, b"x" * 100000])
def test_nonsense_from_the_proxy(world, nonsense):
    def connect(message):
        return socket.create_connection(("127.0.0.1", server.port))
    with world.server() as server:
        proxy = HostileProxy(connect)
        client = world.start(f"nonsense-{len(nonsense)}-{nonsense[:8].hex()}", proxy=proxy)
        if nonsense:
            proxy.ours.send(nonsense)
        assert client.get(HOST, server.port).code == "ok"
        # A failure that is told of a connection that works changes nothing.
        proxy.ours.send(struct.pack(">BBIB", 1, 2, 1, 3))
        assert client.get(HOST, server.port).code == "ok"


def test_a_proxy_that_is_gone(world):
    proxy = HostileProxy(lambda message: None)
    client = world.start("gone", proxy=proxy)
    assert client.get(HOST, 443).code in ("unreachable", "tls")
    proxy.ours.shutdown(socket.SHUT_RDWR)
    proxy.ours.close()
    assert client.get(HOST, 443).code == "unreachable"
    assert client.get(HOST, 443).code == "unreachable"
    spent = cpu_s(client.popen.pid)
    time.sleep(0.5)
    assert cpu_s(client.popen.pid) - spent < 0.2, "it waits busily for a proxy that will not come back"


def cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_proxy_that_does_not_read(world):
    """Its queue fills: transfers fail, nobody waits."""
    end, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    class Deaf:
        def __init__(self):
            self.end = end

        def close(self):
            ours.close()
    client = world.start("deaf", proxy=Deaf())
    numbers = [client.start(f"h{i}.example.test", 443, first_byte_ms=2000) for i in range(250)]
    codes = {client.wait(n).code for n in numbers}
    assert codes <= {"unreachable", "timeout", "tls"}


# ---- whom the proxy connects to ----

def asked(proxy: fetch.Proxy, host: bytes, port: int, number: int = 1, timeout_s: float = 15) -> tuple[int, socket.socket]:
    """(status, our end) of one request to it."""
    mine, its = socket.socketpair()
    socket.send_fds(proxy.end, [control_message(number, host, port)], [its.fileno()])
    its.close()
    proxy.end.settimeout(timeout_s)
    reply = proxy.end.recv(100)
    assert len(reply) == 7 and reply[:6] == struct.pack(">BBI", 1, 2, number)
    return reply[6], mine


CONNECTED, UNRESOLVED, FORBIDDEN, REFUSED, TIMED_OUT, FULL = range(6)


@pytest.fixture
def proxy_of():
    made = []

    def make(*args, **kwargs):
        made.append(fetch.Proxy(*args, **kwargs))
        return made[-1]
    yield make
    for proxy in made:
        proxy.close()


@pytest.mark.parametrize("address", [
    "127.0.0.1", "10.1.2.3", "172.20.0.1", "192.168.0.1", "169.254.169.254", "100.64.1.1", "0.0.0.0", "198.18.0.1", "203.0.113.1", "224.0.0.1",
    "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "64:ff9b::7f00:1", "2002:7f00:1::1", "::127.0.0.1", "100::1"])
def test_addresses_that_are_not_public(proxy_of, address):
    """As the address of a name, and as what was asked for."""
    proxy = proxy_of(allow=(), names={"evil.example.test": address})
    status, end = asked(proxy, b"evil.example.test", 443)
    assert status == FORBIDDEN and end.recv(1) == b""
    status, _ = asked(proxy, address.encode(), 443, 2)
    assert status == FORBIDDEN
    assert proxy.counters()["forbidden"] == 2


@pytest.mark.parametrize("text", [b"127.1", b"2130706433", b"0x7f000001", b"017700000001", b"localhost"])
def test_other_spellings_of_loopback(proxy_of, text):
    assert asked(proxy_of(allow=()), text, 443)[0] in (FORBIDDEN, UNRESOLVED)


def test_a_network_that_is_allowed_and_its_neighbour(proxy_of, world):
    with world.server() as server:
        proxy = proxy_of(allow=("127.0.0.1",), names={"near.test": "127.0.0.2"})
        assert asked(proxy, b"127.0.0.1", server.port)[0] == CONNECTED
        assert asked(proxy, b"near.test", server.port, 2)[0] == FORBIDDEN
    assert asked(proxy_of(), b"127.0.0.1", tools.free_ports(1)[0])[0] == REFUSED


def changing(tmp_path):
    return {"LD_PRELOAD": str(find_build() / "bin" / "libchanging-names.so"), "NAMES_FILE": str(tmp_path / "names")}


def test_a_name_is_looked_up_once_and_that_address_connected(proxy_of, tmp_path, world):
    """The first answer is the address that is allowed, the second another one: whoever asked twice would be led there."""
    port = tools.free_ports(1)[0]
    with world.server(address="127.0.0.2", port=port) as good, world.server(address="127.0.0.1", port=port) as bad:
        proxy = proxy_of(allow=("127.0.0.2/32",), env=changing(tmp_path))
        status, end = asked(proxy, b"rebound.example.test", port)
        assert status == CONNECTED and end.getpeername() is not None
        wait_for(lambda: good.connections == 1, 10, "the connection")
        assert (tmp_path / "names").read_text().split() == ["rebound.example.test"]
        status, _ = asked(proxy, b"rebound.example.test", port, 2)
        assert status == FORBIDDEN
        assert bad.connections == 0
        # Of several addresses those that are allowed are tried.
        assert asked(proxy, b"both.example.test", port, 3)[0] == CONNECTED
        assert asked(proxy, b"none.example.test", port, 4)[0] == UNRESOLVED
        wait_for(lambda: good.connections == 2, 10, "the second connection")
        assert bad.connections == 0


def test_a_look_up_that_takes_too_long(proxy_of, tmp_path):
    proxy = proxy_of(allow=("127.0.0.0/8",), env=changing(tmp_path), options=("--connect-ms", 300))
    before = time.monotonic()
    assert asked(proxy, b"late.example.test", 443)[0] == TIMED_OUT
    assert time.monotonic() - before < 2
    assert proxy.counters()["open"] == 0


def test_no_more_connections_than_there_is_room_for(proxy_of, world):
    with world.server(plain=lambda c: c.recv(1)) as server:
        proxy = proxy_of(options=("--connections", 3))
        ends = [asked(proxy, b"127.0.0.1", server.port, i) for i in (1, 2, 3)]
        assert [s for s, _ in ends] == [CONNECTED] * 3
        assert asked(proxy, b"127.0.0.1", server.port, 4)[0] == FULL
        ends[0][1].close()
        wait_for(lambda: asked(proxy, b"127.0.0.1", server.port, 5)[0] == CONNECTED, 10, "room", 0.05)


def test_a_connection_that_is_idle_ends(proxy_of, world):
    with world.server(plain=lambda c: c.recv(1)) as server:
        status, end = asked(proxy_of(options=("--idle-ms", 200)), b"127.0.0.1", server.port)
        end.settimeout(10)
        assert status == CONNECTED and end.recv(1) == b""


def test_bytes_pass_unchanged_and_no_more_than_a_piece_is_kept(proxy_of):
    """A reader that stalls stops the writer."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = proxy_of()
    status, end = asked(proxy, b"127.0.0.1", listener.getsockname()[1])
    outer, _ = listener.accept()
    end.setblocking(False)
    sent = bytearray()
    block = os.urandom(65536)
    still = 0
    while still < 10:
        try:
            n = end.send(block)
            sent += block[:n]
            still = 0
        except BlockingIOError:
            still += 1
            time.sleep(0.05)
        assert len(sent) < 64 << 20, "it buffers without bound"
    rss = int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{proxy.popen.pid}/status").read())[1])
    assert rss < 65536
    got = bytearray()
    while len(got) < len(sent):
        got += outer.recv(1 << 20)
    assert got == sent
    end.close()
    assert outer.recv(1) == b""
    listener.close()


def test_nonsense_from_the_enclave(proxy_of, world):
    proxy = proxy_of()
    good = control_message(7, b"127.0.0.1", 1)
    bad = [good[:-1], good + b"x", control_message(7, b"127.0.0.1", 1, version=2), control_message(7, b"127.0.0.1", 1, kind=2),
           control_message(0, b"127.0.0.1", 1), control_message(7, b"127.0.0.1", 0), control_message(7, b"", 1), control_message(7, b"A.test", 1),
           control_message(7, b"a b", 1), control_message(7, b"a\0b", 1), control_message(7, b"-a", 1), control_message(7, b"a" * 254, 1),
           control_message(7, b"a/b", 1), b"x", b"x" * 4000]
    for message in bad:
        mine, its = socket.socketpair()
        socket.send_fds(proxy.end, [message], [its.fileno()])
        its.close()
        mine.settimeout(10)
        assert mine.recv(1) == b"", message
    proxy.end.send(good)  # without a descriptor
    pair = socket.socketpair()
    socket.send_fds(proxy.end, [good], [pair[0].fileno(), pair[1].fileno()])  # with two
    reader, writer = os.pipe()
    socket.send_fds(proxy.end, [good], [reader])  # no socket
    datagram = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    socket.send_fds(proxy.end, [good], [datagram[0].fileno()])
    internet = socket.create_server(("127.0.0.1", 0))
    socket.send_fds(proxy.end, [good], [internet.fileno()])
    with world.server() as server:
        assert asked(proxy, b"127.0.0.1", server.port)[0] == CONNECTED
    os.close(reader)
    os.close(writer)
    counters = proxy.counters()
    assert counters["malformed"] == len(bad) + 5 and counters["connected"] == 1


def test_bad_options():
    for options in (("--allow", "10.0.0.1/8"), ("--allow", "10.0.0.0/33"), ("--allow", "x"), ("--allow", "::/129"), ("--allow", "10.0.0.0/"),
                    ("--name", "a=b"), ("--name", "a=10.0.0.0/8")):
        with pytest.raises(ValueError):
            fetch.Proxy(allow=(), options=options)


def test_more_hosts_than_connections(world):
    """Idle connections make room; in a crowd the ones that wait get theirs."""
    hosts = [f"127.0.{1 + i // 200}.{1 + i % 200}" for i in range(400)]
    client = world.start("crowd", literals=True)
    with world.server(certificate=pki.issue("x", world.private, names=hosts), address="0.0.0.0") as server:
        assert all(client.get(host, server.port).code == "ok" for host in hosts)
        assert len(os.listdir(f"/proc/{client.popen.pid}/fd")) < 160
        numbers = [client.start(host, server.port, total_ms=30000, first_byte_ms=30000) for host in hosts[:250]]
        assert {client.wait(n).code for n in numbers} == {"ok"}


def test_an_enclave_that_starts_again(world):
    """The next process speaks over the same control socket; the last one's connections are gone."""
    proxy = fetch.Proxy(names={HOST: "127.0.0.1"})
    with world.server() as server:
        for attempt in range(3):
            client = world.start(f"again-{attempt}", proxy=proxy)
            assert client.get(HOST, server.port).code == "ok"
            client.popen.kill()
            client.popen.wait()
    wait_for(lambda: len([fd for fd in descriptors(proxy.popen.pid) if "socket" in fd]) <= 3, 20, "the ends of the dead to be closed", 0.05)
    assert proxy.counters()["connected"] == 3


def descriptors(pid: int) -> list[str]:
    folder = f"/proc/{pid}/fd"
    return [os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder) if os.path.lexists(f"{folder}/{fd}")]


# ---- the sandbox ----

def test_without_the_filter(world):
    """Nothing depends on an answer that only the filter gives."""
    client = world.start("open", seccomp=False)
    with world.server() as server:
        assert [client.get(HOST, server.port)["reused"] for _ in range(2)] == [0, 1]


@pytest.mark.parametrize("probe", [1, 2, 3, 4, 5])
def test_calls_that_kill(world, probe):
    """open, execve, socket, ptrace, fork."""
    client = world.start(f"probe-{probe}")
    with pytest.raises(RuntimeError, match="ended with -31"):
        client.ask(probe=probe)


ALLOWED = {"poll", "read", "write", "recvfrom", "sendto", "sendmsg", "close", "socketpair", "getsockopt", "brk", "mmap", "munmap", "mremap",
           "mprotect", "madvise", "futex", "getrandom", "clock_gettime", "exit", "exit_group", "restart_syscall", "getpid", "rt_sigreturn"}
ANSWERED = {"setsockopt", "getsockname", "getpeername", "fcntl"}


def test_the_calls_that_it_makes(world):
    """Everything that the suite above does, counted: none but those that the filter names."""
    if shutil.which("strace") is None:
        raise Missing("strace", "apt-get install strace")
    trace = world.folder / "strace"
    client = world.start("traced", wrapper=("strace", "-f", "-o", str(trace)))
    with fetch.Nginx(world.folder / "traced-nginx", tools.free_ports(1)[0], world.leaf, staple=pki.ocsp(world.leaf)) as nginx:
        for target in ("/price", "/900", "/moved", "/missing"):
            client.get(HOST, nginx.port, target)
        for _ in range(3):
            client.get(HOST, nginx.port, "/price", post=True, body="x" * 60000)
    with world.server(answering(ok(b"x" * 1000000))) as server:
        assert client.get(HOST, server.port).code == "ok"
        client.get(HOST, 1)
    client.close()
    lines = trace.read_text().split("PR_GET_SECCOMP", 1)[1].splitlines()[1:]
    made = {m[1] for line in lines if (m := re.match(r"\d+ +(\w+)\(", line))}
    assert {"poll", "socketpair", "sendmsg", "recvfrom", "sendto"} <= made
    assert made - ALLOWED - ANSWERED == set()
