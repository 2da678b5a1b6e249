"""Loading the model by memory map: the first time, and when all libraries are loaded."""

from bench.row import Row, timed
from keyhole.models import load_model


def rows():
    model, seconds = timed(load_model)
    yield Row("load the model, imports of transformers included", seconds, target="at most 3 s")
    model, seconds = timed(load_model)
    yield Row("load the model again", seconds, target="at most 3 s")
