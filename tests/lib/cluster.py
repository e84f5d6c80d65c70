"""A key cluster on this machine: key servers, guards and workers as processes, under manifests that one administrator signs.

A process is simulated (insecure_accept_simulated: its evidence is what it claims about itself), or on one of lib.machines.
"""
from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import struct
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from . import figures
from .proc import Process, children_of
from .rpc import wait_for
from .service import toml, write_secret
from .tools import ROOT, find_build, free_ports

if TYPE_CHECKING:
    from .machines import Machine

START_TIMEOUT_S = 180
APPLICATION = "ledger-index"
VERBS = {"status": 1, "create": 2, "join": 3, "promote": 4, "rotate": 5, "revoke": 6, "manifest": 7, "seal": 8, "open": 9, "share": 10}


class Refused(Exception):
    """What a process answered instead: .code is the error's name."""

    def __init__(self, code: str, why: str):
        super().__init__(f"{code}: {why}")
        self.code, self.why = code, why


def manifest_tool(*arguments, caisson: Path | str = "caisson") -> str:
    run = subprocess.run([sys.executable, ROOT / "tools" / "manifest.py", "--cluster", "--caisson", caisson, *map(str, arguments)],
                         capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"manifest.py {arguments[0]}: {run.stderr.strip()}")
    return run.stdout.strip()


def measure(program: Path) -> str:
    return subprocess.run([program, "--measure"], capture_output=True, text=True, check=True).stdout.strip()


def caisson(build: Path, *arguments) -> subprocess.CompletedProcess:
    return subprocess.run([build / "bin" / "caisson", *map(str, arguments)], capture_output=True, text=True, timeout=120)


def other_build(program: Path, to: Path) -> Path:
    """The same program with a byte more at its end: another measurement."""
    shutil.copy(program, to)
    with open(to, "ab") as out:
        out.write(b"!")
    return to


class Process_:
    """One process of the cluster: its folder, its life, questions to it."""

    def __init__(self, cluster: "Cluster", name: str, role: str, settings: dict, program: Path | None = None,
                 machine: Machine | None = None):
        self.cluster, self.name, self.role, self.settings, self.machine = cluster, name, role, settings, machine
        self.program = program or cluster.program
        self.folder = cluster.folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket, self.config, self.log = self.folder / "ask.sock", self.folder / "cluster.toml", self.folder / "cluster.log"
        self.metrics_port = free_ports(1)[0]
        self.process: Process | None = None
        write_secret(self.folder / "seal.root", secrets.token_hex(32) + "\n")

    def write(self) -> None:
        manifests = [str(path) for path in self.cluster.manifests]
        lines = [f"role = {toml(self.role)}"]
        if self.role == "worker":
            lines.append(f"application = {toml(self.settings.get('application', APPLICATION))}")
        lines += ["[enclave]", f"program = {toml(str(self.program))}", f"first = {toml(self.cluster.first)}", f"manifests = {toml(manifests)}"]
        machine = self.machine.prepare(self.folder) if self.machine else {}
        arguments = [*self.cluster.arguments, *machine.pop("args", [])]
        if arguments:
            lines.append(f"args = {toml(arguments)}")
        lines += [f"{key} = {toml(value)}" for key, value in machine.items()]
        lines.append("[network]")
        lines += [f"{key} = {toml(self.settings[key])}" for key in ("listen", "local", "peers") if key in self.settings]
        if self.cluster.ledger:
            lines += ["[ledger]", *(f"{key} = {toml(value)}" for key, value in self.cluster.ledger.items())]
        lines += ["[metrics]", f"port = {self.metrics_port}"]
        self.config.write_text("\n".join(lines) + "\n")

    def start(self) -> "Process_":
        self.write()
        self.process = Process([self.cluster.build / "bin" / "caisson-cluster", "--config", self.config], self.log)
        return self

    def ready(self) -> "Process_":
        """Until its enclave has its state."""
        def is_up():
            self.process.check()
            try:
                return self.health()
            except OSError:
                return False
        wait_for(is_up, START_TIMEOUT_S, f"{self.name} to be up ({self.log})")
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.stop()

    def kill(self) -> None:
        self.process.kill()

    def enclave_pid(self) -> int:
        return children_of(self.process.pid)[0]

    def health(self) -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/healthz", timeout=10) as reply:
            return json.load(reply)["up"]

    def figure(self, name: str) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as reply:
            return next(float(line.rsplit(" ", 1)[1]) for line in reply.read().decode().splitlines() if line.startswith(f"{name}{{"))

    def metric(self, event: str) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as reply:
            for line in reply.read().decode().splitlines():
                if line.startswith("caisson_cluster_events_total") and f'event="{event}"' in line:
                    return float(line.rsplit(" ", 1)[1])
        raise KeyError(event)

    def shows_all(self, prefix: str = "") -> None:
        """As Service.shows_all."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as reply:
            figures.page().check_shown("cluster", reply.read().decode(), prefix)

    # ---- questions, as wire/cluster_ask.h has them ----

    def ask(self, verb: str, argument: bytes = b"") -> bytes:
        question = bytes([VERBS[verb]]) + argument
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(str(self.socket))
            s.sendall(struct.pack(">I", len(question)) + question)
            answer = self._read(s, struct.unpack(">I", self._read(s, 4))[0])
        name = answer[1:1 + answer[0]].decode()
        rest = answer[1 + answer[0]:]
        if name != "ok":
            raise Refused(name, rest.decode())
        return rest

    @staticmethod
    def _read(s: socket.socket, n: int) -> bytes:
        data = b""
        while len(data) < n:
            piece = s.recv(n - len(data))
            if not piece:
                raise ConnectionError("it ended")
            data += piece
        return data

    def status(self) -> dict:
        return json.loads(self.ask("status"))

    @staticmethod
    def _data(purpose: str, data: bytes) -> bytes:
        return bytes([len(purpose)]) + purpose.encode() + data

    def seal(self, plain: bytes, purpose: str = "test") -> bytes:
        return self.ask("seal", self._data(purpose, plain))

    def open(self, sealed: bytes, purpose: str = "test") -> bytes:
        return self.ask("open", self._data(purpose, sealed))

    def share(self, peer: int, plain: bytes, purpose: str = "test") -> bytes:
        return self.ask("share", bytes([peer]) + self._data(purpose, plain))

    def joined(self) -> bool:
        return self.status()["joined"]


class Cluster:
    """with Cluster(folder) as c: c.start(guards=2, workers=4). Processes are in c.key_servers, c.guards, c.workers."""

    def __init__(self, folder: Path, build: Path | None = None, worker_s: int = 3600, key_server_s: int = 86400, decrypt_s: int | None = None,
                 arguments: list[str] | None = None, builds: dict[str, list[tuple[str, str]]] | None = None,
                 holders: int = 0, threshold: int = 0, time: dict | None = None, ledger: dict | None = None, machines: list[Machine] = (),
                 checked: bool = True):
        """time: the manifest's members about it; ledger: id, tag and nodes of [ledger]. Without them: the host's clock."""
        self.folder, self.build, self.machines = folder, build or find_build(), list(machines)
        folder.mkdir(parents=True, exist_ok=True)
        self.program = self.build / "bin" / "caisson-cluster-enclave"
        self.arguments = os.environ.get("CAISSON_CLUSTER_ARGS", "").split() if arguments is None else arguments
        self.lives = {"key_server_s": key_server_s, "worker_s": worker_s}
        self.decrypt_s = decrypt_s if decrypt_s is not None else max(600, worker_s)
        self.key_servers: list[Process_] = []
        self.guards: list[Process_] = []
        self.workers: list[Process_] = []
        self.manifests: list[Path] = []
        self.first = ""
        self.administrator = manifest_tool("keygen", folder / "administrator.key")
        self.time, self.ledger = time or {"time": ["insecure_host_time"]}, ledger
        self.holders = [folder / f"holder-{i}.key" for i in range(holders)]
        self.recovery = {"keys": [self.keygen(path) for path in self.holders], "threshold": threshold}
        self.builds = builds or {role: [(f"{role} 1", measure(self.program))] for role in ("key_server", "guard", "worker")}
        self.names: dict[str, int] = {}
        self.sign(checked)

    def keygen(self, path: Path) -> str:
        """A holder's key; gives the public one."""
        run = caisson(self.build, "keygen", "--recovery", path)
        assert run.returncode == 0, run.stderr
        return run.stdout.strip()

    # ---- manifests ----

    def draft(self, **changes) -> dict:
        def policy(role):
            listed = [{"kind": "simulated", "label": label, "values": {"measurement": value}} for label, value in self.builds[role]]
            listed += [machine.reference(f"{role} on {machine.kind}") for machine in self.machines]
            return {"insecure_accept_simulated": True, "version": 1, "measurements": listed,
                    **({"insecure_accept_test_roots": True} if self.machines else {})}
        policies = {role: policy(role) for role in ("guard", "key_server", "worker")}
        number = len(self.manifests) + 1
        draft = {
            "administrators": {"keys": [self.administrator], "threshold": 1},
            "applications": [{"builds": [one["label"] for one in policies["worker"]["measurements"]], "name": APPLICATION}],
            "epochs": {"decrypt_s": self.decrypt_s, "length_s": 0}, "lives": self.lives, "name": "tests", "number": number,
            "peer_number_min": 1, "policies": policies,
            "previous": self.hash if self.manifests else "0x" + "00" * 32, "recovery": self.recovery,
            "version": 1}
        if self.machines:
            from .machines import roots_of
            draft["roots"] = roots_of(self.machines)
        return {**draft, **self.time, **changes}

    def sign(self, checked: bool = True, **changes) -> Path:
        """The next manifest of the lineage, over what is in self.builds now; processes that start from here on are given it.
        Not checked: whoever reads it before it is signed says yes to everything, as for what processes have to refuse."""
        number = len(self.manifests) + 1
        draft, out = self.folder / f"draft-{number}.json", self.folder / f"manifest-{number}.json"
        draft.write_text(json.dumps(self.draft(**changes)))
        self.hash = manifest_tool("sign", draft, "-o", out, "--key", self.folder / "administrator.key",
                                  caisson=self.build / "bin" / "caisson" if checked else "true")
        self.manifests.append(out)
        self.first = self.first or self.hash
        return out

    # ---- processes ----

    def _name(self, kind: str) -> str:
        self.names[kind] = self.names.get(kind, 0) + 1
        return f"{kind}{self.names[kind]}"

    def add_key_server(self, peers: list[str] = (), program: Path | None = None, machine: Machine | None = None,
                       listen: str | None = None) -> Process_:
        process = Process_(self, self._name("ks"), "key-server",
                           {"listen": listen or f"127.0.0.1:{free_ports(1)[0]}", "peers": list(peers)}, program, machine)
        self.key_servers.append(process)
        return process

    def add_guard(self, program: Path | None = None, peers: list[str] | None = None, machine: Machine | None = None) -> Process_:
        if peers is None:
            peers = [k.settings["listen"] for k in self.key_servers]
        process = Process_(self, self._name("guard"), "guard", {"local": "guard.sock", "peers": peers}, program, machine)
        self.guards.append(process)
        return process

    def add_worker(self, guard: Process_, program: Path | None = None, application: str = APPLICATION, peers: list[str] = (),
                   machine: Machine | None = None) -> Process_:
        port = free_ports(1)[0]
        process = Process_(self, self._name("worker"), "worker",
                           {"local": str(guard.folder / "guard.sock"), "listen": f"127.0.0.1:{port}", "peers": list(peers),
                            "application": application}, program, machine)
        self.workers.append(process)
        return process

    def everybody(self) -> list[Process_]:
        return [*self.key_servers, *self.guards, *self.workers]

    def start(self, guards: int = 1, workers: int = 1) -> "Cluster":
        """One key server; the workers are spread over the guards, and know each other."""
        ks = self.add_key_server().start().ready()
        ks.ask("create")
        for _ in range(guards):
            self.add_guard().start()
        for i in range(workers):
            self.add_worker(self.guards[i % guards])
        for worker in self.workers:
            worker.settings["peers"] = [w.settings["listen"] for w in self.workers]
            worker.start()
        for process in self.everybody():
            process.ready()
        for worker in self.workers:
            wait_for(worker.joined, START_TIMEOUT_S, f"{worker.name} to join ({worker.log})")
        return self

    def stop(self) -> None:
        for process in reversed(self.everybody()):
            process.stop()

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_) -> None:
        self.stop()
