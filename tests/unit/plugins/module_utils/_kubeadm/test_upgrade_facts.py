"""What is read before an upgrade."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import upgrade_facts

METRICS = """\
# HELP apiserver_requested_deprecated_apis [ALPHA] Gauge
apiserver_requested_deprecated_apis{group="extensions",removed_release="1.22",resource="i",version="v1beta1"} 1
apiserver_requested_deprecated_apis_other{group="x"} 1
apiserver_request_total{code="200"} 7
"""
HELP = """\
Usage:
  kubelet [flags]
Flags:
      --address 0.0.0.0            The address (--config does more)
  -v, --v Level                    level
"""
LISTS: dict[str, list[dict[str, Any]]] = {
    "nodes": [{"metadata": {"name": "w1"}, "status": {"nodeInfo": {"kubeletVersion": "v1.20.2"}}}],
    "customresourcedefinitions": [
        {
            "metadata": {"name": "carts.shop"},
            "spec": {"versions": [{"name": "v1", "served": True}, {"name": "v1beta1", "served": False}]},
            "status": {"storedVersions": ["v1", "v1beta1"]},
        }
    ],
    "validatingwebhookconfigurations,mutatingwebhookconfigurations": [
        {
            "metadata": {"name": "c"},
            "webhooks": [
                {"name": "h", "clientConfig": {"service": {"namespace": "shop", "name": "judge"}}},
                {"name": "elsewhere", "clientConfig": {"url": "https://x"}},
            ],
        }
    ],
    "apiservices": [
        {"metadata": {"name": "v1."}, "spec": {}},
        {"metadata": {"name": "v1.metrics"}, "spec": {"service": {"namespace": "shop", "name": "metrics"}}},
    ],
    "endpoints": [
        {"metadata": {"namespace": "shop", "name": "judge"}, "subsets": [{"addresses": [{"ip": "10.0.0.1"}]}]},
        {"metadata": {"namespace": "shop", "name": "metrics"}, "subsets": [{"notReadyAddresses": []}]},
    ],
}


def test_deprecated() -> None:
    (found,) = upgrade_facts.deprecated(METRICS)
    assert (found["group"], found["version"], found["removed_release"]) == ("extensions", "v1beta1", "1.22")


def test_the_flags_of_a_program() -> None:
    assert upgrade_facts.FLAG.findall(HELP) == ["address", "v"]


def test_a_file_that_two_paths_lead_to_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr" / "a.conf").write_text("x")
    (tmp_path / "lib").symlink_to(tmp_path / "usr")
    patterns = [f"{tmp_path}/{name}" for name in ("lib/*.conf", "usr/*.conf", "none")]
    assert upgrade_facts.read_texts(patterns) == {f"{tmp_path}/lib/a.conf": "x"}


@pytest.mark.parametrize(
    ("versions", "kubeadm", "asked"),
    [
        (["1.20.2", "1.20.2"], "1.20.3", True),
        (["1.20.2", "1.20.2"], "1.21.0", False),
        (["1.20.2", "1.20.3"], "1.20.3", False),
        (["1.20.2", ""], "1.20.2", False),
        (["1.20.2"], "", False),
    ],
)
def test_edits_are_looked_for_where_kubeadm_knows_them(
    monkeypatch: pytest.MonkeyPatch, versions: list[str], kubeadm: str, asked: bool
) -> None:
    program = Mock()
    program.return_value.run.return_value = "[upgrade/diff] Reading\ndiff"
    monkeypatch.setattr(upgrade_facts, "Kubeadm", program)
    found = upgrade_facts.drift(Mock(), "/x", {str(number): one for number, one in enumerate(versions)}, kubeadm)
    assert found == ("diff" if asked else "")
    if asked:
        program.return_value.run.assert_called_once_with("upgrade", "diff", "v1.20.2")


def test_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_self: Any, arguments: list[str], **_options: Any) -> tuple[int, str, str]:
        kind = arguments[4]
        if kind in ("configmap", "daemonset"):
            return 1, "", "(NotFound)"
        return 0, json.dumps({"items": LISTS.get(kind, [])}), ""

    module = Mock(spec=AnsibleModule)
    module.get_bin_path.return_value = "kubectl"
    module.run_command = lambda *arguments, **options: run(None, *arguments, **options)
    found = upgrade_facts.cluster_facts(module, "admin.conf")
    assert (found["configuration"], found["kube_proxy"]) == ("", "")
    assert [node["name"] for node in found["nodes"]] == ["w1"]
    assert found["crds"] == [{"name": "carts.shop", "not_served": ["v1beta1"]}]
    assert [(hook["name"], hook["policy"], hook["service"]) for hook in found["webhooks"]] == [("h", "Fail", "judge")]
    assert found["api_services"] == [{"name": "v1.metrics", "namespace": "shop", "service": "metrics"}]
    assert found["backends"] == ["shop/judge"]
