"""The third tab: how editors compare as edits grow in number, from stored measurements.

data/curves.json has the editors of many facts at once; lecture/data/curves.json what the lecture
adds; data/editors.json those that are learned. An editor that is added to the first one is shown
without any change here.
"""

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from keyhole import learned, many
from keyhole.errors import KeyholeError
from keyhole.text import one_line
from lecture.messages import en, everywhere, sentence
from lecture.moments import DATA

CURVES = DATA / "curves.json"
UNITS = {"perplexity": "times", "seconds": "seconds"}  # all other measures are shares
OURS = {  # the measures of data/curves.json, as they are called here
    "S": "score",
    "original": "efficacy",
    "paraphrase": "paraphrase",
    "neighborhood": "neighborhood",
    "S said": "score_generated",
    "original said": "efficacy_generated",
    "paraphrase said": "paraphrase_generated",
    "neighborhood said": "neighborhood_generated",
    "perplexity": "perplexity",
}
LEARNED_BY = {its: ours for its, ours in OURS.items() if its != "perplexity"}
EDITORS = {  # the same for its editors
    "ROME, one after the other": "rome",
    "MEMIT": "memit",
    "MEMIT over layers 3 to 5": "memit-layers",
}
LEARNED = {  # those of data/editors.json
    "one step": "one-step",
    "a rate for each row": "row-rates",
    "a rate for each weight": "weight-rates",
    "a gate": "gate",
    "MEND": "mend",
}
AT_ONCE = {"unseen subjects": 1, "five at once": 5, "ten at once": 10, "twenty at once": 20}


@dataclass(frozen=True)
class CurvePoint:
    """What was measured after so many edits, by the measures' names."""

    edits: int
    values: dict[str, float]


@dataclass(frozen=True)
class Curve:
    """One editor."""

    editor: str
    title: dict[str, str]  # by language
    note: dict[str, str]  # the same; what must be said of this editor
    changes_weights: bool
    points: tuple[CurvePoint, ...]
    # What was measured on one fact of a relation that was not trained on; of learned editors alone.
    elsewhere: dict[str, float] | None = None

    @property
    def learned(self) -> bool:
        """Was the editor trained, or is it what trained ones have to beat?"""
        return self.elsewhere is not None


@dataclass(frozen=True)
class Measure:
    """By what editors are compared."""

    name: str
    title: dict[str, str]  # by language
    unit: str  # "share" in [0, 1], "times" that of the unedited model, or "seconds"
    better: str  # "high" or "low"
    unedited: float | None  # of the model without any edit, where it was measured


@dataclass(frozen=True)
class Curves:
    """All that is stored."""

    model: str
    layer: int
    facts: int
    seed: int
    numbers: tuple[int, ...]  # of edits
    measures: tuple[Measure, ...]
    curves: tuple[Curve, ...]


def load_curves(path: Path = CURVES) -> Curves:
    """The stored measurements. Raises KeyholeError where they are missing or damaged.

    Perplexity is given as a multiple of the unedited model's on the same text: the two files were
    measured on different ones.
    """
    stored, (_, trained) = many.load_curves(), learned.load_editors()
    with _readable(path):
        record = json.loads(path.read_text(encoding="utf-8"))
        editors = {each["editor"]: each["changes_weights"] for each in record["curves"]}
        points: dict[tuple[str, int], dict[str, float]] = {}
        for editor, edits, values in [*_added(record), *_of_the_kit(stored)]:
            points.setdefault((editor, edits), {}).update(values)
            editors.setdefault(editor, True)
        names = dict.fromkeys(
            [*OURS.values()] + [name for each in points.values() for name in each]
        )
        unedited = record["unedited"] | {"perplexity": 1.0}
        return Curves(
            stored["model"],
            stored["layer"],
            len(stored["facts"]),
            stored["seed"],
            tuple(sorted({edits for _, edits in points})),
            tuple(_measure(name, unedited) for name in names),
            tuple(_curve(editor, changes, points) for editor, changes in editors.items())
            + tuple(_learned(editor, name, trained["across"]) for editor, name in LEARNED.items()),
        )


def _added(record):
    """(editor, edits, values) of lecture/data/curves.json."""
    for curve in record["curves"]:
        for point in curve["points"]:
            values = dict(point["values"])
            if "perplexity" in values:
                values["perplexity"] /= record["unedited"]["perplexity"]
            yield curve["editor"], point["edits"], values


def _of_the_kit(stored):
    """The same of data/curves.json, whose values are pairs of a mean and a deviation."""
    for editor, points in stored["many edits"].items():
        for point in points:
            values = {
                OURS[name]: mean for name, (mean, _) in point["values"].items() if name in OURS
            }
            values["perplexity"] /= stored["unedited"]["perplexity"]
            yield EDITORS.get(editor, editor), point["edits"], values


def _learned(editor, name, runs):
    """An editor of data/editors.json: means over the seeds, of subjects that are new to it."""

    def mean(test):
        measured = [run[editor]["tests"][test] for run in runs]
        return {ours: fmean(each[its] for each in measured) for its, ours in LEARNED_BY.items()}

    points = [CurvePoint(edits, mean(test)) for test, edits in AT_ONCE.items()]
    titles = everywhere("EDITORS", name), everywhere("NOTES", name)
    return Curve(name, *titles, True, tuple(points), mean("unseen relations"))


def _curve(editor, changes_weights, points):
    return Curve(
        editor,
        everywhere("EDITORS", editor),
        everywhere("NOTES", editor) if editor in en.NOTES else {},
        changes_weights,
        tuple(
            CurvePoint(edits, values)
            for (name, edits), values in sorted(points.items())
            if name == editor
        ),
    )


def _measure(name, unedited):
    unit = UNITS.get(name, "share")
    better = "high" if unit == "share" else "low"
    return Measure(name, everywhere("MEASURES", name), unit, better, unedited.get(name))


@contextmanager
def _readable(path):
    """Turns what reading a file raises into one sentence."""
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise KeyholeError(
            sentence("file_unreadable", path=path, error=one_line(error, 120))
        ) from None
