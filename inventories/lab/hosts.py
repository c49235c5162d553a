#!/usr/bin/env python3
"""The lab's hosts as an Ansible inventory: what runs now, and the versions its mirror serves."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lab.inventory import inventory

print(json.dumps(inventory(), indent=2))
