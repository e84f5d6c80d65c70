-- expect: returns reached
local function f() local ok = pcall(f) return ok end
f()
return "reached"
