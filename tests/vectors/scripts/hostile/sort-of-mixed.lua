-- expect: fails
local t = {1, {}, "x"}
table.sort(t)
