-- expect: fails
return u256.fixed("1e99999999", 2)
