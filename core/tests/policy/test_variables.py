"""`${...}`: what is replaced, what stays, what is refused."""

from __future__ import annotations

import pytest

from tmux_sentry.policy.variables import UnknownVariable, substitute, substitute_message

VALUES = {"run.id": "r1", "vars.x": "${run.id}", "pane.window_name": "w\x1b[31m\n;rm -rf ~", "check.url": "https://x"}


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("echo ${run.id}", "echo r1"),
        ("$HOME $(id) $? `x` $1 ${", "$HOME $(id) $? `x` $1 ${"),
        ("$$HOME $${run.id} $$$${x}", "$HOME ${run.id} $${x}"),
        ("${vars.x}", "${run.id}"),  # a value is not read again
    ],
)
def test_only_braces_make_a_variable(text: str, typed: str) -> None:
    assert substitute(text, VALUES) == typed


def test_an_unknown_variable_is_never_typed_as_nothing() -> None:
    with pytest.raises(UnknownVariable, match=r"\$\{vars.gone\} has no value"):
        substitute("rm -rf ${vars.gone}/", VALUES)


def test_a_value_from_outside_is_typed_only_when_allowed_cleaned_and_cut() -> None:
    with pytest.raises(UnknownVariable, match="comes from outside"):
        substitute("${pane.window_name}", VALUES)
    assert substitute("${pane.window_name}", VALUES, 100) == "w ;rm -rf ~"
    assert substitute("${pane.window_name}", VALUES, 5) == "w ;r…"


def test_people_may_read_every_value_without_its_escapes() -> None:
    assert substitute_message("${pane.window_name} ${check.url}", VALUES) == "w\n;rm -rf ~ https://x"
