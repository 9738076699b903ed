"""What all other packages stand on: the words for wrong arguments, array types, walks through records."""
