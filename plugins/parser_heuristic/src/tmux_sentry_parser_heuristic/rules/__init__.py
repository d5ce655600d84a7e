"""All rules, a family in each file. Of several that match a line the first counts, so the vaguest come last."""

from __future__ import annotations

from tmux_sentry_parser_heuristic.rules import (
    builds,
    crashes,
    git,
    java,
    javascript,
    lint,
    packages,
    python,
    shells,
    testing,
    vague,
)

FAMILIES = {
    "python": python.RULES,
    "javascript": javascript.RULES,
    "java": java.RULES,
    "testing": testing.RULES,
    "lint": lint.RULES,
    "packages": packages.RULES,
    "builds": builds.RULES,
    "git": git.RULES,
    "crashes": crashes.RULES,
    "shells": shells.RULES,
    "vague": vague.RULES,
}

RULES = tuple(rule for family in FAMILIES.values() for rule in family)
