-- expect: returns script:2: no
local ok, e = pcall(function() error("no") end) return e
