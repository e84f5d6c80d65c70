-- expect: fails
return u256.add("01", "1")
