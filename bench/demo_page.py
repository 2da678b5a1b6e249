"""The page of the lecture's demo: what an audience waits for at its start."""

import time
from collections.abc import Iterator

from autograder.making.demo_picture import demo_page
from autograder.making.pictures import find_browser
from bench.row import Row
from keyhole.errors import KeyholeError


def rows() -> Iterator[Row]:
    try:
        browser = find_browser()
    except KeyholeError:
        return
    start = time.perf_counter()
    with demo_page(browser) as page:

        def seconds_until(selector: str) -> float:
            page.locator(selector).first.wait_for()
            return time.perf_counter() - start

        first = seconds_until(".kh-cell")
        loaded = seconds_until(".kh-primary:not([disabled]):visible")
        answered = seconds_until(".kh-top")
    yield Row(
        "the demo's page, from the command to the model",
        loaded,
        target="at most 10 s",
        notes=(
            f"the first map after {first:.1f} s",
            f"what one of its cells makes the model say after {answered:.1f} s",
        ),
    )
