#!/usr/bin/env python3
"""Plants bugs into the ledger's application, one at a time, and counts the seeds that the simulator (sim_ledger) needs to see each.

  ledger_mutations.py BUILD [NAME…] [--seeds N]    BUILD: a build directory with bin/sim_ledger

A bug is a text that is replaced in one file of relay_state/ledger; nothing of the tree is changed. Prints a line each with the invariant that
failed; fails when a bug is not found, or when the text that it replaces is no longer there once.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

# name, file, what is there, what is planted, what it is
BUGS = [
    ("fee-refunded-twice", "block.c", "\tCS_TRY(credit(e->machine->state, &tx->sender, &back, e->why));\n",
     "\tCS_TRY(credit(e->machine->state, &tx->sender, &back, e->why));\n\tCS_TRY(credit(e->machine->state, &tx->sender, &back, e->why));\n",
     "what was not used of the fee is given back twice"),
    ("failed-tx-stays", "block.c", "\tif (!success) {\n\t\tledger_state_revert(e->machine->state, mark);", "\tif (!success) {\n\t\t(void)mark;",
     "earlier calls of a transaction that fails stay"),
    ("burnt-not-counted", "staking_slash.c", "\tCS_TRY(ledger_account_put(call->state, &call->address, &account));\n\tCS_TRY(staking_sub(call, &totals->supply, amount));",
     "\tCS_TRY(ledger_account_put(call->state, &call->address, &account));", "what is slashed and burnt stays in the supply"),
    ("evidence-ignored", "staking_slash.c", "\treturn validator.tombstoned ? CS_OK : tombstone(call, &validator, item, parameters);",
     "\t(void)tombstone;\n\treturn CS_OK;", "evidence does nothing"),
    ("no-tombstone", "staking_slash.c", "\tvalidator->tombstoned = true;\n", "", "who signed twice is slashed and stays"),
    ("jail-keeps-power", "staking_set.c", "validator->jailed_until_s != 0", "false", "who is in jail keeps its power"),
    ("leaver-not-told", "staking_set.c", "\t\tchange(changes, &item->address, 0);\n", "", "the engine is not told who leaves"),
    ("rewards-not-taken", "staking.c", "\tCS_TRY(staking_sub(call, &totals.rewards, &amount));\n", "", "rewards that were paid are owed still"),
    ("minted-twice", "staking_rewards.c", "\tCS_TRY(staking_add(call, &account.balance, &amount));\n",
     "\tCS_TRY(staking_add(call, &account.balance, &amount));\n\tCS_TRY(staking_add(call, &account.balance, &amount));\n", "inflation is paid twice, and counted once"),
    ("released-early-again", "staking_queue.c", "\t\tends.first++;\n", "\t\tends.first++;\n\t\tends.first--;\n\t\tbreak;\n",
     "what waited is released, and stays in the queue"),
    ("unproven-outcome", "gateway_finalize.c", "\tCS_TRY(ledger_statement_check(call, WIRE_KIND_OUTCOME, &outcomes->destination, &statement,\n\t\t\t\t      &root));\n",
     "\t(void)root;\n", "an outcome needs no signature"),
    ("unproven-message", "gateway_deliver.c", "\tCS_TRY(ledger_statement_check(call, WIRE_KIND_MESSAGE, &arrivals->source, &statement,\n\t\t\t\t      &root));\n",
     "\t(void)root;\n", "a message needs no signature"),
    ("finalized-twice", "gateway_finalize.c", "\tif (sent->status != WIRE_STATUS_NONE)", "\tif (false)", "a message is finalized again"),
    ("delivered-twice", "gateway_deliver.c", "\tif (known != WIRE_STATUS_NONE)", "\tif (false)", "a message is delivered again"),
    ("expired-early", "gateway_deliver.c", "\t\tif (!is_late(call, item)) {", "\t\tif (false) {", "a message expires before its deadline"),
    ("delivered-late", "gateway_deliver.c", "\tif (is_late(call, item))\n\t\treturn alone ?", "\tif (false)\n\t\treturn alone ?", "a message is delivered after its deadline"),
    ("anybody-closes", "gateway_deliver.c", "\tif (!cs_hash_eq(&item->closer, &caller))", "\tif ((void)caller, false)", "anybody closes a message"),
    ("expired-although-delivered", "gateway_deliver.c", "\t\tif (known == WIRE_STATUS_DELIVERED || known == WIRE_STATUS_DEAD) {", "\t\tif (known == WIRE_STATUS_DEAD) {",
     "what was delivered expires"),
    ("not-burnt", "bridge_transfer.c", "\tif (token->mode == BRIDGE_MODE_MINT)\n\t\treturn move_asset(call, \"burn(address,address,uint256)\", &transfer->asset,\n\t\t\t\t  &call->sender, NULL, transfer->amount);",
     "\tif (token->mode == BRIDGE_MODE_MINT)\n\t\treturn CS_OK;", "what goes back over the bridge is not burnt"),
    ("refund-of-another-amount", "bridge_transfer.c", ".amount = transfer.amount};", ".amount = transfer.amount + 1};", "one more is refunded than was sent"),
    ("export-forgets", "genesis.c", "\treturn !cs_bytes_eq(key, ledger_chain_key());", "\treturn !cs_bytes_eq(key, ledger_chain_key()) && !(key.n > 1 && key.p[0] == 7 && key.p[1] == 'u');",
     "an export leaves out what waits to be paid"),
    ("block-on-top-of-itself", "app.c", "\tapp->staged.is_there = false;\n\tledger_state_reset(app->block_state);\n", "\tapp->staged.is_there = false;\n",
     "a block that is finalized again begins with what it did before"),
]


def build_one(folder, bug):
    name, file, old, new, _ = bug
    text = (ROOT / "relay_state/ledger" / file).read_text()
    if text.count(old) != 1:
        raise SystemExit(f"{name}: {file} holds the text {text.count(old)} times, not once")
    changed = folder / file
    changed.write_text(text.replace(old, new))
    made = folder / "changed.o"
    subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-w", f"-I{ROOT}", "-c", changed, "-o", made], check=True)
    return made


def link(build, folder, made):
    """The simulator's own objects and libraries, and the changed file before them."""
    text = (build / "build.ninja").read_text()
    block = text[text.index("build bin/sim_ledger:"):]
    block = block[:block.index("\n\n")].replace("$\n", "")
    objects = [word for word in block.split("|")[0].split() if word.endswith(".o")]
    libraries = re.search(r"LINK_LIBRARIES = (.*)", block).group(1).split()
    subprocess.run(["cc", "-o", folder / "sim", made, *objects, *libraries], check=True, cwd=build)
    return folder / "sim"


def run(program, seeds):
    for seed in range(seeds):
        done = subprocess.run([program, "--seed", str(seed)], capture_output=True, text=True, timeout=1800)
        found = re.search(r"^seed \d+: (.*), hash ", done.stdout, re.M)
        if found and found[1] != "good":
            return seed + 1, found[1]
        if done.returncode not in (0, 1):
            return seed + 1, f"the process ends: {done.stderr.strip()[-80:]}"
    return None, None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    os.environ.setdefault("LC_ALL", "C")
    missed = 0
    for bug in BUGS:
        if args.names and bug[0] not in args.names:
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            count, what = run(link(args.build.resolve(), folder, build_one(folder, bug)), args.seeds)
        missed += what is None
        print(f"{bug[0]:26} {count or '-':>5}  {bug[4]}: {what or 'NOT FOUND'}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
