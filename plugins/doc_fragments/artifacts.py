# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of modules that install programs."""

from __future__ import annotations


class ModuleDocFragment:
    """What is said of downloads."""

    DOCUMENTATION = r"""
options:
  artifacts:
    description: The downloads.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the download, for messages and for the record of what is installed. Unique on the host.
        type: str
        required: true
      state:
        description:
          - With V(present), the files are installed, and those of an earlier version that this one lacks are removed.
          - With V(absent), the files that this module installed under this name are removed.
          - A file that was changed since it was installed is never removed.
        type: str
        choices: [present, absent]
        default: present
      url:
        description: Where to download from. Required for O(artifacts[].state=present).
        type: str
      checksum:
        description:
          - Required for O(artifacts[].state=present).
          - The SHA-256 or SHA-512 checksum as hexadecimal digits, which C(sha256:) or C(sha512:) may precede, or the
            URL of a file that holds it. Such a file proves nothing against who holds its server.
          - Such a file holds only the digits, or lines with the digits and a file name as C(sha256sum) writes them.
        type: str
      dest:
        description:
          - Absolute path of the file, or of the folder for the files of an archive.
          - Required for O(artifacts[].state=present).
        type: path
      members:
        description:
          - The files of an archive to install. All when not given and the URL ends in C(.tar), C(.tgz), C(.tar.gz),
            C(.tar.xz) or C(.tar.bz2).
        type: list
        elements: dict
        suboptions:
          source:
            description: Path within the archive, after O(artifacts[].strip).
            type: str
            required: true
          dest:
            description: Path of the file, relative to O(artifacts[].dest) or absolute. Its own name when not given.
            type: path
          mode:
            description: Permissions, where they differ from O(artifacts[].mode).
            type: str
          optional:
            description: Whether the archive may lack the file, as some versions do.
            type: bool
            default: false
      strip:
        description: How many leading folders to drop from the paths in the archive.
        type: int
        default: 0
      mode:
        description: Permissions of the installed files, as octal digits in quotes.
        type: str
        default: '0755'
      owner:
        description: Name or number of the user who owns the installed files.
        type: str
        default: '0'
      group:
        description: Name or number of the group that owns the installed files.
        type: str
        default: '0'
  allow_http:
    description:
      - Whether URLs may be C(http), which can be read and changed on its way.
      - A redirect from C(https) to anything else is never followed.
    type: bool
    default: false
  require_digests:
    description: Whether a checksum must be given as hexadecimal digits, so that no server is asked for it.
    type: bool
    default: false
notes:
  - A proxy is taken from the task's C(environment) (C(http_proxy), C(https_proxy), C(no_proxy)).
"""
