"""`autograder report`: one page on a class that loads nothing, escapes all, and can name nobody."""

import json
import re
import shutil
from dataclasses import replace

import pytest

from autograder import cli
from autograder.messages import on_page
from autograder.pages import class_report
from autograder.pages.class_report import class_page, costly_tests, groups_of, questions
from autograder.pages.render import visible
from autograder.result import Alike, Result, TestResult, write_json
from keyhole import messages
from tests.standins import HOSTILE

NAMES = "ann", "bea", "cyd"
SECRET_FACT = "Sagrada Familia"


def test(points, verdict, message="m", misconception=None, name="double.plain", most=4.0):
    title = f"title of {name}"
    return TestResult(name, "3_edit", points, most, verdict, message, misconception, title)


test.__test__ = False


def a_class():
    alike = (Alike(1, ("fact", "trace"), SECRET_FACT),)
    right = (test(4, "pass"), test(2, "pass", name="triple.plain", most=2.0))
    wrong = (
        test(1, "fail", "It is `half` <b>.", "nll_summed"),
        test(0, "error", f"`triple` raised {HOSTILE}", name="triple.plain", most=2.0),
    )
    none = (test(0, "missing"), test(0, "missing", name="triple.plain", most=2.0))
    return [
        Result("ann", "model_editing", "graded", None, "A", 2.0, right, None, alike),
        Result("bea", "model_editing", "graded", f"A {HOSTILE} note.", "A", 4.0, wrong, "n", alike),
        Result("cyd", "model_editing", "failed", "There is no cyd.ipynb.", "A", 0.5, none),
    ]


def text_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition("<body>")[2]).split())


def test_figures_are_those_of_the_results():
    double, triple = questions(a_class())
    assert (double.points, double.most, double.full, double.none) == ((4, 1, 0), 4, 1, 1)
    assert (triple.points, triple.mean) == ((2, 0, 0), pytest.approx(2 / 3))
    first, second = costly_tests(a_class(), anonymous=False)
    assert (first.name, first.points, first.students) == ("double.plain", 3, {"bea"})
    assert second.example.startswith("`triple` raised") and second.points == 2
    [group] = groups_of(a_class(), anonymous=False)
    assert group.students == ("ann", "bea") and SECRET_FACT in group.alike


def test_of_a_group_one_alone_makes_none():
    ann, bea, *rest = a_class()
    assert groups_of([ann, *rest], anonymous=False) == []


def test_a_score_with_a_bonus_is_in_the_histogram(monkeypatch):
    drawn = []
    monkeypatch.setattr(class_report, "histogram", lambda *given: drawn.append(given) or "")
    more = replace(test(3, "pass", name="bonus.plain", most=3.0), notebook="5_learn_to_edit")
    class_page([replace(each, tests=(*each.tests, more)) for each in a_class()])
    [(scores, most, _)] = drawn
    assert max(scores) == most == 9


@pytest.mark.parametrize("language", messages.LANGUAGES)
@pytest.mark.parametrize("anonymous", [False, True])
def test_a_page_loads_nothing_and_nothing_of_a_student_becomes_markup(language, anonymous):
    messages.use(language)
    page = class_page(a_class(), anonymous=anonymous)
    assert not re.search(
        r"(?:src|href)=[\"'](?!#)|url\((?!#)|@import|https?://(?!www\.w3\.org)", page
    )
    assert page.count("<script>") == 1 and "<script>alert" not in page and "<b>" not in page
    assert "\x1b" not in page and "\u202e" not in page
    for name in ("scores", "misunderstandings", "copies", "damaged", "how"):
        assert on_page(name) in page


def test_the_versions_are_those_of_the_machines_that_graded():
    ann, bea, cyd = a_class()
    ann = replace(ann, versions=(("Python", "3.11.2"), ("torch", "2.13.0")))
    bea = replace(bea, versions=(("Python", "3.13.1"), ("torch", "2.13.0")))
    ann, bea = (Result.from_json(each.to_json()) for each in (ann, bea))
    page = text_of(class_page([ann, bea, cyd]))
    assert "Python 3.11.2 / 3.13.1, torch 2.13.0" in page
    assert "torch" not in text_of(class_page([cyd]))


def test_an_anonymous_page_names_and_quotes_nobody():
    page, named = class_page(a_class(), anonymous=True), class_page(a_class())
    for word in (*NAMES, SECRET_FACT, "raised", "alert"):
        assert re.search(rf"\b{word}\b", text_of(named)), word
        assert not re.search(rf"\b{word}\b", text_of(page)), word
    assert "It is half &lt;b&gt;." in text_of(page)  # about a number: no student wrote it


def test_an_anonymous_page_quotes_no_error_for_a_misunderstanding_whose_words_have_gaps():
    tests = (test(0, "error", f"raised {SECRET_FACT}", "input_changed"),)
    result = Result("ann", "model_editing", "graded", None, "A", 1.0, tests)
    assert SECRET_FACT in class_page([result])
    page = class_page([result], anonymous=True)
    assert SECRET_FACT not in page and "input_changed" in page


def test_the_misunderstanding_is_told_in_the_language_of_the_page():
    messages.use("zh-TW")
    assert messages.misconception("nll_summed").__str__().split("，")[0] in class_page(a_class())


def test_the_command_writes_a_page_and_says_why_written_questions_are_unknown(tmp_path, capsys):
    write_json(tmp_path / "r.json", a_class())
    target, course = tmp_path / "out" / "report.html", tmp_path / "course"
    course.mkdir()
    options = ["--out", str(target), "--course", str(course)]
    assert cli.main(["report", str(tmp_path / "r.json"), *options]) == 0
    assert "names no gradebook" in target.read_text("utf-8")
    assert not (course / "grading").exists()
    assert cli.main(["report", str(tmp_path / "r.json"), *options, "--lang", "zh-TW"]) == 0
    assert 'lang="zh-Hant-TW"' in target.read_text("utf-8")


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '[{"student": 1}]', "[3]"])
def test_what_is_no_report_is_one_sentence(tmp_path, capsys, content):
    if content is not None:
        (tmp_path / "r.json").write_text(content)
    target = tmp_path / "report.html"
    assert cli.main(["report", str(tmp_path / "r.json"), "--out", str(target)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("autograder: ") and said.count("\n") == 1 and not target.exists()


def test_text_of_a_student_keeps_its_lines_and_no_direction_code():
    assert visible("a\tb\r\nc\u202ed\x1b") == "a    b\nc\ufffdd\ufffd"


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not (chromium := shutil.which("chromium")):
        pytest.skip("needs Chromium")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.mark.slow
def test_a_browser_sorts_filters_and_asks_for_nothing(tmp_path, browser):
    many = [
        Result(f"s{n:02}", "model_editing", "graded", None, "A", 1.0, (test(n % 5, "fail"),))
        for n in range(30)
    ]
    (tmp_path / "report.html").write_text(class_page(many), encoding="utf-8")
    page = browser.new_page(viewport={"width": 390, "height": 800})
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: errors.append(message.text))
    page.goto((tmp_path / "report.html").as_uri())
    shown = "#everybody tbody tr:visible td:first-child"
    total = page.get_by_role("button", name=on_page("total"))
    total.click()
    assert page.locator(shown).first.inner_text().endswith("s00")
    total.click()
    assert page.locator(shown).first.inner_text().endswith("s04")
    page.locator("#everybody input").fill("s1")
    assert page.locator(shown).count() == 10
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert len(asked) == 1 and errors == []
    page.close()


def test_a_report_of_an_older_version_has_no_groups():
    entry = json.loads(json.dumps(a_class()[0].to_json()))
    del entry["alike"]
    assert Result.from_json(entry).alike == ()
