"""Profiles and single cells as AnnData, for scanpy and whatever else reads .h5ad."""

from __future__ import annotations

from typing import Any

from tasks.execution.specs import StageSpec
from tasks.settings.parameters import Switch
from tasks.settings.settings import setting
from tasks.stage_tasks.plate import FROM_CELLS, PlateTask
from tasks.stage_tasks.plate_set import BatchTask
from tasks.workflow.import_tables import ImportCells, ImportWells, tells_itself
from tasks.workflow.profiles import Annotate, Collate, Normalize, NormalizeNegcon


class AnnData(BatchTask):
    """Asked for by name."""

    stage = "anndata"
    single_cells = setting("anndata", "single_cells", Switch, default=False, description="a file a well, too")

    def requires(self) -> list[PlateTask]:
        plates: list[Any] = self.each(NormalizeNegcon)
        first = [each.clone(ImportWells if tells_itself(each) else Annotate) for each in plates]
        return [*first, *self.each(Normalize), *plates, *(self._cells(each) for each in plates if self.single_cells)]

    def _cells(self, plate: Any) -> Any:
        return plate.clone(ImportCells if self.start_from == FROM_CELLS else Collate)

    def spec(self) -> StageSpec:
        left_out = frozenset() if self.single_cells else frozenset({"cells"})
        return super().spec().adding(disabled_outputs=left_out)
