"""Every blank has a hint of three steps in each language, and no hint is a solution."""

import ast
import re
from html import unescape
from pathlib import Path

import nbformat
import pytest

import keyhole
from autograder.validity.run import IMPORTS
from keyhole import messages
from keyhole.checking.checks import examine
from keyhole.checking.hints import FACT, SKELETONS, Hint, Hinting
from keyhole.checking.student import Student
from keyhole.messages import HINTS, LANGUAGES
from keyhole.terminal import columns

SOLUTIONS = Path(__file__).resolve().parent.parent / "solutions" / "model_editing"
SET_UP = f"{IMPORTS}\nfrom contextlib import ExitStack\nfrom functools import partial"
# What stands at the gaps of a skeleton, for whoever knows it. No student gets this file.
FILLED = {
    "sequence_nll": ["log_probs[torch.arange(len(target_ids)), target_ids]"],
    "efficacy": ["nll_new < nll_true"],
    "neighborhood": ["nll_true < nll_new"],
    "edit_score": ["3 / sum(1 / share for share in shares)"],
    "corrupt": ["corrupted[:, subject] += noise"],
    "restore": ["restored[:, position] = clean[position]"],
    "indirect_effect": ["restored.mean() - corrupted.mean()"],
    "trace": [
        "max(0, layer - window // 2), min(model.n_layers, layer + window - window // 2)",
        "stack.enter_context(edit(part(each), partial("
        "restore, clean=seen[each].output[0], position=position)))",
    ],
    "subject_key": ["model.subject_slice(text, subject).stop - 1"],
    "second_moment": ["keys.T @ keys"],
    "value_objective": ["(kl_log_probs.exp() * (kl_log_probs - kl_log_probs_before)).sum()"],
    "rank_one_update": ["torch.linalg.solve(moment.double(), key.double())"],
    "write_edit": ["new_weight if isinstance(module, torch.nn.Linear) else new_weight.T"],
    "demonstrations": ["likeness.argsort(descending=True)[:count]"],
    "locality_loss": ["(log_probs_before.exp() * (log_probs_before - log_probs)).sum(-1).mean()"],
    "scaled_change": ["after - before"],
    "memit_update": ["weight_of_old * moment.double() + keys.T @ keys"],
    "spread_residual": ["len(layers) - layers.index(layer)"],
    "null_space_projector": ["vectors[:, values < threshold]"],
    "alphaedit_update": ["new.T @ new + earlier.T @ earlier + ridge * identity"],
    "editor_loss": ["torch.nn.functional.nll_loss(log_probs.flatten(0, 1), wanted.flatten())"],
    "editor_parameters": ["(d_out * d_in) ** 2", "2 * rank * (d_in + d_out)"],
    "rate_update": ["rates[:, None]"],
    "gradient_from_factors": ["output_grads.T @ inputs"],
    "transform_factors": ["normed + torch.relu(normed @ down.T) @ up.T"],
    "low_rank_output": ["keys @ inputs.T"],
}


def blanks():
    """The names of what the notebooks leave to the student, in their order."""
    for path in sorted(SOLUTIONS.glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code" and "### BEGIN SOLUTION" in cell.source:
                [node] = ast.parse(cell.source).body
                yield getattr(node, "name", None) or node.targets[0].id


def skeleton(name, *fillings):
    """The code that a student sees, with something else at each gap."""
    before, *after = SKELETONS[name].split("...")
    assert len(after) == len(HINTS["en"][name]) - 2, name
    return before + "".join(each + rest for each, rest in zip(fillings or ["..."] * 9, after))


def run(name, code):
    """The function that the code defines, beside the others' solutions that it may call."""
    helpers = [skeleton(each, *FILLED[each]) for each in ("corrupt", "restore")]
    return Student("\n\n".join((SET_UP, *helpers, code))).function(name)


def test_every_blank_has_a_hint_in_every_language():
    wanted = list(blanks())
    assert len(wanted) > 20 and FACT in wanted
    for language in LANGUAGES:
        assert list(HINTS[language]) == wanted, language
    assert list(SKELETONS) == wanted


@pytest.mark.parametrize("name", HINTS["en"])
def test_a_hint_is_as_long_in_every_language_and_says_what_each_gap_holds(name):
    for language in LANGUAGES:
        idea, calls, *gaps = HINTS[language][name]
        assert idea and calls and len(gaps) == SKELETONS[name].count("...") > 0
        assert all("\n" not in words and len(words) < 400 for words in (idea, calls, *gaps))
        assert all(f"# {{{number}}}" in SKELETONS[name] for number in range(len(gaps)))
        chinese = [bool(re.search("[一-鿿]", words)) for words in (idea, calls)]
        assert chinese == [language == "zh-TW"] * 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_skeleton_is_no_wider_than_its_card(language):
    messages.use(language)
    for name in HINTS[language]:
        [*_, (_, code)] = Hint(name, 3).parts()
        assert max(map(columns, code.split("\n"))) < 90, name


@pytest.mark.parametrize("name", FILLED)
@pytest.mark.slow
def test_no_skeleton_is_a_solution_and_each_becomes_one(name):
    assert not examine(name, run(name, skeleton(name))).passed
    report = examine(name, run(name, skeleton(name, *FILLED[name])))
    assert report.passed, report


@pytest.mark.parametrize("name", FILLED)
def test_no_hint_says_what_stands_in_a_gap(name):
    """But where the gap's line is a call that the notebook itself names."""
    for language in LANGUAGES:
        said = re.sub(r"\s", "", " ".join(HINTS[language][name]))
        assert not [each for each in FILLED[name] if re.sub(r"\s", "", each) in said]


def test_the_record_of_an_own_fact_has_all_its_keys_and_no_fact():
    names = {}
    exec(SKELETONS[FACT], names)
    assert names[FACT].keys() >= {"prompt", "subject", "target_true", "target_new", "neighbors"}
    assert names[FACT]["prompt"] is ... and not names[FACT]["subject"]


# ---------------------------------------------------------------- hint(...)


def trace(model):
    raise NotImplementedError()


@pytest.mark.parametrize("language", LANGUAGES)
def test_hint_gives_three_steps_one_a_call(language):
    messages.use(language)
    ask, (idea, calls, *gaps) = Hinting(), HINTS[language]["trace"]
    for step in (1, 2, 3, 3):
        hint = ask(trace)
        for text in (repr(hint), plain(hint._repr_html_())):
            assert idea.replace("`", "") in text.replace("`", "")
            assert (calls.replace("`", "") in text.replace("`", "")) == (step > 1)
            assert ("def trace(" in text) == all(gap in text for gap in gaps) == (step == 3)
    assert repr(ask("efficacy")).count("\n") < repr(hint).count("\n")  # each blank by itself


def test_hint_takes_names_and_the_record_and_refuses_what_is_no_blank():
    ask = Hinting()
    assert ask("my_record").steps == 1 and ask({"id": "my-fact"}).steps == 2
    assert keyhole.hint("restore").name == "restore"
    for other in (len, "subject", 3):
        with pytest.raises(keyhole.KeyholeError, match="there are hints on .*sequence_nll"):
            ask(other)


def plain(html):
    """What is read of HTML."""
    assert "<script" not in html and "style=" in html
    return unescape(re.sub("<[^>]*>", "", html))
