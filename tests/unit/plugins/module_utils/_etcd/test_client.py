"""How etcdctl and etcdutl are called and understood."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.answers import (
    Alarm,
    EndpointHealth,
    EndpointStatus,
    MemberRecord,
    parse_alarms,
    parse_health,
    parse_members,
    parse_status,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import Etcd
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.tools import (
    CommandError,
    EtcdError,
    Tool,
    ToolMissingError,
    Version,
    explain,
    parse_version,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.processes import bound_to

OPTIONS = {
    "endpoints": ["https://a:2379", "https://b:2379"], "cacert": "/pki/ca.crt", "cert": "/pki/c.crt",
    "key": "/pki/c.key", "timeout": 5, "dial_timeout": 2,
}  # fmt: skip


class Host:
    """A module's edge: programs in a folder, and what they answer."""

    def __init__(self, folder: Path, versions: dict[str, str], *answers: tuple[int, str, str]) -> None:
        self.params: dict[str, Any] = {**OPTIONS, "bin_dir": str(folder)}
        self.versions, self.answers = versions, list(answers)
        self.commands: list[list[str]] = []
        self.environments: list[dict[str, str]] = []
        self.folder = folder
        for name in versions:
            (folder / name).touch(0o755)

    def run_command(
        self, command: list[str], environ_update: dict[str, str], cwd: str | None, expand_user_and_vars: bool
    ) -> tuple[int, str, str]:
        name = os.path.basename(command[0])
        if command[1:] == ["version"]:
            return 0, f"{name} version: {self.versions[name]}\nAPI version: 3.x\n", ""
        self.commands.append([name, *command[1:]])
        self.environments.append(environ_update)
        return self.answers.pop(0)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("etcdctl version: 3.4.23\nAPI version: 3.4\n", Version(3, 4, 23)),
        ("etcdutl version: 3.6.0-rc.2\nAPI version: 3.6\n", Version(3, 6, 0)),
    ],
)
def test_parse_version(text: str, version: Version) -> None:
    assert parse_version(text) == version


def test_parse_version_of_something_else() -> None:
    with pytest.raises(EtcdError, match="cannot read a version from 'command not found'"):
        parse_version("command not found\n")


@pytest.mark.parametrize(
    ("name", "version", "reads", "bumps"),
    [
        ("etcdctl", "3.4.23", True, False),
        ("etcdctl", "3.4.26", True, False),
        ("etcdctl", "3.4.27", True, True),
        ("etcdutl", "3.5.9", True, False),
        ("etcdutl", "3.5.10", True, True),
        ("etcdctl", "3.5.34", True, True),
        ("etcdctl", "3.6.0", False, True),
        ("etcdutl", "3.6.15", True, True),
        ("etcdctl", "3.7.1", False, True),
        ("etcdutl", "3.7.1", True, True),
    ],
)
def test_what_a_tool_can_do(name: str, version: str, reads: bool, bumps: bool) -> None:
    tool = Tool(f"/usr/local/bin/{name}", parse_version(f"version: {version}"))
    assert (tool.reads_snapshots, tool.bumps_revision) == (reads, bumps)
    assert str(tool.version) == version


@pytest.mark.parametrize(
    ("versions", "chosen"),
    [
        ({"etcdctl": "3.4.23"}, "etcdctl"),
        ({"etcdctl": "3.5.16", "etcdutl": "3.5.16"}, "etcdutl"),
        ({"etcdctl": "3.5.16"}, "etcdctl"),
        ({"etcdctl": "3.6.15", "etcdutl": "3.6.15"}, "etcdutl"),
        ({"etcdctl": "3.6.15"}, "etcdctl 3.6.15 has no such command"),
        ({}, "there is no etcdctl below 3.6 either"),
    ],
)
def test_which_tool_reads_snapshots(tmp_path: Path, versions: dict[str, str], chosen: str) -> None:
    etcd = Etcd(Host(tmp_path, versions))
    if chosen in versions:
        assert etcd.snapshot_tool().name == chosen
    else:
        with pytest.raises(ToolMissingError, match=chosen):
            etcd.snapshot_tool()


def test_without_a_folder_the_usual_ones_are_searched(tmp_path: Path) -> None:
    host = Host(tmp_path, {})
    host.params["bin_dir"] = None
    asked: list[tuple[str, list[str]]] = []
    host.get_bin_path = lambda name, opt_dirs: asked.append((name, opt_dirs))  # type: ignore[attr-defined]
    with pytest.raises(ToolMissingError, match="etcdctl is not in /usr/local/bin, /usr/bin or PATH"):
        Etcd(host).health()
    assert asked == [("etcdctl", ["/usr/local/bin", "/usr/bin"])]


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        ('{"level":"warn","msg":"retrying"}\nError: context deadline exceeded\n', "Error: context deadline exceeded"),
        ("2026-11-22T04:47:40Z\tinfo\trestoring snapshot\t{}\nError: data-dir exists\n", "Error: data-dir exists"),
        ("Deprecated: Use `etcdutl snapshot status` instead.\n\nError: no such file\n", "Error: no such file"),
        ("unexpected fault address 0x7f\nfatal error: fault\n[signal SIGBUS]\n", "fatal error: fault"),
        ('{"level":"fatal","msg":"conflicting variable"}\n', '{"level":"fatal","msg":"conflicting variable"}'),
        ("open /pki/ca.crt: permission denied\n", "open /pki/ca.crt: permission denied"),
        ("", "no message"),
    ],
)  # fmt: skip
def test_explain(stderr: str, reason: str) -> None:
    assert explain(stderr) == reason


def test_parse_status_keeps_ids_whole_and_knows_left_out_fields() -> None:
    follower = {"header": {"member_id": 10618452829079870492, "revision": 6}, "version": "3.4.23", "dbSize": 20480}
    learner = {"header": {}, "isLearner": True, "leader": 18446744073709551615, "errors": ["etcdserver: no leader"]}
    text = json.dumps([{"Endpoint": "a", "Status": follower}, {"Endpoint": "b", "Status": learner}])

    assert parse_status(text) == [
        EndpointStatus("a", 10618452829079870492, 0, "3.4.23", 6, 20480, False, ()),
        EndpointStatus("b", 0, 18446744073709551615, "", 0, 0, True, ("etcdserver: no leader",)),
    ]


def test_parse_health() -> None:
    text = '[{"endpoint":"a","health":true,"took":"2ms"},{"endpoint":"b","took":"5s","error":"deadline"}]'
    assert parse_health(text) == [EndpointHealth("a", True, ""), EndpointHealth("b", False, "deadline")]


@pytest.mark.parametrize("text", ["[]", "null"])
def test_no_member_gave_a_status(text: str) -> None:
    assert parse_status(text) == []


def test_parse_members_knows_one_that_never_started() -> None:
    started = {"ID": 9786502279027508905, "name": "m1", "peerURLs": ["http://a:2380"], "clientURLs": ["http://a:2379"]}
    learner = {"ID": 7, "peerURLs": ["http://b:2380"], "isLearner": True}
    assert parse_members(json.dumps({"header": {}, "members": [started, learner]})) == [
        MemberRecord(9786502279027508905, "m1", ("http://a:2380",), ("http://a:2379",), False),
        MemberRecord(7, "", ("http://b:2380",), (), True),
    ]


@pytest.mark.parametrize(
    ("text", "alarms"),
    [
        ("{}", []),
        ('{"header":{"revision":1}}', []),
        ('{"alarms":[{"memberID":7,"alarm":1},{"memberID":8,"alarm":2}]}', [Alarm(7, "NOSPACE"), Alarm(8, "CORRUPT")]),
        ('{"alarms":[{"memberID":7,"alarm":9}]}', [Alarm(7, "number 9")]),
    ],
)
def test_parse_alarms(text: str, alarms: list[Alarm]) -> None:
    assert parse_alarms(text) == alarms


def test_no_json() -> None:
    with pytest.raises(EtcdError, match="expected JSON, got 'oops'"):
        parse_health("oops")


def test_health_has_every_endpoint_in_the_order_given(tmp_path: Path) -> None:
    host = Host(
        tmp_path, {"etcdctl": "3.6.15"}, (1, '[{"endpoint":"https://b:2379","health":true}]', "Error: unhealthy")
    )

    assert Etcd(host).health() == [
        EndpointHealth("https://a:2379", False, "no answer"),
        EndpointHealth("https://b:2379", True, ""),
    ]
    assert host.commands == [
        [
            "etcdctl", "--endpoints=https://a:2379,https://b:2379", "--cacert=/pki/ca.crt", "--cert=/pki/c.crt",
            "--key=/pki/c.key", "--dial-timeout=2s", "--command-timeout=5s", "endpoint", "health", "--write-out=json",
        ]
    ]  # fmt: skip
    assert host.environments == [{"ETCDCTL_API": "3", "LC_ALL": "C"}]


def test_a_failure_without_an_answer_says_what_failed(tmp_path: Path) -> None:
    host = Host(tmp_path, {"etcdctl": "3.6.15"}, (1, "", '{"level":"warn"}\nError: open /pki/ca.crt: no such file'))

    with pytest.raises(CommandError, match=r"endpoint health .* exit code 1: Error: open /pki/ca.crt: no such file"):
        Etcd(host).health()


def test_variables_of_etcdctl_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCDCTL_ENDPOINTS", "https://elsewhere:2379")
    monkeypatch.setenv("ETCD_NAME", "kept")

    Etcd(Host(tmp_path, {}))

    assert "ETCDCTL_ENDPOINTS" not in os.environ
    assert os.environ["ETCD_NAME"] == "kept"


def test_options_that_are_not_given_are_not_passed(tmp_path: Path) -> None:
    status = json.dumps([{"Endpoint": "http://a:1", "Status": {"header": {}}}])
    host = Host(tmp_path, {"etcdctl": "3.4.23"}, (0, status, ""))
    host.params.update(SimpleNamespace(cacert=None, cert=None, key=None).__dict__)

    Etcd(host).status("http://a:1")

    assert host.commands[0][1:4] == ["--endpoints=http://a:1", "--dial-timeout=2s", "--command-timeout=5s"]


@pytest.mark.parametrize(
    ("call", "command"),
    [
        pytest.param(
            lambda etcd: etcd.save("https://a:2379", "/b/etcd.db", 60),
            ["snapshot", "save", "/b/etcd.db"],
            id="save",
        ),
        pytest.param(
            lambda etcd: etcd.restore("/b/etcd.db", ["--data-dir=/d"]),
            ["snapshot", "restore", "/b/etcd.db", "--data-dir=/d"],
            id="restore",
        ),
    ],
)
def test_what_writes_files_ends_with_the_module(
    tmp_path: Path, call: Callable[[Etcd], None], command: list[str]
) -> None:
    """A killed run leaves no process that writes where the next one does."""
    host = Host(tmp_path, {"etcdctl": "3.4.23"}, (0, "", ""))
    call(Etcd(host))
    [started] = host.commands
    bound = bound_to(os.getpid())
    assert started[: len(bound)] == bound
    assert started[len(bound)] == str(tmp_path / "etcdctl")
    assert " ".join(command) in " ".join(started)
