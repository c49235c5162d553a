"""The module artifacts, against a real HTTP server on this machine."""

from __future__ import annotations

import hashlib
import http.server
import io
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import artifact_run, download
from ansible_collections.groundwork.kubernetes.plugins.modules import artifacts, files

Run = Callable[..., dict[str, Any]]


@dataclass
class Server:
    """What it serves, and what it was asked for. A list of statuses is answered first, one for each request."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    cut: bool = False

    def add(self, name: str, content: bytes) -> str:
        self.files[f"/{name}"] = content
        return hashlib.sha256(content).hexdigest()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    monkeypatch.setenv("no_proxy", "*")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.requests.append(self.path)
            content = state.files.get(self.path)
            status = state.statuses.pop(0) if state.statuses else 200 if content is not None else 404
            self.send_response(status)
            body = content or b"" if status == 200 else b""
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if state.cut else body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        state.url = f"http://127.0.0.1:{listener.server_port}"
        threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True).start()
        yield state
        listener.shutdown()


@pytest.fixture
def install(run_module: Run, tmp_path: Path) -> Run:
    def run(*items: dict[str, Any], **options: Any) -> dict[str, Any]:
        options = {"state_dir": str(tmp_path / "state"), "allow_http": True, **options}
        return run_module(artifacts, artifacts=list(items), **options)

    return run


def tar(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    """A tar.gz of files and links."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, member in members.items():
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo()
            content = member if isinstance(member, bytes) else b""
            info.name, info.size = name, len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def link(target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


def test_file_is_installed_once_and_needs_no_network_then(install: Run, server: Server, tmp_path: Path) -> None:
    digest = server.add("kubectl", b"program")
    item = {
        "name": "kubectl",
        "url": f"{server.url}/kubectl",
        "checksum": digest,
        "dest": str(tmp_path / "bin/kubectl"),
    }
    check = install(item, _ansible_check_mode=True, _ansible_diff=True)
    assert (check["changed"], check["changed_paths"], server.requests) == (True, [item["dest"]], [])
    assert check["diff"]["after"] == f"kubectl: {server.url}/kubectl ({digest})\n"
    assert list(tmp_path.iterdir()) == []

    result = install(item)
    assert result["artifacts"]["kubectl"] == {"changed": True, "checksum": f"sha256:{digest}", "paths": [item["dest"]]}
    installed = tmp_path / "bin/kubectl"
    assert (installed.read_bytes(), installed.stat().st_mode & 0o7777) == (b"program", 0o755)
    assert [path.name for path in installed.parent.iterdir()] == ["kubectl"]
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == [".lock", "kubectl.json"]

    server.requests.clear()
    for check_mode in (True, False):
        again = install(item, _ansible_check_mode=check_mode)
        assert (again["changed"], again["changed_paths"], server.requests) == (False, [], [])


def test_lost_stamp_of_a_file_needs_no_download(install: Run, server: Server, tmp_path: Path) -> None:
    digest = server.add("f", b"program")
    item = {"name": "f", "url": f"{server.url}/f", "checksum": digest, "dest": str(tmp_path / "f")}
    install(item)
    (tmp_path / "state/f.json").unlink()
    server.requests.clear()
    assert (install(item)["changed"], server.requests) == (False, [])


@pytest.mark.parametrize("stamp", ["", "{}", '{"request": {}, "digest": "", "files": {"x": {"size": 1}}}'])
def test_damaged_stamp_is_made_good(install: Run, server: Server, tmp_path: Path, stamp: str) -> None:
    server.add("f", b"program")
    server.add("f.sha256", hashlib.sha256(b"program").hexdigest().encode())
    item = {"name": "f", "url": f"{server.url}/f", "checksum": f"{server.url}/f.sha256", "dest": str(tmp_path / "f")}
    install(item)
    (tmp_path / "state/f.json").write_text(stamp)
    result = install(item)
    assert (result["changed"], result["changed_paths"]) == (False, [])
    server.requests.clear()
    install(item)
    assert server.requests == []


@pytest.mark.parametrize("damage", [b"", b"PROGRAM", b"programs"])
def test_changed_file_is_installed_again(install: Run, server: Server, tmp_path: Path, damage: bytes) -> None:
    digest = server.add("f", b"program")
    item = {"name": "f", "url": f"{server.url}/f", "checksum": digest, "dest": str(tmp_path / "f")}
    install(item)
    time.sleep(0.01)
    (tmp_path / "f").write_bytes(damage)
    assert install(item, _ansible_check_mode=True)["changed"] is True
    assert install(item)["changed_paths"] == [str(tmp_path / "f")]
    assert (tmp_path / "f").read_bytes() == b"program"


def test_mode_is_corrected_without_download(install: Run, server: Server, tmp_path: Path) -> None:
    digest = server.add("f", b"program")
    item = {"name": "f", "url": f"{server.url}/f", "checksum": digest, "dest": str(tmp_path / "f")}
    install(item)
    (tmp_path / "f").chmod(0o644)
    server.requests.clear()
    assert install(item, _ansible_check_mode=True)["changed_paths"] == [str(tmp_path / "f")]
    assert (tmp_path / "f").stat().st_mode & 0o7777 == 0o644
    assert install(item)["changed"] is True
    assert (tmp_path / "f").stat().st_mode & 0o7777 == 0o755
    assert server.requests == []


def test_running_program_can_be_replaced(install: Run, server: Server, tmp_path: Path) -> None:
    program = Path("/bin/sleep").read_bytes()
    item = {"name": "sleep", "url": f"{server.url}/sleep", "checksum": server.add("sleep", program)}
    item["dest"] = str(tmp_path / "sleep")
    install(item)
    with subprocess.Popen([item["dest"], "60"]) as process:
        item["checksum"] = server.add("sleep", program + b"\0")
        assert install(item)["changed"] is True
        assert process.poll() is None
        process.kill()


CHECKSUM_FILES = {
    "bare": "{digest}\n",
    "sha256sum": "{digest}  f\n",
    "binary mode": "{digest} *f\n",
    "path": "{digest}  ./out/f\n",
    "many lines": "{other}  g\n{digest}  f\n{other}  f.sig\n",
    "signed": "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{other}  e\n{digest}  f\n-----BEGIN PGP SIGNATURE\n",
    "upper case": "{upper}  f\n",
}


@pytest.mark.parametrize("text", CHECKSUM_FILES.values(), ids=CHECKSUM_FILES.keys())
def test_checksum_files(install: Run, server: Server, tmp_path: Path, text: str) -> None:
    digest = server.add("f", b"program")
    server.add("SUMS", text.format(digest=digest, upper=digest.upper(), other="0" * 64).encode())
    item = {"name": "f", "url": f"{server.url}/f", "checksum": f"{server.url}/SUMS", "dest": str(tmp_path / "f")}
    assert install(item)["artifacts"]["f"]["checksum"] == f"sha256:{digest}"


@pytest.mark.parametrize("prefix", ["", "sha512:"])
def test_sha512(install: Run, server: Server, tmp_path: Path, prefix: str) -> None:
    server.add("f", b"program")
    digest = hashlib.sha512(b"program").hexdigest()
    item = {"name": "f", "url": f"{server.url}/f", "checksum": prefix + digest, "dest": str(tmp_path / "f")}
    assert install(item)["changed"] is True
    assert install(item)["changed"] is False


def test_a_digest_in_the_place_of_a_checksum_file_is_no_other_request(
    install: Run, server: Server, tmp_path: Path
) -> None:
    digest = server.add("x.tgz", tar({"a": b"1"}))
    server.add("x.tgz.sha256", digest.encode())
    item = {"name": "x", "url": f"{server.url}/x.tgz", "dest": str(tmp_path / "x")}
    install({**item, "checksum": f"{server.url}/x.tgz.sha256"})
    server.requests.clear()
    assert install({**item, "checksum": f"sha256:{digest}"})["changed"] is False
    assert server.requests == []
    server.add("x.tgz", tar({"a": b"2"}))
    assert "has the checksum" in install({**item, "checksum": "a" * 64})["msg"]


@pytest.mark.parametrize("check_mode", [True, False])
def test_digests_can_be_required(install: Run, server: Server, tmp_path: Path, check_mode: bool) -> None:
    item = {"name": "f", "url": f"{server.url}/f", "dest": str(tmp_path / "f")}
    options = {"require_digests": True, "_ansible_check_mode": check_mode}
    result = install({**item, "checksum": f"{server.url}/f.sha256"}, **options)
    assert result["msg"].startswith(f"f: no digest of {server.url}/f is known")
    assert server.requests == []
    assert install({**item, "checksum": server.add("f", b"program")}, **options)["changed"] is True


def test_faults_of_all_downloads_are_told_and_nothing_is_installed(
    install: Run, server: Server, tmp_path: Path
) -> None:
    server.add("sums", b"0" * 64 + b"  other\n")
    digest = server.add("good", b"good")
    server.add("bad", b"bad")

    def item(name: str, url: str, checksum: str) -> dict[str, str]:
        return {"name": name, "url": f"{server.url}/{url}", "checksum": checksum, "dest": str(tmp_path / name)}

    result = install(
        item("good", "good", digest),
        item("wrong", "bad", "a" * 64),
        item("missing", "nowhere", digest),
        item("unlisted", "good", f"{server.url}/sums"),
        item("text.tgz", "bad", hashlib.sha256(b"bad").hexdigest()) | {"strip": 1},
    )
    assert result["failed"] is True
    faults = dict(line.split(": ", 1) for line in result["msg"].splitlines())
    assert faults["wrong"].startswith(f"{server.url}/bad has the checksum sha256:")
    assert faults["missing"] == f"cannot download {server.url}/nowhere: HTTP status 404 Not Found"
    assert faults["unlisted"] == "the checksum file has no SHA-256 or SHA-512 checksum of good"
    assert faults["text.tgz"].startswith("the download is no archive that can be read")
    assert set(faults) == {"wrong", "missing", "unlisted", "text.tgz"}
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "a/b"}, "name 'a/b' may hold"),
        ({"dest": "bin/f"}, "dest 'bin/f' is no absolute path"),
        ({"url": "f"}, "url 'f' is no URL"),
        ({"checksum": "abc"}, "checksum 'abc' is neither"),
        ({"checksum": ""}, "checksum '' is neither"),
        ({"checksum": "sha256:" + "a" * 128}, "is neither"),
        ({"mode": "rwx"}, "mode 'rwx' is no octal number"),
        ({"owner": "nobody-here"}, "the host has no user 'nobody-here'"),
    ],
)
def test_bad_options(install: Run, tmp_path: Path, change: dict[str, str], message: str) -> None:
    good = {"name": "f", "url": "http://127.0.0.1:1/f", "checksum": "a" * 64, "dest": str(tmp_path / "f")}
    for check_mode in (True, False):
        result = install({**good, **change}, _ansible_check_mode=check_mode)
        assert message in result["msg"]
    assert list(tmp_path.iterdir()) == []


def test_duplicates_are_refused(install: Run, tmp_path: Path) -> None:
    item = {"name": "f", "url": "http://127.0.0.1:1/f", "checksum": "a" * 64, "dest": str(tmp_path / "f")}
    assert install(item, item)["msg"] == f"f: is listed twice\n{tmp_path}/f: is installed by two entries"


def test_archive_members(install: Run, server: Server, tmp_path: Path) -> None:
    digest = server.add("x.tar.gz", tar({"top/bin/a": b"a", "top/bin/b": b"b", "top/conf": b"c", "top/doc": b"d"}))
    item = {"name": "x", "url": f"{server.url}/x.tar.gz", "checksum": digest, "dest": str(tmp_path / "bin"), "strip": 1}
    item["members"] = [
        {"source": "bin/a"},
        {"source": "./bin/b", "dest": "renamed"},
        {"source": "conf", "dest": str(tmp_path / "etc/conf"), "mode": "0644"},
        {"source": "none", "optional": True},
    ]
    paths = [str(tmp_path / name) for name in ("bin/a", "bin/renamed", "etc/conf")]
    assert install(item)["changed_paths"] == paths
    assert [Path(path).read_bytes() for path in paths] == [b"a", b"b", b"c"]
    assert Path(paths[2]).stat().st_mode & 0o7777 == 0o644
    assert install(item)["changed"] is False

    item["members"] = [{"source": "bin/z"}]
    assert install(item)["msg"] == "x: the archive has no bin/z; it holds bin/a, bin/b, conf, doc"


def test_whole_archive(install: Run, server: Server, tmp_path: Path) -> None:
    digest = server.add("cni.tgz", tar({"./bridge": b"1", "./sub/host-local": b"2"}))
    item = {"name": "cni", "url": f"{server.url}/cni.tgz", "checksum": digest, "dest": str(tmp_path / "cni")}
    assert install(item, _ansible_check_mode=True)["changed_paths"] == [str(tmp_path / "cni")]
    install(item)
    assert (tmp_path / "cni/bridge").read_bytes() == b"1"
    assert (tmp_path / "cni/sub/host-local").read_bytes() == b"2"
    assert install(item)["changed"] is False


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tar({"good": b"x", "../evil": b"x"}), "outside of its own folder: ../evil"),
        (tar({"a/../evil": b"x"}), "outside of its own folder: a/../evil"),
        (tar({"/etc/evil": b"x"}), "outside of its own folder: /etc/evil"),
        (tar({"shadow": link("/etc/shadow")}), "shadow is a link to /etc/shadow, which is not in the archive"),
        (tar({"shadow": link("../../etc/shadow")}), "which is not in the archive"),
        (tar({}), "the archive holds no file"),
    ],
    ids=["parent", "parent in the middle", "absolute", "absolute link", "link to a parent", "empty"],
)
def test_archive_that_would_leave_its_folder(
    install: Run, server: Server, tmp_path: Path, content: bytes, message: str
) -> None:
    item = {
        "name": "x",
        "url": f"{server.url}/x.tgz",
        "checksum": server.add("x.tgz", content),
        "dest": str(tmp_path / "x"),
    }
    result = install(item)
    assert message in result["msg"]
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_device_in_an_archive(install: Run, server: Server, tmp_path: Path) -> None:
    device = tarfile.TarInfo()
    device.type = tarfile.CHRTYPE
    digest = server.add("x.tgz", tar({"null": device}))
    result = install({"name": "x", "url": f"{server.url}/x.tgz", "checksum": digest, "dest": str(tmp_path / "x")})
    assert result["msg"] == "x: null in the archive is no regular file"


def test_link_within_the_archive_becomes_a_copy(install: Run, server: Server, tmp_path: Path) -> None:
    digest = server.add("x.tgz", tar({"bin/a": b"a", "bin/b": link("a")}))
    install({"name": "x", "url": f"{server.url}/x.tgz", "checksum": digest, "dest": str(tmp_path / "x")})
    assert (tmp_path / "x/bin/b").read_bytes() == b"a"
    assert not (tmp_path / "x/bin/b").is_symlink()


def test_new_version_drops_files_that_it_lacks(install: Run, server: Server, tmp_path: Path) -> None:
    item = {"name": "x", "url": f"{server.url}/x.tgz", "dest": str(tmp_path / "x")}
    install({**item, "checksum": server.add("x.tgz", tar({"a": b"1", "b": b"1", "c": b"1"}))})
    (tmp_path / "x/c").write_bytes(b"changed since")
    result = install({**item, "checksum": server.add("x.tgz", tar({"a": b"2"}))})
    assert result["changed_paths"] == [str(tmp_path / "x/a"), str(tmp_path / "x/b")]
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["a", "c"]


def test_absent(install: Run, server: Server, tmp_path: Path) -> None:
    absent = {"name": "x", "state": "absent"}
    assert install(absent)["changed"] is False
    digest = server.add("x.tgz", tar({"a": b"1", "b": b"1"}))
    install({"name": "x", "url": f"{server.url}/x.tgz", "checksum": digest, "dest": str(tmp_path / "x")})
    (tmp_path / "x/b").write_bytes(b"changed since")
    assert install(absent, _ansible_check_mode=True)["changed_paths"] == [str(tmp_path / "x/a")]
    assert (tmp_path / "x/a").exists()
    assert install(absent)["changed_paths"] == [str(tmp_path / "x/a")]
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["b"]
    assert install(absent)["changed"] is False


@pytest.mark.parametrize(("statuses", "works"), [([503, 429], True), ([500] * 4, False), ([403], False)])
def test_tries_again_where_that_may_help(
    install: Run, server: Server, tmp_path: Path, statuses: list[int], works: bool
) -> None:
    digest = server.add("f", b"program")
    asked = len(statuses) + works
    server.statuses = list(statuses)
    result = install({"name": "f", "url": f"{server.url}/f", "checksum": digest, "dest": str(tmp_path / "f")})
    assert result.get("failed", False) is not works
    assert len(server.requests) == asked


def test_connection_that_ends_early(install: Run, server: Server, tmp_path: Path) -> None:
    digest = server.add("f", b"program" * 1000)
    server.cut = True
    item = {"name": "f", "url": f"{server.url}/f", "checksum": digest, "dest": str(tmp_path / "f")}
    assert "cannot download" in install(item, retries=1)["msg"]
    assert len(server.requests) == 2


def test_full_disk(install: Run, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download.Downloader, "file", full)
    digest = server.add("f", b"program")
    result = install({"name": "f", "url": f"{server.url}/f", "checksum": digest, "dest": str(tmp_path / "f")})
    assert result["msg"].startswith(f"f: no space left in {tmp_path}/state for the download (")


@pytest.fixture
def both(run_module: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The module files with a program and a file."""
    limits = {**artifact_run.LIMITS, "state_dir": {"default": str(tmp_path / "state")}, "retries": {"default": 0}}
    monkeypatch.setattr(artifact_run, "LIMITS", limits)

    def run(item: dict[str, Any], **options: Any) -> dict[str, Any]:
        file = {"path": str(tmp_path / "etc/config"), "content": "x\n"}
        return run_module(files, artifacts=[item], files=[file], **{"allow_http": True, **options})

    return run


def test_files_installs_programs_before_it_writes(both: Run, server: Server, tmp_path: Path) -> None:
    digest = server.add("kubectl", b"program")
    program, config = tmp_path / "bin/kubectl", tmp_path / "etc/config"
    item = {"name": "kubectl", "url": f"{server.url}/kubectl", "checksum": digest, "dest": str(program)}
    check = both(item, _ansible_check_mode=True, _ansible_diff=True)
    assert (check["changed"], check["changed_paths"]) == (True, [str(program), str(config)])
    assert [diff["after"] for diff in check["diff"]] == [f"kubectl: {server.url}/kubectl ({digest})\n", "x\n"]
    assert (list(tmp_path.iterdir()), server.requests) == ([], [])
    result = both(item)
    assert (result["changed"], result["changed_paths"]) == (True, [str(program), str(config)])
    assert result["artifacts"]["kubectl"]["changed"]
    assert (program.read_bytes(), config.read_text()) == (b"program", "x\n")
    for options in ({"_ansible_check_mode": True}, {}):
        again = both(item, _ansible_diff=True, **options)
        assert (again["changed"], again["changed_paths"], again["diff"]) == (False, [], [])


def test_files_writes_nothing_where_a_download_fails(both: Run, server: Server, tmp_path: Path) -> None:
    item = {"name": "f", "url": f"{server.url}/none", "checksum": "0" * 64, "dest": str(tmp_path / "bin/f")}
    result = both(item)
    assert result["failed"]
    assert result["msg"].startswith("f: ")
    assert not (tmp_path / "etc").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"require_digests": True}, "checksum"), ({"allow_http": False}, "http")],
)
def test_files_has_the_same_rules_for_downloads(
    both: Run, server: Server, tmp_path: Path, options: dict[str, bool], message: str
) -> None:
    url = f"{server.url}/f"
    item = {"name": "f", "url": url, "checksum": f"{url}.sha256", "dest": str(tmp_path / "f")}
    result = both(item, **options)
    assert result["failed"]
    assert message in result["msg"]
