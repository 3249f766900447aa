"""Every hook is documented and used in a test."""

import inspect
from pathlib import Path

import pytest

from cryoweave.host import hookspecs

ROOT = Path(__file__).resolve().parents[2]
HOOKS = [name for name, _ in inspect.getmembers(hookspecs, inspect.isfunction) if name.startswith("cryoweave_")]


def test_there_are_hooks():
    assert len(HOOKS) == 7


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_documented(hook):
    guide = (ROOT / "docs" / "guide" / "plugins.md").read_text(encoding="utf-8")
    arguments = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)
    assert f"`{hook}({arguments})`" in guide
    assert f"def {hook}(" in guide
    assert getattr(hookspecs, hook).__doc__


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_tested(hook):
    tests = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    assert any(hook in text for text in tests)
