"""What somebody else on the machine can see of a running gateway: the rows of its journal, every commit of its write-ahead log,
and the replies of its enclave that it has not read."""
from __future__ import annotations

import ctypes
import fcntl
import os
import re
import signal
import socket
import sqlite3
import struct
import termios
import time
from pathlib import Path
from typing import Iterator

from .rpc import wait_for
from .tools import ROOT

SOURCE, DESTINATION = 1, 2
SIDES = {SOURCE: "source", DESTINATION: "destination"}
STOP_TIMEOUT_S = 10
_SYS_PIDFD_GETFD = 438
_libc = ctypes.CDLL(None, use_errno=True)


def relay_states() -> dict[str, int]:
    """By name, as the journal numbers them."""
    text = (ROOT / "relay_state" / "relay" / "states.def").read_text()
    return {name: int(n) for n, name in re.findall(r'^RELAY_STATE\(\w+, (\d+), "(\w+)"', text, re.M)}


def pause(pid: int) -> None:
    """SIGSTOP, until every thread stands still; resume() lets it go on."""
    def stands() -> bool:
        tasks = Path(f"/proc/{pid}/task").glob("*/stat")
        return all(stat.read_text().rsplit(")", 1)[1].split()[0] in "TtZX" for stat in tasks)

    os.kill(pid, signal.SIGSTOP)
    wait_for(stands, STOP_TIMEOUT_S, f"the pause of {pid}", 0.0005)


def resume(pid: int) -> None:
    os.kill(pid, signal.SIGCONT)


class Journal:
    """A reader of a gateway's SQLite file beside the gateway."""

    def __init__(self, folder: Path):
        self.path = folder / "journal.db"
        self.connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=2, isolation_level=None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def state(self, message_id: str, side: int) -> int:
        """0: there is no such row."""
        return state_of(self.connection, message_id, side)

    def begin(self) -> None:
        """From here on the log keeps every commit, until commits() was called."""
        self.connection.execute("BEGIN")
        self.connection.execute("SELECT count(*) FROM messages").fetchone()
        self.kept = self._log()

    def commits(self) -> Iterator[sqlite3.Connection]:
        """The database as each commit since begin() left it. Whoever writes stands still meanwhile."""
        (salt_before, before), (salt, frames) = self.kept, self._log()
        image = bytearray(self.path.read_bytes())
        self.connection.execute("COMMIT")
        # Another salt: the log began again, and all of it is new.
        first, at = len(before) if salt == salt_before else 0, 0
        for last, (_, pages, _) in enumerate(frames):
            if not pages:
                continue  # not the end of a commit
            for page, _, content in frames[at:last + 1]:
                image.extend(bytes(max(0, page * len(content) - len(image))))
                image[(page - 1) * len(content):page * len(content)] = content
            at = last + 1
            if last >= first:
                yield self._open(image[:pages * len(content)])

    def _log(self) -> tuple[bytes, list[tuple[int, int, bytes]]]:
        """Of the write-ahead log (SQLite's file format, section 4): its salt; of each frame the page, the pages of the database if it
        ends a commit, the content. What an earlier round of the file left behind them has another salt."""
        log = Path(f"{self.path}-wal").read_bytes()
        size, salt = struct.unpack_from(">I", log, 8)[0], log[16:24]
        frames = []
        for at in range(32, len(log) - 24 - size + 1, 24 + size):
            page, pages, of = struct.unpack_from(">II8s", log, at)
            if of != salt:
                break
            frames.append((page, pages, log[at + 24:at + 24 + size]))
        return salt, frames

    @staticmethod
    def _open(image: bytearray) -> sqlite3.Connection:
        image[18:20] = b"\1\1"  # not WAL: there is no log beside it any more
        connection = sqlite3.connect(":memory:")
        connection.deserialize(bytes(image))
        return connection


def state_of(connection: sqlite3.Connection, message_id: str, side: int) -> int:
    row = connection.execute("SELECT state FROM messages WHERE id=? AND side=?", (bytes.fromhex(message_id[2:]), side)).fetchone()
    return row[0] if row else 0


class Unread:
    """What waits in a process' connection to its enclave; the process does not notice."""

    def __init__(self, pid: int, path: Path):
        pidfd = os.pidfd_open(pid)
        try:
            self.socket = next(s for s in self._sockets(pid, pidfd) if s is not None and s.getpeername() == str(path))
        finally:
            os.close(pidfd)

    @staticmethod
    def _sockets(pid: int, pidfd: int) -> Iterator[socket.socket | None]:
        for name in os.listdir(f"/proc/{pid}/fd"):
            if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                continue
            fd = _libc.syscall(_SYS_PIDFD_GETFD, pidfd, int(name), 0)
            if fd < 0:
                raise OSError(ctypes.get_errno(), "pidfd_getfd")
            copy = socket.socket(fileno=fd)
            try:
                copy.getpeername()
                yield copy
            except OSError:
                copy.close()

    def types(self) -> list[int]:
        """Of the frames that wait (wire/frame.h)."""
        try:
            data = self.socket.recv(1 << 20, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        found, at = [], 0
        while at + 16 <= len(data):
            size, kind = struct.unpack_from(">IH", data, at)
            found.append(kind)
            at += 16 + size
        return found

    def asked(self, within_s: float) -> bool:
        """Whether the process sends something that its enclave does not read."""
        def sent() -> bool:
            count, = struct.unpack("i", fcntl.ioctl(self.socket, termios.TIOCOUTQ, b"\0" * 4))
            return count > 0

        return comes(sent, within_s)

    def close(self) -> None:
        self.socket.close()


def comes(condition, within_s: float) -> bool:
    """Whether it does in time; it need not."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True
