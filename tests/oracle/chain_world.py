"""An oracle alone on a chain, with sources that are there, slow or unreachable, and requests of contracts."""
from __future__ import annotations

import itertools
import json
import os
import signal
import time
from contextlib import contextmanager

import oracle_vectors as ov
from lib import abi, fetch
from lib.deploy import ANSWERED
from lib.oracle import OracleWorld, source, spec
from lib.rpc import wait_for
from lib.service import ApiError
from lib.sources import Sources
from lib.tools import closed_port

ONE, TWO, SLOW = "one.example.test", "two.example.test", "slow.example.test"
WAIT_S = 60
GAS = 3_000_000
PLENTY = 10**9  # gas for nothing, of an hour


class ChainWorld(OracleWorld):
    def __init__(self, folder, chain, **keys):
        """keys: of [[chains]]."""
        self.sources = Sources(folder / "sources", [ONE, TWO, SLOW])
        self.nobody = closed_port()
        self.closed = self.nobody.getsockname()[1]
        self.numbers = itertools.count(1)
        self.pause_s, self.asked = 4.0, 0  # of the slow source
        leaf = self.sources.authority.leaf(SLOW)
        self.slow = fetch.Server(folder / "slow", leaf, self._slowly)
        super().__init__(folder / "world", chain, self.sources.store, self.sources.authority.hash, [ONE, TWO, SLOW],
                         more={"relay": {"retry_min_ms": 200, "retry_max_ms": 2000},
                               "chains": {"unpaid_gas_max": PLENTY, "unpaid_asker_gas_max": PLENTY} | keys})

    def _slowly(self, tls) -> None:
        while fetch.read_head(tls):
            self.asked += 1
            time.sleep(self.pause_s)
            tls.sendall(fetch.ok(b'{"price":"7"}'))

    def __exit__(self, *what):
        try:
            super().__exit__(*what)
        finally:
            self.slow.close()
            self.sources.close()

    # ---- specs, each of its own

    def price(self, value) -> bytes:
        path = f"price{next(self.numbers)}"
        self.sources.set(ONE, path, {"price": str(value)})
        return spec(source(self.sources.url(ONE, path)))

    def slow_price(self) -> bytes:
        return spec(source(f"https://{SLOW}:{self.slow.port}/p{next(self.numbers)}"))

    def unreachable(self) -> bytes:
        return spec(source(f"https://{TWO}:{self.closed}/p{next(self.numbers)}"))

    # ---- the process's view

    def state(self, request: dict) -> dict | None:
        try:
            return self.oracle.get(f"/v1/oracle/requests/{abi.to_hex(request['id'])}/state")
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def wait_state(self, request: dict, *states: str, timeout_s: float = WAIT_S) -> dict:
        return wait_for(lambda: (s := self.state(request)) and s["state"] in states and s, timeout_s,
                        f"{'/'.join(states)} of {abi.to_hex(request['id'])} ({self.oracle.log})", 0.02)

    def send_by_hash(self, text: bytes, lifetime: int = 600) -> str:
        c = self.contracts
        fee = c.requests.read("quote", 0, 0)
        return c.requests.send(c.user, "requestByHash", ov.spec_hash(text), [], b"", "0x" + "00" * 20, 0, 60,
                               self.chain.rpc.time() + lifetime, value=fee, gas=GAS)

    def by_hash(self, text: bytes, lifetime: int = 600) -> dict:
        return self.contracts.asked(self.chain.rpc.wait_receipt(self.send_by_hash(text, lifetime)))

    def with_chain(self, **keys) -> None:
        """Goes on with these keys of [[chains]]."""
        self.oracle.stop()
        self.oracle.more["chains"] |= keys
        self.oracle.write_files()
        self.oracle.restart()

    @contextmanager
    def through(self, proxy):
        """Goes on with this as its only node, and without it afterwards."""
        config, direct = self.oracle.config, self.oracle.config.read_text()
        self.oracle.stop()
        config.write_text("".join(f'rpc = ["{proxy.url}"]\n' if line.startswith("rpc =") else "ws = []\n" if line.startswith("ws =") else line
                                  for line in direct.splitlines(keepends=True)))
        try:
            self.oracle.restart()
            yield
        finally:
            self.oracle.stop()
            config.write_text(direct)
            self.oracle.restart()

    def wait_why(self, request: dict, words: str) -> dict:
        return wait_for(lambda: (s := self.state(request)) and words in (s["why"] or "") and s, WAIT_S,
                        f"{words!r} of {abi.to_hex(request['id'])} ({self.oracle.log})", 0.05)

    def publish(self, text: bytes) -> None:
        status, body = self.oracle.request("PUT", "/v1/oracle/specs", {"spec": json.loads(text)})
        assert status == 200 and abi.to_bytes(body["spec_hash"]) == ov.spec_hash(text), body

    def once(self, request: dict, code: int = 0) -> dict:
        """Answered, by one event; that event."""
        assert self.contracts.ends(request) == (ANSWERED, code)
        # State and logs are two questions to the node: the second is asked until it has the answer of the first.
        answer, = wait_for(lambda: self.contracts.answers_of(request), WAIT_S, "the event", 0.05)
        assert answer["code"] == code
        self.wait_state(request, "done")
        return answer

    def crash(self, who: str) -> None:
        """One of them, or both at once as a power cut would."""
        for name, pid in self.oracle.pids().items():
            if who in ("both", name):
                os.kill(pid, signal.SIGKILL)
        if who != "caisson-oracle-enclave":
            self.oracle.process.popen.wait()

    def stop_mining(self) -> None:
        self.chain.rpc.call("evm_setIntervalMining", 0)

    def go_on_mining(self) -> None:
        self.chain.rpc.call("evm_setIntervalMining", 1)

    def calls(self) -> int:
        """Transactions of the operator that are in blocks."""
        return int(self.chain.rpc.call("eth_getTransactionCount", self.oracle.operator, "latest"), 16)
