-- expect: fails
local _ENV = "x"
return foo.bar
