"""All that knows nbgrader: its pipeline, its gradebook, its pages."""
