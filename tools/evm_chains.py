#!/usr/bin/env python3
"""Makes tests/vectors/evm/generated/{clique,qbft}.json: chains of headers with epochs, votes, signer changes, forks and rounds,
and headers that must be refused. Clique after EIP-225, QBFT after Besu's QbftExtraDataCodec; shares no code with the C.

    tools/evm_chains.py            write the files
    tools/evm_chains.py --check    fail if they differ from what would be written
    tools/evm_chains.py --geth     import the Clique chains into geth 1.13.15: it must take every good header and refuse
                                   every bad one. Without geth the exit code is 77 (1 with geth in $CAISSON_REQUIRE).
"""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from evm_primitives import (EMPTY_TRIE, NO_UNCLES, ROOT, Key, Raw, keccak, main, rlp, text_of, twin)  # noqa: E402

GENESIS_TIME = 1_700_000_000
GAS_LIMIT = 30_000_000
BLOOM = bytes(256)
NOBODY = bytes(20)
ADD, DROP = b"\xff" * 8, bytes(8)
VANITY = b"caisson".ljust(32, b"\0")
QBFT_MIX = bytes.fromhex("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365")
PARTS = {  # from the uncles to the bloom; from mixHash on
    "u": rlp(NO_UNCLES) + rlp(NOBODY) + rlp(EMPTY_TRIE) * 3 + rlp(BLOOM),
    "g": rlp(GAS_LIMIT) + rlp(0),
    "v": VANITY,
    "m": rlp(bytes(32)) + rlp(bytes(8)),
    "M": rlp(QBFT_MIX) + rlp(bytes(8)),
    "t": rlp(EMPTY_TRIE) * 3 + rlp(BLOOM),
    "z": rlp(bytes(65)),
}
KEYS = {n: Key(n) for n in "ABCDEFGHIJ"}
PARTS |= {n: k.address for n, k in KEYS.items()}


class Header:
    """Fields by name; copies with other fields make the bad ones."""

    NAMES = ("parent", "uncles", "coinbase", "state", "transactions", "receipts", "bloom", "difficulty", "number",
             "gas_limit", "gas_used", "time", "extra", "mix", "nonce", "base_fee")

    def __init__(self, **fields):
        self.fields = {"uncles": NO_UNCLES, "coinbase": NOBODY, "state": EMPTY_TRIE, "transactions": EMPTY_TRIE,
                       "receipts": EMPTY_TRIE, "bloom": BLOOM, "gas_limit": GAS_LIMIT, "gas_used": 0,
                       "mix": bytes(32), "nonce": DROP, "tail": []} | fields

    def __getattr__(self, name):
        return self.fields[name]

    def but(self, **fields):
        return Header(**(self.fields | fields))

    def encode(self, **fields) -> bytes:
        f = self.fields | fields
        return rlp([f[n] for n in self.NAMES if n in f] + f["tail"])

    @property
    def hash(self):
        return keccak(self.encode())


def next_base_fee(fee: int) -> int:
    """EIP-1559 after an empty block."""
    return fee - fee // 8


# --- Clique -------------------------------------------------------------------------------------------------------


def clique_sealed(header: Header, key: Key, change=lambda seal: seal) -> Header:
    """extra comes without seal."""
    return header.but(extra=header.extra + change(key.sign(keccak(header.encode()))))


class CliqueState:
    """EIP-225's snapshot: authorized signers, open votes, who signed lately."""

    def __init__(self, signers, epoch):
        self.signers, self.epoch = set(signers), epoch
        self.votes = {}   # (signer, subject) -> authorize
        self.recent = {}  # signer -> block

    def copy(self):
        other = CliqueState(self.signers, self.epoch)
        other.votes, other.recent = dict(self.votes), dict(self.recent)
        return other

    def in_turn(self, signer, number):
        return sorted(self.signers).index(signer) == number % len(self.signers)

    def may_seal(self, signer, number):
        limit = len(self.signers) // 2 + 1
        return signer in self.signers and number - self.recent.get(signer, -limit) >= limit

    def apply(self, signer, header):
        assert self.may_seal(signer, header.number)
        if header.number % self.epoch == 0:
            self.votes = {}
        self.recent[signer] = header.number
        subject, authorize = header.coinbase, header.nonce == ADD
        self.votes.pop((signer, subject), None)
        if authorize != (subject in self.signers):
            self.votes[signer, subject] = authorize
        if sum(1 for v in self.votes if v[1] == subject) > len(self.signers) // 2:
            self.change(subject)

    def change(self, subject):
        dropped = subject in self.signers
        self.signers ^= {subject}
        self.votes = {k: v for k, v in self.votes.items() if k[1] != subject and not (dropped and k[0] == subject)}


class CliqueChain:
    def __init__(self, name, keys, epoch, period=1, start=0, seals_min=0):
        self.name, self.epoch, self.period, self.seals_min = name, epoch, period, seals_min
        self.keys = {k.address: k for k in KEYS.values()}
        listed = b"".join(sorted(KEYS[k].address for k in keys))
        anchor = Header(parent=bytes(32), difficulty=1, number=start, time=GENESIS_TIME, base_fee=10**9,
                        extra=VANITY + listed + bytes(65))
        state = CliqueState([KEYS[k].address for k in keys], epoch)
        if start:
            anchor = clique_sealed(anchor.but(parent=keccak(b"before"), extra=VANITY + listed), KEYS[keys[0]])
            state.recent[KEYS[keys[0]].address] = start
        self.headers, self.states, self.sealers = [anchor], [state], [None]

    def fork(self, at):
        """A copy that ends at this index."""
        other = CliqueChain.__new__(CliqueChain)
        other.__dict__ |= self.__dict__
        other.headers, other.states = self.headers[:at + 1], self.states[:at + 1]
        other.sealers = self.sealers[:at + 1]
        return other

    def draft(self, key: Key, vote=None, **fields) -> Header:
        """Unsealed; vote = (key name, adds)."""
        parent, state = self.headers[-1], self.states[-1]
        number = parent.number + 1
        extra = VANITY
        if number % self.epoch == 0:
            extra += b"".join(sorted(state.signers))
        known = key.address in state.signers
        return Header(**{"parent": parent.hash, "number": number, "time": parent.time + self.period,
                         "base_fee": next_base_fee(parent.base_fee), "extra": extra,
                         "coinbase": KEYS[vote[0]].address if vote else NOBODY, "nonce": ADD if vote and vote[1] else DROP,
                         "difficulty": 2 if known and state.in_turn(key.address, number) else 1} | fields)

    def seal(self, name=None, vote=None, **fields):
        state, number = self.states[-1], self.headers[-1].number + 1
        allowed = [s for s in sorted(state.signers) if state.may_seal(s, number)]
        turn = [s for s in allowed if state.in_turn(s, number)]
        signer = KEYS[name].address if name else (turn or allowed)[0]
        header = clique_sealed(self.draft(self.keys[signer], vote, **fields), self.keys[signer])
        state = state.copy()
        state.apply(signer, header)
        self.headers.append(header)
        self.states.append(state)
        self.sealers.append(signer)
        return self

    def needed(self, count):
        if self.seals_min:
            return min(max(self.seals_min, count // 2 + 1), count)
        return 3 if count == 3 else -(-2 * count // 3)

    def final_at(self, head):
        """Index of the newest final block when the headers up to `head` are known."""
        for at in range(head, 0, -1):
            before = self.states[at - 1].signers
            if len(set(self.sealers[at:head + 1]) & before) >= self.needed(len(before)):
                return at
        return 0

    def config(self):
        anchor = self.headers[0]
        return {"name": self.name, "epoch": self.epoch, "period": self.period, "seals_min": self.seals_min,
                "height": anchor.number, "hash": anchor.hash}

    def scenario(self, name, head, steps):
        return self.config() | {"name": name, "anchor": self.headers[0].encode(), "time": head.time, "steps": steps}

    def vector(self):
        start = self.headers[0].number
        return self.config() | {
            "headers": [h.encode() for h in self.headers],
            "final": [start + self.final_at(i) for i in range(len(self.headers))],
            "signers": [len(s.signers) for s in self.states],
            "time": self.headers[-1].time}


def votes_chain():
    """Three signers become four, five, four, three, four (with a vote that passes late), three, two, one and two."""
    c = CliqueChain("votes", "ABC", 8)
    for name in "ABCAB":  # the second vote passes; later ones change nothing
        c.seal(name, ("D", True) if name != "C" else None)
    c.seal("C", ("E", True)).seal("D", ("E", True))  # two of four are not enough, and the epoch forgets them
    c.seal("A")                                      # 8: epoch
    c.seal("B", ("E", True)).seal("C", ("E", True)).seal("D", ("E", True))
    assert len(c.states[-1].signers) == 5
    c.seal("A", ("B", False)).seal("E", ("B", False)).seal("C", ("B", False), extra=VANITY[::-1])
    assert len(c.states[-1].signers) == 4
    c.seal("D", ("B", True))
    c.seal()                                         # 16: epoch
    late(c)
    down(c)
    return c


def late(c):
    """From four signers {A, C, D, E} at block 17 on: two votes for F wait, E is dropped, then F passes by a touch."""
    c.seal("A", ("F", True)).seal("C", ("F", True)).seal("D", ("E", False))
    c.seal("A", ("E", False)).seal("C", ("E", False))
    assert len(c.states[-1].signers) == 3
    c.seal("D", ("F", False))  # no vote at all, but it asks for F's tally: two of three
    assert len(c.states[-1].signers) == 4
    c.seal("F").seal("A")      # 24: epoch
    assert c.headers[-1].number == 24


def down(c):
    """{A, C, D, F}: F votes itself out, then D goes, then C; A is alone, and takes C back."""
    c.seal("C", ("F", False)).seal("D", ("F", False)).seal("F", ("F", False))
    assert len(c.states[-1].signers) == 3
    c.seal("A", ("D", False)).seal("C", ("D", False))
    assert len(c.states[-1].signers) == 2
    c.seal("A", ("C", False)).seal("C", ("A", True)).seal("A")  # 32: epoch, the vote is forgotten
    c.seal("C", ("C", False)).seal("A", ("C", False))
    assert len(c.states[-1].signers) == 1
    c.seal("A").seal("A").seal("A", ("C", True)).seal("C").seal("A").seal("C").seal("A")


def random_chain():
    """Seven keys, short epochs, any signer in any order, a vote in most headers."""
    rng = random.Random("caisson clique")
    c = CliqueChain("random", "ABCD", 16, period=2)
    for _ in range(110):
        state, number = c.states[-1], c.headers[-1].number + 1
        allowed = [s for s in sorted(state.signers) if state.may_seal(s, number)]
        name = c.keys[rng.choice(allowed)].name
        vote = None
        if number % c.epoch and rng.random() < 0.8:
            adds = rng.random() < (0.65 if len(state.signers) < 5 else 0.35)
            pool = [n for n in "ABCDEFGH" if (KEYS[n].address in state.signers) != adds or rng.random() < 0.1]
            if adds or len(state.signers) > 2:
                vote = (rng.choice(pool or "A"), adds)
        c.seal(name, vote, time=c.headers[-1].time + rng.choice((2, 2, 3, 7)))
    return c


def clique_chains():
    plain = CliqueChain("epoch-30000", "ABCD", 30000, period=5, start=30000)
    seven = CliqueChain("seven-all", "ABCDEFG", 30000, seals_min=7)
    for _ in range(14):
        plain.seal()
        seven.seal()
    return [votes_chain(), random_chain(), plain, seven]


def step(c, indices, error, accepted, final, **more):
    return {"headers": [c.headers[i].encode() for i in indices], "error": error, "accepted": accepted, "final": final} | more


def clique_forks():
    """Four signers, three must seal. Branches leave after block 3."""
    base = CliqueChain("followed", "ABCD", 30000)
    for name in "ABC":
        base.seal(name)
    x, y = base.fork(3), base.fork(3)
    x.seal("D").seal("A").seal("B")
    y.seal("A").seal("B").seal("D").seal("C").seal("A")
    followed = base.scenario("followed", y.headers[-1], [
        step(base, [1, 2, 3], "ok", 3, 1),
        step(x, [4], "ok", 1, 2),
        step(y, [4], "ok", 1, 2),
        step(y, [5], "ok", 1, 3),
        step(x, [5], "ok", 1, 3),
        step(y, [6, 7, 8], "ok", 3, 6),
        step(x, [4, 5], "stale-header", 0, 6),
        step(y, [6, 7, 8], "ok", 0, 6)])
    conflict = base.scenario("conflict", y.headers[-1], [
        step(base, [1, 2, 3], "ok", 3, 1),
        step(y, [4, 5, 6, 7, 8], "ok", 5, 6),
        step(x, [4], "stale-header", 0, 6),
        step(x, [5], "stale-header", 0, 6),
        step(x, [6], "frozen", 0, 6, conflict={"height": 4, "first": y.headers[4].encode(), "second": x.headers[4].encode()}),
        step(y, [7], "frozen", 0, 6)])
    unlinked = base.scenario("unlinked", y.headers[-1], [
        step(base, [1, 2, 3], "ok", 3, 1),
        step(x, [5, 6], "unlinked", 0, 1),
        step(y, [4, 6], "unlinked", 1, 2),
        step(base, [1], "stale-header", 0, 2),
        step(base, [0], "stale-header", 0, 2)])
    one = CliqueChain("one-signer", "A", 30000)
    one.seal().seal()
    other = one.fork(0).seal(time=one.headers[1].time + 9)
    flipped = one.headers[1].but(extra=one.headers[1].extra[:-65] + twin(one.headers[1].extra[-65:]))
    alone = one.scenario("one signer", other.headers[-1], [
        step(one, [1, 2], "ok", 2, 2),
        {"headers": [flipped.encode()], "error": "bad-seal", "accepted": 0, "final": 2},
        step(other, [1], "frozen", 0, 2, conflict={"height": 1, "first": one.headers[1].encode(), "second": other.headers[1].encode()})])
    return [followed, conflict, unlinked, alone]


# name, error, what geth says
GETH_SAYS = {
    "foreign-seal": "unauthorized signer",
    "recent-seal": "recently signed",
    "wrong-difficulty": "wrong difficulty|invalid difficulty",
    "bad-epoch": "mismatching signer list|non-checkpoint block contains extra signer list|beneficiary in checkpoint block non-zero"
                 "|vote nonce in checkpoint block non-zero|invalid signer list on checkpoint block",
    "truncated": "extra-data 32 byte vanity prefix missing|extra-data 65 byte signature suffix missing",
    "invalid": "vote nonce not 0x00..0 or 0xff..f|non-zero mix digest|non empty uncle hash|invalid gasUsed|non contiguous",
    "unsupported": "clique does not support shanghai|invalid withdrawalsHash",
    "bad-time": "invalid timestamp",
    "bad-seal": "invalid signature|recovery failed|unauthorized signer",
    "future-header": "block in the future|future block",
    "unlinked": "unknown ancestor|non contiguous",
}


def clique_bad_anchors():
    """Epoch blocks that no client begins at, though their hash is the manifest's."""
    c = CliqueChain("", "ABCD", 30000, start=30000)
    h, listed = c.headers[0], c.headers[0].extra[32:-65]
    rows = [("no seal", "truncated", h.but(extra=VANITY)), ("no signers", "bad-epoch", h.but(extra=VANITY + bytes(65))),
            ("half a signer", "bad-epoch", h.but(extra=VANITY + listed[:-10] + bytes(65))),
            ("a signer twice", "duplicate", h.but(extra=VANITY + listed + listed[:20] + bytes(65))),
            ("65 signers", "too-large", h.but(extra=VANITY + b"".join(keccak(bytes([i]))[:20] for i in range(65)) + bytes(65))),
            ("a seal of zeros", "bad-seal", h.but(extra=VANITY + listed + bytes(65))),
            ("a stranger's seal", "foreign-seal", clique_sealed(h.but(extra=VANITY + listed), KEYS["J"]))]
    return [{"name": n, "error": e, "height": 30000, "hash": x.hash, "header": x.encode()} for n, e, x in rows]


def clique_bad(c):
    """Each is one header on top of the first `after` headers of the chain `votes` (there: three signers A, B, C)."""
    rows = []

    def put(name, error, after, header):
        rows.append({"name": name, "chain": c.name, "after": after, "header": header.encode(), "error": error})

    def sealed(after, signer, **fields):
        return clique_sealed(c.fork(after).draft(KEYS[signer], **fields), KEYS[signer])

    def other(after, **fields):
        """Another turn than the next header's, same signer."""
        return sealed(after, c.keys[c.sealers[after + 1]].name, **fields)

    put("a stranger seals", "foreign-seal", 1, sealed(1, "J", difficulty=1))
    put("one who is a signer only later", "foreign-seal", 1, sealed(1, "D", difficulty=1))
    put("one who was voted out", "foreign-seal", 14, sealed(14, "B", difficulty=1))
    put("twice in a row", "recent-seal", 1, sealed(1, "A"))
    put("one block too early", "recent-seal", 9, sealed(9, "A"))
    good = c.headers[3]
    put("in turn with 1 or out with 2", "wrong-difficulty", 2, other(2, difficulty=3 - good.difficulty))
    put("difficulty 0", "wrong-difficulty", 2, other(2, difficulty=0))
    put("difficulty 3", "wrong-difficulty", 2, other(2, difficulty=3))
    for after, signer in ((7, "A"),):
        listed = sorted(c.states[after].signers)
        put("epoch block lists too few", "bad-epoch", after, sealed(after, signer, extra=VANITY + b"".join(listed[:-1])))
        put("epoch block lists a stranger", "bad-epoch", after,
            sealed(after, signer, extra=VANITY + b"".join(listed[:-1] + [KEYS["J"].address])))
        put("epoch block lists nobody", "bad-epoch", after, sealed(after, signer, extra=VANITY))
        put("epoch block lists in another order", "bad-epoch", after, sealed(after, signer, extra=VANITY + b"".join(listed[::-1])))
        put("epoch block lists half an address", "bad-epoch", after, sealed(after, signer, extra=VANITY + b"".join(listed)[:-1]))
        put("epoch block votes to add", "bad-epoch", after, sealed(after, signer, nonce=ADD))
        put("epoch block names a beneficiary", "bad-epoch", after, sealed(after, signer, coinbase=KEYS["J"].address))
    put("signers listed between epochs", "bad-epoch", 2, other(2, extra=VANITY + b"".join(sorted(c.states[2].signers))))
    put("no vanity", "truncated", 2, good.but(extra=good.extra[40:]))
    put("no seal", "truncated", 2, good.but(extra=VANITY))
    put("nonce 1", "invalid", 2, other(2, nonce=bytes(7) + b"\1"))
    put("a mix hash", "invalid", 2, other(2, mix=b"\1" * 32))
    put("uncles", "invalid", 2, other(2, uncles=b"\1" * 32))
    put("more gas used than allowed", "invalid", 2, other(2, gas_used=GAS_LIMIT + 1))
    put("Shanghai's withdrawals", "unsupported", 2, other(2, tail=[EMPTY_TRIE]))
    put("no later than its parent", "bad-time", 2, other(2, time=c.headers[2].time))
    put("a seal of zeros", "bad-seal", 2, good.but(extra=good.extra[:-65] + bytes(65)))
    put("a seal with v 27", "bad-seal", 2, good.but(extra=good.extra[:-1] + b"\x1b"))
    put("a seal with r above the field", "bad-seal", 2, good.but(extra=good.extra[:-65] + b"\xff" * 32 + good.extra[-33:]))
    put("far in the future", "future-header", 2, other(2, time=1 << 33))
    put("another parent", "unlinked", 2, other(2, parent=b"\1" * 32))
    put("a number too high", "unlinked", 2, other(2, number=5))
    return rows


# --- QBFT ---------------------------------------------------------------------------------------------------------


def qbft_extra(validators, vote, round_, seals):
    head = [VANITY, list(validators), list(vote) if vote else [], round_]
    return rlp(head + [list(seals)])


class Tally:
    """Votes as Besu counts them: who is for and who is against an account, until a majority or an epoch block."""

    def __init__(self, validators):
        self.validators, self.votes = sorted(validators), {True: {}, False: {}}

    def copy(self):
        other = Tally(self.validators)
        other.votes = {adds: {k: set(v) for k, v in by.items()} for adds, by in self.votes.items()}
        return other

    def forget(self):
        self.votes = {True: {}, False: {}}

    def cast(self, proposer, subject, adds):
        assert proposer in self.validators
        self.votes[adds].setdefault(subject, set()).add(proposer)
        self.votes[not adds].setdefault(subject, set()).discard(proposer)
        for passed in (True, False):
            if len(self.votes[passed][subject]) >= len(self.validators) // 2 + 1:
                self.carry(subject, passed)
                return

    def carry(self, subject, adds):
        self.validators = sorted(set(self.validators) | {subject} if adds else set(self.validators) - {subject})
        for by in self.votes.values():
            del by[subject]
            for voters in by.values() if not adds else ():
                voters.discard(subject)


class QbftChain:
    """A block lists the validators after its parent's vote."""

    def __init__(self, name, keys, epoch, period=1):
        self.name, self.epoch, self.period = name, epoch, period
        self.keys = {k.address: k for k in KEYS.values()}
        tally = Tally(KEYS[k].address for k in keys)
        genesis = Header(parent=bytes(32), difficulty=1, number=0, time=GENESIS_TIME, mix=QBFT_MIX,
                         extra=qbft_extra(tally.validators, None, 0, []))
        self.headers, self.tallies, self.hashes = [genesis], [tally], [genesis.hash]

    @property
    def validators(self):
        return self.tallies[-1].validators

    @property
    def names(self):
        return "".join(sorted(self.keys[v].name for v in self.validators))

    def fork(self, at):
        other = QbftChain.__new__(QbftChain)
        other.__dict__ |= self.__dict__
        other.headers, other.tallies, other.hashes = self.headers[:at + 1], self.tallies[:at + 1], self.hashes[:at + 1]
        return other

    def make(self, signers=None, vote=None, round_=0, proposer=None, validators=None, seal_round=None,
             seals=lambda seals: seals, raw_vote=None, **fields):
        """A header on top; `signers` are key names. Returns it without adding it."""
        parent = self.headers[-1]
        listed = self.validators if validators is None else validators
        encoded_vote = [KEYS[vote[0]].address, b"\xff" if vote[1] else b""] if vote else raw_vote
        quorum = -(-2 * len(listed) // 3)
        names = signers if signers is not None else [self.keys[v].name for v in self.validators[:quorum]]
        h = Header(**{"parent": self.hashes[-1], "number": parent.number + 1, "time": parent.time + self.period,
                      "difficulty": 1, "mix": QBFT_MIX, "coinbase": proposer or (self.validators[0] if listed else NOBODY)} | fields)
        digest = keccak(h.encode(extra=qbft_extra(listed, encoded_vote, round_ if seal_round is None else seal_round, [])))
        made = seals([KEYS[n].sign(digest) for n in names])
        return h.but(extra=qbft_extra(listed, encoded_vote, round_, made)), \
            keccak(h.encode(extra=qbft_extra(listed, encoded_vote, 0, [])))

    def add(self, vote=None, proposer=None, **fields):
        proposer = KEYS[proposer].address if proposer else self.validators[0]
        header, hash_ = self.make(vote=vote, proposer=proposer, **fields)
        tally = self.tallies[-1].copy()
        if header.number % self.epoch == 0:
            tally.forget()
        elif vote:
            tally.cast(proposer, KEYS[vote[0]].address, vote[1])
        self.headers.append(header)
        self.hashes.append(hash_)
        self.tallies.append(tally)
        return self

    def vector(self):
        return {"name": self.name, "epoch": self.epoch, "period": self.period, "height": 0, "hash": self.hashes[0],
                "headers": [h.encode() for h in self.headers], "hashes": self.hashes,
                "signers": [len(t.validators) for t in self.tallies], "time": self.headers[-1].time}


def qbft_chain():
    c = QbftChain("validators", "ABCD", 16)
    c.add(signers="ABC").add(signers="DBCA").add(signers="CDA", round_=1).add(signers="BCD", round_=255).add(signers="ABD", round_=70000)
    c.add(("E", True), "A").add(("E", True), "B").add(("E", True), "C")    # 6..8: E is in from block 9 on
    assert c.names == "ABCDE"
    c.add(signers="ABCE").add(signers="EDCB", round_=2)
    c.add(("A", False), "B", signers="ABCD").add(("A", False), "C", signers="ABCDE").add(("A", False), "E", signers="BCDE")
    assert c.names == "BCDE"
    c.add(("B", False), "C", signers="BCD").add(("F", True), "B", signers="CDE")  # 15
    c.add(("F", True), "C", signers="CDE")      # 16: the epoch block drops the votes, its own is not counted
    c.add(("F", True), "D", signers="EDB").add(("F", True), "D").add(("F", True), "B")  # two voters, one of them twice
    c.add(("F", False), "E").add(("F", True), "E")                         # 20, 21: the later one counts
    assert c.names == "BCDEF" and c.headers[-1].number == 21
    c.add(signers="BCDF", round_=3).add(("G", True), "F", signers="FEDC").add(("G", True), "B")  # 24
    for voter in "BCD":
        c.add(("F", False), voter)
    c.add(("G", True), "C")                     # 28: the third vote for G, had F's not gone with it
    assert c.names == "BCDE" and c.headers[-1].number == 28
    c.add(("E", True), "B").add(("E", True), "C").add(("D", False), "B").add()  # 29..32: votes that change nothing; epoch
    for subject, voters in (("E", "BCD"), ("D", "BC"), ("C", "BC")):
        for voter in voters:
            c.add((subject, False), voter, signers=c.names)
    assert c.names == "B"
    c.add(signers="B").add(("A", True), "B", signers="B").add(signers="AB")
    return c


def qbft_random():
    """Short epochs, any proposer, any quorum; most vote on the motion of the moment, some on anybody, some take votes back."""
    rng = random.Random("caisson qbft")
    c = QbftChain("random", "ABCD", 12)
    seen, motion = set(), "E"
    for number in range(1, 41):
        if number % 5 == 0:
            motion = rng.choice("ABCDEF" if len(c.names) > 3 else "EFGH")
        subject = motion if rng.random() < 0.8 else rng.choice("ABCDEF")
        adds = (subject not in c.names) != (rng.random() < 0.1)
        vote = (subject, adds) if rng.random() < 0.9 else None
        c.add(vote, rng.choice(c.names), signers=rng.sample(c.names, -(-2 * len(c.names) // 3)), round_=rng.choice((0, 0, 0, 1, 2)))
        seen.add(c.names)
    assert len(seen) >= 5, seen
    return c


def qbft_bad(c):
    rows = []

    def put(name, error, after, **fields):
        header, _ = c.fork(after).make(**fields)
        rows.append({"name": name, "after": after, "header": header.encode(), "error": error})

    def listing(name, after, names, signers, **fields):
        put(name, "bad-signer-set", after, signers=signers, validators=sorted(KEYS[k].address for k in names), **fields)

    set2 = c.tallies[2].validators
    put("two of four seals", "too-few-seals", 2, signers="AB")
    put("no seals", "too-few-seals", 2, signers="")
    put("three seals of two", "duplicate-seal", 2, signers="ABA")
    put("the same seal with the other s", "duplicate-seal", 2, signers="ABA", seals=lambda s: s[:2] + [twin(s[2])])
    put("a fourth, of a stranger", "foreign-seal", 2, signers="ABCJ")
    put("a third, of a stranger", "foreign-seal", 2, signers="ABJ")
    put("one who was removed", "foreign-seal", 14, signers="ABCD")
    put("one who comes only in the next block", "foreign-seal", 7, signers="ABE")
    put("seals of round 0 under round 1", "foreign-seal", 2, signers="ABC", round_=1, seal_round=0)
    put("a seal of zeros", "bad-seal", 2, signers="ABC", seals=lambda s: s[:2] + [bytes(65)])
    put("a seal with v 2", "bad-seal", 2, signers="ABC", seals=lambda s: s[:2] + [s[2][:64] + b"\2"])
    put("a seal of 64 bytes", "malformed", 2, signers="ABC", seals=lambda s: s[:2] + [s[2][:64]])
    put("a validator more without a vote", "bad-signer-set", 2, signers="ABCD", validators=sorted(set2 + [KEYS["E"].address]))
    put("a validator less without a vote", "bad-signer-set", 2, signers="BCD", validators=[v for v in set2 if v != KEYS["A"].address])
    put("another list altogether", "bad-signer-set", 2, signers="GHIJ", validators=[KEYS[k].address for k in "GHIJ"])
    listing("two of three votes are not a majority of four", 7, "ABCDE", "ABCD")
    listing("the one who was voted for does not come", 8, "ABCD", "ABC")
    listing("another one than the votes' comes", 8, "ABCDF", "ABCD")
    listing("two come at once", 8, "ABCDEF", "ABCDE")
    listing("one goes where the votes add", 8, "BCD", "BCD")
    listing("two of three votes are not a majority of five", 12, "BCDE", "BCDE")
    listing("the one who was voted out does not go", 13, "ABCDE", "ABCD")
    listing("another one than the votes' goes", 13, "ACDE", "ACDE")
    listing("two go at once", 13, "CDE", "CDE")
    listing("one goes and another comes", 13, "BCDEF", "BCDEF")
    listing("two of four collude after the vote of one", 14, "CDE", "CD")
    listing("all but the victim after the vote of one", 14, "CDE", "CDE")
    listing("votes from before the epoch count", 17, "BCDEF", "BCDE")
    listing("a vote counts twice", 19, "BCDEF", "BCDE")
    listing("a vote counts that was taken back", 20, "BCDEF", "BCDE")
    listing("the vote of one who was removed counts", 28, "BCDEG", "BCDE")
    put("a stranger proposes", "bad-signer-set", 2, signers="ABC", proposer=KEYS["J"].address)
    put("a stranger proposes and votes", "bad-signer-set", 7, signers="ABC", proposer=KEYS["J"].address, vote=("E", True))
    put("one who was removed proposes and votes", "bad-signer-set", 19, signers="BCD", proposer=KEYS["A"].address, vote=("F", True))
    put("nobody proposes", "bad-signer-set", 2, signers="ABC", proposer=NOBODY)
    put("a validator twice", "duplicate", 2, signers="ABC", validators=set2 + [set2[0]])
    put("a list in a contract", "unsupported", 2, signers="ABC", validators=[])
    put("difficulty 2", "wrong-difficulty", 2, signers="ABC", difficulty=2)
    put("another mix hash", "invalid", 2, signers="ABC", mix=bytes(32))
    put("a vote that is neither", "malformed", 2, signers="ABC", raw_vote=[KEYS["E"].address, b"\1"])
    put("a vote of three items", "trailing", 2, signers="ABC", raw_vote=[KEYS["E"].address, b"\xff", b""])
    put("earlier than its parent", "bad-time", 2, signers="ABC", time=c.headers[2].time - 1)
    put("far in the future", "future-header", 2, signers="ABC", time=1 << 33)
    put("another parent", "unlinked", 2, signers="ABC", parent=b"\1" * 32)
    put("a number too high", "unlinked", 2, signers="ABC", number=5)
    put("65 validators", "too-large", 2, signers="", validators=[keccak(bytes([i]))[:20] for i in range(65)])
    put("65 seals", "too-large", 2, signers="ABC", seals=lambda s: [bytes(65)] * 65)
    put("a round of 33 bits", "overflow", 2, signers="ABC", round_=1 << 32)
    put("vanity of 31 bytes", "malformed", 2, signers="ABC", extra=None)
    last = rows[-1]
    h, _ = c.fork(2).make(signers="ABC")
    last["header"] = h.but(extra=rlp([VANITY[1:], list(set2), [], 0, []])).encode()
    return rows


def qbft_conflict(c):
    """A second block at a final height, sealed by a quorum again; and the same block with another choice of seals."""
    other, _ = c.fork(4).make(signers="BCD", time=c.headers[5].time + 3)
    weak, _ = c.fork(4).make(signers="BC", time=c.headers[5].time + 3)
    same, _ = c.fork(4).make(signers="DCB", round_=0)
    assert same.number == 5
    return {"height": 5, "first": c.headers[5].encode(), "second": other.encode(), "weak": weak.encode(), "same": same.encode()}


# --- files --------------------------------------------------------------------------------------------------------


def files():
    chains = clique_chains()
    clique = {"chains": [c.vector() for c in chains], "forks": clique_forks(), "bad": clique_bad(chains[0]),
              "bad_anchors": clique_bad_anchors()}
    q = qbft_chain()
    qbft = {"chain": q.vector(), "random": qbft_random().vector(), "bad": qbft_bad(q), "conflict": qbft_conflict(q)}
    return {"clique.json": text_of(clique, PARTS), "qbft.json": text_of(qbft, PARTS)}


# --- geth ---------------------------------------------------------------------------------------------------------


def block(header: bytes) -> bytes:
    return rlp([Raw(header), [], []])


def genesis_of(c):
    zero = ("homesteadBlock", "eip150Block", "eip155Block", "eip158Block", "byzantiumBlock", "constantinopleBlock",
            "petersburgBlock", "istanbulBlock", "berlinBlock", "londonBlock")
    return {"config": {"chainId": 1900, "clique": {"period": c.period, "epoch": c.epoch}} | {n: 0 for n in zero},
            "difficulty": "0x1", "gasLimit": hex(GAS_LIMIT), "timestamp": hex(GENESIS_TIME), "baseFeePerGas": hex(10**9),
            "extraData": "0x" + c.headers[0].extra.hex(), "alloc": {}}


class Geth:
    def __init__(self, program, folder, chain):
        self.program, self.folder = program, Path(folder)
        (self.folder / "genesis.json").write_text(json.dumps(genesis_of(chain)))
        self.run("init", self.folder / "genesis.json")

    def run(self, verb, *args):
        done = subprocess.run([self.program, verb, "--datadir", str(self.folder / "data"), *map(str, args)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
        return done.returncode, done.stdout

    def take(self, headers):
        path = self.folder / "blocks.rlp"
        path.write_bytes(b"".join(block(h) for h in headers))
        return self.run("import", path)

    def holds(self):
        path = self.folder / "out.rlp"
        self.run("export", path)
        return path.read_bytes()


def geth_checks(program):
    bad_ones = 0
    for c in clique_chains():
        headers = [h.encode() for h in c.headers]
        if c.headers[0].number != 0:
            continue  # geth begins at a genesis
        with tempfile.TemporaryDirectory() as folder:
            geth = Geth(program, folder, c)
            code, log = geth.take(headers[1:])
            assert code == 0, log
            assert geth.holds() == b"".join(block(h) for h in headers), f"{c.name}: geth does not hold the chain"
            print(f"geth took {len(headers) - 1} headers of {c.name}")
            for row in clique_bad(c) if c.name == "votes" else []:
                code, log = geth.take([row["header"]])
                said = " ".join(re.findall(r'err="?([^\n]*)', log))
                assert code != 0 and re.search(GETH_SAYS[row["error"]], said), f"{row['name']}: {said or log}"
                bad_ones += 1
    print(f"geth refused {bad_ones} bad headers for the same reasons")


def with_geth():
    local = ROOT / "build" / "tools" / "bin" / "geth"
    program = str(local) if local.exists() else shutil.which("geth")
    if program is None:
        print("skipped: no geth (script/install geth brings it)")
        return 1 if "geth" in os.environ.get("CAISSON_REQUIRE", "").split(",") else 77
    geth_checks(program)
    return 0


if __name__ == "__main__":
    sys.exit(with_geth() if "--geth" in sys.argv else main(files(), sys.argv))
