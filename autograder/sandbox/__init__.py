"""Runs a student's definitions in a process of their own, and brings back tensors. Knows nothing of what is right."""

from autograder.sandbox.process import Allowance, Limits, NotStarted, Reply, Sandbox, StudentFailed

__all__ = ["Allowance", "Limits", "NotStarted", "Reply", "Sandbox", "StudentFailed"]
