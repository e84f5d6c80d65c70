"""caisson-enclave started by a test itself, without a gateway: it inherits a listening socket and the sealing root."""
from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from . import crypto, proc
from .rpc import wait_for
from .tools import ROOT, find_build


def sample_manifest(folder: Path, program: Path, mode: str = "insecure_dev_head") -> tuple[Path, str]:
    """A manifest of two chains that nobody runs; its path and hash."""
    admin, draft, out = folder / "administrator.key", folder / "draft.json", folder / "manifest.json"
    tool = [sys.executable, str(ROOT / "tools" / "manifest.py")]

    def run(*arguments) -> str:
        return subprocess.run([*map(str, arguments)], capture_output=True, text=True, check=True).stdout.strip()

    key = run(*tool, "keygen", admin)
    rows = [(f"eip155:{7001 + i}", "0x" + bytes([0x31 + i] * 32).hex(), "0x" + bytes([0x41 + i] * 20).hex()) for i in range(2)]
    identities = [run(*tool, "identity", *row) for row in rows]
    finality = {"anchor_hash": "0x" + "51" * 32, "anchor_height": 0, "anchor_age_max_s": 86400, "trusting_period_s": 86400,
                "seals_min": 0, "epoch": 30000 if mode == "clique" else 0, "confirmations": 2 if mode == "insecure_dev_head" else 0,
                "reorg_margin_s": 4, "period_s": 0, "drift_max_s": 15, "mode": mode}
    listed = [{"caip2": c, "genesis": g, "gateway": a, "code_hash": "0x" + "61" * 32, "finality": finality,
               "policy": {"fee_cap_wei": 10**12, "gas_limit_max": 30_000_000, "total_cap_wei": 5 * 10**18, "sweep_to": "0x" + "71" * 20},
               "remotes": [identities[1 - i]]} for i, (c, g, a) in enumerate(rows)]
    draft.write_text(json.dumps({
        "administrators": {"keys": [key], "threshold": 1}, "batch_max": 64, "builds": ["0x" + run(program, "--measure")],
        "chains": listed, "name": "sample", "number": 1, "previous": "0x" + "00" * 32, "statement_manifest_min": 1,
        "time": ["insecure_host_time"], "version": 1}))
    return out, run(*tool, "sign", draft, "-o", out, "--key", admin)


class Enclave:
    """with Enclave(folder) as enclave: enclave.path is its socket."""

    def __init__(self, folder: Path, program: Path | None = None, arguments: list[str] | None = None, mode: str = "insecure_dev_head"):
        folder.mkdir(parents=True, exist_ok=True)
        self.program = program or find_build() / "bin" / "caisson-enclave"
        manifest, lineage = sample_manifest(folder, self.program, mode)
        self.path = folder / "enclave.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen(8)
        read_end, write_end = os.pipe()
        os.write(write_end, crypto.keccak(b"a sealing root that everybody knows"))
        os.close(write_end)
        argv = [str(self.program), "--listen-fd", str(listener.fileno()), "--seal-root-fd", str(read_end), "--lineage", lineage,
                "--manifest", str(manifest), "--serve", "eip155:7001", *(arguments or [])]
        self.log = folder / "enclave.log"
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                          pass_fds=(listener.fileno(), read_end), preexec_fn=proc._die_with_parent)
        listener.close()
        os.close(read_end)
        try:
            wait_for(self._ready, 30, f"the enclave ({self.log})")
        except BaseException:
            self.stop()
            raise

    def _ready(self) -> bool:
        text = self.log.read_text(errors="replace")
        if self.popen.poll() is not None:
            raise RuntimeError(f"caisson-enclave ended with {self.popen.returncode}\n{text}")
        return "ready" in text

    def stop(self) -> None:
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
