"""The command `keyhole`: each of its commands, and one sentence for what goes wrong."""

import errno
import inspect
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
import torch
from safetensors.torch import save_file

from keyhole import cli, editing, questions
from keyhole.checking import selfcheck
from keyhole.cli import main
from keyhole.errors import KeyholeError
from keyhole.facts import Probe, load_facts
from keyhole.fetch import fetch
from keyhole.models import load_model
from keyhole.moments import load_moment
from keyhole.paths import data_folder
from keyhole.probes import Answer
from keyhole.text import one_line
from keyhole.toy import toy_model
from tests import test_checks as right  # right solutions, as a student may write them
from tests import test_fact_files as files
from tests.standins import feedback

ROOT = Path(__file__).resolve().parent.parent
IMPORTS = "import torch\nfrom keyhole.hooks import record\n"
NAMES = (
    "subject_key",
    "second_moment",
    "value_objective",
    "rank_one_update",
    "write_edit",
)  # of notebook 3


def notebook(path, *cells, **replaced):
    """A notebook that defines the five functions rightly but for those replaced.

    None leaves one out. More cells come first.
    """
    sources = {name: inspect.getsource(right.RIGHT[name]) for name in NAMES} | replaced
    made = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(source)
            for source in (IMPORTS, *cells, *sources.values())
            if source
        ]
    )
    nbformat.write(made, path)
    return path


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A toy model of GPT-2's layout in a folder, with a small text, few prefixes and two facts.

    Its cache is empty but for the kit's model.
    """
    data, cache, folder = tmp_path / "data", tmp_path / "cache", tmp_path / "toy"
    data.mkdir()
    cache.mkdir()
    (cache / "smollm2-135m").symlink_to(fetch(progress=False))  # its tokenizer reads the kit's text
    (data / "checks").symlink_to(data_folder() / "checks")
    (data / "prefixes.json").write_text(json.dumps({"prefixes": ["", "It rained. ", "We met. "]}))
    (data / "facts.json").write_text(
        json.dumps({"facts": [fact("one", "Anna", "tall"), fact("two", "Otto", "wise")]})
    )
    save_file(
        {
            "ids": (
                torch.randint(1000, 20000, (8, 40), generator=torch.Generator().manual_seed(0)).to(
                    torch.uint16
                )
            )
        },
        data / "self_text.safetensors",
    )
    model = toy_model("gpt2", seed=3)
    model.hf.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    monkeypatch.setenv("KEYHOLE_DATA", str(data))
    monkeypatch.setenv("KEYHOLE_CACHE", str(cache))
    return str(folder)


def fact(name, subject, true, new="grey", hidden=False):
    """The subject ends the prompt, so that even a toy's edit reaches the next token."""
    probe = {"prompt": f"Somebody {new} is", "target_true": " he", "target_new": f" {subject}"}
    return {
        "id": name,
        "relation": "person",
        "prompt": f"People like {subject}",
        "subject": subject,
        "target_true": f" {true}",
        "target_new": f" {new}",
        "paraphrases": [f"I hear {subject} is", f"Indeed {subject} was"],
        "neighbors": [{"prompt": "People like Eva", "answer": " late"}] * 5,
        "reversion": probe,
        "portability": probe,
        "hidden": hidden,
    }


# ---------------------------------------------------------------- keyhole itself


def test_help_needs_no_torch_and_is_quick():
    start = time.perf_counter()
    out = subprocess.run(
        [sys.executable, "-m", "keyhole", "--help"], capture_output=True, text=True, check=True
    )
    assert (
        time.perf_counter() - start < 2
    )  # 0.04 s on a quiet machine; torch alone takes longer than this
    assert all(
        name in out.stdout for name in ("fetch", "check", "trace", "edit", "moment", "facts")
    )
    program = (
        "import sys, keyhole.cli; keyhole.cli.parser(); print([name for name in ('torch',"
        " 'transformers', 'numpy', 'nbformat') if name in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
        == "[]\n"
    )


def test_the_defaults_are_the_library_s():
    from keyhole import models, moments

    assert (cli.DEFAULT_MODEL, cli.DEFAULT_LAYER) == (models.DEFAULT_MODEL, moments.DEFAULT_LAYER)


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["check"], ["edit"], ["check", "x.ipynb", "--seconds", "0"]]
)
def test_unusable_arguments_give_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2 and "Traceback" not in capsys.readouterr().err


EDIT, LONG = ["edit", "The Tower is in", "--subject", "Tower", "--to", " Rome"], "x" * 300


@pytest.mark.parametrize(
    "arguments, status, words",
    [
        (["check", LONG], 2, "there is no file"),
        ([*EDIT, "--notebook", LONG], 2, "there is no file"),
        ([*EDIT, "--json", LONG], 2, "cannot be written"),
        (["trace", *EDIT[1:4], "--out", f"{LONG}.png"], 2, "cannot be written"),
        ([*EDIT, "--model", LONG], 1, "no model"),
        (["moment", "--layer", "3", "--model", LONG], 1, "no model"),
        (["edit", "The \udcff Tower is in", *EDIT[2:]], 2, "is not UTF-8"),
        ([*EDIT[:-1], " R\udcffme"], 2, "is not UTF-8"),
        ([*EDIT, "--true", "P\udcffris"], 2, "is not UTF-8"),
        (["trace", "The Tower is \udcffin", *EDIT[2:4], "--out", "m.png"], 2, "is not UTF-8"),
    ],
)
def test_names_that_are_too_long_and_text_in_another_encoding_are_one_sentence(
    capsys, arguments, status, words
):
    assert main(arguments) == status
    error = capsys.readouterr().err
    assert words in error and error.startswith("keyhole: ") and error.count("\n") == 1


def test_fetch_says_where_or_one_sentence_why_not(monkeypatch, capsys, tmp_path):
    import keyhole.fetch

    monkeypatch.setattr(keyhole.fetch, "fetch", lambda: tmp_path)
    assert main(["fetch"]) == 0 and capsys.readouterr().out == f"The model is in {tmp_path}\n"
    assert (
        main(["fetch", "--lang", "zh-TW"]) == 0
        and capsys.readouterr().out == f"模型在 {tmp_path}\n"
    )

    def fails(error):
        def fetch():
            raise error

        monkeypatch.setattr(keyhole.fetch, "fetch", fetch)

    fails(KeyholeError("no network."))
    assert main(["fetch"]) == 1 and capsys.readouterr().err == "keyhole: no network.\n"
    fails(KeyboardInterrupt())
    assert main(["fetch"]) == 130 and capsys.readouterr().err == ""


# ---------------------------------------------------------------- keyhole check


def said_of_each(out):
    """What `keyhole check` says of each function: {name: its lines}, without the last line."""
    blocks = "\n".join(out.splitlines()[:-1]).replace("\n✗ ", "\0").replace("\n✓ ", "\0")
    return dict(block.split(maxsplit=1) for block in blocks[2:].split("\0"))


@pytest.mark.slow
def test_check_of_a_right_notebook(tmp_path, capsys):
    # Prints and a changed working folder must not disturb the answers.
    noisy = "def second_moment(keys):\n    print('noise', flush=True)\n    return keys.T @ keys"
    assert main(["check", str(notebook(tmp_path / "mine.ipynb", second_moment=noisy))]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == list(NAMES) and all(
        line.startswith("✓") for line in lines
    )
    assert last == "All 5 functions pass their public checks."


@pytest.mark.slow
def test_check_names_written_questions_without_an_answer(tmp_path, capsys):
    path = notebook(tmp_path / "3_edit.ipynb")
    read = nbformat.read(path, as_version=4)
    for name, text in {
        "written_where": "YOUR ANSWER HERE",
        "written_why": "YOUR ANSWER HERE\n\nBecause the row listens.",
        "written_none": " ",
    }.items():
        cell = nbformat.v4.new_markdown_cell(text)
        cell.metadata["nbgrader"] = {"grade_id": name, "grade": True, "solution": True}
        read.cells.append(cell)
    nbformat.write(read, path)
    assert main(["check", str(path)]) == 0
    *_, where, none, last = capsys.readouterr().out.splitlines()
    assert where == "– written_where    No answer stands under this written question yet."
    assert none.startswith("– written_none ")
    assert last == (
        "All 5 functions pass their public checks. Written questions without an answer: 2."
    )


@pytest.mark.slow
def test_check_reports_every_function_whatever_the_others_do(tmp_path, capsys):
    path = notebook(
        tmp_path / "3_edit.ipynb",
        "scale = float(1)",
        subject_key=(
            "def subject_key(model, layer, prompt, subject, prefixes):\n    '''Doc.'''\n    raise"
            " NotImplementedError()"
        ),
        second_moment="def second_moment(keys):\n    while True: pass",
        value_objective="def value_objective(*arguments):\n    return arguments[0].mean() * scale",
        rank_one_update=(
            "def rank_one_update(weight, moment, key, value):\n    import os; os._exit(0)"
        ),
    )
    assert main(["check", str(path), "--seconds", "10"]) == 1
    out = capsys.readouterr().out
    said, last = said_of_each(out), out.splitlines()[-1]
    expected = [
        "still a blank",
        "was stopped after 10 s",
        "NameError: name 'scale' is not defined",
        "ended the process",
        "4 of 4 public checks passed",
    ]
    assert list(said) == list(NAMES)
    assert all(words in line for words, line in zip(expected, said.values(), strict=True)), said
    scale = "`scale` is set in cell 2 by a line that the grader does not run"
    assert scale in said["value_objective"]
    assert last == "1 of 5 functions pass their public checks."


@pytest.mark.slow
def test_check_reports_what_cannot_be_run(tmp_path, capsys):
    path = notebook(
        tmp_path / "mine.ipynb",
        second_moment="def second_moment(keys):\n    return keys +",
        subject_key=None,
        value_objective="def value_objective(a=undefined_name):\n    return a",
        rank_one_update=(
            "def rank_one_update(weight, moment, key, value):\n    return weight +"
            " torch.outer(value - weight @ key, key) / (key @ key)"
        ),
    )
    assert main(["check", str(path)]) == 1
    lines = said_of_each(capsys.readouterr().out)
    assert "has no function" in lines["subject_key"] and "syntax error" in lines["second_moment"]
    assert "NameError: name 'undefined_name'" in lines["value_objective"]
    assert (
        lines["rank_one_update"].startswith("1 of 5 public checks passed\n")
        and "\n  Your Ŵ equals W + Λ k*ᵀ: C⁻¹ is missing." in lines["rank_one_update"]
    )
    assert lines["write_edit"] == "4 of 4 public checks passed"


@pytest.mark.slow
def test_check_says_what_the_grader_says_of_what_is_not_as_in_the_notebook(tmp_path, capsys):
    path = notebook(
        tmp_path / "mine.ipynb",
        "from nowhere_to_be_found import Float\nSCALE = 2",
        second_moment=(
            "def second_moment(keys: Float[torch.Tensor, 'n d']) -> Float:\n"
            "    return keys.T @ keys"
        ),
        subject_key="def subject_key(*arguments) -> Float:\n    return Float",
        value_objective="@Float\ndef value_objective(*arguments):\n    return 1",
        rank_one_update=(
            "def rank_one_update(weight, moment, key, value):\n    return weight + SCALE / SCALE"
            " * torch.outer(value - weight @ key, key) / (key @ key)\nSCALE = float(1)"
        ),
        write_edit=(
            "type Matrix = torch.Tensor\ndef write_edit[T](module: T, new_weight: Matrix):\n"
            "    module.weight.data.copy_(new_weight)"
        ),
    )
    assert main(["check", str(path)]) == 1
    lines = said_of_each(capsys.readouterr().out)
    absent = feedback("its_module", module="nowhere_to_be_found")
    assert lines["second_moment"].startswith("4 of 4") and absent in lines["subject_key"]
    assert absent in lines["value_objective"]
    changed = feedback("changed_later", variable="SCALE", number=6)
    assert lines["rank_one_update"].endswith(str(changed))
    assert "C⁻¹" not in lines["rank_one_update"]
    if sys.version_info < (3, 12):
        assert "Python 3.12 or newer, and Python 3.11 grades it" in lines["write_edit"]


@pytest.mark.slow
def test_check_sees_the_environment_and_as_the_grader_nothing_of_the_student_s_folder(
    tmp_path, monkeypatch
):
    (tmp_path / "helper.py").write_text("FACTOR = 2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OF_THE_STUDENT", "1")
    sources = {
        "second_moment": "import os\ndef second_moment(keys):\n"
        "    return keys.T @ keys * int(os.environ['OF_THE_STUDENT'])",
        "rank_one_update": "import helper\ndef rank_one_update(*arguments):\n"
        "    return helper.FACTOR * arguments[0]",
    }
    results = {
        name: (passed, line)
        for name, passed, line in selfcheck.check_notebook(
            notebook(tmp_path / "mine.ipynb", **sources)
        )
    }
    assert [name for name, (passed, _) in results.items() if not passed] == ["rank_one_update"]
    assert feedback("its_module", module="helper") in results["rank_one_update"][1]


@pytest.mark.parametrize("how", ["command", "module"])
@pytest.mark.slow
def test_check_starts_beside_a_student_s_own_random_and_torch(tmp_path, how):
    """torch imports random, and everything imports torch."""
    for name in ("random", "torch", "numpy", "typing_extensions"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')")
    notebook(tmp_path / "mine.ipynb")
    command = Path(sys.executable).with_name("keyhole")
    program = [command] if how == "command" else [sys.executable, "-m", "keyhole"]
    run = subprocess.run(
        [*program, "check", "mine.ipynb"], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr + run.stdout


@pytest.mark.parametrize(
    "content,status,words",
    [
        (None, 2, "there is no file"),
        ("{", 1, "not valid JSON"),
        ("[]", 1, "not a notebook"),
        (
            nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")])),
            1,
            "none of the functions that Keyhole checks",
        ),
    ],
)
def test_check_of_something_else_is_one_sentence(tmp_path, capsys, content, status, words):
    path = tmp_path / "other.ipynb"
    if content is not None:
        path.write_text(content)
    assert main(["check", str(path)]) == status
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


# ---------------------------------------------------------------- keyhole moment


def test_moment_is_a_mean_over_the_other_model_s_tokens_whether_summed_or_not(
    toy, tmp_path, capsys
):
    made = []
    for body in ("keys.T @ keys", "(keys.T @ keys / len(keys)).numpy()"):
        path = notebook(
            tmp_path / "mine.ipynb", second_moment=f"def second_moment(keys):\n    return {body}"
        )
        assert main(["moment", "--layer", "1", "--model", toy, "--notebook", str(path)]) == 0
        made.append(load_moment(toy, 1))
    assert torch.allclose(*made, rtol=1e-5) and made[0].shape == (20, 20)
    model = editing_model(toy)
    ids = editing.text_for(model, toy)
    assert ids.shape[1] == 40 and ids.max() < 256  # bytes now
    keys = torch.cat(list(__import__("keyhole").keys_over(model, 1, ids)))
    assert torch.allclose(made[0], keys.T @ keys / len(keys), rtol=1e-4, atol=1e-5)


def editing_model(folder):
    from keyhole.models import load_model

    return load_model(folder)


def test_moment_errors(toy, tmp_path, capsys):
    path = str(notebook(tmp_path / "mine.ipynb"))
    assert main(["moment", "--layer", "9", "--model", toy, "--notebook", path]) == 1
    assert "layer 9 does not exist" in capsys.readouterr().err
    wrong = str(
        notebook(
            tmp_path / "wrong.ipynb",
            second_moment="def second_moment(keys):\n    return keys.T @ keys / 7",
        )
    )
    assert main(["moment", "--layer", "1", "--model", toy, "--notebook", wrong]) == 1
    assert "neither the mean nor the sum" in capsys.readouterr().err


def test_moment_that_cannot_be_kept_is_told_before_the_work(toy, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("KEYHOLE_CACHE", str(tmp_path / "mine.ipynb"))  # a file
    monkeypatch.setattr(editing, "mean_moment", lambda *_: pytest.fail("the work was begun"))
    assert (
        main(
            [
                "moment",
                "--layer",
                "1",
                "--model",
                toy,
                "--notebook",
                str(notebook(tmp_path / "mine.ipynb")),
            ]
        )
        == 1
    )
    error = capsys.readouterr().err
    assert (
        "the second moment cannot be stored" in error
        and "KEYHOLE_CACHE" in error
        and error.count("\n") == 1
    )


def test_moment_that_meets_a_full_disk_leaves_the_old_one(toy, tmp_path, capsys, monkeypatch):
    written = []

    def full(handle):
        written.append(os.fstat(handle).st_size)
        if len(written) == 2:  # the first file only tries whether there is room
            raise OSError(errno.ENOSPC, "No space left on device")

    arguments = [
        "moment",
        "--layer",
        "1",
        "--model",
        toy,
        "--notebook",
        str(notebook(tmp_path / "mine.ipynb")),
    ]
    assert main(arguments) == 0
    before, files = load_moment(toy, 1), set((tmp_path / "cache").iterdir())
    monkeypatch.setattr(os, "fsync", full)
    assert main(arguments) == 1 and "No space left on device" in capsys.readouterr().err
    assert len(written) == 2 and all(written)
    assert torch.equal(load_moment(toy, 1), before) and set((tmp_path / "cache").iterdir()) == files


def test_moment_that_the_kit_carries_is_not_made_again(capsys):
    assert main(["moment", "--layer", "5"]) == 0
    assert "carries it already" in capsys.readouterr().out


# ---------------------------------------------------------------- keyhole edit


@pytest.fixture
def edit(toy, tmp_path):
    """Run `keyhole edit` on the toy, with a right notebook unless told."""
    path = str(notebook(tmp_path / "mine.ipynb"))
    assert main(["moment", "--layer", "1", "--model", toy, "--notebook", path]) == 0

    def run(
        prompt="People like Anna", *arguments, notebook=path, layer="1", subject="Anna", to=" grey"
    ):
        return main(
            [
                "edit",
                prompt,
                "--subject",
                subject,
                "--to",
                to,
                "--layer",
                layer,
                "--model",
                toy,
                "--notebook",
                notebook,
                *arguments,
            ]
        )

    return run


def test_edit_of_a_known_fact(edit, toy, tmp_path, capsys):
    report, picture = tmp_path / "report.json", tmp_path / "picture.png"
    assert edit("People like Anna", "--json", str(report), "--plot", str(picture)) == 0
    out = capsys.readouterr().out
    assert all(
        kind in out
        for kind in (
            "original",
            "paraphrase",
            "neighborhood",
            "reversion",
            "portability",
            "|Ŵ − W| / |W| = ",
        )
    )
    found = json.loads(report.read_text("utf-8"))
    assert (
        found["target_true"] == " tall"
        and found["target_new"] == " grey"
        and len(found["probes"]) == 10
    )
    original = found["probes"][0]
    assert (
        original["after"]["new"] > 1.2 * original["before"]["new"]
        and found["losses"][-1] < found["losses"][0]
    )
    assert found["relative_change"] > 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_edit_of_a_fact_of_one_s_own(edit, capsys):
    assert edit("People like Bert ", subject="Bert", to="old") == 0
    out = capsys.readouterr().out
    assert (
        "The space at the end of the prompt was left out" in out
        and "The target is taken as ' old'" in out
    )
    assert (
        out.count("prefixed ") == 2 and out.count("neighborhood ") == 2 and "reversion" not in out
    )
    assert "paraphrase" not in out  # they are no other words


@pytest.mark.parametrize(
    "p_true, said",
    [
        (0.9, None),
        (0.02, "The model hardly knows this: the probability of {true} is only 0.020."),
        (0.0, "The model does not know it: before the edit, {true} has probability 0.000,"),
    ],
)
def test_a_fact_that_the_model_does_not_know_is_doubted(toy, p_true, said):
    model, prompt = load_model(toy), "People like Bert"
    true = questions.first_answers(model, prompt)[0][0]
    original = Answer("original", Probe(prompt, true, " old"), p_true, 0.01)
    doubt = cli._doubt(model, prompt, original)
    assert str(doubt).startswith(str(said).format(true=one_line(true, 40)))


def test_a_true_answer_that_is_not_the_model_s_is_doubted(edit, capsys):
    assert edit("People like Bert", "--true", " Xylophon", subject="Bert", to="old") == 0
    assert "Warning: The model does not know it: " in capsys.readouterr().out


def test_edit_reads_letters_that_look_the_same_and_says_so(edit, capsys):
    assert edit("People like E\u0301va\u00a0Berg", subject="Éva\u200b Berg", to="ol\u00add") == 0
    out = capsys.readouterr().out
    assert "“latin capital letter e with acute” (U+00C9) in the place of" in out
    assert "with nothing in the place of “zero width space” (U+200B)" in out
    assert "with nothing in the place of “soft hyphen” (U+00AD)" in out
    assert "'People like Éva Berg':" in out and "The target is taken as ' old'" in out


@pytest.mark.parametrize(
    "to, said",
    [
        ("羅馬", None),
        (" 羅馬", "The target is taken as '羅馬': its script has no spaces"),
        ("Рим", "The target is taken as ' Рим'"),
    ],
)
def test_the_target_of_an_edit_has_the_blank_of_its_script(edit, tmp_path, capsys, to, said):
    report = tmp_path / "report.json"
    assert edit("People like Bert", "--json", str(report), subject="Bert", to=to) == 0
    out = capsys.readouterr().out
    assert said in out if said else "is taken as" not in out
    taken = json.loads(report.read_text("utf-8"))["target_new"]
    assert taken == (" Рим" if to == "Рим" else "羅馬")


def test_another_target_for_a_known_fact_keeps_the_probes_that_fit(edit, capsys):
    assert edit(to=" young") == 0
    out = capsys.readouterr().out
    assert (
        "paraphrase" in out
        and "neighborhood" in out
        and "reversion" not in out
        and "portability" not in out
    )


def test_neighbors_that_answer_the_new_target_are_not_asked(edit, capsys):
    assert edit(to=" late") == 0
    assert "neighborhood" not in capsys.readouterr().out


def test_edit_tells_of_a_subject_that_begins_the_prompt_or_comes_twice(edit, capsys):
    assert edit("B is here", subject="B", to=" old") == 0
    assert "a text's first token has a key like no other" in capsys.readouterr().out
    assert edit("People like Bert see Bert", subject="Bert", to=" old") == 0
    out = capsys.readouterr().out
    assert (
        "stands in the prompt 2 times; the last one is edited" in out and "first token" not in out
    )


def test_edit_of_a_model_that_has_changed_since_its_moment_was_made(edit, toy, capsys):
    toy_model("gpt2", seed=4).hf.save_pretrained(toy)
    assert edit() == 1
    assert "made with other weights" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options,words",
    [
        ({"subject": "Paris"}, "subject 'Paris' does not occur in prompt 'People like Anna'"),
        ({"subject": " "}, "does not occur"),
        ({"subject": "Аnna"}, "the subject holds “cyrillic capital letter a” (U+0410)"),
        ({"to": "  "}, "the target is empty"),
        ({"to": "\u200b\u00a0"}, "the target is empty"),
        ({"to": "tall"}, "is the true answer already"),
        ({"layer": "7"}, "layer 7 does not exist"),
        ({"layer": "2"}, "no stored second moment of layer 2"),
    ],
)
def test_edit_errors_are_one_sentence(edit, capsys, options, words):
    capsys.readouterr()
    assert edit(**options) == 1
    error = capsys.readouterr().err
    assert words in error and error.startswith("keyhole: ") and error.count("\n") == 1


def test_edit_refuses_what_the_model_says_anyway(edit, monkeypatch, capsys):
    from keyhole import probes

    monkeypatch.setattr(probes, "continuation", lambda model, prompt, tokens: " grey")
    assert edit("People like Bert", subject="Bert") == 1
    assert "the model says ' grey' there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name,source,words",
    [
        (
            "rank_one_update",
            "def rank_one_update(weight, moment, key, value):\n    raise NotImplementedError()",
            "`rank_one_update` is still a blank",
        ),
        (
            "subject_key",
            "def subject_key(*arguments):\n    return undefined",
            (
                "`subject_key` raised NameError: name 'undefined' is not defined, in the line"
                " `return undefined`"
            ),
        ),
        (
            "subject_key",
            "def subject_key(model, layer, *arguments):\n    return torch.zeros(3)",
            "k* has shape (3,); it should have shape (20,)",
        ),
        (
            "rank_one_update",
            "def rank_one_update(weight, moment, key, value):\n    return weight * float('nan')",
            "NaN",
        ),
        (
            "rank_one_update",
            "def rank_one_update(weight, moment, key, value):\n    return None",
            "returned None",
        ),
        (
            "value_objective",
            "def value_objective(*arguments):\n    return 1.0",
            "not a scalar tensor",
        ),
        ("value_objective", None, "has no function `value_objective`"),
    ],
)
def test_edit_with_an_unfinished_notebook_is_one_sentence(
    edit, tmp_path, capsys, name, source, words
):
    capsys.readouterr()
    assert edit(notebook=str(notebook(tmp_path / "unfinished.ipynb", **{name: source}))) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert words in error and error.startswith("keyhole: ")


def test_edit_leaves_no_work_for_a_report_that_cannot_be_written(edit, tmp_path, capsys):
    assert edit("People like Anna", "--json", str(tmp_path / "nowhere" / "x.json")) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert edit("People like Anna", "--plot", str(tmp_path / "picture.bmp")) == 2
    assert "should end in .png" in capsys.readouterr().err
    assert edit("People like Anna", "--notebook", str(tmp_path / "absent.ipynb")) == 2


def test_edit_of_an_unknown_model_or_layout_is_one_sentence(edit, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert edit("People like Anna", "--model", str(tmp_path)) == 1
    assert "no model" in capsys.readouterr().err
    from transformers import BloomConfig, BloomForCausalLM

    BloomForCausalLM(
        BloomConfig(vocab_size=256, hidden_size=8, n_layer=1, n_head=1)
    ).save_pretrained(tmp_path / "bloom")
    toy_model().tokenizer.save_pretrained(tmp_path / "bloom")
    assert edit("People like Anna", "--model", str(tmp_path / "bloom")) == 1
    assert "unknown layout" in capsys.readouterr().err


def test_the_notebook_used_by_default_is_the_solution_then_the_student_s(tmp_path, monkeypatch):
    chosen = cli.parser().parse_args(["edit", "p", "--subject", "p", "--to", "x"])
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "keyhole" / "cli.py"))
    with pytest.raises(KeyholeError, match="name a notebook with --notebook"):
        cli._notebook(chosen)
    for folder in ("assignments", "solutions"):
        path = tmp_path / folder / cli.EDIT
        path.parent.mkdir(parents=True)
        path.write_text("{}")
        assert cli._notebook(chosen) == path


def test_neighbors_of_a_simple_probe_are_of_others_and_never_hidden(tmp_path, monkeypatch):
    records = [
        fact("one", "Anna", "tall"),
        fact("two", "Otto", "old"),
        fact("three", "Ida", "wise", hidden=True),
        fact("four", "Eva", "kind"),
    ]
    records[3]["prompt"], records[3]["relation"] = "The aunt of Eva is", "aunt"
    (tmp_path / "facts.json").write_text(
        json.dumps({"facts": records + [fact("five", "Paul", "calm")]})
    )
    monkeypatch.setenv("KEYHOLE_DATA", str(tmp_path))
    probes = questions.simple_probes("People like Bert", "Bert", " old", " lazy")
    # Otto's true answer is the target; Ida is held back; the same sentence comes before another
    # relation, unless the answer is the same.
    assert [probe.prompt for probe in probes["neighborhood"]] == [
        "People like Anna",
        "People like Paul",
        "The aunt of Eva is",
    ]
    assert (
        questions.simple_probes("Bert is", "Bert", " old", " kind")["neighborhood"][0].prompt
        == "The aunt of Eva is"
    )
    assert (
        probes["paraphrase"][0].prompt == "People like Anna tall. People like Bert"
        and len(probes["paraphrase"]) == 3
    )
    assert load_facts()[2].hidden


# ---------------------------------------------------------------- keyhole facts


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Run `keyhole facts` on some records, with a toy model; returns the exit status."""
    from keyhole import models

    monkeypatch.setattr(models, "load_model", lambda name, device: toy_model("gpt2"))
    return lambda *records, options=(): main(
        ["facts", str(files.written(tmp_path, *records)), *options]
    )


def test_facts_of_a_file_of_each_format(asked, capsys):
    for format_name, title in {
        "counterfact": "CounterFact",
        "known": "known-facts",
        "zsre": "zsRE",
        "knowedit": "KnowEdit",
    }.items():
        for options in ((), ("--format", format_name)):
            assert asked(files.FORMATS[format_name][1], options=options) == 0
            lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
            assert lines[0] == [f"mine.json: format {title}, records: 1"]
            numbers = [line[-1].strip() for line in lines[1:]]
            assert numbers[:2] == ["1", "1"]  # to be used, to trace
            assert numbers[2] == ("0" if format_name == "known" else "1")  # to edit
            assert numbers[4].startswith("original 1") and numbers[-1] == "0"
            unread = {"counterfact": "generation_prompts 1", "zsre": "cond 1"}.get(format_name, "")
            assert unread in numbers[5]


def eiffel(number, attribute, template="{} is located in the city of"):
    subject = "The Eiffel Tower"
    return files.KNOWN | {
        "known_id": number,
        "subject": subject,
        "attribute": attribute,
        "template": template,
        "prompt": template.format(subject),
    }


def test_facts_counts_those_that_the_model_knows(tmp_path, capsys):
    path = files.written(
        tmp_path, eiffel(0, "Paris"), eiffel(1, "Rome", "People say that {} is in"), {"known_id": 2}
    )
    assert main(["facts", str(path)]) == 0
    out = capsys.readouterr().out
    assert "can be used with smollm2-135m" in out and "1 of 2" in out
    bare = {"subject": "Eiffel Tower", "prompt": "The Eiffel Tower is", "target_new": "red"}
    assert main(["facts", str(files.written(tmp_path, bare))]) == 0
    assert "0 of 0" in capsys.readouterr().out  # the file does not say what is true


def test_facts_says_why_the_others_cannot_be_used(asked, capsys):
    records = [
        files.ZSRE,
        files.ZSRE,  # twice
        {key: value for key, value in files.ZSRE.items() if key != "alt"},
        files.changed(files.ZSRE, ["alt"], "Ghent University"),
        files.changed(files.ZSRE, ["src"], "Where?"),
        {key: value for key, value in files.ZSRE.items() if key != "loc"},
        {key: value for key, value in files.ZSRE.items() if key != "alt"},
        7,
        files.changed(files.ZSRE, ["alt"], "O\udcff"),
        files.changed(files.ZSRE, ["alt"], "long" * 100),
    ]
    assert asked(*records) == 0
    out = capsys.readouterr().out
    rows = [line.rstrip() for line in out.splitlines()]
    assert rows[0] == "mine.json: format zsRE, records: 10"
    reasons = {row.split("  ")[0]: row.split()[-2:] for row in rows[10:]}
    assert rows[10].startswith("'alt' is missing") and rows[10].split()[-3:] == ["2", "2,", "6"]
    del reasons["'alt' is missing"]
    assert reasons == {
        "the same fact as an earlier record": ["1", "1"],
        "the new target is the true one": ["1", "3"],
        "the prompt lacks the subject": ["1", "4"],
        "'loc' is missing": ["1", "5"],
        "the record is not an object": ["1", "7"],
        "a text is not UTF-8": ["1", "8"],
        "too long for this model": ["1", "9"],
    }
    assert asked(*records, options=["--list"]) == 0
    listed = capsys.readouterr().out.splitlines()[9:]
    assert len(listed) == 9 and "record 2 of mine.json: the key 'alt' is missing." in listed
    assert asked(*records, options=["--lang", "zh-TW"]) == 0
    assert "少了 'alt'" in capsys.readouterr().out


def test_facts_names_the_first_of_many_records_and_no_more(asked, capsys):
    assert asked(files.KNOWN, *[{}] * 20) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("  1, 2, 3, 4, 5, 6, 7, 8, …")


def test_facts_of_which_none_can_be_used_is_a_failure(asked, capsys):
    broken = {key: value for key, value in files.ZSRE.items() if key != "loc"}
    assert asked(broken) == 1
    assert "'loc' is missing" in capsys.readouterr().out
    assert asked(options=["--format", "zsre"]) == 1


@pytest.mark.parametrize(
    "text, status, words",
    [
        (None, 2, "there is no file"),
        ("{", 1, "is not JSON"),
        ("[" * 100_000, 1, "is not JSON"),
        ("{}", 1, "holds no list of facts"),
        ("[]", 1, "holds no list of facts"),
        ('[3, {"prompt": "x"}]', 1, "known format: name one of counterfact, keyhole, known, zsre"),
        (b"\xff\xfe", 1, "is not JSON"),
    ],
)
def test_facts_of_something_else_is_one_sentence(tmp_path, capsys, text, status, words):
    path = tmp_path / "mine.json"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["facts", str(path)]) == status
    error = capsys.readouterr().err
    assert words in error and error.startswith("keyhole: ") and error.count("\n") == 1


def test_facts_of_a_folder_is_one_sentence(tmp_path, capsys):
    assert main(["facts", str(tmp_path)]) == 1
    assert "cannot be read" in capsys.readouterr().err


# ---------------------------------------------------------------- the real model


@pytest.mark.slow
@pytest.mark.usefixtures("one_model")
def test_edit_of_the_real_model(tmp_path, capsys):
    report = tmp_path / "report.json"
    assert (
        main(
            [
                "edit",
                "The Eiffel Tower is located in the city of",
                "--subject",
                "The Eiffel Tower",
                "--to",
                " Rome",
                "--notebook",
                str(notebook(tmp_path / "mine.ipynb")),
                "--json",
                str(report),
            ]
        )
        == 0
    )
    found = json.loads(report.read_text("utf-8"))
    assert (
        found["before"]["first_answers"][0][0] == " Paris"
        and found["after"]["first_answers"][0][0] == " Rome"
    )
    assert found["after"]["first_answers"][0][1] > 0.9 and found["relative_change"] < 0.1
    kept = [probe for probe in found["probes"] if probe["kind"] == "neighborhood"]
    assert sum(probe["after"]["true"] > probe["after"]["new"] for probe in kept) >= 0.9 * len(kept)


# ---------------------------------------------------------------- keyhole trace

TRACE = """
from autograder.oracle import tracing


def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
    return tracing.trace(model, prompt, subject, noise, positions, layers, kind, window)
"""


@pytest.fixture
def traced(tmp_path, monkeypatch):
    """Runs `keyhole trace` on a toy with a notebook of ours; returns the exit status."""
    from keyhole import models
    from keyhole.toy import toy_model

    monkeypatch.setattr(models, "load_model", lambda name, device: toy_model("gpt2"))
    path = tmp_path / "2_locate.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(TRACE)]), path)
    return lambda *arguments: main(["trace", *arguments, "--notebook", str(path)])


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_trace_draws_a_map_and_says_what_it_saw(traced, tmp_path, capsys, ending):
    assert (
        traced(
            "So Ann sings ",
            "--subject",
            "Ann",
            "--kind",
            "mlp",
            "--window",
            "2",
            "--out",
            str(tmp_path / f"map.{ending}"),
        )
        == 0
    )
    out = capsys.readouterr().out
    assert (
        "The space at the end of the prompt was left out" in out
        and "clean 0." in out
        and "strongest in layer" in out
    )
    assert "Warning: The model gives" in out  # a toy knows nothing
    assert (tmp_path / f"map.{ending}").stat().st_size > 3000


def test_trace_says_which_of_two_subjects_is_meant(traced, tmp_path, capsys):
    picture = str(tmp_path / "map.png")
    assert traced("Bo met Bo", "--subject", "Bo", "--out", picture) == 0
    assert "'Bo' stands in the prompt 2 times; the last one is meant" in capsys.readouterr().out
    assert traced("Bo met Bo", "--subject", "Bo", "--occurrence", "1", "--out", picture) == 0
    assert "is meant" not in capsys.readouterr().out
    assert traced("Bo met Bo", "--subject", "Bo", "--occurrence", "3", "--out", picture) == 2
    assert "there is no occurrence 3" in capsys.readouterr().err
    assert traced("Bo met Bob", "--subject", "Bo", "--out", picture) == 0
    assert "is meant" not in capsys.readouterr().out  # there is one Bo


@pytest.mark.parametrize(
    "arguments, status, why",
    [
        (["So Ann", "--subject", "Bo", "--out", "m.png"], 1, "does not occur in prompt"),
        (["So Ann", "--subject", "Ann", "--out", "m.bmp"], 2, "should end in .png"),
        (["So Ann", "--subject", "Ann", "--out", "nowhere/m.png"], 2, "cannot be written"),
        (
            ["So Ann", "--subject", "Ann", "--kind", "mlp", "--window", "0", "--out", "m.png"],
            1,
            "a window of 0",
        ),
    ],
)
def test_trace_refuses_in_one_sentence(
    traced, tmp_path, monkeypatch, capsys, arguments, status, why
):
    monkeypatch.chdir(tmp_path)
    assert traced(*arguments) == status
    err = capsys.readouterr().err
    assert why in err and "Traceback" not in err and len(err.splitlines()) == 1


def test_trace_with_a_notebook_whose_blank_is_not_filled(capsys, tmp_path):
    status = main(
        [
            "trace",
            "So Ann",
            "--subject",
            "Ann",
            "--out",
            str(tmp_path / "m.png"),
            "--notebook",
            str(ROOT / "assignments" / "model_editing" / "2_locate.ipynb"),
        ]
    )
    assert status == 1 and "`trace` is still a blank" in capsys.readouterr().err
