-- expect: returns 3
local t = {3, 1, 2}
table.sort(t, function(a, b) t[1] = nil t[2] = "x" t[100] = 1 return a < b end)
return tostring(t[3])
