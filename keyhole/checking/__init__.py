"""Judging a student's work: shared by the public checks and the hidden tests."""
