"""Whether the kit's model is on this machine: the demo never fetches it during a lecture.

Also on which device it is to run. The server hands that to the pages' processes by a variable of
the environment.
"""

import os

from keyhole.errors import KeyholeError
from keyhole.fetch import SMOLLM2
from keyhole.paths import cache_folder
from keyhole.prepared import is_whole
from lecture.page.words import say

DEVICE = "KEYHOLE_DEMO_DEVICE"


def check_model() -> None:
    """Raises KeyholeError, which says what to run, where the model is not there yet."""
    folder = cache_folder() / SMOLLM2.name
    if not os.environ.get("KEYHOLE_MODEL") and not is_whole(folder, SMOLLM2.fingerprint):
        raise KeyholeError(say("no_model", folder=folder))


def choose_device(device: str) -> None:
    """Let every page of this server run its model there. Raises KeyholeError where none can."""
    from keyhole.models import check_device  # late: it imports torch, which takes a second

    check_device(device)
    os.environ[DEVICE] = device


def chosen_device() -> str:
    """Where this page's model is to run."""
    return os.environ.get(DEVICE, "cpu")
