"""Applications behind sockets, and our client that drives them."""
from __future__ import annotations

import subprocess
from pathlib import Path

from lib.proc import Process
from lib.rpc import wait_for
from lib.tools import find_build, find_tool

START_TIMEOUT_S = 20
DRIVER_TIMEOUT_S = 90


def program(name: str) -> str:
    return str(find_build() / "bin" / name)


class Application(Process):
    """caisson-abci-kvstore, or abci-cli with CometBFT's own."""

    def __init__(self, folder: Path, kind: str = "caisson", name: str = "app", extra: tuple = ()):
        folder.mkdir(parents=True, exist_ok=True)
        self.socket = folder / f"{name}.sock"
        self.address = f"unix://{self.socket}"
        argv = {"caisson": lambda: [program("caisson-abci-kvstore"), "--address", self.address, *extra],
                "cometbft": lambda: [find_tool("abci-cli"), "kvstore", "--address", self.address, *extra]}[kind]()
        self.socket.unlink(missing_ok=True)
        super().__init__(argv, folder / f"{name}.log")

        def listens():
            self.check()
            return self.socket.exists()

        try:
            wait_for(listens, START_TIMEOUT_S, f"the socket of {name}")
        except BaseException:
            self.stop()
            raise


def drive(address: str, questions: list[bytes], window: int = 1) -> tuple[list[bytes], str]:
    """The answers, and the line of the failure, empty when all was answered."""
    lines = "".join(q.hex() + "\n" for q in questions)
    done = subprocess.run([program("abci-driver"), address, str(window)], input=lines, text=True, capture_output=True,
                          timeout=DRIVER_TIMEOUT_S)
    assert done.returncode in (0, 1) and done.stderr == "", done
    answers = done.stdout.splitlines()
    failed = answers.pop() if answers and answers[-1].startswith("failed ") else ""
    assert (done.returncode == 1) == bool(failed)
    return [bytes.fromhex(a) for a in answers], failed
