"""Stand-ins for the kernel's attestation interfaces: folders whose attributes are FIFOs that a thread of the test serves. What
they give is recorded, or generated under the test CA (lib.tee); no hardware made it."""
from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

Answer = Callable[[bytes], bytes]  # report data to evidence


class Served:
    def __init__(self, root: Path):
        self.root = root
        self.asked: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            while True:
                self.turn()
        except OSError:
            pass  # the folder went with the test

    def turn(self) -> None:
        raise NotImplementedError


def fifo(path: Path) -> None:
    os.mkfifo(path, 0o600)


class Gramine(Served):
    """/dev/attestation."""

    def __init__(self, root: Path, answer: Answer, kind: str = "dcap", key: bytes | None = bytes(range(16))):
        self.answer = answer
        (root / "keys").mkdir(parents=True)
        fifo(root / "user_report_data")
        fifo(root / "quote")
        (root / "attestation_type").write_text(kind)
        if key is not None:
            (root / "keys" / "_sgx_mrsigner").write_bytes(key)
        super().__init__(root)

    def turn(self) -> None:
        data = (self.root / "user_report_data").read_bytes()
        self.asked.append(data)
        (self.root / "quote").write_bytes(self.answer(data))


class Tsm(Served):
    """/sys/kernel/config/tsm; others(n): by how much somebody else raises the generation in turn n."""

    def __init__(self, root: Path, answer: Answer, provider: str = "tdx_guest", aux: bytes | None = None,
                 others: Callable[[int], int] = lambda turn: 0):
        self.answer, self.aux, self.others, self.generation = answer, aux, others, 7
        self.entry = root / "report" / "caisson"
        self.entry.mkdir(parents=True)
        fifo(self.entry / "inblob")
        fifo(self.entry / "outblob")
        (self.entry / "provider").write_text(provider + "\n")
        (self.entry / "generation").write_text("7\n")
        if aux is not None:
            (self.entry / "auxblob").write_bytes(aux)
        super().__init__(root)

    def turn(self) -> None:
        data = (self.entry / "inblob").read_bytes()
        self.generation += 1 + self.others(len(self.asked))
        self.asked.append(data)
        (self.entry / "generation").write_text(f"{self.generation}\n")
        (self.entry / "outblob").write_bytes(self.answer(data))
