"""Where the repository is, and the programs that tests start."""
from __future__ import annotations

import os
import random
import shutil
import socket
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "build" / "tools" / "bin"
PORT_FIRST, PORTS_MIN = 10240, 8192


# What comes with another part, and is required with it.
PARTS = {"abci-cli": "cometbft", "cometbft-0.40": "cometbft"}


class Missing(Exception):
    """A part that the machine does not have; .part names it. Tests skip by it, unless it is required."""

    def __init__(self, part: str, how: str):
        super().__init__(f"{part} is missing: {how}")
        self.part = part


def find_tool(name: str) -> str:
    here = TOOLS / name
    if os.access(here, os.X_OK):
        return str(here.resolve())
    found = shutil.which(name)
    if found is None:
        part = PARTS.get(name, name)
        raise Missing(part, f"script/install {part if part in ('geth', 'cometbft') else 'demo'} brings {name}")
    return found


def find_build() -> Path:
    """The build directory whose programs are tested: $CAISSON_BUILD, else the newest of the presets' that has them."""
    given = os.environ.get("CAISSON_BUILD")
    if given:
        return Path(given).resolve()
    builds = [ROOT / "build" / preset for preset in ("demo", "dev", "release")]
    builds = [b for b in builds if (b / "bin" / "caisson").exists()]
    if not builds:
        raise Missing("caisson", "build a preset first, or set CAISSON_BUILD")
    return max(builds, key=lambda b: (b / "bin" / "caisson").stat().st_mtime)


def _ports() -> range:
    """Below those that the kernel gives to outgoing connections, which would take one between the look and its use."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    return range(PORT_FIRST, first) if first >= PORT_FIRST + PORTS_MIN else range(PORT_FIRST, 65536)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now, all different."""
    sockets = []
    try:
        while len(sockets) < count:
            s = socket.socket()
            try:
                s.bind(("127.0.0.1", random.SystemRandom().choice(_ports())))
                sockets.append(s)
            except OSError:
                s.close()
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def closed_port() -> socket.socket:
    """Bound and not listening: as long as it is kept, connections to its port are refused and no other server gets it."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken
