"""Recipes that send the numbers of a training run to other tools; docs/torch.md shows them, tests/pytorch runs them."""


def to_tensorboard(writer):
    """``log`` of a Recorder for a ``torch.utils.tensorboard.SummaryWriter``."""

    def log(numbers):
        for name, value in numbers.items():
            if name != "step":
                writer.add_scalar(f"ball/{name}", value, numbers["step"])

    return log


def to_wandb(run):
    """``log`` of a Recorder for what ``wandb.init()`` returns."""

    def log(numbers):
        values = {f"ball/{name}": value for name, value in numbers.items() if name != "step"}
        run.log(values, step=numbers["step"])

    return log
