-- expect: fails
local t = {}
for i = 1, 65 do t[i] = "x" end
return t
