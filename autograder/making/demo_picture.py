"""The README's picture of the lecture's demo: the page itself, in a browser without a window."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from keyhole.errors import KeyholeError
from keyhole.text import one_line

if TYPE_CHECKING:
    from playwright.sync_api import Page as BrowserPage

ROOT = Path(__file__).resolve().parents[2]
STATE = "?lang=en&tab=where&cell=3.7"  # the first map, and one cell of it restored
WIDTH, HEIGHT = 1280, 720  # pixels: a projector's
SECONDS = 120  # for whatever the page is waited for


def photograph_demo(browser: str, target: Path) -> None:
    """A picture of the demo's first tab. Raises KeyholeError where it cannot be shown."""
    with demo_page(browser) as page:
        page.locator(".kh-top").nth(4).wait_for()
        page.screenshot(path=target)


@contextmanager
def demo_page(browser: str) -> Iterator["BrowserPage"]:
    """The demo, served by a process of its own, and opened in a browser without a window.

    Raises KeyholeError where it cannot be served or shown.
    """
    from playwright.sync_api import Error, sync_playwright  # late: few commands need it

    with _served() as address, sync_playwright() as running:
        # Chromium's own sandbox does not work for root, as in continuous integration.
        window = running.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        try:
            page = window.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.set_default_timeout(1000 * SECONDS)
            page.goto(address + STATE)
            yield page
        except Error as error:
            raise KeyholeError(f"the demo was not shown: {one_line(error, 300)}") from None
        finally:
            window.close()


@contextmanager
def _served() -> Iterator[str]:
    """The demo in a process of its own: its address."""
    command = [sys.executable, "-m", "lecture", "--no-browser", "--lang", "en"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        for line in server.stdout:
            if found := re.search(r"http://[\d.]+:\d+/", line):
                yield found[0]
                return
        raise KeyholeError("the demo did not start: run `python -m lecture` to see why")
    finally:
        server.terminate()
        server.wait(SECONDS)
