"""The command line and the contracts: an answer that a contract got is verified offline by the key that it has registered; feeds."""
from __future__ import annotations

import json

import pytest

import oracle_vectors as ov
from lib import abi, naming, oracle
from lib.oracle import ANSWERED, source, spec
from lib.rpc import wait_for
from oracle.feed_world import E8, NAMES, QUICK, WAIT_S, FeedWorld

OK, FAILED, USAGE, REFUSED, UNREACHABLE, TIMEOUT, NO, CLAIMED = range(8)
CALLBACK_GAS, ZERO_ADDRESS = 200_000, "0x" + "00" * 20
SECRETS_INVALID = 3


@pytest.fixture(scope="module")
def world(tmp_path_factory, anvil):
    with FeedWorld(tmp_path_factory.mktemp("cli"), anvil) as made:
        made.sources.set(NAMES[0], "price", {"price": "1.25"})
        yield made


@pytest.fixture
def cli(world):
    return world.oracle.caisson


@pytest.fixture
def text(world):
    return spec(source(world.sources.url(NAMES[0], "price")))


@pytest.fixture
def path(text, tmp_path):
    made = tmp_path / "spec.json"
    made.write_text(json.dumps(json.loads(text), indent=2))
    return str(made)


def registered(world) -> str:
    """The key of the first epoch, as the contract has it."""
    return abi.to_hex(world.contracts.requests.read("keyOf", world.identity, 1)[0]["x"])


def ask(world, function: str, spec_: bytes, secrets: bytes = b"") -> dict:
    """By an account, without a callback."""
    contract = world.contracts.requests
    fee = contract.read("quote", (len(spec_) if function == "request" else 0) + len(secrets), 0)
    deadline = world.chain.rpc.time() + 300
    return world.contracts.asked(contract.write(world.contracts.user, function, spec_, [], secrets, ZERO_ADDRESS, 0, 300, deadline,
                                                value=fee, gas=2_000_000))


def test_what_a_contract_got_is_verified_offline(world, cli, text, path, tmp_path):
    asked = world.contracts.ask(text, callback_gas=CALLBACK_GAS)
    name, out = abi.to_hex(asked["id"]), str(tmp_path / "answer.json")
    assert world.contracts.ends(asked) == (ANSWERED, 0)
    key = registered(world)
    got = cli("oracle", "get", name, "--out", out, "--key", key)
    assert got.returncode == OK, got.stderr
    document = json.loads(open(out).read())
    assert document["id"] == name and "audience" not in document
    assert document["contract"] == {"chain": world.chain.caip2, "genesis": world.chain.genesis_hash,
                                    "address": world.contracts.requests.address.lower()}
    assert document["value"] == "1.25000000" and world.contracts.consumer.read("price") == 125_000_000
    known = ["--key", key, "--spec", path, "--manifest", str(world.manifest), "--lineage", world.manifest_hash]
    told = cli("verify", out, *known, "--json")
    assert told.returncode == OK, told.stdout
    assert json.loads(told.stdout)["in_manifest"] is True
    assert cli("verify", out, *known, "--audience", "").returncode == NO
    # The same answer, said to be another contract's.
    document["contract"]["address"] = world.contracts.feeds.address.lower()
    open(out, "w").write(json.dumps(document))
    assert cli("verify", out, *known).returncode == NO
    listed = json.loads(cli("oracle", "requests", "--kind", "chain", "--json").stdout)["requests"]
    assert name in [row["id"] for row in listed]


def test_status(world, cli):
    told = cli("oracle", "status").stdout
    assert world.chain.caip2 in told and world.oracle.operator.lower() in told
    assert world.contracts.requests.address.lower() in told and world.contracts.feeds.address.lower() in told


def test_a_spec_by_its_hash_is_answered_once_it_is_published(world, cli, text, tmp_path):
    fresh = spec(source(world.sources.url(NAMES[0], "price")), result={"decimals": 4, "type": "int256"})
    path = tmp_path / "fresh.json"
    path.write_bytes(fresh)
    asked = ask(world, "requestByHash", ov.spec_hash(fresh))
    name = abi.to_hex(asked["id"])
    wait_for(lambda: (r := world.oracle.request_of(name)) and r.get("state") == "open", WAIT_S, "the request, without its spec", 0.1)
    shown = cli("oracle", "get", name)
    assert shown.returncode == OK and "open" in shown.stdout
    assert cli("oracle", "publish", str(path)).stdout.strip() == abi.to_hex(ov.spec_hash(fresh))
    assert world.contracts.ends(asked) == (ANSWERED, 0)


def test_secrets_of_a_contract_s_request(world, cli, tmp_path):
    """Sealed for the account that asks; another account's request with the same box is refused by the enclave."""
    text = spec(source(world.sources.url(NAMES[0], "price"), headers=[["accept", "application/json"], ["x-key", "{secret:k}"]]))
    path, secret = tmp_path / "s.json", tmp_path / "k"
    path.write_bytes(text)
    secret.touch(0o600)
    secret.write_text("value of a secret\n")
    key = json.loads(cli("oracle", "key", "--json").stdout)["secrets"]["public_key"]
    codes = []
    for asker in (world.contracts.user, world.contracts.owner):
        done = cli("oracle", "seal", str(path), "--asker", asker, "--secret", f"k=@{secret}", "--secrets-key", key)
        assert done.returncode == OK, done.stderr
        asked = ask(world, "request", text, abi.to_bytes(done.stdout.strip()))
        codes.append(world.contracts.ends(asked)[1])
    assert codes == [0, SECRETS_INVALID]


def test_feeds(world, cli, tmp_path):
    feed = world.feed(100, 101, 5)
    path, contract = tmp_path / "feed.json", world.contract.address.lower()
    path.write_bytes(feed.spec)
    settings = [word for name, value in QUICK.items() for word in ("--set", f"{name}={value}")]
    assert cli("oracle", "feeds", "add", contract, str(feed.index), str(path), "--set", "poll_ms").returncode == USAGE
    assert cli("oracle", "feeds", "add", contract, str(feed.index), str(path), "--set", "nonsense=1").returncode == REFUSED
    other = tmp_path / "other.json"
    other.write_bytes(spec(source("https://elsewhere.example.test/"), aggregate={"k": 1, "kind": "median"}))
    assert cli("oracle", "feeds", "add", contract, str(feed.index), str(other)).returncode == REFUSED
    added = cli("oracle", "feeds", "add", contract, str(feed.index), str(path), "--chain", world.chain.caip2, *settings, "--json")
    assert added.returncode == OK, added.stderr
    assert json.loads(added.stdout)["settings"]["poll_ms"] == QUICK["poll_ms"]
    assert cli("oracle", "feeds", "add", contract, str(feed.index), str(path)).returncode == REFUSED  # it is listed
    try:
        feed.wait_value(100 * E8)
        feed.wait(lambda f: any(r["outcome"] == "included" for r in f["rounds"]), "an included round")
        people = cli("oracle", "feeds").stdout
        assert "100.00000000" in people and "active" in people and f"{NAMES[2]}" in people and contract in people
        rounds = cli("oracle", "feeds", "show", contract, str(feed.index)).stdout
        assert "included" in rounds and "heartbeat" in rounds and "5.00000000" in rounds
        assert cli("oracle", "feeds", "pause", contract, str(feed.index)).returncode == OK
        assert "paused" in cli("oracle", "feeds").stdout
        resumed = cli("oracle", "feeds", "resume", contract, str(feed.index), "--json")
        assert json.loads(resumed.stdout)["state"] == "active"
    finally:
        removed = cli("oracle", "feeds", "remove", contract, str(feed.index))
    assert removed.returncode == OK
    assert cli("oracle", "feeds", "show", contract, str(feed.index)).returncode == REFUSED


def changed(path, out, **members) -> str:
    """A copy of the document with other members; of `contract` and `statement` only what is named."""
    document = json.loads(path.read_text())
    for name, value in members.items():
        document[name] = {**document[name], **value} if isinstance(value, dict) else value
    out.write_text(json.dumps(document))
    return str(out)


def test_a_round_of_a_feed_is_verified_offline(world, cli, tmp_path):
    """As it was signed, of a batch of two; a key, spec, feed or value of another is refused."""
    feeds = [world.feed(300 + i) for i in range(2)]
    feed, contract, out = feeds[0], world.contract.address.lower(), tmp_path / "round.json"
    path, other, fake = tmp_path / "feed.json", tmp_path / "other.json", tmp_path / "fake.json"
    path.write_bytes(feed.spec)
    other.write_bytes(feeds[1].spec)
    assert cli("oracle", "feeds", "round", contract, str(feed.index)).returncode == REFUSED  # not listed
    for one in feeds:
        one.list()
    try:
        feed.wait_value(300 * E8)
        shown = feed.wait(lambda f: any(r["outcome"] == "included" for r in f["rounds"]), "an included round")
        n = next(r["n"] for r in shown["rounds"] if r["outcome"] == "included")
        foreign = next(r["n"] for r in feeds[1].show()["rounds"])
        # The contract's own word for the key, as anybody reads it.
        key = abi.to_hex(world.contract.read("keyOf", world.identity, 1)[0]["x"])
        got = cli("oracle", "feeds", "round", contract, str(feed.index), str(n), "--key", key, "--out", str(out))
        assert got.returncode == OK, got.stderr
        assert "300.00000000" in got.stdout and f"index {feed.index}" in got.stdout
        document = json.loads(out.read_text())
        assert (document["kind"], document["id"]) == ("oracle-round", shown["id"])
        assert document["value"] == "300.00000000" and len(document["evidence"]) == 3
        known = ["--key", key, "--spec", str(path), "--feed", shown["id"], "--lineage", world.manifest_hash,
                 "--manifest", str(world.manifest)]
        told = cli("verify", str(out), *known, "--json")
        assert told.returncode == OK, told.stdout
        assert json.loads(told.stdout)["in_manifest"] is True and json.loads(told.stdout)["kind"] == "oracle-round"
        assert cli("verify", str(out)).returncode == CLAIMED
        newest = cli("oracle", "feeds", "round", contract, str(feed.index), "--json")
        assert json.loads(newest.stdout)["id"] == shown["id"]
        refused = {
            "another key": ["--key", "0x" + "11" * 32],
            "the secrets' key": ["--key", json.loads(cli("oracle", "key", "--json").stdout)["secrets"]["public_key"]],
            "another spec": ["--key", key, "--spec", str(other)],
            "another feed": ["--key", key, "--feed", feeds[1].show()["id"]],
            "an app's answer": ["--key", key, "--audience", ""],
            "another lineage": ["--key", key, "--lineage", "0x" + "22" * 32],
        }
        for what, options in refused.items():
            assert cli("verify", str(out), *options).returncode == NO, what
        changes = {
            "a value": {"value": "301.00000000"},
            "a value, in both": {"value": "301.00000000", "value_abi": f"0x{301 * E8:064x}"},
            "a time": {"observed_at": document["observed_at"] + 1},
            "an index": {"contract": {"index": feeds[1].index}},
            "a source that answered": {"evidence": [{**row, "code": 17, "code_name": "timeout"} for row in document["evidence"]]},
            "a bridge's statement": {"statement": {"kind": 1}},
            "a bridge's identity": {"statement": {"signer": "0x" + "33" * 32}},
            "an answer": {"kind": "oracle-answer"},
        }
        for what, members in changes.items():
            assert cli("verify", changed(out, fake, **members), *known[:2]).returncode == NO, what
        # The service's own refusals.
        for wrong in (str(foreign), str(n + 10**6)):
            assert cli("oracle", "feeds", "round", contract, str(feed.index), wrong).returncode == REFUSED, wrong
        assert cli("oracle", "feeds", "round", contract, str(feed.index), "x").returncode == USAGE
        assert world.oracle.request("GET", f"{feed.path}/rounds/1x")[0] == 400
        assert world.oracle.request("GET", f"{feed.path}x/rounds/{n}")[0] == 400
    finally:
        for one in feeds:
            one.remove()
    # The document outlives the feed.
    assert cli("verify", str(out), *known).returncode == OK


def test_a_round_that_failed_is_signed_as_well(world, cli, tmp_path):
    feed, out = world.feed(1, 2, 900, spread_ppm=10), tmp_path / "failed.json"
    feed.list()
    try:
        failed = feed.wait(lambda f: f["rounds"] and f["rounds"][0]["outcome"] == "failed", "a round without a value")["rounds"][0]
        key = abi.to_hex(world.contract.read("keyOf", world.identity, 1)[0]["x"])
        got = cli("oracle", "feeds", "round", world.contract.address.lower(), str(feed.index), str(failed["n"]),
                  "--key", key, "--out", str(out))
        assert got.returncode == NO and "disagreement" in got.stdout, got.stderr
    finally:
        feed.remove()
    document = json.loads(out.read_text())
    assert (document["code_name"], document["value"], document["value_abi"]) == ("disagreement", None, "0x")
    assert cli("verify", str(out), "--key", key).returncode == OK
    assert cli("verify", changed(out, tmp_path / "x.json", code=0, code_name="ok"), "--key", key).returncode == NO


def test_the_register_names_the_evidence_of_answers(world, cli, text, tmp_path):
    """On the chain by `caisson keys register` at birth: what the contracts' owner looked at is what answers and rounds are proven by."""
    asked = world.contracts.ask(text)
    assert world.contracts.ends(asked) == (ANSWERED, 0)
    answer, evidence, policy = tmp_path / "answer.json", tmp_path / "evidence.json", tmp_path / "policy.json"
    assert cli("oracle", "get", abi.to_hex(asked["id"]), "--out", str(answer)).returncode == OK
    named = json.loads(answer.read_text())["enclave_evidence_digest"]
    for contract in (world.contracts.requests, world.contracts.feeds):
        assert [abi.to_hex(event["evidenceDigest"]) for event in world.contracts.logs(contract, "KeyRegistered")] == [named]
    evidence.write_text(cli("enclave", "evidence", "--digest", named).stdout)
    policy.write_text(json.dumps(naming.policy(oracle.measurement(world.oracle.build))))
    told = json.loads(cli("verify", str(answer), "--evidence", str(evidence), "--policy", str(policy), "--json").stdout)
    assert told["evidence"]["unproven"] is None and told["statement"]["key"] == registered(world)
    policy.write_text(json.dumps(naming.policy("0x" + "11" * 32)))
    assert cli("verify", str(answer), "--evidence", str(evidence), "--policy", str(policy)).returncode == NO


def test_rotate_the_key_of_answers(world, cli, text, path):
    """Announced to both contracts; what is asked meanwhile is answered. The last test: others know the first key."""
    done = cli("oracle", "rotate", "answers", "--json")
    assert done.returncode == OK, done.stderr
    told = json.loads(done.stdout)
    assert told["epoch"] == 2 and {c["address"] for c in told["contracts"]} == {world.contracts.requests.address.lower(),
                                                                               world.contracts.feeds.address.lower()}
    again = cli("oracle", "rotate", "answers")  # no third key before both have the second
    assert again.returncode == OK and told["public_key"] in again.stdout
    assert world.contracts.ends(world.contracts.ask(text)) == (ANSWERED, 0)
    wait_for(lambda: world.contracts.requests.read("keyOf", world.identity, 2)[0]["x"] == abi.to_bytes(told["public_key"]), WAIT_S,
             "the announcement", 0.2)
