"""Walk a functional Keras graph: find a layer by name, list a shared one's outputs."""

import keras


def search_layer(inputs, name, exclude_from=None):
    """Find the layer called `name` among the ancestors of a tensor or layer.

    inputs: a KerasTensor, a layer or a model; nested models are searched too.
    Returns the layer, or None when there is none of that name.
    """
    seen = set() if exclude_from is None else exclude_from
    stack = [_producer(inputs)]
    while stack:
        layer = stack.pop()
        if layer is None or id(layer) in seen:
            continue
        seen.add(id(layer))
        if layer.name == name:
            return layer
        if isinstance(layer, keras.Model):
            found = {one.name: one for one in layer.layers}.get(name)
            if found is not None:
                return found
            stack.extend(one for one in layer.layers if isinstance(one, keras.Model))
        for node in layer._inbound_nodes:
            stack.extend(_producer(tensor) for tensor in node.input_tensors)
    return None


def _producer(x):
    history = getattr(x, "_keras_history", None)
    return x if history is None else history[0]


def get_output_at(layer, index):
    """Return the output of the `index`-th call of a shared layer (ALBERT recipes).

    Keras 3 has no `layer.get_output_at`. Raises IndexError beyond the last call.
    """
    nodes = layer._inbound_nodes
    if not -len(nodes) <= index < len(nodes):
        raise IndexError(
            f"Layer {layer.name!r} was called {len(nodes)} time(s). "
            f"Received: index={index}"
        )
    outputs = nodes[index].output_tensors
    return outputs[0] if len(outputs) == 1 else outputs
