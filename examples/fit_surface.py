"""Find the parameters of a loss from one observed path of a ball, by the derivative of the whole run.

A ball rolls on a formula surface with three constants; only its feet are kept, with a little noise. From a wrong guess
of the constants the path is simulated, compared, and differentiated back to the constants, for L-BFGS to improve them.
"""

import argparse

import torch

import rollingball as rb
from rollingball.pytorch import simulate

TRUE = {"a": 0.8, "b": 0.5, "c": 1.6}
GUESS = {"a": 0.5, "b": 0.2, "c": 1.3}
SURFACE = rb.formula("a*x**2 + b*sin(2*x)*cos(y) + c*(y - 0.2)**2", "x y", GUESS)
STARTS = torch.tensor([[1.5, -1.0], [-1.2, 1.4]], dtype=torch.float64)


def path(constants: dict[str, torch.Tensor], steps: int) -> torch.Tensor:
    """The feet (T, B, d) of balls of radius 0.1 on the surface with these constants."""
    return simulate(SURFACE, rb.Ball(0.1), rb.FootpointRBO(0.02), STARTS, parameters=constants, steps=steps).foot


def main(given: list[str] | None = None) -> dict[str, float]:
    """Fit, and print the constants; returns them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60, help="of the path")
    parser.add_argument("--noise", type=float, default=1e-3, help="of the feet that are observed")
    options = parser.parse_args(given)
    torch.manual_seed(0)
    observed = path({name: torch.tensor(value) for name, value in TRUE.items()}, options.steps)
    observed = observed + options.noise * torch.randn_like(observed)
    constants = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in GUESS.items()}
    lbfgs = torch.optim.LBFGS(constants.values(), line_search_fn="strong_wolfe", max_iter=60)

    def miss() -> torch.Tensor:
        lbfgs.zero_grad()
        loss = (path(constants, options.steps) - observed).square().mean()
        loss.backward()
        return loss

    before = float(lbfgs.step(miss).detach()) ** 0.5
    after = float(miss().detach()) ** 0.5
    found = {name: float(value.detach()) for name, value in constants.items()}
    print(f"root mean square distance of the paths: {before:.4f} with the guess, {after:.4f} after the fit")
    print("constants:", ", ".join(f"{name} = {value:.4f} ({TRUE[name]})" for name, value in found.items()))
    return {**found, "before": before, "after": after}


if __name__ == "__main__":
    main()
