"""The callback report: whole outputs of small playbooks."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Report = Callable[..., Any]

CHANGES = """
- name: Make hosts fit
  hosts: some
  gather_facts: false
  tasks:
    - name: Look at something
      ansible.builtin.debug:
      when: false
    - name: Change two
      ansible.builtin.set_fact:
        x: 1
      changed_when: inventory_hostname != 'b'
    - name: Say something
      ansible.builtin.debug:
        msg: "one\\ntwo"
      run_once: true
"""
CHANGED = """
  0:00  Make hosts fit: a, b, c
  0:00      changed      Change two: a, c
  0:00      ok           Say something: a
         one
         two

HOST  OK  CHANGED  SKIPPED  FAILED  RESULT
a     2   1        1        0       changed
b     1   0        1        0       unchanged
c     1   1        1        0       changed

  0:00  Result: changes
"""
QUIET = """
- name: Nothing
  hosts: some
  gather_facts: false
  tasks:
    - name: Nothing to tell
      ansible.builtin.set_fact:
        x: 1
- name: For nobody
  hosts: '{{ [] }}'
  tasks:
    - name: Never
      ansible.builtin.fail:
"""
QUIETLY = """
  0:00  Nothing: a, b, c

HOST  OK  CHANGED  FAILED  RESULT
a     1   0        0       unchanged
b     1   0        0       unchanged
c     1   0        0       unchanged

  0:00  Result: unchanged
"""
FAILURES = """
- name: Judge
  hosts: some
  gather_facts: false
  tasks:
    - name: Expect much
      ansible.builtin.fail:
        msg: "a: too small\\nb: too slow"
      when: inventory_hostname != 'c'
    - name: Go on
      ansible.builtin.assert:
        that: 1 == 2
    - name: Never
      ansible.builtin.fail:
"""
FAILED = """
  0:00  Judge: a, b, c
  0:00      failed       Expect much: a
         a: too small
         b: too slow
  0:00      failed       Expect much: b
         as a
  0:00      failed       Go on: c
         Assertion failed: 1 == 2

HOST  OK  CHANGED  SKIPPED  FAILED  RESULT
a     0   0        0        1       failed
b     0   0        0        1       failed
c     0   0        1        1       failed

  0:00  Result: failed
"""
LOOPS = """
- name: Go round
  hosts: a
  gather_facts: false
  tasks:
    - name: Try each
      ansible.builtin.assert:
        that: item != 2
        fail_msg: it is {{ item }}
        quiet: true
      loop: [1, 2, 3]
      ignore_errors: true
    - name: Change some
      ansible.builtin.set_fact:
        x: 1
      changed_when: item > 1
      loop: [1, 2]
    - name: Tell each
      ansible.builtin.debug:
        msg: it is {{ item }}
      loop: [1, 2]
    - name: Include each
      ansible.builtin.include_tasks: more.yml
      loop: [1, 2]
"""
LOOPED = """
  0:00  Go round: a
  0:00      ignored      Try each: a (item 2)
         it is 2
  0:00      changed      Change some: a
  0:00      ok           Tell each: a (item 1)
         it is 1
  0:00      ok           Tell each: a (item 2)
         it is 2
  0:00      changed      Change more: a
  0:00      changed      Change more: a

HOST  OK  CHANGED  FAILED  IGNORED  RESULT
a     7   3        0       1        changed

  0:00  Result: changes
"""
RESCUE = """
- name: Try
  hosts: b
  gather_facts: false
  tasks:
    - name: Care
      block:
        - name: Break
          ansible.builtin.fail:
            msg: It broke.
      rescue:
        - name: Tell
          ansible.builtin.fail:
            msg: |-
              {{ ansible_failed_result.msg }}
              Run it again to go on.
"""
RESCUED = """
  0:00  Try: b
  0:00      failed       Break: b
         It broke.
  0:00      failed       Tell: b
         Run it again to go on.

HOST  OK  CHANGED  FAILED  RESCUED  RESULT
b     0   0        1       1        failed

  0:00  Result: failed
"""
SERIAL = """
- name: One after the other
  hosts: some
  serial: 2
  gather_facts: false
  tasks:
    - name: Change it
      ansible.builtin.set_fact:
        x: 1
      changed_when: true
"""
SERIALLY = """
  0:00  One after the other: a, b
  0:00      changed      Change it: a, b
  0:00  One after the other: c
  0:00      changed      Change it: c

HOST  OK  CHANGED  FAILED  RESULT
a     1   1        0       changed
b     1   1        0       changed
c     1   1        0       changed

  0:00  Result: changes
"""
SECRETS = """
- name: Keep secrets
  hosts: a
  gather_facts: false
  tasks:
    - name: Change a secret
      ansible.builtin.set_fact:
        x: hunter2
      changed_when: true
      no_log: true
    - name: Print secrets
      ansible.builtin.debug:
        msg: hunter2
      no_log: true
    - name: Go through secrets
      ansible.builtin.assert:
        that: false
        fail_msg: '{{ item }}'
      loop: [hunter2]
      no_log: true
      ignore_errors: true
    - name: Write a secret
      ansible.builtin.copy:
        content: hunter2
        dest: '{{ playbook_dir }}/secret'
        mode: '0600'
      diff: true
      no_log: true
    - name: Fail with a secret
      ansible.builtin.fail:
        msg: hunter2
      no_log: true
"""
HIDDEN = "the output has been hidden due to the fact that 'no_log: true' was specified for this result"
KEPT = f"""
  0:00  Keep secrets: a
  0:00      changed      Change a secret: a
  0:00      ignored      Go through secrets: a (an item)
         {HIDDEN}
  0:00      changed      Write a secret: a
  0:00      failed       Fail with a secret: a
         {HIDDEN}

HOST  OK  CHANGED  FAILED  IGNORED  RESULT
a     4   2        1       1        failed

  0:00  Result: failed
"""
FILES = """
- name: Write
  hosts: some
  gather_facts: false
  tasks:
    - name: Write files
      groundwork.kubernetes.files:
        files:
          - path: '{{ playbook_dir }}/{{ inventory_hostname }}.conf'
            content: "setting: 2\\n"
          - path: '{{ playbook_dir }}/key'
            content: hunter2
            mode: '0600'
      when: inventory_hostname == 'a'
    - name: Change something
      ansible.builtin.set_fact:
        x: 1
      changed_when: inventory_hostname != 'a'
"""
WRITTEN = """
A check: nothing is changed.
  0:00  Write: a, b, c
  0:00      diff         Write files: a
--- before: FOLDER/a.conf
+++ after: FOLDER/a.conf
@@ -0,0 +1 @@
+setting: 2

--- before: FOLDER/key
+++ after: FOLDER/key
@@ -0,0 +1 @@
+(not shown: not everyone may read it) changed

  0:00      would change Write files: a
  0:00      would change Change something: b, c

A run would do this:
HOST  ROLE  CHANGE  WHAT
a     -     files   FOLDER/a.conf, FOLDER/key
b     -     task    Change something
c

HOST  OK  CHANGED  SKIPPED  FAILED  RESULT
a     2   1        0        0       changed
b     1   1        1        0       changed
c     1   1        1        0       changed

  0:00  Result: changes
"""
SHOWS = """
- name: Drain
  hosts: some
  gather_facts: false
  tasks:
    - name: Print the plan
      groundwork.kubernetes.show:
        text: "Nodes: 3\\n"
        plan:
          - {host: a, subject: kubelet, before: 1.20.2, after: 1.20.3, restarts: [kubelet], evicts: [shop/cart]}
      run_once: true
    - name: Print what came of it
      groundwork.kubernetes.show:
        results:
          - {host: a, subject: kubelet, before: 1.20.2, after: 1.20.3, seconds: 3.21, result: changed}
      run_once: true
"""
SHOWN = """
  0:00  Drain: a, b, c

Nodes: 3

STEP  HOST  WHAT     BEFORE  AFTER
1     a     kubelet  1.20.2  1.20.3
      restarts kubelet
      evicts shop/cart


HOST  WHAT     BEFORE  AFTER   SECONDS  RESULT
a     kubelet  1.20.2  1.20.3  3        changed


HOST  OK  CHANGED  FAILED  RESULT
a     2   0        0       unchanged

  0:00  Result: changes
"""


@pytest.mark.parametrize(
    ("playbook", "expected", "result"),
    [
        pytest.param(CHANGES, CHANGED, "changes", id="changes"),
        pytest.param(QUIET, QUIETLY, "unchanged", id="nothing"),
        pytest.param(FAILURES, FAILED, "failed", id="failures"),
        pytest.param(LOOPS, LOOPED, "changes", id="loops"),
        pytest.param(RESCUE, RESCUED, "failed", id="rescue"),
        pytest.param(SERIAL, SERIALLY, "changes", id="serial"),
        pytest.param(SECRETS, KEPT, "failed", id="secrets"),
        pytest.param(FILES, WRITTEN, "changes", id="check"),
        pytest.param(SHOWS, SHOWN, "changes", id="plan and results"),
    ],
)
def test_what_is_printed(report: Report, tmp_path: Path, playbook: str, expected: str, result: str) -> None:
    (tmp_path / "more.yml").write_text(
        "- name: Change more\n  ansible.builtin.set_fact: {x: 1}\n  changed_when: true\n"
    )
    check = expected.lstrip().startswith("A check")
    done = report(playbook, *["--check", "--diff"] * check)
    # How long the folder's name is decides where lines of names break.
    output = re.sub(r",\n +FOLDER", ", FOLDER", done.output.replace(str(tmp_path), "FOLDER"))
    assert output.strip("\n") == expected.strip("\n"), done.errors
    assert (done.rc, done.errors) == (2 if result == "failed" else 0, "")
    assert (done.file["result"], done.file["check"]) == (result, check)
    assert "hunter2" not in done.output + str(done.file)


def test_a_host_that_cannot_be_reached(report: Report) -> None:
    done = report(
        """
- name: Ask
  hosts: a, d
  gather_facts: false
  tasks:
    - name: Ask it
      ansible.builtin.command: 'true'
      changed_when: false
    - name: Go on
      ansible.builtin.set_fact:
        x: 1
"""
    )
    lines = done.output.splitlines()
    assert lines[:2] == ["  0:00  Ask: a, d", "  0:00      unreachable  Ask it: d"]
    assert "Connection refused" in lines[2]
    assert lines[-5:-2] == [
        "HOST  OK  CHANGED  FAILED  UNREACHABLE  RESULT",
        "a     2   0        0       0            unchanged",
        "d     0   0        0       1            unreachable",
    ]
    assert (done.rc, done.file["result"], done.file["failures"][0]["host"]) == (4, "failed", "d")


WAITS = """
- name: Wait
  hosts: b
  gather_facts: false
  tasks:
    - name: Wait for it
      ansible.builtin.command: sleep 6
      changed_when: false
    - name: Try again
      ansible.builtin.command: 'false'
      register: tried
      until: tried is succeeded
      retries: 2
      delay: 3
      changed_when: false
"""


def test_who_is_waited_for(report: Report) -> None:
    done = report(WAITS, GROUNDWORK_REPORT_WAIT="2")
    told = [line.split("waiting for  ")[1] for line in done.output.splitlines() if "waiting for" in line]
    assert any(re.match(r"b: Wait for it \(\d+ s\)$", line) for line in told)
    assert any(re.match(r"b: Try again \(\d+ s, attempt \d of 3\)$", line) for line in told)
    assert "waiting for" not in report(WAITS, GROUNDWORK_REPORT_WAIT="0").output


def test_a_program_that_fails_is_told_whole(report: Report) -> None:
    done = report(
        """
- name: Run
  hosts: a
  gather_facts: false
  tasks:
    - name: Run it
      ansible.builtin.command: sh -c "echo out; echo one >&2; echo two >&2; exit 3"
"""
    )
    lines = done.output.splitlines()
    assert "non-zero return code" in lines[2]  # some versions of ansible-core say more
    assert [lines[1], *lines[3:9]] == [
        "  0:00      failed       Run it: a",
        "         command: sh -c echo out; echo one >&2; echo two >&2; exit 3 (exit code 3)",
        "         stderr:",
        "           one",
        "           two",
        "         stdout:",
        "           out",
    ]


def test_an_undefined_variable_is_told_once(report: Report) -> None:
    done = report(
        """
- name: Run
  hosts: a
  gather_facts: false
  tasks:
    - name: Say it
      ansible.builtin.debug:
        msg: '{{ nowhere }}'
"""
    )
    assert (done.output + done.errors).count("'nowhere' is undefined") == 1


def test_roles_are_phases(report: Report, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / "roles" / name / "tasks").mkdir(parents=True)
        (tmp_path / "roles" / name / "tasks" / "main.yml").write_text(
            "- name: Change it\n  ansible.builtin.set_fact: {x: 1}\n  changed_when: true\n"
        )
    done = report(
        """
- name: Set up
  hosts: some
  gather_facts: false
  roles: [first, second]
"""
    )
    assert done.output.splitlines()[:5] == [
        "  0:00  Set up: a, b, c",
        "  0:00    first",
        "  0:00      changed      Change it: a, b, c",
        "  0:00    second",
        "  0:00      changed      Change it: a, b, c",
    ]
    assert [change["role"] for change in done.file["changes"][:2]] == ["first", "second"]


def test_with_v_all_is_printed(report: Report) -> None:
    done = report(QUIET, "-v")
    assert done.output.count("ok           Nothing to tell: ") == 3
    assert '"x": 1' in done.output


def test_the_file(report: Report, tmp_path: Path) -> None:
    done = report(FILES, "--check")
    file = done.file
    assert list(file) == [
        "schema",
        "check",
        "playbooks",
        "result",
        "seconds",
        "hosts",
        "changes",
        "interruptions",
        "steps",
        "results",
        "failures",
    ]
    assert (file["schema"], file["playbooks"], [host["host"] for host in file["hosts"]]) == (
        1,
        ["play"],
        ["a", "b", "c"],
    )
    assert file["changes"][0] == {
        "host": "a",
        "play": "Write",
        "role": "",
        "task": "Write files",
        "module": "groundwork.kubernetes.files",
        "effects": {"files": [f"{tmp_path}/a.conf", f"{tmp_path}/key"]},
    }
    shown = report(SHOWS).file
    assert shown["steps"][0]["evicts"] == ["shop/cart"]
    assert shown["results"][0]["result"] == "changed"


def test_the_plan_and_the_run_agree(report: Report) -> None:
    plan, run = report(FILES, "--check").file, report(FILES).file
    assert (plan["result"], plan["changes"]) == (run["result"], run["changes"])
    assert report(FILES.replace("inventory_hostname != 'a'", "false")).file["result"] == "unchanged"


def test_no_file_is_left_of_a_run_before(report: Report, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"result": "unchanged"}')
    done = report("- hosts: some\n  roles: [nowhere]\n")
    assert done.rc != 0
    (tmp_path / "report.json").write_text('{"result": "unchanged"}')
    done = report("- hosts: nobody\n", "--check")
    assert (done.rc, done.file["result"]) == (0, "refused")


@pytest.mark.parametrize(
    ("content", "rc"),
    [
        ('{"result": "unchanged"}', 0),
        ('{"result": "changes"}', 2),
        ('{"result": "refused"}', 1),
        ('{"result": "failed"}', 1),
        (None, 1),
    ],
)
def test_the_command_for_pipelines(tmp_path: Path, content: str | None, rc: int) -> None:
    docs = (Path(__file__).resolve().parents[4] / "docs" / "plan-and-report.md").read_text()
    command = next(line for line in docs.splitlines() if line.startswith("python3 -c"))
    if content:
        (tmp_path / "plan.json").write_text(content)
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == rc


def test_colours_only_on_a_terminal(report: Report, tmp_path: Path) -> None:
    assert "\x1b" not in report(CHANGES).output
    leader, follower = pty.openpty()
    environment = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "groundwork.kubernetes.report", "TERM": "xterm"}
    environment = {name: value for name, value in environment.items() if name not in ("NO_COLOR", "ANSIBLE_NOCOLOR")}
    done = subprocess.Popen(
        [sys.executable, "-m", "ansible", "playbook", "-i", "hosts", "play.yml"],
        cwd=tmp_path,
        env=environment,
        stdout=follower,
        stderr=subprocess.DEVNULL,
    )
    os.close(follower)
    printed = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        printed += part
    os.close(leader)
    assert done.wait() == 0
    assert b"\x1b[" in printed
