"""Two gateways of a route that take its manifest one after the other: what the first one signs until then waits for the second, is not lost, and
holds up no other route."""
from __future__ import annotations

import json
import re
import sqlite3

import pytest

from lib.rpc import wait_for
from lib.third import Third, numbers, reload
from lib.world import END_TIMEOUT_S, GAS_MONEY_WEI, TRANSFER_GAS

AHEAD = "peer.manifest_is_newer"


class Apart(Third):
    """The third chain will be the second gateway's."""

    def write(self, index: int) -> None:
        gateway, abroad = self.gateways[index], json.dumps([self.sides[1].chain.caip2])
        text = gateway.config.read_text().replace(json.dumps([str(self.manifest)]), json.dumps([str(f) for f in self.lineage]))
        if index == 0:
            text = text.replace(f"chains = {abroad}", f"chains = {json.dumps([self.sides[1].chain.caip2, self.more.caip2])}")
        gateway.config.write_text(text if index == 0 else text + self.chain_lines())


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with Apart(tmp_path_factory.mktemp("ahead"), "anvil", block_time=0.5) as w:
        yield w


def held(gateway) -> int:
    """Items of its peer that wait there."""
    found, = re.findall(r'^caisson_peer_held\{.*\} (\S+)$', gateway.get("/metrics"), re.M)
    return int(float(found))


def taken(gateway, message: str) -> int:
    """Its place in the journal: rows are numbered as they come."""
    with sqlite3.connect(f"file:{gateway.folder / 'journal.db'}?mode=ro", uri=True, timeout=30) as journal:
        return journal.execute("SELECT n FROM messages WHERE id=?", (bytes.fromhex(message[2:]),)).fetchone()[0]


def test_what_is_signed_for_a_route_that_the_peer_does_not_have_waits_for_it(world):
    (first, second), (home, _), third = world.gateways, world.sides, world.third
    assert held(second) == 0
    world.lineage.append(world.sign(world.draft(), "two"))
    world.write(0)
    reload(first)
    assert (numbers(first), numbers(second)) == ((2, 2), (1, 1))
    early = world.commit_between(home, third, b"before the other gateway")
    first.reaches(early, "signed")
    wait_for(lambda: second.log.read_text().count(AHEAD), END_TIMEOUT_S, "the second gateway to be told")
    wait_for(lambda: held(second) == 1, END_TIMEOUT_S, "it to be written down", 0.2)
    behind = world.send(b"behind it")
    back = world.send(b"the other direction goes on", source=1)
    first.ends(behind)
    second.ends(back)
    # Another one of that route waits behind the first, through a crash too.
    next_one = world.commit_between(home, third, b"the next one of it")
    first.reaches(next_one, "signed")
    wait_for(lambda: held(second) == 2, END_TIMEOUT_S, "both", 0.2)
    second.kill()
    second.start()
    wait_for(second.healthy, END_TIMEOUT_S, "health")
    first.ends(world.send(b"after a crash"))
    assert held(second) == 2
    assert all(second.message(m) is None for m in (early, next_one)) and "peer.item_refused" not in second.log.read_text()

    world.write(1)
    reload(second)
    wait_for(second.healthy, END_TIMEOUT_S, "health with the third chain")
    world.name_key(home, third, second)
    world.name_key(third, home, first)
    gas = next(k for k in second.enclave()["keys"] if k["chain"] == world.more.caip2)["gas_address"]
    world.more.rpc.wait_receipt(world.more.rpc.send(third.owner, gas, value=GAS_MONEY_WEI, gas=TRANSFER_GAS))
    for message in (early, next_one):
        first.ends(message)
    assert third.app.read("received") == 2 and held(second) == 0
    assert taken(second, early) < taken(second, next_one)
    later = world.commit_between(home, third, b"with both")
    first.ends(later)
    assert third.app.read("received") == 3
