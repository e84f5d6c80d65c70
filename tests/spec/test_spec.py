"""docs/spec: what must hold does, by scenarios and by chance; a fault put into the rules is found; scenarios of the engine are the
specification's, line by line."""
from __future__ import annotations

import os
import re
import shutil
import subprocess

import bft_trace
import pytest
from lib import tools

SPEC = tools.ROOT / "docs" / "spec"
SCENARIOS = tools.ROOT / "tests" / "vectors" / "bft_scenarios"
QUINT_SECONDS = 400

INVARIANTS = ["agreement", "validity", "noEquivocation", "noFalseBlame", "lockIsLastPrecommit", "precommitHasPolka", "lockRule",
              "lockedBeforeValid", "settled"]
# What chance must come across; unlockedByPolc is too seldom for it, and a scenario's.
WITNESSES = ["allDecided", "decidedLater", "decidedInPastRound", "skippedRound", "equivocationSeen", "validNotLocked", "lockHeld"]
SAMPLES, STEPS, SEED = 30, 90, 5

# What is put in the place of what, in how many runs it is found (by the seed above, at most), and by which invariant or scenario.
MUTATIONS = {
    "a nil polka unlocks": (
        "      precommit(p, n, NIL)\n    else {",
        "      precommit(p, { ...n, lockedValue: NIL, lockedRound: -1 }, NIL)\n    else {",
        40, {"lockIsLastPrecommit"}),
    "the lock is ignored": (
        "val free = n.lockedRound == -1 or n.lockedValue == m.value",
        "val free = true",
        40, {"lockRule"}),
    "more than a third is a quorum": (
        "pure def isQuorum(count: int): bool = 3 * count > 2 * N",
        "pure def isQuorum(count: int): bool = 3 * count > N",
        200, {"agreement"}),
    "a timeout does not ask for the step": (
        'if (n.step == "propose") settle(p, prevote(p, now, NIL)) else now',
        "settle(p, prevote(p, now, NIL))",
        40, {"noEquivocation"}),
    "the valid value is forgotten": (
        "val known = { ...now, validValue: v, validRound: r }",
        "val known = { ...now, validValue: v }",
        40, {"lockedBeforeValid"}),
    "votes of a past round decide nothing": (
        "val votes = n.votes.filter(m => m.kind == \"precommit\" and m.value != NIL and n.blocks.contains(m.value))",
        "val votes = n.votes.filter(m => m.kind == \"precommit\" and m.value != NIL and n.blocks.contains(m.value)"
        " and m.round == n.round)",
        0, {"decideForPastRoundTest"}),
}


@pytest.fixture(scope="session")
def quint():
    """Runs the program in a folder: arguments -> (exit code, what it printed)."""
    script = SPEC / "node_modules" / "@informalsystems" / "quint" / "dist" / "src" / "cli.js"
    node = tools.find_tool("node")
    if not script.exists():
        raise tools.Missing("quint", "script/install test brings it")

    def run(*arguments: str, cwd=SPEC) -> tuple[int, str]:
        done = subprocess.run([node, str(script), *arguments, "--backend", "typescript"], cwd=cwd, text=True, timeout=QUINT_SECONDS,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "NO_COLOR": "1"})
        return done.returncode, done.stdout

    run.program = [node, str(script)]
    return run


def names_of_runs(module: str) -> set[str]:
    return set(re.findall(r"^  run (\w+Test) =", (SPEC / f"{module}.qnt").read_text(), re.M))


def passed(output: str) -> set[str]:
    return set(re.findall(r"^ *ok (\w+) passed", output, re.M))


@pytest.fixture
def changed(tmp_path):
    """A copy of the specification with one thing put in the place of another, which is there once."""
    def change(old: str, new: str):
        for f in SPEC.glob("*.qnt"):
            shutil.copy(f, tmp_path)
        rules = (tmp_path / "tendermint.qnt").read_text()
        assert rules.count(old) == 1, f"{rules.count(old)} times in the specification: {old}"
        (tmp_path / "tendermint.qnt").write_text(rules.replace(old, new))
        return tmp_path
    return change


def test_above_a_third_the_check_sees_disagreement(quint):
    code, output = quint("test", "above.qnt", "--max-samples", "1")
    assert code == 0 and passed(output) == names_of_runs("above") != set(), output


def test_chance_keeps_the_invariants_and_comes_to_what_they_are_about(quint):
    code, output = quint("run", "four.qnt", "--max-samples", str(SAMPLES), "--max-steps", str(STEPS), "--seed", str(SEED),
                         "--invariants", *INVARIANTS, "--witnesses", *WITNESSES)
    assert code == 0 and "No violation found" in output, output
    seen = {w: int(n) for w, n in re.findall(r"^(\w+) was witnessed in (\d+) trace", output, re.M)}
    assert set(seen) == set(WITNESSES), output
    assert all(seen.values()), seen


def test_the_invariants_are_all_there():
    body = re.search(r"val safety: bool = and \{(.*?)\}", (SPEC / "tendermint.qnt").read_text(), re.S).group(1)
    assert re.findall(r"\w+", body) == INVARIANTS


@pytest.mark.parametrize("fault", [f for f, m in MUTATIONS.items() if m[2]])
def test_a_fault_is_found_by_chance(quint, changed, fault):
    old, new, samples, found_by = MUTATIONS[fault]
    code, output = quint("run", "four.qnt", "--max-samples", str(samples), "--max-steps", str(STEPS), "--seed", str(SEED),
                         "--invariants", *sorted(found_by), "--verbosity", "1", cwd=changed(old, new))
    assert code != 0 and "[violation] Found an issue" in output, output


@pytest.mark.parametrize("fault", [f for f, m in MUTATIONS.items() if not m[2]])
def test_a_fault_is_found_by_a_scenario(quint, changed, fault):
    old, new, _, found_by = MUTATIONS[fault]
    code, output = quint("test", "scenarios.qnt", "--max-samples", "1", cwd=changed(old, new))
    assert code != 0 and names_of_runs("scenarios") - passed(output) == found_by, output


HEAD = "caisson bft scenario 1\nvalidators 4\nfaulty 3\n"

# --- both ways ----------------------------------------------------------------------------------------------------


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
