"""Where the specification is, and what Quint says of its runs."""
from __future__ import annotations

import re

from lib import tools

SPEC = tools.ROOT / "docs" / "spec"


def names_of_runs(module: str) -> set[str]:
    return set(re.findall(r"^  run (\w+Test) =", (SPEC / f"{module}.qnt").read_text(), re.M))


def passed(output: str) -> set[str]:
    return set(re.findall(r"^ *ok (\w+) passed", output, re.M))
