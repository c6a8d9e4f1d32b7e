"""Building and running images without a container engine: buildah with chroot isolation."""

import ast
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

_PIP_OPTIONS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")

# What `docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges` does, by hand.
_HARDENED = """
set -eu
root=$1 user=$2
shift 2
mount --bind "$root" "$root"
mount -o remount,bind,ro,nosuid "$root"
mount -t tmpfs -o size=64m,mode=1777,noexec,nosuid,nodev tmpfs "$root/tmp"
mount -t proc -o ro proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot "$root" setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups --bounding-set=-all \\
    --inh-caps=-all --no-new-privs env --chdir=/tmp "$@"
"""


@dataclass(frozen=True)
class Buildah:
    """buildah over a storage of its own, so that a run leaves the machine's other images alone."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The process environment that points buildah at the storage."""
        return os.environ | {"CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"), "TMPDIR": str(self.folder)}

    def prepare(self) -> None:
        """Write the storage's configuration; vfs needs no support from the kernel."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "storage.conf").write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{self.folder}/graph"\nrunroot = "{self.folder}/run"\n'
        )

    def __call__(self, *arguments: str) -> str:
        """Run one buildah command and return what it prints."""
        done = subprocess.run(
            ["buildah", *arguments], env=self.environment, capture_output=True, text=True, timeout=1500, check=False
        )
        if done.returncode:
            raise RuntimeError(f"buildah {' '.join(arguments)} failed ({done.returncode}):\n{done.stderr[-8000:]}")
        return done.stdout.strip()

    def has(self, image: str) -> bool:
        """Whether the storage holds an image."""
        return image in self("images", "--format", "{{.Name}}:{{.Tag}}").splitlines()

    def inspect(self, image: str) -> dict[str, Any]:
        """The image's description; `["Docker"]["config"]` is what `docker inspect` calls `Config`."""
        description: dict[str, Any] = json.loads(self("inspect", "--type", "image", image))
        return description

    @contextmanager
    def container(self, image: str) -> Iterator["Container"]:
        """A container of an image, removed at the end."""
        name = self("from", "--pull-never", image)
        try:
            yield Container(self, name, Path(self("mount", name)), self.inspect(image)["Docker"]["config"])
        finally:
            self("rm", name)


@dataclass(frozen=True)
class Container:
    """A container: its file system and its image's settings."""

    buildah: Buildah
    name: str
    root: Path
    config: dict[str, Any]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the container as the image's user."""
        return subprocess.run(
            self._run_command(*command),
            env=self.buildah.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self, port: int, *, hardened: bool) -> "Service":
        """Start what the image starts by default, on a port of the loopback interface.

        Args:
            port: A free port; chroot isolation does not separate networks.
            hardened: Not with `buildah run`, but with a root file system that is read-only, /tmp as the only place to
                write, and no capability.
        """
        command = [*self.config["Entrypoint"], *self.config["Cmd"]]
        listen = ["COLOCALIZE_HOST=127.0.0.1", f"COLOCALIZE_PORT={port}"]
        if hardened:
            settings = [*self.config["Env"], *listen, *command]
            command = [
                "unshare",
                "--mount",
                "sh",
                "-c",
                _HARDENED,
                "sh",
                str(self.root),
                self.config["User"],
                *settings,
            ]
        else:
            command = self._run_command("env", *listen, *command)
        log = self.buildah.folder / f"service-{port}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(command, env=self.buildah.environment, stdout=file, stderr=subprocess.STDOUT)
        return Service(self, process, port, log, time.monotonic())

    def _run_command(self, *command: str) -> list[str]:
        return ["buildah", "run", "--isolation", "chroot", self.name, "--", *command]


@dataclass
class Service:
    """A started service."""

    container: Container
    process: subprocess.Popen[bytes]
    port: int
    log: Path
    started: float

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self, seconds: float = 60) -> float:
        """Wait for /readyz.

        Returns:
            Seconds from the start of the process to the first 200.

        Raises:
            RuntimeError: The process ended, or the time is over; with what it printed.
        """
        while (elapsed := time.monotonic() - self.started) < seconds:
            if self.process.poll() is not None:
                raise RuntimeError(f"the service ended with {self.process.returncode}:\n{self.log.read_text()}")
            try:
                if httpx.get(f"{self.url}/readyz", trust_env=False).status_code == httpx.codes.OK:
                    return time.monotonic() - self.started
            except httpx.TransportError:
                pass  # it does not listen yet
            time.sleep(0.02)
        raise RuntimeError(f"not ready after {elapsed:.0f} s:\n{self.log.read_text()}")

    def python_process(self) -> int:
        """The process that is number 1 under an engine: the first below ours that runs Python, not buildah."""
        candidates = [self.process.pid]
        for process_id in candidates:  # grows while it is walked
            if Path(f"/proc/{process_id}/exe").readlink().name.startswith("python"):
                return process_id
            for task in Path(f"/proc/{process_id}/task").iterdir():
                candidates += [int(child) for child in (task / "children").read_text().split()]
        raise RuntimeError(f"no Python runs below process {self.process.pid}")

    def resident_bytes(self) -> tuple[int, int]:
        """Resident memory of the service, now and at its highest."""
        fields = {}
        for line in Path(f"/proc/{self.python_process()}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            fields[name] = value
        return int(fields["VmRSS"].split()[0]) * 1024, int(fields["VmHWM"].split()[0]) * 1024

    def stop(self) -> int:
        """Send SIGTERM to the service, as an engine does, and return its exit status."""
        process_id = self.python_process()
        os.kill(process_id, signal.SIGTERM)
        try:
            return self.process.wait(timeout=90)
        except subprocess.TimeoutExpired:
            os.kill(process_id, signal.SIGKILL)
            raise


def pip_secrets(folder: Path) -> list[str]:
    """Arguments of `buildah build` that hand this machine's pip settings to the build: its index, its certificates.

    Args:
        folder: Where the two files that the secrets are read from are written.
    """
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    settings: dict[str, str] = {}
    for line in sorted(listing.splitlines()):  # `:env:` first: the environment wins over the files
        key, _, value = line.partition("=")
        settings.setdefault(key.rpartition(".")[2], str(ast.literal_eval(value)))
    lines = ["[global]"]
    for option in _PIP_OPTIONS:
        # Folders of this machine do not exist in the build.
        parts = [part for part in settings.get(option, "").split() if not part.startswith(("file:", "/"))]
        if parts:
            lines.append(f"{option} = {' '.join(parts)}")
    arguments = []
    if "cert" in settings:
        lines.append("cert = /run/secrets/ca_bundle")
        arguments = ["--secret", f"id=ca_bundle,src={settings['cert']}"]
    (folder / "pip.conf").write_text("\n".join(lines) + "\n")
    return ["--secret", f"id=pip_conf,src={folder / 'pip.conf'}", *arguments]
