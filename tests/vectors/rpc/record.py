#!/usr/bin/env python3
"""Records what real nodes answer: python record.py. Needs anvil and geth (script/install test)."""
import json
import sys
import tempfile
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from lib import chains  # noqa: E402

QUESTION = '{"id":1,"jsonrpc":"2.0","method":"eth_getBlockByNumber","params":["%s",false]}'


def ask(chain, name: str, tag: str) -> dict:
    request = urllib.request.Request(chain.url, (QUESTION % tag).encode(), {"content-type": "application/json"})
    body = urllib.request.urlopen(request).read().decode()
    answer = json.loads(body)
    row = {"name": name, "tag": tag, "body": body}
    if "error" in answer:
        return row | {"error": "rpc"}
    block = answer["result"]
    if block is None:
        return row | {"error": "not-found"}
    return row | {"error": "ok", "height": int(block["number"], 16), "hash": block["hash"], "time_s": int(block["timestamp"], 16)}


def record(folder: Path) -> list[dict]:
    with chains.Anvil(folder / "anvil", mining="auto") as chain:
        chain.mine(70)
        rows = [ask(chain, "anvil 1.7.1", tag) for tag in ("finalized", "safe", "latest")]
    with chains.Clique(folder / "geth") as chain:
        return rows + [ask(chain, "geth 1.13.15, Clique", tag) for tag in ("finalized", "safe", "latest")]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        rows = record(Path(scratch))
    (HERE / "answers.json").write_text(json.dumps(rows, indent=1) + "\n")
