"""A flood of evidence by RPC: valid, known, forged and old; the nodes go on making blocks, and look at so many signatures a second."""
from __future__ import annotations

import threading
import time

from ledger import forge
from ledger.net import Network
from ledger.test_evidence import SIGNED, Liars, change_genesis, changed, header_at, powers_of_ten
from lib.rpc import wait_for

# relay_state/node/rpc_inner.h, and what a piece of ours may cost: two signatures, by two sets.
WORK_PER_S, WORK_EACH = 128, 4
DEADLINE_S = 120
BATCH = 10


def age(genesis: dict) -> None:
    powers_of_ten(genesis)
    genesis["consensus_params"]["evidence"] |= {"max_age_num_blocks": "100000", "max_age_duration": "172800000000000"}


class Flood(threading.Thread):
    """Batches of all kinds, one after the other, until it is told to stop; answers counted by what they say."""

    def __init__(self, node, make):
        super().__init__(daemon=True)
        self.node, self.make, self.counts, self.is_over, self.failure = node, make, {}, False, None

    def run(self) -> None:
        try:
            while not self.is_over:
                batch = [{"jsonrpc": "2.0", "id": i, "method": "broadcast_evidence", "params": {"evidence": self.make()}} for i in range(BATCH)]
                for answer in self.node.post(batch):
                    said = "taken" if "result" in answer else answer["error"]["data"].removeprefix("failed to add evidence: ")
                    self.counts[said] = self.counts.get(said, 0) + 1
        except Exception as failure:  # told to the test, which ends with it
            self.failure = failure


def maker(liars: Liars, name: str):
    header, common = header_at(liars.node, 4), header_at(liars.node, 2)
    turn = 0

    def make() -> dict:
        nonlocal turn
        turn += 1
        # Of four one is new and valid, one is known, one is forged, one of a height that is none.
        salt = name if turn % 4 == 1 else f"{name}-{turn}"
        block = forge.lunatic(header, liars.validators, liars.keys, salt)
        good = forge.attack(block, common, liars.validators, liars.guilty)
        if turn % 4 == 2:
            signatures = block["signed_header"]["commit"]["signatures"]
            signatures[0]["signature"] = signatures[1]["signature"]
            return changed(good, [*SIGNED, "commit", "signatures"], signatures)
        return changed(good, ["Timestamp"], header["time"]) if turn % 4 == 3 else good

    return make


def test_a_flood_of_evidence(tmp_path):
    network = Network(tmp_path, 4)
    change_genesis(network, age)
    with network as net:
        net.wait_height(6)
        liars = Liars(net)
        begin = time.monotonic()
        floods = [Flood(net.nodes[i], maker(liars, f"flood {i}")) for i in range(2)]
        for flood in floods:
            flood.start()
        first = [node.height() for node in net.nodes]

        def is_through() -> bool:
            for flood in floods:
                if flood.failure:
                    raise flood.failure
            busy = all(any("too much evidence" in said for said in dict(f.counts)) for f in floods)
            return busy and all(node.height() >= height + 20 for node, height in zip(net.nodes, first))

        wait_for(is_through, DEADLINE_S, "twenty blocks under a flood that was refused")
        # Transactions are still taken into blocks.
        assert net.nodes[3].commit(b"key=value")["tx_result"]["code"] == 0
        for flood in floods:
            flood.is_over = True
            flood.join(DEADLINE_S)
            assert not flood.is_alive() and flood.failure is None
        passed = time.monotonic() - begin
        judged = 0
        for flood in floods:
            said = dict(flood.counts)
            assert said.get("taken", 0) > 0
            looked_at = sum(count for text, count in said.items() if "too much" not in text and "carried before" not in text)
            # Known pieces cost nothing: of those that were taken every second one at least was new.
            assert looked_at > 0
            costs = sum(count for text, count in said.items() if "time" in text or "signature" in text)
            assert costs * WORK_EACH <= WORK_PER_S * (passed + 1) + WORK_EACH, said
            judged += costs
        assert judged > 0
        # What blocks carried is what was valid, each once, the same everywhere.
        top = min(node.height() for node in net.nodes)
        carried = [[one["value"]["ConflictingBlock"]["signed_header"]["header"]["app_hash"]
                    for h in range(6, top + 1) for one in node.call("block", height=str(h))["block"]["evidence"]["evidence"]]
                   for node in net.nodes[::3]]
        assert carried[0] and carried[0] == carried[1] and len(set(carried[0])) == len(carried[0])
        net.wait_height(top + 3)
