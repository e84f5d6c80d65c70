"""A node that prunes: receipts of a message that still waits to be signed are gone when it may be. What was kept of them in time
shows it nevertheless; without it the message waits for a node that has them."""
from __future__ import annotations

import re
import sqlite3
from datetime import datetime

import pytest

from lib.between import Between
from lib.rpc import wait_for
from lib.world import END_TIMEOUT_S

JOURNAL = "[journal]\nproofs_after_s = 1\n"
RECEIPTS = ("eth_getBlockReceipts", "eth_getTransactionReceipt")


class Pruning(Between):
    """The first chain's node keeps receipts of blocks above `pruned` alone, none of those that are `gone`, and others of those `forged`."""
    pruned = -1

    def __init__(self, *args, **named):
        self.gone, self.forged = set(), set()
        super().__init__(*args, **named)

    def write_gateways(self) -> None:
        super().write_gateways()
        config = self.gateways[0].config
        config.write_text(config.read_text().replace("[relay]\n", JOURNAL + "\n[relay]\n"))
        self.proxy.after = self.prune

    def prune(self, call: dict, reply: dict) -> dict:
        if call["method"] == "debug_getRawReceipts":
            return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32601, "message": "the method does not exist"}}
        if call["method"] not in RECEIPTS or not reply.get("result"):
            return reply
        found = reply["result"] if isinstance(reply["result"], list) else [reply["result"]]
        height = int(found[0]["blockNumber"], 16)
        if height in self.forged:
            for receipt in found:
                receipt["cumulativeGasUsed"] = hex(int(receipt["cumulativeGasUsed"], 16) + 1)
        return dict(reply, result=None) if height <= self.pruned or height in self.gone else reply


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with Pruning(tmp_path_factory.mktemp("pruned"), "anvil", block_time=0.5) as w:
        w.gateways[0].ends(w.send(b"once keys are final"))
        yield w


def kept(gateway, message: str) -> bool:
    return stored(gateway, "SELECT count(*) FROM claims c JOIN messages m ON m.n=c.message WHERE m.id=?", bytes.fromhex(message[2:])) == 1


def verb(gateway, name: str, chain: str) -> None:
    assert gateway.request("POST", f"/v1/operator/{name}", {"chain": chain})[0] == 200


def pruned(world, message: str) -> None:
    """The node forgets the receipts, and the gateway what it had of them in memory."""
    gateway = world.gateways[0]
    world.pruned = gateway.message(message)["sent"]["block"]
    gateway.stop()
    gateway.restart()


def not_signed(gateway) -> list[str]:
    return [line for line in gateway.log.read_text().splitlines() if "message.not_signed" in line]


def refusals(gateway, message: str) -> list[float]:
    """When the log said that it was not signed, in seconds."""
    lines = (line for line in not_signed(gateway) if message[2:] in line)
    return [datetime.fromisoformat(re.search(r"\d{4}-\S+Z", line)[0]).timestamp() for line in lines]


def test_what_was_kept_in_time_is_signed(world):
    gateway, chain = world.gateways[0], world.chains[0].caip2
    verb(gateway, "pause", chain)
    one, two = world.send(b"waits long"), world.send(b"waits as long")
    for message in (one, two):
        gateway.reaches(message, "final")
        wait_for(lambda m=message: kept(gateway, m), END_TIMEOUT_S, f"its proof ({gateway.log})", 0.2)
    assert gateway.figure("caisson_proofs_kept") == 2 and 2 * 500 < gateway.figure("caisson_proofs_kept_bytes") < 2 * 4096
    print(gateway.figure("caisson_proofs_kept_bytes"), "bytes of two receipts")
    pruned(world, two)
    verb(gateway, "resume", chain)
    for message in (one, two):
        gateway.ends(message)
        assert not kept(gateway, message)
    assert gateway.figure("caisson_proofs_kept") == gateway.figure("caisson_proofs_kept_bytes") == 0


def test_what_was_not_kept_waits_for_a_node(world):
    gateway, chain = world.gateways[0], world.chains[0].caip2
    before = gateway.config.read_text()
    gateway.config.write_text(before.replace(JOURNAL, "[journal]\nproofs_after_s = 0\nproofs_mb = 0\n"))
    assert gateway.request("POST", "/v1/operator/reload")[1]["changed"] == ["journal.proofs_after_s", "journal.proofs_mb"]
    verb(gateway, "pause", chain)
    message = world.send(b"kept by nobody")
    gateway.reaches(message, "final")
    pruned(world, message)
    verb(gateway, "resume", chain)
    wait_for(lambda: "has the block and no receipts" in (gateway.message(message)["why"] or ""), END_TIMEOUT_S, "a reason", 0.2)
    # It is said once for each pause, and these grow.
    times = wait_for(lambda: len(t := refusals(gateway, message)) >= 5 and t, END_TIMEOUT_S, "four pauses", 0.2)
    assert times[4] - times[3] > 1.5 ** 3 * 0.2, times
    assert gateway.message(message)["state"] == "final" and not kept(gateway, message)
    world.pruned = -1
    gateway.ends(message)


@pytest.mark.parametrize("how, why", [("gone", "unavailable: the node has the block and no receipts"), ("forged", "rpc-lie: ")])
def test_one_that_cannot_be_shown_holds_up_no_other(world, how, why):
    """Of those that are signed together: it waits with a reason of its own, and the others are signed with the first try."""
    gateway, chain = world.gateways[0], world.chains[0].caip2
    settings(gateway, proofs_after_s=0, proofs_mb=0)
    verb(gateway, "pause", chain)
    messages = [world.send(b"%d of five, %s" % (i, how.encode())) for i in range(5)]
    for message in messages:
        gateway.reaches(message, "final")
    heights = [gateway.message(message)["sent"]["block"] for message in messages]
    bad, height = messages.pop(2), heights[2]
    assert heights.count(height) == 1
    before = len(not_signed(gateway))
    getattr(world, how).add(height)
    gateway.stop()
    gateway.restart()  # what it had of the receipts in memory is gone
    verb(gateway, "resume", chain)
    for message in messages:
        gateway.ends(message)
    wait_for(lambda: (gateway.message(bad)["why"] or "").startswith(why), END_TIMEOUT_S, "its reason", 0.2)
    lines = not_signed(gateway)[before:]
    assert lines and all("count=1 " in line and bad[2:] in line for line in lines), lines
    assert gateway.message(bad)["state"] == "final"
    getattr(world, how).clear()
    gateway.ends(bad)
    assert gateway.message(bad)["why"] is None


def stored(gateway, query: str, *values):
    with sqlite3.connect(f"file:{gateway.folder / 'journal.db'}?mode=ro", uri=True, timeout=30) as journal:
        return journal.execute(query, values).fetchone()[0]


def on_file(gateway, *statements: tuple) -> None:
    """Writes into the journal of a gateway that does not run."""
    with sqlite3.connect(gateway.folder / "journal.db", timeout=30) as journal:
        for statement in statements:
            assert journal.execute(*statement).rowcount == 1
    journal.close()


def settings(gateway, **keys: int) -> None:
    """Of the table journal: read again by a gateway that runs."""
    text = "[journal]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
    gateway.config.write_text(re.sub(r"\[journal\]\n(proofs_\w+ = \d+\n)+", text, gateway.config.read_text()))
    if gateway.process.alive():
        assert gateway.request("POST", "/v1/operator/reload")[0] == 200


def test_a_kept_proof_that_is_refused_is_forgotten(world):
    """One that was damaged on the disk: the enclave refuses it, and the node is asked."""
    gateway, chain = world.gateways[0], world.chains[0].caip2
    settings(gateway, proofs_after_s=1)
    verb(gateway, "pause", chain)
    message = world.send(b"of a disk that forgets")
    gateway.reaches(message, "final")
    wait_for(lambda: kept(gateway, message), END_TIMEOUT_S, "its proof", 0.2)
    gateway.stop()
    proof = stored(gateway, "SELECT proof FROM receipts")
    on_file(gateway, ("UPDATE receipts SET proof=?", (proof[:-1] + bytes([proof[-1] ^ 1]),)))
    gateway.restart()
    assert kept(gateway, message)
    verb(gateway, "resume", chain)
    gateway.ends(message)
    assert "err=bad-proof" in "".join(line for line in gateway.log.read_text().splitlines() if "message.not_signed" in line and message[2:] in line)
    assert not kept(gateway, message) and gateway.figure("caisson_proofs_kept") == 0


def test_no_more_is_kept_than_there_is_room_for(world):
    """The room is taken up by a receipt in the journal's file that is as large as those of sixty messages of the largest payload."""
    gateway, chain = world.gateways[0], world.chains[0].caip2
    large = (b"\x01" * 32, 0)
    gateway.stop()
    settings(gateway, proofs_after_s=0, proofs_mb=1)
    on_file(gateway, ("INSERT INTO receipts(block,tx_index,proof) VALUES(?,?,zeroblob(1048576))", large))
    gateway.restart()
    verb(gateway, "pause", chain)
    wait_for(lambda: "proofs.full" in gateway.log.read_text(), END_TIMEOUT_S, "the end of the room", 0.2)
    message = world.send(b"one too many")
    gateway.reaches(message, "final")
    assert gateway.figure("caisson_proofs_kept") == 1 and gateway.figure("caisson_proofs_kept_bytes") == 1 << 20
    settings(gateway, proofs_after_s=0, proofs_mb=2)
    wait_for(lambda: kept(gateway, message), END_TIMEOUT_S, "its proof, now that there is room", 0.2)
    gateway.stop()
    on_file(gateway, ("DELETE FROM receipts WHERE block=? AND tx_index=?", large))
    gateway.restart()
    verb(gateway, "resume", chain)
    gateway.ends(message)
    assert gateway.figure("caisson_proofs_kept") == gateway.figure("caisson_proofs_kept_bytes") == 0


def test_what_is_signed_in_time_is_not_kept(world):
    gateway = world.gateways[0]
    gateway.config.write_text(re.sub(r"\[journal\]\n(proofs_\w+ = \d+\n)+", "[journal]\nproofs_after_s = 60\n", gateway.config.read_text()))
    assert gateway.request("POST", "/v1/operator/reload")[0] == 200
    message = world.send(b"as usual")
    gateway.reaches(message, "final", "signed", "submitted", "included", "outcome_final", "outcome_verified", "finalized")
    assert not kept(gateway, message)
    gateway.ends(message)
