"""The page of the lecture demo: three tabs, built of ipywidgets and one heat map of our own."""
