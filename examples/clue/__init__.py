"""CLUE: every task, official files in, submission files out. See docs/clue.md.

python -m examples.clue.run --data FOLDER --checkpoint FOLDER      # all tasks
python -m examples.clue.tnews --data FOLDER --checkpoint FOLDER    # one of them
"""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
