"""Models by name: those that come with the package, and remote ones."""

import os

from bert4keras3.utils.remote import fetch, is_remote

_HOME = os.path.join(os.path.dirname(os.path.dirname(__file__)), "assets")
EMBEDDED = ("zh-tiny",)


def asset_path(source, weights: bool = True):
    """Return the path that `source` stands for, or `source` itself.

    source: name of an embedded model, "hf://owner/name" or "modelscope://owner/name"
        (see `utils.remote`), or anything else, which is returned as it is.
    weights: False leaves the weights of a remote model where they are.
    """
    if is_remote(source):
        return fetch(source, weights)
    if isinstance(source, str) and source in EMBEDDED and not os.path.exists(source):
        return os.path.join(_HOME, source)
    return source
