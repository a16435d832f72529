"""Everything about data that would spoil a run, refused before it begins."""

from math import isnan

from rect_core.findings import LABELS
from rect_data.dataset import StoreDataset, eligible
from rect_train.config import TrainConfig
from rect_train.validate import best_of, metric_names


def open_store(config: TrainConfig) -> tuple[StoreDataset, list[str]]:
    """The cases of a run for training, and what whoever trains on them should know.

    Raises ValueError (DataError) for a store on another grid than the encoder's, a split without cases, labels none of
    which is ever positive, and a metric that no validation gives.
    """
    dataset = StoreDataset(config.data.store, training=True, seed=config.seed)
    has, wants = dataset.reader.config.grid, config.sizes.encoder.grid
    if has != wants:
        raise ValueError(
            f"the store {config.data.store.name} lies on a grid of {has.shape} cells of {has.spacing_mm} mm but the "
            f"encoder reads {wants.shape} of {wants.spacing_mm} mm: prepare the store for this preset"
        )
    if config.save.best and best_of(config) not in metric_names(config.asked):
        raise ValueError(f"save.best {config.save.best!r}: give one of {', '.join(metric_names(config.asked))}")
    valid = eligible(dataset.rows, split=config.data.valid)
    if len({dataset.rows[i].patient for i in valid}) < 2:
        raise ValueError(f"split {config.data.valid!r} has one patient: the mismatched-scan control needs two")
    return dataset, _labels(dataset, config) if "classification" in config.asked else []


def _labels(dataset: StoreDataset, config: TrainConfig) -> list[str]:
    rows = [dataset.rows[i] for i in eligible(dataset.rows, "classification", config.data.train)]
    never = [label for i, label in enumerate(LABELS) if not any(row.labels[i] == 1 for row in rows)]
    if len(never) == len(LABELS):
        known = sum(not isnan(value) for row in rows for value in row.labels)
        raise ValueError(
            f"none of the {known} known labels in split {config.data.train!r} is positive: there is nothing to tell "
            "apart; prepare cases with findings"
        )
    return [f"labels without a positive case, of which only no is learned: {', '.join(never)}"] if never else []
