"""Runs every benchmark and prints the table of docs/performance.md. Called by script/bench."""
from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "tools")]
import answers  # noqa: E402
import api  # noqa: E402
import attest  # noqa: E402
import end_to_end  # noqa: E402
import fetch as https  # noqa: E402
import key_cluster  # noqa: E402
import load  # noqa: E402
import registrations  # noqa: E402
import validators  # noqa: E402
from lib.enclave import Enclave  # noqa: E402
from lib.tools import ROOT, find_build  # noqa: E402

RATIO_VERIFY_MIN = 0.6
RATIO_ROUND_TRIP_MAX = 1.5
RATIO_COMMIT_MAX = 1.2
RATIO_QUOTE_MAX, QUOTE_KEPT_MAX = 1.15, 5
RATLS_ADDED_AIM_US = 1000
BURST_AIM_PER_S = 300
CPU_AIM_MS = 1.5
INCLUDED_AIM_MS = 1050
BEYOND_AIM_MS = (50, 400)
CALLBACK_AIM_BLOCKS, SIGNED_AIM_PER_S = 2, 3000
GAS_AIMS = {"fulfil": ("gas: fulfil one answer, first in a word, before the callback", 75_000), "feed": ("gas: a feed's round", 45_000),
            "feed_further": ("gas: each further feed in the same call", 12_000)}
FETCH_ADDED_AIM_US, FETCH_DELAYED_AIM, FETCH_FRESH_AIM, FETCH_RATE_AIM = 200, 1.10, 1.5, 3000


def say(text: str) -> None:
    print(f"-- {text}", flush=True)


def machine() -> dict:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {"cpu": model.group(1).strip() if model else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release(),
            "load": [round(os.getloadavg()[0], 2)]}  # of the minute before; the one at the end is added


def commit() -> str:
    run = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--exclude=*"], capture_output=True, text=True)
    return run.stdout.strip() or "unknown"


def program(name: str, *arguments: str, text: str = "") -> dict:
    argv = [find_build() / "bench" / name, *arguments]
    return json.loads(subprocess.run(argv, input=text, capture_output=True, text=True, check=True).stdout)


def median_run(rows: list[dict], key: str) -> dict:
    return sorted(rows, key=lambda r: r[key])[len(rows) // 2]


def micro(runs: int) -> dict:
    result = {"verify": []}
    for transactions in (1, 500):
        say(f"verify and sign, a block of {transactions}")
        proof = subprocess.run([sys.executable, HERE / "proofs.py", str(transactions)], capture_output=True, text=True, check=True).stdout
        result["verify"].append(median_run([program("bench_verify", text=proof) for _ in range(runs)], "ratio"))
    say("a commit of 100 validators")
    result["commit"] = median_run([program("bench_cometbft") for _ in range(runs)], "ratio")
    say("a quote with its collateral")
    result["quote"] = median_run([program("bench_attest", text=attest.bundle()) for _ in range(runs)], "ratio")
    say("handshakes with evidence")
    result["ratls"] = median_run([program("bench_ratls") for _ in range(runs)], "added_us")
    say("registrations of enclaves in a block")
    result["signatures"] = median_run([program("bench_gas") for _ in range(runs)], "ratio")
    result["register"] = program("bench_register", text=registrations.calls())
    say("a key cluster: a join, a thousand renewals")
    with tempfile.TemporaryDirectory(prefix="caisson-bench-") as folder:
        result["cluster"] = key_cluster.run(Path(folder))
    say("round trip to the enclave")
    with tempfile.TemporaryDirectory(prefix="caisson-bench-") as folder, Enclave(Path(folder)) as enclave:
        result["round_trip"] = median_run([program("bench_enclave", str(enclave.path)) for _ in range(runs)], "ratio")
    with tempfile.TemporaryDirectory(prefix="caisson-bench-") as folder:
        result["fetch"] = https.run(Path(folder), say)
    return result


def fetch_rows(fetch: dict) -> list[str]:
    """HTTPS from inside the sandbox against plain libcurl, in turns on the same nginx."""
    def pair(part: dict, which: str) -> str:
        mine, plain = part[which], part[f"{which}_plain"]
        return f"{mine['p50_us']:g} / {mine['p99_us']:g} µs; libcurl {plain['p50_us']:g} / {plain['p99_us']:g} µs"

    lines = []
    for name in ("http1", "http2"):
        part = fetch[name]
        lines += [row(f"HTTPS fetch, kept alive, {name}, p50 / p99", f"{pair(part, 'kept_alive')}; {part['added_us']:+g} µs",
                      f"≤ {FETCH_ADDED_AIM_US} µs added", part["added_us"] <= FETCH_ADDED_AIM_US),
                  row(f"… {part['parallel']} at once", f"{part['per_second']}/s; libcurl {part['per_second_plain']}/s", f"≥ {FETCH_RATE_AIM}/s",
                      part["per_second"] >= FETCH_RATE_AIM)]
    delayed, fresh = fetch["delayed"], fetch["http1"]
    return lines + [
        row(f"… round trip of {2 * https.DELAY_MS} ms", f"{pair(delayed, 'kept_alive')}; {delayed['ratio_kept_alive']} ×",
            f"≤ {FETCH_DELAYED_AIM} ×", delayed["ratio_kept_alive"] <= FETCH_DELAYED_AIM),
        row("… fresh connection, session resumed by both", f"{pair(fresh, 'fresh')}; {fresh['ratio_fresh']} ×", f"≤ {FETCH_FRESH_AIM} ×",
            fresh["ratio_fresh"] <= FETCH_FRESH_AIM)]


def cluster_rows(figures: dict) -> list[str]:
    """Real processes of a guard and a key server, with simulated evidence; the workers are one program beside them."""
    join, renew, cpu = figures["join"], figures["renew"], figures["cpu_ms_per_grant"]
    return [row("a worker joins a key cluster: from its challenge to keys that it has checked, p50 / p99",
                f"{join['median_ms']} / {join['p99_ms']} ms", f"p50 ≤ {key_cluster.JOIN_AIM_MS} ms", join["median_ms"] <= key_cluster.JOIN_AIM_MS),
            row(f"{renew['count']} workers renew against one key server, {key_cluster.AT_A_TIME} at a time (the workers on the same cores)",
                f"{renew['per_s']}/s, p50 / p99 {renew['median_ms']} / {renew['p99_ms']} ms; CPU of the enclaves per grant: key server "
                f"{cpu['key_server']} ms, guard {cpu['guard']} ms")]


def api_rows(figures: dict) -> list[str]:
    def rate(part: dict) -> str:
        return (f"{part['per_s']:,}/s, {part['p50_ms']:g} / {part['p99_ms']:g} ms; CPU of the gateway {part['gateway_us']:g} µs "
                f"({part['gateway_cores']:g} cores), of wrk {part['wrk_cores']:g}")

    idle, get, first, post, readers = (figures[name] for name in ("memory_idle", "get", "get_made_anew", "post", "subscribers"))
    return [
        row("memory when idle, gateway and enclave", f"{idle['gateway']:g} and {idle['enclave']:g} MB",
            f"≤ {api.GATEWAY_AIM_MB} and {api.ENCLAVE_AIM_MB} MB", idle["gateway"] <= api.GATEWAY_AIM_MB and idle["enclave"] <= api.ENCLAVE_AIM_MB),
        row(f"GET of a message that has not changed, {get['connections']} connections, p50 / p99", rate(get), f"≥ {api.GET_AIM_PER_S:,}/s",
            get["per_s"] >= api.GET_AIM_PER_S),
        row(f"… of {api.MANY} messages in turn, twice as many as answers are kept: nearly all made anew", rate(first)),
        row(f"POST of a message to prepare, {post['connections']} connections, p50 / p99", rate(post), f"≥ {api.POST_AIM_PER_S:,}/s",
            post["per_s"] >= api.POST_AIM_PER_S),
        row(f"{readers['connected']:,} readers of /v1/events, {readers['events_per_s']:g} events/s each: late, p50 / p99 / last",
            f"{readers['lag_ms']['p50']:g} / {readers['lag_ms']['p99']:g} / {readers['lag_ms']['max']:g} ms; {readers['gateway_cores']:g} cores; "
            f"{readers['idle_mb']:g} → {readers['most_mb']:g} MB, {readers['kb_per_reader']:g} KB a reader",
            f"{api.READERS:,} readers, all of them get everything", readers["complete"] and readers["connected"] == api.READERS)]


def load_rows(figures: dict) -> list[str]:
    lines, all_of = [], figures["sustained"]
    for start in figures["restarts"]:
        lines.append(row(f"a start with {start['messages']:,} messages in {start['blocks']} blocks that nobody has heard of",
                         (f"in the journal after {start['heard_s']:g} s, then killed with {start['unfinished']:,} unfinished: " if "heard_s" in start else "")
                         + f"ready after {start['ready_s']:g} s, all finalized after {start['all_finalized_s']:g} s, {start['beyond_the_blocks_s']:g} s beyond the blocks",
                         f"ready ≤ {load.READY_AIM_S} s" + (f"; ≤ {load.RESTART_BEYOND_AIM_S} s beyond; Hermes: 54.6 s" if start["messages"] <= 500 else ""),
                         start["ready_s"] <= load.READY_AIM_S and (start["messages"] > 500 or start["beyond_the_blocks_s"] <= load.RESTART_BEYOND_AIM_S)))
        if start["live_ms"]:
            lines.append(row("… new messages meanwhile: sent → acknowledged, in their order; old ones that still waited then",
                             ", ".join(f"{ms:,} ms" for ms in start["live_ms"]) + "; " + ", ".join(f"{n:,}" for n in start["old_ones_still_waiting"])))
    memory = "; ".join(f"{m['finalized']:,}: " + ", ".join(f"{v:g}" for k, v in m.items() if k != "finalized") for m in all_of["memory_mb"])
    return lines + [
        row(f"{all_of['messages']:,} messages through one pair of gateways, acknowledged p50 / p99", f"{all_of['per_s']}/s, {both(all_of['send_to_acknowledged_ms'])}; "
            f"CPU {all_of['cpu_ms_per_message']} ms a message; load {all_of['load'][0]:g}"),
        row("… journal per message, at the source and at the destination", " and ".join(f"{n:,}" for n in all_of["journal_bytes_per_message"]) + " bytes"),
        row("… memory in MB after so many: " + ", ".join(k for k in all_of["memory_first"] if k != "finalized"), memory)]


def oracle_rows(figures: dict) -> list[str]:
    late, signed = figures["latency"], figures["signed"]
    blocks = late["final_to_callback_blocks"]
    lines = [row("request final → callback, p50 / p99", f"{both(blocks, 'blocks')}, {both(late['final_to_callback_ms'])}",
                 f"p50 ≤ {CALLBACK_AIM_BLOCKS} blocks", blocks["p50"] <= CALLBACK_AIM_BLOCKS),
             row(f"answers fetched and signed, {signed['at_once']} at once, sources kept alive", f"{signed['per_second']}/s",
                 f"≥ {SIGNED_AIM_PER_S}/s", signed["per_second"] >= SIGNED_AIM_PER_S)]
    rest = figures["rest"]
    lines += [row("… over REST, journalled, one after the other, p50 / p99", both(rest["alone_ms"])),
              row(f"… over REST, journalled, {rest['at_once']} callers (whose Python is on the same cores)",
                  f"{rest['per_second']}/s, {both(rest['ms'])}")]
    return lines + [row(what, f"{figures['gas'][name]:,}", f"≤ {aim:,}", figures["gas"][name] <= aim)
                    for name, (what, aim) in GAS_AIMS.items()]


def row(what: str, value: str, aim: str = "", met: bool | None = None) -> str:
    mark = "" if met is None else "yes" if met else "no"
    return f"| {what} | {value} | {aim} | {mark} |"


def both(figure: dict, unit: str = "ms") -> str:
    return f"{figure['p50']:g} / {figure['p99']:g} {unit}"


def table(result: dict) -> str:
    lines = ["| what | measured | bound or aim | met |", "|---|---|---|---|"]
    for v in result.get("micro", {}).get("verify", []):
        lines.append(row(f"verify a receipt proof ({v['transactions']} transactions, {v['proof_bytes']} bytes) and sign, per core",
                         f"{v['per_second']}/s, {v['verify_and_sign_us']} µs; {v['ratio']} of the primitives",
                         f"≥ {RATIO_VERIFY_MIN}", v["ratio"] >= RATIO_VERIFY_MIN))
    if "commit" in result.get("micro", {}):
        c = result["micro"]["commit"]
        lines.append(row(f"check a CometBFT commit of {c['validators']} validators, per core",
                         f"{c['commit_us']} µs; {c['ratio']} × its signature checks (a light client's skip, {c['skip_checks']} checks: "
                         f"{c['skip_ratio']} ×)", f"≤ {RATIO_COMMIT_MAX} ×", max(c["ratio"], c["skip_ratio"]) <= RATIO_COMMIT_MAX))
    if "quote" in result.get("micro", {}):
        q = result["micro"]["quote"]
        lines.append(row(f"verify a quote of TDX with its collateral in memory, per core ({q['signatures']} checks of signatures)",
                         f"{q['us']} µs; {q['ratio']} × its signature checks", f"≤ {RATIO_QUOTE_MAX} ×", q["ratio"] <= RATIO_QUOTE_MAX))
        kept = q["kept_ratio"] * q["kept_signatures"]
        lines.append(row(f"the same with collateral opened before ({q['kept_signatures']} checks)",
                         f"{q['kept_us']} µs; the cost of {kept:.1f} checks", f"≤ {QUOTE_KEPT_MAX}", kept <= QUOTE_KEPT_MAX))
    if "ratls" in result.get("micro", {}):
        t = result["micro"]["ratls"]
        lines.append(row("RA-TLS, simulated: a full handshake of TLS 1.3 with evidence in the certificate, then evidence bound to the "
                         "connection, both verified; processor time of both ends", f"{t['hello_us']} µs; the certificate alone {t['ratls_us']} µs; "
                         f"plain, same key type {t['plain_us']} µs; {t['added_us']:+g} µs", f"≤ {RATLS_ADDED_AIM_US} µs added",
                         t["added_us"] <= RATLS_ADDED_AIM_US))
    if "register" in result.get("micro", {}):
        lines += [row(f"register an enclave in a block, {kind}, per node", f"{r['us'] / 1000:.2f} ms; {r['per_second']}/s", "", None)
                  for kind, r in result["micro"]["register"].items()]
    if "cluster" in result.get("micro", {}):
        lines += cluster_rows(result["micro"]["cluster"])
    if "round_trip" in result.get("micro", {}):
        r = result["micro"]["round_trip"]
        lines.append(row("enclave round trip, empty request", f"{r['round_trip_us']} µs; {r['ratio']} × a bare ping-pong",
                         f"≤ {RATIO_ROUND_TRIP_MAX} ×", r["ratio"] <= RATIO_ROUND_TRIP_MAX))
    if "fetch" in result.get("micro", {}):
        lines += fetch_rows(result["micro"]["fetch"])
    if "api" in result:
        lines += api_rows(result["api"])
    if "load" in result:
        lines += load_rows(result["load"])
    if "oracle" in result:
        lines += oracle_rows(result["oracle"])
    if "end_to_end" in result:
        e = result["end_to_end"]
        b = e["burst"]
        for lat in e["latency"]:
            with_confirmations = f", {lat['confirmations']} confirmation{'s' if lat['confirmations'] > 1 else ''}"
            lines += [
                row(f"final on chain 1 → included on chain 2, p50 / p99{with_confirmations}", both(lat["final_to_included_ms"]) + ", "
                    + both(lat["final_to_included_blocks"], "blocks"), f"aim p50 < {INCLUDED_AIM_MS} ms",
                    lat["final_to_included_ms"]["p50"] < INCLUDED_AIM_MS),
                row(f"… beyond the next block of chain 2 (which comes {lat['phase_ms']} ms after chain 1's)",
                    both(lat["beyond_the_next_block_ms"])),
                row(f"send → received{with_confirmations}", both(lat["send_to_received_ms"]), "Hermes, instant finality: 1,182 ms"),
                row(f"send → acknowledged{with_confirmations}", both(lat["send_to_acknowledged_ms"]), "Hermes: 3,019 ms"),
            ]
        one, stream, half = e["burst_one_confirmation"], e["stream"], e["stream_half"]
        lines += [
            row(f"burst of {b['messages']}, received", f"{b['received_per_s']}/s ({b['received_all_s']} s)", "Hermes: 90/s",
                b["received_per_s"] > 90),
            row("burst, finalized", f"{b['finalized_per_s']}/s ({b['finalized_all_s']} s)", f"aim ≥ {BURST_AIM_PER_S}/s; Hermes: 58/s",
                b["finalized_per_s"] >= BURST_AIM_PER_S),
            row("the same with one confirmation, received / finalized", f"{one['received_per_s']}/s, {one['finalized_per_s']}/s"),
            row(f"a stream of {stream['sent_per_s']:g} messages/s for {end_to_end.STREAM_BLOCKS} blocks, received / finalized",
                f"{stream['received_per_s']}/s, {stream['finalized_per_s']}/s; acknowledged after {both(stream['send_to_acknowledged_ms'])}",
                f"aim ≥ {BURST_AIM_PER_S}/s", stream["finalized_per_s"] >= BURST_AIM_PER_S),
            row("… CPU of gateways and enclaves per message", f"{stream['cpu_ms_per_message_caisson']} ms", f"aim ≤ {CPU_AIM_MS} ms",
                stream["cpu_ms_per_message_caisson"] <= CPU_AIM_MS),
            row(f"a stream of {half['sent_per_s']:g} messages/s: delivered beyond the next block, p50 / p99", both(half["beyond_the_next_block_ms"]),
                f"aim ≤ {BEYOND_AIM_MS[0]} / {BEYOND_AIM_MS[1]} ms", half["beyond_the_next_block_ms"]["p50"] <= BEYOND_AIM_MS[0]
                and half["beyond_the_next_block_ms"]["p99"] <= BEYOND_AIM_MS[1]),
            row("burst, gas limit of the chains", f"{b['gas_limit']:,}; {b['source_blocks']} source, {b['destination_blocks']} destination blocks"),
            row("CPU of gateways and enclaves per message", f"{b['cpu_ms_per_message_caisson']} ms " + json.dumps(b["cpu_ms_per_message"]),
                f"aim ≤ {CPU_AIM_MS} ms; Hermes: 6 ms", b["cpu_ms_per_message_caisson"] <= CPU_AIM_MS),
        ]
        for refund in e["refunds"]:
            lines.append(row(f"deadline → proven refund, {refund['how']}, p50 / p99", both(refund["deadline_to_refund_ms"])))
    if "ledger" in result:
        lines += [row(*figures) for figures in validators.rows(result["ledger"])]
    if "records" in result:
        lines += [row(*figures) for figures in validators.record_rows(result["records"])]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=("micro", "api", "oracle", "end-to-end", "load", "ledger", "records"))
    parser.add_argument("--burst", type=int, default=end_to_end.BURST_DEFAULT)
    parser.add_argument("--singles", type=int, default=end_to_end.SINGLES)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    result = {"machine": machine(), "commit": commit(), "preset": find_build().name}
    if options.only in (None, "micro"):
        result["micro"] = micro(options.runs)
    if options.only in (None, "api"):
        with tempfile.TemporaryDirectory(prefix="caisson-bench-") as folder:
            result["api"] = api.run(Path(folder), say)
    if options.only == "load":
        with tempfile.TemporaryDirectory(prefix="caisson-bench-") as folder:
            result["load"] = load.run(Path(folder), say)
    if options.only in (None, "oracle"):
        with tempfile.TemporaryDirectory(prefix="caisson-bench-") as folder:
            result["oracle"] = answers.run(Path(folder), say, options.singles)
    if options.only in (None, "end-to-end"):
        with tempfile.TemporaryDirectory(prefix="caisson-bench-") as folder:
            result["end_to_end"] = end_to_end.run(Path(folder), say, options.burst, options.singles, options.runs)
    if options.only in (None, "ledger"):
        with tempfile.TemporaryDirectory(prefix="caisson-bench-") as folder:
            result["ledger"] = validators.run(Path(folder), say)
    if options.only in (None, "records"):
        with tempfile.TemporaryDirectory(prefix="caisson-bench-") as folder:
            result["records"] = validators.records(Path(folder), say)
    result["machine"]["load"].append(round(os.getloadavg()[0], 2))
    print(f"\n{result['machine']['cores']} cores of {result['machine']['cpu']}, preset {result['preset']}, commit {result['commit']}, load "
          + " before, ".join(f"{load:g}" for load in result["machine"]["load"]) + " after\n")
    print(table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
