-- expect: returns nil 3
local t = {1, 2, 3}
return tostring(table.remove({})) .. " " .. table.remove(t)
