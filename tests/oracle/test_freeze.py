"""Two final blocks of one height: the oracle's enclave freezes, and its host tells what froze it and what was signed."""
from __future__ import annotations

import pytest

from lib import abi, crypto, rlp
from lib.deploy import ANSWERED, OPEN
from lib.oracle import OracleWorld, source, spec
from lib.rpc import wait_for
from lib.sources import Sources

NAME, WAIT_S = "one.example.test", 60


@pytest.fixture
def world(tmp_path, anvil):
    with Sources(tmp_path / "sources", [NAME]) as sources:
        sources.set(NAME, "price", {"price": "3"})
        with OracleWorld(tmp_path / "world", anvil, sources.store, sources.authority.hash, [NAME]) as made:
            made.text = spec(source(sources.url(NAME, "price")))
            yield made


def state(world, request: dict) -> dict:
    return world.oracle.get(f"/v1/oracle/requests/{abi.to_hex(request['id'])}/state")


def test_what_froze_a_chain_is_told(world):
    c, rpc, chain = world.contracts, world.chain.rpc, world.chain.caip2
    path = f"/v1/chains/{chain}/conflict"
    before, asked = c.ask(world.text), c.ask(world.text)
    assert c.ends(before)[0] == c.ends(asked)[0] == ANSWERED
    assert world.oracle.request("GET", path)[0] == 404  # there is none
    assert world.oracle.request("GET", "/v1/chains/eip155:1/conflict")[0] == 404
    assert world.oracle.request("GET", path, key="0" * 40)[0] == 401
    assert world.oracle.get("/v1/chains")["chains"][0]["conflict"] is None
    rpc.call("anvil_reorg", rpc.block_number() - state(world, asked)["height"] + 1, [])

    def told():
        try:
            status, found = world.oracle.request("GET", path)
        except OSError:
            return None  # it is starting
        return found if status == 200 else None

    found = wait_for(told, WAIT_S, f"the conflict ({world.oracle.log})", 0.1)
    assert found["chain"] == chain and 0 < found["height"] <= rpc.block_number() and found["held"] is None
    for name in ("first", "second"):
        raw = abi.to_bytes(found[name])
        assert int.from_bytes(rlp.decode(raw)[8], "big") == found["height"] and abi.to_hex(crypto.keccak(raw)) == found[name + "_hash"]
    assert found["first_hash"] != found["second_hash"] == rpc.block(found["height"])["hash"]
    # The answer to what stands no more is listed; a bridge's lists are empty, as the tool that lifts a freeze reads them.
    assert abi.to_hex(asked["id"]) in found["answers"] and found["complete"]
    assert (abi.to_hex(before["id"]) in found["answers"]) == (found["height"] <= state(world, before)["height"])
    assert found["messages"] == found["outcomes"] == []
    shown, = world.oracle.get("/v1/chains")["chains"]
    assert shown["frozen"] is True and shown["conflict"] == path
    # Frozen: what is asked now is not answered. It outlives the process, with the headers.
    late = c.ask(world.text)
    world.oracle.stop()
    world.oracle.start()
    again = wait_for(told, WAIT_S, f"the conflict after a restart ({world.oracle.log})", 0.1)
    assert [again[k] for k in ("height", "first_hash", "second_hash")] == [found[k] for k in ("height", "first_hash", "second_hash")]
    assert c.state_of(late)[0] == OPEN
