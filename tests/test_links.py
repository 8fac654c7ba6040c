"""The check of the built pages finds a link that leads nowhere, and no other."""

from tools.links import broken_links


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
