"""The linear probe: its fit against scipy's, and that it finds what the features show."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from bench.errors import RequestError
from bench.unit.state import load_state, save_state
from methods.linear_probe.logistic import NEVER, Logistic, fit, untrained
from methods.linear_probe.method import LinearProbe
from tests.methods.test_unet import squares
from tests.methods.tiny import adapt, backbone, blind, dice, options, setting, volume

FAMILIES = ("dino", "sam")


def probe(cache: Path, *, seed: int = 0, **changes: object) -> LinearProbe:
    given = {"image_size": 128, **changes}
    chosen = options("linear_probe", **given)
    known = backbone("linear_probe", chosen)
    return LinearProbe(chosen, replace(setting(2, seed), backbone=known, cache=cache))


def examples() -> tuple[torch.Tensor, torch.Tensor]:
    """300 of three classes in four dimensions that overlap: (300, 4), (300,)."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([0] * 200 + [1] * 80 + [3] * 20)
    centres = torch.randn(4, 4, generator=generator) * 2
    return centres[labels] + torch.randn(300, 4, generator=generator) * 1.5 + 7, labels


@pytest.mark.parametrize(("balance", "l2"), [(1.0, 0.01), (0.0, 0.1), (0.5, 0.001)])
def test_it_is_where_another_optimiser_ends(balance: float, l2: float) -> None:
    """scipy's BFGS on the same objective, written out in numpy with float64."""
    features, labels = examples()
    model = untrained(4, 4, torch.device("cpu"))
    losses = list(fit(model, features, labels, balance=balance, l2=l2))
    x = features.double().numpy()
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    place = np.searchsorted([0, 1, 3], labels.numpy())
    weights = np.array([200 / 300, 80 / 300, 20 / 300]) ** -balance
    each = weights[place] / weights[place].sum()

    def objective(flat: np.ndarray) -> float:
        scores = x @ flat[:12].reshape(3, 4).T + flat[12:]
        entropy = logsumexp(scores, axis=1) - scores[np.arange(300), place]
        return float(each @ entropy + l2 / 2 * (flat[:12] ** 2).sum())

    best = minimize(objective, np.zeros(15), method="BFGS", options={"gtol": 1e-7})
    assert losses[-1] == pytest.approx(best.fun, abs=2e-4)
    expected = softmax(x @ best.x[:12].reshape(3, 4).T + best.x[12:], axis=1)
    found = model(features[:, :, None, None])[:, [0, 1, 3], 0, 0].softmax(dim=1)
    np.testing.assert_allclose(found, expected, atol=5e-3)
    assert len(losses) < 200
    assert all(later <= before + 1e-6 for before, later in pairwise(losses))


def test_a_class_without_an_example_never_wins() -> None:
    features, labels = examples()
    model = untrained(4, 4, torch.device("cpu"))
    list(fit(model, features, labels, balance=1.0, l2=0.01))
    scores = model(torch.randn(1, 4, 50, 50) * 100)
    assert model.bias[2] == NEVER
    assert not (scores.argmax(dim=1) == 2).any()
    assert set(scores.argmax(dim=1).unique().tolist()) == {0, 1, 3}


def test_before_it_is_fitted_everything_is_background() -> None:
    scores = untrained(3, 4, torch.device("cpu"))(torch.randn(1, 4, 5, 5) * 100)
    assert (scores.argmax(dim=1) == 0).all()


def test_scores_by_hand() -> None:
    """(x - mean) / deviation times the weight, plus the bias, at each cell."""
    model = Logistic(
        weight=torch.tensor([[1.0, 0.0], [2.0, -1.0]]),
        bias=torch.tensor([0.5, 0.0]),
        mean=torch.tensor([1.0, 2.0]),
        deviation=torch.tensor([2.0, 4.0]),
    )
    features = torch.tensor([5.0, 10.0]).view(1, 2, 1, 1).expand(1, 2, 3, 2)
    scores = model(features)
    assert scores.shape == (1, 2, 3, 2)
    assert torch.equal(scores[0, :, 1, 1], torch.tensor([2.5, 2.0]))


@pytest.mark.parametrize("family", FAMILIES)
def test_it_finds_two_squares(tmp_path: Path, family: str) -> None:
    method = probe(tmp_path, family=family)
    reports = adapt(method, [squares(8)], classes=2)
    given = squares(seed=1)
    assert given.label is not None
    prediction = method.predict(blind(given))
    assert dice(prediction, given.label, 1) > 0.7
    assert dice(prediction, given.label, 2) > 0.7
    fitted = [report for report in reports if report.steps]
    assert all(report.epoch and report.samples == 8 for report in fitted)
    assert fitted[-1].loss is not None
    assert fitted[0].loss is not None
    assert fitted[-1].loss < 0.5 * fitted[0].loss


def test_it_is_deterministic_and_comes_back_from_a_file(tmp_path: Path) -> None:
    first, second = probe(tmp_path), probe(tmp_path, seed=5)
    for method in (first, second):
        adapt(method, [squares(4)], steps=9, classes=2)
    assert torch.equal(first.model.weight, second.model.weight)
    save_state(tmp_path / "state.safetensors", first.state_dict())
    other = probe(tmp_path)
    other.load_state_dict(load_state(tmp_path / "state.safetensors"))
    given = blind(squares(seed=2))
    assert np.array_equal(other.predict(given), first.predict(given))


def test_balance_finds_more_of_a_rare_class(tmp_path: Path) -> None:
    given = squares(6)
    assert given.label is not None
    sizes = []
    for balance in (1.0, 0.0):
        method = probe(tmp_path, balance=balance, l2=1.0)  # so weak that the prior decides
        adapt(method, [given], classes=2)
        sizes.append(int((method.predict(blind(given)) > 0).sum()))
    assert sizes[0] > 1.2 * sizes[1]


def test_what_nobody_labelled_is_not_fitted(tmp_path: Path) -> None:
    """A slice whose left half is unlabelled: the dark square on the right, class 2, alone is
    learned; the bright one is not even background."""
    given = squares(6)
    assert given.label is not None
    label = np.array(given.label)
    label[:, :, :32] = 255
    method = probe(tmp_path)
    adapt(method, [volume(label, image=given.image)], classes=2)
    prediction = method.predict(blind(given))
    right = (slice(None), slice(None), slice(32, None))  # of the left half it was told nothing
    assert dice(prediction[right], given.label[right], 2) > 0.7
    assert not (prediction == 1).any()
    assert method.model.bias[1] == NEVER


def test_no_more_cells_than_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def counted(model, features, labels, **given):  # type: ignore[no-untyped-def]
        seen.append(len(labels))
        return fit(model, features, labels, **given)

    monkeypatch.setattr("methods.linear_probe.method.fit", counted)
    for cells in (300_000, 100):
        adapt(probe(tmp_path, cells=cells), [squares(2)], steps=1, classes=2)
    assert seen == [2 * 16 * 16, 100]


def test_it_ends_after_its_iterations(tmp_path: Path) -> None:
    reports = adapt(probe(tmp_path, iterations=3), [squares(2)], classes=2)
    assert sum(report.steps for report in reports) == 3


@pytest.mark.parametrize(
    ("family", "message"),
    [
        ("sam", "sam nano: an image size of 100 is no multiple of its patch, 8 pixels"),
        ("dino", "dino nano: an image size of 100 is no multiple of its patch, 8 pixels"),
    ],
)
def test_wrong_sizes_are_refused(tmp_path: Path, family: str, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        probe(tmp_path, family=family, image_size=100)
    assert str(caught.value) == message
