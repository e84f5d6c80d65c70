#!/usr/bin/env python3
"""Makes wire/gen/bounds.c, wire/schema.lock, wire/oracle.lock and wire/cluster.lock from the schemas of wire/.

Bounds are in the comments of the fields: `size N` (exactly N bytes), `max N` (of bytes or strings: at most N bytes; of
repeated fields: at most N elements, and after a comma the bound of one element), `optional` (a message that may be absent).
A field that needs a bound and has none is an error. With --check nothing is written and a difference is an error.
"""
import hashlib
import pathlib
import re
import sys

SCALARS = {"uint32", "uint64", "sint32", "bool"}
FIELD = re.compile(r"^(repeated )?(\w+) (\w+) = (\d+);(?:\s*// ?(.*))?$")
PREFIX = "caisson__wire__"


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def bounds_of(comment):
    """The list of (word, number) at the begin of a comment: `max 16, size 32: in the order…`."""
    found = []
    for part in comment.split(":")[0].split(","):
        match = re.match(r"^\s*(max|size) (\d+)\s*$", part)
        if not match:
            break
        found.append((match[1], int(match[2])))
    return found


def field_bound(where, match, messages, enums):
    repeated, kind, name, number, comment = match.groups()
    bounds = bounds_of(comment or "")
    count, low, high, required = 1, 0, 0, "false"
    if repeated:
        if not bounds or bounds[0][0] != "max":
            raise SystemExit(f"{where}.{name}: a repeated field needs `max N`")
        count = bounds.pop(0)[1]
    if kind in ("bytes", "string"):
        if len(bounds) != 1:
            raise SystemExit(f"{where}.{name}: needs `max N` or `size N`")
        word, high = bounds.pop()
        low = high if word == "size" else 0
    elif kind in messages:
        optional = (comment or "").startswith("optional")
        required = "false" if repeated or optional else "true"
    elif kind not in SCALARS and kind not in enums:
        raise SystemExit(f"{where}.{name}: type {kind} has no rule")
    elif repeated:
        raise SystemExit(f"{where}.{name}: repeated numbers have no rule")
    if bounds:
        raise SystemExit(f"{where}.{name}: a bound too many")
    return f"\t{{{number}, {count}, {low}, {high}, {required}}}, /* {name} */"


def digest_of(name, *texts):
    digest = hashlib.sha256("".join(texts).encode()).digest()
    rows = ["\t" + " ".join(f"0x{b:02x}," for b in digest[i:i + 8]) for i in range(0, 32, 8)]
    return digest.hex(), [f"const struct cs_hash {name} = {{{{", *rows, "}};"]


def generate(shared, oracle, cluster):
    text = shared + oracle + cluster
    messages = re.findall(r"^message (\w+) ", text, re.M)
    enums = re.findall(r"^enum (\w+) ", text, re.M)
    out = ["/* Generated from enclave.proto, oracle.proto and cluster.proto by tools/wire_bounds.py. */", "/* clang-format off */",
           '#include "wire/bounds.h"', '#include "wire/cluster.pb-c.h"', '#include "wire/enclave.pb-c.h"', '#include "wire/oracle.pb-c.h"', ""]
    rows = []
    for body in re.finditer(r"^message (\w+) \{(.*?)\}", text, re.M | re.S):
        name, fields = body[1], []
        for line in filter(None, (line.strip() for line in body[2].split("\n"))):
            match = FIELD.match(line)
            if not match:
                raise SystemExit(f"{name}: cannot read `{line}`")
            fields.append((int(match[4]), field_bound(name, match, messages, enums)))
        if [n for n, _ in fields] != sorted({n for n, _ in fields}):
            raise SystemExit(f"{name}: field numbers must rise")
        table = "NULL"
        if fields:
            table = snake(name)
            out += [f"static const struct wire_bound {table}[] = {{", *(f for _, f in fields), "};", ""]
        rows.append(f"\t{{&{PREFIX}{snake(name)}__descriptor, {table}, {len(fields)}}},")
    bridge, bridge_rows = digest_of("wire_schema_digest", shared)
    both, both_rows = digest_of("wire_oracle_schema_digest", shared, oracle)
    own, own_rows = digest_of("wire_cluster_schema_digest", cluster)
    out += ["const struct wire_message_bounds wire_bounds[] = {", *rows, "};",
            f"const size_t wire_bounds_count = {len(rows)};", "", *bridge_rows, *both_rows, *own_rows, ""]
    return "\n".join(out), bridge + "  enclave.proto\n", both + "  enclave.proto oracle.proto\n", own + "  cluster.proto\n"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent / "wire"
    texts = generate(*((root / f"{name}.proto").read_text() for name in ("enclave", "oracle", "cluster")))
    outputs = dict(zip((root / "gen" / "bounds.c", root / "schema.lock", root / "oracle.lock", root / "cluster.lock"), texts))
    if sys.argv[1:] == ["--check"]:
        stale = [p.name for p, new in outputs.items() if not p.exists() or p.read_text() != new]
        if stale:
            raise SystemExit(f"not up to date with the schema: {', '.join(stale)} (run tools/wire_bounds.py)")
        return
    for path, new in outputs.items():
        path.write_text(new)


if __name__ == "__main__":
    main()
