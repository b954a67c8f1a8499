"""What a person types behind a flag is taken in its right form, or refused with the flag, the value and that form."""

from __future__ import annotations

from pathlib import Path

import luigi
import pytest
from luigi.cmdline_parser import CmdlineParser
from luigi.parameter import ParameterException

from tasks.errors import SettingsError
from tasks.settings import forms
from tasks.settings.parameters import Choice, Names, Switch, Whole
from tasks.workflow import pipeline
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH as LAID
from tests.unit.fakes import PLATE, lay_plate
from tests.unit.test_settings import luigi as run_luigi

BATCH = ["RunBatch", "--batch-id", "B"]


def asked(*words: str) -> luigi.Task:
    with CmdlineParser.global_instance(list(words)) as parser:
        return parser.get_task_obj()


@pytest.mark.parametrize("text", ["P1,P2", "P1, P2", '["P1", "P2"]', ' ["P1","P2"]'])
def test_plates_are_named_by_commas_or_as_json(text: str, luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")

    assert asked(*BATCH, "--plates", text).plates == ("P1", "P2")
    assert asked("RunBenchmark", "--batch-id", "B", "--plates", text).plates == ("P1", "P2")


def test_a_single_plate_needs_no_quotes(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")

    assert asked(*BATCH, "--plates", "BR00117013").plates == ("BR00117013",)


BAD = {
    "a cut list": ([*BATCH, "--plates", '["P1"'], "--plates"),
    "no list": ([*BATCH, "--plates", '{"P1": 1}'], "--plates"),
    "a list of numbers": ([*BATCH, "--plates", "[1]"], "--plates"),
    "an empty name": ([*BATCH, "--plates", "P1,,P2"], "--plates"),
    "an unset variable": ([*BATCH, "--plates", ""], "--plates"),
    "a word that is no choice": ([*BATCH, "--start-from", "image"], "--start-from"),
    "a word that is no truth": ([*BATCH, "--report", "no"], "--report"),
    "a word that is no number": (["RunPlate", "--batch-id", "B", "--plate", "P", "--sample", "twelve"], "--sample"),
    "a number out of range": (["RunPlate", "--batch-id", "B", "--plate", "P", "--sample", "-1"], "--sample"),
    "a query that does not parse": (["Normalize", "--batch-id", "B", "--plate", "P", "--samples", "x ="], "--samples"),
    "groups that are no JSON": (["Matching", "--batch-id", "B", "--plate", "P", "--groups", "[{"], "--groups"),
    "a file pattern": (["LoadData", "--batch-id", "B", "--plate", "P", "--pattern", "("], "--pattern"),
}


@pytest.mark.parametrize(("words", "flag"), BAD.values(), ids=BAD)
def test_an_ill_formed_value_is_refused_with_flag_value_and_form(
    words: list[str], flag: str, luigi_cfg: LoadSettings
) -> None:
    luigi_cfg("")
    with pytest.raises(ParameterException) as failure:
        asked(*words)

    assert str(failure.value).startswith(f"{flag} {words[-1]}")
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("features", ["deepprofilr", "cellprofiler,"])
@pytest.mark.parametrize("start_from", ["laid", "images", "profiles"])
@pytest.mark.parametrize("run", ["RunPlate", "RunBatch", "RunBenchmark"])
def test_no_run_without_a_known_feature_set_begins(
    run: str, start_from: str, features: str, luigi_cfg: LoadSettings
) -> None:
    lay_plate(luigi_cfg(""))
    plate = ["--plate", PLATE] if run == "RunPlate" else []
    task = asked(run, "--batch-id", LAID, *plate, "--start-from", start_from, "--features", features)

    with pytest.raises(SettingsError, match=f"--features '{features}': there is no feature set"):
        task.requires()


@pytest.mark.parametrize("flag", ["--where", "--features", "--plate-set", "--replaces"])
def test_an_empty_text_is_a_variable_that_is_not_set_and_means_no_default(flag: str, luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")
    task = asked(*BATCH)

    with pytest.raises(ParameterException, match=f"^{flag} .*it is empty; .*leave the flag out"):
        asked(*BATCH, flag, "")
    assert type(task).from_str_params(task.to_str_params()) == task


def test_luigi_shows_it_in_a_line_and_exits_with_an_error(tmp_path: Path) -> None:
    text = "[core]\nlocal_scheduler = true\n[retcode]\nunhandled_exception = 40\n"
    done = run_luigi(tmp_path, text, *BATCH, "--plates", '["P1"')

    assert done.returncode == 40
    assert '--plates ["P1": it is no JSON; it must be names by commas' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_switch_is_a_truth_value_that_is_written_as_before(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("[aggregate]\ncompartment_counts = true\n")
    task = pipeline.Aggregate(batch_id="B", plate="P")

    assert task.compartment_counts is True
    assert task.spec().parameters["compartment_counts"] == "true"
    assert task.spec().parameters["parquet"] == "false"
    assert pipeline.Aggregate.from_str_params(task.to_str_params()) == task


@pytest.mark.parametrize(
    "text", ["", "ghcr.io", "https://ghcr.io/lab", "ghcr.io/Lab", "host:0/a", "host:x/a", "a b/c", "h/"]
)
def test_a_registry_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it must be HOST/PATH"):
        forms.registry(text)


@pytest.mark.parametrize(
    "text", ["ghcr.io/my-lab/platewright", "localhost:5000/a", "1234.dkr.ecr.eu-west-1.amazonaws.com/p_w"]
)
def test_a_registry_is_a_host_and_a_path(text: str) -> None:
    forms.registry(text)  # which raises nothing

    with pytest.raises(ValueError, match="it must be HOST/PATH"):
        forms.registry(f"https://{text}")
    with pytest.raises(ValueError, match="it must be HOST/PATH"):
        forms.registry(text.upper())


def test_every_parameter_that_a_person_types_is_checked() -> None:
    unchecked = {luigi.IntParameter, luigi.FloatParameter, luigi.ChoiceParameter, luigi.NumericalParameter}
    unchecked |= {luigi.ListParameter, luigi.DictParameter}
    found = [
        (task.__name__, name)
        for task in vars(pipeline).values()
        if isinstance(task, type) and issubclass(task, luigi.Task) and task.__module__.startswith("tasks.")
        for name, each in task.get_params()
        if type(each) in unchecked
    ]

    assert found == []


@pytest.mark.parametrize("kind", [Choice(choices=["a", "b"]), Whole(least=1), Switch(), Names()])
def test_a_kind_says_its_right_form(kind: luigi.Parameter) -> None:
    assert kind.kind
    assert kind.refused("?!,,") != ""
