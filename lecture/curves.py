"""The third tab: how editors compare as edits grow in number, from stored measurements."""

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from keyhole.errors import KeyholeError
from keyhole.text import one_line
from lecture.messages import everywhere, sentence
from lecture.moments import DATA

CURVES, TEXT = DATA / "curves.json", DATA / "fresh_text.safetensors"
UNITS = {"perplexity": "perplexity", "seconds": "seconds"}  # all other measures are shares


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
    unit: str  # "share" in [0, 1], "perplexity" or "seconds"
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
    """The stored measurements. Raises KeyholeError where they are missing or damaged."""
    with _readable(path):
        record = json.loads(path.read_text(encoding="utf-8"))
        curves = tuple(
            Curve(
                each["editor"],
                everywhere("EDITORS", each["editor"]),
                everywhere("NOTES", each["editor"]),
                each["changes_weights"],
                tuple(CurvePoint(point["edits"], point["values"]) for point in each["points"]),
            )
            for each in record["curves"]
        )
        names = dict.fromkeys(
            name for each in curves for point in each.points for name in point.values
        )
        return Curves(
            record["model"],
            record["layer"],
            record["facts"],
            record["seed"],
            tuple(sorted({point.edits for each in curves for point in each.points})),
            tuple(_measure(name, record["unedited"]) for name in names),
            curves,
        )


def _measure(name, unedited):
    unit = UNITS.get(name, "share")
    better = "high" if unit == "share" else "low"
    return Measure(name, everywhere("MEASURES", name), unit, better, unedited.get(name))


def fresh_text() -> Tensor:
    """Text of the unedited model that C was not made of: token ids (sequences, tokens), int64.

    Raises KeyholeError where it is missing or damaged.
    """
    with _readable(TEXT):
        return load_file(TEXT)["ids"].long()


@contextmanager
def _readable(path):
    """Turns what reading a file raises into one sentence."""
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
        raise KeyholeError(
            sentence("file_unreadable", path=path, error=one_line(error, 120))
        ) from None
