-- expect: steps
local function f(...) local function g(...) return select("#", ...) end while true do g(...) end end
local t = {}
for i = 1, 800 do t[i] = i end
f(table.unpack(t))
