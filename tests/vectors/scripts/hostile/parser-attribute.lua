-- expect: malformed
local x <unknown> = 1
