"""Many requests of apps at once: who is asked first, and what one API key may take of the places."""
from __future__ import annotations

import http.client
import itertools
import json
import os
import signal
import threading
from contextlib import contextmanager

from lib import fetch
from lib.rpc import wait_for
from oracle.rest import ASK, OPERATE, SHOP, Oracle
from oracle_enclave.world import HOST, OTHER, THIRD, source, spec

ASYNC = {"Prefer": "respond-async"}
# oracle/app_requests.c: one key's places where nobody else waits, all places, one key's while others wait.
ALONE, ALL, SHARE = 144, 192, 48


class Turnstile:
    """Sources that answer one request each time they are told to; `asked`: their paths, in the order in which they came."""

    def __init__(self, world):
        self.asked, self.turns, self.everybody = [], threading.Semaphore(0), False
        # The enclave runs at most 32 requests at one of them.
        self.places = itertools.cycle(itertools.product([world.server(self.handle).port for _ in range(4)], (HOST, OTHER, THIRD)))

    def handle(self, tls):
        while head := fetch.read_head(tls):
            self.asked.append(head.split()[1].decode())
            if not self.everybody:
                self.turns.acquire(timeout=60)
            tls.sendall(fetch.ok())

    def spec(self, path: str) -> bytes:
        port, host = next(self.places)
        return spec(source(port, host, path))

    def let_all(self) -> None:
        self.everybody = True
        self.turns.release(1000)


@contextmanager
def held(oracle):
    """The enclave asks nobody until the end of the block: no source's time runs while requests are made."""
    pid = oracle.pids()["caisson-oracle-enclave"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def ask_many(oracle, source_, name: str, count: int, key: str = ASK) -> list[str]:
    told = [oracle.ask(source_.spec(f"/{name}{i}"), key=key, headers=ASYNC) for i in range(count)]
    assert all(status == 202 for status, _ in told), next(t for t in told if t[0] != 202)
    return [body["id"] for _, body in told]


def asking(oracle, count: int):
    wait_for(lambda: oracle.metric("caisson_oracle_app_requests_asking") == count, 30, f"{count} that are asked", 0.05)


def test_first_come_first_asked(rest_world, tmp_path):
    gate = Turnstile(rest_world)
    with Oracle(tmp_path, rest_world) as oracle:
        with held(oracle):
            ids = ask_many(oracle, gate, "n", ALONE + 12)
            asking(oracle, ALONE)
        wait_for(lambda: len(gate.asked) >= ALONE, 30, "all that have a place", 0.05)
        assert set(gate.asked[:ALONE]) == {f"/n{i}" for i in range(ALONE)}
        for i in range(6):  # one place at a time
            gate.turns.release()
            wait_for(lambda i=i: len(gate.asked) > ALONE + i, 30, "the next one", 0.02)
        assert gate.asked[ALONE:ALONE + 6] == [f"/n{ALONE + i}" for i in range(6)]
        for pid in oracle.pids().values():
            os.kill(pid, signal.SIGKILL)
        oracle.process.popen.wait()
        del gate.asked[:]
        gate.turns = threading.Semaphore(0)
        oracle.restart()
        wait_for(lambda: len(gate.asked) >= ALONE, 30, "all that have a place after a crash", 0.05)
        assert f"/n{ALONE + 11}" not in gate.asked[:ALONE]
        gate.let_all()
        for ident in ids:
            oracle.answer(ident, 60)


def refusal(oracle, text: bytes, key: str) -> tuple[int, str | None, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", oracle.port, timeout=30)
    try:
        connection.request("POST", "/v1/oracle/requests", json.dumps({"spec": json.loads(text)}),
                           {"authorization": f"Bearer {key}", "content-type": "application/json", **ASYNC})
        response = connection.getresponse()
        return response.status, response.getheader("Retry-After"), json.loads(response.read())
    finally:
        connection.close()


def test_one_key_s_flood_does_not_stop_another_s(rest_world, tmp_path):
    gate, quick = Turnstile(rest_world), spec(source(rest_world.server().port))
    with Oracle(tmp_path, rest_world, waiting_max=800) as oracle:
        with held(oracle):
            ask_many(oracle, gate, "flood", 200)
            status, after, problem = refusal(oracle, quick, ASK)
            assert (status, after, problem["code"], problem["retry"]) == (429, "1", "rate-limited", True)
            assert "this key" in problem["detail"] and oracle.metric("caisson_oracle_rate_limited_total") == 1
            asking(oracle, ALONE)
        status, document = oracle.ask(quick, key=SHOP)  # it finds a place at once
        assert status == 200 and document["code"] == 0, document
        assert oracle.metric("caisson_oracle_app_requests_asking") == ALONE
        gate.let_all()


def test_a_place_that_is_left_goes_to_whoever_has_fewer(rest_world, tmp_path):
    gate = Turnstile(rest_world)
    with Oracle(tmp_path, rest_world) as oracle:
        with held(oracle):
            ask_many(oracle, gate, "flood", ALONE + 20)
            ask_many(oracle, gate, "shop", SHARE + 4, key=SHOP)
            asking(oracle, ALL)
        wait_for(lambda: len(gate.asked) >= ALL, 30, "all that have a place", 0.05)
        for i in range(4):
            gate.turns.release()
            wait_for(lambda i=i: len(gate.asked) > ALL + i, 30, "the next one", 0.02)
        assert gate.asked[ALL:ALL + 4] == [f"/shop{SHARE + i}" for i in range(4)]
        gate.let_all()


def test_more_than_may_be_open(rest_world, tmp_path):
    gate, third = Turnstile(rest_world), "t" * 40
    with Oracle(tmp_path, rest_world, waiting_max=2) as oracle:
        oracle.write_keys(("desk", "read,ask", ASK), ("shop", "read,ask", SHOP), ("till", "read,ask", third), ("crew", "read,operate", OPERATE))
        wait_for(lambda: oracle.request("GET", "/v1/oracle/requests", key=third)[0] == 200, 30, "the third key", 0.1)
        first, = ask_many(oracle, gate, "a", 1)
        assert refusal(oracle, gate.spec("/b"), ASK)[0] == 429
        second, = ask_many(oracle, gate, "c", 1, key=SHOP)
        status, after, problem = refusal(oracle, gate.spec("/d"), third)
        assert (status, after, problem["code"], problem["retry"]) == (503, None, "full", True)
        gate.let_all()
        for ident in (first, second):
            oracle.answer(ident)
        assert refusal(oracle, gate.spec("/e"), ASK)[0] == 202  # its share is free again
