-- expect: returns table
local ok, e = pcall(error, {})
return tostring(e)
