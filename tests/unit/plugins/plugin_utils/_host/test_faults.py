"""How faults are ignored and shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import faults, public_keys
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import WARNING, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_checks import HOST_CHECKS

ROOT = Path(__file__).resolve().parents[5]


@pytest.mark.parametrize(
    ("ignore", "expected"),
    [
        ([], ["error", "error", "warning"]),
        (None, ["error", "error", "warning"]),
        (["cpu-too-few"], ["warning", "warning", "warning"]),
        ({"a": ["cpu-too-few"]}, ["warning", "error", "warning"]),
        ({"*": ["firewall-active"], "b": ["cpu-too-few"]}, ["error", "warning"]),
    ],
)
def test_ignore(ignore: Any, expected: list[str]) -> None:
    found = [
        Fault("cpu-too-few", "x", "a"),
        Fault("cpu-too-few", "x", "b"),
        Fault("firewall-active", "y", "b", WARNING),
    ]
    kept = faults.apply_ignore(found, ignore)
    assert [fault.severity for fault in kept] == expected
    assert all(("(ignored)" in fault.text) == (fault.severity == WARNING) for fault in kept if fault.text != "y")


@pytest.mark.parametrize("ignore", ["cpu-too-few", {"a": "cpu-too-few"}, {"a": 1}, 7])
def test_ignore_of_the_wrong_form(ignore: Any) -> None:
    (fault,) = faults.check_ignore(ignore)
    assert fault.id == "value-invalid"
    assert "preflight_ignore" in fault.text


def test_ignore_of_what_is_no_fault() -> None:
    (fault,) = faults.check_ignore(["cpu-too-low", "disk-full"])
    assert fault.text == "preflight_ignore: cpu-too-low is no fault; did you mean cpu-too-few?"


def test_message_is_grouped_by_host() -> None:
    found = [
        Fault("cpu-too-few", "1 CPU", "b"),
        Fault("clock-unsynchronised", "no NTP", "a", WARNING),
        Fault("cpu-too-few", "1 CPU", "a"),
        Fault("cpu-too-few", "1 CPU", "a"),
        Fault("duplicate-mac", "a, b share it"),
    ]
    assert faults.render(found, ["a", "b"], "Preflight") == (
        "Preflight: 2 errors, 1 warning\n"
        "\n"
        "cluster\n"
        "  error [duplicate-mac] a, b share it\n"
        "\n"
        "all hosts\n"
        "  error [cpu-too-few] 1 CPU\n"
        "\n"
        "a\n"
        "  warning [clock-unsynchronised] no NTP"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("set allow_emptydir to lose it", "set reboot_allow_emptydir to lose it"),
        ("allow the downtime (allow_downtime)", "allow the downtime (reboot_allow_downtime)"),
        ("set reboot_allow_bare_pods, and allow_others stays", "set reboot_allow_bare_pods, and allow_others stays"),
    ],
)
def test_advice_names_the_variables_of_the_role(text: str, expected: str) -> None:
    assert faults.advise_by_variable(text, "reboot") == expected


def test_many_hosts_are_not_all_named() -> None:
    found = [Fault("cpu-too-few", "1 CPU", f"h{number}") for number in range(9)]
    assert "h0, h1, h2, h3 and 5 more hosts" in faults.render(found, [*(f"h{n}" for n in range(9)), "other"], "x")


def test_result() -> None:
    error = ([Fault("cpu-too-few", "1 CPU", "a")], ["a"], "Preflight", "No host was changed.")
    bad = faults.as_result(*error, printed=True)
    assert bad["failed"]
    assert bad["msg"] == "Preflight: 1 error, 0 warnings, listed above. No host was changed."
    assert "error [cpu-too-few] 1 CPU\n\nNo host was changed." in faults.as_result(*error)["msg"]
    fine = faults.as_result([], ["a"], "Preflight", "")
    assert fine == {"changed": False, "msg": "Preflight: 0 errors, 0 warnings", "faults": []}
    doubtful = faults.as_result([Fault("mtu-differs", "1400, 1500", severity=WARNING)], ["a"], "Preflight", "")
    assert "failed" not in doubtful
    assert doubtful["faults"] == [{"host": "", "id": "mtu-differs", "severity": "warning", "text": "1400, 1500"}]
    assert doubtful["warnings"] == ["Preflight, cluster: [mtu-differs] 1400, 1500"]


def test_errors_are_printed_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    warning = Fault("mtu-differs", "1400, 1500", severity=WARNING)
    assert not faults.show_errors([warning], ["a"], "Preflight")
    assert capsys.readouterr() == ("", "")
    assert faults.show_errors([warning, Fault("cpu-too-few", "1 CPU", "a")], ["a"], "Preflight")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "[ERROR]: Preflight: 1 error, 1 warning"
    assert "  error [cpu-too-few] 1 CPU" in lines


def test_every_fault_is_named_once_in_the_table_and_in_the_readme() -> None:
    plugins = ROOT / "plugins"
    own = (plugins / "plugin_utils/_host/faults.py").read_text()
    table = own.partition("FAULTS")[2].partition("}")[0]
    # It names flags of programs, and has one fault.
    flags = plugins / "plugin_utils/_inputs/fixed_settings.py"
    places = [
        *sorted(set((plugins / "plugin_utils/_inputs").glob("*.py")) - {flags}),
        plugins / "plugin_utils/_cluster/endpoint.py",
        plugins / "plugin_utils/_host/public_keys.py",
        plugins / "action/validate_inputs.py",
    ]
    code = "\n".join([own.replace(table, ""), *(path.read_text() for path in places)])
    used = {name for name in re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)+)"', code) if not name.startswith("kube-")}
    of_kubeadm = {name for _issuer, name in public_keys.KUBEADM_CERTIFICATES.values()}
    arguments = {"node-cidr-mask-size", "allocate-node-cidrs", "cni-plugins", "cri-dockerd", "controller-manager"}
    arguments |= {"exec-opts", "service-account-issuer", "best-effort", "ephemeral-storage", "single-numa-node"}
    packages = {"cri-o", "docker-registry", "python3-cryptography"}
    assert '"setting-fixed"' in flags.read_text()
    assert (used - {"utf-8"} - of_kubeadm - arguments - packages) | {"setting-fixed"} == faults.FAULTS.keys()
    readme = (ROOT / "roles" / "preflight" / "README.md").read_text()
    listed = re.findall(r"^\| `([a-z0-9-]+)` \| (?:error|warning|either)", readme, re.MULTILINE)
    assert sorted([*listed, *HOST_CHECKS]) == sorted(faults.FAULTS)


def test_other_callbacks_get_errors_in_the_result(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults.constants, "DEFAULT_STDOUT_CALLBACK", "ansible.posix.json")
    assert not faults.show_errors([Fault("cpu-too-few", "1 CPU", "a")], ["a"], "Preflight")
    assert capsys.readouterr() == ("", "")
