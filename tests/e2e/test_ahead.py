"""Two gateways of a route that take its manifest one after the other: what the first one signs until then waits for the second, and is not lost."""
from __future__ import annotations

import json

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


def test_what_is_signed_for_a_route_that_the_peer_does_not_have_waits_for_it(world):
    (first, second), (home, _), third = world.gateways, world.sides, world.third
    world.lineage.append(world.sign(world.draft(), "two"))
    world.write(0)
    reload(first)
    assert (numbers(first), numbers(second)) == ((2, 2), (1, 1))
    early = world.commit_between(home, third, b"before the other gateway")
    first.reaches(early, "signed")
    wait_for(lambda: second.log.read_text().count(AHEAD), END_TIMEOUT_S, "the second gateway to be told")
    behind = world.send(b"behind it")
    first.reaches(behind, "signed")
    back = world.send(b"the other direction goes on", source=1)
    second.reaches(back, "submitted", "included", "outcome_final", "outcome_verified", "signed")
    assert second.message(early) is None and "peer.item_refused" not in second.log.read_text()

    world.write(1)
    reload(second)
    wait_for(second.healthy, END_TIMEOUT_S, "health with the third chain")
    world.name_key(home, third, second)
    world.name_key(third, home, first)
    gas = next(k for k in second.enclave()["keys"] if k["chain"] == world.more.caip2)["gas_address"]
    world.more.rpc.wait_receipt(world.more.rpc.send(third.owner, gas, value=GAS_MONEY_WEI, gas=TRANSFER_GAS))
    for message in (early, behind):
        first.ends(message)
    second.ends(back)
    assert third.app.read("received") == 1 and second.log.read_text().count(AHEAD) == 1
    later = world.commit_between(home, third, b"with both")
    first.ends(later)
    assert third.app.read("received") == 2
