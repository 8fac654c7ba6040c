"""The command line: `volaug --help`."""

import sys

NEEDED = ("click", "rich", "typer")


def main() -> None:
    """Run the command that the arguments name, or say what to install for it."""
    try:
        from .app import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDED:
            raise
        sys.exit(
            f"volaug: the command line needs {error.name}, which is not installed: "
            'pip install "volaug[cli]"'
        )
    run(sys.argv[1:])
