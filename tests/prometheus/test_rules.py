"""The alarms of docker/prometheus/alerts.yml under Debian's promtool: each one rings when it must, and not a moment before."""
from __future__ import annotations

import json
import re
import shutil
import subprocess

from lib.tools import ROOT, Missing

FOLDER = ROOT / "docker" / "prometheus"
ALERTS = re.findall(r"- alert: (\w+)", (FOLDER / "alerts.yml").read_text())
ROUTE = 'instance="g",chain="a",remote="b",side="source"'
CHAIN = 'instance="g",chain="a"'
POINT = 'instance="g",chain="a",endpoint="0",url="http://n"'
REGISTERED = 'instance="g",of="own",chain="a"'
ACCOUNT = 'instance="g",chain="a",account="gas"'

# By alert: series that ring it at the minute, and the same ones a little better, which do not.
CASES = {
    "CaissonMessageStuck": (20, {f'caisson_message_oldest_age_seconds{{{ROUTE},state="signed"}}': ("0+60x30", "890x30")}),
    "CaissonMessagesFailed": (5, {f'caisson_messages{{{ROUTE},state="failed"}}': ("2x30", "0x30")}),
    "CaissonMessagesHeld": (15, {f'caisson_messages_held{{{ROUTE},reason="no-funds"}}': ("1x30", "1x3 0x30")}),
    "CaissonSlow": (15, {'caisson_message_latency_seconds{instance="g",chain="a",remote="b",until="delivered",quantile="0.99"}': ("700x30", "500x30")}),
    "CaissonGatewayDown": (5, {'up{job="caisson",instance="g"}': ("0x30", "1x30")}),
    "CaissonChainNotReady": (5, {f"caisson_chain_ready{{{CHAIN}}}": ("0x30", "1x30")}),
    "CaissonPeerAway": (10, {'caisson_peer_reachable{instance="g",peer="h"}': ("0x30", "0x3 1x30")}),
    "CaissonPeerNotAttested": (10, {'caisson_peer_attested{instance="g",peer="h",state="refused"}': ("1x30", "0x30"), 'caisson_peer_attested{instance="g",peer="h",state="unknown"}': ("0x30", "1x3 0x30"), 'caisson_peer_attested{instance="g",peer="h",state="accepted"}': ("0x30", "0x3 1x30")}),
    "CaissonPeerEvidenceEnds": (15, {'caisson_peer_evidence_expires_timestamp_seconds{instance="g",peer="h"}': ("518400x30", "608400x30")}),
    "CaissonChainStalled": (5, {f"caisson_chain_stalled_seconds{{{CHAIN}}}": ("60+60x30", "0x30")}),
    "CaissonClientStands": (5, {f"caisson_chain_client_stands_seconds{{{CHAIN}}}": ("0+60x30", "0x2 59x30")}),
    "CaissonFinalityBehind": (15, {f"caisson_chain_head_height{{{CHAIN}}}": ("1000x30", "1000x30"), f"caisson_chain_final_height{{{CHAIN}}}": ("700x30", "900x30")}),
    "CaissonClientEnds": (15, {f"caisson_chain_client_expires_timestamp_seconds{{{CHAIN}}}": ("40000x30", "87000+60x30"), f"caisson_chain_trusting_period_seconds{{{CHAIN}}}": ("86400x30", "86400x30")}),
    "CaissonNoEndpoint": (5, {f"caisson_endpoint_up{{{POINT}}}": ("0x30", "1x30"),
                              'caisson_endpoint_up{instance="g",chain="a",endpoint="1",url="ws://n"}': ("1x30", "1x30")}),
    "CaissonEndpointDown": (15, {f"caisson_endpoint_up{{{POINT}}}": ("0x30", "0x5 1x30")}),
    "CaissonEndpointLies": (5, {f"caisson_endpoint_lies_total{{{POINT}}}": ("0+1x30", "7x30"), f"caisson_endpoint_diverged_total{{{POINT}}}": ("0x30", "0x30")}),
    "CaissonEndpointLimited": (20, {f"caisson_endpoint_limited_total{{{POINT}}}": ("0+60x30", "0+6x30")}),
    "CaissonEndpointSlow": (15, {f'caisson_endpoint_answer_seconds{{{POINT},quantile="0.95"}}': ("1.2x30", "0.9x30"),
                                 f'caisson_endpoint_answer_seconds{{{POINT},quantile="0.99"}}': ("1.2x30", "5x30")}),
    "CaissonHedgesSpent": (20, {f"caisson_endpoint_unhedged_total{{{POINT}}}": ("0+6x30", "0+2x30")}),
    "CaissonAccountLow": (5, {f"caisson_account_low{{{ACCOUNT}}}": ("1x30", "0x30")}),
    "CaissonAccountEmptyInADay": (120, {f"caisson_account_balance{{{ACCOUNT}}}": ("1000-1x130", "100000-1x130")}),
    "CaissonBalanceUnknown": (12, {f"caisson_account_balance_age_seconds{{{ACCOUNT}}}": ("301+60x30", "15x30")}),
    "CaissonInsecure": (1, {'caisson_enclave_insecure{instance="g",flag="simulated_backend"}': ("1x30", "0x30"), 'caisson_enclave_insecure{instance="g",flag="any"}': ("1x30", "0x30")}),
    "CaissonChainFrozen": (1, {f"caisson_chain_frozen{{{CHAIN}}}": ("1x30", "0x30")}),
    "CaissonChainDiverged": (3, {f"caisson_chain_diverged{{{CHAIN}}}": ("1x30", "0x30")}),
    "CaissonReorgHeld": (4, {f"caisson_chain_reorg_held_blocks{{{CHAIN}}}": ("70x30", "0x30")}),
    "CaissonEnclaveDoesNotSign": (5, {'caisson_enclave_signs{instance="g"}': ("0x30", "1x30")}),
    "CaissonFewProviders": (10, {f"caisson_chain_providers_voting{{{CHAIN}}}": ("1x30", "2x30")}),
    # Time begins at 0 here: six days from then on, and a week and an hour.
    "CaissonRegistrationEnds": (15, {f"caisson_registration_expires_timestamp_seconds{{{REGISTERED}}}": ("518400x30", "608400x30")}),
    "CaissonRegistrationInactive": (5, {f"caisson_registration_active{{{REGISTERED}}}": ("0x30", "0x1 1x30")}),
    "CaissonClusterCertificateEnds": (55, {'caisson_cluster_certificate_expires_timestamp_seconds{instance="w",role="worker"}': ("3600x120", "3600x31 5400x90"), 'caisson_cluster_certificate_life_seconds{instance="w",role="worker"}': ("3600x120", "3600x120")}),
    "CaissonLedgerConflict": (1, {'caisson_ledger_conflicts{instance="g"}': ("1x30", "0x30")}),
    "CaissonLedgerNotWritten": (15, {'caisson_ledger_backlog{instance="g"}': ("5x30", "5x30"), 'caisson_ledger_writing{instance="g"}': ("0x30", "1x30")}),
}


# It makes a database for each case, fifty in a run: 2 s of computing, which took 25 s on a busy machine.
PROMTOOL_S = 400


def promtool(*args) -> subprocess.CompletedProcess:
    program = shutil.which("promtool")
    if program is None:
        raise Missing("prometheus", "script/install test brings promtool")
    return subprocess.run([program, *map(str, args)], capture_output=True, text=True, timeout=PROMTOOL_S)


def test_rules_and_configuration_are_sound():
    assert promtool("check", "rules", FOLDER / "alerts.yml").returncode == 0
    made = promtool("check", "config", FOLDER / "prometheus.yml")
    assert made.returncode == 0, made.stdout + made.stderr


def test_every_alarm_has_a_case_and_a_line_of_what_to_do():
    assert sorted(CASES) == sorted(ALERTS)
    page = (ROOT / "docs" / "operating.md").read_text()
    assert [name for name in ALERTS if f"| `{name}` |" not in page] == []


def run(folder, expected) -> subprocess.CompletedProcess:
    """All cases under promtool: expected(0) alarms where it must ring, expected(1) where it must not."""
    tests = []
    for name, (minute, series) in CASES.items():
        query = f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) or vector(0)'
        for which in (0, 1):
            tests.append({"interval": "1m", "input_series": [{"series": key, "values": values[which]} for key, values in series.items()],
                          "promql_expr_test": [{"expr": query, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": expected(which)}]}]})
    file = folder / "tests.json"
    file.write_text(json.dumps({"rule_files": [str(FOLDER / "alerts.yml")], "evaluation_interval": "1m", "tests": tests}))
    return promtool("test", "rules", file)


def test_each_rings_and_is_silent(tmp_path):
    made = run(tmp_path, lambda which: 1 - which)
    assert made.returncode == 0, made.stdout + made.stderr


def test_promtool_does_not_agree_with_everything(tmp_path):
    """The same cases with the opposite expected: every one of them is found out."""
    made = run(tmp_path, lambda which: which)
    text = made.stdout + made.stderr
    assert made.returncode != 0 and [name for name in CASES if text.count(f'{name}\\"') < 2] == [], text
