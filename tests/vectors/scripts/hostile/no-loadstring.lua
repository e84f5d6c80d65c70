-- expect: fails
return loadstring("return 1")()
