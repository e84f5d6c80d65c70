"""HTTPS through the enclave's sandboxed client against plain libcurl, on one nginx, over loopback and over a delayed line."""
from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from pathlib import Path

from lib import fetch, pki, tools

HOST = "bench.example.test"
DELAY_MS = 10  # one way: a round trip of 20 ms
ROUNDS, REQUESTS, PARALLEL = 5, 400, 32
DELAYED_ROUNDS, DELAYED_REQUESTS = 2, 40


class Forwarder:
    """Bytes arrive delay_s later, in both directions; the same for every client."""

    def __init__(self, port: int, delay_s: float):
        self.to, self.delay_s = port, delay_s
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                inner, _ = self.listener.accept()
            except OSError:
                return
            outer = socket.create_connection(("127.0.0.1", self.to))
            for source, sink in ((inner, outer), (outer, inner)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._read, args=(source, sink), daemon=True).start()

    def _read(self, source, sink):
        queue: list[tuple[float, bytes]] = []
        ready = threading.Condition()

        def write():
            while True:
                with ready:
                    while not queue:
                        ready.wait()
                    at, piece = queue.pop(0)
                time.sleep(max(0.0, at - time.monotonic()))
                try:
                    if not piece:
                        sink.shutdown(socket.SHUT_WR)
                        return
                    sink.sendall(piece)
                except OSError:
                    return
        threading.Thread(target=write, daemon=True).start()
        while True:
            try:
                piece = source.recv(65536)
            except OSError:
                piece = b""
            with ready:
                queue.append((time.monotonic() + self.delay_s, piece))
                ready.notify()
            if not piece:
                return

    def close(self):
        self.listener.close()


def run(folder: Path, say) -> dict:
    """{"http1": …, "http2": …, "delayed": …}: what bench_fetch prints; fresh connections by HTTP/1.1."""
    root = pki.authority("bench root")
    leaf = pki.issue("bench", root, names=[HOST])
    (folder / "ca.pem").write_text(root.pem)
    proxy = fetch.Proxy(names={HOST: "127.0.0.1"})
    client = fetch.Fetcher(folder / "client", proxy.end, [(root, True)])
    fresh = "location = /fresh { keepalive_timeout 0; return 200 '{\"data\":\"" + "x" * 885 + "\"}'; }"
    result = {}

    def measure(port, fresh_target, rounds, requests, parallel) -> dict:
        argv = [tools.find_build() / "bench" / "bench_fetch", client.commands.fileno(), HOST, port, "/900", fresh_target, folder / "ca.pem",
                rounds, requests, parallel]
        done = subprocess.run([*map(str, argv)], pass_fds=(client.commands.fileno(),), capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            raise RuntimeError(f"bench_fetch: {done.stderr}")
        return json.loads(done.stdout)

    try:
        for name, http2 in (("http1", False), ("http2", True)):
            with fetch.Nginx(folder / name, tools.free_ports(1)[0], leaf, staple=pki.ocsp(leaf), http2=http2, extra=fresh) as nginx:
                say(f"HTTPS through the enclave's client and by plain libcurl, {name}")
                # nginx ends connections of HTTP/1.1 alone where a location says so.
                result[name] = measure(nginx.port, "-" if http2 else "/fresh", ROUNDS, REQUESTS, PARALLEL)
                if http2:
                    continue
                say(f"the same at a round trip of {2 * DELAY_MS} ms")
                line = Forwarder(nginx.port, DELAY_MS / 1000)
                try:
                    result["delayed"] = measure(line.port, "/fresh", DELAYED_ROUNDS, DELAYED_REQUESTS, 0)
                finally:
                    line.close()
    finally:
        client.close()
        proxy.close()
    return result


if __name__ == "__main__":
    import tempfile
    with tempfile.TemporaryDirectory(prefix="caisson-bench-") as place:
        print(json.dumps(run(Path(place), print), indent=1))
