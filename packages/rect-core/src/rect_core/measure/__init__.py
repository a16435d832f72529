"""What lesions measure, from their voxels alone: of a prediction and of the truth by the same code."""

from rect_core.measure.lesion import Chest, crop_of, instances, measure_masks, measure_one

__all__ = ["Chest", "crop_of", "instances", "measure_masks", "measure_one"]
