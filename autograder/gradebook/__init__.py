"""All that knows a course system: nbgrader's pipeline, gradebook and pages."""
