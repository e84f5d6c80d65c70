#!/usr/bin/env python3
"""Makes tests/vectors/ledger_tree/: what the root of the ledger's state tree is after each of many steps, and proofs of ICS-23, by the
plainest implementation there is: a recursion over all pairs, without pages, store or history. With --check libraries of others judge
both as well (tools/ledger_tree_check: celestiaorg/smt for roots, cosmos/ics23 for proofs).

    tools/ledger_tree_vectors.py            write the files
    tools/ledger_tree_vectors.py --check    fail if they differ from what would be written, or if those libraries say otherwise. Where
                                            their program cannot be built the exit code is 77 (1 with cometbft in $CAISSON_REQUIRE).
"""
import json
import os
import random
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "tools" / "ledger_tree_check"
FOLDER = ROOT / "tests" / "vectors" / "ledger_tree"
BUILD_TIMEOUT_S = 540
EMPTY = bytes(32)
BIRTHDAYS = 1 << 18


# ---- the tree: leaves are (path as a number, key, value), ascending ----

def digest(data: bytes) -> bytes:
    return sha256(data).digest()


def leaves_of(pairs: dict[bytes, bytes]) -> list:
    return sorted((int.from_bytes(digest(k), "big"), k, v) for k, v in pairs.items())


def split(leaves: list, depth: int) -> tuple[list, list]:
    bit = 255 - depth
    return [x for x in leaves if not x[0] >> bit & 1], [x for x in leaves if x[0] >> bit & 1]


def root_of(leaves: list, depth: int = 0) -> bytes:
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        path, _, value = leaves[0]
        return digest(b"\0" + path.to_bytes(32, "big") + digest(value))
    left, right = split(leaves, depth)
    return digest(b"\1" + root_of(left, depth + 1) + root_of(right, depth + 1))


def steps_to(leaves: list, path: int, depth: int = 0) -> list[tuple[bytes, bool]]:
    """From the leaf up: the sibling, and whether the path's own node is the right one."""
    if len(leaves) == 1:
        return []
    sides = split(leaves, depth)
    right = path >> (255 - depth) & 1
    return steps_to(sides[right], path, depth + 1) + [(root_of(sides[1 - right], depth + 1), bool(right))]


# ---- protobuf: cosmos/ics23 proto/cosmos/ics23/v1/proofs.proto ----

def varint(n: int) -> bytes:
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


def field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def small(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


LEAF_OP = small(1, 1) + small(2, 1) + small(3, 1) + field(5, b"\0")


def inner_op(sibling: bytes, right: bool) -> bytes:
    return small(1, 1) + (field(2, b"\1" + sibling) if right else field(2, b"\1") + field(3, sibling))


def existence(leaves: list, leaf: tuple) -> bytes:
    path, key, value = leaf
    return field(1, key) + field(2, value) + field(3, LEAF_OP) + b"".join(field(4, inner_op(*s)) for s in steps_to(leaves, path))


def proof_of(leaves: list, key: bytes) -> bytes:
    path = int.from_bytes(digest(key), "big")
    for leaf in leaves:
        if leaf[0] == path:
            return field(1, existence(leaves, leaf))
    below, above = [x for x in leaves if x[0] < path], [x for x in leaves if x[0] > path]
    return field(2, field(1, key) + (field(2, existence(leaves, below[-1])) if below else b"")
                 + (field(3, existence(leaves, above[0])) if above else b""))


# ---- the vectors ----

def near_keys(count: int) -> list[bytes]:
    """Keys in pairs whose hashes have the longest common beginnings of so many candidates."""
    known = sorted((digest(k), k) for k in (b"near%d" % i for i in range(BIRTHDAYS)))
    shared = []
    for (a, x), (b, y) in zip(known, known[1:]):
        shared.append((256 - (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_length(), x, y))
    shared.sort(reverse=True)
    return [key for _, x, y in shared[:count // 2] for key in (x, y)]


def walk(rng: random.Random, keys: list[bytes], step_count: int, changes_max: int) -> dict:
    pairs: dict[bytes, bytes] = {}
    steps, roots = [], []
    for i in range(step_count):
        step = {}
        for key in rng.sample(keys, rng.randint(1, min(changes_max, len(keys)))):
            # Towards the end it empties.
            gone = rng.random() < (0.3 if i < step_count * 2 // 3 else 0.8)
            step[key] = b"" if gone else rng.randbytes(rng.randint(1, 40))
        if i == step_count - 1:
            step = {key: b"" for key in pairs}
        for key, value in step.items():
            if value:
                pairs[key] = value
            else:
                pairs.pop(key, None)
        steps.append([[k.hex(), v.hex()] for k, v in sorted(step.items())])
        roots.append(root_of(leaves_of(pairs)).hex())
    return {"steps": steps, "roots": roots}


def walks() -> dict[str, dict]:
    rng = random.Random(36)
    return {
        "few": walk(rng, [b"a", b"b", b"c"], 30, 2),
        "many": walk(rng, [rng.randbytes(rng.randint(1, 96)) for _ in range(400)], 40, 60),
        "near": walk(rng, near_keys(80), 40, 12),
        "all": walk(rng, near_keys(60) + [b"k%d" % i for i in range(300)], 12, 360),
    }


def tree(pairs: dict[bytes, bytes], absent: list[bytes]) -> dict:
    leaves = leaves_of(pairs)
    proofs = [{"key": k.hex(), "value": pairs[k].hex() if k in pairs else None, "proof": proof_of(leaves, k).hex()}
              for k in [*sorted(pairs), *absent]]
    return {"pairs": [[k.hex(), v.hex()] for k, v in sorted(pairs.items())], "root": root_of(leaves).hex(), "proofs": proofs}


def edges(pairs: dict[bytes, bytes]) -> list[bytes]:
    """Absent keys below all, above all, and a few between."""
    paths = sorted(digest(k) for k in pairs)
    candidates = sorted((digest(k), k) for k in (b"edge%d" % i for i in range(BIRTHDAYS // 8)))
    assert candidates[0][0] < paths[0] and candidates[-1][0] > paths[-1]
    return [candidates[0][1], candidates[-1][1], b"absent", b"another", b"third"]


def trees() -> dict[str, dict]:
    rng = random.Random(23)
    near = near_keys(40)
    one = {b"only": b"1"}
    some = {b"key%d" % i: b"value%d" % i for i in range(120)}
    close = {k: b"near " + k for k in near[:20]}
    lonely = {near[0]: b"x", near[2]: b"y"}
    return {
        "one": tree(one, edges(one)),
        "some": tree(some, edges(some)),
        # Of each further pair one is there and the other is asked for: neighbours far down, with empty branches above.
        "close": tree({**close, **{k: rng.randbytes(33) for k in near[20::2]}}, [*edges(close), *near[21::2]]),
        "lonely": tree(lonely, [near[1], near[3], b"absent"]),
        "mixed": tree({**some, **close}, [*edges(some), near[20], near[21]]),
    }


def text_of(data: dict) -> str:
    return json.dumps(data, indent=0) + "\n"


# ---- the libraries ----

def go_folders() -> list[str]:
    return [str(p) for p in (ROOT / "build" / "tools" / "venv-go" / "lib").glob("python3*/site-packages/go/bin")]


def ask(questions: list[dict]) -> list | None:
    """None where there is no Go that builds the program."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *go_folders()])
    environment = {**os.environ, "PATH": path, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -modcacherw"}
    lines = "".join(json.dumps(q) + "\n" for q in questions)
    try:
        run = subprocess.run(["go", "run", "-p", "2", "."], cwd=PROGRAM, env=environment, input=lines, capture_output=True, text=True,
                             timeout=BUILD_TIMEOUT_S)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        print(f"no Go that builds it: {error}", file=sys.stderr)
        return None
    if run.returncode != 0:
        print(run.stderr, file=sys.stderr)
        return None
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(answers) == len(questions)
    return answers


def flipped(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def questions_of(some_trees: dict[str, dict]) -> list[tuple[dict, bool]]:
    asked = []
    for one in some_trees.values():
        for p in one["proofs"]:
            good = {"root": one["root"], **p}
            asked += [(good, True), ({**good, "root": flipped(one["root"])}, False)]
            if p["value"] is not None:
                asked += [({**good, "value": flipped(p["value"])}, False), ({**good, "value": None}, False)]
            else:
                there = one["pairs"][0]
                asked += [({**good, "key": there[0]}, False), ({**good, "value": there[1]}, False)]
    return asked


def judge(some_walks: dict[str, dict], some_trees: dict[str, dict]) -> int:
    asked = questions_of(some_trees)
    answers = ask([{"steps": w["steps"]} for w in some_walks.values()] + [q for q, _ in asked])
    if answers is None:
        return 1 if "cometbft" in os.environ.get("CAISSON_REQUIRE", "").split(",") else 77
    for (name, w), answer in zip(some_walks.items(), answers):
        if answer != w["roots"]:
            print(f"celestiaorg/smt has other roots for {name}", file=sys.stderr)
            return 1
    for (question, want), answer in zip(asked, answers[len(some_walks):]):
        if answer != want:
            print(f"cosmos/ics23 says {answer} to {question}", file=sys.stderr)
            return 1
    return 0


def main() -> int:
    some_walks, some_trees = walks(), trees()
    files = {"roots.json": text_of(some_walks), "proofs.json": text_of(some_trees)}
    if sys.argv[1:] != ["--check"]:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (FOLDER / name).write_text(text)
        return 0
    for name, text in files.items():
        if (FOLDER / name).read_text() != text:
            print(f"tests/vectors/ledger_tree/{name} is not what would be written", file=sys.stderr)
            return 1
    return judge(some_walks, some_trees)


if __name__ == "__main__":
    sys.exit(main())
