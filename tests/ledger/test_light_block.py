"""`caisson ledger light-block`: a chain whose validators change, and nodes of it that lie."""
from __future__ import annotations

import json

import pytest

from ledger.forged_chain import Chain, Server
from ledger.usage_world import BAD_USE, CLAIMED, NO, caisson

COUNT = 40
UNREACHABLE = 4


@pytest.fixture(scope="module")
def chain():
    return Chain(COUNT)


@pytest.fixture
def node(chain):
    with Server(chain) as server:
        yield server


class Auditor:
    def __init__(self, folder, node):
        self.folder, self.node, self.made = folder, node, 0

    def ask(self, *args, node=None):
        """The command's result and the file."""
        self.made += 1
        path = self.folder / f"block-{self.made}.pb"
        return caisson("light-block", *args, "--out", path, "--url", (node or self.node).url), path

    def trust(self, height):
        done, path = self.ask(height, "--trusted-height", height, "--trusted-hash", self.node.chain.hash(height))
        assert done.returncode == 0, done.stderr
        return path


@pytest.fixture
def auditor(tmp_path, node):
    return Auditor(tmp_path, node)


def test_nothing_is_trusted_that_only_the_block_says(auditor, chain):
    done, path = auditor.ask("--json")
    said = json.loads(done.stdout)
    assert done.returncode == CLAIMED and not said["ok"] and path.exists()
    header = chain.blocks[COUNT]["signed_header"]["header"]
    assert (said["height"], said["hash"], said["signers"], said["of"]) == (COUNT, chain.hash(COUNT).lower(), 4, 4)
    assert (said["app_hash"], said["validators"]) == (header["app_hash"].lower(), header["validators_hash"].lower())
    assert "its own word" in auditor.ask(7)[0].stdout
    assert auditor.ask(7, "--validators", chain.blocks[7]["signed_header"]["header"]["validators_hash"])[0].returncode == 0
    assert auditor.ask(7, "--validators", header["validators_hash"])[0].returncode == NO


def test_it_follows_through_sets_that_change(auditor, node):
    """From the first block to the last, when none of the first validators is left; fewer blocks are asked for than there are."""
    trusted = auditor.trust(1)
    node.asked.clear()
    done, path = auditor.ask("--trusted", trusted, "--json")
    said = json.loads(done.stdout)
    assert done.returncode == 0 and said["ok"], done.stderr
    assert 4 < said["steps"] < COUNT and len(set(node.asked)) == len(node.asked) < COUNT
    # What was written is a light block that can be trusted in its turn: one step, none, and the one that is asked for.
    assert json.loads(auditor.ask(COUNT, "--trusted", path, "--json")[0].stdout)["steps"] == 1
    by_hash, other = auditor.ask(COUNT, "--trusted-height", 38, "--trusted-hash", node.chain.hash(38))
    assert by_hash.returncode == 0 and "follows from block 38" in by_hash.stdout and other.read_bytes() == path.read_bytes()


def test_offline_too(auditor, tmp_path):
    """verify takes the step by itself; it asks nobody for what lies in between."""
    proof = tmp_path / "proof.json"
    proof.write_text(json.dumps({"chain_id": "forged-1", "height": 8, "state": {"key": "0x00", "value": "0x", "proof": "0x"}}))
    first, second, far = (auditor.trust(height) for height in (8, 9, COUNT))
    for args in (["--trusted", second], ["--light-block", second, "--trusted", first], ["--light-block", second, "--trusted", second]):
        assert "does not lead to the app hash" in caisson("verify", proof, *args).stderr
    assert "too many validators changed" in caisson("verify", proof, "--light-block", far, "--trusted", first).stderr
    assert "does not follow" in caisson("verify", proof, "--light-block", first, "--trusted", second).stderr
    assert "has height" in caisson("verify", proof, "--trusted", first).stderr
    late = ["--light-block", second, "--trusted", first, "--trusting-period", 1]
    assert "older than the trusting period" in caisson("verify", proof, *late).stderr


def test_what_is_too_old_or_above_is_no_beginning(auditor):
    trusted = auditor.trust(10)
    for args in ([20, "--trusted", trusted, "--trusting-period", 5], [9, "--trusted", trusted]):
        done, path = auditor.ask(*args)
        assert done.returncode == NO and "does not follow" in done.stderr and not path.exists()


def test_another_hash(auditor, chain):
    done, path = auditor.ask(20, "--trusted-height", 10, "--trusted-hash", chain.hash(11))
    assert done.returncode == NO and "another hash" in done.stderr and not path.exists()


def lie(block: int, change):
    def of(chain: Chain) -> Chain:
        changed = chain.copy()
        change(changed.blocks[block], changed)
        return changed
    return of


def set_header(name: str, value: str):
    return lambda block, _: block["signed_header"]["header"].update({name: value})


def swap_signature(block, _):
    sigs = block["signed_header"]["commit"]["signatures"]
    sigs[0]["signature"], sigs[1]["signature"] = sigs[1]["signature"], sigs[0]["signature"]


def absent(block, _):
    for sig in block["signed_header"]["commit"]["signatures"][:2]:
        sig.update(block_id_flag=1, validator_address="", timestamp="0001-01-01T00:00:00Z", signature=None)


def other_set(block, chain):
    block["validators"] = chain.blocks[4]["validators"]


def earlier(block, chain):
    block.update(chain.blocks[19])


LIES = {
    "an app hash": (lie(20, set_header("app_hash", "00" * 32)), NO, "another header"),
    "a signature": (lie(20, swap_signature), NO, ""),
    "half of the signatures": (lie(20, absent), NO, ""),
    "validators": (lie(20, other_set), NO, ""),
    "one too few": (lie(20, lambda block, _: block["validators"].pop()), NO, ""),
    "another height": (lie(20, earlier), UNREACHABLE, "another height"),
    "no header": (lie(20, lambda block, _: block["signed_header"].pop("header")), UNREACHABLE, "does not read"),
    "no validators": (lie(20, lambda block, _: block["validators"].clear()), UNREACHABLE, "do not read"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_node_that_lies(auditor, chain, name):
    change, code, text = LIES[name]
    trusted = auditor.trust(19)
    with Server(change(chain)) as node:
        done, path = auditor.ask(20, "--trusted", trusted, node=node)
    assert done.returncode in (NO, code) and text in done.stderr and not path.exists(), (done.stdout, done.stderr)


def test_a_block_in_between_that_lies(auditor, chain):
    """The light client asks for the middle; a node that forges it gets nowhere."""
    trusted = auditor.trust(1)
    for height in (20, 21):
        with Server(lie(height, swap_signature)(chain)) as node:
            done, path = auditor.ask(COUNT, "--trusted", trusted, node=node)
        assert done.returncode == (NO if height in node.asked else 0) and path.exists() == (height not in node.asked)


def test_another_chain_with_the_same_name(auditor):
    """Whole in itself, by validators of its own; and one with another name by the right ones."""
    trusted = auditor.trust(10)
    with Server(Chain(COUNT, salt="others")) as node:
        for height in (10, 11, 30):
            done, path = auditor.ask(height, "--trusted", trusted, node=node)
            assert done.returncode == NO and not path.exists()
        assert "another header than the trusted one" in auditor.ask(10, "--trusted", trusted, node=node)[0].stderr
    with Server(Chain(COUNT, chain_id="forged-2")) as node:
        done, path = auditor.ask(30, "--trusted", trusted, node=node)
        assert done.returncode == NO and "another chain" in done.stderr and not path.exists()


def test_what_other_chains_put_into_headers(auditor, tmp_path):
    """Application hashes of any size up to 64 bytes, of which only 32 end a proof; an id that a terminal would obey."""
    proof = tmp_path / "proof.json"
    proof.write_text(json.dumps({"chain_id": "forged-1", "height": 2, "state": {"key": "0x00", "value": "0x", "proof": "0x"}}))
    for size in (0, 8, 64):
        with Server(Chain(4, app_hash_size=size)) as node:
            done, path = auditor.ask(3, "--json", node=node)
        assert done.returncode == CLAIMED and len(json.loads(done.stdout)["app_hash"]) == 2 * size
        assert f"app hash has {size} bytes" in caisson("verify", proof, "--trusted", path).stderr
    with Server(Chain(4, chain_id="\x1b[2Jforged")) as node:
        done = auditor.ask(3, node=node)[0]
        assert done.returncode == CLAIMED and "3 of ?[2Jforged," in done.stdout
        assert json.loads(auditor.ask(3, "--json", node=node)[0].stdout)["chain_id"] == "?[2Jforged"


def test_arguments_that_are_refused(auditor, tmp_path, node):
    trusted = auditor.trust(10)
    for args in ([-1], ["x"], [1, 2], ["--trusted-height", 5], ["--trusted-hash", "00" * 32], ["--trusting-period", 0],
                 ["--trusted", trusted, "--trusted-height", 5, "--trusted-hash", "00" * 32], ["--trusted", tmp_path / "none"],
                 ["--trusted-height", 5, "--trusted-hash", "00"], [5, "--validators", "00"]):
        assert auditor.ask(*args)[0].returncode == BAD_USE, args
    assert caisson("light-block", "--url", node.url).returncode == BAD_USE
    assert caisson("light-block", "--url", node.url, "--out", trusted).returncode == BAD_USE
    (tmp_path / "noise").write_bytes(trusted.read_bytes()[:-1])
    assert auditor.ask("--trusted", tmp_path / "noise")[0].returncode == NO
