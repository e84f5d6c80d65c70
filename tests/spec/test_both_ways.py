"""docs/spec and the engine, both ways: scenarios of the one are the other's, line by line; what is no scenario is refused."""
from __future__ import annotations

import re
import subprocess

import bft_trace
import pytest
from lib import tools
from spec.model import names_of_runs, passed

SCENARIOS = tools.ROOT / "tests" / "vectors" / "bft_scenarios"
HEAD = "caisson bft scenario 1\nvalidators 4\nfaulty 3\n"


def test_scenarios_hold_and_the_files_are_what_they_make(quint, capsys):
    files = bft_trace.make_all(quint.program)
    assert len([f for f in files if not f.startswith("chance_")]) == len(names_of_runs("scenarios")) > 0
    assert bft_trace.write_or_check(files, check=True) == 0, capsys.readouterr().out


def replay(quint, folder, *paths):
    scenarios = bft_trace.write_replay(folder / "replay.qnt", list(paths))
    code, output = quint("test", str(folder / "replay.qnt"), "--max-samples", "1")
    return code, output, scenarios


def test_the_specification_takes_every_line(quint, tmp_path):
    paths = sorted(SCENARIOS.glob("*.txt"))
    code, output, scenarios = replay(quint, tmp_path, *paths)
    assert code == 0, output
    assert passed(output) == {f"replay{i}Test" for i in range(len(paths))} and len(paths) >= 20
    # Each run ends with an expectation of this number.
    module = (tmp_path / "replay.qnt").read_text()
    for scenario in scenarios.values():
        assert f"consumed == {len(scenario.lines)} and safety" in module and scenario.lines


# What is put into a scenario, and the first event that the specification then does not take, counted from 1.
LIES = {
    "another vote": ("0 timeout precommit 0 => - ; 1 propose", "0 timeout precommit 0 => prevote 1 nil ; 1 prevote", 16),
    "another lock": ("0 timeout prevote 1 => precommit 1 nil ; 1 precommit 0 0 0 0",
                     "0 timeout prevote 1 => precommit 1 nil ; 1 precommit -1 nil -1 nil", 33),
    "a decision too early": ("0 precommit 1 2 1 => - ; 2 precommit", "0 precommit 1 2 1 => decide 2 1 ; 2 decided", 52),
    "a vote that nobody sent": ("2 precommit 0 0 0 =>", "2 precommit 0 0 nil =>", 20),
    "a timer that was not started": ("2 timeout propose 0 =>", "2 timeout prevote 0 =>", 5),
    "a line is missing": ("0 prevote 3 0 0 => precommit 0 0 ; 0 precommit 0 0 0 0\n", "", 13),
}


def test_the_specification_refuses_at_the_line(quint, tmp_path):
    text = (SCENARIOS / "lock_then_unlock.txt").read_text()
    paths = []
    for i, (old, new, _) in enumerate(LIES.values()):
        assert text.count(old) == 1
        paths.append(tmp_path / f"lie{i}.txt")
        paths[-1].write_text(text.replace(old, new))
    code, output, _ = replay(quint, tmp_path, *paths)
    assert code != 0 and passed(output) == set(), output
    stopped = dict(re.findall(r"^ *\d+\) replay(\d+)Test:\n.*?iteration #(\d+) ", output, re.M | re.S))
    assert stopped == {str(i): str(event) for i, (_, _, event) in enumerate(LIES.values())}, output


# --- the engine itself --------------------------------------------------------------------------------------------

RECORDED_SEEDS, RECORDED_EVENTS = range(1, 13), 120


@pytest.fixture
def engine():
    """tests/spec/scenario.c: arguments -> (exit code, its output, its complaints)."""
    program = tools.find_build() / "bin" / "bft-scenario"
    if not program.exists():
        raise tools.Missing("bft-scenario", "build it first")

    def run(*arguments) -> tuple[int, str, str]:
        done = subprocess.run([program, *map(str, arguments)], text=True, capture_output=True, timeout=60)
        return done.returncode, done.stdout, done.stderr
    return run


def test_the_engine_takes_every_line(engine):
    paths = sorted(SCENARIOS.glob("*.txt"))
    events = sum(len(bft_trace.parse(path.read_text()).lines) for path in paths)
    code, output, complaints = engine("play", *paths)
    assert code == 0, complaints
    assert output == f"{events} events of {len(paths)} scenarios\n"


@pytest.mark.parametrize("lie", LIES)
def test_the_engine_refuses_at_the_line(engine, tmp_path, lie):
    old, new, event = LIES[lie]
    text = (SCENARIOS / "lock_then_unlock.txt").read_text()
    head = text.splitlines().index("0 start => proposal 0 0 -1, prevote 0 0 ; 0 prevote -1 nil -1 nil")
    (tmp_path / "lie.txt").write_text(text.replace(old, new))
    code, _, complaints = engine("play", tmp_path / "lie.txt")
    assert code == 1 and f"lie.txt:{head + event}: " in complaints, complaints


@pytest.mark.parametrize("text", ["", "caisson bft scenario 2\nvalidators 4\nfaulty 3\n", "HEAD", "HEAD0 start", "HEAD3 start => -",
                                  "HEAD0 begin => -", "HEAD0 prevote 1 64 nil => -", "HEAD4 start => -", "HEAD0 block 7 => -"])
def test_the_engine_refuses_what_is_no_scenario(engine, tmp_path, text):
    (tmp_path / "none.txt").write_text(text.replace("HEAD", HEAD))
    code, _, complaints = engine("play", tmp_path / "none.txt")
    assert code == 1 and "none.txt" in complaints


def test_the_specification_takes_what_the_engine_did(quint, engine, tmp_path):
    paths = []
    for seed in RECORDED_SEEDS:
        code, output, complaints = engine("record", seed, RECORDED_EVENTS)
        assert code == 0, complaints
        assert engine("record", seed, RECORDED_EVENTS)[1] == output
        paths.append(tmp_path / f"seed{seed}.txt")
        paths[-1].write_text(output)
    code, output, scenarios = replay(quint, tmp_path, *paths)
    assert code == 0 and passed(output) == {f"replay{i}Test" for i in range(len(paths))}, output
    lines = [line for scenario in scenarios.values() for line in scenario.lines]
    assert len(lines) > 50 * len(paths)
    # What it is about has happened: decisions, later rounds, locks that keep from a block.
    assert any(o[0] == "decide" for line in lines for o in line.out)
    assert any(o[1] > 1 for line in lines for o in line.out)
    assert any(line.event[0] == "proposal" and o[0] == "prevote" and o[2] == bft_trace.NIL for line in lines for o in line.out)


# --- the text -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.txt")), ids=lambda p: p.stem)
def test_text_is_read_as_it_was_written(path):
    text = path.read_text()
    comment = text.splitlines()[1].removeprefix("# ")
    assert bft_trace.scenario_text(bft_trace.parse(text), comment) == text


@pytest.mark.parametrize("text", [
    "", "caisson bft scenario 2\nvalidators 4\nfaulty 3\n", "caisson bft scenario 1\nfaulty 3\nvalidators 4\n",
    HEAD + "0 start", HEAD + "4 start => -", HEAD + "3 start => -", HEAD + "0 begin => -", HEAD + "0 prevote 1 0 => -",
    HEAD + "0 prevote 1 0 nil 0 => -", HEAD + "0 prevote 1 00 nil => -", HEAD + "0 timeout commit 0 => -",
    HEAD + "0 start => prevote 0", HEAD + "0 start => start", HEAD + "0 start => ", HEAD + "0 start => - ; 0 propose -1 nil -1",
    HEAD + "0 start => - ; 0 waiting -1 nil -1 nil",
])
def test_what_is_no_scenario_is_refused(text):
    with pytest.raises(bft_trace.Malformed):
        bft_trace.parse(text)


def test_a_module_without_lines_is_refused():
    with pytest.raises(bft_trace.Malformed):
        bft_trace.replay_module({"empty": bft_trace.parse(HEAD)}, "./tendermint")
