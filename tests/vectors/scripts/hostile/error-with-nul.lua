-- expect: fails
error("a\0b")
