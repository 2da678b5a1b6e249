"""Loading the model by memory map: the first time, and when all libraries are loaded."""

from collections.abc import Iterator

from bench.row import Row, timed
from keyhole.models import load_model


def rows() -> Iterator[Row]:
    _, seconds = timed(load_model)
    yield Row("load the model, imports of transformers included", seconds, target="at most 3 s")
    _, seconds = timed(load_model)
    yield Row("load the model again", seconds, target="at most 3 s")
