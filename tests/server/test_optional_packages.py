"""What wants a package that is not there says which, by a command that installs it."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url

from gradgate.server.export.parquet import check_parquet
from gradgate.server.notify.targets import AppriseService
from gradgate.server.store.database import Store

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize(
    ("module", "extra", "call"),
    [
        ("pyarrow", "export", check_parquet),
        ("apprise", "notify", lambda: AppriseService("discord://a/b")),
        ("psycopg", "postgresql", lambda: Store(make_url("postgresql+psycopg://me@127.0.0.1:1/d"))),
    ],
    ids=["parquet", "notifications", "postgresql"],
)
def test_the_command_installs_what_the_extra_asks_for(
    module: str, extra: str, call: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the package's own name, which does not depend on how Gradgate was installed."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Exception, match=module) as error:
        call()
    (told,) = re.findall(r"`pip install '?([^'`]+)'?`", str(error.value))
    wanted = [re.split(r"[<>=]", each)[0] for each in PROJECT["optional-dependencies"][extra]]
    assert [told] == wanted
