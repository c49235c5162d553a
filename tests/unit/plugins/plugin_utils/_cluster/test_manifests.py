"""Manifests as the controller reads and adapts them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import ManifestError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.manifests import (
    is_fixed,
    merge,
    mirrored,
    networks,
    parse,
    refuse_floating,
    render,
    verify,
)

DATA = b"manifest"
SUM = "sha256:" + hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize("checksum", [SUM, SUM.upper().replace("SHA256", "sha256")])
def test_right_checksum(checksum: str) -> None:
    verify(DATA, checksum, "x.yml")


@pytest.mark.parametrize(
    ("checksum", "message"),
    [(SUM[:-1], "64 hexadecimal digits"), ("md5:00", "64 hexadecimal digits"), ("sha256:" + "0" * 64, SUM)],
)
def test_wrong_checksum(checksum: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        verify(DATA, checksum, "x.yml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-01-01", "2024-01-01"),
        ("22:22", "22:22"),
        ("=", "="),
        ("0644", 0o644),
        ("0o644", 0o644),
        ("0x1f", 31),
        ("0X1F", 31),
        ("0O17", 0o17),
        ("0b11", 3),
        ("+0x1f", 31),
        ("-0o7", -7),
        ("08", 8.0),
        ("0o8", "0o8"),
        ("0b12", "0b12"),
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", 18446744073709551616.0),
        ("0x1ffffffffffffffffff", "0x1ffffffffffffffffff"),
        ("1e45678", "1e45678"),
        ("-1e45678", "-1e45678"),
        (".1e400", ".1e400"),
        ("1e-400", 0.0),
        ("1e+", "1e+"),
        ("12:30:45", "12:30:45"),
        ("2001-01-01T00:00:00Z", "2001-01-01T00:00:00Z"),
        ("2001_db8", "2001_db8"),
        ("100_000m", "100_000m"),
        ("_1", "_1"),
        ("._5", "._5"),
        ("1_2_x", "1_2_x"),
        ("'1_000'", "1_000"),
        ("yes", True),
        ("off", False),
        ("y", True),
        ("N", False),
        ("yes_", "yes_"),
        ("Null", None),
        ("-5", -5),
        ("0", 0),
        ("1e3", 1000.0),
        ("1.5", 1.5),
        ("1.2.3", "1.2.3"),
        ("12.0.0.0/8", "12.0.0.0/8"),
        ("true", True),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("100m", "100m"),
    ],
)
def test_plain_values_are_what_kubectl_makes_of_them(text: str, value: Any) -> None:
    parsed = parse(f"{{apiVersion: v1, kind: X, metadata: {{name: x}}, value: {text}}}".encode(), "x.yml")
    assert parsed[0]["value"] == value
    assert type(parsed[0]["value"]) is type(value)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1_000", "1000"),
        ("-1_000", "-1000"),
        ("1_0.5", "10.5"),
        ("0x_1f", "0x1f"),
        ("1_2e3", "12e3"),
        ("1__0", "10"),
        ("1_", "1"),
        ("+_1", "+1"),
        ("0_8", "08"),
        (".1_0", ".10"),
    ],
)
def test_a_number_with_underscores_is_a_fault(text: str, number: str) -> None:
    data = f"apiVersion: v1\nkind: X\nmetadata: {{name: x, labels: {{a: {text}}}}}\n".encode()
    with pytest.raises(ManifestError) as error:
        parse(data, "x.yml")
    assert str(error.value) == (
        f"x.yml line 3: {text} is not clear, kubectl reads it as the number {number}: "
        f'quote it ("{text}") if it is text, else write {number}'
    )


def test_all_values_that_are_not_clear_are_told() -> None:
    data = (
        b"# one\n{apiVersion: v1, kind: X, metadata: {name: x}, a: .inf}\n---\nb: [1_0, .nan]\n1_1: c\n~: d\n[e]: f\n"
    )
    with pytest.raises(ManifestError) as error:
        parse(data, "x.yml")
    lines = str(error.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        "x.yml line 2", "x.yml line 4", "x.yml line 4", "x.yml line 5", "x.yml line 6", "x.yml line 7"
    ]  # fmt: skip
    assert lines[0] == 'x.yml line 2: .inf is not clear, Kubernetes has no such number: quote it (".inf") if it is text'
    assert lines[-1] == "x.yml line 7: a key is null, a list or a mapping: quote it if it is text"


def test_keys_are_text() -> None:
    text = b"{apiVersion: v1, kind: X, metadata: {name: x}, data: {1: a, y: b, 0777: c, 1.50: d, 1e3: e, false: f}}"
    [item] = parse(text, "x.yml")
    assert item["data"] == {"1": "a", "true": "b", "511": "c", "1.5": "d", "1000": "e", "false": "f"}


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff{A}\n---\n\ufeff{B}\n",
        "\ufeff---\n{A}\n---\n\ufeff# of Windows\n{B}\n",
        "{A}\n\ufeff---\n{B}\n",
        "{A}\r\n---\r\n\ufeff{B}\r\n",
        "{A}\n...\n\ufeff---\n{B}\n",
    ],
)
def test_a_byte_order_mark_may_begin_each_document(text: str) -> None:
    for kind in "AB":
        text = text.replace(f"{{{kind}}}", f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: '\ufeffx'}}")
    objects = parse(text.encode(), "x.yml")
    assert [(item["kind"], item["metadata"]["name"]) for item in objects] == [("A", "\ufeffx"), ("B", "\ufeffx")]


def test_documents_comments_and_anchors() -> None:
    text = b"# only a comment\n---\n---\n{apiVersion: v1, kind: A, metadata: &m {name: a}}\n"
    text += b"---\napiVersion: v1\nkind: B\nmetadata: {name: b}\n"
    assert [item["kind"] for item in parse(text, "x.yml")] == ["A", "B"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a: [", "x.yml is no YAML"),
        (b"\xff\xfe", "x.yml is no YAML"),
        (b"a: !!python/name:os.system 1", "no YAML"),
        (b"", "no object"),
    ],
)
def test_what_is_no_manifest(data: bytes, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        parse(data, "x.yml")


MIRRORS = {"quay.io": "mirror:5000/quay.io", "quay.io/calico/": "mirror:5000/calico", "docker.io": "mirror:5000/hub"}


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("quay.io/coreos/x:v1", "mirror:5000/quay.io/coreos/x:v1"),
        ("quay.io/calico/node:v1", "mirror:5000/calico/node:v1"),
        ("quay.io/calico-other/node@sha256:0", "mirror:5000/quay.io/calico-other/node@sha256:0"),
        ("quay.io.evil/x", "quay.io.evil/x"),
        ("registry.k8s.io/pause:3.2", "registry.k8s.io/pause:3.2"),
        ("nginx", "mirror:5000/hub/library/nginx"),
        ("calico/node:v1", "mirror:5000/hub/calico/node:v1"),
        ("docker.io/calico/node:v1", "mirror:5000/hub/calico/node:v1"),
        ("docker.io/nginx:1", "mirror:5000/hub/library/nginx:1"),
        ("index.docker.io/nginx:1", "mirror:5000/hub/library/nginx:1"),
        ("index.docker.io/calico/node:v1", "mirror:5000/hub/calico/node:v1"),
        ("nginx:1@sha256:0", "mirror:5000/hub/library/nginx:1@sha256:0"),
        ("localhost/x", "localhost/x"),
        ("mirror:5000/x", "mirror:5000/x"),
    ],
)
def test_mirrors(image: str, expected: str) -> None:
    assert mirrored(image, MIRRORS) == expected


@pytest.mark.parametrize("image", ["nginx:1", "docker.io/nginx:1", "index.docker.io/library/nginx:1"])
@pytest.mark.parametrize("registry", ["index.docker.io", "index.docker.io/library/", "docker.io/library"])
def test_mirrors_of_dockers_registry_under_either_name(image: str, registry: str) -> None:
    folder = registry.rstrip("/").partition("/")[2]
    assert mirrored(image, {registry: "mirror:5000/hub/" + folder}) == "mirror:5000/hub/library/nginx:1"
    assert mirrored("quay.io/nginx:1", {registry: "mirror:5000"}) == "quay.io/nginx:1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.0/8", {4: "10.0.0.0/8"}),
        ("10.0.0.0/8, fd00::/48", {4: "10.0.0.0/8", 6: "fd00::/48"}),
        ("fd00::/48", {6: "fd00::/48"}),
    ],
)
def test_networks(text: str, expected: dict[int, str]) -> None:
    assert networks(text) == expected


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "x", "10.0.0.0/8,11.0.0.0/8"])
def test_wrong_networks(text: str) -> None:
    with pytest.raises(ManifestError, match="pod_cidr"):
        networks(text)


def calico(env: list[dict[str, str]]) -> dict[str, Any]:
    template = {
        "spec": {
            "initContainers": [{"name": "upgrade", "image": "quay.io/a"}],
            "containers": [{"name": "calico-node", "image": "quay.io/b", "env": env}],
        }
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "calico-node"},
        "spec": {"template": template},
    }


@pytest.mark.parametrize(
    ("env", "cidr", "expected"),
    [
        ([], "10.0.0.0/8", [{"name": "CALICO_IPV4POOL_CIDR", "value": "10.0.0.0/8"}]),
        (
            [{"name": "CALICO_IPV4POOL_CIDR", "value": "192.168.0.0/16"}, {"name": "IP", "value": "autodetect"}],
            "10.0.0.0/8,fd00::/48",
            [
                {"name": "IP", "value": "autodetect"},
                {"name": "CALICO_IPV4POOL_CIDR", "value": "10.0.0.0/8"},
                {"name": "CALICO_IPV6POOL_CIDR", "value": "fd00::/48"},
            ],
        ),
    ],
)
def test_calico(env: list[dict[str, str]], cidr: str, expected: list[dict[str, str]]) -> None:
    template = render([calico(env)], {"quay.io": "m"}, cidr, [])[0]["spec"]["template"]["spec"]
    assert template["containers"][0]["env"] == expected
    assert [template[key][0]["image"] for key in ("initContainers", "containers")] == ["m/a", "m/b"]


@pytest.mark.parametrize(
    ("spec", "cidr", "pools"),
    [
        (
            {"calicoNetwork": {"ipPools": [{"name": "p", "blockSize": 26, "cidr": "192.168.0.0/16"}]}},
            "10.0.0.0/8",
            [{"name": "p", "blockSize": 26, "cidr": "10.0.0.0/8"}],
        ),
        ({}, "10.0.0.0/8", [{"name": "default-ipv4-ippool", "cidr": "10.0.0.0/8"}]),
    ],
)
def test_calico_operator(spec: dict[str, Any], cidr: str, pools: list[dict[str, Any]]) -> None:
    installation = {
        "apiVersion": "operator.tigera.io/v1",
        "kind": "Installation",
        "metadata": {"name": "default"},
        "spec": spec,
    }
    assert render([installation], {}, cidr, [])[0]["spec"]["calicoNetwork"]["ipPools"] == pools


BACKEND = {"Backend": {"Type": "vxlan"}}


@pytest.mark.parametrize(
    ("before", "cidr", "after"),
    [
        ({"Network": "10.244.0.0/16", **BACKEND}, "10.0.0.0/8", {"Network": "10.0.0.0/8", **BACKEND}),
        (
            {"Network": "10.244.0.0/16"},
            "10.0.0.0/8,fd00::/48",
            {"Network": "10.0.0.0/8", "EnableIPv6": True, "IPv6Network": "fd00::/48"},
        ),
        (
            {"Network": "10.244.0.0/16"},
            "fd00::/48",
            {"EnableIPv4": False, "EnableIPv6": True, "IPv6Network": "fd00::/48"},
        ),
        (
            {"EnableIPv6": True, "IPv6Network": "fd00::/48"},
            "10.0.0.0/8",
            {"Network": "10.0.0.0/8", "EnableIPv6": False},
        ),
    ],
)
def test_flannel(before: dict[str, Any], cidr: str, after: dict[str, Any]) -> None:
    item = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kube-flannel-cfg"},
        "data": {"net-conf.json": json.dumps(before)},
    }
    assert json.loads(render([item], {}, cidr, [])[0]["data"]["net-conf.json"]) == after


CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "n"}, "data": {"a": "1"}}


def test_pod_network_without_a_place_for_it() -> None:
    with pytest.raises(ManifestError, match="holds neither Calico"):
        render([CONFIG_MAP], {}, "10.0.0.0/8", [])


@pytest.mark.parametrize(
    ("base", "patch", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": None, "c": 3}, {"b": 2, "c": 3}),
        ({"a": {"b": 1}}, {"a": {"c": None, "d": {"e": None, "f": 1}}}, {"a": {"b": 1, "d": {"f": 1}}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        (
            [{"name": "a", "x": 1}, {"name": "b"}],
            [{"name": "a", "y": 2}, {"name": "c"}],
            [{"name": "a", "x": 1, "y": 2}, {"name": "b"}, {"name": "c"}],
        ),
        ([{"key": "a"}], [{"key": "b"}], [{"key": "b"}]),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
    ],
)
def test_merge(base: Any, patch: Any, expected: Any) -> None:
    assert merge(base, patch) == expected


@pytest.mark.parametrize("which", [{}, {"name": "x"}, {"namespace": "n"}, {"name": "x", "namespace": None}])
def test_patch_fits(which: dict[str, str]) -> None:
    patch = {"kind": "ConfigMap", **which, "patch": {"data": {"a": "2"}}}
    assert render([CONFIG_MAP], {}, None, [patch])[0]["data"] == {"a": "2"}
    assert CONFIG_MAP["data"] == {"a": "1"}


@pytest.mark.parametrize("which", [{"kind": "Secret"}, {"name": "y"}, {"namespace": "m"}])
def test_patch_fits_nothing(which: dict[str, str]) -> None:
    patch = {"kind": "ConfigMap", **which, "patch": {}}
    with pytest.raises(
        ManifestError, match=r"no object of the manifest fits the patch.*the manifest has: ConfigMap n/x"
    ):
        render([CONFIG_MAP], {}, None, [patch])


@pytest.mark.parametrize(
    ("image", "fixed"),
    [
        ("quay.io/calico/node:v3.32.1", True),
        ("registry.example.org:5000/calico/node:v1", True),
        (f"node@sha256:{'0' * 64}", True),
        (f"node:latest@sha256:{'0' * 64}", True),
        ("node", False),
        ("registry.example.org:5000/node", False),
        ("node:latest", False),
    ],
)
def test_which_images_are_fixed(image: str, fixed: bool) -> None:
    assert is_fixed(image) is fixed


def test_images_that_are_not_fixed_are_all_told() -> None:
    good, bad = ({"containers": [{"name": "x", "image": image}]} for image in ("a:1", "b:latest"))
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "n"}, "spec": spec}
        for name, spec in (("p", good), ("q", bad), ("r", {**good, "initContainers": [{"name": "y", "image": "c"}]}))
    ]
    refuse_floating(pods[:1])
    with pytest.raises(ManifestError, match=r"tag: b:latest of Pod n/q, c of Pod n/r; give each a version"):
        refuse_floating(pods)
