"""The random state that belongs to the backend: torch draws dropout from its own."""

import numpy as np

from bert4keras3.backend import runtime


def random_states():
    """Arrays of uint8: the state of each of torch's generators; jax keeps none."""
    if runtime.BACKEND != "torch":
        return []
    torch = runtime.native()
    states = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
    return [state.cpu().numpy().copy() for state in states]


def set_random_states(states):
    """Put torch's generators where `random_states` found them."""
    if runtime.BACKEND != "torch" or not states:
        return
    torch = runtime.native()
    first, *others = (torch.from_numpy(np.array(state)) for state in states)
    torch.set_rng_state(first)
    if others:
        torch.cuda.set_rng_state_all(others)
