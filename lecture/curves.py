"""The third tab: how editors compare as edits grow in number, from stored measurements.

data/curves.json has the editors of many facts at once; lecture/data/curves.json what the lecture
adds. An editor that is added to the first one is shown without any change here.
"""

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from keyhole import many
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
EDITORS = {  # the same for its editors
    "ROME, one after the other": "rome",
    "MEMIT": "memit",
    "MEMIT over layers 3 to 5": "memit-layers",
}


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
    stored = many.load_curves()
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
            tuple(_curve(editor, changes, points) for editor, changes in editors.items()),
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
