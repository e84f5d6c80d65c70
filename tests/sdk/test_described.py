"""The SDKs' types are those of the gateway's description (api/openapi.json): the same members, and as many of them optional."""
from __future__ import annotations

import importlib.util
import json
import re
import typing

import pytest

from lib import sdk
from lib.tools import ROOT

SCHEMAS = json.loads((ROOT / "api" / "openapi.json").read_text())["components"]["schemas"]
# By Python's names; where TypeScript has another it is beside. A message and a request that is none yet are one type.
TYPES = {"Attributes": ["Attributes"], "Transaction": ["Transaction"], "Request": ["Prepared"], "Place": ["Place"],
         "Message": ["Message", "Request"], "EnclaveKey": ["PublicKey"], "SignedStatement": ["Statement"],
         "EnvelopeMessage": ["SignedMessage"], "Envelope": ["Envelope"], "Close": ["Closing"], "CloseTransaction": ["Closing.transactions"], "Enclave": ["Enclave"], "Route": ["Route"],
         "Event": ["Event"], "Latency": ["Latency"], "Quote": ["Quote"]}
# What applications need of it, without the operator's figures.
PARTS = {"Chain": "Chain"}
# An application that builds an envelope of its own may leave these out; verifyEnvelope takes that.
LOOSER = {("EnvelopeMessage", "id"), ("Envelope", "keys")}


def schema(name: str) -> dict:
    """`Closing.transactions` is that of the items of a member."""
    name, _, member = name.partition(".")
    return SCHEMAS[name]["properties"][member]["items"] if member else SCHEMAS[name]


def members(schemas: list[str]) -> tuple[set[str], set[str]]:
    """(all, those that may be missing) of one of the schemas."""
    found = [one for name in schemas for one in schema(name).get("oneOf", [schema(name)])]
    every = set().union(*(one["properties"] for one in found))
    always = set.intersection(*(set(one.get("required", [])) for one in found))
    return every, every - always


def python_types():
    spec = importlib.util.spec_from_file_location("caisson_types", sdk.PYTHON / "src" / "caisson" / "types.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def typescript_types() -> dict[str, tuple[set[str], set[str]]]:
    text = re.sub(r"/\*\*.*?\*/", "", (sdk.TYPESCRIPT / "src" / "types.ts").read_text(), flags=re.S)
    found = {}
    for name, body in re.findall(r"export interface (\w+) \{\n(.*?)\n\}", text, re.S):
        fields = re.findall(r"^  (\w+)(\??): ", body, re.M)
        found[name] = {field for field, _ in fields}, {field for field, optional in fields if optional}
    return found


@pytest.mark.parametrize("name", TYPES)
def test_python(name):
    kind = getattr(python_types(), name)
    assert (set(kind.__annotations__), set(kind.__optional_keys__)) == members(TYPES[name])


@pytest.mark.parametrize("name", TYPES)
def test_typescript(name):
    found, (every, optional) = typescript_types()[name], members(TYPES[name])
    assert found == (every, optional | {field for kind, field in LOOSER if kind == name})


@pytest.mark.parametrize("name", PARTS)
def test_parts(name):
    every, optional = members([PARTS[name]])
    kind = getattr(python_types(), name)
    assert set(kind.__annotations__) <= every and not kind.__optional_keys__ and not optional
    assert typescript_types()[name] == (set(kind.__annotations__), set())


def test_words():
    """States, sides and modes are the description's, in both languages."""
    module, text = python_types(), (sdk.TYPESCRIPT / "src" / "types.ts").read_text()
    described = {"MessageState": SCHEMAS["State"]["enum"], "Side": SCHEMAS["Side"]["enum"],
                 "Mode": SCHEMAS["SendMessage"]["properties"]["mode"]["enum"],
                 "RequestState": SCHEMAS["Request"]["properties"]["state"]["enum"],
                 "QuoteKind": SCHEMAS["Quote"]["properties"]["kind"]["enum"],
                 "EventKind": [word for one in SCHEMAS["Event"]["oneOf"] for word in one["properties"]["kind"].get("enum", [one["properties"]["kind"].get("const")])]}
    for name, words in described.items():
        assert set(typing.get_args(getattr(module, name))) == set(words), name
        union = re.search(rf"export type {name} =(.*?);", text, re.S).group(1)
        assert set(re.findall(r"'([\w.]+)'", union)) == set(words), name
