"""The enclave's client in its sandbox, the egress proxy beside it, and TLS servers that answer well or badly."""
from __future__ import annotations

import array
import contextlib
import json
import os
import select
import socket
import ssl
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import proc
from .tools import Missing, find_build

if TYPE_CHECKING:
    from . import pki

CODES = {0: "ok", 1: "spec_invalid", 2: "arguments_invalid", 4: "not_allowed", 16: "unreachable", 17: "timeout", 18: "tls", 19: "redirect",
         20: "http_status", 21: "too_large", 22: "malformed_response"}
REPLY_TIMEOUT_S = 60


def stop(popen: subprocess.Popen) -> None:
    if popen.poll() is None:
        popen.terminate()
        try:
            popen.wait(10)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()


class Proxy:
    """egress-proxy; .end is the enclave's end of the control socket."""

    def __init__(self, allow=("127.0.0.0/8",), names=None, options=(), env=None):
        self.end, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        argv = [str(find_build() / "bin" / "egress-proxy"), str(ours.fileno())]
        for network in allow:
            argv += ["--allow", network]
        for name, address in (names or {}).items():
            argv += ["--name", f"{name}={address}"]
        self.popen = subprocess.Popen([*argv, *map(str, options)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                      pass_fds=(ours.fileno(),), preexec_fn=proc._die_with_parent, env={**os.environ, **(env or {})})
        ours.close()
        assert json.loads(self.popen.stdout.readline()) == {"ready": True}

    def counters(self) -> dict:
        """Ends it."""
        self.popen.terminate()
        out, _ = self.popen.communicate(timeout=20)
        return json.loads(out.splitlines()[-1])

    def close(self) -> None:
        stop(self.popen)
        self.end.close()
        self.popen.stdout.close()


def control_message(number: int, host: bytes, port: int, version: int = 1, kind: int = 1) -> bytes:
    return struct.pack(">BBIHB", version, kind, number, port, len(host)) + host


class HostileProxy:
    """The host's side of the control socket in the tests' hands: connect(request) gives a connected socket or None."""

    def __init__(self, connect, record: list | None = None):
        self.end, self.ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.connect, self.record = connect, record
        self.requests: list[tuple[bytes, int]] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                message, ancillary, _, _ = self.ours.recvmsg(1024, socket.CMSG_SPACE(16))
            except OSError:
                return
            if not message:
                return
            (descriptor,) = array.array("i", ancillary[0][2][:4])
            inner = socket.socket(fileno=descriptor)
            version, kind, number, port, size = struct.unpack(">BBIHB", message[:9])
            assert (version, kind, size) == (1, 1, len(message) - 9) and number > 0
            if self.record is not None:
                self.record.append(message)
            self.requests.append((message[9:], port))
            threading.Thread(target=self._pump, args=(inner, message), daemon=True).start()

    def _pump(self, inner, message):
        outer = self.connect(message)
        if outer is None:
            inner.close()
            return
        ends = {inner: outer, outer: inner}
        # Whichever end goes first, in whatever way, the other one hears of it.
        with inner, outer, contextlib.suppress(OSError):
            while True:
                for source in select.select(list(ends), [], [])[0]:
                    got = source.recv(65536)
                    if not got:
                        return
                    if self.record is not None:
                        self.record.append(got)
                    ends[source].sendall(got)

    def close(self):
        self.end.close()
        self.ours.close()


def tapped(proxy: Proxy, record: list) -> HostileProxy:
    """A tap between the client and the real proxy: everything that passes, in both directions, is recorded."""
    def connect(message):
        mine, its = socket.socketpair()
        socket.send_fds(proxy.end, [message], [its.fileno()])
        its.close()
        return mine
    return HostileProxy(connect, record)


class Reply(dict):
    @property
    def code(self) -> str:
        return CODES.get(self["code"], str(self["code"]))

    @property
    def body(self) -> bytes:
        return bytes.fromhex(self["body"])


class Fetcher:
    """fetch-driver on a control socket."""

    def __init__(self, folder: Path, control: socket.socket, anchors=(), logs=(), *, private=True, literals=False, seccomp=True,
                 wrapper=()):
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "fetch.json"
        config.write_text(json.dumps({
            "anchors": [{"der": c.der.hex(), "private": p} for c, p in anchors],
            "logs": [{"spki": log.key.spki.hex(), "operator": log.operator, "retired": log.retired} for log in logs],
            "private": private, "literals": literals, "no_seccomp": not seccomp}))
        self.commands, theirs = socket.socketpair()
        self.log = folder / "driver.log"
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen([*wrapper, str(find_build() / "bin" / "fetch-driver"), str(control.fileno()), str(theirs.fileno()),
                                           str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          pass_fds=(control.fileno(), theirs.fileno()), preexec_fn=proc._die_with_parent)
        theirs.close()
        self.buffer = b""
        self.last = 0
        self.replies: dict[int, Reply] = {}
        assert self._line() == {"ready": True}, self.log.read_text()

    def _line(self, timeout_s: float = REPLY_TIMEOUT_S) -> dict:
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.commands], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError("no reply of the driver")
            got = self.commands.recv(1 << 20)
            if not got:
                raise RuntimeError(f"the driver ended with {self.popen.wait(10)}: {self.log.read_text()}")
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def tell(self, **command) -> None:
        self.commands.sendall(json.dumps(command, ensure_ascii=False).encode() + b"\n")

    def ask(self, **command) -> dict:
        self.tell(**command)
        return self._line()

    def start(self, host: str, port: int, target: str = "/", **more) -> int:
        self.last += 1
        self.tell(id=self.last, host=host, port=port, target=target, **more)
        return self.last

    def wait(self, number: int, timeout_s: float = REPLY_TIMEOUT_S) -> Reply:
        while number not in self.replies:
            line = self._line(timeout_s)
            self.replies[line["id"]] = Reply(line)
        return self.replies.pop(number)

    def get(self, host: str, port: int, target: str = "/", **more) -> Reply:
        return self.wait(self.start(host, port, target, **more))

    def clock(self, low: int, high: int | None = None) -> None:
        """Seconds from now; high -1: nothing bounds the time."""
        self.tell(clock=[low, low if high is None else high])

    def close(self) -> None:
        self.commands.close()
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


# ---- servers ----

class Server:
    """One thread a connection; handler(tls) talks after the handshake, plain(connection) instead of it."""

    def __init__(self, folder: Path, certificate: pki.Certificate, handler, *, chain: str | None = None, alpn=("http/1.1",), plain=None,
                 versions=None, address: str = "127.0.0.1", port: int = 0):
        folder.mkdir(parents=True, exist_ok=True)
        pem = folder / f"{id(self)}.pem"
        pem.write_text((certificate.chain_pem or certificate.pem if chain is None else chain) + certificate.key.pem + "\n")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.set_ciphers("ALL:@SECLEVEL=0")
        self.context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        if versions:
            self.context.minimum_version, self.context.maximum_version = versions
        self.context.load_cert_chain(pem)
        self.context.set_alpn_protocols(list(alpn))
        self.handler, self.plain = handler, plain
        self.connections = 0
        self.problems: list[str] = []
        self.listener = socket.create_server((address, port), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.plain:
                self.plain(connection)
                return
            with self.context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False) as tls:
                self.handler(tls)
        except (OSError, ValueError) as problem:
            self.problems.append(repr(problem))
        finally:
            connection.close()

    def close(self) -> None:
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def read_head(connection) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        got = connection.recv(65536)
        if not got:
            break
        head += got
    return head


def answering(*pieces: bytes, after: bool = True, pause_s: float = 0.0, requests: list | None = None):
    """A handler: for each request these bytes, then, unless `after`, the end of the connection without close_notify."""
    def handler(tls):
        while head := read_head(tls):
            if requests is not None:
                requests.append(head)
            for piece in pieces:
                tls.sendall(piece)
                if pause_s:
                    time.sleep(pause_s)
            if not after:
                return
    return handler


def ok(body: bytes = b'{"price":"1.25"}', extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + extra + b"Content-Length: %d\r\n\r\n" % len(body) + body


class NginxServer:
    """nginx with a configuration, in the foreground, until it is closed. Relative paths there begin at its folder."""

    def __init__(self, folder: Path, config: str, port: int, listen: str = "127.0.0.1"):
        import shutil
        program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
        if program is None:
            raise Missing("nginx", "script/install demo brings it")
        self.port = port
        self.config = folder / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        self.config.write_text(f"{user} daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log warn;\n{config}")
        self.popen = subprocess.Popen([program, "-p", str(folder), "-c", str(self.config)], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=proc._die_with_parent)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection((listen, port), 1).close()
                return
            except OSError:
                if self.popen.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"nginx: {self.popen.stderr.read1().decode()}") from None
                time.sleep(0.02)

    def close(self) -> None:
        stop(self.popen)
        self.popen.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def temporary_files(folder: Path) -> str:
    """Where nginx would keep them, of its folder instead of the system's."""
    return " ".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))


class Nginx(NginxServer):
    """A real server: nginx with one server block for each certificate."""

    def __init__(self, folder: Path, port: int, certificate: pki.Certificate, *, staple: bytes | None = None, extra: str = "",
                 http2: bool = True, listen: str = "127.0.0.1", protocols: str = "TLSv1.2 TLSv1.3"):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        (folder / "chain.pem").write_text(certificate.chain_pem)
        (folder / "key.pem").write_text(certificate.key.pem + "\n")
        stapling = ""
        if staple is not None:
            (folder / "staple.der").write_bytes(staple)
            stapling = f"ssl_stapling on; ssl_stapling_file {folder}/staple.der;"
        super().__init__(folder, f"""
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000; default_type application/json; {temporary_files(folder)}
  server {{
    listen {listen}:{port} ssl{' http2' if http2 else ''}; server_name _;
    ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem; {stapling}
    ssl_protocols {protocols}; ssl_session_cache shared:s:4m; ssl_session_tickets on;
    location = /price {{ return 200 '{{"price":"1.25"}}'; }}
    location = /900 {{ return 200 '{{"data":"{'x' * 885}"}}'; }}
    location = /missing {{ return 404 'no'; }}
    location = /moved {{ return 302 /price; }}
    location = /method {{ return 200 '$request_method'; }}
    {extra}
  }}
}}
""", port, listen)
