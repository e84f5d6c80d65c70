"""An audit that asks nobody: a light block, a statement, and one line of it with its path; and what is no proof of it."""
from __future__ import annotations

import base64
import hashlib
import json

import pytest

from ledger import usage_world as uw
from ledger.usage_world import BAD_USE, CLAIMED, CONSUMER, NO, PROVIDER, USAGE, World, caisson, calldata, hx
from lib import crypto, usage
from lib.rpc import wait_for

COUNT = 11
REFUSED = 3
PREDICATE = "the newest header has the state"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Eleven charges and a credit; files of the audit in the folder."""
    folder = tmp_path_factory.mktemp("audit")
    with uw.begin(folder) as net:
        net.wait_height(2)
        made = World(folder, net.nodes[0])
        made.register_enclave()
        records = [made.make(quantity=10 + i, purpose=b"fraud check") for i in range(COUNT)]
        made.record(records)
        made.good(CONSUMER, USAGE, calldata("dispute(bytes32,uint64,uint256,bytes32)", records[0].enclave, 1, 5, crypto.keccak(b"late")))
        made.good(PROVIDER, USAGE, calldata("accept(bytes32,uint64,bytes32)", records[0].enclave, 1, crypto.keccak(b"so it was")))
        height = made.bank.info()[0]
        wait_for(lambda: made.node.height() > height + 2, uw.DEADLINE_S, PREDICATE)
        made.good(uw.ALICE, USAGE, usage.calldata([made.make(consumer=uw.ARBITER.address)]))  # later than what is audited
        made.height = height
        made.validators = made.light_block(height + 1)[1]
        made.block = made.folder / "block.pb"
        done = caisson("light-block", height + 1, "--validators", made.validators, "--out", made.block, "--url", made.url)
        assert done.returncode == 0, done.stderr
        made.path = folder / "statement.jsonl"
        done = caisson("statement", "--party", hx(PROVIDER.address), "--role", "provider", "--period", made.month, "--format", "jsonl",
                       "--height", height, "--out", made.path, "--url", made.url)
        assert done.returncode == 0, done.stderr
        yield made


def line(world, index, path=None, form=()):
    done = caisson("line", path or world.path, index, *form)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def save(world, document, name="line.json"):
    path = world.folder / name
    path.write_text(json.dumps(document))
    return path


def verify(world, path, *args):
    return caisson("verify", path, *(args or ("--trusted", world.block)))


def test_the_light_block_is_that_of_cometbft(world):
    """The encoding, by Python from the node's JSON; whose turn it is to propose is nobody's to prove."""
    block, _ = world.light_block(world.height + 1)
    assert hashlib.sha256(world.block.read_bytes()).digest() == hashlib.sha256(block).digest()


def test_every_line_with_its_path(world):
    head = json.loads(world.path.read_text().split("\n")[0])["statement"]
    rows = [json.loads(row) for row in world.path.read_text().splitlines()[1:]]
    assert head["count"] == len(rows) == COUNT + 1
    for i, row in enumerate(rows):
        made = line(world, i)
        raw = bytes.fromhex(row["line"][2:])
        assert made["line"] == row and made["statement"] == head
        path = [bytes.fromhex(h[2:]) for h in made["path"]]
        assert hx(usage.root_by_path(raw, i, len(rows), path)) == head["root"]
        done = verify(world, save(world, made), "--trusted", world.block, "--signatures")
        assert done.returncode == 0, done.stderr
        assert f"{i} of {len(rows)}" in done.stdout and ("of the enclave verifies" in done.stdout) == (row["kind"] == "charge")


@pytest.mark.parametrize("fmt", ["json", "csv"])
def test_from_any_format(world, fmt):
    path = world.folder / f"other.{fmt}"
    done = caisson("statement", "--party", hx(PROVIDER.address), "--role", "provider", "--period", world.month, "--format", fmt, "--height",
                   world.height, "--out", path, "--url", world.url)
    assert done.returncode == 0, done.stderr
    assert line(world, 3, path) == line(world, 3)
    assert verify(world, path).returncode == 0


def test_under_whatever_is_trusted(world):
    path = save(world, line(world, 5), "trust.json")
    assert verify(world, path, "--app-hash", world.app_hash(world.height)).returncode == 0
    assert verify(world, path, "--light-block", world.block).returncode == CLAIMED
    assert verify(world, path, "--light-block", world.block, "--validators", world.validators).returncode == 0
    said = json.loads(verify(world, path, "--trusted", world.block, "--json").stdout)
    assert said["ok"] and said["of"] == COUNT + 1 and said["line"]["index"] == "5"
    # On one line too, which is how --json prints it.
    short = caisson("line", world.path, 5, "--json").stdout
    assert short.count("\n") == 1
    (world.folder / "short.json").write_text(short)
    assert verify(world, world.folder / "short.json").returncode == 0
    assert verify(world, path, "--app-hash", world.app_hash(world.height), "--trusted", world.block).returncode == BAD_USE


def test_another_height_or_chain(world):
    path = save(world, line(world, 5), "place.json")
    later = world.folder / "later.pb"
    caisson("light-block", world.height + 2, "--trusted", world.block, "--out", later, "--url", world.url)
    for statement in (path, world.path):
        done = verify(world, statement, "--trusted", later)
        assert done.returncode == NO and "has height" in done.stderr
    other = line(world, 5)
    other["statement"]["chain_id"] = "other-ledger"
    done = verify(world, save(world, other))
    assert done.returncode == NO and "of the chain" in done.stderr
    # The same place, said of the state before: the proofs do not lead to its app hash.
    other = line(world, 5)
    other["statement"]["height"] += 1
    assert verify(world, save(world, other), "--trusted", later).returncode == (0 if world.app_hash(world.height + 1) == world.app_hash(
        world.height) else NO)
    assert verify(world, path, "--app-hash", world.app_hash(2)).returncode == NO


def test_broken_signatures_of_the_light_block(world):
    path = save(world, line(world, 5), "signed.json")
    raw = world.block.read_bytes()
    signature = world.node.call("commit", height=str(world.height + 1))["signed_header"]["commit"]["signatures"][0]["signature"]
    at = raw.index(base64.b64decode(signature))
    broken = world.folder / "broken.pb"
    for i in (at, at + 63, raw.index(bytes.fromhex(world.app_hash(world.height)))):
        broken.write_bytes(raw[:i] + bytes([raw[i] ^ 1]) + raw[i + 1:])
        for option in ("--trusted", "--light-block"):
            assert verify(world, path, option, broken).returncode == NO
    broken.write_bytes(raw[:-1])
    assert verify(world, path, "--trusted", broken).returncode == NO


def other_path(made, world):
    made["path"] = line(world, 6)["path"]


def shorter(made, _):
    made["path"].pop()


def longer(made, _):
    made["path"].append(made["path"][0])


def turned(made, _):
    made["path"][0] = "0x" + "00" * 32


def other_line(made, world):
    made["line"] = line(world, 4)["line"]


def other_index(made, _):
    made["line"]["index"] = "7"


def amount(made, _):
    made["line"]["amount"] = "1"


def some_byte(made, _):
    raw = made["line"]["line"]
    made["line"]["line"] = raw[:40] + ("0" if raw[40] != "0" else "1") + raw[41:]


def more_members(made, _):
    made["line"]["note"] = "paid"


def charged(made, _):
    made["statement"]["charged"] = "1"


def other_party(made, _):
    made["statement"]["party"] = hx(CONSUMER.address)


def no_proof(made, _):
    made["statement"]["state"]["proof"] = made["statement"]["chain"]["proof"]


def no_path(made, _):
    made["path"] = "none"


def long_path(made, _):
    made["path"] = ["0x" + "00" * 32] * 64


LIES = [other_path, shorter, longer, turned, other_line, other_index, amount, some_byte, more_members, charged, other_party, no_proof,
        no_path, long_path]


@pytest.mark.parametrize("change", LIES, ids=[f.__name__ for f in LIES])
def test_a_line_that_lies(world, change):
    made = line(world, 5)
    change(made, world)
    done = verify(world, save(world, made, f"lie-{change.__name__}.json"))
    assert done.returncode == NO and done.stderr.startswith("caisson ledger verify: "), (done.stdout, done.stderr)


def test_a_line_of_another_statement(world):
    """The consumer's has the same line: under the provider's head its path is no path."""
    path = world.folder / "consumer.jsonl"
    done = caisson("statement", "--party", hx(uw.ARBITER.address), "--role", "consumer", "--period", world.month, "--format", "jsonl",
                   "--out", path, "--url", world.url)
    assert done.returncode == 0, done.stderr
    mixed = line(world, 0) | {key: line(world, 0, path)[key] for key in ("path", "line")}
    assert verify(world, save(world, mixed)).returncode == NO


def test_what_is_no_line(world):
    for index in (COUNT + 1, 2**63):
        done = caisson("line", world.path, index)
        assert done.returncode == REFUSED and f"lines 0 to {COUNT}" in done.stderr
    for args in ([world.path], [world.path, "x"], [world.path, "-1"], [world.folder / "none", 1], []):
        assert caisson("line", *args).returncode == BAD_USE
    assert caisson("line", world.block, 0).returncode == NO
    less = world.folder / "less.jsonl"
    rows = world.path.read_text().split("\n")
    less.write_text("\n".join(rows[:4] + rows[5:]))
    assert caisson("line", less, 0).returncode == NO
    less.write_text("\n".join(rows[:-2] + [""]))
    assert caisson("line", less, 0).returncode == NO


def test_a_line_behind_pruned_ones(tmp_path):
    """What is left is proven, though what was pruned is known by its roots alone."""
    with uw.begin(tmp_path, age_max_s=4, window_s=1, retention_s=4) as net:
        net.wait_height(2)
        made = World(tmp_path, net.nodes[0])
        made.register_enclave()
        made.record([made.make(quantity=q) for q in (10, 20, 30)])
        begun = made.block_time()
        wait_for(lambda: made.block_time() >= begun + 5, uw.DEADLINE_S, "lines that are old")
        made.record([made.make(quantity=40), made.make(quantity=50)])
        made.good(uw.ALICE, USAGE, calldata("prune(address,uint8,uint32,uint64)", PROVIDER.address, 1, int(made.month.replace("-", "")), 3))
        height = made.bank.info()[0]
        wait_for(lambda: made.node.height() > height + 1, uw.DEADLINE_S, PREDICATE)
        path = made.statement("pruned.jsonl", fmt="jsonl")
        for index in (3, 4):
            one = save(made, line(made, index, path))
            at = json.loads(one.read_text())["statement"]["height"]
            done = verify(made, one, "--app-hash", made.app_hash(at))
            assert done.returncode == 0 and f"{index} of 5" in done.stdout, done.stderr
        assert caisson("line", path, 2).returncode == REFUSED
