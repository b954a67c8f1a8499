"""Perturbations that share a label are ranked among the rest, within a modality and across two."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.stages.benchmark import slow

COMPOUNDS = {"c1": "A|B", "c2": "A|C", "c3": "B", "c4": "C|A", "c5": "D", "c6": "E|B", "c7": "", "c8": "F"}
GUIDES = {"g1": "A", "g2": "A", "g3": "B", "g4": "B", "g5": "C", "g6": "E", "g7": "E"}


def rows_of(path) -> list[slow.Row]:
    table = pd.read_csv(path, keep_default_na=False)
    column = next(name for name in ("Metadata_target_list", "Metadata_gene") if name in table)
    return [
        {"labels": {*filter(None, row[column].split("|"))}, "x": [row[f"Cells_{letter}"] for letter in "abcde"]}
        for row in table[table["Metadata_retrieved"].astype(str).str.lower() == "true"].to_dict("records")
    ]


def sorted_rows(table: pd.DataFrame) -> list[tuple]:
    columns = ["label", "average_precision", "n_pos_pairs", "n_neg_pairs"]
    return sorted(table[columns].itertuples(index=False, name=None))


def same(found: list[tuple], expected: list[tuple]) -> None:
    assert [row[0] for row in found] == [row[0] for row in expected]
    np.testing.assert_allclose([row[1:] for row in found], [row[1:] for row in expected], rtol=0, atol=1e-12)


def test_compounds_of_a_target_are_ranked_among_those_that_share_none(ranked, consensus):
    path = consensus("compounds", COMPOUNDS)
    done = ranked("matching", consensus=[path])
    rows = [row for row in rows_of(path) if row["labels"]]
    expected = slow.queries(
        rows,
        lambda row: sorted(row["labels"]),
        lambda row, other, label: label in other["labels"],
        lambda row, other, label: not row["labels"] & other["labels"],
        absolute=True,
    )

    assert done.code == 0, done.stderr
    assert len(expected) == 8
    same(sorted_rows(done.table("ap")), sorted(expected))
    assert "3 labels have no pair: D, E, F" in done.note


def test_a_gene_with_one_retrieved_guide_is_left_out_and_cosine_keeps_its_sign(ranked, consensus):
    path = consensus("guides", GUIDES, column="gene")
    done = ranked("matching", consensus=[path])
    genes = [row for row in rows_of(path) if row["labels"] != {"C"}]
    expected = slow.queries(
        genes,
        lambda row: sorted(row["labels"]),
        lambda row, other, label: label in other["labels"],
        lambda row, other, label: label not in other["labels"],
    )

    same(sorted_rows(done.table("ap")), sorted(expected))
    assert set(done.table("ap")["n_neg_pairs"]) == {4}
    assert "1 labels have one retrieved perturbation only: C" in done.note


@pytest.mark.parametrize("behaviour", ["corrected", "as_published"])
def test_the_2022_definition_ranks_among_all_that_lack_the_label(ranked, consensus, behaviour):
    path = consensus("compounds", COMPOUNDS)
    done = ranked("matching", consensus=[path], definition="2022", behaviour=behaviour)
    rows = [row for row in rows_of(path) if row["labels"]]
    found = []
    for label in sorted(set().union(*(row["labels"] for row in rows))):  # label by label: the last one's baseline
        found += slow.queries(
            rows,
            lambda row, label=label: [label] if label in row["labels"] else [],
            lambda row, other, label: label in other["labels"],
            lambda row, other, label: label not in other["labels"],
        )
    own = [positives / (positives + negatives) for _, _, positives, negatives in found]
    baselines = [own[-1]] * len(own) if behaviour == "as_published" else own
    expected = slow.mean_of([(row[0], row[1] - base) for row, base in zip(found, baselines, strict=True)])

    assert done.table("map").set_index("label")["mean_average_precision"].to_dict() == pytest.approx(
        expected, abs=1e-12
    )


def across(compounds: list[slow.Row], guides: list[slow.Row], *, split: bool) -> list[tuple]:
    present = set().union(*(row["labels"] for row in guides))
    left = [{**row, "side": 0, "labels": row["labels"] & present} for row in compounds if row["labels"] & present]
    rows = [{**row, "read": row["labels"]} for row in left]
    for row in guides:
        rows.append({**row, "side": 1, "read": set("".join(row["labels"])) if split else row["labels"]})
    return slow.queries(
        rows,
        lambda row: sorted(row["labels"]),
        lambda row, other, label: other["side"] != row["side"] and label in other["labels"],
        lambda row, other, label: other["side"] != row["side"] and not row["read"] & other["read"],
        absolute=True,
        average=slow.positives_first if split else slow.average_precision,
    )


def test_each_side_is_ranked_among_the_other(ranked, consensus):
    paths = [consensus("compounds", COMPOUNDS, lost=("c3",)), consensus("guides", GUIDES, column="gene")]
    done = ranked("gene_compound_matching", consensus=paths)

    assert done.code == 0, done.stderr
    expected = across(rows_of(paths[0]), rows_of(paths[1]), split=False)
    assert len(expected) >= 10
    same(sorted_rows(done.table("ap")), sorted(expected))


def test_as_published_a_true_pair_counts_as_negative_too(ranked, consensus):
    longer = {name: "|".join(part * 2 for part in text.split("|")) for name, text in COMPOUNDS.items()}
    genes = {name: text * 2 for name, text in GUIDES.items()}
    paths = [consensus("compounds", longer), consensus("guides", genes, column="gene")]
    corrected, published = (
        ranked("gene_compound_matching", consensus=paths, behaviour=name) for name in ("corrected", "as_published")
    )
    expected = across(rows_of(paths[0]), rows_of(paths[1]), split=True)
    means = [run.table("map")["mean_average_precision"].mean() for run in (published, corrected)]

    same(sorted_rows(published.table("ap")), sorted(expected))
    assert means[0] < means[1]


@pytest.mark.parametrize("task", ["matching", "gene_compound_matching"])
def test_copairs_gives_the_same_average_precision(ranked, consensus, task):
    paths = [consensus("compounds", COMPOUNDS), consensus("guides", GUIDES, column="gene")]
    given = paths if task == "gene_compound_matching" else paths[:1]
    runs = [ranked(task, consensus=given, definition=name) for name in ("final", "copairs")]
    ours, theirs = (sorted_rows(run.table("ap")) for run in runs)

    assert runs[1].code == 0, runs[1].stderr
    assert [row[0] for row in ours] == [row[0] for row in theirs]
    np.testing.assert_allclose([row[1:] for row in ours], [row[1:] for row in theirs], atol=1e-6)


def test_labels_come_from_the_first_table_and_column_that_has_any(ranked, consensus, tmp_path):
    path = consensus("compounds", dict.fromkeys(COMPOUNDS, "X"), column="gene")
    (tmp_path / "targets.tsv").write_text("broad_sample\ttarget_list\nc1\tA|B\nc2\tA\nc9\tA\n")
    done = ranked("matching", consensus=[path], annotations=[tmp_path / "targets.tsv"])

    assert done.facts["label_column"] == "target_list"
    assert done.facts["perturbations"] == 2


def test_a_perturbation_may_have_a_row_for_each_of_its_targets(ranked, consensus, tmp_path):
    path = consensus("compounds", dict.fromkeys(COMPOUNDS, ""))
    one, several, blanks = (tmp_path / f"{name}.tsv" for name in ("one", "several", "blanks"))
    one.write_text("broad_sample\ttarget_list\n" + "".join(f"{name}\t{text}\n" for name, text in COMPOUNDS.items()))
    rows = [f"{name}\t{part}\n" for part in "FEDCBA" for name, text in COMPOUNDS.items() if part in text]
    several.write_text("broad_sample\ttarget_list\n" + "".join(rows))
    blanks.write_text(one.read_text().replace("|", " | "))
    tables = [ranked("matching", consensus=[path], annotations=[table]).table("ap") for table in (one, several, blanks)]

    assert len(tables[0]) == 8
    for table in tables[1:]:
        same(sorted_rows(table), sorted_rows(tables[0]))


def test_the_targets_of_two_tables_are_united(ranked, consensus, tmp_path):
    path = consensus("compounds", dict.fromkeys(("c1", "c2", "c3", "c4"), ""))
    for name, rows in {"a": "c1\tA\nc2\tA\nc3\tB\n", "b": "c1\tB\nc4\tC\n"}.items():
        (tmp_path / f"{name}.tsv").write_text("broad_sample\ttarget_list\n" + rows)
    done = ranked("matching", consensus=[path], annotations=[tmp_path / "a.tsv", tmp_path / "b.tsv"])

    assert sorted(done.table("ap")["label"]) == ["A", "A", "B", "B"]


def test_targets_are_found_where_a_perturbation_is_told_by_its_dose_too(ranked, consensus, tmp_path):
    path = consensus("compounds", dict.fromkeys(COMPOUNDS, ""))
    table = pd.read_csv(path, dtype={"Metadata_retrieved": str}, keep_default_na=False)
    table["Metadata_broad_sample"] = table["Metadata_label"]
    table.assign(Metadata_label=table["Metadata_label"] + "_0.5", Metadata_dose="0.5").to_csv(path, index=False)
    targets = tmp_path / "targets.tsv"
    targets.write_text("broad_sample\ttarget_list\n" + "".join(f"{name}\t{text}\n" for name, text in COMPOUNDS.items()))
    done = ranked("matching", consensus=[path], annotations=[targets])
    expected = ranked("matching", consensus=[consensus("reference", COMPOUNDS)])

    assert len(done.table("ap")) == 8
    same(sorted_rows(done.table("ap")), sorted_rows(expected.table("ap")))


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("matching", "no retrieved perturbation has a label (target_list,gene)"),
        ("gene_compound_matching", "no retrieved reagent has a gene"),
    ],
)
def test_where_nothing_was_retrieved_the_result_says_so(ranked, consensus, task, said):
    paths = [consensus("compounds", COMPOUNDS, lost=tuple(COMPOUNDS)), consensus("guides", GUIDES, lost=tuple(GUIDES))]
    for definition in ("final", "2022", "copairs"):
        done = ranked(task, consensus=paths[: 1 if task == "matching" else 2], definition=definition)

        assert done.code == 0, done.stderr
        assert said in done.note
        assert done.table("map").empty


def test_two_groups_without_a_common_feature_are_not_ranked_and_say_so(ranked, consensus):
    paths = [consensus("compounds", COMPOUNDS), consensus("guides", GUIDES, column="gene")]
    table = pd.read_csv(paths[1], dtype={"Metadata_retrieved": str}, keep_default_na=False)
    table.rename(columns=lambda name: name.replace("Cells_", "Nuclei_")).to_csv(paths[1], index=False)
    done = ranked("gene_compound_matching", consensus=paths)

    assert done.code == 0, done.stderr
    assert "no feature in common" in done.note
    assert done.table("map").empty
    assert done.facts["features_in_common"] == 0


def test_compounds_without_a_common_target_are_said_to_have_none(ranked, consensus):
    paths = [consensus("compounds", {"c1": "Y"}), consensus("guides", GUIDES, column="gene")]

    assert "no retrieved compound targets the gene" in ranked("gene_compound_matching", consensus=paths).note
