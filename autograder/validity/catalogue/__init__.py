"""The catalogue: solutions of every graded function, wrong and right."""

from autograder.validity.catalogue import edit, locate, measure
from autograder.validity.solution import right, wrong

MODULES = (measure, locate, edit)
WRONG = tuple(solution for module in MODULES for solution in wrong(module.WRONG))
RIGHT = tuple(solution for module in MODULES for solution in right(module.RIGHT))
