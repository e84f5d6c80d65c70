#!/usr/bin/env python3
"""Makes tests/vectors/decimal/numbers.json: JSON number text to 256-bit fixed point, by Python's exact fractions.

    tools/decimal_vectors.py            write the file
    tools/decimal_vectors.py --check    fail if it differs from what would be written
"""
import json
import random
import re
import sys
from fractions import Fraction
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "decimal" / "numbers.json"
NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
SIZE_MAX, EXPONENT_MAX = 1024, 999


def value_of(text):
    """The exact number, or the name of the refusal."""
    if len(text) > SIZE_MAX:
        return "too-large"
    match = NUMBER.fullmatch(text)
    if not match:
        return "malformed"
    sign, whole, fraction, exponent = match.groups()
    exponent = int(exponent or 0)
    if abs(exponent) > EXPONENT_MAX:
        return "too-large"
    number = Fraction(int(whole + (fraction or "")), 10 ** len(fraction or "")) * Fraction(10) ** exponent
    return -number if sign else number


def scaled(text, decimals, rounding):
    number = value_of(text)
    if isinstance(number, str):
        return number
    number *= 10**decimals
    if rounding == "exact":
        if number.denominator != 1:
            return "invalid" if abs(number) < 2**256 else "overflow or invalid"
        result = number.numerator
    elif rounding == "down":
        result = int(number)
    else:
        result = round(number)  # of a Fraction: half to even
    return "overflow" if abs(result) >= 2**256 else str(result)


def texts(rng):
    top = 2**256
    yield from ("0", "-0", "0.0", "-0.0e-5", "1", "-1", "1.5", "2.5", "-2.5", "0.5", "-0.5", "0.05", "0.5000000001",
                "1e3", "1E3", "1e+3", "1e-3", "1e0003", "123.456e1", "100e-2", "1e77", "1e78", "9e999", "0e999",
                "1e-999", "4.9e-999", "0.1e1", "1234567890.123456789", "5e-1", "15e-1", "25e-1", "0.999999999999999999")
    yield from (str(top - 1), str(top), str(-top), str(-(top - 1)), str(2**255), str(-(2**255)), str(2**255 - 1),
                f"{top - 1}.4", f"{top - 1}.5", f"{top - 2}.5", f"{top - 1}e-10", "1" + "0" * 900 + "e-900",
                "0." + "0" * 900 + "1e901", "0." + "0" * 900 + "1e903", "9" * 1024, "9" * 1025, "0." + "9" * 1000)
    yield from ("", "-", "+1", ".5", "1.", "01", "-01", "00", "1e", "1e+", "1e1000", "1e-1000", "0e1000", "0x10", "1 ",
                " 1", "1,5", "1_000", "NaN", "Infinity", "-Infinity", "1e1.5", "--1", "1-", "1e--1", "1..5", "\u0661",
                "1\u0000", "e5", "-e5", "1e99999999999999999999999", "1.5.5", "1f", "0b1", "1d3", "\u22121", "\uff11")
    for _ in range(160):
        whole = str(rng.randrange(10 ** rng.choice([1, 1, 3, 9, 20, 40, 77, 78])))
        text = rng.choice(["", "", "-"]) + whole
        if rng.random() < 0.7:
            text += "." + "".join(rng.choice("0005559123") for _ in range(rng.choice([1, 2, 3, 8, 18, 40])))
        if rng.random() < 0.4:
            text += rng.choice("eE") + rng.choice(["", "+", "-"]) + str(rng.choice([0, 1, 2, 3, 8, 18, 40, 77]))
        yield text


def build():
    rng = random.Random(6901)
    rows = []
    for i, text in enumerate(texts(rng)):
        for decimals, rounding in ((0, "exact"), (0, "down"), (0, "half_even"), (rng.choice([1, 2, 8, 18, 36, 77]),
                                   rng.choice(["exact", "down", "half_even"]))):
            result = scaled(text, decimals, rounding)
            if result == "overflow or invalid":
                continue  # two reasons: which comes first is not specified
            kind = "error" if re.fullmatch("[a-z-]*[a-z]", result) else "value"
            rows.append({"text": text, "decimals": decimals, "rounding": rounding, kind: result})
    return json.dumps(rows, indent="\t", ensure_ascii=True) + "\n"


def main():
    text = build()
    if sys.argv[1:] == ["--check"]:
        if not OUT.exists() or OUT.read_text() != text:
            sys.exit(f"{OUT.name} is not what tools/decimal_vectors.py writes")
        return
    OUT.write_text(text)


if __name__ == "__main__":
    main()
