"""``python -m studies NAME [--size SIZE] [--out FOLDER]`` computes what is missing, and prints the tables."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from studies import cost, generalisation, noise, privacy
from studies.store import Store

STUDIES: dict[str, Any] = {"generalisation": generalisation, "noise": noise, "privacy": privacy, "cost": cost}


def tables_of(path: Path) -> str:
    """The tables of a file of results, from its numbers alone."""
    store = Store.read(path)
    study = STUDIES[store.about["study"]]
    settings = {
        key: tuple(value) if isinstance(value, list) else value for key, value in store.about["settings"].items()
    }
    return str(study.report(store, study.Size(**settings)))


def main(given: list[str] | None = None) -> None:
    """Run a study, or print its tables again."""
    parser = argparse.ArgumentParser(prog="python -m studies", description=__doc__)
    parser.add_argument("study", choices=[*STUDIES, "report"], help="report: print the tables of the files given")
    parser.add_argument("files", nargs="*", type=Path, help="JSON files, of report")
    parser.add_argument("--size", choices=("small", "medium", "full"), default="small")
    parser.add_argument("--task", help="of generalisation: this task alone, so that several processes share the work")
    parser.add_argument("--out", type=Path, default=Path("out") / "studies", help="the folder of the JSON file")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    options = parser.parse_args(given)
    if (options.study == "report") != bool(options.files):
        parser.error("report takes the JSON files of results, and the studies take none")
    if options.study == "report":
        print("\n\n".join(tables_of(path) for path in options.files))
        return
    study = STUDIES[options.study]
    size, name = study.SIZES[options.size], f"{options.study}-{options.size}"
    if options.task is not None:
        if options.study != "generalisation" or options.task not in size.tasks:
            parser.error(f"--task: one of {', '.join(generalisation.SIZES[options.size].tasks)}, of generalisation")
        size, name = size._replace(tasks=(options.task,)), f"{name}-{options.task}"
    torch.set_num_threads(options.threads)
    about = {"study": options.study, "size": options.size, "settings": size._asdict()}
    about |= {} if options.task is None else {"task": options.task}
    store = Store(options.out / f"{name}.json", about)
    study.compute(store, size)
    report = study.report(store, size)
    (options.out / f"{name}.md").write_text(report + "\n")
    print(report)


if __name__ == "__main__":
    main()
