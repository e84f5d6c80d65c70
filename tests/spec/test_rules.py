"""docs/spec: what must hold does, by scenarios and by chance; a fault put into the rules is found."""
from __future__ import annotations

import re
import shutil

import pytest
from spec.model import SPEC, names_of_runs, passed

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
