"""A bridge under faults for so many minutes: transfers both ways between two anvil chains with 12 confirmations, two gateways on the way to
chain 2; then everything is counted on both chains and in the journals.

    tests/e2e/chaos.py --minutes 30 --messages 1000 --seed 1 --json FILE

Faults: kill -9 of each process, SIGSTOP, reorganisations of 1 to 10 blocks, packets to a node or to another gateway dropped (sockets stay
open), a node's connections cut, a full disk, clocks that jump (libfaketime, one process at a time). Exit 0: every transfer that is on its
chain was delivered or refunded, once, value is conserved, no gas account is stuck, and journals say what the chains say.

Everything is in a network and mount namespace that ends with this program. What libfaketime does to an enclave it does from its start on:
its sandbox has no file to ask.
"""
from __future__ import annotations

import argparse
import collections
import errno
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "tools")]
from adapters.proxies import Relay  # noqa: E402
from lib import abi, deploy  # noqa: E402
from lib.observe import DESTINATION, SOURCE, Journal, relay_states  # noqa: E402
from lib.rpc import RpcError, wait_for  # noqa: E402
from lib.service import ApiError  # noqa: E402
from lib.tools import free_ports  # noqa: E402
from lib.world import GAS_MONEY_WEI, TRANSFER_GAS, Gateway, World, soon  # noqa: E402

INSIDE = "CAISSON_CHAOS"
BLOCK_S, CONFIRMATIONS, REORG_MAX = 1, 12, 10
DISK_SIZE = "96m"
SETTLE_S, HEALTH_S, ROWS_S = 600, 180, 60
# A journal of which nothing is left to do: a block is a write or two.
QUIET_S, QUIET_WRITES_MAX = 5, 100
FAULT_EVERY_S = (2.0, 10.0)
SEND_GAS = 600_000
DELIVERED, DEAD = 2, 3
DEADLINES_S = (None, None, None, 30)
CLOCK_JUMP_S = 90
LIB = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
STATES = {n: name for name, n in relay_states().items()}
FAILED = (OSError, http.client.HTTPException, ApiError, RpcError)


def log(text: str) -> None:
    print(f"-- {time.strftime('%H:%M:%S')} {text}", flush=True)


def enter() -> None:
    """Starts this program again inside; returns there."""
    if not os.environ.get(INSIDE):
        own = ["--user", "--map-root-user"] if os.geteuid() != 0 else []
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", *own, "--net", "--mount", "--propagation", "private", sys.executable, *sys.argv])
    run("ip", "link", "set", "lo", "up")
    run("nft", "add", "table", "inet", "chaos")
    run("nft", "add", "chain", "inet", "chaos", "cuts", "{ type filter hook input priority 0 ; }")


def run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True, text=True)


class Wire:
    """Ports of loopback at which packets arrive no more."""

    def __init__(self):
        self.cut: set[int] = set()

    def _apply(self) -> None:
        rules = ["flush chain inet chaos cuts"]
        for port in sorted(self.cut):
            rules += [f"add rule inet chaos cuts tcp dport {port} drop", f"add rule inet chaos cuts tcp sport {port} drop"]
        subprocess.run(["nft", "-f", "-"], input="\n".join(rules) + "\n", check=True, text=True, capture_output=True)

    def drop(self, port: int) -> None:
        self.cut.add(port)
        self._apply()

    def join(self, port: int | None = None) -> None:
        self.cut = self.cut - {port} if port else set()
        self._apply()


class ChaosWorld(World):
    """Each gateway has a line of its own to its node, a folder on a small disk, programs whose clock the test sets, and chain 2 a second gateway."""

    def write_gateways(self) -> None:
        super().write_gateways()
        self.third = Gateway(self, 1, tuple(free_ports(2)), "gateway3")
        first = self.gateways[0]
        self.third.write_files(first, {f"{s.chain.caip2}>{o.chain.caip2}": "tombstone" for s, o in (self.sides, self.sides[::-1])})
        first.add_peer(self.third)
        self.all = [*self.gateways, self.third]
        self.lines = []
        for gateway in self.all:
            relay = Relay(gateway.side.chain.port)
            self.lines.append(relay)
            text = gateway.config.read_text()
            for scheme in ("http", "ws"):
                text = text.replace(f"{scheme}://127.0.0.1:{gateway.side.chain.port}", f"{scheme}://127.0.0.1:{relay.port}")
            bin_folder = self._programs(gateway)
            text = text.replace(str(self.build / "bin" / "caisson-enclave"), str(bin_folder / "caisson-enclave"))
            gateway.config.write_text(text)
            gateway.build = bin_folder.parent
            self._disk(gateway)

    def _programs(self, gateway: Gateway) -> Path:
        """`caisson up` starts what lies beside it: here scripts that start the real programs with another clock."""
        folder = self.folder / f"{gateway.name}-programs" / "bin"
        folder.mkdir(parents=True)
        shutil.copy2(self.build / "bin" / "caisson", folder / "caisson")
        clock = folder.parent / "clock"
        clock.write_text("+0s\n")
        (folder.parent / "enclave-clock").write_text("+0s\n")
        common = f"export LD_PRELOAD={LIB} FAKETIME_DONT_FAKE_MONOTONIC=1"
        for name, how in (("caisson-gateway", f"FAKETIME_TIMESTAMP_FILE={clock} FAKETIME_CACHE_DURATION=1"),
                          ("caisson-enclave", f'FAKETIME="$(cat {clock.with_name("enclave-clock")})"')):
            script = folder / name
            script.write_text(f'#!/bin/sh\n{common} {how}\nexec {self.build / "bin" / name} "$@"\n')
            script.chmod(0o755)
        return folder

    def _disk(self, gateway: Gateway) -> None:
        """Its folder, with what was written so far, on a disk of its own."""
        aside = gateway.folder.with_name(gateway.folder.name + ".before")
        gateway.folder.rename(aside)
        gateway.folder.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE},mode=700", "tmpfs", str(gateway.folder))
        shutil.copytree(aside, gateway.folder, dirs_exist_ok=True)
        shutil.rmtree(aside)
        gateway.log = self.folder / f"{gateway.name}.log"  # what it says is not lost with the disk's room

    @property
    def services(self):
        return getattr(self, "all", self.gateways)

    def wait_ready(self) -> None:
        side = self.third.side
        side.chain.rpc.wait_receipt(side.chain.rpc.send(side.owner, self.enclave_key(self.third)["gas_address"], value=GAS_MONEY_WEI, gas=TRANSFER_GAS))
        super().wait_ready()

    def stop(self) -> None:
        super().stop()
        for relay in getattr(self, "lines", []):
            relay.__exit__()


class Chaos:
    def __init__(self, world: ChaosWorld, seed: int):
        # Two of them: what is sent between two faults is by the clock, and must not change which fault comes next.
        self.world, self.rng, self.load_rng, self.wire = world, random.Random(f"{seed}/faults"), random.Random(f"{seed}/load"), Wire()
        self.sent: list[tuple[int, str, int]] = []  # (source, transaction, amount)
        self.faults: collections.Counter[str] = collections.Counter()
        self.problems: list[str] = []
        self.unsent = 0
        self.pending: list[tuple[float, object]] = []  # (moment, what heals)
        self.kinds = {"kill gateway": self._kill_gateway, "kill enclave": self._kill_enclave, "kill both": self._kill_both,
                      "kill supervisor": self._kill_all, "pause": self._pause, "reorganisation": self._reorg, "node silent": self._silent_node,
                      "node cut": self._cut_node, "peer silent": self._silent_peer, "disk full": self._fill, "clock of a gateway": self._clock,
                      "clock of an enclave": self._enclave_clock}

    def problem(self, text: str) -> None:
        log(f"PROBLEM {text}")
        self.problems.append(text)

    # ---- faults; each is healed by itself, a while later ----

    def one(self) -> str:
        kind = self.rng.choice(sorted(self.kinds))
        self.faults[kind] += 1
        return f"{kind}: {self.kinds[kind](self.rng.choice(self.world.all))}"

    def _later(self, low: float, high: float, heal) -> float:
        seconds = self.rng.uniform(low, high)
        self.pending.append((time.monotonic() + seconds, heal))
        return round(seconds, 1)

    def _signal(self, gateway: Gateway, number: int, *names: str) -> None:
        pids = gateway.pids() if gateway.process.alive() else {}
        for name in names:
            if name in pids:  # else it is on its way back from the last fault
                try:
                    os.kill(pids[name], number)
                except ProcessLookupError:
                    pass

    def _kill_gateway(self, gateway: Gateway) -> str:
        self._signal(gateway, signal.SIGKILL, "caisson-gateway")
        return gateway.name

    def _kill_enclave(self, gateway: Gateway) -> str:
        self._signal(gateway, signal.SIGKILL, "caisson-enclave")
        return gateway.name

    def _kill_both(self, gateway: Gateway) -> str:
        self._signal(gateway, signal.SIGKILL, "caisson-enclave", "caisson-gateway")
        return gateway.name

    def _kill_all(self, gateway: Gateway) -> str:
        """revive() is the operator who starts it again."""
        self._signal(gateway, signal.SIGKILL, "caisson", "caisson-enclave", "caisson-gateway")
        return gateway.name

    def _pause(self, gateway: Gateway) -> str:
        name = self.rng.choice(("caisson-gateway", "caisson-enclave"))
        self._signal(gateway, signal.SIGSTOP, name)
        return f"{name} of {gateway.name} for {self._later(0.5, 8, lambda: self._signal(gateway, signal.SIGCONT, name))} s"

    def _reorg(self, gateway: Gateway) -> str:
        """The transactions of these blocks are gone, and nobody but the gateways sends theirs again."""
        depth = self.rng.randint(1, REORG_MAX)
        try:
            gateway.side.chain.rpc.call("anvil_reorg", depth, [])
            # anvil gives all new blocks one time and goes on from there, ever further behind the clock.
            gateway.side.chain.rpc.call("anvil_setTime", int(time.time()))
        except RpcError as error:
            return f"refused: {error.message}"
        return f"{depth} blocks of {gateway.side.chain.caip2}"

    def _silent(self, port: int, what: str) -> str:
        self.wire.drop(port)
        return f"{what} for {self._later(2, 25, lambda: self.wire.join(port))} s"

    def _silent_node(self, gateway: Gateway) -> str:
        return self._silent(self.world.lines[self.world.all.index(gateway)].port, f"of {gateway.name}")

    def _silent_peer(self, gateway: Gateway) -> str:
        return self._silent(gateway.port, gateway.name)

    def _cut_node(self, gateway: Gateway) -> str:
        line = self.world.lines[self.world.all.index(gateway)]
        line.refuse = True
        line.cut()
        return f"of {gateway.name} for {self._later(0.1, 10, lambda: setattr(line, 'refuse', False))} s"

    def _fill(self, gateway: Gateway) -> str:
        filler = gateway.folder / "filler"
        with open(filler, "ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 20))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            file.truncate(max(0, file.tell() - self.rng.choice((0, 4096, 65536))))
        return f"of {gateway.name} for {self._later(1, 10, lambda: filler.unlink(missing_ok=True))} s"

    def _clock(self, gateway: Gateway) -> str:
        jump = self.rng.randint(-CLOCK_JUMP_S, CLOCK_JUMP_S)
        (gateway.build / "clock").write_text(f"{jump:+d}s\n")
        return f"{gateway.name} {jump:+d} s"

    def _enclave_clock(self, gateway: Gateway) -> str:
        """From its next start on, which is now. Forward alone: what it once saw as past stays past, and set back it would wait."""
        jump = self.rng.randint(0, CLOCK_JUMP_S)
        (gateway.build / "enclave-clock").write_text(f"{jump:+d}s\n")
        return f"{self._kill_enclave(gateway)} {jump:+d} s"

    def heal(self, all_of_it: bool = False) -> None:
        now = time.monotonic()
        for entry in [e for e in self.pending if all_of_it or e[0] <= now]:
            self.pending.remove(entry)
            entry[1]()

    def revive(self) -> None:
        """Whoever is gone with its supervisor is started again, as an operator or systemd would."""
        for gateway in self.world.all:
            if not gateway.process.alive():
                gateway.start()

    # ---- load ----

    def send(self) -> None:
        source = self.load_rng.randrange(2)
        side, other = self.world.sides[source], self.world.sides[1 - source]
        amount, lifetime = self.load_rng.randrange(1, 1000), self.load_rng.choice(DEADLINES_S)
        attributes = [deploy.attribute("deadline(uint64)", soon(other.chain, lifetime))] if lifetime else []
        try:
            tx = side.bridge.send(side.user, "transfer", side.token.address, amount, deploy.erc7930(other.chain.chain_id, other.friend),
                                  "0x" + "00" * 20, attributes, gas=SEND_GAS)
            self.sent.append((source, tx, amount))
        except FAILED:
            self.unsent += 1

    def run(self, seconds: float, messages: int) -> None:
        begin, fault_at = time.monotonic(), time.monotonic() + 2
        while (passed := time.monotonic() - begin) < seconds:
            while len(self.sent) + self.unsent < messages * passed / seconds:
                self.send()
            if time.monotonic() >= fault_at:
                told = self.one()
                log(f"{sum(self.faults.values())} {told}; {len(self.sent)} sent")
                fault_at = time.monotonic() + self.rng.uniform(*FAULT_EVERY_S)
            self.heal()
            self.revive()
            time.sleep(0.05)

    # ---- the count ----

    def quiet(self) -> None:
        self.heal(all_of_it=True)
        self.wire.join()
        for gateway in self.world.all:
            (gateway.build / "clock").write_text("+0s\n")

        def healthy(gateway):
            self.revive()
            try:
                return gateway.healthy()
            except (RuntimeError, *FAILED):
                return False

        for gateway in self.world.all:
            try:
                wait_for(lambda: healthy(gateway), HEALTH_S, "health", 0.5)
            except TimeoutError:
                self.problem(f"{gateway.name} is not healthy after {HEALTH_S} s: {self._why(gateway)}")
        for chain in self.world.chains:
            chain.rpc.wait_blocks(CONFIRMATIONS + 2)

    @staticmethod
    def _why(gateway: Gateway) -> str:
        try:
            return str(gateway.request("GET", "/healthz")[1])
        except FAILED as error:
            return repr(error)

    def messages(self) -> dict[str, tuple[int, int]]:
        """What the chains kept: messageId → (source, amount). A reorganisation has taken the rest."""
        kept = {}
        for source, tx, amount in self.sent:
            side = self.world.sides[source]
            receipt = side.chain.rpc.receipt(tx)
            if receipt is not None and receipt["status"] == "0x1":
                kept[abi.to_hex(side.gateway.events("MessageCommitted", receipt)[0]["messageId"])] = (source, amount)
        return kept

    def _logs(self, side, name: str) -> list[dict]:
        entry = side.gateway.entry(name, kind="event")
        found = side.chain.rpc.call("eth_getLogs", {"address": side.gateway.address, "fromBlock": "0x0", "topics": [abi.topic(entry)]})
        return [abi.decode_log(entry, one) for one in found]

    def count(self, first: int) -> dict:
        world, kept = self.world, self.messages()
        home, abroad = world.sides

        def open_ones():
            return [m for m, (s, _) in kept.items() if world.sides[s].gateway.read("outcomeOf", m) == 0]

        begin = time.monotonic()
        try:
            wait_for(lambda: not open_ones(), SETTLE_S, "the end of every transfer", 2)
        except TimeoutError:
            left = open_ones()
            rows = [world.gateways[kept[m][0]].message(m) for m in left[:5]]
            self.problem(f"{len(left)} of {len(kept)} transfers did not end: {[(r['id'], r['state'], r['why']) if r else None for r in rows]}")
        settled = time.monotonic() - begin
        outcomes = {m: world.sides[s].gateway.read("outcomeOf", m) for m, (s, _) in kept.items()}
        # Once: what each chain's logs say of each message.
        final, status = [collections.Counter() for _ in range(2)], [collections.Counter() for _ in range(2)]
        for i, side in enumerate(world.sides):
            final[i].update(abi.to_hex(e["messageId"]) for e in self._logs(side, "MessageFinalized"))
            status[i].update(abi.to_hex(e["messageId"]) for e in self._logs(side, "MessageStatus") if e["status"] in (DELIVERED, DEAD))
        for m, (source, _) in kept.items():
            if outcomes[m] and (final[source][m] != 1 or status[1 - source][m] > 1 or (outcomes[m] == DELIVERED and status[1 - source][m] != 1)):
                self.problem(f"{m}: outcome {outcomes[m]}, finalized {final[source][m]} times, ended {status[1 - source][m]} times at its destination")
        # Value.
        delivered = [(s, a) for m, (s, a) in kept.items() if outcomes[m] == DELIVERED]
        out, back = first + sum(a for s, a in delivered if s == 0), sum(a for s, a in delivered if s == 1)
        for what, have, want in (("locked", home.token.read("balanceOf", home.bridge.address), out - back),
                                 ("minted", abroad.token.read("totalSupply"), out - back),
                                 ("received abroad", abroad.token.read("balanceOf", abroad.friend), out - first),
                                 ("received at home", home.token.read("balanceOf", home.friend), back)):
            if have != want:
                self.problem(f"{what}: {have}, and {want} by outcomes")
        self.gas()
        self.journals(kept, outcomes)
        self.rest()
        return {"sent": len(self.sent), "unsent": self.unsent, "kept": len(kept), "delivered": len(delivered),
                "refunded": sum(o == DEAD or o not in (0, DELIVERED) for o in outcomes.values()), "settled_s": round(settled, 1)}

    def gas(self) -> None:
        """Nothing waits in a pool behind a gap, and every account's next transaction is the one that its gateway means."""
        for gateway in self.world.all:
            address, rpc = self.world.enclave_key(gateway)["gas_address"], gateway.side.chain.rpc
            try:
                wait_for(lambda: rpc.call("eth_getTransactionCount", address, "latest") == rpc.call("eth_getTransactionCount", address, "pending"),
                         30, "pools")
            except TimeoutError:
                self.problem(f"the gas account of {gateway.name} has transactions that no block takes")
            queued = rpc.call("txpool_content")["queued"]
            if any(a.lower() == address.lower() for a in queued):
                self.problem(f"transactions of the gas account of {gateway.name} wait behind a gap")
        ids = []
        for i in range(2):  # and a message passes
            ids.append((i, self.world.send(b"after the chaos", source=i)))
        for i, message_id in ids:
            try:
                self.world.gateways[i].ends(message_id)
            except (TimeoutError, AssertionError) as error:
                self.problem(f"a message after all of it: {error}")

    def journals(self, kept: dict[str, tuple[int, int]], outcomes: dict[str, int]) -> None:
        """Every gateway's rows; of what was refunded a destination may have heard nothing."""
        rows = [(m, gateway, SOURCE if gateway.side is self.world.sides[source] else DESTINATION)
                for m, (source, _) in kept.items() for gateway in self.world.all]

        def wrong() -> collections.Counter[str]:
            found = collections.Counter()
            for gateway in self.world.all:
                with Journal(gateway.folder) as journal:
                    for m, _, side in (r for r in rows if r[1] is gateway):
                        want = "finalized" if outcomes[m] == DELIVERED else "refunded"
                        have = STATES.get(journal.state(m, side), "absent")
                        if outcomes[m] and have != want and not (have == "absent" and side == DESTINATION and want == "refunded"):
                            found[f"{gateway.name} says {have} of what the chain calls {want}"] += 1
            return found

        try:
            wait_for(lambda: not wrong(), ROWS_S, "journals that say what the chains say", 2)
        except TimeoutError:
            for text, times in wrong().items():
                self.problem(f"{text} ({times} times)")

    def rest(self) -> None:
        """Who has nothing to do writes nothing: a row that is picked again and again and never moves shows here."""
        def writes() -> list[int]:
            return [gateway.request("GET", "/v1/status")[1]["journal"]["writes"] for gateway in self.world.all]

        before = writes()
        time.sleep(QUIET_S)
        for gateway, old, new in zip(self.world.all, before, writes()):
            if new - old > QUIET_WRITES_MAX:
                self.problem(f"{gateway.name} wrote its journal {new - old} times in {QUIET_S} s of nothing to do")


def chaos(folder: Path, minutes: float, messages: int, seed: int) -> dict:
    with ChaosWorld(folder, "anvil", expire=("tombstone", "absence"), block_time=BLOCK_S, confirmations=CONFIRMATIONS) as world:
        home, abroad = world.sides
        first = 10**9
        start = home.bridge.write(home.user, "transfer", home.token.address, first, deploy.erc7930(abroad.chain.chain_id, abroad.user),
                                  "0x" + "00" * 20, [], gas=SEND_GAS)
        message_id = abi.to_hex(home.gateway.events("MessageCommitted", start)[0]["messageId"])
        wait_for(lambda: home.gateway.read("outcomeOf", message_id) == DELIVERED, 120, "tokens on chain 2", 0.5)
        storm = Chaos(world, seed)
        storm.run(60 * minutes, messages)
        log("quiet")
        storm.quiet()
        counted = storm.count(first)
        sanitized = [line for gateway in world.all for line in gateway.log.read_text(errors="replace").splitlines() if "Sanitizer" in line]
        if sanitized:
            storm.problem(sanitized[0])
        return {"seed": seed, "minutes": minutes, "faults": dict(sorted(storm.faults.items())), **counted, "problems": storm.problems}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder for journals and logs, which stays when something was found")
    options = parser.parse_args()
    enter()
    folder = Path(tempfile.mkdtemp(prefix="caisson-chaos-", dir=options.keep))
    result = chaos(folder, options.minutes, options.messages, options.seed)
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    if result["problems"] and options.keep:
        for disk in [d for d in folder.iterdir() if os.path.ismount(d)]:  # it goes with the namespace
            shutil.copytree(disk, disk.with_name(disk.name + ".kept"), ignore=shutil.ignore_patterns("*.sock", "filler"))
        print(f"kept: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if result["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
