"""The documents: narrow enough to read, and true in the names of files that they use."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 100
GENERATED = ROOT / "docs" / "validity.md"  # the grader writes it: its tables and long lines too
DOCUMENTS = [
    path
    for folder in ("*.md", "docs/*.md", "data/FACTS.md", "lecture/*.md")
    for path in ROOT.glob(folder)
    if path != GENERATED
]
PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.png"))
ON_USE = {"autograder/secret.key"}  # made by the first grading
ROOMS = "keyhole|autograder|data|docs|tests|bench|solutions|assignments|lecture"


def prose(text):
    """The lines of a document that are no table, picture or code block."""
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith(("|", "![", "    ")):
            yield line


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_line_of_prose_is_wider_than_a_hundred_columns(path):
    assert not [line for line in prose(path.read_text("utf-8")) if len(line) > WIDTH]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text("utf-8")):
        assert "://" in target or (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_are_named_exist(path):
    names = re.findall(rf"(?<![\w./-])(?:{ROOMS})/[\w./*-]*[\w*/]", path.read_text("utf-8"))
    assert not [name for name in names if name not in ON_USE and not [*ROOT.glob(name.rstrip("/"))]]


def test_the_readme_stays_on_one_screen_and_shows_small_pictures():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert len(readme.splitlines()) <= 85
    shown = set(re.findall(r"!\[[^]]+\]\((docs/pictures/[^)]+)\)", readme))
    assert shown == {path.relative_to(ROOT).as_posix() for path in PICTURES} and len(shown) == 4
    assert all(path.stat().st_size < 150_000 for path in PICTURES)


def test_the_chinese_page_for_students_tells_all_that_the_english_one_does():
    """Its headings, rows, and whatever is to be typed or is the name of something."""
    english, chinese = (
        (ROOT / "docs" / name).read_text("utf-8") for name in ("students.md", "students.zh-TW.md")
    )
    for mark in ("## ", "| ", "- "):
        lines = [
            re.findall(f"^{re.escape(mark)}", text, re.MULTILINE) for text in (english, chinese)
        ]
        assert len(lines[0]) == len(lines[1]), mark
    typed = re.findall(r"`([^`\n]+)`", english) + re.findall(r"^    .*?\S+$", english, re.MULTILINE)
    assert not [each for each in typed if each.strip() not in chinese]
