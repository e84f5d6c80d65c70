-- expect: returns why
local ok, e = pcall(assert, false, "why") return e
