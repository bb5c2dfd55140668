"""Find the parameters of a loss from one observed path of a ball, by the derivative of the whole run.

A ball rolls on a formula surface with three constants; only its feet are kept, with a little noise. From a wrong guess
of the constants the path is simulated, compared, and differentiated back to the constants, for L-BFGS to improve them.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
import tyro

import rollingball as rb
from rollingball.pytorch import simulate

TRUE = {"a": 0.8, "b": 0.5, "c": 1.6}
GUESS = {"a": 0.5, "b": 0.2, "c": 1.3}
FORMULA = "a*x**2 + b*sin(2*x)*cos(y) + c*(y - 0.2)**2"
SURFACE = rb.formula(FORMULA, "x y", GUESS)
STARTS = torch.tensor([[1.5, -1.0], [-1.2, 1.4]], dtype=torch.float64)


def path(constants: dict[str, torch.Tensor]) -> torch.Tensor:
    """The feet (T, B, d) of balls of radius 0.1 on the surface with these constants."""
    return simulate(SURFACE, rb.Ball(0.1), rb.FootpointRBO(0.02), STARTS, parameters=constants, steps=60).foot


def main(small: bool = False, out: Path = Path("out/examples"), noise: float = 1e-3) -> dict[str, float]:
    """Fit, print the constants, and draw the paths.

    Args:
        small: No difference: it is small.
        out: The folder of the picture.
        noise: The standard deviation of the feet that are observed.
    """
    torch.manual_seed(0)
    observed = path({name: torch.tensor(value) for name, value in TRUE.items()})
    observed = observed + noise * torch.randn_like(observed)
    constants = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in GUESS.items()}
    guessed = path(constants).detach()
    lbfgs = torch.optim.LBFGS(constants.values(), line_search_fn="strong_wolfe", max_iter=60)

    def miss() -> torch.Tensor:
        lbfgs.zero_grad()
        loss = (path(constants) - observed).square().mean()
        loss.backward()
        return loss

    before, after = float(lbfgs.step(miss).detach()) ** 0.5, float(miss().detach()) ** 0.5
    found = {name: float(value.detach()) for name, value in constants.items()}
    print(f"root mean square distance of the paths: {before:.4f} with the guess, {after:.4f} after the fit")
    print("constants:", ", ".join(f"{name} = {value:.4f} ({TRUE[name]})" for name, value in found.items()))

    figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
    rb.plot.contour(rb.formula(FORMULA, "x y", TRUE), [[-2, 2], [-2, 2]], ax)
    for name, feet, style in (("observed", observed, "."), ("guess", guessed, ":"), ("fit", path(constants), "-")):
        ax.plot(feet[..., 0].detach(), feet[..., 1].detach(), style, color="C0" if name == "fit" else "black")
        ax.plot([], [], style, color="C0" if name == "fit" else "black", label=name)
    ax.legend()
    out.mkdir(parents=True, exist_ok=True)
    (out / "08_fit_surface.png").write_bytes(rb.plot.png(figure))
    plt.close(figure)
    return {**found, "before": before, "after": after}


if __name__ == "__main__":
    tyro.cli(main)
