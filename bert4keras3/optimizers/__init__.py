"""Optimizers: Keras's own where they serve, faster or missing ones here."""

from bert4keras3.optimizers.adamw import AdamW as AdamW
