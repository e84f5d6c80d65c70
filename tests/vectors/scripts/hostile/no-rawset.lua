-- expect: fails
rawset(_G, "x", 1)
