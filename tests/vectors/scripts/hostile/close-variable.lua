-- expect: fails
local x <close> = {}
return "x"
