"""Names of files and folders, from what a user has typed."""

import os
import re
from pathlib import Path


def local_path(name: str) -> Path:
    """The path of a name, `~` being the user's folder; `~nobody`, whom this machine does not know, stays as it is."""
    return Path(os.path.expanduser(name))


def slug(text: str, length: int = 60) -> str:
    """Makes a file name from a prompt's words.

    >>> slug("A cat, left of a dog!")
    'a-cat-left-of-a-dog'
    """
    words = re.findall(r"\w+", text.lower())
    name = ""
    for word in words:
        if len((longer := f"{name}-{word}".strip("-")).encode()) > length:
            break
        name = longer
    return name or (words[0][: length // 4] if words else "images")
