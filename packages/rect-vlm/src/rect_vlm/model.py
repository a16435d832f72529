"""ReCTVLM: encoder, classifier, localizer and reporter as one model. One scan is encoded once and used three times."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Shaped

from rect_classifier import Classifier, Threshold, operating_points
from rect_core.errors import ScanError
from rect_core.published import POINTS_NAME
from rect_core.sources import resolve_source
from rect_core.types import FindingScores, OperatingPoints, OutlinePoints, Report, WeightsStatus
from rect_encoder import VisionEncoder
from rect_localizer import Localizer, outline_points
from rect_vlm.pipeline import Request, run
from rect_vlm.prediction import Prediction
from rect_vlm.presets import PRESETS


def _matrix(affine: Any) -> Shaped[np.ndarray, "..."] | None:
    """What was given as affine= as numbers; the reader refuses what is no affine."""
    if affine is None:
        return None
    try:
        return np.asarray(affine, np.float64)
    except (TypeError, ValueError):
        raise ScanError(
            "orientation", f"affine={affine!r:.60} is not a matrix: give the (4, 4) matrix to RAS+ mm"
        ) from None


class ReCTVLM:
    """The components as one model.

    Build it with `from_pretrained` or, for trials, `untrained`. Heads refuse an encoder they were not trained on.
    """

    def __init__(
        self,
        encoder: VisionEncoder,
        classifier: Classifier,
        localizer: Localizer,
        *,
        name: str = "",
        points: OperatingPoints | None = None,
        outline_points: OutlinePoints | None = None,
    ) -> None:
        for head in (classifier, localizer):
            wanted = head.config.encoder_fingerprint
            if wanted and wanted != encoder.fingerprint:
                raise ValueError(
                    f"{type(head).__name__} was trained on encoder {wanted[:12]} but got {encoder.fingerprint[:12]}: "
                    "load the three from one folder"
                )
        self.encoder = encoder.eval()
        self.classifier = classifier.eval()
        self.localizer = localizer.eval()
        self.name = name
        self.points = points
        self.outline_points = outline_points

    @classmethod
    def from_pretrained(
        cls, source: str | Path, *, revision: str | None = None, local_files_only: bool = False
    ) -> "ReCTVLM":
        """Loads a folder with encoder/, classifier/ and localizer/, an installed weights package or a Hub id.

        "untrained:tiny" (or another preset's name) builds fresh weights from a fixed seed. What is missing, unexpected
        or of another version raises one clear line.
        """
        if str(source).startswith("untrained:"):
            return cls.untrained(str(source).removeprefix("untrained:"))
        whole = resolve_source(source, revision=revision, local_files_only=local_files_only)
        classifier = Classifier.from_pretrained(whole / "classifier")
        localizer = Localizer.from_pretrained(whole / "localizer")
        return cls(
            VisionEncoder.from_pretrained(whole / "encoder"),
            classifier,
            localizer,
            name=Path(source).name,
            points=operating_points(classifier),
            outline_points=outline_points(localizer),
        )

    @classmethod
    def untrained(cls, preset: str = "tiny", *, seed: int = 0) -> "ReCTVLM":
        """Fresh weights, prompt vectors included, drawn from the seed: for trials of the path, never for findings."""
        if preset not in PRESETS:
            raise ValueError(f"there is no preset {preset!r}: choose one of {', '.join(PRESETS)}")
        sizes = PRESETS[preset]
        return cls(
            VisionEncoder.untrained(sizes.encoder, seed=seed),
            Classifier.untrained(sizes.classifier, seed=seed + 1),
            Localizer.untrained(sizes.localizer, seed=seed + 2),
            name=f"untrained:{preset}",
        )

    def save_pretrained(self, folder: str | Path, *, weights_status: WeightsStatus) -> None:
        """Writes encoder/, classifier/ and localizer/ below a folder that `from_pretrained` reads."""
        for part, module in self.modules.items():
            module.save_pretrained(Path(folder) / part, weights_status=weights_status)
        for part, points in (("classifier", self.points), ("localizer", self.outline_points)):
            path = Path(folder) / part / POINTS_NAME
            path.unlink(missing_ok=True)  # of the weights that were there before
            if points:
                points.save(path)

    @property
    def weights_status(self) -> WeightsStatus:
        """The weakest status of the three components."""
        order: tuple[WeightsStatus, ...] = ("untrained", "synthetic", "clinical-data")
        return min((m.weights_status for m in self.modules.values()), key=order.index)

    @property
    def fingerprints(self) -> dict[str, str]:
        """Component -> hash of its weights."""
        return {part: module.fingerprint for part, module in self.modules.items()}

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.encoder.parameters()).device

    def to(self, device: str | torch.device) -> "ReCTVLM":
        """Moves all components."""
        for module in self.modules.values():
            module.to(device)
        return self

    def cuda(self) -> "ReCTVLM":
        """Moves all components to the current CUDA device."""
        return self.to("cuda")

    def predict(
        self,
        scan: Any = None,
        segmentation_mask: Any = None,
        *,
        ct_volume: Any = None,
        affine: Any = None,
        spacing_mm: tuple[float, float, float] | None = None,
        axes: str | None = None,
        case_id: str | None = None,
        generate_report: bool = True,
        classification_threshold: Threshold | None = None,
        localization_threshold: float | None = None,
        allow_tilt: bool = False,
    ) -> Prediction:
        """Everything about one scan.

        scan (or ct_volume): a path, DICOM folder, Volume, nibabel image, or an array with affine= (or spacing_mm= and
        axes=). segmentation_mask: a map of the 20 regions or of TotalSegmentator's classes on the scan's own voxels;
        without it the regions are found classically. classification_threshold, localization_threshold: None uses the
        weights' operating points (0.5 where there are none). Raises ScanError when the scan is refused.
        """
        if (scan is None) == (ct_volume is None):
            raise ScanError("file", "predict needs one scan: give scan= or ct_volume=, not both and not neither")
        request = Request(
            source=ct_volume if scan is None else scan,
            regions=segmentation_mask,
            affine=_matrix(affine),
            spacing_mm=spacing_mm,
            axes=axes,
            case_id=case_id,
            report=generate_report,
            classification_threshold=classification_threshold,
            localization_threshold=localization_threshold,
            allow_tilt=allow_tilt,
        )
        return run(self, request)

    def classify(
        self, scan: Any, *, threshold: Threshold | None = None, segmentation_mask: Any = None, affine: Any = None
    ) -> FindingScores:
        """The 18 scores of one scan, without looking for lesions."""
        request = Request(
            source=scan, regions=segmentation_mask, affine=_matrix(affine), classification_threshold=threshold
        )
        return run(self, request, tasks=("classification",)).classification

    def localize_lesions(
        self, scan: Any, segmentation_mask: Any = None, *, threshold: float | None = None, affine: Any = None
    ) -> dict[str, Bool[np.ndarray, "i j k"]]:
        """Finding -> boolean mask in the scan's own axes."""
        request = Request(
            source=scan, regions=segmentation_mask, affine=_matrix(affine), localization_threshold=threshold
        )
        return dict(run(self, request, tasks=("localization",)).localization.masks)

    def generate_report(
        self,
        scan: Any,
        segmentation_mask: Any = None,
        *,
        affine: Any = None,
        max_new_tokens: int = 512,
        temperature: float = 0.7,
    ) -> Report:
        """The report of one scan; `print(report)` shows its text.

        The evidence writer is deterministic and needs no language model: max_new_tokens and temperature, which belong
        to one, do not change what it writes.
        """
        del max_new_tokens, temperature
        report = self.predict(scan, segmentation_mask, affine=affine).report
        assert report is not None
        return report

    @property
    def modules(self) -> dict[str, VisionEncoder | Classifier | Localizer]:
        """Component -> module."""
        return {"encoder": self.encoder, "classifier": self.classifier, "localizer": self.localizer}
