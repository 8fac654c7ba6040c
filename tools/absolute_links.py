"""Make the links of README.md absolute, as a package index shows it without the files beside it.

    python -m tools.absolute_links https://github.com/OWNER/volaug/blob/v0.1.0

changes the file in place. The address is that of a folder of files, at the release. Pictures are
shown from the same address with `raw` in place of `blob`, as GitHub, GitLab and Gitea name them.
"""

import re
import sys
from pathlib import Path, PurePosixPath

README = Path(__file__).parent.parent / "README.md"

RELATIVE = re.compile(r"(?<=\]\()(?!\w+:|#)([^)]+)")  # what follows `](`, and has no scheme
PICTURES = (".jpg", ".png", ".svg")


def with_absolute_links(text: str, address: str) -> str:
    """Return Markdown whose links to files lead to an address."""
    if "/blob/" not in address:
        raise ValueError(f"the address must have /blob/ in it, got {address!r}")
    address = address.rstrip("/")

    def absolute(link: re.Match[str]) -> str:
        shown = PurePosixPath(link[1]).suffix in PICTURES
        return f"{address.replace('/blob/', '/raw/', 1) if shown else address}/{link[1]}"

    return RELATIVE.sub(absolute, text)


if __name__ == "__main__":
    README.write_text(with_absolute_links(README.read_text("utf-8"), sys.argv[1]), "utf-8")
