"""What the site needs beyond Sphinx and MyST-NB; docs/_ext/README.md says which module does what."""
