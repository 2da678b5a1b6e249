"""The README's pictures: what they are made from. Drawing the page itself takes a browser."""

import pytest
from matplotlib.image import imread

from autograder.making import pictures
from keyhole.errors import KeyholeError

PAGE = '<html><head></head><body><div class="cell"><a name="test_rank_one_update"></a></div>'
PRETENDER = """#!/usr/bin/env bash
for each in "$@"; do
  case "$each" in
    --screenshot=*) target=${each#--screenshot=} ;;
    file://*) page=${each#file://} ;;
  esac
done
[ -n "$page" ] && cp "$page" "$target" || { echo "no display" >&2; exit 1; }
"""


@pytest.fixture
def browser(tmp_path):
    """A program that takes a browser's arguments, and copies the page instead of drawing it."""
    path = tmp_path / "pretender"
    path.write_text(PRETENDER)
    path.chmod(0o755)
    return str(path)


def test_the_edit_that_is_shown_is_that_of_notebook_3():
    fact = pictures.notebook_fact()
    assert fact.prompt == "The Eiffel Tower is located in the city of"
    assert (fact.target_true, fact.target_new) == (" Paris", " Rome")


def test_of_a_page_one_function_is_left(tmp_path, browser):
    page = tmp_path / "3_edit.html"
    page.write_text(PAGE)
    pictures.photograph(browser, page, tmp_path / "page.png")
    assert (tmp_path / "page.png").read_text() == PAGE.replace(
        "</head>", pictures.ONLY_ONE_FUNCTION
    )
    assert page.read_text() == PAGE


def test_without_a_browser_a_sentence_says_so(monkeypatch):
    monkeypatch.setattr(pictures.shutil, "which", lambda name: None)
    with pytest.raises(KeyholeError, match="install one of them"):
        pictures.find_browser()


def test_a_browser_that_fails_is_quoted(tmp_path, browser):
    with pytest.raises(KeyholeError, match="pretender failed: no display"):
        pictures._run([browser, "--headless"])


def test_the_page_is_drawn_as_wide_as_asked(tmp_path):
    try:
        browser = pictures.find_browser()
    except KeyholeError as missing:
        pytest.skip(str(missing))
    (tmp_path / "3_edit.html").write_text(PAGE)
    pictures.photograph(browser, tmp_path / "3_edit.html", tmp_path / "page.png")
    assert imread(tmp_path / "page.png").shape[:2] == (pictures.HEIGHT, pictures.WIDTH)
