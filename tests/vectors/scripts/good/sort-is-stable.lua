-- expect: returns a1 b1 c1 a2 b2
local t = {"a2", "a1", "b1", "b2", "c1"}
table.sort(t, function(x, y) return x:sub(2) < y:sub(2) end)
return table.concat(t, " ")
