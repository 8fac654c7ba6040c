"""The check of the built pages finds a link that leads nowhere, and no other; absolute links."""

import re
from pathlib import Path

import pytest

from tools.absolute_links import with_absolute_links
from tools.links import broken_links

ROOT = Path(__file__).parent.parent


def test_what_is_broken(tmp_path):
    (tmp_path / "api").mkdir()
    (tmp_path / "picture.png").write_bytes(b"")
    (tmp_path / "api" / "one.html").write_text('<h1 id="top-place"></h1><a href="../index.html">')
    links = [
        "api/one.html",
        "api/one.html#top-place",
        "api/one.html#other",
        "two.html",
        "#here",
        "#there",
        "https://example.org/not-followed",
    ]
    anchors = "".join(f'<a href="{link}">' for link in links)
    page = f'<p id="here"><img src="picture.png"><img src="missing.png">{anchors}'
    (tmp_path / "index.html").write_text(page)
    assert broken_links(tmp_path) == [
        f"index.html: {link}"
        for link in ("missing.png", "api/one.html#other", "two.html", "#there")
    ]


def test_the_links_of_the_readme_become_absolute():
    text = (ROOT / "README.md").read_text("utf-8")
    changed = with_absolute_links(text, "https://forge.example/volaug/blob/v1/")
    assert changed.count("https://forge.example/volaug/raw/v1/docs/demo.jpg)") == 2
    links = re.findall(r"\]\(([^)]+)\)", changed)
    assert len(links) > 20
    assert all(link.startswith("https://") for link in links)
    for link in links:
        path = re.sub("https://forge.example/volaug/(raw|blob)/v1/", "", link).split("#")[0]
        assert path.startswith("https:") or (ROOT / path).is_file(), link
    assert with_absolute_links(changed, "https://forge.example/volaug/blob/v2") == changed
    for kept in ("[here](#install)", "[mail](mailto:a@b.example)"):
        assert with_absolute_links(kept, "https://a.example/blob/v1") == kept
    with pytest.raises(ValueError, match="must have /blob/ in it"):
        with_absolute_links(text, "https://a.example")
