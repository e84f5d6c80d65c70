-- expect: fails
local x = 1
