# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run does, for people who wait for it or read its log, and a file for pipelines."""

from __future__ import annotations

DOCUMENTATION = r"""
name: report
type: stdout
short_description: Phases, who is waited for, failures once, tables at the end, and a file for pipelines
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Prints plays and roles with the time since the start, what changed on which hosts, and after a while which hosts are
    still at work, and on what. What is well is not mentioned.
  - A failure is printed whole and once, one fault per line.
  - At the end there is a table of the hosts. In check mode there are two before it, of what would change, host by host,
    and of what that would interrupt, for whom and how long, as far as the results of tasks say so.
  - Works without colours and without a terminal, so in the logs of pipelines. Diffs are Ansible's. What C(no_log) hides
    stays hidden, in the file too.
requirements:
  - set as C(stdout_callback) in the configuration
extends_documentation_fragment: [ansible.builtin.result_format_callback]
options:
  file:
    description:
      - A file to write what came of the run, or in check mode the plan, in JSON. It has names of hosts, files and
        services, never contents.
      - It is removed when the run begins, and written when it ends, with mode 0600. So there is none after a run that
        was killed.
    type: path
    env:
      - name: GROUNDWORK_REPORT_FILE
    ini:
      - section: callback_report
        key: file
  wait:
    description:
      - After how many seconds, and again as many later, it is told which hosts a task still waits for. Never with V(0).
    type: int
    default: 30
    env:
      - name: GROUNDWORK_REPORT_WAIT
    ini:
      - section: callback_report
        key: wait
seealso:
  - module: groundwork.kubernetes.show
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible import constants, context
from ansible.plugins.callback import CallbackBase
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import run_record
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.effects import OURS, effects
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import listed

DEEP = " " * 9  # where the text of an event begins, below the time


def attribute(result: Any, name: str) -> Any:
    """The host, the task or the values of a result. Before ansible-core 2.19 their names begin with an underscore."""
    return getattr(result, name) if hasattr(result, name) else getattr(result, f"_{name}")


def stamp(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60:3d}:{int(seconds) % 60:02d}"


class Waiting:
    """The hosts at work on a task."""

    def __init__(self, task: Any) -> None:
        self.task = task
        self.hosts: dict[str, None] = {}
        self.since = self.told = time.monotonic()
        self.attempts = ""


class CallbackModule(CallbackBase):
    """The callback. Ansible calls it by one thread at a time; another one of its own tells who is waited for."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "groundwork.kubernetes.report"

    def __init__(self) -> None:
        super().__init__()
        self._record = run_record.RunRecord()
        self._began = time.monotonic()
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._waiting: dict[str, Waiting] = {}
        self._play: Any = None
        self._batch: list[str] = []
        self._heading = ""
        self._role = ""
        self._changed: dict[tuple[str, str], list[str]] = {}
        self._told: dict[str, str] = {}
        self._same: dict[tuple[str, str], str] = {}
        self._items: set[tuple[str, str]] = set()

    # What is printed

    def _say(self, text: str = "", color: str | None = None) -> None:
        self._display.display(text, color=color)

    def _event(self, word: str, text: str, color: str | None = None) -> None:
        self._say(f"{stamp(time.monotonic() - self._began)}      {word:12} {text}", color)

    def _lines(self, lines: Iterable[str], color: str | None = None, indent: str = DEEP) -> None:
        for line in lines:
            self._say(f"{indent}{line}".rstrip(), color)

    def _table(self, lines: Sequence[str], title: str = "") -> None:
        if lines:
            self._say()
            self._lines([*([title] if title else []), *lines], indent="")

    def _flush_changes(self) -> None:
        """One line for each task that changed something, with the hosts on which it did."""
        for (word, task), hosts in self._changed.items():
            ordered = [host for host in self._record.hosts if host in hosts]
            self._event(word, f"{task}: {listed(ordered)}", constants.COLOR_CHANGED)
        self._changed = {}

    # Playbooks, plays, tasks

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """The beginning, of each of several playbooks."""
        self._record.check = bool(context.CLIARGS.get("check"))
        self._record.playbooks.append(os.path.splitext(os.path.basename(str(playbook._file_name)))[0])
        if len(self._record.playbooks) > 1:
            return
        if self._record.check:
            self._say("A check: nothing is changed.")
        path = self.get_option("file")
        if path and os.path.exists(path):
            os.unlink(path)
        if self.get_option("wait") > 0:
            threading.Thread(target=self._watch, daemon=True).start()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """A play, or another batch of it. It is printed with its first task, so not where it has no hosts."""
        with self._lock:
            self._flush_changes()
            self._play = play
            self._batch = list(play.get_variable_manager().get_vars(play=play).get("ansible_play_batch", []))
            self._record.saw(self._batch)
            self._heading = f"{play.get_name().strip()}: {listed(self._batch)}"
            self._role = ""

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """A task of all hosts of a batch."""
        with self._lock:
            self._flush_changes()
            self._enter(task)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """The same of a handler."""
        self.v2_playbook_on_task_start(task, False)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """A host begins with a task."""
        with self._lock:
            self._enter(task)
            self._waiting.setdefault(task._uuid, Waiting(task)).hosts[host.get_name()] = None

    def _enter(self, task: Any) -> None:
        """Print the play and the role, where they are others than before."""
        now = stamp(time.monotonic() - self._began)
        if self._heading:
            self._say(f"{now}  {self._heading}", constants.COLOR_HIGHLIGHT)
            self._heading = ""
        role = self._role_of(task)
        if role != self._role:
            self._role = role
            if role:
                self._say(f"{now}    {role}")

    @staticmethod
    def _role_of(task: Any) -> str:
        role = getattr(task, "_role", None)
        return str(role.get_name(include_role_fqcn=False)) if role else ""

    @staticmethod
    def _name_of(result: Any) -> str:
        """The task's name, without the role's, which newer versions of ansible-core put before it."""
        task = attribute(result, "task")
        name, role = str(result.task_name or task.get_name()).strip(), getattr(task, "_role", None)
        for prefix in [role.get_name(), role.get_name(include_role_fqcn=False)] if role else []:
            name = name.removeprefix(f"{prefix} : ")
        return name

    def _where(self, result: Any) -> tuple[str, str, str, str]:
        """Host, play, role and task."""
        task = attribute(result, "task")
        play = self._play.get_name().strip() if self._play else ""
        return attribute(result, "host").get_name(), play, self._role_of(task), self._name_of(result)

    # Results

    def _done(self, result: Any) -> None:
        """The host is not waited for any more."""
        uuid, host = attribute(result, "task")._uuid, attribute(result, "host").get_name()
        if uuid in self._waiting:
            self._waiting[uuid].hosts.pop(host, None)
            if not self._waiting[uuid].hosts:
                del self._waiting[uuid]

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task succeeded: only a change or what it is to show is told."""
        values, task = attribute(result, "result"), attribute(result, "task")
        with self._lock:
            self._done(result)
            self._handle_warnings(values)
            if values.get("changed"):
                word = "would change" if task.check_mode else "changed"
                where = self._where(result)
                self._changed.setdefault((word, where[-1]), []).append(where[0])
                self._record.changes.append(run_record.Change(*where, task.action, effects(task.action, values)))
            if task.action == f"{OURS}show":
                self._show(values)
            elif not (task.loop and "results" in values):
                self._tell(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """A pass of a loop succeeded."""
        with self._lock:
            self._handle_warnings(attribute(result, "result"))
            self._tell(result)

    def _show(self, values: Mapping[str, Any]) -> None:
        """A text, a plan or results."""
        arguments = (values.get("invocation") or {}).get("module_args") or {}
        self._record.steps += arguments.get("plan") or []
        self._record.results += arguments.get("results") or []
        message = values.get("msg", "")
        self._flush_changes()
        self._table(message if isinstance(message, list) else str(message).splitlines())
        self._say()

    def _tell(self, result: Any) -> None:
        """What a task such as debug is to show, or with -v every one."""
        if not self._run_is_verbose(result):
            return
        values = attribute(result, "result")
        self._clean_results(values, attribute(result, "task").action)
        message = values.get("msg") if values.get("_ansible_verbose_always") else None
        if isinstance(message, str):
            lines = message.splitlines()
        elif isinstance(message, list) and all(isinstance(line, str) for line in message):
            lines = message
        else:
            lines = self._dump_results(values).splitlines()
        self._flush_changes()
        self._event("ok", f"{self._name_of(result)}: {self._host(result)}", constants.COLOR_OK)
        self._lines((line for line in lines if line.strip()), constants.COLOR_OK)

    def _host(self, result: Any) -> str:
        """The host, with the item of a loop."""
        host = attribute(result, "host").get_name()
        if not attribute(result, "task").loop:
            return host
        values = attribute(result, "result")
        return f"{host} (an item)" if "censored" in values else f"{host} (item {self._get_item_label(values)})"

    def v2_runner_on_skipped(self, result: Any) -> None:
        """A task was skipped."""
        with self._lock:
            self._done(result)
            self._handle_warnings(attribute(result, "result"))

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task failed; of a loop the passes were told."""
        with self._lock:
            self._done(result)
            key = (attribute(result, "task")._uuid, attribute(result, "host").get_name())
            if key in self._items:
                self._items.discard(key)
            else:
                self._fail(result, "ignored" if ignore_errors else "failed")

    def v2_runner_item_on_failed(self, result: Any) -> None:
        """A pass of a loop failed."""
        with self._lock:
            self._items.add((attribute(result, "task")._uuid, attribute(result, "host").get_name()))
            self._fail(result, "ignored" if attribute(result, "task").ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host could not be reached."""
        with self._lock:
            self._done(result)
            self._fail(result, "ignored" if attribute(result, "task").ignore_unreachable else "unreachable")

    def _fail(self, result: Any, word: str) -> None:
        """Print a failure, but what was printed of it before: by another host, or by the host before a rescue."""
        values, where = attribute(result, "result"), self._where(result)
        self._handle_warnings(values)
        lines = run_record.message_lines(values)
        text = "\n".join(lines)
        if self._display.verbosity >= 3 and isinstance(values.get("exception"), str):
            lines += values["exception"].splitlines()
        if word != "ignored":
            self._record.failures.append(run_record.Failure(*where, text))
        self._flush_changes()
        color = constants.COLOR_SKIP if word == "ignored" else constants.COLOR_ERROR
        self._event(word, f"{where[-1]}: {self._host(result)}", color)
        before = self._told.get(where[0], "")
        first = self._same.setdefault((where[-1], text), where[0])
        if "censored" in values:  # who knows whether it is the same
            pass
        elif first != where[0]:
            lines = [f"as {first}"]
        elif before and text.startswith(before):
            lines = text.removeprefix(before).strip().splitlines() or ["as above"]
        self._lines(lines, color)
        self._told[where[0]] = text

    def v2_runner_retry(self, result: Any) -> None:
        """A task is tried again: told where it is waited for."""
        values, uuid = attribute(result, "result"), attribute(result, "task")._uuid
        with self._lock:
            if uuid in self._waiting:
                self._waiting[uuid].attempts = f", attempt {values['attempts'] + 1} of {values['retries']}"

    def v2_on_file_diff(self, result: Any) -> None:
        """The differences of a task, as Ansible prints them."""
        values = attribute(result, "result")
        items = values["results"] if attribute(result, "task").loop and "results" in values else [values]
        with self._lock:
            for item in items:
                diff = self._get_diff(item["diff"]) if item.get("diff") and item.get("changed") else ""
                if diff:
                    self._event("diff", f"{self._name_of(result)}: {attribute(result, 'host').get_name()}")
                    self._say(diff)

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        """All hosts have failed."""
        with self._lock:
            self._flush_changes()
            self._say(f"{stamp(time.monotonic() - self._began)}  No host is left to go on with.", constants.COLOR_ERROR)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The end: tables, and the file."""
        self._ended.set()
        with self._lock:
            self._flush_changes()
            counts = {}
            for host in stats.processed:
                summary = stats.summarize(host)
                counts[host] = {name: summary["failures" if name == "failed" else name] for name in run_record.COUNTS}
            seconds = time.monotonic() - self._began
            if self._record.check:
                self._table(self._record.change_lines(), "A run would do this:")
                self._table(self._record.interruption_lines(), "What it would interrupt:")
            self._table(self._record.host_lines(counts))
            self._say(f"\n{stamp(seconds)}  Result: {self._record.result(counts)}")
            path = self.get_option("file")
            if path:
                self._write(path, self._record.document(counts, seconds))

    @staticmethod
    def _write(path: str, document: Mapping[str, Any]) -> None:
        """Write the file so that nobody ever reads half of it."""
        # A name that nobody can foresee: the folder may be one that others may write.
        handle, draft = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=f".{os.path.basename(path)}.")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(document, stream, indent=2)
            stream.write("\n")
        os.replace(draft, path)

    # Who is waited for

    def _watch(self) -> None:
        """Tell now and then which hosts a task still waits for."""
        wait = self.get_option("wait")
        while not self._ended.wait(min(1, wait)):
            with self._lock:
                now = time.monotonic()
                late = [waiting for waiting in self._waiting.values() if now - waiting.told >= wait]
                for waiting in late:
                    waiting.told = now
                    since = f"({now - waiting.since:.0f} s{waiting.attempts})"
                    name = waiting.task.name or waiting.task.get_name()
                    self._event("waiting for", f"{listed(list(waiting.hosts))}: {name} {since}")
                if late:
                    sys.stdout.flush()  # a pipe would keep it until something else is printed
