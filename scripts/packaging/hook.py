"""What the build adds to wheel and source distribution: the commit that they were made from."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the build reads this file by its path
try:
    from scripts.packaging.version import decide
finally:
    del sys.path[0]


class CommitHook(BuildHookInterface[Any]):
    """A wheel tells its commit in ``postern-VERSION.dist-info/extra_metadata/build.json``, which
    :mod:`gateway.version` reads; a source distribution in ``.git_archival.txt``, which ``version.py`` reads."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        commit = decide(Path(self.root)).commit
        self._folder = tempfile.TemporaryDirectory()
        made = Path(self._folder.name)
        if self.target_name == "wheel":
            file, name, into = made / "build.json", "build.json", "extra_metadata"
            file.write_text(json.dumps({"commit": commit, "editable": version == "editable"}) + "\n", "utf-8")
        else:
            file, name, into = made / "archival", ".git_archival.txt", "force_include"
            file.write_text(f"node: {commit}\n", "utf-8")
        build_data[into][str(file)] = name

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self._folder.cleanup()
