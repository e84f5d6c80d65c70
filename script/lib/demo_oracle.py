"""The demo's oracle: a contract asks, an app asks, a feed is kept though one of its sources lies, and a question without an answer.

The four run beside each other. Every value that is told was read back: from the chain, or from a document that was verified.
"""
from __future__ import annotations

import json
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator

from lib import abi, crypto, deploy, oracle, tools
from lib.sources import Sources
from lib.world import World, now_ms

TIMEOUT_S = 120
POLL_S = 0.04
DECIMALS = 8
CALLBACK_GAS = 200_000
ASK_GAS = 1_000_000
# Paid to the consumer with the call: covers the fee; what is left stays with it.
ASK_VALUE_WEI = 10**16
LATE_S, LIFETIME_S = 600, 600

# Hosts of the demo's one server; there is no such domain.
ONE, TWO, THREE, RESULTS, NOBODY = "one.prices.test", "two.prices.test", "three.prices.test", "results.test", "nobody.test"
HONEST = {ONE: "3000.10", TWO: "3000.30"}
LIE = "9000"


def open_sources(folder: Path) -> Sources:
    sources = Sources(folder, [ONE, TWO, THREE, RESULTS, NOBODY])
    for name, price in (HONEST | {THREE: LIE}).items():
        sources.set(name, "ether", {"ether": {"usd": price}})
    # What step 1 of docs/oracle.md says that its server answers.
    sources.set(ONE, "coins", {"bitcoin": {"usd": 67123.45}})
    sources.set(RESULTS, "42", {"match": 42, "winner": "the second team", "score": [1, 2]})
    return sources


@dataclass
class Item:
    """One of the four, with what came of it."""

    name: str
    title: str
    expect: str
    outcome: str = ""
    value: str = ""
    people: str = ""  # the value as people read it
    request_id: str = ""  # of one request; a feed has none
    begin_ms: int = 0
    t_ms: int = 0

    def end(self, outcome: str, value, people: str) -> None:
        self.outcome, self.value, self.people, self.t_ms = outcome, str(value), people, now_ms() - self.begin_ms


def decimal(value: int) -> str:
    whole, rest = divmod(abs(value), 10**DECIMALS)
    return f"{'-' if value < 0 else ''}{whole}.{rest:0{DECIMALS}d}".rstrip("0").rstrip(".")


def decimal_text(text: str | None) -> str:
    return text.rstrip("0").rstrip(".") if text else "nothing"


def until(condition: Callable, what: str) -> Iterator[None]:
    """Yields until the condition is true; its value."""
    end = time.monotonic() + TIMEOUT_S
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {TIMEOUT_S} s for {what}")
        yield
    return value


def together(*runs: Iterator[None]) -> None:
    """Generators that wait by yielding, side by side."""
    going = list(runs)
    while going:
        for run in list(going):
            try:
                next(run)
            except StopIteration:
                going.remove(run)
        time.sleep(POLL_S)


class OracleDemo:
    def __init__(self, world: World, paint):
        self.world, self.paint = world, paint
        self.sources, self.oracle, self.contracts = world.sources, world.oracle, world.oracle_contracts
        self.chain, self.rpc = self.contracts.chain, self.contracts.chain.rpc
        self.items = [Item("callback", "a contract asks, and its callback hears the answer", "answered"),
                      Item("rest", "an app asks over REST, and verifies the answer offline", "verified"),
                      Item("feed", "a price of three sources, of which one lies", "updated"),
                      Item("unanswerable", "nobody answers at the source: the fee goes back", "refunded")]

        self.feed_spec = oracle.spec(*(oracle.source(self.sources.url(name, "ether"), "/ether/usd") for name in (ONE, TWO, THREE)),
                                     aggregate=oracle.median(2))
        self.feed_settings = oracle.FEED_SETTINGS | {"specHash": oracle.ov.spec_hash(self.feed_spec)}
        feeds = self.contracts.feeds
        feeds.send(self.contracts.owner, "schedule", feeds.data("addFeed", self.feed_settings))  # the owner's delay begins

    # ---- showing ----

    def show(self, item: Item, what: str, block: int | str = "", tx: str = "", at_ms: int = 0) -> None:
        where = f"{self.chain.caip2} block {int(block, 16) if isinstance(block, str) else block}" if block != "" else ""
        line = f"  {self.paint('1', f'{item.name:<13}')} {max(0, (at_ms or now_ms()) - item.begin_ms):>6} ms  {what:<52} {self.paint('36', where)}"
        print(f"{line} {self.paint('2', tx[:14] + '…' if tx else '')}".rstrip(), flush=True)

    def watch(self, item: Item, request_id: bytes, ended: Callable) -> Iterator[None]:
        """Shows what the oracle's journal has of a request, each step with the journal's time, until the chain says that it is over."""
        steps = [("created_ms", "found by the oracle; its block is not final yet"),
                 ("answered_ms", "final: asked at the source, signed by the enclave")]

        def look():
            over = ended()
            known = self.oracle.known_of(request_id) or {}
            while steps and known.get(steps[0][0]):
                at, what = steps.pop(0)
                self.show(item, what, at_ms=known[at])
            return over

        return (yield from until(look, f"the end of {item.name} ({self.oracle.log})"))

    # ---- what contracts do ----

    def ask(self, item: Item, spec: bytes, arguments: list[str]) -> Iterator[None]:
        """A transaction of a user makes the consumer ask; the request."""
        consumer = self.contracts.consumer
        item.begin_ms = now_ms()
        tx = consumer.send(self.contracts.user, "ask", spec, arguments, CALLBACK_GAS, LATE_S, LIFETIME_S, value=ASK_VALUE_WEI, gas=ASK_GAS)
        receipt = yield from until(lambda: self.rpc.receipt(tx), f"the receipt of {tx}")
        if receipt["status"] != "0x1":
            raise RuntimeError(f"{item.name}: the consumer could not ask ({tx})")
        request = self.contracts.asked(receipt)
        item.request_id = abi.to_hex(request["id"])
        self.show(item, f"asked, {request['fee'] / 10**18:g} ether in escrow", receipt["blockNumber"], tx)
        return request

    def log_of(self, event: str, request: dict) -> dict:
        """The one log of the contract about a request."""
        log, = self.contracts.logs(self.contracts.requests, event, self.world.start_heights[0], abi.to_hex(request["id"]))
        return log

    def key_of(self, epoch: int) -> str:
        """Of the oracle, as the contract has it."""
        return abi.to_hex(self.contracts.requests.read("keyOf", self.contracts.requests.read("oracle"), epoch)[0]["x"])

    def is_over(self, request: dict) -> Callable:
        return lambda: self.contracts.state_of(request)[0] in (oracle.ANSWERED, oracle.REFUNDED)

    def callback(self, item: Item) -> Iterator[None]:
        spec = oracle.spec(oracle.source(self.sources.url(ONE, "ether"), "/{0}/usd"))
        request = yield from self.ask(item, spec, ["ether"])
        yield from self.watch(item, request["id"], self.is_over(request))
        log, consumer = self.log_of("OracleAnswered", request), self.contracts.consumer
        failed = self.contracts.logs(self.contracts.requests, "CallbackFailed", self.world.start_heights[0], abi.to_hex(request["id"]))
        # The consumer hears of the unanswerable request too, perhaps later in the same block; what it keeps of a value is from this one.
        if self.contracts.state_of(request) != (oracle.ANSWERED, 0) or failed or consumer.read("observedAt") != log["observedAt"]:
            raise RuntimeError(f"callback: the consumer did not hear the answer of {abi.to_hex(request['id'])}")
        price = consumer.read("price")
        item.end("answered", price, decimal(price))
        self.show(item, f"the callback has it: {decimal(price)}", log["block"], log["tx"])

    def unanswerable(self, item: Item) -> Iterator[None]:
        """A host at whose port nobody listens."""
        spec = oracle.spec(oracle.source(f"https://{NOBODY}:1/ether", "/ether/usd"))
        request = yield from self.ask(item, spec, [])
        yield from self.watch(item, request["id"], self.is_over(request))
        status, code = self.contracts.state_of(request)
        log = self.log_of("OracleRefunded", request)
        fee = log["fee"]
        if status != oracle.ANSWERED or not 16 <= code <= 31 or fee != request["fee"]:
            raise RuntimeError(f"unanswerable: ended with status {status}, code {code}, {fee} wei returned")
        item.end("refunded", fee, f"{fee / 10**18:g} ether, for {oracle.CODES[code]}")
        self.show(item, f"signed as {oracle.CODES[code]}: {fee / 10**18:g} ether returned", log["block"], log["tx"])

    # ---- what an app does ----

    def rest(self, item: Item) -> Iterator[None]:
        spec = oracle.spec(oracle.source(self.sources.url(RESULTS, "{0}"), "/winner"), kind="string", decimals=None)
        item.begin_ms = now_ms()
        reply = self.oracle.post("/v1/oracle/requests", {"spec": json.loads(spec), "arguments": ["42"], "audience": "demo"})
        self.show(item, f"asked {RESULTS} by POST /v1/oracle/requests")
        document, path = reply, f"/v1/oracle/requests/{reply['id']}"
        if not oracle.is_answer(reply):
            document = yield from until(lambda: (d := self.oracle.get(path)) and oracle.is_answer(d) and d, "the answer")
        file = self.world.folder / "answer.json"
        file.write_text(json.dumps(document))
        run = self.oracle.caisson("verify", str(file), "--key", self.key_of(document["statement"]["epoch"]), "--json")
        if run.returncode:
            raise RuntimeError(f"rest: caisson verify says {run.returncode}: {run.stdout}{run.stderr}")
        item.request_id = document["id"]
        item.end("verified", document["value"], document["value"])
        self.show(item, f"verified offline against the contract's key: {document['value']}")

    # ---- what an operator does ----

    def feed(self, item: Item) -> Iterator[None]:
        item.begin_ms = now_ms()
        feeds = self.contracts.feeds
        scheduled = crypto.keccak(feeds.data("addFeed", self.feed_settings))
        yield from until(lambda: 0 < feeds.read("readyAt", scheduled) <= self.rpc.time(), "the owner's delay")
        tx = feeds.send(self.contracts.owner, "addFeed", self.feed_settings, gas=deploy.ADD_FEED_GAS)
        receipt = yield from until(lambda: self.rpc.receipt(tx), f"the receipt of {tx}")
        added = self.contracts.added(receipt)
        self.show(item, f"added by the owner, as number {added['index']}", receipt["blockNumber"], tx)
        self.oracle.list_feed(added["index"], self.feed_spec)
        self.show(item, f"listed: {', '.join(HONEST)} and a liar")
        path = f"/v1/oracle/feeds/{feeds.address.lower()}/{added['index']}"
        told = yield from until(lambda: self.oracle.get(path).get("last_round"), f"a round ({self.oracle.log})")
        for source in told["sources"]:
            host = source["host"].partition(":")[0]
            self.show(item, f"{host} says {decimal_text(source['value'])}{'' if source['agrees'] else ': the others do not'}")
        first, *_ = yield from until(lambda: self.rounds(added), f"the first round on chain ({self.oracle.log})")
        answer = added["view"].read("latestRoundData")[1]
        item.end("updated", answer, decimal(answer))
        self.show(item, f"latestRoundData: {decimal(answer)}, though {THREE} says {LIE}", first["block"], first["tx"])

    def rounds(self, feed: dict) -> list[dict]:
        return self.contracts.logs(self.contracts.feeds, "FeedUpdated", self.world.start_heights[0], f"0x{feed['index']:064x}")

    # ---- all ----

    def run(self) -> None:
        title = "the oracle: four questions, asked over TLS that ends inside its enclave"
        print(f"\n{self.paint('1', title)}\n{self.paint('2', '─' * len(title))}", flush=True)
        for item in self.items:
            print(self.paint("33", f"      {item.name}: {item.title}"), flush=True)
        together(*(getattr(self, item.name)(item) for item in self.items))

    @property
    def ok(self) -> bool:
        return all(item.outcome == item.expect for item in self.items)

    def table(self) -> str:
        head = f"{'oracle':<19}{'outcome':<11}{'time':>17}   value"
        lines = [self.paint("1", head), self.paint("2", "─" * 60)]
        lines += [f"{i.name:<19}{i.outcome:<11}{i.t_ms / 1000:>15.1f} s   {i.people}" for i in self.items]
        return "\n".join(lines)

    def as_json(self) -> list[dict]:
        return [{"name": i.name, "outcome": i.outcome, "value": i.value, "t_ms": i.t_ms} for i in self.items]

    def write_env(self) -> Path:
        """What a shell needs to ask the oracle, and to let a contract of its own ask it."""
        spec, body, file = (self.world.folder / name for name in ("spec.json", "ask.json", "oracle.env"))
        text = oracle.spec(oracle.source(self.sources.url(ONE, "ether"), "/ether/usd"))
        spec.write_bytes(text)
        body.write_text(json.dumps({"spec": json.loads(text), "audience": "me"}))
        values = {"CAISSON_URL": self.oracle.url, "CAISSON_API_KEY_FILE": self.oracle.key_file, "SPEC": spec, "ASK": body, "KEY": self.key_of(1),
                  "RPC": self.chain.url, "ACCOUNT": self.contracts.user, "ORACLE": self.contracts.requests.address,
                  "SOURCE": f"{ONE}:{self.sources.port}"}
        lines = [f"export {name}={shlex.quote(str(value))}" for name, value in values.items()]
        file.write_text("\n".join([*lines, f"export PATH={shlex.quote(f'{self.world.build}/bin:{tools.TOOLS}')}:$PATH"]) + "\n")
        return file

    def keep(self) -> str:
        """How to go on by hand."""
        return f"""  {self.chain.caip2:<13} oracle {self.oracle.url}  requests {self.contracts.requests.address}  feeds {self.contracts.feeds.address}
  {'':<13} {self.oracle.config}
  {'':<13} sources {' '.join(f'https://{n}:{self.sources.port}' for n in self.sources.names if n != NOBODY)}
  {'':<13} answer from {self.sources.folder / 'www'}, under {self.sources.store}

A signed price by curl, or on the command line, which verifies it by the key that the contract has; and the feed:

  . {self.write_env()}
  curl -s -H "Authorization: Bearer $(cat $CAISSON_API_KEY_FILE)" -d @$ASK $CAISSON_URL/v1/oracle/requests
  caisson oracle ask $SPEC --key $KEY
  caisson oracle feeds

A contract of your own: docs/oracle.md, "A contract that asks, on the demo".
"""
