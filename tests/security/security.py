"""What the project says about hostile input and secrets, measured.

    python tests/security/security.py                every figure
    python tests/security/security.py regexes exits  some of them

Each of the modules below tries its part on the real code and returns figures. Ends with 1 if one is not as promised.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time

#: Each has `measure() -> list[Figure]`.
PARTS = ("encryption", "redaction", "exits", "regexes", "control_mode", "links")


def main() -> int:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description="measure what is promised about hostile input and secrets")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    wanted = parser.parse_args().parts or PARTS
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    failed = 0
    for name in wanted:
        begun = time.monotonic()
        for figure in importlib.import_module(name).measure():
            failed += not figure.ok
            print(f"{'ok  ' if figure.ok else 'FAIL'}  {figure.name}: {figure.shown}", flush=True)
        print(f"      ({name} took {time.monotonic() - begun:.1f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
