"""In-context editing: a text that tells the model of a new fact, and shows it how to use one.

No weight changes. (IKE: Zheng et al. 2023; the lecture's first method)
"""

from collections.abc import Iterable, Sequence

from keyhole.fact_files import Record
from keyhole.facts import Fact

# The kinds of demonstration: the question is the new fact itself, the same in other words, or
# about something else, whose answer stays.
COPY, UPDATE, RETAIN = 0, 1, 2
# How a new fact is told, and how a question about it is asked.
WORDINGS = (
    ("New fact: {fact}.\n", "Prompt: "),
    ("Imagine that {fact}.\n", "Then "),
    ("{fact}.\n", ""),
)


def told(fact: Fact | Record, wording: int = 0) -> str:
    """The text that tells of a fact: what stands before a question about it."""
    tell, ask = WORDINGS[wording]
    return tell.format(fact=fact.prompt + fact.target_new) + ask


def demonstration(example: Fact | Record, kind: int, fact: Fact | Record, wording: int = 0) -> str:
    """The text that shows with `example` how a new fact is used; `fact` is the one asked about.

    A neighbor that names the subject of `fact` would give its old answer away, and is not used.
    """
    if kind == COPY:
        question, answer = example.prompt, example.target_new
    elif kind == UPDATE:
        question, answer = example.paraphrases[0], example.target_new
    else:
        others = [each for each in example.neighbors if fact.subject not in each[0]]
        question, answer = (others or example.neighbors)[0]
    return f"{told(example, wording)}{question}{answer}.\n\n"


def context(
    fact: Fact | Record,
    examples: Sequence[Fact | Record],
    rows: Iterable[Sequence[int]],
    wording: int = 0,
) -> str:
    """What stands before a question about `fact`: demonstrations, and the new fact itself.

    rows: (example, kind) for each demonstration, in the order of the text.
    """
    shown = [demonstration(examples[number], kind, fact, wording) for number, kind in rows]
    return "".join(shown) + told(fact, wording)
