"""The table of laws, as ``python tests/registry.py`` prints it."""

import subprocess
import sys
from pathlib import Path

from reference import write_if_new


def write(path: Path) -> None:
    """Run the registry and write its tables as a page."""
    program = path.parent.parent / "tests/registry.py"
    command = [sys.executable, str(program)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    text = f"# The table of laws\n\n```text\n{result.stdout}```\n"
    write_if_new(path, text)
