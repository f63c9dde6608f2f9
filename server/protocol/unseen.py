"""Characters that nobody sees, or that turn their neighbours round, in texts of a job."""

from __future__ import annotations

import re

MARK = "\ufffd"
"""What is shown in place of one."""
# Letters and marks for Python, and nothing on a screen: Default_Ignorable_Code_Point of Unicode.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0e\uffa0"
    "\U000e0100-\U000e01ef]"
)


def marked(text: str, keep: str = "") -> str:
    """Return a text with a mark for each such character, but those to `keep`.

    U+FE0F stays, with which emoji are written.
    """
    shown = (each if each.isprintable() or each in keep else MARK for each in text)
    return _BLANK.sub(MARK, "".join(shown))
