"""The README's Python runs as written, one block after another, and prints what its comments say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_examples_run_as_written(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    script = tmp_path / "readme.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    promised = re.findall(r"^print\(.*\) +# (found .*|b\*\*2.*|product, .*|True)$", "".join(blocks), flags=re.MULTILINE)
    assert len(promised) == 4
    assert set(promised) <= set(done.stdout.splitlines()), done.stdout
    assert {"network.png", "report.html", "law.kan"} <= {path.name for path in tmp_path.iterdir()}
