"""Every language has every sentence, with the same gaps, and a process speaks one at a time."""

import ast
import re
import string
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
import torch

from autograder import messages as staff
from autograder.grade import Grader, grade_submission, not_graded
from autograder.gradebook.page import table_of as table
from autograder.hidden import NOTEBOOKS, locate
from autograder.result import VERDICTS
from autograder.sandbox.failures import FAILURES
from autograder.secret import TEST_SECRET
from keyhole import messages
from keyhole.checking.cases import load_cases
from keyhole.checking.checks import CheckFailed, check, examine
from keyhole.checking.judging import cause_of, judge, name_of, wrong
from keyhole.cli import main
from keyhole.errors import KeyholeError
from keyhole.messages import LANGUAGES
from keyhole.paths import data_folder
from keyhole.toy import toy_model
from lecture import messages as lecture

ROOT = Path(__file__).resolve().parent.parent
SOLUTIONS = ROOT / "solutions" / "model_editing"
OTHERS = [name for name in LANGUAGES if name != "en"]
PACKAGES = (messages, staff, lecture)
TABLES = [
    (package, table)
    for package in PACKAGES
    for table in vars(package.LANGUAGES["en"])
    if table.isupper()
]
TEXTS = [
    (package, table)
    for package, table in TABLES
    if isinstance(getattr(package.LANGUAGES["en"], table), dict)
]
CASES = [
    case for notebook in NOTEBOOKS.values() for cases in notebook.cells.values() for case in cases
]
# The names of files, classes and tensors are the same in every language.
NAMES = {
    "my_fact.json",
    "my_edit.safetensors",
    "Linear",
    " token {position} ",
    "`{function}` {failure}",
    "prompt",
    "token",
}
END = re.compile(r"[.?!](?=[\s)]|$)|[。？！]")
QUOTED = re.compile(r"`[^`]*`|「[^」]*」|'[^']*'|\"[^\"]*\"")


def gaps(sentence):
    return sorted(
        (name, conversion, form)
        for _, name, form, conversion in string.Formatter().parse(sentence)
        if name is not None
    )


def entries(package, table, language):
    return getattr(package.LANGUAGES[language], table)


def length(message):
    """How many sentences a message has; what it quotes is one word."""
    return len(END.findall(QUOTED.sub("x", message)))


def is_chinese(text):
    """Is there a Chinese character, and no English sentence outside of what is quoted?"""
    return re.search("[一-鿿]", text) and not re.search(
        r"(?:[A-Za-z][a-z']+ ){3}[A-Za-z][a-z']+", QUOTED.sub("，", text)
    )


# ---------------------------------------------------------------- the tables


@pytest.mark.parametrize("language", OTHERS)
def test_all_packages_have_every_table_in_every_language(language):
    for package in PACKAGES:
        ours, theirs = (
            {name for name in vars(package.LANGUAGES[each]) if name.isupper()}
            for each in ("en", language)
        )
        assert ours == theirs and package.LANGUAGES.keys() == LANGUAGES.keys()


@pytest.mark.parametrize("package, table", TEXTS, ids=lambda each: getattr(each, "__name__", each))
@pytest.mark.parametrize("language", OTHERS)
def test_no_language_lacks_a_sentence_or_a_gap(language, package, table):
    english, other = entries(package, table, "en"), entries(package, table, language)
    assert list(other) == list(english)
    assert {name: gaps(text) for name, text in other.items()} == {
        name: gaps(text) for name, text in english.items()
    }


@pytest.mark.parametrize("package, table", TEXTS, ids=lambda each: getattr(each, "__name__", each))
def test_chinese_is_chinese(package, table):
    for name, text in entries(package, table, "zh-TW").items():
        if table != "WORDS" and text not in NAMES:
            assert is_chinese(text), name
            # A comma or a full stop of English stands between Latin letters only.
            assert not re.search("[一-鿿] ?[,;:?!](?: |$)|[一-鿿][.]", QUOTED.sub("x", text)), name


@pytest.mark.parametrize("package, table", TEXTS, ids=lambda each: getattr(each, "__name__", each))
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_entry_is_longer_than_two_sentences(language, package, table):
    """Most are joined with another one."""
    assert {
        name: text for name, text in entries(package, table, language).items() if length(text) > 2
    } == {}


@pytest.mark.parametrize("package, table", TEXTS, ids=lambda each: getattr(each, "__name__", each))
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_marked_up(language, package, table):
    """Cards and pages show no word in italics: they would show the stars."""
    texts = entries(package, table, language).items()
    assert [name for name, text in texts if re.search(r"\*[A-Za-z一-鿿]+\*", text)] == []


@pytest.mark.parametrize("package, table", TEXTS, ids=lambda each: getattr(each, "__name__", each))
@pytest.mark.parametrize("language", LANGUAGES)
def test_backquotes_come_in_pairs(language, package, table):
    """Cards and pages show what is between two as code; of three they would show one."""
    texts = entries(package, table, language).items()
    assert [name for name, text in texts if "``" in text or text.count("`") % 2] == []


def test_a_sentence_begins_with_a_capital_and_a_symbol_stays_small():
    assert messages.opened("the rest") == "The rest"
    assert messages.opened("λ is missing") == "λ is missing"
    assert messages.opened("k* is off") == "k* is off"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_said_of_a_map_has_three_sentences_with_the_hint_to_look_elsewhere_first(language):
    messages.use(language)
    _, problem = locate._toy_map(
        TEST_SECRET,
        "trace.mlp",
        locate._Toy("llama", samples=2),
        locate._Cells((4, 8), (1, 2), kind="mlp", window=3),
    )
    hint = messages.feedback("built_on", functions=messages.listed(["`corrupt`", "`restore`"]))
    for name in problem.mistaken:
        assert (
            length(
                messages.sentences(
                    messages.feedback("wrong_effects", what=messages.word("map"), distance="1 %"),
                    messages.misconception(name_of(name)),
                    hint,
                )
            )
            <= 3
        ), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_written_question_has_a_title_and_another_is_called_by_its_id(language):
    asked = [
        name
        for path in sorted(SOLUTIONS.glob("*.ipynb"))
        for cell in nbformat.read(path, as_version=4).cells
        if (name := cell.metadata.get("nbgrader", {}).get("grade_id", "")).startswith("written_")
    ]
    assert list(staff.LANGUAGES[language].QUESTIONS) == asked
    messages.use(language)
    titles = [staff.question(name) for name in asked]
    assert len(set(titles)) == len(asked)
    assert all(bool(re.search("[一-鿿]", title)) == (language != "en") for title in titles)
    assert staff.question("written_what_else") == "what else"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_hidden_test_verdict_and_failure_has_its_words(language):
    tables = staff.LANGUAGES[language]
    checks = LANGUAGES[language].CHECKS
    assert list(tables.TITLES) == [case.id for case in CASES if case.id in tables.TITLES]
    assert all(tables.TITLES.get(case.id) or checks[case.id] for case in CASES)
    # What both would say stands once; where one language must differ, all have both.
    both = [name for name in staff.LANGUAGES["en"].TITLES if name in checks]
    assert all(
        any(
            staff.LANGUAGES[each].TITLES[name] != LANGUAGES[each].CHECKS[name] for each in LANGUAGES
        )
        for name in both
    )
    assert tables.FAILURES.keys() == FAILURES.keys() and tables.SIGNS.keys() == set(VERDICTS)
    assert {
        f"{name}.{case.id}" for name, cases in load_cases().items() for case in cases
    } <= LANGUAGES[language].CHECKS.keys()


def test_a_title_is_looked_up_when_it_is_asked_for():
    assert CASES[0].title == "a target of one token"
    messages.use("zh-TW")
    assert CASES[0].title == "一個 token 的目標"


def said_by(call):
    """The texts in a call's own arguments, f-strings included, but not those of calls inside."""
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        for part in getattr(argument, "values", [argument]):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value


def is_text(node):
    return isinstance(node, ast.JoinedStr) or isinstance(getattr(node, "value", None), str)


def test_no_sentence_stands_in_the_code():
    """Keyhole raises and prints words of the language spoken only; the tables are in messages/."""
    for path in (ROOT / "keyhole").rglob("*.py"):
        if path.parent.name == "messages":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            line = f"{path.name}:{node.lineno}"
            if getattr(node.func, "id", "") in (
                "KeyholeError",
                "Unusable",
                "CheckFailed",
                "Absent",
            ):
                assert not isinstance(node.args[0], (ast.Constant, ast.JoinedStr)), line
            if ast.unparse(node.func) in ("print", "_bar", "tqdm", "tqdm.write"):
                assert not re.search(r"[a-z]{2} [a-z]{2}", " ".join(said_by(node))), line
    for path in (ROOT / "autograder" / "hidden").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
                "Verdict",
                "right",
                "wrong",
            ):
                assert not any(map(is_text, node.args)), f"{path.name}:{node.lineno}"


# ---------------------------------------------------------------- the language spoken


def test_a_language_is_spoken_until_another_is():
    messages.use("zh-TW")
    right = messages.feedback("right", what=messages.word("map"))
    shares = [messages.percent(share) for share in (12, 2.1e13, 0.31)]
    assert messages.language() == "zh-TW"
    assert str(messages.misconception("only_the_change")).startswith("你")
    assert str(right).startswith("這張圖")
    assert [str(share) for share in shares] == ["12 倍", "1,000 倍以上", "31 %"]
    messages.use("en")
    assert str(right).startswith("The map is right")
    assert [str(share) for share in shares] == ["1200 %", "more than 100,000 %", "31 %"]


def test_a_verdict_made_in_one_language_is_shown_in_another():
    messages.use("zh-TW")
    shape, expected = (torch.ones(2, 3), torch.eye(3).double())
    verdicts = [
        judge(shape, expected, what=messages.word("new_weight")),
        judge(0.5 * expected, expected, lambda: {"moment_diagonal": 0.5 * expected}),
        wrong(misconception="graph_cut", what="`delta`"),
    ]
    with pytest.raises(KeyholeError) as error:
        toy_model("llama").block(99)
    chinese = [verdict.message for verdict in verdicts]
    assert all(map(is_chinese, [*chinese, str(error.value)]))
    messages.use("en")
    english = [verdict.message for verdict in verdicts]
    assert "Ŵ has shape (2, 3)" in english[0] and "only the diagonal of C" in english[1]
    assert not [text for text in (*english, str(error.value)) if re.search("[一-鿿]", text)]
    messages.use("zh-TW")
    assert [verdict.message for verdict in verdicts] == chinese


def test_remarks_are_compared_by_what_they_say_and_an_unknown_one_is_refused():
    one, same, other = (
        messages.feedback("own_entry", number=messages.word(name))
        for name in ("result", "result", "map")
    )
    assert one == same and one != other and len({one, same, other}) == 2
    for make in (messages.feedback, messages.misconception, messages.word, staff.sentence):
        with pytest.raises(KeyError):
            make("there is no such sentence")


def test_sentences_and_names_are_put_together_as_the_language_does():
    assert (
        messages.sentences("One.", "", None, "Two.") == "One. Two."
        and str(messages.listed("abc")) == "a, b and c"
        and str(messages.listed("a", more=True)) == "a …"
    )
    assert (
        messages.titled("", "x") == "x"
        and messages.titled("T", "x") == "T: x"
        and messages.clauses("", "a", "b") == "a; b"
    )
    assert [
        messages.opened(each) for each in ("there is", "my_fact.json is", "k* has", "`f` is")
    ] == ["There is", "my_fact.json is", "k* has", "`f` is"]
    messages.use("zh-TW")
    assert messages.opened("loss 和") == "loss 和"
    assert (
        messages.sentences("一。", "二。") == "一。二。"
        and str(messages.listed("abc")) == "a、b、c"
        and str(messages.listed(map(messages.word, ("tokens", "rows")))) == " token、列"
        and messages.titled("題", "x") == "題：x"
    )


def test_what_a_student_wrote_is_not_translated():
    messages.use("zh-TW")
    said = messages.feedback(
        "own_false",
        prompt="x",
        target="before",
        when=messages.word("after"),
        said="1",
        got="0",
        count=1,
    )
    assert "before" in str(said) and "之後" in str(said)


def test_an_unknown_language_is_refused_in_words():
    with pytest.raises(ValueError, match="there are en, zh-TW"):
        messages.use("tlh")


@pytest.mark.parametrize("named, spoken", [("zh-TW", "zh-TW"), ("", "en"), ("tlh", "en")])
def test_the_environment_names_the_language(named, spoken, monkeypatch):
    monkeypatch.setenv("KEYHOLE_LANG", named)
    done = subprocess.run(
        [sys.executable, "-c", "from keyhole import messages; print(messages.language())"],
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == spoken and ("there are en, zh-TW" in done.stderr) == (
        named == "tlh"
    )


# ---------------------------------------------------------------- what is shown


def restore(hidden, clean, position):
    return hidden


def test_a_public_check_is_all_in_chinese():
    messages.use("zh-TW")
    with pytest.raises(CheckFailed) as caught:
        check(restore)
    head, *lines = str(caught.value).splitlines()
    lines = [line for line in lines if not re.match("    (dtype|\\[)", line)]  # names and numbers
    assert head == "✗ restore：通過 0 / 4 個公開檢查" and all(map(is_chinese, lines)), caught.value
    for mistaken in (lambda *_: None, lambda *_: "x", lambda *_: 1 / 0, lambda *_: restore):
        assert is_chinese(examine("restore", mistaken).reason)


@pytest.mark.slow
def test_keyhole_check_speaks_chinese_also_in_the_process_that_runs_the_checks(tmp_path, capsys):
    import nbformat

    cells = [
        "import math",
        "from pathlib import Path\nROOT = Path('.')",
        "def sequence_nll(logits, target_ids):\n    return ROOT",
        "def efficacy(nll_true, nll_new):\n    return nll_new < nll_true",
        "def edit_score(efficacy, paraphrase, neighborhood):\n    raise NotImplementedError()",
    ]
    path = tmp_path / "1_measure.ipynb"
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path
    )
    assert main(["check", str(path), "--lang", "zh-TW"]) == 1
    shown = capsys.readouterr().out.splitlines()
    lines = [line for line in shown if not re.match(r"    (dtype|\[)", line)]
    assert sum(line[0] in "✓✗" for line in lines) == 4 and all(map(is_chinese, lines)), shown


# Of each only the cell in which the mistake is: the others say the same as everybody's.
GRADED = {
    "rosa-arithmetic-mean": ("1_measure", "test_edit_score"),
    "sami-counts-ties": ("1_measure", "test_efficacy"),
    "jia-no-baseline": ("2_locate", "test_indirect_effect"),
    "nora-covers-the-beginning": ("2_locate", "test_corrupt"),
    "chen-centres-c": ("3_edit", "test_second_moment"),
    "fay-forgets-conv1d": ("3_edit", "test_write_edit"),
    "bo-forgets-c": ("3_edit", "test_rank_one_update"),
    "pia-claims-too-much": ("3_edit", "test_my_edit"),
    "ivo-untouched": ("3_edit", "test_my_edit"),
    "dora-syntax-error": ("3_edit", "test_value_objective"),
}


@pytest.mark.slow
@pytest.mark.parametrize("student", GRADED)
@pytest.mark.usefixtures("one_model")
def test_the_sample_class_gets_the_same_grades_in_both_languages_each_all_in_one(student):
    notebook, cell = GRADED[student]
    hidden = replace(NOTEBOOKS[notebook], cells={cell: NOTEBOOKS[notebook].cells[cell]})
    grader, found = Grader({notebook: hidden}, secret=TEST_SECRET, seconds=8), {}
    for language in LANGUAGES:
        messages.use(language)
        found[language] = grade_submission(
            data_folder() / "sample_class" / student / "model_editing", student, grader
        )
        assert all(length(test.message) <= 3 for test in found[language].tests), [
            test.message for test in found[language].tests if length(test.message) > 3
        ]
    ours, theirs = found["en"], found["zh-TW"]
    assert [(t.id, t.points, t.verdict, t.misconception) for t in ours.tests] == [
        (t.id, t.points, t.verdict, t.misconception) for t in theirs.tests
    ]
    assert ours.score == theirs.score and bool(ours.reason) == bool(theirs.reason)
    assert not theirs.reason or is_chinese(theirs.reason)
    for test in theirs.tests:
        assert is_chinese(test.message), test.message
        assert test.title in NAMES or is_chinese(test.title), test.title
    assert not [
        text
        for test in ours.tests
        for text in (test.message, test.title)
        if re.search("[一-鿿]", text)
    ]


def test_a_notebook_that_is_not_there_and_a_fault_of_ours_are_told_in_chinese():
    messages.use("zh-TW")
    result = not_graded("ada", Grader(NOTEBOOKS, b""))
    assert is_chinese(result.reason) and all(is_chinese(test.message) for test in result.tests)
    assert all(
        is_chinese(line)
        for line in table(list(result.tests)).splitlines()
        if not line.startswith("|:")
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_our_own_error_is_known_again_in_every_language(language):
    messages.use(language)
    with pytest.raises(KeyholeError) as error:
        toy_model("llama").block(99)
    assert [
        cause_of(function, f"KeyholeError: {error.value}", error.value.code)
        for function in ("trace", "subject_key")
    ] == ["layer_outside", "other_layer"]
