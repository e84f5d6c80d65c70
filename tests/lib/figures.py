"""docs/metrics.md as a judge of what programs show at /metrics."""
from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from .tools import ROOT

FILE = ROOT / "docs" / "metrics.md"
PROGRAMS = ("gateway", "oracle", "cluster", "node")
# What a world shows that has such a thing, and the tests that look at one.
ELSEWHERE = {
    "caisson_ledger_": "a bridge's ledger: e2e/test_ledger_records, oracle/test_ledger",
    "caisson_peer_attested": "peers whose enclaves are looked at: attested/test_peers",
    "caisson_peer_evidence_": "a peer's evidence that ends, which simulated evidence does not: unit/gateway/test_attested_state.c has when",
    "caisson_registration_": "a register of enclaves: e2e/test_bridge_registration, e2e/test_oracle_ledger_time",
    "caisson_cluster_certificate_": "a worker of a cluster: cluster/test_cluster",
    "caisson_chain_providers_voting": "a chain whose blocks providers name: e2e/test_quorum, oracle/test_quorum",
}
ROW = re.compile(r"\| `(caisson_\w+)` \| (\w+) \| (\S+) \| ([^|]*?) ?\| ([\w, ]+) \| .+ \|$")


class Mismatch(AssertionError):
    """A figure that is not as the page has it."""


class Figure(NamedTuple):
    kind: str
    unit: str | None
    labels: frozenset[str]


def shown(text: str) -> dict[str, tuple[str, set[frozenset[str]]]]:
    """Of an exposition, by family: its type, and the names of the labels that its samples have."""
    found: dict[str, tuple[str, set[frozenset[str]]]] = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            found[name] = (kind, set())
        elif line and not line.startswith("#"):
            name, labels = re.match(r"(\w+)(?:\{(.*)\})? \S+$", line).groups()
            family = name if name in found else re.sub(r"_(bucket|sum|count)$", "", name)
            found[family][1].add(frozenset(re.findall(r'(\w+)="(?:[^"\\]|\\.)*"', labels or "")) - {"le"})
    return found


class Page:
    def __init__(self, text: str):
        self.of: dict[str, dict[str, Figure]] = {program: {} for program in PROGRAMS}
        for line in text.splitlines():
            if not line.startswith("| `caisson_"):
                continue
            row = ROW.match(line)
            if row is None:
                raise Mismatch(f"no row of a figure: {line}")
            name, kind, unit, labels, programs = row.groups()
            for program in programs.split(", "):
                if name in self.of[program]:
                    raise Mismatch(f"{name} of {program} is there twice")
                self.of[program][name] = Figure(kind, None if unit == "–" else unit, frozenset(filter(None, labels.split(", "))))

    def names(self) -> set[str]:
        return set().union(*self.of.values())

    def check(self, program: str, text: str) -> None:
        """Mismatch unless every family of ours is a row, with its type and its labels."""
        for name, (kind, labels) in shown(text).items():
            if not name.startswith("caisson_"):
                continue
            figure = self.of[program].get(name)
            if figure is None:
                raise Mismatch(f"{program} shows {name}, which docs/metrics.md does not have")
            if kind != figure.kind or not labels <= {figure.labels}:
                raise Mismatch(f"{program} shows {name} as {kind} of {[sorted(one) for one in labels]}: docs/metrics.md has {figure}")

    def check_shown(self, program: str, text: str, prefix: str = "") -> None:
        """The same, and every row of the program whose name begins so has a sample; without a prefix all but those of ELSEWHERE."""
        self.check(program, text)
        left_out = () if prefix else tuple(ELSEWHERE)
        wanted = {name for name in self.of[program] if name.startswith(prefix) and not name.startswith(left_out)}
        missing = wanted - {name for name, (_, labels) in shown(text).items() if labels}
        if missing or not wanted:
            raise Mismatch(f"{program} does not show {sorted(missing)}")


@cache
def page() -> Page:
    return Page(FILE.read_text())
