"""The engines that the tests are run on: installed and started by the scripts, looked for by `report`."""
