"""Reads that are late at one endpoint go to the next, and what is left of a chain whose first endpoint hangs, is slow, limits, or lies late."""
from __future__ import annotations

import threading
import time
from email.utils import formatdate

import pytest

from adapters.driver import Driver
from adapters.ledger_driver import LedgerDriver, LedgerGateway
from adapters.proxies import Raw, RpcProxy, twist

TIMEOUT_MS = 8000
HEDGED = {"hedge_percent": 10, "hedge_delay_min_ms": 50, "hedge_delay_max_ms": 500}


@pytest.fixture(params=["auto", "ledger"])
def chain(request):
    """Of each kind."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def proxy(chain):
    with RpcProxy(chain.chain.url) as p:
        yield p


def opened(chain, proxy, **config):
    kind = LedgerDriver if isinstance(chain, LedgerGateway) else Driver
    return kind(chain, http=[proxy.url, chain.chain.url], ws=[], request_timeout_ms=TIMEOUT_MS, **config)


def points(driver) -> list[dict]:
    return driver.ask("endpoints")["endpoints"]


def told(driver, chain, payload: bytes = b"late") -> float:
    """Seconds from a block with a message to its event."""
    begin = time.monotonic()
    driver.wait_messages(chain.sent(chain.send(1, payload)), 4 * TIMEOUT_MS / 1000)
    return time.monotonic() - begin


def by_the_first(driver, chain) -> None:
    """Until it is the first one that is asked: at its start it may be known later than the second."""
    def is_asked() -> bool:
        before = [p["requests"] for p in points(driver)]
        told(driver, chain, b"by the first")
        first, second = (now["requests"] - was for now, was in zip(points(driver), before))
        return first > 0 and second <= 1  # a probe

    driver.wait_for(is_asked, 60)


def hang(calls):
    threading.Event().wait(60)


def test_one_that_hangs(chain, proxy):
    """Its chain goes on by the other, within the delay of a hedge and not of a timeout; a few hedges, then its breaker is open."""
    with opened(chain, proxy, **HEDGED) as driver:
        driver.wait_height(chain.chain.rpc.block_number())
        told(driver, chain)
        assert points(driver)[1]["hedges_won"] <= 2, "hedges while all is well"
        proxy.before = hang
        took = [told(driver, chain, b"%d" % i) for i in range(8)]
        assert max(took) < TIMEOUT_MS / 2000, took
        first, second = points(driver)
        assert second["hedges_won"] >= 1 and first["overtaken"] >= 1
        assert second["hedges"] <= 12, "one that owes an answer is asked last"
        driver.wait(lambda e: e["event"] == "endpoint" and e["state"] == "failing", 6 * TIMEOUT_MS / 1000)
        assert points(driver)[0]["breaker"] == "open" and points(driver)[0]["timeouts"] >= 3
        proxy.before = lambda calls: None
        driver.wait_for(lambda: points(driver)[0]["breaker"] == "closed", 60)
        told(driver, chain)


def test_the_same_without_hedges(chain, proxy):
    """What the test above would be worth nothing without: a timeout is waited for."""
    with opened(chain, proxy) as driver:
        driver.wait_height(chain.chain.rpc.block_number())
        by_the_first(driver, chain)
        proxy.before = hang
        assert told(driver, chain) > TIMEOUT_MS / 2000
        assert [p["hedges"] + p["unhedged"] for p in points(driver)] == [0, 0]


@pytest.mark.parametrize("chain", ["auto"], indirect=True)
def test_one_that_is_slow_and_lies(chain, proxy):
    """A header that is none comes late, or first: the other endpoint's is taken, nothing false is told."""
    with opened(chain, proxy, **HEDGED) as driver:
        driver.wait_height(chain.chain.rpc.block_number())
        proxy.before = lambda calls: time.sleep(1)
        proxy.after = twist("eth_getBlockByNumber", lambda r: dict(r, timestamp=hex(int(r["timestamp"], 16) + 1)))
        for i in range(3):
            told(driver, chain, b"slow lie %d" % i)
        assert driver.counters()["reorgs"] == 0
        assert points(driver)[1]["lies"] == 0


@pytest.mark.parametrize("when", [lambda: "3", lambda: formatdate(time.time() + 4, usegmt=True)], ids=["seconds", "date"])
@pytest.mark.parametrize("chain", ["auto"], indirect=True)
def test_retry_after(chain, when):
    """The endpoint says when to come again, and no read goes there before. (A ledger's reads overlap: one may be on its way.)"""
    asked: list[float] = []

    class Limiting(RpcProxy):
        def answer(self, body):
            asked.append(time.monotonic())
            return super().answer(body)

    with Limiting(chain.chain.url) as proxy, opened(chain, proxy) as driver:
        driver.wait_height(chain.chain.rpc.block_number())

        def no(calls):
            raise Raw(b"slow down", 429, {"retry-after": when()})

        proxy.before = no
        driver.wait_for(lambda: points(driver)[0]["limited"] >= 1)
        since = len(asked)
        refused = asked[-1]
        proxy.before = lambda calls: None
        told(driver, chain)
        driver.wait_for(lambda: len(asked) > since)
        assert asked[since] - refused > 2.5
        assert points(driver)[0]["limited"] <= 2
