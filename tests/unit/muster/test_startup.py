import ast
import gc
import subprocess
import sys
from pathlib import Path

import pytest

from muster import startup

ROOT = Path(__file__).parents[3]
MAINS = [
    "auth/migrations/__main__.py",
    "dbuploader/consumer.py",
    "dbuploader/migrations/__main__.py",
    "embedded/__main__.py",
    "gateway/relay.py",
    "muster/serving.py",
    "notification/consumer.py",
    "notification/migrations/__main__.py",
    "notification/webhooks.py",
]
STARTS = """
import gc
usual = gc.get_threshold()
from muster import startup
import flask
assert gc.get_threshold() > usual
startup.complete()
assert gc.get_threshold() == usual
assert gc.get_freeze_count() > 10_000
"""


def test_a_process_collects_garbage_as_usual_once_it_has_started() -> None:
    subprocess.run([sys.executable, "-c", STARTS], check=True)


def test_what_begins_later_is_not_kept_for_good() -> None:
    gc.unfreeze()
    startup.complete()
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize("main", MAINS)
def test_a_main_module_imports_it_first(main: str) -> None:
    imports = [
        node
        for node in ast.parse((ROOT / main).read_text()).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    first = imports[0]
    assert isinstance(first, ast.ImportFrom)
    assert (first.module, [name.name for name in first.names]) == ("muster", ["startup"])
