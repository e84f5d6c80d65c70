"""Messages of a chain whose final blocks are named by providers: three TLS servers in front of its node, asked by the enclave through
the proxy that `caisson up` runs. The other chain is finalized as ever, and its enclave asks nobody."""
from __future__ import annotations

import hashlib
import os
import signal

import pytest

from lib import abi, chains, manifests, pki, provider
from lib.rpc import wait_for
from lib.service import toml
from lib.world import END_TIMEOUT_S, World

HOSTS = ["one.example.test", "two.example.org", "three.example.net"]
DOWN = b"HTTP/1.1 503 T\r\nContent-Length: 0\r\n\r\n"


class QuorumWorld(World):
    """The first chain is of the mode rpc_quorum."""

    def start_chains(self) -> None:
        # What anvil calls final is two epochs old: of one block each.
        self.chains = [chains.Anvil(self.folder / f"chain{n}", 31336 + n, self.block_time, extra=["--slots-in-an-epoch", "1"])
                       for n in (1, 2)]
        self.ca = pki.authority("private root")
        self.store = self.folder / "store.pem"
        self.store.write_text(self.ca.pem + "\n")
        self.providers = [provider.Provider(self.folder / "servers", pki.issue("leaf", self.ca, names=[host]), self.chains[0].url)
                          for host in HOSTS]

    def _manifest_row(self, side) -> dict:
        row = super()._manifest_row(side)
        if side is self.sides[0]:
            urls = [{"url": f"https://{host}:{p.port}/"} for host, p in zip(HOSTS, self.providers)]
            row["finality"] |= {"mode": "rpc_quorum", "confirmations": 0, "reorg_margin_s": 0,
                                "rpc": {"age_max_s": 600, "quorum": 2, "tag": "finalized", "providers": urls}}
        return row

    def write_manifest(self) -> None:
        trust = {"address_literals": False, "logs": "0x" + "00" * 32, "private_networks": True,
                 "private_cas": ["0x" + hashlib.sha256(self.ca.der).hexdigest()],
                 "trust_store": "0x" + hashlib.sha256(self.store.read_bytes()).hexdigest()}
        self.manifest_hash = manifests.write(self.manifest, [self._manifest_row(s) for s in self.sides], [self.measurement()],
                                             "a chain with providers", rpc=trust)

    def write_gateways(self) -> None:
        super().write_gateways()
        config = self.gateways[0].config
        egress = f"[egress]\nnetworks = [\"127.0.0.0/8\"]\nnames = {toml([f'{host}=127.0.0.1' for host in HOSTS])}\n\n[relay]\n"
        config.write_text(config.read_text().replace("[enclave]\n", f"[enclave]\ntrust_store = {toml(str(self.store))}\n")
                          .replace("[relay]\n", egress))

    def stop(self) -> None:
        super().stop()
        for one in getattr(self, "providers", []):
            one.close()

    def chain(self) -> dict:
        return self.gateways[0].get("/v1/chains")["chains"][0]

    def answers(self) -> list[str]:
        return [p["answer"] for p in self.chain()["providers"]]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with QuorumWorld(tmp_path_factory.mktemp("quorum"), block_time=0.5) as made:
        yield made


def spoil(world, *which: int, how=lambda answer: DOWN) -> None:
    for i, one in enumerate(world.providers):
        one.spoil = how if i in which else None


def test_a_message_crosses_and_comes_back(world):
    out, back = world.send(b"to the other chain"), world.send(b"to this chain", source=1)
    world.gateways[0].ends(out)
    world.gateways[1].ends(back)
    chain = world.chain()
    assert chain["finality"] == "rpc_quorum" and not chain["insecure"] and chain["frozen"] is None
    assert [p["answer"] for p in chain["providers"]] == ["ok"] * 3
    assert 0 < chain["final"] <= min(p["height"] for p in chain["providers"]) <= chain["head"]
    other = world.gateways[1].get("/v1/chains")["chains"][0]
    assert other["finality"] == "insecure_dev_head" and other["providers"] is None
    # Nobody but the first chain's enclave has a proxy.
    for gateway, wanted in zip(world.gateways, (True, False)):
        pid = gateway.pids()["caisson-enclave"]
        argv = open(f"/proc/{pid}/cmdline").read().split("\0")
        assert ("--egress-fd" in argv) == wanted, argv


def test_with_one_down_and_not_with_two(world):
    spoil(world, 2)
    wait_for(lambda: world.answers() == ["ok", "ok", "http_status"], 30, "the provider that is down", 0.2)
    status, metrics = world.gateways[0].request("GET", "/metrics")
    assert status == 200 and f'caisson_chain_providers_voting{{chain="{world.sides[0].chain.caip2}"}} 2' in metrics
    world.gateways[0].shows_all("caisson_chain_providers_voting")
    assert "providers_voting" not in world.gateways[1].request("GET", "/metrics")[1]
    world.gateways[0].ends(world.send(b"two are enough"))
    spoil(world, 1, 2)
    wait_for(lambda: world.answers() == ["ok", "http_status", "http_status"], 30, "two that are down", 0.2)
    message_id = world.send(b"one is not")
    final = world.chain()["final"]
    height = world.sides[0].chain.rpc.block_number() + 8
    wait_for(lambda: world.sides[0].chain.rpc.block_number() >= height, 60, "eight more blocks", 0.2)
    assert world.chain()["final"] == final
    assert world.gateways[0].message(message_id)["state"] == "observed"
    spoil(world)
    world.gateways[0].ends(message_id)


def test_the_enclave_is_killed(world):
    pid = world.gateways[0].pids()["caisson-enclave"]
    os.kill(pid, signal.SIGKILL)
    message_id = world.send(b"after a kill")
    world.gateways[0].ends(message_id)
    assert world.gateways[0].pids()["caisson-enclave"] != pid and world.answers() == ["ok"] * 3


def test_a_quorum_that_contradicts_itself_freezes_the_chain(world):
    """The last of this world: two providers name another block of a height that is final."""
    height = world.chain()["final"]
    lie = {"number": hex(height), "hash": "0x" + "ab" * 32}
    spoil(world, 0, 1, how=lambda answer: answer | {"result": answer["result"] | lie})
    wait_for(lambda: world.chain()["frozen"], END_TIMEOUT_S, "the freeze", 0.2)
    conflict = world.gateways[0].get(f"/v1/chains/{world.sides[0].chain.caip2}/conflict")
    assert conflict["height"] == height and conflict["second_hash"] == lie["hash"] and conflict["first_hash"] != lie["hash"]
    spoil(world)
    message_id = world.send(b"into the ice")
    tip = world.sides[0].chain.rpc.block_number() + 8
    wait_for(lambda: world.sides[0].chain.rpc.block_number() >= tip, 60, "eight more blocks", 0.2)
    assert world.gateways[0].message(message_id)["state"] in ("observed", "final") and world.chain()["frozen"]
    assert abi.to_bytes(conflict["first_hash"]) == abi.to_bytes(world.sides[0].chain.rpc.block(height)["hash"])
