"""docs/metrics.md beside the source, the rules, the dashboard and the other pages: a figure without its row is found out, and a row
without its figure. What running programs show is held against it wherever a test reads it (lib/figures)."""
from __future__ import annotations

import re

import pytest

from lib import figures
from lib.tools import ROOT

# Whose code shows what stands there.
FOLDERS = {"gateway": {"gateway"}, "oracle": {"oracle"}, "relay_state/client": {"gateway", "oracle"}, "relay_state/node": {"node"}, "cluster": {"cluster"}}
# Names of ours in the source that are no figures.
OTHER_NAMES = {"caisson_journal": "the first line of an export", "caisson_time": "a method of the node", "caisson_report": "a claim of evidence"}
UNITS = {"seconds", "bytes", "blocks", "ratio"}
# Where people read names of figures; docs/adr has what was decided once, docs/reports what was found.
READ = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "protocol").glob("*.md")),
        ROOT / "docker" / "prometheus" / "alerts.yml", ROOT / "docker" / "grafana" / "caisson.json"]
# Where other names of ours come from: the SDKs, the proxy's configuration, the node's RPC, evidence.
SOURCES = ["docker", "relay_state/node", "sdk", "verify"]


def in_source() -> dict[str, set[str]]:
    """Names in quotes by the programs whose code has them."""
    found: dict[str, set[str]] = {program: set() for program in figures.PROGRAMS}
    for folder, programs in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            names = set(re.findall(r'"(caisson_[a-z0-9_]+)"', path.read_text()))
            for program in programs:
                found[program] |= names - OTHER_NAMES.keys()
    return found


@pytest.mark.parametrize("program", figures.PROGRAMS)
def test_the_page_has_what_the_source_has(program):
    """Both ways: what the folders of two programs share is of both."""
    source, rows = in_source()[program], figures.page().of[program].keys()
    assert source - rows == set(), f"without a row in docs/metrics.md, of {program}"
    assert rows - source == set(), f"rows of docs/metrics.md that nobody of {program} shows"


def test_the_nodes_page_has_its_names_of_cometbft():
    """Those behind the namespace; what they are is compared with a real CometBFT's in ledger/test_metrics."""
    rows = re.findall(r"^\| `(\w+_)` \| (.*) \|$", (ROOT / "docs" / "ledger-node.md").read_text().split("\n## Figures\n")[1].split("\n## ")[0], re.M)
    told = {prefix + name for prefix, cell in rows for name in re.findall(r"`(\w+)`", re.sub(r"\{[^}]*\}", "", cell))}
    prefixes = "|".join(prefix for prefix, _ in rows)
    assert told == set(re.findall(rf'"(?:%s_)?((?:{prefixes})[a-z_]+)"', (ROOT / "relay_state" / "node" / "metrics.c").read_text())) and len(rows) == 6


def test_figures_are_made_nowhere_else():
    """A family's name is a whole literal: another folder that makes one has to be named above."""
    for path in sorted(ROOT.glob("*/**/*.c")):
        top = path.relative_to(ROOT)
        if "host_metrics_series(" in path.read_text() and not top.is_relative_to("build") and not top.is_relative_to("tests"):
            assert top.is_relative_to("host") or any(top.is_relative_to(folder) for folder in FOLDERS), path


@pytest.mark.parametrize("name", sorted(figures.page().names()))
def test_names_end_in_their_unit_and_counters_in_total(name):
    for figure in (of[name] for of in figures.page().of.values() if name in of):
        assert (figure.kind == "counter") == name.endswith("_total"), figure
        assert figure.kind in ("counter", "gauge", "histogram"), figure
        last = name.removesuffix("_total").rsplit("_", 1)[1]
        assert figure.unit == (last if last in UNITS else None), figure
        assert last not in {"ms", "milliseconds", "minutes", "hours", "kib", "mib", "percent"}, "no base unit"


def names_read(text: str) -> set[str]:
    return set(re.findall(r"\bcaisson_[a-z0-9_]*[a-z0-9]\b(?!\*)", text))


def others() -> set[str]:
    """Every name of ours in SOURCES that is no figure: functions of an SDK, variables of nginx."""
    paths = [path for folder in SOURCES for path in (ROOT / folder).rglob("*") if path.suffix in (".c", ".h", ".conf", ".py", ".ts", ".txt")]
    return set().union(*(re.findall(r"\bcaisson_\w+", path.read_text()) for path in paths)) - figures.page().names()


def test_what_people_read_is_shown():
    """A name in a page, an alarm or the dashboard is a figure, or another name that the source has."""
    known = figures.page().names() | others()
    assert {path.name: wrong for path in READ if (wrong := names_read(path.read_text()) - known)} == {}


def test_every_test_elsewhere_is_there():
    for prefix, told in figures.ELSEWHERE.items():
        paths = re.findall(r"\w+/test_\w+(?!\w|\.c)", told)
        units = re.findall(r"unit/\w+/test_\w+\.c", told)
        assert paths or units, told
        assert all((ROOT / "tests" / unit).exists() for unit in units), told
        for path in paths:
            assert f'shows_all("{prefix}")' in (ROOT / "tests" / f"{path}.py").read_text(), path


# ---- the judge ----

PAGE = """| `caisson_ends_total` | counter | – | chain, of | gateway | ends |
| `caisson_age_seconds` | gauge | seconds | | gateway, oracle | age |
"""
GOOD = '# HELP caisson_ends_total ends\n# TYPE caisson_ends_total counter\ncaisson_ends_total{chain="a\\"b",of="x"} 1\n# TYPE caisson_age_seconds gauge\ncaisson_age_seconds 2\n'


def test_what_is_as_the_page_has_it():
    page = figures.Page(PAGE)
    page.check_shown("gateway", GOOD)
    page.check("oracle", GOOD.split("counter\n")[1].split("\n", 1)[1])


@pytest.mark.parametrize("program, old, new", [
    ("gateway", "", "# TYPE caisson_new gauge\ncaisson_new 1\n"), ("gateway", "_total counter", "_total gauge"), ("gateway", ',of="x"', ""),
    ("gateway", "seconds 2", 'seconds{peer="p"} 2'), ("gateway", "# TYPE caisson_age_seconds gauge\ncaisson_age_seconds 2\n", ""),
    ("gateway", "caisson_age_seconds 2\n", ""), ("oracle", "", "")])
@pytest.mark.parametrize("prefix", ["", "caisson_"])
def test_what_is_not_is_refused(program, old, new, prefix):
    with pytest.raises(figures.Mismatch):
        figures.Page(PAGE).check_shown(program, GOOD.replace(old, new) if old else GOOD + new, prefix)


def test_a_prefix_that_nothing_has_is_refused():
    with pytest.raises(figures.Mismatch):
        figures.Page(PAGE).check_shown("gateway", GOOD, "caisson_b")


@pytest.mark.parametrize("text", [PAGE + PAGE, "| `caisson_age_seconds` | gauge | seconds |", "| `caisson_a` | gauge | – | | gateway | |"])
def test_pages_that_are_refused(text):
    with pytest.raises(figures.Mismatch):
        figures.Page(text)
