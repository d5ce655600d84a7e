"""A program with an input line, as agents have one: it notes every line that it is given, and reports the stage.

`agent.py LOG`. It draws its own prompt and takes text and Enter as the terminal brings them.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    while True:
        sys.stdout.write("> ")
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            return
        text = line.rstrip("\n")
        os.write(log, f"{text}\n".encode())
        stage = text.split(" ")[-1]
        print(f'@@SENTRY {{"type":"STATUS","stage":"{stage}","ok":true}}')


if __name__ == "__main__":
    main()
