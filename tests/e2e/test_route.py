"""A route that others touch too: somebody delivers first, and a chain takes back what was final."""
from __future__ import annotations

import pytest

from lib import abi, crypto, deploy, rlp
from lib.rpc import wait_for
from lib.world import CONFIRMATIONS, World

END_S = 90
SEND_GAS = 400_000
DELIVER_GAS = 1_000_000


@pytest.fixture
def world(tmp_path):
    with World(tmp_path, "anvil") as w:
        yield w


def send(world: World, payload: bytes) -> str:
    side, other = world.sides
    to = deploy.erc7930(other.chain.chain_id, other.app.address)
    receipt = side.gateway.write(side.user, "sendMessage", to, payload, [], gas=SEND_GAS)
    return abi.to_hex(side.gateway.events("MessageCommitted", receipt)[0]["messageId"])


def unhealthy(gateway) -> bool:
    try:
        return gateway.request("GET", "/healthz")[0] == 503
    except OSError:
        return False


def ends(gateway, message_id: str) -> dict:
    return wait_for(lambda: (m := gateway.message(message_id)) and m["state"] == "finalized" and m, END_S,
                    f"the end of {message_id} ({gateway.log})", 0.1)


def test_somebody_else_delivers_first(world):
    """Submission is permissionless: what is delivered already is looked for before gas is spent, and the outcome is proven all
    the same."""
    source, destination = world.gateways
    side, other = world.sides
    gas_address = world.enclave_key(destination)["gas_address"]
    first = send(world, b"warm up")
    ends(source, first)
    destination.stop()
    message_id = send(world, b"by a stranger")
    wait_for(lambda: (m := source.message(message_id)) and m["state"] == "signed", END_S, "the signature", 0.1)
    spent = other.chain.rpc.call("eth_getTransactionCount", gas_address, "latest")

    envelope = source.get(f"/v1/messages/{message_id}/envelope")
    st, m = envelope["statement"], envelope["message"]
    statement = [st["epoch"], st["manifest"], int(st["rx"], 16), int(st["ry"], 16), int(st["s"], 16), st.get("path", [])]
    message = [m["sequence"], m["deadline"], m["min_gas_limit"], m["finality"], m["closer"], m["refund_to"], other.app.address,
               m["sender"], m["payload"]]
    receipt = other.gateway.write(other.friend, "deliver", side.identity, statement, [message], gas=DELIVER_GAS)
    assert other.gateway.events("MessageStatus", receipt)[0]["status"] == 2
    assert other.app.read("lastPayload") == b"by a stranger"

    destination.start()
    wait_for(destination.healthy, 60, f"health ({destination.log})", 0.1)
    ends(source, message_id)
    assert other.chain.rpc.call("eth_getTransactionCount", gas_address, "latest") == spent


def test_what_was_final_and_is_gone_freezes_the_route(world):
    """Deeper than the rule of finality: the enclave's light client sees two final blocks of one height, signs nothing more for
    that chain, and the gateway says so."""
    source, _ = world.gateways
    side = world.sides[0]
    message_id = send(world, b"then it was gone")
    ends(source, message_id)
    assert source.get("/healthz") is not None
    evidence = f"/v1/chains/{side.chain.caip2}/conflict"
    assert source.request("GET", evidence)[0] == 404 and source.request("GET", "/v1/chains/eip155:1/conflict")[0] == 404
    assert source.get("/v1/chains")["chains"][0]["conflict"] is None
    side.chain.rpc.call("anvil_reorg", CONFIRMATIONS + 3, [])
    side.chain.rpc.wait_blocks(CONFIRMATIONS + 4)
    wait_for(lambda: unhealthy(source), END_S, f"that it is not healthy ({source.log})", 0.1)
    assert "frozen" in str(source.request("GET", "/healthz")[1])
    chain = next(c for c in source.get("/v1/chains")["chains"] if c["id"] == side.chain.caip2)
    assert chain["frozen"]
    assert "frozen" in source.log.read_text()

    def conflict():
        status, found = source.request("GET", evidence)
        return found if status == 200 else None

    # Two headers of one height, and both of them hash to what the chain said.
    found = wait_for(conflict, END_S, f"the evidence ({source.log})", 0.1)
    headers = [rlp.decode(abi.to_bytes(found[name])) for name in ("first", "second")]
    assert found["first"] != found["second"] and headers[0][8] == headers[1][8]
    now = side.chain.rpc.block(int.from_bytes(headers[0][8], "big"))["hash"]
    assert now in {abi.to_hex(crypto.keccak(abi.to_bytes(found[name]))) for name in ("first", "second")}
    assert evidence in source.caisson("status").stdout
    assert source.request("GET", evidence, key=source.peer_key)[0] == 403

    stuck = send(world, b"nobody signs this")
    wait_for(lambda: source.message(stuck), END_S, "the event", 0.1)
    side.chain.rpc.wait_blocks(CONFIRMATIONS + 4)
    assert source.message(stuck)["state"] in ("observed", "final"), source.message(stuck)

    source.stop()
    source.start()
    wait_for(lambda: unhealthy(source) and "frozen" in str(source.request("GET", "/healthz")[1]), 60, "the same after a restart", 0.2)
    assert source.message(stuck)["state"] in ("observed", "final")
    assert wait_for(conflict, 60, "the evidence again", 0.2) == found
