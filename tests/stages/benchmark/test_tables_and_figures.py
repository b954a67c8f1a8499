"""The groups' results become the resource's tables, a comparison with the published numbers, and figures."""

from __future__ import annotations

import shutil
import statistics
import struct

import numpy as np
import pandas as pd
import pytest

from tests.stages.benchmark.conftest import ROOT

PUBLISHED = ROOT / "data/cpjump1/published_benchmark.toml"
BATCH = "2020_11_04_CPJUMP1"
PAIR = "Description=a-b,Modality1=compound,time1=long,timepoint1=48,Modality2=orf,time2=short,timepoint2=48,Cell=U2OS"
COMPOUNDS = {f"c{number}": "A|B" if number % 2 else "C" for number in range(9)}


@pytest.fixture
def results(ranked, plates, wells, consensus):
    """Return a function that runs the three tasks of one group and one pair: task -> Outcome."""

    def run(lost: tuple[str, ...] = (), **how):
        how = {"describe": "Description=compound_U2OS_long,Modality=compound,Cell=U2OS,time=long,timepoint=48", **how}
        compounds = consensus("compounds", COMPOUNDS, lost=lost)
        genes = consensus("genes", {"g1": "A", "g2": "C"}, column="gene")
        return {
            "replicability": ranked("replicability", profiles=plates(wells), **how),
            "matching": ranked("matching", consensus=[compounds], **how),
            "gene_compound_matching": ranked(
                "gene_compound_matching", consensus=[compounds, genes], **{**how, "describe": PAIR}
            ),
        }

    return run


@pytest.fixture
def tabulate(program):
    """Return a function that joins results; a task that is not given has no group."""

    def run(results, definition: str = "final", batch_id: str = BATCH, published=PUBLISHED, incomplete: str = ""):
        flags = {"definition": definition, "batch_id": batch_id, "published": published, "incomplete": incomplete}
        for task in ("replicability", "matching", "gene_compound_matching"):
            for kind in ("ap", "map", "fr"):
                found = [results[task].folder / f"g_{task}_{kind}.csv"] if task in results else []
                flags[f"{task}_{kind}"] = found
                flags[f"write_{task}_{kind}"] = f"cellprofiler_{task}_{kind}.csv"
        return program("tabulate", plate="cellprofiler", **flags, write_comparison="cellprofiler_comparison.csv")

    return run


@pytest.fixture
def draw(program):
    """Return a function that draws the results of one group and one pair."""

    def run(results, definition: str = "final"):
        kinds = {"replicability": ("ap", "map", "fr"), "matching": ("map", "fr"), "gene_compound_matching": ("fr",)}
        flags = {
            f"{task}_{kind}": [results[task].folder / f"g_{task}_{kind}.csv"] for task in kinds for kind in kinds[task]
        }
        flags["consensus"] = [results["replicability"].folder / "g_consensus.csv.gz"]
        how = {"definition": definition, "seed": 0, "threshold": 0.05}
        return program("figures", plate="cellprofiler", **how, **flags, write_figures="figures")

    return run


def read(done, name: str) -> pd.DataFrame:
    return pd.read_csv(done.folder / f"cellprofiler_{name}.csv", keep_default_na=False)


def test_the_final_tables_have_the_resources_columns(results, tabulate):
    done = tabulate(results())
    wanted = ["mean_average_precision", "nlog10pvalue", "q_value", "nlog10qvalue", "above_p_threshold"]
    wanted += ["above_q_threshold", "Description", "Modality", "Cell", "time", "timepoint"]

    assert done.code == 0, done.stderr
    assert list(read(done, "replicability_map")) == ["Metadata_broad_sample", *wanted]
    assert list(read(done, "matching_map")) == ["Metadata_target", *wanted]
    assert len(read(done, "replicability_map")) == 5
    assert {"Description", "fr", "labels", "retrieved"} <= {*read(done, "matching_fr")}
    assert {"Modality1", "time1", "Modality2", "time2", "Cell"} <= {*read(done, "gene_compound_matching_map")}


def test_the_2022_tables_have_the_resources_columns(results, tabulate):
    done = tabulate(results(definition="2022"), "2022")

    assert list(read(done, "replicability_ap"))[:4] == ["Modality", "Cell", "time", "ap"]
    assert list(read(done, "replicability_map")) == ["Modality", "Cell", "time", "mAP"]
    assert {"Modality1", "Modality2", "Cell", "mAP"} <= {*read(done, "gene_compound_matching_map")}
    means = read(done, "replicability_ap")["ap"].mean()
    assert read(done, "replicability_map")["mAP"].tolist() == [pytest.approx(means)]


def test_a_group_is_compared_with_what_was_published_of_its_name(results, tabulate, tmp_path):
    ranked = results()
    retrieved = ranked["replicability"].facts["retrieved"]
    facts = f'batch = "{BATCH}"\nfeatures = "cellprofiler"\n[replicability]\ncompound_U2OS_long = '
    verdicts = []
    for off in (0, 2, 3):
        path = tmp_path / f"{off}.toml"
        path.write_text(f"{facts}{{ labels = 5, fr = [{(retrieved + off) / 5}, 9.0], map = 0.5 }}\n")
        verdicts.append(read(tabulate(ranked, published=path), "comparison")["agrees"].tolist())

    assert verdicts == [["yes", "", ""], ["yes", "", ""], ["no", "", ""]]


@pytest.mark.parametrize(("definition", "said"), [("copairs", "by design not"), ("2022", "no")])
def test_other_definitions_are_compared_with_their_own_numbers_only(results, tabulate, definition, said):
    row = read(tabulate(results(definition=definition), definition), "comparison").iloc[0]

    assert row["agrees"] == said
    assert bool(row["map_published"]) is (definition == "2022")
    assert bool(row["fr_published"]) is (definition == "copairs")


def test_a_group_that_lacks_plates_is_not_comparable_and_nor_is_its_pair(results, tabulate, tmp_path):
    published = tmp_path / "published.toml"
    groups = {
        "replicability": "compound_U2OS_long",
        "matching": "compound_U2OS_long",
        "gene_compound_matching": "compound_U2OS_long-compound_U2OS_long",
    }
    facts = [f"[{task}]\n{name} = {{ labels = 9, fr = [0.5, 0.5], map = 0.5 }}\n" for task, name in groups.items()]
    published.write_text(f'batch = "{BATCH}"\nfeatures = "cellprofiler"\n' + "".join(facts))
    whole, absent = results(), results(missing="B9")
    for ranked in (whole, absent):
        path = ranked["gene_compound_matching"].folder / "g_gene_compound_matching_fr.csv"
        path.write_text(path.read_text().replace(",a-b,", f",{groups['gene_compound_matching']},"))
    unasked = tabulate(whole, published=published, incomplete="compound_U2OS_long")
    complete, without = tabulate(whole, published=published), tabulate(absent, published=published)

    assert complete.code == 0, complete.stderr
    assert set(read(unasked, "comparison")["agrees"]) == {"not comparable"}
    assert set(read(without, "comparison")["agrees"]) == {"not comparable"}
    assert set(read(complete, "comparison")["agrees"]) <= {"yes", "no"}
    assert all("left_out" not in read(without, f"{task}_fr") for task in groups)


@pytest.mark.parametrize("definition", ["final", "2022", "copairs"])
def test_no_table_has_a_column_twice(results, tabulate, definition):
    done = tabulate(results(definition=definition), definition)

    assert done.code == 0, done.stderr
    for path in done.folder.glob("cellprofiler_*.csv"):
        header = path.read_text().splitlines()[0].split(",")
        assert len(set(header)) == len(header), path.name


def test_a_column_of_the_profiles_that_says_other_than_the_label_keeps_its_values(results, tabulate):
    ranked = results()
    done = tabulate(ranked)
    table = read(done, "gene_compound_matching_ap")
    own = ranked["gene_compound_matching"].table("ap")

    assert table["Metadata_gene"].tolist() == own["label"].tolist()
    assert read(done, "replicability_ap")["Metadata_broad_sample"].tolist() == (
        ranked["replicability"].table("ap")["label"].tolist()
    )


@pytest.mark.parametrize("definition", ["final", "2022", "copairs"])
def test_a_task_without_pairs_of_groups_has_the_columns_of_one_with_them(results, tabulate, definition):
    ranked = results(definition=definition)
    paired = tabulate(ranked, definition)
    alone = tabulate({task: ranked[task] for task in ("replicability", "matching")}, definition)

    for kind in ("ap", "map", "fr"):
        table, expected = (read(done, f"gene_compound_matching_{kind}") for done in (alone, paired))
        told = [name for name in expected if not name.startswith("Metadata_") or name == "Metadata_gene"]
        assert table.empty
        assert sorted(table) == sorted(told), kind


def test_another_batch_is_compared_with_nothing(results, tabulate):
    assert set(read(tabulate(results(), batch_id="mine"), "comparison")["agrees"]) == {""}


@pytest.mark.parametrize("definition", ["final", "2022", "copairs"])
def test_groups_without_a_label_have_a_row_with_words_and_no_number(results, tabulate, draw, definition):
    ranked = results(lost=tuple(COMPOUNDS), definition=definition)
    done, drawn = tabulate(ranked, definition), draw(ranked, definition)
    rows = read(done, "comparison").set_index("task")

    assert done.code == drawn.code == 0, done.stderr + drawn.stderr
    assert rows.loc["matching", "note"] == "no retrieved perturbation has a label (target_list,gene)"
    assert rows.loc["matching", ["labels", "fr"]].tolist() == [0, ""]
    assert "nan" not in (done.folder / "cellprofiler_comparison.csv").read_text().lower()
    pairs = (drawn.folder / "figures/gene_compound_matching.svg").read_text()
    assert "no label to test" in pairs
    assert ">1.00<" in pairs or ">1.0<" in pairs  # an axis of nothing still has a scale


def test_there_need_be_no_pair(results, tabulate):
    ranked = results()
    del ranked["gene_compound_matching"]

    assert tabulate(ranked).code == 0


def test_every_figure_is_a_png_and_an_svg_whose_text_can_be_read(results, draw):
    done = draw(results())
    folder = done.folder / "figures"
    names = sorted(path.stem for path in folder.glob("*.svg"))

    assert done.code == 0, done.stderr
    assert names == sorted(path.stem for path in folder.glob("*.png"))
    assert {"average_precision", "fraction_retrieved", "gene_compound_matching", "mean_average_precision"} < {*names}
    assert {"matching_scatter", "replicability_scatter", "principal_components"} < {*names}
    for path in folder.glob("*.png"):
        width, height = struct.unpack(">II", path.read_bytes()[16:24])
        assert min(width, height) > 200
    text = (folder / "fraction_retrieved.svg").read_text()
    assert "compound U2OS 48 h" in text
    assert "fraction of labels retrieved (q &lt; 0.05)" in text
    assert "U2OS: compound 48 h, ORF 48 h" in (folder / "gene_compound_matching.svg").read_text()


def test_a_large_group_has_a_umap_and_a_tiny_one_a_warning(results, draw, consensus):
    ranked = results()
    where = ranked["replicability"].folder / "g_consensus.csv.gz"
    drawn = []
    for count in (16, 2):
        shutil.copy(consensus(f"of_{count}", {f"c{number}": "A" for number in range(count)}), where)
        done = draw(ranked)
        drawn.append({path.stem for path in (done.folder / "figures").iterdir()} & {"umap", "principal_components"})

    assert drawn == [{"umap"}, set()]
    assert done.warnings == ["no map of compound_U2OS_long: it takes at least 3 perturbations"]


@pytest.fixture
def compare(program):
    """Return a function that compares results of feature sets: name -> what `results` returned."""

    def run(sets, definition: str = "final"):
        flags = {
            f"{task}_ap": [each[task].folder / f"g_{task}_ap.csv" for each in sets.values()]
            for task in ("replicability", "matching")
        }
        how = {"definition": definition, "features": ",".join(sets)}
        return program("compare_features", plate="a-b", **how, **flags, write_feature_sets="compared")

    return run


def test_feature_sets_are_drawn_side_by_side_with_their_quartiles(results, compare, wells):
    one = results()
    features = [name for name in wells if name.startswith("Cells_")]
    wells[features] = np.random.default_rng(9).normal(size=(len(wells), len(features)))  # another set's profiles
    other = results()
    done = compare({"cellprofiler": one, "deepprofiler": other})
    table = pd.read_csv(done.folder / "compared/feature_sets.csv").set_index(["task", "features"])
    drawn = (done.folder / "compared/average_precision.svg").read_text()

    assert done.code == 0, done.stderr
    for name, outcome in (("cellprofiler", one), ("deepprofiler", other)):
        values = sorted(pd.read_csv(outcome["replicability"].folder / "g_replicability_ap.csv")["average_precision"])
        assert table.loc[("replicability", name), "queries"] == len(values)
        assert table.loc[("replicability", name), "median"] == pytest.approx(statistics.median(values))
        assert table.loc[("replicability", name), "mean"] == pytest.approx(statistics.fmean(values))
    assert table["median"]["replicability"].nunique() == 2
    assert all(name in drawn for name in ("CellProfiler", "DeepProfiler", "compound U2OS 48 h", "average precision"))


def test_a_feature_set_that_has_nothing_of_a_task_leaves_its_place_empty(results, compare):
    done = compare({"cellprofiler": results(), "deepprofiler": results(lost=tuple(COMPOUNDS))})
    table = pd.read_csv(done.folder / "compared/feature_sets.csv")

    assert done.code == 0, done.stderr
    assert table.loc[table["task"] == "matching", "features"].tolist() == ["cellprofiler"]
    assert (done.folder / "compared/average_precision.svg").exists()


@pytest.mark.parametrize("definition", ["final", "2022", "copairs"])
def test_feature_sets_without_any_query_are_said_and_not_drawn(results, compare, definition, plates, wells):
    wells["Metadata_control_type"] = ""  # no negative control: nothing can be ranked
    ranked = results(lost=tuple(COMPOUNDS), definition=definition)
    done = compare({"cellprofiler": ranked, "deepprofiler": ranked}, definition)

    assert done.code == 0, done.stderr
    assert done.warnings == ["no feature set has an average precision to draw"]
    assert not (done.folder / "compared/average_precision.png").exists()


def test_as_many_names_as_files_are_asked_for(results, compare, program):
    ranked = results()
    flags = {f"{task}_ap": [ranked[task].folder / f"g_{task}_ap.csv"] for task in ("replicability", "matching")}
    done = program("compare_features", definition="final", features="a,b", **flags, write_feature_sets="compared")

    assert done.code == 65
    assert "--features names 2 feature sets, and --replicability_ap has 1 files" in done.stderr


def test_the_same_results_are_drawn_with_the_same_bytes(results, draw):
    ranked = results()
    folders = [draw(ranked).folder / "figures" for _ in range(2)]
    drawn = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]

    assert drawn[0] == drawn[1]


def test_the_2022_definition_has_no_p_values_to_draw(results, draw):
    folder = draw(results(definition="2022"), "2022").folder / "figures"

    assert {path.stem for path in folder.iterdir()} == {
        "average_precision", "gene_compound_matching", "mean_average_precision", "principal_components",
    }  # fmt: skip
