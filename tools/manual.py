#!/usr/bin/env python3
"""Manual pages and bash completion, of what the programs say of themselves: `caisson help --json`, and `--help` of the others.

    tools/manual.py --version 0.1.0 -o FOLDER bin/caisson bin/caisson-gateway ...

Writes caisson.1, caisson.bash and NAME.8 for each other program. Nothing is described here a second time: a command or an option
enters its table in C, and is in all of these."""
from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
from pathlib import Path

DAEMONS = {
    "caisson-gateway": "the gateway of one or several chains",
    "caisson-oracle": "an oracle and its enclave",
    "caisson-cluster": "a process of a key cluster and its enclave",
    "caisson-ledger": "a node of a ledger",
}
# Values of options, and arguments, that name files.
FILES = ("FILE", "PATH", "FOLDER", "DIR")
ARGUMENTS = ("FILE", "SPEC")


def run(program: Path, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        sys.exit(f"{program} {' '.join(arguments)}: exit status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


# ---- man(7) ----

def text(plain: str) -> str:
    """What roff prints as it stands, whatever it begins with."""
    plain = plain.replace("\\", "\\e").replace("-", "\\-")
    plain = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", plain)
    plain = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in plain)
    return "\\&" + plain if plain[:1] in (".", "'") else plain


def bold(plain: str) -> str:
    return f"\\fB{text(plain)}\\fR"


def option_term(words: str) -> str:
    """--name VALUE, --other VALUE: names bold, values slanted."""
    parts = re.split(r"(--?[A-Za-z][\w-]*)", words)
    return "".join(bold(part) if i % 2 else re.sub(r"([A-Z]{1,}[A-Z0-9=:]*)", r"\\fI\1\\fR", text(part)) for i, part in enumerate(parts))


def item(term: str, body: str) -> list[str]:
    return [".TP", term, text(body) if body else "\\&"]


def head(name: str, section: int, what: str, version: str) -> list[str]:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    day = datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc) if epoch else datetime.datetime.now(datetime.timezone.utc)
    return ['.\\" Made by tools/manual.py of what the program says of itself.',
            f'.TH {name.upper()} {section} "{day:%Y-%m-%d}" "Caisson {version}" "Caisson"',
            ".SH NAME", f"{text(name)} \\- {text(what)}"]


def statuses(line: str) -> list[str]:
    line = " ".join(line.split()).removeprefix("exit status:").strip()
    out = [".SH EXIT STATUS"]
    for part in re.split(r"[;,] (?=\d )", line):
        number, _, meaning = part.partition(" ")
        out += item(bold(number), meaning)
    return out


def see_also(name: str) -> list[str]:
    pages = [page for page in [("caisson", 1)] + [(daemon, 8) for daemon in sorted(DAEMONS)] if page[0] != name]
    return [".SH SEE ALSO"] + [f".BR {text(page)} ({section}){',' if (page, section) != pages[-1] else ''}" for page, section in pages]


def main_page(table: dict, version: str) -> str:
    out = head("caisson", 1, "cross-chain gateway and oracle: what its operators and users call", version)
    out += [".SH SYNOPSIS", f"{bold('caisson')} \\fICOMMAND\\fR [\\fIarguments\\fR] [{bold('--json')}]",
            ".SH DESCRIPTION",
            text("Starts gateways and oracles, asks them, and checks offline what they signed. A gateway or an oracle is found by --url or "
                 "CAISSON_URL, or by --config or CAISSON_CONFIG; an API key is read from a file, never from an argument."),
            ".SH COMMANDS"]
    defaults: dict[str, set[str]] = {}
    for command in table["commands"]:
        out += [".TP", " ".join(filter(None, [bold("caisson " + command["name"]), option_term(command["arguments"])])),
                text(command["help"][:1].upper() + command["help"][1:] + ".")]
        if command["options"]:
            out += [".RS"]
            for option in command["options"]:
                out += item(option_term(f"--{option['name']} {option['value'] or ''}".strip()), option["help"])
                for variable in re.findall(r"CAISSON_[A-Z_]+", option["help"]):
                    defaults.setdefault(variable, set()).add("--" + option["name"])
            out += [".RE"]
    out += statuses(table["exit_status"]) + [".SH ENVIRONMENT"]
    for variable, options in sorted(defaults.items()):
        out += item(bold(variable), "what " + " and ".join(sorted(options)) + " would name")
    return "\n".join(out + see_also("caisson")) + "\n"


def daemon_page(name: str, said: str, version: str) -> str:
    """`usage: NAME SYNOPSIS` or `NAME SYNOPSIS`; paragraphs; indented tables of commands and options; `exit status: ...`."""
    lines = said.rstrip("\n").split("\n")
    synopsis = lines[0].removeprefix("usage: ")
    if not synopsis.startswith(name + " "):
        sys.exit(f"{name} --help begins with {lines[0]!r}")
    paragraphs: list[str] = []
    tables: dict[str, list[list[str]]] = {"COMMANDS": [], "OPTIONS": []}
    exits, row, column = "", None, 0
    for line in lines[1:]:
        entry = re.fullmatch(r"  (\S.*?)(?:  +(\S.*))?", line)
        if entry:
            column = column or (entry.start(2) if entry[2] else 0)
            row = [entry[1], entry[2] or ""]
            if not row[1] and column and line[column - 1:column] == " ":  # a term that just fits
                row = [line[2:column - 1], line[column:]]
            tables["OPTIONS" if row[0].startswith("-") else "COMMANDS"].append(row)
        elif line.startswith("   ") and row:
            row[1] = f"{row[1]} {line.strip()}".strip()
        elif line.startswith("exit status:"):
            exits, row = line, None
        elif line.strip():
            paragraphs.append(line.strip())
            row = None
    out = head(name, 8, DAEMONS[name], version)
    out += [".SH SYNOPSIS", bold(name) + option_term(synopsis[len(name):])]
    out += [".SH DESCRIPTION", text(" ".join(paragraphs) or DAEMONS[name][:1].upper() + DAEMONS[name][1:] + ".")]
    for title, rows in tables.items():
        if rows:
            out += [".SH " + title]
        for term, body in rows:
            out += item(option_term(term) if title == "OPTIONS" else bold(term), body)
    return "\n".join(out + (statuses(exits) if exits else []) + see_also(name)) + "\n"


# ---- bash ----

def quoted(words: str) -> str:
    return "'" + words.replace("'", "'\\''") + "'"


COMPLETION = r"""
# The longest command that the words before the cursor begin with, in `name`.
_caisson_find() {
	local i words=''
	name=''
	for ((i = $1; i < COMP_CWORD; i++)); do
		words+=${words:+ }${COMP_WORDS[i]}
		[[ -n ${_caisson_options[$words]+known} ]] && name=$words
	done
}

# The next words of commands that begin with the words from $1 to the cursor.
_caisson_next() {
	local i command words='' next=()
	for ((i = $1; i < COMP_CWORD; i++)); do words+="${COMP_WORDS[i]} "; done
	for command in "${!_caisson_options[@]}"; do
		[[ $command == "$words"* ]] || continue
		command=${command#"$words"}
		next+=("${command%% *}")
	done
	mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "${next[*]}" -- "${COMP_WORDS[COMP_CWORD]}" | sort -u)
}

_caisson_file_names() {
	compopt -o filenames 2>/dev/null
	mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
}

_caisson() {
	local name current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	if [[ ${COMP_WORDS[1]} == help && $COMP_CWORD -gt 1 && $current != -* ]]; then
		_caisson_next 2
		return
	fi
	_caisson_find 1
	if [[ -n $name && " ${_caisson_values[$name]} " == *" $previous "* ]]; then
		[[ " ${_caisson_files[$name]} " == *" $previous "* ]] && _caisson_file_names
		mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "${_caisson_words[$name $previous]:-}" -- "$current")
	elif [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "${_caisson_options[$name]:-} --help" -- "$current")
	else
		_caisson_next 1
		if [[ -n $name && " ${_caisson_files[$name]} " == *" argument "* ]]; then _caisson_file_names; fi
	fi
}
complete -F _caisson caisson
"""


def completion(table: dict) -> str:
    """Of each command: its options, those that take a value, those whose value (or whose argument) is a file's name, and the words of
    those whose value is one of them (`prepare|sponsored`)."""
    tables: dict[str, list[str]] = {"options": [], "values": [], "files": [], "words": []}
    for command in table["commands"]:
        valued = [o for o in command["options"] if o["value"]]
        first = re.match(r"[A-Z]+", command["arguments"])
        words = {"options": [f"--{o['name']}" for o in command["options"]], "values": [f"--{o['name']}" for o in valued],
                 "files": [f"--{o['name']}" for o in valued if o["value"] in FILES] +
                          (["argument"] if first and first[0] in ARGUMENTS else [])}
        for kind, list_ in words.items():
            tables[kind].append(f"\t[{quoted(command['name'])}]={quoted(' '.join(list_))}")
        tables["words"] += [f"\t[{quoted(command['name'] + ' --' + o['name'])}]={quoted(o['value'].replace('|', ' '))}" for o in valued if "|" in o["value"]]
    out = ["# Completion of caisson for bash. Made by tools/manual.py of `caisson help --json`."]
    for kind, rows in tables.items():
        out += [f"declare -gA _caisson_{kind}=(", *rows, ")"]
    return "\n".join(out) + COMPLETION


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", required=True)
    parser.add_argument("-o", dest="folder", type=Path, required=True)
    parser.add_argument("programs", nargs="+", type=Path)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    for program in asked.programs:
        if program.name == "caisson":
            table = json.loads(run(program, "help", "--json"))
            (asked.folder / "caisson.1").write_text(main_page(table, asked.version))
            (asked.folder / "caisson.bash").write_text(completion(table))
        else:
            (asked.folder / f"{program.name}.8").write_text(daemon_page(program.name, run(program, "--help"), asked.version))


if __name__ == "__main__":
    main()
