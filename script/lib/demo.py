"""The demo: seven messages and transfers between two real chains, each of the eighteen steps as it happens; then, where the first
chain is an EVM chain, the oracle; and the ledger of the bridge, to which the gateways write, with what it proves.

Started by script/demo. What it prints and writes comes from the gateways' journals (steps, times) and from the chains
(receipts, gas, statuses, balances).
"""
from __future__ import annotations

import argparse
import contextlib
import json
import re
import shlex
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools")]
from lib import abi, deploy  # noqa: E402
from lib.bridge_ledger import BridgeLedger  # noqa: E402
from lib.ledger_kinds import Followed  # noqa: E402
from lib.rpc import Reverted, wait_for  # noqa: E402
from lib.tools import Missing  # noqa: E402
from lib.world import KINDS, World, now_ms  # noqa: E402
import demo_ledger  # noqa: E402
import demo_oracle  # noqa: E402

CASE_TIMEOUT_S = 120
POLL_S = 0.04
UNIT = 10**18
STATUS_NAMES = {0: "none", 1: "failed", 2: "delivered", 3: "dead"}
TOMBSTONE_DEADLINE_S = {"ledger": 10, "anvil": 14, "geth-clique": 18, "mixed": 14}
ABSENCE_DEADLINE_S = 8
TITLES = {"ledger": "two ledgers", "anvil": "two anvil chains", "geth-clique": "two geth-clique chains", "mixed": "an anvil chain and a ledger"}
ENDS = {"finalized", "refunded"}


def step_names() -> dict[int, str]:
    """The one table of steps: relay_state/relay/steps.def."""
    text = (ROOT / "relay_state" / "relay" / "steps.def").read_text()
    return {int(n): name for n, name in re.findall(r'^RELAY_STEP\((\d+), \w+, "(\w+)"', text, re.M)}


STEPS = step_names()


class Paint:
    """Colours on a terminal, nothing elsewhere."""

    def __init__(self, on: bool):
        self.on = on

    def __call__(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.on else text


paint = Paint(sys.stdout.isatty())


def say(text: str) -> None:
    print(paint("2", f"   {text}"), flush=True)


@dataclass
class Case:
    name: str
    title: str
    source: int  # index of the side
    recipient: str
    amount: int = 0
    payload: bytes = b""
    attributes: dict = field(default_factory=dict)
    expect: str = "finalized"
    message_id: str = ""
    sender: str = ""
    deadline: int = 0
    outcome: str = ""
    steps: dict[int, dict] = field(default_factory=dict)
    gas: dict[str, int] = field(default_factory=dict)
    begin_ms: int = 0
    txs: dict[str, tuple] = field(default_factory=dict)  # every transaction seen in the steps: its chain and first step
    extra_txs: list = field(default_factory=list)  # (what, side, transaction) of people, beside the eighteen

    @property
    def destination(self) -> int:
        return 1 - self.source


class Demo:
    def __init__(self, world: World):
        self.world = world
        self.sides, self.gateways = world.sides, world.gateways
        self.cases: list[Case] = []
        self.oracle = demo_oracle.OracleDemo(world, paint) if world.oracle else None
        self.ledger = demo_ledger.LedgerDemo(world, paint) if world.bridge_ledger else None

    def account(self, index: int, address: str) -> str:
        return f"{self.sides[index].chain.caip2}:{address}"

    # ---- starting ----

    def start_message(self, case: Case) -> None:
        """Sponsored: the gateway's operator account sends it."""
        body = {"to": self.account(case.destination, case.recipient), "payload": abi.to_hex(case.payload), "mode": "sponsored",
                "attributes": case.attributes}
        case.begin_ms = now_ms()
        reply = self.gateways[case.source].post("/v1/messages", body)
        case.message_id = self.resolve(case, reply["request_id"])

    def start_transfer(self, case: Case) -> None:
        """Prepared: the gateway makes the transactions, the application signs and sends them."""
        side = self.sides[case.source]
        body = {"to": self.account(case.destination, case.recipient), "amount": str(case.amount), "from": case.sender,
                "mode": "prepare", "attributes": case.attributes}
        case.begin_ms = now_ms()
        reply = self.gateways[case.source].post("/v1/transfers", body)
        receipt = self.sign_and_send(side, case.sender, reply["transactions"])
        case.message_id = abi.to_hex(side.gateway.events("MessageCommitted", receipt)[0]["messageId"])

    def start_in_time(self, case: Case) -> None:
        """A busy machine's block may come after a short deadline, and the contract takes nothing then: once more, with twice the time."""
        source, destination = self.sides[case.source], self.sides[case.destination]
        delay = case.attributes.pop("deadline_in_s", None)
        while True:
            if delay is not None:
                case.deadline = max(int(time.time()), destination.chain.rpc.time()) + delay
                case.attributes["deadline"] = case.deadline
            try:
                return self.start_transfer(case)
            except Reverted:
                if delay is None or delay > CASE_TIMEOUT_S / 4 or source.chain.rpc.time() < case.deadline:
                    raise
            delay *= 2
            self.note(f"the deadline passed before a block took it; once more, with {delay} s")

    def sign_and_send(self, side: deploy.Side, sender: str, transactions: list[dict]) -> dict:
        """What a wallet does; the receipt of the last one."""
        sent = [side.chain.rpc.send(sender, t["to"], abi.to_bytes(t["data"]), int(t["value"]), t.get("gas", 600_000))
                for t in transactions]
        return [side.chain.rpc.wait_receipt(tx) for tx in sent][-1]

    def resolve(self, case: Case, request: str) -> str:
        """The messageId of a request, as soon as the chain has its event."""
        def known():
            message = self.gateways[case.source].message(request)
            if message and message["state"] == "request_failed":
                raise RuntimeError(f"request {request} failed: {message}")
            return message and message["id"]

        return wait_for(known, CASE_TIMEOUT_S, f"the message of request {request}", POLL_S)

    # ---- watching ----

    def look(self, case: Case) -> dict:
        """Takes what both journals know; prints the steps that are new."""
        latest = {}
        for index in (case.destination, case.source):
            gateway = self.gateways[index]
            message = gateway.message(case.message_id) if gateway.process.alive() else None
            if not message:
                continue
            latest = message
            for step in message["steps"]:
                known = case.steps.get(step["n"])
                # The last word on what did not happen has the source, when it is over.
                over = message["side"] == "source" and (message["ended"] or step["n"] <= 3)
                if "t_ms" not in step and not ("skipped" in step and over and known is None):
                    continue
                case.steps[step["n"]] = step
                if step.get("tx"):
                    case.txs.setdefault(step["tx"], (step["chain"], step["n"]))
                if known is None:
                    self.print_step(case, step)
                elif step.get("tx") and known.get("tx") != step["tx"]:
                    self.print_step(case, step, again=True)
        return latest

    def print_step(self, case: Case, step: dict, again: bool = False) -> None:
        elapsed = step.get("t_ms", 0) - case.begin_ms if "t_ms" in step else 0
        where = step.get("chain") or ""
        block = f"block {step['block']}" if step.get("block") else ""
        tx = step["tx"][:14] + "…" if step.get("tx") else ""
        text = STEPS[step["n"]].replace("_", " ") + (", again" if again else "")
        if "skipped" in step:
            print(paint("2", f"  {step['n']:>2}  {text:<26} skipped: {step['skipped']}"), flush=True)
            return
        number = paint("1", f"{step['n']:>2}")
        print(f"  {number}  {text:<26}{max(elapsed, 0):>7} ms  {paint('36', f'{where:<22}')} {block:<11}{paint('2', tx)}", flush=True)

    def wait_state(self, case: Case, states: set[str], what: str) -> dict:
        def reached():
            message = self.look(case)
            return message if message.get("state") in states else None

        return wait_for(reached, CASE_TIMEOUT_S, what, POLL_S)

    def note(self, text: str) -> None:
        print(paint("33", f"      {text}"), flush=True)

    # ---- the seven ----

    def build_cases(self) -> list[Case]:
        home, abroad = self.sides
        far_time = 600
        short = TOMBSTONE_DEADLINE_S[self.world.kind]
        return [
            Case("message", "a message to an application", 0, abroad.app.address, payload=b"hello from the first chain",
                 attributes={}),
            Case("transfer", "a token transfer: locked here, minted there", 0, abroad.user, 100 * UNIT),
            Case("transfer_back", "the transfer back: burned there, released here", 1, home.friend, 40 * UNIT),
            Case("revert_retry", "a transfer whose call fails, then succeeds on retry", 0, abroad.friend, 7 * UNIT),
            Case("revert_close", "a transfer whose call fails and is closed: refunded", 0, abroad.bridge.address, 5 * UNIT,
                 attributes={"closer": abroad.closer.lower(), "deadline_in_s": far_time}, expect="refunded"),
            Case("timeout_tombstone", "one that times out, proven by its tombstone: refunded", 0, abroad.bridge.address,
                 3 * UNIT, attributes={"deadline_in_s": short}, expect="refunded"),
            Case("timeout_absence", "one that times out, proven by absence: refunded", 1, home.friend, 2 * UNIT,
                 attributes={"deadline_in_s": ABSENCE_DEADLINE_S}, expect="refunded"),
        ]

    def run_case(self, case: Case, number: int, total: int) -> None:
        source, destination = self.sides[case.source], self.sides[case.destination]
        title = f"{number}/{total}  {case.name}: {case.title}"
        print(f"\n{paint('1', title)}\n{paint('2', '─' * min(len(title), 100))}", flush=True)
        case.sender = source.user
        balances = self.balances(case)
        if case.name == "revert_retry":
            self.note("the owner of the bridge on chain 2 lowers its cap to nothing: the delivery will fail")
            deploy.set_cap_in(destination, 0)
        if case.name == "timeout_absence":
            self.note(f"the gateway of chain {case.destination + 1} is stopped: nobody delivers")
            self.gateways[case.destination].stop()
        if case.amount:
            self.start_in_time(case)
        else:
            case.sender = self.gateways[case.source].operator
            self.start_message(case)
        self.note(f"message {case.message_id}")
        self.between(case, destination)
        state = self.wait_state(case, ENDS, f"the end of {case.name}")["state"]
        wait_for(lambda: self.look(case) and len(case.steps) == len(STEPS), CASE_TIMEOUT_S, f"all steps of {case.name}", POLL_S)
        case.outcome = state
        self.check(case, balances)
        self.measure(case)
        colour = "32" if case.outcome == case.expect else "31"
        print(paint(colour, f"      {case.outcome}"), flush=True)

    def between(self, case: Case, destination: deploy.Side) -> None:
        """What people do meanwhile."""
        gateway = self.gateways[case.destination]
        if case.name == "revert_retry":
            self.wait_state(case, {"failed"}, "the failed call")
            self.note("failed, as meant; the owner raises the cap again (after the timelock's delay)")
            deploy.set_cap_in(destination, deploy.CAP)
            self.note("retry")
            gateway.post(f"/v1/messages/{case.message_id}/retry")
        elif case.name == "revert_close":
            self.wait_state(case, {"failed"}, "the failed call")
            self.note("failed, as meant; the closer closes it")
            reply = gateway.post(f"/v1/messages/{case.message_id}/close")
            receipt = self.sign_and_send(destination, destination.closer, reply["transactions"])
            case.extra_txs.append(("close", case.destination, receipt["transactionHash"]))
        elif case.name == "timeout_tombstone":
            self.wait_state(case, {"failed"}, "the failed call")
            self.note(f"failed; the deadline is at second {case.deadline}")
            self.until_deadline(case, destination)
        elif case.name == "timeout_absence":
            self.note(f"the deadline is at second {case.deadline}")
            self.until_deadline(case, destination)
            self.note(f"the gateway of chain {case.destination + 1} is started again, too late")
            gateway.restart()

    def until_deadline(self, case: Case, destination: deploy.Side) -> None:
        wait_for(lambda: self.look(case) is not None and destination.chain.rpc.time() >= case.deadline, CASE_TIMEOUT_S, "the deadline", POLL_S)
        self.note("the deadline has passed")

    # ---- what the chains say ----

    def balances(self, case: Case) -> tuple[int, int]:
        source, destination = self.sides[case.source], self.sides[case.destination]
        return (source.token.read("balanceOf", source.user), destination.token.read("balanceOf", case.recipient))

    def check(self, case: Case, before: tuple[int, int]) -> None:
        source, destination = self.sides[case.source], self.sides[case.destination]
        want = 2 if case.expect == "finalized" else 3
        if case.outcome != case.expect:
            raise RuntimeError(f"{case.name} ended as {case.outcome}, not {case.expect}")
        said = source.gateway.read("outcomeOf", case.message_id)
        if said != want:
            raise RuntimeError(f"{case.name}: the source's contract says {STATUS_NAMES.get(said, said)}")
        after = self.balances(case)
        moved = (after[0] - before[0], after[1] - before[1])
        if case.amount and moved != ((-case.amount, case.amount) if want == 2 else (0, 0)):
            raise RuntimeError(f"{case.name}: balances moved by {moved}")
        if not case.amount and destination.app.read("lastPayload") != case.payload:
            raise RuntimeError(f"{case.name}: the application did not get the payload")

    def measure(self, case: Case) -> None:
        """Gas of every transaction of the case, a failed delivery's too."""
        home = self.sides[case.source].chain.caip2
        seen = {}
        for tx, (chain, number) in case.txs.items():
            here = chain == home
            name = "destination" if not here else "source" if number <= 4 else "finalize"
            seen[tx] = (case.source if here else case.destination, name)
        for what, index, tx in case.extra_txs:
            seen[tx] = (index, what)
        for tx, (index, name) in seen.items():
            receipt = self.sides[index].chain.rpc.receipt(tx)
            if receipt is not None:
                case.gas[name] = case.gas.get(name, 0) + int(receipt["gasUsed"], 16)

    # ---- the end ----

    def table(self) -> str:
        head = f"{'case':<19}{'outcome':<11}{'steps':>6}{'latency':>11}{'delivered':>12}   {'gas on chain 1':>15}{'gas on chain 2':>16}"
        lines = [paint("1", head), paint("2", "─" * len(head))]
        for case in self.cases:
            shown = sum("t_ms" in s for s in case.steps.values())
            last = max(s["t_ms"] for s in case.steps.values() if "t_ms" in s) - case.begin_ms
            arrived = case.steps.get(10, {}).get("t_ms")
            arrival = f"{(arrived - case.begin_ms) / 1000:.1f} s" if arrived else "-"
            on = [0, 0]
            for name, gas in case.gas.items():
                on[case.source if name in ("source", "finalize") else case.destination] += gas
            lines.append(f"{case.name:<19}{case.outcome:<11}{shown:>6}{last / 1000:>9.1f} s{arrival:>12}   {on[0]:>15,}{on[1]:>16,}")
        return "\n".join(lines)

    def as_json(self) -> dict:
        # A ledger's bridge and assets are built in: they have no addresses of a deployment.
        chains = [{"id": s.chain.caip2, "rpc": s.chain.url, "gateway": s.gateway.address,
                   **({} if s.is_ledger else {"bridge": s.bridge.address, "token": s.token.address})} for s in self.sides]
        cases = []
        for case in self.cases:
            steps = []
            for n in sorted(STEPS):
                step = case.steps[n]
                entry = {"n": n, "name": STEPS[n]}
                if "skipped" in step:
                    entry["skipped"] = step["skipped"]
                else:
                    entry["t_ms"] = max(0, step["t_ms"] - case.begin_ms)
                    entry.update({k: step[k] for k in ("chain", "tx", "block") if step.get(k)})
                steps.append(entry)
            cases.append({"name": case.name, "outcome": case.outcome, "message_id": case.message_id,
                          "sender": self.account(case.source, case.sender), "recipient": self.account(case.destination, case.recipient),
                          "amount": str(case.amount), "steps": steps})
        gas = {case.name: case.gas for case in self.cases}
        told = {"chains": chains, "cases": cases, "gas": gas, "oracle": self.oracle.as_json() if self.oracle else [],
                "ledger": self.ledger.as_json() if self.ledger else None}
        return {"ok": self.ok, **told}

    @property
    def ok(self) -> bool:
        return (all(c.outcome == c.expect for c in self.cases) and (self.oracle is None or self.oracle.ok)
                and (self.ledger is None or self.ledger.ok) and bool(self.cases or self.oracle))

    def run(self, only: list[str]) -> None:
        cases = [c for c in self.build_cases() if not only or c.name in only]
        for number, case in enumerate(cases, 1):
            # A node of the ledger is away for the second message and the third, or for the only one.
            if self.ledger and number == min(2, len(cases)):
                self.ledger.kill()
            self.run_case(case, number, len(cases))
            self.cases.append(case)
            if self.ledger and number >= min(3, len(cases)):
                self.ledger.heal()
        if self.oracle:
            self.oracle.run()
        if self.ledger and self.cases:
            self.ledger.run(self.cases, self.oracle.items if self.oracle else [])


def write_env(demo: Demo, to: str) -> Path:
    """What a shell needs to talk to the first gateway."""
    first = demo.gateways[0]
    file = demo.world.folder / "env"
    values = {"CAISSON_URL": first.url, "CAISSON_API_KEY_FILE": first.folder / "demo.key", "TO": to}
    if isinstance(demo.sides[0].chain, Followed):
        values["NODE"] = demo.sides[0].chain.follower.pid
    lines = [f"export {name}={shlex.quote(str(value))}" for name, value in values.items()]
    file.write_text("\n".join([*lines, f"export PATH={shlex.quote(str(demo.world.build / 'bin'))}:$PATH"]) + "\n")
    return file


def keep(demo: Demo) -> None:
    first, home, abroad = demo.gateways[0], *demo.sides
    key = first.folder / "demo.key"
    print("\nEverything stays up until Ctrl-C.\n")
    for gateway, side in zip(demo.gateways, demo.sides):
        print(f"  {side.chain.caip2:<22} chain {side.chain.url}  gateway {gateway.url}  events {gateway.events_url}")
        print(f"  {'':<22} {gateway.config}")
    to = demo.account(1, abroad.friend.lower())
    body = json.dumps({"to": to, "amount": str(UNIT), "mode": "sponsored"})
    print(f"""
One token from the operator's account on chain 1 to chain 2, by curl, or on the command line step by step:

  curl -s -H "Authorization: Bearer $(cat {key})" -d '{body}' {first.url}/v1/transfers

  . {write_env(demo, to)}
  caisson transfer --to $TO --amount {UNIT} --watch
""", flush=True)
    if demo.oracle:
        print(demo.oracle.keep(), flush=True)
    if demo.ledger:
        print(demo.ledger.keep(), flush=True)
    while True:
        signal.pause()


def interrupted(*_):
    raise KeyboardInterrupt


def demo_sources(options, folder: Path):
    """The server that the oracle asks; nothing where only messages are wanted."""
    if options.chains == "ledger" or (options.case and "oracle" not in options.case):
        return contextlib.nullcontext()  # a ledger proves no events, which requests of an oracle are
    say("a web server over TLS, under a certificate authority of its own")
    return demo_oracle.open_sources(folder / "sources")


def demo_bridge_ledger(options, folder: Path):
    """The nodes that the gateways write to; nothing where nobody sends a message."""
    if options.no_ledger or options.case == ["oracle"]:
        return contextlib.nullcontext()
    say("the ledger of the bridge: four nodes")
    return BridgeLedger(folder / "ledger")


def main() -> int:
    parser = argparse.ArgumentParser(prog="script/demo")
    parser.add_argument("--chains", choices=tuple(KINDS), default="ledger")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", action="store_true", help="leave it up until Ctrl-C")
    parser.add_argument("--case", action="append", default=[], help="only this one (several allowed); oracle is one")
    parser.add_argument("--no-ledger", action="store_true", help="without the ledger to which the gateways write")
    parser.add_argument("--folder", type=Path, help="where logs and journals go, new or empty, kept; a temporary folder otherwise")
    options = parser.parse_args()
    if options.folder and options.folder.exists() and (not options.folder.is_dir() or any(options.folder.iterdir())):
        parser.error(f"--folder {options.folder}: is there and not empty")
    signal.signal(signal.SIGTERM, interrupted)
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="caisson-demo-"))).resolve()
    begin, code = time.monotonic(), 1
    print(paint("1", f"Caisson between {TITLES[options.chains]}"), flush=True)
    try:
        with (demo_sources(options, folder) as sources, demo_bridge_ledger(options, folder) as bridge,
              World(folder, options.chains, say, sources=sources, bridge_ledger=bridge, ledger_time={} if bridge else None, followed=True) as world):
            demo = Demo(world)
            if "anvil" in KINDS[options.chains]:
                print(paint("33", "   dev-final (insecure): anvil's blocks are called final after 2 confirmations; nothing is sealed"))
            try:
                demo.run(options.case)
            finally:
                if options.json and (demo.cases or demo.oracle):
                    options.json.write_text(json.dumps(demo.as_json(), indent=1) + "\n")
            if demo.cases:
                print(f"\n{demo.table()}")
            if demo.oracle:
                print(f"\n{demo.oracle.table()}")
            print()
            code = 0 if demo.ok else 1
            if options.keep:
                keep(demo)
    except KeyboardInterrupt:
        print("\nstopped")
        code = 130 if not options.keep else 0
    except (Missing, Reverted, RuntimeError, TimeoutError, OSError) as problem:
        print(f"\n{paint('31', 'failed')}: {problem}\nlogs: {folder}", file=sys.stderr)
        return 1
    if not options.folder:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{'done' if code == 0 else 'not done'} in {time.monotonic() - begin:.0f} s; nothing is left running")
    return code


if __name__ == "__main__":
    sys.exit(main())
