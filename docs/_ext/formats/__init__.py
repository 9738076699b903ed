"""Each page in other formats: notebook, script, Markdown, and the files for language models."""
