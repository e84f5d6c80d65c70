"""A JSON-RPC proxy that lies on request, and a TCP relay that can be cut."""
from __future__ import annotations

import http.client
import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Raw(Exception):
    """Raised by a hook: the answer is these bytes, with this status and these headers."""

    def __init__(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None):
        super().__init__("raw")
        self.body, self.status, self.headers = body, status, headers or {}


class Cut(Exception):
    """Raised by a hook: the connection ends without an answer."""


class RpcProxy:
    """hook(call, reply) -> reply, for every call; call(calls, hook) may raise Raw for the whole request.

    before(calls) is asked first and may raise Raw or Cut; after(call, reply) may change one reply; whole(text) the whole body."""

    def __init__(self, url: str):
        self.target = urlsplit(url)
        self.before = lambda calls: None
        self.after = lambda call, reply: reply
        self.whole = lambda body: body
        self.methods: list[str] = []
        self.swallowed: dict[str, list[dict]] = {}
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                headers: dict[str, str] = {}
                try:
                    status, answer = 200, proxy.answer(body)
                except Raw as raw:
                    status, answer, headers = raw.status, raw.body, raw.headers
                except Cut:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that went away

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/secret-of-the-provider"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, body: bytes) -> bytes:
        request = json.loads(body)
        calls = request if isinstance(request, list) else [request]
        self.methods += [c["method"] for c in calls]
        self.before(calls)
        for call in calls:
            if (made := self.swallowed.get(call["method"])) is not None:
                made.append(dict(call))
                call.update(method="eth_getTransactionByHash", params=["0x" + "00" * 32])
        body = json.dumps(request).encode()
        connection = http.client.HTTPConnection(self.target.hostname, self.target.port, timeout=30)
        connection.request("POST", "/", body, {"content-type": "application/json"})
        reply = json.loads(connection.getresponse().read())
        connection.close()
        by_id = {c["id"]: c for c in calls}
        if isinstance(reply, list):
            reply = [self.after(by_id[r["id"]], r) for r in reply]
        else:
            reply = self.after(calls[0], reply)
        return self.whole(json.dumps(reply).encode())

    @contextmanager
    def swallowing(self, method: str):
        """The node hears of no call of this method, whose answers are null; gives those that were made."""
        made, before = [], self.swallowed
        self.swallowed = {**before, method: made}
        try:
            yield made
        finally:
            self.swallowed = before

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Relay:
    """TCP to a port of loopback. cut() closes what is open, hold() lets nothing through, go() lets it again."""

    def __init__(self, port: int):
        self.port_to = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open: list[socket.socket] = []
        self.refuse = False
        self.flow = threading.Event()
        self.flow.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.refuse:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self.port_to))
            self.open += [client, server]
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=(a, b), daemon=True).start()

    def _copy(self, a: socket.socket, b: socket.socket) -> None:
        try:
            while data := a.recv(65536):
                self.flow.wait()
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self) -> None:
        for s in self.open:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()
        self.open.clear()

    def hold(self) -> None:
        self.flow.clear()

    def go(self) -> None:
        self.flow.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.flow.set()
        self.listener.close()
        self.cut()


# ---- answers that are none ----

BODIES = {
    "html": b"<html><body>502 Bad Gateway</body></html>", "empty": b"", "half": b'[{"jsonrpc":"2.0","id":1,"resu', "null": b"null",
    "deep": b"[" * 5000 + b"]" * 5000, "number": b"7", "text": b'"yes"', "no id": b'{"jsonrpc":"2.0","result":"0x1"}',
    "huge": b'{"jsonrpc":"2.0","id":1,"result":"0x' + b"0" * (33 << 20) + b'"}',
}


def twist(method: str, change):
    """A hook that changes the result of one method."""
    def after(call, reply):
        if call["method"] == method and reply.get("result") is not None:
            reply = dict(reply, result=change(reply["result"]))
        return reply
    return after


def wrong_id(body: bytes) -> bytes:
    reply = json.loads(body)
    for one in reply if isinstance(reply, list) else [reply]:
        one["id"] += 1000
    return json.dumps(reply).encode()


def twice(body: bytes) -> bytes:
    reply = json.loads(body)
    return json.dumps([reply[0]] * len(reply) if isinstance(reply, list) else [reply, reply]).encode()


WHOLE = {"wrong id": wrong_id, "one answer twice": twice}
