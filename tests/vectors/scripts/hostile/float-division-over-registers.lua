-- expect: returns kept 7 kept table
local keep = {}
local function f(a, b)
	local x, y, z = "kept", 7, {"kept"}
	keep[1] = function() return x, y, z end
	local g = function(...) return ... end
	return g(g(1, 2, 3), a / b, g(4))
end
for i = 1, 200 do assert(not pcall(f, i, 2)) end
local x, y, z = keep[1]()
return x .. " " .. y .. " " .. z[1] .. " " .. type(z)
