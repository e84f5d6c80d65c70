"""One key server, one guard, and a thousand workers (bench_cluster.c): how long a join takes, how many renewals a second."""
from __future__ import annotations

import json
import subprocess
from pathlib import Path

from lib.cluster import APPLICATION, Cluster, measure
from lib.proc import cpu_seconds
from lib.rpc import wait_for
from lib.tools import find_build

WORKERS, AT_A_TIME = 1000, 16
JOIN_AIM_MS = 50


def run(folder: Path) -> dict:
    """{"join": {…}, "renew": {…}} of real processes with simulated evidence on loopback."""
    with Cluster(folder) as cluster:
        ks = cluster.add_key_server().start().ready()
        ks.ask("create")
        guard = cluster.add_guard().start().ready()
        wait_for(lambda: guard.metric("met") > 0, 60, "a session with the key server")
        argv = [find_build() / "bench" / "bench_cluster", guard.folder / "guard.sock", cluster.manifests[0],
                measure(cluster.program), APPLICATION, str(WORKERS), str(AT_A_TIME)]
        pids = {"key_server": ks.enclave_pid(), "guard": guard.enclave_pid(), "key_server_host": ks.process.pid, "guard_host": guard.process.pid}
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"bench_cluster: {done.stderr.strip()}\n{guard.log.read_text()[-2000:]}")
        grants = ks.metric("issued")
        cpu = {name: round((cpu_seconds(pid) - before[name]) / grants * 1e3, 3) for name, pid in pids.items()}
        return {**json.loads(done.stdout), "cpu_ms_per_grant": cpu}

