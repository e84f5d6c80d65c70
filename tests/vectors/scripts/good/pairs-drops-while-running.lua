-- expect: returns ac
local t, s = {a = 1, b = 1, c = 1}, ""
for k in pairs(t) do t.b = nil s = s .. k end
return s
