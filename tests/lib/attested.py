"""The attested port from outside: a gateway and its enclave whose pipe is recorded, clients of Python's own TLS, and servers that pretend
to be an enclave."""
from __future__ import annotations

import base64
import json
import os
import re
import secrets
import socket
import ssl
import struct
import subprocess
import threading
from pathlib import Path

from enclave.boundary import REPLIES, TYPES, Refused, decode, encode

from .enclave import Enclave
from .proc import Process
from .rpc import wait_for
from .service import toml, write_secret

CHAIN = "eip155:7001"


# ---- clients ----

def context(newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """Believes every certificate: who judges it is the test, or the command."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.maximum_version = newest
    return made


class Visitor:
    """A client of the port, up to its frames."""

    def __init__(self, number: int, tls: ssl.SSLContext | None = None, session: ssl.SSLSession | None = None):
        plain = socket.create_connection(("127.0.0.1", number), timeout=30)
        self.socket = (tls or context()).wrap_socket(plain, session=session)
        self.certificate = self.socket.getpeercert(True)
        self.next_id = 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send_raw(self, kind: int, body: bytes) -> None:
        self.next_id += 1
        self.socket.sendall(struct.pack(">IHHQ", len(body), kind, 0, self.next_id) + body)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise ConnectionError("the port closed the connection")
            data += more
        return data

    def receive(self) -> tuple[int, bytes]:
        size, kind, _, _ = struct.unpack(">IHHQ", self._read(16))
        return kind, self._read(size)

    def call(self, name: str, **values) -> dict:
        self.send_raw(TYPES[name], encode(name + "Request", values))
        kind, body = self.receive()
        if kind == 1:
            error = decode("ErrorReply", body)
            raise Refused(error["code"], error["why"])
        return decode(REPLIES.get(name, name + "Reply"), body)


# ---- pretenders ----

def pem(kind: str, der: bytes) -> str:
    text = base64.b64encode(der).decode()
    return f"-----BEGIN {kind}-----\n" + "\n".join(text[i:i + 64] for i in range(0, len(text), 64)) + f"\n-----END {kind}-----\n"


class Pretender:
    """A server of TLS with this certificate and key, which answers the first frame with `answer`. frames: what it heard behind its TLS."""

    def __init__(self, folder: Path, certificate: bytes, key_pem: str, answer: bytes = b""):
        place = folder / f"pretender-{secrets.token_hex(4)}.pem"
        place.write_text(key_pem + pem("CERTIFICATE", certificate))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(place)
        self.frames, self.answer = [], answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.number = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            plain.settimeout(30)
            try:
                with self.tls.wrap_socket(plain, server_side=True) as client:
                    head = client.recv(16)
                    if len(head) < 16:
                        continue
                    size, kind, _, ident = struct.unpack(">IHHQ", head)
                    self.frames.append((kind, client.recv(size)))
                    client.sendall(struct.pack(">IHHQ", len(self.answer), kind + 1, 0, ident) + self.answer)
                    client.recv(1)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


class Relay:
    """Passes bytes on and keeps them. to: an address of TCP or a path."""

    def __init__(self, to: tuple[str, int] | Path, path: Path | None = None):
        self.to, self.seen, self.lock = to, bytearray(), threading.Lock()
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
            self.listener.listen(8)
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.number = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                one, _ = self.listener.accept()
                if isinstance(self.to, Path):
                    other = socket.socket(socket.AF_UNIX)
                    other.connect(str(self.to))
                else:
                    other = socket.create_connection(self.to)
            except OSError:
                return
            for source, sink in ((one, other), (other, one)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                with self.lock:
                    self.seen += data
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def has(self, marker: bytes) -> bool:
        with self.lock:
            return marker in self.seen or marker.hex().encode() in self.seen

    def close(self) -> None:
        self.listener.close()


# ---- the port ----

class AttestedPort:
    """An enclave of a chain that nobody runs, the pipe, and the gateway that listens."""

    def __init__(self, folder: Path, build: Path, enclave_arguments: tuple[str, ...] = ("--attested",), **settings):
        self.folder, self.build = folder, build
        self.enclave = Enclave(folder / "enclave", build / "bin" / "caisson-enclave", list(enclave_arguments), "clique")
        self.pipe = Relay(self.enclave.path, folder / "pipe.sock")
        self.manifest = folder / "enclave" / "manifest.json"
        self.log = folder / "gateway.log"
        for name, text in (("api.keys", ""), ("peer.key", secrets.token_hex(24) + "\n"), ("seal.root", secrets.token_hex(32) + "\n")):
            write_secret(folder / name, text)
        self.settings = {"address": "127.0.0.1:0", "connections_max": 8, "connections_per_s": 1000, "idle_ms": 5000} | settings
        self.config = folder / "gateway.toml"
        self.config.write_text("\n".join([
            'name = "sample"', "[log]", 'level = "debug"', "[api]", "port = 0", "events_port = 0", "[enclave]",
            f"socket = {toml(str(folder / 'pipe.sock'))}", f"manifests = [{toml(str(self.manifest))}]", "[attested]",
            *(f"{key} = {toml(value)}" for key, value in self.settings.items()), "[[chains]]", f"id = {toml(CHAIN)}",
            'rpc = ["http://127.0.0.1:9"]', "[[peers]]", 'name = "other"', 'url = "http://127.0.0.1:9"', 'api_key_file = "peer.key"',
            'chains = ["eip155:7002"]', ""]))
        self.process = None
        self.start()

    def start(self) -> None:
        seen = len(self.log.read_text()) if self.log.exists() else 0
        self.process = Process([self.build / "bin" / "caisson-gateway", "--config", self.config], self.log, cwd=self.folder)

        def listens():
            self.process.check()
            text = self.log.read_text()[seen:]
            found = re.search(r"attested\.listens .*port=(\d+)", text)
            return int(found[1]) if found and "enclave.ready" in text else None
        self.number = wait_for(listens, 60, f"the attested port ({self.log})")

    def connect(self, *more: str, number: int | None = None, policy: dict | None = None) -> tuple[int, dict]:
        """`caisson attest connect`: its exit code and its JSON. The policy accepts the simulated backend; more of it is the caller's."""
        place = self.folder / f"policy-{secrets.token_hex(4)}.json"
        place.write_text(json.dumps({"version": 1, "insecure_accept_simulated": True, **(policy or {})}))
        done = subprocess.run([self.build / "bin" / "caisson", "attest", "connect", f"127.0.0.1:{number or self.number}", "--json", "--policy",
                               place, *more], capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, json.loads(done.stdout)

    def visit(self, **more) -> Visitor:
        return Visitor(self.number, **more)

    def stop(self) -> None:
        self.process.stop()
        self.pipe.close()
        self.enclave.stop()
        if os.path.exists(self.folder / "pipe.sock"):
            os.unlink(self.folder / "pipe.sock")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
