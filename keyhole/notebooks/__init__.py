"""From the bytes of a notebook to the definitions in it."""
