"""Rules over the paths of variables: reading, checking, resolving them."""

import numbers
import warnings

from bert4keras3.utils.checks import as_regex, nearest

DEFAULTS = {
    "lr": 1.0,
    "decay": 1.0,
    "frozen": False,
    "adapt": True,
    "scale": True,
    "lazy": False,
}


class RuleBook:
    """Ordered rules `(regex, {setting: value})`.

    supported: names of the settings that the optimizer knows. For each setting the
    first rule that matches a path (`re.search`) and names it decides.
    Raises ValueError for another form, a bad regex, setting or value.
    """

    def __init__(self, rules, supported):
        self.rules = [_checked(rule, supported) for rule in rules or ()]

    def config(self):
        """The rules as lists, for `get_config`."""
        return [[regex.pattern, dict(settings)] for regex, settings in self.rules]

    def resolve(self, paths):
        """Settings of each path: a list of complete dicts.

        Raises ValueError for a rule that matches no path.
        """
        for regex, settings in self.rules:
            if not any(regex.search(path) for path in paths):
                raise ValueError(
                    f"The rule {(regex.pattern, settings)} matches no trainable "
                    "variable (frozen ones are none: leave their rules out). "
                    f"{nearest(regex.pattern, paths)}"
                )
        return [self._settings(path) for path in paths]

    def _settings(self, path):
        found = {}
        for regex, settings in self.rules:
            if regex.search(path):
                found = {**settings, **found}
        return {**DEFAULTS, **found}


def _checked(rule, supported):
    if not isinstance(rule, (list, tuple)) or len(rule) != 2:
        raise ValueError(
            f"A rule is a pair (regex, {{setting: value}}). Received: {rule!r}"
        )
    pattern, settings = rule
    if not isinstance(settings, dict) or not settings:
        raise ValueError(
            f"The rule {pattern!r} needs a dict of settings, of "
            f"{sorted(supported)}. Received: {settings!r}"
        )
    for name, value in settings.items():
        if name not in supported:
            raise ValueError(
                f"The rule {pattern!r} has the setting {name!r}; this optimizer knows "
                f"{sorted(supported)}."
            )
        _check_value(pattern, name, value)
    return as_regex(pattern, "rules"), dict(settings)


def _check_value(pattern, name, value):
    is_bool = isinstance(value, bool)
    if isinstance(DEFAULTS[name], bool):
        if not is_bool:
            raise ValueError(
                f"The rule {pattern!r}: {name} must be True or False. "
                f"Received: {value!r}"
            )
    elif is_bool or not isinstance(value, numbers.Real) or not 0 <= value < 1e30:
        raise ValueError(
            f"The rule {pattern!r}: {name} is a factor, a number >= 0. "
            f"Received: {value!r}"
        )


def matches(patterns, paths, argument):
    """Which of `paths` any of `patterns` finds: a list of bools.

    A pattern that matches nothing only warns: the lists of published scripts serve
    models with and without biases.
    """
    regexes = [as_regex(pattern, argument) for pattern in patterns]
    for regex in regexes:
        if not any(regex.search(path) for path in paths):
            warnings.warn(
                f"{argument}: {regex.pattern!r} matches no trainable variable.",
                stacklevel=2,
            )
    return [any(regex.search(path) for regex in regexes) for path in paths]


def pattern_list(patterns, argument):
    """A list of regexes; ValueError for a single text, which is none."""
    if isinstance(patterns, (str, bytes)):
        raise ValueError(
            f"{argument} must be a list of regular expressions. Received: {patterns!r}"
        )
    patterns = list(patterns or ())
    for pattern in patterns:
        as_regex(pattern, argument)
    return patterns


def layerwise_decay(rate, layers):
    """Rules for learning rates that shrink from the last block down to the embeddings.

    rate: factor from one block to the one below, such as 0.9; layers: number of
    blocks. Block i (`Transformer-i-`) gets rate ** (layers - i), the embeddings
    rate ** (layers + 1), and everything above the blocks 1
    (https://arxiv.org/abs/2003.10555). Rules of your own go in front of these.
    """
    if not 0 < rate <= 1 or layers < 1:
        raise ValueError(
            "layerwise_decay expects 0 < rate <= 1 and layers >= 1. "
            f"Received: rate={rate!r}, layers={layers!r}"
        )
    blocks = [
        (f"Transformer-{i}-", {"lr": rate ** (layers - i)}) for i in range(layers)
    ]
    return [*blocks, ("Embedding-", {"lr": rate ** (layers + 1)})]
