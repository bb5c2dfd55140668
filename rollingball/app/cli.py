"""The command line: what is typed is read here, and every error and interruption ends as one line."""

import contextlib
import io
import os
import sys
from typing import Any, NoReturn

import tyro

from rollingball.app.commands import COMMANDS, ON_SCENES, RollingBall, likeliest, options_of, refuse
from rollingball.core.errors import InputError, RollingBallError
from rollingball.core.version import __version__


def main(arguments: list[str] | None = None) -> None:
    """Run one command.

    An error is one line on stderr and exit status 2; an interruption by Ctrl-C is one line and exit status 130. Where
    the reader of a pipe, such as head, has read enough, the command ends and says nothing.

    Args:
        arguments: The words after the program's name; by default those of this process.
    """
    try:
        _run(sys.argv[1:] if arguments is None else arguments)
        _flush()
    except RollingBallError as error:
        _end(str(error), 2)
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        _end(f"{error.filename or 'output'}: {error.strerror or error}", 2)
    except MemoryError:
        _end("there is not enough memory for this; use fewer balls, steps or frames", 2)
    except KeyboardInterrupt:
        _end("interrupted; the runs that were saved are whole", 130)


def _run(arguments: list[str]) -> None:
    """Read the arguments and run the command that they name."""
    if arguments == ["--version"]:
        print(f"rollingball {__version__}")
        return
    words = [word for word in arguments if not word.startswith("-")]
    if words and words[0] not in COMMANDS and arguments[0] == words[0]:
        question = likeliest(words[0], list(COMMANDS)) or "the commands are"
        raise RollingBallError(f"{words[0]}: no such command; {question} {', '.join(COMMANDS)}")
    command, rest = _parsed(arguments)
    _quiet()
    _refuse_options(rest, options_of(command), isinstance(command, ON_SCENES))
    command(_overrides(rest))


def _parsed(arguments: list[str]) -> tuple[Any, list[str]]:
    """The command that the arguments name, with its options, and the arguments that are none of them.

    Raises:
        InputError: for an option without its value, or with one that it does not take.
    """
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            parsed, rest = tyro.cli(
                RollingBall,
                args=arguments,
                prog="rollingball",
                return_unknown_args=True,
                config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.OmitArgPrefixes, tyro.conf.HelptextFromCommentsOff),
            )
    except SystemExit:
        lines = [line.strip("│╭╮╰╯ ") for line in errors.getvalue().splitlines()]
        text = [line for line in lines if line and not line.endswith("─")]
        if not text:  # the help, which was asked for
            _flush()
            raise
        if arguments and arguments[0] in COMMANDS:  # a mistyped option takes the word after it, which is then missed
            command = COMMANDS[arguments[0]]
            _refuse_options(arguments, options_of(command), command in ON_SCENES)
        after = next(
            (number for number, line in enumerate(text) if line.startswith(("For full", "Argument help"))), None
        )
        hint = " ".join(["rollingball", *arguments[:1]]) if arguments and arguments[0] in COMMANDS else "rollingball"
        _end(f"{' '.join(text[:after])} (see {hint} --help)", 2)
    return parsed.command, list(rest)


def _refuse_options(words: list[str], options: list[str], on_scenes: bool) -> None:
    """Refuse words such as ``--run`` that are no options; on scenes, where they may be values, those near to one."""
    given = [word.partition("=")[0] for word in words if word.startswith("--") and len(word) > 2]
    unknown = [word[2:] for word in given if word not in options]
    if on_scenes:
        unknown = [word for word in unknown if "." not in word and likeliest(f"--{word}", options)]
    refuse(unknown, options)


def _overrides(rest: list[str]) -> dict[str, str]:
    """``--a.b value`` and ``--a.b=value`` as a dictionary."""
    pairs = {}
    items = list(rest)
    while items:
        item = items.pop(0)
        if not item.startswith("--") or item == "--":
            raise InputError("argument", item, "--key value pairs after the scene, such as --ball.radius 5")
        key, equals, value = item[2:].partition("=")
        if not equals:
            if not items or items[0].startswith("--"):
                raise InputError(item, "nothing", "a value, such as --ball.radius 5")
            value = items.pop(0)
        pairs[key] = value
    return pairs


def _end(message: str, status: int) -> NoReturn:
    """Print one line on stderr and exit."""
    print(f"rollingball: {' '.join(message.split())}", file=sys.stderr)
    _drop_output()
    sys.exit(status)


def _flush() -> None:
    """Write what was printed, so that a full disk or a closed pipe is met here and not as Python ends."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _drop_output() -> None:
    """Send what could not be printed nowhere, so that Python does not try again as it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
        return
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _quiet() -> None:
    """Print a line before kernels are compiled, in place of those that Warp prints afterwards."""
    import warp as wp

    from rollingball.core.launch import tell_of_builds

    wp.config.log_level = wp.LOG_WARNING
    tell_of_builds(_say_of_builds)


def _say_of_builds(names: list[str]) -> None:
    """Print what is compiled, and that it is kept."""
    modules = "1 kernel" if len(names) == 1 else f"{len(names)} kernels side by side"
    print(f"compiling {modules}, once, some seconds: {', '.join(names)}", file=sys.stderr, flush=True)
