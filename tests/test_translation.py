"""Notebooks in other languages: in step with the English ones, and different in words alone."""

import ast
import io
import json
import re
import shutil
import sys
import tokenize
from pathlib import Path

import nbformat
import pytest

from autograder.grade import Grader, grade_submission
from autograder.hidden import NOTEBOOKS
from autograder.making import sample_edits, translation
from autograder.making.student_pack import TOP, pack
from autograder.making.translation import Part, fingerprint, state_of, translated
from autograder.result import function_of
from autograder.secret import TEST_SECRET
from keyhole.checking.selfcheck import language_of
from keyhole.cli import main
from keyhole.errors import KeyholeError
from keyhole.messages import zh_tw
from keyhole.notebooks.definitions import definitions, grade_id, read_notebook

ROOT = Path(__file__).resolve().parent.parent
NAMES, LANGUAGES = sorted(NOTEBOOKS), sorted(translation.LANGUAGE_CELLS)
GLOSSARY, CHINESE = ROOT / "docs" / "translating.md", ROOT / "solutions" / "model_editing" / "zh-TW"


def notebook_in(folder, name):
    return nbformat.read(ROOT / folder / "model_editing" / f"{name}.ipynb", as_version=4)


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture(scope="module")
def made(language):
    """The solutions in another language, by name."""
    return translation.solutions(language)


# ---------------------------------------------------------------- in step


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_is_missing_or_behind(language, name):
    """`python -m autograder.making.translation --status` says the same."""
    assert str(translation.status(language)[name]) == "in step"


def test_the_committed_notebooks_are_made_from_the_translations(language, tmp_path):
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    shutil.copytree(ROOT / "solutions", tmp_path / "solutions")
    folder = translation.make(language, tmp_path)
    committed = ROOT / "assignments" / language / "model_editing"
    assert sorted(path.name for path in folder.iterdir()) == [f"{name}.ipynb" for name in NAMES]
    for name in NAMES:
        paths = (folder / f"{name}.ipynb", committed / f"{name}.ipynb")
        ours, theirs = (nbformat.read(path, as_version=4) for path in paths)
        assert ours == theirs, "out of step: run `make assignments`"


def test_the_english_release_holds_no_translation():
    """The translations hold the answers to the written questions."""
    assert not list((ROOT / "assignments").rglob("*.md"))


# ---------------------------------------------------------------- the same but for words


def without_words(source):
    """The syntax tree of a graded cell without its docstrings, told by another way than ours."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body[0].value = ast.Constant("")
    return ast.dump(tree)


def symbols(source):
    """All tokens of a cell, but comments, strings and layout."""
    words = {tokenize.COMMENT, tokenize.STRING, tokenize.NL, tokenize.NEWLINE}
    words |= {getattr(tokenize, f"FSTRING_{part}", None) for part in ("START", "MIDDLE", "END")}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [token.string for token in tokens if token.type not in words]


@pytest.mark.parametrize("name", NAMES)
def test_ids_marks_points_and_code_are_those_of_the_original(language, made, name):
    ours = [cell for cell in made[name].cells if cell.id != translation.LANGUAGE_CELL]
    theirs = notebook_in("solutions", name).cells
    assert [cell.id for cell in ours] == [cell.id for cell in theirs]
    for cell, original in zip(ours, theirs, strict=True):
        assert (cell.cell_type, cell.metadata) == (original.cell_type, original.metadata)
        for mark in ("### BEGIN SOLUTION", "### END SOLUTION"):
            assert cell.source.count(mark) == original.source.count(mark), cell.id
        if cell.cell_type == "code" and grade_id(cell):
            assert without_words(cell.source) == without_words(original.source), cell.id
        elif cell.cell_type == "code":
            assert translation.code_of(cell.source) == translation.code_of(original.source)
            if sys.version_info < (3, 12):  # later, what fills an f-string's gaps is a token too
                assert symbols(cell.source) == symbols(original.source), cell.id


@pytest.mark.parametrize("name", NAMES)
def test_the_students_notebook_has_blanks_and_says_its_language_first(language, name):
    path = ROOT / "assignments" / language / "model_editing" / f"{name}.ipynb"
    text = path.read_text("utf-8")
    found = definitions(read_notebook(path))
    cases = [case for cases in NOTEBOOKS[name].cells.values() for case in cases]
    assert {function_of(case.id) for case in cases if not case.of_files} <= found.untouched
    assert "BEGIN SOLUTION" not in text
    code = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    at = [cell["id"] for cell in code].index(translation.LANGUAGE_CELL)
    assert f'messages.use("{language}")' in "".join(code[at]["source"])
    assert not any("from keyhole" in "".join(cell["source"]) for cell in code[:at])


def test_every_chinese_character_is_traditional():
    files = sorted(CHINESE.glob("*.md"))
    texts = [path.read_text("utf-8") for path in files] + [Path(zh_tw.__file__).read_text("utf-8")]
    for text in texts:
        strange = set()
        for letter in set(re.findall("[\u4e00-\u9fff]", text)):
            try:
                letter.encode("big5")
            except UnicodeEncodeError:
                strange.add(letter)
        assert not strange


def test_no_line_ends_in_blanks_where_an_editor_would_cut_them():
    for path in CHINESE.glob("*.md"):
        assert not re.findall(r"[ \t]+$", path.read_text("utf-8"), re.MULTILINE), path


def test_the_glossary_is_kept():
    """Its last column names words that stand nowhere, in notebooks or messages."""
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]*) \|$", GLOSSARY.read_text("utf-8"), re.M)
    avoided = [word.strip() for *_, words in rows[2:] for word in words.split("、") if word.strip()]
    assert len(rows) > 30 and len(avoided) > 15
    files = [*CHINESE.glob("*.md"), *ROOT.rglob("*/messages/*zh_tw.py")]
    files += (ROOT / "lecture").rglob("words/zh_tw.py")
    for path in files:
        said = path.read_text("utf-8")
        assert not [word for word in avoided if word in said], path


# ---------------------------------------------------------------- when the original changes


def a_notebook(**sources):
    """A notebook of code cells, or of Markdown cells where the id begins with "text"."""
    cells = [nbformat.v4.new_code_cell("import keyhole", id="setup")]
    for name, source in sources.items():
        make = nbformat.v4.new_markdown_cell if name.startswith("text") else None
        cells.append((make or nbformat.v4.new_code_cell)(source, id=name))
    return nbformat.v4.new_notebook(cells=cells)


def parts_for(notebook, **texts):
    words = {cell.id: fingerprint(cell) for cell in notebook.cells}
    return {name: Part(words[name], text) for name, text in texts.items()}


def diff(*pairs):
    lines = "\n".join(f"-{english}\n+{other}" for english, other in pairs)
    return f"```diff\n{lines}\n```"


def test_a_cell_that_is_missing_or_behind_stays_english():
    old = a_notebook(text1="One.", text2="Two.", text3="Three.")
    parts = parts_for(old, text1="一。", text2="二。") | {"gone": Part("0" * 8, "無")}
    new = a_notebook(text1="One.", text2="Two, or\nthree.", text3="Three.")
    state = state_of(new, parts)
    assert (state.missing, state.behind, state.unknown) == (["text3"], ["text2"], ["gone"])
    assert str(state) == "missing: text3; behind: text2; unknown: gone"
    said = {cell.id: cell.source for cell in translated(new, parts, "zh-TW").cells}
    assert (said["text1"], said["text2"], said["text3"]) == ("一。", "Two, or\nthree.", "Three.")


def test_only_a_change_of_words_puts_a_cell_behind():
    source = 'x = 1  # one\nprint(f"{x} is  one")'
    old = a_notebook(text="One two.", code=source)
    parts = parts_for(old, text="一二。", code=diff(("# one", "# 一")))
    rewrapped = a_notebook(text="One\ntwo.", code=source.replace("x", "y").replace("1", "2"))
    assert not state_of(rewrapped, parts)
    for words in (source.replace("# one", "# two"), source.replace("is", "was")):
        assert state_of(a_notebook(text="One two.", code=words), parts).behind == ["code"]


@pytest.mark.parametrize(
    "source, pair, why",
    [
        ("x = 1  # one", ("x = 1", "x = 2"), "changes more than words"),
        ("x = 1  # one", ("# one", "# 一\n+y = 2"), "changes more than words"),
        ('print(a["one"])  # one', ('["one"]', '["一"]'), "changes more than words"),
        ('print(a == "one")  # one', ('"one"', '"一"'), "changes more than words"),
        ('print(f"{a:.1f} one")', ("{a:.1f}", "{b:.1f}"), "changes more than words"),
        ('print(f"{a:.1f} one")', ("{a:.1f}", "{a:.2f}"), "changes more than words"),
        ('fact_from({"prompt": "one"})', ('"one"', '"一"'), "changes more than words"),
        ("### BEGIN SOLUTION\nx = 1", ("### BEGIN SOLUTION", "# 開始"), "changes more than words"),
        ('print("one")', ('"one"', '"一'), "not Python"),
        ('print("one")', ("two", "二"), "has no 'two'"),
    ],
)
def test_what_would_change_code_is_refused(source, pair, why):
    notebook = a_notebook(code=source)
    with pytest.raises(KeyholeError, match=why):
        translated(notebook, parts_for(notebook, code=diff(pair)), "zh-TW")


def test_in_a_graded_cell_only_docstrings_and_comments_may_change():
    notebook = a_notebook(code='def f(x):\n    """One."""\n    return "one"  # one')
    notebook.cells[-1].metadata["nbgrader"] = {"grade_id": "f", "solution": True}
    doc, comment, string = ("One.", "一。"), ("# one", "# 一"), ('"one"', '"一"')
    made = translated(notebook, parts_for(notebook, code=diff(doc, comment)), "zh-TW")
    assert made.cells[-1].source == 'def f(x):\n    """一。"""\n    return "one"  # 一'
    with pytest.raises(KeyholeError, match="changes more than words"):
        translated(notebook, parts_for(notebook, code=diff(doc, string)), "zh-TW")


def test_gaps_may_come_in_another_order_and_widths_may_differ():
    notebook = a_notebook(code='print(f"{a:>12} of {b!r}")\nwith x:\n    """One\n    two."""')
    part = diff(("{a:>12} of {b!r}", "{b!r} 的 {a:>7}"), ("One\n-    two.", "一\n+    二。"))
    made = translated(notebook, parts_for(notebook, code=part), "zh-TW")
    assert made.cells[-1].source == 'print(f"{b!r} 的 {a:>7}")\nwith x:\n    """一\n    二。"""'


def test_a_part_that_is_no_block_of_pairs_is_refused():
    notebook = a_notebook(code="x = 1  # one")
    for text in ("# 一", "```diff\n-# one\n```", "```diff\n# one\n+# 一\n```"):
        with pytest.raises(KeyholeError, match="the translation of code"):
            translated(notebook, parts_for(notebook, code=text), "zh-TW")


@pytest.fixture
def course(tmp_path):
    """A course with one notebook of two cells, whose translation is behind."""
    folder = tmp_path / "solutions" / "model_editing"
    (folder / "zh-TW").mkdir(parents=True)
    nbformat.write(a_notebook(text1="One.", text2="Two."), folder / "1_measure.ipynb")
    parts = "<!-- text1 00000000 -->\n\n一。\n\n<!-- text2 00000000 -->\n\n二。\n"
    (folder / "zh-TW" / "1_measure.md").write_text(parts, "utf-8")
    return tmp_path


def test_a_stamp_says_that_a_translation_fits_again(course):
    translation.stamp("zh-TW", "1_measure", ["text2"], course)
    assert str(translation.status("zh-TW", course)["1_measure"]) == "behind: text1"
    translation.stamp("zh-TW", "1_measure", [], course)
    assert not translation.status("zh-TW", course)["1_measure"]
    for name, cells in (("9_none", []), ("1_measure", ["none"])):
        with pytest.raises(KeyholeError, match="no"):
            translation.stamp("zh-TW", name, cells, course)


def test_a_cell_that_stands_twice_is_told(course):
    path = course / "solutions" / "model_editing" / "zh-TW" / "1_measure.md"
    path.write_text(path.read_text("utf-8").replace("text2", "text1"), "utf-8")
    with pytest.raises(KeyholeError, match="twice"):
        translation.status("zh-TW", course)


# ---------------------------------------------------------------- what students get and hand in


def test_a_pack_holds_the_notebooks_of_one_language_at_the_usual_place(language, tmp_path):
    import zipfile

    told = {}
    for each in ("en", language):
        with zipfile.ZipFile(pack(tmp_path / f"{each}.zip", language=each)) as archive:
            names = [name for name in archive.namelist() if name.endswith(".ipynb")]
            told[each] = {name: archive.read(name) for name in names}
    expected = [f"{TOP}/assignments/model_editing/{name}.ipynb" for name in NAMES]
    assert sorted(told["en"]) == sorted(told[language]) == expected
    for name in NAMES:
        committed = ROOT / "assignments" / language / "model_editing" / f"{name}.ipynb"
        inside = told[language][f"{TOP}/assignments/model_editing/{name}.ipynb"]
        assert inside == committed.read_bytes()
    with pytest.raises(KeyholeError, match="no notebooks in 'tlh'"):
        pack(tmp_path / "tlh.zip", language="tlh")


@pytest.mark.parametrize(
    "line, told",
    [
        ('messages.use("zh-TW")  # 中文', "zh-TW"),
        ("messages.use('en')", "en"),
        ('messages.use("tlh")', None),
        ('# messages.use("zh-TW")', None),
        ("x = 1", None),
    ],
)
def test_the_language_of_a_notebook_is_read_from_its_own_line(tmp_path, line, told):
    nbformat.write(a_notebook(first=f"import math\n{line}"), tmp_path / "1_measure.ipynb")
    assert language_of(tmp_path / "1_measure.ipynb") == told
    (tmp_path / "none.ipynb").write_text("no notebook")
    assert language_of(tmp_path / "none.ipynb") is None


# `make test` does these with the first notebook, `make languages` with the others.
EACH_NAME = [
    pytest.param(name, marks=() if name == NAMES[0] else pytest.mark.other_language)
    for name in NAMES
]


def filled_in(folder, name, solution, blank=(), wrong=()):
    """A students' notebook with the solutions put in, but for some functions: its path."""
    notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
    answers = {grade_id(cell): cell.source for cell in solution.cells if grade_id(cell)}
    answers |= {function: f"def {function}(*arguments):\n    return 7" for function in wrong}
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution"):
            if grade_id(cell) not in blank:
                cell.source = answers[grade_id(cell)]
    return notebook


def checked(path, capsys, *more):
    """(what `keyhole check` says, [(mark, function)], how it ends)."""
    ended = main(["check", str(path), *more])
    said = capsys.readouterr().out
    marks = re.findall(r"^([✓✗–]) (\w[\w-]*)", said, re.MULTILINE)
    return said, marks, ended


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH_NAME)
def test_keyhole_check_finds_the_same_and_speaks_as_the_notebook(
    language, made, name, tmp_path, capsys
):
    """The students' notebooks with the solutions put in, then with a blank and a mistake."""
    released = [ROOT / "assignments" / each / "model_editing" for each in ("", language)]
    solutions = notebook_in("solutions", name), made[name]
    functions = [
        each
        for each in dict.fromkeys(map(grade_id, solutions[0].cells))
        if f"test_{each}" in NOTEBOOKS[name].cells
    ]
    paths = ours, theirs = [tmp_path / f"{each}.ipynb" for each in ("ours", "theirs")]

    def write(blank=(), wrong=()):
        for path, folder, solution in zip(paths, released, solutions, strict=True):
            nbformat.write(filled_in(folder, name, solution, blank, wrong), path)

    write()
    said, marks, ended = checked(ours, capsys)
    in_chinese, *same = checked(theirs, capsys)
    assert same == [marks, ended] == [marks, 0] and {("✓", each) for each in functions} <= {*marks}
    assert "全部通過公開檢查" in in_chinese and not re.search("[一-鿿]", said)
    write(functions[:1], functions[1:2])
    said, marks, ended = checked(ours, capsys, "--lang", "en")
    assert checked(theirs, capsys, "--lang", "en") == (said, marks, ended)
    assert ended == 1 and marks[:2] == [("✗", each) for each in functions[:2]]
    assert [each for _, each in marks][: len(functions)] == functions


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH_NAME)
def test_the_translated_notebooks_get_full_marks(made, tmp_path, name):
    nbformat.write(made[name], tmp_path / f"{name}.ipynb")
    if name == "3_edit":
        for file, content in sample_edits.files_of("ada-complete").items():
            (tmp_path / file).write_bytes(content)
    grader = Grader({name: NOTEBOOKS[name]}, secret=TEST_SECRET, seconds=8)
    result = grade_submission(tmp_path, "ada", grader)
    failed = {test.id: test.message for test in result.tests if test.verdict != "pass"}
    assert not failed and result.score == sum(test.max_points for test in result.tests)
