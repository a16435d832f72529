"""What a run's stack and its language model are made of, counted on modules without memory."""

from dataclasses import dataclass
from typing import Final

import torch
from torch import nn

from rect_train.config import TrainConfig
from rect_train.language import LanguageConfig
from rect_train.stack import Stack, make_stack

LANGUAGE: Final = "language model"
_BF16: Final = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """parameters: of a component, what is added to train it included; trained: those of them that move; frozen_bytes:
    memory of the others (float32, of a language model bf16)."""

    name: str
    parameters: int
    trained: int
    frozen_bytes: int


def count(config: TrainConfig) -> tuple[Part, ...]:
    """The parts that a run trains or reads, and then the language model that its config names."""
    with torch.device("meta"):
        stack = make_stack(config)
    parts = [_part(name, module) for name, module in _modules(stack).items()]
    if config.loss.uncertainty:
        learned = stack.log_variance.numel()
        parts.append(Part(name="task weights", parameters=learned, trained=learned, frozen_bytes=0))
    return (*parts, *([_language(config.language)] if config.language else []))


def largest_unit(config: TrainConfig) -> int:
    """Trained parameters of the largest module that is gathered whole when weights are sharded: a block of the encoder,
    the rest of it, or a head."""
    with torch.device("meta"):
        stack = make_stack(config)
    blocks = [_trained(block) for block in stack.encoder.blocks]
    heads = [_trained(module) for name, module in _modules(stack).items() if name != "encoder"]
    return max(*blocks, _trained(stack.encoder) - sum(blocks), *heads)


def adapters(language: LanguageConfig) -> int:
    """Parameters of LoRA (Hu et al. 2022) on all seven linear maps of every layer: rank times inputs and outputs."""
    hidden, mlp = language.hidden_size, language.intermediate_size
    head = language.head_dim or hidden // language.num_attention_heads
    asks, reads = head * language.num_attention_heads, head * language.num_key_value_heads
    maps = (
        (hidden, asks),
        (hidden, reads),
        (hidden, reads),
        (asks, hidden),
        (hidden, mlp),
        (hidden, mlp),
        (mlp, hidden),
    )
    return language.num_hidden_layers * language.lora_rank * sum(enter + leave for enter, leave in maps)


def language_layer_bytes(language: LanguageConfig) -> int:
    """A layer of the frozen language model, in bf16."""
    tables = (1 if language.tie_word_embeddings else 2) * language.vocab_size * language.hidden_size
    return _BF16 * (language.parameters - tables) // language.num_hidden_layers


def _modules(stack: Stack) -> dict[str, nn.Module]:
    found = {
        "encoder": stack.encoder,
        "classifier": stack.classifier,
        "localizer": stack.localizer,
        "masking": stack.masking,
    }
    return {name: module for name, module in found.items() if module is not None}


def _part(name: str, module: nn.Module) -> Part:
    frozen = sum(p.numel() * p.element_size() for p in module.parameters() if not p.requires_grad)
    held = sum(p.numel() for p in module.parameters())
    return Part(name=name, parameters=held, trained=_trained(module), frozen_bytes=frozen)


def _trained(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def _language(language: LanguageConfig) -> Part:
    added = adapters(language)
    return Part(
        name=LANGUAGE,
        parameters=language.parameters + added,
        trained=added,
        frozen_bytes=_BF16 * language.parameters,
    )
