-- expect: fails
return u256.fixed("1.255", 2)
