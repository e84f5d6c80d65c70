-- expect: fails
local s = "x"
s.y = 1
