"""How cells run in the reader's browser, and how figures look there and in the build."""
