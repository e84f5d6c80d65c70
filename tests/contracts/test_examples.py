"""What docs/oracle.md shows is what is tested: its contracts are files that are compiled and deployed here, its specs are specs."""
from __future__ import annotations

import json
import re
import subprocess

import pytest

import oracle_vectors as o
from lib import abi, tools
from lib.rpc import RpcError
from oracle_world import ANSWERED, OPEN, REFUNDED, UNREACHABLE, NOT_FOUND, VALUE, refused
from world import GAS

PAGE = (tools.ROOT / "docs" / "oracle.md").read_text()
EXAMPLES = tools.ROOT / "contracts" / "evm" / "examples"


def fenced(language: str) -> list[str]:
    """The blocks of this language, without the indent of a list around them."""
    found = []
    for indent, body in re.findall(rf"^( *)```{language}\n(.*?)^ *```$", PAGE, re.M | re.S):
        found.append("".join(line.removeprefix(indent) for line in body.splitlines(keepends=True)))
    return found


def specs() -> list[str]:
    return [block for block in fenced("json") if '"sources"' in block]


def spec_hash(text: str, *options: str) -> subprocess.CompletedProcess:
    program = tools.find_build() / "bin" / "caisson"
    return subprocess.run([program, "oracle", "spec-hash", "-", *options], input=text, capture_output=True, text=True, timeout=60)


def test_the_page_shows_the_files():
    blocks = fenced("solidity")
    files = sorted(EXAMPLES.glob("*.sol"))
    assert len(files) == len(blocks) == 2
    assert sorted(blocks) == sorted(path.read_text() for path in files)
    for path in files:
        artifact = json.loads((tools.ROOT / "contracts" / "evm" / "artifacts" / "test" / f"{path.stem}.json").read_text())
        assert artifact["source"] == f"examples/{path.name}"


@pytest.mark.parametrize("index", range(len(specs())))
def test_every_spec_of_the_page_is_one(index):
    done = spec_hash(specs()[index], "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    canonical = json.dumps(json.loads(specs()[index]), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert told["spec"] == canonical and told["spec_hash"] == abi.to_hex(o.spec_hash(canonical.encode()))


def test_the_page_has_specs_of_every_kind():
    text = "".join(specs())
    assert len(specs()) >= 6
    for word in ("median", "script", "{secret:", "POST", "pins", "hosts", '"bool"'):
        assert word in text, word


def commands() -> list[str]:
    """Every `caisson …` of the page, in blocks and in sentences."""
    blocks = [line.split(" #")[0].strip() for block in fenced("sh") for line in block.splitlines()]
    return sorted({line for line in blocks + re.findall(r"`(caisson [^`]+)`", PAGE) if line.startswith("caisson ")})


@pytest.mark.parametrize("line", commands())
def test_every_command_of_the_page_is_one(line):
    """Its words are a command's name, and its options are that command's."""
    words = line.split()[1:]
    names = words[:next((i for i, word in enumerate(words) if not re.fullmatch("[a-z-]+", word) or word.startswith("-")), len(words))]
    program = str(tools.find_build() / "bin" / "caisson")
    found = next((done for n in range(len(names), 0, -1)
                  if (done := subprocess.run([program, *names[:n], "--help"], capture_output=True, text=True, timeout=60)).returncode == 0
                  and done.stdout.startswith(f"usage: caisson {' '.join(names[:n])}")), None)
    assert found, line
    for option in re.findall(r" (--[a-z-]+)", line):
        assert re.search(rf"^  {option} ", found.stdout, re.M), (line, option)


def test_the_body_of_the_page_s_request():
    """What curl sends there is a spec, and what the interface takes."""
    body = json.loads(re.search(r"<<'EOF'\n(.*?)\nEOF", PAGE, re.S)[1])
    assert set(body) <= {"spec", "arguments", "secrets", "audience", "max_age", "timeout_s"}
    assert spec_hash(json.dumps(body["spec"])).stdout == spec_hash(specs()[0]).stdout != ""


def test_the_contract_asks_for_what_the_page_writes(coin, w):
    """Step 1 of the page, made canonical by step 3, is what step 4 sends."""
    first = spec_hash(specs()[0], "--json")
    assert coin.asked["specHash"] == abi.to_bytes(json.loads(first.stdout)["spec_hash"])


@pytest.fixture
def coin(w):
    """CoinPrice, after it asked for bitcoin."""
    contract = w.deploy("CoinPrice", w.oracle.address)
    fee = contract.read("fee")
    receipt = contract.write(w.user, "ask", value=fee, gas=GAS)
    contract.asked = w.asked(receipt)
    contract.paid = fee
    return contract


def test_it_asks_and_hears(w, coin):
    asked = coin.asked
    assert asked["asker"] == asked["callback"] == abi.to_bytes(coin.address)
    assert (asked["fee"], asked["maxAge"], asked["deadline"]) == (coin.paid, 300, asked["time"] + 600)
    assert asked["argumentsHash"] == o.arguments_hash([b"bitcoin"])
    assert w.state(asked) == (OPEN, 0) and coin.read("price") == 0
    answer = w.answer(asked)
    w.fulfil(answer)
    assert w.state(asked) == (ANSWERED, 0)
    assert coin.read("price") == int.from_bytes(VALUE, "big")
    assert coin.read("observedAt") == answer["observedAt"]


def test_nobody_chooses_what_the_price_is_of(w, coin):
    """What a stranger asks is what everybody asks: a coin of their own is no call."""
    w.fulfil(w.answer(coin.asked))
    data = abi.selector("ask(string)") + abi.encode(["string"], ["dogecoin"])
    with pytest.raises(RpcError):
        w.rpc.call("eth_call", {"from": w.anyone, "to": coin.address, "data": abi.to_hex(data), "value": hex(coin.paid)}, "latest")
    theirs = w.asked(coin.write(w.anyone, "ask", value=coin.paid, gas=GAS))
    assert all(theirs[part] == coin.asked[part] for part in ("specHash", "argumentsHash", "secretsHash"))
    assert theirs["argumentsHash"] == o.arguments_hash([coin.read("COIN").encode()])
    assert coin.read("price") == int.from_bytes(VALUE, "big")


def test_less_than_the_fee_is_refused_and_more_is_kept_for_the_next(w, coin):
    receipt = coin.write(w.user, "ask", value=coin.paid - 1, gas=GAS, accept_revert=True)
    assert receipt["status"] == "0x0" and not receipt["logs"]
    assert w.asked(coin.write(w.user, "ask", value=coin.paid + 1, gas=GAS))["fee"] == coin.paid
    assert w.balance(coin) == 1
    w.asked(coin.write(w.user, "ask", value=coin.paid - 1, gas=GAS))
    assert w.balance(coin) == 0


def test_a_fee_that_came_back_pays_for_the_next(w, coin):
    w.fulfil(w.answer(coin.asked, code=UNREACHABLE))
    assert w.balance(coin) == coin.paid
    again = w.asked(coin.write(w.user, "ask", gas=GAS))
    assert again["fee"] == coin.paid and w.balance(coin) == 0
    receipt = coin.write(w.user, "ask", gas=GAS, accept_revert=True)
    assert receipt["status"] == "0x0" and not receipt["logs"]


def test_an_error_is_told_and_refunded_where_the_host_could_cause_it(w, coin):
    w.fulfil(w.answer(coin.asked, code=UNREACHABLE))
    assert w.state(coin.asked)[1] == UNREACHABLE
    assert w.balance(coin) == coin.paid and coin.read("price") == 0


def test_an_error_of_the_source_is_paid(w, coin):
    receipt = w.fulfil(w.answer(coin.asked, code=NOT_FOUND))
    event, = coin.events("Unanswered", receipt)
    assert (event["requestId"], event["code"]) == (coin.asked["id"], NOT_FOUND)
    assert w.balance(coin) == 0


def test_what_nobody_answers_comes_back(w, coin):
    w.at(coin.asked["deadline"])
    w.oracle.write(w.anyone, "refund", w.parts(coin.asked), gas=GAS)
    assert w.state(coin.asked) == (REFUNDED, 0) and w.balance(coin) == coin.paid


def test_others_cannot_answer_it(w, coin):
    """Neither an account, nor the oracle about somebody else's request."""
    refused(w, "NotOracle", coin, "onAnswer", coin.asked["id"], coin.address, 0, w.now(), VALUE, sender=w.user)
    foreign = w.ask(w.user, callback=coin.address, gas=100_000)
    receipt = w.fulfil(w.answer(foreign))
    assert w.oracle.events("CallbackFailed", receipt) and coin.read("price") == 0


def test_an_older_observation_changes_nothing(w, coin):
    contract, first = coin, coin.asked
    second = w.asked(contract.write(w.user, "ask", value=contract.read("fee"), gas=GAS))
    w.advance(20)
    w.fulfil(w.answer(second, value=o.int256(7)))
    w.fulfil(w.answer(first, value=o.int256(5), observed_at=first["time"] + 1))
    assert w.state(first) == (ANSWERED, 0) and contract.read("price") == 7


def test_a_feed_is_read_until_it_is_old(w):
    feed = w.add_feed()
    reader = w.deploy("FeedReader", feed["feed"].address, feed["uptime"].address)
    with pytest.raises(RpcError):
        reader.read("price")  # no round yet
    w.update(w.value(feed, 251_200_000_000))
    assert reader.read("price") == 251_200_000_000
    w.advance(3601)
    with pytest.raises(RpcError, match="old"):
        reader.read("price")
    w.advance(600)
    with pytest.raises(RpcError, match="stale"):
        reader.read("price")
    w.update(w.value(feed, 1))
    assert reader.read("price") == 1
    w.feed.write(w.guardian, "pauseFeed", feed["index"])
    with pytest.raises(RpcError, match="stale"):
        reader.read("price")
