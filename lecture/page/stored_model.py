"""Whether the kit's model is on this machine: the demo never fetches it during a lecture."""

import os

from keyhole.errors import KeyholeError
from keyhole.fetch import SMOLLM2
from keyhole.paths import cache_folder
from keyhole.prepared import is_whole
from lecture.page.words import say


def check_model() -> None:
    """Raises KeyholeError, which says what to run, where the model is not there yet."""
    folder = cache_folder() / SMOLLM2.name
    if not os.environ.get("KEYHOLE_MODEL") and not is_whole(folder, SMOLLM2.fingerprint):
        raise KeyholeError(say("no_model", folder=folder))
