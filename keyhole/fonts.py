"""Which font has the characters of Traditional Chinese on this machine, for words in pictures."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from keyhole.messages import language

if TYPE_CHECKING:  # matplotlib takes a second, and only a picture needs it
    from matplotlib.font_manager import FontManager

# The first of these that the machine has. Of a collection (.ttc) matplotlib reads one font only,
# the first, so some stand here by the name of another language.
CHINESE_FONTS = (
    "Noto Sans CJK TC",
    "Noto Sans TC",
    "Noto Sans CJK JP",  # Debian and Ubuntu: fonts-noto-cjk
    "PingFang TC",  # macOS
    "PingFang HK",
    "Heiti TC",
    "STHeiti",
    "Microsoft JhengHei",  # Windows
    "MingLiU",
    "PMingLiU",
    "Source Han Sans TC",
    "Source Han Sans",
    "AR PL UMing CN",
    "AR PL UKai CN",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "Arial Unicode MS",
    "Microsoft YaHei",
)
FONT_FILES = re.compile(
    r"NotoSans(CJK|TC)|PingFang|Heiti|msjh|mingliu|msyh|SourceHan|uming|ukai|wqy|DroidSansF|Arial U"
)
CHINESE = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]+")


def chinese_font(search: bool = True) -> str | None:
    """The name of a font with Chinese characters on this machine; None where there is none.

    `search`: look among the files too, where matplotlib's list has none.
    """
    from matplotlib import font_manager

    manager = font_manager.fontManager
    if search and not _first_of(manager):  # its list is kept in a file, and may be an old one
        for path in font_manager.findSystemFonts():
            if FONT_FILES.search(Path(path).name):
                manager.addfont(path)
    return _first_of(manager)


def _first_of(manager: "FontManager") -> str | None:
    known = {font.name for font in manager.ttflist}
    return next((name for name in CHINESE_FONTS if name in known), None)


def lacks_font(search: bool = True) -> bool:
    """Whether the words of the language spoken could not be drawn here."""
    return language() == "zh-TW" and chinese_font(search) is None


def drawable(text: str) -> str:
    """A text without Chinese characters, where matplotlib knows no font for them."""
    return text if chinese_font(search=False) else CHINESE.sub("", text)
