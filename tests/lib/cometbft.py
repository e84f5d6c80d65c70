"""Real CometBFT nodes on loopback: networks whose validators run different applications.

    with Network(folder, apps=["kvstore", "unix:///x/app.sock"]) as net:
        net.wait_height(2); net.nodes[0].send(b"key=value"); net.nodes[1].call("status")
"""
from __future__ import annotations

import base64
import http.client
import json
import re
import subprocess
from pathlib import Path

from .proc import Process
from .rpc import wait_for
from .tools import find_tool, free_ports

# What each is called in build/tools/bin.
PROGRAMS = {"0.38": "cometbft", "0.40": "cometbft-0.40"}
START_TIMEOUT_S = 60
# An idle block each; bursts are larger.
TIMEOUT_COMMIT = "150ms"
# So that one more with a power of 1 is not needed for a block.
VALIDATOR_POWER = 10


class CallError(Exception):
    """The node's answer is an error."""


def set_option(config: str, section: str, key: str, value: str) -> str:
    """One line of config.toml; section "" is what stands before the first one."""
    begin = 0 if section == "" else config.index(f"\n[{section}]\n")
    end = re.compile(r"^\[", re.M).search(config, begin + len(section) + 3)
    part, count = re.subn(rf"^{re.escape(key)} = .*$", lambda _: f"{key} = {value}",
                          config[begin:end.start() if end else None], flags=re.M)
    if count != 1:
        raise KeyError(f"{section}.{key}")
    return config[:begin] + part + (config[end.start():] if end else "")


class Node:
    """One `cometbft start`; home is a folder that testnet made."""

    def __init__(self, home: Path, program: str, app: str, rpc_port: int):
        self.home, self.program, self.app, self.rpc_port = home, program, app, rpc_port
        self.process: Process | None = None

    def start(self) -> None:
        self.process = Process([self.program, "start", "--home", self.home, "--proxy_app", self.app], self.home / "node.log")

    def stop(self) -> None:
        if self.process is not None:
            self.process.stop()

    def call(self, method: str, **params) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self.rpc_port, timeout=30)
        try:
            connection.request("POST", "/", json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}),
                               {"content-type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "error" in answer:
            raise CallError(f"{method}: {answer['error']}")
        return answer["result"]

    def height(self) -> int:
        return int(self.call("status")["sync_info"]["latest_block_height"])

    def send(self, tx: bytes) -> int:
        """The code of CheckTx."""
        return self.call("broadcast_tx_sync", tx=base64.b64encode(tx).decode())["code"]

    def commit(self, tx: bytes) -> int:
        """The height that has it."""
        result = self.call("broadcast_tx_commit", tx=base64.b64encode(tx).decode())
        assert result["check_tx"]["code"] == 0 and result["tx_result"]["code"] == 0, result
        return int(result["height"])

    def query(self, data: bytes, path: str = "", prove: bool = False) -> dict:
        return self.call("abci_query", data=data.hex(), path=path, prove=prove)["response"]

    def wait_height(self, height: int, timeout_s: float = START_TIMEOUT_S) -> None:
        def there():
            self.process.check()
            try:
                sync = self.call("status")["sync_info"]
                return int(sync["latest_block_height"]) >= height and not sync["catching_up"]
            except (OSError, CallError, http.client.HTTPException):
                return False

        wait_for(there, timeout_s, f"height {height} of {self.home}")


class Network:
    """Validators of equal power, one for each application, all connected."""

    def __init__(self, folder: Path, apps: list[str], version: str = "0.38", genesis: dict | None = None,
                 options: tuple[tuple[str, str, str], ...] = ()):
        program = find_tool(PROGRAMS[version])
        count = len(apps)
        done = subprocess.run([program, "testnet", "--v", str(count), "--o", folder, "--populate-persistent-peers=false"],
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"cometbft testnet failed\n{done.stderr}")
        ports = free_ports(2 * count)
        homes = [folder / f"node{i}" for i in range(count)]
        ids = [subprocess.run([program, "show-node-id", "--home", home], capture_output=True, text=True, check=True,
                              timeout=60).stdout.strip() for home in homes]
        peers = [f"{node_id}@127.0.0.1:{ports[count + i]}" for i, node_id in enumerate(ids)]
        self.nodes = []
        for i, (home, app) in enumerate(zip(homes, apps)):
            # Each dials those before it: two that dial each other at once drop both connections.
            settings = [("rpc", "laddr", f"tcp://127.0.0.1:{ports[i]}"), ("rpc", "pprof_laddr", ""),
                        ("p2p", "laddr", f"tcp://127.0.0.1:{ports[count + i]}"), ("p2p", "persistent_peers", ",".join(peers[:i]))]
            flags = [("p2p", "addr_book_strict", "false"), ("p2p", "allow_duplicate_ip", "true"), ("p2p", "pex", "false")]
            config = (home / "config" / "config.toml").read_text()
            for section, key, value in [*((s, k, f'"{v}"') for s, k, v in settings), *flags,
                                        ("consensus", "timeout_commit", f'"{TIMEOUT_COMMIT}"'), *options]:
                config = set_option(config, section, key, value)
            (home / "config" / "config.toml").write_text(config)
            self._change_genesis(home / "config" / "genesis.json", genesis or {})
            self.nodes.append(Node(home, program, app, ports[i]))

    @staticmethod
    def _change_genesis(path: Path, changes: dict) -> None:
        """Merges one level into consensus_params."""
        genesis = json.loads(path.read_text())
        for validator in genesis["validators"]:
            validator["power"] = str(VALIDATOR_POWER)
        for part, values in changes.items():
            genesis["consensus_params"].setdefault(part, {}).update(values)
        path.write_text(json.dumps(genesis))

    @property
    def genesis(self) -> dict:
        return json.loads((self.nodes[0].home / "config" / "genesis.json").read_text())

    def start(self) -> None:
        for node in self.nodes:
            node.start()

    def wait_height(self, height: int, timeout_s: float = START_TIMEOUT_S) -> None:
        for node in self.nodes:
            node.wait_height(height, timeout_s)

    def stop(self) -> None:
        for node in self.nodes:
            if node.process is not None:
                node.process.ask()
        for node in self.nodes:
            node.stop()

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
