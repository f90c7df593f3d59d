"""The front records what is wanted; it has no way to reach a server's process or files.

``tests/unit/test_layers.py`` looks at what each file imports; this, at what that brings along.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import poolkeeper

PACKAGE = Path(poolkeeper.__file__).parent


def test_nothing_imports_it_on_the_way() -> None:
    code = (
        "import sys, poolkeeper.api.app;"
        "print([name for name in sys.modules if name.startswith("
        "('poolkeeper.engine', 'poolkeeper.reconcile'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert done.stdout.strip() == "[]"
