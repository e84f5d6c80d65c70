-- expect: returns 0
local m = -1
return math.mininteger % m
