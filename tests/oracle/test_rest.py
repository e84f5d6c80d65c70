"""caisson-oracle over REST: signed answers for apps, dry runs, specs by hash; what is refused; what a crash leaves."""
from __future__ import annotations

from oracle.rest import check
from oracle_enclave.world import source, spec

PRICE = (125_000_000).to_bytes(32, "big")


def test_an_app_gets_a_document_that_verifies_offline(rest, rest_world):
    text = spec(source(rest_world.server().port))
    status, document = rest.ask(text)
    assert status == 200, document
    assert check(document, rest_world.identity(), text) == PRICE
    assert document["value"] == "1.25000000" and document["code_name"] == "ok" and document["insecure"] is True
    assert rest.answer(document["id"]) == document


def test_a_dry_run_tells_what_was_extracted(rest, rest_world):
    good, bad = rest_world.server().port, rest_world.server(lambda tls: None).port
    text = spec(source(good), source(bad), aggregate={"kind": "median", "k": 1})
    import json
    status, told = rest.request("POST", "/v1/oracle/requests:dry-run", {"spec": json.loads(text)})
    assert status == 200, told
    assert told["value"] == "1.25000000" and [s["code"] == 0 for s in told["sources"]] == [True, False]
    assert told["sources"][1]["why"]
