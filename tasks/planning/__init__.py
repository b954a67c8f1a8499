"""What a run would cost: sizes of plates, core-hours, prices."""
