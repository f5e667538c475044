from a
copi a b
