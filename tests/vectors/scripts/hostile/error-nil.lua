-- expect: fails
error()
