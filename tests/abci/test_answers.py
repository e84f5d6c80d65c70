"""Our client against CometBFT's own kvstore, and our kvstore against it: the same questions, the same bytes."""
from __future__ import annotations

import base64
import hashlib
import random
import signal
import socket

import pytest

from abci import messages
from abci.run import Application, drive, program
from lib.proc import Process
from lib.tools import find_tool

KEYS = [hashlib.sha256(b"validator %d" % i).digest() for i in range(4)]


def validator_tx(key: bytes, power: int | str, kind: str = "ed25519") -> bytes:
    return b"val=%s!%s!%s" % (kind.encode(), base64.b64encode(key), str(power).encode())


def address_of(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:20]


# What the real one's CheckTx takes and what its process survives in a block: keys of other sizes and kinds are ours to refuse.
ODD_TXS = [
    b"", b"=", b":", b"a", b"a=", b"=a", b"a:", b":a", b"a=b=c", b"a:b:c", b"a=b:c", b"a==b", b"a=b", b"a:b", b" = ", b"\x00=\xff",
    b"val=", b"val=x", b"val=!!", b"val=!!!", b"value=1", b"va=l", b"val:x", b"VAL=1",
    validator_tx(KEYS[0], 1), validator_tx(KEYS[0], "+1"), validator_tx(KEYS[0], "-0"), validator_tx(KEYS[0], "-1"),
    validator_tx(KEYS[0], "0x1"), validator_tx(KEYS[0], "1_0"), validator_tx(KEYS[0], "007"), validator_tx(KEYS[0], ""),
    validator_tx(KEYS[0], " 1"), validator_tx(KEYS[0], 2**63 - 1), validator_tx(KEYS[0], 2**63), validator_tx(KEYS[0], 2**64),
    validator_tx(KEYS[0], 1, ""), validator_tx(KEYS[0], 1) + b"!", b"val=ed25519!" + base64.b64encode(KEYS[0])[:-1] + b"!1",
    b"val=ed25519!" + base64.b64encode(KEYS[0]) + b"=!1", b"val=ed25519!" + base64.urlsafe_b64encode(b"\xfb\xff" * 16) + b"!1",
    b"val=ed25519!\n" + base64.b64encode(KEYS[0]) + b"\r\n!1", b"val=ed25519! " + base64.b64encode(KEYS[0]) + b"!1",
    b"val=ed25519!=" + base64.b64encode(KEYS[0])[:-1] + b"!1", b"val=ed25519!" + base64.b64encode(KEYS[0])[:-2] + b"9=!1",
]


def random_block(rng: random.Random, height: int) -> list[bytes]:
    txs = [b"key%d=%d.%d" % (rng.randrange(40), height, i) for i in range(rng.randrange(12))]
    if height % 5 == 0:
        txs.append(validator_tx(rng.choice(KEYS), rng.randrange(3)))
    if height % 7 == 0:
        txs.append(b"long%d=" % height + bytes(rng.randrange(256) for _ in range(3000)).replace(b"=", b"-").replace(b":", b"-"))
    rng.shuffle(txs)
    return txs


def session() -> list[bytes]:
    """A chain of forty blocks with everything that a node asks on its way, and questions in between."""
    rng = random.Random(38)
    questions = [messages.request("echo", messages.text(1, b"hello")), messages.request("echo"), messages.request("flush"),
                 messages.info(), messages.init_chain([(KEYS[0], 10), (KEYS[1], 2**40)])]
    questions += [messages.check_tx(tx, recheck) for tx in ODD_TXS for recheck in (False, True)]
    questions += [messages.process_proposal([b"x=y", tx]) for tx in ODD_TXS]
    questions += [messages.prepare_proposal(ODD_TXS), messages.prepare_proposal([b"a:b", b"c=d"], 1), messages.prepare_proposal([])]
    for height in range(1, 41):
        txs = random_block(rng, height)
        evidence = (messages.misbehavior(1, address_of(KEYS[0]), 10),) if height == 3 else ()
        if height == 4:
            evidence = (messages.misbehavior(2, b"\x01" * 20, 10), messages.misbehavior(0, b"", 0))
        questions += [messages.prepare_proposal(txs), messages.process_proposal(txs),
                      messages.finalize_block(height, txs, evidence), messages.commit()]
        questions += [messages.query(b"key%d" % rng.randrange(50), prove=bool(height % 2)), messages.info()]
        questions += [messages.query(key, b"/val") for key in KEYS]
    questions += [messages.query(b"key%d" % i, path) for i in range(45) for path in (b"", b"/store", b"/key")]
    questions += [messages.query(b""), messages.query(b"", b"/val"), messages.query(b"short", b"/val")]
    questions += [messages.request("list_snapshots"),
                  messages.request("load_snapshot_chunk", messages.number(1, 5), messages.number(3, 1)),
                  messages.request("extend_vote", messages.data(3, b""), messages.data(5, b"")),
                  messages.request("verify_vote_extension", messages.text(4, b"e"))]
    return questions


def test_the_same_answers_as_cometbfts_own(tmp_path):
    questions = session()
    with Application(tmp_path, "cometbft", "theirs") as theirs:
        want, failed = drive(theirs.address, questions)
        assert failed == "" and len(want) == len(questions) > 600, theirs.tail()
    with Application(tmp_path, "caisson", "ours") as ours:
        got, failed = drive(ours.address, questions)
        assert failed == "", ours.tail()
    for question, a, b in zip(questions, got, want, strict=True):
        assert a == b, question


def test_snapshots_that_are_none(tmp_path):
    """CometBFT's kvstore has no snapshots and leaves these answers empty; ours refuses, and goes on."""
    rejected, rejected_format, aborted = (messages.number(1, n) for n in (3, 4, 2))
    asked = [(messages.request("offer_snapshot"), rejected),
             (messages.request("offer_snapshot", messages.data(1, messages.number(1, 5) + messages.number(2, 1) + messages.text(4, b"h"))),
              rejected),
             (messages.request("offer_snapshot", messages.data(1, messages.number(1, 5) + messages.number(2, 9))), rejected_format),
             (messages.request("apply_snapshot_chunk", messages.number(1, 1), messages.text(2, b"c")), aborted)]
    with Application(tmp_path, "caisson") as app:
        answers, failed = drive(app.address, [question for question, _ in asked] + [messages.info()])
    assert failed == "" and len(answers) == len(asked) + 1
    assert [list(messages.fields_of(answer))[0][1] for answer in answers[:-1]] == [result for _, result in asked]


@pytest.mark.parametrize("kind,tcp", [("cometbft", False), ("caisson", False), ("cometbft", True), ("caisson", True)])
def test_questions_that_do_not_wait(tmp_path, kind, tcp):
    """2,000 transactions with 500 open at a time: answers in order, those of the good ones and of the bad ones."""
    questions = [messages.check_tx(b"k%d" % i + b"=v" * (i % 3 != 0)) for i in range(2000)]
    with Application(tmp_path, kind, tcp=tcp) as app:
        answers, failed = drive(app.address, questions, window=500)
    assert failed == "" and len(answers) == 2000
    good, bad = messages.data(9, messages.number(5, 1)), messages.data(9, messages.number(1, 2))
    assert answers == [bad if i % 3 == 0 else good for i in range(2000)]


@pytest.mark.parametrize("kind", ["cometbft", "caisson"])
def test_large_frames_both_ways(tmp_path, kind):
    message = messages.request("echo", messages.text(1, random.Random(1).randbytes(12 << 20)))
    with Application(tmp_path, kind) as app:
        answers, failed = drive(app.address, [message])
    assert failed == ""
    assert answers == [messages.data(2, message[5:])]


def test_an_application_that_panics(tmp_path):
    """CometBFT's own one panics over an unknown culprit: it closes the connection, and says nothing."""
    bad = messages.finalize_block(1, [], (messages.misbehavior(1, b"\x01" * 20, 10),))
    with Application(tmp_path, "cometbft") as theirs:
        answers, failed = drive(theirs.address, [messages.info(), bad, messages.info()])
    assert len(answers) == 1
    assert failed == "failed closed: consensus connection: the application ended it"


def test_an_application_that_refuses(tmp_path):
    """Ours says why, and serves the next client."""
    bad = messages.finalize_block(1, [b"val=x"])
    with Application(tmp_path, "caisson") as ours:
        answers, failed = drive(ours.address, [messages.info(), bad, messages.info()])
        assert len(answers) == 1
        assert failed == ("failed application: consensus connection: "
                          "a block with a transaction that was never valid")
        answers, failed = drive(ours.address, [messages.info()])
        assert failed == "" and len(answers) == 1
        assert "abci.exception method=finalize_block" in ours.log_path.read_text()


@pytest.mark.parametrize("kind", ["cometbft", "caisson"])
def test_an_application_that_is_killed_or_stopped(tmp_path, kind):
    # The client's own timeout is 3 s (driver.c).
    for number, (sign, want) in enumerate([(signal.SIGKILL, "failed closed: "), (signal.SIGSTOP, "failed timeout: ")]):
        with Application(tmp_path, kind, f"app{number}") as app:
            questions = [messages.check_tx(b"k%d=v" % i) for i in range(50000)]
            answers, failed = drive(app.address, questions, 4, 100, lambda: app.popen.send_signal(sign))
            if sign == signal.SIGSTOP:
                app.popen.send_signal(signal.SIGCONT)
            assert failed.startswith(want), failed
            assert 100 <= len(answers) < len(questions)


def test_nobody_there(tmp_path):
    address = f"unix://{tmp_path}/none.sock"
    answers, failed = drive(address, [messages.info()])
    assert answers == [] and failed == f"failed unavailable: query connection: the application at {address} cannot be reached"


# ---- the program ----


def run_to_end(argv: list, log) -> tuple[int, str]:
    with Process(argv, log) as process:
        return process.popen.wait(10), log.read_text()


def test_the_command_line(tmp_path):
    ours = program("caisson-abci-kvstore")
    code, out = run_to_end([ours, "--help"], tmp_path / "help")
    assert code == 0 and "--address" in out
    for bad in (["--address"], ["--memory-mib", "0"], ["--memory-mib", "x"], ["--memory-mib", "99999"], ["--nonsense"],
                ["--retain-blocks", "-1"]):
        assert run_to_end([ours, *bad], tmp_path / "bad")[0] == 2, bad
    for address, why in (("tcp://0.0.0.0:0", "insecure-refused"), ("udp://127.0.0.1:1", "invalid"),
                         (f"unix://{tmp_path}/no/such/folder", "err=io")):
        code, out = run_to_end([ours, "--address", address], tmp_path / f"log-{why}")
        assert code == 1 and why in out, out


def test_an_address_beyond_this_machine_is_told(tmp_path):
    with Process([program("caisson-abci-kvstore"), "--address", "tcp://0.0.0.0:0", "--insecure-remote"], tmp_path / "log") as p:
        while "abci.listening" not in p.log_path.read_text():
            p.check()
        assert "abci.insecure_remote" in p.log_path.read_text()


def test_a_socket_that_is_taken_and_one_that_is_left(tmp_path):
    with Application(tmp_path) as app:
        argv = [program("caisson-abci-kvstore"), "--address", app.address]
        code, out = run_to_end(argv, tmp_path / "second")
        assert code == 1 and "somebody listens" in out
        app.kill()
        assert app.socket.exists()
        with Process(argv, tmp_path / "third") as third:
            while "abci.listening" not in third.log_path.read_text():
                third.check()
            assert drive(app.address, [messages.info()])[1] == ""
            assert third.stop() == 0
        assert not app.socket.exists()


def test_rubbish_is_answered_and_logged(tmp_path):
    with Application(tmp_path) as app:
        for rubbish, says in ((b"GET / HTTP/1.1\r\n\r\n" * 8, b""), (b"\xff" * 64, b"above its bound")):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(10)
                s.connect(str(app.socket))
                s.sendall(rubbish)
                got = b""
                while chunk := s.recv(4096):
                    got += chunk
                assert got and says in got
        assert drive(app.address, [messages.info()])[1] == ""


def test_tools_are_the_pinned_ones(tmp_path):
    code, out = run_to_end([find_tool("abci-cli"), "version"], tmp_path / "version")
    assert code == 0 and out.strip() == "2.0.0"
