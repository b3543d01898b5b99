"""AdamW whose update is one fused pass on torch."""

import keras

from bert4keras3.backend import runtime


@keras.saving.register_keras_serializable(package="bert4keras3")
class AdamW(keras.optimizers.AdamW):
    """AdamW (https://arxiv.org/abs/1711.05101), equal to `keras.optimizers.AdamW`.

    On torch, Keras walks over weights, gradients and both moments in a dozen
    element-wise passes, each of which reads and writes memory.
    This class does the same update in torch's fused kernel; on jax and tensorflow,
    where XLA fuses anyway, it is Keras's optimizer. Arguments as there.
    """

    def _fusible(self):
        return runtime.BACKEND == "torch" and not self.amsgrad

    def _apply_weight_decay(self, variables):
        if not self._fusible():
            super()._apply_weight_decay(variables)

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        if not self._fusible():
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        for decays in (True, False):
            chosen = [
                (variable, grad)
                for variable, grad in zip(trainable_variables, grads, strict=True)
                if self._use_weight_decay(variable) == decays
            ]
            if chosen:
                self._fused_step(chosen, learning_rate, decays)

    def _fused_step(self, chosen, learning_rate, decays):
        variables = [variable for variable, _ in chosen]
        places = [self._get_variable_index(variable) for variable in variables]
        runtime.fused_adamw(
            variables,
            [grad for _, grad in chosen],
            [self._momentums[i] for i in places],
            [self._velocities[i] for i in places],
            step=int(self.iterations) + 1,
            learning_rate=float(learning_rate),
            betas=(self.beta_1, self.beta_2),
            epsilon=self.epsilon,
            weight_decay=(self.weight_decay or 0.0) if decays else 0.0,
        )
