"""Lists of cases in CSV and JSON, and dataset.json of the Medical Segmentation Decathlon."""

import csv
import difflib
import io
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from .dataset_layout import Complete, DatasetCase, DatasetLayout

MAX_BYTES = 2**28

# The training cases of a JSON list, as MONAI and the decathlon name them.
TRAINING = "training"
LANDMARKS = {"landmarks": "points"}  # what else a column of landmarks may be called

Row = dict[str, Any]


class CaseList(DatasetLayout):
    """A list with a row for each case, whose columns name files.

    Parameters
    ----------
    source : Path
        A CSV or TSV file with columns that are named like targets: image, label, points (or
        landmarks). Or a JSON file with a list of such objects, under "training" if it is an object.
        An image can be a list of files in JSON: its channels. Paths are relative to the list.
    targets : names
        Targets of the pipeline. Other columns are kept as they are; a note names those with files.
    """

    title = "list"

    def __init__(self, source: Path, targets: Collection[str]) -> None:
        self._source = source
        self._document, self._rows = _read(source)
        self._columns = {
            column: LANDMARKS.get(column, column)
            for row in self._rows for column in row
            if LANDMARKS.get(column, column) in targets
        }  # fmt: skip
        files = [self._files(number, row) for number, row in enumerate(self._rows, 1)]
        every = [path for row in files for paths in row.values() for path in paths]
        if not every:
            given = ", ".join(dict.fromkeys(repr(c) for row in self._rows for c in row)) or "none"
            raise ValueError(
                f"{source}: names no files in columns called {', '.join(targets)}; it has {given}"
            )
        left_out = self._left_out(targets)
        if left_out and not any("image" in row for row in files):
            raise ValueError(f"{source}: no column is called 'image', and {left_out}")
        root = Path(os.path.commonpath([path.parent for path in every]))
        named = [DatasetCase(_first(row).relative_to(root).as_posix(), row) for row in files if row]
        self._row_of = {_first(row): number for number, row in enumerate(files) if row}
        super().__init__(root, named)
        if isinstance(self._document, Mapping) and self._document.get("test"):
            self.notes = ("test images are left out: they are not augmented",)
        if left_out:
            self.notes = (*self.notes, left_out)

    def _left_out(self, targets: Collection[str]) -> str:
        """What to say of columns that name files and are no targets."""
        columns = dict.fromkeys(
            column
            for row in self._rows for column, value in row.items()
            if column not in self._columns and self._names_files(value)
        )  # fmt: skip
        if not columns:
            return ""
        near = [difflib.get_close_matches(name, targets, n=1, cutoff=0.5) for name in columns]
        hint = "".join(f"; did you mean {names[0]!r}?" for names in near[:1] if names)
        return (
            f"files of the columns {', '.join(map(repr, columns))} are left out: the pipeline has "
            f"no such targets, only {', '.join(map(repr, targets))}{hint}"
        )

    def _names_files(self, value: Any) -> bool:
        names = value if isinstance(value, list) and value else [value]
        return all(
            isinstance(name, str) and name != "" and os.path.isfile(self._source.parent / name)
            for name in names
        )

    def _files(self, number: int, row: Row) -> dict[str, tuple[Path, ...]]:
        """The files of a row by target."""
        found = {}
        for column, target in self._columns.items():
            given = row.get(column)
            if given in (None, "", []):
                continue
            names = given if isinstance(given, list) else [given]
            if not all(isinstance(name, str) and name and "\0" not in name for name in names):
                raise ValueError(
                    f"{self._source}: row {number} must name a file as {column}, got {given!r}"
                )
            paths = [Path(os.path.abspath(self._source.parent / name)) for name in names]
            missing = next((path for path in paths if not path.exists()), None)
            if missing is not None:
                raise ValueError(f"{missing}: there is no such file, in row {number}")
            found[target] = tuple(paths)
        if found and "image" not in found and "label" not in found:
            raise ValueError(f"{self._source}: row {number} must name an image or a label")
        return found

    def summaries(self, complete: Complete) -> dict[str, str]:
        """The list of copies, in the form and under the name of the list."""
        rows = [
            self._renamed(self._rows[self._row_of[_first(case.files)]], mark)
            for case in self.cases
            for mark in sorted(complete.get(case.name, ()))
        ]
        text = _written(self._document, rows, self._source.suffix.lower())
        return {self._source.name: text}

    def _renamed(self, row: Row, mark: str) -> Row:
        """A row whose files are those of a copy."""

        def name(given: str) -> str:
            path = Path(os.path.abspath(self._source.parent / given))
            new = self.name_of_copy(path, mark) if mark else self.name_of_original(path)
            return new.as_posix()

        return {
            column: value if column not in self._columns or value in (None, "", [])
            else [name(v) for v in value] if isinstance(value, list) else name(value)
            for column, value in row.items()
        }  # fmt: skip


def _first(files: Mapping[str, tuple[Path, ...]]) -> Path:
    """The file that a case is named after."""
    return (files.get("image") or next(iter(files.values())))[0]


def _read(source: Path) -> tuple[Any, list[Row]]:
    """The document, and the rows in it."""
    if source.stat().st_size > MAX_BYTES:
        raise ValueError(f"{source}: must have at most {MAX_BYTES} bytes")
    try:
        text = source.read_text(encoding="utf-8-sig")
        if source.suffix.lower() != ".json":
            rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=_delimiter(source))
            found: list[Row] = [dict(row) for row in rows]
            if any(None in row for row in found):
                raise ValueError("a row has more fields than the header")
            return rows.fieldnames, found
        document = json.loads(text)
    except (ValueError, RecursionError, csv.Error) as error:
        raise ValueError(f"{source}: must be a list in CSV or JSON: {error}") from None
    rows_given = document.get(TRAINING) if isinstance(document, Mapping) else document
    if not isinstance(rows_given, list) or not all(isinstance(row, dict) for row in rows_given):
        raise ValueError(f"{source}: must be a list of objects, or have one under {TRAINING!r}")
    return document, rows_given


def _delimiter(source: Path) -> str:
    return "\t" if source.suffix.lower() == ".tsv" else ","


def _written(document: Any, rows: list[Row], suffix: str) -> str:
    if suffix == ".json":
        if isinstance(document, Mapping):
            counts = {"numTraining": len(rows)} if "numTraining" in document else {}
            tests = {"test": [], "numTest": 0} if "test" in document else {}
            document = {**document, TRAINING: rows, **counts, **tests}
        else:
            document = rows
        return json.dumps(document, indent=4) + "\n"
    stream = io.StringIO(newline="")
    delimiter = "\t" if suffix == ".tsv" else ","
    writer = csv.DictWriter(stream, document, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
