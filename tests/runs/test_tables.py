"""Runs as tables: the numbers, names and attributes of data sets and data frames, and files that give them back."""

import json
import sys

import numpy as np
import pytest

import rollingball as rb
from rollingball.app import cli
from rollingball.runs import tables

SINE = rb.surfaces.sine()


@pytest.fixture(scope="module")
def run():
    options = {"start": [[1.2], [-2.0], [0.3]], "steps": 12, "every": 4}
    return rb.simulate(SINE, rb.Ball(0.5), rb.FootpointRBO(lr=0.1), **options)


@pytest.fixture(scope="module")
def in_plane():
    """Two balls in d = 2 with learning rates of their own."""
    options = {"start": [[1.2, 0.3], [-2.0, 1.0]], "steps": 3}
    return rb.simulate(rb.surfaces.sine(2), None, rb.GradientDescent(lr=[0.1, 0.2]), **options)


def test_a_data_set_has_the_arrays_by_name(run, in_plane):
    pytest.importorskip("xarray")
    for one in (run, in_plane):
        data = one.to_xarray()
        assert dict(data.sizes) == {"frame": 4, "ball": one.balls, "axis": one.dim, "center_axis": one.dim + 1}
        for name in ("foot", "center", "loss", "gap", "residual", "radius", "status", "steps", "evaluations", "time"):
            np.testing.assert_array_equal(data[name].values, getattr(one, name))
        assert data["foot"].dims == ("frame", "ball", "axis")
        assert data["center"].dims == ("frame", "ball", "center_axis")
        np.testing.assert_array_equal(data["center"].sel(center_axis="height"), one.center[..., -1])
        assert json.loads(data.attrs["scene"]) == one.scene
        assert data.attrs["surface.type"] == "sine"
    assert run.to_xarray().attrs["run.lr"] == 0.1


def test_a_run_without_frames_or_balls_is_a_table_without_rows(run, in_plane):
    pytest.importorskip("pandas")
    for one in (run, in_plane):
        for empty in (one[0:0], one.select([]), one[0:0].select([])):
            table = empty.to_dataframe()
            assert len(table) == 0
            assert list(table.columns) == list(one.to_dataframe().columns)


def test_a_data_frame_has_a_row_for_each_frame_and_ball(run, in_plane):
    pytest.importorskip("pandas")
    for one in (run, in_plane):
        frame = one.to_dataframe()
        assert frame.index.names == ["frame", "ball"]
        assert len(frame) == len(one) * one.balls
        for at in range(len(one)):
            for ball in range(one.balls):
                row = frame.loc[at, ball]
                assert row["loss"] == one.loss[at, ball]
                assert row["step"] == one.step[at]
                assert row["time"] == (one.time[at] if one.time.ndim == 1 else one.time[at, ball])
                assert row["status"] == one.status[ball]
                assert row[[f"foot_{axis}" for axis in range(one.dim)]].tolist() == one.foot[at, ball].tolist()
                assert row["center_height"] == one.center[at, ball, -1]


def test_balls_with_mass_have_their_columns():
    pytest.importorskip("pandas")
    pytest.importorskip("xarray")
    shape = (2, 2)
    numbers = np.random.default_rng(0)
    body = rb.Trajectory(
        step=np.arange(2), time=np.arange(2.0), seconds=0.0, contacts=np.ones(shape, dtype=np.int32),
        **{name: numbers.normal(size=shape) for name in ("loss", "gap", "residual", "radius", "energy", "slip")},
        **{name: np.zeros(2, dtype=np.int32) for name in ("status", "steps", "evaluations")},
        **{name: numbers.normal(size=(2, 2, 3)) for name in ("center", "velocity", "spin")},
        foot=numbers.normal(size=(2, 2, 2)),
    )  # fmt: skip
    frame = body.to_dataframe()
    np.testing.assert_array_equal(frame["velocity_2"].to_numpy().reshape(shape), body.velocity[..., 2])
    np.testing.assert_array_equal(frame["spin_0"].to_numpy().reshape(shape), body.spin[..., 0])
    np.testing.assert_array_equal(frame["energy"].to_numpy().reshape(shape), body.energy)
    assert body.to_xarray()["spin"].dims == ("frame", "ball", "spin_axis")


@pytest.mark.parametrize("suffix", [".nc", ".parquet", ".csv"])
def test_the_command_writes_what_other_programs_read(suffix, run, tmp_path, capsys):
    pandas, xarray = pytest.importorskip("pandas"), pytest.importorskip("xarray")
    pytest.importorskip({".nc": "h5netcdf", ".parquet": "pyarrow"}.get(suffix, "pandas"))
    run.save(tmp_path / "run.safetensors")
    out = tmp_path / f"table{suffix}"
    cli.main(["export", str(tmp_path / "run.safetensors"), "--to", str(out)])
    assert str(out) in capsys.readouterr().out
    if suffix == ".nc":
        with xarray.open_dataset(out, engine="h5netcdf") as data:
            np.testing.assert_array_equal(data["center"].values, run.center)
            assert json.loads(data.attrs["scene"]) == run.scene
    else:
        table = pandas.read_parquet(out) if suffix == ".parquet" else pandas.read_csv(out, index_col=["frame", "ball"])
        expected = run.to_dataframe()
        assert list(table.columns) == list(expected.columns)
        np.testing.assert_allclose(table["loss"], expected["loss"], rtol=1e-15)
        assert table.index.equals(expected.index)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.safetensors", out.name]


def test_a_run_in_a_folder_is_a_table(run, tmp_path):
    pytest.importorskip("pandas")
    options = {"start": [[1.2], [-2.0], [0.3]], "steps": 12, "every": 4, "out": tmp_path / "run"}
    folder = rb.simulate(SINE, rb.Ball(0.5), rb.FootpointRBO(lr=0.1), **options)
    assert folder.to_dataframe().equals(run.to_dataframe())


@pytest.mark.parametrize(("call", "package"), [("to_xarray", "xarray"), ("to_dataframe", "pandas")])
def test_without_the_package_one_line_says_what_to_install(call, package, run, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(rb.RollingBallError, match=rf"^{call} needs {package}: pip install 'rollingball\[tables\]'$"):
        getattr(run, call)()


def test_other_files_and_tables_beyond_memory_are_refused(run, tmp_path, monkeypatch):
    with pytest.raises(rb.InputError, match=r"^to: got .*run\.xlsx.* allowed: a name that ends in \.nc"):
        tables.write_table(run, tmp_path / "run.xlsx")
    pytest.importorskip("pandas")
    with pytest.raises(rb.FileError, match=r"run\.csv: cannot be written"):
        tables.write_table(run, tmp_path / "nowhere" / "run.csv")
    monkeypatch.setattr(tables, "free_memory", lambda: 1000)
    with pytest.raises(rb.InputError, match=r"as a table.*allowed: at most 1 kB, which is free; pick frames"):
        run.to_dataframe()
