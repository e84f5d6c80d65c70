"""Manifests of whole worlds, made by tools/manifest.py as an operator makes them."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .chains import Chain
from .tools import ROOT

ANCHOR_AGE_MAX_S = 86400
TRUSTING_PERIOD_S = 86400
CONFIRMATIONS = 2
REORG_MARGIN_S = 4


def measurement(program: Path) -> str:
    run = subprocess.run([program, "--measure"], capture_output=True, text=True, check=True)
    return "0x" + run.stdout.strip()


def tool(*arguments) -> str:
    run = subprocess.run([sys.executable, ROOT / "tools" / "manifest.py", *map(str, arguments)], capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"manifest.py {arguments[0]}: {run.stderr.strip()}")
    return run.stdout.strip()


def finality(chain: Chain, confirmations: int = CONFIRMATIONS, seals_min: int = 0) -> dict:
    """Of one row of `chains`; the anchor is the latest block of anvil and of a ledger, Clique's genesis."""
    if chain.kind == "ledger":
        anchor_hash, header = chain.rpc.header()
        return {"anchor_hash": anchor_hash, "anchor_height": int(header["height"]), "anchor_age_max_s": ANCHOR_AGE_MAX_S,
                "trusting_period_s": TRUSTING_PERIOD_S, "seals_min": 0, "epoch": 0, "confirmations": 0, "reorg_margin_s": 0, "period_s": 0,
                "drift_max_s": 10, "mode": "cometbft", "trust_level": {"numerator": 1, "denominator": 3}}
    anchor = chain.rpc.block("latest" if chain.kind == "anvil" else 0)
    fields = {"anchor_hash": anchor["hash"], "anchor_height": int(anchor["number"], 16), "anchor_age_max_s": ANCHOR_AGE_MAX_S,
              "trusting_period_s": TRUSTING_PERIOD_S, "seals_min": 0, "epoch": 0, "confirmations": 0,
              "reorg_margin_s": REORG_MARGIN_S, "period_s": 0, "drift_max_s": 15}
    if chain.kind == "anvil":
        return {**fields, "mode": "insecure_dev_head", "confirmations": confirmations}
    return {**fields, "mode": "clique", "seals_min": seals_min, "epoch": 30000, "period_s": 1}


def time_of(bridge, proof_age_s: int = 60, lag_max: int = 16, clock_error_s: int = 2, registration: dict | None = None) -> dict:
    """What of a manifest says that the time is that of a bridge's ledger (bridge_ledger.py), whose newest block is the anchor."""
    anchor_hash, header = bridge.rpc.header()
    finality_ = {"anchor_hash": anchor_hash, "anchor_height": int(header["height"]), "anchor_age_max_s": ANCHOR_AGE_MAX_S,
                 "trusting_period_s": TRUSTING_PERIOD_S, "seals_min": 0, "epoch": 0, "confirmations": 0, "reorg_margin_s": 0, "period_s": 0,
                 "drift_max_s": 10, "mode": "cometbft", "trust_level": {"numerator": 1, "denominator": 3}}
    return {"time": ["ledger"], "ledger": {
        "anchor_lag_max": lag_max, "caip2": bridge.caip2, "clock_error_s": clock_error_s, "finality": finality_,
        "genesis": "0x" + bridge.tag.hex(), "proof_age_max_s": proof_age_s, "quorum": len(bridge.time_keys) // 2 + 1,
        "time_keys": bridge.time_keys, **({"registration": registration} if registration else {})}}


def row(chain: Chain, finality_: dict, gateway: str, code_hash: str, remotes: list[str], sweep_to: str, gas_limit: int) -> dict:
    policy = {"fee_cap_wei": 10**12, "gas_limit_max": gas_limit, "total_cap_wei": 5 * 10**18, "sweep_to": sweep_to.lower()}
    return {"caip2": chain.caip2, "genesis": chain.genesis_hash, "gateway": gateway.lower(), "code_hash": code_hash,
            "finality": finality_, "policy": policy, "remotes": remotes}


def write(out: Path, rows: list[dict], builds: list[str], name: str, **more) -> str:
    """The first of a lineage, signed by an administrator whose key lies beside it; its hash."""
    admin_file, draft_file = out.parent / "administrator.key", out.with_suffix(".draft.json")
    admin_file.unlink(missing_ok=True)
    admin = tool("keygen", admin_file)
    draft_file.write_text(json.dumps({
        "administrators": {"keys": [admin], "threshold": 1}, "batch_max": 64, "builds": builds, "chains": rows, "name": name,
        "number": 1, "previous": "0x" + "00" * 32, "statement_manifest_min": 1, "time": ["insecure_host_time"], "version": 1, **more},
        indent=1))
    return tool("sign", draft_file, "-o", out, "--key", admin_file)
