"""One scan on the grid of a store: Hounsfield units, regions and lesions, all through one frame."""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Bool, Int16, Integer, UInt8

from rect_core.axis import Range
from rect_core.findings import LOCALIZED
from rect_core.frame import Frame
from rect_core.resample import gather, resampled
from rect_core.volume import Volume
from rect_data.store.layout import PADDING_HU

MOST_INSTANCES = 255


def hu_on_grid(volume: Volume, frame: Frame) -> Int16[np.ndarray, "gd gh gw"]:
    """What `rect_core.Preprocess` shows a model, as whole HU: clipped to the grid's range before it is averaged, so
    that training sees what inference sees, to half a HU. Outside the scan -1024."""
    out = np.full(frame.grid.shape, PADDING_HU, np.int16)
    d, h, w = (axis.down() for axis in frame.axes)
    source = volume.hu if abs(volume.hu.strides[0]) == max(map(abs, volume.hu.strides)) else volume.hu.copy("C")
    for target, plane in zip(out[_box(frame.valid)], resampled(source, (d, h, w), frame.grid.hu_range), strict=True):
        target[...] = torch.round(plane).numpy()
    return out


def labels_on_grid(labels: UInt8[np.ndarray, "d h w"], frame: Frame) -> UInt8[np.ndarray, "gd gh gw"]:
    """Each cell's nearest label, as `rect_core.Preprocess` takes it; 0 outside the scan."""
    out = np.zeros(frame.grid.shape, np.uint8)
    d, h, w = (axis.nearest_voxels() for axis in frame.axes)
    gather(labels, (d, h, w), out[_box(frame.valid)])
    return out


def lesions_on_grid(
    masks: Iterable[tuple[str, Integer[np.ndarray, "d h w"]]], frame: Frame
) -> tuple[UInt8[np.ndarray, "5 gd gh gw"], dict[str, list[int]]]:
    """Instance numbers of each finding (a finding without a mask is all 0), and the instances that lie outside the
    grid."""
    out = np.zeros((len(LOCALIZED), *frame.grid.shape), np.uint8)
    outside = {name: instances_on_grid(mask, frame, out[LOCALIZED.index(name)]) for name, mask in masks}
    return out, {name: numbers for name, numbers in outside.items() if numbers}


def instances_on_grid(
    mask: Integer[np.ndarray, "d h w"], frame: Frame, out: UInt8[np.ndarray, "gd gh gw"]
) -> list[int]:
    """Writes each instance (numbers above 255 as 255) into the cells that it fills by half or more; one that fills
    none so far, into the cell it fills most, since a lesion that is known must not become background. Returns those
    that no cell holds."""
    from scipy import ndimage

    planes = np.flatnonzero([plane.any() for plane in mask])  # most masks are empty, and few reach through a scan
    if not len(planes):
        return []
    slab = mask[planes[0] : planes[-1] + 1]
    lost = []
    for number, box in enumerate(ndimage.find_objects(slab), 1):
        if box is None:
            continue
        place = (slice(box[0].start + int(planes[0]), box[0].stop + int(planes[0])), box[1], box[2])
        if not _put(slab[box] == number, place, frame, out, min(number, MOST_INSTANCES)):
            lost.append(number)
    return lost


def _put(
    mask: Bool[np.ndarray, "a b c"],
    place: tuple[slice, slice, slice],
    frame: Frame,
    out: UInt8[np.ndarray, "gd gh gw"],
    number: int,
) -> bool:
    """Whether a cell holds the instance whose voxels are `mask` at `place` of the scan."""
    columns = [axis.down()[:, box] for axis, box in zip(frame.axes, place, strict=True)]
    reached = [np.flatnonzero(np.any(weights, axis=1)) for weights in columns]
    if not all(map(len, reached)):
        return False
    rows = [slice(int(r[0]), int(r[-1]) + 1) for r in reached]
    d, h, w = (weights[r] for weights, r in zip(columns, rows, strict=True))
    share = torch.stack(list(resampled(mask, (d, h, w)))).numpy()
    cells = out[_box(frame.valid)][tuple(rows)]
    half = share >= 0.5 - 1e-6
    if half.any():
        cells[half] = number
        return True
    fullest = np.unravel_index(int(share.argmax()), share.shape)
    if share[fullest] <= 0 or cells[fullest]:
        return False
    cells[fullest] = number
    return True


def _box(ranges: tuple[Range, Range, Range]) -> tuple[slice, slice, slice]:
    d, h, w = (slice(*r) for r in ranges)
    return d, h, w
