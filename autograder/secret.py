"""The course secret, from which every hidden input derives."""

import hashlib
import hmac
import os
import secrets
import shutil
from pathlib import Path

import torch

from keyhole.errors import KeyholeError
from keyhole.files import write_atomically

SECRET_FILE = Path(__file__).resolve().parent / "secret.key"
# tests/secret.key holds it too.
TEST_SECRET = hashlib.sha256(b"known to everybody: for the tests of Keyhole only").digest()
BYTES = 32
# 64 of each, of a pseudonym.
KINDS = (
    "Amber Ashen Azure Bold Brave Breezy Bright Brisk Bronze Calm Candid Cheery Clear Clever Cobalt"
    " Copper Coral Cosmic Crimson Daring Dapper Eager Early Emerald Fabled Fair Fleet Gentle Gilded"
    " Glad Golden Grand Happy Hardy Hazel Honest Indigo Ivory Jade Jolly Keen Kind Lively Lofty"
    " Lucid Lucky Lunar Mellow Merry Mighty Misty Noble Olive Patient Plucky Quick Quiet Ruby"
    " Rustic Silver Solar Steady Sunny Velvet"
).split()
ANIMALS = (
    "Albatross Antelope Badger Beaver Bison Bittern Caribou Cheetah Cicada Condor Cormorant Crane"
    " Cricket Curlew Dolphin Dormouse Dragonfly Eagle Egret Falcon Ferret Finch Firefly Gazelle"
    " Gecko Gibbon Hare Hawk Hedgehog Heron Ibex Ibis Jackdaw Jaguar Kestrel Kingfisher Koala Lark"
    " Lemur Leopard Lynx Magpie Marmot Marten Mole Moth Newt Nightjar Ocelot Octopus Oriole Osprey"
    " Otter Owl Panda Pangolin Pelican Penguin Plover Puffin Robin Seal Swift Tapir"
).split()
EVERYBODY_KNOWS = (
    "the secret in use is the repository's own, which is for its tests only: whoever has the"
    " repository can foretell every hidden input. `autograder secret new` makes one of your own"
)


def secret_file() -> Path:
    """Where the course's secret lies.

    The environment variable KEYHOLE_SECRET_FILE names the file. Without it, the file is
    autograder/secret.key, which git ignores.
    """
    return Path(os.environ.get("KEYHOLE_SECRET_FILE") or SECRET_FILE)


def course_secret(path: str | Path | None = None) -> bytes:
    """The secret in the file `path`, by default the course's.

    The file is made on first use, readable by its owner only. Raises KeyholeError if it holds no
    secret, or cannot be made.
    """
    path = Path(path or secret_file())
    try:
        if not path.exists():
            _make(path)
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise KeyholeError(
            f"the course secret {path} can neither be read nor made ({error.strerror}): name a file"
            " of yours by KEYHOLE_SECRET_FILE"
        ) from error
    except ValueError:
        secret = b""
    if len(secret) != BYTES:
        raise KeyholeError(
            f"{path} is not a course secret (64 hexadecimal digits); remove it to have one made"
        )
    return secret


def renew(path: str | Path | None = None) -> Path | None:
    """Put a fresh secret in the place of the course's: every hidden input then changes.

    An old secret is kept beside it, under its fingerprint, because only with it can an earlier
    grading be repeated. Returns the file of the old secret, or None. Raises KeyholeError if the
    files cannot be written.
    """
    path = Path(path or secret_file())
    kept = None
    try:
        if path.exists():
            kept = path.with_name(f"{path.stem}-{fingerprint(course_secret(path))}{path.suffix}")
            shutil.copy2(path, kept)
        # There is a secret at every moment: without one, a grading that begins now would make one.
        write_atomically(path, _fresh(), 0o600)
    except OSError as error:
        raise KeyholeError(
            f"a new course secret cannot be put into {path}: {error.strerror}"
        ) from error
    return kept


def fingerprint(secret: bytes) -> str:
    """Eight letters by which two people can compare their secrets. They do not give it away."""
    return hmac.new(secret, b"fingerprint", hashlib.sha256).hexdigest()[:8]


def warning(secret: bytes) -> str | None:
    """A sentence for staff who grade with the secret that everybody knows; else None."""
    return EVERYBODY_KNOWS if hmac.compare_digest(secret, TEST_SECRET) else None


def _make(path: Path) -> None:
    """Write a fresh secret, unless another process was first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "wb") as file:
        file.write(_fresh())


def _fresh() -> bytes:
    """What a file with a new secret holds."""
    return f"{secrets.token_hex(BYTES)}\n".encode()


def pseudonym(secret: bytes, student: str) -> str:
    """How the board calls a student: two words and a number, which do not give the name away."""
    name = student.encode("utf-8", "surrogateescape")
    digest = hmac.new(secret, b"pseudonym\x1f" + name, hashlib.sha256).digest()
    kind, animal = KINDS[digest[0] % len(KINDS)], ANIMALS[digest[1] % len(ANIMALS)]
    return f"{kind} {animal} {100 + int.from_bytes(digest[2:6], 'big') % 900}"


def generator(secret: bytes, *names: str) -> torch.Generator:
    """A CPU generator that only a holder of `secret` can foretell.

    Every sequence of names gives another one.
    """
    message = "\x1f".join(names).encode()
    digest = hmac.new(secret, message, hashlib.sha256).digest()
    # torch refuses seeds above 2**63 - 1.
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
