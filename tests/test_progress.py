"""The notebooks' progress bar: plain text that is gone when the loop ends, however it ends."""

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from keyhole.progress import tqdm


@pytest.fixture
def shown():
    """What a cell would show, in order, and nothing besides."""
    InteractiveShell.instance()
    try:
        with capture_output() as captured:
            yield captured
        assert captured.stdout == captured.stderr == ""
    finally:
        InteractiveShell.clear_instance()


def texts(outputs):
    assert all(list(output.data) == ["text/plain"] for output in outputs)  # no widget
    assert len({output.transient["display_id"] for output in outputs}) == 1  # in one place
    return [output.data["text/plain"] for output in outputs]


def test_a_bar_counts_and_is_gone_in_the_end(shown):
    assert list(tqdm(range(3), "three", mininterval=0)) == [0, 1, 2]
    *looks, last = texts(shown.outputs)
    assert any("three" in look and "2/3" in look for look in looks) and last == ""


def test_a_loop_that_ends_early_leaves_no_bar_behind(shown):
    for step in tqdm(range(9), mininterval=0):
        if step == 2:
            break
    with pytest.raises(ZeroDivisionError):
        for step in tqdm(range(9), mininterval=0):
            1 / (step - 3)
    places = {}
    for output in shown.outputs:
        places[output.transient["display_id"]] = output.data["text/plain"]
    assert list(places.values()) == ["", ""]


def test_a_bar_can_be_left(shown):
    for _ in tqdm(range(3), leave=True, mininterval=0):
        pass
    assert "3/3" in texts(shown.outputs)[-1]


def test_a_short_loop_shows_nothing(shown):
    for _ in tqdm(range(3)):
        pass
    assert not shown.outputs
