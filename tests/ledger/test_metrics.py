"""Figures for Prometheus: what a running network shows has CometBFT's names, kinds and labels, and its values are true; a real
CometBFT, where there is one, is asked for its own."""
from __future__ import annotations

import re
import urllib.error
import urllib.request

import pytest

from ledger.net import Network, run
from lib import cometbft, figures
from lib.rpc import wait_for
from lib.tools import free_ports

# What our nodes share with CometBFT v0.38: kind, and the labels beside chain_id. Taken from the metrics.go of its packages.
SHARED = {
    "abci_connection_method_timing_seconds": ("histogram", {"method", "type"}),
    "blocksync_syncing": ("gauge", set()),
    "consensus_block_interval_seconds": ("histogram", set()),
    "consensus_block_size_bytes": ("gauge", set()),
    "consensus_byzantine_validators": ("gauge", set()),
    "consensus_byzantine_validators_power": ("gauge", set()),
    "consensus_chain_size_bytes": ("counter", set()),
    "consensus_height": ("gauge", set()),
    "consensus_latest_block_height": ("gauge", set()),
    "consensus_missing_validators": ("gauge", set()),
    "consensus_missing_validators_power": ("gauge", set()),
    "consensus_num_txs": ("gauge", set()),
    "consensus_proposal_create_count": ("counter", set()),
    "consensus_proposal_receive_count": ("counter", {"status"}),
    "consensus_round_duration_seconds": ("histogram", set()),
    "consensus_rounds": ("gauge", set()),
    "consensus_step_duration_seconds": ("histogram", {"step"}),
    "consensus_total_txs": ("gauge", set()),
    "consensus_validator_last_signed_height": ("gauge", {"validator_address"}),
    "consensus_validator_power": ("gauge", {"validator_address"}),
    "consensus_validators": ("gauge", set()),
    "consensus_validators_power": ("gauge", set()),
    "mempool_failed_txs": ("counter", set()),
    "mempool_size": ("gauge", set()),
    "mempool_size_bytes": ("gauge", set()),
    "mempool_tx_size_bytes": ("histogram", set()),
    "p2p_message_receive_bytes_total": ("counter", {"message_type"}),
    "p2p_message_send_bytes_total": ("counter", {"message_type"}),
    "p2p_peers": ("gauge", set()),
    "state_block_processing_time": ("histogram", set()),
}
# The same, where CometBFT shows a family only once it has happened.
SELDOM = {
    "consensus_validator_missed_blocks": ("gauge", {"validator_address"}),
    "consensus_vote_extension_receive_count": ("counter", {"status"}),
    "mempool_evicted_txs": ("counter", set()),
    "mempool_recheck_times": ("counter", set()),
    "mempool_rejected_txs": ("counter", set()),
    "state_consensus_param_updates": ("counter", set()),
    "state_validator_set_updates": ("counter", set()),
}


class Scraped:
    """One answer of /metrics: kinds by family, values by family and labels."""

    LINE = re.compile(r'([a-z_0-9]+)(?:\{(.*)\})? (\S+)$')

    def __init__(self, port: int):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
            assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
            self.text = text = answer.read().decode()
        self.kinds, self.values, self.labels = {}, {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                self.kinds[name] = kind
            elif not line.startswith("#"):
                name, labels, value = self.LINE.match(line).groups()
                pairs = dict(re.findall(r'([A-Za-z_]+)="((?:[^"\\]|\\.)*)"', labels or ""))
                pairs.pop("chain_id", None)
                family = name if name in self.kinds else re.sub(r"_(bucket|sum|count)$", "", name)
                self.labels.setdefault(family, set()).update(set(pairs) - {"le"})
                self.values[name, tuple(sorted(pairs.items()))] = float(value)

    def value(self, name: str, **labels: str) -> float:
        return self.values[f"cometbft_{name}", tuple(sorted(labels.items()))]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    ports = iter(free_ports(4))
    shown = []

    def change(text: str) -> str:
        """Figures of all but the last node."""
        shown.append(next(ports))
        on = "true" if len(shown) < 4 else "false"
        return re.sub(r'prometheus = false\nprometheus_listen_addr = "[^"]*"',
                      f'prometheus = {on}\nprometheus_listen_addr = "127.0.0.1:{shown[-1]}"', text)

    with Network(tmp_path_factory.mktemp("ledger"), 4, change=change) as net:
        net.wait_height(3)
        yield net, shown


def test_names_kinds_and_labels(network):
    net, ports = network
    assert net.nodes[0].commit(b"metrics=1")["tx_result"]["code"] == 0
    scraped = Scraped(ports[0])
    for name, (kind, labels) in {**SHARED, **SELDOM}.items():
        assert scraped.kinds[f"cometbft_{name}"] == kind, name
        if f"cometbft_{name}" in scraped.labels:
            assert scraped.labels[f"cometbft_{name}"] == labels, name
    others = {name for name in scraped.kinds if name.removeprefix("cometbft_") not in {**SHARED, **SELDOM}}
    assert others == figures.page().of["node"].keys()
    figures.page().check_shown("node", scraped.text, "caisson_ledger_")


def test_a_real_cometbft_has_them_too(tmp_path_factory):
    """Our list is CometBFT's own."""
    port = free_ports(1)[0]
    real = cometbft.Network(tmp_path_factory.mktemp("cometbft"), ["kvstore", "kvstore"])
    path = real.nodes[0].home / "config" / "config.toml"
    text = cometbft.set_option(path.read_text(), "instrumentation", "prometheus", "true")
    path.write_text(cometbft.set_option(text, "instrumentation", "prometheus_listen_addr", f'"127.0.0.1:{port}"'))
    with real:
        real.wait_height(2)
        real.nodes[0].commit(b"metrics=1")
        assert real.nodes[0].send(b"no pair") != 0

        def all_there():
            scraped = Scraped(port)
            return all(f"cometbft_{name}" in scraped.kinds for name in SHARED) and scraped

        scraped = wait_for(all_there, 60, "every family of CometBFT's")
        for name, (kind, labels) in SHARED.items():
            assert scraped.kinds[f"cometbft_{name}"] == kind, name
            assert scraped.labels[f"cometbft_{name}"] == labels, name


def test_values_are_true(network):
    net, ports = network
    node = net.nodes[1]
    before = Scraped(ports[1])
    assert node.commit(b"values=true")["tx_result"]["code"] == 0
    assert node.call("broadcast_tx_sync", tx="bm8gcGFpcg==")["code"] != 0
    height = node.height()
    after = Scraped(ports[1])
    assert after.value("consensus_latest_block_height") >= height
    assert after.value("consensus_height") > after.value("consensus_latest_block_height") - 1
    assert after.value("consensus_validators") == 4 and after.value("consensus_validators_power") == 4
    assert after.value("p2p_peers") == 3
    assert after.value("consensus_total_txs") == before.value("consensus_total_txs") + 1
    assert after.value("mempool_failed_txs") == before.value("mempool_failed_txs") + 1
    assert after.value("mempool_tx_size_bytes_count") == before.value("mempool_tx_size_bytes_count") + 1
    assert after.value("mempool_tx_size_bytes_sum") == before.value("mempool_tx_size_bytes_sum") + len(b"values=true")
    finalized = after.value("abci_connection_method_timing_seconds_count", method="finalize_block", type="sync")
    assert finalized == after.value("state_block_processing_time_count") > 0
    for kind in ("consensus_Vote", "consensus_BlockPart", "consensus_Proposal"):
        assert after.value("p2p_message_send_bytes_total", message_type=kind) > 0
        assert after.value("p2p_message_receive_bytes_total", message_type=kind) > 0
    assert after.value("p2p_message_send_bytes_total", message_type="mempool_Txs") > 0
    address = node.call("status")["validator_info"]["address"]
    wait_for(lambda: Scraped(ports[1]).value("consensus_validator_last_signed_height", validator_address=address) >= height, 60,
             "an own signature in a later commit")
    # A histogram's buckets rise to its count.
    name = "cometbft_consensus_block_interval_seconds"
    buckets = [value for (family, _), value in after.values.items() if family == f"{name}_bucket"]
    assert buckets == sorted(buckets) and buckets[-1] == after.values[f"{name}_count", ()] > 0


def test_who_is_missing(network):
    net, ports = network
    net.nodes[3].kill()
    try:
        wait_for(lambda: Scraped(ports[0]).value("consensus_missing_validators") == 1, 60, "a commit without the fourth")
        scraped = Scraped(ports[0])
        assert scraped.value("consensus_missing_validators_power") == 1 and scraped.value("p2p_peers") == 2
    finally:
        net.nodes[3].start()
    net.nodes[3].wait_height(net.nodes[0].height())


def test_what_is_refused(network):
    net, ports = network
    for path, status in (("/", 404), ("/status", 404), ("/metrics/x", 404)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}{path}", timeout=20)
        assert refused.value.code == status
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/metrics", b"x", timeout=20)
    assert refused.value.code == 405
    # Off is off.
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{ports[3]}/metrics", timeout=20)


@pytest.mark.parametrize("key,value", [("prometheus_listen_addr", "localhost"), ("prometheus_listen_addr", "unix:///x"),
                                       ("prometheus_listen_addr", "127.0.0.1:70000"), ("namespace", "Comet"), ("namespace", "1a"),
                                       ("namespace", "")])
def test_configurations_that_are_refused(tmp_path, key, value):
    made = run("init", "--home", str(tmp_path / "home"))
    assert made.returncode == 0
    path = tmp_path / "home" / "config" / "config.toml"
    text = re.sub(r"prometheus_listen_addr = .*\n", "", path.read_text())
    path.write_text(text + f'{key} = "{value}"\n')
    refused = run("start", "--home", str(tmp_path / "home"))
    assert refused.returncode == 1 and f"instrumentation.{key}" in refused.stderr
