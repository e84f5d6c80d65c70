"""Usage records on a running ledger, audited by the command line: complete statements in every format, and files that lie."""
from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys

import pytest

from ledger import usage_world as uw
from ledger.usage_world import ARBITER, BAD_USE, CLAIMED, CONSUMER, NO, PROVIDER, USAGE, World, caisson, calldata, hx
from lib import crypto, usage
from lib.rpc import wait_for
from lib.tools import ROOT

FORMATS = ["json", "jsonl", "csv"]
REASON = crypto.keccak(b"the rows were test data")
PREDICATE = "the newest header has the state"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("usage")
    with uw.begin(folder) as net:
        net.wait_height(2)
        made = World(folder, net.nodes[0])
        made.register_enclave()
        records = [made.make(quantity=100 + i, purpose=b"p" * (i % 65)) for i in range(170)]
        records.append(made.make(metric=usage.label("cpu-hours"), quantity=1999, purpose=bytes(range(64))))
        made.record(records)
        made.records = records
        enclave = records[0].enclave
        made.good(CONSUMER, USAGE, calldata("dispute(bytes32,uint64,uint256,bytes32)", enclave, 1, 150, REASON))
        made.good(PROVIDER, USAGE, calldata("reject(bytes32,uint64,bytes32)", enclave, 1, REASON))
        made.good(CONSUMER, USAGE, calldata("appeal(bytes32,uint64,bytes32)", enclave, 1, REASON))
        made.good(ARBITER, USAGE, calldata("decide(bytes32,uint64,uint256,bytes32)", enclave, 1, 50, REASON))
        height = made.bank.info()[0]
        wait_for(lambda: made.node.height() > height + 1, uw.DEADLINE_S, PREDICATE)
        yield made


def rows_of(path, fmt) -> tuple[dict, list[dict]]:
    text = path.read_text()
    if fmt == "json":
        whole = json.loads(text)
        return whole["statement"], whole["lines"]
    first, rest = text.split("\n", 1)
    if fmt == "jsonl":
        return json.loads(first)["statement"], [json.loads(line) for line in rest.splitlines()]
    return json.loads(first[2:])["statement"], list(csv.DictReader(io.StringIO(rest)))


def verify(world, path, *args, height: int | None = None):
    if height is None:
        height = int(re.search(r'"height":(\d+)', path.read_text())[1])
    return caisson("verify", path, *(args or ("--app-hash", world.app_hash(height))))


# ---- good ones ----


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("role", ["provider", "consumer"])
def test_a_statement_is_complete(world, fmt, role):
    path = world.statement(f"good-{role}.{fmt}", role, fmt)
    head, rows = rows_of(path, fmt)
    done = verify(world, path)
    assert done.returncode == 0, done.stderr
    # What the state says, by another implementation from the same lines and from the records.
    lines = [bytes.fromhex(row["line"][2:]) for row in rows]
    assert usage.statement(lines) == bytes.fromhex(head["state"]["value"][2:])
    assert usage.root(lines) == bytes.fromhex(head["root"][2:])
    decimals = [0] * 170 + [3]
    total = sum(record.amount(d) for record, d in zip(world.records, decimals))
    assert (int(head["charged"]), int(head["credited"]), int(head["total"])) == (total, 50, total - 50)
    assert len(rows) == head["count"] == 172
    for row, record, d in zip(rows, world.records, decimals):
        assert usage.charge(record, d, int(row["height"]), int.from_bytes(lines[int(row["index"])][9:17], "big")).hex() == row["line"][2:]
    assert rows[170]["quantity"] == "1.999" and rows[170]["amount"] == "3" and rows[170]["purpose_text"] == ""
    assert rows[171]["kind"] == "credit" and rows[171]["decided_by"] == hx(ARBITER.address)
    assert "172 here, 0 pruned: complete" in done.stdout and f"{total - 50} in total" in done.stdout


def test_formats_hold_the_same(world):
    all_rows = [rows_of(world.statement(f"same.{fmt}", "provider", fmt), fmt)[1] for fmt in FORMATS]
    assert all_rows[0] == all_rows[1] == [dict(row) for row in all_rows[2]]


def test_signatures_are_checked_when_asked(world):
    path = world.statement("signed.jsonl", fmt="jsonl")
    height = rows_of(path, "jsonl")[0]["height"]
    done = verify(world, path, "--app-hash", world.app_hash(height), "--signatures", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["signatures"] == 171 and said["insecure_signatures"] == 0 and said["ok"] and said["lines"] == 172


def test_what_an_app_hash_does_not_prove(world):
    """Of which height and chain it is: the head's word is not repeated, and may be anything."""
    path = world.statement("unplaced.json")
    head, _ = rows_of(path, "json")
    app_hash = world.app_hash(head["height"])
    first, rest = path.read_text().split("\n", 1)
    for name, value in (("height", head["height"]), ("height", 10**6), ("chain_id", "another-chain")):
        path.write_text(first.replace(f'"{name}":{json.dumps(head[name])}', f'"{name}":{json.dumps(value)}') + "\n" + rest)
        assert rows_of(path, "json")[0] == head | {name: value}
        done = verify(world, path, "--app-hash", app_hash, "--json")
        said = json.loads(done.stdout)
        assert done.returncode == 0 and said["ok"] and said["anchor"] == "app-hash", done.stderr
        assert said["height"] is None and said["chain_id"] is None and said["app_hash"] == "0x" + app_hash.lower().removeprefix("0x")
        assert "is not proven" in verify(world, path, "--app-hash", app_hash).stdout


def test_nothing_is_proven_too(world):
    path = world.statement("empty.json", month="2001-02")
    head, rows = rows_of(path, "json")
    assert rows == [] and head["count"] == 0 and head["state"]["value"] == "0x"
    assert verify(world, path).returncode == 0


def test_under_a_light_block(world):
    path = world.statement("light.json")
    height = rows_of(path, "json")[0]["height"]
    block, validators = world.light_block(height + 1)
    file = world.folder / "block.pb"
    file.write_bytes(block)
    done = verify(world, path, "--light-block", file, "--validators", validators)
    assert done.returncode == 0, done.stderr
    assert "signed by the validators given" in done.stdout and "no: the month goes on" in done.stdout
    said = json.loads(verify(world, path, "--light-block", file, "--validators", validators, "--json").stdout)
    assert (said["anchor"], said["height"], said["chain_id"]) == ("validators", height, rows_of(path, "json")[0]["chain_id"])
    claimed = verify(world, path, "--light-block", file, "--json")
    said = json.loads(claimed.stdout)
    assert claimed.returncode == CLAIMED and said["anchor"] == "claimed" and not said["ok"]
    other = validators[:-1] + ("0" if validators[-1] != "0" else "1")
    assert verify(world, path, "--light-block", file, "--validators", other).returncode == NO
    file.write_bytes(world.light_block(height)[0])
    assert "has height" in verify(world, path, "--light-block", file, "--validators", validators).stderr
    # A signature of the commit, the app hash of the header.
    for at in (block.index(bytes.fromhex(world.app_hash(height))), len(block) // 2):
        file.write_bytes(block[:at] + bytes([block[at] ^ 1]) + block[at + 1:])
        assert verify(world, path, "--light-block", file, "--validators", validators).returncode == NO


# ---- files that lie ----


def lies(path, change) -> str:
    text = path.read_text()
    changed = change(text)
    assert changed != text
    path.write_text(changed)
    return changed


def swap(text: str) -> str:
    rows = text.split("\n")
    rows[5], rows[6] = rows[6], rows[5]
    return "\n".join(rows)


def without(index: int):
    return lambda text: "\n".join(row for i, row in enumerate(text.split("\n")) if i != index)


def twice(text: str) -> str:
    rows = text.split("\n")
    return "\n".join(rows[:5] + rows[4:])


def edit_head(change):
    def edit(text: str) -> str:
        first, rest = text.split("\n", 1)
        head = json.loads(first)
        change(head["statement"])
        return json.dumps(head, separators=(",", ":")) + "\n" + rest
    return edit


LIES = {
    "a line left out": without(7),
    "the first": without(1),
    "the last": without(172),
    "two exchanged": swap,
    "one twice": twice,
    "an amount": lambda t: t.replace('"amount":"202"', '"amount":"201"', 1),
    "a quantity": lambda t: t.replace('"quantity":"101"', '"quantity":"100"', 1),
    "a consumer": lambda t: t.replace(f'"consumer":"{hx(CONSUMER.address)}"', f'"consumer":"{hx(ARBITER.address)}"', 1),
    "a byte of a line": lambda t: t.replace('"line":"0x01', '"line":"0x02', 1),
    "white space": lambda t: t.replace('"kind":', '"kind": ', 1),
    "upper case": lambda t: t.replace('"line":"0x01', '"line":"0X01', 1),
    "something at the end": lambda t: t + "\n",
    "cut": lambda t: t[:-1],
    "the sum": edit_head(lambda h: h.update(charged="1")),
    "the total": edit_head(lambda h: h.update(total=h["charged"])),
    "the root": edit_head(lambda h: h.update(root="0x" + "00" * 32)),
    "the count": edit_head(lambda h: h.update(count=171)),
    "the party": edit_head(lambda h: h.update(party=hx(ARBITER.address))),
    "the role": edit_head(lambda h: h.update(role="consumer")),
    "the month": edit_head(lambda h: h.update(period="2001-01")),
    "the proof": edit_head(lambda h: h["state"].update(proof=h["state"]["proof"][:-2] + "00")),
    "another's proof": edit_head(lambda h: h["state"].update(proof=h["chain"]["proof"])),
    "no value": edit_head(lambda h: h["state"].update(value="0x")),
    "another chain's tag": edit_head(lambda h: h["chain"].update(value="0x" + "11" * 32)),
    "pruned lines that are not": edit_head(lambda h: h.update(pruned_state=h["state"], pruned=h["count"])),
    "no head": lambda t: t.split("\n", 1)[1],
}


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies(world, lie):
    path = world.statement(f"lie-{list(LIES).index(lie)}.jsonl", fmt="jsonl")
    height = rows_of(path, "jsonl")[0]["height"]
    lies(path, LIES[lie])
    done = verify(world, path, height=height)
    assert done.returncode == NO, (done.stdout, done.stderr)
    assert done.stderr.startswith("caisson ledger verify: ")


@pytest.mark.parametrize("change", [
    lambda t: t.replace(",lines", ",columns").replace("index,kind", "kind,index", 1),
    lambda t: t.replace(",charge,", ",credit,", 1),
    without(5),
    lambda t: t[:-1],
])
def test_a_table_that_lies(world, change):
    path = world.statement(f"table-{abs(id(change))}.csv", fmt="csv")
    height = rows_of(path, "csv")[0]["height"]
    lies(path, change)
    assert verify(world, path, height=height).returncode == NO


@pytest.mark.parametrize("change", [
    lambda t: t.replace("},\n", "}\n", 1),
    lambda t: t.replace("}\n]}", "},\n]}"),
    lambda t: t.replace("\n]}\n", "\n"),
    lambda t: t + "{}\n",
])
def test_a_document_that_lies(world, change):
    path = world.statement(f"document-{abs(id(change))}.json")
    height = rows_of(path, "json")[0]["height"]
    lies(path, change)
    assert verify(world, path, height=height).returncode == NO


def test_another_app_hash(world):
    path = world.statement("other.json")
    height = rows_of(path, "json")[0]["height"]
    assert verify(world, path, "--app-hash", "00" * 32).returncode == NO
    assert verify(world, path, "--app-hash", world.app_hash(2)).returncode == NO
    assert verify(world, path, "--app-hash", "00").returncode == BAD_USE
    assert caisson("verify", path).returncode == BAD_USE
    assert verify(world, path, "--app-hash", world.app_hash(height), "--validators", "00" * 32).returncode == BAD_USE


# ---- pruned lines ----


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    """A ledger that keeps lines for four seconds: three of five are pruned, by somebody."""
    folder = tmp_path_factory.mktemp("pruned")
    with uw.begin(folder, age_max_s=4, window_s=1, retention_s=4) as net:
        net.wait_height(2)
        made = World(folder, net.nodes[0])
        made.register_enclave()
        made.record([made.make(quantity=q) for q in (10, 20, 30)])
        begun = made.block_time()
        wait_for(lambda: made.block_time() >= begun + 5, uw.DEADLINE_S, "lines that are old")
        made.record([made.make(quantity=40)])
        made.good(uw.ALICE, USAGE, calldata("prune(address,uint8,uint32,uint64)", PROVIDER.address, 1, int(made.month.replace("-", "")), 3))
        height = made.bank.info()[0]
        wait_for(lambda: made.node.height() > height + 1, uw.DEADLINE_S, PREDICATE)
        yield made


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_statement_says_what_is_pruned(pruned, fmt):
    path = pruned.statement(f"pruned.{fmt}", fmt=fmt)
    head, rows = rows_of(path, fmt)
    done = verify(pruned, path)
    assert done.returncode == 0, done.stderr
    assert "1 here, 3 pruned: complete" in done.stdout and "200 in total" in done.stdout
    assert [int(row["index"]) for row in rows] == [3] and (head["count"], head["pruned"]) == (4, 3)
    # The consumer's has all lines.
    other = pruned.statement(f"whole.{fmt}", "consumer", fmt=fmt)
    assert "4 here, 0 pruned" in verify(pruned, other).stdout


@pytest.mark.parametrize("change", [
    edit_head(lambda h: h.pop("pruned_state")),
    edit_head(lambda h: h.update(pruned=2)),
    edit_head(lambda h: h["pruned_state"].update(value="0x")),
    edit_head(lambda h: h["pruned_state"].update(key=h["state"]["key"])),
    without(1),
], ids=["not said", "fewer", "nothing", "another key", "the line that is left"])
def test_a_file_that_lies_about_what_is_pruned(pruned, change):
    path = pruned.statement(f"less-{abs(id(change))}.jsonl", fmt="jsonl")
    height = rows_of(path, "jsonl")[0]["height"]
    lies(path, change)
    assert verify(pruned, path, height=height).returncode == NO


# ---- arguments, questions, proofs ----


@pytest.mark.parametrize("args", [
    ["--party", "0x00", "--role", "provider", "--period", "2026-11"],
    ["--party", "0x" + "00" * 20, "--role", "both", "--period", "2026-11"],
    ["--party", "0x" + "00" * 20, "--role", "provider", "--period", "2026-13"],
    ["--party", "0x" + "00" * 20, "--role", "provider", "--period", "2026-11", "--format", "xml"],
    ["--party", "0x" + "00" * 20, "--role", "provider"],
])
def test_arguments_that_are_refused(world, args):
    assert caisson("statement", *args, "--url", world.url).returncode == BAD_USE


def test_a_file_is_never_written_over(world):
    path = world.statement("once.json")
    text = path.read_text()
    world.statement("once.json", code=BAD_USE)
    assert path.read_text() == text


def test_views(world):
    period = int(world.month.replace("-", ""))
    done = caisson("query", "usage.statementOf", hx(PROVIDER.address), 1, period, "--url", world.url)
    words = done.stdout.split()
    assert done.returncode == 0 and int(words[0], 16) == 172 and int(words[3], 16) == 50, done.stderr
    done = caisson("query", "usage.metricOf", "cpu-hours", "--url", world.url, "--json")
    assert json.loads(done.stdout)["value"][2:].endswith(b"h".ljust(32, b"\0").hex())
    done = caisson("query", "/account", hx(PROVIDER.address), "--url", world.url)
    assert int(done.stdout.strip()[2:18], 16) == world.bank.sequence(PROVIDER.address)
    for refused, said in ((("usage.recordOf", "0x" + "00" * 32, 1), "a call reverted: "), (("/nothing",), "no such path"),
                          (("usage.terms", "--height", 10**9), "that height")):
        done = caisson("query", *refused, "--url", world.url)
        assert done.returncode == 3 and done.stdout == "" and said in done.stderr, done
        assert json.loads(caisson("query", *refused, "--url", world.url, "--json").stdout)["exit"] == 3
    for bad in (["usage.nothing"], ["nothing.terms"], ["usage.metricOf"], ["usage.terms", "1"], ["usage.metricOf", "x" * 33], ["usage"],
                ["/account", "0x0"]):
        assert caisson("query", *bad, "--url", world.url).returncode == BAD_USE, bad


def test_proofs_of_keys(world):
    for key, there in ((b"\0chain", True), (b"\0nothing", False)):
        path = world.folder / f"proof-{there}.json"
        done = caisson("proof", hx(key), "--url", world.url)
        assert done.returncode == 0, done.stderr
        path.write_text(done.stdout)
        said = json.loads(done.stdout)
        assert said["exists"] is there and (said["state"]["value"] == hx(world.bank.chain)) is there
        assert caisson("verify", path, "--app-hash", world.app_hash(said["height"])).returncode == 0
        assert caisson("verify", path, "--app-hash", "11" * 32).returncode == NO
        said["state"]["value"] = "0x" + "22" * 32
        path.write_text(json.dumps(said))
        assert caisson("verify", path, "--app-hash", world.app_hash(said["height"])).returncode == NO
    path.write_text("{}")
    assert caisson("verify", path, "--app-hash", "11" * 32).returncode == NO
    assert caisson("proof", "0x", "--url", world.url).returncode == BAD_USE


def test_a_replay_and_a_record_of_another_ledger_revert(world):
    again = world.send(uw.ALICE, USAGE, usage.calldata([world.records[0]]))
    other = world.make()
    other.sign(uw.ENCLAVE, bytes(32))
    foreign = world.send(uw.ALICE, USAGE, usage.calldata([other]))
    assert again["code"] == foreign["code"] == 32


def test_vectors_are_those_of_the_generator():
    subprocess.run([sys.executable, ROOT / "tools" / "usage_vectors.py", "--check"], check=True)
