-- expect: fails
local a = 2
return a ^ 2
