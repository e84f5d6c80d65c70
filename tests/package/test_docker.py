"""docker/: what can be held against the files without an engine. Each image has the libraries of its programs, and each container of the
compose file is shut as far as it can be."""
from __future__ import annotations

import functools
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from lib.chains import secret_of
from lib.tools import ROOT, Missing, find_build

FOLDER = ROOT / "docker"
STAGES = ["gateway", "enclave", "oracle", "cluster", "ledger", "maker"]
OURS = {f"gateway{n}" for n in (1, 2)} | {f"enclave{n}" for n in (1, 2)} | {f"chain{n}" for n in (1, 2)} | {f"ledger{n}" for n in (1, 2, 3, 4)}
# What libraries open by themselves, so that nothing names it: libwebsockets its event loop.
OPENED = {"libwebsockets17": "libwebsockets-evlib-uv"}
# In every image of Debian, without being named.
ESSENTIAL = {"libc6", "libgcc-s1", "zlib1g", "libzstd1"}


def stages() -> dict[str, str]:
    """Each stage's text after those that it is from."""
    found: dict[str, str] = {"$BASE": ""}
    text = (FOLDER / "Dockerfile").read_text().replace("\\\n", " ")
    for parent, name, body in re.findall(r"^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM |\Z)", text, re.M | re.S):
        found[name] = found[parent] + body
    return found


def packages(body: str) -> set[str]:
    found: set[str] = set()
    for line in re.findall(r"install -y --no-install-recommends(.*?)&&", body):
        found |= set(shlex.split(line))
    return found


def programs(body: str) -> set[str]:
    return set(re.findall(r"/out/usr/local/bin/(\S+)", body))


@functools.cache
def libraries(program: str) -> frozenset[str]:
    said = subprocess.run(["readelf", "-d", find_build() / "bin" / program], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"NEEDED.*\[(.*)\]", said)
    return frozenset(name for name in found if not re.match(r"lib(asan|ubsan|tsan)|ld-linux", name))


@functools.cache
def owners() -> dict[str, str]:
    """The package of Debian that has each library: one question for all of them, because dpkg-query reads every list each time."""
    if shutil.which("dpkg-query") is None:
        raise Missing("dpkg-query", "it tells which package of Debian has a library")
    wanted = set().union(*(libraries(program) for stage in STAGES for program in programs(stages()[stage])))
    said = subprocess.run(["dpkg-query", "-S", *(f"/*lib/x86_64-linux-gnu/{name}" for name in sorted(wanted))], capture_output=True, text=True,
                          check=False).stdout
    return {line.split("/")[-1]: line.split(":")[0] for line in said.splitlines()}


@pytest.mark.parametrize("stage", STAGES)
def test_the_image_has_every_library_that_its_programs_name(stage):
    body = stages()[stage]
    needed = set().union(*(libraries(program) for program in programs(body)))
    assert needed
    lacking = {name: owners().get(name) for name in needed if owners().get(name) not in packages(body) | ESSENTIAL}
    assert lacking == {}, f"{stage} lacks packages"
    assert packages(body) >= {opened for library, opened in OPENED.items() if library in packages(body)}


@pytest.mark.parametrize("stage", STAGES)
def test_the_image_has_no_root_and_a_healthcheck(stage):
    body = stages()[stage]
    assert re.findall(r"^USER (\S+)", body, re.M)[-1] == "10001:10001"
    assert len(re.findall(r"^HEALTHCHECK ", body, re.M)) == 1 and len(re.findall(r"^CMD \[", body, re.M)) == 1
    for words in re.findall(r"CMD \[(.*)\]", body):
        program = words.split(",")[0].strip().strip('"')
        assert program in programs(body) | {"sh", "/src/docker/make-bridge"}, program


def test_programs_with_secrets_of_others_are_in_no_image_of_the_enclave():
    assert programs(stages()["enclave"]) == {"caisson", "caisson-enclave"}
    assert "caisson-enclave" not in programs(stages()["gateway"])


@functools.cache
def loaded(path) -> str:
    """PyYAML is in the environment of the OpenAPI tests."""
    python = ROOT / "build" / "tools" / "venv-openapi" / "bin" / "python"
    if not python.exists():
        raise Missing("venv-openapi", "script/install test")
    code = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"
    return subprocess.run([python, "-c", code], input=path.read_text(), capture_output=True, text=True, check=True).stdout


def load(path) -> dict:
    return json.loads(loaded(path))


def compose() -> dict:
    return load(FOLDER / "compose.yml")


def test_every_container_is_shut_as_far_as_it_can_be():
    services = compose()["services"]
    assert set(services) == OURS | {"prometheus", "grafana", "maker"}
    maker = services.pop("maker")
    # It becomes user 10001 before it makes anything.
    assert maker["cap_drop"] == ["ALL"] and set(maker["cap_add"]) == {"CHOWN", "SETGID", "SETUID"} and maker["network_mode"] == "none"
    assert maker["read_only"] is True and maker["profiles"] == ["make"] and "..:/src:ro" in maker["volumes"]
    for name, service in services.items():
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"] and not service["user"].startswith("0"), name
        assert not {"privileged", "cap_add", "devices", "pid", "ipc"} & set(service), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert (service.get("profiles") == ["metrics"]) == (name not in OURS), name
        if name in OURS:
            assert service["build"]["target"] in STAGES and (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


def test_an_enclave_has_no_network_and_sees_no_key_and_no_journal():
    for n in (1, 2):
        enclave = compose()["services"][f"enclave{n}"]
        assert enclave["network_mode"] == "none" and "ports" not in enclave and "networks" not in enclave
        inside = {volume.split(":")[1]: volume.split(":")[2:] for volume in enclave["volumes"]}
        assert set(inside) == {"/run/caisson"} | {f"/var/lib/caisson/{what}" for what in ("gateway.toml", "manifests", "seal")}
        assert all(how == ["ro"] for where, how in inside.items() if where != "/run/caisson")
        assert not any("enclave" in volume.split(":")[0] and volume.startswith("./") for volume in compose()["services"][f"gateway{n}"]["volumes"])


def test_what_is_mounted_from_the_repository_exists_and_the_targets_are_services():
    for name, service in compose()["services"].items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith(".") and not source.startswith("./bridge"):
                assert (FOLDER / source).exists(), (name, source)
            elif not source.startswith("."):
                assert source in compose()["volumes"], (name, source)
    targets = load(FOLDER / "prometheus" / "prometheus.yml")["scrape_configs"][0]["static_configs"][0]["targets"]
    for target in targets:
        name, port = target.split(":")
        assert any(p.endswith(f":{port}") for p in compose()["services"][name]["ports"])


def test_keys_of_a_bridge_enter_no_image_and_no_commit():
    assert "docker" in (ROOT / ".dockerignore").read_text().splitlines()
    assert "/docker/bridge/" in (ROOT / ".gitignore").read_text().splitlines()


# ---- make-bridge ----

def make_bridge(*arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run([FOLDER / "make-bridge", *arguments], capture_output=True, text=True, timeout=600, check=False, **options)


def test_a_folder_that_has_something_is_refused_and_keeps_it(tmp_path):
    (tmp_path / "gateway1").mkdir()
    (tmp_path / "gateway1" / "journal.db").write_text("kept")
    made = make_bridge(tmp_path)
    assert made.returncode == 1 and "is not empty" in made.stderr and "Traceback" not in made.stderr
    assert (tmp_path / "gateway1" / "journal.db").read_text() == "kept"


@pytest.mark.parametrize("arguments", [(), ("a", "b"), ("--nonsense",)])
def test_wrong_arguments_are_refused(arguments):
    made = make_bridge(*arguments)
    assert made.returncode == 2 and made.stdout == "" and "docker/make-bridge [--owner UID] FOLDER" in made.stderr


def test_a_bridge_has_keys_of_its_own_and_configurations_of_the_containers():
    """No key is printed, readable by others, or one that anybody can compute; no address is the machine's that made it."""
    with tempfile.TemporaryDirectory(prefix="caisson-bridge-") as work:  # short: sockets' paths are
        out = Path(work) / "bridge"
        made = make_bridge(out, env={**os.environ, "CAISSON_BUILD": str(find_build())})
        assert made.returncode == 0, made.stderr
        keys = [path for path in out.rglob("*") if path.name.endswith((".key", "seal.root"))]
        assert len(keys) > 20 and all(path.stat().st_mode & 0o077 == 0 for path in keys)
        said = made.stdout + made.stderr
        assert not any(path.read_text().strip() in said for path in keys)
        for name, label in (("chain1-owner", "caisson-chain-1 user 0"), ("ledger-owner", "caisson-bridge owner"),
                            ("ledger-administrator1", "caisson-bridge administrator 0")):
            assert int((out / "owners" / f"{name}.key").read_text(), 16) != secret_of(label), name
        for n in (1, 2):
            config = (out / f"gateway{n}" / "gateway.toml").read_text()
            assert "127.0.0.1" not in config and f'name = "gateway{n}"' in config
            assert not (out / f"gateway{n}" / "seal.root").exists()
        for node in (*(f"chain{n}" for n in (1, 2)), *(f"ledger{n}" for n in (1, 2, 3, 4))):
            text = (out / node / "config" / "config.toml").read_text()
            assert 'laddr = "tcp://0.0.0.0:26657"' in text and 'laddr = "tcp://0.0.0.0:26656"' in text and "@127.0.0.1" not in text, node
        assert not (out / ".making").exists()
