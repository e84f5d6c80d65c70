-- expect: limit
local t = {1}
for i in ipairs(t) do t[i + 1] = "x" .. i end
