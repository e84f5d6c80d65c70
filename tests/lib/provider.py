"""RPC providers: TLS servers in front of a real node, honest ones and others."""
from __future__ import annotations

import http.client
import json
import re
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from . import fetch, pki


def read_request(connection) -> tuple[bytes, bytes] | None:
    """Head and body of one POST, None at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        got = connection.recv(65536)
        if not got:
            return None
        data += got
    head, body = data.split(b"\r\n\r\n", 1)
    size = int(re.search(rb"content-length: *(\d+)", head, re.I)[1])
    while len(body) < size:
        got = connection.recv(65536)
        if not got:
            return None
        body += got
    return head, body


class Provider:
    """Forwards what it is asked to a node, unless `block` is set (a block to name) or `spoil` changes the answer."""

    def __init__(self, folder: Path, certificate: pki.Certificate, url: str):
        self.url = url
        self.block: dict | None = None
        self.spoil = None  # takes and gives the decoded answer, or gives bytes of a whole response
        self.pause_s = 0.0
        self.requests: list[tuple[bytes, bytes]] = []
        self.server = fetch.Server(folder, certificate, self._serve)
        self.port = self.server.port

    def _node(self, body: bytes) -> dict:
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
        try:
            connection.request("POST", "/", body, {"content-type": "application/json"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def _serve(self, tls) -> None:
        while (request := read_request(tls)) is not None:
            self.requests.append(request)
            time.sleep(self.pause_s)
            answer = self._node(request[1]) if self.block is None else {"jsonrpc": "2.0", "id": 1, "result": self.block}
            if self.spoil is not None:
                answer = self.spoil(answer)
            tls.sendall(answer if isinstance(answer, bytes) else fetch.ok(json.dumps(answer).encode()))

    def close(self) -> None:
        """From now on nobody listens: a thread that waits in accept would still take one more connection."""
        try:
            self.server.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # closed before
        self.server.close()
