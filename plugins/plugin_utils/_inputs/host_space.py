# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a host's disks: room for what each component writes, inodes, the kubelet's line for images, speed for etcd."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR, WARNING, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import ETCD, Node

IMAGE_FOLDERS = ("/var/lib/containerd", "/var/lib/containers", "/var/lib/docker")
# Folders that only a kubelet and what it runs need, and that only a member of etcd needs.
NODE_FOLDERS = ("/etc/kubernetes", "/var/lib/kubelet", *IMAGE_FOLDERS)
ETCD_FOLDER = "/var/lib/etcd"
PROGRAM_FOLDERS = ("/usr/", "/opt/")
INODES_PERCENT = 5
# The kubelet's own default: above it, images are removed.
IMAGE_LINE_PERCENT = 85
# etcd's heartbeat, in milliseconds.
HEARTBEAT_MS = 100


def _spaces(node: Node) -> list[Mapping[str, Any]]:
    """The folders that the host needs."""
    return [
        space
        for space in node.facts["space"]
        if (node.runs_kubelet or not space["path"].startswith(NODE_FOLDERS))
        and (ETCD in node.roles or not space["path"].startswith(ETCD_FOLDER))
    ]


def room(node: Node) -> Iterator[Fault]:
    """Free space and inodes. Folders of one filesystem share it."""
    severity, wanted = WARNING if node.in_cluster else ERROR, node.setting("preflight_free_mb") or {}
    by_device: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for space in _spaces(node):
        if wanted.get(space["path"]):
            by_device[space["device"]].append(space)
    for spaces in by_device.values():
        free, need = min(space["free_mb"] for space in spaces), sum(wanted[space["path"]] for space in spaces)
        paths = _joined([space["path"] for space in spaces])
        if free < need:
            shared = ", which are on one filesystem" if len(spaces) > 1 else ""
            text = (
                f"{free} MB are free for {paths}{shared}, but {need} are needed; make room or lower preflight_free_mb"
            )
            yield node.fault("disk-full", text, severity)
        # Some filesystems have no fixed number of them.
        total, left = spaces[0]["total_inodes"], spaces[0]["free_inodes"]
        if total and left * 100 < total * INODES_PERCENT:
            text = f"{left} of {total} inodes are free for {paths}; remove small files, or make the filesystem anew"
            yield node.fault("inodes-few", text, severity)
    yield from _image_line(node)


def writable(node: Node) -> Iterator[Fault]:
    """File systems that a fault, or somebody, has made read-only. Programs may be on one on purpose."""
    paths = [
        space["path"]
        for space in _spaces(node)
        if space.get("read_only") and not space["path"].startswith(PROGRAM_FOLDERS)
    ]
    if paths:
        text = (
            f"nothing can be written in {_joined(paths)}, where the file system is mounted read-only; find out why "
            "(dmesg), repair it, and mount it for writing"
        )
        yield node.fault("disk-read-only", text)


def _joined(paths: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(paths[:-1]), paths[-1]]))


def _image_line(node: Node) -> Iterator[Fault]:
    """Where the kubelet would remove images as soon as they are there."""
    configuration = node.setting("kubernetes_kubelet_configuration") or {}
    line = configuration.get("imageGCHighThresholdPercent", IMAGE_LINE_PERCENT)
    for space in _spaces(node):
        used = 100 - space["free_mb"] * 100 // max(1, space["total_mb"])
        if space["path"] in IMAGE_FOLDERS and used >= int(line):
            text = (
                f"{used} % of the filesystem of {space['path']} are used, and above {line} % the kubelet removes "
                "images; make room, or set imageGCHighThresholdPercent in kubernetes_kubelet_configuration"
            )
            yield node.fault("image-space", text, WARNING)


def speed(node: Node) -> Iterator[Fault]:
    """How long etcd would wait for the disk; a member of the cluster is not measured."""
    fsync, limit = node.facts.get("fsync"), node.setting("preflight_etcd_fsync_ms") or 0
    if fsync and limit and fsync["p99_ms"] > limit:
        text = (
            f"1 % of synchronous writes in {fsync['folder']} take longer than {fsync['p99_ms']} ms, but etcd needs "
            f"{limit:g} ms (preflight_etcd_fsync_ms); use a faster disk"
        )
        yield node.fault("disk-slow", text, ERROR if fsync["p99_ms"] > max(limit, HEARTBEAT_MS) else WARNING)
