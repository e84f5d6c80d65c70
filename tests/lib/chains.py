"""Real EVM chains on loopback: anvil, and networks of three geth nodes that seal by Clique.

    with Anvil(folder, chain_id=31337) as chain:
        chain.rpc.block_number(); chain.url; chain.ws_url; chain.accounts   # unlocked, rich
"""
from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from . import crypto
from .proc import Process
from .rpc import Rpc, RpcError, wait_for
from .tools import find_tool, free_ports

START_TIMEOUT_S = 60
GAS_LIMIT_DEFAULT = 30_000_000
SIGNER_COUNT = 3
# All signers must be ready before block 1 is due: three that each sealed their own block 1 wait for each other for ever.
GENESIS_AHEAD_S = 4
AGREEMENT_TIMEOUT_S = 12
START_TRIES = 3
USER_COUNT = 6
BALANCE_WEI = 10**22
MINED_AT_ONCE = 50  # by one call: on a busy machine a block takes a tenth of a second, and a call has 30


class Chain:
    """What anvil and Clique have in common."""

    kind = ""
    url = ws_url = ""
    chain_id = 0
    accounts: list[str]
    rpc: Rpc
    processes: list[Process]

    @property
    def caip2(self) -> str:
        return f"eip155:{self.chain_id}"

    @property
    def endpoints(self) -> list[tuple[str, str]]:
        """RPC and websocket of its nodes, in the order in which gateways are told them."""
        return [(self.url, self.ws_url)]

    @property
    def genesis_hash(self) -> str:
        return self.rpc.block(0)["hash"]

    def erc7930(self, address: str | bytes = b"") -> bytes:
        """An account of this chain, or the chain alone."""
        reference = self.chain_id.to_bytes((self.chain_id.bit_length() + 7) // 8, "big")
        raw = bytes.fromhex(address[2:]) if isinstance(address, str) else address
        return b"\0\1\0\0" + bytes([len(reference)]) + reference + bytes([len(raw)]) + raw

    def alive(self) -> bool:
        return all(p.alive() for p in self.processes)

    def stop(self) -> None:
        for process in self.processes:
            process.ask()
        for process in self.processes:
            process.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _wait_up(self, process: Process, height: int) -> None:
        def up():
            process.check()
            try:
                return self.rpc.block_number() >= height
            except (OSError, RpcError):
                return False

        wait_for(up, START_TIMEOUT_S, f"block {height} of {self.caip2} ({process.log_path})")


class Anvil(Chain):
    """mining: "interval" (block_time seconds), "auto" (a block per transaction) or "none" (evm_mine by the test)."""

    kind = "anvil"

    def __init__(self, folder: Path, chain_id: int = 31337, block_time: float = 1, mining: str = "interval",
                 gas_limit: int = GAS_LIMIT_DEFAULT, hardfork: str = "prague", port: int | None = None,
                 accounts: int = 10, extra: list[str] | None = None):
        folder.mkdir(parents=True, exist_ok=True)
        self.chain_id, self.port = chain_id, port or free_ports(1)[0]
        self.url, self.ws_url = f"http://127.0.0.1:{self.port}", f"ws://127.0.0.1:{self.port}"
        argv = [find_tool("anvil"), "--host", "127.0.0.1", "--port", self.port, "--chain-id", chain_id,
                "--hardfork", hardfork, "--gas-limit", gas_limit, "--accounts", accounts,
                "--order", "fifo", *(extra or [])]
        argv += {"interval": ["--block-time", block_time], "auto": [], "none": ["--no-mining"]}[mining]
        self.processes = [Process(argv, folder / f"anvil-{chain_id}.log")]
        self.rpc = Rpc(self.url)
        try:
            self._wait_up(self.processes[0], 1 if mining == "interval" else 0)
            self.accounts = self.rpc.call("eth_accounts")
        except BaseException:
            self.stop()
            raise

    def mine(self, count: int = 1, interval: int = 1) -> None:
        for done in range(0, count, MINED_AT_ONCE):
            self.rpc.call("anvil_mine", hex(min(MINED_AT_ONCE, count - done)), hex(interval))


# Of a bridge that is kept: random bytes, set before anything is made (docker/make-bridge).
secret_salt = b""


def secret_of(label: str) -> int:
    """A key that anybody can compute, for throw-away chains; with a salt nobody else can."""
    return int.from_bytes(crypto.keccak(secret_salt + f"caisson test key: {label}".encode()), "big") % crypto.N


class Clique(Chain):
    """Three signers, each a geth node of its own; the first also holds the unlocked user accounts and serves RPC.

    Node i dials only nodes before it: two nodes that dial each other collide and try again half a minute later.
    """

    kind = "geth-clique"

    def __init__(self, folder: Path, chain_id: int = 41337, period: int = 1, epoch: int = 30000,
                 gas_limit: int = GAS_LIMIT_DEFAULT, signers: int = SIGNER_COUNT):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.chain_id, self.geth = folder, chain_id, find_tool("geth")
        self.signer_secrets = [secret_of(f"{chain_id} signer {i}") for i in range(signers)]
        self.signer_secrets.sort(key=crypto.address)
        self.signers = ["0x" + crypto.address(s).hex() for s in self.signer_secrets]
        users = [secret_of(f"{chain_id} user {i}") for i in range(USER_COUNT)]
        self.accounts = ["0x" + crypto.address(s).hex() for s in users]
        (folder / "password").write_text("caisson")
        for attempt in range(1, START_TRIES + 1):
            try:
                self._start_all(users, period, epoch, gas_limit)
                return
            except (TimeoutError, RuntimeError):  # one that ended: another took its port
                self.stop()
                if attempt == START_TRIES:
                    raise
            except BaseException:
                self.stop()
                raise

    def _start_all(self, users: list[int], period: int, epoch: int, gas_limit: int) -> None:
        count = len(self.signers)
        self._write_genesis(period, epoch, gas_limit)
        ports = free_ports(3 * count)
        self.p2p_ports, self.http_ports, self.auth_ports = ports[:count], ports[count:2 * count], ports[2 * count:]
        self.urls = [f"http://127.0.0.1:{p}" for p in self.http_ports]
        self.url, self.ws_url = self.urls[0], self.urls[0].replace("http", "ws")
        self.processes = []
        for i in range(count):
            shutil.rmtree(self._node(i), ignore_errors=True)
            self._prepare(i, users if i == 0 else [])
        for i in range(count):
            self._start(i, gas_limit)
            self.rpc = Rpc(self.urls[i])
            self._wait_up(self.processes[i], 0)  # a refused dial is tried again only half a minute later
        self.rpc = Rpc(self.url)
        self._begin_sealing()

    def _write_genesis(self, period: int, epoch: int, gas_limit: int) -> None:
        forks = ["homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg", "istanbul",
                 "berlin", "london"]
        config = {"chainId": self.chain_id, **{f"{f}Block": 0 for f in forks},
                  "clique": {"period": period, "epoch": epoch}}
        extra = "0x" + "00" * 32 + "".join(s[2:] for s in self.signers) + "00" * 65
        rich = {a: {"balance": hex(BALANCE_WEI)} for a in self.accounts}
        genesis = {"config": config, "difficulty": "0x1", "gasLimit": hex(gas_limit), "extraData": extra,
                   "timestamp": hex(int(time.time()) + GENESIS_AHEAD_S), "alloc": rich}
        (self.folder / "genesis.json").write_text(json.dumps(genesis, indent=1))

    def _node(self, index: int) -> Path:
        return self.folder / f"node{index}"

    def _prepare(self, index: int, users: list[int]) -> None:
        home, log = self._node(index), self.folder / f"node{index}.log"
        home.mkdir()
        (home / "nodekey").write_text(f"{secret_of(f'{self.chain_id} node {index}'):064x}")
        for secret in [self.signer_secrets[index], *users]:
            write_keystore(home / "keystore", secret, "caisson")
        init = Process([self.geth, "--datadir", home, "--state.scheme", "hash", "init", self.folder / "genesis.json"], log)
        if init.popen.wait(START_TIMEOUT_S) != 0:
            raise RuntimeError(f"geth init failed\n{init.tail()}")
        peers = [f"enode://{crypto.public_key(secret_of(f'{self.chain_id} node {i}')).hex()}@127.0.0.1:{self.p2p_ports[i]}"
                 for i in range(index)]
        # Only here can the listener be bound to loopback; --port would bind every interface.
        (home / "geth.toml").write_text(
            f"[Eth]\nNetworkId = {self.chain_id}\n\n[Node.P2P]\nListenAddr = \"127.0.0.1:{self.p2p_ports[index]}\"\n"
            f"MaxPeers = 10\nNoDiscovery = true\nStaticNodes = {json.dumps(peers)}\n")

    def _start(self, index: int, gas_limit: int) -> None:
        home, http = self._node(index), self.http_ports[index]
        unlock = [self.signers[index], *(self.accounts if index == 0 else [])]
        argv = [self.geth, "--config", home / "geth.toml", "--datadir", home, "--nodekey", home / "nodekey",
                "--syncmode", "full", "--gcmode", "archive", "--state.scheme", "hash", "--ipcdisable", "--nat", "none",
                "--nodiscover", "--netrestrict", "127.0.0.0/8", "--cache", "64", "--verbosity", "3",
                "--authrpc.addr", "127.0.0.1", "--authrpc.port", self.auth_ports[index],
                "--http", "--http.addr", "127.0.0.1", "--http.port", http, "--http.api", "eth,net,web3,debug,clique,txpool,admin,miner",
                "--ws", "--ws.addr", "127.0.0.1", "--ws.port", http, "--ws.api", "eth,net,web3,debug,clique", "--ws.origins", "*",
                "--rpc.txfeecap", "0", "--allow-insecure-unlock", "--unlock", ",".join(unlock),
                "--password", self.folder / "password", "--miner.etherbase", self.signers[index],
                "--miner.gaslimit", gas_limit, "--miner.gasprice", "1"]
        self.processes.append(Process(argv, self.folder / f"node{index}.log"))

    def _begin_sealing(self) -> None:
        """Once all are connected: a node that does not mine yet discards the blocks that it hears of."""
        rpcs = [Rpc(url) for url in self.urls]
        peers = len(rpcs) - 1
        wait_for(lambda: all(int(r.call("net_peerCount"), 16) >= peers for r in rpcs), START_TIMEOUT_S,
                 f"peers of {self.caip2}")
        for index in [1 % len(rpcs), *(i for i in range(len(rpcs)) if i != 1 % len(rpcs))]:  # block 1 is the second's turn
            rpcs[index].call("miner_start")

        def agreed():
            blocks = [r.block(2) for r in rpcs]
            return all(blocks) and len({b["hash"] for b in blocks}) == 1

        wait_for(agreed, AGREEMENT_TIMEOUT_S, f"agreement of the signers of {self.caip2}")


def write_keystore(folder: Path, secret: int, password: str) -> None:
    """A version 3 keystore file whose cipher needs no library: scrypt with a light cost, AES-128 in counter mode."""
    import hashlib
    folder.mkdir(exist_ok=True)
    address = crypto.address(secret).hex()
    salt, iv = crypto.keccak(b"salt" + bytes.fromhex(address)), crypto.keccak(b"iv" + bytes.fromhex(address))[:16]
    n, r, p = 4096, 8, 1
    derived = hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, dklen=32)
    cipher = aes128_ctr(derived[:16], iv, crypto.word(secret))
    kdf = {"n": n, "r": r, "p": p, "dklen": 32, "salt": salt.hex()}
    body = {"cipher": "aes-128-ctr", "cipherparams": {"iv": iv.hex()}, "ciphertext": cipher.hex(), "kdf": "scrypt",
            "kdfparams": kdf, "mac": crypto.keccak(derived[16:] + cipher).hex()}
    name = f"UTC--2026-01-01T00-00-00.000000000Z--{address}"
    (folder / name).write_text(json.dumps({"address": address, "crypto": body, "version": 3,
                                           "id": "00000000-0000-4000-8000-" + address[:12]}))


def _aes_sbox() -> list[int]:
    box, p, q = [0] * 256, 1, 1
    while True:
        p = (p ^ (p << 1) ^ (0x11B if p & 0x80 else 0)) & 0xFF
        q ^= q << 1
        q ^= q << 2
        q ^= q << 4
        q &= 0xFF
        q ^= 0x09 if q & 0x80 else 0
        x = q
        for shift in range(1, 5):
            x ^= ((q << shift) | (q >> (8 - shift))) & 0xFF
        box[p] = x ^ 0x63
        if p == 1:
            break
    box[0] = 0x63
    return box


def _aes128_block(key: bytes, block: bytes) -> bytes:
    box = _aes_sbox()
    words, constant = [list(key[i:i + 4]) for i in range(0, 16, 4)], 1
    for i in range(4, 44):
        last = list(words[-1])
        if i % 4 == 0:
            last = [box[b] for b in last[1:] + last[:1]]
            last[0] ^= constant
            constant = (constant << 1) ^ (0x11B if constant & 0x80 else 0)
        words.append([a ^ b for a, b in zip(words[i - 4], last)])
    keys = [sum(words[4 * i:4 * i + 4], []) for i in range(11)]
    state = [a ^ b for a, b in zip(block, keys[0])]
    for turn in range(1, 11):
        state = [box[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if turn < 10:
            mixed = []
            for c in range(0, 16, 4):
                column = state[c:c + 4]
                twice = [((b << 1) ^ (0x11B if b & 0x80 else 0)) & 0xFF for b in column]
                mixed += [twice[i] ^ twice[(i + 1) % 4] ^ column[(i + 1) % 4] ^ column[(i + 2) % 4] ^ column[(i + 3) % 4]
                          for i in range(4)]
            state = mixed
        state = [a ^ b for a, b in zip(state, keys[turn])]
    return bytes(state)


def aes128_ctr(key: bytes, iv: bytes, data: bytes) -> bytes:
    out, counter = b"", int.from_bytes(iv, "big")
    for start in range(0, len(data), 16):
        pad = _aes128_block(key, counter.to_bytes(16, "big"))
        out += bytes(a ^ b for a, b in zip(data[start:start + 16], pad))
        counter = (counter + 1) % 2**128
    return out
