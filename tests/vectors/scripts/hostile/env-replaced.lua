-- expect: fails
local _ENV = {}
return tostring(1)
