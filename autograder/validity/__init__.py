"""Whether the grading can be trusted: wrong solutions that must each lose what they should, right ones that must lose nothing, and the report on both."""
