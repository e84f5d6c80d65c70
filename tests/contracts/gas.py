#!/usr/bin/env python3
"""Measures the gas of the contracts on anvil (london rules) and keeps contracts/evm/GAS.md and gas.json.

    tests/run-pytest contracts/test_gas.py      compares with gas.json, 2 % allowed
    python tests/contracts/gas.py               measures and writes both files
"""
from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(root / "tests"), str(root / "tools"), str(root / "tests" / "contracts")]

import envelope_vectors as v
import oracle_vectors as o
from lib import abi, deploy, tools
from lib.chains import Anvil
from lib.rpc import Contract, create
from oracle_world import SPEC, UNREACHABLE, OracleWorld
from world import DEAD, DELIVERED, ROUTE, ZERO, Remote, World, key_pair

FOLDER = tools.ROOT / "contracts" / "evm"
PAYLOAD = v.tag("caisson/transfer/v1") + v.word(b"\x77" * 20) + v.u(10**18) + v.word(b"\x78" * 20)  # 128 bytes, as a transfer's
BATCH = 25
GAS_BLOCK = 30_000_000

AIMS = {"signature check alone": 5_000, "deliver one, first in its word": 80_000, "deliver one, later in its word": 62_000,
        "deliver 25, per message": 35_000, "fulfil one, before the callback": 75_000, "feed: a round of one": 45_000,
        "feed: each further round of the same call": 12_000}
FEEDS = 8

# As published, or measured in this project's lab; see research notes in docs/performance.md.
OTHERS = [("one ecrecover, check alone", 4_371), ("5 of 7 ecrecover, signers in storage, check alone", 34_681),
          ("BLS threshold signature (G1), check alone", 124_328), ("LCP: client update + packet check", "71,000 + 15,000"),
          ("Wormhole: parse and verify", "83,000 to 129,000"), ("Eureka: receive a packet", 230_000),
          ("Hyperlane 6 of 9: deliver", 189_000)]


def used(receipt: dict) -> int:
    return int(receipt["gasUsed"], 16)


def calls_out(world: World, receipt: dict) -> int:
    """Gas of what the called contract called outside itself: recipients' and senders' own code."""
    def outside(frame: dict) -> int:
        if frame["to"].lower() == receipt["to"].lower():
            return sum(outside(f) for f in frame.get("calls", []))
        return int(frame["gasUsed"], 16) if int(frame["to"], 16) > 0xff else 0

    return outside(world.rpc.call("debug_traceTransaction", receipt["transactionHash"], {"tracer": "callTracer"}))


def own(world: World, receipt: dict) -> int:
    return used(receipt) - calls_out(world, receipt)


def side_of(world: World, secret_label: str) -> Remote:
    """How another world sees this one."""
    remote = Remote(world.chain.chain_id, secret_label, abi.to_bytes(world.chain.genesis_hash))
    remote.gateway, remote.identity = abi.to_bytes(world.address), world.identity
    return remote


def messages(world: World, recipient: Contract, count: int, **over) -> list[dict]:
    return [world.message(recipient, PAYLOAD, **over) for _ in range(count)]


def skip_words(world: World) -> None:
    """The next message is the first of a status word."""
    world.remote.sequence = (world.remote.sequence // 128 + 1) * 128 - 1


def measure_gateway(world: World) -> dict[str, int]:
    table: dict[str, int] = {}
    null, app = world.deploy("NullRecipient"), world.deploy("SampleApp", world.address)
    harness = world.deploy("Harness")
    case = json.loads((tools.ROOT / "tests/vectors/envelope/signatures.json").read_text())["signatures"][6]
    valid, gas = harness.read("verifyGas", case["public"], *(int(case[k], 16) for k in ("rx", "ry", "s")), case["digest"])
    assert valid
    table["signature check alone"] = gas

    def deliver(rows: list[dict]) -> dict:
        return world.deliver(*rows, gas=GAS_BLOCK)

    skip_words(world)
    table["deliver one, first in its word"] = own(world, deliver(messages(world, null, 1)))
    table["deliver one, later in its word"] = own(world, deliver(messages(world, null, 1)))
    for count in (5, BATCH, 100):
        skip_words(world)
        table[f"deliver {count}, per message"] = own(world, deliver(messages(world, null, count))) // count
    skip_words(world)
    deliver(messages(world, null, 1))
    rows = messages(world, null, 64)
    tree = world.tree(rows)
    st = world.statement(v.MESSAGE, v.levels(tree)[-1][0], v.path_of(tree, 9, 0))
    table["deliver one of a batch of 64 by its path, later in its word"] = own(
        world, world.do("deliver", world.remote.identity, st, [rows[9]], gas=GAS_BLOCK))

    app.write(world.user, "setFailing", True)
    closer = v.word(abi.to_bytes(world.closer))
    failed = messages(world, app, 3, closer=closer, deadline=world.now() + 900)
    table["deliver one that fails, later in its word"] = own(world, world.deliver(failed[0], gas=GAS_BLOCK))
    for row in failed[1:]:
        world.deliver(row)
    table["close"] = own(world, world.do("close", *world.args(failed[0]), sender=world.closer))
    app.write(world.user, "setFailing", False)
    table["retry"] = own(world, world.do("retry", *world.args(failed[1])))
    late = messages(world, null, 1 + BATCH, deadline=failed[2]["deadline"])
    skip_words(world)
    late += messages(world, null, 1, deadline=failed[2]["deadline"])
    world.at(failed[2]["deadline"])
    table["expire one, later in its word"] = own(world, world.do("expire", *world.args([late[0]])))
    table["expire one, first in its word"] = own(world, world.do("expire", *world.args([late[-1]])))
    table["expire 25, per message"] = own(world, world.do("expire", *world.args(late[1:-1]), gas=GAS_BLOCK)) // BATCH

    world.send(PAYLOAD)
    table["send, no attributes"] = used(world.send(PAYLOAD)[1])
    every = [v.attribute("deadline", world.now() + 1000), v.attribute("minGasLimit", 100_000), v.attribute("closer", b"\1" * 20),
             v.attribute("refundTo", b"\2" * 20), v.attribute("finality", 1)]
    table["send, all attributes"] = used(world.send(PAYLOAD, every)[1])
    sent = [world.send(PAYLOAD)[0] for _ in range(1 + BATCH)]
    table["finalize one, sender without code"] = own(world, world.finalize((sent[0], DELIVERED)))
    table["finalize 25, per message"] = own(world, world.finalize(*((s, DELIVERED) for s in sent[1:]), gas=GAS_BLOCK)) // BATCH
    receipt = app.write(world.user, "send", world.remote.account(b"\1" * 20), PAYLOAD, [])
    mine = world.gateway.events("MessageSent", receipt)[0]["sendId"]
    table["finalize one, before the application's call"] = own(world, world.finalize((mine, DEAD)))
    table["announce a rotation"] = used(world.do("announceRotation", *world.rotation_args(2, key_pair("next")[1])))
    return table


def bridge_of(world: World, other: World, peer: Contract | None = None) -> Contract:
    return create(world.rpc, world.owner, deploy.artifact("CaissonTokenBridge"), world.address, world.owner, world.guardian, 10, 3600)


def measure_transfers(one: World, two: World) -> dict[str, int]:
    """A transfer over two chains: transfer on the first, deliver on the second, finalize on the first."""
    table: dict[str, int] = {}
    one.remote, two.remote = side_of(two, "two"), side_of(one, "one")
    for world in (one, two):
        world.register(world.remote)
    bridges = [bridge_of(one, two), bridge_of(two, one)]
    token = one.deploy("TestToken", "Test", "TST")
    wrapped = create(two.rpc, two.owner, deploy.artifact("CaissonWrappedToken"), bridges[1].address, "Wrapped", "W", 18)
    for world, bridge, peer, mine, theirs, mode in ((one, bridges[0], bridges[1], token, wrapped, 1),
                                                    (two, bridges[1], bridges[0], wrapped, token, 2)):
        bridge.write(world.owner, "addPeer", world.remote.account(peer.address))
        bridge.write(world.owner, "addToken", mine.address, world.remote.chain, v.word(abi.to_bytes(theirs.address)), mode)
        bridge.write(world.owner, "setCap", mine.address, 10**30, 10**30)
    token.write(one.user, "mint", one.user, 10**24)
    token.write(one.user, "approve", bridges[0].address, 2**256 - 1)

    def start(world: World, bridge: Contract, tok: Contract) -> tuple[int, bytes, dict]:
        receipt = bridge.write(world.user, "transfer", tok.address, 10**18, world.remote.account(world.user), "0x" + "00" * 20, [])
        sent, = world.gateway.events("MessageSent", receipt)
        head, = world.gateway.events("MessageCommitted", receipt)
        message = {k: head[k] for k in ("sequence", "deadline", "minGasLimit", "finality", "closer", "refundTo")} | {
            "recipient": sent["recipient"][-20:], "sender": sent["sender"], "payload": sent["payload"]}
        return used(receipt), sent["sendId"], message

    def whole(world: World, other: World, bridge: Contract, tok: Contract, count: int = 1) -> tuple[int, int, int]:
        started = [start(world, bridge, tok) for _ in range(count)]
        delivered = used(other.deliver(*(m for _, _, m in started), gas=GAS_BLOCK))
        assert all(other.status(m) == DELIVERED for _, _, m in started)
        finalized = used(world.finalize(*((s, DELIVERED) for _, s, _ in started), gas=GAS_BLOCK))
        return sum(u for u, _, _ in started) // count, delivered // count, finalized // count

    def note(name: str, parts: tuple[int, int, int]) -> None:
        for label, gas in zip(("transfer", "deliver", "finalize"), parts):
            table[f"{name}: {label}"] = gas
        table[f"{name}: whole"] = sum(parts)

    note("first transfer (lock, mint)", whole(one, two, bridges[0], token))
    note("later transfer (lock, mint)", whole(one, two, bridges[0], token))
    note("transfer back (burn, release)", whole(two, one, bridges[1], wrapped))
    note("25 transfers in batches, each", whole(one, two, bridges[0], token, BATCH))
    _, sent, _ = start(one, bridges[0], token)
    table["refund: finalize with release"] = used(one.finalize((sent, DEAD)))
    return table


def measure_oracle(world: OracleWorld) -> dict[str, int]:
    table: dict[str, int] = {}
    null = world.deploy("NullCallback")
    callback = {"callback": null.address, "gas": 30_000}
    world.fulfil(world.answer(world.ask(**callback)))
    table["ask, a spec of 150 bytes"] = used(world.ask_raw(**callback))
    table["ask, a spec by its hash"] = used(world.ask_raw(spec_hash=o.spec_hash(SPEC), **callback))
    table["fulfil one, without a callback"] = used(world.fulfil(world.answer(world.ask())))
    table["fulfil one, before the callback"] = own(world, world.fulfil(world.answer(world.ask(**callback))))
    table["fulfil one, an error that refunds"] = own(world, world.fulfil(world.answer(world.ask(**callback), UNREACHABLE)))
    answers = [world.answer(world.ask(**callback)) for _ in range(BATCH)]
    table["fulfil 25, per answer"] = own(world, world.fulfil(*answers, gas=GAS_BLOCK)) // BATCH
    late = world.ask()
    world.at(late["deadline"])
    table["refund"] = used(world.oracle.write(world.anyone, "refund", world.parts(late)))

    def rounds(feeds: list[dict]) -> int:
        world.advance(10)
        return used(world.update(*(world.value(f, 3_000_00000000 + f["index"]) for f in feeds), gas=GAS_BLOCK))

    for bits, what in ((0, ""), (2, ", with history")):
        feeds = [world.add_feed(description=f"feed {i}", historyBits=bits) for i in range(FEEDS)]
        for _ in range(6):  # every place of the ring has been used
            rounds(feeds)
        one = table[f"feed: a round of one{what}"] = rounds(feeds[:1])
        table[f"feed: each further round of the same call{what}"] = (rounds(feeds) - one) // (FEEDS - 1)
        gas = int(world.rpc.call("eth_estimateGas", {"to": feeds[0]["feed"].address,
                                                     "data": abi.to_hex(feeds[0]["feed"].data("latestRoundData"))}), 16)
        if bits == 0:
            table["feed: latestRoundData"] = gas - 21_064  # of the transaction itself
    return table


def measure(folder: Path) -> dict[str, int]:
    fixed = ["--timestamp", "1700000000"]
    with Anvil(folder / "one", 31337, mining="auto", hardfork="london", extra=fixed) as one, \
            Anvil(folder / "two", 777, mining="auto", hardfork="london", extra=fixed) as two:
        table = measure_gateway(World(one))
        table |= measure_transfers(World(one, register=False), World(two, register=False))
        return table | measure_oracle(OracleWorld(one))


def render(table: dict[str, int]) -> str:
    lines = ["# Gas", "", "Measured by `tests/contracts/gas.py` on anvil under london rules, solc 0.8.37 (`compile.mjs`), payload of 128 bytes",
             "unless said. A line of the gateway or the oracle is the whole transaction (21,000 and calldata included) without the code",
             "of the application that it calls; lines of transfers are whole transactions, applications included. \"First in its word\":",
             "the first of 128 messages that share a storage word. `tests/contracts/test_gas.py` fails at 2 % more than `gas.json`.", "",
             "| what | gas | aim |", "|---|--:|--:|"]
    for name, gas in table.items():
        aim = AIMS.get(name)
        lines.append(f"| {name} | {gas:,} | {f'≤ {aim:,}' if aim else ''} |")
    lines += ["", "Every answer costs the same, because a request's state has a slot of its own, which asking has paid for. A feed's",
              "latest round is one slot, whose place its spec determines, so that the spec need not be read. Keeping the rounds before it",
              "(`historyBits`) writes a second slot for each round: 5,400 more, which the aims leave no room for; a feed chooses it when it",
              "is added."]
    lines += ["", "## Beside it", "", "Published by others or measured in the field survey of this project; what each figure covers differs.", "",
              "| what | gas |", "|---|--:|"]
    lines += [f"| {name} | {gas if isinstance(gas, str) else f'{gas:,}'} |" for name, gas in OTHERS]
    return "\n".join(lines) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = measure(Path(folder))
    (FOLDER / "gas.json").write_text(json.dumps(table, indent=1) + "\n")
    (FOLDER / "GAS.md").write_text(render(table))
    for name, gas in table.items():
        print(f"{gas:>9,}  {name}")


if __name__ == "__main__":
    main()
