"""Upper, middle and lower zones: thirds of each lung's own height."""

import numpy as np
from jaxtyping import Bool, UInt8

from rect_core.anatomy.region_map import LEFT_ZONES, RIGHT_ZONES


def zones(right: Bool[np.ndarray, "d h w"], left: Bool[np.ndarray, "d h w"]) -> UInt8[np.ndarray, "d h w"]:
    """Both lungs with the values 1-6: each lung's slices from base to apex cut in three equal heights (radiography's
    zones, not lobes). A slice belongs to the third that holds its centre."""
    labels = np.zeros(right.shape, np.uint8)
    for lung, values in ((right, RIGHT_ZONES), (left, LEFT_ZONES)):
        slices = np.flatnonzero(lung.any(axis=(1, 2)))
        if len(slices):
            start, height = slices[0], slices[-1] + 1 - slices[0]
            third = np.clip(((np.arange(len(lung)) + 0.5 - start) * 3 / height).astype(np.int64), 0, 2)
            value = np.array(values[::-1], np.uint8)[third]
            labels += lung * value[:, None, None]
    return labels
