"""A prompt and what it is about, checked before any work."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from keyhole.editable import EditableModel
from keyhole.errors import KeyholeError
from keyhole.messages import Remark, problem
from keyhole.text import ordinary, places
from lecture.messages import sentence

MOST_TOKENS, MOST_TARGET_TOKENS = 40, 10
FIRST = 3  # answers that are shown


class Said(NamedTuple):
    """A next token, and how probable the model takes it to be."""

    text: str
    probability: float


@dataclass(frozen=True)
class Located:
    """A prompt whose subject was found."""

    prompt: str  # without the blanks around it
    subject: str
    places: tuple[tuple[int, int], ...]  # letters [start, stop) of every occurrence
    place: tuple[int, int]  # of the one that is meant
    tokens: tuple[str, ...]  # of the prompt
    span: tuple[int, int]  # the subject's tokens [start, stop)
    first: tuple[Said, ...]  # the model's first three answers
    remarks: tuple[Remark, ...]  # what should be said of it


def top(model: EditableModel, distribution: Tensor, count: int) -> tuple[Said, ...]:
    """The most probable tokens of a distribution (V,)."""
    values, tokens = distribution.topk(count)
    return tuple(
        Said(model.tokenizer.decode([token]), value)
        for value, token in zip(values.tolist(), tokens.tolist())
    )


def cleaned(text: str, otherwise: str) -> str:
    """A text as a keyboard would give it, without the blanks around it.

    Raises KeyholeError, named `otherwise`, where nothing is left.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise KeyholeError(problem("no_utf8", text=text)) from None
    text = ordinary(text).strip()
    if not text:
        raise KeyholeError(sentence(otherwise))
    return text


def tokens_of(model: EditableModel, prompt: str) -> list[int]:
    """The tokens of a prompt. Raises KeyholeError where there are too many."""
    [tokens] = model.encode([prompt])
    if len(tokens) > MOST_TOKENS:
        raise KeyholeError(sentence("prompt_long", count=len(tokens), most=MOST_TOKENS))
    return tokens


@torch.no_grad()
def locate(model: EditableModel, prompt: str, subject: str, occurrence: int = -1) -> Located:
    """Find the subject in the prompt; `occurrence` chooses among several, as a list index.

    Raises KeyholeError where either is empty, the prompt is too long, or the subject is not in it.
    """
    found = find(model, prompt, subject, occurrence)
    [distribution] = model.next_token_probabilities([found.prompt])
    return replace(found, first=top(model, distribution, FIRST))


def find(model: EditableModel, prompt: str, subject: str, occurrence: int = -1) -> Located:
    """The same without the model's answers, and without running it."""
    given, prompt = prompt, cleaned(prompt, "empty_prompt")
    subject = cleaned(subject, "empty_subject")
    ids = tokens_of(model, prompt)
    span = model.subject_slice(prompt, subject, occurrence)
    found = tuple((start, start + len(subject)) for start in places(prompt, subject))
    remarks = []
    if given.endswith(" "):
        remarks.append(sentence("blank_left_out"))
    if len(found) > 1:
        number = occurrence % len(found) + 1
        remarks.append(
            sentence("occurrence_taken", subject=subject, count=len(found), number=number)
        )
    return Located(
        prompt,
        subject,
        found,
        found[occurrence],
        tuple(model.tokenizer.decode([token]) for token in ids),
        (span.start, span.stop),
        (),
        tuple(remarks),
    )


def check_number(name: str, got: float, least: float, most: float) -> None:
    """Raises KeyholeError where a number is outside its limits; `name` is a sentence's."""
    if not least <= got <= most:
        raise KeyholeError(
            sentence("out_of_range", what=sentence(name), least=least, most=most, got=got)
        )


def check_choice(choice: str, known: tuple[str, ...]) -> None:
    """Raises KeyholeError for a choice that there is not."""
    if choice not in known:
        raise KeyholeError(sentence("no_choice", choice=choice, known=", ".join(known)))
