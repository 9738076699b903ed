"""What `bptt.check_cell` is made of: a truth, a battery of checks, and bugs made on purpose.

`jacobian` and `handwritten` say what is true of a layer, `battery` and `ownstep` compare, `sweep` takes
the loop over time apart, and `loopbugs`, `cellbugs` and `grubugs` put it together wrongly.
"""
