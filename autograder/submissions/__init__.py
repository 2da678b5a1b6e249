"""What came in: folders, notebooks, and work that looks copied."""
