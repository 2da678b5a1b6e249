"""Run the benchmarks and print a table. `python -m bench [name ...]` runs some of them."""

import resource
import sys

import torch

from bench import (
    batch,
    checking,
    demo,
    demo_page,
    editing,
    fetching,
    gpu,
    grading,
    isolation,
    loading,
    many,
    measuring,
    notebooks,
    tracing,
)
from bench.row import matrix_rate
from keyhole.terminal import print_anything

MODULES = (
    *(fetching, loading, tracing, gpu, editing, measuring, many, notebooks, grading, batch),
    checking,
    isolation,
    demo,
    demo_page,
)


def main(wanted: list[str]) -> None:
    print_anything()
    print(f"matrix rate: {matrix_rate():.0f} GFLOP/s on {torch.get_num_threads()} threads\n")
    print(f"{'what':<58}{'seconds':>9}{'baseline':>10}{'ratio':>7}  target")
    for module in MODULES:
        name = module.__name__.removeprefix("bench.")
        if wanted and name not in wanted:
            continue
        for row in module.rows():
            ratio = f"{row.baseline / row.seconds:.1f}" if row.baseline else ""
            baseline = f"{row.baseline:.2f}" if row.baseline else ""
            print(
                f"{row.what:<58}{row.seconds:>9.2f}{baseline:>10}{ratio:>7}  {row.target}",
                flush=True,
            )
            for note in row.notes:
                print(f"    {note}")
    peaks = {"this process": resource.RUSAGE_SELF, "the largest child": resource.RUSAGE_CHILDREN}
    for who, which in peaks.items():
        print(
            f"peak memory of {who}: {resource.getrusage(which).ru_maxrss / 2**20:.2f} GB (target:"
            " 2.5)"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
