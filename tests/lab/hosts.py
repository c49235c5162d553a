"""The lab's hosts: podman containers that run systemd and sshd, a network of their own, and a mirror on it."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from .debian import Debian
from .rootfs import RootFilesystems
from .settings import Settings
from .sizes import Host, Resize, health_by_member, quorum_fault, resize

REGISTRY_PORT = 5000
ETCDCTL = "/usr/local/sbin/etcdctl"
# What a control plane has once its cluster was begun.
CLUSTER = "/etc/kubernetes/admin.conf"
IMAGES = "localhost/groundwork-lab/host"
# The machine may not be allowed to raise limits, as podman would by default.
LIMITS = ("--ulimit=nofile=20000:20000", "--ulimit=nproc=20000:20000")
# systemd 257 starts on cgroup version 1 only when it is told to.
INIT_ARGUMENTS = {"13": ["SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"]}
# File systems that must not be overlays themselves, or that are busy.
VOLUMES = ("/var/lib/containerd", "/var/lib/etcd", "/var/lib/kubelet")


def podman(*arguments: str | Path, check: bool = True, stdin: str = "") -> str:
    """Standard output of one podman call, always with runc: crun refuses a hybrid cgroup layout."""
    command = ["podman", "--runtime", "/usr/sbin/runc", *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, input=stdin)
    if check and done.returncode:
        raise RuntimeError(f"podman {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout


def image_name(system: Path) -> str:
    """The image made of a file system: named by its recipe and by when it was made, for labs with other caches."""
    return f"{IMAGES}:{system.stem.rpartition('-')[2]}-{int(system.stat().st_mtime)}"


def unused_images(images: list[dict[str, Any]], used: Iterable[str], current: Iterable[str]) -> list[str]:
    """The names of hosts' images that can go.

    Args:
        images: podman's list of images.
        used: the images' identifiers of all containers, whichever lab's.
        current: names that this lab's next hosts are made of.
    """
    taken, kept = set(used), set(current)
    idle = [image for image in images if image["Id"] not in taken]
    names = [name for image in idle for name in image.get("Names") or []]
    return [name for name in names if name.startswith(f"{IMAGES}:") and name not in kept]


def swap_file(settings: Settings) -> str:
    """What scenarios call the swap files that they make on this lab's hosts."""
    return f"groundwork-lab.{settings.name}.swap"


def loop_devices(block: Path, name: str) -> list[str]:
    """The loop devices on files of this name, also of files that are gone.

    Args:
        block: the kernel's folder of block devices.
        name: the file's name without folders.
    """
    files = {path.parents[1].name: Path(path.read_text().strip()) for path in block.glob("loop*/loop/backing_file")}
    return [f"/dev/{loop}" for loop, file in sorted(files.items()) if file.name.removesuffix(" (deleted)") == name]


def user(settings: Settings) -> str:
    """Who logs in at the hosts."""
    found = settings.state / "user"
    return found.read_text().strip() if found.exists() else "root"


def running(settings: Settings) -> list[Host]:
    """The hosts that exist, in the order they were made."""
    listed = podman("ps", "--all", "--filter", f"label={settings.name}.group", "--format=json")
    labels = [entry["Labels"] for entry in json.loads(listed or "[]")]
    prefix = settings.name
    found = [Host(e[f"{prefix}.name"], e[f"{prefix}.address"], e[f"{prefix}.group"]) for e in labels]
    return sorted(found, key=lambda host: int(host.address.rsplit(".", 1)[1]))


class Hosts:
    """Creates, finds, restarts and removes them."""

    def __init__(
        self, settings: Settings, debian: Debian, systems: RootFilesystems, say: Callable[[str], None]
    ) -> None:
        self.settings, self.debian, self.systems, self.say = settings, debian, systems, say
        self.key = settings.state / "id_ed25519"
        self.password = settings.state / "sudo_password"

    @cached_property
    def image(self) -> str:
        """What the hosts are made of, imported where podman lacks it; other labs' images stay beside it."""
        system = self.systems.host(self.settings.debian)
        name = image_name(system)
        if subprocess.run(["podman", "image", "exists", name], check=False).returncode:
            podman("import", system, name)
        return name

    def running(self) -> list[Host]:
        """The hosts that exist, in the order they were made."""
        return running(self.settings)

    def up(self, counts: dict[str, int], name: str = "") -> None:
        """Make the hosts anew: so many of each group, where root logs in, or a user of this name."""
        self.down()
        self.say("making the hosts")
        self._state()
        if name:
            (self.settings.state / "user").write_text(f"{name}\n")
            self.password.touch(0o600)
            self.password.write_text(secrets.token_urlsafe(16))
        self.mirror()
        self._start_all(resize([], counts, self.settings.address).added)

    def resize(self, counts: dict[str, int]) -> Resize:
        """Keep the hosts that exist, and add and take away what the numbers of each group ask for.

        Raises:
            RuntimeError: Without the hosts that would go etcd had no quorum, or nobody knows. Nothing was done then.
        """
        change = resize(self.running(), counts, self.settings.address)
        self.keep_quorum(change)
        self._state()
        self.mirror()
        stopped = self._stopped()
        for host in change.kept:
            if self._container(host) in stopped:
                self.say(f"starting {host.name}")
                self.start([host.name])
        if change.removed:
            self.remove([host.name for host in change.removed])
        self._start_all(change.added)
        return change

    def _start_all(self, hosts: list[Host]) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._start, hosts))
        self.trust(self.running())

    def _stopped(self) -> set[str]:
        own = f"label={self.settings.name}.group"
        everything = podman("ps", "--all", "--filter", own, "--format={{.Names}}").split()
        return set(everything) - set(podman("ps", "--filter", own, "--format={{.Names}}").split())

    def keep_endpoint(self, change: Resize) -> None:
        """Refuse what would change the address of a cluster's API; a host that does not answer may have a cluster."""
        fault = change.endpoint_fault()
        for host in change.control_planes() if fault else []:
            found = CLUSTER
            with contextlib.suppress(RuntimeError):
                found = self.run(host.name, "find", "/etc", "-maxdepth", "2", "-path", CLUSTER)
            if found.strip():
                raise RuntimeError(fault)

    def keep_quorum(self, change: Resize) -> None:
        """Refuse to take hosts away where etcd would lose its quorum; a lab without etcd has none to lose."""
        asked = [host for host in change.etcd_hosts() if host in change.removed]
        if not asked:
            return
        silent = []
        for host in change.etcd_hosts():
            try:
                if not self.run(host.name, "find", "/usr/local/sbin", "-name", "etcdctl").strip():
                    continue
                members = self.run(host.name, "timeout", "20", ETCDCTL, "member", "list", "--write-out=json")
            except RuntimeError as error:
                silent.append(f"{host.name}: {error}")
                continue
            # It fails where a member is not healthy, and tells of all nonetheless.
            health = podman(
                *("exec", self._container(host), "timeout", "20", ETCDCTL),
                *("endpoint", "health", "--cluster", "--write-out=json"),
                check=False,
            )
            fault = quorum_fault(health_by_member(members, health or "[]"), [host.name for host in change.removed])
            if fault:
                raise RuntimeError(fault)
            return
        if silent:
            names = " and ".join(host.name for host in asked)
            raise RuntimeError(
                f"nobody tells whether etcd has a quorum without {names}, so nothing was removed: {'; '.join(silent)}"
            )

    def mirror(self) -> None:
        """Serve the cache over HTTP and the images over the registry's protocol, on one address of the network."""
        self._network()
        name = f"{self.settings.name}-mirror"
        if podman("ps", "--filter", f"name=^{name}$", "--format={{.Names}}").strip():
            return
        podman("rm", "--force", "--depend", "--ignore", name)
        registry = self.settings.cache / "registry"
        if not (registry / "docker-registry").exists():
            root = self.debian.unpack("docker-registry", "bookworm", registry / "package")
            shutil.copy2(root / "usr/bin/docker-registry", registry / "docker-registry")
        (registry / "config.yml").write_text(
            "version: 0.1\nlog: {level: warn}\nstorage: {filesystem: {rootdirectory: /registry/data}}\n"
            f"http: {{addr: ':{REGISTRY_PORT}'}}\n"
        )
        cache = ("--volume", f"{self.settings.cache}:/cache:ro")
        label = ("--label", f"{self.settings.name}.lab=1")
        podman(
            "run",
            "--detach",
            "--name",
            name,
            *label,
            *LIMITS,
            *self._network_options(self.settings.mirror),
            *cache,
            self.image,
            "python3",
            "-m",
            "http.server",
            "--directory",
            "/cache",
            "80",
        )
        podman(
            "run",
            "--detach",
            "--name",
            f"{name}-registry",
            *label,
            *LIMITS,
            f"--network=container:{name}",
            "--volume",
            f"{registry}:/registry",
            self.image,
            "/registry/docker-registry",
            "serve",
            "/registry/config.yml",
        )
        self._wait_for(
            lambda: self._answers(f"http://{self.settings.mirror}:{REGISTRY_PORT}/v2/"), "the registry answers"
        )

    def down(self) -> None:
        """Remove hosts, mirror, network and everything they left on the machine; other labs' stay."""
        if shutil.which("podman") is None:
            return
        names = podman("ps", "--all", "--filter", f"label={self.settings.name}.lab", "--format={{.Names}}").split()
        # A host that goes down at once leaves nothing running; volumes go with it.
        if names:
            podman("rm", "--force", "--depend", "--time=0", "--volumes", "--ignore", *names)
        podman("network", "rm", "--force", self.settings.name, check=False)
        self._remove_images()
        self._release_swap()
        shutil.rmtree(self.settings.state, ignore_errors=True)

    def _release_swap(self) -> None:
        """Loop devices belong to the machine: those on a host's swap file outlive the host."""
        for device in loop_devices(Path("/sys/block"), swap_file(self.settings)):
            if any(line.split()[0] == device for line in Path("/proc/swaps").read_text().splitlines()):
                subprocess.run(["swapoff", device], check=True)
            subprocess.run(["losetup", "--detach", device], check=True)

    def reboot(self, names: Iterable[str] = ()) -> None:
        """Restart hosts as a reboot would, all at once."""
        hosts = self._chosen(names)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda host: podman("restart", "--time=30", self._container(host)), hosts))
        for host in hosts:
            self._wait_booted(host)
        self.trust(self.running())

    def kill(self, names: Iterable[str]) -> None:
        """Take the power away."""
        for host in self._chosen(names):
            podman("kill", self._container(host))

    def start(self, names: Iterable[str]) -> None:
        """Give the power back."""
        for host in self._chosen(names):
            podman("start", self._container(host))
            self._wait_booted(host)

    def start_stopped(self) -> None:
        """Start what has shut down, as a machine does that reboots."""
        own = ("--filter", f"label={self.settings.name}.group", "--filter", "status=exited")
        for name in podman("ps", "--all", *own, "--format={{.Names}}").split():
            podman("start", name, check=False)

    def remove(self, names: Iterable[str]) -> None:
        """Lose hosts for good, with their disks."""
        for host in self._chosen(names):
            podman("rm", "--force", "--time=0", "--volumes", self._container(host))

    def rebuild(self, names: Iterable[str]) -> None:
        """Put a new, empty host in the place of each, under its name and address."""
        hosts = self._chosen(names)
        self.remove(names)
        self.add(hosts)

    def add(self, hosts: Iterable[Host]) -> None:
        """Make hosts beside those that exist, new and empty."""
        self._state()
        for host in hosts:
            self._start(host)
        self.trust(self.running())

    def cut(self, names: Iterable[str]) -> None:
        """Pull the network cable: the interface loses its carrier and keeps its addresses and routes."""
        for host in self._chosen(names):
            self._cable(host, "down")

    def plug(self, names: Iterable[str]) -> None:
        """Plug the network cable in again."""
        for host in self._chosen(names):
            self._cable(host, "up")

    def _cable(self, host: Host, state: str) -> None:
        # The other end of the host's interface is one of the machine's.
        number = self.run(host.name, "cat", "/sys/class/net/eth0/iflink").strip()
        other = next(
            link.parent for link in Path("/sys/class/net").glob("*/ifindex") if link.read_text().strip() == number
        )
        subprocess.run(["ip", "link", "set", "dev", other.name, state], check=True)

    def run(self, name: str, *command: str) -> str:
        """Standard output of a command on a host, past ssh."""
        return podman("exec", f"{self.settings.name}-{name}", *command)

    def trust(self, hosts: list[Host]) -> None:
        """Write the hosts' keys where ssh looks for them."""
        lines = []
        for host in hosts:
            public = self.run(host.name, "cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()[:2]
            lines.append(f"{host.address} {' '.join(public)}")
        (self.settings.state / "known_hosts").write_text("\n".join(lines) + "\n")

    def _chosen(self, names: Iterable[str]) -> list[Host]:
        hosts = self.running()
        wanted = set(names) or {host.name for host in hosts}
        unknown = wanted - {host.name for host in hosts}
        if unknown:
            raise RuntimeError(f"no such host: {', '.join(sorted(unknown))}")
        return [host for host in hosts if host.name in wanted]

    def _container(self, host: Host) -> str:
        return f"{self.settings.name}-{host.name}"

    def _remove_images(self) -> None:
        images = json.loads(podman("images", "--no-trunc", "--format=json") or "[]")
        used = podman("ps", "--all", "--no-trunc", "--format={{.ImageID}}").split()
        current = map(image_name, (self.settings.cache / "rootfs").glob("host-*.tar"))
        for name in unused_images(images, used, current):
            # Never by force: another lab may have made a host of it by now.
            podman("rmi", name, check=False)

    def _network(self) -> None:
        if subprocess.run(["podman", "network", "exists", self.settings.name], check=False).returncode:
            podman("network", "create", "--disable-dns", f"--subnet={self.settings.subnet}", self.settings.name)

    def _network_options(self, address: str) -> list[str]:
        # The last two numbers of the address make a hardware address that is the same after each start.
        last = "".join(f":{int(part):02x}" for part in address.split("."))
        return [f"--network={self.settings.name}", f"--ip={address}", f"--mac-address=02:77{last}"]

    @property
    def _sources(self) -> Path:
        """The apt sources of hosts with this Debian."""
        return self.settings.state / f"apt-{self.settings.debian}.list"

    def _state(self) -> None:
        self.settings.state.mkdir(parents=True, exist_ok=True)
        if not self.key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", self.key], check=True)
        packages = self.systems.packages(self.settings.debian).name
        self._sources.write_text(f"deb [trusted=yes] http://{self.settings.mirror}/{packages} ./\n")

    def _start(self, host: Host) -> None:
        label = self.settings.name
        labels = {"lab": "1", "name": host.name, "address": host.address, "group": host.group}
        podman(
            "run",
            "--detach",
            "--name",
            self._container(host),
            "--hostname",
            host.name,
            *(word for key, value in labels.items() for word in ("--label", f"{label}.{key}={value}")),
            "--privileged",
            "--systemd=false",
            "--cgroupns=private",
            "--stop-signal=SIGRTMIN+3",
            "--tmpfs=/run",
            "--tmpfs=/tmp:exec",
            "--tmpfs=/run/lock",
            "--env=container=podman",
            *LIMITS,
            *self._network_options(host.address),
            *(f"--volume={path}" for path in VOLUMES),
            f"--volume={self._sources}:/etc/apt/sources.list:ro",
            self.image,
            "/sbin/init",
            *INIT_ARGUMENTS.get(self.settings.debian, ()),
        )
        self._let_in(host)
        self._wait_booted(host)

    def _let_in(self, host: Host) -> None:
        """Give the one user who logs in a key, and where that is not root, sudo with a password."""
        name, container = user(self.settings), self._container(host)
        home = "/root"
        if name != "root":
            home = f"/home/{name}"
            podman("exec", container, "useradd", "--create-home", "--shell=/bin/bash", "--groups=sudo", name)
            podman("exec", container, "install", "--directory", f"--owner={name}", "--mode=0700", f"{home}/.ssh")
            credentials = f"{name}:{self.password.read_text()}\n"
            podman("exec", "--interactive", container, "chpasswd", stdin=credentials)
        podman("cp", f"{self.key}.pub", f"{container}:{home}/.ssh/authorized_keys")
        podman("exec", container, "chown", f"{name}:", f"{home}/.ssh/authorized_keys")

    def _wait_booted(self, host: Host) -> None:
        def booted() -> bool:
            state = podman("exec", self._container(host), "systemctl", "is-system-running", check=False).strip()
            key = podman("exec", self._container(host), "ls", "/etc/ssh/ssh_host_ed25519_key.pub", check=False)
            return state in ("running", "degraded") and bool(key)

        self._wait_for(booted, f"{host.name} has booted")

    def _answers(self, url: str) -> bool:
        return (
            subprocess.run(["curl", "-fsS", "-o", "/dev/null", url], check=False, stderr=subprocess.DEVNULL).returncode
            == 0
        )

    def _wait_for(self, condition: Callable[[], bool], what: str, seconds: int = 180) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"waited {seconds} s in vain until {what}")
            time.sleep(0.3)
