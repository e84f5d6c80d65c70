"""Images of docker/Dockerfile, and the bridge of docker/compose.yml run from them, without an engine: buildah builds, runc runs.

    tests/package/images.py build --folder FOLDER [STAGE ...]
    tests/package/images.py run --folder FOLDER [--json FILE]

build makes the base by mmdebstrap from the archive that this machine has (an image to try the Dockerfile with, never one to ship), then each
stage. run reads compose.yml and does what it says, as far as a container goes: image, command, user, read-only root, capabilities, tmpfs,
mounts, volumes, limits, init, restarts, health checks of the images, no network for enclaves and names for the others. Processes are under
the filter of system calls that Debian's containers-common brings, less what Docker's has only with CAP_SYS_ADMIN. Not what an engine does
beside: published ports, its resolver (names are in /etc/hosts), cgroups' limits, the profile `metrics`.

As root. Everything of a run is in a network and mount namespace that ends with it: mounts of the images, namespaces of the containers.
"""
from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]
from lib.rpc import wait_for  # noqa: E402
from lib.tools import ROOT, Missing  # noqa: E402

DOCKER = ROOT / "docker"
STAGES = ("build", "gateway", "enclave", "oracle", "cluster", "ledger", "maker")
BASE = "localhost/debian:bookworm"
PACKAGES = {"buildah": "buildah", "runc": "runc", "mmdebstrap": "mmdebstrap", "ip": "iproute2", "tini-static": "tini"}
FILTER = Path("/usr/share/containers/seccomp.json")
# Allowed by that filter; Docker's allows them to CAP_SYS_ADMIN alone.
ADMINISTRATORS = {"unshare", "setns", "mount", "umount", "umount2", "mount_setattr", "move_mount", "open_tree", "fsopen", "fsmount", "fsconfig", "fspick"}
INSIDE = "CAISSON_IMAGES"
SUBNET = "10.79.0"
HEALTHY_S, TRANSFER_S, STOP_S = 240, 240, 90
RESTART_S = 0.1


def say(text: str) -> None:
    print(f"-- {time.strftime('%H:%M:%S')} {text}", flush=True)


def run(*argv, timeout_s: float = 600, **more) -> subprocess.CompletedProcess:
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=timeout_s, check=False, **more)


def must(*argv, **more) -> str:
    done = run(*argv, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, argv[:4]))} …: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout.strip()


def look_for_tools() -> None:
    for program, package in PACKAGES.items():
        if shutil.which(program) is None:
            raise Missing(program, f"Debian's package {package} brings it")
    if os.geteuid() != 0:
        raise Missing("root", "images and namespaces want it")


def read_yaml(path: Path) -> dict:
    """PyYAML is in the environment of the OpenAPI tests."""
    python = ROOT / "build" / "tools" / "venv-openapi" / "bin" / "python"
    if not python.exists():
        raise Missing("venv-openapi", "script/install test")
    return json.loads(must(python, "-c", "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)", input=path.read_text()))


class Store:
    """buildah's, in a folder of ours."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.words = ["buildah", "--storage-driver", "overlay", "--root", folder / "storage", "--runroot", folder / "run"]

    def call(self, *words, **more) -> str:
        return must(*self.words, *words, **more)

    def make_base(self) -> None:
        """What debian:bookworm-slim is, with the archive's address and apt's settings of this machine."""
        context = self.folder / "base"
        context.mkdir(parents=True, exist_ok=True)
        must("mmdebstrap", "--mode=root", "--variant=minbase", "--include=ca-certificates", "bookworm", context / "rootfs.tar",
             "/etc/apt/sources.list.d/debian.sources", timeout_s=3600)
        # As Debian's own image has it: no fsync for each file of a package.
        (context / "Containerfile").write_text("FROM scratch\nADD rootfs.tar /\n"
                                               "RUN echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/docker-apt-speedup\n")
        self.call("bud", "--isolation", "chroot", "-t", BASE, "-f", context / "Containerfile", context)
        (context / "rootfs.tar").unlink()

    def build(self, stages: list[str]) -> None:
        if run(*self.words, "inspect", "--type", "image", BASE).returncode != 0:
            say("the base")
            self.make_base()
        for stage in stages:
            begin = time.monotonic()
            with open(self.folder / f"{stage}.log", "w", encoding="utf-8") as log:
                code = subprocess.call([*map(str, self.words), "bud", "--isolation", "chroot", "--pull=never", "--layers", "--format", "docker",
                                        "--build-arg", f"BASE={BASE}", "--target", stage, "-t", f"localhost/caisson-{stage}",
                                        "-f", str(DOCKER / "Dockerfile"), str(ROOT)], stdout=log, stderr=log)
            if code:
                raise RuntimeError(f"the stage {stage} does not build: {self.folder / stage}.log")
            say(f"{stage}: {time.monotonic() - begin:.0f} s, {self.size(f'caisson-{stage}')}")

    def size(self, image: str) -> str:
        return next(row["size"] for row in json.loads(self.call("images", "--json")) if f"localhost/{image}:latest" in (row["names"] or []))

    def config(self, image: str) -> dict:
        return json.loads(self.call("inspect", "--type", "image", f"localhost/{image}"))["Docker"]["config"]

    def mount(self, image: str) -> Path:
        """The root of a new container."""
        name = self.call("from", "--pull=never", f"localhost/{image}")
        return Path(self.call("mount", name)).resolve()


# ---- one container ----

@functools.cache
def system_calls() -> dict:
    """The engine's filter as runc reads it, for processes without capabilities."""
    given = json.loads(FILTER.read_text())
    rows = []
    for row in given["syscalls"]:
        if row["includes"].get("caps") or "amd64" not in row["includes"].get("arches", ["amd64"]):
            continue
        names = [n for n in row["names"] if n not in ADMINISTRATORS] if row["action"] == "SCMP_ACT_ALLOW" else row["names"]
        kept = {"names": names, "action": row["action"], "args": row["args"] or []}
        if "errnoRet" in row:
            kept["errnoRet"] = row["errnoRet"]
        if names:
            rows.append(kept)
    return {"defaultAction": given["defaultAction"], "defaultErrnoRet": 1, "architectures": ["SCMP_ARCH_X86_64"], "syscalls": rows}


def limit(name: str, value: int) -> dict:
    """At most what this machine lets us give: CAP_SYS_RESOURCE may be missing."""
    kind = f"RLIMIT_{name.upper()}"
    most = resource.getrlimit(getattr(resource, kind))[1]
    value = value if most == resource.RLIM_INFINITY else min(value, most)
    return {"type": kind, "soft": value, "hard": value}


class Container:
    """A service of the compose file; started again whenever it ends, as `restart: unless-stopped` says."""

    def __init__(self, bridge: "Bridge", name: str, service: dict):
        self.bridge, self.name, self.service = bridge, name, service
        self.image = bridge.store.config(service["image"])
        self.bundle = bridge.folder / "bundles" / name
        self.log = bridge.folder / f"{name}.log"
        self.starts, self.stopping, self.thread = 0, False, None
        self.environment = dict(e.split("=", 1) for e in self.image["Env"]) | service.get("environment", {})

    # ---- what it is ----

    def mounts(self, base: list[dict]) -> list[dict]:
        found = [m for m in base if m["destination"] != "/sys/fs/cgroup"]
        for text in self.service.get("tmpfs", []):
            where, _, options = text.partition(":")
            found.append({"destination": where, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "noexec", *options.split(",")]})
        # The parent first: a folder and what is mounted into it.
        for volume in sorted(self.service.get("volumes", []), key=lambda v: v.split(":")[1]):
            source, where, *how = volume.split(":")
            found.append(self.bind(self.bridge.source(source, where, self.root), where, *how))
        if self.service.get("network_mode") != "none":
            found.append(self.bind(self.bridge.hosts, "/etc/hosts", "ro"))
        if self.service.get("init"):
            found.append(self.bind(Path(shutil.which("tini-static")), "/sbin/docker-init", "ro"))
        return found

    @staticmethod
    def bind(source: Path, where: str, *how: str) -> dict:
        return {"destination": where, "type": "bind", "source": str(source), "options": ["rbind", "rprivate", *how]}

    def spec(self, base: dict) -> dict:
        s = self.service
        uid, gid = map(int, s["user"].split(":"))
        capabilities = [f"CAP_{c}" for c in s.get("cap_add", [])]
        if s["cap_drop"] != ["ALL"] or s["security_opt"] != ["no-new-privileges:true"]:
            raise RuntimeError(f"{self.name}: rights that this program does not know")
        command = s.get("command") or [*self.image["Entrypoint"], *self.image["Cmd"]]
        # Of the effective sets an engine gives root what it has, and others nothing.
        kinds = ("bounding", "effective", "permitted") if uid == 0 else ("bounding",)
        base["process"] |= {
            "terminal": False, "user": {"uid": uid, "gid": gid}, "cwd": self.image["WorkingDir"], "noNewPrivileges": True,
            "args": (["/sbin/docker-init", "--"] if s.get("init") else []) + command,
            "env": [f"{k}={v}" for k, v in self.environment.items()],
            "capabilities": {kind: capabilities for kind in kinds},
            "rlimits": [limit(k, v) for k, v in s.get("ulimits", {}).items()]}
        base["root"] = {"path": str(self.root), "readonly": s["read_only"]}
        base["hostname"] = self.name
        base["mounts"] = self.mounts(base["mounts"])
        base["linux"].pop("resources", None)
        base["linux"]["seccomp"] = system_calls()
        if s.get("network_mode") != "none":
            next(n for n in base["linux"]["namespaces"] if n["type"] == "network")["path"] = f"/run/netns/{self.name}"
        return base

    def make(self) -> None:
        self.root = self.bridge.store.mount(self.service["image"])
        self.bundle.mkdir(parents=True)
        must("runc", "spec", "-b", self.bundle)
        path = self.bundle / "config.json"
        path.write_text(json.dumps(self.spec(json.loads(path.read_text()))))

    # ---- its life ----

    def runc(self, *words, **more) -> subprocess.CompletedProcess:
        return run("runc", "--root", self.bridge.folder / "runc", *words, **more)

    def once(self) -> int:
        self.starts += 1
        with open(self.log, "ab") as log:
            return subprocess.call(["runc", "--root", str(self.bridge.folder / "runc"), "run", "-b", str(self.bundle), self.name],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self) -> None:
        def live() -> None:
            while not self.stopping:
                self.once()
                self.runc("delete", "--force", self.name)
                time.sleep(RESTART_S)

        self.make()
        self.thread = threading.Thread(target=live, daemon=True)
        self.thread.start()

    def ask(self) -> None:
        self.stopping = True
        self.runc("kill", self.name, "TERM")

    def stop(self) -> None:
        if self.thread is None:
            return
        self.thread.join(STOP_S)
        if self.thread.is_alive():
            self.runc("delete", "--force", self.name)
            raise RuntimeError(f"{self.name} did not end within {STOP_S} s of SIGTERM")

    def kill(self) -> None:
        """As a crash would: the first process is gone."""
        self.runc("kill", self.name, "KILL")

    def exec(self, *words, timeout_s: float = 60) -> subprocess.CompletedProcess:
        return self.runc("exec", self.name, *words, timeout_s=timeout_s)

    def healthy(self) -> bool:
        check = self.image["Healthcheck"]
        kind, *words = check["Test"]
        if kind != "CMD":
            raise RuntimeError(f"{self.name}: a health check of the kind {kind}")
        try:
            return self.exec(*words, timeout_s=check["Timeout"] / 1e9).returncode == 0
        except subprocess.TimeoutExpired:
            return False


# ---- all of them ----

class Bridge:
    def __init__(self, store: Store, folder: Path):
        self.store, self.folder = store, folder
        self.files = read_yaml(DOCKER / "compose.yml")
        self.hosts = folder / "hosts"
        services = {n: s for n, s in self.files["services"].items() if "metrics" not in s.get("profiles", [])}
        self.maker = services.pop("maker")
        self.services = services
        self.containers: dict[str, Container] = {}
        (folder / "bridge").mkdir(parents=True)

    def source(self, source: str, where: str, root: Path) -> Path:
        """./bridge is a folder of this run; a volume is what the image has there, the first time."""
        if source.startswith("./bridge"):
            return self.folder / source
        if source.startswith("."):
            return (DOCKER / source).resolve()
        if source not in self.files["volumes"]:
            raise RuntimeError(f"no volume {source}")
        volume = self.folder / "volumes" / source
        if not volume.exists():
            volume.parent.mkdir(exist_ok=True)
            must("cp", "-a", f"{root}{where}", volume)
        return volume

    def wire(self) -> None:
        """A bridge, and a namespace for each that has a network; names by /etc/hosts."""
        must("ip", "link", "add", "br0", "type", "bridge")
        must("ip", "link", "set", "br0", "up")
        lines = ["127.0.0.1 localhost"]
        for i, name in enumerate(n for n, s in self.services.items() if s.get("network_mode") != "none"):
            address = f"{SUBNET}.{10 + i}"
            must("ip", "netns", "add", name)
            must("ip", "link", "add", f"v{i}", "type", "veth", "peer", "name", "eth0", "netns", name)
            must("ip", "link", "set", f"v{i}", "master", "br0", "up")
            must("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                must("ip", "-n", name, "link", "set", device, "up")
            lines.append(f"{address} {name}")
        self.hosts.write_text("\n".join(lines) + "\n")

    def make(self) -> None:
        """The first command of docker/README.md."""
        maker = Container(self, "maker", self.maker)
        maker.make()
        code = maker.once()
        if code:
            raise RuntimeError(f"make-bridge ended with {code}: {maker.log.read_text()[-2000:]}")
        say(maker.log.read_text().strip().splitlines()[-1])

    def up(self) -> None:
        """The second; who depends on others comes after them."""
        left = dict(self.services)
        while left:
            ready = [n for n, s in left.items() if not set(s.get("depends_on", [])) & set(left)]
            for name in ready:
                self.containers[name] = Container(self, name, left.pop(name))
                self.containers[name].start()

    def down(self) -> None:
        for container in self.containers.values():
            container.ask()
        for container in self.containers.values():
            container.stop()

    def wait_healthy(self, *names: str) -> None:
        for name in names or self.containers:
            wait_for(self.containers[name].healthy, HEALTHY_S, f"health of {name} ({self.containers[name].log})", 1)

    def caisson(self, name: str, *words, timeout_s: float = TRANSFER_S) -> str:
        done = self.containers[name].exec("caisson", *words, timeout_s=timeout_s)
        if done.returncode != 0:
            raise RuntimeError(f"{name}: caisson {words[0]} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def transfer(self) -> str:
        """As docker/README.md has it: from the gateway's container, sponsored, watched to its end; the message's id."""
        lines = self.caisson("gateway1", "transfer", "--key-file", "app.key", "--to", f"cosmos:caisson-chain-2:0x{'42' * 20}", "--amount", "5",
                             "--watch", "--json", "--timeout", "200")
        message = json.loads(lines.splitlines()[-1])
        if message["state"] != "finalized":
            raise RuntimeError(f"the transfer ended as {message['state']}")
        return message["id"]


# ---- what is looked at ----

def refusals(bridge: Bridge) -> None:
    """What no container may: each answer is one that a container without its limits would not give."""
    for name, container in bridge.containers.items():
        told = container.exec("id", "-u").stdout.strip()
        if told != "10001":
            raise RuntimeError(f"{name} runs as {told}")
        for path in ("/usr/x", "/etc/x", "/x"):
            if "Read-only file system" not in (said := container.exec("touch", path).stderr):
                raise RuntimeError(f"{name} can write to {path}: {said}")
        status = container.exec("cat", "/proc/1/status").stdout
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        if int(fields["CapEff"], 16) or int(fields["CapBnd"], 16) or fields["NoNewPrivs"] != "1" or fields["Seccomp"] != "2":
            raise RuntimeError(f"{name}: {fields['CapEff']} {fields['CapBnd']} {fields['NoNewPrivs']} {fields['Seccomp']}")
    for name in ("enclave1", "enclave2"):
        container = bridge.containers[name]
        devices = container.exec("cat", "/proc/net/dev").stdout.splitlines()[2:]
        if [d.split(":")[0].strip() for d in devices] != ["lo"]:
            raise RuntimeError(f"{name} has a network: {devices}")
        seen = sorted(container.exec("ls", "/var/lib/caisson").stdout.split())
        if seen != ["gateway.toml", "manifests", "seal"]:
            raise RuntimeError(f"{name} sees {seen}")
        if container.exec("touch", "/var/lib/caisson/seal/x").returncode == 0:
            raise RuntimeError(f"{name} can write to its seal root's folder")
        if container.exec("unshare", "--net", "true").returncode == 0:
            raise RuntimeError(f"{name}: the filter lets a process leave its network")
    if bridge.containers["gateway1"].exec("ls", "/var/lib/caisson/seal").returncode == 0:
        raise RuntimeError("gateway1 sees its enclave's seal root")


def killed(bridge: Bridge, name: str) -> None:
    container = bridge.containers[name]
    before = container.starts
    container.kill()
    wait_for(lambda: container.starts > before, HEALTHY_S, f"another start of {name}", 0.1)
    bridge.wait_healthy(name, "gateway1", "gateway2")


def enter() -> None:
    """Starts this program again in namespaces of its own; returns there."""
    if os.environ.get(INSIDE):
        must("mount", "-t", "tmpfs", "tmpfs", "/run")
        Path("/run/netns").mkdir()
        return
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--net", "--mount", "--propagation", "private", sys.executable, *sys.argv])


def run_bridge(store: Store, out: Path | None) -> None:
    work = store.folder / "bridge-run"
    shutil.rmtree(work, ignore_errors=True)
    bridge = Bridge(store, work)
    bridge.wire()
    begin = time.monotonic()
    bridge.make()
    found = {"make_s": time.monotonic() - begin}
    begin = time.monotonic()
    try:
        bridge.up()
        bridge.wait_healthy()
        found["healthy_s"] = time.monotonic() - begin
        say(f"{len(bridge.containers)} containers, all healthy")
        refusals(bridge)
        say("users, roots, capabilities, networks and mounts are as the file says")
        found["transfers"] = [bridge.transfer()]
        say(f"a transfer, finalized: {found['transfers'][0]}")
        for name in ("enclave1", "gateway2", "ledger1", "chain2"):
            killed(bridge, name)
            found["transfers"].append(bridge.transfer())
            say(f"{name} was killed and is back; another transfer, finalized: {found['transfers'][-1]}")
        found["starts"] = {name: container.starts for name, container in bridge.containers.items()}
    finally:
        bridge.down()
    say("all ended by SIGTERM")
    if out:
        out.write_text(json.dumps(found, indent=1) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", choices=("build", "run"))
    parser.add_argument("stages", nargs="*")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        look_for_tools()
        folder = arguments.folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        store = Store(folder)
        if arguments.what == "build":
            store.build(arguments.stages or list(STAGES))
            return 0
        enter()
        run_bridge(store, arguments.json)
        return 0
    except Missing as missing:
        print(f"skipped: {missing}", file=sys.stderr)
        return 77
    except (RuntimeError, TimeoutError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
