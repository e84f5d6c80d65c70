"""A receiver of webhooks: a real server, over TLS where it has a certificate, that answers as it is told and checks every
signature by the standard library alone."""
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from . import pki


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """Standard Webhooks, "Signature scheme"."""
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    return "v1," + base64.b64encode(hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)).decode()


@dataclass
class Delivery:
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def body(self) -> dict:
        return json.loads(self.raw)

    @property
    def cursor(self) -> int:
        return self.body["data"]["cursor"]

    def is_signed_by(self, secret: str) -> bool:
        wanted = signature(secret, self.id, self.headers["webhook-timestamp"], self.raw)
        return wanted in self.headers["webhook-signature"].split(" ")


class Receiver:
    """with Receiver() as receiver: everything that is posted to it is in deliveries; its answer is status, later or never by wait."""

    def __init__(self, certificate: pki.Certificate | None = None, folder: Path | None = None):
        self.deliveries: list[Delivery] = []
        self.status, self.wait = 200, lambda path: None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.deliveries.append(Delivery(self.path, {k.lower(): v for k, v in self.headers.items()}, raw))
                receiver.wait(self.path)
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if certificate:
            (folder / "receiver.pem").write_text(certificate.chain_pem)
            (folder / "receiver.key").write_text(certificate.key.pem)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / "receiver.pem", folder / "receiver.key")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if certificate else 'http'}://{'localhost' if certificate else '127.0.0.1'}:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self) -> "Receiver":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.server.server_close()
