"""Packs a chart into the folder that is named, and links Helm there."""

import sys
from pathlib import Path

from chart_files import pack
from helm_programs import helm
from lab.settings import Settings

WORDS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: words}\ndata: {replicas: '{{ .Values.replicas }}'}\n"
folder = Path(sys.argv[1])
(folder / "helm").unlink(missing_ok=True)
(folder / "helm").symlink_to(helm("4.2.3", Settings().cache))
pack(folder, **{"templates/all.yaml": WORDS, "crds/orders.yaml": ""})
