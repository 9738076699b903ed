"""The library's reference: what is documented, how types and signatures read, where the source is shown."""
