-- expect: fails
return u256.add("1.5", "1")
