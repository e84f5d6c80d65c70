"""The owner of a contract names an enclave's key by evidence that a policy accepts: `caisson keys register`."""
from __future__ import annotations

import json
import subprocess
from pathlib import Path

from . import abi


def policy(measurement: str) -> dict:
    """This build alone; simulated evidence, as everything here is."""
    return {"version": 1, "measurements": [{"kind": "simulated", "label": "this build", "values": {"measurement": measurement[2:]}}],
            "insecure_accept_simulated": True}


def call(build: Path, folder: Path, document: dict, measurement: str, contract: str, remote: bytes, nonce: str = "") -> bytes:
    """The data of registerKey for the newest key of `remote` in a document of /v1/enclave/evidence; refused evidence raises."""
    evidence, accepted = folder / "evidence.json", folder / "evidence-policy.json"
    evidence.write_text(json.dumps(document))
    accepted.write_text(json.dumps(policy(measurement)))
    words = [build / "bin" / "caisson", "keys", "register", "--evidence", evidence, "--policy", accepted, "--contract", contract,
             "--remote", abi.to_hex(remote), "--insecure-verdict", "--json", *(["--nonce", nonce] if nonce else [])]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"the evidence names no key: {done.stderr.strip()}")
    return abi.to_bytes(json.loads(done.stdout)["data"])
