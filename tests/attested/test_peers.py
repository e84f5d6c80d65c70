"""Gateways that look at each other's enclaves: two chains, two gateways with an attested port each, and somebody in between. Nothing of a
peer is taken while its enclave is not accepted, nothing is lost by that, and a key that the enclave does not show is nobody's."""
from __future__ import annotations

import json
import secrets
import sqlite3
import time

import pytest

from attested.test_port import key_pem, peer, pretend, spki
from enclave.boundary import TYPES, encode
from enclave.boundary import measurement as measure
from lib import naming
from lib.attested import Pretender, Relay, Visitor
from lib.rpc import wait_for
from lib.tools import free_ports
from lib.world import Gateway, World

TIMEOUT_S = 60
CODE = "not-attested"


class AttestedGateway(Gateway):
    """Listens on an attested port. look(): how its peer is looked at, from the next reload on."""

    attested_port = 0

    def write_files(self, other, expire):
        super().write_files(other, expire)
        self.attested_port = free_ports(1)[0]
        text = self.config.read_text()
        self.config.write_text(text.replace("[relay]", f'[attested]\naddress = "127.0.0.1:{self.attested_port}"\n\n[relay]', 1))
        self.plain = self.config.read_text()

    def accept(self, measurement: str, **more) -> None:
        (self.folder / "policy.json").write_text(json.dumps({**naming.policy(measurement), **more}))

    def look(self, port: int | None, reload: bool = True, **more) -> None:
        keys = {} if port is None else {"attested": f"127.0.0.1:{port}", "attested_policy": "policy.json", "attested_every_s": 2, **more}
        self.config.write_text(self.plain.replace("[[peers]]", "\n".join(["[[peers]]", *(f"{k} = {json.dumps(v)}" for k, v in keys.items())])))
        if reload:
            assert self.request("POST", "/v1/operator/reload")[0] == 200

    def attested(self) -> dict:
        return self.get("/v1/status")["peers"][0]["attested"]

    def sees(self, state: str, why: str = "") -> dict:
        return wait_for(lambda: (a := self.attested())["state"] == state and why in (a["why"] or "") and a, TIMEOUT_S,
                        f"{state} {why} ({self.log})", 0.1)

    def told(self, kind: str = "peer.attested") -> list[str]:
        with sqlite3.connect(f"file:{self.folder / 'journal.db'}?mode=ro", uri=True, timeout=30) as journal:
            return [detail for detail, in journal.execute("SELECT detail FROM events WHERE kind=? ORDER BY n", (kind,))]

    def consumed(self) -> list:
        with sqlite3.connect(f"file:{self.folder / 'journal.db'}?mode=ro", uri=True, timeout=30) as journal:
            return journal.execute("SELECT * FROM peers").fetchall()


class AttestedWorld(World):
    def write_gateways(self):
        ports = free_ports(4)
        self.gateways = [AttestedGateway(self, i, (ports[2 * i], ports[2 * i + 1])) for i in range(2)]
        first, second = (s.chain.caip2 for s in self.sides)
        expire = {f"{first}>{second}": "tombstone", f"{second}>{first}": "tombstone"}
        for gateway, other in zip(self.gateways, reversed(self.gateways)):
            gateway.write_files(other, expire)
            gateway.accept(self.measurement())
        for gateway, other in zip(self.gateways, reversed(self.gateways)):
            gateway.look(other.attested_port, reload=False)  # both, from the first second on


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with AttestedWorld(tmp_path_factory.mktemp("peers"), "anvil", block_time=0.5, relay={"pull_ms": 500}) as w:
        yield w


@pytest.fixture
def here(world):
    """The gateway that looks; it looks as it did, and takes everything, afterwards."""
    gateway, other = world.gateways
    gateway.accept(world.measurement())
    gateway.look(other.attested_port)
    gateway.sees("accepted")
    yield gateway
    gateway.accept(world.measurement())
    gateway.look(other.attested_port)
    gateway.sees("accepted")


def nothing_is_taken(world, here) -> str:
    """A message of the peer's chain that is on its way to us: the peer signed it and cannot bring it here. Its id."""
    abroad, before = world.gateways[1], here.consumed()
    message = world.send(b"held back", source=1)
    abroad.reaches(message, "signed")
    wait_for(lambda: abroad.get("/v1/status")["peers"][0]["waiting"] > 0, TIMEOUT_S, "an item that waits")
    stop = time.monotonic() + 3
    while time.monotonic() < stop:
        assert here.message(message) is None and here.consumed() == before
        time.sleep(0.1)
    return message


# ---- accepted ----

def test_both_are_accepted_and_messages_go(world):
    for gateway in world.gateways:
        attested = gateway.sees("accepted")
        assert attested["kind"] == "simulated" and attested["insecure"] is True and attested["why"] is None
        assert attested["evidence_until_s"] is None, "what is simulated rests on nothing that ends"
        now = time.time() * 1000
        assert attested["since_ms"] <= now and now + 3_300_000 < attested["until_ms"] <= now + 3_601_000
        assert gateway.told()[0].endswith(" accepted")
        other = world.gateways[1 - gateway.index].name
        assert gateway.figure("caisson_peer_attested", peer=other, state="accepted") == 1
        assert gateway.figure("caisson_peer_attested_answers_total", peer=other, answer="accepted") >= 1
        gateway.shows_all("caisson_peer_attested")
    for i in range(4):
        world.gateways[i % 2].ends(world.send(b"to an attested peer", source=i % 2))


def test_doctor_says_it(world, here):
    done = here.caisson("doctor", str(here.config))
    assert "warn  attested" in done.stdout and "accepted, evidence of kind simulated" in done.stdout
    here.accept("0x" + "ab" * 32)
    here.sees("refused")
    done = here.caisson("doctor", str(here.config))
    assert "bad   attested" in done.stdout and "policy-measurements" in done.stdout and done.returncode == 1


# ---- refused, and nothing lost ----

def test_a_policy_of_another_build(world, here):
    here.accept("0x" + "ab" * 32)
    why = here.sees("refused", "policy-measurements")["why"]
    message = nothing_is_taken(world, here)
    assert any(line.endswith(f"refused: {why}") for line in here.told())
    other = world.gateways[1]
    assert here.figure("caisson_peer_attested", peer=other.name, state="accepted") == 0
    assert here.figure("caisson_peer_attested", peer=other.name, state="refused") == 1
    status, problem = here.request("POST", "/v1/peer/envelopes", {"instance": "0" * 32, "after": 0, "items": []}, key=here.peer_key)
    assert status == 503 and problem["code"] == CODE and problem["retry"] is True and "policy-measurements" in problem["detail"]
    here.accept(world.measurement())
    here.sees("accepted")
    here.ends(message)
    other.ends(message)


def test_a_policy_that_vouches_for_nothing(world, here):
    """Simulated evidence without its word; no list of builds; no policy at all."""
    here.accept(world.measurement(), insecure_accept_simulated=False)
    here.sees("refused", "policy-simulated")
    (here.folder / "policy.json").write_text('{"version": 1, "insecure_accept_simulated": true}')
    here.sees("refused", "lists no measurements")
    here.accept(world.measurement())
    here.sees("accepted")
    (here.folder / "policy.json").unlink()
    here.sees("accepted", "policy.json")  # its hour goes on: that is no word about the peer
    here.look(world.gateways[1].attested_port, attested_collateral="nowhere")
    here.sees("unknown")
    message = nothing_is_taken(world, here)
    here.accept(world.measurement())
    here.look(world.gateways[1].attested_port)
    here.ends(message)


def test_another_lineage(world, here):
    here.look(world.gateways[1].attested_port, attested_lineage="0x" + "ab" * 32)
    here.sees("refused", "lineage")
    message = nothing_is_taken(world, here)
    here.look(world.gateways[1].attested_port, attested_lineage=world.manifest_hash)
    here.sees("accepted")
    here.ends(message)


# ---- somebody in between ----

def test_a_relay_carries_bytes(world, here):
    relay = Relay(("127.0.0.1", world.gateways[1].attested_port))
    here.look(relay.number)
    here.sees("accepted")
    here.ends(world.send(b"over a relay", source=1))
    assert relay.seen and not relay.has(bytes.fromhex(world.manifest_hash[2:]))
    relay.close()


def test_a_pretender(world, here, tmp_path):
    """It has the right measurement in evidence that anybody can write, and its own key; then the enclave's certificate, and not its key."""
    build = measure(world.build / "bin" / "caisson-enclave")
    who = peer("pretends to be a gateway")
    with Pretender(tmp_path, pretend(who, bytes.fromhex(build)), key_pem(who.key)) as pretender:
        here.look(pretender.number)
        here.sees("unknown")
        message = nothing_is_taken(world, here)
        assert here.attested()["state"] != "accepted" and pretender.frames
    with Visitor(world.gateways[1].attested_port) as visitor:
        stolen = visitor.certificate
        hello = visitor.call("Hello", nonce=bytes(32))
    assert hello["measurement"].hex() == build
    with Pretender(tmp_path, stolen, key_pem(who.key, spki(stolen)[-64:])) as pretender:
        here.look(pretender.number)
        here.sees("unknown", "TLS")
        assert here.message(message) is None and pretender.frames == []
    here.look(world.gateways[1].attested_port)
    here.ends(message)


def test_a_recorded_hello(world, here, tmp_path):
    """Of another connection: the peer's own words, which say nothing here."""
    with Visitor(world.gateways[1].attested_port) as visitor:
        visitor.send_raw(TYPES["Hello"], encode("HelloRequest", {"nonce": secrets.token_bytes(32)}))
        _, recorded = visitor.receive()
    who = peer("replays a gateway")
    with Pretender(tmp_path, pretend(who, bytes.fromhex(measure(world.build / "bin" / "caisson-enclave"))), key_pem(who.key), recorded) as pretender:
        here.look(pretender.number)
        here.sees("refused", "channel-binding")
        message = nothing_is_taken(world, here)
    here.look(world.gateways[1].attested_port)
    here.ends(message)


def test_another_enclave_than_the_one_that_signs(world, here):
    """A genuine enclave of this bridge, but our own: its evidence is good, and the keys of the peer's statements are not its."""
    here.look(here.attested_port)
    here.sees("accepted")
    message = world.send(b"by a key that was not shown", source=1)
    here.sees("refused", "does not have")
    before = here.consumed()
    assert here.message(message) is None
    assert any("has not shown" in line for line in here.told())
    time.sleep(3)
    assert here.attested()["state"] == "refused" and here.consumed() == before
    here.look(world.gateways[1].attested_port)
    here.sees("accepted")
    here.ends(message)


# ---- configuration, starts, a port that is away ----

def test_it_is_turned_off_and_on(world, here):
    here.accept("0x" + "ab" * 32)
    here.sees("refused")
    message = nothing_is_taken(world, here)
    here.look(None)
    assert here.attested() == {"state": "off", "since_ms": None, "until_ms": None, "why": None, "kind": None, "evidence_until_s": None,
                               "insecure": False}
    here.ends(message)
    assert any(line.endswith(" off") for line in here.told())


def test_a_start_takes_nothing_before_it_has_looked(world, here):
    """Its port is away when we start: unknown, and nothing is taken; then it is there."""
    gone = free_ports(1)[0]
    here.look(gone, reload=False)
    here.stop()
    message = world.send(b"before the start", source=1)
    here.start()
    wait_for(here.healthy, TIMEOUT_S, "health")
    here.sees("unknown", "refused")  # the connection is
    assert here.message(message) is None
    stop = time.monotonic() + 3
    while time.monotonic() < stop:
        assert here.message(message) is None
        time.sleep(0.1)
    relay = Relay(("127.0.0.1", world.gateways[1].attested_port))
    here.look(relay.number)
    here.sees("accepted")
    here.ends(message)
    relay.close()
    time.sleep(5)
    assert here.attested()["state"] == "accepted" and here.attested()["why"]  # within its hour
    here.ends(world.send(b"within the hour", source=1))


def test_wrong_keys_of_the_file(world, here):
    for more, part in (("attested = \"127.0.0.1\"", "HOST:PORT"), ("attested = \"127.0.0.1:1\"", "attested_policy"),
                       ("attested_policy = \"policy.json\"", "missing"), ("attested_every_s = 1801", "1800"),
                       ("attested = \"h:1\"\nattested_policy = \"p\"\nattested_lineage = \"0x" + "0" * 64 + "\"", "hash")):
        here.config.write_text(here.plain.replace("[[peers]]", "[[peers]]\n" + more))
        status, problem = here.request("POST", "/v1/operator/reload")
        assert status == 409 and "peers[0].attested" in problem["detail"] and part in problem["detail"], problem
    assert here.attested()["state"] == "accepted"


OVER = json.dumps({"kind": "simulated", "values": {"measurement": "00" * 32}, "not_after": "2026-01-01T00:00:00Z"})


def test_a_policy_is_checked_with_the_file(world, here):
    def check():
        return here.caisson("config", "check", str(here.config))

    assert check().returncode == 0
    for text, part in (('{"version": 1, "insecure_accept_simulated": true}', "no measurements"), ('{"version": 2}', "attested_policy"), ("", "attested_policy"),
                       ('{"version": 1, "measurements": []}', "an empty list accepts nothing"),
                       (f'{{"version": 1, "measurements": [{OVER.replace("measurement", "mesurement")}]}}', "measurements[0] can never match"),
                       (f'{{"version": 1, "measurements": [{OVER}]}}', "has passed")):
        (here.folder / "policy.json").write_text(text)
        done = check()
        assert done.returncode != 0 and "peers[0].attested_policy" in done.stdout + done.stderr and part in done.stdout + done.stderr
