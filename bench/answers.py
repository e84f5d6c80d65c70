"""An oracle on one anvil with 1 s blocks: from the block that makes a request final to the callback's block, and how many answers
a second the enclave signs. Called by script/bench.

Blocks and events are the chain's. Answers are counted by a client of the enclave's socket that sends the same request again and
again and looks at each reply's type and request id alone; one reply of each run is verified whole.
"""
from __future__ import annotations

import http.client
import json
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import end_to_end
from enclave.boundary import TYPES, decode, encode
from lib import deploy, fetch, oracle, pki
from lib.chains import Anvil
from lib.rpc import wait_for
from lib.sources import Sources
from lib.tools import ROOT, free_ports
from oracle_enclave import world as sealed

HOST = "prices.example.test"
SINGLES = 24
SIGNED_COUNT, SIGNED_AT_ONCE, SIGNED_ROUNDS = 6000, 64, 3
REST_COUNT, REST_AT_ONCE, REST_ALONE, REST_RATE_MAX = 3200, 32, 200, 100_000
CALLBACK_GAS = 200_000


# ---- from final to the callback ----

def latency(contracts: deploy.OracleContracts, confirmations: int, spec: bytes, count: int) -> dict:
    """One request after the other, their phase spread against the blocks."""
    rpc = contracts.chain.rpc
    watch, asked = end_to_end.Watcher(contracts.chain), []
    first = rpc.block_number() + 1
    for i in range(count):
        tx = contracts.consumer.send(contracts.user, "ask", spec, [], CALLBACK_GAS, 600, 600, value=10**16, gas=1_000_000)
        receipt = rpc.wait_receipt(tx)
        asked.append((contracts.asked(receipt)["id"], int(receipt["blockNumber"], 16)))
        time.sleep(1.0 + 0.37 * (i % 5))  # spreads the phase against the blocks; nothing waits for it

    def answered():
        found = {e["requestId"]: e for e in contracts.logs(contracts.requests, "OracleAnswered", first)}
        return found if all(ident in found for ident, _ in asked) else None

    found = wait_for(answered, 60, f"{count} answers", 0.25)
    failed = {e["requestId"] for e in contracts.logs(contracts.requests, "CallbackFailed", first)}
    time.sleep(0.1)
    watch.stop()
    if any(found[ident]["code"] or ident in failed for ident, _ in asked):
        raise RuntimeError("not every request was answered with a value that the callback heard")
    rows = [(found[ident]["block"], block + confirmations) for ident, block in asked]
    return {"requests": count, "confirmations": confirmations,
            "final_to_callback_blocks": end_to_end.summary([done - final for done, final in rows]),
            "final_to_callback_ms": end_to_end.summary([1000 * (watch.seen[done] - watch.seen[final]) for done, final in rows])}


# ---- answers signed ----

class Flood:
    """The same request over and over on one connection, so many at once."""

    def __init__(self, path: Path, name: str, body: bytes):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.socket.settimeout(60)
        self.kind, self.body = TYPES[name], body
        self.buffer, self.sent = b"", 0
        self.send(TYPES["Hello"], encode("HelloRequest", {"nonce": bytes(32)}))
        self.take(TYPES["Hello"] + 1)

    def send(self, kind: int, body: bytes) -> None:
        self.sent += 1
        self.socket.sendall(struct.pack(">IHHQ", len(body), kind, 0, self.sent) + body)

    def take(self, kind: int) -> bytes:
        """The body of the next reply, which must be of this type."""
        while len(self.buffer) < 16 or len(self.buffer) < 16 + int.from_bytes(self.buffer[:4], "big"):
            got = self.socket.recv(1 << 20)
            if not got:
                raise RuntimeError("the enclave closed the connection")
            self.buffer += got
        size, got_kind = struct.unpack_from(">IH", self.buffer)
        body, self.buffer = self.buffer[16:16 + size], self.buffer[16 + size:]
        if got_kind != kind:
            raise RuntimeError(f"a reply of type {got_kind}: {decode('ErrorReply', body) if got_kind == 1 else ''}")
        return body

    def run(self, count: int, at_once: int) -> tuple[float, bytes]:
        """Seconds, and one reply."""
        begin, last = time.monotonic(), b""
        for _ in range(min(at_once, count)):
            self.send(self.kind, self.body)
        for done in range(1, count + 1):
            last = self.take(self.kind + 1)
            if done + at_once <= count:
                self.send(self.kind, self.body)
        return time.monotonic() - begin, last

    def close(self) -> None:
        self.socket.close()


def signed(folder: Path) -> dict:
    """nginx, kept alive; the enclave with its proxy; this client: all on the same cores."""
    folder.mkdir(parents=True, exist_ok=True)
    world = sealed.World(folder)
    leaf = pki.issue("bench", world.private, names=[sealed.HOST])
    try:
        with fetch.Nginx(folder / "nginx", free_ports(1)[0], leaf) as nginx:
            enclave = world.start()
            caller = world.caller(enclave)
            key, spec = world.key(caller.hello()), sealed.spec(sealed.source(nginx.port))
            caller.close()
            query = {"audience": b"bench", "query": {"spec": spec, "arguments": [], "secrets": b""}, "max_age": 600, "timeout_s": 60}
            flood = Flood(enclave.path, "AnswerApp", encode("AnswerAppRequest", query))
            flood.run(SIGNED_AT_ONCE * 4, SIGNED_AT_ONCE)  # connections are made
            rates = []
            for _ in range(SIGNED_ROUNDS):
                seconds, reply = flood.run(SIGNED_COUNT, SIGNED_AT_ONCE)
                result = world.check_app(key, decode("OracleReply", reply), spec, audience=b"bench")
                if result["code"]:
                    raise RuntimeError(f"an answer with the code {result['code']}")
                rates.append(SIGNED_COUNT / seconds)
            flood.close()
    finally:
        world.close()
    return {"per_second": round(sorted(rates)[len(rates) // 2]), "runs": [round(r) for r in rates], "at_once": SIGNED_AT_ONCE,
            "answers": SIGNED_COUNT}


# ---- over REST ----

def rest(service: oracle.Oracle, spec: bytes) -> dict:
    """Callers with a kept connection each: asked, journalled, fetched, signed, journalled, told."""
    body = json.dumps({"spec": json.loads(spec)})
    headers = {"authorization": f"Bearer {service.key}", "content-type": "application/json"}

    def caller(count: int) -> list[float]:
        connection, took = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60), []
        for _ in range(count):
            begin = time.monotonic()
            connection.request("POST", "/v1/oracle/requests", body, headers)
            response = connection.getresponse()
            told = json.loads(response.read())
            if response.status != 200 or told["code"]:
                raise RuntimeError(f"HTTP {response.status}: {told}")
            took.append(1000 * (time.monotonic() - begin))
        connection.close()
        return took

    alone = caller(REST_ALONE)
    with ThreadPoolExecutor(REST_AT_ONCE) as callers:
        begin = time.monotonic()
        took = [t for part in callers.map(caller, [REST_COUNT // REST_AT_ONCE] * REST_AT_ONCE) for t in part]
        seconds = time.monotonic() - begin
    return {"at_once": REST_AT_ONCE, "per_second": round(len(took) / seconds), "ms": end_to_end.summary(took, 1),
            "alone_ms": end_to_end.summary(alone, 1)}


# ---- all ----

def gas() -> dict:
    """As script/test measured it last, and checks it."""
    table = json.loads((ROOT / "contracts" / "evm" / "gas.json").read_text())
    return {"fulfil": table["fulfil one, before the callback"], "feed": table["feed: a round of one"],
            "feed_further": table["feed: each further round of the same call"]}


def run(folder: Path, say, singles: int = SINGLES) -> dict:
    result: dict = {"gas": gas()}
    say(f"answers signed, {SIGNED_AT_ONCE} at once")
    result["signed"] = signed(folder / "signed")
    with Sources(folder / "sources", [HOST]) as sources, Anvil(folder / "chain") as chain:
        sources.set(HOST, "ether", {"usd": "3000.10"})
        spec = oracle.spec(oracle.source(sources.url(HOST, "ether"), "/usd"))
        with oracle.OracleWorld(folder / "world", chain, sources.store, sources.authority.hash, sources.names,
                                more={"api": {"rate_max": REST_RATE_MAX}, "log": {"level": "warn"}}) as world:
            say(f"answers over REST, {REST_AT_ONCE} at once")
            result["rest"] = rest(world.oracle, spec)
            say(f"from final to the callback: {singles} requests, one after the other")
            result["latency"] = latency(world.contracts, world.confirmations, spec, singles)
    return result
