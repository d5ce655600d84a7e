"""Nothing from outside becomes a part of a tmux command or format: read off the code itself.

Every string that goes to tmux is followed back to what it is made of. Constants may be in it, and what the functions of
tmux/quoting.py return; whatever else turns up is a violation, with its file and line.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import tmux_sentry

SOURCE = Path(tmux_sentry.__file__).parent
#: Speak to tmux as a test's own hand, or only for a server of the demo's, with constants.
NOT_US = ("testing/", "cli/demo.py")
#: What may stand in a command: each refuses or escapes what does not belong. `line` checks no part and is not here.
BUILDERS = {
    *("pane", "session", "window", "option", "owner", "key", "program", "digits", "queue", "number", "text", "nonce"),
}
#: Methods whose first argument tmux reads as a command line, in any module.
LINES = {"command", "converse"}
#: Calls whose argument is an argv, in the modules of tmux/ and watch/.
ARGVS = {"run": 0, "open": 0, "_run": 0, "_answer": 0, "Connection": 1}
#: The one word list that is not ours: socket and program of the hosts file, words of their own in an argv.
ADDRESS = {"argv", "address.command"}


@dataclass
class Function:
    """A function or method of a module, and who calls it there."""

    node: ast.FunctionDef
    module: Module
    owner: ast.ClassDef | None


@dataclass
class Module:
    name: str
    tree: ast.Module
    constants: dict[str, ast.expr] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)  # name -> module, name there

    @functools.cached_property
    def calls(self) -> list[tuple[Function | None, ast.Call]]:
        """Each call, and the function that it is in."""
        inside: dict[ast.AST, Function] = {}
        for function in self.functions.values():
            inside |= dict.fromkeys(ast.walk(function.node), function)
        return [(inside.get(node), node) for node in ast.walk(self.tree) if isinstance(node, ast.Call)]


@functools.cache
def module_of(name: str, text: str) -> Module:
    """What is where. A Reader changes nothing in it, so that each text is read once for all of the tests."""
    module = Module(name=name, tree=ast.parse(text))
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], (ast.Name, ast.Tuple)):
            for target, value in _pairs(node.targets[0], node.value):
                module.constants[target] = value
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tmux_sentry."):
            there = node.module.removeprefix("tmux_sentry.").replace(".", "/") + ".py"
            module.imports |= {alias.asname or alias.name: (there, alias.name) for alias in node.names}
        elif isinstance(node, ast.FunctionDef):
            module.functions[node.name] = Function(node, module, None)
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    module.functions[inner.name] = Function(inner, module, node)
    return module


class Reader:
    """Follows the strings of a set of modules. `found` are the violations."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.modules = {name: module_of(name, text) for name, text in sources.items()}
        self.found: list[str] = []
        self.sinks = 0
        self._done: set[tuple[int, int]] = set()

    def read(self) -> list[str]:
        for module in self.modules.values():
            for function, call in module.calls:
                for argument in self._sink(module, call):
                    self.sinks += 1
                    self._follow(argument, function, module)
        return sorted(set(self.found))

    @staticmethod
    def _sink(module: Module, call: ast.Call) -> list[ast.expr]:
        """The arguments of a call that tmux reads."""
        name = _called(call)
        speaks = module.name.startswith(("tmux/", "watch/"))
        method = isinstance(call.func, ast.Attribute)
        if method and (name in LINES or (name == "send" and module.name.startswith("tmux/"))):
            return call.args[:1] or [word.value for word in call.keywords if word.arg == "line"]
        if speaks and name in ARGVS:
            return call.args[ARGVS[name] : ARGVS[name] + 1]
        return []

    # --------------------------------------------------------------------------- what it is made of

    def _follow(self, node: ast.expr, function: Function | None, module: Module) -> None:
        if (id(node), id(function)) in self._done:
            return
        self._done.add((id(node), id(function)))
        parts: list[ast.expr] = []
        match node:
            case ast.Constant():
                return
            case ast.JoinedStr():
                values = [value for value in node.values if isinstance(value, ast.FormattedValue)]
                parts = [value.value for value in values if not _of_number(value)]
            case ast.BinOp(op=ast.Add()):
                parts = [node.left, node.right]
            case ast.IfExp():
                parts = [node.body, node.orelse]
            case ast.BoolOp() | ast.List() | ast.Tuple() | ast.Set():
                parts = list(node.values if isinstance(node, ast.BoolOp) else node.elts)
            case ast.Dict():
                parts = [part for part in (*node.keys, *node.values) if part is not None]
            case ast.Starred() | ast.FormattedValue() | ast.NamedExpr():
                parts = [node.value]
            case ast.GeneratorExp() | ast.ListComp() | ast.SetComp():
                parts = [node.elt]
            case ast.DictComp():
                parts = [node.key, node.value]
            case ast.Subscript():
                parts = [node.value]
            case ast.Name():
                self._name(node, function, module)
                return
            case ast.Attribute():
                self._attribute(node, function, module)
                return
            case ast.Call():
                self._call(node, function, module)
                return
            case _:
                self._bad(node, module)
        for part in parts:
            self._follow(part, function, module)

    def _name(self, node: ast.Name, function: Function | None, module: Module) -> None:
        """A name is what is assigned to it anywhere in its function; a parameter, what its callers pass."""
        values = list(_assigned(function.node, node.id)) if function else []
        for value in values:
            self._follow(value, function, module)
        if function is not None and node.id in _parameters(function.node):
            self._parameter(node, function, module)
        elif not values and node.id in module.constants:
            self._follow(module.constants[node.id], None, module)
        elif not values and node.id in module.imports:
            there, name = module.imports[node.id]
            if there in self.modules and name in self.modules[there].constants:
                self._follow(self.modules[there].constants[name], None, self.modules[there])
            else:
                self._bad(node, module)
        elif not values:
            self._bad(node, module)

    def _parameter(self, node: ast.Name, function: Function, module: Module) -> None:
        if function.owner and function.node.name in (*LINES, "send", "_run", "_answer"):
            return  # whatever comes in through a client's own method was looked at where it was called
        default = _default(function.node, node.id)
        if default is not None:
            self._follow(default, None, module)
        passed = False
        made = function.owner is not None and function.node.name == "__init__"
        name = function.owner.name if function.owner is not None and made else function.node.name
        for other in self.modules.values():
            if other is not module and other.imports.get(name, ("", ""))[0] != module.name:
                continue
            for caller, call in other.calls:
                if _called(call) == name:
                    for value in _argument(function, call, node.id):
                        passed = True
                        self._follow(value, caller, other)
        if not passed and default is None:
            self._bad(node, module)

    def _attribute(self, node: ast.Attribute, function: Function | None, module: Module) -> None:
        """`self.x` is what the class assigns to it; any other attribute is somebody's value."""
        owner = function.owner if function else None
        if isinstance(node.value, ast.Name) and node.value.id == "self" and owner is not None:
            found = False
            for method in (inner for inner in owner.body if isinstance(inner, ast.FunctionDef)):
                for value in _assigned(method, f"self.{node.attr}"):
                    found = True
                    self._follow(value, Function(method, module, owner), module)
            if found:
                return
        if ast.unparse(node) not in ADDRESS:
            self._bad(node, module)

    def _call(self, node: ast.Call, function: Function | None, module: Module) -> None:
        name = _called(node)
        if isinstance(node.func, ast.Attribute):
            base = node.func.value
            if isinstance(base, ast.Name) and base.id == "quoting":
                whole_line = name == "line" and module.name == "tmux/exec_client.py"
                if name not in BUILDERS and not whole_line:
                    self._bad(node, module)
            elif name == "join":
                for part in (base, *node.args):
                    self._follow(part, function, module)
            elif name in ("get", "items", "values", "keys"):
                self._follow(base, function, module)
            elif name not in ADDRESS:
                self._bad(node, module)
            return
        if name in ("sorted", "tuple", "list", "enumerate"):
            for part in node.args:
                self._follow(part, function, module)
        elif name == "n" and function and any(_is_number(value) for value in _assigned(function.node, "n")):
            return  # n = quoting.number
        elif name in module.functions and module.functions[name].owner is None:
            self._returned(module.functions[name])
        elif name in module.imports and name in self.modules.get(module.imports[name][0], module).functions:
            self._returned(self.modules[module.imports[name][0]].functions[name])
        else:
            self._bad(node, module)

    def _returned(self, function: Function) -> None:
        for node in ast.walk(function.node):
            if isinstance(node, ast.Return) and node.value is not None:
                self._follow(node.value, function, function.module)

    def _bad(self, node: ast.expr, module: Module) -> None:
        self.found.append(f"{module.name}:{node.lineno}: {ast.unparse(node)}")


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _of_number(node: ast.FormattedValue) -> bool:
    """Whether Python itself refuses text there: `{x:g}`."""
    return node.format_spec is not None and ast.unparse(node.format_spec) in ("f'g'", "f'd'")


def _is_number(node: ast.expr) -> bool:
    return ast.unparse(node) == "quoting.number"


def _parameters(node: ast.FunctionDef) -> list[str]:
    return [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]


def _default(node: ast.FunctionDef, name: str) -> ast.expr | None:
    positional = [one.arg for one in node.args.args]
    given = dict(zip(reversed(positional), reversed(node.args.defaults), strict=False))
    given |= {one.arg: value for one, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value}
    return given.get(name)


def _argument(function: Function, call: ast.Call, name: str) -> Iterator[ast.expr]:
    names = [one for one in _parameters(function.node) if one != "self"]
    yield from (word.value for word in call.keywords if word.arg == name)
    at = names.index(name)
    if at < len(call.args):
        yield call.args[at]


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """The names of an assignment, each with what it gets: of a tuple the part, else the whole."""
    if isinstance(target, (ast.Name, ast.Attribute)):
        yield ast.unparse(target), value
    elif isinstance(target, ast.Tuple):
        parts = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts) else None
        for number, one in enumerate(target.elts):
            yield from _pairs(one, parts[number] if parts else value)


def _assigned(node: ast.FunctionDef, name: str) -> Iterator[ast.expr]:
    """Everything that is assigned to a name in a function, by loops and comprehensions too."""
    for inner in ast.walk(node):
        found: list[tuple[str, ast.expr]] = []
        if isinstance(inner, ast.Assign):
            found = [pair for target in inner.targets for pair in _pairs(target, inner.value)]
        elif isinstance(inner, (ast.AugAssign, ast.AnnAssign)) and inner.value is not None:
            found = list(_pairs(inner.target, inner.value))
        elif isinstance(inner, (ast.For, ast.comprehension)):
            found = list(_pairs(inner.target, inner.iter))
        elif isinstance(inner, ast.NamedExpr):
            found = list(_pairs(inner.target, inner.value))
        yield from (value for target, value in found if target == name)


@functools.cache
def sources() -> dict[str, str]:
    files = {file.relative_to(SOURCE).as_posix(): file for file in SOURCE.rglob("*.py")}
    return {name: file.read_text() for name, file in sorted(files.items()) if not name.startswith(NOT_US)}


def test_no_text_from_outside_becomes_a_part_of_a_tmux_command() -> None:
    reader = Reader(sources())
    assert reader.read() == []
    assert reader.sinks > 20


# What somebody might write, and how it would be found.
F = "def f(client, pane, title):\n"
PLANTED = {
    "an f-string": F + '    client.command(f"rename-window {title}")',
    "a sum": F + '    client.command("rename-window " + title)',
    "a %": F + '    client.command("rename-window %s" % title)',
    "format": F + '    client.command("rename-window {}".format(title))',
    "join": F + '    client.command(" ".join(title))',
    "shlex": F + '    client.command("x " + shlex.quote(title))',
    "a variable": F + '    name = pane.title\n    client.command(f"rename-window {name}")',
    "one of two": F + '    a = "x"\n    if pane:\n        a = pane.title\n    client.command(a)',
    "added later": F + '    a = "x"\n    a += pane.title\n    client.command(a)',
    "a loop": F + '    for one in title:\n        client.command(f"x {one}")',
    "a comprehension": F + '    client.command(" ".join(f"x {one.title}" for one in pane))',
    "a function": 'def g(title):\n    return f"x {title}"\n' + F + "    client.command(g(pane.title))",
    "a parameter": "def g(client, line):\n    client.converse(line, bool)\n" + F + "    g(client, pane.title)",
    "an attribute": "class A:\n    def __init__(self, x):\n        self._x = x.y\n"
    "    def f(self, c):\n        c.command(self._x)",
    "no builder": F + '    client.command(f"x {quoting.line(title)}")',
    "an argv": F + '    client.run(["tmux", "rename-window", title])',
    "a default": "def g(client, line=TITLE):\n    client.command(line)",
    "by keyword": F + "    client.command(line=title)",
    "sent": F + '    client.send(f"x {title}")',
}


@pytest.mark.parametrize("code", PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_one_is_found(code: str) -> None:
    assert Reader({**sources(), "tmux/planted.py": code}).read()


@pytest.mark.parametrize(
    ("module", "good", "bad"),
    [
        ("tmux/hold.py", "quoting.pane(pane_id)", "pane_id"),
        ("tmux/guard.py", "{quoting.text(text)}", "'{text}'"),
        ("tmux/guard.py", "quoting.key(key)", "key"),
        ("tmux/guard.py", "quoting.program(expect.command)", "expect.command"),
        ("tmux/fence.py", "quoting.owner(fence.owner)", "fence.owner"),
        ("tmux/fence.py", "{quoting.owner(owner)}", "{owner}"),
        ("tmux/emitted.py", "quoting.queue(queue.raw)", "queue.raw"),
        ("tmux/emitted.py", "quoting.text(rest)", "rest"),
        ("tmux/streams.py", "quoting.pane(pane_id)", "pane_id"),
        ("tmux/quiet.py", "quoting.session(session_id)", "session_id"),
        ("watch/watcher.py", "quoting.pane(identity.pane_id)", "identity.pane_id"),
        ("doctor/host.py", "quoting.session(one)", "one"),
        ("doctor/host.py", "quoting.window(one)", "one"),
    ],
)
def test_a_check_that_is_left_out_is_found(module: str, good: str, bad: str) -> None:
    code = sources()
    assert good in code[module]
    assert Reader({**code, module: code[module].replace(good, bad)}).read()
