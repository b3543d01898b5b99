"""Models that come with the package, by name."""

import os

_HOME = os.path.join(os.path.dirname(os.path.dirname(__file__)), "assets")
EMBEDDED = ("zh-tiny",)


def asset_path(source):
    """Folder of an embedded model when `source` is its name, else `source` itself."""
    if isinstance(source, str) and source in EMBEDDED and not os.path.exists(source):
        return os.path.join(_HOME, source)
    return source
