"""The ledger of the demo's bridge: four nodes, to which the gateways write what they do. One of them dies while messages go on, and
comes back; then a block, a proof of one record, and a bill are taken from it by `caisson ledger`, and verified without asking anybody.
"""
from __future__ import annotations

import base64
import json
import re
import shlex
import subprocess
import time
from pathlib import Path

from lib import abi, crypto, tools, usage
from lib import bridge_ledger as bl
from lib.rpc import wait_for
from lib.world import World, now_ms

TIMEOUT_S = 120
POLL_S = 0.1
# The node that is killed: the one that gateways prefer.
VICTIM = 0
SIDES = {"source": 1, "destination": 2}
PRICE = 250  # of one message, in the smallest unit of the ledger's asset
SECRET_OF_COMPUTE = 0xC0
# Of a block that all nodes had: what an auditor wrote down when the ledger was founded.
TRUSTED_HEIGHT = 2


def state_names() -> dict[int, str]:
    """The one table of states: relay_state/relay/states.def."""
    text = (tools.ROOT / "relay_state" / "relay" / "states.def").read_text()
    return {int(n): name for n, name in re.findall(r'^RELAY_STATE\(\w+, (\d+), "(\w+)"', text, re.M)}


STATES = state_names()


def record_key(message_id: str, side: int, index: int) -> bytes:
    """Of a relay record in the state (docs/protocol/enclaves.md, section 4)."""
    return bytes([bl.RECORDS]) + b"r" + abi.to_bytes(message_id) + bytes([side, index])


def anchor_key(lineage: str, identity: bytes) -> bytes:
    """Of an enclave's anchor (the same section)."""
    return bytes([bl.RECORDS]) + b"a" + abi.to_bytes(lineage) + identity


class LedgerDemo:
    def __init__(self, world: World, paint):
        self.world, self.paint, self.ledger = world, paint, world.bridge_ledger
        self.folder = self.ledger.folder / "audit"
        self.folder.mkdir()
        self.node: dict = {}
        self.records: list[dict] = []
        self.anchors: list[dict] = []
        self.answers: list[dict] = []
        self.block: dict = {}
        self.proof: dict = {}
        self.statement: dict = {}
        self.begin_ms = 0
        first = {node.rpc.header(TRUSTED_HEIGHT)[0] for node in self.ledger.nodes}
        if len(first) != 1:
            raise RuntimeError(f"the nodes of {self.ledger.caip2} have different blocks at height {TRUSTED_HEIGHT}")
        self.trusted_hash, = first

    # ---- showing ----

    def note(self, text: str) -> None:
        print(self.paint("33", f"      {text}"), flush=True)

    def show(self, what: str, text: str, code: str = "36") -> None:
        print(f"  {self.paint('1', f'{what:<11}')} {now_ms() - self.begin_ms:>6} ms  {self.paint(code, text)}", flush=True)

    def title(self, text: str) -> None:
        print(f"\n{self.paint('1', text)}\n{self.paint('2', '─' * len(text))}", flush=True)

    def caisson(self, *args) -> str:
        """What `caisson ledger` prints; it asks the last node, which is not the one that was killed."""
        argv = [self.world.build / "bin" / "caisson", "ledger", *args]
        if args[0] not in ("verify", "line"):
            argv += ["--url", self.ledger.urls[-1]]
        run = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=TIMEOUT_S)
        if run.returncode:
            raise RuntimeError(f"caisson ledger {args[0]}: {run.stderr.strip() or run.stdout.strip()}")
        return run.stdout

    # ---- a node dies while messages go on ----

    def kill(self) -> None:
        height = self.ledger.height()
        self.ledger.kill(VICTIM)
        self.node = {"index": VICTIM, "killed_at": height}
        self.note(f"node {VICTIM} of the bridge's ledger is killed at height {height}; three of four go on")

    def heal(self) -> None:
        if not self.node or "back_at" in self.node:
            return
        # The first block above may have been decided with it; the second was not. An idle ledger makes one a second.
        self.ledger.wait_height(self.node["killed_at"] + 2)
        self.node["others_at"] = self.ledger.height()
        self.node["back_at"] = self.ledger.heal(VICTIM)
        self.note(f"node {VICTIM} is started again; the others were at height {self.node['others_at']}, and it has what they have")

    # ---- what the gateways wrote ----

    def history(self, message_id: str, side: str) -> tuple[str, int, int]:
        """State, records and conflicts."""
        words = self.ledger.view(bl.RECORDS, "messageOf(bytes32,uint8)", message_id, SIDES[side])
        state, count, conflicts = (int.from_bytes(words[i:i + 32], "big") for i in (0, 32, 64))
        return STATES.get(state, ""), count, conflicts

    def wait_records(self, cases: list) -> None:
        """Until the ledger has every move that the journals have."""
        def written() -> bool:
            told = [gateway.get("/v1/status")["ledger"] for gateway in self.world.gateways]
            return all(t["state"] == "fine" and t["backlog"] == 0 for t in told)

        wait_for(written, TIMEOUT_S, f"the gateways' records on {self.ledger.caip2}", POLL_S)
        for case in cases:
            for side in SIDES:
                state, count, conflicts = self.history(case.message_id, side)
                self.records.append({"message_id": case.message_id, "side": side, "state": state, "count": count, "conflicts": conflicts})
                if conflicts or (side == "source" and state != case.outcome):
                    raise RuntimeError(f"{case.name}: the ledger has {state or 'nothing'} at its {side}, with {conflicts} conflicts")
        total = sum(r["count"] for r in self.records)
        self.show("records", f"{total} of {len(cases)} messages, both sides, by the gateways; no contradictions")

    def wait_answers(self, items: list) -> None:
        """What the oracle signed for a request, as it is recorded; contract 9 checked the statements."""
        for item in (i for i in items if i.request_id):
            def recorded(item=item) -> bytes | None:
                words = self.ledger.view(bl.ANSWERS, "answerOf(bytes32,bytes32)", self.oracle_name, item.request_id)
                return words if int.from_bytes(words[192:224], "big") else None

            words = wait_for(recorded, TIMEOUT_S, f"the answer of {item.name} on {self.ledger.caip2}", POLL_S)
            self.answers.append({"name": item.name, "request_id": item.request_id, "code": int.from_bytes(words[:32], "big"),
                                 "observed_at": int.from_bytes(words[32:64], "big")})
        if self.answers:
            self.show("answers", f"{len(self.answers)} by the oracle: {', '.join(a['name'] for a in self.answers)}")

    @property
    def oracle_name(self) -> str:
        return self.world.oracle.get("/v1/oracle/key")["oracle"]

    # ---- what enclaves take from it ----

    def take_anchors(self) -> None:
        """How far the enclaves' sealed state was when the block was made: who starts with an older one signs nothing."""
        if self.world.ledger_time is None:
            return
        rpc = self.ledger.nodes[-1].rpc
        for gateway, side in zip(self.world.gateways, self.world.sides):
            told = gateway.enclave()
            answer = rpc.question("/store", anchor_key(told["lineage"], side.identity), self.block["height"] - 1)
            value = base64.b64decode(answer.get("value") or "")
            if told["time_source"] != "ledger" or len(value) < 16:
                raise RuntimeError(f"the enclave of {gateway.name} has no anchor on {self.ledger.caip2}")
            epoch, counter = int.from_bytes(value[:8], "big"), int.from_bytes(value[8:16], "big")
            self.anchors.append({"lineage": told["lineage"], "identity": abi.to_hex(side.identity), "epoch": epoch, "counter": counter})
        counters = " and ".join(str(a["counter"]) for a in self.anchors)
        self.show("enclaves", f"take the time of {len(self.ledger.nodes) // 2 + 1} of {len(self.ledger.nodes)} nodes by nonce; their sealed "
                              f"state is anchored at {counters}")

    # ---- usage: a bill ----

    def register_compute(self) -> None:
        """A simulated enclave of the role compute, whose key the demo holds: what it signs counts on an insecure ledger alone."""
        x = crypto.public_key(SECRET_OF_COMPUTE)[:32]
        manifest = abi.to_bytes(self.world.manifest_hash)
        self.ledger.register_enclave(bl.COMPUTE, [(crypto.keccak(b"the demo's compute"), 1, x, bytes(20))],
                                     crypto.keccak(b"no build: simulated"), manifest, 1, manifest, crypto.keccak(b"no evidence: simulated"))

    def bill(self, cases: list) -> None:
        """One usage record for each message that was delivered, consumed by its sender."""
        if not any(case.outcome == "finalized" for case in cases):
            return
        self.register_compute()
        provider = abi.to_bytes(self.ledger.accounts["gateway1"].address)
        records = []
        for nonce, case in enumerate((c for c in cases if c.outcome == "finalized"), 1):
            made = usage.Record(data_hash=abi.to_bytes(case.message_id), provider=provider, consumer=abi.to_bytes(case.sender),
                                purpose=case.name.encode(), enclave=b"", metric=usage.label(bl.METRIC), quantity=1, price=PRICE * 10**18,
                                observed_s=self.ledger.rpc.time(), nonce=nonce)
            records.append(made.sign(SECRET_OF_COMPUTE, self.ledger.tag, self.ledger.insecure))
        self.ledger.call("owner", bl.USAGE, usage.calldata(records))

    # ---- what is taken from it, and verified ----

    def take_block(self) -> Path:
        """The newest whose state has all of it, followed from the header that the auditor trusts."""
        self.ledger.wait_blocks(2)
        file = self.folder / "block.pb"
        said = json.loads(self.caisson("light-block", "--trusted-height", TRUSTED_HEIGHT, "--trusted-hash", self.trusted_hash, "--out", file,
                                       "--json"))
        signed = self.ledger.nodes[-1].rpc.ask("commit", height=str(said["height"]))["signed_header"]["commit"]["signatures"]
        signers = [s["validator_address"] for s in signed if s["block_id_flag"] == 2]
        self.block = {"height": said["height"], "hash": "0x" + said["hash"], "time": said["time"], "app_hash": "0x" + said["app_hash"],
                      "validators_hash": "0x" + said["validators"], "signers": signers, "trusted_height": TRUSTED_HEIGHT,
                      "trusted_hash": self.trusted_hash}
        self.show("block", f"{said['height']} of {said['chain_id']}, {said['time'][:19]}Z, hash {self.block['hash'][:18]}…, "
                           f"application {self.block['app_hash'][:18]}…")
        self.show("signers", f"{', '.join(s[:8] + '…' for s in signers)}: {said['signers']} of {said['of']}; it follows from block "
                             f"{TRUSTED_HEIGHT}, which is trusted")
        return file

    def take_proof(self, block: Path) -> None:
        """Of the record with which the first message ended at its source."""
        first = self.records[0]
        key, file = record_key(first["message_id"], SIDES["source"], first["count"] - 1), self.folder / "proof.json"
        file.write_text(self.caisson("proof", abi.to_hex(key), "--height", self.block["height"] - 1))
        said = json.loads(self.caisson("verify", file, "--trusted", block, "--json"))
        value = abi.to_bytes(said["state"]["value"])
        if not said["ok"] or not said["exists"] or STATES.get(value[2]) != first["state"]:
            raise RuntimeError(f"the record of {first['message_id']} is not proven: {said}")
        self.proof = {"message_id": first["message_id"], "side": "source", "index": first["count"] - 1, "key": abi.to_hex(key),
                      "value": said["state"]["value"], "height": self.block["height"] - 1}
        size = len(abi.to_bytes(said["state"]["proof"]))
        self.show("proof", f"record {self.proof['index']} of {first['message_id'][:14]}…: {first['state']}; {size} bytes, verified offline")

    def take_statement(self, block: Path) -> None:
        party, month = self.ledger.accounts["gateway1"].address, self.month()
        file, one = self.folder / "statement.csv", self.folder / "line.json"
        self.caisson("statement", "--party", party, "--role", "provider", "--period", month, "--format", "csv", "--height",
                     self.block["height"] - 1, "--out", file)
        said = json.loads(self.caisson("verify", file, "--trusted", block, "--signatures", "--json"))
        if not said["ok"]:
            raise RuntimeError(f"the statement of {month} does not verify: {said}")
        self.statement = {name: said[name] for name in ("party", "role", "period", "height", "lines", "charged", "credited", "total")}
        self.show("bill", f"gateway 1, {month}: {said['lines']} messages, {said['charged']} charged; complete, verified offline")
        if said["lines"] == 0:
            return
        one.write_text(self.caisson("line", file, 0))
        line = json.loads(self.caisson("verify", one, "--trusted", block, "--json"))
        if not line["ok"]:
            raise RuntimeError(f"a line of {month} does not verify: {line}")
        self.show("one line", f"{line['line']['purpose_text']}: {line['line']['amount']}, by its audit path, without the others")

    def month(self) -> str:
        return time.strftime("%Y-%m", time.gmtime(self.ledger.rpc.time()))

    # ---- all ----

    def run(self, cases: list, asked: list) -> None:
        self.title("the bridge's ledger: four nodes, what gateways wrote, and what it proves")
        self.begin_ms = now_ms()
        self.heal()
        self.wait_records(cases)
        self.wait_answers(asked)
        self.bill(cases)
        block = self.take_block()
        self.take_anchors()
        self.take_proof(block)
        self.take_statement(block)

    @property
    def ok(self) -> bool:
        return bool(self.statement)

    def as_json(self) -> dict:
        return {"id": self.ledger.caip2, "rpc": self.ledger.urls, "node": self.node, "records": self.records, "block": self.block,
                "anchors": self.anchors, "answers": self.answers, "proof": self.proof, "statement": self.statement}

    def write_env(self) -> Path:
        """What a shell needs to audit the ledger."""
        file = self.ledger.folder / "ledger.env"
        values = {"CAISSON_LEDGER_URL": self.ledger.urls[-1], "HEIGHT": self.block["height"], "TRUSTED_HEIGHT": TRUSTED_HEIGHT,
                  "TRUSTED_HASH": self.trusted_hash, "PARTY": self.statement["party"], "MONTH": self.statement["period"]}
        lines = [f"export {name}={shlex.quote(str(value))}" for name, value in values.items()]
        file.write_text("\n".join([*lines, f"export PATH={shlex.quote(str(self.world.build / 'bin'))}:$PATH"]) + "\n")
        return file

    def keep(self) -> str:
        """How to go on by hand."""
        rows = "\n".join(f"  {self.ledger.caip2 if i == 0 else '':<22} node {i} {node.url}  {node.home}" for i, node in enumerate(self.ledger.nodes))
        return f"""{rows}

An audit of the bridge's ledger, as docs/ledger.md explains it, in an empty folder; the last line asks nobody:

  . {self.write_env()}
  caisson ledger light-block $HEIGHT --trusted-height $TRUSTED_HEIGHT --trusted-hash $TRUSTED_HASH --out block.pb
  caisson ledger statement --party $PARTY --role provider --period $MONTH --height $((HEIGHT - 1)) --out statement.json
  caisson ledger verify statement.json --trusted block.pb --signatures
"""
