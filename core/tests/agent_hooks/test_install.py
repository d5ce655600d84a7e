"""Configuration files: found, copied, changed at once, and left alone where that is right."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from tmux_sentry.agent_hooks.agents import AGENTS, Agent
from tmux_sentry.agent_hooks.install import Outcome, Places, install, remove, status
from tmux_sentry.errors import Refused, SentryError

CLAUDE, CODEX, GEMINI = AGENTS["claude"], AGENTS["codex"], AGENTS["gemini"]
OPENCODE, AIDER = AGENTS["opencode"], AGENTS["aider"]
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places({"PATH": ""}, tmp_path)


def written(path: Path, text: str, mode: int = 0o640) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("agent", "variables", "expected"),
    [
        ("claude", {}, "HOME/.claude/settings.json"),
        ("claude", {"CLAUDE_CONFIG_DIR": "/c"}, "/c/settings.json"),
        ("codex", {"CODEX_HOME": "/c"}, "/c/hooks.json"),
        ("gemini", {}, "HOME/.gemini/settings.json"),
        ("gemini", {"GEMINI_CLI_HOME": "/g"}, "/g/.gemini/settings.json"),
        ("qwen", {"QWEN_HOME": "/q"}, "/q/settings.json"),
        ("opencode", {}, "HOME/.config/opencode/plugin/tmux-sentry.js"),
        ("opencode", {"XDG_CONFIG_HOME": "/x"}, "/x/opencode/plugin/tmux-sentry.js"),
        ("opencode", {"XDG_CONFIG_HOME": "/x", "OPENCODE_CONFIG_DIR": "/o"}, "/o/plugin/tmux-sentry.js"),
        ("opencode", {"XDG_CONFIG_HOME": "x"}, "HOME/.config/opencode/plugin/tmux-sentry.js"),
        ("aider", {}, "HOME/.aider.conf.yml"),
    ],
)
def test_where_an_agent_keeps_its_configuration(agent: str, variables: dict[str, str], expected: str) -> None:
    assert str(AGENTS[agent].file_in(variables, Path("HOME"))) == expected


@pytest.mark.parametrize("one", AGENTS.values(), ids=AGENTS)
def test_there_and_back_without_any_configuration(one: Agent, places: Places) -> None:
    file = places.file(one)
    assert status(one, places).state == "not found"
    first, second = install(one, places), install(one, places)
    assert first.changed
    assert first.backup is None
    assert not second.changed
    assert second.state == ("needs trust" if one is CODEX else "installed")
    assert file.stat().st_mode & 0o777 == 0o600
    gone = remove(one, places)
    assert (gone.state, gone.changed) == ("not installed", True)
    assert not file.exists()
    assert file.parent.exists() == (one is not OPENCODE)  # an empty folder of plugins makes opencode look for packages
    assert not remove(one, places).changed


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (CLAUDE, '{"a": 1}'),
        (CLAUDE, '{ "hooks": {"Stop": [ ]}}'),
        (GEMINI, "{ }"),
        (CLAUDE, ""),
        (AIDER, "a: 1"),
        (AIDER, ""),
        (CODEX, '{\r\n  "x": "ü"\r\n}'),
    ],
)
def test_a_copy_is_kept_with_what_was_there_and_the_mode_stays(one: Agent, text: str, places: Places) -> None:
    file = written(places.file(one), "")
    file.write_bytes(text.encode())
    outcome = install(one, places)
    assert outcome.backup is not None
    assert outcome.backup.read_bytes() == text.encode()
    assert outcome.backup.parent == file.parent
    assert outcome.backup.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_mode & 0o777 == 0o640
    assert install(one, places).backup is None
    remove(one, places)
    assert file.read_bytes() == text.encode()


@pytest.mark.parametrize(("new", "left"), [('{"new": 1, "hooks"', {"new": 1}), ('{ "hooks"', {})])
def test_what_was_changed_since_stays_changed(new: str, left: object, places: Places) -> None:
    file = written(places.file(CLAUDE), '{"hooks": {}}')
    install(CLAUDE, places)
    file.write_text(file.read_text().replace('{"hooks"', new, 1))
    remove(CLAUDE, places)
    assert json.loads(file.read_text()) == left  # the user's own file stays, also with nothing in it


def test_a_link_stays_a_link(places: Places, tmp_path: Path) -> None:
    target = written(tmp_path / "dotfiles" / "claude.json", '{"a": 1}')
    link = places.file(CLAUDE)
    link.parent.mkdir()
    link.symlink_to(target)
    assert install(CLAUDE, places).changed
    assert link.is_symlink()
    assert "hooks" in json.loads(target.read_text())
    remove(CLAUDE, places)
    assert link.is_symlink()
    assert target.read_text() == '{"a": 1}'


def test_a_link_to_a_file_of_ours_alone_goes_with_it(places: Places, tmp_path: Path) -> None:
    install(CLAUDE, places)
    link, target = places.file(CLAUDE), tmp_path / "moved.json"
    link.rename(target)
    link.symlink_to(target)
    remove(CLAUDE, places)
    assert not target.exists()
    assert not link.is_symlink()  # one that leads nowhere would stop the next install
    assert install(CLAUDE, places).changed


def refused(places: Places, agent: str = "claude", kind: type[SentryError] = Refused) -> SentryError:
    """The error of an install that leaves everything as it is."""
    file = places.file(AGENTS[agent])
    before = sorted((one.name, one.lstat()) for one in file.parent.iterdir()) if file.parent.is_dir() else None
    with pytest.raises(kind) as caught:
        install(AGENTS[agent], places)
    if before is not None:
        assert [name for name, _ in before] == sorted(one.name for one in file.parent.iterdir())
        assert all(old.st_mtime_ns == (file.parent / name).lstat().st_mtime_ns for name, old in before)
    return caught.value


def test_comments_are_refused_at_their_place(places: Places) -> None:
    file = written(places.file(CLAUDE), '{\n  // keep me\n  "a": 1\n}\n')
    error = refused(places)
    assert error.what == f"{file}:2:3: it has comments, which cannot be kept"
    assert error.exit_code == 3
    outcome = status(CLAUDE, places)
    assert outcome.state == "broken"
    assert f"{file}:2:3" in outcome.note


def test_a_read_only_file_is_left_alone(places: Places) -> None:
    written(places.file(CLAUDE), "{}", 0o444)
    assert refused(places).why == "it is read-only"


@ROOT_ONLY
def test_a_file_of_somebody_else_is_left_alone(places: Places) -> None:
    os.chown(written(places.file(CLAUDE), "{}"), 12345, -1)
    assert "belongs to user 12345" in refused(places).why


def test_what_is_no_file_is_left_alone(places: Places) -> None:
    file = places.file(CLAUDE)
    file.parent.mkdir()
    os.mkfifo(file)
    assert "is not a file" in refused(places).what
    file.unlink()
    file.write_bytes(b'{\n"a": "\xff"}')
    assert refused(places).what == f"{file}:2:1: it is not UTF-8"
    file.unlink()
    file.symlink_to("nowhere")
    assert "leads nowhere" in refused(places).what


def test_a_directory_that_cannot_be_made_is_told(places: Places) -> None:
    written(places.file(CLAUDE).parent, "a file in its place")
    assert "cannot make" in refused(places, kind=SentryError).what


def test_a_plugin_of_somebody_else_is_left_alone(places: Places) -> None:
    file = written(places.file(OPENCODE), "export const Mine = 1\n")
    assert "somebody else's plugin" in refused(places, "opencode").what
    assert not remove(OPENCODE, places).changed
    assert file.read_text() == "export const Mine = 1\n"


def test_a_folder_of_plugins_with_another_one_stays(places: Places) -> None:
    other = written(places.file(OPENCODE).parent / "other.js", "")
    install(OPENCODE, places)
    assert remove(OPENCODE, places).backup is None
    assert list(other.parent.iterdir()) == [other]


def test_an_old_hook_is_outdated_until_the_next_install(places: Places) -> None:
    install(CLAUDE, places)
    file = places.file(CLAUDE)
    file.write_text(file.read_text().replace("hooks report", "hook report"))
    assert status(CLAUDE, places).state == "outdated"
    assert install(CLAUDE, places).state == "installed"


def test_hooks_that_are_turned_off_are_told(places: Places) -> None:
    written(places.file(GEMINI), '{"hooksConfig": {"enabled": false}}')
    outcome = install(GEMINI, places)
    assert outcome.state == "off"
    assert "hooksConfig.enabled is false" in outcome.note


def test_codex_has_to_trust_each_hook(places: Places) -> None:
    written(places.file(CODEX), '{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "mine"}]}]}}')
    assert install(CODEX, places).state == "needs trust"
    file = places.file(CODEX)
    events = ["session_start", "user_prompt_submit", "stop", "pre_tool_use", "post_tool_use", "permission_request"]
    # As Codex 0.169 writes it; the user's own hook is the first of Stop.
    tables = [f'[hooks.state."{file}:{event}:{int(event == "stop")}:0"]\ntrusted_hash = "x"\n' for event in events]
    (file.parent / "config.toml").write_text("".join(tables[1:]))
    assert status(CODEX, places).state == "needs trust"
    (file.parent / "config.toml").write_text("".join(tables))
    assert status(CODEX, places).state == "installed"


def test_an_agent_is_here_when_its_configuration_or_its_program_is(tmp_path: Path) -> None:
    places = Places({"PATH": str(tmp_path / "bin")}, tmp_path)
    assert "neither" in places.missing(CLAUDE)
    written(tmp_path / "bin" / "claude", "#!/bin/sh\n", 0o755)
    assert places.missing(CLAUDE) == ""
    (tmp_path / ".gemini").mkdir()
    assert places.missing(GEMINI) == ""


def test_of_many_at_once_every_one_finds_it_whole(places: Places) -> None:
    file = written(places.file(CLAUDE), '{"a": 1}')
    outcomes: list[Outcome | SentryError] = []
    start = threading.Barrier(4)

    def one() -> None:
        start.wait()
        try:
            outcomes.append(install(CLAUDE, places))
        except SentryError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = [one for one in outcomes if isinstance(one, Outcome)]
    assert sum(one.changed for one in done) == 1
    assert all("another command is changing an agent's configuration" in str(e) for e in outcomes if e not in done)
    remove(CLAUDE, places)
    assert file.read_text() == '{"a": 1}'
