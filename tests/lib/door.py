"""A node of a bridge's ledger as a service sees it, with a door that holds what is sent."""
from __future__ import annotations

import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Door:
    """A node as a gateway sees it: everything goes through, but broadcasts while it is shut are held and never arrive. Nothing goes through once it
    is cut."""

    def __init__(self, url: str):
        target = urlsplit(url)
        door, self.shut, self.cut, self.held, self.broadcasts = self, threading.Event(), threading.Event(), threading.Event(), 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if door.cut.is_set():
                    self.close_connection = True
                    return
                if b"broadcast_tx_sync" in body:
                    door.broadcasts += 1
                    if door.shut.is_set():
                        door.held.set()
                        self.close_connection = True
                        return
                connection = HTTPConnection(target.hostname, target.port, timeout=30)
                connection.request("POST", "/", body, {"content-type": "application/json"})
                response = connection.getresponse()
                answer = response.read()
                connection.close()
                self.send_response(response.status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
