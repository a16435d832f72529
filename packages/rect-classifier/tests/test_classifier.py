"""The text-prompt head on random tokens."""

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch

from rect_classifier.config import BASE, SMALL, TINY, ClassifierConfig
from rect_classifier.loss import masked_asymmetric, masked_bce
from rect_classifier.model import Classifier
from rect_core.types import VisionTokens

CONFIG = ClassifierConfig(width=32, text_width=24, heads=4)
MakeTokens = Callable[..., VisionTokens]


@pytest.fixture
def make_tokens() -> MakeTokens:
    def make(batch: int = 2, seed: int = 0, width: int = 32, fingerprint: str = "a" * 64) -> VisionTokens:
        g = torch.Generator().manual_seed(seed)
        grid = (2, 3, 4)
        return VisionTokens(
            patches=torch.randn(batch, 24, width, generator=g),
            regions=torch.randn(batch, 20, width, generator=g),
            region_present=torch.rand(batch, 20, generator=g) > 0.3,
            patch_present=torch.rand(batch, 24, generator=g) > 0.3,
            pooled=torch.randn(batch, width, generator=g),
            grid=grid,
            centres_mm=torch.zeros(batch, 24, 3),
            fingerprint=fingerprint,
        )

    return make


@pytest.fixture
def head() -> Classifier:
    return Classifier.untrained(CONFIG, seed=3)


def test_gives_one_logit_a_label_and_a_scan(head: Classifier, make_tokens: MakeTokens) -> None:
    assert head(make_tokens(batch=3)).shape == (3, 18)


def test_scores_any_number_of_new_prompts(head: Classifier, make_tokens: MakeTokens) -> None:
    assert head(make_tokens(), torch.randn(5, 24)).shape == (2, 5)
    assert head(make_tokens(), torch.randn(1, 24)).shape == (2, 1)


def test_permuting_prompts_permutes_logits(head: Classifier, make_tokens: MakeTokens) -> None:
    order = torch.randperm(18, generator=torch.Generator().manual_seed(1))
    tokens = make_tokens()
    torch.testing.assert_close(head(tokens, head.prompts[order]), head(tokens)[:, order])


def test_a_prompt_scores_the_same_alone_or_among_others(head: Classifier, make_tokens: MakeTokens) -> None:
    tokens = make_tokens()
    torch.testing.assert_close(head(tokens, head.prompts[4:5]), head(tokens)[:, 4:5])


def test_what_is_absent_or_padding_never_changes_a_logit(head: Classifier, make_tokens: MakeTokens) -> None:
    tokens = make_tokens()
    noise = dataclasses.replace(
        tokens,
        patches=torch.where(tokens.patch_present[..., None], tokens.patches, 1e3),
        regions=torch.where(tokens.region_present[..., None], tokens.regions, -1e3),
    )
    assert torch.equal(head(noise), head(tokens))
    assert not torch.allclose(head(make_tokens(seed=9)), head(tokens))


def test_scans_of_a_batch_do_not_mix(head: Classifier, make_tokens: MakeTokens) -> None:
    one, two = make_tokens(batch=1, seed=1), make_tokens(batch=1, seed=2)
    names = ("patches", "regions", "region_present", "patch_present", "pooled", "centres_mm")
    both = dataclasses.replace(one, **{n: torch.cat([getattr(one, n), getattr(two, n)]) for n in names})
    torch.testing.assert_close(head(both), torch.cat([head(one), head(two)]))


def test_tokens_of_another_encoder_are_refused(make_tokens: MakeTokens) -> None:
    head = Classifier.untrained(dataclasses.replace(CONFIG, encoder_fingerprint="b" * 64))
    with pytest.raises(
        ValueError, match="tokens come from encoder aaaaaaaaaaaa but the head was trained on bbbbbbbbbbbb"
    ):
        head(make_tokens())
    assert head(make_tokens(fingerprint="b" * 64)).shape == (2, 18)


def test_tokens_of_another_width_are_refused(head: Classifier, make_tokens: MakeTokens) -> None:
    with pytest.raises(ValueError, match="tokens are 16 wide but the classifier reads 32"):
        head(make_tokens(width=16))


def test_what_all_stored_prompts_share_does_not_count(head: Classifier, make_tokens: MakeTokens) -> None:
    noise = torch.randn(18, 24, generator=torch.Generator().manual_seed(0))
    alike = torch.nn.functional.normalize(1 + 0.05 * noise, dim=-1)
    head.store_prompts(alike)
    logits = head(make_tokens())
    assert logits.std(1).min() > 0.3


def test_the_scale_of_the_cosine_ends_at_100(head: Classifier, make_tokens: MakeTokens) -> None:
    with torch.no_grad():
        head.log_scale.fill_(math.log(100.0))
        limit = head(make_tokens())
        head.log_scale.fill_(9.0)
    assert torch.equal(head(make_tokens()), limit)


def test_prompts_of_another_width_are_refused(head: Classifier, make_tokens: MakeTokens) -> None:
    with pytest.raises(ValueError, match="prompts are 16 wide but the classifier reads 24: use the text encoder"):
        head(make_tokens(), torch.randn(3, 16))


def test_untrained_weights_and_prompts_come_from_the_seed() -> None:
    one, same, other = (Classifier.untrained(CONFIG, seed=seed) for seed in (1, 1, 2))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert not torch.equal(one.prompts, other.prompts)


def test_an_untrained_head_starts_near_the_pooled_prevalence(make_tokens: MakeTokens) -> None:
    prob = torch.sigmoid(Classifier.untrained(CONFIG)(make_tokens(batch=16)))
    assert 0.05 < prob.mean() < 0.4


def test_every_weight_learns(head: Classifier, make_tokens: MakeTokens) -> None:
    labels = (torch.rand(2, 18, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    masked_bce(head.train()(make_tokens()), labels).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())


def test_learns_random_labels_of_random_scans(make_tokens: MakeTokens) -> None:
    torch.manual_seed(0)
    head = Classifier.untrained(CONFIG).train()
    tokens = make_tokens(batch=8)
    labels = (torch.rand(8, 18, generator=torch.Generator().manual_seed(5)) > 0.7).float()
    optimizer = torch.optim.Adam(head.parameters(), lr=3e-3)
    for _ in range(200):
        optimizer.zero_grad()
        masked_bce(head(tokens), labels).backward()
        optimizer.step()
    assert ((head(tokens) > 0) == (labels > 0.5)).float().mean() == 1.0


def test_saved_and_loaded_it_scores_the_same(head: Classifier, make_tokens: MakeTokens, tmp_path) -> None:  # type: ignore[no-untyped-def]
    head.save_pretrained(tmp_path / "classifier", weights_status="untrained")
    loaded = Classifier.from_pretrained(tmp_path / "classifier")
    assert loaded.config == CONFIG
    assert loaded.fingerprint == head.fingerprint
    assert torch.equal(loaded(make_tokens()), head(make_tokens()))


def test_new_stored_prompts_change_the_weights(head: Classifier) -> None:
    before = head.fingerprint
    head.store_prompts(torch.randn(18, 24))
    assert head.fingerprint != before
    with pytest.raises(ValueError, match=r"prompts have shape \(3, 24\) but the head stores \(18, 24\)"):
        head.store_prompts(torch.randn(3, 24))


def test_bfloat16_scores_are_close(head: Classifier, make_tokens: MakeTokens) -> None:
    tokens = make_tokens()
    exact = head(tokens)
    assert (head.to(torch.bfloat16)(tokens).float() - exact).abs().max() < 0.3


def test_unknown_labels_teach_nothing() -> None:
    logits = torch.tensor([[0.3, -1.0, 2.0]], requires_grad=True)
    masked_bce(logits, torch.tensor([[1.0, float("nan"), 0.0]])).backward()
    assert logits.grad is not None
    assert logits.grad[0, 1] == 0
    assert (logits.grad[0, [0, 2]] != 0).all()


@pytest.mark.parametrize("loss", [masked_bce, masked_asymmetric])
def test_a_batch_without_any_known_label_is_refused(loss: Callable[..., torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="all 6 labels of the batch are unknown"):
        loss(torch.zeros(2, 3), torch.full((2, 3), float("nan")))


def test_asymmetric_loss_without_asymmetry_is_cross_entropy() -> None:
    logits, labels = torch.randn(4, 6), (torch.rand(4, 6) > 0.5).float()
    plain = masked_asymmetric(logits, labels, gamma_positive=0.0, gamma_negative=0.0, margin=0.0)
    torch.testing.assert_close(plain, masked_bce(logits, labels))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_asymmetric_loss_has_finite_gradients_however_sure_the_head_is(gamma: float) -> None:
    logits = torch.tensor([[-200.0, 200.0, -200.0, 200.0, 0.0]], requires_grad=True)
    labels = torch.tensor([[0.0, 0.0, 1.0, 1.0, 1.0]])
    for margin in (0.0, 0.05):
        loss = masked_asymmetric(logits, labels, gamma_positive=gamma, gamma_negative=gamma, margin=margin)
        (grad,) = torch.autograd.grad(loss, logits)
        assert loss.isfinite()
        assert grad.isfinite().all()


def test_asymmetric_loss_follows_its_definition() -> None:
    prob, gamma, margin = 0.8, 2.0, 0.05
    logit = torch.tensor([[math.log(prob / (1 - prob))]])
    sizes = {"gamma_positive": gamma, "gamma_negative": gamma, "margin": margin}
    positive = masked_asymmetric(logit, torch.ones(1, 1), **sizes)
    negative = masked_asymmetric(logit, torch.zeros(1, 1), **sizes)
    assert positive.item() == pytest.approx(-((1 - prob) ** gamma) * math.log(prob), rel=1e-4)
    assert negative.item() == pytest.approx(-((prob - margin) ** gamma) * math.log(1 - prob + margin), rel=1e-4)


def test_asymmetric_loss_ignores_easy_negatives() -> None:
    easy, hard = torch.full((1, 1), -4.0), torch.full((1, 1), 2.0)
    assert masked_asymmetric(easy, torch.zeros(1, 1)) == 0
    assert masked_asymmetric(hard, torch.zeros(1, 1)) > 0.1


@pytest.mark.parametrize("config", [TINY, SMALL, BASE])
def test_presets_build_with_the_encoder_widths(config: ClassifierConfig) -> None:
    with torch.device("meta"):
        head = Classifier(config)
    assert head.prompts.shape == (18, config.text_width)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 30, "heads": 4}, "width 30 is not a multiple of heads 4"),
        ({"text_width": 0}, "text_width is 0: give at least 1"),
        ({"width": 0}, "width is 0: give at least 1"),
        ({"heads": 0}, "heads is 0: give at least 1"),
        ({"labels": ("a",)}, "two or more"),
        ({"labels": ("a", "a")}, "different"),
    ],
)
def test_a_config_that_cannot_work_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClassifierConfig(**wrong)  # type: ignore[arg-type]
