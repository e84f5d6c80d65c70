#!/usr/bin/env python3
"""Between the specification docs/spec/tendermint.qnt and the engine relay_state/bft: traces of the one run in the other.

A scenario is text, one event of one validator a line, with all that follows from it there. docs/spec/README.md has its grammar.

    tools/bft_trace.py scenario ITF             prints the scenario that a trace of Quint is (ITF: the file of --out-itf)
    tools/bft_trace.py replay MODULE SCENARIO…  makes a Quint module that takes every line of the scenarios, or fails at one
    tools/bft_trace.py all QUINT [--check]      makes tests/vectors/bft_scenarios with the program QUINT; --check only compares
"""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPEC = ROOT / "docs" / "spec"
OUT = ROOT / "tests" / "vectors" / "bft_scenarios"
FIRST = "caisson bft scenario 1"
NIL = -1
LINES_MAX = 10_000
# Chance's part of the scenarios: at most this many of so many runs, of at most so many events, from this seed on.
CHANCE_COUNT = 16
CHANCE_RUNS = 24
CHANCE_STEPS = 120
CHANCE_SEED = 1

KINDS = ("proposal", "prevote", "precommit")
STEPS = ("propose", "prevote", "precommit", "decided")


class Malformed(ValueError):
    """The text is no scenario; the message says where."""


@dataclass(frozen=True)
class View:
    """Of a validator after an event."""
    round: int
    step: str
    locked_round: int
    locked: int
    valid_round: int
    valid: int


@dataclass(frozen=True)
class Line:
    node: int
    event: tuple  # ("start",) | (kind, src, round, value[, vr]) | ("block", value) | ("timeout", kind, round)
    out: tuple  # of (kind, round, value[, vr]), in the order of ORDER
    view: View | None = None


@dataclass
class Scenario:
    validators: int
    faulty: tuple[int, ...]
    lines: list[Line] = field(default_factory=list)


ORDER = ("proposal", "prevote", "precommit", "decide")


def sort_out(out) -> tuple:
    return tuple(sorted(out, key=lambda o: (o[1], ORDER.index(o[0]))))


# --- the text -----------------------------------------------------------------------------------------------------


def value_text(value: int) -> str:
    return "nil" if value == NIL else str(value)


def words(item: tuple) -> str:
    kind, *rest = item
    if kind in KINDS:
        at = len(rest) - 2 if kind == "proposal" else len(rest) - 1
        return " ".join([kind, *(value_text(x) if i == at else str(x) for i, x in enumerate(rest))])
    if kind in ("decide", "block"):
        return " ".join([kind, *map(str, rest)])
    return " ".join(map(str, item))


def line_text(line: Line) -> str:
    text = f"{line.node} {words(line.event)} => {', '.join(map(words, line.out)) or '-'}"
    if line.view:
        v = line.view
        text += f" ; {v.round} {v.step} {v.locked_round} {value_text(v.locked)} {v.valid_round} {value_text(v.valid)}"
    return text


def scenario_text(scenario: Scenario, comment: str = "") -> str:
    head = [FIRST, *(f"# {c}" for c in comment.splitlines()), f"validators {scenario.validators}",
            "faulty " + (" ".join(map(str, scenario.faulty)) or "-")]
    return "\n".join([*head, *map(line_text, scenario.lines)]) + "\n"


def number(word: str) -> int:
    if not re.fullmatch(r"-1|0|[1-9][0-9]{0,8}", word):
        raise Malformed(f"not a number: {word!r}")
    return int(word)


def value_of(word: str) -> int:
    return NIL if word == "nil" else number(word)


def exactly(parts: list[str], count: int) -> list[str]:
    if len(parts) != count:
        raise Malformed(f"{count} words are wanted: {' '.join(parts)!r}")
    return parts


def parse_event(text: str) -> tuple:
    kind, *rest = text.split() or [""]
    if kind == "start":
        exactly(rest, 0)
        return (kind,)
    if kind == "block":
        return kind, number(exactly(rest, 1)[0])
    if kind == "timeout":
        timer, at = exactly(rest, 2)
        if timer not in ("propose", "prevote", "precommit"):
            raise Malformed(f"not a timer: {timer!r}")
        return kind, timer, number(at)
    if kind not in KINDS:
        raise Malformed(f"not an event: {text!r}")
    rest = exactly(rest, 4 if kind == "proposal" else 3)
    return (kind, number(rest[0]), number(rest[1]), value_of(rest[2]), *map(number, rest[3:]))


def parse_out(text: str) -> tuple:
    if text == "-":
        return ()
    out = []
    for part in text.split(","):
        kind, *rest = part.split() or [""]
        if kind not in ORDER:
            raise Malformed(f"not a message: {part!r}")
        rest = exactly(rest, 3 if kind == "proposal" else 2)
        out.append((kind, number(rest[0]), value_of(rest[1]), *map(number, rest[2:])))
    return sort_out(out)


def parse_view(text: str) -> View:
    at, step, locked_round, locked, valid_round, valid = exactly(text.split(), 6)
    if step not in STEPS:
        raise Malformed(f"not a step: {step!r}")
    return View(number(at), step, number(locked_round), value_of(locked), number(valid_round), value_of(valid))


def parse_line(text: str, validators: int) -> Line:
    event, arrow, rest = text.partition(" => ")
    node, _, event = event.partition(" ")
    if not arrow or number(node) not in range(validators):
        raise Malformed(f"not a line: {text!r}")
    out, semicolon, view = rest.partition(" ; ")
    return Line(number(node), parse_event(event), parse_out(out), parse_view(view) if semicolon else None)


def parse(text: str) -> Scenario:
    lines = [(i, s) for i, s in enumerate(text.splitlines(), 1) if s and not s.startswith("#")]
    if len(lines) < 3 or lines[0][1] != FIRST:
        raise Malformed(f"the first line is not {FIRST!r}")
    if len(lines) > LINES_MAX:
        raise Malformed(f"more than {LINES_MAX} lines")
    heads = [exactly(lines[1][1].split(), 2), lines[2][1].split()]
    if heads[0][0] != "validators" or heads[1][0] != "faulty" or len(heads[1]) < 2:
        raise Malformed("validators and faulty come first")
    faulty = () if heads[1][1] == "-" else tuple(map(number, heads[1][1:]))
    scenario = Scenario(number(heads[0][1]), faulty)
    for i, s in lines[3:]:
        try:
            line = parse_line(s, scenario.validators)
            if line.node in faulty:
                raise Malformed(f"validator {line.node} is faulty")
        except Malformed as error:
            raise Malformed(f"line {i}: {error}") from None
        scenario.lines.append(line)
    return scenario


# --- from a trace of Quint ----------------------------------------------------------------------------------------


def plain(x):
    """ITF's numbers, sets and maps as Python's."""
    if isinstance(x, dict):
        if "#bigint" in x:
            return int(x["#bigint"])
        if "#set" in x:
            return [plain(i) for i in x["#set"]]
        if "#map" in x:
            return {plain(k): plain(v) for k, v in x["#map"]}
        return {k: plain(v) for k, v in x.items()}
    return x


def variable(state: dict, name: str):
    keys = [k for k in state if k == name or k.endswith("::" + name)]
    if len(keys) != 1:
        raise Malformed(f"the trace has {len(keys)} variables {name}")
    return plain(state[keys[0]])


def out_of(node: dict, was: dict | None) -> tuple:
    out = [(m["kind"], m["round"], m["value"], *([m["vr"]] if m["kind"] == "proposal" else [])) for m in node["out"]]
    if node["decision"] != NIL and (was is None or was["decision"] == NIL):
        out.append(("decide", node["decisionRound"], node["decision"]))
    return sort_out(out)


def event_of(last: dict) -> tuple:
    kind = last["kind"]
    if kind == "block":
        return kind, last["value"]
    if kind == "timeout":
        return kind, last["timer"], last["round"]
    return (kind, last["src"], last["round"], last["value"], *([last["vr"]] if kind == "proposal" else []))


def view_of(node: dict) -> View:
    return View(node["round"], node["step"], node["lockedRound"], node["lockedValue"], node["validRound"], node["validValue"])


def from_itf(itf: dict) -> Scenario:
    states = itf["states"]
    faulty = variable(states[0], "faulty")
    nodes = variable(states[0], "nodes")
    scenario = Scenario(len(nodes), tuple(sorted(faulty)))
    for p in sorted(set(nodes) - set(faulty)):
        scenario.lines.append(Line(p, ("start",), out_of(nodes[p], None), view_of(nodes[p])))
    for before, state in zip(states, states[1:]):
        last = variable(state, "last")
        if last["kind"] == "rest":
            break
        p = last["node"]
        was, now = variable(before, "nodes")[p], variable(state, "nodes")[p]
        scenario.lines.append(Line(p, event_of(last), out_of(now, was), view_of(now)))
    return scenario


# --- to a module of Quint -----------------------------------------------------------------------------------------

# A line is one number, whose digits are the fields: Quint infers the type of every literal one by one, and of records that takes
# it seconds for a hundred lines.
BASE = 4096
MODULE = """\
// Made by tools/bft_trace.py.
module replay {{
  import tendermint(N = {validators}, FAULTY = 0, ROUND_MAX = 0).* from "{spec}"

  /// Lines that the specification took.
  var consumed: int

  pure val KINDS = ["start", "proposal", "prevote", "precommit", "block", "timeout"]
  pure val STEPS = ["propose", "prevote", "precommit", "decided"]

  /// A line's fields are digits, each 1 more than it says; the first one is how many there are.
  pure def fieldsOf(x: int): List[int] =
    range(1, x % {base} + 1).foldl([], (got, i) => got.append(x / {base}^i % {base} - 1))
  pure def eventOf(l: List[int]): Event = {{
    node: l[0], kind: KINDS[l[1]], src: l[2], round: l[3], value: l[4], vr: l[5], timer: if (l[6] < 0) "" else STEPS[l[6]]
  }}
  /// From the 16th number on four for each message.
  pure def outOf(l: List[int]): Set[Message] =
    0.to((l.length() - 16) / 4 - 1).map(i =>
      {{ kind: KINDS[l[16 + 4 * i]], src: l[0], round: l[17 + 4 * i], value: l[18 + 4 * i], vr: l[19 + 4 * i] }})
  pure def agrees(n: Node, l: List[int]): bool = and {{
    n.out == outOf(l),
    n.decisionRound == l[7],
    n.decision == l[8],
    l[9] == 1 implies and {{
      n.round == l[10], n.step == STEPS[l[11]], n.lockedRound == l[12], n.lockedValue == l[13], n.validRound == l[14],
      n.validValue == l[15],
    }},
  }}
  pure def after(n: Node, e: Event): Node =
    if (e.kind == "timeout") runOff(e.node, n, {{ kind: e.timer, round: e.round }})
    else if (e.kind == "block") receiveBlock(e.node, n, e.value)
    else receive(e.node, n, {{ kind: e.kind, src: e.src, round: e.round, value: e.value, vr: e.vr }})
  /// Timers run off only when they were started; blocks and messages of correct validators exist before they arrive.
  def possible(e: Event): bool =
    if (e.kind == "timeout") {{
      val t = {{ kind: e.timer, round: e.round }}
      nodes.get(e.node).armed.contains(t) and not(nodes.get(e.node).spent.contains(t))
    }}
    else if (e.kind == "block") faulty != Set() or sent.exists(m => m.value == e.value)
    else faulty.contains(e.src) or sent.contains({{ kind: e.kind, src: e.src, round: e.round, value: e.value, vr: e.vr }})

  action take(x: int): bool = {{
    val l = fieldsOf(x)
    val e = eventOf(l)
    val n = nodes.get(e.node)
    if (e.kind == "start") all {{
      agrees(n, l),
      faulty' = faulty, nodes' = nodes, sent' = sent, last' = last, steps' = steps, consumed' = consumed + 1,
    }} else all {{
      possible(e),
      agrees(after(n, e), l),
      become(e.node, after(n, e), e),
      consumed' = consumed + 1,
    }}
  }}

{runs}
}}
"""
RUN = """\
  /// {name}
  pure val LINES_{index}: List[int] = [
{lines}
  ]
  run replay{index}Test = all {{ initWith(Set({faulty})), consumed' = 0 }}
    .then({count}.reps(i => take(LINES_{index}[i])))
    .expect(consumed == {count} and safety)"""
MODULE_KINDS = ("start", *KINDS, "block", "timeout")


def line_number(line: Line, decided: tuple) -> int:
    kind, *rest = line.event
    src, at, value, vr, timer = -1, -1, NIL, -1, -1
    if kind == "timeout":
        timer, at = STEPS.index(rest[0]), rest[1]
    elif kind == "block":
        value = rest[0]
    elif kind != "start":
        src, at, value, *more = rest
        vr = more[0] if more else -1
    v = line.view
    view = [1, v.round, STEPS.index(v.step), v.locked_round, v.locked, v.valid_round, v.valid] if v else [0] * 7
    numbers = [line.node, MODULE_KINDS.index(kind), src, at, value, vr, timer, *decided, *view]
    for name, round_, value, *more in line.out:
        if name != "decide":
            numbers += [MODULE_KINDS.index(name), round_, value, more[0] if more else -1]
    digits = [len(numbers), *(n + 1 for n in numbers)]
    if not all(0 <= d < BASE for d in digits):
        raise Malformed(f"a number of more than {BASE - 2}: {line_text(line)}")
    return sum(d * BASE**i for i, d in enumerate(digits))


def replay_run(index: int, name: str, scenario: Scenario) -> str:
    decided = {}
    lines = []
    for line in scenario.lines:
        for o in line.out:
            if o[0] == "decide":
                decided[line.node] = o[1:]
        lines.append(f"    {line_number(line, decided.get(line.node, (-1, NIL)))},")
    if not lines:
        raise Malformed(f"{name}: a scenario without lines shows nothing")
    return RUN.format(index=index, name=name, count=len(lines), faulty=", ".join(map(str, scenario.faulty)),
                      lines="\n".join(lines))


def replay_module(scenarios: dict[str, Scenario], spec: str) -> str:
    """spec: the path of the specification from where the module will lie; Quint knows no others."""
    validators = {s.validators for s in scenarios.values()}
    if len(validators) != 1:
        raise Malformed("scenarios of one module have as many validators each")
    runs = [replay_run(i, name, s) for i, (name, s) in enumerate(scenarios.items())]
    return MODULE.format(validators=validators.pop(), base=BASE, spec=spec, runs="\n".join(runs))


def write_replay(module: Path, paths: list[Path]) -> dict[str, Scenario]:
    scenarios = {path.stem: parse(path.read_text()) for path in paths}
    module.write_text(replay_module(scenarios, os.path.relpath(SPEC / "tendermint", module.resolve().parent)))
    return scenarios


# --- all of them --------------------------------------------------------------------------------------------------


def run_quint(quint: list[str], *arguments: str) -> str:
    done = subprocess.run([*quint, *arguments, "--backend", "typescript", "--verbosity", "1"], cwd=SPEC, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise SystemExit(f"quint {' '.join(arguments)}:\n{done.stdout}")
    return done.stdout


def make_all(quint: list[str]) -> dict[str, str]:
    files = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run_quint(quint, "test", "scenarios.qnt", "--max-samples", "1", "--seed", "1",
                  "--out-itf", f"{folder}/{{test}}.itf.json")
        for itf in sorted(folder.glob("*.itf.json")):
            test = itf.name.removesuffix("Test.itf.json")
            snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", test).lower()
            files[f"{snake}.txt"] = scenario_text(from_itf(json.loads(itf.read_text())), f"{test}Test of docs/spec/scenarios.qnt")
            itf.unlink()
        run_quint(quint, "run", "four.qnt", "--step", "stepDriven", "--max-steps", str(CHANCE_STEPS), "--invariant", "safety",
                  "--seed", str(CHANCE_SEED), "--max-samples", str(CHANCE_RUNS), "--n-traces", str(CHANCE_RUNS),
                  "--out-itf", f"{folder}/chance_{{seq}}.itf.json")
        # Quint writes some twice, the longest first.
        runs = sorted({scenario_text(from_itf(json.loads(itf.read_text())), "by chance, docs/spec/four.qnt")
                       for itf in folder.glob("*.itf.json")}, key=lambda text: (len(text), text))
        count = min(CHANCE_COUNT, len(runs))
        for seq in range(count):
            files[f"chance_{seq:02}.txt"] = runs[seq * len(runs) // count]
    return files


def write_or_check(files: dict[str, str], check: bool) -> int:
    if check:
        there = {f.name: f.read_text() for f in OUT.glob("*.txt")}
        wrong = sorted(n for n in files.keys() | there.keys() if files.get(n) != there.get(n))
        for n in wrong:
            print(f"{OUT.relative_to(ROOT) / n} is not what tools/bft_trace.py makes")
        return 1 if wrong else 0
    OUT.mkdir(parents=True, exist_ok=True)
    for n, text in files.items():
        (OUT / n).write_text(text)
    for f in OUT.glob("*.txt"):
        if f.name not in files:
            f.unlink()
    return 0


def main(arguments: list[str]) -> int:
    match arguments:
        case ["scenario", path]:
            sys.stdout.write(scenario_text(from_itf(json.loads(Path(path).read_text()))))
        case ["replay", module, *paths]:
            write_replay(Path(module), [Path(path) for path in paths])
        case ["all", quint]:
            return write_or_check(make_all([os.path.abspath(quint)]), check=False)
        case ["all", quint, "--check"]:
            return write_or_check(make_all([os.path.abspath(quint)]), check=True)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Malformed as error:
        sys.exit(f"error: {error}")
