"""Parts of a page that answer to the reader: folded answers, two layers, moving figures."""
