"""Charts in the lock by real Helm, with the images in what they render, and rendered into a bundle."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from air_gap import CACHE, NAME, Inventory, Servers

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "_cluster" / "manifest"))

from chart_files import checksum, pack
from helm_programs import helm

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gateways.gateway.networking.k8s.io}
spec: {group: gateway.networking.k8s.io}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: {{ .Release.Name }}}
spec: {containers: [{name: one, image: "registry.k8s.io/groundwork/{{ .Values.note.image }}:1"}]}
"""


def test_a_chart_and_the_images_in_it(inventory: Inventory, servers: Servers, tmp_path: Path) -> None:
    """Its values decide which image; the lock has both, and the bundle what it renders."""
    servers.push("groundwork/inside:1")
    path = pack(tmp_path, **{"templates/all.yaml": POD, "crds/orders.yaml": ""})
    release = {"name": "shop", "namespace": "n", "chart": str(path), "checksum": checksum(path)}
    inventory.variables |= {
        "charts_helm": str(helm("4.2.3", CACHE)),
        "charts_releases": [{**release, "values": {"note": {"image": "inside"}}}],
    }
    inventory.done("lock")
    entries = {(one["kind"], one["name"]): one for one in inventory.entries()}
    assert entries["chart", "n/shop"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert ("image", f"{NAME}/groundwork/inside:1") in entries
    assert "Nothing differs" in inventory.done("lock")

    few = [entries["chart", "n/shop"]]
    inventory.lock.write_text(json.dumps({"format": 1, "architectures": ["amd64"], "artifacts": few}))
    inventory.variables |= {"bundle_folder": str(tmp_path / "bundle"), "bundle_render_charts": True}
    inventory.done("bundle")
    text = (tmp_path / "bundle/charts/n-shop.yaml").read_text()
    assert text.startswith("# shop-1.0.0 rendered for Kubernetes v1.20.2 as n/shop\n")
    assert f"{NAME}/groundwork/inside:1" in text
    assert "Every byte is as the locks say." in inventory.done("bundle")

    output = inventory.refused("lock", charts_releases=[{**release, "values": {"note": {"image": "nowhere"}}}])
    assert f"{NAME}/groundwork/nowhere:1 cannot be had" in output
    assert "the controller has no program" in inventory.refused("lock", charts_helm="/nonexistent/helm")


def test_an_add_on_and_the_images_in_it(inventory: Inventory, servers: Servers, tmp_path: Path) -> None:
    """One by its chart, and one that is a manifest; objects that the inventory gives to it have images, too."""
    servers.push("groundwork/inside:1")
    servers.push("groundwork/beside:1")
    path = pack(tmp_path, **{"templates/all.yaml": POD, "crds/orders.yaml": ""})
    definitions = tmp_path / "definitions.yaml"
    definitions.write_text(DEFINITION)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    beside = {**pod, "spec": {"containers": [{"name": "one", "image": f"{NAME}/groundwork/beside:1"}]}}
    inventory.variables |= {
        "charts_helm": str(helm("4.2.3", CACHE)),
        "addons_own": [{"name": "shop", "namespace": "n"}],
        "addons_wanted": [
            {
                **{"name": "shop", "chart": str(path), "checksum": checksum(path), "objects": [beside]},
                "values": {"note": {"image": "inside"}},
            },
            {"name": "gateway-api", "chart": str(definitions), "checksum": checksum(definitions), "version": "1.0.0"},
            {"name": "traefik", "state": "absent"},
        ],
    }
    inventory.done("lock")
    entries = {(one["kind"], one["name"]): one for one in inventory.entries()}
    assert entries["chart", "n/shop"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert entries["manifest", str(definitions)]["sha256"] == hashlib.sha256(definitions.read_bytes()).hexdigest()
    assert {("image", f"{NAME}/groundwork/{name}:1") for name in ("inside", "beside")} <= entries.keys()
    assert not [name for _kind, name in entries if "traefik" in name]
    assert "Nothing differs" in inventory.done("lock")
