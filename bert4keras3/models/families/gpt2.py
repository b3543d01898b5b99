"""GPT-2: GPT with the norms in front; also CPM-LM."""

import re

from bert4keras3.checkpoints.names import norm, renamed, table
from bert4keras3.layers import Dropout
from bert4keras3.models.families.gpt import GPT


def openai_name(name):
    """OpenAI's TensorFlow name of a Hugging Face one; the arrays are laid out alike."""
    layer, _, kind = name.removeprefix("transformer.").rpartition(".")
    path = re.sub(r"^h\.", "model/h", layer).replace(".", "/")
    if layer in ("wte", "wpe"):
        return f"model/{layer}"
    path = path if path.startswith("model/") else f"model/{path}"
    short = "b" if kind == "bias" else "g" if "ln_" in layer else "w"
    return f"{path}/{short}"


class GPT2(GPT):
    """Causal decoder, pre-norm (https://openai.com/research/better-language-models).

    bert4keras took id 0 for padding (here: pad_token_id=0), although it is a token of
    GPT-2 and CPM-LM.
    """

    model_type = "gpt2"
    pre_norm = True
    names = table(
        renamed(
            renamed(GPT.names, ("tokens_embed", "wte"), ("positions_embed", "wpe")),
            ("attention/output/LayerNorm", "attention/input/LayerNorm"),
            ("{i}/output/LayerNorm", "{i}/input/LayerNorm"),
            style="tf",
        ),
        norm("Output-Norm", "gpt/output/LayerNorm", "transformer.ln_f"),
    )
    dialects = (("hf", "OpenAI's TensorFlow names", openai_name),)
    options = {**GPT.options, "embedding_dropout_rate": 0.0}
    defaults = {**GPT.defaults, "segment_vocab_size": 0}
    config_keys = {"activation_function": "hidden_act", **GPT.config_keys}
    activations = {"gelu": "gelu_erf", "gelu_new": "gelu_tanh"}

    def apply_final_layers(self, inputs):
        """Norm and dropout come before the head."""
        x = self.norm(inputs, "Output-Norm")
        x = self.apply(x, Dropout, name="Output-Dropout", rate=self.dropout_rate)
        return super().apply_final_layers(x)
