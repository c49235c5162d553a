"""How kubectl is called, and what is called again."""

from __future__ import annotations

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import kubectl as kubectl_utils
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl, KubectlError

ELECTION = 'Error from server: error when creating "STDIN": etcdserver: leader changed'
SLOW = "Error from server: etcdserver: request timed out"
REFUSED = "The connection to the server was refused"


class Module:
    """A module whose kubectl answers in turn, with an error or, for an empty one, well."""

    def __init__(self, errors: list[str]) -> None:
        self.errors, self.calls = errors, 0

    def get_bin_path(self, *_arguments: object, **_options: object) -> str:
        return "/usr/local/bin/kubectl"

    def run_command(self, _command: list[str], **_options: object) -> tuple[int, str, str]:
        error = self.errors[min(self.calls, len(self.errors) - 1)]
        self.calls += 1
        return (1, "", error) if error else (0, "done", "")


@pytest.mark.parametrize(
    ("command", "errors", "calls", "passes"),
    [
        ("get", [""], 1, True),
        ("get", [ELECTION, SLOW, ""], 3, True),
        ("apply", [ELECTION, ""], 2, True),
        ("delete", [SLOW, ""], 2, True),
        ("apply", [ELECTION], 5, False),
        ("apply", [REFUSED, ""], 1, False),
        # What was carried out all the same would be there twice, or fail.
        ("create", [ELECTION, ""], 1, False),
        ("exec", [ELECTION, ""], 1, False),
    ],
)
def test_what_passes_by_itself_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, command: str, errors: list[str], calls: int, passes: bool
) -> None:
    monkeypatch.setattr(kubectl_utils, "PAUSE", 0)
    module = Module(errors)
    kubectl = Kubectl(module, "/etc/kubernetes/admin.conf")  # type: ignore[arg-type]
    if passes:
        assert kubectl.run(command) == "done"
    else:
        with pytest.raises(KubectlError, match=errors[0].partition(" ")[0]):
            kubectl.run(command)
    assert module.calls == calls
