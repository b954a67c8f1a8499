"""What lies under the data root once a stage has run: manifests, ledgers, status, provenance."""
