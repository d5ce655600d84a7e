"""The `gh workflow run` commands in what the stage typed: what they start, as far as the words say."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

#: Characters of one typed text that are read, and of one word.
_TEXT, _WORD = 10_000, 300
#: What separates two commands for a shell.
_BETWEEN = re.compile(r"[;&|()<>]+")
_ASSIGNS = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
#: Options of `gh workflow run` that take a value, by each of their names.
_TAKES = {
    "-R": "repo",
    "--repo": "repo",
    "-r": "ref",
    "--ref": "ref",
    "-F": "field",
    "--field": "field",
    "-f": "raw",
    "--raw-field": "raw",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GhRun:
    """One `gh workflow run`. What it does not say is "" or empty; `host` and `repository` are from -R or GH_REPO."""

    workflow: str = ""
    host: str = ""
    repository: str = ""
    ref: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)


def gh_runs(typed: Iterable[str]) -> Iterator[GhRun]:
    """Every such command, in the order in which they were typed. Never raises."""
    for text in typed:
        part = text[:_TEXT]
        if "gh" not in part or "workflow" not in part:
            continue
        for line in part.replace("\\\n", " ").splitlines():
            for words in _commands(line):
                if (run := _read(words)) is not None:
                    yield run


def _commands(line: str) -> Iterator[list[str]]:
    """The simple commands of a line, as the words that a POSIX shell makes of them.

    A prompt for an agent may name the command, in backquotes or not, and an apostrophe in it closes no quote.
    """
    line = line.replace("`", " ; ")
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.commenters = ""
    lexer.whitespace_split = True
    try:
        tokens = list(lexer)
    except ValueError:
        tokens = line.split()
    words: list[str] = []
    for token in tokens:
        if _BETWEEN.fullmatch(token):
            yield words
            words = []
        else:
            words.append(token[:_WORD])
    yield words


def _read(words: list[str]) -> GhRun | None:
    at = next((number for number, word in enumerate(words) if word == "gh" or word.endswith("/gh")), None)
    if at is None:
        return None
    options, rest = _options(words[at + 1 :])
    if rest[:2] != ["workflow", "run"]:
        return None
    assigned = [found[2] for word in words[:at] if (found := _ASSIGNS.fullmatch(word)) and found[1] == "GH_REPO"]
    where = assigned[-1] if assigned else ""
    refs = [value for name, value in options if name == "ref"]
    where = next((value for name, value in reversed(options) if name == "repo"), where)
    inputs = {}
    for name, value in options:
        key, is_pair, text = value.partition("=")
        # `-F key=@file` reads the value from a file of the pane's host.
        if is_pair and (name == "raw" or (name == "field" and not text.startswith("@"))):
            inputs[key] = _literal(text)
    host, repository = _place(_literal(where))
    ref = _literal(refs[-1]) if refs else ""
    return GhRun(
        workflow=_literal(rest[2].rstrip(".,:")) if len(rest) > 2 else "",
        host=host,
        repository=repository,
        ref=ref if not re.search(r"[\s;]", ref) else "",
        inputs=inputs,
    )


def _options(words: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """The options with a value, in order, and the other words. Options that take none are left out."""
    options: list[tuple[str, str]] = []
    rest: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--":
            rest.extend(left)
        elif word.startswith("--"):
            name, has_value, value = word.partition("=")
            if name in _TAKES:
                options.append((_TAKES[name], value if has_value else next(left, "")))
        elif word.startswith("-") and word[:2] in _TAKES:
            options.append((_TAKES[word[:2]], word[2:].removeprefix("=") or next(left, "")))
        elif not word.startswith("-"):
            rest.append(word)
    return options, rest


def _literal(word: str) -> str:
    """The word, or "" where the shell makes another one of it, which we cannot know."""
    return "" if "$" in word else word


def _place(where: str) -> tuple[str, str]:
    """Host and owner/name of `[HOST/]OWNER/NAME` or an address; "" for what is not said."""
    plain = (
        re.sub(r"^(?:https?://|ssh://git@|git@)", "", where).replace(":", "/").removesuffix("/").removesuffix(".git")
    )
    parts = plain.split("/")
    if len(parts) == 3:
        return parts[0].lower(), "/".join(parts[1:])
    return "", plain
