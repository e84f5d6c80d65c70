"""Networks of caisson-ledger on loopback, each node a process.

    with Network(folder, 4) as net:
        net.wait_height(3); net.nodes[0].commit(b"key=value"); net.nodes[2].kill()
"""
from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from lib.bridge_ledger import spread_ports
from lib.proc import Process
from lib.rpc import wait_for
from lib.tools import find_build, free_ports

DEADLINE_S = 60
CHAIN_ID = "ledger-test"


class CallError(Exception):
    """The node's answer is an error; its code and data."""

    def __init__(self, error: dict):
        super().__init__(f"{error['code']}: {error.get('data', error['message'])}")
        self.code, self.data = error["code"], error.get("data", "")


def program() -> str:
    return str(find_build() / "bin" / "caisson-ledger")


def run(*args: str) -> subprocess.CompletedProcess:
    return subprocess.run([program(), *args], capture_output=True, text=True, timeout=DEADLINE_S, check=False)


class Node:
    host = "127.0.0.1"
    def __init__(self, home: Path, rpc_port: int, p2p_port: int):
        self.home, self.rpc_port, self.p2p_port = home, rpc_port, p2p_port
        self.process: Process | None = None
        self.args: list[str] = []

    def start(self, env: dict | None = None) -> None:
        argv = [program(), "start", "--home", self.home, *self.args]
        self.process = Process(argv, self.home.parent / f"{self.home.name}.log", env)

    def kill(self) -> None:
        self.process.kill()

    def get(self, path: str) -> tuple[int, dict]:
        """HTTP GET: status and the JSON-RPC response."""
        try:
            with urllib.request.urlopen(f"http://{self.host}:{self.rpc_port}{path}", timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def post(self, body) -> dict | list:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.host}:{self.rpc_port}/", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def call(self, method: str, **params):
        response = self.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        if "error" in response:
            raise CallError(response["error"])
        return response["result"]

    def commit(self, tx: bytes) -> dict:
        """Once it is in a block; where the call's own deadline is too early for the machine, it is looked for."""
        try:
            return self.call("broadcast_tx_commit", tx=base64.b64encode(tx).decode())
        except CallError as error:
            if "timed out" not in error.data:
                raise
        return wait_for(lambda: self.find(tx), DEADLINE_S, f"{tx!r} in a block")

    def find(self, tx: bytes) -> dict | None:
        try:
            return self.call("tx", hash=base64.b64encode(hashlib.sha256(tx).digest()).decode())
        except CallError:
            return None

    def height(self) -> int:
        return int(self.call("status")["sync_info"]["latest_block_height"])

    def is_up(self) -> bool:
        self.process.check()
        try:
            self.call("health")
            return True
        except OSError:
            return False

    def wait_height(self, height: int) -> None:
        wait_for(lambda: self.is_up() and self.height() >= height, DEADLINE_S, f"height {height} at {self.home.name}")


class Network:
    def __init__(self, folder: Path, count: int, change=None, arguments: tuple[str, ...] = ()):
        made = run("testnet", "--v", str(count), "--o", str(folder / "net"), "--chain-id", CHAIN_ID, *arguments)
        assert made.returncode == 0, made.stderr
        ports = free_ports(2 * count)
        self.nodes = []
        paths = [folder / "net" / f"node{i}" / "config" / "config.toml" for i in range(count)]
        for i, (path, text) in enumerate(zip(paths, spread_ports([path.read_text() for path in paths], ports))):
            # Blocks without end, that heights are soon reached, at a calm pace: the machine has other work.
            text += '\n[consensus]\ntimeout_commit = "50ms"\ncreate_empty_blocks_interval = "0s"\n'
            path.write_text(change(text) if change else text)
            self.nodes.append(Node(path.parents[1], ports[2 * i + 1], ports[2 * i]))

    def wait_height(self, height: int) -> None:
        for node in self.nodes:
            node.wait_height(height)

    def add_follower(self, name: str, settings: str = "", arguments: tuple[str, ...] = (), validates: bool = False) -> Node:
        """A node that knows all validators and has not begun; it is none of them, unless it validates once it may."""
        home = self.nodes[0].home.parent / name
        assert run("init", "--home", str(home), *arguments).returncode == 0
        (home / "config" / "genesis.json").write_text((self.nodes[0].home / "config" / "genesis.json").read_text())
        first = (self.nodes[0].home / "config" / "config.toml").read_text()
        peers = next(line for line in first.splitlines() if line.startswith("persistent_peers"))
        ports = free_ports(2)
        path = home / "config" / "config.toml"
        text = path.read_text().replace('persistent_peers = ""', peers)
        text = text.replace("127.0.0.1:26656", f"127.0.0.1:{ports[0]}").replace("127.0.0.1:26657", f"127.0.0.1:{ports[1]}")
        role = "" if validates else "\nvalidator = false"
        path.write_text(text.replace('moniker = "node"', f'moniker = "{name}"{role}', 1) + settings)
        node = Node(home, ports[1], ports[0])
        self.nodes.append(node)
        return node

    def __enter__(self):
        for node in self.nodes:
            node.start()
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            if node.process is not None:
                node.process.stop()


def change_genesis(network: Network, change) -> None:
    """One for all: its hash is part of what nodes say to each other."""
    texts = {}
    for node in network.nodes:
        path = node.home / "config" / "genesis.json"
        genesis = json.loads(path.read_text())
        change(genesis)
        texts[path] = json.dumps(genesis)
    assert len(set(texts.values())) == 1
    for path, text in texts.items():
        path.write_text(text)
