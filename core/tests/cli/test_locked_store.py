"""What the database's settings come to where a command opens it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tmux_sentry.cli.app import App
from tmux_sentry.cli.session import Session, locked_store
from tmux_sentry.config.settings import load_settings
from tmux_sentry.errors import Refused
from tmux_sentry.registry import Registry
from tmux_sentry.testing.clock import FakeClock


@pytest.fixture(autouse=True)
def on_a_nas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmux_sentry.state.database.network_filesystem", lambda magic: "NFS")


def session(home: Path, **variables: str) -> Session:
    settings = load_settings({"HOME": str(home), "TMUX_SENTRY_HOME": str(home), **variables})
    return Session(app=App(), registry=Registry(), settings=settings)


def test_a_network_file_system_is_refused_with_the_setting_that_allows_it(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused, locked_store(session(tmp_path), FakeClock()):
        pass
    assert "DATABASE_ALLOW_NETWORK_FS=yes" in " ".join(refused.value.lines())
    assert not (tmp_path / "state.db").exists()


def test_a_user_who_allows_it_has_a_database_there_again_and_again(tmp_path: Path) -> None:
    ours = session(tmp_path, DATABASE_ALLOW_NETWORK_FS="Yes")
    for _ in range(2):
        with locked_store(ours, FakeClock(), recover=True) as store:
            store.heartbeat()
            assert not (tmp_path / "state.db-wal").exists()


def test_how_long_history_is_kept_comes_from_the_settings(tmp_path: Path) -> None:
    assert session(tmp_path).settings.database_keep == 90 * 86400
    ours = session(tmp_path, DATABASE_ALLOW_NETWORK_FS="yes", DATABASE_KEEP_DAYS="7")
    with locked_store(ours, FakeClock()) as store:
        assert store._keep == 7 * 86400
