"""What many tests share: the real model, and both kinds of toy."""

import pytest

from keyhole.models import load_model
from keyhole.toy import toy_model


@pytest.fixture(scope="session")
def real_model():
    return load_model()


@pytest.fixture(params=["llama", "gpt2"])
def toy(request):
    return toy_model(request.param, seed=1)
