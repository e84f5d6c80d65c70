-- expect: returns 1 2 3 10|b a|1 a false
local t = {10, 3, 1, 2} table.sort(t)
local u = {"a", "b"} table.sort(u, function(x, y) return x > y end)
local v = {false, "a", 1} table.sort(v)
return table.concat(t, " ") .. "|" .. table.concat(u, " ") .. "|" .. v[1] .. " " .. v[2] .. " " .. tostring(v[3])
