"""The page of all records in a folder, with pictures: ``python -m benchmarks.rivals.page``."""

import sys
from pathlib import Path

from . import charts, report
from .record import Record, read

HEAD = """# volaug beside other engines

Each engine at its best settings, in one process, in turns, on the same picture. A row is there
only if its result agrees with a plain reference. Times depend on the machine; the ratios of one
run say more. `python -m benchmarks.rivals --report FOLDER` measures, and writes this page from all
records in the folder. The times of every call are in the JSON files.
"""


def write_page(folder: Path) -> Path:
    """Write `index.md` and the pictures of all records in a folder, the latest first."""
    paths = sorted(folder.glob("*.json"), reverse=True)
    if not paths:
        raise ValueError(f"{folder} must hold records, such as 2026-11-27-amd-epyc.json")
    parts = [HEAD, *(section(read(path), path) for path in paths)]
    page = folder / "index.md"
    page.write_text("\n".join(parts))
    return page


def section(record: Record, path: Path) -> str:
    """Return the part of the page that is about one record, and draw its pictures."""
    pictures = [
        f"```{{image}} {name}\n:alt: {words}.\n:width: 900\n```"
        for name, words in charts.draw_all(record, path.parent, path.stem)
    ]
    return "\n\n".join(
        [
            f"## {record.title}",
            f"{record.machine}. `{record.command}` ([{path.name}]({path.name}))",
            *pictures,
            "<details>\n<summary>Every row</summary>",
            report.table(record.main.rows, markdown=True),
            record.caption,
            "</details>\n",
        ]
    )


if __name__ == "__main__":
    print(write_page(Path(sys.argv[1])))
