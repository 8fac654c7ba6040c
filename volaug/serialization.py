"""Objects as plain values for JSON and TOML, and back through a closed list of classes.

A class is looked up by its own name among those that belong there, never by a path that could
import something else.
"""

import difflib
import functools
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

Thing = TypeVar("Thing")

# Lists within lists, and groups of transforms within groups: more is a mistake, or an attack on
# Python's stack.
MAX_NESTING = 32

MAX_FILE_BYTES = 2**24  # bytes

# Characters of TOML; and a key of more parts than anything needs, which takes `tomllib` a time that
# grows with their square.
MAX_TOML_LENGTH = 2**16
LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){32}""")


PLAIN = (float, int, str, bool, type(None))


def normalize(value: Any, levels: int = MAX_NESTING) -> Any:
    """Return numbers, tuples and dicts, from any arrays, lists and mappings."""
    if type(value) in PLAIN:  # nearly all: each draw comes here
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    is_list = isinstance(value, (list, tuple))
    if not is_list and not isinstance(value, Mapping):
        return value
    if levels == 0:
        raise ValueError(
            f"lists must be nested at most {MAX_NESTING} deep: this one is deeper, or holds itself"
        )
    if is_list:
        return tuple([normalize(item, levels - 1) for item in value])
    return {name: normalize(item, levels - 1) for name, item in value.items()}


def arguments(kind: Any) -> tuple[Field[Any], ...]:
    """Return the fields that a dataclass takes as arguments."""
    return tuple(item for item in fields(kind) if item.init)


def to_plain(thing: Any) -> dict[str, Any]:
    """Return the class name of a dataclass and its arguments, without None and empty mappings."""
    values = {item.name: _plain_value(getattr(thing, item.name)) for item in arguments(thing)}
    return {
        "type": type(thing).__name__,
        **{name: value for name, value in values.items() if value is not None and value != {}},
    }


def _plain_value(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [_plain_value(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _plain_value(item) for name, item in value.items()}
    return to_plain(value) if is_dataclass(value) else value


def from_plain(values: Any, classes: Mapping[str, type], what: str, otherwise: str = "") -> Any:
    """Return the object, of one of the classes, of which `to_plain` made `values`.

    Raises
    ------
    TypeError, ValueError
        If a part is wrong or unknown; the error says where, and the nearest known name.
    """
    name: Any = as_table(what, values).get("type")
    check_names(f"type of {what}", [name], classes, otherwise)
    given = {key: value for key, value in values.items() if key != "type"}
    return construct(f"{what}, {name}", classes[name], given)


def construct(what: str, kind: type, values: Any) -> Any:
    """Make a dataclass from its arguments by name."""
    check_names(
        f"argument of {what}", as_table(what, values), (item.name for item in arguments(kind))
    )
    missing = [
        item.name
        for item in arguments(kind)
        if item.default is MISSING and item.default_factory is MISSING and item.name not in values
    ]
    if missing:
        given = f"only {', '.join(map(repr, values))}" if values else "nothing"
        raise ValueError(f"{what} must say {' and '.join(map(repr, missing))}, got {given}")
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: {error}") from error


def as_table(what: str, values: Any) -> Mapping[str, Any]:
    """Return a mapping, or raise."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{what} must be a table of names and values, got {shown(values)}")
    return values


def check_names(what: str, names: Iterable[Any], known: Iterable[str], otherwise: str = "") -> None:
    """See that all names are known ones, or tell the nearest, and what to do otherwise."""
    known = list(known)
    for name in names:
        if name not in known:
            given = name if isinstance(name, str) else ""
            near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(
                f"unknown {what} {shown(name)}; {hint}there are "
                f"{', '.join(map(repr, known)) or 'none'}"
                f"{'; ' * bool(otherwise)}{otherwise}"
            )


def reject_deep_nesting(read: Callable[..., Thing]) -> Callable[..., Thing]:
    """Let a reader of plain values say that they are nested too deeply for Python's stack."""

    @functools.wraps(read)
    def wrapped(*arguments: Any) -> Thing:
        try:
            return read(*arguments)
        except RecursionError:
            raise ValueError("tables and lists are nested too deeply") from None

    return wrapped


def parse_toml(what: str, text: Any, otherwise: str = "give its text") -> dict[str, Any]:
    """The tables of a text of TOML, or what is wrong with it; of a file, what to do otherwise."""
    if not isinstance(text, str):
        raise TypeError(
            f"a {what} must be text of TOML, got {type(text).__name__}: for a file {otherwise}"
        )
    if text.strip() and "=" not in text and "\n" not in text:
        raise ValueError(f"a {what} must be TOML, got {shown(text)}: for a file {otherwise}")
    if len(text) > MAX_TOML_LENGTH:
        raise ValueError(
            f"a {what} must be at most {MAX_TOML_LENGTH} characters of TOML, got {len(text)}"
        )
    if LONG_KEY.search(text):
        raise ValueError(f"a {what} must have keys of at most {MAX_NESTING} parts")
    import tomllib  # takes 20 ms

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"a {what} must be TOML: {error}") from None


def parse_json(what: str, text: Any, otherwise: str = "give its text") -> Any:
    """The values of a text of JSON, or what is wrong with it; of a file, what to do otherwise."""
    if not isinstance(text, str | bytes | bytearray):
        raise TypeError(
            f"a {what} must be text of JSON, got {type(text).__name__}: for a file {otherwise}"
        )
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        is_path = isinstance(text, str) and text.strip() and "{" not in text
        given = f", got {shown(text)}: for a file {otherwise}" if is_path else ""
        raise ValueError(f"a {what} must be JSON: {error}{given}") from None


def check_format(values: Any, wanted: str, version: int) -> dict[str, Any]:
    """What a file holds beside its format and its version, if it can be read."""
    if as_table(f"a {wanted}", values).get("format") != wanted:
        raise ValueError(
            f'a {wanted} must say format = "{wanted}", got {shown(values.get("format"))}'
        )
    given = values.get("version")
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise ValueError(f"the version of a {wanted} must be a whole number, got {shown(given)}")
    if given > version:
        raise ValueError(
            f"this {wanted} has version {given}, made by a newer volaug: this one reads up to "
            f"version {version}"
        )
    return {name: value for name, value in values.items() if name not in ("format", "version")}


def shown(value: Any) -> str:
    """What was given, for a message that must stay short."""
    if hasattr(value, "requires_grad"):  # a tensor, whose repr may fail
        return type(value).__name__
    try:
        text = " ".join(repr(value).split())
    except RecursionError:
        text = f"a {type(value).__name__} that is nested too deeply"
    return text if len(text) <= 80 else text[:77] + "..."


def parse_file(what: str, path: str | os.PathLike[str]) -> Any:
    """The values of a file that ends in .toml or .json, or what is wrong with it."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be the path of a file, got {type(path).__name__}")
    file = Path(path)
    if file.suffix not in (".toml", ".json"):
        raise ValueError(f"a {what}'s file must end in .toml or .json, got {str(file)!r}")
    if file.exists() and (not file.is_file() or file.stat().st_size > MAX_FILE_BYTES):
        raise ValueError(f"{file} must be a regular file of at most {MAX_FILE_BYTES} bytes")
    try:
        text = file.read_text(encoding="utf-8-sig")  # as editors on Windows write it
    except UnicodeDecodeError:
        raise ValueError(f"{file} must be text in UTF-8") from None
    return (parse_toml if file.suffix == ".toml" else parse_json)(what, text)
