"""TOML's text of plain values, written without volaug."""

import json


def dumps(plain):
    """A table, with a line for each of its entries."""
    return "\n".join(f"{name} = {inline(value)}" for name, value in plain.items())


def inline(value):
    """A value on one line: as JSON has it, but for tables."""
    if isinstance(value, dict):
        pairs = (f"{json.dumps(name)} = {inline(v)}" for name, v in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(inline, value))}]"
    return json.dumps(value)
