"""An oracle whose contracts are on a chain that providers name the final blocks of: requests answered by callback, rounds of feeds,
and what becomes of both while too few providers agree."""
from __future__ import annotations

import hashlib
import os
import signal

import pytest

from lib import abi, chains, pki, provider
from lib.deploy import ANSWERED, OPEN
from lib.oracle import Oracle, source, spec
from lib.rpc import wait_for
from lib.tools import find_build
from oracle.feed_world import E8, NAMES, FeedWorld

HOSTS = ["p-one.example.test", "p-two.example.org", "p-three.example.net"]
DOWN = b"HTTP/1.1 503 T\r\nContent-Length: 0\r\n\r\n"
WAIT_S = 60


class QuorumWorld(FeedWorld):
    """Contracts of requests and of feeds, sources on a real nginx, three providers in front of the chain's node."""

    def __init__(self, folder, chain):
        self.ca = pki.authority("a root of providers")
        self.providers_store = folder / "providers.pem"
        self.providers_store.write_text(self.ca.pem + "\n")
        self.providers = [provider.Provider(folder / "providers", pki.issue("leaf", self.ca, names=[host]), chain.url) for host in HOSTS]
        urls = [{"url": f"https://{host}:{one.port}/"} for host, one in zip(HOSTS, self.providers)]
        try:
            super().__init__(
                folder, chain,
                finality={"mode": "rpc_quorum", "confirmations": 0, "reorg_margin_s": 0,
                          "rpc": {"age_max_s": 600, "quorum": 2, "tag": "finalized", "providers": urls}},
                rpc={"address_literals": False, "logs": "0x" + "00" * 32, "private_networks": True,
                     "private_cas": [abi.to_hex(hashlib.sha256(self.ca.der).digest())],
                     "trust_store": abi.to_hex(hashlib.sha256(self.providers_store.read_bytes()).digest())},
                more={"relay": {"retry_min_ms": 200, "retry_max_ms": 2000},
                      "providers": {"trust_store": str(self.providers_store), "networks": ["127.0.0.0/8"],
                                    "names": [f"{host}=127.0.0.1" for host in HOSTS]}})
        except BaseException:
            self.close_providers()
            raise

    def close_providers(self) -> None:
        for one in self.providers:
            one.close()

    def __exit__(self, *what):
        try:
            super().__exit__(*what)
        finally:
            self.close_providers()

    def spoil(self, how: dict) -> None:
        """By provider: what becomes of its answers; the others are honest."""
        for i, one in enumerate(self.providers):
            one.spoil = how.get(i)

    def row(self) -> dict:
        return self.oracle.get("/v1/chains")["chains"][0]

    def answers(self) -> list[str]:
        return [p["answer"] for p in self.row()["providers"]]

    def wait_answers(self, *names: str) -> None:
        wait_for(lambda: self.answers() == list(names), WAIT_S, f"providers that say {names} ({self.oracle.log})", 0.1)

    def request(self, name: str, price) -> dict:
        self.sources.set(NAMES[0], name, {"price": str(price)})
        return self.contracts.ask(spec(source(self.sources.url(NAMES[0], name))))

    def blocks(self, count: int) -> None:
        height = self.chain.rpc.block_number() + count
        wait_for(lambda: self.chain.rpc.block_number() >= height, WAIT_S, f"{count} more blocks", 0.1)


def lie(answer: dict) -> dict:
    return answer | {"result": answer["result"] | {"hash": "0x" + "ab" * 32}}


def down(answer: dict) -> bytes:
    return DOWN


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    # What anvil calls final is two epochs old: of one block each.
    with chains.Anvil(tmp_path_factory.mktemp("chain"), 31337, 0.5, extra=["--slots-in-an-epoch", "1"]) as chain:
        with QuorumWorld(tmp_path_factory.mktemp("quorum"), chain) as made:
            yield made


@pytest.fixture(autouse=True)
def honest(request):
    yield
    if "world" in request.fixturenames:
        request.getfixturevalue("world").spoil({})


def test_a_request_is_answered_and_a_feed_goes_round(world):
    request = world.request("first", "12.5")
    feed = world.feed(100, 101, 99)
    feed.list()
    assert world.contracts.ends(request) == (ANSWERED, 0)
    answer, = world.contracts.answers_of(request)
    assert int.from_bytes(answer["value"], "big") == 1250000000
    feed.wait_value(100 * E8)
    row = world.row()
    assert row["finality"] == "rpc_quorum" and not row["insecure"] and not row["frozen"]
    assert [p["answer"] for p in row["providers"]] == ["ok"] * 3
    assert 0 < row["final"] <= min(p["height"] for p in row["providers"]) <= row["head"]
    assert world.metrics("caisson_chain_providers_voting", chain=world.chain.caip2) == 3
    world.oracle.shows_all("caisson_chain_providers_voting")
    feed.remove()


@pytest.mark.parametrize("how", [lie, down], ids=["lies", "is down"])
def test_with_one_that_lies_or_is_down(world, how):
    world.spoil({1: how})
    if how is down:
        world.wait_answers("ok", "http_status", "ok")
        assert world.metrics("caisson_chain_providers_voting", chain=world.chain.caip2) == 2
    asked = len(world.providers[1].requests)
    request = world.request("one" + how.__name__, "7")
    feed = world.feed(200, 201, 199)
    feed.list()
    assert world.contracts.ends(request) == (ANSWERED, 0)
    feed.wait_value(200 * E8)
    assert len(world.providers[1].requests) > asked
    feed.remove()


def test_one_lies_and_one_is_down(world):
    """Of three that leaves one, and one is no quorum: nothing is answered until another is back. Feeds need no event."""
    world.spoil({1: lie, 2: down})
    world.wait_answers("ok", "ok", "http_status")
    world.blocks(4)  # a round from before is over
    final = world.row()["final"]
    request = world.request("stuck", "9")
    feed = world.feed(300, 301, 299)
    feed.list()
    feed.wait_value(300 * E8)
    world.blocks(8)
    assert world.row()["final"] == final and world.contracts.state_of(request)[0] == OPEN
    known = world.oracle.known_of(request["id"])
    assert known is None or known["state"] in ("observed", "final"), known
    world.spoil({1: lie})
    assert world.contracts.ends(request) == (ANSWERED, 0)
    feed.remove()


def test_the_enclave_is_killed(world):
    pid = world.oracle.pids()["caisson-oracle-enclave"]
    os.kill(pid, signal.SIGKILL)
    request = world.request("killed", "3")
    assert world.contracts.ends(request) == (ANSWERED, 0)
    assert world.oracle.pids()["caisson-oracle-enclave"] != pid
    argv = open(f"/proc/{world.oracle.pids()['caisson-oracle-enclave']}/cmdline").read().split("\0")
    assert "--rpc-egress-fd" in argv and argv[argv.index("--rpc-trust-store") + 1] == str(world.providers_store)


def test_a_configuration_without_their_trust(world, tmp_path):
    one = world.oracle
    broken = Oracle(tmp_path / "broken", find_build(), world.manifest, world.contracts, world.sources.store, [], 0)
    broken.folder.mkdir(exist_ok=True)
    broken.write_files()
    broken.start()
    wait_for(lambda: broken.process.popen.poll() is not None, WAIT_S, "the end of a process that cannot start", 0.1)
    log = broken.log.read_text()
    assert "providers.trust_store" in log and "rpc_quorum" in log
    assert one.healthy()


def test_a_quorum_that_contradicts_itself(world):
    """The last of this world: two providers name another block of a height that is final."""
    height = world.row()["final"]
    other = {"number": hex(height), "hash": "0x" + "ab" * 32}

    def contradict(answer: dict) -> dict:
        return answer | {"result": answer["result"] | other}

    world.spoil({0: contradict, 1: contradict})
    wait_for(lambda: world.row()["frozen"], WAIT_S, f"the freeze ({world.oracle.log})", 0.2)
    world.spoil({})
    request = world.request("ice", "1")
    world.blocks(8)
    assert world.row()["frozen"] and world.contracts.state_of(request)[0] == OPEN
    status, _ = world.oracle.request("GET", "/healthz")
    assert status == 503
