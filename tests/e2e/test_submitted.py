"""What applications sign and a gateway sends: POST /v1/messages and /v1/transfers in the mode submit. anvil signs, for accounts of its own."""
from __future__ import annotations

import json
import os
import signal

import pytest

from lib.between import Between
from lib.rpc import wait_for
from lib.world import END_TIMEOUT_S, account

UNIT = 10**18
GWEI = 10**9
ENOUGH_GAS = 500_000
TOO_LITTLE_GAS = 60_000
EXIT_USAGE, EXIT_REFUSED = 2, 3


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with Between(tmp_path_factory.mktemp("submitted"), "anvil", block_time=0.5) as w:
        yield w


def count(world, address: str | None = None) -> int:
    return int(world.chains[0].rpc.call("eth_getTransactionCount", address or world.sides[0].user, "latest"), 16)


def message(world, payload: bytes) -> dict:
    return {"to": account(world.sides[1], world.sides[1].app.address), "payload": "0x" + payload.hex()}


def sign(world, body: dict, route: str = "/v1/messages", index: int = 0, **other) -> str:
    """The transaction that `prepare` gives for the body, with what the caller wants otherwise."""
    call = world.gateways[0].post(route, {**body, "mode": "prepare"})["transactions"][-1]
    fields = {"from": world.sides[0].user, "to": call["to"], "data": call["data"], "value": hex(int(call["value"])), "gas": hex(ENOUGH_GAS),
              "nonce": hex(count(world)), "maxFeePerGas": hex(20 * GWEI), "maxPriorityFeePerGas": hex(GWEI), **other}
    return world.chains[index].rpc.call("eth_signTransaction", fields)


def submit(world, body: dict, signed: str, status: int = 202, route: str = "/v1/messages", **more) -> dict:
    got, reply = world.gateways[0].request("POST", route, {**body, "mode": "submit", "transaction": signed}, **more)
    assert got == status, (got, reply)
    return reply


def delivered(world, payload: bytes) -> int:
    return sum(m["payload"] == "0x" + payload.hex() for m in world.gateways[0].get("/v1/messages", limit=200)["messages"])


@pytest.mark.parametrize("form", [{}, {"gasPrice": hex(20 * GWEI), "maxFeePerGas": None, "maxPriorityFeePerGas": None}], ids=["type 2", "type 0"])
def test_a_message(world, form):
    payload = b"submitted " + repr(sorted(form)).encode()
    body = message(world, payload)
    signed = sign(world, body, **form)
    told = submit(world, body, signed, headers={"Idempotency-Key": repr(form)})
    assert told["mode"] == "submit" and told["transactions"][0]["from"] == world.sides[0].user.lower()
    assert submit(world, body, signed, headers={"Idempotency-Key": repr(form)}) == told
    found = world.gateways[0].ends(told["request_id"])
    assert found["request_id"] == told["request_id"] and world.sides[1].app.read("lastPayload") == payload
    assert "transaction: " in submit(world, body, signed, 409)["detail"]


def test_a_transfer(world):
    home, abroad = world.sides
    body = {"to": account(abroad, abroad.friend), "amount": str(UNIT)}
    home.token.write(home.user, "approve", home.bridge.address, 0)
    refused = submit(world, body, sign(world, body, "/v1/transfers"), 422, "/v1/transfers")
    assert refused["code"] == "reverted"  # without the allowance
    home.token.write(home.user, "approve", home.bridge.address, UNIT)
    told = submit(world, body, sign(world, body, "/v1/transfers"), 202, "/v1/transfers")
    assert [t["what"] for t in told["transactions"]] == ["transfer"]
    world.gateways[0].ends(told["request_id"])


def test_on_the_command_line(world, tmp_path):
    """A message watched to its end, a transfer whose transaction is in a file, and what is refused before and by the gateway."""
    gateway, (home, abroad) = world.gateways[0], world.sides
    to, body = account(abroad, abroad.app.address), message(world, b"by hand")
    signed = sign(world, body)
    run = gateway.caisson("send", "submit", "--to", to, "--payload", body["payload"], "--transaction", signed, "--watch", "--json", timeout_s=END_TIMEOUT_S)
    assert run.returncode == 0, run.stderr + run.stdout
    assert json.loads(run.stdout.splitlines()[-1])["state"] == "finalized" and abroad.app.read("lastPayload") == b"by hand"
    assert gateway.caisson("send", "submit", "--to", to, "--payload", body["payload"], "--transaction", signed).returncode == EXIT_REFUSED
    home.token.write(home.user, "approve", home.bridge.address, UNIT)
    transfer = {"to": account(abroad, abroad.friend), "amount": str(UNIT)}
    (tmp_path / "signed").write_text(sign(world, transfer, "/v1/transfers") + "\n")
    argv = ["transfer", "submit", "--to", transfer["to"], "--amount", transfer["amount"]]
    run = gateway.caisson(*argv, "--transaction", f"@{tmp_path / 'signed'}", "--json")
    assert run.returncode == 0, run.stderr
    gateway.ends(json.loads(run.stdout)["request_id"])
    for more in ([], ["--transaction", f"@{tmp_path / 'nothing'}"], ["--mode", "submit"]):
        assert gateway.caisson(*argv, *more).returncode == EXIT_USAGE, more
    assert gateway.caisson(*argv, "--transaction", signed[:-2]).returncode == EXIT_REFUSED


def test_what_is_refused(world):
    """And goes nowhere: the account's count of transactions stays as it is."""
    body, home = message(world, b"never"), world.sides[0]
    good, before = sign(world, body), count(world)
    cases = [(400, "it does not call", sign(world, body, to=home.token.address)), (400, "it does not call", sign(world, message(world, b"another"))),
             (422, "another chain", sign(world, body, index=1, **{"from": world.sides[1].user})), (422, "transaction: ", good[:-2]),
             (422, "transaction: ", good + "00"), (422, "transaction: ", "0x"), (422, "transaction: ", "0xc0"), (501, "begins with 3", "0x03c0"),
             (409, "nonce was used", sign(world, body, nonce=hex(before - 1)))]
    for status, words, signed in cases:
        reply = submit(world, body, signed, status)
        assert words in reply["detail"], reply
    changed = f"{good[:-1]}{int(good[-1], 16) ^ 1:x}"
    assert submit(world, body, changed, 402)["code"] == "no-funds"  # by somebody whom nobody knows
    gateway = world.gateways[0]
    for wrong in ({"mode": "submit"}, {"mode": "submit", "transaction": good, "from": home.user}, {"mode": "prepare", "transaction": good}):
        assert gateway.request("POST", "/v1/messages", {**body, **wrong})[0] == 400
    assert count(world) == before and delivered(world, b"never") == 0


def test_what_the_chain_would_refuse_goes_nowhere(world):
    """The fee is to the wei."""
    body, before = message(world, b"pays too much"), count(world)
    assert submit(world, body, sign(world, body, value=hex(12345)), 422)["code"] == "reverted"
    assert count(world) == before


def test_it_reverts(world):
    """The chain would have taken it, had it brought enough gas."""
    body, gateway = message(world, b"reverts"), world.gateways[0]
    told = submit(world, body, sign(world, body, gas=hex(TOO_LITTLE_GAS)))
    found = gateway.reaches(told["request_id"], "request_failed")
    assert found["ended"] and "reverted" in found["why"] and found["tx"]


def test_a_crash_before_any_node_has_it(world):
    """It was answered with 202, so it is sent: after the next start, once."""
    body, gateway = message(world, b"after a crash"), world.gateways[0]
    signed, before = sign(world, body), count(world)
    with world.proxy.swallowing("eth_sendRawTransaction") as swallowed:
        told = submit(world, body, signed)
        wait_for(lambda: swallowed, 30, "a try")
        os.kill(gateway.pids()["caisson-gateway"], signal.SIGKILL)
        wait_for(gateway.healthy, END_TIMEOUT_S, "the gateway")
        assert count(world) == before
    gateway.ends(told["request_id"])
    assert count(world) == before + 1 and delivered(world, b"after a crash") == 1


def test_another_transaction_takes_its_nonce(world):
    """What its wallet replaces is known to nobody any more."""
    body, gateway, home = message(world, b"replaced"), world.gateways[0], world.sides[0]
    signed = sign(world, body)
    with world.proxy.swallowing("eth_sendRawTransaction"):
        told = submit(world, body, signed)
        home.token.write(home.user, "approve", home.bridge.address, 1)
        found = gateway.reaches(told["request_id"], "request_unknown")
    assert not found["ended"] and "nonce was used" in found["why"] and delivered(world, b"replaced") == 0


def test_what_a_node_says_against_it(world):
    """Its fee is below what blocks ask for: it waits, and says why."""
    body, gateway = message(world, b"cheap"), world.gateways[0]
    told = submit(world, body, sign(world, body, maxFeePerGas="0x1", maxPriorityFeePerGas="0x1"))
    found = wait_for(lambda: (f := gateway.get(f"/v1/messages/{told['request_id']}")).get("why") and f, END_TIMEOUT_S, "what the node says")
    assert found["state"] == "requested" and not found["ended"]
