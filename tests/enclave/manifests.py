"""Manifests for tests, made by the same tool as the real ones."""
from __future__ import annotations

from pathlib import Path

import manifest as tool

ADMINISTRATOR = 0xA11CE
REMOTE = "0x" + "77" * 32


def chain(**over) -> dict:
    finality = {"mode": "clique", "anchor_hash": "0x" + "11" * 32, "anchor_height": 0, "seals_min": 0,
                "anchor_age_max_s": 86400, "trusting_period_s": 86400, "epoch": 30000, "period_s": 0, "drift_max_s": 0,
                "confirmations": 0, "reorg_margin_s": 5} | over.pop("finality", {})
    return {"caip2": "eip155:31337", "genesis": "0x" + "22" * 32, "gateway": "0x" + "33" * 20,
            "code_hash": "0x" + "44" * 32, "remotes": [REMOTE], "finality": finality,
            "policy": {"fee_cap_wei": 10**12, "gas_limit_max": 10**7, "total_cap_wei": 10**18,
                       "sweep_to": "0x" + "55" * 20}} | over


def body(builds: list[str], **over) -> dict:
    key = "0x" + tool.ev.public_x(ADMINISTRATOR).hex()
    return {"version": 1, "name": "test", "number": 1, "previous": "0x" + "00" * 32,
            "administrators": {"keys": [key], "threshold": 1}, "batch_max": 64, "builds": builds,
            "statement_manifest_min": 1, "time": ["insecure_host_time"], "chains": [chain()]} | over


def write(path: Path, inner: dict, keys: list[int] = (ADMINISTRATOR,)) -> str:
    """Writes the signed file; returns its hash."""
    text = tool.canonical(inner)
    signatures = [tool.sign(text, key) for key in keys]
    path.write_bytes(tool.canonical({"manifest": inner, "signatures": signatures}))
    return "0x" + tool.manifest_hash(text).hex()
