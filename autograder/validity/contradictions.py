"""Whether what a student reads of one function contradicts itself.

The check reads the words of a page or a card, as a student does, and knows nothing of how they came
there. It finds the diagnoses in them by the tables of keyhole/messages. One function may be told
one diagnosis; what else may stand beside it is written in keyhole/checking/diagnosis.py. So a
misconception that is told twice with other details counts, too.
"""

import re
from dataclasses import dataclass
from functools import cache
from html import unescape
from itertools import combinations

from autograder.pages.feedback import Card, Totals, feedback_page
from autograder.result import Result
from keyhole.checking.diagnosis import compatible
from keyhole.messages import LANGUAGES, language

TABLES = ("MISCONCEPTIONS", "SYMPTOMS")
NO_TOTALS = Totals(0, 0, 0, 0, 0, 0, 0, 0)
STYLE, TAG, GAP = re.compile(r"<(style|script).*?</\1>", re.S), re.compile("<[^>]*>"), "{[^}]*}"


@dataclass(frozen=True)
class Diagnosis:
    """What a text says is wrong: a name in the tables, and the words as they stand there."""

    name: str
    words: str


def contradictions(text: str) -> list[tuple[Diagnosis, Diagnosis]]:
    """The pairs of diagnoses in `text`, said of one function, that do not go together."""
    return [
        (one, other)
        for one, other in combinations(diagnoses(text), 2)
        if not compatible(one.name, other.name)
    ]


def diagnoses(text: str) -> list[Diagnosis]:
    """The diagnoses that stand in a text, each once, in the language spoken.

    Where the words of several would do, those with the most letters of their own count: a short one
    with a gap fits into longer ones.
    """
    text, taken, found = plain(text), [], {}
    for sentence in _remarks(language()):
        text = text.replace(sentence, "")
    for name, pattern in _patterns(language()):
        for match in pattern.finditer(text):
            start, stop = match.span()
            if all(stop <= first or last <= start for first, last in taken):
                taken.append((start, stop))
                found[start] = Diagnosis(name, match[0])
    return list(dict.fromkeys(found[start] for start in sorted(found)))


@cache
def _remarks(language: str) -> list[str]:
    """Whole sentences that are no diagnoses, such as "It is not a fact of the handout."."""
    every = map(plain, LANGUAGES[language].FEEDBACK.values())
    return [words for words in every if not re.search(GAP, words)]


@cache
def _patterns(language: str) -> list[tuple[str, re.Pattern]]:
    """(name, its words with anything in the gaps), those with most letters of their own first."""
    every = {}
    for table in TABLES:
        for name, sentence in getattr(LANGUAGES[language], table).items():
            parts = [re.escape(part) for part in re.split(GAP, plain(sentence))]
            # A gap at the beginning starts with the sentence, and one at the end holds a sentence.
            first, *others = parts
            words = "(.+?)".join(parts if first else others)
            start = "" if first else r"[^\s.。：:][^.。：:]*?"
            end = "" if parts[-1] else r"[.。](?!\d)"
            every[name] = sum(map(len, parts)), re.compile(start + words + end)
    return [(name, every[name][1]) for name in sorted(every, key=lambda each: -every[each][0])]


def plain(text: str) -> str:
    """A text without the signs that pages and cards make of backquotes, on one line."""
    return " ".join(text.replace("`", "").split())


def on_page(result: Result) -> str:
    """What the feedback page on a submission of one function says."""
    [(name, notebook)] = {(test.function, test.notebook) for test in result.tests}
    points = sum(test.points for test in result.tests)
    most = sum(test.max_points for test in result.tests)
    page = feedback_page(result, [Card(name, notebook, points, most, result.tests)], NO_TOTALS)
    return unescape(TAG.sub(" ", re.sub("</?code>", "", STYLE.sub(" ", page))))
