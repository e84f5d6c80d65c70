"""A chain of headers that was never run, whose validators change as it goes on, and a node of it that answers `commit` and
`validators`: what a light client asks for."""
from __future__ import annotations

import base64
import copy
import hashlib
import http.server
import json
import threading
import time

from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

from ledger import forge

CHAIN_ID = "forged-1"
SET_SIZE, POWER = 4, 10


class Key(forge.Key):
    def __init__(self, name: str):
        pair = ECC.construct(curve="Ed25519", seed=hashlib.sha256(name.encode()).digest())
        raw = pair.public_key().export_key(format="raw")
        self.address = hashlib.sha256(raw).hexdigest()[:40].upper()
        self.public = {"type": "tendermint/PubKeyEd25519", "value": base64.b64encode(raw).decode()}
        self.signer = eddsa.new(pair, "rfc8032")

    def validator(self) -> dict:
        return {"address": self.address, "pub_key": self.public, "voting_power": str(POWER), "proposer_priority": "0"}


class Chain:
    """Of `count` blocks, a second each, the newest of now. At every second height one of four validators is replaced."""

    def __init__(self, count: int, chain_id: str = CHAIN_ID, salt: str = "", app_hash_size: int = 32):
        self.count, self.salt, self.app_hash_size = count, salt, app_hash_size
        self.blocks: dict[int, dict] = {}
        begin, last = int(time.time()) - count, {"hash": "", "parts": {"total": 0, "hash": ""}}
        for height in range(1, count + 1):
            self.blocks[height] = self._block(height, chain_id, begin + height, last)
            last = self.blocks[height]["signed_header"]["commit"]["block_id"]

    def _keys(self, height: int) -> list[Key]:
        first = height // 2
        return [Key(f"{self.salt} validator {i}") for i in range(first, first + SET_SIZE)]

    def _block(self, height: int, chain_id: str, time_s: int, last: dict) -> dict:
        keys = self._keys(height)
        rows, after = (forge.in_order([k.validator() for k in row]) for row in (keys, self._keys(height + 1)))
        empty = hashlib.sha256(b"").hexdigest().upper()
        header = {"version": {"block": "11", "app": "1"}, "chain_id": chain_id, "height": str(height),
                  "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_s)), "last_block_id": last,
                  "last_commit_hash": empty, "data_hash": empty, "validators_hash": forge.set_hash(rows).hex().upper(),
                  "next_validators_hash": forge.set_hash(after).hex().upper(), "consensus_hash": empty,
                  "app_hash": hashlib.shake_128(f"{self.salt}{height}".encode()).hexdigest(self.app_hash_size).upper(), "last_results_hash": empty,
                  "evidence_hash": empty, "proposer_address": rows[0]["address"]}
        return {"signed_header": {"header": header, "commit": forge.commit(header, rows, {k.address: k for k in keys})}, "validators": rows}

    def hash(self, height: int) -> str:
        return self.blocks[height]["signed_header"]["commit"]["block_id"]["hash"]

    def copy(self) -> "Chain":
        return copy.deepcopy(self)


class Server:
    """with Server(chain) as node: node.url, node.asked (heights whose commits were asked for)"""

    def __init__(self, chain: Chain):
        self.chain, self.asked = chain, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": outer.answer(request["method"], request["params"])}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, method: str, params: dict) -> dict:
        height = int(params.get("height", self.chain.count))
        block = self.chain.blocks[height]
        if method == "commit":
            self.asked.append(height)
            return {"signed_header": block["signed_header"], "canonical": True}
        page, size, rows = int(params["page"]), int(params["per_page"]), block["validators"]
        rows = rows[(page - 1) * size:page * size]
        return {"block_height": str(height), "validators": rows, "count": str(len(rows)), "total": str(len(block["validators"]))}

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
