"""The course secret, from which every hidden input derives."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

import torch

from keyhole.errors import KeyholeError

SECRET_FILE = Path(__file__).resolve().parent / "secret.key"
TEST_SECRET = hashlib.sha256(b"known to everybody: for the tests of Keyhole only").digest()
BYTES = 32


def course_secret(path: str | Path | None = None) -> bytes:
    """
    The course's secret; made on first use, readable by its owner only.

    `path` defaults to the environment variable KEYHOLE_SECRET_FILE, else to autograder/secret.key, which git ignores.
    Raises KeyholeError if the file is not a secret or cannot be made.
    """
    path = Path(path or os.environ.get("KEYHOLE_SECRET_FILE") or SECRET_FILE)
    try:
        if not path.exists():
            make(path)
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise KeyholeError(f"the course secret {path} can neither be read nor made: {error.strerror}") from error
    except ValueError as error:
        raise KeyholeError(f"{path} is not a course secret (64 hexadecimal digits); remove it to have one made") from error
    if len(secret) != BYTES:
        raise KeyholeError(f"{path} is not a course secret (64 hexadecimal digits); remove it to have one made")
    return secret


def make(path: Path) -> None:
    """Write a fresh secret, unless another process was first: an old secret is never overwritten."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(BYTES) + "\n")


def generator(secret: bytes, *names: str) -> torch.Generator:
    """A CPU generator that only the holder of `secret` can foretell, another for every sequence of names."""
    message = "\x1f".join(names).encode()
    digest = hmac.new(secret, message, hashlib.sha256).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)  # seeds above 2**63 - 1 are refused
