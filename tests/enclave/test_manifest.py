"""tools/manifest.py: what it makes is what the enclave reads, and what it refuses."""
from __future__ import annotations

import json
import subprocess
import sys

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


def test_a_key_file_is_never_overwritten(tmp_path):
    ok("keygen", tmp_path / "k")
    assert run("keygen", tmp_path / "k").returncode == 1


def test_the_vectors_are_what_the_tool_writes():
    done = subprocess.run([sys.executable, tools.ROOT / "tools" / "manifest_vectors.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
