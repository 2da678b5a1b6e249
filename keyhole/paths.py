"""Where Keyhole keeps what it reads (data/) and what it fetched (the cache)."""

import os
from pathlib import Path


def data_folder() -> Path:
    """The kit's data/ folder; the environment variable KEYHOLE_DATA points elsewhere."""
    return Path(os.environ.get("KEYHOLE_DATA") or Path(__file__).resolve().parent.parent / "data")


def cache_folder() -> Path:
    """Where the fetched model is kept; the environment variable KEYHOLE_CACHE points elsewhere."""
    return Path(os.environ.get("KEYHOLE_CACHE") or Path.home() / ".cache" / "keyhole").expanduser()
