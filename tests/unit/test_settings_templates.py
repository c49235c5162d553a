"""What templates write of maps that users give: of missing values nothing, of booleans what programs read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.ini_value import ini_value

ROLES = Path(__file__).resolve().parents[2] / "roles"


def rendered(template: str, **variables: Any) -> list[str]:
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
    environment.filters["to_json"] = json.dumps
    environment.filters["groundwork.kubernetes.ini_value"] = ini_value
    text = environment.from_string((ROLES / template).read_text()).render(ansible_managed="", **variables)
    return [line.strip() for line in text.splitlines()]


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("http://proxy", 'Environment="A=http://proxy"'),
        ("", 'Environment="A="'),
        (5, 'Environment="A=5"'),
        (True, 'Environment="A=true"'),
        ("True", 'Environment="A=True"'),
        ('50%"', 'Environment="A=50%%\\""'),
        (None, None),
    ],
)
def test_environment_of_the_runtime(value: Any, line: str | None) -> None:
    found = rendered("container_runtime/templates/environment.conf.j2", container_runtime_environment={"A": value})
    assert found[2:] == ([line] if line else [])


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("s3", "key = s3"),
        ("", "key ="),
        (5, "key = 5"),
        (True, "key = true"),
        ("True", "key = True"),
        (None, None),
    ],
)
def test_settings_of_rclone(value: Any, line: str | None) -> None:
    copy = {"name": "x", "settings": {"type": "s3", "key": value}, "ssh_key": None}
    found = rendered("backup/templates/rclone.conf.j2", backup_copies=[copy])
    assert found[1:] == ["[x]", "type = s3", *([line] if line else []), ""]


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("a", 'value: "a"'),
        ("", 'value: ""'),
        (5, 'value: "5"'),
        (False, 'value: "false"'),
        (None, None),
    ],
)
def test_environment_of_kube_vip(value: Any, line: str | None) -> None:
    found = rendered(
        "endpoint/templates/kube-vip.yaml.j2",
        __endpoint_kube_vip_environment=[{"name": "a", "value": value}],
        endpoint_kube_vip_image="i",
        __endpoint_kube_vip_certificate="",
        __endpoint_kubeconfig="/k",
    )
    begin, end = found.index("env:"), found.index("securityContext:")
    assert found[begin + 1 : end] == (['- name: "a"', line] if line else [])


def test_policies_that_deny_by_default() -> None:
    wanted = {"b": ["Ingress", "Egress"], "a": ["Ingress"]}
    found = rendered("cni/templates/default-deny.yml.j2", __cni_own={"cni_default_deny": wanted})
    policies = yaml.safe_load("\n".join(line if line.startswith("-") else f"  {line}" for line in found))
    assert [(policy["kind"], policy["metadata"], policy["spec"]) for policy in policies] == [
        (
            "NetworkPolicy",
            {"name": "default-deny", "namespace": namespace},
            {"podSelector": {}, "policyTypes": directions},
        )
        for namespace, directions in (("a", ["Ingress"]), ("b", ["Ingress", "Egress"]))
    ]


@pytest.mark.parametrize("value", ["a\n[other]", "a\rb", " a", "a ", "`a", '"""a', "%(a)s", "a\x00"])
def test_what_rclone_would_read_otherwise_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        ini_value(value)
    assert str(refused.value).startswith("a value of rclone's configuration (not shown) cannot be used: ")
