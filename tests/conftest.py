"""What many tests share: the real model, both kinds of toy, torch's threads, and English.

And which files begin, where several processes run them.
"""

import gc
import os
import signal

import pytest
import torch

from keyhole import messages
from keyhole.models import load_model
from keyhole.toy import toy_model
from tests.standins import no_grader_processes

# A shell that starts the tests in the background has Ctrl-C ignored, in child processes too.
signal.signal(signal.SIGINT, signal.default_int_handler)
# With xdist, the other core has a worker of its own. Programs that tests start know it by the
# environment.
SHARED = "PYTEST_XDIST_WORKER" in os.environ
THREADS = 1 if SHARED else torch.get_num_threads()
if SHARED:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# A process takes the next file when it has done one. So the files that take longest begin, in this
# order; otherwise one process would wait at the end while the other runs the last of them.
LONGEST_FIRST = [
    f"test_{name}.py"
    for name in (
        *("notebook_runs", "hidden", "hostile", "damaged", "lecture_engine", "own_fact"),
        *("sandbox", "lecture_page", "carried", "keyhole_cli", "symptoms"),
        *("challenge", "moments", "tracing", "facts_data", "routes", "terminal", "places"),
        *("messages", "public_checks", "kills", "nbgrader", "sample_class", "validity"),
    )
]


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_collection_finish():
    """Spare the garbage collector what stays until the end: hundreds of thousands of objects."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def threads(request):
    """Toys are so small that two threads take three times as long as one."""
    torch.set_num_threads(THREADS if "real_model" in request.fixturenames else 1)


@pytest.fixture(autouse=True)
def one_grader_process(monkeypatch):
    no_grader_processes(monkeypatch)


@pytest.fixture(autouse=True)
def english():
    """Whatever a test speaks, the next one speaks English."""
    messages.use("en")
    yield
    messages.use("en")


@pytest.fixture(scope="session")
def real_model():
    return load_model()


@pytest.fixture
def one_model(real_model, monkeypatch):
    """Whoever loads the real model gets the one that is there."""
    monkeypatch.setattr("keyhole.models.load_model", lambda *_: real_model)


@pytest.fixture(params=["llama", "gpt2"])
def toy(request):
    return toy_model(request.param, seed=1)
