"""Debian's Prometheus, scraping a bridge: every query of the rules, the dashboard and the operator's page is run, every figure that they
name is there, and what is counted is the journal's."""
from __future__ import annotations

import json
import re
import shutil
import sqlite3
import urllib.parse
import urllib.request

import pytest

from lib import figures
from lib.proc import Process
from lib.rpc import wait_for
from lib.tools import ROOT, Missing, free_ports
from lib.world import END_TIMEOUT_S, World

FOLDER = ROOT / "docker" / "prometheus"


def rules() -> list[str]:
    return re.findall(r"^ +expr: (.*)$", (FOLDER / "alerts.yml").read_text(), re.M)


def page() -> list[str]:
    blocks = re.findall(r"```promql\n(.*?)```", (ROOT / "docs" / "operating.md").read_text(), re.S)
    return [line for block in blocks for line in block.splitlines()]


def dashboard() -> list[str]:
    board = json.loads((ROOT / "docker" / "grafana" / "caisson.json").read_text())
    return [target["expr"].replace("$instance", ".*") for panel in board["panels"] for target in panel["targets"]]


class Prometheus:
    def __init__(self, folder, targets: list[str]):
        program = shutil.which("prometheus")
        if program is None:
            raise Missing("prometheus", "script/install test brings it")
        (folder / "alerts.yml").write_text((FOLDER / "alerts.yml").read_text())
        text = (FOLDER / "prometheus.yml").read_text().replace("15s", "1s")
        (folder / "prometheus.yml").write_text(re.sub(r"targets: .*", f"targets: {json.dumps(targets)}", text))
        self.port = free_ports(1)[0]
        self.process = Process([program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
                                f"--web.listen-address=127.0.0.1:{self.port}"], folder / "prometheus.log", cwd=folder)

    def ask(self, path: str, **query):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=30) as reply:
            answer = json.loads(reply.read())
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[dict]:
        return self.ask("query", query=expression)["result"]

    def is_up(self, count: int) -> bool:
        self.process.check()
        try:
            return len([r for r in self.query("up == 1")]) == count
        except OSError:
            return False


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    if shutil.which("prometheus") is None:
        raise Missing("prometheus", "script/install test brings it")
    with World(tmp_path_factory.mktemp("prometheus"), "anvil", block_time=0.5) as w:
        for source in (0, 1):
            w.gateways[source].ends(w.send(b"counted", source=source))
        yield w


@pytest.fixture(scope="module")
def prometheus(world, tmp_path_factory):
    server = Prometheus(tmp_path_factory.mktemp("server"), [f"127.0.0.1:{g.port}" for g in world.gateways])
    with server.process:
        wait_for(lambda: server.is_up(2), 60, "both gateways in Prometheus")
        yield server


@pytest.mark.parametrize("which", [rules, page, dashboard])
def test_every_query_runs_and_names_what_is_there(prometheus, which):
    queries = which()
    assert len(queries) >= 7
    # A call was paid for, and its account was looked at since.
    wait_for(lambda: len(prometheus.query("caisson_account_calls")) == 2, END_TIMEOUT_S, "the price of a call")
    for query in queries:
        prometheus.query(query)
        names = set(re.findall(r"\bcaisson_\w+", query))
        for name in names:
            assert name.startswith(tuple(figures.ELSEWHERE)) or prometheus.query(name) != [], f"{query}: nobody exports {name}"


def test_every_figure_of_the_page_is_there(world, prometheus):
    """docs/metrics.md has no more than gateways show; each /metrics that a test reads shows that it has no less."""
    wait_for(lambda: len(prometheus.query("caisson_account_calls")) == 2, END_TIMEOUT_S, "the price of a call")
    for gateway in world.gateways:
        gateway.shows_all()


def test_the_dashboard_shows_where_the_time_goes(world, prometheus):
    """Each step that the finalized messages took after their first, as the gateways tell them."""
    queries = [query for query in dashboard() if "caisson_message_step_seconds" in query]
    assert len(queries) == 2
    took = set()
    for gateway in world.gateways:
        for row in gateway.get("/v1/messages", state="finalized", side="source")["messages"]:
            steps = gateway.get(f"/v1/messages/{row['id']}?side=source")["steps"]
            took |= {step["name"] for step in [s for s in steps if "t_ms" in s][1:]}
    assert {"message_signed", "delivery_included", "client_notified"} <= took
    for query in queries:
        wait_for(lambda q=query: {row["metric"]["step"] for row in prometheus.query(q)} == took, 30, query)
        assert all(float(row["value"][1]) >= 0 for row in prometheus.query(query))


def test_a_query_that_is_wrong_is_found_out(prometheus):
    with pytest.raises(OSError):
        prometheus.query("sum by (chain) (caisson_messages")
    assert prometheus.query("caisson_no_such_figure") == []


def test_rules_are_loaded_and_only_what_is_true_rings(world, prometheus):
    loaded = [rule["name"] for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert sorted(loaded) == sorted(re.findall(r"- alert: (\w+)", (FOLDER / "alerts.yml").read_text()))
    firing = wait_for(lambda: {a["labels"]["alertname"] for a in prometheus.ask("alerts")["alerts"] if a["state"] == "firing"}, 30, "an alarm")
    assert firing == {"CaissonInsecure"}, "a simulated enclave, and nothing else"


def test_what_is_counted_is_the_journals(world, prometheus):
    """Also after a kill: nothing is added up beside the journal."""
    gateway = world.gateways[0]

    def shown() -> dict:
        rows = prometheus.query(f'caisson_messages{{instance="127.0.0.1:{gateway.port}"}} > 0')
        return {(r["metric"]["side"], r["metric"]["state"]): int(r["value"][1]) for r in rows}

    def written() -> dict:
        with sqlite3.connect(f"file:{gateway.folder / 'journal.db'}?mode=ro", uri=True) as journal:
            states = dict(re.findall(r'^RELAY_STATE\(\w+, (\d+), "(\w+)"', (ROOT / "relay_state/relay/states.def").read_text(), re.M))
            rows = journal.execute("SELECT side, state, count(*) FROM messages GROUP BY side, state").fetchall()
        return {({1: "source", 2: "destination"}[side], states[str(state)]): count for side, state, count in rows}

    wait_for(lambda: shown() == written() != {}, 30, "the journal's counts")
    gateway.kill()
    gateway.start()
    wait_for(gateway.healthy, END_TIMEOUT_S, "its health")
    wait_for(lambda: shown() == written() != {}, 30, "the same after a kill")


def test_no_key_of_a_provider_is_in_a_figure(world):
    """An endpoint's figures have its scheme, host and port alone."""
    text = world.gateways[0].request("GET", "/metrics")[1]
    urls = set(re.findall(r'caisson_endpoint_\w+{[^}]*url="([^"]*)"', text))
    assert urls and all(re.fullmatch(r"(http|ws)://127\.0\.0\.1:\d+", url) for url in urls), urls
