"""The judgement of sources and digests, as tables, and the digests that are shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.pinned_checksum import FilterModule
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import digests
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import argument_specs, downloads, inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

SPECS = argument_specs.load_specs(Path(__file__).resolve().parents[5] / "roles")
GROUPS = {"kube_control_plane": ["cp1"], "kube_node": ["cp1", "w1"]}
OPEN = "; who sits on the way decides what comes: use https, or set kubernetes_allow_http"
OWN, OTHER, URL = "a" * 64, "b" * 64, "https://example.com/f.sha256"
SHIPPED = digests.released()["runc"]["1.4.3"]["arm64"]
pinned_checksum = FilterModule().filters()["pinned_checksum"]


def host(name: str, **values: Any) -> HostInput:
    """A host with the defaults of all roles, as far as they are plain, and what is given."""
    known = {variable: value for variable, value in argument_specs.defaults(SPECS).items() if value is not None}
    known.update(argument_specs.following(SPECS, values.get("kubernetes_version", known["kubernetes_version"])))
    return HostInput(name, {**known, "kubernetes_architecture": "amd64", **values})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"kubernetes_download_url": "https://mirror.example.com"}, []),
        ({"kubernetes_download_url": "http://m"}, ["kubernetes_download_url http://m is not https"]),
        ({"kubernetes_download_url": "http://m", "kubernetes_allow_http": True}, []),
        ({"kubernetes_download_url": "http://m", "kubernetes_allow_http": "true"}, []),
        (
            {"kubernetes_download_url": "http://m", "kubernetes_allow_http": "false"},
            ["kubernetes_download_url http://m is not https"],
        ),
        ({"etcd_checksum": "http://m/sums"}, ["etcd_checksum http://m/sums is not https"]),
        (
            {"kubernetes_checksums": {"kubelet": "ftp://m/sums", "kubeadm": OWN}},
            ["kubernetes_checksums.kubelet ftp://m/sums is not https"],
        ),
        (
            {"cni_manifests": [{"content": "a: b"}, {"url": "http://m/x.yml"}]},
            ["cni_manifests[1].url http://m/x.yml is not https"],
        ),
        (
            {"container_runtime_package_repository": {"url": "https://m", "key": "http://m/key"}},
            ["container_runtime_package_repository.key http://m/key is not https"],
        ),
        (
            {
                "container_runtime_registry_mirrors": [
                    {"registry": "a", "server": "http://s", "mirrors": [{"url": "http://m"}]},
                    {"registry": "b", "mirrors": [{"url": "https://m", "skip_verify": True}]},
                    {"registry": "c", "mirrors": [{"url": "https://m", "skip_verify": False}]},
                ]
            },
            [
                "container_runtime_registry_mirrors[0].server http://s is not https",
                "container_runtime_registry_mirrors[0].mirrors[0].url http://m is not https",
                "container_runtime_registry_mirrors[1].mirrors[0].skip_verify leaves the certificate unverified",
            ],
        ),
        # These are no sources.
        ({"etcd_metrics_urls": ["http://127.0.0.1:2381"], "container_runtime_environment": {"A": "http://p"}}, []),
    ],
)
def test_sources(values: dict[str, Any], expected: list[str]) -> None:
    one = host("cp1", **values)
    found = list(downloads.sources(one, Inputs([one], GROUPS, SPECS)))
    assert [fault.text for fault in found] == [text + OPEN for text in expected]
    assert {(fault.id, fault.severity) for fault in found} <= {("source-unprotected", "error")}


def missing(*hosts: HostInput, groups: dict[str, list[str]] | None = None) -> list[str]:
    """What no digest is known of; the fault is one, of the cluster."""
    found = list(downloads.digests(Inputs(hosts, groups or GROUPS, SPECS)))
    assert len(found) <= 1
    assert {(fault.id, fault.host) for fault in found} <= {("digest-missing", "")}
    return (
        found[0].text.removeprefix("no digest or fingerprint is known of ").partition(":")[0].split(", ")
        if found
        else []
    )


# A version that no release has.
PROGRAMS = ["kubeadm 1.36.99 (amd64)", "kubectl 1.36.99 (amd64)", "kubelet 1.36.99 (amd64)"]
OLD = {"kubernetes_version": "1.36.99", "etcd_version": "3.6.99"}
DIGESTS: dict[str, Any] = {
    **{name: {"1.36.99": {"amd64": OWN}} for name in ("kubeadm", "kubelet", "kubectl")},
    "etcd": {"3.6.99": {"amd64": f"sha256:{OWN}"}},
}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (OLD, ["etcd 3.6.99 (amd64)", *PROGRAMS]),
        ({**OLD, "kubernetes_digests": DIGESTS}, []),
        ({**OLD, "kubernetes_digests": {**DIGESTS, "etcd": {"3.6.99": {"arm64": OWN}}}}, ["etcd 3.6.99 (amd64)"]),
        ({**OLD, "etcd_checksum": OWN}, PROGRAMS),
        ({**OLD, "etcd_checksum": URL}, ["etcd 3.6.99 (amd64)", *PROGRAMS]),
        ({**OLD, "kubernetes_checksums": {"kubelet": OWN}}, ["etcd 3.6.99 (amd64)", *PROGRAMS[:2]]),
        ({**OLD, "kubernetes_install_method": "package"}, ["etcd 3.6.99 (amd64)"]),
        (
            {"kubernetes_digests": DIGESTS, **OLD, "container_runtime_runc_version": "1.0.0"},
            ["runc 1.0.0 (amd64)"],
        ),
        (
            {
                "kubernetes_digests": DIGESTS,
                **OLD,
                "container_runtime_runc_version": "1.0.0",
                "container_runtime_install_method": "package",
            },
            [],
        ),
        (
            {
                "kubernetes_digests": DIGESTS,
                **OLD,
                "kubernetes_container_runtime": "docker",
                "container_runtime_cri_dockerd_version": "0.0.1",
                "container_runtime_cri_dockerd_checksum": "https://mirror.example.com/cri-dockerd.sha256",
            },
            ["cri-dockerd 0.0.1 (amd64)"],
        ),
    ],
)
def test_digests(values: dict[str, Any], expected: list[str]) -> None:
    assert missing(host("cp1", **values), host("w1", **values)) == expected


REPOSITORY = {"name": "docker", "url": "https://m", "key": "https://m/key"}
PACKAGES = {"kubernetes_install_method": "package", "container_runtime_install_method": "package", "etcd_checksum": OWN}
CRIO = "the key of CRI-O's package repository (give it as container_runtime_package_repository)"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"kubernetes_package_key_fingerprints": []}, ["the key of Kubernetes' package repository"]),
        ({"container_runtime_package_repository": REPOSITORY}, ["the key of the package repository docker"]),
        ({"container_runtime_package_repository": {**REPOSITORY, "fingerprints": ["A" * 40]}}, []),
        ({"container_runtime_package_repository": {**REPOSITORY, "key": "-----BEGIN PGP PUBLIC KEY"}}, []),
        (
            {"container_runtime_package_repository": REPOSITORY, "container_runtime_install_method": "archive"},
            [],
        ),
        ({"kubernetes_container_runtime": "crio", "container_runtime_install_method": "archive"}, [CRIO]),
        (
            {
                "kubernetes_container_runtime": "crio",
                "container_runtime_package_repository": {**REPOSITORY, "fingerprints": ["A" * 40]},
            },
            [],
        ),
    ],
)
def test_keys_of_repositories(values: dict[str, Any], expected: list[str]) -> None:
    assert missing(host("cp1", **{**PACKAGES, **values})) == expected


def test_digests_of_hosts_with_other_parts() -> None:
    groups = {"kube_control_plane": ["cp1"], "etcd": ["e1"]}
    known = host("cp1", kubernetes_digests=DIGESTS, **OLD)
    assert missing(known, host("e1", **OLD), groups=groups) == ["etcd 3.6.99 (amd64)"]
    # A role that is used without a cluster's groups is not judged.
    assert missing(host("x", **OLD)) == []


@pytest.mark.parametrize(("required", "severity"), [(False, "warning"), ("false", "warning"), (True, "error")])
def test_a_missing_digest_is_a_warning_unless_it_is_required(required: Any, severity: str) -> None:
    hosts = [host("cp1", **OLD), host("w1", kubernetes_digests_required=required, **OLD)]
    (fault,) = downloads.digests(Inputs(hosts, GROUPS, SPECS))
    assert fault.severity == severity
    assert "kubernetes_digests" in fault.text


FORMS: list[tuple[Any, str]] = [
    (DIGESTS, ""),
    ({"etdc": {}}, "etdc is none of kubeadm, "),
    ({"etcd": OWN}, "etcd must have versions"),
    ({"etcd": {3.6: {"amd64": OWN}}}, "etcd.3.6 must be a version in quotes"),
    ({"etcd": {"3.6.99": OWN}}, "etcd.3.6.99 must be a version in quotes, with the digests"),
    ({"etcd": {"3.6.99": {"x86_64": OWN}}}, "etcd.3.6.99.x86_64: the architecture must be amd64 or arm64"),
    ({"etcd": {"3.6.99": {"amd64": URL}}}, "is no SHA-256 of 64 hexadecimal digits"),
]


@pytest.mark.parametrize(("given", "message"), FORMS)
def test_forms_of_digests(given: Any, message: str) -> None:
    one = host("cp1", kubernetes_digests=given)
    found = list(downloads.digest_forms(one, Inputs([one], GROUPS, SPECS)))
    assert [fault.id for fault in found] == (["checksum-invalid"] if message else [])
    assert all(message in fault.text for fault in found)
    if message:
        with pytest.raises(AnsibleFilterError, match="kubernetes_digests: "):
            pinned_checksum(URL, "etcd", "3.6.99", "amd64", given)


@pytest.mark.parametrize(
    ("checksum", "given", "expected"),
    [
        # Digits that a variable has count most, then the user's digests, then the release's, then the server's word.
        (OTHER, {"runc": {"1.4.3": {"arm64": OWN}}}, OTHER),
        (URL, {"runc": {"1.4.3": {"arm64": OWN.upper()}}}, f"sha256:{OWN}"),
        (URL, {"runc": {"1.4.3": {"amd64": OWN}}}, f"sha256:{SHIPPED}"),
        (URL, {}, f"sha256:{SHIPPED}"),
        ("", None, f"sha256:{SHIPPED}"),
    ],
)
def test_which_digest_counts(checksum: str, given: Any, expected: str) -> None:
    assert pinned_checksum(checksum, "runc", "1.4.3", "arm64", given) == expected
    assert pinned_checksum(checksum, "runc", "0.0.1", "arm64", {}) == checksum


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # What is known needs no file with its checksum.
        ({**OLD, "kubernetes_digests": DIGESTS}, []),
        (
            {**OLD, "kubernetes_digests": {"etcd": DIGESTS["etcd"]}},
            [
                f"https://dl.k8s.io/release/v1.36.99/bin/linux/amd64/{name}.sha256"
                for name in ("kubeadm", "kubelet", "kubectl")
            ],
        ),
        (
            {
                **OLD,
                "kubernetes_digests": {**DIGESTS, "etcd": {}},
                "etcd_archive_url": "https://m/etcd.tar.gz",
                "etcd_checksum": "https://m/SHA256SUMS",
            },
            ["https://m/SHA256SUMS"],
        ),
    ],
)
def test_files_with_checksums_are_needed(values: dict[str, Any], expected: list[str]) -> None:
    one = host("cp1", **values)
    found = [url for url in downloads.urls(one, Inputs([one], GROUPS, SPECS)) if "sha256" in url.lower()]
    assert found == expected
    assert "https://dl.k8s.io/release/v1.36.99/bin/linux/amd64/kubelet" in downloads.urls(
        one, Inputs([one], GROUPS, SPECS)
    )


def test_all_of_them_are_among_the_checks() -> None:
    assert {downloads.sources, downloads.digest_forms} <= set(inputs.HOST_CHECKS)
    assert downloads.digests in inputs.CLUSTER_CHECKS


def test_digests_of_the_release() -> None:
    data = digests.released()
    assert list(digests.malformed(data)) == []
    assert [
        key for versions in data.values() for key, value in versions.items() if set(value) != {"amd64", "arm64"}
    ] == []


def test_programs_are_those_of_the_roles() -> None:
    known = {variable for options in SPECS.values() for variable in options}
    for program in digests.PROGRAMS.values():
        assert {program.version, program.url, program.checksum} <= known
