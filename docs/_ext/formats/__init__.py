"""Each page in other formats: notebook, script and Markdown."""
