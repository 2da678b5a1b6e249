"""Speed and memory, each beside a baseline run in the same minute on the same machine: `make bench`."""
