"""Settings: presets, overrides, files, and errors that say what is allowed."""

from pathlib import Path

import pytest

from gan.errors import SettingsError
from gan.runs.presets import load_preset, load_settings
from gan.settings.run_settings import first_difference, write_settings
from gan.systems import SYSTEMS, preset_names, system_class


def test_paper_values() -> None:
    paper = load_preset("paper")
    assert (paper.loss.lambda_cls, paper.loss.lambda_seg, paper.loss.lambda_gp) == (5, 1, 10)
    assert (paper.optimiser.lr_g, paper.optimiser.lr_d, paper.optimiser.lr_s) == (1e-4, 1e-4, 1e-4)
    assert (paper.schedule.batch, paper.schedule.n_repeat, paper.schedule.epochs) == (16, 5, 20)
    assert (paper.data.size, paper.generator.n_z, paper.critic.leaky_slope) == (128, 512, 0.2)


def test_release_values() -> None:
    """What the SCGAN release trains with, where it differs from the paper."""
    release = load_preset("release")
    assert (release.generator.joining, release.segmentor.architecture) == ("all-at-once", "release")
    assert (release.critic.updates, release.critic.leaky_slope) == ("separate-zeroed", 0.01)
    assert release.generator.norm_scale == release.segmentor.norm_scale == "uniform"
    assert (release.optimiser.lr_g, release.optimiser.lr_d, release.optimiser.lr_s) == (5e-5, 5e-5, 1e-4)
    assert (release.loss.lambda_cls, release.loss.lambda_seg, release.loss.lambda_gp) == (1, 1, 10)
    assert (release.schedule.epochs, release.schedule.decay_epochs, release.loss.gp_reduction) == (50, 30, "sum")


@pytest.mark.parametrize("preset", preset_names("scgan"))
def test_written_settings_load_again(preset: str, tmp_path: Path) -> None:
    settings = load_preset(preset, ["loss.gp_reduction=mean", "seed=7"]).with_shards(tmp_path / "odd \"name' ü")
    write_settings(tmp_path / "config.toml", settings)
    assert load_settings(tmp_path / "config.toml") == settings


def test_a_file_may_be_partial(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[loss]\nlambda_seg = 3\n")
    settings = load_settings(tmp_path / "mine.toml", "tiny", ["loss.lambda_cls=2"])
    assert (settings.loss.lambda_seg, settings.loss.lambda_cls) == (3, 2)
    assert first_difference(settings, load_preset("tiny")) == ("loss.lambda_cls", 2, 1)


def test_precision_may_be_written_as_a_number() -> None:
    assert load_preset("tiny", ["compute.precision=64"]).compute.precision == "64"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "loss.lambda_sgm=1",
            "there is no setting loss.lambda_sgm; there are loss.lambda_gp, loss.gp_reduction, loss.cls",
        ),
        ("loss=1", "there is no setting loss"),
        ("seed", "key=value"),
        ("data.size=100", "data.size = 100: it must be a power of two"),
        ("data.size=16", "power of two from 32 to 1024"),
        ("data.size=1099511627776", "power of two from 32 to 1024"),
        ("generator.width=300000", "less than or equal to 512"),
        ("generator.n_z=100000000000000000000", "less than or equal to 8192"),
        ("schedule.batch=100000", "less than or equal to 4096"),
        ("data.workers=100000", "less than or equal to 256"),
        ("data.resident=perhaps", "data.resident = 'perhaps': input should be 'auto', 'yes' or 'no'"),
        pytest.param("seed=" + "9" * 5000, "--set seed: the value cannot be read", id="digits"),
        pytest.param("seed=0x" + "f" * 6000, "seed = (int): ", id="hexadecimal"),
        pytest.param("seed=" + "[" * 5000, "tiny with --set: a value is nested too deeply", id="nested"),
        pytest.param("loss.gp_reduction=" + "x" * 500, "xxx...: input should be", id="long"),
        ("schedule.batch=0", "schedule.batch = 0: input should be greater than 0"),
        ("schedule.batch=many", "schedule.batch = 'many': input should be a valid integer"),
        ("loss.lambda_gp=nan", "loss.lambda_gp = nan"),
        ("optimiser.lr_g=inf", "optimiser.lr_g = inf"),
        ("optimiser.lr_g=1e39", "optimiser.lr_g = 1e+39: input should be less than or equal to 1"),
        ("data.shards=elsewhere", "--set data.shards=elsewhere: the shards are no setting to choose but the command's"),
        ("segmentor.training=frozen", "a frozen segmentor needs pretraining of at least 1"),
        ("segmentor.pretraining=5", "training joint with pretraining = 5"),
        ("compute.precision=16", "compute.precision = '16': input should be 'auto', '32', 'tf32', 'bf16' or '64'"),
        ("generator.tail_norm=never", "'last' or 'every'"),
        ("schedule.decay_epochs=99", "decay_epochs = 99 must not exceed epochs = "),
    ],
)
def test_refused_overrides_name_key_and_way_out(override: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_preset("tiny", [override])
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[loss]\nlambda_x = 1\n", "no setting loss.lambda_x"),
        ("loss = [", "not TOML"),
        ("loss = 1\n", "loss"),
        pytest.param("seed = " + "9" * 5000, "not TOML", id="digits"),
        pytest.param("seed = " + "[" * 5000, "nested too deeply", id="nested"),
    ],
)
def test_refused_files_are_named(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as error:
        load_settings(path)
    assert str(path) in str(error.value) and said in str(error.value)


def test_missing_file_and_unknown_preset(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nothing\.toml cannot be read"):
        load_settings(tmp_path / "nothing.toml")
    with pytest.raises(SettingsError, match="scgan has no preset 'huge'; there are paper, best, release, tiny"):
        load_preset("huge")


def test_who_names_epochs_wants_the_end_there(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[schedule]\nepochs = 7\n")
    ends = [
        load_preset("tiny").schedule.steps,
        load_preset("tiny", ["schedule.epochs=7"]).schedule.steps,
        load_preset("tiny", ["schedule.steps=9", "schedule.epochs=7"]).schedule.steps,
        load_settings(tmp_path / "mine.toml", "tiny").schedule.steps,
        load_settings(tmp_path / "mine.toml", "tiny", ["schedule.steps=9"]).schedule.steps,
    ]
    assert ends == [2500, 0, 9, 0, 9]
    with pytest.raises(SettingsError, match="steps = 9 is an end for constant rates, and with decay_epochs = 10"):
        load_preset("paper", ["schedule.steps=9"])


def test_evaluating_needs_a_segmentor() -> None:
    with pytest.raises(SettingsError) as error:
        load_preset("tiny", ["log.evaluate_every=5", "segmentor.training=none"])
    assert "tiny with --set: log.evaluate_every = 5, and" in str(error.value)
    assert str(error.value).endswith("no segmentor to evaluate with; set log.evaluate_every=0")


def test_what_a_resume_may_change_is_what_changes_no_result() -> None:
    """For every system the same, and nothing of its own."""
    free = {
        "data.shards", "data.workers", "data.resident",
        "compute.channels_last", "compute.fused", "compute.fakes_at_once", "compute.compile", "compute.graphs",
        "log.checkpoint_every", "log.sample_every", "log.sample_columns", "log.sample_rows", "log.keep_checkpoints",
        "log.evaluate_every", "schedule.steps",
    }  # fmt: skip
    for system in SYSTEMS:
        assert system_class(system).Settings.free_keys() == free
    a, b = load_preset("tiny"), load_preset("tiny", ["log.sample_every=7", "data.workers=2", "loss.lambda_seg=9"])
    assert first_difference(a, b) == ("loss.lambda_seg", 5.0, 9.0)


def test_written_settings_are_held_to_their_sha256(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    write_settings(path, load_preset("tiny"))
    text = path.read_text()
    for damaged in (text.replace("seed = 0", "seed = 1"), text[: len(text) // 2].rpartition("\n[")[0]):
        path.write_text(damaged)
        with pytest.raises(SettingsError, match=r"config\.toml are not what was written, by the SHA-256 in the first"):
            load_settings(path)
        path.write_text(damaged.partition("\n")[2])  # changed by hand, as the first line says
        assert load_settings(path, "tiny")
    path.write_text(text.replace("remove this line", "remove this lime"))  # the settings are whole
    assert load_settings(path) == load_preset("tiny")
