"""Which lines of the cells above a cell needs, and which packages: what a copied cell is made of."""
