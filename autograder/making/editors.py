"""Make what 5_learn_to_edit.ipynb is given: edits to train on, trained editors, measurements.

Editors are trained by the functions of the solution notebook. Training facts come from the
candidates of data/fact_candidates.json. Neither the subjects of the public facts nor those of their
neighbors are among them.
"""

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import torch
from safetensors.torch import save_file
from torch import nn

from autograder.making.many_curves import shares
from keyhole.checking.functions import functions_of
from keyhole.editors import FixedStep, Gate, Mend, Rates
from keyhole.facts import Fact
from keyhole.learned import EDITED, Lesson, Pupils, Request, Training, train_editor
from keyhole.many import load_edits
from keyhole.models import EditableModel
from keyhole.paths import data_folder

RELATION = "capital"  # within which editors are trained in front of the student
SEEDS = (0, 1, 2)
UNSEEN_RELATIONS = 4  # of twelve
EACH = {"subjects": 9, "held out": 1, "tests": 3}  # of a relation, for training across relations
TARGETS = 3  # new targets for each subject, within the relation
HELD_OUT = 6  # subjects of the relation
LENGTHS = (1.5, 2.0, 2.5, 3.0, 4.0)  # of the step that nothing was learned for
RANK = 64
AT_ONCE = 10
BLANKS = (
    "gradient_from_factors",
    "editor_parameters",
    "rate_update",
    "transform_factors",
    "low_rank_output",
    "editor_loss",
)
SETTINGS = {
    "a rate for each row": Training(0.05),
    "a rate for each weight": Training(0.02),
    "a gate": Training(1e-3),
    "MEND": Training(3e-4),
    "MEND, two scales": Training(3e-4),
}
# Trained across relations, and stored: a rate for each weight is too large and too slow for that.
STORED = ("a rate for each row", "a gate", "MEND", "MEND, two scales")


# ---------------------------------------------------------------- what is trained on


def requests(relation: str, rng: random.Random, subjects: int, targets: int) -> list[list[Request]]:
    """For each of so many subjects `targets` edits, each with one paraphrase and two others."""
    path = data_folder() / "fact_candidates.json"
    candidates = json.loads(path.read_text(encoding="utf-8"))["relations"][relation]
    facts = [fact for fact in load_edits().facts if fact.relation == relation]
    seen = [text for fact in facts for text in (fact.prompt, *(each for each, _ in fact.neighbors))]
    pool = sorted(
        (subject, answer)
        for answer, owners in candidates["answers"].items()
        for subject in owners
        if not any(subject in text for text in seen)
    )
    rng.shuffle(pool)

    def asked(subject):
        return [_sentence(wording, subject) for wording in candidates["wordings"]]

    made = []
    for subject, answer in pool[:subjects]:
        rivals = sorted(each for each in candidates["answers"] if each != answer)
        others = [other for other, _ in pool if other != subject]
        made.append(
            [
                Request(
                    prompt,
                    f" {target}",
                    (paraphrase,),
                    tuple(rng.choice(asked(other)) for other in rng.sample(others, 2)),
                )
                for target in rng.sample(rivals, targets)
                for prompt, paraphrase in [rng.sample(asked(subject), 2)]
            ]
        )
    return made


def _sentence(wording, subject):
    text = wording.format(subject=subject)
    return text[0].upper() + text[1:]


def make_requests() -> Path:
    """data/requests.json: the edits of one relation, to train on and held out."""
    subjects = requests(RELATION, random.Random(0), 60, TARGETS)
    parts = {"train": subjects[HELD_OUT:], "held out": subjects[:HELD_OUT]}
    path = data_folder() / "requests.json"
    stored = {
        part: [
            [each.prompt, each.target, each.paraphrases, each.others]
            for group in groups
            for each in group[: TARGETS if part == "train" else 1]
        ]
        for part, groups in parts.items()
    }
    path.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


# ---------------------------------------------------------------- training and measuring


@dataclass(frozen=True)
class School:
    """Lessons, and the facts that editors are measured on: {name: (facts, edits at once)}."""

    model: EditableModel
    train: Sequence[Lesson]
    held_out: Sequence[Lesson]
    tests: Mapping[str, tuple[Pupils, int]]

    def measured(self, editor: nn.Module) -> dict[str, dict[str, float]]:
        """{test: shares}."""
        return {name: shares(p.measure(editor, count)) for name, (p, count) in self.tests.items()}


def control(school: School, functions: Mapping[str, Callable]) -> FixedStep:
    """The untrained step of the length that is best for the lessons held out."""

    def loss(editor):
        outcomes = [each.after(editor(each.factors)) for each in school.held_out]
        with torch.no_grad():
            return fmean(
                float(functions["editor_loss"](*each, Training.kl_weight)) for each in outcomes
            )

    steps = {length: FixedStep(length, functions["low_rank_output"]) for length in LENGTHS}
    return min(steps.values(), key=loss)


def lengths(school: School, functions: Mapping[str, Callable]) -> dict[str, dict]:
    """Steps of all lengths that were tried, measured one fact at a time: {length: {test: shares}}.

    They show how much the choice of the length alone decides.
    """
    return {
        str(length): {
            name: shares(pupils.measure(FixedStep(length, functions["low_rank_output"])))
            for name, (pupils, at_once) in school.tests.items()
            if at_once == 1
        }
        for length in LENGTHS
    }


def editors(
    school: School, length: float, functions: Mapping[str, Callable]
) -> dict[str, nn.Module]:
    """The editors that learn, untrained: each begins with a step of that length."""
    d_out, d_in = school.model.weight(EDITED[0]).shape
    by_rate = functions["gradient_from_factors"], functions["rate_update"]
    by_factors = functions["transform_factors"], functions["low_rank_output"]
    size, layers = (d_in + d_out, RANK), len(EDITED)
    return {
        "a rate for each row": Rates((d_out,), layers, length, *by_rate),
        "a rate for each weight": Rates((d_out, d_in), layers, length, *by_rate),
        "a gate": Gate(*size, layers, length, functions["low_rank_output"]),
        "MEND": Mend(*size, layers, *by_factors).fit(school.train, length),
        "MEND, two scales": Mend(*size, layers, *by_factors).fit(school.train, length, False),
    }


def parameters(editor: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(each.numel() for each in editor.parameters())


def taught(
    school: School, seed: int, functions: Mapping[str, Callable], names: Iterable[str] = SETTINGS
) -> tuple[dict, dict]:
    """Train the editors of those names: ({editor: measurements}, {editor: the module})."""
    step = control(school, functions)
    made = {"one step": {"parameters": 0, "seconds": 0.0, "tests": school.measured(step)}}
    made["one step"]["length"] = step.length
    made_new = editors(school, step.length, functions)
    trained = {name: made_new[name] for name in names}
    for name, editor in trained.items():
        settings = replace(SETTINGS[name], seed=seed)
        lessons = school.train, school.held_out
        looks, seconds = train_editor(editor, lessons, functions["editor_loss"], settings)
        made[name] = {
            "parameters": parameters(editor),
            "seconds": seconds,
            "best step": min(looks, key=lambda look: look.held_out).step,
            "looks": [list(look) for look in looks[1:]],
            "tests": school.measured(editor),
        }
    return made, trained


def within(model: EditableModel, seed: int) -> School:
    """Editors of one relation, measured on subjects that are new to them."""
    subjects = requests(RELATION, random.Random(seed), 60, TARGETS)
    pupils = Pupils(model, [fact for fact in load_edits().facts if fact.relation == RELATION])
    return School(
        model,
        [Lesson(model, each) for group in subjects[HELD_OUT:] for each in group],
        [Lesson(model, group[0]) for group in subjects[:HELD_OUT]],
        {"unseen subjects": (pupils, 1), "all at once": (pupils, AT_ONCE)},
    )


def across(model: EditableModel, seed: int) -> School:
    """Editors of eight relations, measured on new subjects of these, and on four others."""
    facts, rng = load_edits().facts, random.Random(seed)
    relations = sorted({fact.relation for fact in facts})
    rng.shuffle(relations)
    train, held_out = [], []
    for relation in relations[UNSEEN_RELATIONS:]:
        made = [group[0] for group in requests(relation, rng, EACH["subjects"], 1)]
        held_out += made[: EACH["held out"]]
        train += made[EACH["held out"] :]

    def pupils(chosen: Iterable[str]) -> Pupils:
        tests = [_some(facts, relation) for relation in chosen]
        return Pupils(model, [fact for group in zip(*tests) for fact in group])

    subjects = pupils(relations[UNSEEN_RELATIONS:])
    return School(
        model,
        [Lesson(model, each) for each in train],
        [Lesson(model, each) for each in held_out],
        {
            "unseen subjects": (subjects, 1),
            "unseen relations": (pupils(relations[:UNSEEN_RELATIONS]), 1),
            "ten at once": (subjects, AT_ONCE),
        },
    )


def _some(facts: Iterable[Fact], relation: str) -> list[Fact]:
    return [fact for fact in facts if fact.relation == relation][: EACH["tests"]]


def make(model: EditableModel, progress: Callable = iter) -> Path:
    """data/editors.json and data/editors.safetensors, written anew after each school.

    Takes about 25 minutes of processor time.
    """
    solution = data_folder().parent / "solutions/model_editing/5_learn_to_edit.ipynb"
    functions, folder = functions_of(solution, BLANKS), data_folder()
    record: dict = {"layers": list(EDITED)}
    for seed in progress(SEEDS):
        for name, school_of, of in (("within", within, SETTINGS), ("across", across, STORED)):
            school = school_of(model, seed)
            made, trained = taught(school, seed, functions, of)
            record.setdefault(name, []).append(made)
            record.setdefault(f"{name}, lengths", []).append(lengths(school, functions))
            if name == "across" and seed == SEEDS[0]:
                _store(trained, folder / "editors.safetensors")
            text = json.dumps(_rounded(record), indent=1) + "\n"
            (folder / "editors.json").write_text(text, encoding="utf-8")
    return folder / "editors.json"


def _store(trained, path):
    tensors = {
        f"{name}/{part}": tensor.half().contiguous()
        for name, editor in trained.items()
        for part, tensor in editor.state_dict().items()
    }
    save_file(tensors, path)
    path.chmod(0o644)


def _rounded(value):
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value
