-- expect: fails
local a = 2
return tostring(a ^ 2)
