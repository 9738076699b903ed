"""The fast form of the engine, for the cells that come with the library.

Inside it the batch is the LAST axis, (T, n, B): each gate is then one contiguous block of rows, a step is
a contiguous block of memory, and the code reads like the column form of the derivation, ``u @ delta[t]``.
What the caller sees is (T, B, n) still, as views.

It computes what `bptt.forward` and `bptt.backward` compute for any cell, step by step, in their literal
form, and is held to them by tests. What makes it fast: work arrays made once and written to by every step
(``out=``); the product with the input of many steps at a time before their loop, all products for the
weights after it; large products in pieces, where the library below NumPy multiplies those faster; slopes
a' of many steps at a time; the logistic function as a hyperbolic tangent whose halves are folded into the
weights.
"""
