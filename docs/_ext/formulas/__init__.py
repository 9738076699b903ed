"""Formulas, rendered by KaTeX while the site is built."""
