"""What needs no gateway: what is refused before anything is sent, and a gateway that is not there. All else is in live.py."""
from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

from caisson import ApiError, BadReply, CaissonError, ConfigurationError, Gateway, Unreachable

KEY = "0123456789abcdef" * 3


class Client(unittest.TestCase):
    def test_addresses(self) -> None:
        for url in ("", "gateway", "ftp://gateway", "ws://gateway", "http://", "http://name:password@gateway", "http://gateway/?a=b", "http://gateway/#a"):
            with self.assertRaises(ConfigurationError) as refused:
                Gateway(url, KEY)
            self.assertNotIn("password@", str(refused.exception))

    def test_keys(self) -> None:
        for key in ("", "two words", "line\r\nX-More: 1", "clé"):
            self.assertRaises(ConfigurationError, Gateway, "http://127.0.0.1", key)

    def test_the_key_does_not_show(self) -> None:
        self.assertNotIn(KEY, repr(Gateway("http://127.0.0.1:1", KEY)))

    def test_environment(self) -> None:
        with mock.patch.dict(os.environ, {}, clear=True):
            self.assertRaisesRegex(CaissonError, "CAISSON_URL is not set", Gateway.from_environment)
            os.environ["CAISSON_URL"] = "http://127.0.0.1:1"
            self.assertRaisesRegex(CaissonError, "CAISSON_API_KEY_FILE is not set", Gateway.from_environment)
            os.environ["CAISSON_API_KEY_FILE"] = "/nowhere/at/all"
            self.assertRaisesRegex(CaissonError, "/nowhere/at/all: No such file", Gateway.from_environment)
            with tempfile.NamedTemporaryFile() as file:
                os.environ["CAISSON_API_KEY_FILE"] = file.name
                for text in ("", "\n", "clé", f"{KEY}\n{KEY}\n"):
                    Path(file.name).write_text(text, encoding="utf-8")
                    self.assertRaisesRegex(CaissonError, f"holds no API key: {file.name}", Gateway.from_environment)
                Path(file.name).write_text(f"{KEY}\r\n", encoding="utf-8")
                Gateway.from_environment()
                os.environ["CAISSON_URL"] = ""
                self.assertRaisesRegex(CaissonError, "CAISSON_URL is not set", Gateway.from_environment)

    def test_examples(self) -> None:
        """Arguments and an environment that are wrong: one line, and no traceback."""
        for name, arguments, told in (("transfer.py", ["eip155:1:0x", "abc"], "'abc' is no amount"), ("transfer.py", ["eip155:1:0x", "-1"], "'-1' is no amount"),
                                      ("transfer.py", ["eip155:1:0x", "1"], "CAISSON_URL is not set"),
                                      ("prepare.py", ["eip155:1:0x", "text", "0x"], "CAISSON_URL is not set")):
            example = Path(__file__).parents[1] / "examples" / name
            environment = {name: value for name, value in os.environ.items() if not name.startswith("CAISSON_")}
            source = str(Path(__file__).parents[1] / "src")
            run = subprocess.run([sys.executable, str(example), *arguments], env={**environment, "PYTHONPATH": source}, capture_output=True, text=True, check=False)
            self.assertEqual((run.returncode, run.stderr.count("\n")), (1, 1), run.stderr)
            self.assertIn(told, run.stderr)

    def test_nobody_there(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # and does not listen
            gateway = Gateway(f"http://127.0.0.1:{taken.getsockname()[1]}", KEY, patience_s=0.5)
            begin = time.monotonic()
            with self.assertRaises(Unreachable) as told:
                gateway.chains()
            self.assertGreater(time.monotonic() - begin, 0.15)  # it was tried again
            self.assertNotIn(KEY, str(told.exception))
            self.assertRaises(Unreachable, gateway.ready)

    def test_replies_and_what_they_mean(self) -> None:
        """Whose address it was is in each that no gateway gave; what is no stream of events is not asked for again and again."""
        reply: list[Any] = []
        asked: list[str] = []

        class Same(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(reply[0])
                self.send_header("Content-Type", reply[1])
                self.end_headers()
                self.wfile.write(reply[2])

            def log_message(self, *_: object) -> None:
                pass

        rows: list[tuple[int, str, bytes, type[CaissonError], str, bool]] = [
            (200, "text/html", b"<html>", BadReply, "HTTP 200 without an answer that a gateway gives", False),
            (200, "application/json", b"[]", BadReply, "HTTP 200 without", False),
            (404, "text/html", b"<html>", BadReply, "HTTP 404 without", False),
            (308, "text/html", b"", BadReply, "HTTP 308, a redirect: it is not followed", False),
            (502, "text/html", b"<html>", Unreachable, "HTTP 502 of something in front of the gateway", True),
            (403, "application/problem+json", b'{"code": "forbidden", "title": "t", "detail": "lacks the scope send"}', ApiError, "lacks the scope send", False)]
        streams = [(200, "text/html", b"<html>\n\nid: 1\n\n", "HTTP 200 without"), (200, "text/event-stream", b"id: 6\ndata: nonsense\n\n", "an event that no"),
                   (200, "text/event-stream", b"id: 6\n\n", "an event that no"), (200, "text/event-stream", b'id: 6\ndata: {}\n\n', "an event that no")]
        with ThreadingHTTPServer(("127.0.0.1", 0), Same) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{server.server_port}"
            gateway = Gateway(url, KEY, patience_s=0.6)
            for status, content_type, body, kind, told, again in rows:
                reply[:] = [status, content_type, body]
                asked.clear()
                with self.assertRaises(kind) as refused:
                    gateway.chains()
                self.assertIn(told, str(refused.exception))
                self.assertEqual((url in str(refused.exception), len(asked) > 1), (kind is not ApiError, again), told)
            for status, content_type, body, told in streams:
                reply[:] = [status, content_type, body]
                with self.assertRaises(BadReply) as broken:
                    next(gateway.events(cursor=5))
                self.assertRegex(str(broken.exception), f"^{url}: {told}")
            server.shutdown()

    def test_asked_to_wait(self) -> None:
        """No sooner than Retry-After says, and not at all where that is beyond the caller's patience."""
        problem = b'{"code": "rate-limited", "title": "too many requests", "retry": true}'
        asked: list[float] = []
        after = ["1"]

        class Busy(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(time.monotonic())
                first = len(asked) == 1
                self.send_response(429 if first else 200)
                if first:
                    self.send_header("Retry-After", after[0])
                self.send_header("Content-Type", "application/problem+json" if first else "application/json")
                self.end_headers()
                self.wfile.write(problem if first else b'{"chains": []}')

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            gateway = Gateway(f"http://127.0.0.1:{server.server_port}", KEY)
            self.assertEqual(gateway.chains(), [])
            self.assertGreaterEqual(asked[1] - asked[0], 1)
            asked.clear()
            after[0] = "3600"
            with self.assertRaises(ApiError) as told:
                gateway.chains()
            self.assertEqual((len(asked), told.exception.code, told.exception.retry_after_s), (1, "rate-limited", 3600))
            server.shutdown()
