"""Every sentence that a student may read, in one place and in every language of the course, one module each.

The public checks and the hidden tests use the same words. A process speaks one language: that of `use`, else that of the environment
variable KEYHOLE_LANG, else English. What students must not have (the titles of hidden tests) stands in autograder/messages, which
speaks by the functions of this module.
"""

import os
import warnings

from keyhole.errors import KeyholeError
from keyhole.messages import en, zh_tw

LANGUAGES = {"en": en, "zh-TW": zh_tw}
NAMED = (
    "what",
    "when",
)  # gaps that the code fills with a word of its own, which `WORDS` may translate; the others are left as they come
_spoken = "en"


def use(language):
    """Speak `language` from now on: "en" or "zh-TW". Raises KeyholeError for another."""
    global _spoken
    if language not in LANGUAGES:
        raise KeyholeError(f"there is no language {language!r}; there are {', '.join(LANGUAGES)}.")
    _spoken = language


def language():
    """The language that this process speaks."""
    return _spoken


def misconception(name, /, **details):
    """The sentence for a misconception."""
    return filled(LANGUAGES, "MISCONCEPTIONS", name, details)


def explanation(name):
    """The sentence for a misconception as it stands, with its gaps; nothing for none."""
    return LANGUAGES[_spoken].MISCONCEPTIONS.get(name, "")


def feedback(name, /, **details):
    """One of the other sentences on an answer, filled in."""
    return filled(LANGUAGES, "FEEDBACK", name, details)


def problem(name, /, **details):
    """The sentence of a KeyholeError, which says why something that was asked for cannot be done."""
    return filled(LANGUAGES, "PROBLEMS", name, details)


def shown(name, /, **details):
    """What a command prints."""
    return filled(LANGUAGES, "SHOWN", name, details)


def check_title(name):
    """What a public check is about, in words; `name` is "<graded function>.<case>"."""
    return LANGUAGES[_spoken].CHECKS[name]


def percent(share):
    """A share as a person would say it: '31 %', '0.02 %', '1200 %', 'more than 100,000 %'."""
    if share > 1000:
        return LANGUAGES[_spoken].MANY_TIMES
    if share >= 10:
        return LANGUAGES[_spoken].TIMES.format(
            float(f"{share:.2g}")
        )  # in few digits, as the others: more would tell what is right
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def sentences(*parts):
    """Sentences one after the other, those that are there: Chinese has no space between them."""
    return LANGUAGES[_spoken].BETWEEN.join(filter(None, parts))


def clauses(*parts):
    """Parts of one line, those that are there."""
    return LANGUAGES[_spoken].SEMICOLON.join(filter(None, parts))


def opened(message):
    """A sentence that begins as one does: with a capital, unless a name begins it, which stays as it is."""
    first = message.split(" ", 1)[0]
    return (
        message[0].upper() + message[1:]
        if LANGUAGES[_spoken].CAPITALS and first.isalpha()
        else message
    )


def titled(title, message):
    """A message under its title; without one, as it is."""
    return f"{title}{LANGUAGES[_spoken].COLON}{message}" if title else message


def listed(names):
    """Names in a sentence: "a, b and c"."""
    *most, last = names
    return LANGUAGES[_spoken].AND.join(filter(None, [LANGUAGES[_spoken].COMMA.join(most), last]))


def filled(languages, table, name, details):
    """The sentence `name` of a `table` in `languages` (language -> module), in the language spoken, its gaps filled in."""
    words = LANGUAGES[_spoken].WORDS
    details = {
        gap: words.get(value, value) if gap in NAMED and isinstance(value, str) else value
        for gap, value in details.items()
    }
    return getattr(languages[_spoken], table)[name].format(**details)


try:
    use(os.environ.get("KEYHOLE_LANG") or "en")
except KeyholeError as unknown:
    warnings.warn(f"KEYHOLE_LANG: {unknown}", stacklevel=2)
