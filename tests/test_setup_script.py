"""What a newcomer sees of scripts/setup when programs are missing; every system program is a stub that keeps a log."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETUP = ROOT / "scripts" / "setup"
REAL_TOOLS = ("cat", "chmod", "dirname", "rm", "sed", "sh", "true")

# "Installs" a package: what is called afterwards is there.
APT_GET = """
case $1 in install) ;; *) exit 0 ;; esac
[ ! -e {system}/usr/sbin/policy-rc.d ] || sh {system}/usr/sbin/policy-rc.d || echo "services may not start: $?" >>{log}
for package in "$@"; do
    case $package in
        tmux) printf '#!/bin/sh\\necho tmux 3.3a\\n' >{bin}/tmux; chmod 755 {bin}/tmux ;;
        openssh-server) printf '#!/bin/sh\\n' >{bin}/sshd; chmod 755 {bin}/sshd ;;
        python3.11-venv) printf '#!/bin/sh\\necho 3.11\\n' >{bin}/python3; chmod 755 {bin}/python3 ;;
    esac
done
"""


class Machine:
    """A machine with a PATH of its own: stubs that log their calls, and the few real tools that the script uses."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.system = folder / "system"
        self.log = folder / "log"
        self.log.touch()
        self.bin.mkdir()
        (self.system / "usr/sbin").mkdir(parents=True)
        (self.system / "run/systemd/system").mkdir(parents=True)
        for tool in REAL_TOOLS:
            found = shutil.which(tool)
            assert found, tool
            (self.bin / tool).symlink_to(found)
        self.stub("uname", "echo Linux", log=False)
        self.stub("id", "echo 0", log=False)
        self.stub("python3", "echo 3.11", log=False)
        self.stub("apt-get", APT_GET.format(system=self.system, bin=self.bin, log=self.log))
        self.stub("systemctl")
        for program in ("fish", "tcsh", "chromium", "chromedriver"):
            self.stub(program, log=False)

    def stub(self, name: str, body: str = "", *, log: bool = True) -> None:
        first = f'echo "{name} $*" >>{self.log}\n' if log else ""
        (self.bin / name).write_text(f"#!/bin/sh\n{first}{body}\n")
        (self.bin / name).chmod(0o755)

    def has(self, *, tmux: str = "", sshd: bool = False) -> None:
        if tmux:
            self.stub("tmux", f"echo tmux {tmux}", log=False)
        if sshd:
            self.stub("sshd", log=False)

    def is_not_root(self, *, sudo: str | None = None) -> None:
        """`sudo` is the body of its stub; None means there is none."""
        self.stub("id", "echo 1000", log=False)
        if sudo is not None:
            self.stub("sudo", sudo)

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().replace(str(SETUP), "setup").splitlines()

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": str(self.bin), "DESTDIR": str(self.system)}

    def setup(self, verb: str = "test") -> subprocess.CompletedProcess[str]:
        """Run the programs part without a terminal."""
        return subprocess.run(
            [self.bin / "sh", SETUP, "--programs", verb],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )

    def setup_on_terminal(self, answer: bytes, verb: str = "test") -> tuple[int, str]:
        """The same on a terminal, typing `answer` at the question; returns the exit status and what was shown."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [self.bin / "sh", SETUP, "--programs", verb],
            env=self.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        shown, answered = b"", False
        deadline = time.monotonic() + 30
        try:
            while time.monotonic() < deadline:
                if not select.select([ours], [], [], 0.1)[0]:
                    continue
                try:
                    chunk = os.read(ours, 65536)
                except OSError:  # how Linux says that the other end is closed
                    break
                if not chunk:
                    break
                shown += chunk
                if not answered and b"[Y/n]" in shown:
                    os.write(ours, answer)
                    answered = True
            return process.wait(timeout=5), shown.decode()
        finally:
            process.kill()
            process.wait()
            os.close(ours)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


RUN_AS_ROOT = '[ "$1" != -n ] || shift\nexec "$@"'


def test_nothing_is_called_when_nothing_is_missing(machine: Machine) -> None:
    machine.has(tmux="3.3a", sshd=True)
    machine.is_not_root(sudo=RUN_AS_ROOT)
    done = machine.setup()
    assert (done.returncode, done.stdout, done.stderr, machine.calls) == (0, "", "", [])


def test_sshd_outside_the_path_is_found(machine: Machine) -> None:
    machine.has(tmux="3.3a")
    sshd = machine.system / "usr/sbin/sshd"
    sshd.touch(mode=0o755)
    assert machine.setup().returncode == 0
    assert machine.calls == []


def test_root_without_a_terminal_installs_and_leaves_no_sshd_enabled(machine: Machine) -> None:
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert machine.calls == [
        "apt-get update -q",
        "apt-get install -q -y --no-install-recommends tmux openssh-server",
        "services may not start: 101",
        "systemctl disable --now ssh.socket ssh.service",
    ]
    assert not (machine.system / "usr/sbin/policy-rc.d").exists()


def test_the_ban_on_starting_services_goes_even_when_the_installation_fails(machine: Machine) -> None:
    machine.stub("apt-get", f'[ "$1" = update ] || test -e {machine.system}/usr/sbin/policy-rc.d && exit 100')
    done = machine.setup()
    assert done.returncode == 1
    assert not (machine.system / "usr/sbin/policy-rc.d").exists()
    assert "systemctl disable --now ssh.socket ssh.service" in machine.calls


def test_a_policy_of_the_machine_is_left_as_it_is(machine: Machine) -> None:
    policy = machine.system / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0\n")
    assert machine.setup().returncode == 0
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"


def test_the_shells_of_the_tests_are_installed(machine: Machine) -> None:
    machine.has(tmux="3.3a", sshd=True)
    for shell in ("fish", "tcsh"):
        (machine.bin / shell).unlink()
    assert "still missing after the installation: fish tcsh" in machine.setup().stderr
    assert "apt-get install -q -y --no-install-recommends fish tcsh" in machine.calls


def test_the_browser_of_the_tests_is_installed_with_its_driver(machine: Machine) -> None:
    machine.has(tmux="3.3a", sshd=True)
    for program in ("chromium", "chromedriver"):
        (machine.bin / program).unlink()
    assert "still missing after the installation: chromium chromedriver" in machine.setup().stderr
    assert "apt-get install -q -y --no-install-recommends chromium chromium-driver" in machine.calls
    assert machine.setup("demo").returncode == 0


def test_macos_is_told_where_the_browser_is_to_be(machine: Machine) -> None:
    machine.has(tmux="3.5", sshd=True)
    machine.stub("uname", "echo Darwin", log=False)
    machine.stub("brew")
    (machine.bin / "chromium").unlink()
    done = machine.setup()
    assert done.returncode == 1
    assert "on the PATH as chromium and chromedriver" in done.stderr
    assert "still missing after the installation: chromium" in done.stderr
    assert machine.calls == []


def test_the_demo_needs_no_sshd(machine: Machine) -> None:
    assert machine.setup("demo").returncode == 0
    assert "apt-get install -q -y --no-install-recommends tmux" in machine.calls
    assert not [call for call in machine.calls if call.startswith("systemctl")]


@pytest.mark.parametrize("version", ["3.1c", "2.9a", "next-3.1"])
def test_an_old_tmux_counts_as_missing(machine: Machine, version: str) -> None:
    machine.has(tmux=version, sshd=True)
    assert machine.setup().returncode == 0
    assert "apt-get install -q -y --no-install-recommends tmux" in machine.calls


@pytest.mark.parametrize("version", ["3.2", "3.10", "4.0", "next-3.6", "master"])
def test_a_newer_tmux_will_do(machine: Machine, version: str) -> None:
    machine.has(tmux=version, sshd=True)
    assert machine.setup().returncode == 0
    assert machine.calls == []


def test_what_the_installation_did_not_bring_is_named(machine: Machine) -> None:
    machine.stub("apt-get")
    done = machine.setup()
    assert done.returncode == 1
    assert "still missing after the installation: tmux sshd" in done.stderr


def test_a_python_without_ensurepip_gets_its_own_venv_package(machine: Machine) -> None:
    machine.has(tmux="3.3a", sshd=True)
    machine.stub("python3", "case $2 in *ensurepip*) exit 1 ;; esac\necho 3.11", log=False)
    assert machine.setup().returncode == 0
    assert "apt-get install -q -y --no-install-recommends python3.11-venv" in machine.calls


def test_a_python_that_is_too_old_is_no_python(machine: Machine) -> None:
    machine.has(tmux="3.3a", sshd=True)
    machine.stub("python3", "echo 3.9", log=False)
    done = machine.setup()
    assert done.returncode == 1
    assert "apt-get install -q -y --no-install-recommends python3 python3-venv" in machine.calls
    assert "still missing after the installation: python" in done.stderr


def test_a_user_whose_sudo_asks_nothing_gets_the_programs(machine: Machine) -> None:
    machine.is_not_root(sudo=RUN_AS_ROOT)
    assert machine.setup().returncode == 0
    assert machine.calls[:2] == ["sudo -n true", "sudo -n sh setup --apt tmux openssh-server"]


@pytest.mark.parametrize("sudo", [None, "exit 1"], ids=["no sudo", "sudo wants a password"])
def test_without_the_rights_the_line_to_run_is_printed(machine: Machine, sudo: str | None) -> None:
    machine.is_not_root(sudo=sudo)
    done = machine.setup()
    assert done.returncode == 1
    assert (
        "    sudo apt-get update && sudo apt-get install -y tmux openssh-server"
        " && sudo systemctl disable --now ssh.socket ssh.service\n"
    ) in done.stderr
    assert not [call for call in machine.calls if call.startswith("apt-get")]


def test_a_system_without_apt_is_told_what_is_missing(machine: Machine) -> None:
    (machine.bin / "apt-get").unlink()
    done = machine.setup()
    assert done.returncode == 1
    assert "please install tmux sshd with this system's package manager" in done.stderr


@pytest.mark.parametrize("answer", [b"\n", b"y\n", b"Yes\n"])
def test_enter_on_a_terminal_means_yes(machine: Machine, answer: bytes) -> None:
    machine.is_not_root(sudo=RUN_AS_ROOT)
    status, shown = machine.setup_on_terminal(answer)
    assert status == 0, shown
    assert shown.index("tmux openssh-server") < shown.index("Install them now? [Y/n]")
    assert machine.calls[0] == "sudo sh setup --apt tmux openssh-server"


@pytest.mark.parametrize("answer", [b"n\n", b"what?\n", b"\x04"], ids=["n", "not a yes", "end of input"])
def test_no_on_a_terminal_stops_with_the_line_to_run(machine: Machine, answer: bytes) -> None:
    status, shown = machine.setup_on_terminal(answer)
    assert status == 1
    assert "    apt-get update && apt-get install -y tmux openssh-server" in shown
    assert machine.calls == []


def test_macos_installs_with_brew(machine: Machine) -> None:
    machine.has(sshd=True)
    machine.stub("uname", "echo Darwin", log=False)
    machine.stub("brew", f"printf '#!/bin/sh\\necho tmux 3.5\\n' >{machine.bin}/tmux; chmod 755 {machine.bin}/tmux")
    assert machine.setup().returncode == 0
    assert machine.calls == ["brew install tmux"]


def test_macos_without_brew_prints_the_line(machine: Machine) -> None:
    machine.has(sshd=True)
    machine.stub("uname", "echo Darwin", log=False)
    machine.stub("python3", "echo 3.9", log=False)  # Apple's own
    done = machine.setup()
    assert done.returncode == 1
    assert "    brew install python@3.13 tmux\n" in done.stderr
    assert machine.calls == []


@pytest.mark.parametrize("arguments", [[], ["everything"], ["--programs"]])
def test_anything_else_is_bad_usage(machine: Machine, arguments: list[str]) -> None:
    done = subprocess.run(
        [machine.bin / "sh", SETUP, *arguments], env=machine.environment, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert "usage: scripts/setup" in done.stderr
