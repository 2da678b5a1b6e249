"""The subcommands of `autograder`, one module each, and what they share.

Each module has `add`, which adds its parser, and a function that takes the parsed arguments and
returns an exit status. These modules import torch, and what needs it, only when their command runs:
that takes seconds, and help and refused arguments should not wait.
"""
