"""TensorBoard: the numbers of metrics.jsonl, and what validations have seen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rect_core.findings import LABELS
from rect_data.dataset import StoreDataset
from rect_train.config import TrainConfig
from rect_train.track.samples import page, written
from rect_train.validate import Seen


class Board:
    """Event files in a folder. step: after which a run goes on: TensorBoard forgets what the folder holds of later
    ones. What was logged is on the disk when `log` and `show` return."""

    def __init__(self, folder: Path, config: TrainConfig, step: int) -> None:
        import tensorboard  # type: ignore[import-untyped]  # noqa: F401 - which torch's writer writes with
        from torch.utils.tensorboard import SummaryWriter

        self._config = config
        self._writer: Any = SummaryWriter(str(folder), purge_step=step + 1)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """A curve for each name."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def show(self, step: int, seen: Seen, dataset: StoreDataset) -> None:
        """Precision and recall of each label, outlines beside the truth, and reports with their evidence."""
        if "classification" in self._config.asked:
            self._curves(step, seen)
        for case_id, prob in seen.outlined.items():
            shown = page(dataset.reader, case_id, prob, step, self._config.data.origin)
            self._writer.add_image(f"outlines/{case_id}", shown, step, dataformats="HWC")
            if "classification" in self._config.asked:
                logits = seen.logits[seen.case_ids.index(case_id)]
                text = written(dataset.reader, case_id, logits, prob, self._config.data.origin)
                self._writer.add_text(f"report/{case_id}", text, step)
        self._writer.flush()

    def close(self) -> None:
        """Closes the file."""
        self._writer.close()

    def _curves(self, step: int, seen: Seen) -> None:
        prob = torch.from_numpy(seen.logits).sigmoid().numpy()
        known = ~np.isnan(seen.labels)
        for k, label in enumerate(LABELS):
            if known[:, k].any():
                of = known[:, k]
                self._writer.add_pr_curve(f"pr/{label}", seen.labels[of, k], prob[of, k], step)
