"""What languages print when a program ends by itself: tracebacks and panics. A program may also log one and go on."""

from __future__ import annotations

from tmux_sentry_parser_heuristic.rule import error

_CLASS = (
    r"(?:(?:[A-Za-z_][A-Za-z0-9_.]*)?(?:Error|Exception|Warning|Interrupt|Exit|StopIteration)|"
    r"(?:[A-Za-z_][A-Za-z0-9_]*\.)+[A-Z][A-Za-z0-9]*)"
)
#: A traceback in Python has a File line at most four lines above its end: then the code, the marks, the repeats.
_FILE = r' {2}File ".+", line [0-9]+.*'

RULES = (
    error(
        "python.traceback",
        0.7,
        rf"(?P<m>{_CLASS}(?:: .*)?)",
        needs=_FILE,
        vetoes=(rf"{_CLASS}(?:: .*)?",),
        yes=(
            'Traceback (most recent call last):\n  File "crash.py", line 2, in f\n'
            '    raise ValueError("no such cart: 7")\nValueError: no such cart: 7',
            '  File "deep.py", line 2, in f\n    return f(n+1)\n           ^^^^^^\n'
            "  [Previous line repeated 996 more times]\nRecursionError: maximum recursion depth exceeded",
        ),
        no=("ValueError: no such cart: 7", "it raised ValueError: 7", '  File "x.py", line 2\n\n\n\n\nValueError: 7'),
    ),
    error(
        "node.uncaught",
        0.85,
        r"(?P<m>Node\.js v[0-9]+\.[0-9]+\.[0-9]+)",
        needs=r" {4}at .+|\}",
        yes=("    at node:internal/main/run_main_module:28:49\n\nNode.js v20.20.2",),
        no=("Node.js v20.20.2", "Welcome to Node.js v20.20.2."),
    ),
    error(
        "node.error",
        0.6,
        r" {2,}at .+",
        needs=rf"(?:Uncaught )?(?P<m>{_CLASS}(?: \[[A-Z_]+\])?: .+)",
        within=1,
        yes=("Error: no such cart: 7\n    at f (/home/dev/code/shop/crash.js:2:9)",),
        no=("    at f (/home/dev/code/shop/crash.js:2:9)", "prose about Error: x\n    at f (a.js:2:9)"),
    ),
    error(
        "java.exception",
        0.8,
        r'(?P<m>Exception in thread ".+" [A-Za-z_][A-Za-z0-9_.$]+(?:: .*)?)',
        yes=('Exception in thread "main" java.lang.IllegalStateException: no such cart: 7',),
        no=("Exception in thread", 'an Exception in thread "main" java.lang.Error'),
    ),
    error(
        "go.panic",
        0.85,
        r"goroutine [0-9]+ \[running\]:",
        needs=r"(?P<m>panic: .+)",
        yes=("panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:",),
        no=("goroutine 1 [running]:", "do not panic: x\n\ngoroutine 1 [running]:"),
    ),
    error(
        "rust.panic",
        0.8,
        r"(?P<m>thread '[^']*'(?: \([0-9]+\))? panicked at .+)",
        yes=("thread 'main' panicked at src/main.rs:1:93:", "thread 'main' (4242) panicked at src/main.rs:1:93:"),
        no=("the thread 'main' panicked at noon", "thread 'main' panicked"),
    ),
)
