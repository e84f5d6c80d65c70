-- expect: steps
local p = pcall
_ENV = {}
while true do p(function() while true do end end) end
