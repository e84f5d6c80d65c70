"""The attested port of an oracle: the key that secrets are sealed to, from the enclave itself."""
from __future__ import annotations

import json
import re
import subprocess

import pytest

from enclave.boundary import Refused, measurement, program
from lib import crypto, tools
from lib.attested import Visitor
from lib.rpc import wait_for
from oracle.rest import Oracle
from oracle_enclave.world import NAME, World

INSECURE = 3


@pytest.fixture(scope="module")
def oracle(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("attested-oracle"))
    made = Oracle(tmp_path_factory.mktemp("oracle"), world)
    with open(made.config, "a", encoding="utf-8") as config:
        config.write('[attested]\naddress = "127.0.0.1:0"\nconnections_per_s = 1000\n')
    with made:
        found = wait_for(lambda: re.search(r"attested\.listens .*port=(\d+)", made.log.read_text()), 30, "the attested port")
        made.number = int(found[1])
        made.enclave()
        yield made
    world.close()


def test_it_is_the_oracles_enclave(oracle, tmp_path):
    (tmp_path / "policy.json").write_text(json.dumps({"version": 1, "insecure_accept_simulated": True, "measurements": [
        {"kind": "simulated", "values": {"measurement": measurement(program(NAME))}}]}))
    done = subprocess.run([tools.find_build() / "bin" / "caisson", "attest", "connect", f"127.0.0.1:{oracle.number}", "--json", "--policy",
                           tmp_path / "policy.json"], capture_output=True, text=True, timeout=120, check=False)
    out = json.loads(done.stdout)
    assert done.returncode == INSECURE, out
    assert out["report"]["role"] == "oracle-enclave" and [c["name"] for c in out["checks"] if c["ok"] is False] == []


def test_what_it_answers(oracle):
    with Visitor(oracle.number) as visitor:
        hello = visitor.call("Hello", nonce=b"\x0e" * 32)
        told = {bytes.fromhex(key["public_key"][2:]) for key in oracle.enclave()["keys"]}
        assert {key["public_key"] for key in hello["keys"]} == told and len(told) == 2
        secrets = crypto.keccak(crypto.keccak(b"caisson/identity/oracle/secrets/v1") + hello["lineage"])
        assert [key for key in hello["keys"] if key["chain"] == secrets]
        assert visitor.call("Status", nonce=b"\x0e" * 32)["nonce"] == b"\x0e" * 32
        for name in ("SignMessages", "SignOutcomes"):
            with pytest.raises(Refused, match="UNSUPPORTED"):
                visitor.call(name)
        for name in ("AnswerApp", "DryRun", "Export"):
            with pytest.raises(Refused, match="UNSUPPORTED|FORBIDDEN"):
                visitor.call(name)
