"""What rollingball paper refuses, before anything is compiled."""

import pytest

from rollingball.app import cli
from rollingball.app.paper import report
from rollingball.core.errors import FileError, InputError


@pytest.mark.parametrize("name", ["5", "two", "figure1", ""])
def test_an_unknown_figure_is_refused_before_anything_is_made(tmp_path, name, no_compiling):
    with pytest.raises(InputError, match=r"figures: got .*'1', '2', '3', '4'"):
        report.make(tmp_path / "out", ["1", name])
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_refused_before_compiling(tmp_path, no_compiling, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be made a folder"):
        report.make(tmp_path / "file", ["1"])
    with pytest.raises(SystemExit) as caught:
        cli.main(["paper", "--out", str(tmp_path / "file" / "below")])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("rollingball: ")


def test_options_of_other_commands_are_refused(capsys):
    with pytest.raises(SystemExit):
        cli.main(["paper", "--ball.radius", "2"])
    assert "--ball.radius" in capsys.readouterr().err
