"""Text that a person has half typed is recognised; in doubt nothing is typed."""

from __future__ import annotations

from typing import Any

import pytest
import re2

from tmux_sentry.watch.columns import columns_of
from tmux_sentry.watch.prompt import half_typed, is_idle_shell, searching

ARROW = "\ue0b0"

EMPTY = [
    "$ ", "# ", "% ", "$", "bash-5.2$ ", "sh-5.1# ", "user@host:~$ ", "user@host:~/src/app$ ", "root@host:/etc# ",
    "[user@host app]$ ", "[root@host ~]# ", "(venv) user@host:~$ ", "(base) [user@host ~]$ ", "user@host ~ % ",
    "host% ", "vm1% ", "user@MacBook-Pro app % ", "➜  ~ ", "➜  app git:(main) ", "➜  app git:(main) ✗ ",
    "➜  app git:(feature/x-1) ✗ ", "❯ ", "~/app ❯ ", "~/app ❯❯❯ ", "venv ❯ ", "app on main via v3.11 ❯ ", "» ", "λ ",
    "~/app λ ", "› ", "~/app ➜ ", "╰─$ ", "└─$ ", "╰─❯ ", "╰─➤ ", "12:34 $ ", "user@host ~> ", "user@host ~/app> ",
    "user@host ~/app (main)> ", "root@host /etc# ", r"PS C:\Users\me> ", "PS /home/me> ",
    f" me {ARROW} ~/app {ARROW} main {ARROW} ", f" ~/app {ARROW} ", "~/app (main) ", "user@host ~/app (main) ",
    "~/中文$ ", "/ # ", "~ # ", "[12:00] me@host $ ", "(venv) me@host ~ % ",
]  # fmt: skip

TYPED = [
    "$ ls", "$ rm -rf ./build ", "user@host:~$ cat foo > ", "user@host:~$ echo $", "root@host:/# echo 100%", "$ # ",
    "# ls #", "user@host ~ % vi ", "➜  ~ ls ", "➜  ~ cat foo >", "➜  ~ echo (a)", "➜  app git:(main) ✗ ls ",
    "➜  app git:(main) rm $ ", "❯ git commit -m \"x\" ", "❯ echo ❯ ", "~/app ❯ cat foo > ", "user@host ~> ls (pwd)",
    "user@host ~/app> cat x >", "λ x λ ", f" ~/app {ARROW} rm -rf x ", f" ~/app {ARROW} cat x > ",
    r"PS C:\Users\me> dir > ", "(venv) user@host:~$ (cd x)", "> ", "dquote> ", "heredoc> ", "for while> ",
    "pipe quote> ", ">> ", ">>> ", "... ", "In [1]: ", "(gdb) ", "(Pdb) ", "mydb=# ", "mydb=> ", "mydb-# ", "mydb(# ",
    "sqlite> ", "mysql> ", "irb(main):001:0> ", "node> ", "127.0.0.1:6379> ", "Downloading  45% ", "45%",
    "Password: ", "Continue? [y/N] ", "(reverse-i-search)`': ", "bck-i-search: ", "", "    ", "make: done ",
    "vim ~/x (a) b ", "echo a ~/b (c)", "user@host:~/a$b$ ls ", "ls #", "ls ~/x >", "ls ~/x>", "make 100%",
    "echo foo$", "cd ~; make $", "me@host is in a b $",
]  # fmt: skip


def width(text: str) -> int:
    return sum(map(columns_of, text))


@pytest.mark.parametrize("row", EMPTY)
def test_a_bare_prompt_is_empty(row: str) -> None:
    assert not half_typed(row, width(row))
    assert not half_typed(row.rstrip(), width(row)), "captures come without trailing blanks"
    assert not half_typed(row + " " * 20 + "12:34:56", width(row)), "a right prompt"


@pytest.mark.parametrize("row", TYPED)
def test_anything_else_counts_as_typed(row: str) -> None:
    assert half_typed(row, width(row))
    assert half_typed(row.rstrip(), width(row))


@pytest.mark.parametrize("row", EMPTY)
@pytest.mark.parametrize("typed", ["ls", "rm -rf ./build ", "echo foo >", "cd x; make  # ", "echo (a)"])
def test_a_command_at_any_prompt_is_seen(row: str, typed: str) -> None:
    text = row.rstrip() + " " + typed
    assert half_typed(text, width(text))
    assert half_typed(text, width(row.rstrip()) + 1), "with the cursor moved to its start"


@pytest.mark.parametrize(
    ("row", "cursor", "typed"),
    [
        ("$ suggestion", 2, True),  # fish, zsh-autosuggestions
        ("$ x  12:00", 2, True),
        ("$ 12:00", 2, True),
        ("$   12:00", 2, False),
        ("中文$ ", 6, False),
        ("中文$ ls", 6, True),
    ],
)
def test_what_stands_right_of_the_cursor_counts(row: str, cursor: int, typed: bool) -> None:
    assert half_typed(row, cursor) is typed


@pytest.mark.parametrize(
    ("row", "prompt", "typed"),
    [
        ("my prompt: ", "my prompt: ", False),
        ("my prompt: x", "my prompt: ", True),
        ("my prompt:", "my prompt: ", False),
        ("my prom", "my prompt: ", True),
        ("~/other$ ", "~/app$ ", False),
        ("anything ", "", True),
        ("", " ", True),
    ],
)
def test_a_known_prompt_is_enough(row: str, prompt: str, typed: bool) -> None:
    assert half_typed(row, max(len(row), 1), prompt=prompt) is typed


@pytest.mark.parametrize(("row", "typed"), [("in ~/app: ", False), ("in ~/app: ls ", True), ("xin ~/app: ", True)])
def test_a_pattern_has_to_match_all_that_is_left_of_the_cursor(row: str, typed: bool) -> None:
    assert half_typed(row, len(row), pattern=re2.compile(r"in \S+: ?")) is typed


@pytest.mark.parametrize(
    ("below", "search"),
    [("bck-i-search: _", True), ("failing fwd-i-search: x_", True), ("", False), ("a bck-i-search: of zsh", True),
     ("see bck-i-search", False)],
)  # fmt: skip
def test_zsh_searches_its_history_below_an_empty_prompt(below: str, search: bool) -> None:
    assert searching(("older", "host% ", below, ""), 1) is search
    assert not searching(("host% ",), 0)


@pytest.mark.parametrize(
    ("changes", "foreground", "idle"),
    [
        ({}, True, True),
        ({}, None, True),
        ({}, False, False),  # a script that bash runs
        ({"command": "-zsh"}, True, True),
        ({"command": "npm"}, True, False),
        ({"command": "python"}, True, False),
        ({"dead": True}, None, False),
    ],
)
def test_a_shell_is_idle_when_it_is_itself_in_the_foreground(
    info: Any, changes: dict[str, Any], foreground: bool | None, idle: bool
) -> None:
    assert is_idle_shell(info(**changes), foreground) is idle
