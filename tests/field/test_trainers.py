"""Lightning, Accelerate and a plain loop: the recipes of docs/torch.md give the steps of a plain loop in float32.

They are tried on the CPU; where 16-mixed needs a CUDA device, loss scaling in float16 runs there on the CPU too.
"""

import functools
import warnings

import pytest
import torch
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

import rollingball as rb

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    lightning = pytest.importorskip("lightning")
    accelerate = pytest.importorskip("accelerate")
    from lightning.pytorch.plugins.precision import MixedPrecision

pytestmark = pytest.mark.filterwarnings("ignore")  # of lightning and accelerate, about themselves
OPTIONS = {"lr": 0.1, "radius": 0.1}
STEPS = 6


def data():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(8 * STEPS, 4, generator=generator), torch.randn(8 * STEPS, 2, generator=generator)


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))


def vector(model):
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach()


def by_a_plain_loop(size=8, clip=None, part=None, **options):
    """The parameters after one pass over the data in batches of ``size``; contacts of the first ``part`` of each."""
    model = network()
    optimizer = rb.RollingBall(model.parameters(), **OPTIONS, **options)
    for inputs, targets in zip(*(part.split(size) for part in data()), strict=True):

        def closure(inputs=inputs, targets=targets, count=None):
            optimizer.zero_grad()
            loss = mse_loss(model(inputs[:count]), targets[:count])
            loss.backward()
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            return loss

        of_a_part = None if part is None else functools.partial(closure, count=part)
        optimizer.step(closure, contact_closure=of_a_part)
    return vector(model)


# Lightning


class Module(lightning.LightningModule):
    def __init__(self, **options):
        super().__init__()
        self.net, self.options = network(), options

    def training_step(self, batch, index):
        inputs, targets = batch
        return mse_loss(self.net(inputs).float(), targets)

    def configure_optimizers(self):
        return rb.RollingBall(self.parameters(), **OPTIONS, **self.options)


class Accumulating(Module):
    """A batch of the loader is the whole batch; micro-batches are made of it inside the closure."""

    def __init__(self, **options):
        super().__init__(**options)
        self.automatic_optimization = False

    def training_step(self, batch, index):
        optimizer = self.optimizers()

        def closure():
            optimizer.zero_grad()
            total = torch.zeros(())
            for inputs, targets in zip(*(part.split(4) for part in batch), strict=True):
                loss = mse_loss(self.net(inputs).float(), targets) * (len(inputs) / len(batch[0]))
                self.manual_backward(loss)
                total += loss.detach()
            return total

        optimizer.step(closure)


class InTwoCalls(Module):
    """Manual optimization without a closure: touch() and step(), or the contact from a part of the batch."""

    def __init__(self, kind, **options):
        super().__init__(**options)
        self.automatic_optimization, self.kind = False, kind

    def training_step(self, batch, index):
        optimizer = self.optimizers()

        def of(count=None):
            optimizer.zero_grad()
            loss = mse_loss(self.net(batch[0][:count]), batch[1][:count])
            self.manual_backward(loss)
            return loss

        if self.kind == "part":
            optimizer.step(of, contact_closure=lambda: of(2))
            return
        of()
        optimizer.touch()
        of()
        optimizer.step()


class BallPrecision(MixedPrecision):
    """Mixed precision in which the closure is called more than once a step."""

    def optimizer_step(self, optimizer, model, closure, **kwargs):
        if self.scaler is None:
            return super().optimizer_step(optimizer, model, closure, **kwargs)

        def unscaled():
            result = closure()
            self.scaler.unscale_(optimizer)
            self._after_closure(model, optimizer)
            return result

        result = optimizer.step(unscaled, scaler=self.scaler)
        self.scaler.update()
        return result

    def clip_gradients(self, optimizer, *args, **kwargs):
        super(MixedPrecision, self).clip_gradients(optimizer, *args, **kwargs)


def by_lightning(module, size=8, **options):
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, **options,
    )  # fmt: skip
    trainer.fit(module, DataLoader(TensorDataset(*data()), batch_size=size))
    return vector(module)


OF_A_PLAIN_LOOP = [
    {}, {"contact_steps": 0}, {"contact_steps": 2}, {"base": torch.optim.AdamW},
    {"contact_every": 3, "metric": "adaptive"},
]  # fmt: skip


@pytest.mark.parametrize("options", OF_A_PLAIN_LOOP)
def test_lightning_takes_the_steps_of_a_plain_loop(options):
    torch.testing.assert_close(by_lightning(Module(**options)), by_a_plain_loop(**options), rtol=0, atol=1e-6)


def test_lightning_in_two_calls_and_with_a_contact_of_a_part():
    torch.testing.assert_close(by_lightning(InTwoCalls("whole")), by_a_plain_loop(), rtol=0, atol=1e-6)
    torch.testing.assert_close(by_lightning(InTwoCalls("part")), by_a_plain_loop(part=2), rtol=0, atol=1e-6)


def test_lightning_clips_in_the_closure():
    found = by_lightning(Module(), gradient_clip_val=0.1)
    torch.testing.assert_close(found, by_a_plain_loop(clip=0.1), rtol=0, atol=1e-6)


def test_lightning_in_bf16_mixed():
    plain = by_a_plain_loop()
    found = by_lightning(Module(), precision="bf16-mixed")
    assert not torch.equal(found, plain)
    torch.testing.assert_close(found, plain, rtol=0, atol=5e-3)


@pytest.mark.parametrize("clip", [None, 0.1])
def test_lightning_in_16_mixed_by_the_precision_of_the_recipe(clip):
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    found = by_lightning(Module(), plugins=[BallPrecision("16-mixed", "cpu", scaler)], gradient_clip_val=clip)
    torch.testing.assert_close(found, by_a_plain_loop(clip=clip), rtol=0, atol=5e-3)


def test_lightning_in_16_mixed_without_it_is_refused_with_the_reason():
    with pytest.raises(RuntimeError, match=r"GradScaler.step cannot unscale.*optimizer.step\(closure, scaler=scaler\)"):
        by_lightning(Module(), plugins=[MixedPrecision("16-mixed", "cpu")])
    # without inner calls there is nothing to refuse
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    found = by_lightning(Module(contact_steps=0), plugins=[MixedPrecision("16-mixed", "cpu", scaler)])
    torch.testing.assert_close(found, by_a_plain_loop(contact_steps=0), rtol=0, atol=5e-3)


def test_accumulation_over_closures_in_lightning_is_refused_and_the_recipe_is_right():
    with pytest.raises(rb.InputError, match=r"^closure: got 'a function that adds to the gradients it finds'"):
        by_lightning(Module(), size=4, accumulate_grad_batches=2)
    torch.testing.assert_close(by_lightning(Accumulating(), size=8), by_a_plain_loop(8), rtol=0, atol=1e-6)
    found = by_lightning(Module(contact_steps=0), size=4, accumulate_grad_batches=2)
    torch.testing.assert_close(found, by_a_plain_loop(8, contact_steps=0), rtol=0, atol=1e-6)


# Accelerate


def by_accelerate(precision="no", clip=None, scaler=None, micro=8, **options):
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = accelerate.Accelerator(cpu=True, mixed_precision=precision)
    if scaler is not None:  # which accelerate makes on devices alone
        accelerator.scaler, accelerator.native_amp = scaler, True
        accelerator.state._mixed_precision = "fp16"
    model = network()
    optimizer = rb.RollingBall(model.parameters(), **OPTIONS, **options)
    model, prepared, loader = accelerator.prepare(
        model, optimizer, DataLoader(TensorDataset(*data()), batch_size=8, shuffle=False)
    )
    for batch in loader:

        def closure(batch=batch):
            optimizer.zero_grad()
            total = torch.zeros(())
            for inputs, targets in zip(*(part.split(micro) for part in batch), strict=True):
                loss = mse_loss(model(inputs).float(), targets) * (len(inputs) / len(batch[0]))
                accelerator.backward(loss)
                total += loss.detach()
            if clip is not None:
                accelerator.clip_grad_norm_(model.parameters(), clip)
            return total

        if accelerator.scaler is None:
            prepared.step(closure)
        else:  # the optimizer itself: the prepared one calls GradScaler.step
            optimizer.step(closure, scaler=accelerator.scaler)
            accelerator.scaler.update()
    return vector(model)


@pytest.mark.parametrize("options", [{}, {"contact_steps": 2}, {"method": "footpoint"}])
@pytest.mark.parametrize("micro", [8, 2])
def test_accelerate_takes_the_steps_of_a_plain_loop(options, micro):
    torch.testing.assert_close(by_accelerate(micro=micro, **options), by_a_plain_loop(**options), rtol=0, atol=1e-5)


@pytest.mark.parametrize("clip", [None, 0.1])
def test_accelerate_with_loss_scaling(clip):
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    found = by_accelerate(clip=clip, scaler=scaler)
    torch.testing.assert_close(found, by_a_plain_loop(clip=clip), rtol=0, atol=5e-4)  # float16


def test_accelerate_in_bf16():
    torch.testing.assert_close(by_accelerate("bf16"), by_a_plain_loop(), rtol=0, atol=5e-3)


def test_accelerates_own_accumulation_works_without_inner_calls():
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2)
    model = network()
    optimizer = rb.RollingBall(model.parameters(), **OPTIONS, contact_steps=0)
    model, optimizer, loader = accelerator.prepare(
        model, optimizer, DataLoader(TensorDataset(*data()), batch_size=4, shuffle=False)
    )
    for inputs, targets in loader:
        with accelerator.accumulate(model):
            accelerator.backward(mse_loss(model(inputs), targets))
            optimizer.step()
            optimizer.zero_grad()
    torch.testing.assert_close(vector(model), by_a_plain_loop(8, contact_steps=0), rtol=0, atol=1e-6)
