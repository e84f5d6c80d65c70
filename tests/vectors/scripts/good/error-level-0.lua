-- expect: returns bare
local ok, e = pcall(error, "bare", 0) return e
