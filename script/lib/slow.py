"""Fuzz campaigns, fault tests, and thirty minutes each of the ledger and of a bridge under faults, with a report that is committed:
docs/reports/<date>-<commit>.md (-2, -3 and so on where that is there)."""
from __future__ import annotations

import argparse
import concurrent.futures
import datetime
import itertools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / "fuzz"
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
# What a campaign may add to the committed corpus: few and small inputs, since every one is replayed by every test run.
FUZZ_MINUTES, LONG_MINUTES, LEDGER, BRIDGE = 10, 30, "ledger", "bridge"
MESSAGES_A_MINUTE = 33.4
KEPT_MAX = 16
KEPT_SIZE_MAX = 4096
CORPUS_MAX = 256


def git(*arguments: str) -> str:
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True).stdout.strip()


def keep(program: Path, seeds: Path, found: Path, work: Path) -> int:
    """Copies to the corpus what covers something that no input there covers: libFuzzer's merge, the smallest first, within the
    bounds above. Returns how many."""
    merged = work / "merged"
    shutil.copytree(seeds, merged)
    there = {p.name for p in merged.iterdir()}
    if not any(found.iterdir()):
        return 0
    run = subprocess.run([str(program), "-merge=1", f"-max_len={KEPT_SIZE_MAX}", "-rss_limit_mb=2048", str(merged), str(found)],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if run.returncode != 0:
        return 0
    new = sorted((p for p in merged.iterdir() if p.name not in there and p.stat().st_size <= KEPT_SIZE_MAX),
                 key=lambda p: (p.stat().st_size, p.name))
    new = new[:max(0, min(KEPT_MAX, CORPUS_MAX - len(there)))]
    for path in new:
        shutil.copyfile(path, seeds / path.name)
    return len(new)


def campaign(program: Path, minutes: float, findings: Path) -> dict:
    """One target for so long; new inputs go to a directory of its own, and what is worth it from there to the committed corpus."""
    name = program.name.removeprefix("fuzz_")
    seeds = CORPUS / name
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{name}-") as work:
        found = Path(work) / "found"
        found.mkdir()
        folders = [str(found)] + ([str(seeds)] if seeds.is_dir() else [])
        argv = [str(program), f"-max_total_time={int(minutes * 60)}", "-print_final_stats=1", "-rss_limit_mb=2048",
                "-timeout=10", f"-artifact_prefix={findings}/{name}-", *folders]
        begin = time.monotonic()
        run = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                             env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1"})
        log = run.stdout
        covered = re.findall(r"cov: (\d+) ft: (\d+)", log)
        stat = {k: int(v) for k, v in re.findall(r"stat::(\w+):\s+(\d+)", log)}
        count = len(list(seeds.iterdir())) if seeds.is_dir() else 0
        kept = keep(program, seeds, found, Path(work)) if run.returncode == 0 and seeds.is_dir() else 0
        return {"name": name, "seconds": time.monotonic() - begin, "executions": stat.get("number_of_executed_units", 0),
                "edges": int(covered[-1][0]) if covered else 0, "features": int(covered[-1][1]) if covered else 0,
                "seeds": count, "kept": kept, "rss": stat.get("peak_rss_mb", 0),
                "found": len(list(found.iterdir())), "code": run.returncode, "tail": "\n".join(log.splitlines()[-40:])}


def faults() -> tuple[int, str]:
    run = subprocess.run([ROOT / "tests" / "run-pytest", "-q", "-m", "slow", "e2e", "ledger", "package"], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, env={**os.environ, "CAISSON_BUILD": str(ROOT / "build" / "dev")})
    return run.returncode, run.stdout


def long_run(program: str, minutes: float, seed: int, *more: str) -> dict:
    """Real processes, faults, and the count afterwards: one of the programs of tests that print a JSON object."""
    with tempfile.TemporaryDirectory(prefix="caisson-slow-") as work:
        out = Path(work) / "result.json"
        load = os.getloadavg()[0]
        run = subprocess.run([sys.executable, ROOT / "tests" / program, "--minutes", str(minutes), "--seed", str(seed),
                              "--json", out, "--keep", ROOT / "build" / "findings", *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             env={**os.environ, "CAISSON_BUILD": os.environ.get("CAISSON_BUILD", str(ROOT / "build" / "dev")),
                                  "PYTHONDONTWRITEBYTECODE": "1"})
        result = json.loads(out.read_text()) if out.exists() else {}
        return {**result, "code": run.returncode, "tail": run.stdout.splitlines()[-60:], "load": [round(load, 1), round(os.getloadavg()[0], 1)]}


def found_lines(r: dict) -> list[str]:
    lines = [f"| found | {'nothing' if not r['problems'] else str(len(r['problems'])) + ' problems'} |", ""]
    return lines + (["```", *r["problems"][:50], "```", ""] if r["problems"] else [])


def bridge_lines(r: dict) -> list[str]:
    if "kept" not in r:
        return ["## A bridge under faults", "", f"It did not come to its end (exit {r['code']}):", "", "```", *r["tail"], "```", ""]
    faults = ", ".join(f"{kind} {count}" for kind, count in r["faults"].items())
    return ["## A bridge under faults", "",
            f"Three gateways, two of them on the way to chain 2, two anvil chains with 12 confirmations, in a network namespace of their own; {r['minutes']:g} minutes, seed "
            f"{r['seed']}; load of the machine {r['load'][0]} before, {r['load'][1]} after. Simulated: the chains have no consensus, reorganisations are anvil's, "
            "and clocks are libfaketime's.", "",
            "| | |", "|---|---|",
            f"| faults | {faults} |",
            f"| transfers sent; refused by the node | {r['sent']:,}; {r['unsent']:,} |",
            f"| … on their chain at the end (reorganisations took the others) | {r['kept']:,} |",
            f"| … delivered; refunded | {r['delivered']:,}; {r['refunded']:,} |",
            f"| the last one's end after the last fault's | {r['settled_s']:g} s beyond 14 blocks |",
            *found_lines(r)]


def ledger_lines(r: dict) -> list[str]:
    if "heights" not in r:
        return ["## The ledger under faults", "", f"It did not come to its end (exit {r['code']}):", "", "```", *r["tail"], "```", ""]
    faults = ", ".join(f"{kind} {count}" for kind, count in r["faults"].items())
    refused = f"{len(r['refused_starts'])} starts refused as damaged" if r["refused_starts"] else "no start refused"
    lines = ["## The ledger under faults", "",
             f"Four processes of `caisson-ledger` in network namespaces of their own, {r['minutes']:g} minutes, seed {r['seed']}; load of the machine "
             f"{r['load'][0]} before, {r['load'][1]} after. Two of the four have their data on a small tmpfs, which is what fills up; nothing "
             "here is a power cut (`unit/node/disk` has those).", "",
             "| | |", "|---|---|",
             f"| faults | {faults} |",
             f"| lives of the four processes | {r['lives']}, {refused} |",
             f"| heights, at all four the same | {r['heights']:,}; rounds in which they were decided: "
             + ", ".join(f"{k}: {v:,}" for k, v in r["rounds"].items()) + " |",
             f"| transactions in blocks | {r['transactions']:,} |",
             f"| receipts of `broadcast_tx_commit`, all found where they say | {r['receipts']:,} ({r['failed_calls']:,} calls failed) |",
             f"| blocks that a node showed meanwhile, all still there | {r['shown']:,} |",
             f"| signatures of votes and proposals in {r['log_records']:,} log records and in commits, one for each place | {r['signatures']:,} |",
             *found_lines(r)]
    return lines


LONG = {LEDGER: ("ledger/thirty_minutes.py", ledger_lines), BRIDGE: ("e2e/chaos.py", bridge_lines)}


def machine() -> str:
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", text)
    return f"{os.cpu_count()} cores of {model.group(1) if model else platform.machine()}, Linux {platform.release().split('-')[0]}"


def fuzz_lines(rows: list[dict]) -> list[str]:
    lines = ["| target | seconds | executions | edges | features | seeds | new inputs | kept | peak RSS, MB | findings |",
             "|---|---:|---:|---:|---:|---:|---:|---:|---:|---|"]
    for r in rows:
        found = "none" if r["code"] == 0 else f"exit {r['code']}"
        lines.append(f"| {r['name']} | {r['seconds']:.0f} | {r['executions']:,} | {r['edges']} | {r['features']} | {r['seeds']} | "
                     f"{r['found']} | {r['kept']} | {r['rss']} | {found} |")
    total = sum(r["executions"] for r in rows)
    lines += ["", f"{len(rows)} targets, {total:,} executions, {sum(r['code'] != 0 for r in rows)} with findings.", ""]
    return lines


def free_path(folder: Path, stem: str) -> Path:
    """stem.md, or stem-2.md and so on: what an earlier run of the same commit and day wrote stays."""
    for n in itertools.count(1):
        path = folder / (f"{stem}.md" if n == 1 else f"{stem}-{n}.md")
        if not path.exists():
            return path


def report(rows: list[dict], fault_code: int | None, fault_log: str, minutes: float, long_lines: list[str], commit: str,
           dirty: str) -> Path:
    now = datetime.datetime.now(datetime.timezone.utc)
    lines = [f"# {'Fuzzing and faults' if rows else 'Faults'}, {now:%Y-%m-%d}", "", f"Commit {commit}{dirty}; {machine()}"
             + (f"; libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer; {minutes:g} minutes a target, one process each." if rows else "."), ""]
    if rows:
        lines += fuzz_lines(rows)
    for r in rows:
        if r["code"]:
            lines += [f"## {r['name']}", "", "```", r["tail"], "```", ""]
    if fault_code is not None:
        closing = fault_log.strip().splitlines()[-1:] or ["no output"]
        lines += ["## Faults", "", f"`pytest -m slow`: {closing[0].strip('= ')} (exit {fault_code})", ""]
        if fault_code not in (0, 5, 77):
            lines += ["```", *fault_log.splitlines()[-60:], "```", ""]
    lines += long_lines
    folder = ROOT / "docs" / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    path = free_path(folder, f"{now:%Y-%m-%d}-{commit}")
    path.write_text("\n".join(lines))
    return path


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, help=f"of a fuzz target [{FUZZ_MINUTES}], of {LEDGER} and {BRIDGE} [{LONG_MINUTES}]")
    parser.add_argument("--target", action="append", default=[], help=f"a fuzz target, {LEDGER} or {BRIDGE}")
    parser.add_argument("--seed", type=int, help=f"of {LEDGER} and {BRIDGE} [the time]")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--no-faults", action="store_true")
    options = parser.parse_args()
    # Of what runs, not of what is here when it ends.
    commit = git("rev-parse", "--short", "HEAD")
    dirty = " and uncommitted changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    minutes = options.minutes or FUZZ_MINUTES
    programs = sorted(p for p in BIN.rglob("fuzz_*") if p.is_file() and os.access(p, os.X_OK))
    if options.target:
        programs = [p for p in programs if p.name.removeprefix("fuzz_") in options.target]
    long = [name for name in LONG if not options.target or name in options.target]
    if not programs and not (long and options.target):
        print("no target of that name", file=sys.stderr)
        return 2
    findings = ROOT / "build" / "findings"
    findings.mkdir(parents=True, exist_ok=True)

    def run(program: Path) -> dict:
        row = campaign(program, minutes, findings)
        print(f"-- {program.name}: {row['executions']:,} executions, {row['edges']} edges, exit {row['code']}", flush=True)
        return row

    rows: list[dict] = []
    if programs:
        print(f"-- {len(programs)} targets, {minutes:g} minutes each, {options.jobs} at a time", flush=True)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            rows = list(pool.map(run, programs))
    # Who names what is to run wants that alone.
    fault_code, fault_log = (None, "") if options.no_faults or options.target else faults()
    codes, long_lines = [r["code"] for r in rows], []
    for name in long:
        program, lines_of = LONG[name]
        seed, length = int(time.time()) if options.seed is None else options.seed, options.minutes or LONG_MINUTES
        print(f"-- the {name}, {length:g} minutes, seed {seed}", flush=True)
        more = ("--messages", str(round(MESSAGES_A_MINUTE * length))) if name == BRIDGE else ()
        result = long_run(program, length, seed, *more)
        codes.append(result["code"])
        long_lines += lines_of(result)
    path = report(rows, fault_code, fault_log, minutes, long_lines, commit, dirty)
    print(f"-- report: {path.relative_to(ROOT)}")
    print(f"{codes.count(0)} passed, {len(codes) - codes.count(0)} failed")
    return 1 if any(codes) or fault_code not in (None, 0, 5, 77) else 0


if __name__ == "__main__":
    sys.exit(main())
