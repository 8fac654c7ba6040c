"""The page for those who come from other libraries: both sides of each piece make one image."""

import re
from pathlib import Path

import numpy as np
import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "from_others.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
LIBRARIES = {
    "MONAI": "monai",
    "TorchIO": "torchio",
    "batchgeneratorsv2 and nnU-Net": "batchgeneratorsv2",
}


def sections():
    """Return the code of each library's section, by its heading."""
    parts = re.split(r"^## (.*)\n", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def cases():
    """Number the pieces of code of each section."""
    for heading, library in LIBRARIES.items():
        for number in range(len(BLOCK.findall(sections()[heading]))):
            mark = pytest.mark.oracle(library, "torch")
            yield pytest.param(heading, number, marks=mark, id=f"{library}-{number}")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the libraries' own
@pytest.mark.parametrize(("heading", "number"), [*cases()])
def test_both_sides_make_the_same_image(heading, number):
    names = {"__name__": "from_others"}
    pieces = BLOCK.findall(sections()[heading])[: number + 1]  # later ones use earlier imports
    for piece in [BLOCK.findall(PAGE)[0], *pieces]:
        exec(compile(piece, "from_others.md", "exec"), names)
    ours, theirs, image = (np.asarray(names[name]) for name in ("ours", "theirs", "image"))
    assert ours.shape == theirs.shape == image.shape
    spread = image.max() - image.min()
    assert np.abs(ours - image).max() > 0.05 * spread  # something happened
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * spread)


def test_every_section_has_code():
    assert all(len(BLOCK.findall(sections()[heading])) >= 3 for heading in LIBRARIES)
