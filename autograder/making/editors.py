"""Make what 5_learn_to_edit.ipynb is given: edits to train on, trained editors, measurements.

Editors are trained by the functions of the solution notebook. Training facts come from the
candidates of data/fact_candidates.json. Neither the subjects of the kit's facts are among them,
public or held back, nor those of the public facts' neighbors.
"""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import torch
from safetensors.torch import save_file
from torch import nn

from autograder.making.many_curves import shares
from keyhole.checking.functions import functions_of
from keyhole.editors import FixedStep, Gate, Mend, Rates
from keyhole.facts import Fact, load_facts
from keyhole.learned import EDITED, Lesson, Pupils, Request, Training, train_editor
from keyhole.many import FactAnswers, load_edits
from keyhole.models import EditableModel
from keyhole.paths import data_folder

RELATION = "capital"  # within which editors are trained in front of the student
SEEDS = (0, 1, 2)  # each with other lessons, other held-out subjects, other first numbers
UNSEEN_RELATIONS = 4  # of twelve
LEAST, MOST = 8, 16  # subjects of a relation, for training across relations; one is held out
TESTS = 3  # facts of a relation, to measure on; of the trained relations, SUBJECTS in all
SUBJECTS = 20
TARGETS = 3  # new targets for each subject, within the relation
HELD_OUT = 6  # subjects of the relation
LENGTHS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)  # of the step that nothing was learned for
RANK = 64
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
# The weights that are stored, of the first seed, trained across relations. A rate for each weight
# would be too large.
STORED = ("a rate for each row", "a gate", "MEND", "MEND, two scales")


# ---------------------------------------------------------------- what is trained on


def pool_of(relation: str) -> list[tuple[str, str]]:
    """The subjects that may be trained on, with their answers."""
    facts = [fact for fact in load_facts() if fact.relation == relation]
    seen = [fact.prompt for fact in facts]
    seen += [text for fact in facts if not fact.hidden for text, _ in fact.neighbors]
    return sorted(
        (subject, answer)
        for answer, owners in _candidates(relation)["answers"].items()
        for subject in owners
        if not any(subject in text for text in seen)
    )


def _candidates(relation):
    path = data_folder() / "fact_candidates.json"
    return json.loads(path.read_text(encoding="utf-8"))["relations"][relation]


def requests(
    relation: str, rng: random.Random, subjects: int | None, targets: int
) -> list[list[Request]]:
    """For each of so many subjects (all) `targets` edits, each with a paraphrase and two others."""
    candidates, pool = _candidates(relation), pool_of(relation)
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
    subjects = requests(RELATION, random.Random(0), None, TARGETS)
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
    """What editors are trained on, and by what facts they are tested."""

    train: Sequence[Lesson]
    held_out: Sequence[Lesson]
    tests: Mapping[str, tuple[Sequence[Fact], int]]  # {name: (facts, edits at once)}


def within(model: EditableModel, seed: int) -> School:
    """Editors of one relation, tested by subjects that are new to them."""
    subjects = requests(RELATION, random.Random(seed), None, TARGETS)
    facts = _first(None, [RELATION])
    return School(
        [Lesson(model, each) for group in subjects[HELD_OUT:] for each in group],
        [Lesson(model, group[0]) for group in subjects[:HELD_OUT]],
        {"unseen subjects": (facts, 1), "all at once": (facts, len(facts))},
    )


def across(model: EditableModel, seed: int) -> School:
    """Editors of eight relations, tested by new subjects of these, and by four other relations."""
    rng = random.Random(seed)
    unseen, seen = drawn(rng)
    train, held_out = [], []
    for relation in seen:
        first, *others = [group[0] for group in requests(relation, rng, MOST, 1)]
        held_out.append(Lesson(model, first))
        train += [Lesson(model, each) for each in others]
    subjects = _first(TESTS, seen)[:SUBJECTS]
    return School(
        train,
        held_out,
        {
            "unseen subjects": (subjects, 1),
            "five at once": (subjects, 5),
            "ten at once": (subjects, 10),
            "twenty at once": (subjects, 20),
            "unseen relations": (_first(TESTS, unseen), 1),
        },
    )


def drawn(rng: random.Random) -> tuple[list[str], list[str]]:
    """The relations that are not trained on, and those that are.

    One with too few subjects is always among the first.
    """
    relations = _relations()
    rng.shuffle(relations)
    relations.sort(key=lambda relation: len(pool_of(relation)) >= LEAST)
    return relations[:UNSEEN_RELATIONS], relations[UNSEEN_RELATIONS:]


def _relations():
    return sorted({fact.relation for fact in load_edits().facts})


def _first(count, relations):
    """The first so many facts (all) of each relation: one of each, then the next of each, ..."""
    facts = load_edits().facts
    groups = [[fact for fact in facts if fact.relation == each][:count] for each in relations]
    return [fact for group in zip(*groups) for fact in group]


SCHOOLS = {"within": within, "across": across}


class Examiner:
    """Trains and measures the editors of a kind of school, seed by seed.

    The facts of its tests are prepared once for all seeds. What untrained steps make of them, one
    fact at a time, is measured once, too.
    """

    def __init__(self, model: EditableModel, name: str, functions: Mapping[str, Callable]) -> None:
        self.model, self.functions, self._school = model, functions, SCHOOLS[name]
        relations, count = ([RELATION], None) if name == "within" else (_relations(), TESTS)
        self._pupils = Pupils(model, _first(count, relations))
        self._steps = {
            length: FixedStep(length, functions["low_rank_output"]) for length in LENGTHS
        }
        self._alone: dict[float, dict[str, FactAnswers]] = {
            length: {each.fact.id: each for each in self._pupils.measure(step)}
            for length, step in self._steps.items()
        }

    def run(self, seed: int) -> tuple[dict, dict, dict[str, nn.Module]]:
        """Train and measure all editors.

        Returns {editor: measurements}; {length of an untrained step: {test: shares}}, one fact at a
        time, which shows how much the choice of the length alone decides; {editor: the module}.
        """
        school = self._school(self.model, seed)
        step = self._control(school)
        made = {"one step": {"parameters": 0, "seconds": 0.0, "length": step.length}}
        made["one step"]["tests"] = self._measured(school, step)
        trained = editors(school.train, step.length, self.functions, seed)
        for name, editor in trained.items():
            made[name] = self._taught(school, editor, replace(SETTINGS[name], seed=seed))
        return made, self._lengths(school), trained

    def _control(self, school):
        """The untrained step of the length that is best for the lessons held out."""

        def loss(editor):
            outcomes = [each.after(editor(each.factors)) for each in school.held_out]
            with torch.no_grad():
                return fmean(
                    float(self.functions["editor_loss"](*each, Training.kl_weight))
                    for each in outcomes
                )

        return min(self._steps.values(), key=loss)

    def _lengths(self, school):
        return {
            str(length): {
                name: shares(answers[fact.id] for fact in facts)
                for name, (facts, at_once) in school.tests.items()
                if at_once == 1
            }
            for length, answers in self._alone.items()
        }

    def _taught(self, school, editor, settings):
        lessons = school.train, school.held_out
        looks, seconds = train_editor(editor, lessons, self.functions["editor_loss"], settings)
        return {
            "parameters": sum(each.numel() for each in editor.parameters()),
            "seconds": seconds,
            "best step": min(looks, key=lambda look: look.held_out).step,
            "looks": [list(look) for look in looks[1:]],
            "tests": self._measured(school, editor),
        }

    def _measured(self, school, editor):
        return {
            name: shares(self._pupils.of(facts).measure(editor, at_once))
            for name, (facts, at_once) in school.tests.items()
        }


def editors(
    lessons: Sequence[Lesson], length: float, functions: Mapping[str, Callable], seed: int
) -> dict[str, nn.Module]:
    """The editors that learn, untrained: each begins with a step of that length."""
    d_in = lessons[0].factors[0].inputs.shape[1]
    d_out = lessons[0].factors[0].output_grads.shape[1]
    by_rate = functions["gradient_from_factors"], functions["rate_update"]
    by_factors = functions["transform_factors"], functions["low_rank_output"]
    size, layers = (d_in + d_out, RANK), len(EDITED)
    return {
        "a rate for each row": Rates((d_out,), layers, length, *by_rate),
        "a rate for each weight": Rates((d_out, d_in), layers, length, *by_rate),
        "a gate": Gate(*size, layers, length, functions["low_rank_output"], seed),
        "MEND": Mend(*size, layers, *by_factors, seed).fit(lessons, length),
        "MEND, two scales": Mend(*size, layers, *by_factors, seed).fit(lessons, length, False),
    }


def make(model: EditableModel, progress: Callable = iter) -> Path:
    """data/editors.json and data/editors.safetensors; the record is written anew after each seed.

    Takes about half an hour of processor time.
    """
    solution = data_folder().parent / "solutions/model_editing/5_learn_to_edit.ipynb"
    functions, folder = functions_of(solution, BLANKS), data_folder()
    record: dict = {"layers": list(EDITED)}
    for name in SCHOOLS:
        examiner = Examiner(model, name, functions)
        for seed in progress(SEEDS):
            made, by_length, trained = examiner.run(seed)
            record.setdefault(name, []).append(made)
            record.setdefault(f"{name}, lengths", []).append(by_length)
            if name == "across" and seed == SEEDS[0]:
                _store(trained, folder / "editors.safetensors")
            text = json.dumps(_rounded(record), indent=1) + "\n"
            (folder / "editors.json").write_text(text, encoding="utf-8")
    return folder / "editors.json"


def _store(trained, path):
    tensors = {
        f"{name}/{part}": tensor.half().contiguous()
        for name in STORED
        for part, tensor in trained[name].state_dict().items()
    }
    save_file(tensors, path)
    path.chmod(0o644)


def _rounded(value):
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value
