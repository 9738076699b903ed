"""How the cells of pages are run, what is kept of them, and what a build says about them."""
