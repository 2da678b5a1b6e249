"""The catalogue: wrong and right solutions of every graded function, and files of every kind."""

from autograder.validity.catalogue import edit, learned, locate, many, measure, own_fact
from autograder.validity.solution import right, wrong
from keyhole.paths import OWN_FACT

MODULES = (measure, locate, edit, many, learned)
WRONG = (
    *(solution for module in MODULES for solution in wrong(module.WRONG)),
    *wrong({OWN_FACT: own_fact.WRONG}),
)
RIGHT = (*(solution for module in MODULES for solution in right(module.RIGHT)), *own_fact.right())
