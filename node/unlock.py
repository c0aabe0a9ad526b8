"""
The password of a key when nobody is there to type it: in a file, as a systemd credential, or in the environment.

What stands in the environment is taken out of it, so that no process started from here inherits it.
"""

from __future__ import annotations

import os
from pathlib import Path

from genesis.errors import Invalid

VARIABLE = "TENOR_PASSWORD"
CREDENTIALS_FOLDER, CREDENTIAL = "CREDENTIALS_DIRECTORY", "tenor-password"
"""systemd names the folder; the unit says LoadCredential=tenor-password:FILE, or LoadCredentialEncrypted=."""


def unattended(file: Path) -> str | None:
    """
    The password in `file` (its first line) if there is such a file, else the credential, else the variable; None when
    there is none of them. Raises Invalid "bad_password" for one that cannot be read.
    """
    credential = Path(os.environ[CREDENTIALS_FOLDER]) / CREDENTIAL if CREDENTIALS_FOLDER in os.environ else None
    for path in (file, credential):
        if path is not None and path.exists():
            return first_line(path)
    return os.environ.pop(VARIABLE, None)


def first_line(file: Path) -> str:
    """Raises Invalid "bad_password"."""
    try:
        return file.read_text().split("\n", 1)[0]
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} cannot be read ({error}); name a readable file.", "bad_password") from error
