"""Which commands of an agent a list of a policy allows."""

from __future__ import annotations

import posixpath
import re
import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmux_sentry.policy.allowed import LIMIT, Allowed, parse_allowed, why_not, words_of

FOLDER = "/srv/app"


def allowed(command: str, *entries: str, folder: str = FOLDER) -> bool:
    return why_not(command, [parse_allowed(entry) for entry in entries], folder) is None


@pytest.mark.parametrize(
    ("entry", "command"),
    [
        ("git status", "git status"),
        ("git status", "  git   status "),
        ("git status", "git 'status'"),
        ("git log ...", "git log"),
        ("git log ...", "git log --oneline -n 5"),
        ("cat ...", "cat src/main.py ./a.txt"),
        ("cat ...", "cat /srv/app/x /srv/app"),
        ("cat ...", "cat src/../x"),
        ("cat ...", "cat --file=/srv/app/x"),
        ("cat ...", "cat --file=src/x"),
        ("cat ...", "cat 'with space'"),
        ("cat /etc/hosts", "cat /etc/hosts"),  # written by the policy's author
        ("git diff ...", "git diff main -- src/a.py"),
        ("npm run 'a b'", 'npm run "a b"'),
    ],
)
def test_allowed(entry: str, command: str) -> None:
    assert allowed(command, entry)


@pytest.mark.parametrize(
    ("entry", "command"),
    [
        # other words
        ("git status", "git"),
        ("git status", "git status -s"),
        ("git status", "git push"),
        ("git status", "git statusx"),
        ("git status", "git 'status '"),
        ("git log ...", "git push origin"),
        ("git log ...", "git"),
        # out of the folder
        ("cat ...", "cat /etc/passwd"),
        ("cat ...", "cat ../x"),
        ("cat ...", "cat .."),
        ("cat ...", "cat src/../../x"),
        ("cat ...", "cat /srv/app/../x"),
        ("cat ...", "cat /srv/apple"),
        ("cat ...", "cat //etc/passwd"),
        ("cat ...", "cat /"),
        ("cat ...", "cat --file=/etc/passwd"),
        ("cat ...", "cat --file=../x"),
        ("cat ...", "cat -f/etc/passwd"),
        ("cat ...", "cat -f../x"),
        ("cat ...", "cat if=/dev/sda"),
        ("cat ...", "cat x:/etc/passwd"),
        ("cat ...", "cat a,/etc/passwd"),
        ("cat ...", "cat @/etc/passwd"),
        ("cat ...", "cat +/etc/passwd"),
        ("cat ...", "cat https://example.org/x"),
        ("cat ...", "cat --exec 'cat /etc/passwd'"),
        ("cat ...", "cat \"'/etc/passwd'\""),
        # not plain
        ("git status", "git status; rm x"),
        ("git status", "git status\nrm x"),
        ("git status", "git status\r"),
        ("git status", "git\tstatus"),
        ("git ...", "git log | sh"),
        ("git ...", "git log && x"),
        ("git ...", "git log > x"),
        ("git ...", "git log < x"),
        ("git ...", "git log $HOME"),
        ("git ...", "git log `id`"),
        ("git ...", "git log (x)"),
        ("git ...", "git log {a}"),
        ("git ...", "git add a*"),
        ("git ...", "git add a?"),
        ("git ...", "git add [a]"),
        ("git ...", "git add ~"),
        ("git ...", "git log #x"),
        ("git ...", "git log !x"),
        ("git ...", "git log \\x"),
        ("git ...", "git log '$x'"),
        ("git ...", "git log 'x"),
        ("git ...", 'git log "x'),
        ("git ...", "git log ^x"),
        ("git ...", "git log \u0430"),  # a letter that only looks like ours
        ("git ...", "git log \u00a0x"),
        ("git ...", "git log \u202ex"),
        ("git ...", "git log \x00"),
        ("git ...", "git log \x1b[A"),
        ("git ...", "git log =ls"),
        ("git ...", "A=b git log"),
        ("git ...", "'A'=b git log"),
        ("git ...", ""),
        ("git ...", "  "),
        ("git ...", "'' git log"),
        ("git ...", "git " + "x" * LIMIT),
    ],
)
def test_refused(entry: str, command: str) -> None:
    assert not allowed(command, entry)


def test_any_entry_will_do() -> None:
    assert allowed("ls src", "git status", "ls", "ls ...")
    assert not allowed("ls /etc", "git status", "ls", "ls ...")


def test_where_the_folder_is_not_known_only_what_is_relative_stays_inside() -> None:
    assert allowed("cat a/b", "cat ...", folder="")
    for path in ("/a", "../a", "'/ /a'", "/"):
        assert not allowed(f"cat {path}", "cat ...", folder="")


def test_why_not_says_what_is_wrong() -> None:
    entries = [parse_allowed("cat ...")]
    assert why_not("cat /etc/passwd", entries, FOLDER) == "/etc/passwd may lead out of the work folder"
    assert why_not("dog", entries, FOLDER) == "it is not on the list"
    assert "';'" in (why_not("cat x; y", entries, FOLDER) or "")


@pytest.mark.parametrize("entry", ["...", "git $x", "git 'x", "", " ", "A=b git", "a|b", "x" * (LIMIT + 1)])
def test_an_entry_that_can_match_nothing_or_anything_is_an_error(entry: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the words are for people
        parse_allowed(entry)


def test_an_entry_is_read_as_a_command_is() -> None:
    assert parse_allowed("npm run 'a b' ...") == Allowed(words=("npm", "run", "a b"), more=True)
    assert parse_allowed("echo ...x") == Allowed(words=("echo", "...x"))


# ---------------------------------------------------------------------- whatever comes

BITS = st.lists(
    st.sampled_from(["git", " ", " ", "cat", "'", '"', "/", "..", ".", "-", "=", "a", "etc", "srv/app", ":", ",", "@"])
    | st.sampled_from(list(";|&<>`$(){}\n\r\t\\*?[]~#!^\x00\x1b%+"))
    | st.characters(),
    max_size=12,
).map("".join)
META = re.compile(r"[;|&<>`$(){}\n\r\t\\*?\[\]~#!^\x00-\x1f\x7f]|[^\x00-\x7f]")


@given(BITS, BITS)
def test_nothing_with_a_metacharacter_is_ever_allowed(before: str, after: str) -> None:
    for command in (f"git {before}{after}", f"{before} cat {after}", before):
        if allowed(command, "git ...", "cat ..."):
            assert not META.search(command)


@given(BITS)
def test_no_path_that_leads_out_is_ever_allowed(rest: str) -> None:
    """A path may begin anywhere in an argument: any end of it is looked at as one that is absolute, or goes up."""
    if not allowed(f"cat {rest}", "cat ..."):
        return
    for word in shlex.split(rest):
        for start in range(len(word)):
            tail = word[start:]
            if tail.startswith("/") and (start == 0 or not re.match(r"[\w./-]", word[start - 1])):
                assert (posixpath.normpath(tail) + "/").startswith(FOLDER + "/"), word
        for part in re.split("[=:,@ ]", word):
            path = posixpath.normpath(posixpath.join(FOLDER, part))
            assert (path + "/").startswith(FOLDER + "/"), word


@given(BITS)
def test_a_shell_makes_the_same_words_of_it(rest: str) -> None:
    command = f"printf %s\\0 {rest}".replace("\\", "")
    try:
        words = words_of(command)
    except ValueError:
        return
    script = command.replace("%s0", "'%s\\0'", 1)
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=False, cwd="/", timeout=10)
    assert done.stdout.decode().split("\0")[:-1] == (list(words[2:]) or [""])
