"""`python -m fersyn.explore`: how long a change of a slider takes on this machine."""

import argparse

from fersyn.explore import bench


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m fersyn.explore", description=main.__doc__)
    parser.add_argument("--repeats", type=int, default=40, help="changes that are timed")
    parser.add_argument("--threads", type=int, default=None, help="threads of torch (default: as they are)")
    given = parser.parse_args()
    print(bench.table(bench.measure(given.repeats, given.threads)))


if __name__ == "__main__":
    main()
