"""Faults at random for minutes: transfers in both directions while gateways, enclaves and blocks are taken away. At the end
every transfer has ended, once, and value is conserved. A failure prints the seed that repeats the schedule of faults."""
from __future__ import annotations

import os
import random
import signal
import time

import pytest

from lib import abi, deploy
from lib.rpc import RpcError, wait_for
from lib.world import World, soon

SECONDS = float(os.environ.get("CAISSON_FAULT_SECONDS", "240"))
SEED = int(os.environ.get("CAISSON_FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
SETTLE_S = 180
FAULT_EVERY_S = (1.0, 5.0)
SEND_EVERY_S = (0.1, 0.8)
DEADLINES_S = (None, None, None, 12)
SEND_GAS = 600_000
DELIVERED, DEAD = 2, 3


class Storm:
    def __init__(self, world: World, rng: random.Random):
        self.world, self.rng = world, rng
        self.sent: list[tuple[int, str, int]] = []  # (source, transaction, amount)
        self.faults: dict[str, int] = {}

    def send(self) -> None:
        source = self.rng.randrange(2)
        side, other = self.world.sides[source], self.world.sides[1 - source]
        amount, lifetime = self.rng.randrange(1, 1000), self.rng.choice(DEADLINES_S)
        attributes = []
        if lifetime:
            attributes = [deploy.attribute("deadline(uint64)", soon(other.chain, lifetime))]
        tx = side.bridge.send(side.user, "transfer", side.token.address, amount, deploy.erc7930(other.chain.chain_id, other.friend),
                              "0x" + "00" * 20, attributes, gas=SEND_GAS)
        self.sent.append((source, tx, amount))

    def fault(self) -> None:
        gateway = self.rng.choice(self.world.gateways)
        what = self.rng.choice(("caisson-gateway", "caisson-enclave", "both", "pause", "reorg"))
        pids = gateway.pids()
        self.faults[what] = self.faults.get(what, 0) + 1
        if what == "reorg":
            try:  # within the confirmations; the transactions of these blocks are gone and nobody sends them again
                gateway.side.chain.rpc.call("anvil_reorg", 1, [])
            except RpcError:
                pass
            return
        victims = ["caisson-gateway", "caisson-enclave"] if what == "both" else ["caisson-gateway" if what == "pause" else what]
        for name in victims:
            pid = pids.get(name)
            if pid is None:
                continue  # it is on its way back from the last fault
            try:
                os.kill(pid, signal.SIGSTOP if what == "pause" else signal.SIGKILL)
                if what == "pause":
                    time.sleep(self.rng.uniform(0.5, 3))
                    os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                continue

    def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        fault_at = time.monotonic() + 2
        while time.monotonic() < end:
            self.send()
            if time.monotonic() >= fault_at:
                self.fault()
                fault_at = time.monotonic() + self.rng.uniform(*FAULT_EVERY_S)
            time.sleep(self.rng.uniform(*SEND_EVERY_S))

    def messages(self) -> dict[str, tuple[int, int]]:
        """What the chains kept: messageId → (source, amount). A reorganisation may have taken some."""
        kept = {}
        for source, tx, amount in self.sent:
            side = self.world.sides[source]
            receipt = side.chain.rpc.receipt(tx)
            if receipt is not None and receipt["status"] == "0x1":
                kept[abi.to_hex(side.gateway.events("MessageCommitted", receipt)[0]["messageId"])] = (source, amount)
        return kept


@pytest.mark.slow
def test_storm(tmp_path):
    print(f"CAISSON_FAULT_SEED={SEED}")
    with World(tmp_path, "anvil", expire=("tombstone", "absence"), block_time=0.5) as world:
        home, abroad = world.sides
        start = home.bridge.write(home.user, "transfer", home.token.address, 10**9, deploy.erc7930(abroad.chain.chain_id, abroad.user),
                                  "0x" + "00" * 20, [], gas=SEND_GAS)
        first = abi.to_hex(home.gateway.events("MessageCommitted", start)[0]["messageId"])
        wait_for(lambda: home.gateway.read("outcomeOf", first) == DELIVERED, 60, "tokens on chain 2", 0.2)
        storm = Storm(world, random.Random(SEED))
        storm.run(SECONDS)
        for chain in world.chains:
            chain.rpc.wait_blocks(6)
        messages = storm.messages()
        assert len(messages) > 0.5 * len(storm.sent), "too few transfers survived the reorganisations to say anything"

        def open_ones():
            return [m for m, (source, _) in messages.items() if world.sides[source].gateway.read("outcomeOf", m) == 0]

        try:
            wait_for(lambda: not open_ones(), SETTLE_S, "the end of every transfer", 1)
        except TimeoutError:
            left = open_ones()
            rows = [world.gateways[messages[m][0]].message(m) for m in left[:5]]
            pytest.fail(f"{len(left)} of {len(messages)} transfers did not end: "
                        f"{[(r['id'], r['state'], r['why']) if r else None for r in rows]}; seed {SEED}")
        outcomes = {m: world.sides[s].gateway.read("outcomeOf", m) for m, (s, _) in messages.items()}
        delivered = [(s, a) for m, (s, a) in messages.items() if outcomes[m] == DELIVERED]
        out = 10**9 + sum(a for s, a in delivered if s == 0)
        back = sum(a for s, a in delivered if s == 1)
        locked = home.token.read("balanceOf", home.bridge.address)
        minted = abroad.token.read("totalSupply")
        assert locked == minted == out - back, f"seed {SEED}"
        assert abroad.token.read("balanceOf", abroad.friend) == sum(a for s, a in delivered if s == 0)
        assert home.token.read("balanceOf", home.friend) == back
        print(f"{len(messages)} transfers, {len(delivered)} delivered, faults {storm.faults}")
