"""Only one instance runs on one home, and a killed one does not stand in the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tmux_sentry.errors import EXIT_REFUSED, Locked, Refused
from tmux_sentry.state.lock import InstanceLock

HOLDER = """
import sys, time
from pathlib import Path
from tmux_sentry.state.lock import InstanceLock
InstanceLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_process_is_refused_and_told_who_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "home" / "sentry.lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(Locked) as caught:
                InstanceLock(path).acquire()
            assert f"pid {holder.pid}" in caught.value.what
            assert "since 20" in caught.value.what
            assert caught.value.exit_code == EXIT_REFUSED
            assert caught.value.fix
        finally:
            holder.kill()


def test_kill_9_gives_the_lock_back_and_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "sentry.lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with InstanceLock(path) as lock:
        assert lock.held
        assert f"pid {os.getpid()}" in path.read_text()


def test_the_same_process_cannot_hold_it_twice(tmp_path: Path) -> None:
    with InstanceLock(tmp_path / "sentry.lock"), pytest.raises(Locked):
        InstanceLock(tmp_path / "sentry.lock").acquire()


def test_release_lets_the_next_one_in_and_keeps_the_file(tmp_path: Path) -> None:
    lock = InstanceLock(tmp_path / "sentry.lock")
    lock.acquire()
    lock.release()
    lock.release()
    assert lock.path.exists()
    with InstanceLock(lock.path):
        pass


def test_the_file_and_its_directory_are_private(tmp_path: Path) -> None:
    with InstanceLock(tmp_path / "a" / "b" / "sentry.lock") as lock:
        assert lock.path.stat().st_mode & 0o777 == 0o600
        assert lock.path.parent.stat().st_mode & 0o777 == 0o700
        assert lock.path.parent.parent.stat().st_mode & 0o777 == 0o700


def test_a_home_that_others_can_write_is_refused_with_the_chmod(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(Refused) as caught:
        InstanceLock(tmp_path / "sentry.lock").acquire()
    assert caught.value.fix == f"chmod go-w {tmp_path}"
