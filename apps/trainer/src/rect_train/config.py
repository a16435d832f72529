"""Everything a run depends on, as one frozen dataclass that YAML files and command lines fill."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from rect_data.dataset import AugmentConfig
from rect_localizer.loss import SPURIOUS
from rect_train.language import LanguageConfig
from rect_vlm.presets import PRESETS, Preset

Task = Literal["masking", "classification", "localization", "generation"]
Service = Literal["tensorboard", "wandb", "mlflow"]
Phase = Literal["0", "1.1", "1.2", "1.3", "2", "3"]

PHASES: Final[dict[Phase, tuple[Task, ...]]] = {
    "0": ("masking",),
    "1.1": ("classification",),
    "1.2": ("localization",),
    "2": ("classification", "localization"),
}
"""The tasks of each phase that can be trained today. 1.3 and 3 wait for the reporter's language model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """Where cases come from.

    store: a folder that tools/prepare_ct_rate.py wrote. origin: what its scans are, which decides the weights_status
    of an export; "unknown" takes what the store says, and where it says nothing leaves that to whoever exports. train,
    valid: names of its splits. workers: processes that read and augment. balance: how strongly cases with rare labels
    are drawn more often, 0 (not) to 1 (all alike). batches: one batch for all tasks ("shared"), or one for each, of
    cases that have what it needs ("per-task").
    """

    store: Path = Path("store")
    origin: Literal["unknown", "phantoms", "clinical"] = "unknown"
    train: str = "train"
    valid: str = "valid"
    workers: int = 2
    balance: float = 0.5
    batches: Literal["shared", "per-task"] = "shared"
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ValueError(f"workers {self.workers}: give 0 or more")
        if not 0 <= self.balance <= 1:
            raise ValueError(f"balance {self.balance}: give 0 (draw all alike) to 1 (labels equally common)")
        if self.augment.crop is not None:
            raise ValueError(f"augment.crop {self.augment.crop}: the encoder reads whole grids; leave it out")


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimConfig:
    """AdamW, its schedule and what guards it.

    lr: highest learning rate. encoder, classifier, localizer: factors on it. warmup: share of all steps with a rising
    rate; then a cosine falls to `floor` times the highest. clip: largest norm of the gradient. accumulate: batches
    added up before a step. ema: decay of the averaged weights, which are validated and exported; 0 turns it off.
    spike: a step whose loss is this many times the running mean, or is not finite, is skipped; most_skips: skipped
    steps in a row that end the run.
    """

    lr: float = 1e-3
    encoder: float = 1.0
    classifier: float = 1.0
    localizer: float = 1.0
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.98)
    warmup: float = 0.05
    floor: float = 0.01
    clip: float = 1.0
    accumulate: int = 1
    ema: float = 0.999
    spike: float = 10.0
    most_skips: int = 10

    def __post_init__(self) -> None:
        for name, value in (("lr", self.lr), ("clip", self.clip), ("accumulate", self.accumulate)):
            if not value > 0:
                raise ValueError(f"{name} {value}: give more than 0")
        least = min(self.encoder, self.classifier, self.localizer, self.weight_decay, self.most_skips)
        if not least >= 0:
            raise ValueError(f"{least} as a factor, weight_decay or most_skips: give 0 or more")
        beta1, beta2 = self.betas
        shares = (("warmup", self.warmup), ("floor", self.floor), ("ema", self.ema), ("beta", beta1), ("beta", beta2))
        for name, value in shares:
            if not 0 <= value < 1:
                raise ValueError(f"{name} {value}: give 0 or more and less than 1")
        if not self.spike > 1:
            raise ValueError(f"spike {self.spike}: give more than 1 times the running mean of the loss")


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """How much each task counts.

    uncertainty: learn the weights besides (Kendall et al. 2018). asymmetric: the classifier's asymmetric loss instead
    of cross-entropy. restoration: of the localizer's prompts, beside its outlines; spurious: of outlines of nothing,
    beside those of something (`rect_localizer.loss`). mask_ratio: share of patches that phase 0 hides.
    """

    masking: float = 1.0
    classification: float = 1.0
    localization: float = 2.0
    generation: float = 1.5
    restoration: float = 0.1
    spurious: float = SPURIOUS
    uncertainty: bool = False
    asymmetric: bool = False
    mask_ratio: float = 0.6

    def __post_init__(self) -> None:
        for name, weight in {**self.weights, "spurious": self.spurious}.items():
            if not weight >= 0:
                raise ValueError(f"{name} {weight}: give a weight of 0 or more")
        if not 0 < self.mask_ratio < 1:
            raise ValueError(f"mask_ratio {self.mask_ratio}: give more than 0 and less than 1")

    @property
    def weights(self) -> dict[str, float]:
        """Loss -> what it is multiplied by."""
        return {
            "masking": self.masking,
            "classification": self.classification,
            "localization": self.localization,
            "generation": self.generation,
            "restoration": self.restoration,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class SaveConfig:
    """Checkpoints: every so many steps and after each validation, the last `keep` of them, and the best by a metric
    of the validation ("" is the first task's own: macro_auroc, macro_dice or hidden_error)."""

    every: int = 500
    keep: int = 2
    best: str = ""

    def __post_init__(self) -> None:
        if self.every < 1 or self.keep < 1:
            raise ValueError(f"every {self.every} and keep {self.keep}: give at least 1 each")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """One run.

    preset: sizes of the components (rect_vlm.presets); model: their configs one by one instead. phase, tasks: what is
    trained; tasks default to the phase's. epochs, steps: length; steps, where given, counts instead. batch_size: cases
    a step and process, of each task. device: auto, cpu or cuda. text: folder or Hub id of the encoder of the prompts;
    "" draws their vectors from the seed. precision: bf16 is autocast with float32 weights. checkpointing: recompute the
    encoder's blocks in the backward pass instead of keeping what they hold. freeze_vision: train the heads alone. init:
    a run, or a folder of weights, whose encoder (and heads of this run's tasks) are the start. phase1: runs or folders
    for phase 2: encoder and classifier from the first, localizer from the second. valid_every: epochs between
    validations. language: the model that the reporter is meant for. shard: how several processes hold the weights:
    "full" (one copy among all), "node" or "auto" (one copy on each machine), "none" (one each). timeout_s: a process
    that lets the others wait for so long counts as dead, and the run ends; more where reading a batch may take longer.
    track: where the run can be followed besides metrics.jsonl: "tensorboard" (in its folder), "wandb", "mlflow" (extras
    of their names; each is told where to send by its own environment variables); another list may be given on resume.
    """

    preset: Literal["tiny", "small", "medium", "large"] = "tiny"
    model: Preset | None = None
    phase: Phase = "2"
    tasks: tuple[Task, ...] = ()
    epochs: int = 10
    steps: int | None = None
    batch_size: int = 8
    seed: int = 0
    device: str = "auto"
    precision: Literal["fp32", "bf16"] = "bf16"
    checkpointing: bool = False
    freeze_vision: bool = False
    text: str = ""
    init: Path | None = None
    phase1: tuple[Path, ...] = ()
    output_dir: Path = Path("runs/run")
    valid_every: int = 1
    data: DataConfig = field(default_factory=DataConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    save: SaveConfig = field(default_factory=SaveConfig)
    language: LanguageConfig | None = None
    shard: Literal["auto", "full", "node", "none"] = "auto"
    timeout_s: float = 50.0
    track: tuple[Service, ...] = ("tensorboard",)

    def __post_init__(self) -> None:
        self._check_tasks()
        counts = (("epochs", self.epochs), ("batch_size", self.batch_size), ("valid_every", self.valid_every))
        for name, value in counts:
            if value < 1:
                raise ValueError(f"{name} {value}: give at least 1")
        if self.seed < 0:
            raise ValueError(f"seed {self.seed}: give 0 or more")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"steps {self.steps}: give at least 1, or leave it out to count epochs")
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s {self.timeout_s}: give more than 0 seconds")
        if len(set(self.track)) < len(self.track):
            raise ValueError(f"track {', '.join(self.track)}: give each once")
        if self.init is not None and self.phase1:
            raise ValueError("init and phase1 are both given: start from one run, or from phase 1's, not from both")

    def _check_tasks(self) -> None:
        if self.phase not in PHASES:
            raise ValueError(f"phase {self.phase} cannot be trained yet: give one of {', '.join(PHASES)}")
        known = PHASES[self.phase]
        for task in self.tasks:
            if task not in known:
                raise ValueError(f"task {task!r} is none of phase {self.phase}: give {' or '.join(known)}")
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"tasks {', '.join(self.tasks)}: give each once")
        if self.phase1 and (self.phase != "2" or len(self.phase1) != 2):
            raise ValueError(
                f"{len(self.phase1)} checkpoints of phase 1 in phase {self.phase}: phase 2 takes two, the encoder and "
                "classifier from the first and the localizer from the second"
            )

    @property
    def asked(self) -> tuple[Task, ...]:
        """The tasks of this run."""
        return self.tasks or PHASES[self.phase]

    @property
    def sizes(self) -> Preset:
        """The configs of the components."""
        return self.model or PRESETS[self.preset]
