"""Run a command on a fresh Debian with a newer Python: `python -m tests.compat [--release sid] make test`. Needs root.

Each release's system is made once by debootstrap, under `.cache/`. What is committed is copied into it anew each time.
Mounts and processes live in namespaces of their own, so that nothing of them is left whatever ends this run.

Exits with 0 if the command succeeded, with 1 if it failed, and with 69 if the system cannot be made here.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "compat"
RELEASE, PYTHON = "trixie", "3.13"
PYTHONS = {RELEASE: PYTHON, "sid": "3.14"}
PACKAGES = "python3,python3-pip,python3-venv,make,git,ca-certificates"
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
CLONE = "/root/quarq"
UNAVAILABLE = 69  # sysexits.h: EX_UNAVAILABLE
HOST_FILES = {
    "/etc/resolv.conf": "etc/resolv.conf",
    "/etc/hosts": "etc/hosts",
    "/etc/ssl/certs/ca-certificates.crt": "etc/ssl/certs/ca-certificates.crt",
    "/etc/pip.conf": "etc/pip.conf",
    "~/.config/pip/pip.conf": "root/.config/pip/pip.conf",
    "~/.pip/pip.conf": "root/.pip/pip.conf",
}
"""How this machine reaches the package indexes. A fresh machine in the same place would have the same."""
ISOLATED = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
ENTER = """
set -e
mount --rbind /sys "$1/sys"
mount --rbind /dev "$1/dev"
mount -t proc proc "$1/proc"
root=$1; shift
exec chroot "$root" "$@"
"""


class Impossible(Exception):
    """Such a system cannot be made on this machine. The text says why."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.compat", description=__doc__)
    parser.add_argument("--release", choices=PYTHONS, default=RELEASE, help=f"of Debian (default: {RELEASE})")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="make test by default")
    options = parser.parse_args(arguments)
    return tried(options.release, options.command or ["make", "test"])


def tried(release: str, command: list[str]) -> int:
    try:
        if os.geteuid() != 0:
            raise Impossible("only root can make it")
        attempt([*ISOLATED, "true"], "namespaces are not allowed here")
        CACHE.mkdir(parents=True, exist_ok=True)
        with open(CACHE / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            system = make_system(release)
            copy_in(system)
            probe = ["python3", "-m", "pip", "download", "-q", "--no-deps", "-d", "/tmp/probe", "msgpack"]
            attempt(entered(system, probe), "pip reaches no package index from there")
            return run(system, command)
    except Impossible as why:
        print(f"Not tried on Debian {release} with Python {PYTHONS[release]}: {why}.", file=sys.stderr)
        return UNAVAILABLE


def make_system(release: str) -> Path:
    """The folder with the system: the one from last time if it is whole and of the wanted kind."""
    system, stamp = CACHE / release, CACHE / release / "made-from"
    wanted = f"{release} {PACKAGES}\n"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(system, ignore_errors=True)
        install_debootstrap()
        print(f"Making a Debian {release} in {system} (a minute, only once)", flush=True)
        bootstrap = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", release, str(system), MIRROR]
        attempt([*ISOLATED, "timeout", "600", *bootstrap], "debootstrap failed")
        stamp.write_text(wanted)  # last: its presence says that all is there
    version = "import sys; sys.exit('%d.%d' % sys.version_info[:2] != sys.argv[1])"
    python = PYTHONS[release]
    attempt(entered(system, ["python3", "-c", version, python]), f"it cannot be entered, or has no Python {python}")
    return system


def install_debootstrap() -> None:
    if shutil.which("debootstrap"):
        return
    if not shutil.which("apt-get"):
        raise Impossible("there is no debootstrap, and no apt to install it")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    attempt(["apt-get", "-q", "update"], "apt has no connection")
    attempt(
        ["apt-get", "-q", "-y", "install", "--no-install-recommends", "debootstrap", "debian-archive-keyring"],
        "apt cannot install debootstrap",
    )


def copy_in(system: Path) -> None:
    """The commit that is checked out, and how to reach the package indexes."""
    for name, place in HOST_FILES.items():
        if (file := Path(name).expanduser()).exists():
            (system / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, system / place)
    clone = system / CLONE[1:]
    shutil.rmtree(clone, ignore_errors=True)
    # Like a clone, but also from a folder that belongs to somebody else.
    subprocess.run(["git", "init", "--quiet", clone], check=True)
    ours = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT)]
    bundle = system / "tmp" / "quarq.tar"
    subprocess.run([*ours, "archive", "--output", bundle, "HEAD"], check=True)
    subprocess.run(["tar", "-xf", bundle, "-C", clone], check=True)
    bundle.unlink()


def run(system: Path, command: list[str]) -> int:
    script = f'cd {CLONE} && exec "$@"'
    done = subprocess.run(entered(system, ["sh", "-c", script, "sh", *command]), check=False)
    return 1 if done.returncode else 0


def entered(system: Path, command: list[str]) -> list[str]:
    """The command that runs *command* inside, with nothing in its environment but the way to the package indexes."""
    kept = [f"{name}={value}" for name, value in os.environ.items() if is_kept(system, name, value)]
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    clean = ["/usr/bin/env", "-i", path, "HOME=/root", *kept]
    return [*ISOLATED, "sh", "-c", ENTER, "sh", str(system), *clean, *command]


def is_kept(system: Path, name: str, value: str) -> bool:
    if value.startswith("/") and not (system / value[1:]).exists():
        return False
    return name.startswith("PIP_") or name.lower() in ("http_proxy", "https_proxy", "no_proxy")


def attempt(command: list[str], failure: str) -> None:
    """Run what a machine may be unable to do; the end of what it printed is the reason."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        last = (done.stdout.strip().splitlines() or ["no output"])[-1]
        raise Impossible(f"{failure} ({last})")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
