-- expect: limit
local a = ("x"):rep(4 << 20)
return a .. a
