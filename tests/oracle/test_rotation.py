"""The oracle's next key: announced to both contracts by the operator's account, used by each once it is in force there."""
from __future__ import annotations

import os
import signal

import pytest

from lib import abi
from lib.deploy import ANSWERED
from lib.oracle import OracleWorld, source, spec
from lib.rpc import wait_for
from lib.sources import Sources

HOST = "api.example.test"
ROTATE = "/v1/oracle/keys:rotate"
ACTIVE = 1


class Rotating(OracleWorld):
    def __init__(self, folder, chain):
        self.sources = Sources(folder / "sources", [HOST])
        self.sources.set(HOST, "price", {"price": "1.25"})
        super().__init__(folder / "world", chain, self.sources.store, self.sources.authority.hash, [HOST],
                         more={"enclave": {"export_ms": 500}})

    def __exit__(self, *what):
        try:
            super().__exit__(*what)
        finally:
            self.sources.close()

    @property
    def spec(self) -> bytes:
        return spec(source(self.sources.url(HOST, "price")))

    def rotate(self) -> dict:
        status, told = self.oracle.request("POST", ROTATE, {"use": "answers"})
        assert status == 202, told
        return told

    def in_force(self) -> dict:
        """The rotation under way, once every contract has it."""
        def done():
            chains = self.oracle.get("/v1/chains")["chains"]
            return all(c["epoch"] == self.epoch for c in chains[0]["contracts"]) and chains
        return wait_for(done, 60, f"epoch {self.epoch} at both contracts ({self.oracle.log})", 0.1)

    def key_of(self, contract, epoch: int):
        return contract.read("keyOf", self.identity, epoch)

    def epoch_of_answer(self, request: dict) -> int:
        assert self.contracts.ends(request) == (ANSWERED, 0)
        document = self.oracle.answer(abi.to_hex(request["id"]))
        return document["statement"]["epoch"]


@pytest.fixture(scope="module")
def world(anvil, tmp_path_factory):
    with Rotating(tmp_path_factory.mktemp("rotation"), anvil) as made:
        made.epoch = 1
        yield made


def test_contracts_learn_the_next_key_and_then_get_answers_under_it(world):
    assert world.epoch_of_answer(world.contracts.ask(world.spec)) == world.epoch
    told = world.rotate()
    world.epoch += 1
    assert told["epoch"] == world.epoch and len(told["contracts"]) == 2
    # Asked while it is under way: the same one, no other key is made.
    assert world.rotate()["public_key"] == told["public_key"]
    # A request in the middle is answered under the key that the contract has in force.
    middle = world.epoch_of_answer(world.contracts.ask(world.spec))
    assert middle in (world.epoch - 1, world.epoch)
    world.in_force()
    for contract in (world.contracts.requests, world.contracts.feeds):
        key, _ = world.key_of(contract, world.epoch)
        assert key["x"] == abi.to_bytes(told["public_key"]) and key["state"] == ACTIVE
    # A key is followed by another one only when it has signed.
    status, problem = world.oracle.request("POST", ROTATE, {"use": "answers"})
    assert status == 409 and problem["code"] == "conflict", problem
    assert world.epoch_of_answer(world.contracts.ask(world.spec)) == world.epoch
    assert world.oracle.ask(world.spec)["statement"]["epoch"] == world.epoch


@pytest.mark.parametrize("who", ["caisson-oracle", "caisson-oracle-enclave"])
def test_a_crash_in_the_middle_loses_no_key(world, who):
    told = world.rotate()
    world.epoch += 1
    os.kill(world.oracle.pids()[who], signal.SIGKILL)
    if who == "caisson-oracle":
        world.oracle.process.popen.wait()
        world.oracle.restart()
    world.in_force()
    key, _ = world.key_of(world.contracts.requests, world.epoch)
    assert key["x"] == abi.to_bytes(told["public_key"])
    assert world.epoch_of_answer(world.contracts.ask(world.spec)) == world.epoch
