"""Applications behind sockets, and our client that drives them."""
from __future__ import annotations

import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Callable

from lib.proc import Process
from lib.rpc import wait_for
from lib.tools import find_build, find_tool, free_ports

START_TIMEOUT_S = 20
DRIVER_TIMEOUT_S = 90


def program(name: str) -> str:
    return str(find_build() / "bin" / name)


class Application(Process):
    """caisson-abci-kvstore, or abci-cli with CometBFT's own."""

    def __init__(self, folder: Path, kind: str = "caisson", name: str = "app", extra: tuple = (), tcp: bool = False):
        folder.mkdir(parents=True, exist_ok=True)
        self.socket = folder / f"{name}.sock"
        port = free_ports(1)[0]
        self.address = f"tcp://127.0.0.1:{port}" if tcp else f"unix://{self.socket}"
        argv = {"caisson": lambda: [program("caisson-abci-kvstore"), "--address", self.address, *extra],
                "cometbft": lambda: [find_tool("abci-cli"), "kvstore", "--address", self.address, *extra]}[kind]()
        self.socket.unlink(missing_ok=True)
        super().__init__(argv, folder / f"{name}.log")

        def listens():
            self.check()
            try:
                if tcp:
                    socket.create_connection(("127.0.0.1", port), 5).close()
                else:
                    # The file is there before anybody listens behind it.
                    with socket.socket(socket.AF_UNIX) as probe:
                        probe.connect(str(self.socket))
                return True
            except (ConnectionRefusedError, FileNotFoundError):
                return False

        try:
            wait_for(listens, START_TIMEOUT_S, f"the socket of {name}")
        except BaseException:
            self.stop()
            raise


def drive(address: str, questions: list[bytes], window: int = 1, after: int = 0,
          act: Callable[[], None] = lambda: None) -> tuple[list[bytes], str]:
    """The answers, and the line of the failure, empty when all was answered. act() is called when `after` answers are there."""
    with tempfile.TemporaryFile("w+") as lines, tempfile.TemporaryFile("w+") as errors:
        lines.writelines(q.hex() + "\n" for q in questions)
        lines.seek(0)
        with subprocess.Popen([program("abci-driver"), address, str(window)], stdin=lines, stdout=subprocess.PIPE, stderr=errors,
                              text=True) as driver:
            timer = threading.Timer(DRIVER_TIMEOUT_S, driver.kill)
            timer.start()
            answers = []
            for line in driver.stdout:
                answers.append(line.rstrip("\n"))
                if len(answers) == after:
                    act()
            code = driver.wait()
            timer.cancel()
        errors.seek(0)
        assert code in (0, 1) and errors.read() == "", code
    failed = answers.pop() if answers and answers[-1].startswith("failed ") else ""
    assert (code == 1) == bool(failed)
    return [bytes.fromhex(a) for a in answers], failed
