"""The folder works under another name, and stores what it stores under its own: names in Redis are literals."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import jobs
from jobs import encoding, errors

STORED = """
import sys
from elsewhere import commands, encoding, errors, monitor, testing, worker_settings
from elsewhere.contrib.port import Port
Port("127.0.0.1:0").server_close()
assert "elsewhere.contrib.keda" in sys.modules
assert "jobs" not in sys.modules, "it imports itself by its full name"
kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.QuarqError)]
for kind in sorted(kinds, key=lambda kind: kind.__name__):
    print(kind.__name__, encoding.dumps(kind.__new__(kind, "why")).hex())
back = encoding.loads(bytes.fromhex(sys.argv[1]))
assert type(back) is errors.TaskRevoked, back
"""


def test_under_another_name_it_stores_the_same_bytes(tmp_path: Path) -> None:
    shutil.copytree(Path(jobs.__file__).parent, tmp_path / "elsewhere")
    ours = encoding.dumps(errors.TaskRevoked("why")).hex()

    ran = subprocess.run([sys.executable, "-c", STORED, ours], cwd=tmp_path, capture_output=True, text=True, env={})

    assert ran.returncode == 0, ran.stderr
    stored = dict(line.split() for line in ran.stdout.splitlines())
    assert len(stored) > 10
    assert stored == {
        name: encoding.dumps(getattr(errors, name).__new__(getattr(errors, name), "why")).hex() for name in stored
    }
