"""The notebook of the documents runs, and shows what it showed when it was made."""

import json
import re
from pathlib import Path

import pytest

PATH = Path(__file__).parent.parent / "docs" / "look.ipynb"
NOTEBOOK = json.loads(PATH.read_text(encoding="utf-8"))
CELLS = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
OUTPUTS = [output for cell in CELLS for output in cell["outputs"]]


@pytest.mark.oracle("matplotlib", "nilearn")
@pytest.mark.slow
def test_the_cells_run_and_print_what_is_stored(capsys):
    names = {"__name__": "look"}
    for cell in CELLS:
        exec(compile("".join(cell["source"]), PATH.name, "exec"), names)
        stored = "".join("".join(output.get("text", "")) for output in cell["outputs"])
        assert capsys.readouterr().out == stored
    assert names["sample"].record.steps


def test_its_pictures_are_stored_and_small():
    pictures = [output["data"]["image/png"] for output in OUTPUTS if "data" in output]
    assert len(pictures) == 2
    assert PATH.stat().st_size < 1_000_000


def test_it_knows_no_machine():
    assert not [output for output in OUTPUTS if output["output_type"] == "error"]
    assert not [output for output in OUTPUTS if output.get("name") == "stderr"]
    shown = json.dumps([{**o, "data": {**o.get("data", {}), "image/png": ""}} for o in OUTPUTS])
    assert not re.search(r"/(?:home|root|tmp|usr|work|opt|Users)/|[A-Z]:\\\\", shown)
