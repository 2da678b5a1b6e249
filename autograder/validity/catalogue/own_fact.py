"""What is handed in beside 3_edit.ipynb, my_fact.json and my_edit.safetensors, right and spoilt.

The right files are those of a member of the sample class.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from autograder.making import sample_edits
from autograder.oracle import editing, references
from autograder.validity.solution import FilesOf, Solution, Wrong
from keyhole import probes
from keyhole.facts import fact_from, load_facts
from keyhole.models import EditableModel
from keyhole.moments import DEFAULT_LAYER, load_moment, load_prefixes
from keyhole.paths import EDIT_FILE, FACT_FILE, OWN_FACT
from keyhole.values import Rewrite, ValueSettings, optimise_value

KINDS = set(probes.PROBE_KINDS)
NEED_EDIT = {"direction", "value", *KINDS}


class Files:
    """What a student hands in, to be changed.

    `record` is what my_fact.json holds and `tensors` what my_edit.safetensors does. `raw` holds
    bytes that replace a file; None leaves the file out.
    """

    def __init__(self, student: str = "hana-other-words", model: EditableModel | None = None):
        files = sample_edits.files_of(student)
        self.record, self.tensors = json.loads(files[FACT_FILE]), load(files[EDIT_FILE])
        self.raw: dict[str, bytes | None] = {}
        self.model = model

    def contents(self) -> dict[str, bytes]:
        """{file name: content}"""
        made = {FACT_FILE: json.dumps(self.record).encode(), EDIT_FILE: save(self.tensors)}
        return {name: content for name, content in (made | self.raw).items() if content is not None}

    def write(self, folder: Path) -> Path:
        """Write the files into `folder`, which is returned."""
        for name, content in self.contents().items():
            (folder / name).write_bytes(content)
        return folder

    def claims(self, kind: str) -> list[dict]:
        """The entries of what was measured on the probes of a kind."""
        return [entry for entry in self.record["measured"] if entry["kind"] == kind]

    def key(self, prefixes: Iterable[str] | None = None) -> Tensor:
        """k* of the fact, or the key behind other `prefixes`: (d_in,), float64."""
        fact, prefixes = fact_from(self.record["fact"]), prefixes or load_prefixes()
        return editing.subject_key(self.model, DEFAULT_LAYER, fact.prompt, fact.subject, prefixes)

    def moved(self) -> Tensor:
        """v* less what W gives for k*: (d_out,)."""
        before = self.model.weight(DEFAULT_LAYER).double() @ self.key()
        return (self.tensors["value"].double() - before).float()

    def make_again(self, key: Tensor, moment: Tensor) -> None:
        """Make the change that writes the same v* for another key, or with another C."""
        weight = self.model.weight(DEFAULT_LAYER)
        left, right = editing.factors(weight, moment, key, self.tensors["value"])
        self.tensors.update(left=left.float(), right=right.float())


Spoil = Callable[[Files], object]  # changes files in place


def change(record: dict, *keys: str | int, to: object) -> None:
    """Put `to` into a nested record, at the place that `keys` lead to."""
    for key in keys[:-1]:
        record = record[key]
    record[keys[-1]] = to


def known_in_other_words(files: Files) -> None:
    told = next(fact for fact in load_facts() if not fact.hidden and fact.relation == "landmark")
    subject = told.subject.upper()
    files.record["fact"] |= {
        "prompt": f"Everybody knows that the {subject} is in",
        "subject": subject,
        "target_true": told.target_true.lower(),
        "paraphrases": [f"You can visit {subject} in the city of"],
    }


def false_claim(kind: str, key: str, number: int, value: float) -> Spoil:
    """Claim `value` as what was measured last on the probes of a kind."""

    def claim(files: Files) -> None:
        files.claims(kind)[-1][key][number] = value

    return claim


def moved_by(share: float) -> Spoil:
    """A change, and a v*, that go only so far; the claims say so."""

    def shorten(files: Files) -> None:
        files.tensors["left"] = share * files.tensors["left"]
        files.tensors["value"] = files.tensors["value"] - (1 - share) * files.moved()
        for entry in files.record["measured"]:
            entry["after"] = entry["before"]

    return shorten


def times(factor: float) -> Spoil:
    """The change, multiplied by `factor`."""

    def scale(files: Files) -> None:
        files.tensors["left"] = factor * files.tensors["left"]

    return scale


def with_centred_c(files: Files) -> None:
    mean = references.mean_key()
    files.make_again(files.key(), load_moment().double() - torch.outer(mean, mean))


def divided_with_bare_key(files: Files) -> None:
    direction = torch.linalg.solve(load_moment().double(), files.key())
    files.tensors["right"] = (direction / (direction @ files.key([""]))).float()


def from_svd(files: Files) -> None:
    left, right = files.tensors["left"], files.tensors["right"]
    u, s, vh = torch.linalg.svd(torch.outer(left, right), full_matrices=False)
    files.tensors.update(left=(u[:, 0] * s[0]).contiguous(), right=vh[0].contiguous())


def subject_first(files: Files) -> None:
    fact = {
        "prompt": "Microsoft was founded by Bill",
        "subject": "Microsoft",
        "target_true": " Gates",
        "target_new": " Clinton",
    }
    files.record["fact"] |= fact | {"paraphrases": ["The founder of Microsoft is called Bill"]}
    rewrite = Rewrite(fact["prompt"], fact["subject"], fact["target_new"], [""])
    files.tensors["value"] = optimise_value(
        files.model, DEFAULT_LAYER, rewrite, editing.value_objective, ValueSettings(steps=8)
    ).value
    files.make_again(files.key(), load_moment())


def of_another(name: str) -> Spoil:
    """A tensor of another student's edit."""

    def exchange(files: Files) -> None:
        files.tensors[name] = Files("pia-claims-too-much").tensors[name]

    return exchange


def edit_of(student: str) -> Spoil:
    """The files of another member of the class, whose method was another."""

    def exchange(files: Files) -> None:
        other = Files(student)
        files.record, files.tensors = other.record, other.tensors

    return exchange


def in_half_precision(files: Files) -> None:
    halves = {name: tensor.half() for name, tensor in files.tensors.items()}
    files.raw[EDIT_FILE] = save(halves)


def whole_matrix(files: Files) -> None:
    matrix = torch.outer(files.tensors["left"], files.tensors["right"])
    files.raw[EDIT_FILE] = save({"change": matrix[:100].clone()})


def in_float64(files: Files) -> None:
    files.tensors.update({name: tensor.double() for name, tensor in files.tensors.items()})


def measured_differently(files: Files) -> None:
    for entry in files.record["measured"]:
        entry["after"][0] = min(entry["after"][0] + 0.005, 1)


def after(spoil: Spoil) -> FilesOf:
    """model -> the files, once `spoil` has been at them."""

    def files(model: EditableModel) -> dict[str, bytes]:
        made = Files(model=model)
        spoil(made)
        return made.contents()

    return files


# Claims on an edit that was changed afterwards are false too, but how far the probabilities moved
# decides whether that shows. So many entries may fail KINDS.
WRONG = {
    "a true answer that it does not know": Wrong(
        "took a fact for known that the model does not know",
        misconception="fact_not_known",
        fails={"known", "original", "paraphrase"},
        files=after(lambda f: change(f.record, "fact", "target_true", to=" Nairobi")),
        may_fail=KINDS,
    ),
    "a true answer behind the new one": Wrong(
        "took a fact for known of which the model says the new answer already",
        misconception="fact_not_known",
        fails={"known", "value"},
        files=after(lambda f: f.record["fact"].update(target_true=" San", target_new=" Barcelona")),
        may_fail=KINDS,
    ),
    "a fact of the handout's": Wrong(
        "handed in a fact of the handout's in other words",
        misconception="fact_of_handout",
        fails={"own", "known", "direction", "value"},
        files=after(known_in_other_words),
        may_fail=KINDS,
    ),
    "the key of another prompt": Wrong(
        "made the change with another key",
        fails={"direction", "value"},
        files=after(of_another("right")),
        may_fail=KINDS,
    ),
    "C left out": Wrong(
        "left C out: took k* itself for the direction",
        misconception="moment_omitted",
        fails={"direction"},
        files=after(edit_of("bo-forgets-c")),
        may_fail=KINDS,
    ),
    "C centred": Wrong(
        "took the covariance of the keys for C",
        misconception="moment_centred",
        fails={"direction"},
        files=after(with_centred_c),
        may_fail=KINDS,
    ),
    "the bare prompt's key": Wrong(
        "left the prefixes out",
        misconception="bare_prompt_only",
        fails={"direction", "value"},
        files=after(lambda f: f.make_again(f.key([""]), load_moment())),
        may_fail=KINDS,
    ),
    "divided with the bare prompt's key": Wrong(
        "took k* for the direction and the bare prompt's key for the division, as the"
        " paper's code does",
        fails={"value"},
        files=after(divided_with_bare_key),
        may_fail=KINDS,
    ),
    "the first token's key": Wrong(
        "took the key at the subject's first token",
        misconception="first_subject_token",
        fails={"direction", "value"},
        files=after(edit_of("gus-first-token")),
        may_fail=KINDS,
    ),
    "fine-tuned": Wrong(
        "fine-tuned W in place of solving for it",
        fails={"direction"},
        files=after(edit_of("quin-fine-tunes")),
        may_fail=KINDS | {"value"},
    ),
    "nothing moved": Wrong(
        "handed in a change of nothing",
        misconception="nothing_changed",
        fails={"direction", "value", "original"},
        files=after(moved_by(0)),
    ),
    "hardly moved": Wrong(
        "stopped looking for v* long before it says the target",
        misconception="value_without_target",
        fails={"value", "original"},
        files=after(moved_by(0.01)),
    ),
    "a subject that begins the prompt": Wrong(
        "took a prompt whose first token is the subject, where no edit is felt",
        misconception="subject_at_start",
        fails={"original"},
        files=after(subject_first),
        may_fail=KINDS | {"value"},
    ),
    "doubled": Wrong(
        "added the change twice",
        misconception="update_doubled",
        fails={"value"},
        files=after(times(2)),
        may_fail=KINDS,
    ),
    "the wrong sign": Wrong(
        "took the residual the wrong way round",
        misconception="residual_reversed",
        fails={"value", "original"},
        files=after(times(-1)),
        may_fail=KINDS,
    ),
    "a v* of another fact": Wrong(
        "handed in v* of another fact", fails={"value"}, files=after(of_another("value"))
    ),
    "a false claim on the prompt": Wrong(
        "claimed for the prompt what was not measured",
        misconception="claim_not_measured",
        fails={"original"},
        files=after(false_claim("original", "before", 0, 0.99)),
    ),
    "a false claim on a paraphrase": Wrong(
        "claimed for a paraphrase what was not measured",
        misconception="claim_not_measured",
        fails={"paraphrase"},
        files=after(false_claim("paraphrase", "after", 1, 0.02)),
    ),
    "a false claim on a neighbor": Wrong(
        "claimed for a neighbor what was not measured",
        misconception="claim_not_measured",
        fails={"neighborhood"},
        files=after(false_claim("neighborhood", "before", 1, 0.4)),
    ),
    "a false claim on the reversion": Wrong(
        "claimed for the reversion what was not measured",
        misconception="claim_not_measured",
        fails={"reversion"},
        files=after(false_claim("reversion", "after", 1, 0.9)),
    ),
    "a false claim on portability": Wrong(
        "claimed for portability what was not measured",
        misconception="claim_not_measured",
        fails={"portability"},
        files=after(false_claim("portability", "after", 0, 0.9)),
    ),
    "a claim left out": Wrong(
        "left a neighbor that was lost out of what was measured",
        misconception="claim_not_measured",
        fails={"neighborhood"},
        files=after(lambda f: f.record["measured"].remove(f.claims("neighborhood")[1])),
    ),
    "a claim of another prompt": Wrong(
        "measured another prompt than the one handed in",
        misconception="claim_not_measured",
        fails={"reversion"},
        files=after(lambda f: f.claims("reversion")[0].update(prompt="Else")),
    ),
    "another layer": Wrong(
        "edited another layer than the one of the stored C",
        fails={"form", "known", "own"} | NEED_EDIT,
        files=after(lambda f: change(f.record, "layer", to=8)),
    ),
    "half precision": Wrong(
        "stored the change in half precision",
        fails={"form"} | NEED_EDIT,
        files=after(in_half_precision),
    ),
    "the whole matrix": Wrong(
        "handed in Ŵ - W itself, not its two factors",
        fails={"form"} | NEED_EDIT,
        files=after(whole_matrix),
    ),
}

RIGHT = {
    "as made": lambda f: None,
    "in float64": in_float64,
    "both signs turned": lambda f: f.tensors.update(
        left=-f.tensors["left"], right=-f.tensors["right"]
    ),
    "the size in the row": lambda f: f.tensors.update(
        left=f.tensors["left"] / 100, right=100 * f.tensors["right"]
    ),
    "without v*": lambda f: f.tensors.pop("value"),
    "from the SVD of a float32 change": from_svd,
    "measured a little differently": measured_differently,
}


def right() -> tuple[Solution, ...]:
    """The solutions whose files are as good as the student's."""
    return tuple(Solution(OWN_FACT, name, files=after(spoil)) for name, spoil in RIGHT.items())
