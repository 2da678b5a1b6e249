"""The words of the page, one module for each language.

A word is a `Remark`, so it becomes text in the language that is spoken when it is shown.
"""

from keyhole.messages import Remark
from lecture.page.words import en, zh_tw

LANGUAGES = {"en": en, "zh-TW": zh_tw}
NAMES = {"en": "English", "zh-TW": "中文"}  # of the languages, each in itself


def say(name: str, /, **details: object) -> Remark:
    """Something on the page, by its name in the tables."""
    return Remark(name, details, "PAGE", LANGUAGES)
