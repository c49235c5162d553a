"""What the controller makes of plain values, beside what the real kubectl makes of them."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import ManifestError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.manifests import parse
from api_server import KUBERNETES, ApiServer, Task

VALUES = [
    *("1e45678", "-1e45678", ".1e400", "1e3", "1.5e3", "0.1e3", "1e-400", "1e+", "08", "0777", "0o777", "0o8"),
    *("0O17", "0x1f", "0X1F", "0x", "0b11", "0B11", "-0b11", "0b12", "+5", "-0", "00", "1.", ".5", "-.5", "+0x1f"),
    *("-0o7", "2001_db8", "100_000m", "_1", "._5", "y", "Y", "n", "N", "yes", "No", "on", "OFF", "True", "false"),
    *("~", "null", "Null", "12:30:45", "2001-01-01", "=", "1.2.3", "9007199254740993"),
    "123456789012345678901234567890",
]  # fmt: skip
UNCLEAR = ["1_000", "-1_000", "1_0.5", "0x_1f", "1_2e3", "1__0", "1_", "+_1", "0_8", ".1_0"]


def kubectl(manifest: str) -> Any:
    """The object that kubectl reads, without a server."""
    command = [str(KUBERNETES / "kubectl"), "annotate", "--local", "--filename=-", "a=b", "--output=json"]
    done = subprocess.run(command, input=manifest, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def manifest_of(values: dict[str, str]) -> str:
    """An object with plain values."""
    lines = "".join(f"  {key}: {value}\n" for key, value in values.items())
    return f"apiVersion: example.org/v1\nkind: Values\nmetadata: {{name: x}}\nvalues:\n{lines}"


@pytest.fixture(scope="module", autouse=True)
def is_there() -> None:
    """Without kubectl nothing can be compared."""
    if not (KUBERNETES / "kubectl").exists():
        pytest.skip("GROUNDWORK_KUBERNETES_DIR has no kubectl")


def test_plain_values() -> None:
    """Numbers, booleans, nulls and texts are the same."""
    text = manifest_of({f"v{number}": value for number, value in enumerate(VALUES)})
    theirs, [ours] = kubectl(text)["values"], parse(text.encode(), "x.yml")
    for number, value in enumerate(VALUES):
        found, expected = ours["values"][f"v{number}"], theirs[f"v{number}"]
        assert (value, found) == (value, expected)
        assert isinstance(found, str) == isinstance(expected, str), value
        assert isinstance(found, bool) == isinstance(expected, bool), value


def test_keys() -> None:
    """Keys are text, and the same text."""
    text = manifest_of(dict.fromkeys(("1", "y", "0777", "1.50", "1e3", "off", "2001-01-01"), "x"))
    [ours] = parse(text.encode(), "x.yml")
    assert ours["values"] == kubectl(text)["values"]


@pytest.mark.parametrize("value", UNCLEAR)
def test_what_is_refused_is_a_number_for_kubectl(value: str) -> None:
    """kubectl takes no underscore for a part of a text that is a number without it."""
    text = manifest_of({"v": value})
    assert isinstance(kubectl(text)["values"]["v"], (int, float))
    with pytest.raises(ManifestError, match="quote it"):
        parse(text.encode(), "x.yml")


def test_labels_and_byte_order_marks_on_a_server(server: ApiServer, task: Task) -> None:
    """A label that looks like a number and is text; a document that begins with a byte order mark."""
    content = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: first, labels: {commit: 1e45678}}\n---\n"
        "\ufeffapiVersion: v1\nkind: ConfigMap\nmetadata: {name: second}\ndata: {80: 'x'}\n"
    )
    assert task("manifest", {"content": content})["changed"]
    assert server.get("configmap", "first")["metadata"]["labels"] == {"commit": "1e45678"}
    assert server.get("configmap", "second")["data"] == {"80": "x"}
    assert not task("manifest", {"content": content})["changed"]
    refused = task("manifest", {"content": content.replace("1e45678", "1_000")})
    assert (
        'content line 3: 1_000 is not clear, kubectl reads it as the number 1000: quote it ("1_000")' in refused["msg"]
    )
