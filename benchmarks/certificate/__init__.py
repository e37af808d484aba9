"""The float64 reference, the tolerances and the judgement of arrays against them."""
