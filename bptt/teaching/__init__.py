"""What the derivation needs to prove itself by running."""
