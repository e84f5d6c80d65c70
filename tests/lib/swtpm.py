"""A software TPM 2.0 (Debian's swtpm): real commands and keys, no hardware. Its state outlives the process, as a TPM's does."""
from __future__ import annotations

import hashlib
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
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
        wait_for(self._answers, 60, "swtpm's socket", 0.05)
        if measured is not None:
            self.extend(0, measured)

    def _answers(self) -> bool:
        """It listens a moment after its socket is there."""
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.path))
            except OSError:
                return False
        return True

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


# ---- several clients of one TPM ----

CREATE_PRIMARY, LOAD, START_AUTH_SESSION, FLUSH_CONTEXT = 0x131, 0x157, 0x176, 0x165
ENDORSEMENT = 0x4000000B
PASSWORD = struct.pack(">IHBH", 0x40000009, 0, 0, 0)


def command(code: int, body: bytes, sessions: bool = False) -> bytes:
    return struct.pack(">HII", 0x8002 if sessions else 0x8001, 10 + len(body), code) + body


class Shared:
    """A TPM as several processes have it at /dev/tpmrm0: one command at a time, and what a client leaves loaded goes with it (part
    of what the kernel's resource manager does; handles are not virtual here, so that three objects are loaded at the most)."""

    def __init__(self, tpm: Swtpm):
        self.tpm, self.lock = tpm, threading.Lock()
        self.path = Path(tpm.folder.name) / "shared"
        self.upstream = socket.socket(socket.AF_UNIX)
        self.upstream.connect(str(tpm.path))
        self.path.unlink(missing_ok=True)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(self.path))
        self.server.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    @staticmethod
    def _read(s: socket.socket) -> bytes:
        """One command or answer: its size is in its head."""
        data = b""
        while len(data) < 10 or len(data) < int.from_bytes(data[2:6], "big"):
            piece = s.recv(4096)
            if not piece:
                raise ConnectionError("it ended")
            data += piece
        return data

    def ask(self, sent: bytes) -> bytes:
        with self.lock:
            self.upstream.sendall(sent)
            return self._read(self.upstream)

    def _serve(self, client: socket.socket) -> None:
        loaded: set[bytes] = set()
        try:
            while True:
                sent = self._read(client)
                answer = self.ask(sent)
                code, good = int.from_bytes(sent[6:10], "big"), answer[6:10] == bytes(4)
                if good and code in (CREATE_PRIMARY, LOAD, START_AUTH_SESSION):
                    loaded.add(answer[10:14])
                if good and code == FLUSH_CONTEXT:
                    loaded.discard(sent[10:14])
                client.sendall(answer)
        except OSError:
            client.close()
        try:
            for handle in loaded:
                self.ask(command(FLUSH_CONTEXT, handle))
        except OSError:
            pass  # the TPM is gone, too

    def close(self) -> None:
        self.server.close()
        self.upstream.close()

    # ---- what its owner can do ----

    def indices(self) -> list[int]:
        """Of NV, those of owners (TPM2_GetCapability, TPM_CAP_HANDLES)."""
        answer = self.ask(command(0x17A, struct.pack(">III", 1, 0x01800000, 64)))
        count = struct.unpack(">I", answer[15:19])[0]
        found = struct.unpack(f">{count}I", answer[19:19 + 4 * count])
        return [index for index in found if index < 0x01C00000]

    def undefine(self, index: int) -> None:
        """TPM2_NV_UndefineSpace, by the owner."""
        body = struct.pack(">III", 0x40000001, index, len(PASSWORD)) + PASSWORD
        answer = self.ask(command(0x122, body, True))
        assert answer[6:10] == bytes(4), answer.hex()

    def write(self, index: int, data: bytes) -> int:
        """TPM2_NV_Write by the owner: the TPM's answer."""
        body = struct.pack(">III", 0x40000001, index, len(PASSWORD)) + PASSWORD + struct.pack(">H", len(data)) + data + bytes(2)
        return int.from_bytes(self.ask(command(0x137, body, True))[6:10], "big")
