"""The adapter-driver program: one adapter behind a pipe, and a gateway contract for it to watch."""
from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import threading
import time

from lib import abi, crypto, deploy, rlp
from lib.chains import Chain, secret_of
from lib.rpc import Contract, begin_create, end_create
from lib.tools import Missing, find_build

REMOTE_CHAIN_ID = 999
REMOTE_GENESIS = "0x" + "77" * 32
REMOTE_GATEWAY = "0x" + "88" * 20


class Gateway:
    """A gateway contract with one remote that does not exist: enough to send messages."""

    def __init__(self, chain: Chain):
        self.chain, self.sender = chain, chain.accounts[0]
        code = deploy.artifact("CaissonGateway")
        tx = begin_create(chain.rpc, self.sender, code, chain.caip2, chain.genesis_hash, self.sender, chain.accounts[1],
                          deploy.OWNER_DELAY_S, deploy.ROTATION_DELAY_S, deploy.OVERLAP_S, True)
        self._mine()
        self.contract: Contract = end_create(chain.rpc, code, tx)
        self.height = int(chain.rpc.receipt(tx)["blockNumber"], 16)
        self.remote = deploy.identity(f"eip155:{REMOTE_CHAIN_ID}", REMOTE_GENESIS, REMOTE_GATEWAY)
        self.identity = deploy.identity(chain.caip2, chain.genesis_hash, self.contract.address)
        txs = [self.contract.send(self.sender, "registerRemote", f"eip155:{REMOTE_CHAIN_ID}", REMOTE_GENESIS, REMOTE_GATEWAY,
                                  deploy.erc7930(REMOTE_CHAIN_ID), 0)]
        self._mine()
        txs.append(self.contract.send(self.sender, "setRoute", self.remote, deploy.ROUTE))
        self._mine()
        for tx in txs:
            chain.rpc.wait_receipt(tx)

    def settings(self) -> dict:
        """Of the driver."""
        return {"chain_id": self.chain.chain_id, "start_height": self.height, "block_time_ms": 250}

    def _mine(self) -> None:
        if self.chain.kind == "anvil" and self.chain.mining == "none":
            self.chain.mine()

    def message_data(self, payload: bytes = b"hello") -> bytes:
        return self.contract.data("sendMessage", deploy.erc7930(REMOTE_CHAIN_ID, "0x" + "99" * 20), payload, [])

    def send(self, count: int = 1, payload: bytes = b"hello", gas: int = 300_000) -> list[str]:
        """Transactions that each send a message; not waited for. geth's own choice of a nonce forgets what is pending while a block
        comes in, and gives it out again ("already known")."""
        data, rpc = self.message_data(payload), self.chain.rpc
        first = int(rpc.call("eth_getTransactionCount", self.sender, "pending"), 16)
        return [rpc.send(self.sender, self.contract.address, data, gas=gas, nonce=first + i) for i in range(count)]

    def sent(self, txs: list[str]) -> list[str]:
        """The messageIds of these transactions."""
        ids = []
        for tx in txs:
            receipt = self.chain.rpc.wait_receipt(tx)
            ids += ["0x" + bytes(e["messageId"]).hex() if isinstance(e["messageId"], bytes) else e["messageId"]
                    for e in self.contract.events("MessageCommitted", receipt)]
        return ids


class Driver:
    """with Driver(gateway) as d: d.ask("fees"); d.wait(lambda e: …)."""

    def __init__(self, gateway: Gateway, cursor: str | None = None, http: list[str] | None = None, ws: list[str] | None = None,
                 sign_by: int | None = None, **config):
        program = find_build() / "bin" / "adapter-driver"
        if not program.exists():
            raise Missing("adapter-driver", "build the preset dev first, or set CAISSON_BUILD")
        chain = gateway.chain
        settings = {"http": http if http is not None else [chain.url], "ws": ws if ws is not None else [chain.ws_url],
                    "genesis": chain.genesis_hash, "gateway": gateway.contract.address, "reconcile_ms": 600000, **gateway.settings(), **config}
        if cursor:
            settings["cursor"] = cursor
        self.gateway, self.chain, self.secret = gateway, chain, sign_by
        self.events: list[dict] = []
        self.answers: dict[int, dict] = {}
        self.signed: list[dict] = []
        self.sign_hook = None
        self.next_id, self.next_tx, self.to_sign = 1, 0, {}
        self.lines: queue.Queue = queue.Queue()
        self.process = subprocess.Popen([str(program), json.dumps(settings)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def __enter__(self):
        self.wait(lambda e: e["event"] == "started")
        return self

    def __exit__(self, kind, *_):
        self.process.stdin.close()
        code = self.process.wait(20)
        if kind is None:
            assert code == 0, f"the driver ended with {code}"

    # ---- lines
    def _take(self, timeout_s: float) -> bool:
        try:
            line = self.lines.get(timeout=timeout_s)
        except queue.Empty:
            return False
        if line is None:
            raise RuntimeError(f"the driver ended with {self.process.wait()}")
        if "id" in line:
            self.answers[line["id"]] = line
        else:
            self.events.append(line)
            if line["event"] == "sign":
                self._sign(line)
        return True

    def kill(self) -> None:
        """As a crash would."""
        self.process.kill()
        self.process.wait(20)

    def pump(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._take(left)

    def wait(self, condition, timeout_s: float = 20, what: str = "an event", since: int = 0) -> dict:
        """The first event that fits, of those already there (from `since`) or to come."""
        end, at = time.monotonic() + timeout_s, since
        while True:
            while at < len(self.events):
                if condition(self.events[at]):
                    return self.events[at]
                at += 1
            if not self._take(max(0.0, end - time.monotonic())) and time.monotonic() > end:
                raise TimeoutError(f"waited {timeout_s:g} s for {what}; the last events: {self.events[-5:]}")

    def wait_for(self, condition, timeout_s: float = 20, what: str = "a state"):
        end = time.monotonic() + timeout_s
        while not (value := condition()):
            if time.monotonic() > end:
                raise TimeoutError(f"waited {timeout_s:g} s for {what}; the last events: {self.events[-5:]}")
            self._take(0.05)
        return value

    def tell(self, what: str, **fields) -> int:
        number, self.next_id = self.next_id, self.next_id + 1
        self.process.stdin.write(json.dumps({"id": number, "do": what, **fields}) + "\n")
        self.process.stdin.flush()
        return number

    def ask(self, what: str, timeout_s: float = 20, **fields) -> dict:
        number = self.tell(what, **fields)
        end = time.monotonic() + timeout_s
        while number not in self.answers:
            if not self._take(max(0.0, end - time.monotonic())) and time.monotonic() > end:
                raise TimeoutError(f"no answer to {what}")
        return self.answers.pop(number)

    @contextlib.contextmanager
    def stopped(self):
        """It sees what happens meanwhile all at once: anvil_reorg takes its blocks back one after the other."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def counters(self) -> dict:
        return self.ask("counters")["counters"]

    # ---- what was heard
    def blocks(self, late: bool | None = None) -> list[dict]:
        return [e for e in self.events if e["event"] == "block" and (late is None or e["late"] == late)]

    def messages(self, late: bool | None = None) -> list[str]:
        """messageIds as a gateway would hold them: what was withdrawn is out, what came again is in."""
        held: list[tuple[int, str]] = []
        for e in self.events:
            if e["event"] == "reorg":
                held = [m for m in held if m[0] < e["from"]]
            if e["event"] == "block" and (late is None or e["late"] == late):
                held += [(e["block"]["height"], x["message_id"]) for x in e["events"] if x["kind"] == "message"]
        return [m[1] for m in held]

    def wait_messages(self, ids: list[str], timeout_s: float = 20) -> None:
        self.wait_for(lambda: set(ids) <= set(self.messages()), timeout_s, f"{len(ids)} messages")

    def wait_height(self, height: int, timeout_s: float = 20) -> dict:
        return self.wait(lambda e: e["event"] == "progress" and e.get("block", {}).get("height", -1) >= height, timeout_s,
                         f"height {height}")

    def cursor(self) -> str:
        return [e for e in self.events if e["event"] == "progress"][-1]["cursor"]

    # ---- transactions, signed by self.secret
    def submit(self, to: str, data: bytes = b"", repeat: bool = True, **fields) -> int:
        number, self.next_tx = self.next_tx, self.next_tx + 1
        self.to_sign[number] = (to, data)
        sender = "0x" + crypto.address(self.secret).hex()
        answer = self.ask("submit", tx=number, repeat=repeat, **{"from": sender}, to=to, data=abi.to_hex(data), **fields)
        assert answer["err"] == "ok", answer
        return number

    def _sign(self, event: dict) -> None:
        self.signed.append(event)
        if self.sign_hook and self.sign_hook(event):
            return
        raw, digest = self.sign(event, *self.to_sign[event["tx"]])
        event["raw"], event["hash"] = "0x" + raw.hex(), "0x" + digest.hex()
        self.tell("signed", tx=event["tx"], raw=event["raw"], hash=event["hash"])

    def sign(self, event: dict, to: str, data: bytes) -> tuple[bytes, bytes]:
        """The bytes of a transaction under these terms, and their hash."""
        if event["cancel"]:
            to, data = "0x" + crypto.address(self.secret).hex(), b""
        if event["legacy"]:
            raw = rlp.sign_legacy(self.secret, self.chain.chain_id, event["nonce"], abi.to_bytes(to), data, gas=event["gas"],
                                  price=event["max"])
        else:
            raw = rlp.sign_1559(self.secret, self.chain.chain_id, event["nonce"], abi.to_bytes(to), data, gas=event["gas"],
                                max_fee=event["max"], tip=event["tip"])
        return raw, crypto.keccak(raw)

    def wait_tx(self, number: int, state: str, timeout_s: float = 30) -> dict:
        return self.wait(lambda e: e["event"] == "tx" and e["tx"] == number and e["state"] == state, timeout_s,
                         f"transaction {number} to be {state}")

    def states(self, number: int) -> list[str]:
        return [e["state"] for e in self.events if e["event"] == "tx" and e["tx"] == number]


def fund(chain: Chain, label: str, wei: int = 10**19) -> int:
    """A fresh key with money; by its name."""
    secret = secret_of(f"{label} {time.monotonic_ns()}")
    tx = chain.rpc.send(chain.accounts[0], "0x" + crypto.address(secret).hex(), value=wei, gas=21000)
    if chain.kind == "anvil" and chain.mining == "none":
        chain.mine()
    chain.rpc.wait_receipt(tx)
    return secret


def address(secret: int) -> str:
    return "0x" + crypto.address(secret).hex()
