"""The journals' queries are SQL that other databases take, but for what host/store.h names."""
from __future__ import annotations

import re

import pytest

from lib.tools import ROOT

FILES = ("gateway/journal_sql.def", "oracle/journal_sql.def")
# The standard, or PostgreSQL, has another word for each, which SQLite takes as well: coalesce, ON CONFLICT, IS DISTINCT FROM, CASE; a join's condition behind WHERE.
NEEDLESS = re.compile(r"\bifnull\(|\bINSERT OR\b|\bREPLACE INTO\b|\bIS NOT (?!NULL\b)|\b(?:max|min)\([^()]*,|\bGLOB\b|\bstrftime\(|\biif\("
                      r"|\bCROSS JOIN \w+(?: \w)? ON\b|\bLIMIT [?\d]+,", re.I)


def needless(text: str) -> list[str]:
    joined = re.sub(r'"\s*\n\s*"', "", text)
    return [found.group() for found in NEEDLESS.finditer(joined)]


@pytest.mark.parametrize("name", FILES)
def test_queries_are_portable_where_it_costs_nothing(name):
    text = (ROOT / name).read_text()
    assert len(re.findall(r"^SQL\(", text, re.M)) > 20
    assert not needless(text)


@pytest.mark.parametrize("text", ["SELECT ifnull(max(n),0) FROM t", "INSERT OR IGNORE INTO t VALUES(?1)", "INSERT OR REPLACE INTO t VALUES(?1)",
                                  "REPLACE INTO t VALUES(?1)", "WHERE tx IS NOT excluded.tx", "SET a=max(a,excluded.a)", "x CROSS JOIN steps s ON s.m=x.n",
                                  "SELECT 1 LIMIT 2, 3", '"SELECT iif(a,b,c) "\n    "FROM t"'])
def test_what_is_needless_is_found(text):
    assert needless(text)


@pytest.mark.parametrize("text", ["SELECT max(n) FROM t", "WHERE a IS NOT NULL", "ON CONFLICT(a,b) DO NOTHING", "coalesce(max(n),0)", "a CROSS JOIN b WHERE b.n=a.n"])
def test_what_is_not_is_left_alone(text):
    assert not needless(text)
