"""ERNIE 2.0 and 3.0, the worked example of docs/add-a-family.md."""

import keras
from keras import ops

from bert4keras3.checkpoints.names import plain, renamed, table
from bert4keras3.layers import Add, Embedding
from bert4keras3.models.families.bert import BERT

TASK_NAMES = plain(
    "Embedding-Task/embeddings",
    "bert/embeddings/task_type_embeddings",
    "bert.embeddings.task_type_embeddings.weight",
)


class ERNIE(BERT):
    """BERT with task embeddings (https://arxiv.org/abs/1907.12412).

    use_task_id: add them; task_type_vocab_size: how many there are;
    custom_task_ids: take the ids (B, T) as a further input, default all 0.
    """

    model_type = "ernie"
    names = renamed(table(BERT.names, TASK_NAMES), ("bert.", "ernie."))
    options = {
        **BERT.options,
        "use_task_id": False,
        "task_type_vocab_size": 3,
        "custom_task_ids": False,
    }

    def get_inputs(self):
        """Input-Task comes last, after BERT's own inputs."""
        inputs = super().get_inputs()
        if self.custom_task_ids:
            shape = (self.sequence_length,)
            task = self.get(keras.Input, "Input-Task", shape=shape, dtype="int32")
            inputs.append(task)
        return inputs

    def finish_embeddings(self, x):
        """Add the task's vector before norm, dropout and projection."""
        if self.use_task_id or self.custom_task_ids:
            layer = self.get(
                Embedding,
                "Embedding-Task",
                input_dim=self.task_type_vocab_size,
                output_dim=self.embedding_size,
                embeddings_initializer=self.initializer,
            )
            ctx = self.ctx
            ids = ctx.inputs[-1] if self.custom_task_ids else ops.zeros_like(ctx.ids)
            x = self.get(Add, "Embedding-Token-Task")([x, layer(ids)])
        return super().finish_embeddings(x)

    def extra_config(self):
        """What transformers must know: whether the table is there."""
        return {"use_task_id": bool(self.use_task_id or self.custom_task_ids)}
