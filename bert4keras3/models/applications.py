"""Language-model applications: who sees whom, as class attributes."""


class LM_Mask:  # noqa: N801  (legacy public name)
    """Mixin: every token sees only itself and what stands before it."""

    visibility = "lm"


class UniLM_Mask:  # noqa: N801  (legacy public name)
    """Mixin: segment 0 sees itself, segment 1 is causal (arXiv:1905.03197)."""

    visibility = "unilm"


def extend_with_language_model(BaseModel):  # noqa: N803
    """Return a subclass with the causal mask and the LM head on."""
    return _extended(LM_Mask, BaseModel)


def extend_with_unified_language_model(BaseModel):  # noqa: N803
    """Return a subclass with the UniLM mask and the LM head on."""
    return _extended(UniLM_Mask, BaseModel)


def _extended(mask, base):
    if "application" in base.unsupported:
        reason = base.unsupported["application"]
        raise ValueError(
            f"{base.__name__} cannot become a language model: {reason}. Pass "
            "application='encoder', the default."
        )
    if mask.visibility in base.unsupported:
        reason = base.unsupported[mask.visibility]
        raise ValueError(
            f"application={mask.visibility!r} is not possible with {base.__name__}: "
            f"{reason}. Pass application='lm'."
        )

    class LanguageModel(mask, base):
        """The base family as a language model."""

        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.with_mlm = self.with_mlm or True

    LanguageModel.__name__ = LanguageModel.__qualname__ = base.__name__
    return LanguageModel


APPLICATIONS = {
    "encoder": lambda cls: cls,
    "lm": extend_with_language_model,
    "unilm": extend_with_unified_language_model,
}
