"""`caisson cluster manifest check`, and tools/manifest.py, which has it read what administrators are about to sign: what enclaves would refuse
is refused before there is a signature."""
from __future__ import annotations

import json
import subprocess
import sys

import pytest

from lib import tools
from lib.cluster import manifest_tool

GOOD = {"kind": "simulated", "label": "build 1", "values": {"measurement": "ab" * 32}}


@pytest.fixture(scope="module")
def caisson():
    return tools.find_build() / "bin" / "caisson"


def draft(administrators: list[str], **changes) -> dict:
    policy = {"insecure_accept_simulated": True, "measurements": [GOOD], "version": 1}
    return {
        "administrators": {"keys": administrators, "threshold": len(administrators)}, "applications": [{"builds": ["build 1"], "name": "index"}],
        "epochs": {"decrypt_s": 3600, "length_s": 0}, "lives": {"key_server_s": 86400, "worker_s": 3600}, "name": "tests", "number": 1,
        "peer_number_min": 1, "policies": {"guard": policy, "key_server": policy, "worker": policy}, "previous": "0x" + "00" * 32,
        "recovery": {"keys": [], "threshold": 0}, "time": ["insecure_host_time"], "version": 1, **changes}


def with_builds(*builds, **members) -> dict:
    """A worker's policy; guards and key servers have the good one."""
    good = draft([])["policies"]
    return {"policies": {**good, "worker": {**good["worker"], "measurements": list(builds), **members}}, "applications": []}


# Each with what the refusal names.
NEVER = {
    "size": (with_builds(GOOD, {"kind": "tdx", "label": "b", "values": {"mr_td": "00"}}),
             "policies.worker: measurements[1] can never match: 'mr_td' has 48 bytes, here are 1"),
    "name": (with_builds({"kind": "sgx", "label": "b", "values": {"mr_td": "00" * 48}}), "evidence of kind sgx says nothing of 'mr_td'"),
    "spelling": (with_builds({"kind": "snp", "label": "b", "values": {"mesurement": "00" * 48}}), "says nothing of 'mesurement'"),
    "number": (with_builds({"kind": "sgx", "label": "b", "values": {"mr_signer": "00" * 32}, "at_least": {"isv_svn": 65536}}),
               "'isv_svn' is never above 65535"),
    "bytes as a number": (with_builds({"kind": "sgx", "label": "b", "values": {"mr_signer": "00" * 32}, "at_least": {"mr_enclave": 1}}),
                          "'mr_enclave' is no number"),
    "kind": (with_builds({**GOOD, "kind": "sev"}), "kind: none of sgx, tdx, snp, tpm, simulated"),
    "nobody": (with_builds(), "policies.worker: no build in measurements"),
    "label": (with_builds(GOOD, GOOD), "its label is there twice"),
    "over": (with_builds({**GOOD, "not_after": "2020-01-01T00:00:00Z"}), "the not_after of every build of a worker has passed"),
    "member": (with_builds(GOOD, mesurements=[]), "mesurements"),
    "application": ({"applications": [{"builds": ["build 2"], "name": "index"}]}, "no label of policies.worker"),
    "lives": ({"lives": {"key_server_s": 3600, "worker_s": 3600}}, "lives"),
    "field": ({"recover": {}}, "recover"),
}


def check(caisson, path, *more, text: str | None = None) -> subprocess.CompletedProcess:
    return subprocess.run([caisson, "cluster", "manifest", "check", str(path), *more], input=text, capture_output=True, text=True, timeout=60,
                          check=False)


@pytest.mark.parametrize("changes, why", NEVER.values(), ids=NEVER)
def test_nobody_signs_it(caisson, tmp_path, changes, why):
    key = manifest_tool("keygen", tmp_path / "key")
    path, out = tmp_path / "draft.json", tmp_path / "out.json"
    path.write_text(json.dumps(draft([key], **changes), indent=1))
    with pytest.raises(RuntimeError, match="nothing is signed") as problem:
        manifest_tool("sign", path, "-o", out, "--key", tmp_path / "key", caisson=caisson)
    assert why in str(problem.value) and not out.exists()
    done = check(caisson, path)
    assert done.returncode == 2 and why in done.stderr and not done.stdout


def test_a_good_one(caisson, tmp_path):
    """A draft as it was written, the file that each of two administrators makes of it: one hash, the tool's own."""
    keys = [manifest_tool("keygen", tmp_path / f"key{i}") for i in range(2)]
    path, first, both = (tmp_path / name for name in ("draft.json", "first.json", "both.json"))
    path.write_text(json.dumps(draft(keys), indent=4))
    digest = manifest_tool("sign", path, "-o", first, "--key", tmp_path / "key0", caisson=caisson)
    assert manifest_tool("sign", first, "-o", both, "--key", tmp_path / "key1", caisson=caisson) == digest
    assert manifest_tool("verify", both) == digest
    for file in (path, first, both):
        done = check(caisson, file)
        assert done.returncode == 0 and f'manifest 1 of "tests", hash {digest}; INSECURE' in done.stdout, done
        assert json.loads(check(caisson, file, "--json").stdout) == {"hash": digest, "insecure": True, "name": "tests", "number": 1}
        assert check(caisson, "-", text=file.read_text()).returncode == 0


def test_a_tool_that_nobody_checks_for(tmp_path):
    """The rules are not written twice: where caisson is missing nothing is signed. Manifests of gateways are not its business."""
    key = manifest_tool("keygen", tmp_path / "key")
    path, out = tmp_path / "draft.json", tmp_path / "out.json"
    path.write_text(json.dumps(draft([key])))
    with pytest.raises(RuntimeError, match="--caisson PROGRAM"):
        manifest_tool("sign", path, "-o", out, "--key", tmp_path / "key", caisson=tmp_path / "nothing")
    assert not out.exists()
    done = subprocess.run([sys.executable, tools.ROOT / "tools" / "manifest.py", "--caisson", tmp_path / "nothing", "sign", path, "-o", out, "--key",
                           tmp_path / "key"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and out.exists(), done.stderr


@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: raw + " ", lambda raw: raw.replace('"number":1', '"number": 1'),
                                    lambda raw: raw.replace('"number":1', '"number":1,"number":1'), lambda raw: "[]", lambda raw: "",
                                    lambda raw: raw.replace('"signatures"', '"signature"'), lambda raw: raw + "x" * 300000],
                         ids=["cut", "blank behind", "blank", "twice", "list", "empty", "member", "large"])
def test_what_is_no_file(caisson, tmp_path, change):
    """A file with `manifest` in it is taken as it is: what is signed are its bytes."""
    key = manifest_tool("keygen", tmp_path / "key")
    path, out = tmp_path / "draft.json", tmp_path / "out.json"
    path.write_text(json.dumps(draft([key])))
    manifest_tool("sign", path, "-o", out, "--key", tmp_path / "key", caisson=caisson)
    raw = out.read_text()
    assert check(caisson, "-", text=raw).returncode == 0
    done = check(caisson, "-", text=change(raw))
    assert done.returncode == 2 and done.stderr and not done.stdout, done


def test_usage(caisson, tmp_path):
    for words in ([], ["a", "b"], [tmp_path / "nothing"]):
        done = subprocess.run([caisson, "cluster", "manifest", "check", *words], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2 and done.stderr
