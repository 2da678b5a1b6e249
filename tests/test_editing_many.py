"""`keyhole edit --method`: many facts by each of the lecture's editors, and one sentence each."""

import json
from pathlib import Path

import nbformat
import pytest
import torch

from autograder.oracle import editing, many
from keyhole import cli, editing_many, moments
from keyhole.cli import main
from keyhole.fact_files import read_facts
from keyhole.models import load_model
from keyhole.values import Rewrite, optimise_value
from tests.test_keyhole_cli import fact, toy  # noqa: F401, a fixture

SOLUTIONS = Path(__file__).resolve().parent.parent / "solutions" / "model_editing"
FACTS = (fact("one", "Anna", "tall"), fact("two", "Otto", "wise"), fact("three", "Mia", "kind"))


@pytest.fixture
def edit(toy, tmp_path):  # noqa: F811
    """Run `keyhole edit --method` on the toy with the solutions' functions: its exit status."""
    assert main(["moment", "--layer", "1", "--model", toy]) == 0

    def run(method, facts=FACTS, *more, text=None):
        path = tmp_path / "FACTS.json"
        path.write_text(json.dumps({"facts": facts}) if text is None else text)
        return main(["edit", str(path), "--method", method, "--layer", "1", "--model", toy, *more])

    run.model = toy
    return run


def right_change(model, method):
    """The size of the change by the oracle, from the same keys and values."""
    prefixes, weight = moments.load_prefixes(), model.weight(1).detach().double()
    about = [(each["prompt"], each["subject"]) for each in FACTS]
    keys = torch.stack([editing.subject_key(model, 1, *each, prefixes) for each in about])
    values = torch.stack(
        [
            optimise_value(
                model, 1, Rewrite(*each, " grey", prefixes), editing.value_objective
            ).value
            for each in about
        ]
    )
    C = moments.load_moment(model.hf.name_or_path, 1, model).double()
    pairs = keys.double(), values.double()
    if method == "rome":
        new = many.one_after_the_other(weight, C, *pairs)
    elif method == "memit":
        new = many.memit_update(weight, C, *pairs, editing_many.WEIGHT_OF_OLD)
    else:
        projector = many.null_space_projector(C, editing_many.THRESHOLD)
        new = many.alphaedit_update(
            weight, projector, *pairs, keys[:0].double(), editing_many.RIDGE
        )
    return float((new - weight).norm() / weight.norm())


@pytest.mark.parametrize("method", cli.MANY_METHODS)
@pytest.mark.slow
def test_every_method_prints_its_scores_and_leaves_the_model(
    edit, method, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(editing_many, "THRESHOLD", 0.5)  # the toy's C is another's
    capsys.readouterr()
    report = tmp_path / "report.json"
    assert edit(method, FACTS, "--json", str(report)) == 0
    out = capsys.readouterr().out
    assert f"{method}: 3 facts of FACTS.json" in out and "|Ŵ − W| / |W| = " in out
    assert out.count("by probability") == 2 and out.count("by generation") == 2
    assert all(name in out for name in ("S", "efficacy", "paraphrase", "neighborhood"))
    found = json.loads(report.read_text("utf-8"))
    assert [each["prompt"] for each in found["facts"]] == [each["prompt"] for each in FACTS]
    assert found["before"]["probability"] != found["after"]["probability"] or any(
        each["before"] != each["after"] for each in found["facts"]
    )
    if method in ("rome", "memit", "alphaedit"):
        model = load_model(edit.model)
        assert found["relative_change"] == pytest.approx(right_change(model, method), rel=1e-3)
    else:
        assert (found["relative_change"] > 0) is (method == "finetuning")


def test_the_methods_of_the_command_are_those_of_the_library():
    assert cli.MANY_METHODS == tuple(editing_many.METHODS)


def test_the_functions_come_from_the_notebooks(edit, tmp_path, capsys):
    for name in ("1_measure", "3_edit", "4_scale"):
        book = nbformat.read(SOLUTIONS / f"{name}.ipynb", as_version=4)
        for cell in book.cells:
            if cell.source.startswith("def memit_update"):
                cell.source = "def memit_update(*arguments):\n    raise NotImplementedError()"
        nbformat.write(book, tmp_path / f"{name}.ipynb")
    capsys.readouterr()
    assert edit("memit", FACTS, "--notebook", str(tmp_path / "4_scale.ipynb")) == 1
    error = capsys.readouterr().err
    assert "memit_update" in error and error.count("\n") == 1
    (tmp_path / "3_edit.ipynb").unlink()
    assert edit("memit", FACTS, "--notebook", str(tmp_path / "4_scale.ipynb")) == 2
    assert "3_edit.ipynb" in capsys.readouterr().err


def test_facts_that_share_a_key_are_told(edit, capsys):
    twin = FACTS[0] | {"id": "twin", "target_new": " late"}
    capsys.readouterr()
    assert edit("in-context", (*FACTS, twin)) == 0
    out = capsys.readouterr().out
    assert out.count("One key: 'People like Anna' and 'People like Anna'") == 1


def test_a_bad_fact_is_told_and_the_others_are_edited(edit, capsys):
    bad = FACTS[1] | {"subject": "Nobody"}
    capsys.readouterr()
    assert edit("in-context", (FACTS[0], bad, FACTS[2])) == 0
    out = capsys.readouterr().out
    assert "1 of 3 records cannot be used" in out and "'Nobody'" in out and "2 facts of" in out
    bare = {"subject": "Eva", "prompt": "People like Eva", "target_new": "big"}
    lines = [bare | {"ground_truth": "old"}]
    assert edit("in-context", text=json.dumps(lines)) == 1
    error = capsys.readouterr().err
    assert "no record of FACTS.json has a true answer" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "text, words", [("", "FACTS.json"), ("[]", "no list of facts"), ("{}", "no list of facts")]
)
def test_a_file_without_facts_is_one_sentence(edit, capsys, text, words):
    capsys.readouterr()
    assert edit("rome", text=text) == 1
    error = capsys.readouterr().err
    assert words in error and error.startswith("keyhole: ") and error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["edit", "no.json", "--method", "rome"], "there is no file no.json"),
        (["edit", "no.json", "--method", "rome", "--to", " x"], "leave --to out"),
        (["edit", "no.json", "--method", "rome", "--plot", "x.png"], "leave --plot out"),
        (["edit", "People like Anna", "--to", " x"], "--subject is missing"),
        (["edit", "People like Anna", "--subject", "Anna"], "--to is missing"),
    ],
)
def test_arguments_that_do_not_fit_are_one_sentence(arguments, words, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_an_unknown_method_names_the_known_ones(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["edit", "FACTS.json", "--method", "mend"])
    error = capsys.readouterr().err
    assert ended.value.code == 2 and all(method in error for method in cli.MANY_METHODS)


def test_a_demonstration_that_is_not_there_is_one_sentence(edit, tmp_path, capsys):
    for name in ("1_measure", "3_edit", "4_scale"):
        book = nbformat.read(SOLUTIONS / f"{name}.ipynb", as_version=4)
        for cell in book.cells:
            if cell.source.startswith("def demonstrations"):
                cell.source = (
                    "def demonstrations(key, keys, kinds):\n"
                    "    return torch.full((min(len(keys), len(kinds)), 2), 9)"
                )
        nbformat.write(book, tmp_path / f"{name}.ipynb")
    capsys.readouterr()
    assert edit("in-context", FACTS, "--notebook", str(tmp_path / "4_scale.ipynb")) == 1
    error = capsys.readouterr().err
    assert "(9, 9): there is no such example" in error and error.count("\n") == 1


def test_the_kit_s_own_file_is_of_a_known_format(tmp_path):
    path = tmp_path / "FACTS.json"
    path.write_text(json.dumps({"facts": FACTS}))
    read = read_facts(path)
    assert read.format == "keyhole" and len(read.records) == 3 and not read.refused
    assert read.records[0].neighbors == (("People like Eva", " late"),) * 5
