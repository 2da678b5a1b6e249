"""What a student sees of a check: a card in a notebook, the same as text elsewhere."""

import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
import torch

from autograder.validity.catalogue import RIGHT
from autograder.validity.run import IMPORTS
from keyhole import messages, terminal
from keyhole.checking.cases import load_cases
from keyhole.checking.checks import CheckFailed, check, compare, examine
from keyhole.checking.diagnosis import leading
from keyhole.checking.evidence import NUMBERS
from keyhole.checking.judging import judge, name_of, wrong
from keyhole.checking.student import Student
from keyhole.messages import LANGUAGES, feedback, misconception
from keyhole.terminal import columns, folded

HOSTILE = "<img src=x onerror=alert(1)> `<b>` \u202e \x1b[31m"
CASES = load_cases()


def sequence_nll(logits, target_ids):
    return -logits.log_softmax(-1)[torch.arange(len(target_ids)), target_ids].sum()


def restore(hidden, clean, position):
    return hidden.clone()


def efficacy(nll_true, nll_new):
    raise NotImplementedError()


def giving(name, result):
    """A function of that name that gives, for each case, what `result` makes of it."""
    cases = iter(CASES[name])
    return lambda *arguments: result(next(cases))


class Tags(HTMLParser):
    """Which tags there are, and whether each is closed in its place."""

    def __init__(self, html):
        super().__init__()
        self.seen, self.open = set(), []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(html):
    return " ".join(unescape(re.sub("<[^>]*>", " ", html)).split())


# ---------------------------------------------------------------- the card


def test_a_success_is_one_line():
    report = examine("restore", giving("restore", lambda case: case.stored["right"].float()))
    passed = [case for case in report.verdicts if case[1].passed]
    assert len(passed) >= 3 and "\n" not in repr(report).removesuffix("\n")
    report = check(lambda_named("efficacy", lambda true, new: (new < true).float().mean()))
    assert repr(report) == "✓ efficacy: 3 of 3 public checks passed"
    assert read(report._repr_html_()) == "✓ efficacy : 3 of 3 public checks passed"
    assert "<details" not in report._repr_html_()


def lambda_named(name, function):
    function.__name__ = name
    return function


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_card_says_first_what_is_wrong_and_then_what_was_expected(language):
    messages.use(language)
    report = examine("sequence_nll", sequence_nll)
    said = str(misconception("nll_summed"))
    html, (head, first, *lines) = report._repr_html_(), repr(report).splitlines()
    assert head.startswith("✗ sequence_nll") and first == f"  {said}"
    assert html.count(said.replace("'", "&#x27;")) == 1 == repr(report).count(said)
    assert "font-size:1.3em" in html.partition(said[:9])[0].rpartition("<div")[2]
    case = CASES["sequence_nll"][1]
    right = f"{float(case.stored['right']):.4g}"
    mine = f"{float(sequence_nll(*case.sent().values())):.4g}"
    [row] = [line for line in lines if right in line]
    assert row.index(right) < row.index(mine) and html.index(right) < html.index(mine)
    # The checks are folded, and say nothing that stands above.
    assert html.index("<details") > html.index(mine)
    assert html.count("✗") - 1 == sum(line.startswith("  ✗") for line in lines) > 0
    assert str(feedback("stuck", function="sequence_nll")) == lines[-1].strip()


def test_text_and_card_say_the_same():
    for name, function in (("sequence_nll", sequence_nll), ("restore", restore)):
        report = examine(name, function)
        html = report._repr_html_()
        for word in re.sub("[`:]", " ", repr(report)).split():
            assert word in read(html), word


def test_a_matrix_is_shown_by_its_worst_numbers_and_a_small_picture():
    report = examine("restore", restore)
    evidence = report.evidence[0]
    shape, dtype, *numbers = evidence.rows()
    assert shape.expected == shape.got == "(4, 7, 5)" and not shape.differs
    assert dtype.expected == dtype.got == "float32" and 1 <= len(numbers) <= NUMBERS
    assert all(row.differs and row.name.startswith("[") for row in numbers)
    assert report._repr_html_().count("<svg") == 3
    # Where the shape is wrong, no number stands beside another one.
    report = examine("restore", lambda hidden, clean, position: hidden[0])
    shape, dtype = report.evidence[0].rows()
    assert (shape.expected, shape.got) == ("(4, 7, 5)", "(7, 5)")
    assert "<b>(7, 5)</b>" in report._repr_html_() and "<svg" not in report._repr_html_()
    # Half precision is not what was expected.
    report = examine("restore", lambda *arguments: restore(*arguments).half())
    dtype = report.evidence[0].rows()[1]
    assert (dtype.expected, dtype.got) == ("float32", "float16") and dtype.differs


@pytest.mark.slow
def test_a_card_loads_nothing_large():
    """torch.unravel_index would load sympy, which takes most of a second."""
    code = (
        "import sys; from keyhole.checking.checks import examine; "
        "repr(examine('restore', lambda hidden, clean, position: hidden + 1)); "
        "sys.exit('sympy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_argument_that_was_changed_and_a_gradient_are_shown_too():
    def in_place(hidden, clean, position):
        hidden[:, position] = clean[position]
        return hidden.clone()

    [seen] = filter(None, examine("restore", in_place).evidence)
    assert seen.what == "`hidden`" and seen.rows()[2].differs

    def cut(logits, ids):
        away = torch.rand_like(logits) * logits
        return sequence_nll(logits, ids) / len(ids) + (away - away.detach()).sum()

    [seen] = filter(None, examine("sequence_nll", cut).evidence)
    assert seen.what == "∂ / ∂ `logits`"


def test_a_count_is_shown_in_full_and_may_be_a_whole_number():
    def once(kind, d_out, d_in, rank):
        right = {"full": (d_out * d_in) ** 2, "diagonal": d_out * d_in, "rows": d_out}
        return right.get(kind, rank * (d_out + d_in))

    [seen] = filter(None, examine("editor_parameters", once).evidence)
    [row] = seen.rows()
    assert (row.expected, row.got) == ("270,336", "135,168")


@pytest.mark.slow
def test_every_stored_wrong_result_has_a_card_in_every_language():
    """In HTML that is closed, and without a tag that acts."""
    seen = set()
    for name, cases in CASES.items():
        for stored in {each for case in cases for each in case.stored if each.startswith("wrong/")}:
            if (mistake := name_of(stored)) in seen or cases[0].module or cases[0].model:
                continue
            seen.add(mistake)
            report = examine(
                name,
                giving(name, lambda case: case.stored.get(stored, case.stored["right"]).float()),
            )
            for language in LANGUAGES:
                messages.use(language)
                tags = Tags(report._repr_html_()).seen
                assert tags <= {"div", "b", "code", "table", "tr", "td", "svg", "rect"} | {
                    "details",
                    "summary",
                }, tags
    assert len(seen) > 60


def test_what_a_student_wrote_is_escaped_and_acts_nowhere():
    def restore(hidden, clean, position):
        raise ValueError(HOSTILE)

    with pytest.raises(CheckFailed) as caught:
        check(restore)
    html = examine("restore", restore)._repr_html_()
    assert "img" not in Tags(html).seen and "&lt;img src=x" in html
    for text in (html, str(caught.value)):
        assert "\x1b" not in text and "\u202e" not in text


# ---------------------------------------------------------------- where it is shown


def test_a_notebook_shows_the_card_and_one_line_of_error(monkeypatch):
    shown = []
    shell = SimpleNamespace(
        get_ipython=lambda: object(), display=SimpleNamespace(display=shown.append)
    )
    monkeypatch.setitem(sys.modules, "IPython", shell)
    with pytest.raises(CheckFailed) as caught:
        check(restore)
    [report] = shown
    assert caught.value._render_traceback_() == ["✗ restore"]
    assert str(caught.value) == repr(report)
    with pytest.raises(CheckFailed) as caught:
        check(efficacy)  # a blank
    assert caught.value._render_traceback_() == ["✗ efficacy"] and len(shown) == 2


def test_on_a_terminal_no_word_is_broken(monkeypatch):
    monkeypatch.setattr(terminal.sys, "stdout", SimpleNamespace(isatty=lambda: True))
    text = [
        "  A sentence of `words` that are-not-broken, and a_very_long_name_that_is_wider_than_it.",
        "  結果是目標的 token 的總和。請取平均，這樣長的答案才不會只因為長就輸掉，看「這裡」。",
    ]
    for width in range(8, 60, 3):
        monkeypatch.setattr(
            terminal.shutil, "get_terminal_size", lambda: SimpleNamespace(columns=width + 1)
        )
        english, chinese = (folded([line]) for line in text)
        assert english.split() == text[0].split()
        assert chinese.replace("\n    ", "").replace(" ", "") == text[1].replace(" ", "")
        for line in (english + "\n" + chinese).splitlines():
            assert columns(line) <= width or len(line.split()) == 1 or width < 12, line
            assert line.strip()[0] not in "，。」" and not line.endswith("「")
    monkeypatch.setattr(terminal.sys, "stdout", SimpleNamespace(isatty=lambda: False))
    assert folded(text) == "\n".join(text)


# ---------------------------------------------------------------- the diagnosis


def test_the_explanation_that_most_tests_have_leads_and_measures_stay_behind():
    off = judge(torch.tensor(2.0), torch.tensor(1.0).double())
    one, other = (
        judge(torch.tensor(2.0), torch.tensor(1.0).double(), lambda: {name: torch.tensor(2.0)})
        for name in ("nll_summed", "nll_in_bits")
    )
    assert leading([off, one, other, other]) is other and leading([off, off]) is off
    assert one.diagnosis == str(misconception("nll_summed")) != one.message
    assert off.diagnosis == off.message
    raised = wrong(feedback("raised", function="f", error="x"), misconception="shapes_mismatch")
    assert raised.diagnosis == raised.message


# ---------------------------------------------------------------- compare(...)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.slow
def test_compare_draws_every_blank_right_or_wrong(name):
    solution = next(each for each in RIGHT if each.function == name)
    function = Student("\n\n".join((IMPORTS, *solution.cells))).function(name)
    if name == "write_edit":
        wrongs = [lambda module, new: None]
    else:
        wrongs = [lambda *arguments: 1.5 * torch.as_tensor(function(*arguments))]
    for each in (function, *(lambda_named(name, one) for one in wrongs)):
        picture = compare(each)
        assert picture._repr_png_().startswith(b"\x89PNG") and name in picture.get_suptitle()
