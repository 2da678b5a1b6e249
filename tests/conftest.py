"""What many tests share: the real model, both kinds of toy, torch's threads, and English."""

import os
import signal

import pytest
import torch

from autograder.commands import grade_class
from keyhole import messages
from keyhole.models import load_model
from keyhole.toy import toy_model

# A shell that starts the tests in the background has Ctrl-C ignored, in child processes too.
signal.signal(signal.SIGINT, signal.default_int_handler)
# With xdist, the other core has a worker of its own.
THREADS = 1 if "PYTEST_XDIST_WORKER" in os.environ else torch.get_num_threads()


@pytest.fixture(autouse=True)
def threads(request):
    """Toys are so small that two threads take three times as long as one."""
    torch.set_num_threads(THREADS if "real_model" in request.fixturenames else 1)


@pytest.fixture(autouse=True)
def one_grader_process(monkeypatch):
    """What a test puts in the place of something else is not there in another process."""
    monkeypatch.setattr(grade_class, "cores_here", lambda: 1)


@pytest.fixture(autouse=True)
def english():
    """Whatever a test speaks, the next one speaks English."""
    messages.use("en")
    yield
    messages.use("en")


@pytest.fixture(scope="session")
def real_model():
    return load_model()


@pytest.fixture(params=["llama", "gpt2"])
def toy(request):
    return toy_model(request.param, seed=1)
