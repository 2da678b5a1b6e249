"""What is handed in beside 3_edit.ipynb: my_fact.json and my_edit.safetensors, as a member of the sample class made them, and spoilt."""

import json

import torch
from safetensors.torch import load, save

from autograder.making import sample_edits
from autograder.oracle import editing, references
from autograder.validity.solution import Solution
from keyhole.facts import fact_from, load_facts
from keyhole.moments import DEFAULT_LAYER, load_moment, load_prefixes
from keyhole.checking.own_fact import EDIT_FILE, FACT_FILE, NAME
from keyhole.values import Rewrite, ValueSettings, optimise_value

KINDS = {"original", "paraphrase", "neighborhood", "reversion", "portability"}
NEED_EDIT = {"direction", "value", *KINDS}


class Files:
    """What a student hands in, to be changed: `record` (of my_fact.json) and `tensors`; `raw` holds bytes that replace a file, None a file left out."""

    def __init__(self, student="hana-other-words", model=None):
        files = sample_edits.handed_in(student)
        self.record, self.tensors, self.raw, self.model = (
            json.loads(files[FACT_FILE]),
            load(files[EDIT_FILE]),
            {},
            model,
        )

    def contents(self):
        """{file name: bytes}"""
        files = {
            FACT_FILE: json.dumps(self.record).encode(),
            EDIT_FILE: save(self.tensors),
        } | self.raw
        return {name: content for name, content in files.items() if content is not None}

    def write(self, folder):
        for name, content in self.contents().items():
            (folder / name).write_bytes(content)
        return folder

    def claims(self, kind):
        return [entry for entry in self.record["measured"] if entry["kind"] == kind]

    def key(self, prefixes=None):
        """k* of the fact, or the key behind other `prefixes`: (d_in,), float64."""
        fact = fact_from(self.record["fact"])
        return editing.subject_key(
            self.model, DEFAULT_LAYER, fact.prompt, fact.subject, prefixes or load_prefixes()
        )

    def moved(self):
        """v* less what W gives for k*."""
        return (
            self.tensors["value"].double() - self.model.weight(DEFAULT_LAYER).double() @ self.key()
        ).float()

    def made_again(self, key, moment):
        """The change that writes the same v* for another key, or with another C."""
        left, right = editing.factors(
            self.model.weight(DEFAULT_LAYER), moment, key, self.tensors["value"]
        )
        self.tensors.update(left=left.float(), right=right.float())


def change(record, *keys, to):
    for key in keys[:-1]:
        record = record[key]
    record[keys[-1]] = to


def known_in_other_words(files):
    told = next(fact for fact in load_facts() if not fact.hidden and fact.relation == "landmark")
    subject = told.subject.upper()
    files.record["fact"] |= {
        "prompt": f"Everybody knows that the {subject} is in",
        "subject": subject,
        "target_true": told.target_true.lower(),
        "paraphrases": [f"You can visit {subject} in the city of"],
    }


def false_claim(kind, key, number, value):
    def claim(files):
        files.claims(kind)[-1][key][number] = value

    return claim


def moved_by(share):
    """A change, and a v*, that go only so far; all is told as it is."""

    def shorten(files):
        files.tensors["left"] = share * files.tensors["left"]
        files.tensors["value"] = files.tensors["value"] - (1 - share) * files.moved()
        for entry in files.record["measured"]:
            entry["after"] = entry["before"]

    return shorten


def times(factor):
    def scale(files):
        files.tensors["left"] = factor * files.tensors["left"]

    return scale


def with_centred_c(files):
    mean = references.mean_key()
    files.made_again(files.key(), load_moment().double() - torch.outer(mean, mean))


def divided_with_bare_key(files):
    direction = torch.linalg.solve(load_moment().double(), files.key())
    files.tensors["right"] = (direction / (direction @ files.key([""]))).float()


def from_svd(tensors):
    u, s, vh = torch.linalg.svd(torch.outer(tensors["left"], tensors["right"]), full_matrices=False)
    return {"left": (u[:, 0] * s[0]).contiguous(), "right": vh[0].contiguous()}


def subject_first(files):
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
    files.made_again(files.key(), load_moment())


def edit_of(student):
    """The files of another member of the class, whose method was another."""

    def exchange(files):
        other = Files(student)
        files.record, files.tensors = other.record, other.tensors

    return exchange


# What was claimed follows from what was changed, and fails with it, by however much probabilities happen to move: KINDS as cases that it may fail.
# name -> (what was misunderstood, misconception, the cases that it must lose, what is wrong[, the cases that it may lose])
WRONG = {
    "a true answer that it does not know": (
        "took a fact for known that the model does not know",
        "fact_not_known",
        {"known", "original", "paraphrase"},
        lambda f: change(f.record, "fact", "target_true", to=" Nairobi"),
        KINDS,
    ),
    "a true answer behind the new one": (
        "took a fact for known of which the model says the new answer already",
        "fact_not_known",
        {"known", "value"},
        lambda f: f.record["fact"].update(target_true=" San", target_new=" Barcelona"),
        KINDS,
    ),
    "a fact of the handout's": (
        "handed in a fact of the handout's in other words",
        "fact_of_handout",
        {"own", "known", "direction", "value"},
        known_in_other_words,
        KINDS,
    ),
    "the key of another prompt": (
        "made the change with another key",
        None,
        {"direction", "value"},
        lambda f: f.tensors.update(right=Files("pia-claims-too-much").tensors["right"]),
        KINDS,
    ),
    "C left out": (
        "left C out: took k* itself for the direction",
        "moment_omitted",
        {"direction"},
        edit_of("bo-forgets-c"),
        KINDS,
    ),
    "C centred": (
        "took the covariance of the keys for C",
        "moment_centred",
        {"direction"},
        with_centred_c,
        KINDS,
    ),
    "the bare prompt's key": (
        "left the prefixes out",
        "bare_prompt_only",
        {"direction", "value"},
        lambda f: f.made_again(f.key([""]), load_moment()),
        KINDS,
    ),
    "divided with the bare prompt's key": (
        (
            "took k* for the direction and the bare prompt's key for the division, as the paper's"
            " code does"
        ),
        None,
        {"value"},
        divided_with_bare_key,
        KINDS,
    ),
    "the first token's key": (
        "took the key at the subject's first token",
        "first_subject_token",
        {"direction", "value"},
        edit_of("gus-first-token"),
        KINDS,
    ),
    "fine-tuned": (
        "fine-tuned W in place of solving for it",
        None,
        {"direction"},
        edit_of("quin-fine-tunes"),
        KINDS | {"value"},
    ),
    "nothing moved": (
        "handed in a change of nothing",
        "nothing_changed",
        {"direction", "value", "original"},
        moved_by(0),
    ),
    "hardly moved": (
        "stopped looking for v* long before it says the target",
        "value_without_target",
        {"value", "original"},
        moved_by(0.01),
    ),
    "a subject that begins the prompt": (
        "took a prompt whose first token is the subject, where no edit is felt",
        "subject_at_start",
        {"original"},
        subject_first,
        KINDS | {"value"},
    ),
    "doubled": ("added the change twice", "update_doubled", {"value"}, times(2), KINDS),
    "the wrong sign": (
        "took the residual the wrong way round",
        "residual_reversed",
        {"value", "original"},
        times(-1),
        KINDS,
    ),
    "a v* of another fact": (
        "handed in v* of another fact",
        None,
        {"value"},
        lambda f: f.tensors.update(value=Files("pia-claims-too-much").tensors["value"]),
    ),
    "a false claim on the prompt": (
        "claimed for the prompt what was not measured",
        "claim_not_measured",
        {"original"},
        false_claim("original", "before", 0, 0.99),
    ),
    "a false claim on a paraphrase": (
        "claimed for a paraphrase what was not measured",
        "claim_not_measured",
        {"paraphrase"},
        false_claim("paraphrase", "after", 1, 0.02),
    ),
    "a false claim on a neighbor": (
        "claimed for a neighbor what was not measured",
        "claim_not_measured",
        {"neighborhood"},
        false_claim("neighborhood", "before", 1, 0.4),
    ),
    "a false claim on the reversion": (
        "claimed for the reversion what was not measured",
        "claim_not_measured",
        {"reversion"},
        false_claim("reversion", "after", 1, 0.9),
    ),
    "a false claim on portability": (
        "claimed for portability what was not measured",
        "claim_not_measured",
        {"portability"},
        false_claim("portability", "after", 0, 0.9),
    ),
    "a claim left out": (
        "left a neighbor that was lost out of what was measured",
        "claim_not_measured",
        {"neighborhood"},
        lambda f: f.record["measured"].remove(f.claims("neighborhood")[1]),
    ),
    "a claim of another prompt": (
        "measured another prompt than the one handed in",
        "claim_not_measured",
        {"reversion"},
        lambda f: f.claims("reversion")[0].update(prompt="Else"),
    ),
    "another layer": (
        "edited another layer than the one of the stored C",
        None,
        {"form", "known", "own"} | NEED_EDIT,
        lambda f: change(f.record, "layer", to=8),
    ),
    "half precision": (
        "stored the change in half precision",
        None,
        {"form"} | NEED_EDIT,
        lambda f: f.raw.update(
            {EDIT_FILE: save({name: tensor.half() for name, tensor in f.tensors.items()})}
        ),
    ),
    "the whole matrix": (
        "handed in Ŵ - W itself, not its two factors",
        None,
        {"form"} | NEED_EDIT,
        lambda f: f.raw.update(
            {
                EDIT_FILE: save(
                    {"change": torch.outer(f.tensors["left"], f.tensors["right"])[:100].clone()}
                )
            }
        ),
    ),
}
RIGHT = {
    "as made": lambda f: None,
    "in float64": lambda f: f.tensors.update(
        {name: tensor.double() for name, tensor in f.tensors.items()}
    ),
    "both signs turned": lambda f: f.tensors.update(
        left=-f.tensors["left"], right=-f.tensors["right"]
    ),
    "the size in the row": lambda f: f.tensors.update(
        left=f.tensors["left"] / 100, right=100 * f.tensors["right"]
    ),
    "without v*": lambda f: f.tensors.pop("value"),
    "from the SVD of a float32 change": lambda f: f.tensors.update(from_svd(f.tensors)),
    "measured a little differently": lambda f: [
        entry["after"].__setitem__(0, min(entry["after"][0] + 0.005, 1))
        for entry in f.record["measured"]
    ],
}


def handed_in(spoil):
    """model -> the files after `spoil` has been at them."""

    def files(model):
        made = Files(model=model)
        spoil(made)
        return made.contents()

    return files


def wrong():
    return tuple(
        Solution(
            NAME,
            name,
            files=handed_in(spoil),
            mistake=mistake,
            misconception=misconception,
            fails=frozenset(fails),
            may_fail=frozenset(*may),
        )
        for name, (mistake, misconception, fails, spoil, *may) in WRONG.items()
    )


def right():
    return tuple(Solution(NAME, name, files=handed_in(spoil)) for name, spoil in RIGHT.items())
