"""Four validators, each in a network namespace of its own, on bridges that can be parted; two of them on small disks that can be filled.

Everything lives in a network and mount namespace that ends with this process: enter() makes it (root, or a user namespace where that is
allowed).
"""
from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from ledger.net import CHAIN_ID, Node, program, run
from lib.proc import Process

COUNT = 4
SUBNET = "10.77.0"
RPC_PORT, P2P_PORT = 26657, 26656
INSIDE = "CAISSON_LAB"
SMALL_DISKS = (2, 3)
DISK_SIZE = "512m"
CALL_TIMEOUT_S = 5


def enter() -> None:
    """Starts this program again inside; returns there."""
    if os.environ.get(INSIDE):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
        Path("/run/netns").mkdir()
        return
    own = ["--user", "--map-root-user"] if os.geteuid() != 0 else []
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", *own, "--net", "--mount", "--propagation", "private", sys.executable, *sys.argv])


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


class LabNode(Node):
    """A process in its namespace; what was done to it is known, so that a death that nobody caused is seen."""

    def __init__(self, index: int, home: Path):
        super().__init__(home, RPC_PORT, P2P_PORT)
        self.index, self.host = index, f"{SUBNET}.{10 + index}"
        self.is_stopped = False
        self.lives = 0
        key = json.loads((home / "config" / "priv_validator_key.json").read_text())
        self.address = key["address"]

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home.parent / f"{self.home.name}.log"

    def start(self) -> None:
        argv = ["nsenter", f"--net=/run/netns/n{self.index}", program(), "start", "--home", self.home]
        self.process = Process(argv, self.log)
        self.lives += 1

    def alive(self) -> bool:
        return self.process is not None and self.process.alive()

    def pause(self) -> None:
        self.is_stopped = True
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        self.is_stopped = False
        if self.alive():
            os.kill(self.process.pid, signal.SIGCONT)


class Lab:
    def __init__(self, folder: Path):
        self.folder = folder
        made = run("testnet", "--v", str(COUNT), "--o", str(folder / "net"), "--chain-id", CHAIN_ID)
        if made.returncode != 0:
            raise RuntimeError(made.stderr)
        ip("link", "set", "lo", "up")
        for bridge in ("br0", "br1"):
            ip("link", "add", bridge, "type", "bridge")
            ip("link", "set", bridge, "up")
        ip("addr", "add", f"{SUBNET}.1/24", "dev", "br0")
        self.nodes = [self._node(i) for i in range(COUNT)]

    def _node(self, i: int) -> LabNode:
        home = self.folder / "net" / f"node{i}"
        ip("netns", "add", f"n{i}")
        ip("link", "add", f"v{i}", "type", "veth", "peer", "name", "eth0", "netns", f"n{i}")
        ip("link", "set", f"v{i}", "master", "br0", "up")
        ip("-n", f"n{i}", "addr", "add", f"{SUBNET}.{10 + i}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            ip("-n", f"n{i}", "link", "set", device, "up")
        path = home / "config" / "config.toml"
        text = path.read_text()
        for k in range(COUNT):
            text = text.replace(f"@127.0.0.1:{26656 + 3 * k}", f"@{SUBNET}.{10 + k}:{P2P_PORT}")
        for which, port in enumerate((P2P_PORT, RPC_PORT)):
            text = text.replace(f"tcp://127.0.0.1:{26656 + 3 * i + which}", f"tcp://{SUBNET}.{10 + i}:{port}")
        path.write_text(text)
        if i in SMALL_DISKS:
            (home / "data").mkdir(mode=0o700, exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE},mode=700", "tmpfs", str(home / "data")], check=True)
        return LabNode(i, home)

    # ---- lines ----

    def part(self, away: list[int]) -> None:
        """These hear each other and nobody else; the rest, and the loader, hear each other."""
        for i in away:
            ip("link", "set", f"v{i}", "master", "br1")

    def unplug(self, i: int) -> None:
        ip("link", "set", f"v{i}", "down")

    def deafen(self, i: int, k: int) -> None:
        """Nothing that i says reaches k."""
        ip("-n", f"n{i}", "route", "add", "blackhole", f"{SUBNET}.{10 + k}/32")

    def hear(self, i: int, k: int) -> None:
        ip("-n", f"n{i}", "route", "del", "blackhole", f"{SUBNET}.{10 + k}/32")

    def join(self) -> None:
        for i in range(COUNT):
            ip("link", "set", f"v{i}", "master", "br0", "up")

    # ---- disks ----

    def fill(self, i: int, left: int) -> None:
        """All of it, then so many bytes are given back."""
        with open(self.nodes[i].data / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 20))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            file.truncate(max(0, file.tell() - left))

    def empty(self, i: int) -> None:
        (self.nodes[i].data / "filler").unlink()

    def stop(self) -> list[int | None]:
        """SIGTERM to all; their exit codes."""
        for node in self.nodes:
            node.resume()
            if node.process is not None:
                node.process.ask()
        return [node.process.stop(30) if node.process is not None else None for node in self.nodes]
