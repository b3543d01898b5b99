"""Small trainable additions to a frozen weight: kept, saved and merged with it."""

import contextlib

import keras
import numpy as np


class Adapted:
    """Mixin of Dense and Embedding: a weight that may carry trainable additions.

    Weight files hold the frozen weight and the additions apart. Read by a layer with
    the same additions they are what they were; read by a plain layer they are merged.
    A file of a plain layer sets the weight, and the additions to nothing.
    """

    @property
    def adapter_names(self):
        """Attributes of the additions, () without any."""
        raise NotImplementedError

    @property
    def frozen_weight(self):
        """The variable that the additions change."""
        raise NotImplementedError

    def own_weights(self):
        """The variables without additions, in the order in which Keras saves them."""
        raise NotImplementedError

    def merged(self, **additions):
        """The weight with additions and settings in it, a float32 tensor."""
        raise NotImplementedError

    def adapter_settings(self):
        """{name: numpy value} of what the additions need to be read."""
        raise NotImplementedError

    def reset_adapter(self):
        """Set the additions so that they change nothing."""
        raise NotImplementedError

    def drop_adapter(self):
        """Forget the additions."""
        raise NotImplementedError

    @property
    def adapter(self):
        """{attribute: variable} of the additions, {} without any."""
        return {name: getattr(self, name) for name in self.adapter_names}

    def merge_adapter(self):
        """Write the additions into the weight and drop them; outputs stay the same."""
        self.frozen_weight.assign(self.merged(**self.adapter))
        self.drop_adapter()

    @contextlib.contextmanager
    def beside_weight(self):
        """Variables that are made in here have paths beside that of the weight."""
        with contextlib.ExitStack() as stack:
            # The last scope but one is the layer's own, which `add_weight` opens.
            for scope in self.frozen_weight.path.split("/")[:-2]:
                stack.enter_context(keras.name_scope(scope))
            yield

    def save_own_variables(self, store):
        if not self.adapter_names:
            super().save_own_variables(store)
            return
        for index, variable in enumerate(self.own_weights()):
            store[str(index)] = variable
        for name, variable in self.adapter.items():
            store[name] = variable
        for name, value in self.adapter_settings().items():
            store[name] = value

    def load_own_variables(self, store):
        held = [name for name in store.keys() if not name.isdigit()]
        if not held and not self.adapter_names:
            super().load_own_variables(store)
            return
        values = {name: np.asarray(store[name]) for name in held}
        if held and self.adapter_names:
            self._check_same(values)
        for index, variable in enumerate(self.own_weights()):
            variable.assign(store[str(index)])
        if not held:
            self.reset_adapter()
        elif self.adapter_names:
            for name, variable in self.adapter.items():
                variable.assign(values[name])
        else:
            self.frozen_weight.assign(self.merged(**values))

    def _check_same(self, values):
        own = {name: tuple(one.shape) for name, one in self.adapter.items()}
        theirs = {name: values[name].shape for name in own if name in values}
        same = own == theirs and all(
            name in values and np.array_equal(values[name], value)
            for name, value in self.adapter_settings().items()
        )
        if not same:
            raise ValueError(
                f"Layer {self.name!r} has additions {own}, the file {theirs}, or other "
                f"settings than {self.adapter_settings()}. Enable them as in the model "
                "that was saved."
            )


def adapted_layers(layers):
    """Those of the layers, and of the layers within them, that have additions."""
    parts = {
        id(part): part
        for layer in layers
        if hasattr(layer, "_flatten_layers")
        for part in layer._flatten_layers()
        if isinstance(part, Adapted) and part.adapter_names
    }
    return list(parts.values())
