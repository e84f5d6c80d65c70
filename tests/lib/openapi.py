"""The gateway's description of itself, api/openapi.json, as a judge of replies."""
from __future__ import annotations

import json
import re
import sys
from functools import cache
from http.client import HTTPMessage

from .tools import ROOT, Missing

DRAFT = "https://json-schema.org/draft/2020-12/schema"
FILE = ROOT / "api" / "openapi.json"
VENV = ROOT / "build" / "tools" / "venv-openapi"
# Of every path: what is answered before a route is found, and to a method that the path does not have.
ALWAYS = {"404": {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}},
          "405": {"headers": {"Allow": {"required": True}},
                  "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}}


class Mismatch(AssertionError):
    """A reply that is not as described."""


@cache
def json_schema():
    """The module jsonschema_rs, which lives in the environment of the fuzzer."""
    found = list(VENV.glob("lib/python3*/site-packages"))
    if not found:
        raise Missing("schemathesis", "script/install test brings it, and with it jsonschema_rs")
    sys.path.append(str(found[0]))
    try:
        import jsonschema_rs
    finally:
        sys.path.pop()
    return jsonschema_rs


def is_installed() -> bool:
    return VENV.exists()


def closed(schema):
    """The same schema, whose objects have no members but those described: clients take more, this test does not."""
    if isinstance(schema, list):
        return [closed(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    out = {k: v if k in ("dependentSchemas", "example", "examples", "enum", "const") else closed(v) for k, v in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        out["additionalProperties"] = False
    return out


class Description:
    def __init__(self, root: dict):
        self.root = root
        self.components = closed(root["components"])
        self.templates = [(re.compile(re.sub(r"\\{[a-z_]+\\}", "[^/]+", re.escape(path)) + "$"), path) for path in root["paths"]]
        self.seen: set[tuple[str, str, int]] = set()

    @cache
    def validator(self, text: str):
        return json_schema().Draft202012Validator({"$schema": DRAFT, "components": self.components, **json.loads(text)})

    def errors(self, schema: dict, value) -> list[str]:
        validator = self.validator(json.dumps(closed(schema)))
        return [f"{'/'.join(map(str, e.instance_path))}: {e.message}"[:400] for e in validator.iter_errors(value)]

    def succeeded(self) -> set[tuple[str, str]]:
        """(path, method) of what was asked and did not fail, in this process."""
        return {(path, method) for path, method, status in self.seen if status < 400}

    def follow(self, thing: dict) -> dict:
        while "$ref" in thing:
            at = self.root
            for name in thing["$ref"].removeprefix("#/").split("/"):
                at = at[name]
            thing = at
        return thing

    def operations(self):
        """(path, method, operation)"""
        for path, item in self.root["paths"].items():
            for method, operation in item.items():
                if method != "servers":
                    yield path, method, operation

    def template(self, path: str) -> str | None:
        """Of a path without its query; one without parameters comes first."""
        found = [name for pattern, name in self.templates if pattern.match(path)]
        return min(found, key=lambda name: name.count("{"), default=None)

    def check(self, method: str, path: str, status: int, headers: HTTPMessage, raw: bytes) -> None:
        """Mismatch unless the reply is one that is described: its status, headers, type, schema, and the code of a problem."""
        template = self.template(path.split("?")[0])
        operation = self.root["paths"].get(template, {}).get("get" if method == "HEAD" else method.lower())
        where = f"{method} {path} answered {status}"
        responses = (operation or {}).get("responses", {})
        given = responses.get(str(status)) or ALWAYS.get(str(status))
        if given is None or (operation is None and status not in (404, 405)):
            raise Mismatch(f"{where}, which is not described: {raw[:300]!r}")
        response = self.follow(given)
        if operation:
            self.seen.add((template, method.lower(), status))
        for name, header in response.get("headers", {}).items():
            self._check_header(where, headers.get_all(name), name, self.follow(header))
        if headers["X-Content-Type-Options"] != "nosniff":
            raise Mismatch(f"{where} without nosniff")
        if method != "HEAD":
            self._check_body(where, response, headers, raw)

    def _check_header(self, where: str, values: list[str] | None, name: str, header: dict) -> None:
        if values is None and header.get("required"):
            raise Mismatch(f"{where} without the header {name}")
        for value in values or []:
            if errors := self.errors(header.get("schema", {}), value):
                raise Mismatch(f"{where} with {name}: {errors}")

    def _check_body(self, where: str, response: dict, headers: HTTPMessage, raw: bytes) -> None:
        kind = (headers["Content-Type"] or "").split(";")[0]
        if not response.get("content") and not kind and not raw:
            return
        if kind not in response.get("content", {}):
            raise Mismatch(f"{where} as {kind}")
        value = json.loads(raw) if "json" in kind else raw.decode()
        if errors := self.errors(response["content"][kind]["schema"], value):
            raise Mismatch(f"{where}: {errors}: {raw[:1000].decode()}")
        if kind == "application/problem+json":
            self._check_problem(where, response, value)

    def _check_problem(self, where: str, response: dict, problem: dict) -> None:
        named = re.findall(r"`([a-z-]+)`", response.get("description", "`not-found` `unsupported`"))
        if problem["code"] not in named or problem["type"] != f"urn:caisson:error:{problem['code']}" or f" {problem['status']}" not in where:
            raise Mismatch(f"{where} with a problem that this status does not have: {problem}")


def assert_succeeded(method: str, path: str) -> None:
    """Of the few operations whose success no world but the caller's has: ELSEWHERE in e2e/test_openapi."""
    assert not is_installed() or (path, method) in description().succeeded()


@cache
def description() -> Description:
    return Description(json.loads(FILE.read_text()))
