"""Speed and memory: `make bench`. A baseline runs beside each, on the same machine at the time."""
