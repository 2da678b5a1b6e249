"""Every sentence that a student may read about an answer, in one place and in every language of the course, one module each.

The public checks and the hidden tests use the same words. A process speaks one language: that of `use`, else that of the environment
variable KEYHOLE_LANG, else English.
"""

import os
import warnings

from keyhole.errors import KeyholeError
from keyhole.messages import en, zh_tw

LANGUAGES = {"en": en, "zh-TW": zh_tw}
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


def misconception(name, **details):
    """The sentence for a misconception."""
    return _filled("MISCONCEPTIONS", name, details)


def explanation(name):
    """The sentence for a misconception as it stands, with its gaps; nothing for none."""
    return LANGUAGES[_spoken].MISCONCEPTIONS.get(name, "")


def feedback(name, **details):
    """One of the other sentences, filled in."""
    return _filled("FEEDBACK", name, details)


def check_title(name):
    """What a public check is about, in words; `name` is "<graded function>.<case>"."""
    return LANGUAGES[_spoken].CHECKS[name]


def percent(share):
    """A share as a person would say it: '31 %', '0.02 %', '12 times'."""
    if share >= 10:
        return LANGUAGES[_spoken].TIMES.format(share)
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _filled(kind, name, details):
    spoken = LANGUAGES[_spoken]
    words = {key: spoken.WORDS.get(value, value) if isinstance(value, str) else value for key, value in details.items()}
    return getattr(spoken, kind)[name].format(**words)


try:
    use(os.environ.get("KEYHOLE_LANG") or "en")
except KeyholeError as unknown:
    warnings.warn(f"KEYHOLE_LANG: {unknown}", stacklevel=2)
