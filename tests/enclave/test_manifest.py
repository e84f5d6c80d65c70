"""tools/manifest.py: what it makes is what the enclave reads, and what it refuses."""
from __future__ import annotations

import json
import subprocess
import sys

import pytest

from enclave import manifests
from lib import tools

TOOL = tools.ROOT / "tools" / "manifest.py"


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, TOOL, *map(str, arguments)], capture_output=True, text=True)


def ok(*arguments) -> str:
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def draft(folder, keys, **over):
    inner = manifests.body(["0x" + "01" * 32], administrators={"keys": keys, "threshold": len(keys)}, **over)
    path = folder / "draft.json"
    path.write_text(json.dumps(inner, indent=2))
    return path


def test_two_administrators_sign_one_after_the_other(tmp_path):
    keys = [ok("keygen", tmp_path / f"k{i}") for i in range(2)]
    assert (tmp_path / "k0").stat().st_mode & 0o077 == 0
    first, both = tmp_path / "first.json", tmp_path / "both.json"
    digest = ok("sign", draft(tmp_path, keys), "-o", first, "--key", tmp_path / "k0")
    assert run("verify", first).returncode == 1
    assert ok("sign", first, "-o", both, "--key", tmp_path / "k1") == digest == ok("verify", both) == ok("hash", both)


@pytest.mark.parametrize("value, good", [(2**63 - 1, True), (2**63, True), (2**64 - 1, True), (2**64, False), (-1, False), (1e18, False)])
def test_an_amount_is_signed_exactly_or_refused(tmp_path, value, good):
    key = ok("keygen", tmp_path / "k")
    chain = manifests.body(["0x" + "01" * 32])["chains"][0]
    chain["policy"]["total_cap_wei"] = value
    out = tmp_path / "out.json"
    done = run("sign", draft(tmp_path, [key], chains=[chain]), "-o", out, "--key", tmp_path / "k")
    assert (done.returncode == 0) == good == out.exists(), done.stderr
    if good:
        assert json.loads(out.read_text())["manifest"]["chains"][0]["policy"]["total_cap_wei"] == value
    else:
        assert "manifest.chains[0].policy.total_cap_wei" in done.stderr


def test_a_lineage_is_followed(tmp_path):
    key = ok("keygen", tmp_path / "k")
    one, two = tmp_path / "1.json", tmp_path / "2.json"
    first = ok("sign", draft(tmp_path, [key]), "-o", one, "--key", tmp_path / "k")
    second = ok("sign", draft(tmp_path, [key], number=2, previous=first), "-o", two, "--key", tmp_path / "k")
    assert ok("verify", one, two) == second
    assert run("verify", two).returncode == 1
    assert run("verify", two, one).returncode == 1


def test_a_changed_file_is_refused(tmp_path):
    key = ok("keygen", tmp_path / "k")
    path = tmp_path / "m.json"
    ok("sign", draft(tmp_path, [key]), "-o", path, "--key", tmp_path / "k")
    good = path.read_text()
    for bad in (good.replace('"batch_max":64', '"batch_max":63'), good + "\n", good.replace(":", ": ", 1), "{", "[]"):
        path.write_text(bad)
        assert run("verify", path).returncode == 1


def test_a_conflict_is_decided(tmp_path):
    """The draft follows, names the conflict and what was signed from the branch that is not kept, and is a good manifest."""
    key = ok("keygen", tmp_path / "k")
    one, two = tmp_path / "1.json", tmp_path / "2.json"
    first = ok("sign", draft(tmp_path, [key]), "-o", one, "--key", tmp_path / "k")
    row = manifests.chain()
    a, b, anchor = ("0x" + c * 64 for c in "ba9")
    conflict = {"chain": row["caip2"], "identity": ok("identity", row["caip2"], row["genesis"], row["gateway"]), "height": 70,
                "first_hash": a, "second_hash": b, "messages": ["0x" + "33" * 32], "outcomes": ["0x" + "11" * 32], "complete": True}
    kept = conflict | {"first_hash": b, "second_hash": a, "messages": ["0x" + "44" * 32]}
    paths = [tmp_path / "a.json", tmp_path / "b.json"]

    def lift(*conflicts, at=f"30000:{anchor}", keep=b, newest=one):
        for path, told in zip(paths, conflicts):
            path.write_text(json.dumps(told))
        return run("lift", newest, *paths[:len(conflicts)], "-o", tmp_path / "d.json", "--keep", keep, "--anchor", at)

    assert lift(conflict, kept).returncode == 0
    inner = json.loads((tmp_path / "d.json").read_text())
    assert inner["number"] == 2 and inner["previous"] == first
    assert inner["chains"][0]["abandoned"] == {"headers": [b, a], "height": 70, "messages": ["0x" + "11" * 32, "0x" + "33" * 32], "since": 2}
    assert inner["chains"][0]["finality"]["anchor_height"] == 30000 and inner["chains"][0]["finality"]["anchor_hash"] == anchor
    second = ok("sign", tmp_path / "d.json", "-o", two, "--key", tmp_path / "k")
    assert ok("verify", one, two) == second
    for wrong, problem in ((lift(conflict, kept | {"height": 71}), "several conflicts"), (lift(conflict, at=f"69:{anchor}"), "block 70"),
                           (lift(conflict | {"identity": a}), "no chain"), (lift(conflict | {"complete": False}), "did not list"),
                           (lift(conflict | {"messages": [f"0x{i:064x}" for i in range(512)]}), "more than 512")):
        assert wrong.returncode == 1 and problem in wrong.stderr


def test_a_key_file_is_never_overwritten(tmp_path):
    ok("keygen", tmp_path / "k")
    assert run("keygen", tmp_path / "k").returncode == 1


def test_the_vectors_are_what_the_tool_writes():
    done = subprocess.run([sys.executable, tools.ROOT / "tools" / "manifest_vectors.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
