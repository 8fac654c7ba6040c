import re
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_example_runs():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    image, label = names["warped"]["image"], names["warped"]["label"]
    assert names["turned"].shape == image.shape == names["back"].shape == (96, 128, 112)
    assert label.dtype == "uint8"
    assert set(label.ravel()) == {0, 1}
    assert names["bent"].shape == image.shape
    assert (names["bent"] != image).any()  # another border
    assert names["landmarks"].shape == (1, 3)
