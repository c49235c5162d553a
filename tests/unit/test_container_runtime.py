"""What the role container_runtime writes for each runtime and version, read back from what Ansible renders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tomllib
import yaml
from ansible_collections.groundwork.kubernetes.tests.unit.rendering import render

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "container_runtime"

SHARED: dict[str, Any] = {
    "ansible_connection": "local",
    "ansible_python_interpreter": sys.executable,
    "kubernetes_version": "1.36.5",
}
HOSTS: dict[str, dict[str, Any]] = {
    "containerd-2": {},
    "old": {"kubernetes_version": "1.20.2"},
    "containerd-1": {"container_runtime_containerd_version": "1.7.34"},
    "package-1": {
        "container_runtime_install_method": "package",
        "__container_runtime_packages": {"versions": {"runc": "1.1.5", "containerd": "1.6.20~ds1-1"}},
    },
    "package-2": {
        "container_runtime_install_method": "package",
        "container_runtime_containerd_version": "1.7.34",
        "__container_runtime_packages": {"versions": {"containerd.io": "2.1.4-1.el9"}},
    },
    "accounts": {
        "container_runtime_containerd_config": {
            "plugins": {
                "io.containerd.cri.v1.images": {
                    "registry": {
                        "configs": {
                            "registry.example.com": {"auth": {"username": "robot", "password": "hunter2"}},
                            "token.example.com": {"auth": {"identitytoken": "hunter3"}},
                        }
                    }
                }
            }
        },
    },
    "handlers": {
        "container_runtime_handlers": [
            {"name": "crun", "path": "/usr/bin/crun"},
            {"name": "nvidia", "path": "/usr/bin/nvidia-container-runtime", "options": {"SystemdCgroup": False}},
        ],
    },
    "package-unknown": {
        "container_runtime_install_method": "package",
        "container_runtime_containerd_version": "1.6.20",
        "__container_runtime_packages": {"versions": {}},
    },
    "override": {
        "kubernetes_cgroup_driver": "cgroupfs",
        "kubernetes_image_repository": "mirror.example.com/k8s",
        "container_runtime_containerd_config": {
            "plugins": {"io.containerd.cri.v1.runtime": {"restrict_oom_score_adj": True}},
        },
        "container_runtime_environment": {"HTTPS_PROXY": 'http://user:50%"@proxy'},
        "container_runtime_registry_mirrors": [
            {"registry": "_default", "server": "https://only.example.com"},
            {
                "registry": "registry.k8s.io",
                "mirrors": [
                    {"url": "https://a.example.com/v2/k8s", "override_path": True, "capabilities": ["pull"]},
                    {"url": "https://b.example.com", "ca": "/etc/ssl/b.pem", "skip_verify": False},
                ],
            },
            {"registry": "docker.io", "server": "https://d.example.com", "mirrors": [{"url": "https://d.example.com"}]},
            {"registry": "index.docker.io", "mirrors": [{"url": "https://e.example.com"}]},
        ],
    },
}
SHOWN = {
    "files": "{{ __container_runtime_containerd_files + __container_runtime_hosts_files"
    " + __container_runtime_environment_files + __container_runtime_crictl_files }}",
    "artifacts": "{{ __container_runtime_containerd_artifacts + __container_runtime_cni_artifacts }}",
    "crio": "{{ __container_runtime_crio_files }}",
    "docker": "{{ __container_runtime_docker_files + __container_runtime_cri_dockerd_files }}",
}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """For each host the files' content by path, and the artifacts by name."""
    folder = tmp_path_factory.mktemp("container_runtime")
    (folder / "templates").symlink_to(ROLE / "templates")
    play = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.set_fact": {"architecture": "x86_64", "pkg_mgr": "apt", "cacheable": True}},
            {
                "ansible.builtin.copy": {
                    "content": "{{ shown | to_json }}",
                    "dest": f"{folder}/{{{{ inventory_hostname }}}}.json",
                    "mode": "0600",
                },
                "vars": {"shown": SHOWN},
            },
        ],
    }
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    defaults = yaml.safe_load((ROOT / "roles/kubernetes/defaults/main.yml").read_text())
    defaults |= yaml.safe_load((ROLE / "defaults/main/main.yml").read_text())
    internal = yaml.safe_load((ROLE / "vars/main.yml").read_text())
    inventory = {"all": {"vars": {**internal, **defaults, **SHARED}, "hosts": HOSTS}}
    (folder / "inventory.yml").write_text(yaml.safe_dump(inventory))
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    program = Path(sys.executable).with_name("ansible-playbook")
    subprocess.run(
        [program, "--inventory", folder / "inventory.yml", folder / "play.yml"],
        check=True,
        stdout=subprocess.DEVNULL,
        env=environment,
        cwd=ROOT,
    )
    results = {}
    for host in HOSTS:
        shown = json.loads((folder / f"{host}.json").read_text())
        texts = {file["path"]: file["content"] for file in shown["files"] + shown["crio"] + shown["docker"]}
        modes = {f"{file['path']} mode": file.get("mode") for file in shown["files"]}
        results[host] = {**texts, **modes, "artifacts": {item["name"]: item for item in shown["artifacts"]}}
    return results


@pytest.mark.parametrize(
    ("host", "version"),
    [("containerd-2", 3), ("containerd-1", 2), ("package-1", 2), ("package-2", 3), ("package-unknown", 2)],
)
def test_configuration_has_the_version_that_containerd_reads(
    rendered: dict[str, dict[str, Any]], host: str, version: int
) -> None:
    config = tomllib.loads(rendered[host]["/etc/containerd/config.toml"])
    assert config["version"] == version
    plugins = config["plugins"]
    if version == 2:
        cri = plugins["io.containerd.grpc.v1.cri"]
        assert cri["sandbox_image"] == "registry.k8s.io/pause:3.10.2"
        images = runtime = cri
    else:
        images, runtime = plugins["io.containerd.cri.v1.images"], plugins["io.containerd.cri.v1.runtime"]
        assert images["pinned_images"] == {"sandbox": "registry.k8s.io/pause:3.10.2"}
    assert images["registry"] == {"config_path": "/etc/containerd/certs.d"}
    assert runtime["containerd"]["runtimes"]["runc"] == {
        "runtime_type": "io.containerd.runc.v2",
        "options": {"SystemdCgroup": True},
    }
    assert "restrict_oom_score_adj" not in runtime


def test_downloads_that_the_release_knows_need_no_checksum_file(rendered: dict[str, dict[str, Any]]) -> None:
    checksums = {name: item["checksum"] for name, item in rendered["containerd-2"]["artifacts"].items()}
    assert set(checksums) == {"containerd", "runc", "cni-plugins"}
    assert all(value.startswith("sha256:") for value in checksums.values())
    unknown = rendered["containerd-1"]["artifacts"]["containerd"]
    assert unknown["checksum"] == unknown["url"] + ".sha256sum"


def test_the_runtime_follows_the_minor(rendered: dict[str, dict[str, Any]]) -> None:
    urls = {name: item["url"].rpartition("/download/")[2] for name, item in rendered["old"]["artifacts"].items()}
    assert urls == {
        "containerd": "v1.7.34/containerd-1.7.34-linux-amd64.tar.gz",
        "runc": "v1.3.6/runc.amd64",
        "cni-plugins": "v1.9.1/cni-plugins-linux-amd64-v1.9.1.tgz",
    }
    config = tomllib.loads(rendered["old"]["/etc/containerd/config.toml"])
    assert config["plugins"]["io.containerd.grpc.v1.cri"]["sandbox_image"] == "registry.k8s.io/pause:3.2"


OPEN_MIRRORS = [
    {"registry": "a", "mirrors": [{"url": "http://m.example.com"}]},
    {"registry": "a", "server": "http://s.example.com"},
    {"registry": "a", "mirrors": [{"url": "https://v.example.com", "skip_verify": True}]},
]


@pytest.mark.parametrize("mirror", OPEN_MIRRORS)
@pytest.mark.parametrize("allowed", [False, "true"])
def test_mirrors_without_verified_tls_are_refused_unless_allowed(tmp_path: Path, mirror: Any, allowed: Any) -> None:
    values = {**SHARED, "container_runtime_registry_mirrors": [mirror], "kubernetes_allow_http": allowed}
    inventory = {"hosts": {"h": values}}
    shown = {"files": "{{ __container_runtime_hosts_files }}"}
    if allowed:
        (file,) = render(tmp_path, "container_runtime", inventory, {"pkg_mgr": "apt"}, shown)["h"]["files"]
        assert file["path"] == "/etc/containerd/certs.d/a/hosts.toml"
    else:
        message = r"https?://[msv]\.example\.com is http or skips the verification"
        with pytest.raises(AssertionError, match=message):
            render(tmp_path, "container_runtime", inventory, {"pkg_mgr": "apt"}, shown)


def test_overrides_are_merged(rendered: dict[str, dict[str, Any]]) -> None:
    plugins = tomllib.loads(rendered["override"]["/etc/containerd/config.toml"])["plugins"]
    runtime = plugins["io.containerd.cri.v1.runtime"]
    assert runtime["restrict_oom_score_adj"] is True
    assert runtime["containerd"]["runtimes"]["runc"]["options"] == {"SystemdCgroup": False}
    assert plugins["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"] == "mirror.example.com/k8s/pause:3.10.2"


def test_credentials_for_registries_are_for_root_alone(rendered: dict[str, dict[str, Any]]) -> None:
    images = tomllib.loads(rendered["accounts"]["/etc/containerd/config.toml"])["plugins"][
        "io.containerd.cri.v1.images"
    ]
    assert images["registry"] == {
        "config_path": "/etc/containerd/certs.d",
        "configs": {"token.example.com": {"auth": {"identitytoken": "hunter3"}}},
    }
    path = "/etc/containerd/certs.d/registry.example.com/hosts.toml"
    assert 'Authorization = "Basic cm9ib3Q6aHVudGVyMg=="' in rendered["accounts"][path]
    assert rendered["accounts"][f"{path} mode"] == "0600"
    modes = {host: rendered[host]["/etc/containerd/config.toml mode"] for host in ("accounts", "override")}
    assert modes == {"accounts": "0600", "override": "0644"}


def test_mirrors(rendered: dict[str, dict[str, Any]]) -> None:
    files = rendered["override"]
    assert tomllib.loads(files["/etc/containerd/certs.d/_default/hosts.toml"]) == {
        "server": "https://only.example.com",
        "host": {"https://only.example.com": {}},
    }
    text = files["/etc/containerd/certs.d/registry.k8s.io/hosts.toml"]
    assert tomllib.loads(text) == {
        "host": {
            "https://a.example.com/v2/k8s": {"override_path": True, "capabilities": ["pull"]},
            "https://b.example.com": {"ca": "/etc/ssl/b.pem", "skip_verify": False},
        }
    }
    assert text.index("a.example.com") < text.index("b.example.com")


def test_dockers_registry_has_one_folder_under_both_names(rendered: dict[str, dict[str, Any]]) -> None:
    files = rendered["override"]
    assert tomllib.loads(files["/etc/containerd/certs.d/docker.io/hosts.toml"]) == {
        "server": "https://d.example.com",
        "host": {"https://d.example.com": {}, "https://e.example.com": {}},
    }
    assert not [path for path in files if "index.docker.io" in path]


def test_environment_is_quoted_for_systemd(rendered: dict[str, dict[str, Any]]) -> None:
    text = rendered["override"]["/etc/systemd/system/containerd.service.d/environment.conf"]
    assert 'Environment="HTTPS_PROXY=http://user:50%%\\"@proxy"\n' in text
    assert not [path for path in rendered["containerd-2"] if path.endswith("environment.conf")]


def test_programs_of_the_other_method_are_removed(rendered: dict[str, dict[str, Any]]) -> None:
    unit = "/etc/systemd/system/containerd.service"
    for host, state in (("containerd-2", "present"), ("package-1", "absent")):
        artifacts = rendered[host]["artifacts"]
        assert [artifacts[name]["state"] for name in ("containerd", "runc")] == [state, state]
        assert artifacts["cni-plugins"]["state"] == "present"
        assert (unit in rendered[host]) is (state == "present")


def test_handlers(rendered: dict[str, dict[str, Any]]) -> None:
    plugins = tomllib.loads(rendered["handlers"]["/etc/containerd/config.toml"])["plugins"]
    runtimes = plugins["io.containerd.cri.v1.runtime"]["containerd"]["runtimes"]
    assert {name: runtime["options"] for name, runtime in runtimes.items()} == {
        "runc": {"SystemdCgroup": True},
        "crun": {"SystemdCgroup": True, "BinaryName": "/usr/bin/crun"},
        "nvidia": {"SystemdCgroup": False, "BinaryName": "/usr/bin/nvidia-container-runtime"},
    }
    assert {runtime["runtime_type"] for runtime in runtimes.values()} == {"io.containerd.runc.v2"}
    crio = tomllib.loads(rendered["handlers"]["/etc/crio/crio.conf.d/90-groundwork.conf"])["crio"]["runtime"]
    assert crio["runtimes"]["crun"] == {"runtime_path": "/usr/bin/crun", "runtime_type": "oci"}
    assert crio["cgroup_manager"] == "systemd"


def test_crio_and_docker(rendered: dict[str, dict[str, Any]]) -> None:
    crio = tomllib.loads(rendered["override"]["/etc/crio/crio.conf.d/90-groundwork.conf"])["crio"]
    assert crio["image"]["pause_image"] == "mirror.example.com/k8s/pause:3.10.2"
    assert crio["runtime"] == {"cgroup_manager": "cgroupfs", "conmon_cgroup": "pod"}
    docker = json.loads(rendered["override"]["/etc/docker/daemon.json"])
    assert docker["exec-opts"] == ["native.cgroupdriver=cgroupfs"]
    assert (
        "--pod-infra-container-image=mirror.example.com/k8s/pause:3.10.2"
        in (rendered["override"]["/etc/systemd/system/cri-dockerd.service"])
    )


def test_the_kubelet_speaks_to_docker_itself_before_1_24(tmp_path: Path) -> None:
    hosts = {
        name: {**SHARED, "kubernetes_version": version, "kubernetes_container_runtime": "docker"}
        for name, version in (("shim", "1.23.17"), ("cri", "1.24.0"))
    }
    shown = {
        "shim": "{{ __container_runtime_dockershim }}",
        "crictl": "{{ lookup('ansible.builtin.template', 'crictl.yaml.j2') }}",
        "state": "{{ __container_runtime_cri_dockerd_artifacts[0].state }}",
    }
    found = render(tmp_path, "container_runtime", {"hosts": hosts}, {"pkg_mgr": "apt"}, shown)
    assert {host: (values["shim"], values["state"]) for host, values in found.items()} == {
        "shim": (True, "absent"),
        "cri": (False, "present"),
    }
    assert '"unix:///var/run/dockershim.sock"' in found["shim"]["crictl"]
    assert '"unix:///var/run/cri-dockerd.sock"' in found["cri"]["crictl"]
