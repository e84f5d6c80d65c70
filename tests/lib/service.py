"""A process of ours with a REST interface: its folder, its API keys, its life, requests to it."""
from __future__ import annotations

import hashlib
import http.client
import json
import os
import secrets
import subprocess
from pathlib import Path
from urllib.parse import urlencode

from . import figures
from .proc import Process, children_of
from .rpc import wait_for

START_TIMEOUT_S = 60


def write_secret(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as out:
        out.write(text)


def toml(value) -> str:
    """TOML's strings, numbers, booleans and arrays of strings are JSON's."""
    return json.dumps(value)


class ApiError(Exception):
    def __init__(self, status: int, body):
        super().__init__(f"HTTP {status}: {json.dumps(body) if isinstance(body, dict) else body}")
        self.status, self.body = status, body


class Service:
    """start() is the subclass': it leaves a Process in self.process."""

    program: str  # as docs/metrics.md names it: whatever it shows of figures is held against that page

    def __init__(self, name: str, folder: Path, build: Path, port: int):
        self.name, self.folder, self.build, self.port = name, folder, build, port
        folder.mkdir(parents=True, exist_ok=True)
        self.url = f"http://127.0.0.1:{port}"
        self.key = secrets.token_hex(24)
        self.key_file = folder / "demo.key"
        self.config = folder / "caisson.toml"
        self.log = folder / "caisson.log"
        self.process: Process | None = None

    # ---- files ----

    def write_keys(self, *entries: tuple[str, str, str]) -> None:
        """api.keys of (name, scopes, key), the seal root, and the first key for the command line."""
        (self.folder / "api.keys").write_text("".join(
            f"{name} {scopes} {hashlib.sha256(key.encode()).hexdigest()}\n" for name, scopes, key in entries))
        os.chmod(self.folder / "api.keys", 0o600)
        write_secret(self.key_file, entries[0][2] + "\n")
        if not (self.folder / "seal.root").exists():
            write_secret(self.folder / "seal.root", secrets.token_hex(32) + "\n")

    # ---- the process ----

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        if self.process:
            self.process.stop(timeout_s=20)

    def restart(self) -> None:
        """Where it was stopped or killed: until it is healthy."""
        self.start()
        wait_for(self.healthy, START_TIMEOUT_S, f"health of {self.name} ({self.log})", 0.1)

    def pids(self) -> dict[str, int]:
        """By program: caisson, caisson-gateway, caisson-enclave, caisson-oracle, caisson-oracle-enclave."""
        found = {}
        for pid in [self.process.pid, *children_of(self.process.pid)]:
            try:
                name = Path(f"/proc/{pid}/comm").read_text().strip()  # 15 characters of it
            except FileNotFoundError:
                continue
            found["caisson-oracle-enclave" if name == "caisson-oracle-" else name] = pid
        return found

    def healthy(self) -> bool:
        self.process.check()
        try:
            return self.request("GET", "/healthz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def check_log(self) -> None:
        """A build with sanitizers tells there what it found; whoever supervises starts again whatever ended by it."""
        found = [line for line in self.log.read_text(errors="replace").splitlines() if "Sanitizer" in line or "runtime error:" in line]
        assert not found, (str(self.log), found[:5])

    # ---- REST ----

    def request(self, method: str, path: str, body=None, headers: dict | None = None, key: str | None = None, timeout_s: float = 30):
        """(status, decoded body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            data = None if body is None else json.dumps(body).encode()
            all_headers = {"authorization": f"Bearer {key or self.key}", **(headers or {})}
            if data is not None:
                all_headers["content-type"] = "application/json"
            connection.request(method, path, data, all_headers)
            response = connection.getresponse()
            raw = response.read()
        finally:
            connection.close()
        self.check_reply(method, path, response.status, response.headers, raw)
        if path == "/metrics" and response.status == 200:
            figures.page().check(self.program, raw.decode())
        try:
            return response.status, json.loads(raw)
        except ValueError:
            return response.status, raw.decode(errors="replace")

    def check_reply(self, method: str, path: str, status: int, headers: http.client.HTTPMessage, raw: bytes) -> None:
        """Of services that describe their replies."""

    def shows_all(self, prefix: str = "") -> None:
        """Every figure of docs/metrics.md whose name begins so."""
        figures.page().check_shown(self.program, self.get("/metrics"), prefix)

    def get(self, path: str, **query):
        status, body = self.request("GET", path + ("?" + urlencode(query) if query else ""))
        if status != 200:
            raise ApiError(status, body)
        return body

    def post(self, path: str, body: dict | None = None, **headers):
        status, reply = self.request("POST", path, body if body is not None else {}, headers)
        if status not in (200, 201, 202):
            raise ApiError(status, reply)
        return reply

    def figure(self, name: str, **labels: str) -> float:
        """Of /metrics, the series that has exactly these labels, in their order there."""
        series = name + ("{" + ",".join(f'{label}="{value}"' for label, value in labels.items()) + "}" if labels else "")
        return next(float(line.rsplit(" ", 1)[1]) for line in self.get("/metrics").splitlines() if line.startswith(series + " "))

    def enclave(self) -> dict:
        """What its enclave says of itself, as soon as it has keys."""
        def ready():
            self.process.check()
            try:
                told = self.get("/v1/enclave")
            except (OSError, http.client.HTTPException, ApiError):
                return None
            return told if told.get("ready") and told.get("keys") else None

        return wait_for(ready, START_TIMEOUT_S, f"keys of the enclave of {self.name} ({self.log})", 0.1)

    def caisson(self, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess:
        """The command line against this process."""
        argv = [self.build / "bin" / "caisson", *arguments]
        env = {**os.environ, "CAISSON_URL": self.url, "CAISSON_API_KEY_FILE": str(self.key_file)}
        return subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, cwd=self.folder, env=env)
