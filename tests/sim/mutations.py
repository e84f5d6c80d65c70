#!/usr/bin/env python3
"""Plants known bugs of Tendermint engines into ours, one at a time, and counts the seeds that the simulator needs to see each. What
costs neither safety nor progress in a network, because another part makes up for it, is left to the unit tests (unit/bft),
which are asked then.

  mutations.py BUILD [NAME…] [--seeds N]    BUILD: a build directory with bin/sim and the unit tests

A bug is a text that is replaced in one file of relay_state/bft, or of verify/cometbft. Prints one line each; fails when a bug is
not found, or when the text that it replaces is no longer there. "above" are seeds of sim --above: of odd ones, those with attacks
on light clients, for what judges these.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

# name, file, what is there, what is planted, what it is
BUGS = [
    ("lock-ignored", "rules.c", "\tif (!free_to) {", "\tif (false) {", "line 22: the lock is not asked"),
    ("nil-polka-unlocks", "rules.c", "\t\tr->polka_done = true;\n\t\tif (bft->step == BFT_STEP_PREVOTE)\n\t\t\tprecommit(bft, &nil_id);",
     "\t\tr->polka_done = true;\n\t\tbft->locked_round = -1;\n\t\tif (bft->step == BFT_STEP_PREVOTE)\n\t\t\tprecommit(bft, &nil_id);",
     "a nil polka unlocks (tendermint #6954)"),
    ("pol-not-shown", "rules.c", "\t\tif (pol == NULL || !bft_votes_quorum(&pol->prevotes, &bft->state.now.set, &id) ||\n\t\t    !cmt_block_id_eq(&id, &p->block_id))\n\t\t\treturn false;",
     "\t\t(void)pol;\n\t\t(void)id;", "line 28 believes the proposer's POL round"),
    ("no-round-skip", "rules.c", "\tif (best == 0 || best <= bft->round)", "\tif (true)", "line 55 never fires"),
    ("no-past-decision", "rules.c", "\t\tif (!r->used || !bft_votes_quorum(&r->precommits", "\t\tif (!r->used || r->round < bft->round || !bft_votes_quorum(&r->precommits",
     "line 49 looks at the current round alone"),
    ("half-is-a-quorum", "types.h", "return part > total * 2 / 3;", "return part > total / 2;", "a quorum of more than half"),
    ("two-thirds-is-a-quorum", "types.h", "return part > total * 2 / 3;", "return part >= total * 2 / 3;", "a quorum of two thirds, not more"),
    ("no-lock", "rules.c", "\t\tbft->locked_round = bft->round;\n\t\tbft->locked_id = id;", "", "line 38 does not lock"),
    ("no-sync", "voting.c", "\t(void)bft_emit(bft, BFT_EFFECT_SYNC);\n", "", "votes leave before the log is synced"),
    ("no-log-of-votes", "voting.c", "\tbft_log(bft);\n\tif (vote->round > bft->round_seen", "\tif (vote->round > bft->round_seen",
     "votes of others are not logged"),
    ("signer-forgets", "sign_state.c", "\tif (order < 0)\n\t\treturn BFT_SIGN_REFUSE;\n\tif (order == 0)", "\tif (order < 0)\n\t\treturn BFT_SIGN_NEW;\n\tif (false)",
     "the signer signs anything"),
    ("lock-not-remembered", "bft.c", "\tbft_adopt_lock(bft, s->lock_round, &s->lock_id);\n", "", "the signer's lock is not asked after a lost log"),
    ("lock-not-entered", "finish.c", "\tbft_remember_signed(bft);\n", "", "the signer's lock is asked at a start alone, not when its height begins"),
    ("told-lock-not-entered", "gossip.c", "\tif (!bft->replaying &&\n\t    bft_sign_state_raise(", "\tif (false &&\n\t    bft_sign_state_raise(",
     "what a peer tells of a height ahead is forgotten there"),
    ("second-vote-dropped", "votes.c", "\tput(votes, 1, vote, counts);\n\treturn BFT_VOTES_CONFLICT;", "\treturn BFT_VOTES_CONFLICT_FULL;", "an equivocator's second vote does not count for its block"),
    ("no-status-answer", "gossip.c", "\tif (status->height == bft->height)\n\t\tanswer_same_height", "\tif (false)\n\t\tanswer_same_height",
     "what was lost is never sent again"),
    ("no-catch-up", "gossip.c", "\tif (!bft->started || bft->halted)", "\tif (true)",
     "nobody asks for blocks"),
    ("waits-for-who-left", "rules.c", "if (voted || bft->round_seen[i] > votes->round)", "if (voted)",
     "a node that jumped a round is waited for"),
    ("clock-is-time", "voting.c", "\tif (step == BFT_SIGN_PROPOSAL)\n\t\treturn time;", "\tif (step != BFT_SIGN_NONE)\n\t\treturn time;",
     "a vote's time is the clock's"),
    ("median-alone-is-time", "state.c", "\tif (cs_pb_time_cmp(median, state->last_time) <= 0) {\n\t\tCS_TRY(",
     "\tif (cs_pb_time_cmp(median, state->last_time) <= 0)\n\t\treturn CS_ERR_BAD_TIME;\n\tif (false) {\n\t\tCS_TRY(",
     "a block's time is the median, though a liar's vote may be it"),
    ("updates-a-height-early", "state.c", "\tcopy_set(&out.now, &state->next);\n", "\tcopy_set(&out.now, &state->next);\n\tcopy_set(&out.now, &state->now);\n",
     "validator changes are never in force"),
    ("store-after-finalize", "finish.c", "\tif (!bft->decided_stored) {", "\tif (false) {", "a decision is not made durable"),
    ("rejected-is-prevoted", "rules.c", "verdict == BFT_ACCEPTED ? &p->block_id : &nil_id", "&p->block_id", "ProcessProposal's no is ignored"),
    ("evidence-after-state", "finish.c",
     "\tbft_ripen(bft);\n\tbft_emit(bft, BFT_EFFECT_SAVE_STATE)->height = bft->height;\n\tbft_emit(bft, BFT_EFFECT_COMMIT)->height = bft->height;\n",
     "\tbft_emit(bft, BFT_EFFECT_SAVE_STATE)->height = bft->height;\n\tbft_emit(bft, BFT_EFFECT_COMMIT)->height = bft->height;\n\tbft_ripen(bft);\n",
     "evidence is durable behind the state that ends its height"),
    ("evidence-dropped", "evidence.c", "\t\tif (is_old(pool, i, state, scratch))", "\t\tif (i > 0)", "evidence that no block has yet is forgotten at the next one"),
    ("carried-twice", "evidence.c", "\tif (history->is_committed(history->context, &hash))", "\tif (false)", "evidence that a block carried before is taken"),
    ("guilty-not-compared", "verify/cometbft/evidence_verify.c", "\treturn same ? CS_OK :", "\treturn true ? CS_OK :", "the list of the guilty is believed"),
    ("third-not-asked", "verify/cometbft/evidence_verify.c", "static const struct cmt_fraction third = {1, 3};", "static const struct cmt_fraction third = {1, 1000};",
     "an attack by any power is taken"),
    ("own-block-is-an-attack", "verify/cometbft/evidence_verify.c", "\tif (cs_hash_eq(&ours, &theirs))", "\tif (false)", "the chain's own block is an attack"),
    ("amnesia-names", "verify/cometbft/evidence_verify.c", "\telse if (trusted_commit->round == conflicting->commit.round)", "\telse",
     "two commits of different rounds name who signed both"),
    ("blames-by-one-vote", "evidence.c", "\tif (pool->conflict_count == BFT_CONFLICTS_MAX)", "\tif (true)", "equivocation makes no evidence"),
]


def objects(build):
    return sorted((build / "tests/sim/CMakeFiles/sim.dir").glob("*.o"))


def build_one(build, folder, bug):
    name, file, old, new, _ = bug
    path = pathlib.Path(file if "/" in file else f"relay_state/bft/{file}")
    text = (ROOT / path).read_text()
    if text.count(old) != 1:
        raise SystemExit(f"{name}: {file} holds the text {text.count(old)} times, not once")
    changed = folder / path
    changed.parent.mkdir(parents=True)
    changed.write_text(text.replace(old, new))
    sources = [changed] if file.endswith(".c") else sorted((ROOT / "relay_state/bft").glob("*.c"))
    sources = [source for source in sources if source.name != "example.c"]
    made = []
    for source in sources:
        made.append(folder / (source.stem + ".o"))
        if file.endswith(".h"):
            # Quoted includes look beside the source first: it is compiled from the folder of the changed header.
            copy = folder / "relay_state/bft" / source.name
            copy.write_text(source.read_text())
            source = copy
        subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-w", f"-I{folder}", f"-I{ROOT}", "-c", source, "-o", made[-1]], check=True)
    return made


def link(build, program, parts, more=()):
    libraries = [build / "relay_state/bft/libbft.a", build / "verify/libverify.a", build / "core/libcore.a"]
    subprocess.run(["cc", "-o", program, *parts, *libraries, *more, "-lnettle", "-lcrypto", "-lsecp256k1"], check=True)
    return program


def run_unit(build, folder, made):
    """The first unit test that fails."""
    for name in ("rules", "recovery", "sign_state", "state", "evidence", "attacks"):
        parts = list((build / f"relay_state/bft/CMakeFiles/test_bft_{name}.dir").rglob("*.o"))
        program = link(build, folder / name, [*parts, *made], ["-lcmocka", "-ljansson"])
        done = subprocess.run([program], capture_output=True, text=True, timeout=120)
        found = re.search(r"^\[  FAILED  \] (\w+)$", done.stdout + done.stderr, re.M)
        if done.returncode != 0:
            return f"unit/bft/{name}: {found[1] if found else 'the process ends'}"
    return None


ABOVE_SEEDS = 200


def run(program, seeds, option):
    """After how many seeds one fails, and what it said; a crash counts. Of --above every second seed is of one kind, and these are
    counted."""
    step = 2 if option == "--above" else 1
    for begin in range(0, seeds, 50):
        end = min(begin + 49, seeds - 1)
        done = subprocess.run([program, option, f"{begin}..{end}"], capture_output=True, text=True, timeout=580)
        found = re.search(r"^seed (\d+): (.*)$", done.stdout, re.M)
        if found:
            return int(found[1]) // step + 1, found[2]
        if done.returncode not in (0, 1):
            return begin // step + 1, f"the process ends: {done.stderr.strip()[-80:]}"
    return None, None


def find(build, folder, bug, seeds):
    """The simulator is asked first, then the unit tests. What judges attacks on light clients has work above f alone."""
    made = build_one(build, folder, bug)
    program = link(build, folder / "sim", [*objects(build), *made])
    count, what = (None, None) if bug[1].startswith("verify/") else run(program, seeds, "--seeds")
    if count:
        return str(count), what
    count, what = run(program, ABOVE_SEEDS, "--above")
    return (f"{count} above", what) if count else ("-", run_unit(build, folder, made))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=800)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    missed = 0
    for bug in BUGS:
        if args.names and bug[0] not in args.names:
            continue
        with tempfile.TemporaryDirectory() as name:
            count, what = find(args.build.resolve(), pathlib.Path(name), bug, args.seeds)
        missed += what is None
        print(f"{bug[0]:24} {count:>9}  {bug[4]}: {what or 'NOT FOUND'}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
