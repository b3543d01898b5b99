"""Serving: tasks as plain objects, and a server that batches requests for them."""

from bert4keras3.serving.batcher import Batcher as Batcher
from bert4keras3.serving.classify import Classify as Classify
from bert4keras3.serving.fill_mask import FillMask as FillMask
from bert4keras3.serving.generate import Generate as Generate
from bert4keras3.serving.generate import Plan as Plan
from bert4keras3.serving.legacy import WebServing as WebServing
from bert4keras3.serving.limits import Limits as Limits
from bert4keras3.serving.limits import Refusal as Refusal
from bert4keras3.serving.loading import load_tasks as load_tasks
from bert4keras3.serving.loading import load_tokenizer as load_tokenizer
from bert4keras3.serving.server import create_app as create_app
from bert4keras3.serving.server import serve as serve
from bert4keras3.serving.similar import Similar as Similar
from bert4keras3.serving.tasks import Task as Task
