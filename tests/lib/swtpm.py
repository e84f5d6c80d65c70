"""A software TPM 2.0 (Debian's swtpm): real commands and keys, no hardware. Its state outlives the process, as a TPM's does."""
from __future__ import annotations

import hashlib
import shutil
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

from lib.rpc import wait_for


def missing() -> str:
    """Why there is none; "" where there is."""
    return "" if shutil.which("swtpm") else "swtpm is not installed (script/install test)"


class Swtpm:
    """start() is a start of the machine: PCRs are zero again. One client at a time."""

    def __init__(self, state: Path):
        state.mkdir(exist_ok=True)
        self.state = state
        # Paths of Unix sockets are short: not in the folder of the test.
        self.folder = tempfile.TemporaryDirectory(prefix="cs")
        self.path = Path(self.folder.name) / "tpm"
        self.process: subprocess.Popen | None = None

    def start(self, measured: bytes | None = None) -> None:
        """measured: what the firmware extends PCR 0 with."""
        self.stop()
        self.path.unlink(missing_ok=True)
        self.process = subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.state}", "--server",
                                         f"type=unixio,path={self.path}", "--flags", "not-need-init,startup-clear"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.path.exists, 30, "swtpm's socket", 0.05)
        if measured is not None:
            self.extend(0, measured)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.folder.cleanup()

    def extend(self, pcr: int, data: bytes) -> None:
        """TPM2_PCR_Extend (TPM Library 1.59, part 3, 22.2), SHA-256, without a password."""
        authorization = struct.pack(">IHBH", 0x40000009, 0, 0, 0)
        digests = struct.pack(">IH", 1, 0x000B) + hashlib.sha256(data).digest()
        body = struct.pack(">II", pcr, len(authorization)) + authorization + digests
        command = struct.pack(">HII", 0x8002, 10 + len(body), 0x182) + body
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(self.path))
            client.sendall(command)
            answer = client.recv(4096)
        assert struct.unpack(">I", answer[6:10])[0] == 0, answer.hex()
