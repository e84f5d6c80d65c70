-- expect: fails
return u256.div("1", "0")
