"""A gateway as an application sees it over a bad line: each request arrives, and an answer is lost."""
from __future__ import annotations

import json
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


class Losing:
    """with Losing(url) as losing: losing.url. What creates something is answered twice before it arrives: of each Idempotency-Key the first
    answer of the gateway is lost, of one key with the connection, of the next by what a proxy says in its place."""

    def __init__(self, url: str):
        target = urlsplit(url)
        losing, self.bodies, self.answers = self, {}, {}  # by Idempotency-Key: each body that was asked, each answer that the gateway gave

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.forward(None)

            def do_POST(self):
                self.forward(self.rfile.read(int(self.headers["content-length"])))

            def forward(self, body: bytes | None):
                headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection", "content-length")}
                connection = HTTPConnection(target.hostname, target.port, timeout=60)
                connection.request(self.command, self.path, body, headers)
                reply = connection.getresponse()
                answer = reply.read()
                connection.close()
                key = self.headers.get("idempotency-key")
                if body is None or not losing.is_first(key, body, answer):
                    self.give(reply.status, reply.headers["content-type"], answer)
                elif len(losing.answers) % 2:
                    self.close_connection = True
                else:
                    self.give(502, "text/html", HTML)

            def give(self, status: int, kind: str, answer: bytes):
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def is_first(self, key: str | None, body: bytes, answer: bytes) -> bool:
        self.bodies.setdefault(key, []).append(json.loads(body))
        self.answers.setdefault(key, []).append(json.loads(answer))
        return len(self.answers[key]) == 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
