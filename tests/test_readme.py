import re
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_example_runs():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["turned"].shape == names["image"].shape == (96, 128, 112)
    assert names["mask"].dtype == "uint8"
    assert set(names["mask"].ravel()) == {0, 1}
    assert (names["bent"] == names["image"]).all()
