"""Checkpoints: names, formats and transfer, on numpy alone."""

from bert4keras3.checkpoints.errors import CheckpointError as CheckpointError
from bert4keras3.checkpoints.names import Row as Row
from bert4keras3.checkpoints.transfer import LoadReport as LoadReport
