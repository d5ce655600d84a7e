"""Finds in source code every place where text can leave the program, and every cut before a redaction.

It reads the code and does not run it, so it also finds the exit of a command that no test reaches. What it looks for
are the calls by which Python programs write: to the terminal, to the log, to files and to sockets.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_STREAMS = ("stdout", "stderr", "__stdout__", "__stderr__")
_ASKED = ("isatty", "flush", "encoding", "errors", "closed")  # what may be asked of a stream without writing
#: Calls by their last name.
_NAMES = {
    "print": "print",
    "echo": "click.echo",
    "secho": "click.echo",
    "echo_via_pager": "click.echo",
    "confirm": "click prompt",
    "prompt": "click prompt",
    "pause": "click prompt",
    "Console": "rich console",
    "print_exc": "traceback",
    "print_exception": "traceback",
    "print_stack": "traceback",
    "print_tb": "traceback",
    "StreamHandler": "log handler",
    "FileHandler": "log handler",
    "addHandler": "log handler",
    "basicConfig": "log handler",
    "sendall": "socket",
    "sendto": "socket",
    "sendmsg": "socket",
    "write_text": "file",
    "write_bytes": "file",
    "NamedTemporaryFile": "file",
    "mkstemp": "file",
}
_HOOKS = ("excepthook", "unraisablehook", "showwarning", "lastResort", "displayhook")
_CUTS = ("clean", "clean_block", "visible", "text_out")


@dataclass(frozen=True, slots=True)
class Exit:
    """What writes, and where: `module` is the file's path, `function` its dotted name there ("" outside of any)."""

    module: str
    function: str
    what: str
    line: int

    @property
    def key(self) -> tuple[str, str, str]:
        """How the list of allowed exits names it: without the line, which moves."""
        return self.module, self.function, self.what


def exits(source: str, module: str) -> list[Exit]:
    """Every exit in the source of one module."""
    return list(_walk(ast.parse(source), module, ""))


def _walk(node: ast.AST, module: str, function: str) -> Iterator[Exit]:
    for child in ast.iter_child_nodes(node):
        inside = function
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inside = f"{function}.{child.name}".lstrip(".")
        for what in (*_what(child), *_stream(child, node)):
            yield Exit(module, inside, what, getattr(child, "lineno", 0))
        yield from _walk(child, module, inside)


def _what(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call():
            yield from _call(node)
        case ast.Assign(targets=targets):
            if any(isinstance(one, ast.Attribute) and one.attr in _HOOKS for one in _flat(targets)):
                yield "hook"
        case ast.ClassDef(bases=bases) if any(_last(_plain(base)).endswith("Handler") for base in bases):
            yield "log handler"
        case ast.ImportFrom(module="sys", names=names) if any(name.name in _STREAMS for name in names):
            yield "standard stream"
        case ast.ImportFrom(names=names) if any(name.asname and name.name in _NAMES for name in names):
            yield "renamed import"


def _stream(node: ast.AST, parent: ast.AST) -> Iterator[str]:
    """Whoever takes hold of a standard stream can write to it later."""
    taken = isinstance(node, ast.Attribute) and _last(node.value) == "sys" and node.attr in _STREAMS
    if taken and not (isinstance(parent, ast.Attribute) and parent.attr in _ASKED):
        yield "standard stream"


def _call(call: ast.Call) -> Iterator[str]:
    name = _last(call.func)
    if name in _NAMES:
        yield _NAMES[name]
    if name == "write" and isinstance(call.func, ast.Attribute) and _last(call.func.value) == "os":
        yield "file descriptor"
    if name == "open" and not (isinstance(call.func, ast.Attribute) and _last(call.func.value) == "os"):
        # open(path, mode), and path.open(mode); other things have an `open` too, with other arguments.
        method = isinstance(call.func, ast.Attribute)
        if _writes(call, 0 if method else 1, any_value=not method):
            yield "file"
    if name == "fdopen" and _writes(call, 1):
        yield "file"
    if name == "open" and any(_last(part) in ("O_WRONLY", "O_RDWR", "O_APPEND") for part in ast.walk(call)):
        yield "file"
    if name == "send" and any(_is_bytes(argument) for argument in call.args):
        yield "socket"
    if name.lstrip("_") == "redact" and any(_cuts(argument) for argument in call.args):
        yield "cut before redaction"


def _writes(call: ast.Call, position: int, *, any_value: bool = True) -> bool:
    """Whether a call to `open` may write: its mode says so, or (`any_value`) is only known when it runs."""
    modes = [word.value for word in call.keywords if word.arg == "mode"] + call.args[position : position + 1]
    return any(
        set(str(mode.value)) <= set("rwaxbt+") and bool(set(str(mode.value)) & set("wax+"))
        if isinstance(mode, ast.Constant)
        else any_value
        for mode in modes
    )


def _is_bytes(node: ast.AST) -> bool:
    named = isinstance(node, ast.Call) and _last(node.func).startswith("encode")
    return named or (isinstance(node, ast.Constant) and isinstance(node.value, bytes))


def _cuts(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Call) and _last(part.func) in _CUTS for part in ast.walk(node))


def _last(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _plain(node: ast.AST) -> ast.AST:
    return node.value if isinstance(node, ast.Subscript) else node


def _flat(targets: list[ast.expr]) -> Iterator[ast.expr]:
    for target in targets:
        yield from _flat(target.elts) if isinstance(target, ast.Tuple) else [target]
