# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin validate_inputs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: validate_inputs
short_description: Validates the variables of all roles on all hosts before anything is touched
version_added: 0.1.0
description:
  - Runs once on the controller, connects to no host, and finds every fault at once.
  - Every variable of this collection's roles that is set for a host is checked against the roles' argument specs. Names
    that look like a role's variable but are none are reported with the name that was probably meant, and so are those
    of Kubespray. Role defaults do not count as set.
  - Then it checks what must fit together, such as versions and their skew, networks, node names and addresses, the API
    endpoint and what distributes its calls, ports, the number of etcd's members, inventory groups, the mode of
    kube-proxy, checksums, a CA that is given, and the container runtime.
  - Fails with one message in which faults are grouped by host. A play's variables and role defaults count as they would
    in a task on that host. The facts that variables refer to must have been gathered.
author:
  - groundwork.kubernetes contributors (@groundwork)
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
options:
  ignore:
    description:
      - Identifiers of faults to let pass on all hosts, or a mapping of hosts (V(*) for all) to such lists.
      - An ignored error becomes a warning, an ignored warning disappears.
    type: raw
    default: []
  names_only:
    description:
      - Whether to look at the names of variables alone, which needs no facts. Roles do so that are used without
        C(preflight); after it nothing is done. Then the variable C(preflight_ignore) counts in place of O(ignore).
    type: bool
    default: false
  switches:
    description:
      - Whether to look at feature gates, admission plugins and flags. An upgrade judges them itself, together with
        those in files of hosts.
    type: bool
    default: true
notes:
  - Set C(run_once), since one run looks at all hosts of the play.
seealso:
  - module: groundwork.kubernetes.preflight_report
  - name: Version skew policy
    description: Which versions of Kubernetes' components work together.
    link: https://kubernetes.io/releases/version-skew-policy/
"""

EXAMPLES = r"""
- name: Validate the variables of all hosts
  groundwork.kubernetes.validate_inputs:
    ignore: [members-even]
  run_once: true
"""

RETURN = r"""
faults:
  description: Warnings and ignored errors.
  returned: success
  type: list
  elements: dict
  contains:
    host:
      description: The host; empty for the cluster as a whole.
      type: str
    id:
      description: The fault's identifier.
      type: str
    severity:
      description: V(warning).
      type: str
    text:
      description: What is wrong, and what to do.
      type: str
settings:
  description: >-
    By host, what M(groundwork.kubernetes.preflight_report) needs to know, such as its part in the cluster (C(roles))
    and the values of variables.
  returned: success
  type: dict
"""
