"""The approvals directory: every file is opened relative to it and believed only if nobody else can have written it."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tmux_sentry import clean


class Unsafe(OSError):
    """A file or directory that does not count; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A file's bytes, who owns it, and when it was changed."""

    raw: bytes
    uid: int
    changed_ns: int


class Folder:
    """An open directory of ours. Use it as a context manager; raises Unsafe when others can write to it."""

    def __init__(self, path: Path, dir_fd: int | None = None) -> None:
        self.path = path
        where: Path | str = path if dir_fd is None else path.name
        try:
            self._fd = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
        except NotADirectoryError:
            raise Unsafe(f"{path} is not a directory of its own (a symbolic link?)") from None
        try:
            _check(os.fstat(self._fd), path)
        except Unsafe:
            os.close(self._fd)
            raise

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def names(self) -> list[str]:
        """The files people see: without hidden ones (editors' swap files, ours in the making) and `~` backups."""
        return sorted(name for name in os.listdir(self._fd) if not name.startswith(".") and not name.endswith("~"))

    def sub(self, name: str) -> Folder:
        """A directory inside this one, made when it is missing."""
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=self._fd)
        return Folder(self.path / name, dir_fd=self._fd)

    def read(self, name: str, limit: int) -> Content:
        """A file of at most `limit` bytes.

        Raises FileNotFoundError, and Unsafe for a link, a foreign one, one others can write, one too big.
        """
        path = self.path / name
        # NONBLOCK: opening a FIFO must not wait for a writer. NOFOLLOW: a link could show any file of ours.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            fd = os.open(name, flags, dir_fd=self._fd)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Unsafe(f"{_show(path)} cannot be read as a plain file: {error.strerror}") from error
        try:
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode):
                raise Unsafe(f"{_show(path)} is not a plain file")
            if info.st_nlink != 1:
                raise Unsafe(f"{_show(path)} has {info.st_nlink} names (hard links): write the answer into a new file")
            _check(info, path)
            if info.st_size > limit:
                raise Unsafe(f"{_show(path)} is too big for an answer ({info.st_size} bytes)")
            raw = os.read(fd, limit + 1)
        finally:
            os.close(fd)
        return Content(raw=raw, uid=info.st_uid, changed_ns=info.st_mtime_ns)

    def create(self, name: str, text: str) -> bool:
        """Write a new 0600 file, whole or not at all; False when one of that name is there, which stays."""
        made = self._make(name, text)
        try:
            # A rename would replace an answer that somebody put there this very moment; a link refuses.
            os.link(made, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        except FileExistsError:
            return False
        finally:
            os.unlink(made, dir_fd=self._fd)
        return True

    def replace(self, name: str, text: str) -> None:
        """Write a 0600 file in place of whatever has that name, whole or not at all."""
        os.rename(self._make(name, text), name, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def move(self, name: str, to: Folder) -> bool:
        """Move a plain file into another folder; False when there is none to move."""
        with suppress(FileNotFoundError):
            if stat.S_ISREG(os.stat(name, dir_fd=self._fd, follow_symlinks=False).st_mode):
                os.rename(name, name, src_dir_fd=self._fd, dst_dir_fd=to._fd)
                return True
        return False

    def _make(self, name: str, text: str) -> str:
        made = f".{name}.new"
        with suppress(FileNotFoundError):  # a crash may have left it, as a second name of the real file
            os.unlink(made, dir_fd=self._fd)
        fd = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._fd)
        with open(fd, "w", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)
        return made


def _check(info: os.stat_result, path: Path) -> None:
    if info.st_uid != os.geteuid():
        raise Unsafe(f"{_show(path)} belongs to another user (uid {info.st_uid}), so it is no answer of yours")
    if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Unsafe(f"{_show(path)} can be written by other users: chmod go-w {_show(path)}")


def _show(path: Path) -> str:
    return clean(str(path))
