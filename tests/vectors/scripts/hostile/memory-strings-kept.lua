-- expect: limit
local t = {}
for i = 1, 1 << 30 do t[i] = "string number " .. i end
