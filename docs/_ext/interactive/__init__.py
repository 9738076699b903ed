"""Parts of a page that answer to the reader: folded answers, moving figures, layout in steps."""
