"""What only the staff's side says: titles of hidden tests, and what became of a process.

One module for each language. keyhole/messages holds everything else, and the language that is
spoken.
"""

from autograder.messages import en, zh_tw
from keyhole.messages import Remark, check_title, language

LANGUAGES = {"en": en, "zh-TW": zh_tw}


def sentence(name: str, /, **details: object) -> Remark:
    """A remark of the grader's."""
    return Remark(name, details, "SENTENCES", LANGUAGES)


def failure(code: str, detail: object = "") -> Remark:
    """What became of a function that gave nothing to grade, by the codes of sandbox/failures.py.

    Its subject is the function.
    """
    return Remark(code, {"detail": detail}, "FAILURES", LANGUAGES)


def title(test_id: str) -> str:
    """What a hidden test is about, in words.

    One that asks the same as a public check of its name has that check's title.
    """
    own = LANGUAGES[language()].TITLES
    return own[test_id] if test_id in own else check_title(test_id)


def question(name: str) -> str:
    """What a written question is about, by the id of its cell.

    One that a course has added is called by its id.
    """
    own = LANGUAGES[language()].QUESTIONS
    return own.get(name) or name.removeprefix("written_").replace("_", " ")


def sign(verdict: str) -> str:
    """A verdict as the feedback pages show it."""
    return LANGUAGES[language()].SIGNS[verdict]


def on_page(name: str, /, **details: object) -> str:
    """Words of the report on a class, or of a student's page."""
    return str(Remark(name, details, "PAGES", LANGUAGES))
