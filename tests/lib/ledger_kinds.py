"""Ledgers of several validators, and ledgers under a real CometBFT, behind the same calls as lib.ledger.Ledger."""
from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from . import cometbft
from .bridge_ledger import spread_ports
from .ledger import Ledger
from .proc import Process
from .rpc import wait_for
from .tools import find_build, free_ports

SOCKET_TIMEOUT_S = 20
# A block of several validators, some of which are away, waits so long for the others.
COMMIT_PAUSE = "400ms"


class Validators(Ledger):
    """A ledger of `count` validators of equal power, the last `away` of which never start; its RPC is the first one's. With `bond` each has
    this deposit, of the second account, and who misbehaves loses of it and is out."""

    def __init__(self, folder: Path, chain_id: str, count: int = 4, away: int = 0, bond: int = 0):
        self.count, self.present, self.bond = count, count - away, bond
        self.ports = free_ports(2 * count)
        super().__init__(folder, chain_id)

    @property
    def homes(self) -> list[Path]:
        return [self.folder / "net" / f"node{i}" for i in range(self.count)]

    def url_of(self, index: int) -> str:
        return f"http://127.0.0.1:{self.ports[2 * index + 1]}"

    def _init(self, p2p: int) -> None:
        bond = ("--bond", f"{self.accounts[1]}={self.bond}") if self.bond else ()
        self._make("testnet", "--v", str(self.count), "--o", self.folder / "net", *bond)
        self.home, self.port = self.homes[0], self.ports[1]
        self.url, self.ws_url = self.url_of(0), f"ws://127.0.0.1:{self.port}/websocket"
        paths = [home / "config" / "config.toml" for home in self.homes]
        for path, text in zip(paths, spread_ports([path.read_text() for path in paths], self.ports)):
            path.write_text(text + f'\n[consensus]\ntimeout_commit = "{COMMIT_PAUSE}"\ncreate_empty_blocks_interval = "{COMMIT_PAUSE}"\n')

    def start_node(self, index: int) -> Process:
        return Process([self.program, "start", "--home", self.homes[index]], self.folder / f"node{index}.log")

    def start(self) -> None:
        self.processes = [self.start_node(i) for i in range(self.present)]
        self._wait_up(self.processes[0], 2)


class Followed(Ledger):
    """A ledger of one validator, and a node that follows it and is told to gateways first: it may fail, and the chain goes on."""

    def __init__(self, folder: Path, chain_id: str):
        self.follower_home, self.follower_ports = folder / "follower", free_ports(3)
        super().__init__(folder, chain_id)

    def _init(self, p2p: int) -> None:
        super()._init(p2p)
        self._make("init", "--home", self.follower_home)
        shutil.copyfile(self.home / "config" / "genesis.json", self.follower_home / "config" / "genesis.json")
        peer = subprocess.run([self.program, "show-node-id", "--home", self.home], capture_output=True, text=True, check=True).stdout.strip()
        path = self.follower_home / "config" / "config.toml"
        text = path.read_text().replace('persistent_peers = ""', f'persistent_peers = "{peer}@127.0.0.1:{p2p}"')
        for port, other in zip((26657, 26656, 26660), self.follower_ports):
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{other}")
        path.write_text(text)

    @property
    def follower(self) -> Process:
        return self.processes[1]

    @property
    def endpoints(self) -> list[tuple[str, str]]:
        address = f"127.0.0.1:{self.follower_ports[0]}"
        return [(f"http://{address}", f"ws://{address}/websocket"), *super().endpoints]

    def start(self) -> None:
        super().start()
        self.processes.append(Process([self.program, "start", "--home", self.follower_home], self.folder / "follower.log"))


class Application(Process):
    """caisson-abci-ledger with its own database."""

    def __init__(self, folder: Path, name: str):
        folder.mkdir(parents=True, exist_ok=True)
        self.socket = folder / f"{name}.sock"
        self.socket.unlink(missing_ok=True)
        self.address = f"unix://{self.socket}"
        super().__init__([find_build() / "bin" / "caisson-abci-ledger", "--address", self.address, "--database", folder / f"{name}.db"],
                         folder / f"{name}.log")
        wait_for(lambda: self.check() or self.socket.exists(), SOCKET_TIMEOUT_S, "the socket")


def take_genesis(net: cometbft.Network, genesis: dict) -> None:
    """What of a genesis of ours is the application's; the validators are CometBFT's own."""
    for node in net.nodes:
        path = node.home / "config" / "genesis.json"
        text = json.loads(path.read_text())
        text.update({key: genesis[key] for key in ("chain_id", "genesis_time", "initial_height", "app_state")})
        path.write_text(json.dumps(text))


class UnderCometbft(Ledger):
    """The same application under a real CometBFT of this version, as its only validator."""

    def __init__(self, folder: Path, chain_id: str, version: str = "0.38"):
        self.version = version
        super().__init__(folder, chain_id)

    def _init(self, p2p: int) -> None:
        self._make("init", "--home", self.home)
        self.net = cometbft.Network(self.folder / "comet", [f"unix://{self.folder / 'app.sock'}"], self.version,
                                    options=(("consensus", "timeout_commit", f'"{COMMIT_PAUSE}"'),))
        take_genesis(self.net, json.loads((self.home / "config" / "genesis.json").read_text()))
        self.port = self.net.nodes[0].rpc_port
        self.url, self.ws_url = f"http://127.0.0.1:{self.port}", f"ws://127.0.0.1:{self.port}/websocket"

    def start(self) -> None:
        node = self.net.nodes[0]
        self.processes = [Application(self.folder, "app")]
        node.start()
        self.processes.insert(0, node.process)  # the node ends before its application
        self._wait_up(node.process, 2)

    def stop(self) -> None:
        for process in self.processes:
            process.stop()
