"""Faults at random while contracts and apps ask and a feed is kept: the oracle, its enclave and blocks are taken away. At the end
every request of a contract has ended, once, and every wei is where it belongs. A failure prints the seed that repeats the schedule."""
from __future__ import annotations

import http.client
import json
import os
import random
import signal
import threading
import time

import pytest

from lib import abi, deploy, oracle
from lib.chains import Anvil
from lib.rpc import RpcError, wait_for
from lib.service import ApiError
from lib.sources import Sources

SECONDS = float(os.environ.get("CAISSON_FAULT_SECONDS", "120"))
SEED = int(os.environ.get("CAISSON_FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
SETTLE_S = 180
FAULT_EVERY_S = (1.0, 6.0)
ASK_EVERY_S = (0.1, 0.8)
LIFETIMES_S = (600, 600, 600, 12)
PRICES, NOBODY = ["one.prices.test", "two.prices.test", "three.prices.test"], "nobody.test"
PROCESS, ENCLAVE = "caisson-oracle", "caisson-oracle-enclave"


class Storm:
    def __init__(self, world: oracle.OracleWorld, sources: Sources, rng: random.Random):
        self.world, self.sources, self.rng = world, sources, rng
        self.contracts, self.rpc = world.contracts, world.chain.rpc
        self.sent: list[str] = []
        self.faults: dict[str, int] = {}
        self.accepted: list[str] = []  # requests of apps, by the id that they were told
        self.alone = 0  # apps that found nobody

    def spec(self) -> bytes:
        kind = self.rng.choice(("one", "three", "nobody", "missing"))
        ether = [oracle.source(self.sources.url(name, "ether"), "/usd") for name in PRICES]
        if kind == "three":
            return oracle.spec(*ether, aggregate=oracle.median(2))
        if kind == "nobody":
            return oracle.spec(oracle.source(f"https://{NOBODY}:1/ether", "/usd"))
        return oracle.spec(ether[0] if kind == "one" else oracle.source(self.sources.url(PRICES[0], "ether"), "/nowhere"))

    def ask(self) -> None:
        consumer = self.contracts.consumer
        self.sent.append(consumer.send(self.contracts.user, "ask", self.spec(), [], 200_000, 600, self.rng.choice(LIFETIMES_S),
                                       value=10**16, gas=1_000_000))

    def ask_as_app(self) -> None:
        """It may find nobody; what it was told an id for is never forgotten."""
        try:
            reply = self.world.oracle.post("/v1/oracle/requests", {"spec": self.feed_spec, "timeout_s": 20}, prefer="respond-async")
            self.accepted.append(reply["id"])
        except (OSError, http.client.HTTPException, ApiError):
            self.alone += 1

    def fault(self) -> None:
        what = self.rng.choice((PROCESS, ENCLAVE, "both", "pause", "reorg", "source"))
        self.faults[what] = self.faults.get(what, 0) + 1
        if what == "reorg":
            try:  # within the confirmations; the transactions of these blocks are gone and nobody sends them again
                self.rpc.call("anvil_reorg", 1, [])
            except RpcError:
                pass
            return
        if what == "source":
            self.sources.set(self.rng.choice(PRICES), "ether", {"usd": str(self.rng.randrange(2900, 3100))})
            return
        pids = self.world.oracle.pids()
        for name in {"both": (PROCESS, ENCLAVE), "pause": (PROCESS,)}.get(what, (what,)):
            if name in pids:
                os.kill(pids[name], signal.SIGSTOP if what == "pause" else signal.SIGKILL)
        if what == "pause":
            time.sleep(self.rng.uniform(0.5, 3))
            os.kill(pids[PROCESS], signal.SIGCONT)
        elif what != ENCLAVE:
            self.world.oracle.process.popen.wait(10)
            self.world.oracle.start()

    def run(self, seconds: float) -> None:
        end, fault_at = time.monotonic() + seconds, time.monotonic() + 2
        while time.monotonic() < end:
            self.ask()
            if self.rng.random() < 0.3:
                threading.Thread(target=self.ask_as_app, daemon=True).start()
            if time.monotonic() >= fault_at:
                self.fault()
                fault_at = time.monotonic() + self.rng.uniform(*FAULT_EVERY_S)
            time.sleep(self.rng.uniform(*ASK_EVERY_S))

    def kept(self) -> list[dict]:
        """The requests that are on the chain. A reorganisation may have taken some."""
        return [{**e["request"], "id": e["requestId"]} for e in self.contracts.logs(self.contracts.requests, "OracleRequested")]

    def open_ones(self, requests: list[dict]) -> list[dict]:
        return [r for r in requests if self.contracts.state_of(r)[0] == deploy.OPEN]

    def refund_late(self, requests: list[dict]) -> None:
        """By anybody, of what passed its deadline without an answer."""
        now = self.rpc.time()
        for request in self.open_ones(requests):
            if now >= request["deadline"]:
                parts = {k: request[k] for k in deploy.REQUEST_PARTS}
                self.contracts.requests.write(self.contracts.guardian, "refund", parts, accept_revert=True)


@pytest.mark.slow
def test_storm(tmp_path):
    print(f"CAISSON_FAULT_SEED={SEED}")
    with Sources(tmp_path / "sources", [*PRICES, NOBODY]) as sources, Anvil(tmp_path / "chain", block_time=0.5) as chain:
        for name in PRICES:
            sources.set(name, "ether", {"usd": "3000"})
        with oracle.OracleWorld(tmp_path / "world", chain, sources.store, sources.authority.hash, sources.names,
                                more={"relay": {"retry_min_ms": 200, "retry_max_ms": 3000}}) as world:
            contracts, storm = world.contracts, Storm(world, sources, random.Random(SEED))
            feed = feed_of(storm)
            storm.run(SECONDS)
            chain.rpc.wait_blocks(6)
            requests = storm.kept()
            assert len(requests) > 0.5 * len(storm.sent), "too few requests survived the reorganisations to say anything"

            def over():
                storm.refund_late(requests)
                return not storm.open_ones(requests)

            try:
                wait_for(over, SETTLE_S, "the end of every request", 1)
            except TimeoutError:
                left = storm.open_ones(requests)
                rows = [world.oracle.known_of(r["id"]) for r in left[:5]]
                pytest.fail(f"{len(left)} of {len(requests)} requests did not end: {rows}; seed {SEED}")
            check_ends(contracts, requests)
            check_rounds(contracts, feed)
            told = apps_end(storm)
            print(f"{len(requests)} requests, faults {storm.faults}, {len(told)} of apps, {told.count('done')} answered, "
                  f"{storm.alone} found nobody, "
                  f"{len(contracts.logs(contracts.feeds, 'FeedUpdated'))} rounds")


def feed_of(storm: Storm) -> dict:
    """One that is due often."""
    spec = oracle.spec(*(oracle.source(storm.sources.url(n, "ether"), "/usd") for n in PRICES), aggregate=oracle.median(2))
    added = storm.contracts.add_feed(oracle.FEED_SETTINGS | {"specHash": oracle.ov.spec_hash(spec), "heartbeat": 5, "staleAfter": 60})
    storm.world.oracle.list_feed(added["index"], spec)
    storm.feed_spec = json.loads(spec)
    return added


def apps_end(storm: Storm) -> list[str]:
    """Their states, once nothing is open; most were answered before their 20 s were over."""
    ended = ("done", "expired", "refused")
    known = wait_for(lambda: (k := [storm.world.oracle.known_of(abi.to_bytes(i)) for i in storm.accepted])
                     and all(one is None or one["state"] in ended for one in k) and k, 60, "the end of every request of an app", 0.5)
    assert None not in known, f"accepted and forgotten; seed {SEED}"
    states = [one["state"] for one in known]
    assert states.count("done") > 0.5 * len(states), f"{states}; seed {SEED}"
    return states


def check_ends(contracts: deploy.OracleContracts, requests: list[dict]) -> None:
    """One end each; what was paid is earned, owed, or with those who asked."""
    answers, refunds = (contracts.logs(contracts.requests, name) for name in ("OracleAnswered", "OracleRefunded"))
    fees, earned = {r["id"]: r["fee"] for r in requests}, 0
    assert len({a["requestId"] for a in answers}) == len(answers) and len({r["requestId"] for r in refunds}) == len(refunds)
    back = {r["requestId"] for r in refunds}
    for request in requests:
        status, code = contracts.state_of(request)
        answered = [a for a in answers if a["requestId"] == request["id"]]
        assert len(answered) == (status == oracle.ANSWERED)
        assert (request["id"] in back) == (status == oracle.REFUNDED or 16 <= code <= 31), (status, code)
        if answered:
            assert answered[0]["code"] == code and answered[0]["observedAt"] >= request["time"]
        earned += 0 if request["id"] in back else fees[request["id"]]
    assert contracts.requests.read("earned") == earned
    held = int(contracts.chain.rpc.call("eth_getBalance", contracts.requests.address, "latest"), 16)
    assert held == earned + contracts.requests.read("owed", contracts.consumer.address)
    failed = contracts.logs(contracts.requests, "CallbackFailed")
    assert contracts.consumer.read("answers") == len(answers) - len(failed)


def check_rounds(contracts: deploy.OracleContracts, feed: dict) -> None:
    rounds = contracts.logs(contracts.feeds, "FeedUpdated", 0, f"0x{feed['index']:064x}")
    times = [r["observedAt"] for r in rounds]
    assert rounds and times == sorted(set(times)), "rounds are strictly newer"
    assert all(2900 * 10**8 <= r["value"] <= 3100 * 10**8 for r in rounds)
    assert feed["view"].read("latestRoundData")[0] == len(rounds)
