"""Secrets of the lab's hosts, and where they turn up: in outputs of runs, in journals, in folders of users."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .hosts import running
from .settings import Settings

# Where a host has secrets, and where none may be left.
KEPT = (
    "/etc/etcd",
    "/etc/groundwork",
    "/etc/kubernetes",
    "/etc/ssh",
    "/root/.kube",
    "/var/lib/groundwork",
    "/var/lib/kubelet/pki",
)
LEFT = ("/home", "/root/.ansible", "/tmp", "/var/tmp")
# What a search must have had to look for, so that it says something.
NEEDED = ("private key", "key of a kubeconfig", "password of sudo")
SHORTEST = 16

KEY = re.compile(r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----(.+?)-----END", re.DOTALL)
PUBLIC = re.compile(
    r"-----BEGIN (?:CERTIFICATE|PUBLIC KEY)-----(.+?)-----END|^(?:ssh|ecdsa)-\S+ (\S+)", re.DOTALL | re.MULTILINE
)
NAMED = {
    "key of a kubeconfig": re.compile(r"client-key-data: *(\S+)"),
    "key of encryption at rest": re.compile(r"^[ -]*secret: *(\S+)", re.MULTILINE),
    "password of a copy": re.compile(r"^(?:pass|\w*secret\w*) *= *(\S+)", re.MULTILINE),
}
# What needs not be known to be recognized, since it may be gone from the hosts by now.
PATTERNS = {
    "private key": re.compile(r"PRIVATE KEY-----|AGE-SECRET-KEY-1"),
    "bootstrap token": re.compile(r"(?<![\w./-])(?!checkm\.0)[a-z0-9]{6}\.[a-z0-9]{16}(?![\w.-])"),
    "key of uploaded certificates": re.compile(r"certificate.?key\W{1,8}(?!0{64})[0-9a-f]{64}", re.IGNORECASE),
    "token of a service account": re.compile(r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
}


@dataclass(frozen=True, order=True)
class Secret:
    """What must not be seen."""

    kind: str
    value: str
    origin: str


def secrets_in(text: str, origin: str) -> Iterator[Secret]:
    """The secrets in a file; of a private key each line, so that no escaping of line ends hides it."""
    text = text.replace("\\n", "\n")
    for form, body in KEY.findall(text):
        # Of an elliptic curve, the first line has the key, and what follows is public. In OpenSSH's form the first line
        # is the same in all keys of a type.
        lines = body.split()[{"OPENSSH ": slice(1, None), "EC ": slice(1)}.get(form, slice(None))]
        yield from (Secret("private key", line, origin) for line in lines if len(line) >= SHORTEST)
    for kind, pattern in NAMED.items():
        for value in pattern.findall(text):
            # Long ones may be wrapped where they turn up.
            parts = [value[start : start + 60] for start in range(0, len(value), 60)]
            yield from (Secret(kind, part, origin) for part in parts if len(part) >= SHORTEST)
            if kind == "key of a kubeconfig":
                yield from secrets_in(base64.b64decode(value).decode(), origin)


def public_in(text: str) -> list[str]:
    """What a file has of the public halves of keys, which their private files have as well."""
    return ["".join((certificate or key).split()) for certificate, key in PUBLIC.findall(text)]


def forms(value: str) -> set[str]:
    """A value as it is, as JSON has it, and within text in base64, at whichever of the three places."""
    data, found = value.encode(), {value, json.dumps(value)[1:-1]}
    for shift in range(3):
        bits = 8 * shift
        text = base64.b64encode(bytes(shift) + data).decode()
        # Only what the value alone decides.
        found.add(text[-(-bits // 6) : (bits + 8 * len(data)) // 6])
    return found


def search(secrets: Iterable[Secret], path: Path) -> Iterator[str]:
    """What a file shows of them, with the lines; never the secret itself."""
    known = {form: secret for secret in secrets for form in forms(secret.value)}
    known.update({form: Secret("private key", "", "a key") for form in forms("PRIVATE KEY-----\n")})
    command = ["grep", "--text", "--line-number", "--only-matching", "--fixed-strings", "--file=-", "--", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, input="\n".join(filter(None, known)))
    if done.returncode > 1:
        raise RuntimeError(f"grep: {done.stderr.strip()}")
    for line in done.stdout.splitlines():
        place, _colon, form = line.partition(":")
        if form in known:
            yield f"line {place}: {known[form].kind} of {known[form].origin}"
    with path.open(encoding="utf-8", errors="replace") as stream:
        for number, text in enumerate(stream, 1):
            yield from (f"line {number}: {kind}" for kind, pattern in PATTERNS.items() if pattern.search(text))


class Leaks:
    """Collects and searches."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # What was a secret at an earlier search is one still, also if the host has another by now.
        self.memory = settings.state / "secrets.json"

    def secrets(self) -> set[Secret]:
        """All that are known of the hosts and of the lab."""
        known = {Secret(*item) for item in json.loads(self.memory.read_text())} if self.memory.exists() else set()
        public: list[str] = []
        for origin, text in [*self._lab(), *self._files(KEPT)]:
            known.update(secrets_in(text, origin))
            public += public_in(text)
        password = self.settings.state / "sudo_password"
        if password.exists():
            known.add(Secret("password of sudo", password.read_text(), "the lab"))
        known = {secret for secret in known if not any(secret.value in text for text in public)}
        self.memory.touch(0o600)
        self.memory.write_text(json.dumps([[s.kind, s.value, s.origin] for s in sorted(known)]))
        return known

    def report(self, logs: list[str]) -> list[str]:
        """A line for each find, after one that says what was looked for; else why a search would say nothing.

        Raises:
            RuntimeError: if the lab has no password to look for.
        """
        if not (self.settings.state / "sudo_password").exists():
            raise RuntimeError(
                "leaks looks for a password of sudo too, and these hosts have none: make clean, then "
                "`lab up --user ops`, and let a run go over them"
            )
        secrets = self.secrets()
        kinds = {kind: len([s for s in secrets if s.kind == kind]) for kind in sorted({s.kind for s in secrets})}
        print(f"lab: looking for {', '.join(f'{count} of {kind}' for kind, count in kinds.items())}")
        lacking = [kind for kind in NEEDED if kind not in kinds]
        if lacking:
            return [f"the hosts have no {kind}: the search would say nothing" for kind in lacking]
        found: list[str] = []
        with tempfile.TemporaryDirectory(dir=self.settings.state) as folder:
            for index, (name, data) in enumerate([*self._logs(logs), *self._journals(), *self._left()]):
                path = Path(folder) / str(index)
                path.write_bytes(data)
                found += [f"{name}: {where}" for where in sorted(set(search(secrets, path)))]
                print(f"lab: searched {name}, {len(data)} bytes")
        return found

    def _lab(self) -> Iterator[tuple[str, str]]:
        for name in ("id_ed25519", "admin.conf"):
            path = self.settings.state / name
            if path.exists():
                yield name, path.read_text()

    def _logs(self, logs: list[str]) -> Iterator[tuple[str, bytes]]:
        yield from ((log, Path(log).read_bytes()) for log in logs)

    def _journals(self) -> Iterator[tuple[str, bytes]]:
        for host in running(self.settings):
            yield f"the journal of {host.name}", self._on(host.name, "journalctl", "--quiet", "--all", "--output=json")

    def _left(self) -> Iterator[tuple[str, bytes]]:
        # The name of a key that sshd lets in is no secret; the file is named nonetheless.
        yield from ((name, text.encode()) for name, text in self._files(LEFT))

    def _files(self, folders: Iterable[str]) -> Iterator[tuple[str, str]]:
        for host in running(self.settings):
            packed = self._on(host.name, "tar", "--create", "--ignore-failed-read", "--file=-", *folders, check=False)
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                for member in archive:
                    stream = archive.extractfile(member) if member.isfile() else None
                    if stream:
                        yield f"{host.name}:/{member.name}", stream.read().decode("utf-8", "replace")

    def _on(self, name: str, *command: str, check: bool = True) -> bytes:
        container = f"{self.settings.name}-{name}"
        argv = ["podman", "--runtime", "/usr/sbin/runc", "exec", container, *command]
        done = subprocess.run(argv, check=False, capture_output=True)
        if check and done.returncode:
            raise RuntimeError(f"{name}: {' '.join(command)}: {done.stderr.decode().strip()}")
        return done.stdout
