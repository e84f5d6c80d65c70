-- expect: returns 3 b c c
local function f(...) return select("#", ...) .. " " .. table.concat({select(2, ...)}, " ") .. " " .. (select(-1, ...)) end
return f("a", "b", "c")
