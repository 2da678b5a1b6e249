"""What only the staff's side says: the titles of the hidden tests, and what became of a student's process. A module for each language.

keyhole/messages holds all the rest, and the language that is spoken.
"""

from autograder.messages import en, zh_tw
from keyhole.messages import filled, language

LANGUAGES = {"en": en, "zh-TW": zh_tw}


def title(test_id: str) -> str:
    """What a hidden test is about, in words."""
    return LANGUAGES[language()].TITLES[test_id]


def sentence(name: str, /, **details) -> str:
    """A sentence of the grader's, filled in."""
    return filled(LANGUAGES, "SENTENCES", name, details)


def failure(code: str, detail: str = "") -> str:
    """What became of a function that gave nothing to grade, by the codes of sandbox/failures.py: its subject is the function."""
    return filled(LANGUAGES, "FAILURES", code, {"detail": detail})


def sign(verdict: str) -> str:
    """A verdict as the feedback pages show it."""
    return LANGUAGES[language()].SIGNS[verdict]
