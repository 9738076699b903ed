"""The library against its peers, the machine and its own promises: `nox -s bench` runs this package."""
