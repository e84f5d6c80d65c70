"""What is installed: programs, systemd units, manual pages, completion; each asked by the tool that reads it on an operator's machine."""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lib.tools import Missing, find_build

BUILD = find_build()

UNITS = ["gateway", "oracle", "cluster", "ledger"]
PAGES = ["man1/caisson.1"] + [f"man8/caisson-{name}.8" for name in UNITS]
# Of 10, as `systemd-analyze security` (252) weighs them; it gives an unhardened unit 9.6. What is left is the network, which they
# need, the namespaces that an enclave leaves it by, and the rights of @system-service.
EXPOSURE_MAX = {"gateway": 2.0, "oracle": 2.0, "cluster": 2.0, "ledger": 1.6}


def run(*command, **options) -> subprocess.CompletedProcess:
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=240, check=False, **options)


def tool(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise Missing(name, f"Debian's package {package} brings it")
    return path


@pytest.fixture(scope="module")
def prefix(tmp_path_factory) -> Path:
    """An installation of everything that is no program; the programs are those of the build."""
    folder = tmp_path_factory.mktemp("usr")
    done = run("cmake", "--install", BUILD, "--prefix", folder, "--component", "extras")
    assert done.returncode == 0, done.stderr
    (folder / "bin").symlink_to(BUILD / "bin")
    return folder


@pytest.fixture(scope="module")
def table() -> list[dict]:
    done = run(BUILD / "bin" / "caisson", "help", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["commands"]


def test_everything_is_installed_under_the_prefix_and_nothing_names_the_build(prefix):
    found = sorted(str(p.relative_to(prefix)) for p in prefix.rglob("*") if p.is_file() and not p.is_relative_to(prefix / "bin"))
    assert found == sorted([f"lib/systemd/system/caisson-{name}@.service" for name in UNITS] + [f"share/man/{page}" for page in PAGES] +
                           ["share/bash-completion/completions/caisson"])
    for name in found:
        said = (prefix / name).read_text()
        assert str(BUILD) not in said and not re.search(r"@[A-Z]+@", said), name


def test_a_staged_installation_names_the_programs_where_they_will_be(tmp_path):
    done = run("cmake", "--install", BUILD, "--prefix", "/opt/caisson", "--component", "extras", env={**os.environ, "DESTDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    unit = (tmp_path / "opt/caisson/lib/systemd/system/caisson-gateway@.service").read_text()
    assert "\nExecStart=/opt/caisson/bin/caisson up %S/caisson-gateway/%i/gateway.toml\n" in unit


# ---- units ----

def unit_of(prefix: Path, folder: Path, name: str, change=lambda said: said) -> Path:
    """One instance, as systemd would name it."""
    unit = folder / f"caisson-{name}@one.service"
    unit.write_text(change((prefix / f"lib/systemd/system/caisson-{name}@.service").read_text()))
    return unit


@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_the_unit_without_a_word(prefix, tmp_path, name):
    done = run(tool("systemd-analyze", "systemd"), "verify", "--man=no", unit_of(prefix, tmp_path, name))
    said = [line for line in (done.stdout + done.stderr).splitlines() if "caisson" in line]
    assert done.returncode == 0 and said == [], said


@pytest.mark.parametrize("wrong", ["ProtectSytem=strict", "RestrictNamespaces=user nett", "SystemCallFilter=@no-such-set", "ExecStart=/nowhere/caisson"])
def test_a_unit_with_a_wrong_line_is_found(prefix, tmp_path, wrong):
    key, _, value = wrong.partition("=")
    unit = unit_of(prefix, tmp_path, "gateway", lambda said: re.sub(r"^ExecStart=.*$", wrong if key == "ExecStart" else rf"\g<0>\n{wrong}", said, flags=re.M))
    done = run(tool("systemd-analyze", "systemd"), "verify", "--man=no", unit)
    assert any(key in line or value.split()[-1] in line for line in done.stderr.splitlines()), done.stderr


def exposure(unit: Path) -> tuple[float, str]:
    done = run(tool("systemd-analyze", "systemd"), "security", "--offline=true", "--no-pager", unit)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    if found is None and "offline" in done.stderr:
        raise Missing("systemd-analyze", "one of 250 or newer, which judges files")
    assert found, done.stdout + done.stderr
    return float(found[1]), done.stdout


@pytest.mark.parametrize("name", UNITS)
def test_the_unit_exposes_little(prefix, tmp_path, name):
    level, report = exposure(unit_of(prefix, tmp_path, name))
    assert level <= EXPOSURE_MAX[name], report


def test_a_unit_without_its_hardening_is_above_the_bound(prefix, tmp_path):
    bare = "\n".join(line for line in (prefix / "lib/systemd/system/caisson-gateway@.service").read_text().splitlines()
                     if not re.match(r"(Protect|Private|Restrict|Capab|SystemCall|NoNew|DynamicUser|Memory|Lock|UMask)", line))
    level, _ = exposure(unit_of(prefix, tmp_path, "gateway", lambda said: bare))
    assert level > 7


# ---- manual pages ----

@pytest.mark.parametrize("page", PAGES)
def test_mandoc_has_nothing_to_say_of_the_page(prefix, page):
    done = run(tool("mandoc", "mandoc"), "-T", "lint", "-W", "warning", prefix / "share/man" / page)
    assert done.returncode == 0 and done.stdout == "", done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_man_prints_the_page_without_warnings(prefix, page):
    done = run(tool("man", "man-db"), "--warnings", "-E", "UTF-8", "-l", prefix / "share/man" / page, env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "120"})
    assert done.returncode == 0 and done.stderr == "" and "NAME" in done.stdout, done.stderr


def test_every_command_and_option_is_in_the_page(prefix, table):
    done = run(tool("man", "man-db"), "-E", "UTF-8", "-l", prefix / "share/man/man1/caisson.1", env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "400"})
    said = " ".join(done.stdout.split())
    assert len(table) > 80
    for command in table:
        assert f"caisson {command['name']} " in said, command["name"]
        for option in command["options"]:
            shown = " ".join(filter(None, [f"--{option['name']}", option["value"]]))
            assert shown in said, (command["name"], shown)
            assert " ".join(option["help"].replace("`", "").split()) in said, (command["name"], option)


def test_help_of_one_command_is_its_row_and_an_unknown_one_is_refused(table):
    caisson = BUILD / "bin" / "caisson"
    assert run(caisson, "help", "oracle", "feeds", "add").stdout == run(caisson, "oracle", "feeds", "add", "--help").stdout
    one = json.loads(run(caisson, "help", "oracle", "feeds", "add", "--json").stdout)["commands"]
    assert one == [command for command in table if command["name"] == "oracle feeds add"]
    for words in (["nonsense"], ["oracle", "nonsense"], ["send", "nonsense"]):
        done = run(caisson, "help", *words)
        assert done.returncode == 2 and done.stdout == "" and "no such command" in done.stderr, words


# ---- completion, in bash itself ----

def complete(prefix: Path, folder: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    script = ('. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _caisson; printf "%s\\n" "${COMPREPLY[@]}"')
    done = run("bash", "--norc", "-u", "-c", script, "bash", prefix / "share/bash-completion/completions/caisson", "caisson", *words, cwd=folder)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return sorted(filter(None, done.stdout.split("\n")))


def test_bash_completes_commands_options_and_files(prefix, tmp_path, table):
    (tmp_path / "gateway.toml").write_text("")
    (tmp_path / "gas price.json").write_text("")
    assert complete(prefix, tmp_path, "tr") == ["transactions", "transfer"]
    assert complete(prefix, tmp_path, "oracle", "feeds", "r") == ["remove", "resume", "round"]
    assert set(complete(prefix, tmp_path, "")) == {command["name"].split()[0] for command in table}
    assert complete(prefix, tmp_path, "transfer", "--am") == ["--amount"]
    assert complete(prefix, tmp_path, "up", "ga") == ["gas price.json", "gateway.toml"]
    assert complete(prefix, tmp_path, "status", "--config", "gatew") == ["gateway.toml"]
    assert complete(prefix, tmp_path, "help", "webhooks", "ro") == ["rotate"]
    assert complete(prefix, tmp_path, "transfer", "--mode", "") == ["prepare", "sponsored"]
    assert complete(prefix, tmp_path, "messages", "--side", "d") == ["destination"]
    assert complete(prefix, tmp_path, "ledger", "statement", "--format", "json") == ["json", "jsonl"]


def test_bash_offers_all_options_of_every_command_and_no_others(prefix, tmp_path, table):
    script = ('. "$1"; while read -r -a words; do COMP_WORDS=(caisson "${words[@]}" --); COMP_CWORD=$((${#words[@]} + 1)); _caisson; '
              'printf "%s\\n" "${COMPREPLY[*]}"; done')
    done = run("bash", "--norc", "-c", script, "bash", prefix / "share/bash-completion/completions/caisson",
               input="".join(command["name"] + "\n" for command in table))
    offered = [sorted(line.split()) for line in done.stdout.splitlines()]
    assert offered == [sorted([f"--{o['name']}" for o in command["options"]] + ["--help"]) for command in table], done.stderr


def test_bash_offers_nothing_for_what_is_no_file_and_no_command(prefix, tmp_path):
    (tmp_path / "gateway.toml").write_text("")
    for words in (["transfer", "--amount", ""], ["nonsense", "ga"], ["transfer", "--to", "gate"], ["retry", "ga"], ["status", "--nons"]):
        assert complete(prefix, tmp_path, *words) == [], words


def test_the_completion_has_no_fault_that_shellcheck_knows(prefix):
    done = run(tool("shellcheck", "shellcheck"), "-s", "bash", prefix / "share/bash-completion/completions/caisson")
    assert done.returncode == 0, done.stdout
