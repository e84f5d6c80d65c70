"""A bridge whose manifest asks for the registration of an enclave before its key is learned: each enclave has the other's proven to it
under the ledger's light client. (Bonds of what register_enclaves of the tests' world registers are zero.) What ends there is told before and
after it does."""
from __future__ import annotations

import json
import re
import sqlite3
import time

import pytest

from lib import abi
from lib.bridge_ledger import DAY_S, BridgeLedger
from lib.rpc import wait_for
from lib.world import World

TIMEOUT_S = 120
# The first enclave's registration, and the second's: time enough to come up, and for the first anchor.
LIFETIMES_S = (3 * DAY_S, 60)


@pytest.fixture(scope="module")
def bridge(tmp_path_factory):
    with BridgeLedger(tmp_path_factory.mktemp("bridge")) as ledger:
        yield ledger


class ShortLived(World):
    def register_enclaves(self, told: list[dict]) -> None:
        self.registered = [self.register_enclave(side, enclave, lifetime_s=lifetime_s)
                           for side, enclave, lifetime_s in zip(self.sides, told, LIFETIMES_S)]


def world_of(folder, bridge, kind=World, **registration) -> World:
    return kind(folder, "ledger", bridge_ledger=bridge, ledger_time={"registration": {"bond_min": "0", "evidence": False, **registration}})


def refuses_the_remote(world: World, reason: str) -> None:
    """Nothing of it is taken: its message waits, and the log says what is missing."""
    message = world.send(b"from an enclave that does not count")
    wait_for(lambda: reason in world.gateways[1].log.read_text(), TIMEOUT_S, f"the refusal ({world.gateways[1].log})", 0.1)
    told = world.gateways[1].log.read_text()
    assert "key.not_learned" in told and "forbidden" in told and "key.learned" not in told
    assert world.gateways[0].message(message)["state"] not in ("submitted", "included", "finalized")


def test_a_remote_that_is_by_the_administrators_word_alone(tmp_path, bridge):
    with world_of(tmp_path / "w", bridge, evidence=True) as world:
        refuses_the_remote(world, "administrators' word alone")


# ---- what ends ----

def registration(world: World, side: int, of: int) -> dict:
    """What a side's gateway says of the registration of one side's enclave."""
    found = world.gateways[side].get("/v1/status")["ledger"]["registrations"]
    rows = [row for row in found if row["chain"] == world.sides[of].chain.caip2]
    assert all(row["of"] == ("own" if side == of else "remote") and row["needed"] for row in rows)
    return rows[0] if rows else {"state": None}


def figures(world: World, side: int) -> dict[tuple[str, str, str], float]:
    rows = re.findall(r'^caisson_registration_(\w+){of="(\w+)",chain="([^"]+)"} (\S+)$', world.gateways[side].request("GET", "/metrics")[1], re.M)
    return {(name, of, chain): float(value) for name, of, chain, value in rows}


def events(world: World, side: int, of: int) -> list[str]:
    """What was told of the registration of one side's enclave, in its order."""
    with sqlite3.connect(f"file:{world.gateways[side].folder / 'journal.db'}?mode=ro", uri=True, timeout=30) as journal:
        told = [detail for detail, in journal.execute("SELECT detail FROM events WHERE kind='ledger.registration' ORDER BY n")]
    start = f"{'own' if side == of else 'remote'} {world.sides[of].chain.caip2} "
    return [line.removeprefix(start) for line in told if line.startswith(start)]


def doctor(world: World, side: int, of: int) -> tuple[str, str, str | None]:
    """Verdict, text and remedy."""
    gateway = world.gateways[side]
    checks = json.loads(gateway.caisson("doctor", str(gateway.config), "--json").stdout)["checks"]
    rows = [c for c in checks if c["what"] == "registered" and f"enclave of {world.sides[of].chain.caip2}:" in c["text"]]
    return rows[0]["verdict"], rows[0]["text"], rows[0]["remedy"]


def test_a_registration_that_ends(tmp_path, bridge):
    """Beside it a bond that is too small: what the manifest asks for is judged apart from when it ends."""
    with world_of(tmp_path / "w", bridge, ShortLived, bond_min="1") as world:
        names = [side.chain.caip2 for side in world.sides]
        refuses_the_remote(world, "its bond is too small")

        # Three days before: everything goes on, and everybody is told, at both gateways.
        for side in (0, 1):
            row = wait_for(lambda s=side: (r := registration(world, s, 0))["state"] == "active" and r, TIMEOUT_S, "the first enclave's registration")
            assert time.time() < row["expires_s"] <= time.time() + LIFETIMES_S[0] and row["evidence"] == "administrators"
            assert row["enclave"] == abi.to_hex(world.registered[0])
            assert figures(world, side)["expires_timestamp_seconds", row["of"], names[0]] == row["expires_s"]
            world.gateways[side].shows_all("caisson_registration_")
            verdict, text, remedy = doctor(world, side, 0)
            assert verdict == "warn" and "ends in 2 days" in text and row["enclave"] in remedy and "caisson ledger register" in remedy
            assert ("its operator" in remedy) == (side == 1)
            assert f"--tag {abi.to_hex(bridge.tag)} --url {bridge.urls[0]}`" in remedy and "caisson ledger approve enclave.json --register" in remedy
            assert "registration.ends" in world.gateways[side].log.read_text()
            assert events(world, side, 0)[-1].startswith("active, ends soon, until 20")

        # After an end: what is needed and does not count is bad.
        for side in (0, 1):
            row = wait_for(lambda s=side: (r := registration(world, s, 1))["state"] == "expired" and r, TIMEOUT_S, "the second one's end")
            assert row["expires_s"] <= bridge.rpc.time()
            assert figures(world, side)["active", row["of"], names[1]] == 0 and figures(world, side)["active", "remote" if side else "own", names[0]] == 1
            verdict, text, remedy = doctor(world, side, 1)
            assert verdict == "bad" and "has ended at 20" in text and row["enclave"] in remedy
            assert f"REGISTRATION: {row['of']} enclave of {names[1]} is expired, its end is 20" in world.gateways[side].caisson("status").stdout
            assert "registration.inactive" in world.gateways[side].log.read_text()
            assert [line.split(",")[0] for line in events(world, side, 1)[-2:]] == ["active", "expired"]

        # Registered again, under its name: it counts, and nobody had to restart anything.
        told = world.gateways[1].get("/v1/enclave")
        assert world.register_enclave(world.sides[1], told, enclave=world.registered[1]) == world.registered[1]
        for side in (0, 1):
            wait_for(lambda s=side: registration(world, s, 1)["state"] == "active", TIMEOUT_S, "the renewal")
            assert doctor(world, side, 1)[::2] == ("ok", None) and figures(world, side)["active", "own" if side else "remote", names[1]] == 1
            assert events(world, side, 1)[-1].startswith("active, until 20")
