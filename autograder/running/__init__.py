"""A class is graded here: what is graded already, where the rest is graded, what comes of it.

Nothing here prints, and nothing here knows a hidden test.
"""
