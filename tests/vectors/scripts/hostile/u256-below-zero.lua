-- expect: fails
return u256.sub("1", "2")
