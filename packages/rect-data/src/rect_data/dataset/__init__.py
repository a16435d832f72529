"""Cases out of a store to batches for training: in an order that survives a kill, with all that is missing flagged."""

from rect_data.dataset.augment import AugmentConfig, augment, generator_of
from rect_data.dataset.collate import Batch, blanked, collate, joined
from rect_data.dataset.dataset import StoreDataset
from rect_data.dataset.item import Draw, Item
from rect_data.dataset.loader import Loader
from rect_data.dataset.sampler import CaseSampler
from rect_data.dataset.tasks import Task, balance_weights, eligible

__all__ = [
    "AugmentConfig",
    "Batch",
    "CaseSampler",
    "Draw",
    "Item",
    "Loader",
    "StoreDataset",
    "Task",
    "augment",
    "balance_weights",
    "blanked",
    "collate",
    "eligible",
    "generator_of",
    "joined",
]
