"""After a freeze: nothing goes on until a manifest decides the conflict, and then only what the kept branch holds."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lib import abi, crypto, deploy, openapi, rlp
from lib.rpc import wait_for
from lib.tools import ROOT
from lib.world import END_TIMEOUT_S, World


@pytest.fixture
def world(tmp_path):
    with World(tmp_path, "anvil") as w:
        yield w


def manifest_tool(*arguments) -> None:
    done = subprocess.run([sys.executable, ROOT / "tools" / "manifest.py", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def sign(world: World, draft: dict, name: str) -> Path:
    path = world.folder / f"{name}.json"
    path.with_suffix(".draft").write_text(json.dumps(draft))
    manifest_tool("sign", path.with_suffix(".draft"), "-o", path, "--key", world.folder / "administrator.key")
    return path


def run_under(gateway, manifests: list[Path]) -> None:
    lines = gateway.config.read_text().splitlines()
    lines = [f"manifests = {json.dumps([*map(str, manifests)])}" if line.startswith("manifests") else line for line in lines]
    gateway.config.write_text("\n".join(lines) + "\n")
    gateway.start()


def lift(world: World, newest: Path, conflict: dict, keep: str, name: str) -> dict:
    """The draft that decides it, with the newest block as anchor."""
    told, draft = world.folder / f"{name}.conflict", world.folder / f"{name}.draft"
    told.write_text(json.dumps(conflict))
    block = world.sides[0].chain.rpc.block()
    manifest_tool("lift", newest, told, "-o", draft, "--keep", keep, "--anchor", f"{int(block['number'], 16)}:{block['hash']}")
    return json.loads(draft.read_text())


def test_a_freeze_is_lifted_by_the_manifest_that_decides_it(world):
    source, destination = world.gateways
    side = world.sides[0]
    rpc = side.chain.rpc
    source.reaches(world.send(b"warm up"), "finalized")

    # Two messages are signed while the other gateway is away; then the chain takes both back, and includes one of them again. With
    # a deadline of its own it is the same message in another block.
    destination.stop()
    deadline = deploy.attribute("deadline(uint64)", rpc.time() + 3000)
    (again, receipt), (lost, _) = world.commit(b"on both branches", [deadline]), world.commit(b"on one branch")
    for message_id in (again, lost):
        source.reaches(message_id, "signed")
    tx = rpc.call("eth_getTransactionByHash", receipt["transactionHash"])
    call = {"from": tx["from"], "to": tx["to"], "data": tx["input"], "value": tx["value"], "gas": tx["gas"]}

    def reorganize():
        rpc.call("anvil_reorg", rpc.block_number() - int(receipt["blockNumber"], 16) + 1, [[call, 0]])

    reorganize()

    def told():
        try:
            status, found = source.request("GET", f"/v1/chains/{side.chain.caip2}/conflict")
        except OSError:
            return None  # it is starting
        return found if status == 200 and len(found["messages"]) == 2 else None

    found = wait_for(told, END_TIMEOUT_S, f"the conflict ({source.log})", 0.1)
    openapi.assert_succeeded("get", "/v1/chains/{id}/conflict")
    assert found["messages"] == sorted((again, lost)) and found["outcomes"] == [] and found["complete"] and found["held"] is None
    assert 0 < found["height"] <= int(receipt["blockNumber"], 16)
    for name in ("first", "second"):
        raw = abi.to_bytes(found[name])
        assert int.from_bytes(rlp.decode(raw)[8], "big") == found["height"] and abi.to_hex(crypto.keccak(raw)) == found[name + "_hash"]
    keep = rpc.block(found["height"])["hash"]
    assert keep == found["second_hash"]
    source.reaches(again, "observed")

    # A manifest with a new anchor that decides nothing: frozen as before, and why.
    undecided = lift(world, world.manifest, found, keep, "two")
    del undecided["chains"][0]["abandoned"]
    manifests = [world.manifest, sign(world, undecided, "two")]
    source.stop()
    run_under(source, manifests)
    held = wait_for(lambda: (f := told()) and f["held"] and f, END_TIMEOUT_S, f"why it is frozen ({source.log})", 0.1)
    assert "no abandoned branch" in held["held"] and held["messages"] == found["messages"]
    assert source.get("/v1/chains")["chains"][0]["frozen"]
    assert source.request("GET", "/healthz")[0] == 503
    assert source.message(again)["state"] == "observed"

    # One that decides it, for a third branch that the node took while nobody looked.
    source.stop()
    reorganize()
    side.chain.mine(700)  # the new anchor is further above the message than the headers of one request reach
    keep = rpc.block(found["height"])["hash"]
    assert keep not in (found["first_hash"], found["second_hash"])
    draft = lift(world, manifests[-1], held, keep, "three")
    draft["chains"][0]["finality"]["drift_max_s"] = 3600  # mined, the blocks are ahead of the clock
    manifests.append(sign(world, draft, "three"))
    for gateway in (source, destination):
        run_under(gateway, manifests)
    for gateway in (source, destination):
        wait_for(gateway.healthy, END_TIMEOUT_S, f"health ({gateway.log})", 0.1)
    assert source.request("GET", f"/v1/chains/{side.chain.caip2}/conflict")[0] == 404
    assert source.get("/v1/chains")["chains"][0]["frozen"] is None

    # What the kept branch holds too is signed again and arrives; what it does not hold goes nowhere.
    source.reaches(again, "finalized")
    stuck = wait_for(lambda: (m := destination.message(lost)) and m["why"] and m, END_TIMEOUT_S, f"a refusal ({destination.log})", 0.1)
    assert stuck["state"] == "signed" and "abandoned" in stuck["why"], stuck
    assert source.message(lost)["state"] == "signed"
    source.reaches(world.send(b"afterwards"), "finalized")
