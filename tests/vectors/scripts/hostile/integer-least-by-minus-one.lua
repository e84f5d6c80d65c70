-- expect: returns -9223372036854775808
local m = -1
return math.mininteger // m
