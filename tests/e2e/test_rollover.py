"""Another manifest, and a third chain with it, under a running gateway: the enclave alone starts anew. In the order of the file: what is
refused, then manifest after manifest of one lineage."""
from __future__ import annotations

import http.client
import json
import os
import re
import signal
import threading
from pathlib import Path

import pytest

from lib import manifests
from lib.proc import Process
from lib.rpc import wait_for
from lib.third import Third, numbers, reload
from lib.world import END_TIMEOUT_S


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with Third(tmp_path_factory.mktemp("rollover"), "anvil", block_time=0.5) as w:
        yield w


class Stream(threading.Thread):
    """One connection to GET /v1/events, read for as long as it is open."""

    def __init__(self, gateway):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
        self.connection.request("GET", "/v1/events?cursor=0", headers={"Authorization": f"Bearer {gateway.key}"})
        self.reply = self.connection.getresponse()
        assert self.reply.status == 200
        self.events, self.ended = [], False
        self.start()

    def run(self):
        try:
            while line := self.reply.readline():
                if line.startswith(b"data:"):
                    self.events.append(json.loads(line[5:]))
        except (OSError, ValueError, AttributeError):
            pass
        self.ended = True


class Messages(threading.Thread):
    """Messages of the old route, in both directions, until it is stopped."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world, self.sent, self.over, self.failure = world, [], threading.Event(), None
        self.start()

    def run(self):
        try:
            while not self.over.wait(0.3) or len(self.sent) < 6:
                source = len(self.sent) % 2
                self.sent.append((source, self.world.send(b"under way %d" % len(self.sent), source=source)))
        except Exception as failure:  # noqa: BLE001 - told by end()
            self.failure = failure

    def end(self) -> None:
        self.over.set()
        self.join(30)
        assert not self.failure and len(self.sent) >= 6, self.failure
        for source, message in self.sent:
            self.world.gateways[source].ends(message)


# ---- what is refused, and leaves everything as it was ----

def refused_files(world) -> list[tuple[str, str]]:
    """Files and what is said of them, of one that would be taken beside each."""
    good = world.sign(world.draft(), "good")
    other = {**world.draft(), "previous": "0x" + "11" * 32}
    stranger = {**json.loads(world.manifest.read_text())["manifest"], "name": "another bridge"}
    jump = {**world.draft(), "number": 3}
    moved = world.draft()
    moved["chains"][0]["finality"]["confirmations"] += 1
    apart = world.draft()
    apart["chains"][0]["remotes"] = apart["chains"][0]["remotes"][1:]
    third = world.config([world.manifest, good])
    front, tail = third.split("[[chains]]", 1)
    first, *others = tail.split("\n[[")
    swapped = front + "[[" + "\n[[".join([others[-1].rstrip("\n") + "\n", "chains]]" + first, *others[:-1]])
    key = world.gateways[0].folder / "short.key"
    key.write_text("00\n")
    key.chmod(0o600)
    return [
        (world.config([world.manifest]), "is not in the manifest"),
        (world.config([good]), "1 files for the number 2"),
        (world.config([world.manifest, world.sign(other, "other")]), "does not name the 1 before it"),
        (world.config([world.sign(stranger, "stranger")], third=False), "is not the manifest in force"),
        (world.config([world.manifest, world.manifest], third=False), "2 files for the number 1"),
        (world.config([world.manifest, good, world.sign(jump, "jump")]), "number 3 does not name the 2 before it"),
        (world.config([world.manifest, world.sign(moved, "moved")]), "finality"),
        (re.sub(r"\n\[\[routes\]\]\n([^\n\[]+\n)*", "\n", world.config([world.manifest, world.sign(apart, "apart")])), "is gone"),
        (swapped, "takes another place"),
        (third.replace('operator_key_file = "operator.key"', 'operator_key_file = "short.key"').replace("short.key", "operator.key", 1), "chains[1].operator_key_file"),
        (third.replace(json.dumps(world.more.url), '"ftp://127.0.0.1:1"'), "chains[1].rpc"),
        (third.replace("[relay]", "[relay]\nhurry = 1"), "relay.hurry"),
    ]


def test_files_that_are_refused(world):
    gateway = world.gateways[0]
    pids = gateway.pids()
    told = []
    try:
        for text, what in refused_files(world):
            gateway.config.write_text(text)
            status, problem = gateway.request("POST", "/v1/operator/reload")
            told.append((what, status, problem))
    finally:
        gateway.config.write_text(world.kept)
    wrong = [row for row in told if row[1] != 409 or row[0] not in row[2]["detail"] or row[2]["code"] != "conflict"]
    assert not wrong, wrong
    assert reload(gateway) == {"changed": []}
    assert gateway.pids() == pids and numbers(gateway) == (1, 1) and gateway.get("/v1/status")["reload"] is None
    gateway.ends(world.send(b"as before"))


def test_a_manifest_that_the_enclave_refuses(world):
    """Well linked, and signed by nobody who may: only the enclave can tell. It comes back under the old one, and nothing else stopped."""
    gateway = world.gateways[0]
    pids = gateway.pids()
    stream, messages = Stream(gateway), Messages(world)
    key = world.folder / "nobody.key"
    manifests.tool("keygen", key)
    gateway.config.write_text(world.config([world.manifest, world.sign(world.draft(), "unsigned", key)]))
    try:
        problem = reload(gateway, 409)
        assert "the enclave does not start under it" in problem["detail"], problem
        run = gateway.caisson("reload")
        assert run.returncode == 3 and "does not start" in run.stderr
    finally:
        gateway.config.write_text(world.kept)
    wait_for(gateway.healthy, END_TIMEOUT_S, "the enclave of before")
    assert reload(gateway) == {"changed": []}
    assert numbers(gateway) == (1, 1) and [c["id"] for c in gateway.get("/v1/chains")["chains"]] == [world.chains[0].caip2]
    now = gateway.pids()
    assert now["caisson-gateway"] == pids["caisson-gateway"] and now["caisson-enclave"] != pids["caisson-enclave"]
    messages.end()
    assert not stream.ended


# ---- what is taken ----

def test_a_third_chain_comes_under_live_messages(world):
    gateway, home = world.gateways[0], world.sides[0]
    pids = gateway.pids()
    key = gateway.enclave()["keys"][0]["public_key"]
    stream, messages = Stream(gateway), Messages(world)
    world.lineage.append(world.sign(world.draft(), "two"))
    gateway.config.write_text(world.config(world.lineage))
    changed = reload(gateway)["changed"]
    assert {"enclave.manifests", "chains[1].id", "chains[1].rpc", "chains[1].operator_key_file"} <= set(changed), changed
    wait_for(gateway.healthy, END_TIMEOUT_S, "health with three chains")
    assert numbers(gateway) == (2, 2) and gateway.get("/v1/status")["reload"] is None
    assert [c["id"] for c in gateway.get("/v1/chains")["chains"]] == [world.chains[0].caip2, world.more.caip2]
    keys = {k["chain"]: k for k in gateway.enclave()["keys"]}
    assert keys[world.chains[0].caip2]["public_key"] == key and world.more.caip2 in keys, "its sealed state carried on"

    world.name_keys()
    there = world.commit_between(home, world.third, b"to the third chain")
    gateway.ends(there)
    back = world.commit_between(world.third, home, b"and back")
    gateway.ends(back)
    sent = gateway.post("/v1/messages", {"from_chain": world.more.caip2, "to": f"{home.chain.caip2}:{home.app.address.lower()}", "payload": "0x01", "mode": "sponsored"})
    gateway.ends(sent["request_id"])
    messages.end()

    last = gateway.get("/v1/status")["event_cursor"]
    wait_for(lambda: stream.events and stream.events[-1]["cursor"] >= last, 30, "the stream's end")
    cursors = [e["cursor"] for e in stream.events]
    assert not stream.ended and cursors == list(range(cursors[0], cursors[-1] + 1)), "an event is missing"
    told = [e["detail"] for e in stream.events if e["kind"] == "operator.reload"]
    assert told[-2].startswith("waits: the enclave starts again, under manifest 2") and "chains[1].id" in told[-1], told
    now = gateway.pids()
    assert now["caisson-gateway"] == pids["caisson-gateway"] and now["caisson"] == pids["caisson"] and now["caisson-enclave"] != pids["caisson-enclave"]
    assert f'caisson_chain_ready{{chain="{world.more.caip2}"}} 1' in gateway.request("GET", "/metrics")[1]


def test_an_older_manifest_does_not_come_back(world):
    gateway = world.gateways[0]
    gateway.config.write_text(world.kept)
    problem = reload(gateway, 409)
    assert "the newest has the number 1, in force is 2" in problem["detail"] and "chains[1].id" in problem["detail"], problem
    gateway.config.write_text(world.config(world.lineage))
    assert reload(gateway) == {"changed": []} and numbers(gateway) == (2, 2)


def test_an_enclave_that_crashes_is_of_the_manifest_in_force(world):
    gateway = world.gateways[0]
    os.kill(gateway.pids()["caisson-enclave"], signal.SIGKILL)
    wait_for(lambda: gateway.healthy() and numbers(gateway) == (2, 2), END_TIMEOUT_S, "the next enclave")
    gateway.ends(world.commit_between(world.sides[0], world.third, b"after a crash"))


def began(gateway, line: str, times: int):
    return wait_for(lambda: gateway.log.read_text().count(line) > times, 30, line, 0.005)


@pytest.mark.parametrize("line", ["", "rollover.waits", "up.next", "enclave.imported"])
def test_a_gateway_that_is_killed_in_the_middle_of_it(world, line):
    """Whatever it was killed at, or before it read the file: file, enclave and state are of the new manifest afterwards, and nothing
    is lost."""
    gateway = world.gateways[0]
    before = numbers(gateway)[0]
    pid = gateway.pids()["caisson-gateway"]
    under_way = [world.send(b"over the kill", source=i % 2) for i in range(4)]
    world.lineage.append(world.sign(world.draft(), f"killed-at-{line}"))
    gateway.config.write_text(world.config(world.lineage))
    seen = gateway.log.read_text().count(line)
    if line:
        os.kill(pid, signal.SIGHUP)
        began(gateway, line, seen)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: gateway.pids().get("caisson-gateway", pid) != pid and gateway.healthy(), END_TIMEOUT_S, f"health ({gateway.log})")
    assert numbers(gateway) == (before + 1, before + 1)
    assert line or "rollover.at_start" in gateway.log.read_text()
    assert reload(gateway) == {"changed": []}
    for i, message in enumerate(under_way):
        world.gateways[i % 2].ends(message)
    gateway.ends(world.commit_between(world.third, world.sides[0], b"after the kill"))


def test_an_enclave_that_dies_in_the_middle_of_it(world):
    gateway = world.gateways[0]
    before = numbers(gateway)[0]
    pids = gateway.pids()
    world.lineage.append(world.sign(world.draft(), "died"))
    gateway.config.write_text(world.config(world.lineage))
    seen = gateway.log.read_text().count("enclave.imported")
    os.kill(pids["caisson"], signal.SIGHUP)
    began(gateway, "enclave.imported", seen)
    fresh = gateway.pids().get("caisson-enclave")
    if fresh and fresh != pids["caisson-enclave"]:
        os.kill(fresh, signal.SIGKILL)
    wait_for(lambda: gateway.healthy() and numbers(gateway) == (before + 1, before + 1), END_TIMEOUT_S, f"the next manifest ({gateway.log})")
    assert gateway.pids()["caisson-gateway"] == pids["caisson-gateway"]
    gateway.ends(world.send(b"after the death"))


# ---- an enclave that somebody else starts ----

def test_an_enclave_of_another_supervisor(world, tmp_path):
    """The second gateway, which follows: it waits and says so, until the enclave's own `caisson up` is told."""
    gateway = world.gateways[1]
    gateway.kill()
    programs = world.build / "bin"
    kept = gateway.config.read_text()
    enclave = Process([programs / "caisson", "up", "--enclave-only", gateway.config], tmp_path / "enclave.log", cwd=gateway.folder)
    gateway.process = Process([programs / "caisson-gateway", "--config", gateway.config], gateway.log, cwd=gateway.folder)

    def text(files: list[Path]) -> str:
        return "\n".join(f"manifests = {json.dumps([str(f) for f in files])}" if line.startswith("manifests = ") else line for line in kept.splitlines()) + "\n"

    try:
        wait_for(gateway.healthy, END_TIMEOUT_S, f"health ({gateway.log})")
        pid = gateway.process.pid
        gateway.config.write_text(text(world.lineage))
        answer = reload(gateway, 202)
        assert "has to be started again, under manifest" in answer["waiting"] and answer["changed"]
        waits = gateway.get("/v1/status")["reload"]
        assert waits["manifest_number"] == len(world.lineage) and waits["chains"] == [] and waits["why"] == answer["waiting"]
        assert numbers(gateway) == (1, 1) and "waits" in gateway.caisson("status").stdout
        world.gateways[1].ends(world.send(b"while it waits", source=1))
        # Another file takes its place, and the same one again.
        gateway.config.write_text(kept)
        assert reload(gateway) == {"changed": []} and gateway.get("/v1/status")["reload"] is None
        gateway.config.write_text(text(world.lineage))
        run = gateway.caisson("reload")
        assert run.returncode == 0 and "waiting" in run.stdout
        os.kill(enclave.pid, signal.SIGHUP)
        wait_for(lambda: gateway.healthy() and numbers(gateway) == (len(world.lineage),) * 2, END_TIMEOUT_S, f"the next manifest ({gateway.log})")
        assert gateway.get("/v1/status")["reload"] is None and gateway.process.pid == pid and gateway.process.alive()
        gateway.ends(world.send(b"after it", source=1))

        # The other order: the enclave first, the gateway after it.
        world.lineage.append(world.sign(world.draft(), "enclave-first"))
        gateway.config.write_text(text(world.lineage))
        os.kill(enclave.pid, signal.SIGHUP)
        wait_for(lambda: not gateway.healthy(), END_TIMEOUT_S, "an enclave of another manifest")
        assert reload(gateway, 202)["waiting"]
        wait_for(lambda: gateway.healthy() and numbers(gateway) == (len(world.lineage),) * 2, END_TIMEOUT_S, f"the next manifest ({gateway.log})")
        gateway.ends(world.send(b"at last", source=1))
    finally:
        gateway.process.stop()
        enclave.stop()
        gateway.process = None
