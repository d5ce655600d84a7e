"""vite, webpack, make, ninja, cmake, docker build, cargo, rustc and C compilers."""

from __future__ import annotations

from tmux_sentry_parser_heuristic.rule import COUNT, error, failed, passed

_MAKE = r"(?:[^ :]*/)?g?make"

RULES = (
    failed(
        "vite.failed",
        0.85,
        r"(?:x|✗|✖) (?P<m>Build failed) in [0-9.]+m?s|error during build:",
        yes=("x Build failed in 67ms", "error during build:"),
        no=("Build failed in 67ms", "an error during build:"),
    ),
    passed(
        "vite.passed",
        0.8,
        r"✓ (?P<m>built in [0-9.]+m?s)",
        yes=("✓ built in 231ms",),
        no=("✓ 3 modules transformed.", "built in 231ms"),
    ),
    failed(
        "webpack.failed",
        0.9,
        rf"(?:[^ ]+ \()?webpack [0-9.]+\)? (?P<m>compiled with {COUNT} errors?(?: and [0-9]+ warnings?)?) in [0-9]+ ms",
        yes=("webpack 5.113.0 compiled with 1 error in 480 ms",),
        no=("webpack 5.113.0 compiled with 2 warnings in 480 ms", "compiled with 1 error in 480 ms"),
    ),
    passed(
        "webpack.passed",
        0.9,
        rf"(?:[^ ]+ \()?webpack [0-9.]+\)? (?P<m>compiled (?:successfully|with {COUNT} warnings?)) in [0-9]+ ms",
        yes=("webpack 5.113.0 compiled successfully in 565 ms", "webpack 5.113.0 compiled with 2 warnings in 480 ms"),
        no=("webpack 5.113.0 compiled with 1 error and 2 warnings in 480 ms",),
    ),
    failed(
        "make.failed",
        0.9,
        rf"{_MAKE}: \*\*\* (?P<m>.*(?: Error [0-9]+| Killed| Terminated| Interrupt|Stop\.))",
        yes=("make: *** [Makefile:2: all] Error 1", "make: *** No rule to make target 'nope'.  Stop."),
        no=("make: [Makefile:2: all] Error 1 (ignored)", "make[1]: *** [x.mk:3: all] Error 2", "# make: *** x Error 1"),
    ),
    error(
        "make.nested",
        0.7,
        rf"{_MAKE}\[[0-9]+\]: \*\*\* (?P<m>.*(?: Error [0-9]+| Killed|Stop\.))",
        yes=("gmake[1]: *** [CMakeFiles/Makefile2:83: CMakeFiles/shop.dir/all] Error 2",),
        no=("make[1]: Entering directory '/home/dev/code/shop'",),
    ),
    passed(
        "make.passed",
        0.7,
        rf"{_MAKE}: (?P<m>Nothing to be done for '.*'\.|'.*' is up to date\.)",
        yes=("make: Nothing to be done for 'all'.", "make: 'shop' is up to date."),
        no=("make: *** No targets specified and no makefile found.  Stop.",),
    ),
    failed(
        "ninja.failed",
        0.95,
        r"ninja: (?P<m>build stopped: .*|error: .*)",
        yes=("ninja: build stopped: subcommand failed.",),
        no=("ninja: no work to do.", "ninja: Entering directory `out'"),
    ),
    passed(
        "ninja.passed",
        0.8,
        r"ninja: (?P<m>no work to do)\.",
        yes=("ninja: no work to do.",),
        no=("ninja: build stopped: subcommand failed.",),
    ),
    failed(
        "cmake.failed",
        0.95,
        r"-- (?P<m>Configuring incomplete, errors occurred)!",
        yes=("-- Configuring incomplete, errors occurred!",),
        no=("-- Configuring done", "Configuring incomplete, errors occurred!"),
    ),
    passed(
        "cmake.passed",
        0.85,
        r"-- (?P<m>Build files have been written to): .+",
        yes=("-- Build files have been written to: /home/dev/code/shop/b",),
        no=("-- Generating done",),
        vetoes=(r"CMake Generate step failed\..*",),
    ),
    failed(
        "docker.failed",
        0.9,
        r"(?:ERROR: (?:failed to build: )?|target [^ ]+: )(?P<m>failed to (?:solve|build): .+)|"
        r"The command '.*' returned a non-zero code: [1-9][0-9]*|unable to prepare context: .+|"
        r"ERROR: (?:unable to prepare context: .+|Cannot connect to the Docker daemon at .+)",
        yes=(
            'ERROR: failed to solve: process "/bin/sh -c false" did not complete successfully: exit code: 1',
            "The command '/bin/sh -c false' returned a non-zero code: 1",
            "unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat Dockerfile: no such file",
        ),
        no=(
            "#5 ERROR: failed to solve: x",
            "The command '/bin/true' returned a non-zero code: 0",
            "failed to solve: x",
        ),
    ),
    passed(
        "docker.passed",
        0.8,
        r"(?P<m>Successfully built [0-9a-f]{12})",
        yes=("Successfully built 0123456789ab",),
        no=("Successfully built wheel", "Successfully built 0123456789ab and more"),
    ),
    failed(
        "cargo.failed",
        0.95,
        r"error: (?P<m>could not compile `[^`]+`.*|test failed, to rerun pass .*|"
        r"aborting due to .* previous errors?.*)",
        yes=(
            'error: could not compile `shop` (bin "shop") due to 1 previous error',
            "error: test failed, to rerun pass `--bin shop`",
        ),
        no=("warning: could not compile `shop`", "error: could not say"),
    ),
    passed(
        "cargo.built",
        0.6,  # tests or the program may run after it
        r" {2,}(?P<m>Finished `[a-z0-9_-]+` profile .* target\(s\)) in .*",
        yes=("    Finished `test` profile [unoptimized + debuginfo] target(s) in 0.41s",),
        no=("Finished `test` profile", "    Finished reading"),
    ),
    error(
        "rustc.error",
        0.8,
        r"(?P<m>error\[E[0-9]{4}\]: .+)",
        yes=("error[E0308]: mismatched types",),
        no=("warning[E0308]: mismatched types", "see error[E0308]: mismatched types"),
    ),
    error(
        "compiler.error",
        0.75,
        r"[^ :]+:[0-9]+(?::[0-9]+)?: (?P<m>(?:fatal )?error: .+)",
        yes=("a.c:1:20: error: ‘x’ undeclared (first use in this function)", "B.java:1: error: incompatible types"),
        no=("a.c:1:20: warning: unused", "at a.c:1:20: error: x"),
    ),
    error(
        "linker.error",
        0.8,
        r"(?P<m>collect2: error: ld returned [1-9][0-9]* exit status|clang: error: linker command failed .*)",
        yes=("collect2: error: ld returned 1 exit status",),
        no=("collect2: ld returned 0 exit status",),
    ),
)
