"""Every sentence that a student may read, in one place and in every language of the course.

Each language is a module of tables: a table maps the name of a sentence to its words, with gaps.
Inside the code a sentence is a `Remark`: its name, and what fills its gaps. It becomes words only
where it is shown, so no code reads or cuts words.

A process speaks one language: that of `use`, else that of the environment variable KEYHOLE_LANG,
else English. What students must not have (the titles of hidden tests) stands in
autograder/messages, which uses the functions of this module. This module imports nothing else of
keyhole.
"""

import importlib
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType

from keyhole.messages import en, hints_en, hints_zh_tw, zh_tw

LANGUAGES = {"en": en, "zh-TW": zh_tw}
HINTS = {"en": hints_en.HINTS, "zh-TW": hints_zh_tw.HINTS}  # blank -> words of its hint
_spoken = "en"


@dataclass(frozen=True)
class Remark:
    """One thing to say: the name of a sentence in a table, and what fills its gaps.

    `str` gives the words.

    A detail may be a Remark itself. Two remarks are equal when they say the same, whatever language
    is spoken.
    """

    code: str
    details: Mapping[str, object] = field(default_factory=dict)
    table: str = "FEEDBACK"
    languages: Mapping[str, ModuleType] = field(
        default_factory=lambda: LANGUAGES, compare=False, repr=False
    )

    def __post_init__(self):
        getattr(self.languages["en"], self.table)[self.code]  # an unknown name fails here

    def __str__(self) -> str:
        words = getattr(self.languages[_spoken], self.table)[self.code]
        return words.format(**self.details)

    def __hash__(self) -> int:
        return hash((self.table, self.code))

    def __reduce__(self) -> tuple:
        """By name, since modules cannot be pickled: a remark may go to another process."""
        room = self.languages["en"].__name__.rpartition(".")[0]
        return _unpickled, (self.code, dict(self.details), self.table, room)


def _unpickled(code: str, details: dict, table: str, room: str) -> Remark:
    return Remark(code, details, table, importlib.import_module(room).LANGUAGES)


@dataclass(frozen=True)
class Listing:
    """Names in a sentence. `str` gives "a, b and c", as the language spoken puts it."""

    names: tuple[object, ...]
    more: bool = False  # that there are more of them is shown by dots

    def __str__(self) -> str:
        words, names = LANGUAGES[_spoken], [str(name) for name in self.names]
        # A Chinese word may bring blanks that part it from its neighbours: none beside a comma.
        names[1:] = [name.lstrip() for name in names[1:]]
        *most, last = [name.rstrip() for name in names[:-1]] + names[-1:]
        text = words.AND.join(filter(None, [words.COMMA.join(most), last]))
        return f"{text} …" if self.more else text


def use(language: str) -> None:
    """Speak `language` from now on: "en" or "zh-TW". Raises ValueError for another."""
    global _spoken
    if language not in LANGUAGES:
        raise ValueError(f"there is no language {language!r}; there are {', '.join(LANGUAGES)}.")
    _spoken = language


def language() -> str:
    """The language that this process speaks."""
    return _spoken


# ---------------------------------------------------------------- remarks


def misconception(name: str, /, **details: object) -> Remark:
    """What was probably misunderstood."""
    return Remark(name, details, "MISCONCEPTIONS")


def feedback(name: str, /, **details: object) -> Remark:
    """Any other remark on an answer."""
    return Remark(name, details, "FEEDBACK")


def problem(name: str, /, **details: object) -> Remark:
    """What a KeyholeError says: why something that was asked for cannot be done."""
    return Remark(name, details, "PROBLEMS")


def word(name: str, /, **details: object) -> Remark:
    """Something that fills the gap of another remark, as the name of a result does."""
    return Remark(name, details, "WORDS")


def percent(share: float) -> str | Remark:
    """A share as a person would say it: '31 %', '0.02 %', '1200 %', 'more than 100,000 %'."""
    if share > 1000:
        return word("many_times")
    if share >= 10:  # in few digits, as the others: more would tell what is right
        return word("times", count=float(f"{share:.2g}"))
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def listed(names: Iterable[object], more: bool = False) -> Listing:
    """Names as one detail of a remark: "a, b and c", and with `more` dots behind them."""
    return Listing(tuple(names), more)


# ---------------------------------------------------------------- words, for what is shown


def shown(name: str, /, **details: object) -> str:
    """What a command prints."""
    return str(Remark(name, details, "SHOWN"))


def check_title(name: str, language: str | None = None) -> str:
    """What a public check is about, in words; `name` is "<graded function>.<case>"."""
    return LANGUAGES[language or _spoken].CHECKS[name]


def hinted(blank: str) -> tuple[str, ...] | None:
    """The hint on a blank: the idea, what to use, and what stands in each gap of the skeleton.

    None where there is none.
    """
    return HINTS[_spoken].get(blank)


def hinted_blanks() -> list[str]:
    """The names of the blanks on which there are hints, in the order of the notebooks."""
    return list(HINTS["en"])


def pictured(name: str, language: str, /, **details: object) -> str:
    """What stands in a picture. A name without words, as an editor may have, stays as it is."""
    words = LANGUAGES[language].PICTURES.get(name)
    return words.format(**details) if words else name


def sentences(*parts: object) -> str:
    """Remarks or sentences one after the other, without the empty ones.

    Chinese has no space between them.
    """
    return LANGUAGES[_spoken].BETWEEN.join(str(part) for part in parts if part)


def clauses(*parts: object) -> str:
    """Parts of one line, without the empty ones."""
    return LANGUAGES[_spoken].SEMICOLON.join(str(part) for part in parts if part)


def opened(said: object) -> str:
    """A remark or sentence with a capital at its beginning.

    A name or a Greek letter that begins it stays as it is.
    """
    text = str(said)
    word = text.split(" ", 1)[0]
    capital = LANGUAGES[_spoken].CAPITALS and word.isalpha() and word.isascii()
    return text[0].upper() + text[1:] if capital else text


def titled(title: object, said: object) -> str:
    """A remark or sentence under its title; without a title, as it is."""
    return f"{title}{LANGUAGES[_spoken].COLON}{said}" if title else str(said)


try:
    use(os.environ.get("KEYHOLE_LANG") or "en")
except ValueError as unknown:
    warnings.warn(f"KEYHOLE_LANG: {unknown}", stacklevel=2)
