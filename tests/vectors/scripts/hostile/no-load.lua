-- expect: fails
return load("return 1")()
