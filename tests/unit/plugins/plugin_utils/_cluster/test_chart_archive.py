"""What a chart's archive tells."""

from __future__ import annotations

import io
import tarfile

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import ManifestError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.chart_archive import read_chart

CHART = "apiVersion: v2\nname: shop\nversion: 1.2.3\n"


def packed(**files: str) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return target.getvalue()


@pytest.mark.parametrize(
    ("template", "lookups", "asks"),
    [
        ('{{ $x := (lookup "v1" "Secret" .Release.Namespace "x") }}', True, True),
        ("a: lookup\nb: {{ .Values.lookup }} {{/* lookup it */}} {{ $lookup }}", False, False),
        ('{{ "lookup" }} {{ `lookup` }} {{ include "x.lookup" . }}', False, False),
        ('{{ if .Capabilities.APIVersions.Has "policy/v1" }}', False, True),
        ("{{ .Capabilities.KubeVersion }}", False, False),
    ],
)
def test_what_templates_ask(template: str, lookups: bool, asks: bool) -> None:
    chart = read_chart(packed(**{"shop/Chart.yaml": CHART, "shop/charts/sub/templates/_x.tpl": template}), "x.tgz")
    assert str(chart) == "shop-1.2.3"
    assert bool(chart.lookups) == lookups
    assert chart.asks == asks


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"no archive", "x.tgz is no archive of a chart: .*; make one with helm package"),
        (packed(**{"shop/values.yaml": "a: 1"}), "it has no Chart.yaml with a name and a version"),
        (packed(**{"shop/Chart.yaml": "name: shop"}), "it has no Chart.yaml with a name and a version"),
        (packed(**{"shop/Chart.yaml": CHART})[:-30], "x.tgz is no archive of a chart"),
    ],
)
def test_no_chart(data: bytes, expected: str) -> None:
    with pytest.raises(ManifestError, match=expected):
        read_chart(data, "x.tgz")
