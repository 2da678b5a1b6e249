"""The challenge as the grader scores it: hidden probes and hidden text, points for baselines.

Nothing that is handed in for it is run: the grader applies a change of weights to its own model.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from statistics import harmonic_mean

import torch
from safetensors.torch import load_file

from autograder.messages import sentence
from autograder.result import Bonus
from keyhole.checking.challenge import (
    BASELINES,
    PERPLEXITY_RISE,
    EditsScore,
    Scoring,
    challenge_facts,
    passed,
    read_edits,
)
from keyhole.errors import KeyholeError
from keyhole.facts import Fact
from keyhole.messages import Remark, listed, opened, sentences
from keyhole.models import EditableModel

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
PROBES_FILE, TEXT_FILE = REFERENCE / "challenge.json", REFERENCE / "challenge_text.safetensors"
POINTS = {"simple": 1, "medium": 1, "strong": 1, "boss": 2}  # beyond the course's 100


def hidden_facts() -> tuple[Fact, ...]:
    """The 40 given facts with hidden paraphrases and neighbors in the place of the public ones."""
    hidden = {entry["id"]: entry for entry in stored()["facts"]}
    return tuple(
        replace(
            fact,
            paraphrases=tuple(hidden[fact.id]["paraphrases"]),
            neighbors=tuple(
                (each["prompt"], each["answer"]) for each in hidden[fact.id]["neighbors"]
            ),
        )
        for fact in challenge_facts()
    )


def hidden_text() -> torch.Tensor:
    """Token ids (sequences, tokens) that no student has."""
    return load_file(TEXT_FILE)["ids"].long()


@cache
def stored() -> dict:
    """autograder/reference/challenge.json: the hidden probes, and what each baseline scores."""
    return json.loads(PROBES_FILE.read_text(encoding="utf-8"))


def hidden_scoring(model: EditableModel) -> Scoring:
    """What scores every submission of a batch; it holds the probes' first states."""
    return Scoring(model, hidden_facts(), hidden_text())


def s_of(score: EditsScore) -> float:
    """S in [0, 1], by generation."""
    return harmonic_mean(score.shares)


def baselines() -> Mapping[str, float]:
    """S of each baseline on the hidden probes, the simplest first."""
    return {name: stored()["baselines"][name]["S"] for name in BASELINES}


def bonus(path: Path, model: EditableModel, scoring: Callable[[], Scoring], name: str) -> Bonus:
    """What a file that was handed in gives. `name`: the student's on the board.

    `scoring` is asked for once the file is known to be one. A file that cannot be used gives no
    points, and one sentence says why.
    """
    most = float(sum(POINTS.values()))
    try:
        edits = read_edits(path, model)
    except KeyholeError as error:
        return Bonus(0.0, most, str(opened(error)), name)
    score = scoring().of(edits)
    reached = tuple(passed(s_of(score), baselines())) if score.keeps_text else ()
    measured = {"S": s_of(score), **asdict(score)}
    return Bonus(
        points=float(sum(POINTS[each] for each in reached)),
        max_points=most,
        message=sentences(*said(score, reached)),
        pseudonym=name,
        passed=reached,
        measured={
            key: round(value, 4) if math.isfinite(value) else None
            for key, value in measured.items()
        },
    )


def said(score: EditsScore, reached: Sequence[str]) -> Iterator[Remark]:
    """What a student is told of the change: it tells no hidden probe."""
    efficacy, paraphrase, neighborhood = (f"{100 * share:.1f}" for share in score.shares)
    yield sentence(
        "challenge_measured",
        S=f"{100 * s_of(score):.1f}",
        efficacy=efficacy,
        paraphrase=paraphrase,
        neighborhood=neighborhood,
        size=f"{score.size:.2f}",
        before=f"{score.perplexity_before:.1f}",
        after=f"{score.perplexity:.1f}",
    )
    if not score.keeps_text:
        yield sentence("challenge_text", percent=round(100 * (PERPLEXITY_RISE - 1)))
    elif reached:
        names = listed(sentence(f"baseline_{name}") for name in reached)
        yield sentence("challenge_passed", names=names)
    else:
        yield sentence("challenge_none")
